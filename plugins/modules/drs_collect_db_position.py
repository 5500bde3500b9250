#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_collect_db_position
short_description: Collect the database position of a Huawei Cloud DRS job at a point in time
version_added: 1.0.0
description:
  - Queries the Data Replication Service (DRS) for the position in the binlog of the source database at a point in
    time, so that a synchronization job from MySQL to GaussDB(DWS) can be reset to it.
  - DRS searches for the position asynchronously. The module returns the ID of the query, and
    M(huaweicloud.drs.drs_db_position_info) uses this ID to read the result. With O(wait=true), the module waits for
    the result itself.
  - Collecting a position does not change the job or any database. It only starts a query. Each run starts a new
    query.
  - The module calls C(POST /v5/{project_id}/jobs/{job_id}/collect-db-position), described on the API page "Collecting
    Database Position Information". DRS supports this call only for synchronization from MySQL to GaussDB(DWS), and
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
      - Validates the options, logs in, and reads the job, but does not start a query. The task fails if the job does
        not exist or does not synchronize MySQL to GaussDB(DWS). In a region that does not support reading jobs, the
        module issues a warning instead.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run starts a new query with a new ID.
options:
  job_id:
    description:
      - ID of the DRS job, 36 characters.
    type: str
    required: true
  reset_position_time:
    description:
      - The point in time to collect the position for, in ISO 8601 extended format with C(Z) or a UTC offset, for
        example V(2023-09-19T07:00:00Z) or V(2023-09-19 15:00:00+08:00).
      - A time without an offset is rejected, because its time zone is ambiguous. A time more than five minutes in the
        future is rejected as well.
      - The time is sent in UTC. Fractions of a second are truncated, never rounded up.
    type: str
    required: true
  wait:
    description:
      - Whether to wait until DRS has found the position.
    type: bool
    default: false
  wait_timeout:
    description:
      - Maximum time in seconds to wait for the result with O(wait=true). When it is exceeded, the task fails and
        returns the IDs. The query continues in DRS.
    type: int
    default: 300
  wait_sleep:
    description:
      - Interval in seconds between requests for the result with O(wait=true).
    type: int
    default: 2
seealso:
  - module: huaweicloud.drs.drs_db_position_info
"""

EXAMPLES = r"""
# These examples take the region and the credentials from the environment variables HW_REGION_NAME,
# HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
- name: Start collecting the position without waiting
  huaweicloud.drs.drs_collect_db_position:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    reset_position_time: "2023-09-19T07:00:00Z"
  register: position_query

- name: Wait for the result
  huaweicloud.drs.drs_db_position_info:
    job_id: "{{ position_query.job_id }}"
    query_id: "{{ position_query.id }}"
  register: result
  until: result is failed or result.status != 'pending'
  retries: 60
  delay: 5
  # In check mode no query was started, so there is no ID.
  when: not ansible_check_mode

- name: Collect the position and wait for it
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

- name: Set the connection options once, here with a token that all tasks share
  module_defaults:
    group/huaweicloud.drs.drs:
      region: eu-west-101
      project_id: 054ba152d480d55b2f5dc0069e7ddef0
      auth_token: "{{ vault_huaweicloud_token }}"
  block:
    - name: Collect the positions of several jobs at the same point in time
      huaweicloud.drs.drs_collect_db_position:
        job_id: "{{ item }}"
        reset_position_time: "2023-09-19T07:00:00Z"
      loop:
        - c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
        - 177738d1-4eee-4fcb-a4e1-09aea79jb20i
      register: queries

- name: Log in with options instead of environment variables
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
    - Also returned if the task fails after DRS has returned the ID. V(null) in check mode.
  type: str
  returned: success, and failure if the query was started
  sample: 0eacda0b-9422-4535-8b62-537d1833638b
job_id:
  description: ID of the DRS job, as specified in the task.
  type: str
  returned: always, if the options are valid
  sample: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
status:
  description:
    - Status of the query, V(pending), V(success) or V(failed). With V(failed), the task fails.
    - V(null) in check mode.
  type: str
  returned: success, and failure if the query was started
  sample: pending
position:
  description:
    - The position, consisting of binlog file name and offset. Outside check mode, returned only if RV(status=success).
    - V(null) in check mode.
  type: str
  returned: success with O(wait=true), and in check mode
  sample: "mysql-bin.000277:805"
gtid_set:
  description: The GTID set at the position.
  type: str
  returned: if DRS returns one with the position
  sample: 4350aee0-56b5-11ee-8c99-0242ac120002:1-77
reset_position_time:
  description: The time sent to DRS.
  type: str
  returned: always, if the options are valid
  sample: "2023-09-19T07:00:00Z"
request_id:
  description:
    - ID that the server assigned to the last request. Quote it when you contact Huawei Cloud support.
    - On success, the ID of the request that started the query. V(null) in check mode.
  type: str
  returned: success, and failure if the response contains one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
request:
  description: The request that would be sent, without credentials.
  type: dict
  returned: in check mode
  sample:
    method: POST
    url: https://drs.eu-west-101.myhuaweicloud.eu/v5/054ba152d480d55b2f5dc0069e7ddef0/jobs/c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r/collect-db-position
    body:
      reset_position_time: "2023-09-19T07:00:00Z"
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

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _endpoints, _errors, _module, _positions


def main() -> None:
    module = _module.DrsModule(
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
        job_id = _endpoints.check_job_id(module.params["job_id"])
        reset_position_time = _positions.parse_time(module.params["reset_position_time"])
        module.check_wait()
        result.update(job_id=job_id, reset_position_time=reset_position_time)
        drs = module.connect()

        if module.check_mode:
            # Imported where it is needed, here and below, because imports take most of the time of a task.
            from ansible_collections.huaweicloud.drs.plugins.module_utils import _jobs

            if not _jobs.check_collectable(drs, job_id):
                module.warn(
                    f"DRS does not support reading job {job_id} in this region,"
                    " so it is unknown whether its position can be collected."
                )
            request = _positions.collect_position_request(drs, job_id, reset_position_time)
            result.update(changed=True, id=None, status=None, position=None, request_id=None, request=request)
        else:
            query = _positions.collect_position_async(drs, job_id, reset_position_time)
            result.update(changed=True, id=query.id, request_id=query.request_id)
            try:
                result["status"] = _positions.check_status(drs, query.status)
                if module.params["wait"] and query.status != _positions.FAILED:
                    from ansible_collections.huaweicloud.drs.plugins.module_utils import _position_results

                    found = _position_results.wait_for_position(
                        drs, job_id, query.id, module.params["wait_timeout"], module.params["wait_sleep"]
                    )
                    result.update(status=found.status, **found.facts())
            except _errors.HuaweiCloudError as error:
                from ansible_collections.huaweicloud.drs.plugins.module_utils import _hints

                error.add_hint(_hints.read_later_hint(error))
                raise
            if result["status"] == _positions.FAILED:
                from ansible_collections.huaweicloud.drs.plugins.module_utils import _hints

                raise _hints.position_not_found(job_id, reset_position_time)
    module.exit_json(**result)


if __name__ == "__main__":
    main()
