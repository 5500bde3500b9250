#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_start_position
short_description: Set the start position of a Huawei Cloud DRS job
version_added: 1.0.0
description:
  - Sets the position in the binlog of the source from which an incremental synchronization job reads when it is
    resumed. The job must not be running. Use M(huaweicloud.drs.drs_job_action) to pause it first and to resume it
    afterwards.
  - The job reads the changes after the position. Changes before the position that have not been replicated yet never
    reach the target. Changes after the position that have already been replicated are written again, which creates
    duplicates in tables without a key.
  - The module calls C(PUT /v5/{project_id}/jobs/{job_id}/start-position), described on the API page "Updating the
    Start Point of an Incremental Task". DRS supports this call only for incremental jobs without a full phase, and
    only in certain regions.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Validates the position, logs in, and reads the job and the actions that it allows. The task does not fail if
        the job is running, because a preceding task may be the one that pauses it.
      - If DRS cannot list the actions of the job in this region, the C(actions) of RV(job) are V(null), and the module
        issues a warning.
  diff_mode:
    support: full
    details:
      - With C(--diff), the module also reads the current position. It is V(null) if DRS does not return it. When DRS
        updates what it returns is not documented, so the value is informational.
  idempotent:
    support: none
    details:
      - The current position that DRS returns may be outdated, so each run sets the position and reports a change.
        Setting the same position twice has the same effect as setting it once, unless the job has been resumed in
        between.
options:
  job_id:
    description:
      - ID of the DRS job, 36 characters.
    type: str
    required: true
  position:
    description:
      - The start position, consisting of binlog file name and offset, for example
        RV(huaweicloud.drs.drs_db_position_info#module:position).
      - The format is V(mysql-bin.000277:805), where the name before the dot has 1 to 60 characters, the number 3 to
        20 digits, and the offset 1 to 20 digits. The maximum length is 100 characters.
      - A GTID set may follow after a semicolon, as in
        V(mysql-bin.000277:805;4350aee0-56b5-11ee-8c99-0242ac120002:1-77). It is sent like O(gtid_set).
    type: str
    required: true
  gtid_set:
    description:
      - The C(Executed_Gtid_Set) at the position, for a source with C(gtid_mode) enabled, as C(SHOW BINARY LOG STATUS)
        prints it (C(SHOW MASTER STATUS) before MySQL 8.2). Line breaks and spaces are removed.
      - If O(position) contains a GTID set as well, both must be equal.
    type: str
seealso:
  - module: huaweicloud.drs.drs_collect_db_position
  - module: huaweicloud.drs.drs_job_action
"""

EXAMPLES = r"""
# These examples take the region and the credentials from the environment variables HW_REGION_NAME,
# HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
- name: Pause the job
  huaweicloud.drs.drs_job_action:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    action: pause
    pause_mode: all
    wait: true

- name: Set the start position
  huaweicloud.drs.drs_start_position:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    position: "mysql-bin.000277:805"

- name: Resume the job
  huaweicloud.drs.drs_job_action:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    action: retry
    wait: true
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
  description: The GTID set sent to DRS, on one line.
  type: str
  returned: if O(gtid_set) is set or O(position) contains a GTID set, and the options are valid
  sample: 4350aee0-56b5-11ee-8c99-0242ac120002:1-77
request_id:
  description:
    - ID that the server assigned to the last request. Quote it when you contact Huawei Cloud support.
    - On success, the ID of the request that set the position. V(null) in check mode.
  type: str
  returned: success, and failure if the response contains one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
job:
  description: The job, with the keys that M(huaweicloud.drs.drs_job_info) returns.
  type: dict
  returned: in check mode
  sample:
    id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    name: orders-to-dws
    status: PAUSING
    engine_type: mysql-to-dws
    task_type: INCR_TRANS
    parent_id: null
    actions:
      available_actions: [RETRY]
      unavailable_actions: [START, PAUSE, RESET]
      current_action: null
request:
  description: The request that would be sent, without credentials.
  type: dict
  returned: in check mode
  sample:
    method: PUT
    url: https://drs.eu-west-101.myhuaweicloud.eu/v5/054ba152d480d55b2f5dc0069e7ddef0/jobs/c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r/start-position
    body:
      file_and_position: "mysql-bin.000277:805"
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

from ansible_collections.huaweicloud.drs.plugins.module_utils import (
    _binlog,
    _endpoints,
    _errors,
    _jobs,
    _module,
    _start_position,
)


def main() -> None:
    module = _module.DrsModule(
        argument_spec={"job_id": {"required": True}, "position": {"required": True}, "gtid_set": {}}
    )
    result: dict[str, t.Any] = {}
    before: dict[str, t.Any] = {}
    with module.fail_json_on_error(result):
        job_id = _endpoints.check_job_id(module.params["job_id"])
        position, gtid_set = _binlog.parse_position(module.params["position"], module.params["gtid_set"])
        target = {"position": position, **({"gtid_set": gtid_set} if gtid_set else {})}
        result.update(job_id=job_id, **target)
        drs = module.connect()
        if module.check_mode:
            job = {**_jobs.show_job(drs, job_id), "actions": _jobs.show_actions(drs, job_id)}
            if job["task_type"] not in ("INCR_TRANS", None):
                module.warn(
                    f"Job {job_id} has the task type {drs.sanitize(job['task_type'])[:50]!r}."
                    " DRS supports setting the position only for INCR_TRANS jobs."
                )
            result.update(
                request_id=None,
                job=job,
                request=_start_position.start_position_request(drs, job_id, position, gtid_set),
            )
        if module._diff:
            try:
                start = _jobs.show_start(drs, job_id)
                before = {"position": start["start_position"], "gtid_set": start["start_gtid_set"]}
            except _errors.HuaweiCloudError as error:
                # It is only shown. The request below must not depend on it.
                module.warn(f"The current position of job {job_id} is not known. {error}")
        if not module.check_mode:
            result["request_id"] = _start_position.update_start_position(drs, job_id, position, gtid_set)
        result.update(changed=True, diff={"before": before, "after": {"position": position, "gtid_set": gtid_set}})
    module.exit_json(**result)


if __name__ == "__main__":
    main()
