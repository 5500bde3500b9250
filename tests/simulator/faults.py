# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The wire between client and cloud. It logs requests and injects faults."""

from __future__ import annotations

import asyncio
import html
import json
import re
import socket
import struct
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from typing import Any

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

CONTROL = "/_simulator/"
HTML = (
    "<!DOCTYPE html>\n"
    "<html><head><title>Sign in to the network</title></head><body><h1>Please sign in</h1></body></html>\n"
)
JSON_TYPE = "application/json"
HTML_TYPE = "text/html"
ECHOED = ("x-auth-token", "authorization", "x-security-token", "x-metadata-token")


@dataclass(frozen=True)
class Route:
    """The method and path of an operation."""

    method: str
    path: re.Pattern[str]
    operation: str


@dataclass
class Fault:
    """A fault, see control.yaml."""

    kind: str
    match: dict[str, str] = field(default_factory=dict)
    times: int | None = 1
    skip: int = 0
    seconds: float | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    repeat: int = 1
    content_type: str | None = None
    matched: int = 0
    applied: int = 0

    def __post_init__(self) -> None:
        needs = {"latency": "seconds", "status": "status", "status_after": "status"}.get(self.kind)
        if needs and getattr(self, needs) is None:
            raise ValueError(f"A fault of kind {self.kind} needs {needs!r}")

    def applies(self, method: str, path: str, operation: str | None) -> bool:
        """Return whether it applies to this request, and count the matching requests."""
        if self.match.get("method", method).upper() != method or not re.search(self.match.get("path", ""), path):
            return False
        if self.match.get("operation", operation) != operation:
            return False
        if self.times is not None and self.applied >= self.times:
            return False
        self.matched += 1
        if self.matched <= self.skip:
            return False
        self.applied += 1
        return True


@dataclass
class Seen:
    """A request in the log, see control.yaml."""

    time: float
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: str
    request_id: str
    processed: bool = False
    cloud_status: int | None = None
    status: int | None = None
    fault: str | None = None


@dataclass(frozen=True)
class Response:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Front:
    """The outermost ASGI application."""

    def __init__(self, clock: Callable[[], float] = time.time, routes: Sequence[Route] = ()) -> None:
        self.app: ASGIApp = _no_app
        self.clock = clock
        self.routes = routes
        self.reset()

    def reset(self) -> None:
        self.faults: list[Fault] = []
        self.seen: list[Seen] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["request_id"] = uuid.uuid4().hex
        if scope["type"] != "http" or scope["path"].startswith(CONTROL):
            await self.app(scope, receive, send)
            return
        body = await _read(receive)
        if body is None:
            return
        scope["request_body"] = body
        query, headers = scope["query_string"].decode("latin-1"), dict(Headers(scope=scope))
        seen = Seen(
            time.time(),
            scope["method"],
            scope["path"],
            query,
            headers,
            body.decode("utf-8", "replace"),
            scope["request_id"],
        )
        self.seen.append(seen)
        operation = self.operation(seen.method, seen.path) if self.faults else None
        fault = next((fault for fault in self.faults if fault.applies(seen.method, seen.path, operation)), None)
        seen.fault = fault.kind if fault else None
        exchange = Exchange(self.app, self.clock, scope, receive, send, body, seen)
        await (FAULTS[fault.kind](exchange, fault) if fault else exchange.send(await exchange.process()))

    def operation(self, method: str, path: str) -> str | None:
        """Return the operation of a request. Faults apply before the request is routed."""
        return next(
            (route.operation for route in self.routes if route.method == method and route.path.fullmatch(path)), None
        )


@dataclass
class Exchange:
    """A request, and the operations from which its response is made."""

    app: ASGIApp
    clock: Callable[[], float]
    scope: Scope
    receive: Receive
    send_message: Send
    body: bytes
    seen: Seen

    async def process(self) -> Response:
        """Let the cloud process the request."""
        messages: list[Message] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": self.body, "more_body": False}

        async def send(message: Message) -> None:
            messages.append(message)

        self.seen.processed = True
        await self.app(self.scope, receive, send)
        response = Response(
            messages[0]["status"], list(messages[0]["headers"]), b"".join(m.get("body", b"") for m in messages[1:])
        )
        self.seen.cloud_status = response.status
        return response

    async def send(self, response: Response, part: float = 1.0) -> None:
        self.seen.status = response.status
        headers = response.headers
        if "date" not in Headers(raw=headers):
            headers = [*headers, (b"date", formatdate(self.clock(), usegmt=True).encode("ascii"))]
        await self.send_message({"type": "http.response.start", "status": response.status, "headers": headers})
        body = response.body[: int(len(response.body) * part)]
        await self.send_message({"type": "http.response.body", "body": body, "more_body": part < 1.0})

    async def wait_closed(self) -> None:
        """Return once either side has closed the connection."""
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def abort(self) -> None:
        """Reset the connection: with a linger time of zero, closing sends RST instead of FIN."""
        transport = self.scope["state"]["transport"]
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
        await self.wait_closed()

    def canned(self, fault: Fault, response: Response | None = None, *, content_type: str = JSON_TYPE) -> Response:
        """Return the response that the fault defines. Its status defaults to that of the cloud's own response."""
        if isinstance(fault.body, str):
            text, content_type = fault.body * fault.repeat, fault.content_type or content_type
        elif fault.body is None:
            text = ""
        else:
            text = json.dumps(fault.body if fault.repeat == 1 else [fault.body] * fault.repeat)
        body = text.encode("utf-8")
        headers = {
            "x-request-id": self.scope["request_id"],
            "content-type": fault.content_type or content_type,
            **{name.lower(): value for name, value in fault.headers.items()},
            "content-length": str(len(body)),
        }
        status = fault.status or (response.status if response else 200)
        return Response(
            status, [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()], body
        )


async def _latency(exchange: Exchange, fault: Fault) -> None:
    due = time.monotonic() + fault.seconds
    response = await exchange.process()
    try:
        await asyncio.wait_for(exchange.wait_closed(), due - time.monotonic())
    except asyncio.TimeoutError:
        await exchange.send(response)


async def _status(exchange: Exchange, fault: Fault) -> None:
    await exchange.send(exchange.canned(fault))


async def _status_after(exchange: Exchange, fault: Fault) -> None:
    await exchange.send(exchange.canned(fault, await exchange.process()))


async def _reset_before(exchange: Exchange, fault: Fault) -> None:
    await exchange.abort()


async def _reset_after(exchange: Exchange, fault: Fault) -> None:
    await exchange.process()
    await exchange.abort()


async def _cut(exchange: Exchange, fault: Fault) -> None:
    await exchange.send(await exchange.process(), part=0.5)
    exchange.scope["state"]["transport"].close()
    await exchange.wait_closed()


async def _html(exchange: Exchange, fault: Fault) -> None:
    page = replace(fault, body=HTML if fault.body is None else fault.body)
    await exchange.send(exchange.canned(page, await exchange.process(), content_type=HTML_TYPE))


async def _hang(exchange: Exchange, fault: Fault) -> None:
    await exchange.process()
    await exchange.wait_closed()


async def _echo(exchange: Exchange, fault: Fault) -> None:
    seen = exchange.seen
    message = " ".join(
        [
            "Incorrect IAM authentication information:",
            *(seen.headers[name] for name in ECHOED if name in seen.headers),
            seen.body,
        ]
    )
    page = f"<!DOCTYPE html>\n<html><head><title>{html.escape(message)}</title></head><body></body></html>\n"
    body = page if fault.content_type == HTML_TYPE else {"error_code": "APIGW.0301", "error_msg": message}
    await exchange.send(exchange.canned(replace(fault, status=fault.status or 401, body=body)))


FAULTS: dict[str, Callable[[Exchange, Fault], Awaitable[None]]] = {
    "latency": _latency,
    "status": _status,
    "status_after": _status_after,
    "reset_before": _reset_before,
    "reset_after": _reset_after,
    "cut": _cut,
    "html": _html,
    "replace": _status_after,
    "hang": _hang,
    "echo": _echo,
}


async def _read(receive: Receive) -> bytes | None:
    """Return the whole body, or None if the client disconnected before it was complete."""
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return bytes(body)


async def _no_app(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("The front has no application")
