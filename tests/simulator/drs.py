# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of drs.yaml. Who may call them is settled before (see gateway.py)."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from .cloud import ENGINE, STALE_POSITION, Cloud, Job, parse_time
from .errors import CloudError


class Drs:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def collect_position_async(self, project_id: str, job_id: str, body: dict[str, Any]) -> tuple[dict[str, Any], int]:
        job = self._job(project_id, job_id)
        if job.engine_type != ENGINE:
            raise CloudError("DRS.M00304")
        try:
            moment = parse_time(body["reset_position_time"])
        except ValueError:
            raise CloudError("DRS.M00202", "reset_position_time") from None
        if moment > datetime.fromtimestamp(self.cloud.now(), timezone.utc):
            raise CloudError("DRS.M00202", "reset_position_time")
        query = self.cloud.collect(job, moment)
        return {"id": query.id, "job_id": job.id, "status": "pending"}, 202

    async def show_position_result(self, project_id: str, job_id: str, query_id: str) -> dict[str, Any]:
        job = self._job(project_id, job_id)
        query = self.cloud.find_query(job, query_id)
        if query is None:
            raise CloudError("DRS.10030014")
        status = query.status
        answer = {"job_id": job.id, "status": status}
        if status == "success":
            answer["position"] = query.position
        elif status == "pending":  # as in the API page's own example: a client must not take it for the result
            answer["position"] = STALE_POSITION
        return answer

    async def show_job_detail(self, project_id: str, job_id: str, type: str) -> dict[str, Any]:
        job = self._job(project_id, job_id)
        if type != "detail":
            raise CloudError("DRS.M00202", "type")
        return {
            "job": {
                "id": job.id,
                "status": job.status,
                "create_time": "1694400000000",
                "base_info": {
                    "name": job.name,
                    "job_type": "sync",
                    "engine_type": job.engine_type,
                    "job_direction": "up",
                    "task_type": job.task_type,
                    "net_type": "vpc",
                    "charging_mode": "on_demand",
                    "enterprise_project_id": "0",
                    "description": job.description,
                    "expired_days": "14",
                },
            }
        }

    def _job(self, project_id: str, job_id: str) -> Job:
        job = self.cloud.find_job(project_id, job_id)
        if job is None:
            raise CloudError("DRS.10000010")
        return job
