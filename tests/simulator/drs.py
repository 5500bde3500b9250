# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of drs.yaml, version 5 of the API. Callers are authorized before, in gateway.py."""

from __future__ import annotations

import uuid
from datetime import datetime, timezone
from typing import Any

from connexion import NoContent

from .cloud import ACTIONS, ENGINE, OVER, REPLICATING, STALE_POSITION, TIME_FORMAT, Cloud, Job, parse_time
from .errors import MESSAGES, CloudError

MAX_NAMES = 10  # in one call
PAGE_SIZE = 100  # the maximum, whatever limit was requested
MAX_RESOURCES = 1000
SHOWN_ACTIONS = [*(action.shown for action in ACTIONS.values()), "FREE_RESOURCE", "DELETE"]
# The properties that all tasks share.
SETTING = {"net_type": "vpc", "charging_mode": "on_demand", "enterprise_project_id": "0", "job_direction": "up"}
START_POSITION_ENGINES = {
    "mysql",
    "mysql-to-dws",
    "mysql-to-taurus",
    "taurus",
    "mysql-to-oracle",
    "taurus-to-oracle",
    "taurus-to-mysql",
    "mysql-to-kafka",
    "taurus-to-kafka",
    "mongodb-to-kafka",
    "mongodb",
}
START_POSITION_STATES = {"CONFIGURATION", "WAITING_FOR_START", "PAUSING", "START_JOB_FAILED", "INCRE_TRANSFER_FAILED"}


class Drs:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def collect_position_async(
        self, project_id: str, job_id: str, body: dict[str, Any]
    ) -> tuple[dict[str, Any], int]:
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
        result = {"job_id": job.id, "status": status}
        if status == "success":
            result["position"] = query.position
        elif status == "pending":  # as in the example of the API page: a client must not use it as the result
            result["position"] = STALE_POSITION
        return result

    async def show_job_detail(self, project_id: str, job_id: str, type: str) -> dict[str, Any]:
        job = self._readable_job(project_id, job_id)
        parts = {"detail": ("base_info", _base_info), "progress": ("progress_info", _progress_info)}
        if type not in parts:
            raise CloudError("DRS.M00202", "type")
        name, describe = parts[type]
        job.look()
        created = datetime.fromtimestamp(job.create_time / 1000, timezone.utc).strftime(TIME_FORMAT)
        return {"job": {"id": job.id, "status": job.status, "create_time": created, name: describe(job)}}

    async def list_jobs(
        self,
        project_id: str,
        job_type: str,
        name: str = "",
        offset: int = 0,
        limit: int = 10,
        sort_key: str = "create_time",
        sort_dir: str = "desc",
        **wanted: Any,
    ) -> dict[str, Any]:
        self._check_reads()
        _check_page(offset, limit)
        for unknown in {"instance_ids", "instance_ip"} & set(wanted):
            raise CloudError("DRS.M00202", unknown)
        names = name.split(",")
        if len(names) > MAX_NAMES:
            raise CloudError("DRS.M00202", "name")
        children: dict[str, list[Job]] = {}
        jobs = []
        for job in self.cloud.find_jobs(project_id, job_type):
            if not job.known_to_v5:
                continue
            if job.parent:
                children.setdefault(job.parent, []).append(job)
            elif (job.id in names or name in job.name) and all(
                value_of(job, key) == value for key, value in wanted.items() if value
            ):
                jobs.append(job)
        jobs.sort(key=lambda job: value_of(job, sort_key), reverse=sort_dir == "desc")
        page = jobs[offset : offset + min(limit, PAGE_SIZE)]
        return {"total_count": len(jobs), "jobs": [_list_item(job, children.get(job.id, [])) for job in page]}

    async def show_actions(self, project_id: str, job_id: str) -> dict[str, Any]:
        return {"job_action": _actions(self._readable_job(project_id, job_id))}

    async def execute_job_action(
        self, project_id: str, job_id: str, body: dict[str, Any]
    ) -> tuple[dict[str, Any], int]:
        job = self._job(project_id, job_id)
        name = body["job"]["action_name"]
        if body["job"].get("job_id", job.id) != job.id:
            raise CloudError("DRS.M00202", "job_id")
        if job.transition:
            raise CloudError("DRS.M01504")
        if not job.allows(name):
            raise CloudError("DRS.M00304")
        if job.action in ("failed", "failed_silently"):
            return _result(job, "failed", "DRS.M00304" if job.action == "failed" else None), 200
        params = body["job"].get("action_params", {})
        self.cloud.act(job, name, params.get("pause_mode", "target") if name == "stop" else None)
        if self.cloud.settings.action_status == 200:
            return _result(job, "success"), 200
        return {"query_id": str(uuid.uuid4())}, 202

    async def stop_job_action(self, project_id: str, job_id: str, body: dict[str, Any]) -> dict[str, Any]:
        job = self._job(project_id, job_id)
        if not job.allows("terminate"):
            raise CloudError("DRS.M00304")
        self.cloud.act(job, "terminate")
        return _result(job, "success")

    async def update_start_position(self, project_id: str, job_id: str, body: dict[str, Any]) -> tuple[Any, int]:
        job = self._job(project_id, job_id)
        if (
            job.engine_type not in START_POSITION_ENGINES
            or job.task_type != "INCR_TRANS"
            or job.status not in START_POSITION_STATES
        ):
            raise CloudError("DRS.M00304")
        job.start_position, job.gtid_set = body["file_and_position"], body.get("gtid_set")
        return NoContent, 200

    async def list_instance_by_tags(
        self, project_id: str, resource_type: str, body: dict[str, Any], limit: int = MAX_RESOURCES, offset: int = 0
    ) -> dict[str, Any]:
        _check_page(offset, limit, MAX_RESOURCES)
        if any(match["key"] != "resource_name" for match in body.get("matches", [])):
            raise CloudError("DRS.M00202", "matches")
        jobs = [job for job in self.cloud.find_jobs(project_id, resource_type) if _is_tagged(job, body)]
        resources = [
            {"resource_id": job.id, "resource_detail": "", "resource_name": job.name, "tags": tag_list(job)}
            for job in jobs[offset : offset + limit]
        ]
        return {"total_count": len(jobs), "resources": resources}

    def _job(self, project_id: str, job_id: str) -> Job:
        job = self.cloud.find_job(project_id, job_id)
        if job is None:
            raise CloudError("DRS.10000010")
        return job

    def _readable_job(self, project_id: str, job_id: str) -> Job:
        """Return a job that this version of the API also describes."""
        self._check_reads()
        job = self._job(project_id, job_id)
        if not job.known_to_v5:
            raise CloudError("DRS.10000010")
        return job

    def _check_reads(self) -> None:
        if self.cloud.settings.refuse_v5_reads:
            raise CloudError("DRS.M99999")


def _result(job: Job, status: str, code: str | None = None) -> dict[str, Any]:
    message = MESSAGES[code][1] if code else None
    return {"error_code": code, "error_msg": message, "id": job.id, "name": job.name, "status": status}


def _check_page(offset: int, limit: int, max_limit: int | None = None) -> None:
    if offset < 0:
        raise CloudError("DRS.M00202", "offset")
    if limit < 1 or (max_limit is not None and limit > max_limit):
        raise CloudError("DRS.M00202", "limit")


def value_of(job: Job, key: str) -> Any:
    """Return a value by which a list of tasks is filtered or sorted."""
    return SETTING.get("charging_mode" if key == "pay_mode" else key) or getattr(job, key)


def tag_list(job: Job) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in job.tags.items()]


def _is_tagged(job: Job, wanted: dict[str, Any]) -> bool:
    if not all(match["value"] in job.name for match in wanted.get("matches", [])):
        return False
    if wanted.get("without_any_tag"):
        return not job.tags
    return all(
        tag["key"] in job.tags and (not tag["values"] or job.tags[tag["key"]] in tag["values"])
        for tag in wanted.get("tags", [])
    )


def _actions(job: Job) -> dict[str, Any]:
    available = job.available_actions
    return {
        "available_actions": available,
        "unavailable_actions": [name for name in SHOWN_ACTIONS if name not in available],
        "current_action": job.transition.action if job.transition else None,
    }


def _base_info(job: Job) -> dict[str, Any]:
    return {
        "name": job.name,
        "job_type": job.job_type,
        "engine_type": job.engine_type,
        "task_type": job.task_type,
        **SETTING,
        "description": job.description,
        "expired_days": 14,
        "tags": tag_list(job),
    }


def delays(job: Job) -> tuple[str | None, str | None]:
    """Return the delay of a task in seconds and milliseconds, while it replicates."""
    return (str(job.delay), str(1000 * job.delay)) if job.status == REPLICATING else (None, None)


def _progress_info(job: Job) -> dict[str, str | None]:
    seconds, milliseconds = delays(job)
    return {
        "progress": "100",
        "incr_trans_delay": seconds,
        "incr_trans_delay_millis": milliseconds,
        "task_mode": job.task_type,
        "transfer_status": job.status,
        "process_time": "0",
        "remaining_time": "0",
    }


def _list_item(job: Job, children: list[Job]) -> dict[str, Any]:
    mode, role = ("multi_to_single", "parent") if children else ("single", None)
    return {
        **_list_facts(job, mode, role),
        "children": [_list_facts(child, "multi_to_single", "child") for child in children],
    }


def _list_facts(job: Job, mode: str, role: str | None) -> dict[str, Any]:
    return {
        "id": job.id,
        "name": job.name,
        "status": job.status,
        "description": job.description,
        "create_time": str(job.create_time),
        "engine_type": job.engine_type,
        "billing_tag": job.status not in OVER,
        "job_type": job.job_type,
        "task_type": job.task_type,
        "job_mode": mode,
        "job_mode_role": role,
        "is_multi_az": False,
        "node_role": None,
        "node_new_framework": False,
        **SETTING,
        "job_action": _actions(job),
    }
