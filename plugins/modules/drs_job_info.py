#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_job_info
short_description: Read the synchronization jobs of Huawei Cloud DRS
version_added: 1.0.0
description:
  - Reads one job by its ID, those with a name, or all synchronization jobs of the project. It changes nothing.
  - Names are not unique in DRS. If several jobs have the name, all of them are returned, with a warning.
  - These are the calls C(GET /v5/{project_id}/jobs) and C(GET /v5/{project_id}/jobs/{job_id}), described on the API pages "Querying the Task List" and
    "Querying Task Details". O(include) adds C(GET /v5/{project_id}/jobs/{job_id}/actions), "Obtaining the Operations Allowed in a Specified Task".
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Reads as it does outside check mode.
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  job_id:
    description:
      - ID of one DRS job, 36 characters. The task fails if there is no such job.
    type: str
  name:
    description:
      - Name of the jobs, in full. If there is none with this name, RV(jobs) is empty.
    type: str
  engine_type:
    description:
      - Return only jobs of these engine types, for example V(mysql-to-dws).
    type: list
    elements: str
  status:
    description:
      - Return only jobs in these statuses. V(PAUSING) is a job that has been paused.
    type: list
    elements: str
    choices:
      - CREATING
      - CREATE_FAILED
      - CONFIGURATION
      - STARTJOBING
      - WAITING_FOR_START
      - START_JOB_FAILED
      - PAUSING
      - FULL_TRANSFER_STARTED
      - FULL_TRANSFER_FAILED
      - FULL_TRANSFER_COMPLETE
      - INCRE_TRANSFER_STARTED
      - INCRE_TRANSFER_FAILED
      - RELEASE_RESOURCE_STARTED
      - RELEASE_RESOURCE_FAILED
      - RELEASE_RESOURCE_COMPLETE
      - REBUILD_NODE_STARTED
      - REBUILD_NODE_FAILED
      - CHANGE_JOB_STARTED
      - CHANGE_JOB_FAILED
      - DELETED
      - CHILD_TRANSFER_STARTING
      - CHILD_TRANSFER_STARTED
      - CHILD_TRANSFER_COMPLETE
      - CHILD_TRANSFER_FAILED
      - RELEASE_CHILD_TRANSFER_STARTED
      - RELEASE_CHILD_TRANSFER_COMPLETE
      - NODE_UPGRADE_START
      - NODE_UPGRADE_COMPLETE
      - NODE_UPGRADE_FAILED
  include:
    description:
      - What else to read, for each job that is returned. Each takes one more request a job.
    type: list
    elements: str
    choices:
      actions: What the job can be told to do now.
      progress: The delay of the incremental phase.
seealso:
  - module: huaweicloud.drs.drs_job_action
"""

EXAMPLES = r"""
# The examples take the region and the login from the environment: HW_REGION_NAME, HW_DOMAIN_NAME (the account name), HW_USER_NAME and
# HW_USER_PASSWORD.
- name: Find a job by its name
  huaweicloud.drs.drs_job_info:
    name: orders-to-dws
  register: found

- name: Go on only if there is exactly one
  ansible.builtin.assert:
    that: found.jobs | length == 1

- name: See what a job can be told to do, and how far behind it is
  huaweicloud.drs.drs_job_info:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    include:
      - actions
      - progress

- name: List the jobs to GaussDB(DWS) that have failed
  huaweicloud.drs.drs_job_info:
    engine_type: mysql-to-dws
    status: INCRE_TRANSFER_FAILED
"""

RETURN = r"""
jobs:
  description:
    - The jobs, an empty list if there is none. What DRS does not say of a job is V(null).
    - A job that is made up of others is followed by these.
  type: list
  elements: dict
  returned: success
  contains:
    id:
      description: ID of the job.
      type: str
      returned: always
    name:
      description: Name of the job.
      type: str
      returned: always
    status:
      description: Status of the job, one of those that O(status) takes.
      type: str
      returned: always
    engine_type:
      description: What the job replicates from and to.
      type: str
      returned: always
    task_type:
      description: V(FULL_TRANS), V(FULL_INCR_TRANS) or V(INCR_TRANS).
      type: str
      returned: always
    parent_id:
      description: ID of the job that this one is a part of.
      type: str
      returned: always
    actions:
      description: The actions that the job allows and does not allow now, and the present one.
      type: dict
      returned: when O(include) has V(actions)
    progress:
      description: The status of the transfer, and the delay of the incremental phase in seconds. The latter is V(null) outside of that phase.
      type: dict
      returned: when O(include) has V(progress)
  sample:
    - id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
      name: orders-to-dws
      status: INCRE_TRANSFER_STARTED
      engine_type: mysql-to-dws
      task_type: INCR_TRANS
      parent_id: null
      actions:
        available_actions: [PAUSE]
        unavailable_actions: [START, RETRY, RESET]
        current_action: null
      progress:
        transfer_status: INCRE_TRANSFER_STARTED
        incr_trans_delay: 2
request_id:
  description: ID of the request that failed, as the server named it. Huawei Cloud's support asks for it.
  type: str
  returned: failure, if the server answered with one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
http_status:
  description: HTTP status of the answer that made the task fail.
  type: int
  returned: failure, if a server answered
  sample: 400
error_code:
  description: Error code that the server gave.
  type: str
  returned: failure, if the server gave one
  sample: DRS.10000010
error_msg:
  description: Error message that the server gave.
  type: str
  returned: failure, if the server gave one
  sample: Job does not exist, please check job id.
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import check_job_id
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import (
    JOB_STATUSES,
    list_jobs,
    show_actions,
    show_job,
    show_progress,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import DrsModule


def main() -> None:
    module = DrsModule(
        argument_spec={
            "job_id": {},
            "name": {},
            "engine_type": {"type": "list", "elements": "str"},
            "status": {"type": "list", "elements": "str", "choices": list(JOB_STATUSES)},
            "include": {"type": "list", "elements": "str", "choices": ["actions", "progress"]},
        },
        mutually_exclusive=[("job_id", "name")],
    )
    params, result = module.params, {"changed": False}
    with module.fail_json_on_error(result):
        job_id = check_job_id(params["job_id"]) if params["job_id"] else None
        drs = module.connect()
        jobs: list[dict[str, t.Any]] = [show_job(drs, job_id)] if job_id else list_jobs(drs, params["name"])
        if params["name"] and len(jobs) > 1:
            module.warn(f"{len(jobs)} jobs have the name {params['name']}.")
        for key in ("engine_type", "status"):
            jobs = [job for job in jobs if not params[key] or job[key] in params[key]]
        for job in jobs:
            for part in params["include"] or ():
                job[part] = {"actions": show_actions, "progress": show_progress}[part](drs, job["id"])
    module.exit_json(jobs=jobs, **result)


if __name__ == "__main__":
    main()
