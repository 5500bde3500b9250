#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_job_action
short_description: Start, pause, retry or reset a Huawei Cloud DRS job
version_added: 1.0.0
description:
  - Performs an action on a job of the Data Replication Service (DRS). The module does nothing if the job is already
    in the state that the action leads to, or if the action is in progress.
  - If the job does not allow the action, the task fails without performing it and lists the actions that the job
    allows.
  - DRS performs actions asynchronously. With O(wait=true), the task waits until the action is complete. It fails if
    the job ends, or if the job has failed and stays so for a minute, because DRS resumes failed jobs by itself.
  - If DRS cannot list the actions of the job in this region, the module issues a warning and sends the request, and DRS
    decides whether to accept it.
  - The module calls C(POST /v5/{project_id}/jobs/{job_id}/action), described on the API page "Performing Operations
    on a Task with a Specified ID". It never calls C(POST /v5/{project_id}/jobs/{job_id}/stop), which ends a job.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Reads the status of the job and the actions that it allows, but performs no action. The task fails if the job
        does not allow the action.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - V(start), V(pause) and V(retry) are idempotent. V(reset) is not, because a running job does not show whether
        it has been reset.
options:
  job_id:
    description:
      - ID of the DRS job, 36 characters.
    type: str
    required: true
  action:
    description:
      - The action to perform on the job.
      - V(start) - Start a job that is waiting to be started.
      - V(pause) - Suspend the job, see O(pause_mode). The API calls this action C(stop). A failed job may allow it as
        well, which prevents DRS from resuming the job by itself.
      - V(retry) - Resume a job that is paused or has failed. The API calls this action C(restart).
      - V(reset) - Restart a job that is paused or has failed. An incremental job continues with incremental
        synchronization. Other jobs begin with the full synchronization again, and DRS does not clear the target. The
        pre-check of the job must have passed at 100 percent.
    type: str
    required: true
    choices:
      - start
      - pause
      - retry
      - reset
  pause_mode:
    description:
      - What O(action=pause) suspends. If not set, DRS uses V(target).
      - V(target) - Stop replaying changes in the target. DRS continues to capture the log of the source.
      - V(all) - Stop capturing and replaying. Huawei Cloud recommends not to pause the capture for more than 24 hours,
        because the source may delete binlog files that the job still needs.
      - If the job is already paused, the module does nothing, whatever the mode of that pause is.
    type: str
    choices:
      - target
      - all
  wait:
    description:
      - Whether to wait until the job is running or paused.
    type: bool
    default: false
  wait_timeout:
    description:
      - Maximum time in seconds to wait with O(wait=true). When it is exceeded, the task fails. The action continues
        in DRS.
    type: int
    default: 1800
  wait_sleep:
    description:
      - Interval in seconds between requests for the status of the job with O(wait=true).
    type: int
    default: 2
seealso:
  - module: huaweicloud.drs.drs_job_info
  - module: huaweicloud.drs.drs_start_position
"""

EXAMPLES = r"""
# These examples take the region and the credentials from the environment variables HW_REGION_NAME,
# HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
- name: Pause capture and replay of a job, and wait until the job is paused
  huaweicloud.drs.drs_job_action:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    action: pause
    pause_mode: all
    wait: true

- name: Resume the job
  huaweicloud.drs.drs_job_action:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    action: retry
    wait: true
    wait_timeout: 900
"""

RETURN = r"""
job_id:
  description: ID of the DRS job, as specified in the task.
  type: str
  returned: always, if the options are valid
  sample: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
action:
  description: The action, as specified in the task.
  type: str
  returned: always, if the options are valid
  sample: pause
status_before:
  description: Status of the job before the action.
  type: str
  returned: success, and failure if the status could be read
  sample: INCRE_TRANSFER_STARTED
status:
  description:
    - With O(wait=true), status of the job when it was last read.
    - With O(wait=false), and in check mode, the same as RV(status_before).
  type: str
  returned: success, and failure if the status could be read
  sample: PAUSING
request_id:
  description:
    - ID that the server assigned to the last request. Quote it when you contact Huawei Cloud support.
    - On success, the ID of the request that performed the action, or V(null) if none was sent.
  type: str
  returned: success, and failure if the response contains one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
request:
  description: The request that would be sent, without credentials.
  type: dict
  returned: in check mode, if the action would be performed
  sample:
    method: POST
    url: https://drs.eu-west-101.myhuaweicloud.eu/v5/054ba152d480d55b2f5dc0069e7ddef0/jobs/c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r/action
    body:
      job:
        action_name: stop
        action_params:
          pause_mode: all
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

from ansible_collections.huaweicloud.drs.plugins.module_utils import _endpoints, _errors, _job_actions, _jobs, _module


def main() -> None:
    module = _module.DrsModule(
        argument_spec={
            "job_id": {"required": True},
            "action": {"required": True, "choices": list(_job_actions.ACTIONS)},
            "pause_mode": {"choices": list(_job_actions.PAUSE_MODES)},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 1800},
            "wait_sleep": {"type": "int", "default": 2},
        }
    )
    action, pause_mode = module.params["action"], module.params["pause_mode"]
    wait = module.params["wait"] and not module.check_mode
    result: dict[str, t.Any] = {"changed": False}
    with module.fail_json_on_error(result):
        job_id = _endpoints.check_job_id(module.params["job_id"])
        _job_actions.check_pause_mode(action, pause_mode)
        module.check_wait()
        result.update(job_id=job_id, action=action)
        drs = module.connect()
        before = _jobs.show_job(drs, job_id)["status"]
        result.update(status_before=before, status=before, request_id=None)

        if before not in _job_actions.ACTIONS[action].noop_statuses and _job_actions.check_allowed(drs, job_id, action):
            if module.check_mode:
                result["request"] = _job_actions.job_action_request(drs, job_id, action, pause_mode)
            else:
                result["request_id"] = _job_actions.execute_job_action(drs, job_id, action, pause_mode)
            result["changed"] = True
        if wait:
            try:
                _job_actions.wait_for_action(
                    drs,
                    job_id,
                    action,
                    before,
                    module.params["wait_timeout"],
                    module.params["wait_sleep"],
                    see=lambda status: result.update(status=status),
                )
            except _errors.HuaweiCloudError as error:
                error.add_hint(f"DRS had accepted the {action}." if result["changed"] else None)
                error.add_hint(f"Check the job before you request {action} again.")
                raise
        after = (
            result["status"]
            if wait or not result["changed"]
            else " or ".join(sorted(_job_actions.ACTIONS[action].target_statuses))
        )
        result["diff"] = {"before": {"status": before}, "after": {"status": after}}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
