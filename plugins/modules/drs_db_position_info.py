#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_db_position_info
short_description: Read the result of a database position query of a Huawei Cloud DRS job
version_added: 1.0.0
description:
  - Reads the result of a query that M(huaweicloud.drs.drs_collect_db_position) or
    M(huaweicloud.drs.drs_batch_collect_db_position) started. The module does not change anything.
  - The module reads the result once. To wait for the result, use C(until), C(retries) and C(delay).
  - A failed query does not make the task fail. Check RV(status) instead.
  - The module calls C(GET /v5/{project_id}/jobs/{job_id}/db-position), described on the API page "Obtaining the
    Result of Querying Database Positions".
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
      - ID of the DRS job, 36 characters.
    type: str
    required: true
  query_id:
    description:
      - ID of the query, as returned in RV(huaweicloud.drs.drs_collect_db_position#module:id).
    type: str
    required: true
seealso:
  - module: huaweicloud.drs.drs_collect_db_position
"""

EXAMPLES = r"""
# These examples take the region and the credentials from the environment variables HW_REGION_NAME,
# HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
- name: Wait for the result
  huaweicloud.drs.drs_db_position_info:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
    query_id: 0eacda0b-9422-4535-8b62-537d1833638b
  register: result
  until: result is failed or result.status != 'pending'
  retries: 60
  delay: 5

# The examples of drs_collect_db_position register the variable queries.
- name: Read the results of several queries with one token
  huaweicloud.drs.drs_db_position_info:
    region: eu-west-101
    project_id: 054ba152d480d55b2f5dc0069e7ddef0
    auth_token: "{{ vault_huaweicloud_token }}"
    job_id: "{{ item.job_id }}"
    query_id: "{{ item.id }}"
  loop: "{{ queries.results }}"
  loop_control:
    label: "{{ item.job_id }}"
"""

RETURN = r"""
job_id:
  description: ID of the DRS job, as specified in the task.
  type: str
  returned: always, if the options are valid
  sample: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
query_id:
  description: ID of the query, as specified in the task.
  type: str
  returned: always, if the options are valid
  sample: 0eacda0b-9422-4535-8b62-537d1833638b
status:
  description: Status of the query, V(pending), V(success) or V(failed).
  type: str
  returned: success
  sample: success
position:
  description: The position, consisting of binlog file name and offset.
  type: str
  returned: when RV(status=success)
  sample: "mysql-bin.000277:805"
gtid_set:
  description: The GTID set at the position.
  type: str
  returned: if DRS returns one with the position
  sample: 4350aee0-56b5-11ee-8c99-0242ac120002:1-77
request_id:
  description: ID that the server assigned to the request. Quote it when you contact Huawei Cloud support.
  type: str
  returned: success, and failure if the response contains one
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
  sample: DRS.10030014
error_msg:
  description: Error message from the server.
  type: str
  returned: failure, if the response contains one
  sample: The query does not exist.
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _endpoints, _module, _position_results


def main() -> None:
    module = _module.DrsModule(argument_spec={"job_id": {"required": True}, "query_id": {"required": True}})
    result: dict[str, t.Any] = {}
    with module.fail_json_on_error(result):
        job_id = _endpoints.check_job_id(module.params["job_id"])
        query_id = _position_results.check_query_id(module.params["query_id"])
        result.update(changed=False, job_id=job_id, query_id=query_id)
        found = _position_results.show_position_result(module.connect(), job_id, query_id)
        result.update(status=found.status, request_id=found.request_id, **found.facts())
    module.exit_json(**result)


if __name__ == "__main__":
    main()
