#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_collect_db_position
short_description: Collect the database position of a Huawei Cloud DRS job at a time
version_added: 1.0.0
description:
  - Asks the Data Replication Service (DRS) for the position in the source database's binlog at a time, so that a synchronization task from MySQL to
    GaussDB(DWS) can be reset to it.
  - DRS looks for the position asynchronously. This module returns the ID of the query, with which M(huaweicloud.drs.drs_db_position_info) reads the
    result. With O(wait=true) it waits for the result itself.
  - Collecting changes nothing in the job or in a database. It only starts a query, and every run starts another one.
  - This is the call C(POST /v5/{project_id}/jobs/{job_id}/collect-db-position), described on the API page "Collecting Database Position Information".
    DRS offers it for synchronization from MySQL to GaussDB(DWS) only, and in certain regions only.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - huaweicloud.drs.drs.attributes
attributes:
  check_mode:
    support: full
    details:
      - Sends no request that starts a query. It checks the options, logs in, and reads the job. The task fails if there is no such job, or if the job
        is not one from MySQL to GaussDB(DWS). In a region that does not offer to read a job, it warns instead.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - DRS starts a new query with a new ID every time.
options:
  job_id:
    description:
      - ID of the DRS job, 36 characters.
    type: str
    required: true
  reset_position_time:
    description:
      - The time whose position is wanted, in the extended form of ISO 8601 with C(Z) or an offset, for example V(2023-09-19T07:00:00Z) or
        V(2023-09-19 15:00:00+08:00).
      - A time without an offset is refused, since it could be meant in any time zone. So is one more than five minutes in the future.
      - It is sent in UTC. Fractions of a second are cut off, towards the past.
    type: str
    required: true
  wait:
    description:
      - Whether to wait until DRS has found the position.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait for the result, with O(wait=true). After that the task fails and returns the IDs. The query goes on in DRS.
    type: int
    default: 300
  wait_sleep:
    description:
      - Seconds between two requests for the result, with O(wait=true).
    type: int
    default: 2
seealso:
  - module: huaweicloud.drs.drs_db_position_info
"""

EXAMPLES = r"""
# The examples take the region and the login from the environment: HW_REGION_NAME, HW_DOMAIN_NAME (the account name), HW_USER_NAME and
# HW_USER_PASSWORD.
- name: Collect the position, and go on
  huaweicloud.drs.drs_collect_db_position:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    reset_position_time: "2023-09-19T07:00:00Z"
  register: asked

- name: Read the result until it is there
  huaweicloud.drs.drs_db_position_info:
    job_id: "{{ asked.job_id }}"
    query_id: "{{ asked.id }}"
  register: result
  until: result is failed or result.status != 'pending'
  retries: 60
  delay: 5
  # In check mode nothing was asked, so there is no id.
  when: not ansible_check_mode

- name: Collect the position, and wait for it
  huaweicloud.drs.drs_collect_db_position:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    reset_position_time: "2023-09-19 15:00:00+08:00"
    wait: true
    wait_timeout: 600
  register: collected

- name: Show the position
  ansible.builtin.debug:
    msg: "{{ collected.position }}"
  when: not ansible_check_mode

- name: Say once how to connect, here with a token, which is the same for all jobs
  module_defaults:
    group/huaweicloud.drs.drs:
      region: eu-west-101
      project_id: 054ba152d480d55b2f5dc0069e7ddef0
      auth_token: "{{ vault_huaweicloud_token }}"
  block:
    - name: Collect the positions of several jobs at one time
      huaweicloud.drs.drs_collect_db_position:
        job_id: "{{ item }}"
        reset_position_time: "2023-09-19T07:00:00Z"
      loop:
        - c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
        - 177738d1-4eee-4fcb-a4e1-09aea79jb20i
      register: queries

- name: Log in with options instead of the environment
  huaweicloud.drs.drs_collect_db_position:
    region: eu-west-101
    account_name: example-account
    username: drs-operator
    password: "{{ vault_drs_password }}"
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    reset_position_time: "2023-09-19T07:00:00Z"
"""

RETURN = r"""
id:
  description:
    - ID of the query, for M(huaweicloud.drs.drs_db_position_info).
    - It is also returned when the task fails after DRS gave it out. In check mode it is V(null).
  type: str
  returned: success, and failure if the query was started
  sample: 0eacda0b-9422-4535-8b62-537d1833638b
job_id:
  description: ID of the DRS job, as it was given.
  type: str
  returned: always, if the options are correct
  sample: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
status:
  description:
    - Status of the query, V(pending), V(success) or V(failed). With V(failed) the task fails.
    - In check mode it is V(null).
  type: str
  returned: success, and failure if the query was started
  sample: pending
position:
  description: The position, as name of the binlog file and offset in it. It is there with the status V(success) only.
  type: str
  returned: success with O(wait=true), not in check mode
  sample: "mysql-bin.000277:805"
reset_position_time:
  description: The time as it was sent to DRS.
  type: str
  returned: always, if the options are correct
  sample: "2023-09-19T07:00:00Z"
request_id:
  description:
    - ID of the last request, as the server named it. Huawei Cloud's support asks for it.
    - On success, it is that of the request that started the query. In check mode it is V(null).
  type: str
  returned: success, and failure if the server answered with one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
request:
  description: The request that would have been sent, without its credentials.
  type: dict
  returned: in check mode
  sample:
    method: POST
    url: https://drs.eu-west-101.myhuaweicloud.eu/v5/054ba152d480d55b2f5dc0069e7ddef0/jobs/c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r/collect-db-position
    body:
      reset_position_time: "2023-09-19T07:00:00Z"
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
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import DrsModule
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import (
    FAILED,
    check_status,
    collect_position_async,
    collect_position_request,
    parse_time,
    position_not_found,
    wait_for_position,
)


def main() -> None:
    module = DrsModule(
        argument_spec={
            "job_id": {"required": True},
            "reset_position_time": {"required": True},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 300},
            "wait_sleep": {"type": "int", "default": 2},
        }
    )
    result: dict[str, t.Any] = {}
    with module.fail_json_on_error(result):
        job_id = check_job_id(module.params["job_id"])
        reset_position_time = parse_time(module.params["reset_position_time"])
        module.check_wait()
        result.update(job_id=job_id, reset_position_time=reset_position_time)
        drs = module.connect()

        if module.check_mode:
            # Only check mode reads the job. What a task imports is most of its time.
            from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import check_collectable

            if not check_collectable(drs, job_id):
                module.warn(
                    f"This region does not offer to read job {job_id}, so it is not known whether its position can be collected."
                )
            request = collect_position_request(drs, job_id, reset_position_time)
            module.exit_json(changed=True, id=None, status=None, request_id=None, request=request, **result)

        query = collect_position_async(drs, job_id, reset_position_time)
        result.update(changed=True, id=query.id, request_id=query.request_id)
        result["status"] = check_status(drs, query.status)
        if module.params["wait"] and query.status != FAILED:
            try:
                found = wait_for_position(
                    drs, job_id, query.id, module.params["wait_timeout"], module.params["wait_sleep"]
                )
            except HuaweiCloudError as error:
                from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import READ_LATER

                error.add_hint(READ_LATER)
                raise
            result["status"] = found.status
            if found.position:
                result["position"] = found.position
        if result["status"] == FAILED:
            raise position_not_found(job_id, reset_position_time)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
