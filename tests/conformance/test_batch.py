# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of fifty jobs when one in their middle meets a fault: each one of the table FAULTS in test_faults.py."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import test_faults
from rawserver import REQUEST_ID, Line, answer, hold, raw_server
from test_faults import CALLS, FAULTS, JOB, LATE, LONG, MODULES, MOMENT, POSITION, PROJECT, QUERY, QUICK, SHORT, TOKEN, USER, Clock, Row, Stage

from ansible_collections.huaweicloud.drs.plugins.module_utils._batch import PositionBatch
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import READ_LATER, DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import Answer, HttpClient, HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._iam import Credentials, Session, identity

# pytest looks for fixtures here.
certificates, clock, no_detours = test_faults.certificates, test_faults.clock, test_faults.no_detours

COUNT, MIDDLE, CONCURRENCY = 50, 25, 10
IDS = [JOB if number == MIDDLE else f"{number:08d}-8e09-4a5d-8dd6-cc44f78jb20r" for number in range(COUNT)]
# By the clock of the tests. Longer than all pauses that servers ask for, and there is one look at each result.
WAIT = SLEEP = 1500
REFUSED = answer(401, {"error_code": "APIGW.0301", "error_msg": "The token has expired"}, keep=True)


class World:
    """A cloud where all is well with fifty jobs.

    :arg query: the id of the query for the job in the middle.
    :arg expires: the first token is refused when so many requests have been answered.
    :arg silent: the call, and the number of the job, that get no answer.
    """

    def __init__(self, query: str = QUERY, expires: int = sys.maxsize, silent: tuple[str, int] | None = None) -> None:
        self.queries = {job_id: query if job_id == JOB else f"query-{job_id}" for job_id in IDS}
        self.positions = {job_id: f"mysql-bin.{number:06d}:4" for number, job_id in enumerate(IDS)}
        self.logins = 0
        # The calls, by the names in CALLS, and the jobs that they were about.
        self.arrived: list[tuple[str, str]] = []
        self._expires = expires
        self._silent = silent

    def talk(self, line: Line) -> None:
        while True:
            request = line.read()
            while not request.endswith(b"\r\n\r\n" if request.startswith(b"GET") else b"}"):
                request += line.read()
            path = request.split()[1].decode().partition("?")[0]
            if path.endswith(CALLS["login"]):
                self.logins += 1
                line.send(answer(201, {"token": {"project": {"id": PROJECT}}}, f"X-Subject-Token: {TOKEN}{self.logins}", keep=True))
            elif len(self.arrived) >= self._expires and f"{TOKEN}1\r\n".encode() in request:
                line.send(REFUSED)
            else:
                job_id = path.split("/")[4]
                call = next((name for name in ("collect", "read") if path.endswith(CALLS[name])), "job")
                self.arrived.append((call, job_id))
                if self._silent == (call, IDS.index(job_id)):
                    hold(line)
                bodies: dict[str, dict[str, Any]] = {
                    "collect": {"id": self.queries[job_id], "status": "pending"},
                    "read": {"status": "success", "position": self.positions[job_id]},
                    "job": {"job": {"base_info": {"engine_type": "mysql-to-dws"}}},
                }
                line.send(answer(202 if call == "collect" else 200, bodies[call], keep=True))

    def wait_for(self, call: str, count: int) -> None:
        deadline = time.monotonic() + 2 * LONG
        while [name for name, _job_id in self.arrived].count(call) < count:
            assert time.monotonic() < deadline
            time.sleep(0.02)

    def right(self, call: str, job_id: str) -> dict[str, Any]:
        """What is to be known of a job after a call that went well."""
        if call == "job":
            return {"job_id": job_id, "outcome": "collectable"}
        started = {"job_id": job_id, "outcome": "pending", "status": "pending", "id": self.queries[job_id], "request_id": REQUEST_ID}
        return started if call == "collect" else {**started, "outcome": "success", "status": "success", "position": self.positions[job_id]}


@contextmanager
def serving(world: World) -> Iterator[str]:
    with raw_server(world.talk) as server:
        yield f"http://127.0.0.1:{server.port}"


def run(batch: PositionBatch, call: str) -> str:
    """Do all that a task does up to a call, and return the message that it ends with."""
    if call == "job":
        batch.check()
    else:
        batch.collect()
    if call == "read":
        batch.wait(WAIT, SLEEP)
    try:
        batch.check_outcome()
    except HuaweiCloudError as error:
        return str(error)
    return ""


def cases() -> Iterator[Any]:
    for row in FAULTS:
        times = dict(row.calls())
        # What is a fault for one call that reads is one for the other.
        if "read" in times and not row.only:
            times["job"] = times["read"]
        for call in ("collect", "read", "job"):
            if call in times:
                yield pytest.param(row, call, times[call], id=f"{row.fault}-{call}")


@pytest.mark.parametrize(("row", "call", "sent"), list(cases()))
def test_fault(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, clock: Clock, row: Row, call: str, sent: int) -> None:
    with row.wire(Stage(request)) as target:
        world = World(target.query)
        with serving(world) as url:
            # The others are not to be late because this host is slow.
            timeout = row.timeout or (SHORT if row.says == LATE else LONG)
            http, hasty = (HttpClient(timeout=seconds, max_retries=row.retries, connections=CONCURRENCY, ca_cert=target.ca_cert) for seconds in (LONG, timeout))
            usual, odd = http.request, http.request if timeout == LONG else hasty.request

            def fork(method: str, to: str, **kwargs: Any) -> Answer:
                """Let the one call for the one job go to where the fault is, in the same session."""
                if f"/jobs/{JOB}" in to and to.endswith(CALLS[call]):
                    return odd(method, to.replace(url, target.url), **kwargs)
                return usual(method, to, **kwargs)

            monkeypatch.setattr(http, "request", fork)
            # A target that is no cloud knows no logins.
            given, iam = (USER, url) if target.raw else (target.given, target.url)
            who = identity(Credentials(iam_endpoint=iam, **given))
            who.authenticate(http)
            if target.warm_up:
                target.warm_up(lambda: odd("GET", f"{target.url}{CALLS['read']}", auth=lambda prepared: prepared))
            batch = PositionBatch(DrsClient(Session(http, who), url), IDS, MOMENT, CONCURRENCY)
            began = time.monotonic()
            message = run(batch, call)
            took = time.monotonic() - began

            positions = {position["job_id"]: position for position in batch.positions}
            assert list(positions) == IDS
            one = positions.pop(JOB)

            # Without a connection the rest is not sent. Otherwise nothing is lost, and each is asked for once.
            no_connection = bool(row.says) and row.status is None and not row.maybe
            ends = no_connection and call == "collect"
            unsent = [job_id for job_id in positions if ends and positions[job_id] == {"job_id": job_id, "outcome": "unsent"}]
            assert set(unsent).isdisjoint(IDS[:MIDDLE])
            assert [position for job_id, position in positions.items() if job_id not in unsent and position != world.right(call, job_id)] == []
            others = [job_id for job_id in positions if job_id not in unsent]
            started = [("collect", job_id) for job_id in [*others, *([JOB] if call == "read" else [])]] if call != "job" else []
            expected = started + ([(call, job_id) for job_id in others] if call != "collect" else [])
            assert Counter(world.arrived) == Counter(expected)
            assert world.logins == int(target.raw)

            # The one is asked for as often as by itself, and never twice if it may have been accepted.
            passing = call == "read" and bool(row.says) and row.status in (429, 503, None)
            assert passing or took < row.seconds * sent + QUICK
            arrived = target.arrived() if row.arrives else []
            assert arrived[:sent] == ([call, row.between, call] if row.between else [call] * (sent if row.arrives else 0))[:sent]
            assert len(arrived) == (sent + bool(row.between) if row.arrives else 0) or (passing and set(arrived) == {call})
            assert target.accepted() <= 1
            if sent > 1 and not row.between:
                assert any(row.pause[0] <= pause <= row.pause[1] for pause in clock.pauses)

            # What the user has of it.
            shown = json.dumps(batch.positions) + message
            assert [secret for secret in (TOKEN, USER["password"], *target.given.values()) if secret in shown and secret != PROJECT] == []
            assert batch.counts == dict(Counter(position["outcome"] for position in batch.positions))
            if not row.says:
                assert message == ""
                if call == "collect":
                    assert (one["outcome"], one["id"]) == ("pending", QUERY if target.raw else one["id"])
                else:
                    assert one["outcome"] == ("success" if call == "read" else "collectable")
                    assert one.get("position") == (POSITION if call == "read" else None)
                return
            assert message.startswith(f"{1 + len(unsent)} of {COUNT} jobs failed. ")
            assert JOB in message
            assert [job_id for job_id in others if job_id in message] == []
            assert (
                one["outcome"]
                == {
                    "collect": "unsent" if no_connection else "unknown" if row.maybe else "refused",
                    "read": "pending",
                    "job": "unknown" if row.status is None else "refused",
                }[call]
            )
            assert ("DRS may have accepted the request" in one["msg"]) == (row.maybe and call == "collect")
            assert (one.get("id"), "position" in one) == (target.query if call == "read" else None, False)
            assert [words for words in row.says if words not in one["msg"]] == []
            if passing:
                assert f"had no result within {WAIT} seconds" in one["msg"]
                return
            assert one.get("http_status") == (200 if not target.raw and call != "collect" and row.status == 202 else row.status)
            assert one.get("error_code") == row.code
            traced = target.request_id() if row.traced else None
            assert one.get("request_id") == (traced or (REQUEST_ID if call == "read" else None))


@pytest.mark.parametrize("call", ["collect", "read", "job"])
def test_token_expires(call: str) -> None:
    """All requests under way are refused at the same time. There is one new login."""
    world = World(expires=MIDDLE)
    with serving(world) as url:
        http = HttpClient(timeout=LONG, max_retries=0, connections=CONCURRENCY)
        who = identity(Credentials(iam_endpoint=url, **USER))
        who.authenticate(http)
        batch = PositionBatch(DrsClient(Session(http, who), url), IDS, MOMENT, CONCURRENCY)
        assert run(batch, call) == ""
    assert batch.positions == [world.right(call, job_id) for job_id in IDS]
    assert world.logins == 2
    assert set(Counter(world.arrived).values()) == {1}


def begin(url: str, **options: Any) -> subprocess.Popen[str]:
    """Run the module."""
    given = {"job_ids": IDS, "reset_position_time": MOMENT, "endpoint": url, "iam_endpoint": url, **USER, **options}
    task = subprocess.Popen(
        [sys.executable, "-m", f"{MODULES}.drs_batch_collect_db_position"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert task.stdin
    task.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": given}))
    task.stdin.close()
    task.stdin = None
    return task


def end(task: subprocess.Popen[str]) -> dict[str, Any]:
    """Return the result, which holds no secret and no traceback."""
    out, err = task.communicate(timeout=30)
    assert err == ""
    assert TOKEN not in out and USER["password"] not in out
    result: dict[str, Any] = json.loads(out)
    assert result["failed"] and result["changed"] and "exception" not in result
    assert [position["job_id"] for position in result["positions"]] == IDS
    return result


@pytest.mark.parametrize("call", ["collect", "read"])
def test_interrupted(call: str) -> None:
    """What has been sent is in the result."""
    world = World(silent=(call, MIDDLE))
    with serving(world) as url:
        task = begin(url, wait=True)
        world.wait_for(call, COUNT)
        time.sleep(1)  # until the last answer has been read
        task.send_signal(signal.SIGTERM)
        result = end(task)
    left = {"job_id": JOB, "outcome": "unknown"} if call == "collect" else world.right("collect", JOB)
    assert result["positions"] == [left if job_id == JOB else world.right(call, job_id) for job_id in IDS]
    assert result["counts"] == dict(Counter(position["outcome"] for position in result["positions"]))
    assert "was interrupted" in result["msg"]
    assert set(Counter(world.arrived).values()) == {1}


def test_time_over() -> None:
    world = World(silent=("read", MIDDLE))
    with serving(world) as url:
        result = end(begin(url, wait=True, wait_timeout=2, wait_sleep=1, max_retries=0))
    late = {**world.right("collect", JOB), "msg": result["positions"][MIDDLE]["msg"]}
    assert late["msg"].startswith(f"The query {QUERY} had no result within 2 seconds. GET {url}/") and late["msg"].endswith(READ_LATER)
    assert result["positions"] == [late if job_id == JOB else world.right("read", job_id) for job_id in IDS]
    assert result["counts"] == {"success": COUNT - 1, "pending": 1}
    assert result["msg"].startswith(f"1 of {COUNT} jobs failed. pending: {JOB}. ")
    assert world.logins == 1


def test_connection_is_gone() -> None:
    """What has been sent is in the result, and the rest is not tried one by one."""
    world = World(silent=("collect", MIDDLE))
    with serving(world) as url:
        task = begin(url, concurrency=1, max_retries=1)
        world.wait_for("collect", MIDDLE + 1)
    began = time.monotonic()
    result = end(task)
    assert time.monotonic() - began < 2 * QUICK
    lost, unsent, *rest = result["positions"][MIDDLE:]
    assert result["positions"][:MIDDLE] == [world.right("collect", job_id) for job_id in IDS[:MIDDLE]]
    assert lost["outcome"] == "unknown" and "DRS may have accepted the request" in lost["msg"]
    assert unsent["outcome"] == "unsent" and "no connection" in unsent["msg"]
    assert rest == [{"job_id": job_id, "outcome": "unsent"} for job_id in IDS[MIDDLE + 2 :]]
    assert set(Counter(world.arrived).values()) == {1}
