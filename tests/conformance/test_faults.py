# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can go wrong between a task and the cloud, and what becomes of it then. The two tables, FAULTS and RUNS, say all of it."""

from __future__ import annotations

import gzip
import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from rawserver import (
    REQUEST_ID,
    Line,
    Script,
    answer,
    chunk,
    drip,
    each,
    half_close,
    head,
    hold,
    in_turn,
    once,
    raw_server,
    reset,
    reset_within_request,
    unread,
)
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.plugins.module_utils import _batch, _drs, _http
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient, HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._iam import Credentials, Session, identity
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import execute_job_action, list_jobs, show_actions, update_start_position

PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
MOMENT = "2023-09-19T07:00:00Z"
QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
POSITION = "mysql-bin.000277:805"
TOKEN = "MIIRawServersToken0123456789"
USER = {"username": "drs-operator", "password": "Operator-Passw0rd!", "domain_name": "example-account", "project_name": "eu-west-101"}
CALLS = {
    "collect": "/collect-db-position",
    "read": "/db-position",
    "login": "/v3/auth/tokens",
    "action": "/action",
    "start": "/start-position",
    "actions": "/actions",
    "jobs": "/jobs",
    "job": f"/jobs/{JOB}",
}
# Those that change something, beside the login.
CHANGING = ("collect", "action", "start")
READING = ("read", "jobs", "actions")
MODULES = "ansible_collections.huaweicloud.drs.plugins.modules"

# Seconds. A time-out that a test waits for, which the layers lengthen by one for a whole attempt, and one that it does not;
# and what a slow machine may take for the rest.
SHORT = 0.2
LONG = 10.0
QUICK = 7.0
SLOW = SHORT + 1 + QUICK
# Between two attempts, unless the server asks for another pause.
BACKOFF = (0.5, 1.0)

# One body that is right for all calls.
RIGHT = {
    "id": QUERY,
    "status": "success",
    "position": POSITION,
    "token": {"project": {"id": PROJECT}},
    "job": {"base_info": {"engine_type": "mysql-to-dws"}},
    "job_action": {"available_actions": ["RETRY"]},
    "jobs": [{"id": JOB}],
    "total_count": 1,
}
STALE = {**RIGHT, "id": "of-another-request", "position": "of-another-request"}
TEXT = json.dumps(RIGHT).encode()
LOGGED_IN = f"X-Subject-Token: {TOKEN}"
BARE = b"HTTP/1.1 200 Text\r\n"
GOOD = answer(200, RIGHT, LOGGED_IN)
KEPT = answer(200, RIGHT, LOGGED_IN, keep=True)
CHUNKED = head(200, "Transfer-Encoding: chunked", LOGGED_IN)
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in to the network</title></head></html>\n"
THROTTLED = {"error_code": "APIGW.0308", "error_msg": "The throttling threshold has been reached"}
DOWN = {"error_code": "APIGW.0613", "error_msg": "Down for the time being"}
BROKEN = {"error_code": "DRS.M00001", "error_msg": "Broken"}
BUSY = {"error_code": "DRS.M01504", "error_msg": "Another operation is being performed"}
NOT_NOW = {"error_code": "DRS.M00304", "error_msg": "This operation cannot be performed on the task."}

CUT = ("no complete answer",)
LATE = ("no complete answer in time",)
FLOOD = ("more than 8388608 bytes",)
NOT_JSON = ("not JSON",)
NO_ID = ("accepted the request without", "id for its result")
NO_WORD = ("did not say whether it accepted",)
STORM = ("429 APIGW.0308: The throttling threshold has been reached", "throttles requests")
SIGN_IN = ("'Sign in to the network'", "the API promises a JSON object")


@dataclass
class Target:
    """Where a call goes, and what came of it there."""

    url: str
    # The requests that came in, by the names in CALLS, and how often the cloud carried out one that changes something.
    arrived: Callable[[], list[str]] = list
    accepted: Callable[[], int] = int
    request_id: Callable[[], str] = lambda: REQUEST_ID
    query: str = QUERY
    raw: bool = True
    given: dict[str, str] = field(default_factory=lambda: {"auth_token": TOKEN, "project_id": PROJECT})
    ca_cert: str | None = None
    # A request before the one that is looked at, which leaves a connection behind.
    warm_up: Callable[[Callable[[], object]], None] | None = None


def name_of(path: str) -> str:
    return next(name for name, end in CALLS.items() if path.endswith(end))


@dataclass
class Stage:
    """What a wire can be made of."""

    request: pytest.FixtureRequest

    @property
    def sim(self) -> Simulator:
        sim: Simulator = self.request.getfixturevalue("sim")
        return sim

    @property
    def certificates(self) -> dict[str, Path]:
        certificates: dict[str, Path] = self.request.getfixturevalue("certificates")
        return certificates


Wire = Callable[[Stage], AbstractContextManager[Target]]


def raw(script: Script, *, tls: str | None = None, trusted: bool = True, scheme: str | None = None, used_before: bool = False) -> Wire:
    """A raw server, see rawserver.py.

    :arg tls: the certificate that it has.
    :arg scheme: how it is called; ``https`` without a certificate calls a server that speaks no TLS.
    :arg used_before: whether the session has a connection to it, over which a request went well.
    """

    @contextmanager
    def wire(stage: Stage) -> Iterator[Target]:
        context, ca_cert = None, None
        if tls:
            context, file = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), str(stage.certificates[tls])
            context.load_cert_chain(file)
            ca_cert = file if trusted else None
        with raw_server(script, context) as server:

            def warm_up(call: Callable[[], object]) -> None:
                call()
                assert server.settled.wait(QUICK)
                server.requests.clear()

            yield Target(
                url=f"{scheme or ('https' if tls else 'http')}://127.0.0.1:{server.port}",
                arrived=lambda: [name_of(request.split(" ")[1].partition("?")[0]) for request in server.requests],
                ca_cert=ca_cert,
                warm_up=warm_up if used_before else None,
            )

    return wire


def cloud(
    kind: str | None = None,
    *,
    who: str = "token",
    times: int | None = None,
    on: str = "",
    clock_offset: float = 0,
    job: dict[str, Any] | None = None,
    action_answer: int = 202,
    **fault: Any,
) -> Wire:
    """The simulator, with this fault of control.yaml.

    :arg who: what is used to log in: a token, a token with a password in reserve, a password, or an access key.
    :arg on: the path that the fault is on.
    :arg clock_offset: of the cloud's clock, once a token has been issued.
    :arg job: what is changed of the job. If nothing is said, it has been paused, and can be told to go on and where.
    """

    @contextmanager
    def wire(stage: Stage) -> Iterator[Target]:
        sim = stage.sim
        sim.reset(collect_seconds=0, action_seconds=0, action_answer=action_answer)
        sim.job(JOB, **(job or {"status": "PAUSING"}))
        token, key = sim.token(), sim.key()
        started = sim.session.post(
            f"{sim.url}/v5/{PROJECT}/jobs/{JOB}/collect-db-position", json={"reset_position_time": MOMENT}, headers={"X-Auth-Token": token}, timeout=QUICK
        )
        sim.settings(clock_offset=clock_offset)
        sim.faults([{"kind": kind, "times": times, "match": {"path": on}, **fault}] if kind else [])
        sim.forget_requests()
        ways = {
            "token": {"auth_token": token, "project_id": PROJECT},
            "password": USER,
            "token, password": {"auth_token": token, "project_id": PROJECT, **USER},
            "key": {"access_key": key["access_key"], "secret_key": key["secret_key"], "project_id": PROJECT},
        }
        yield Target(
            url=sim.url,
            arrived=lambda: [name_of(seen["path"]) for seen in sim.requests()],
            accepted=lambda: len([seen for seen in sim.requests() if name_of(seen["path"]) in CHANGING and seen["cloud_status"] in (200, 202)]),
            request_id=lambda: str(sim.requests()[-1]["request_id"]),
            query=started.json()["id"],
            raw=False,
            given=ways[who],
        )

    return wire


@contextmanager
def refusing(stage: Stage) -> Iterator[Target]:
    """Nobody listens there, and nobody can begin to."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield Target(f"http://127.0.0.1:{taken.getsockname()[1]}")


@contextmanager
def swallowing(stage: Stage) -> Iterator[Target]:
    """As behind a firewall: the queue of a listener is full, so that what would connect gets no answer."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        for _place in range(4):
            queued = stack.enter_context(socket.socket())
            queued.setblocking(False)
            queued.connect_ex(listener.getsockname())
        yield Target(f"http://127.0.0.1:{listener.getsockname()[1]}")


@contextmanager
def unknown_name(stage: Stage) -> Iterator[Target]:
    yield Target("https://drs.invalid")


def throttled_until(seconds: float) -> Script:
    """HTTP 429, with a date as Retry-After."""

    def script(line: Line) -> None:
        line.request()
        line.send(answer(429, THROTTLED, f"Retry-After: {formatdate(time.time() + seconds, usegmt=True)}"))

    return script


def throttled(retry_after: object) -> Script:
    return once(answer(429, THROTTLED, f"Retry-After: {retry_after}"))


def speak_plainly(line: Line) -> None:
    line.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    hold(line)


# The answer is not complete, but its head has told the request id.
AFTER_THE_HEAD = {
    "reset within the body",
    "cloud: answer cut, accepted",
    "JSON cut by its length",
    "right JSON, but shorter than its length",
    "JSON cut within a chunk",
    "right JSON, but the last chunk is missing",
    "size of a chunk is none",
    "a refusal that is cut",
    "body stops",
    "body byte by byte",
    "chunk by chunk",
    "byte by byte through TLS",
    "not what it says it is compressed with",
}


@dataclass(frozen=True)
class Row:
    """A fault, and what it leads to."""

    fault: str
    wire: Wire
    # How often each call that changes something is sent when one retry is allowed, and each that only reads; None if the row is not about it.
    posts: int | None
    gets: int | None
    # What the user reads; nothing if the call succeeds.
    says: tuple[str, ...] = ()
    # Whether the change may have been accepted, so that the user is told to look at the job.
    maybe: bool = False
    status: int | None = None
    code: str | None = None
    # How often the login is sent. Once wherever something could have counted as a failed login.
    logins: int | None = None
    # Whether the server sees a request at all.
    arrives: bool = True
    retries: int = 1
    # By default a short one where the user reads of it, and else a long one.
    timeout: float | None = None
    # Whether the answer does not tell the id of the request. Where one is told, the user gets it.
    nameless: bool = False
    # Seconds that one attempt takes at most, and how long is paused between two.
    seconds: float = QUICK
    pause: tuple[float, float] = BACKOFF
    # The call that is sent in place of a pause.
    between: str | None = None
    # The calls that the answer in the row is one to. By default it is one to any.
    only: tuple[str, ...] = ()

    def calls(self) -> list[tuple[str, int]]:
        """The calls that the row is about, and how often each is sent. For all that read, one row of each kind is enough."""
        times = {**dict.fromkeys(CHANGING, self.posts), **dict.fromkeys(READING, self.gets), "login": self.logins}
        wanted = self.only or (*CHANGING, *(READING if self.logins is not None else READING[:1]), "login")
        return [(call, sent) for call in wanted if (sent := times[call]) is not None]

    @property
    def traced(self) -> bool:
        """Whether the id of the request is in the error."""
        return (self.status is not None and not self.nameless) or self.fault in AFTER_THE_HEAD


# fmt: off
FAULTS = [
    #   what goes wrong, where, changes, GETs, what the user reads

    # There is no connection. Nothing was sent, so everything may be sent again.
    Row("refused", refusing, 2, 2, ("no connection", "Connection refused"), logins=2, arrives=False),
    Row("no such name", unknown_name, 2, 2, ("no connection", "drs.invalid"), logins=2, arrives=False, seconds=LONG + QUICK),
    Row("connection not answered", swallowing, 2, 2, ("no connection", "timed out"), logins=2, arrives=False, timeout=SHORT),

    # The connection is lost. Nobody knows what the server has done.
    Row("reset, and the request unread", raw(unread(reset)), 1, 2, CUT, maybe=True, arrives=False),
    Row("reset within the request", raw(reset_within_request), 1, 2, CUT, maybe=True, arrives=False),
    Row("reset after the request", raw(once(end=reset)), 1, 2, (*CUT, "reset by peer"), maybe=True, logins=1),
    Row("reset within the headers", raw(once(b"HTTP/1.1 202 Accepted\r\nX-Requ", end=reset)), 1, 2, (*CUT, "reset by peer"), maybe=True),
    Row("reset within the body", raw(once(answer(202, TEXT[:20], length=len(TEXT)), end=reset)), 1, 2, CUT, maybe=True),
    Row("hung up, and the request unread", raw(unread()), 1, 2, CUT, maybe=True, arrives=False),
    Row("hung up after the request", raw(once()), 1, 2, (*CUT, "Remote end closed connection without response"), maybe=True, logins=1),
    Row("hung up within the status", raw(once(b"HTTP/1.1 20")), 1, 2, CUT, maybe=True),
    Row("cloud: reset, not accepted", cloud("reset_before"), 1, 2, CUT, maybe=True),
    Row("cloud: reset, accepted", cloud("reset_after"), 1, 2, CUT, maybe=True),
    Row("cloud: answer cut, accepted", cloud("cut"), 1, 2, CUT, maybe=True, only=("collect", "action", "read")),

    # An answer of which a part is missing is none, even if the part that came is right by itself.
    Row("JSON cut by its length", raw(once(answer(200, TEXT[:20], length=len(TEXT)))), 1, 2, CUT, maybe=True, logins=1),
    Row("right JSON, but shorter than its length", raw(once(answer(200, TEXT, length=len(TEXT) + 9))), 1, 2, CUT, maybe=True),
    Row("JSON cut by a last chunk", raw(once(CHUNKED, chunk(TEXT[:20]), b"0\r\n\r\n")), 1, 1, NOT_JSON, maybe=True, status=200),
    Row("JSON cut within a chunk", raw(once(CHUNKED, chunk(TEXT)[:20])), 1, 2, CUT, maybe=True),
    Row("right JSON, but the last chunk is missing", raw(once(CHUNKED, chunk(TEXT))), 1, 2, CUT, maybe=True),
    Row("size of a chunk is none", raw(once(CHUNKED, b"zz\r\n", TEXT)), 1, 2, CUT, maybe=True),
    Row("JSON cut by the end of the connection", raw(once(head(), TEXT[:20])), 1, 1, NOT_JSON, maybe=True, status=200),
    Row("JSON cut by the end of TLS", raw(once(head(), TEXT[:20]), tls="right"), 1, 1, NOT_JSON, maybe=True, status=200),
    Row("two lengths", raw(once(head(200, "Content-Length: 9", "Content-Length: 5"), TEXT)), 1, 1, (*CUT, "Content-Length"), maybe=True),
    Row("a refusal that is cut", raw(once(answer(400, b'{"error_code": "DRS', length=90))), 1, 2, CUT, maybe=True),

    # Slow. The time-out is for the whole attempt, whatever trickles in.
    Row("no answer", raw(once(end=hold)), 1, 2, LATE, maybe=True, logins=1),
    Row("cloud: no answer, accepted", cloud("hang"), 1, 2, LATE, maybe=True),
    Row("cloud: an answer too late, accepted", cloud("latency", seconds=SHORT * 3), 1, 2, LATE, maybe=True),
    Row("headers stop", raw(once(b"HTTP/1.1 202 Accepted\r\nX-A: ", end=hold)), 1, 2, LATE, maybe=True),
    Row("body stops", raw(once(answer(202, TEXT[:20], length=len(TEXT)), end=hold)), 1, 2, LATE, maybe=True),
    Row("headers byte by byte", raw(once(b"HTTP/1.1 200 Text\r\nX-A: ", end=drip(b"a", 0.05))), 1, 2, LATE, maybe=True, seconds=SLOW),
    Row("body byte by byte", raw(once(answer(202, b"{", length=9999), end=drip(b" ", 0.05))), 1, 1, LATE, maybe=True, seconds=SLOW, retries=0),
    Row("chunk by chunk", raw(once(CHUNKED, end=drip(chunk(b" "), 0.05))), 1, None, LATE, maybe=True, seconds=SLOW),
    Row("byte by byte through TLS", raw(once(head(), end=drip(b" ", 0.05)), tls="right"), 1, None, LATE, maybe=True, seconds=SLOW),
    Row("100 Continue for ever", raw(once(end=drip(b"HTTP/1.1 100 Continue\r\n\r\n", 0.05))), 1, None, LATE, maybe=True, seconds=SLOW),
    Row("slow, but in time", raw(once(GOOD[:9], GOOD[9:90], GOOD[90:-20], GOOD[-20:], gap=0.1)), 1, 1, timeout=2, logins=1),
    Row("cloud: slow, but in time", cloud("latency", seconds=0.1), 1, 1, timeout=2),

    # Without end.
    Row("body without end", raw(once(head(), end=drip(b" " * 65536, 0))), 1, 1, FLOOD, maybe=True, status=200, logins=1),
    Row("chunks without end", raw(once(CHUNKED, end=drip(chunk(b" " * 65536), 0))), 1, 1, FLOOD, maybe=True, status=200),
    Row("swelling body", raw(once(head(200, "Content-Encoding: gzip"), gzip.compress(bytes(2**24)))), 1, 1, FLOOD, maybe=True, status=200),
    Row("a line of headers without end", raw(once(BARE, b"X-A: ", end=drip(b"a" * 65536, 0))), 1, 2, (*CUT, "more than 65536 bytes"), maybe=True),
    Row("headers without end", raw(once(BARE, end=drip(b"X-A: a\r\n", 0))), 1, 2, (*CUT, "more than 100 headers"), maybe=True),
    Row("status without end", raw(once(b"HTTP/1.1 200 ", end=drip(b"a" * 65536, 0))), 1, 2, (*CUT, "more than 65536 bytes"), maybe=True),

    # The body decides, not what the headers call it.
    Row("right JSON as HTML", raw(once(answer(200, RIGHT, LOGGED_IN, content_type="text/html"))), 1, 1, logins=1),
    Row("right JSON as text in another charset", raw(once(answer(200, RIGHT, content_type="text/plain; charset=latin-1"))), 1, 1),
    Row("right JSON without a type", raw(once(head(200, f"Content-Length: {len(TEXT)}"), TEXT)), 1, 1),
    Row("right JSON after a byte order mark", raw(once(answer(200, b"\xef\xbb\xbf" + TEXT))), 1, 1),
    Row("right JSON, compressed unasked", raw(once(answer(200, gzip.compress(TEXT), "Content-Encoding: gzip"))), 1, 1),
    Row("HTML as JSON", raw(once(answer(200, PAGE))), 1, 1, SIGN_IN, maybe=True, status=200, logins=1),
    Row("HTML with 202", raw(once(answer(202, PAGE, content_type="text/html"))), 1, 1, SIGN_IN, maybe=True, status=202),
    Row("cloud: HTML, accepted", cloud("html"), 1, 1, SIGN_IN, maybe=True, status=202),
    Row("not what it says it is compressed with", raw(once(answer(200, TEXT, "Content-Encoding: gzip"))), 1, 1, (*CUT, "gzip"), maybe=True),
    Row("a JSON list", raw(once(answer(200, [RIGHT]))), 1, 1, ("with a JSON list",), maybe=True, status=200),
    Row("JSON null", raw(once(answer(200, b"null"))), 1, 1, ("with a JSON NoneType",), maybe=True, status=200),
    Row("JSON too deep", raw(once(answer(200, b"[" * 500000))), 1, 1, NOT_JSON, maybe=True, status=200),
    Row("bytes that are no text", raw(once(answer(200, bytes(range(128, 256))))), 1, 1, NOT_JSON, maybe=True, status=200),
    Row("nothing with 200", raw(once(answer(200))), 1, None, NO_ID, maybe=True, status=200, only=("collect",)),
    Row("nothing with 204", raw(once(head(204))), 1, None, NO_ID, maybe=True, status=204, only=("collect",)),
    Row("cloud: nothing with 202, accepted", cloud("replace", body=""), 1, None, NO_ID, maybe=True, status=202, only=("collect",)),
    Row("an id that is none", raw(once(answer(202, {"id": 5, "status": "pending"}))), 1, None, ("an unusable id for its result", "5"), maybe=True, status=202,
        only=("collect",)),
    Row("nothing where a result should be", raw(once(head(204))), None, 1, ("a status that its API does not have",), status=204, only=("read",)),
    Row("a success without a position", raw(once(answer(200, {"status": "success"}))), None, 1, ("success without a position",), status=200, only=("read",)),

    # What is a success by its HTTP status need not be one.
    Row("nothing where a word should be", raw(once(answer(200))), 1, None, NO_WORD, maybe=True, status=200, only=("action",)),
    Row("a status of no action", raw(once(answer(202, {"id": JOB, "status": "pending"}))), 1, None, NO_WORD, maybe=True, status=202, only=("action",)),
    Row("cloud: nothing with 202, carried out", cloud("replace", body=""), 1, None, NO_WORD, maybe=True, status=202, only=("action",)),
    Row("200, and failed", raw(once(answer(200, {"id": JOB, "status": "failed"}))), 1, None, ("the status failed and no reason",),
        status=200, only=("action",)),
    Row("200, failed, and why", raw(once(answer(200, {"id": JOB, "status": "failed", **NOT_NOW}))), 1, None, ("200 DRS.M00304",),
        status=200, code="DRS.M00304", only=("action",)),
    Row("cloud: 200, and failed", cloud(job={"status": "PAUSING", "action": "failed_silently"}), 1, None, ("the status failed and no reason",),
        status=200, only=("action",)),
    Row("cloud: 200, failed, and why", cloud(job={"status": "PAUSING", "action": "failed"}), 1, None, ("200 DRS.M00304", "Look at the actions"),
        status=200, code="DRS.M00304", only=("action",)),
    Row("cloud: 200, and done", cloud(action_answer=200), 1, None, only=("action",)),
    Row("nothing where nothing should be", raw(once(answer(200))), 1, None, only=("start",)),
    *(Row(f"{status}, but another operation is running", raw(once(answer(status, BUSY))), 1, None, (f"{status} DRS.M01504: Another operation", "try again"),
          status=status, code="DRS.M01504") for status in (200, 202)),
    *(Row("cloud: not in this status", cloud(job={"status": "CREATING"}), 1, None, ("400 DRS.M00304", "Look at the actions"),
          status=400, code="DRS.M00304", only=(call,)) for call in ("action", "start")),
    *(Row(f"no {call}", raw(once(answer(200, {"jobs": {}, "job_action": {}}))), None, 1, words, status=200, only=(call,))
      for call, words in (("jobs", ("no list of jobs",)), ("actions", ("no actions that the job allows",)))),

    # 429 and 503 are refusals: nothing was done, so everything may be sent again, after the pause that the server asks for, of a minute at most.
    Row("429", raw(once(answer(429, THROTTLED))), 2, 2, STORM, status=429, code="APIGW.0308"),
    Row("429, Retry-After in seconds", raw(throttled(7)), 2, 2, STORM, status=429, code="APIGW.0308", pause=(7, 7)),
    Row("429, Retry-After as a date", raw(throttled_until(20)), 2, 2, STORM, status=429, code="APIGW.0308", pause=(15, 20)),
    Row("429, Retry-After in the past", raw(throttled_until(-20)), 2, 2, STORM, status=429, code="APIGW.0308"),
    Row("429, Retry-After tomorrow", raw(throttled_until(86400)), 2, 2, STORM, status=429, code="APIGW.0308", pause=(60, 60)),
    Row("429, Retry-After without measure", raw(throttled("9" * 400)), 2, 2, STORM, status=429, code="APIGW.0308", pause=(60, 60)),
    Row("429, Retry-After garbage", raw(throttled("soon")), 2, 2, STORM, status=429, code="APIGW.0308"),
    Row("429, Retry-After negative", raw(throttled(-5)), 2, 2, STORM, status=429, code="APIGW.0308"),
    Row("429 as HTML", raw(once(answer(429, PAGE))), 2, 2, ("429: Sign in to the network",), status=429),
    Row("503 by a gateway that is down", raw(once(answer(503, DOWN))), 2, 2, ("Try again later",), status=503, code="APIGW.0613"),
    Row("429 to a login", raw(once(answer(429, {"error": {"code": 429, "message": "Slow down"}}))), None, None, ("429: Slow down",),
        status=429, code="429", logins=2),
    Row("503", raw(once(answer(503, DOWN))), 2, 2, ("503 APIGW.0613: Down for the time being",), status=503, code="APIGW.0613", logins=2),
    Row("503, Retry-After in seconds", raw(once(answer(503, DOWN, "Retry-After: 9"))), 2, 2, ("Down",), status=503, code="APIGW.0613", pause=(9, 9)),
    Row("cloud: 429 for ever", cloud("status", status=429, body=THROTTLED), 2, 2, STORM, status=429, code="APIGW.0308"),
    Row("cloud: 503 for ever", cloud("status", status=503, body=DOWN), 2, 2, ("Down",), status=503, code="APIGW.0613"),
    Row("cloud: 429, then accepted", cloud("status", status=429, body=THROTTLED, headers={"Retry-After": "3"}, times=1), 2, 2, pause=(3, 3)),
    Row("503, then good", raw(in_turn(once(answer(503, DOWN)), once(GOOD))), 2, 2, logins=2),
    Row("429, then the answer is lost", raw(in_turn(throttled(1), once())), 2, 2, CUT, maybe=True, pause=(1, 1)),

    # Behind any other 5xx the request may have been carried out.
    *(Row(f"{status}", raw(once(answer(status, BROKEN))), 1, 2, (f"answered {status} DRS.M00001: Broken",), maybe=True, status=status, code="DRS.M00001")
      for status in (500, 502, 504)),
    Row("502 as HTML", raw(once(answer(502, PAGE))), 1, 2, ("502: Sign in to the network",), maybe=True, status=502, logins=1),
    Row("cloud: 500, accepted", cloud("status_after", status=500, body=BROKEN), 1, 2, ("Broken",), maybe=True, status=500, code="DRS.M00001"),
    Row("cloud: 500, accepted, and a password in reserve", cloud("status_after", who="token, password", status=500, body=BROKEN), 1, 2, ("Broken",),
        maybe=True, status=500, code="DRS.M00001"),
    Row("cloud: 504, not accepted", cloud("status", status=504, body={}), 1, 2, ("504: the server gave no reason",), maybe=True, status=504),
    Row("400 without a reason", raw(once(answer(400))), 1, 1, ("400: the server gave no reason",), status=400, logins=1),
    Row("401 to a login", raw(once(answer(401, {"error": {"code": 401, "message": "Wrong"}}))), None, None,
        ("401: Wrong", "Check the password", "lock the user"), status=401, code="401", logins=1),

    # The clock of this host is wrong, or the cloud's.
    Row("cloud: 16 minutes fast, access key", cloud(who="key", clock_offset=960), 1, 1,
        ("signature expired", "the clock of this host is right to 15 minutes"), status=401, code="APIGW.0301"),
    Row("cloud: 16 minutes slow, access key", cloud(who="key", clock_offset=-960), 1, 1,
        ("signature expired", "the clock of this host is right to 15 minutes"), status=401, code="APIGW.0301"),
    Row("cloud: 14 minutes fast, access key", cloud(who="key", clock_offset=840), 1, 1),
    Row("cloud: 25 hours fast, token", cloud(clock_offset=90000), 1, 1, ("expired", "Log in again"), status=403, code="DRS.M00100"),
    Row("cloud: 25 hours fast, token and password", cloud(who="token, password", clock_offset=90000), 2, 2, between="login"),
    Row("cloud: 1 hour slow, token", cloud(clock_offset=-3600), 1, 1),

    # A connection that an earlier request left open. When it is lost between two requests, nothing was sent.
    Row("kept connection is closed", raw(once(KEPT), used_before=True), 1, 1, logins=1),
    Row("kept connection is reset", raw(once(KEPT, end=reset), used_before=True), 1, 1),
    Row("kept connection is closed by half", raw(once(KEPT, end=half_close), used_before=True), 1, 1),
    Row("kept connection is closed, as announced", raw(once(GOOD, end=hold), used_before=True), 1, 1),
    Row("kept connection is closed, after 408", raw(once(KEPT, answer(408), gap=0.05, end=hold), used_before=True), 1, 1),
    Row("kept connection is closed by TLS", raw(once(KEPT), tls="right", used_before=True), 1, 1),
    Row("kept connection is reset within the request", raw(once(KEPT, end=reset_within_request), used_before=True), 1, 1,
        CUT, maybe=True, arrives=False, retries=0),
    Row("kept connection is closed after the request", raw(once(KEPT, end=once()), used_before=True), 1, None, CUT, maybe=True),
    Row("kept connection is closed after a request that only reads", raw(once(KEPT, end=once()), used_before=True), None, 2),
    Row("kept connection is silent", raw(once(KEPT, end=once(end=hold)), used_before=True), 1, 1, LATE, maybe=True, retries=0),
    Row("kept connection works", raw(each(KEPT), used_before=True), 1, 1, logins=1),
    Row("two answers at once to one request", raw(each(KEPT + answer(200, STALE, keep=True)), used_before=True), 1, 1),
    Row("a second answer that nobody asked for", raw(once(KEPT, answer(200, STALE, keep=True), gap=0.05, end=hold), used_before=True), 1, 1),

    # Not HTTP, or not as we speak it.
    Row("another protocol", raw(once(b"SSH-2.0-OpenSSH_9.6\r\n")), 1, 2, CUT, maybe=True),
    Row("garbage", raw(once(bytes(range(256)) * 4)), 1, 2, CUT, maybe=True),
    Row("TLS where none is spoken", raw(once(b"\x15\x03\x03\x00\x02\x02\x28")), 1, 2, CUT, maybe=True),
    Row("a status that is none", raw(once(b"HTTP/1.1 abc\r\n\r\n")), 1, 2, (*CUT, "abc"), maybe=True),
    Row("HTTP/2", raw(once(b"HTTP/2 200 \r\n\r\n")), 1, 2, (*CUT, "HTTP/2"), maybe=True),
    Row("HTTP/1.0", raw(once(b"HTTP/1.0 200 OK\r\n\r\n" + TEXT)), 1, 1),
    Row("lines without carriage returns", raw(once(b"HTTP/1.1 200 OK\n\n" + TEXT)), 1, 1),
    Row("100 before the answer", raw(once(b"HTTP/1.1 100 Continue\r\n\r\n" + GOOD)), 1, 1, logins=1),
    Row("103 before the answer", raw(once(b"HTTP/1.1 103 Early Hints\r\n\r\n" + GOOD)), 1, 1, ("answered 103",), maybe=True, status=103, nameless=True),
    Row("redirect to what is no URL", raw(once(answer(302, None, "Location: http://[bad"))), 1, 1, ("a redirect to http://[bad",), status=302, logins=1),
    Row("redirect to what is no text", raw(once(answer(302).replace(b"\r\n\r\n", b"\r\nLocation: http://\xe9/\r\n\r\n"))), 1, 1,
        ("a redirect to",), status=302),
    Row("redirect with a body without end", raw(once(head(302, "Location: /x"), end=drip(b" " * 65536, 0))), 1, 1, FLOOD, maybe=True, status=302),
    *(Row(f"redirect {status}", raw(once(answer(status, None, "Location: http://127.0.0.2:9/"))), 1, 1,
          ("a redirect to http://127.0.0.2:9/", "not followed"), status=status, logins=1) for status in (302, 307)),

    # TLS. What fails before the request has been sent, was not accepted.
    Row("a certificate that nobody vouches for", raw(once(GOOD), tls="right", trusted=False), 1, 1,
        ("TLS failed", "certificate verify failed", "name its file in ca_cert"), arrives=False),
    Row("the certificate of another", raw(once(GOOD), tls="another's"), 1, 1, ("TLS failed", "127.0.0.1"), arrives=False),
    Row("a certificate that has expired", raw(once(GOOD), tls="expired"), 1, 1, ("TLS failed", "expired"), arrives=False),
    Row("no TLS", raw(unread(speak_plainly), scheme="https"), 1, 1, ("TLS failed",), arrives=False),
    Row("right certificate", raw(once(GOOD), tls="right"), 1, 1, logins=1),
    Row("reset after the request, through TLS", raw(once(end=reset), tls="right"), 1, 2, CUT, maybe=True),
]
# fmt: on


class Clock:
    """Stands in for the module time: a pause takes no time, but afterwards the clock shows it."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    def monotonic(self) -> float:
        return time.monotonic() + sum(self.pauses)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (_http, _drs, _batch):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def no_detours(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.startswith(("HW_", "HUAWEICLOUD_")) or name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Certificates that vouch for themselves, each in a file with its key."""
    folder, now = tmp_path_factory.mktemp("certificates"), datetime.now(timezone.utc)
    files = {}
    for name, address, days in (("right", "127.0.0.1", 1), ("another's", "127.0.0.9", 1), ("expired", "127.0.0.1", -1)):
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        certificate = (
            x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - timedelta(days=9), now + timedelta(days=days))
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))]), critical=False)
            .sign(key, hashes.SHA256())
        )
        files[name] = folder / f"{name}.pem"
        plain = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        files[name].write_bytes(plain + certificate.public_bytes(serialization.Encoding.PEM))
    return files


# Of the calls, with the answer RIGHT.
RESULTS = {"collect": QUERY, "read": POSITION, "login": PROJECT, "action": REQUEST_ID, "start": REQUEST_ID, "jobs": [JOB], "actions": ["RETRY"]}


@pytest.mark.parametrize(
    ("row", "call", "sent"),
    [pytest.param(row, call, sent, id=f"{row.fault}-{call}") for row in FAULTS for call, sent in row.calls()],
)
def test_fault(request: pytest.FixtureRequest, clock: Clock, row: Row, call: str, sent: int) -> None:
    with row.wire(Stage(request)) as target:
        http = HttpClient(timeout=row.timeout or (SHORT if row.says == LATE else LONG), max_retries=row.retries, ca_cert=target.ca_cert)
        given = Credentials(iam_endpoint=target.url, **{**target.given, **(USER if call == "login" else {})})
        who = identity(given, "password" if call == "login" else "auto")
        if call != "login":
            who.authenticate(http)
            drs = DrsClient(Session(http, who), target.url)
        calls: dict[str, Callable[[], Any]] = {
            "collect": lambda: drs.collect_position_async(JOB, MOMENT).id,
            "read": lambda: drs.show_position_result(JOB, target.query).position,
            "login": lambda: who.authenticate(http) or who.project_id,
            # A request id, if the answer has one.
            "action": lambda: execute_job_action(drs, JOB, "retry") or REQUEST_ID,
            "start": lambda: update_start_position(drs, JOB, POSITION) or REQUEST_ID,
            "jobs": lambda: [job["id"] for job in list_jobs(drs)],
            "actions": lambda: show_actions(drs, JOB)["available_actions"],
        }
        if target.warm_up:
            target.warm_up(calls["read" if call in CHANGING else call])
        assert clock.pauses == []

        started = time.monotonic()
        result, error = None, None
        try:
            result = calls[call]()
        except HuaweiCloudError as caught:
            error = caught
        took = time.monotonic() - started

        # How often it was sent, after which pauses, and how long it took.
        expected = [call, row.between, call] if row.between else [call] * sent
        assert target.arrived() == (expected if row.arrives else [])
        assert len(clock.pauses) == (0 if row.between else sent - 1)
        assert all(row.pause[0] <= pause <= row.pause[1] for pause in clock.pauses)
        assert took < row.seconds * sent
        # Nothing twice that was asked for once.
        assert target.accepted() <= 1

        # What the user has of it.
        if not row.says:
            assert error is None, str(error)
            assert result == RESULTS[call] if target.raw else result
            return
        assert error is not None, result
        message = str(error)
        assert [words for words in row.says if words not in message] == [], message
        assert ("DRS may have accepted the request" in message) == (row.maybe and call in CHANGING), message
        assert error.maybe_accepted == (row.maybe and call in (*CHANGING, "login"))
        assert ("This was the login of user drs-operator" in message) == (call == "login")
        # The simulator answers 200 to all but the two that it answers with 202.
        assert error.http_status == (200 if not target.raw and call not in ("collect", "action") and row.status == 202 else row.status)
        assert error.error_code == row.code
        assert error.request_id == (target.request_id() if row.traced else None)
        assert TOKEN not in message and USER["password"] not in message


ACCEPTED = answer(202, {"id": QUERY, "status": "pending"}, keep=True)
VARIABLES = {
    "auth_token": "HW_AUTH_TOKEN",
    "project_id": "HW_PROJECT_ID",
    "project_name": "HW_PROJECT_NAME",
    "username": "HW_USER_NAME",
    "password": "HW_USER_PASSWORD",
    "domain_name": "HW_DOMAIN_NAME",
    "access_key": "HW_ACCESS_KEY",
    "secret_key": "HW_SECRET_KEY",
}


@dataclass(frozen=True)
class Run:
    """A fault, and what becomes of a task."""

    fault: str
    wire: Wire
    # What arrives at the server, by the names in CALLS.
    arrives: tuple[str, ...]
    # What the user reads; nothing if the task succeeds.
    says: tuple[str, ...]
    # What is in the result beside msg and what was given. ``id`` means that of the query, ``request_id`` that of some request.
    result: tuple[str, ...] = ()
    status: int | None = None
    code: str | None = None
    options: dict[str, Any] = field(default_factory=dict)
    # Seconds that it takes, Python's start included.
    seconds: tuple[float, float] = (0, 5)
    # A key of GIVEN.
    module: str = "drs_collect_db_position"
    # Whether the task says that it has changed something. A query that has been started has an id.
    changed: bool | None = None


# The options that each module needs, all of which come back in its result.
GIVEN = {
    "drs_collect_db_position": {"job_id": JOB, "reset_position_time": MOMENT},
    "drs_job_action": {"job_id": JOB, "action": "retry"},
    "drs_start_position": {"job_id": JOB, "position": POSITION},
}
MAYBE = "DRS may have accepted the request, so it was not sent again."
GOES_ON = "The query goes on in DRS."
NO_RESULT = ("had no result within 1 second",)
WAIT = {"wait": True, "wait_timeout": 1, "wait_sleep": 1, "timeout": 1, "max_retries": 0}
READ = "/db-position$"
TELL, LOOK = "/action$", f"/jobs/{JOB}$"
TOLD = ("job", "actions", "action")
LOOK_FIRST = "Look at the job before you tell it to retry again."


def act(fault: str, wire: Wire, arrives: tuple[str, ...], says: tuple[str, ...], *args: Any, **kwargs: Any) -> Run:
    """A task of drs_job_action."""
    return Run(f"action: {fault}", wire, arrives, says, *args, module="drs_job_action", **{"changed": not says, **kwargs})


def begin_at(fault: str, wire: Wire, arrives: tuple[str, ...], says: tuple[str, ...], *args: Any, **kwargs: Any) -> Run:
    """A task of drs_start_position."""
    return Run(f"start: {fault}", wire, arrives, says, *args, module="drs_start_position", **{"changed": not says, **kwargs})


# fmt: off
RUNS = [
    #   what goes wrong, where, what arrives, what the user reads, and which ids are in the result
    Run("refused", refusing, (), ("no connection", "Connection refused")),
    Run("no such name", unknown_name, (), ("no connection", "drs.invalid"), seconds=(0, 10)),
    Run("a certificate that nobody vouches for", raw(once(GOOD), tls="right", trusted=False), (), ("TLS failed", "ca_cert")),
    Run("login: reset", cloud("reset_after", on="/tokens", who="password"), ("login",), ("no complete answer", "This was the login of user drs-operator")),
    Run("login: HTML", cloud("html", on="/tokens", who="password"), ("login",), SIGN_IN, ("request_id",), status=201),
    Run("key: 16 minutes fast", cloud(who="key", clock_offset=960), ("collect",), ("signature expired", "clock"), ("request_id",), 401, "APIGW.0301"),

    Run("collect: reset, accepted", cloud("reset_after", on="collect", who="password"), ("login", "collect"), (*CUT, MAYBE)),
    Run("collect: cut, accepted", cloud("cut", on="collect", who="password"), ("login", "collect"), (*CUT, MAYBE), ("request_id",)),
    Run("collect: no answer", cloud("hang", on="collect"), ("collect",), (*LATE, MAYBE), options={"timeout": 1}, seconds=(1, 6)),
    Run("collect: byte by byte", raw(once(BARE, b"X-A: ", end=drip(b"a", 0.1))), ("collect",), (*LATE, MAYBE), options={"timeout": 1}, seconds=(2, 7)),
    Run("collect: without end", raw(once(head(), end=drip(b" " * 65536, 0))), ("collect",), (*FLOOD, MAYBE), ("request_id",), 200),
    Run("collect: garbage", raw(once(bytes(range(256)))), ("collect",), (*CUT, MAYBE)),
    Run("collect: HTML", cloud("html", on="collect"), ("collect",), (*SIGN_IN, MAYBE), ("request_id",), 202),
    Run("collect: nothing", cloud("replace", on="collect", body=""), ("collect",), ("id for its result", MAYBE), ("request_id",), 202),
    Run("collect: 500, accepted", cloud("status_after", on="collect", status=500, body=BROKEN), ("collect",), ("Broken", MAYBE), ("request_id",),
        500, "DRS.M00001"),
    Run("collect: 429 for ever", cloud("status", on="collect", status=429, body=THROTTLED, headers={"Retry-After": "1"}), ("collect", "collect"), STORM,
        ("request_id",), 429, "APIGW.0308", {"max_retries": 1}, (1, 6)),
    Run("collect: 503, then accepted", cloud("status", on="collect", status=503, body=DOWN, times=1), ("collect", "collect"), (), ("id", "request_id"),
        options={"max_retries": 1}),
    Run("collect: a status that is none", cloud("replace", on="collect", body={"id": QUERY, "status": "odd"}), ("collect",), ("'odd'",),
        ("id", "request_id")),

    Run("wait: reset, then good", cloud("reset_after", on=READ, times=1), ("collect", "read", "read"), (), ("id", "request_id", "position"),
        options={**WAIT, "wait_timeout": 9, "max_retries": 1}),
    Run("wait: throttled, then good", cloud("status", on=READ, times=1, status=400, body={"error_code": "DRS.M01503"}), ("collect", "read", "read"), (),
        ("id", "request_id", "position"), options={**WAIT, "wait_timeout": 9}),
    Run("wait: 429, then good", cloud("status", on=READ, times=1, status=429, body=THROTTLED), ("collect", "read", "read"), (),
        ("id", "request_id", "position"), options={**WAIT, "wait_timeout": 9}),
    Run("wait: cut", cloud("cut", on=READ), ("collect", "read"), (*CUT, GOES_ON), ("id", "request_id"), options=WAIT),
    Run("wait: no answer", cloud("hang", on=READ), ("collect", "read"), (*NO_RESULT, GOES_ON), ("id", "request_id"), options=WAIT, seconds=(1, 6)),
    Run("wait: byte by byte", raw(once(ACCEPTED, end=once(head(), end=drip(b" ", 0.1)))), ("collect", "read"), (*NO_RESULT, GOES_ON), ("id", "request_id"),
        options={**WAIT, "timeout": 30, "max_retries": 9}, seconds=(2, 7)),
    Run("wait: HTML", cloud("html", on=READ), ("collect", "read"), (*SIGN_IN, GOES_ON), ("id", "request_id"), 200, options=WAIT),
    Run("wait: 500", cloud("status", on=READ, status=500, body=BROKEN), ("collect", "read"), ("Broken", GOES_ON), ("id", "request_id"), 500, "DRS.M00001",
        options=WAIT),
    Run("wait: a status that is none", cloud("replace", on=READ, body={"status": "odd"}), ("collect", "read"), ("'odd'", GOES_ON), ("id", "request_id"), 200,
        options=WAIT),

    # A job is told once, and not before it is known that it may be.
    act("refused", refusing, (), ("no connection", "Connection refused")),
    act("good", cloud(), TOLD, (), ("request_id",)),
    act("good, answered 200", cloud(action_answer=200, who="password"), ("login", *TOLD), (), ("request_id",)),
    act("done before", cloud(job={"status": "INCRE_TRANSFER_STARTED"}), ("job",), (), changed=False),
    act("not allowed", cloud(job={"status": "WAITING_FOR_START"}), TOLD[:2], ("does not allow retry now", "it allows start.")),
    act("no such job, and a look that is lost", cloud("reset_after", on=LOOK, times=1), ("job", *TOLD), (), ("request_id",), options={"max_retries": 1}),
    act("what is allowed is not told", cloud("replace", on="/actions$", body={"job_action": {}}), TOLD[:2], ("no actions that the job allows",),
        ("request_id",), 200),
    act("reset, accepted", cloud("reset_after", on=TELL, who="password"), ("login", *TOLD), (*CUT, MAYBE), options={"max_retries": 9}),
    act("reset, accepted, and to be waited for", cloud("reset_after", on=TELL), TOLD, (*CUT, MAYBE), options={**WAIT, "max_retries": 9}),
    act("cut, accepted", cloud("cut", on=TELL), TOLD, (*CUT, MAYBE), ("request_id",)),
    act("no answer, accepted", cloud("hang", on=TELL), TOLD, (*LATE, MAYBE), options={"timeout": 1}, seconds=(1, 6)),
    act("HTML, accepted", cloud("html", on=TELL), TOLD, (*SIGN_IN, MAYBE), ("request_id",), 202),
    act("nothing, accepted", cloud("replace", on=TELL, body=""), TOLD, (*NO_WORD, MAYBE), ("request_id",), 202),
    act("500, accepted", cloud("status_after", on=TELL, status=500, body=BROKEN), TOLD, ("Broken", MAYBE), ("request_id",), 500, "DRS.M00001",
        {"max_retries": 9}),
    act("200, and failed", cloud(job={"status": "PAUSING", "action": "failed_silently"}), TOLD, ("the status failed and no reason",), ("request_id",), 200),
    act("200, failed, and why", cloud(job={"status": "PAUSING", "action": "failed"}), TOLD, ("200 DRS.M00304", "Look at the actions"), ("request_id",),
        200, "DRS.M00304"),
    act("another operation is running", cloud("status", on=TELL, status=202, body=BUSY), TOLD, ("202 DRS.M01504", "try again"), ("request_id",),
        202, "DRS.M01504", WAIT),
    act("429 for ever", cloud("status", on=TELL, status=429, body=THROTTLED, headers={"Retry-After": "1"}), (*TOLD, "action"), STORM, ("request_id",),
        429, "APIGW.0308", {"max_retries": 1}, (1, 6)),
    act("503, then accepted", cloud("status", on=TELL, status=503, body=DOWN, times=1), (*TOLD, "action"), (), ("request_id",), options={"max_retries": 1}),
    act("key, 16 minutes fast", cloud(who="key", clock_offset=960), ("job",), ("signature expired", "clock"), ("request_id",), 401, "APIGW.0301"),
    act("wait: reset, then good", cloud("reset_after", on=LOOK, skip=1, times=1), (*TOLD, "job", "job"), (), ("request_id",),
        options={**WAIT, "wait_timeout": 9, "max_retries": 1}),
    act("wait: throttled, then good", cloud("status", on=LOOK, skip=1, times=1, status=400, body={"error_code": "DRS.M01503"}), (*TOLD, "job", "job"), (),
        ("request_id",), options={**WAIT, "wait_timeout": 9}),
    act("wait: cut", cloud("cut", on=LOOK, skip=1), (*TOLD, "job"), (*CUT, LOOK_FIRST), ("request_id",), options=WAIT, changed=True),
    act("wait: 500", cloud("status", on=LOOK, skip=1, status=500, body=BROKEN), (*TOLD, "job"), ("Broken", LOOK_FIRST), ("request_id",), 500, "DRS.M00001",
        options=WAIT, changed=True),
    act("wait: no answer", cloud("hang", on=LOOK, skip=1), (*TOLD, "job"), ("still in status PAUSING after 1 seconds", LOOK_FIRST), ("request_id",),
        options=WAIT, changed=True, seconds=(1, 6)),
    act("wait: stuck", cloud(job={"status": "PAUSING", "action": "stuck"}), (*TOLD, "job", "job"), ("still in status PAUSING after 1 seconds", LOOK_FIRST),
        ("request_id",), options=WAIT, changed=True, seconds=(1, 6)),
    act("wait: it fails", cloud(job={"status": "PAUSING", "action": "fails_later"}), (*TOLD, "job"), ("is in status INCRE_TRANSFER_FAILED", LOOK_FIRST),
        ("request_id",), options=WAIT, changed=True),

    begin_at("good", cloud(who="key"), ("start",), (), ("request_id",)),
    begin_at("refused", refusing, (), ("no connection", "Connection refused")),
    begin_at("it runs", cloud(job={"status": "INCRE_TRANSFER_STARTED"}), ("start",), ("400 DRS.M00304", "Look at the actions"), ("request_id",),
             400, "DRS.M00304"),
    begin_at("reset, accepted", cloud("reset_after", on="start", who="password"), ("login", "start"), (*CUT, MAYBE), options={"max_retries": 9}),
    begin_at("no answer, accepted", cloud("hang", on="start"), ("start",), (*LATE, MAYBE), options={"timeout": 1}, seconds=(1, 6)),
    begin_at("half of an answer", raw(once(answer(200, b"{", length=2))), ("start",), (*CUT, MAYBE), ("request_id",), options={"max_retries": 9}),
    begin_at("HTML, accepted", cloud("html", on="start"), ("start",), (*SIGN_IN, MAYBE), ("request_id",), 200),
    begin_at("500, accepted", cloud("status_after", on="start", status=500, body=BROKEN), ("start",), ("Broken", MAYBE), ("request_id",), 500, "DRS.M00001",
             {"max_retries": 9}),
    begin_at("200, but another operation is running", cloud("status", on="start", status=200, body=BUSY), ("start",), ("200 DRS.M01504", "try again"),
             ("request_id",), 200, "DRS.M01504"),
    begin_at("429 for ever", cloud("status", on="start", status=429, body=THROTTLED, headers={"Retry-After": "1"}), ("start", "start"), STORM,
             ("request_id",), 429, "APIGW.0308", {"max_retries": 1}, (1, 6)),
    begin_at("503, then accepted", cloud("status", on="start", status=503, body=DOWN, times=1), ("start", "start"), (), ("request_id",),
             options={"max_retries": 1}),
]
# fmt: on


@pytest.mark.parametrize("run", [pytest.param(run, id=run.fault) for run in RUNS])
def test_task(request: pytest.FixtureRequest, tmp_path: Path, run: Run) -> None:
    given = GIVEN[run.module]
    options = {**given, "max_retries": 0, **run.options}
    with run.wire(Stage(request)) as target:
        environment = {VARIABLES[name]: value for name, value in target.given.items()}
        environment |= {"HW_DRS_ENDPOINT": target.url, "HW_AUTH_URL": target.url, "HW_CA_CERT": target.ca_cert or "", "HOME": str(tmp_path)}
        started = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", f"{MODULES}.{run.module}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
            env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"], **environment},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        took = time.monotonic() - started

        assert target.arrived() == list(run.arrives)
        assert target.accepted() <= 1
        assert run.seconds[0] < took < run.seconds[1]

        # No traceback, neither beside the result nor in it, and no secret.
        assert done.stderr == ""
        result = json.loads(done.stdout)
        assert "exception" not in result and "Please report this" not in result.get("msg", "")
        secrets = [target.given[name] for name in ("auth_token", "password", "secret_key") if name in target.given]
        assert [secret for secret in secrets if secret in done.stdout] == []

        assert result.get("failed", False) == bool(run.says)
        assert [words for words in run.says if words not in result["msg"]] == []
        assert (MAYBE in result.get("msg", "")) == (MAYBE in run.says)
        assert {name: result.get(name) for name in given} == given
        assert {name for name in ("id", "position", "request_id") if result.get(name) and name not in given} == set(run.result)
        assert result.get("changed", False) == ("id" in run.result if run.changed is None else run.changed)
        assert (result.get("http_status"), result.get("error_code")) == (run.status, run.code)
