# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The gateway in front of every operation. It checks publication and authorization, and formats errors."""

from __future__ import annotations

import hmac
import re
import time
from calendar import timegm
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl

from connexion.exceptions import NonConformingResponse, ProblemException
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from jsonschema import ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .cloud import AccessKey, Cloud, User
from .errors import FORBIDDEN, UNAUTHENTICATED, CloudError, ControlError, IamError, MetadataError, Refusal

CLOCK_SKEW = 15 * 60
VALUE_RULES = {"enum", "pattern", "minLength", "maxLength", "maxItems", "minimum", "maximum"}
SIGNED = re.compile(
    r"SDK-HMAC-SHA256 Access=(?P<key>[^,]+), SignedHeaders=(?P<headers>[^,]+), Signature=(?P<signature>[0-9a-f]+)"
)


@dataclass(frozen=True)
class Operation:
    """The properties of an operation that the gateway needs, from the contract."""

    service: str
    secured: bool
    permission: str | None
    statuses: frozenset[str]


class Gateway:
    """Runs inside response validation, so that errors are validated too, and before request validation."""

    def __init__(self, app: ASGIApp, *, cloud: Cloud, operations: dict[str, Operation]) -> None:
        self.app = app
        self.cloud = cloud
        self.operations = operations

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        name = scope["extensions"]["connexion_routing"]["operation_id"]
        operation = self.operations.get(name)
        service = operation.service if operation else ""
        headers = Headers(scope=scope)
        request_id = scope["request_id"]

        async def send_checked(message: Message) -> None:
            if message["type"] == "http.response.start":
                if operation and str(message["status"]) not in operation.statuses:
                    raise NonConformingResponse(detail=f"The contract of {name} has no status {message['status']}")
                add_ids(message, service, request_id)
            await send(message)

        refusal: Refusal
        try:
            if operation is None or name in self.cloud.settings.unpublished:
                raise (
                    MetadataError(404, "The resource could not be found.")
                    if service == "metadata"
                    else CloudError("APIGW.0101")
                )
            if operation.secured:
                self._authorize(operation, scope, headers)
            await self.app(scope, receive, send_checked)
            return
        except Refusal as exc:
            refusal = exc
        except ProblemException as exc:  # connexion rejected the request
            if exc.status >= 500:
                raise
            refusal = _malformed(service, str(exc.detail).splitlines()[0], exc.__context__)
        except UnicodeDecodeError as exc:
            refusal = _malformed(service, str(exc))
        body = refusal.body(headers.get("x-language", ""), request_id)
        response = HTMLResponse(body, refusal.status) if isinstance(body, str) else JSONResponse(body, refusal.status)
        await response(scope, receive, send_checked)

    def _authorize(self, operation: Operation, scope: Scope, headers: Headers) -> None:
        """Authenticate and authorize the caller. The gateway checks all signatures; IAM checks its own tokens."""
        iam = operation.service == "iam"
        if "x-auth-token" in headers and iam:
            user = self._iam_token_user(headers["x-auth-token"])
        elif "x-auth-token" in headers:
            user = self._drs_token_user(headers["x-auth-token"], scope["path_params"]["project_id"])
        elif "authorization" in headers:
            user = self._signing_user(scope, headers)
            if not iam and self.cloud.find_project(id=scope["path_params"]["project_id"]) is None:
                raise CloudError("DRS.M00261")
        else:
            raise IamError(401, UNAUTHENTICATED) if iam else CloudError("APIGW.0301", "x-auth-token not found")
        if operation.permission and not getattr(user, operation.permission):
            raise IamError(403, FORBIDDEN) if iam else CloudError("DRS.M00102")

    def _iam_token_user(self, value: str) -> User:
        token = self.cloud.tokens.get(value)
        if token is None or token.refusal or token.expires <= self.cloud.now():
            raise IamError(401, UNAUTHENTICATED)
        return token.user

    def _drs_token_user(self, value: str, project_id: str) -> User:
        token = self.cloud.tokens.get(value)
        if token is None:
            raise CloudError("APIGW.0301", "decrypt token fail")
        if token.refusal:
            raise CloudError(token.refusal, "decrypt token fail")
        if token.expires <= self.cloud.now():
            raise CloudError("DRS.M00100")
        if token.project is None or token.project.id != project_id:
            raise CloudError("DRS.M00261")
        return token.user

    def _signing_user(self, scope: Scope, headers: Headers) -> User:
        given = SIGNED.fullmatch(headers["authorization"])
        if given is None:
            raise CloudError("APIGW.0301", "authorization header is malformed")
        key = self.cloud.access_keys.get(given["key"])
        if key is None:
            raise CloudError("APIGW.0301", f"ak {given['key']} not exist")
        if key.lockout.locked:
            raise CloudError("APIGW.0301", f"ak {given['key']} is locked")
        if headers.get("x-security-token") != key.security_token:
            raise CloudError("APIGW.0301", "invalid security token")
        if key.expires is not None and key.expires <= self.cloud.now():
            raise CloudError("APIGW.0301", "security token has expired")
        signed = given["headers"].split(";")
        if not _signature_holds(key, scope, headers, signed, given["signature"]):
            key.lockout.failed(self.cloud.settings.lock_seconds)
            raise CloudError("APIGW.0301", "verify aksk signature fail")
        if abs(timegm(time.strptime(headers["x-sdk-date"], "%Y%m%dT%H%M%SZ")) - self.cloud.now()) > CLOCK_SKEW:
            raise CloudError("APIGW.0301", "signature expired")
        key.lockout.succeeded()
        user = self.cloud.users[key.user]
        if not user.enabled:
            raise CloudError("APIGW.0301", "user is disabled")
        return user


def _signature_holds(key: AccessKey, scope: Scope, headers: Headers, signed: list[str], signature: str) -> bool:
    """Sign the received request with the official SDK, and compare the signatures."""
    if not {"host", "x-sdk-date"} <= set(signed) or any(name not in headers for name in signed):
        return False
    request = SdkRequest(
        method=scope["method"],
        resource_path=scope["raw_path"].decode("ascii"),
        query_params=parse_qsl(scope["query_string"].decode("ascii"), keep_blank_values=True),
        header_params={name: headers[name] for name in signed},
        body=scope["request_body"],
    )
    try:
        expected = (
            Signer(SimpleNamespace(ak=key.access_key, sk=key.secret_key)).sign(request).header_params["Authorization"]
        )
    except ValueError:  # an invalid date
        return False
    return hmac.compare_digest(expected.rpartition("Signature=")[2], signature)


def _malformed(service: str, detail: str, cause: BaseException | None = None) -> Refusal:
    if service in ("drs", "drs_v3"):
        # Inferred: a body in the right format with an invalid value has a separate error code.
        if isinstance(cause, ValidationError) and cause.validator in VALUE_RULES and cause.absolute_path:
            return CloudError("DRS.M00202", str(cause.absolute_path[-1]))
        return CloudError("DRS.M00200", detail)
    if service == "iam":
        return IamError(400, f"Malformed request: {detail}")
    if service == "metadata":
        return MetadataError(400, detail)
    return ControlError(detail)


def add_ids(message: Message, service: str, request_id: str) -> None:
    """Add the IDs that every response has."""
    headers: Any = MutableHeaders(scope=message)
    headers["X-Request-Id"] = request_id
    if service == "iam":
        headers["X-IAM-Trace-Id"] = f"token_eu-west-101_null_{request_id}"
