# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of control.yaml."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from .cloud import Cloud
from .errors import ControlError
from .faults import Fault, Front


class Control:
    def __init__(self, cloud: Cloud, front: Front, operation_ids: set[str], job_states: set[str]) -> None:
        self.cloud = cloud
        self.front = front
        self.operation_ids = operation_ids
        self.job_states = job_states

    async def reset(self, body: dict[str, Any] | None = None) -> tuple[None, int]:
        self.cloud.reset()
        self.front.reset()
        await self.replace_faults((body or {}).get("faults", []))
        await self.change_settings((body or {}).get("settings", {}))
        return None, 204

    async def show_cloud(self) -> dict[str, Any]:
        return self.cloud.describe()

    async def change_settings(self, body: dict[str, Any]) -> dict[str, Any]:
        _check("operations", body.get("unpublished", []), self.operation_ids)
        _check("projects", body.get("duplicate_projects", []), {project.name for project in self.cloud.start_projects})
        _check("users", filter(None, [body.get("agency")]), set(self.cloud.users))
        self.cloud.change_settings(body)
        return asdict(self.cloud.settings)

    async def change_job(self, job_id: str, body: dict[str, Any]) -> dict[str, Any]:
        _check("jobs", [job_id], set(self.cloud.jobs))
        _check("states", filter(None, [body.get("status")]), self.job_states)
        job = self.cloud.jobs[job_id]
        self.cloud.change_job(job, body)
        return self.cloud.describe_job(job)

    async def revoke_tokens(self, body: dict[str, str]) -> tuple[None, int]:
        self.cloud.revoke_tokens(body["as"])
        return None, 204

    async def list_requests(self) -> list[dict[str, Any]]:
        return [asdict(seen) for seen in self.front.seen]

    async def forget_requests(self) -> tuple[None, int]:
        self.front.seen.clear()
        return None, 204

    async def list_faults(self) -> list[dict[str, Any]]:
        return [asdict(fault) for fault in self.front.faults]

    async def replace_faults(self, body: list[dict[str, Any]]) -> tuple[None, int]:
        _check(
            "operations",
            (item["match"]["operation"] for item in body if "operation" in item.get("match", {})),
            self.operation_ids,
        )
        try:
            self.front.faults = [Fault(**item) for item in body]
        except ValueError as exc:
            raise ControlError(str(exc)) from None
        return None, 204


def _check(kind: str, given: Iterable[str], known: set[str]) -> None:
    unknown = set(given) - known
    if unknown:
        raise ControlError(f"No such {kind}: {sorted(unknown)}; there are {sorted(known)}")
