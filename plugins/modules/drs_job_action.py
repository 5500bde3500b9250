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
  - Tells a job of the Data Replication Service (DRS) to do something. Nothing is sent if the job is where the action would bring it, or on its way there.
  - The task fails before it sends anything if the job does not allow the action, and names what the job allows.
  - DRS does it after it has answered. With O(wait=true), the task waits until it is done, and fails if the job fails instead.
  - This is the call C(POST /v5/{project_id}/jobs/{job_id}/action), described on the API page "Performing Operations on a Task with a Specified ID".
    The call that ends a job, C(POST /v5/{project_id}/jobs/{job_id}/stop), is never used.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Reads the status of the job and the actions that it allows. It fails where the task would fail before it sends anything.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details:
      - V(start), V(pause) and V(retry) are. V(reset) is not. Once it runs, a job cannot be told from one that was reset.
options:
  job_id:
    description:
      - ID of the DRS job, 36 characters.
    type: str
    required: true
  action:
    description:
      - What the job is told to do.
    type: str
    required: true
    choices:
      start: Begin, for a job that waits for its start.
      pause: Stop replicating for the time being. A pause must not last longer than 24 hours. The API calls this C(stop).
      retry: Go on after a pause or a failure. The API calls this C(restart).
      reset: Begin anew after a failure, with the data in full. The job's pre-check must have passed completely.
  wait:
    description:
      - Whether to wait until the job runs, or has been paused.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait, with O(wait=true). After that the task fails. What was asked for goes on in DRS.
    type: int
    default: 300
  wait_sleep:
    description:
      - Seconds between two looks at the job, with O(wait=true).
    type: int
    default: 2
seealso:
  - module: huaweicloud.drs.drs_job_info
  - module: huaweicloud.drs.drs_start_position
"""

EXAMPLES = r"""
# The examples take the region and the login from the environment: HW_REGION_NAME, HW_DOMAIN_NAME (the account name), HW_USER_NAME and
# HW_USER_PASSWORD.
- name: Pause a job, and wait until it has stopped replicating
  huaweicloud.drs.drs_job_action:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    action: pause
    wait: true

- name: Let it go on
  huaweicloud.drs.drs_job_action:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    action: retry
    wait: true
    wait_timeout: 900
"""

RETURN = r"""
job_id:
  description: ID of the DRS job, as it was given.
  type: str
  returned: always, if the options are correct
  sample: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
action:
  description: The action, as it was given.
  type: str
  returned: always, if the options are correct
  sample: pause
status_before:
  description: Status of the job before the action.
  type: str
  returned: success, and failure if it could be read
  sample: INCRE_TRANSFER_STARTED
status:
  description:
    - Status of the job that the action has brought it to, with O(wait=true).
    - Without it, and in check mode, the same as RV(status_before).
  type: str
  returned: success
  sample: PAUSING
request_id:
  description:
    - ID of the last request, as the server named it. Huawei Cloud's support asks for it.
    - On success, it is that of the request that told the job what to do. It is V(null) if none was sent.
  type: str
  returned: success, and failure if the server answered with one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
request:
  description: The request that would have been sent, without its credentials.
  type: dict
  returned: in check mode, if the job would be told
  sample:
    method: POST
    url: https://drs.eu-west-101.myhuaweicloud.eu/v5/054ba152d480d55b2f5dc0069e7ddef0/jobs/c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r/action
    body:
      job:
        action_name: stop
http_status:
  description: HTTP status of the answer that made the task fail.
  type: int
  returned: failure, if a server answered
  sample: 400
error_code:
  description: Error code that the server gave.
  type: str
  returned: failure, if the server gave one
  sample: DRS.M00304
error_msg:
  description: Error message that the server gave.
  type: str
  returned: failure, if the server gave one
  sample: This operation cannot be performed on the task.
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import check_job_id
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import (
    ACTIONS,
    check_allowed,
    execute_job_action,
    job_action_request,
    show_job,
    wait_for_action,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import DrsModule


def main() -> None:
    module = DrsModule(
        argument_spec={
            "job_id": {"required": True},
            "action": {"required": True, "choices": list(ACTIONS)},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 300},
            "wait_sleep": {"type": "int", "default": 2},
        }
    )
    action, wait = module.params["action"], module.params["wait"] and not module.check_mode
    result: dict[str, t.Any] = {"changed": False}
    with module.fail_json_on_error(result):
        job_id = check_job_id(module.params["job_id"])
        module.check_wait()
        result.update(job_id=job_id, action=action)
        drs = module.connect()
        before = show_job(drs, job_id)["status"]
        result.update(status_before=before, status=before, request_id=None)

        if before not in ACTIONS[action].noop_statuses and check_allowed(drs, job_id, action):
            if module.check_mode:
                result["request"] = job_action_request(drs, job_id, action)
            else:
                result["request_id"] = execute_job_action(drs, job_id, action)
            result["changed"] = True
        if wait:
            try:
                result["status"] = wait_for_action(
                    drs, job_id, action, before, module.params["wait_timeout"], module.params["wait_sleep"]
                )
            except HuaweiCloudError as error:
                error.add_hint(f"Look at the job before you tell it to {action} again.")
                raise
        after = (
            result["status"] if wait or not result["changed"] else " or ".join(sorted(ACTIONS[action].target_statuses))
        )
        result["diff"] = {"before": {"status": before}, "after": {"status": after}}
    module.exit_json(**result)


if __name__ == "__main__":
    main()
