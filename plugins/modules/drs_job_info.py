#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_job_info
short_description: Retrieve information about Huawei Cloud DRS synchronization jobs
version_added: 1.0.0
description:
  - Retrieves a job by its ID, all jobs with a given name, or all synchronization jobs of the project. The module does
    not change anything.
  - Names are not unique in DRS. If several jobs have the same name, the module returns all of them and issues a
    warning.
  - The module calls C(GET /v5/{project_id}/jobs) and C(GET /v5/{project_id}/jobs/{job_id}), described on the API
    pages "Querying the Task List" and "Querying Task Details". With O(include=actions), it also calls
    C(GET /v5/{project_id}/jobs/{job_id}/actions), described on the API page "Obtaining the Operations Allowed in a
    Specified Task".
  - If DRS refuses to read jobs with these calls, or does not find a job, the module uses the equivalent calls of v3 of
    the API, C(POST /v3/{project_id}/jobs), C(/jobs/batch-detail) and C(/jobs/batch-progress). The list of v3 may lack
    jobs of engine types other than V(mysql-to-dws).
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Behaves the same as outside check mode.
  diff_mode:
    support: N/A
  idempotent:
    support: full
options:
  job_id:
    description:
      - ID of a DRS job, 36 characters. The task fails if the job does not exist.
    type: str
  name:
    description:
      - Full name of the jobs. If no job has this name, RV(jobs) is empty.
    type: str
  engine_type:
    description:
      - Return only jobs of these engine types, for example V(mysql-to-dws).
    type: list
    elements: str
  status:
    description:
      - Return only jobs with these statuses. V(PAUSING) means that the job is paused.
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
      - Additional information to retrieve for each returned job. Each item takes one more request per job.
      - V(actions) - The actions that the job currently allows.
      - V(position) - Where the job starts, how it resolves conflicts, and why it failed.
      - V(progress) - The transfer status and the delay of incremental synchronization.
    type: list
    elements: str
    choices:
      - actions
      - position
      - progress
seealso:
  - module: huaweicloud.drs.drs_job_action
"""

EXAMPLES = r"""
# These examples take the region and the credentials from the environment variables HW_REGION_NAME,
# HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
- name: Find a job by its name
  huaweicloud.drs.drs_job_info:
    name: orders-to-dws
  register: found

- name: Make sure that exactly one job was found
  ansible.builtin.assert:
    that: found.jobs | length == 1

- name: Show the allowed actions and the delay of a job
  huaweicloud.drs.drs_job_info:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    include:
      - actions
      - progress

- name: List failed synchronization jobs from MySQL to GaussDB(DWS)
  huaweicloud.drs.drs_job_info:
    engine_type: mysql-to-dws
    status: INCRE_TRANSFER_FAILED
"""

RETURN = r"""
jobs:
  description:
    - The jobs. The list is empty if there are none. Values that DRS does not provide are V(null).
    - A job that consists of subtasks is followed by its subtasks.
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
      description: Status of the job. See O(status) for the possible values.
      type: str
      returned: always
    engine_type:
      description: Engine type of the job, that is, its source and target engines.
      type: str
      returned: always
    task_type:
      description: Task type, V(FULL_TRANS) (full), V(FULL_INCR_TRANS) (full and incremental) or V(INCR_TRANS)
        (incremental).
      type: str
      returned: always
    parent_id:
      description: ID of the parent job, if the job is a subtask.
      type: str
      returned: always
    actions:
      description: The actions that the job currently allows and does not allow, and the action in progress. V(null),
        with a warning, if this API call is not available in the region.
      type: dict
      returned: if O(include) contains V(actions)
    position:
      description:
        - C(start_position) and C(start_gtid_set) - Where the job starts. DRS does not document when it updates them.
        - C(conflict_policy) - What the job does if a row already exists in the target, V(stop) (the job fails),
          V(ignore) (keeps the row in the target) or V(overwrite).
        - C(failed_reason) - Why the job failed.
        - C(is_open_fast_clean) - Whether the source deletes its binlog early (fast binlog cleaning of RDS).
        - Values that DRS does not return are V(null). All are, with a warning, if the API call is not available in the
          region.
      type: dict
      returned: if O(include) contains V(position)
    progress:
      description:
        - The transfer status, and the delay of incremental synchronization in seconds. The delay is V(null) outside
          incremental synchronization.
      type: dict
      returned: if O(include) contains V(progress)
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
      position:
        start_position: mysql-bin.000277:805
        start_gtid_set: 4350aee0-56b5-11ee-8c99-0242ac120002:1-77
        conflict_policy: overwrite
        failed_reason: null
        is_open_fast_clean: false
      progress:
        transfer_status: INCRE_TRANSFER_STARTED
        incr_trans_delay: 2
project_id:
  description: ID of the project of the jobs.
  type: str
  returned: success
  sample: 054ba152d480d55b2f5dc0069e7ddef0
endpoint:
  description: The endpoint of DRS that was used.
  type: str
  returned: success
  sample: https://drs.eu-west-101.myhuaweicloud.eu
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
  sample: DRS.10000010
error_msg:
  description: Error message from the server.
  type: str
  returned: failure, if the response contains one
  sample: Job does not exist, please check job id.
"""

import time
import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import (
    _drs,
    _endpoints,
    _errors,
    _hints,
    _job_lists,
    _jobs,
    _module,
)

MAX_WARNINGS = 20  # A region that does not offer to read a part causes one for each job.
START = ("start_position", "start_gtid_set", "conflict_policy", "failed_reason", "is_open_fast_clean")


def show_position(drs: _drs.DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read where a job starts. All values are None, with a warning, if DRS does not offer to read them."""
    try:
        return _jobs.show_start(drs, job_id)
    except _errors.ApiError as error:
        if not _jobs.is_unsupported(error) and not _jobs.is_absent(error):
            raise
        drs.warn(f"It is unknown where job {job_id} starts. {error}")
        return dict.fromkeys(START)


def limit(warn: t.Callable[[str], None]) -> t.Callable[[str], None]:
    """Return a function that shows the first warnings only, and says so."""
    count = 0

    def warn_at_first(message: str) -> None:
        nonlocal count
        count += 1
        if count <= MAX_WARNINGS:
            warn(message)
        elif count == MAX_WARNINGS + 1:
            warn("More warnings like these are not shown.")

    return warn_at_first


def main() -> None:
    module = _module.DrsModule(
        argument_spec={
            "job_id": {},
            "name": {},
            "engine_type": {"type": "list", "elements": "str"},
            "status": {"type": "list", "elements": "str", "choices": list(_jobs.JOB_STATUSES)},
            "include": {"type": "list", "elements": "str", "choices": ["actions", "position", "progress"]},
        },
        mutually_exclusive=[("job_id", "name")],
    )
    params = module.params
    result: dict[str, t.Any] = {"changed": False}
    with module.fail_json_on_error(result):
        job_id = _endpoints.check_job_id(params["job_id"]) if params["job_id"] else None
        if _hints.masked_hint(params["name"] or ""):
            raise _errors.InvalidOptionError(f"name is {params['name']!r}. {_hints.masked_hint(params['name'])}")
        drs = module.connect()
        drs.warn = limit(drs.warn)
        jobs = [_jobs.show_job(drs, job_id)] if job_id else _job_lists.list_jobs(drs, params["name"])
        if params["name"] and len(jobs) > 1:
            module.warn(f"{len(jobs)} jobs have the name {params['name']}.")
        for key in ("engine_type", "status"):
            jobs = [job for job in jobs if not params[key] or job[key] in params[key]]
        parts = {"actions": _jobs.show_actions, "position": show_position, "progress": _jobs.show_progress}
        deadline, length = time.monotonic() + _job_lists.MAX_INCLUDE_TIME, 0
        for job in jobs:
            job.update({part: parts[part](drs, job["id"]) for part in params["include"] or ()})
            length += len(str(job))
            if length > _job_lists.MAX_INCLUDE_LENGTH:
                raise _job_lists.list_too_long("jobs", f"{_job_lists.MAX_INCLUDE_LENGTH} characters")
            if time.monotonic() > deadline:
                raise _job_lists.list_too_long("jobs", f"{_job_lists.MAX_INCLUDE_TIME} seconds")
        result.update(jobs=jobs, project_id=drs.project_id, endpoint=drs.endpoint)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
