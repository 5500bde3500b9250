#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_reset_position
short_description: Reset a Huawei Cloud DRS job to a binlog position
version_added: 1.0.0
description:
  - Resets an incremental synchronization job from MySQL to GaussDB(DWS) to a position in the binlog of the source. The
    module pauses the job unless it is paused, sets the position, resumes the job, and waits until the job is in its
    incremental phase.
  - RV(state) tells in which state the job is, after success and failure, even if the task is interrupted or a response
    is lost. The advice in the error message follows from it.
  - A job that somebody else pauses, resumes or changes between two steps is left alone from there on. The module
    cannot prevent that two resets of a job run at the same time, so make sure that they do not.
  - The job reads the changes after the position. Changes before the position that have not been replicated yet never
    reach the target. Changes after the position that have already been replicated are written again, which creates
    duplicates in tables without a key.
  - The module calls C(POST /v5/{project_id}/jobs/{job_id}/action) and C(PUT
    /v5/{project_id}/jobs/{job_id}/start-position), described on the API pages "Performing Operations on a Task with a
    Specified ID" and "Updating the Start Point of an Incremental Task".
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Validates the position, and checks the engine type, task type, status and allowed actions of the job. Changes
        nothing.
  diff_mode:
    support: full
    details:
      - Shows the status and the position of the job. The position before the reset is V(null) if DRS shows none, or
        it could not be read.
  idempotent:
    support: none
    details:
      - A running job does not show whether it started from the position, so each run resets the job.
options:
  job_id:
    description:
      - ID of the DRS job, 36 characters.
    type: str
    required: true
  position:
    description:
      - The position, consisting of binlog file name and offset, for example
        RV(huaweicloud.drs.drs_collect_db_position#module:position). See
        O(huaweicloud.drs.drs_start_position#module:position) for the format.
    type: str
    required: true
  gtid_set:
    description:
      - The C(Executed_Gtid_Set) at the position, for a source with C(gtid_mode) enabled. See
        O(huaweicloud.drs.drs_start_position#module:gtid_set).
    type: str
  pause_mode:
    description:
      - What the pause suspends.
      - V(all) - Stop capturing and replaying changes, so that the job does not continue to capture from its old
        position.
      - V(target) - Stop replaying changes. DRS continues to capture the log of the source.
    type: str
    default: all
    choices:
      - target
      - all
  wait:
    description:
      - Whether to wait until the job is in its incremental phase. With V(false), the task ends successfully as soon as
        DRS has accepted to resume the job, with RV(state=start_unknown).
      - The module always waits until the job is paused.
    type: bool
    default: true
  wait_timeout:
    description:
      - Maximum time in seconds to wait for the pause, and then for the incremental phase. When it is exceeded, the task
        fails. What was requested continues in DRS.
    type: int
    default: 1800
  wait_sleep:
    description:
      - Interval in seconds between requests for the status of the job.
    type: int
    default: 2
seealso:
  - module: huaweicloud.drs.drs_collect_db_position
  - module: huaweicloud.drs.drs_start_position
  - module: huaweicloud.drs.drs_job_action
"""

EXAMPLES = r"""
# These examples take the region and the credentials from the environment variables HW_REGION_NAME,
# HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
- name: Reset a job to a position that was collected before
  huaweicloud.drs.drs_reset_position:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    position: "mysql-bin.000277:805"

- name: Reset a job whose source has gtid_mode enabled
  huaweicloud.drs.drs_reset_position:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    position: "mysql-bin.000277:805"
    gtid_set: 4350aee0-56b5-11ee-8c99-0242ac120002:1-77
    wait_timeout: 3600
"""

RETURN = r"""
job_id:
  description: ID of the DRS job, as specified in the task.
  type: str
  returned: always, if the options are valid
  sample: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
position:
  description: The position sent to DRS.
  type: str
  returned: always, if the options are valid
  sample: "mysql-bin.000277:805"
gtid_set:
  description: The GTID set sent to DRS, on one line. V(null) if there is none.
  type: str
  returned: always, if the options are valid
  sample: 4350aee0-56b5-11ee-8c99-0242ac120002:1-77
state:
  description:
    - The state of the job, as far as the requests and responses of this task tell.
    - V(unchanged) - The task did not change the job.
    - V(pause_unknown) - This reset did not set the position, and it is unknown whether the job is paused.
    - V(paused) - The job is paused, and this reset did not set the position. An earlier one may have.
    - V(position_unknown) - It is unknown whether the position was set.
    - V(position_set) - The position was set, and the job was not resumed.
    - V(start_unknown) - The position was set, and the job may have been resumed.
    - V(running) - The job is running.
  type: str
  returned: always, unless Ansible rejects the options or the Python library requests is missing
  sample: running
steps:
  description: The requests of this task that change the job, in their order.
  type: list
  elements: dict
  returned: always, unless Ansible rejects the options or the Python library requests is missing
  contains:
    step:
      description: What was requested, V(pause), V(set_position) or V(retry) (resume the job).
      type: str
      returned: always
    at:
      description: When the request was sent (UTC).
      type: str
      returned: always
    request_id:
      description:
        - ID that the server assigned to the request, or to a login that the request needed and that failed.
        - V(null) if it is unknown.
      type: str
      returned: always
    accepted:
      description: Whether DRS accepted the request. V(null) if it is unknown, because the response was lost.
      type: bool
      returned: always
  sample:
    - step: pause
      at: "2026-11-24T10:11:12Z"
      request_id: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
      accepted: true
    - step: set_position
      at: "2026-11-24T10:11:34Z"
      request_id: 6f1e2bd0a94c4c1ab3b1d2c9c5bca7b3
      accepted: true
    - step: retry
      at: "2026-11-24T10:11:35Z"
      request_id: 8a0d4ce1b85d5d2bc4c2e3dad6cdb8c4
      accepted: true
job_name:
  description: Name of the job. V(null) if it could not be read.
  type: str
  returned: always, unless options or the login were refused
  sample: orders-to-dws
status_before:
  description: Status of the job before the reset. V(null) if it could not be read.
  type: str
  returned: always, unless options or the login were refused
  sample: INCRE_TRANSFER_STARTED
status:
  description: Status of the job when it was last read. V(null) if it could not be read.
  type: str
  returned: always, unless options or the login were refused
  sample: INCRE_TRANSFER_STARTED
position_before:
  description:
    - The start position that DRS showed before the reset. V(null) if it showed none, or could not be read. When DRS
      updates it is not documented.
  type: str
  returned: always, unless options or the login were refused
  sample: mysql-bin.000123:4
delay:
  description: Delay of incremental synchronization in seconds. V(null) if it is unknown.
  type: int
  returned: always, unless options or the login were refused
  sample: 2
request_id:
  description: ID that the server assigned to the failed request. Quote it when you contact Huawei Cloud support.
  type: str
  returned: failure, if the response contains one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
http_status:
  description: HTTP status of the error response.
  type: int
  returned: failure, if there was a response
  sample: 400
error_code:
  description: Error code from the server.
  type: str
  returned: failure, if the response contains one
  sample: DRS.M00304
error_msg:
  description: Error message from the server.
  type: str
  returned: failure, if the response contains one
  sample: This operation cannot be performed on the task.
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _binlog, _endpoints, _job_actions, _module, _reset


def main() -> None:
    module = _module.DrsModule(
        argument_spec={
            "job_id": {"required": True},
            "position": {"required": True},
            "gtid_set": {},
            "pause_mode": {"default": "all", "choices": list(_job_actions.PAUSE_MODES)},
            "wait": {"type": "bool", "default": True},
            "wait_timeout": {"type": "int", "default": 1800},
            "wait_sleep": {"type": "int", "default": 2},
        }
    )
    params = module.params
    result: dict[str, t.Any] = {"changed": False, "state": _reset.UNCHANGED, "steps": []}
    reset: _reset.Reset | None = None

    def complete() -> str:
        if reset:
            result.update(reset.facts())
        return _reset.ADVICE[result["state"]]

    with module.fail_json_on_error(result, complete):
        job_id = _endpoints.check_job_id(params["job_id"])
        position, gtid_set = _binlog.parse_position(params["position"], params["gtid_set"])
        module.check_wait()
        result.update(job_id=job_id, position=position, gtid_set=gtid_set)
        reset = _reset.Reset(module.connect(), job_id, position, gtid_set, params["pause_mode"])
        reset.check()
        if not module.check_mode:
            reset.run(params["wait"], params["wait_timeout"], params["wait_sleep"])
        before = {"status": reset.status_before, "position": reset.position_before}
        after = {"status": "INCRE_TRANSFER_STARTED", "position": position}
        result.update(reset.facts(), changed=True, diff={"before": before, "after": after})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
