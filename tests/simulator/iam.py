# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of iam.yaml."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime, timezone
from typing import Any

from .cloud import Cloud, Token
from .errors import IamError


def _timestamp(seconds: float) -> str:
    """As IAM writes it: milliseconds, in six digits."""
    moment = datetime.fromtimestamp(seconds, timezone.utc)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}000Z"


class Iam:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def keystone_create_user_token_by_password(self, body: dict[str, Any]) -> tuple[dict[str, Any], int, dict[str, str]]:
        token = self._log_in(body["auth"])
        return {"token": self._describe(token)}, 201, {"X-Subject-Token": token.value}

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
            raise IamError(401, "The request you have made requires authentication.")
        return self.cloud.issue_token(user, project)

    def _describe(self, token: Token) -> dict[str, Any]:
        account = asdict(self.cloud.account)
        scope = {"project": {**asdict(token.project), "domain": account}} if token.project else {"domain": account}
        return {
            "catalog": [],
            "expires_at": _timestamp(token.expires),
            "issued_at": _timestamp(token.issued),
            "methods": ["password"],
            "roles": [{"id": "0", "name": "drs_admin"}] if token.user.drs else [],
            "user": {"domain": account, "id": token.user.id, "name": token.user.name, "password_expires_at": ""},
            **scope,
        }
