# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of iam.yaml."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from .cloud import Cloud, Project, Token
from .errors import UNAUTHENTICATED, IamError

PROJECTS = "https://iam.myhuaweicloud.com/v3/projects"
AUTH_PROJECTS = "https://iam.myhuaweicloud.com/v3/auth/projects"
NO_PAGES = {"previous": None, "next": None}


def timestamp(seconds: float) -> str:
    """Format a time like IAM: milliseconds in six digits."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}000Z"


class Iam:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def keystone_create_user_token_by_password(
        self, body: dict[str, Any]
    ) -> tuple[dict[str, Any], int, dict[str, str]]:
        token = self._log_in(body["auth"])
        return {"token": self._describe(token)}, 201, {"X-Subject-Token": token.value}

    async def keystone_list_projects(self, page: int = 1, per_page: int = 5000, **criteria: Any) -> dict[str, Any]:
        projects = [self._describe_project(project) for project in self.cloud.projects]
        matching = [project for project in projects if all(project[name] == value for name, value in criteria.items())]
        for project in matching:
            project["links"] |= NO_PAGES
        return {"projects": matching[(page - 1) * per_page :][:per_page], "links": {"self": PROJECTS, **NO_PAGES}}

    async def keystone_list_auth_projects(self) -> dict[str, Any]:
        return {
            "projects": [self._describe_project(project) for project in self.cloud.projects],
            "links": {"self": AUTH_PROJECTS},
        }

    def _describe_project(self, project: Project) -> dict[str, Any]:
        region, _separator, suffix = project.name.partition("_")
        parent = self.cloud.find_project(name=region) if suffix else None
        return {
            "id": project.id,
            "name": project.name,
            "domain_id": self.cloud.account.id,
            "parent_id": (parent or self.cloud.account).id,
            "is_domain": False,
            "enabled": True,
            "description": "",
            "links": {"self": f"{PROJECTS}/{project.id}"},
        }

    def _log_in(self, auth: dict[str, Any]) -> Token:
        given = auth["identity"]["password"]["user"]
        user = self.cloud.users.get(given["name"]) if given["domain"]["name"] == self.cloud.account.name else None
        if user is None:
            raise IamError(401, "The username or password is wrong.")
        if user.locked or user.lockout.locked:
            raise IamError(401, "The account is locked.")
        if given["password"] != user.password:
            user.lockout.failed(self.cloud.settings.lock_seconds)
            raise IamError(401, "The username or password is wrong.")
        if not user.enabled:
            raise IamError(401, "The user is disabled.")
        user.lockout.succeeded()
        scope = auth.get("scope", {}).get("project")
        project = self.cloud.find_project(id=scope.get("id"), name=scope.get("name")) if scope else None
        if scope and project is None:
            raise IamError(401, UNAUTHENTICATED)
        return self.cloud.issue_token(user, project)

    def _describe(self, token: Token) -> dict[str, Any]:
        account = asdict(self.cloud.account)
        scope = {"project": {**asdict(token.project), "domain": account}} if token.project else {"domain": account}
        return {
            "catalog": [],
            "expires_at": timestamp(token.expires),
            "issued_at": timestamp(token.issued),
            "methods": ["password"],
            "roles": [{"id": "0", "name": "drs_admin"}] if token.user.drs else [],
            "user": {"domain": account, "id": token.user.id, "name": token.user.name, "password_expires_at": ""},
            **scope,
        }
