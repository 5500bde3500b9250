#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_batch_collect_db_position
short_description: Collect the database positions of many Huawei Cloud DRS jobs at one time
version_added: 1.0.0
description:
  - Asks the Data Replication Service (DRS) for the positions of many jobs at the same time, for example of all shards of a source. It logs in once, and
    sends several requests at a time.
  - For each job it does what M(huaweicloud.drs.drs_collect_db_position) does. One that fails does not keep the others from being asked. At the end the
    task fails if any has failed, and returns what became of each.
  - If DRS or its gateway says that requests come too fast, all of them slow down.
  - If there is no connection, even after O(max_retries) tries, the rest is not sent. Neither is it after three jobs in a row without an answer, with too
    many requests, or with credentials that are refused.
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
      - Sends no request that starts a query. It checks the options, logs in, and reads every job. The task fails if one is not there, or is not one from
        MySQL to GaussDB(DWS). In a region that does not offer to read a job, it warns instead.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - DRS starts new queries with new IDs every time.
options:
  job_ids:
    description:
      - IDs of the DRS jobs, 36 characters each. Each of them once.
    type: list
    elements: str
    required: true
  reset_position_time:
    description:
      - The time whose positions are wanted, in the extended form of ISO 8601 with C(Z) or an offset, for example V(2023-09-19T07:00:00Z) or
        V(2023-09-19 15:00:00+08:00).
      - A time without an offset is refused, since it could be meant in any time zone. So is one more than five minutes in the future.
      - It is sent in UTC. Fractions of a second are cut off, towards the past.
    type: str
    required: true
  concurrency:
    description:
      - How many requests are under way at the same time, at most.
    type: int
    default: 10
  wait:
    description:
      - Whether to wait until DRS has found the positions.
    type: bool
    default: false
  wait_timeout:
    description:
      - Seconds to wait for all results, with O(wait=true), from when the last query was started. After that the task fails and returns the IDs and those
        positions that are there. The queries go on in DRS.
    type: int
    default: 300
  wait_sleep:
    description:
      - Seconds between two looks at the results that are not there yet, with O(wait=true).
    type: int
    default: 2
seealso:
  - module: huaweicloud.drs.drs_collect_db_position
  - module: huaweicloud.drs.drs_db_position_info
"""

EXAMPLES = r"""
# The examples take the region and the login from the environment: HW_REGION_NAME, HW_DOMAIN_NAME (the account name), HW_USER_NAME and
# HW_USER_PASSWORD.
- name: Find the jobs of all shards
  huaweicloud.drs.drs_job_info:
    engine_type: mysql-to-dws
    status: INCRE_TRANSFER_STARTED
  register: shards

- name: Collect their positions at one time, and wait for them
  huaweicloud.drs.drs_batch_collect_db_position:
    job_ids: "{{ shards.jobs | map(attribute='id') }}"
    reset_position_time: "2023-09-19T07:00:00Z"
    wait: true
    wait_timeout: 900
  register: collected

- name: Show the position of each job
  ansible.builtin.debug:
    msg: "{{ collected.positions | items2dict(key_name='job_id', value_name='position') }}"
  when: not ansible_check_mode

- name: Collect what can be collected, and go on
  huaweicloud.drs.drs_batch_collect_db_position:
    job_ids:
      - c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
      - 177738d1-4eee-4fcb-a4e1-09aea79jb20i
    reset_position_time: "2023-09-19T07:00:00Z"
    concurrency: 2
  register: collected
  failed_when: collected.positions | default([]) | selectattr('outcome', 'in', ['pending', 'success', 'collectable', 'unchecked']) | length == 0
"""

RETURN = r"""
positions:
  description: What became of each job, in the order of O(job_ids).
  type: list
  elements: dict
  returned: always, if the options are correct and the login succeeds
  contains:
    job_id:
      description: ID of the DRS job, as it was given.
      type: str
      returned: always
    outcome:
      description:
        - If the query was started, V(success) if its position is there, V(failed), or V(pending). Otherwise V(refused); V(unknown) if the answer was lost,
          so that DRS may have started a query; or V(unsent) if there was no connection, the credentials were refused, or the batch was stopped before.
        - In check mode V(collectable), V(refused), V(unknown) if no answer came, V(unsent), or V(unchecked) if the region does not offer to read a job.
      type: str
      returned: always
    id:
      description: ID of the query, for M(huaweicloud.drs.drs_db_position_info).
      type: str
      returned: if the query was started
    status:
      description: Status of the query, V(pending), V(success) or V(failed).
      type: str
      returned: if the query was started
    position:
      description: The position, as name of the binlog file and offset in it.
      type: str
      returned: with the outcome V(success)
    request_id:
      description: ID of the request that started the query, or of the one that failed.
      type: str
      returned: if the server answered with one
    http_status:
      description: HTTP status of the answer that was an error.
      type: int
      returned: if there was one
    error_code:
      description: Error code that the server gave.
      type: str
      returned: if the server gave one
    error_msg:
      description: Error message that the server gave.
      type: str
      returned: if the server gave one
    msg:
      description: What went wrong, and what to do about it.
      type: str
      returned: if something went wrong
  sample:
    - job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
      outcome: success
      id: 0eacda0b-9422-4535-8b62-537d1833638b
      status: success
      position: "mysql-bin.000277:805"
      request_id: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
    - job_id: 177738d1-4eee-4fcb-a4e1-09aea79jb20i
      outcome: refused
      http_status: 400
      error_code: DRS.10000010
      error_msg: Job does not exist, please check job id.
      request_id: ef265e45873d4bc08d0fbf6d5e003fbb
      msg: "POST https://drs.eu-west-101.myhuaweicloud.eu/... was answered 400 DRS.10000010: Job does not exist, please check job id."
counts:
  description: How many jobs have come to which RV(positions[].outcome). One that no job has come to is left out.
  type: dict
  returned: always, if the options are correct and the login succeeds
  sample:
    success: 1
    refused: 1
reset_position_time:
  description: The time as it was sent to DRS.
  type: str
  returned: always, if the options are correct
  sample: "2023-09-19T07:00:00Z"
request_id:
  description: ID of the request that failed before any job was asked for, as the server named it. Huawei Cloud's support asks for it.
  type: str
  returned: failure of the login, if the server answered with one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
http_status:
  description: HTTP status of the answer that made the login fail.
  type: int
  returned: failure of the login, if a server answered
  sample: 401
error_code:
  description: Error code that the server gave to the login.
  type: str
  returned: failure of the login, if the server gave one
  sample: "401"
error_msg:
  description: Error message that the server gave to the login.
  type: str
  returned: failure of the login, if the server gave one
  sample: The username or password is wrong.
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils._batch import UNCHECKED, PositionBatch, check_job_ids
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import DrsModule
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import parse_time
from ansible_collections.huaweicloud.drs.plugins.module_utils._throttle import Throttle


def main() -> None:
    module = DrsModule(
        argument_spec={
            "job_ids": {"type": "list", "elements": "str", "required": True},
            "reset_position_time": {"required": True},
            "concurrency": {"type": "int", "default": 10},
            "wait": {"type": "bool", "default": False},
            "wait_timeout": {"type": "int", "default": 300},
            "wait_sleep": {"type": "int", "default": 2},
        }
    )
    result: dict[str, t.Any] = {}
    with module.fail_json_on_error(result):
        job_ids = check_job_ids(module.params["job_ids"])
        reset_position_time = parse_time(module.params["reset_position_time"])
        module.check_range("concurrency", 1, 100)
        module.check_wait()
        result["reset_position_time"] = reset_position_time
        drs = module.connect(module.params["concurrency"], Throttle())
        batch = PositionBatch(drs, job_ids, reset_position_time, module.params["concurrency"])
        try:
            if module.check_mode:
                batch.check()
            else:
                batch.collect()
                if module.params["wait"]:
                    batch.wait(module.params["wait_timeout"], module.params["wait_sleep"])
        finally:
            # A copy, because threads that were interrupted may still write.
            batch.positions = [dict(position) for position in batch.positions]
            changed = module.check_mode or any("id" in position for position in batch.positions)
            result.update(changed=changed, counts=batch.counts, positions=batch.positions)
        if UNCHECKED in batch.counts:
            module.warn(
                "This region does not offer to read jobs, so it is not known whether their positions can be collected."
            )
        batch.check_outcome()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
