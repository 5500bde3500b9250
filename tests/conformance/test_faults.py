# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults on the wire, in addition to those in tests/unit/plugins/module_utils/test_http.py and test_transport.py."""

from __future__ import annotations

import gzip
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.loopback import chunk, drip, each, head, hold, once, reset, response

REQUEST_ID = "4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2"
TRACE = f"X-Request-Id: {REQUEST_ID}"
RIGHT = {"id": "right"}
TEXT = json.dumps(RIGHT).encode()
# Seconds: a timeout that a test waits for, which one attempt extends by one; a timeout that no test reaches; and the
# time that a slow machine may take for the rest.
SHORT, LONG, QUICK = 0.2, 10.0, 7.0

KEPT = response(TEXT).replace(b"close", b"keep-alive")
CHUNKED = head(200, "Transfer-Encoding: chunked", TRACE)
GOOD = response(TEXT, headers=[TRACE])
STALE = KEPT.replace(b"right", b"stale")
BARE = b"HTTP/1.1 200 Text\r\n"
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
THROTTLED = response(b'{"error_code": "APIGW.0308"}', 429, headers=["Retry-After: 1"])

CUT = ("no complete response",)
TIMED_OUT = ("no complete response before the timeout",)
TOO_LARGE = ("more than 8388608 bytes",)
ENCODED = ("returned HTTP 200 with an encoding that was not asked for",)
NOT_JSON = ("not JSON",)


@dataclass(frozen=True)
class Row:
    """A fault and its effect."""

    fault: str
    # One for each connection, see loopback.py.
    scripts: tuple[Any, ...]
    # How often a POST and a GET are sent when one retry is allowed; None to skip the method.
    posts: int | None
    gets: int | None
    # Parts of the error message; empty if the call succeeds.
    says: tuple[str, ...] = ()
    status: int | None = None
    # Whether the header of the response contains the request ID, which the error then has.
    traced: bool = False
    retries: int = 1
    tls: bool = False
    # Whether the client has an open connection to the server, from an earlier successful request.
    used_before: bool = False
    # Whether the server has read the request.
    arrives: bool = True
    timeout: float | None = None
    # Maximum duration of an attempt in seconds.
    seconds: float = QUICK


def row(fault: str, script: Any, posts: int | None, gets: int | None, says: tuple[str, ...] = (), **more: Any) -> Row:
    return Row(fault, script if isinstance(script, tuple) else (script,), posts, gets, says, **more)


def kept(fault: str, script: Any, posts: int | None, gets: int | None, says: tuple[str, ...] = (), **more: Any) -> Row:
    return row(f"kept connection {fault}", script, posts, gets, says, used_before=True, **more)


SLOW = {"seconds": SHORT + 1 + QUICK}
FAULTS = [
    #   fault, script, POSTs, GETs, parts of the error message

    # The connection is lost. What the server has done is not known.
    row("reset, request unread", loopback.unread(reset), 1, 2, CUT, arrives=False),
    row("reset within the headers", once(BARE + b"X-Requ", end=reset), 1, 2, (*CUT, "reset by peer")),
    row("hung up within the status", once(b"HTTP/1.1 20"), 1, 2, CUT),
    row("reset through TLS", once(end=reset), 1, 2, CUT, tls=True),
    row("429, then the response is lost", (THROTTLED, once()), 2, 2, CUT),

    # An incomplete response is invalid, even if the received part is valid by itself.
    row("cut by a last chunk", once(CHUNKED, chunk(TEXT[:9]), b"0\r\n\r\n"), 1, 1, NOT_JSON, status=200, traced=True),
    row("cut within a chunk", once(CHUNKED, chunk(TEXT)[:9]), 1, 2, CUT, traced=True),
    row("right, but the last chunk is missing", once(CHUNKED, chunk(TEXT)), 1, 2, CUT, traced=True),
    row("size of a chunk is none", once(CHUNKED, b"zz\r\n", TEXT), 1, 2, CUT, traced=True),
    row("cut by the end of the connection", once(head(), TEXT[:9]), 1, 1, NOT_JSON, status=200),
    row("cut by the end of TLS", once(head(), TEXT[:9]), 1, 1, NOT_JSON, status=200, tls=True),
    row("two lengths", once(head(200, "Content-Length: 9", "Content-Length: 5"), TEXT), 1, 1, (*CUT, "Content-Length")),
    row("a refusal that is cut",
        response(b'{"error_code": "DRS', 400, length=90, headers=[TRACE]), 1, 2, CUT, traced=True),

    # Slow. The timeout covers the whole attempt, even if single bytes keep arriving.
    row("connection times out", (), 2, 2, ("connection failed", "timed out"), timeout=SHORT),
    row("headers stop", once(BARE, b"X-A: ", end=hold), 1, 2, TIMED_OUT),
    row("100 for ever", once(end=drip(CONTINUE, 0.05)), 1, None, TIMED_OUT, **SLOW),
    row("byte by byte through TLS", once(head(200, TRACE), end=drip(b" ", 0.05)), 1, None, TIMED_OUT, tls=True,
        traced=True, **SLOW),
    row("slow, but in time", once(GOOD[:9], GOOD[9:60], GOOD[60:-9], GOOD[-9:], gap=0.1), 1, 1, timeout=2),

    # Endless.
    row("body without end", once(head(200, TRACE), end=drip(b" " * 65536, 0)), 1, 1, TOO_LARGE, status=200,
        traced=True),
    row("swelling body", once(head(200, "Content-Encoding: gzip"), gzip.compress(bytes(2**24))), 1, 1, ENCODED,
        status=200),
    row("header without end", once(BARE, b"X-A: ", end=drip(b"a" * 65536, 0)), 1, 2, (*CUT, "more than 65536 bytes")),
    row("headers without end", once(BARE, end=drip(b"X-A: a\r\n", 0)), 1, 2, (*CUT, "more than 100 headers")),
    row("status without end", once(b"HTTP/1.1 200 ", end=drip(b"a" * 65536, 0)), 1, 2, (*CUT, "more than 65536 bytes")),

    # The body decides, not the headers.
    row("right JSON as HTML", response(TEXT, headers=["Content-Type: text/html; charset=latin-1"]), 1, 1),
    row("right JSON after a byte order mark", response(b"\xef\xbb\xbf" + TEXT), 1, 1),
    row("right JSON, compressed unasked", response(gzip.compress(TEXT), headers=["Content-Encoding: gzip"]), 1, 1,
        ENCODED, status=200),
    row("no gzip as it says", response(TEXT, headers=["Content-Encoding: gzip", TRACE]), 1, 1, ENCODED, status=200,
        traced=True),

    # A connection that an earlier request left open. If it is lost between two requests, nothing was sent.
    kept("is closed", once(KEPT), 1, 1),
    kept("is reset", once(KEPT, end=reset), 1, 1),
    kept("is closed by half", once(KEPT, end=loopback.half_close), 1, 1),
    kept("is closed, as announced", once(GOOD, end=hold), 1, 1),
    kept("is closed, after 408", once(KEPT, response(status=408), gap=0.05, end=hold), 1, 1),
    kept("is closed by TLS", once(KEPT), 1, 1, tls=True),
    kept("is reset within the request", once(KEPT, end=loopback.unread(reset)), 1, 1, CUT, arrives=False, retries=0),
    kept("is closed after a POST", once(KEPT, end=once()), 1, None, CUT),
    kept("is closed after a GET", once(KEPT, end=once()), None, 2),
    kept("is silent", once(KEPT, end=once(end=hold)), 1, 1, TIMED_OUT, retries=0),
    kept("works", each(KEPT), 1, 1),
    kept("has two responses to one request", each(KEPT + STALE), 1, 1),
    kept("has an unsolicited response", once(KEPT, STALE, gap=0.05, end=hold), 1, 1),

    # Not HTTP, or not the expected version.
    row("another protocol", once(b"SSH-2.0-OpenSSH_9.6\r\n"), 1, 2, CUT),
    row("HTTP/2", once(b"HTTP/2 200 \r\n\r\n"), 1, 2, (*CUT, "HTTP/2")),
    row("HTTP/1.0", once(b"HTTP/1.0 200 OK\r\n\r\n" + TEXT), 1, 1),
    row("lines without carriage returns", once(b"HTTP/1.1 200 OK\n\n" + TEXT), 1, 1),
    row("100 before the response", once(CONTINUE + GOOD), 1, 1),
    row("103 before the response", once(b"HTTP/1.1 103 Early Hints\r\n\r\n" + GOOD), 1, 1),
    row("101 before the response", once(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + GOOD), 1, 1,
        ("returned HTTP 101",), status=101),
    row("103 for ever", once(end=drip(b"HTTP/1.1 103 Early Hints\r\n\r\n", 0.05)), 1, None, TIMED_OUT, **SLOW),
    row("redirect without end", once(head(302, "Location: /x"), end=drip(b" " * 65536, 0)), 1, 1, TOO_LARGE,
        status=302),
]  # fmt: skip


@pytest.fixture
def unresponsive_url() -> Iterator[str]:
    """A URL like one behind a firewall: the queue of the listener is full, so connections get no response."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _place in range(4):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


@pytest.mark.parametrize(
    ("row", "method", "sent"),
    [
        pytest.param(row, method, sent, id=f"{row.fault}-{method}")
        for row in FAULTS
        for method, sent in (("POST", row.posts), ("GET", row.gets))
        if sent
    ],
)
def test_fault(request: pytest.FixtureRequest, serve: Any, clock: Any, row: Row, method: str, sent: int) -> None:
    context, ca = (request.getfixturevalue(name) if row.tls else None for name in ("tls", "ca_cert"))
    server = serve(*row.scripts, tls=context) if row.scripts else None
    url = server.url if server else request.getfixturevalue("unresponsive_url")
    timeout = row.timeout or (SHORT if row.says == TIMED_OUT else LONG)
    http = HttpClient(timeout=timeout, max_retries=row.retries, ca_cert=ca)
    if row.used_before:
        http.request("GET", url, auth=lambda prepared: prepared)
        assert server.settled.wait(QUICK)
        server.requests.clear()

    started = time.monotonic()
    result, error = None, None
    try:
        result = http.request(method, url, auth=lambda prepared: prepared, body={}).body
    except HuaweiCloudError as caught:
        error = caught
    assert time.monotonic() - started < row.seconds * sent
    if server and row.arrives:
        assert [seen.split()[0].decode() for seen in server.requests] == [method] * sent
    assert len(clock.pauses) == sent - 1
    if not row.says:
        assert error is None, str(error)
        assert result == RIGHT
        return
    assert error is not None, result
    assert [words for words in row.says if words not in str(error)] == [], str(error)
    assert error.maybe_accepted == (method == "POST" and bool(server))
    assert (error.http_status, error.request_id) == (row.status, REQUEST_ID if row.traced else None)
