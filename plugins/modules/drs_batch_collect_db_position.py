#!/usr/bin/python
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: drs_batch_collect_db_position
short_description: Collect the database positions of many Huawei Cloud DRS jobs at the same point in time
version_added: 1.0.0
description:
  - Queries the Data Replication Service (DRS) for the positions of many jobs at the same point in time, for example
    of all shards of a source. The module logs in once and sends several requests concurrently.
  - For each job, the module does the same as M(huaweicloud.drs.drs_collect_db_position). If one job fails, the others
    are still processed. At the end, the task fails if any job failed, and returns the outcome of each job.
  - If DRS or its gateway throttles requests, all requests slow down.
  - If no connection can be established, even after O(max_retries) retries, the remaining requests are not sent. The
    same applies after three consecutive jobs that failed because there was no response, because of throttling, or
    because the credentials were rejected.
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
      - Validates the options, logs in, and reads every job, but does not start queries. The task fails if a job does
        not exist or does not synchronize MySQL to GaussDB(DWS). In a region that does not support reading jobs, the
        module issues a warning instead.
  diff_mode:
    support: none
  idempotent:
    support: none
    details:
      - Each run starts new queries with new IDs.
options:
  job_ids:
    description:
      - IDs of the DRS jobs, 36 characters each, without duplicates.
    type: list
    elements: str
    required: true
  reset_position_time:
    description:
      - The point in time to collect the positions for, in ISO 8601 extended format with C(Z) or a UTC offset, for
        example V(2023-09-19T07:00:00Z) or V(2023-09-19 15:00:00+08:00).
      - A time without an offset is rejected, because its time zone is ambiguous. A time more than five minutes in the
        future is rejected as well.
      - The time is sent in UTC. Fractions of a second are truncated, never rounded up.
    type: str
    required: true
  concurrency:
    description:
      - Maximum number of concurrent requests.
    type: int
    default: 10
  wait:
    description:
      - Whether to wait until DRS has found the positions.
    type: bool
    default: false
  wait_timeout:
    description:
      - Maximum time in seconds to wait for all results with O(wait=true), counted from the start of the last query.
        When it is exceeded, the task fails and returns the IDs and the positions found so far. The queries continue
        in DRS.
    type: int
    default: 300
  wait_sleep:
    description:
      - Interval in seconds between requests for the outstanding results with O(wait=true).
    type: int
    default: 2
seealso:
  - module: huaweicloud.drs.drs_collect_db_position
  - module: huaweicloud.drs.drs_db_position_info
"""

EXAMPLES = r"""
# These examples take the region and the credentials from the environment variables HW_REGION_NAME,
# HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
- name: Find the jobs of all shards
  huaweicloud.drs.drs_job_info:
    engine_type: mysql-to-dws
    status: INCRE_TRANSFER_STARTED
  register: shards

- name: Collect their positions at the same point in time and wait for them
  huaweicloud.drs.drs_batch_collect_db_position:
    # Of jobs with subtasks, the positions of the subtasks are those that matter.
    job_ids: >-
      {{ shards.jobs | map(attribute='id') | difference(shards.jobs | map(attribute='parent_id')) }}
    reset_position_time: "2023-09-19T07:00:00Z"
    wait: true
    wait_timeout: 900
  register: collected

- name: Show the position of each job
  ansible.builtin.debug:
    msg: "{{ collected.positions | items2dict(key_name='job_id', value_name='position') }}"
  when: not ansible_check_mode

- name: Collect as many positions as possible and continue
  huaweicloud.drs.drs_batch_collect_db_position:
    job_ids:
      - c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
      - 177738d1-4eee-4fcb-a4e1-09aea79jb20i
    reset_position_time: "2023-09-19T07:00:00Z"
    concurrency: 2
  register: collected
  failed_when: >-
    collected.positions | default([])
    | selectattr('outcome', 'in', ['pending', 'success', 'collectable', 'unchecked'])
    | length == 0
"""

RETURN = r"""
positions:
  description: The outcome of each job, in the order of O(job_ids).
  type: list
  elements: dict
  returned: always, if the options are valid and the login succeeds
  contains:
    job_id:
      description: ID of the DRS job, as specified in the task.
      type: str
      returned: always
    outcome:
      description:
        - If the query was started, V(success) if its position was found, V(failed), or V(pending).
        - If the query was not started, V(refused); V(unknown) if the response was lost and DRS may have started a
          query; or V(unsent) if no connection could be established, the credentials were rejected, or the batch
          stopped before this job.
        - In check mode, V(collectable), V(refused), V(unknown) if there was no response, V(unsent), or V(unchecked)
          if the region does not support reading jobs.
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
      description: The position, consisting of binlog file name and offset.
      type: str
      returned: if the outcome is V(success)
    gtid_set:
      description: The GTID set at the position.
      type: str
      returned: if DRS returns one with the position
    request_id:
      description: ID of the request that started the query, or of the one that failed.
      type: str
      returned: if the response contains one
    http_status:
      description: HTTP status of the error response.
      type: int
      returned: if there was one
    error_code:
      description: Error code from the server.
      type: str
      returned: if the response contains one
    error_msg:
      description: Error message from the server.
      type: str
      returned: if the response contains one
    msg:
      description: Error message with advice on how to resolve the problem.
      type: str
      returned: if the job failed
  sample:
    - job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
      outcome: success
      id: 0eacda0b-9422-4535-8b62-537d1833638b
      status: success
      position: "mysql-bin.000277:805"
      gtid_set: 4350aee0-56b5-11ee-8c99-0242ac120002:1-77
      request_id: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
    - job_id: 177738d1-4eee-4fcb-a4e1-09aea79jb20i
      outcome: refused
      http_status: 400
      error_code: DRS.10000010
      error_msg: Job does not exist, please check job id.
      request_id: ef265e45873d4bc08d0fbf6d5e003fbb
      msg: >-
        POST https://drs.eu-west-101.myhuaweicloud.eu/... returned HTTP 400 DRS.10000010: Job does not exist, please
        check job id.
counts:
  description: Number of jobs for each RV(positions[].outcome). Outcomes without jobs are omitted.
  type: dict
  returned: always, if the options are valid and the login succeeds
  sample:
    success: 1
    refused: 1
reset_position_time:
  description: The time sent to DRS.
  type: str
  returned: always, if the options are valid
  sample: "2023-09-19T07:00:00Z"
request_id:
  description: ID that the server assigned to the failed login request. Quote it when you contact Huawei Cloud
    support.
  type: str
  returned: login failure, if the response contains one
  sample: 4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2
http_status:
  description: HTTP status of the error response to the login.
  type: int
  returned: login failure, if there was a response
  sample: 401
error_code:
  description: Error code from the server for the login.
  type: str
  returned: login failure, if the response contains one
  sample: "401"
error_msg:
  description: Error message from the server for the login.
  type: str
  returned: login failure, if the response contains one
  sample: The username or password is wrong.
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _batch, _module, _options, _positions, _throttle


def main() -> None:
    module = _module.DrsModule(
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
    batch: _batch.PositionBatch | None = None

    def complete() -> str:
        if batch:
            # A copy, because interrupted threads may still write to the original.
            batch.positions = [dict(position) for position in batch.positions]
            # They were searched for secrets on arrival. Long error messages may leave no time to do so again.
            names = ("id", "request_id", "position", "gtid_set")
            module.own_values.update(item[name] for item in batch.positions for name in names if item.get(name))
            started = ("id" in position or position["outcome"] == _batch.UNKNOWN for position in batch.positions)
            result.update(changed=module.check_mode or any(started), counts=batch.counts, positions=batch.positions)
        return ""

    with module.fail_json_on_error(result, complete):
        job_ids = _batch.check_job_ids(module.params["job_ids"])
        reset_position_time = _positions.parse_time(module.params["reset_position_time"])
        _options.check_range(module.params, "concurrency", 1, 100)
        module.check_wait()
        result["reset_position_time"] = reset_position_time
        drs = module.connect(connections=module.params["concurrency"], throttle=_throttle.Throttle())
        batch = _batch.PositionBatch(drs, job_ids, reset_position_time, module.params["concurrency"])
        if module.check_mode:
            batch.check()
        else:
            batch.collect()
            if module.params["wait"]:
                batch.wait(module.params["wait_timeout"], module.params["wait_sleep"])
        if _batch.UNCHECKED in batch.counts:
            module.warn(
                "This region does not support reading jobs, so it is unknown whether their positions can be collected."
            )
        batch.check_outcome()
        complete()
    module.exit_json(**result)


if __name__ == "__main__":
    main()
