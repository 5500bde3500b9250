# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of drs_v3.yaml, version 3 of the API. Callers are authorized before, in gateway.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .cloud import OVER, RESUMED, Cloud, Job
from .drs import SETTING, delays, tag_list, value_of
from .errors import MESSAGES, CloudError

MAX_NAMES = 100  # in one call
UNKNOWN = "DRS.M00289"


class DrsV3:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def show_job_list(self, project_id: str, body: dict[str, Any]) -> dict[str, Any]:
        for unknown in {"instance_ids", "instance_ip"} & {name for name, value in body.items() if value}:
            raise CloudError("DRS.M00202", unknown)
        name = body.get("name", "")
        names = name.split(",")
        if len(names) > MAX_NAMES:
            raise CloudError("DRS.M00202", "name")
        wanted = {key: body.get(key) for key in ("status", "net_type", "enterprise_project_id")}
        wanted["engine_type"] = body.get("engine_type") or self.cloud.settings.v3_default_engine
        children: dict[str, list[Job]] = {}
        jobs = []
        for job in reversed(self.cloud.find_jobs(project_id, body["db_use_type"])):
            if job.parent:
                children.setdefault(job.parent, []).append(job)
            elif (
                (job.id in names or name in job.name)
                and all(value_of(job, key) == value for key, value in wanted.items() if value)
                and body.get("tags", {}).items() <= job.tags.items()
            ):
                jobs.append(job)
        return {
            "total_record": len(jobs),
            "jobs": [
                {**_list_facts(job), "children": [_list_facts(child) for child in reversed(children.get(job.id, []))]}
                for job in _page(jobs, body, 10)
            ],
        }

    async def batch_list_job_details(self, project_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        return self._batch(project_id, _page(body["jobs"], body.get("page_req", {}), 5), _details)

    async def batch_list_job_status(self, project_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        return self._batch(
            project_id, _page(body["jobs"], body.get("page_req", {}), 5), lambda job: {"status": job.status}
        )

    async def batch_list_progresses(self, project_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        return self._batch(project_id, body["jobs"], _progress, "job_id", "error_msg")

    def _batch(
        self,
        project_id: str,
        job_ids: list[str],
        describe: Callable[[Job], dict[str, Any]],
        id_name: str = "id",
        message_name: str = "error_message",
    ) -> tuple[dict[str, Any], int]:
        results = []
        known = False
        for job_id in job_ids:
            job = self.cloud.find_job(project_id, job_id)
            if job:
                known = True
                job.look()
                results.append({id_name: job_id, **describe(job)})
            elif self.cloud.settings.unknown_jobs_v3 != "absent":
                results.append({id_name: job_id, "error_code": UNKNOWN, message_name: MESSAGES[UNKNOWN][1]})
        refused = not known and self.cloud.settings.unknown_jobs_v3 == "refused"
        return {"count": len(results), "results": results}, 400 if refused else 200


def _page(items: list[Any], request: dict[str, Any], default_size: int) -> list[Any]:
    number, size = request.get("cur_page", 1), request.get("per_page", default_size)
    if not size and number > 1:
        raise CloudError("DRS.M00202", "cur_page")
    if not size or not number:
        return items
    if number > 1 and (number - 1) * size >= len(items):
        raise CloudError("DRS.M00202", "cur_page")
    return items[(number - 1) * size :][:size]


def _details(job: Job) -> dict[str, Any]:
    return {
        "parent_id": job.parent,
        "name": job.name,
        "status": job.status,
        "description": job.description,
        "create_time": str(job.create_time),
        "task_type": job.task_type,
        "net_type": SETTING["net_type"],
        "failed_reason": job.failed_reason if job.status in RESUMED else None,
        "inst_info": {"engine_type": job.engine_type, "status": "deleted" if job.status in OVER else "active"},
        "job_direction": SETTING["job_direction"],
        "db_use_type": job.job_type,
        "conflict_policy": job.conflict_policy,
        "error_code": None,
        "error_message": None,
        "gtid": job.gtid_set,
        "incre_start_position": job.start_position,
        "is_multi_az": False,
        "tags": tag_list(job),
        "is_open_fast_clean": job.is_open_fast_clean,
    }


def _progress(job: Job) -> dict[str, Any]:
    seconds, milliseconds = delays(job)
    return {
        "progress": "100",
        "incre_trans_delay": seconds,
        "incre_trans_delay_millis": milliseconds,
        "task_mode": job.task_type,
        "transfer_status": job.status,
        "process_time": "0",
        "remaining_time": "0",
    }


def _list_facts(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "create_time": str(job.create_time),
        "description": job.description,
        "engine_type": job.engine_type,
        "net_type": SETTING["net_type"],
        "billing_tag": job.status not in OVER,
        "job_direction": SETTING["job_direction"],
        "db_use_type": job.job_type,
        "task_type": job.task_type,
        "node_newFramework": False,
    }
