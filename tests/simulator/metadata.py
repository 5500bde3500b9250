# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The operations of metadata.yaml."""

from __future__ import annotations

from typing import Any

from connexion import request

from .cloud import Cloud
from .errors import MetadataError
from .faults import JSON_TYPE
from .iam import timestamp

Response = tuple[Any, int, dict[str, str]]  # with headers, because errors have another content type


class Metadata:
    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud

    async def create_metadata_token(self) -> Response:
        token = self.cloud.issue_metadata_token(int(request.headers["X-Metadata-Token-Ttl-Seconds"]))
        return token, 200, {"Content-Type": "text/plain"}

    async def show_security_key(self) -> Response:
        token = request.headers.get("X-Metadata-Token")
        if token is not None and self.cloud.metadata_tokens.get(token, 0.0) <= self.cloud.now():
            raise MetadataError(401, "The metadata token is invalid or has expired.")
        if self.cloud.settings.agency is None:
            raise MetadataError(401, "Please configure Cloud Service Agency first")
        key = self.cloud.issue_access_key(self.cloud.users[self.cloud.settings.agency])
        credential = {
            "access": key.access_key,
            "secret": key.secret_key,
            "securitytoken": key.security_token,
            "expires_at": timestamp(key.expires or 0.0),
        }
        return {"credential": credential}, 200, {"Content-Type": JSON_TYPE}
