# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A task when something fails between it and the cloud: the requests that it sends, and what the user reads."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.tests.conformance.runs import JOB, MOMENT, PROJECT
from ansible_collections.huaweicloud.drs.tests.unit.loopback import drip, head, once, response
from ansible_collections.huaweicloud.drs.tests.unit.utils import patch_args

MODULES = "ansible_collections.huaweicloud.drs.plugins.modules"
QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
POSITION = "mysql-bin.000277:805"
# The requests of a task, by the end of their path.
CALLS = {
    "/collect-db-position": "collect",
    "/db-position": "read",
    "/v3/auth/tokens": "login",
    "/action": "action",
    "/start-position": "start",
    "/actions": "actions",
    f"/jobs/{JOB}": "job",
}
CHANGING = ("collect", "action", "start")
# The required options of each module. All of them are part of its result.
GIVEN = {
    "drs_collect_db_position": {"job_id": JOB, "reset_position_time": MOMENT},
    "drs_job_action": {"job_id": JOB, "action": "retry"},
    "drs_start_position": {"job_id": JOB, "position": POSITION},
}
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

THROTTLED = {"error_code": "APIGW.0308", "error_msg": "The throttling threshold has been reached"}
DOWN = {"error_code": "APIGW.0613", "error_msg": "Down for the time being"}
BROKEN = {"error_code": "DRS.M00001", "error_msg": "Broken"}
BUSY = {"error_code": "DRS.M01504", "error_msg": "Another operation is being performed"}
ACCEPTED = response(json.dumps({"id": QUERY, "status": "pending"}).encode(), 202)

CUT = ("no complete response",)
TIMED_OUT = ("no complete response before the timeout",)
RATE_LIMIT = ("429 APIGW.0308: The throttling threshold has been reached", "is throttling requests")
SIGN_IN = ("'Sign in to the network'", "instead of a JSON object")
UNCLEAR = ("did not confirm the",)
MAYBE = "DRS may have accepted the request, so it was not retried."
STILL_RUNNING = "The query continues in DRS."
CHECK_FIRST = "DRS had accepted the retry. Check the job before you request retry again."
NO_RESULT = ("returned no result within 1 second", STILL_RUNNING)
STUCK = ("still in status PAUSING after 1 seconds of waiting for retry", CHECK_FIRST)

WAIT = {"wait": True, "wait_timeout": 1, "wait_sleep": 1, "timeout": 1}
LONG_WAIT = {**WAIT, "wait_timeout": 9}
READ, ACTION, JOB_READ = "/db-position$", "/action$", f"/jobs/{JOB}$"


@dataclass(frozen=True)
class Run:
    """A fault and its effect on a task."""

    fault: str
    # The requests that the server receives, by the names in CALLS, if the simulator is the server.
    arrives: tuple[str, ...]
    # Parts of the error message; empty if the task succeeds.
    says: tuple[str, ...]
    # What the result contains in addition to msg and the options: the id of the query, the request_id of a request.
    result: tuple[str, ...] = ()
    status: int | None = None
    code: str | None = None
    # A fault of the simulator, see control.yaml; a script of a server on loopback; or None if nothing listens.
    wire: Any = None
    # The credentials: a token, a token with a password as a fallback, a password, or an access key.
    auth: str = "token"
    # Offset of the cloud's clock, set after the token was issued.
    clock_offset: float = 0
    # Changes to the job. It is paused by default, so that it can be resumed and its position can be set.
    job: dict[str, Any] = field(default_factory=lambda: {"status": "PAUSING"})
    options: dict[str, Any] = field(default_factory=dict)
    module: str = "drs_collect_db_position"
    # Whether the task reports a change.
    changed: bool = False
    # Whether the task runs in its own process, which must end.
    alone: bool = False


def fault(kind: str, on: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "times": None, "match": {"path": on}, **more}


def collect(name: str, wire: Any, arrives: str, says: tuple[str, ...], *result: str, **more: Any) -> Run:
    changed = "id" in result or MAYBE in says
    return Run(f"collect: {name}", tuple(arrives.split()), says, result, wire=wire, changed=changed, **more)


def act(name: str, wire: Any, arrives: str, says: tuple[str, ...], *result: str, **more: Any) -> Run:
    more = {"changed": not says or MAYBE in says, **more}
    return Run(f"action: {name}", tuple(arrives.split()), says, result, wire=wire, module="drs_job_action", **more)


def set_position(name: str, wire: Any, arrives: str, says: tuple[str, ...], *result: str, **more: Any) -> Run:
    more = {"changed": not says or MAYBE in says, **more}
    return Run(f"start: {name}", tuple(arrives.split()), says, result, wire=wire, module="drs_start_position", **more)


def lost(on: str, **more: Any) -> dict[str, Any]:
    return fault("reset_after", on, **more)


def broken(kind: str, on: str, **more: Any) -> dict[str, Any]:
    return fault(kind, on, status=500, body=BROKEN, **more)


def throttle(on: str, **more: Any) -> dict[str, Any]:
    return fault("status", on, status=429, body=THROTTLED, headers={"Retry-After": "60"}, **more)


def down(kind: str, on: str) -> dict[str, Any]:
    return fault(kind, on, status=503, body=DOWN, times=1)


COLLECT, START, ERROR_500 = "collect", "/start-position$", {"status": 500, "code": "DRS.M00001"}
TOO_MANY = {"status": 429, "code": "APIGW.0308"}
ONE, NINE = {"options": {"max_retries": 1}}, {"options": {"max_retries": 9}}
ALL_CALLS = "job actions action"
RUNS = [
    #   fault, wire, received requests, parts of the error message, result

    collect("refused", None, "", ("connection failed", "Connection refused")),
    collect("login is reset", lost("/tokens"), "login", (*CUT, "The login request was for user drs-operator"),
            auth="password"),
    collect("login is unavailable", down("status", "/tokens$"), "login", ("Down for", "The login request was for user"),
            "request_id", auth="password", status=503, code="APIGW.0613", **NINE),
    collect("key, 16 minutes fast", {}, "collect", ("signature expired", "clock"), "request_id", auth="key",
            clock_offset=960, status=401, code="APIGW.0301"),
    collect("key, 16 minutes slow", {}, "collect", ("signature expired", "clock"), "request_id", auth="key",
            clock_offset=-960, status=401, code="APIGW.0301"),
    collect("token, 25 hours fast", {}, "collect", ("expired", "Log in again"), "request_id", clock_offset=90000,
            status=403, code="DRS.M00100"),
    collect("token and password, 25 hours fast", {}, "collect login collect", (), "id", "request_id", auth="both",
            clock_offset=90000),
    collect("reset, not accepted", fault("reset_before", COLLECT), "collect", (*CUT, MAYBE), **NINE),
    collect("reset, accepted", lost(COLLECT), "login collect", (*CUT, MAYBE), auth="password", alone=True, **NINE),
    collect("cut, accepted", fault("cut", COLLECT), "collect", (*CUT, MAYBE), "request_id", **NINE),
    collect("no response, accepted", fault("hang", COLLECT), "collect", (*TIMED_OUT, MAYBE), options={"timeout": 1,
            "max_retries": 9}),
    collect("byte by byte", once(b"HTTP/1.1 200 Text\r\nX-A: ", end=drip(b"a")), "", (*TIMED_OUT, MAYBE),
            options={"timeout": 1}, alone=True),
    collect("HTML, accepted", fault("html", COLLECT), "collect", (*SIGN_IN, MAYBE), "request_id", status=202),
    collect("nothing, accepted", fault("replace", COLLECT, body=""), "collect", ("but returned no query ID", MAYBE),
            "request_id", status=202),
    collect("500, accepted", broken("status_after", COLLECT), "collect", ("Broken", MAYBE), "request_id", **ERROR_500,
            **NINE),
    collect("500, accepted, and a password", broken("status_after", COLLECT), "collect", ("Broken", MAYBE),
            "request_id", auth="both", **ERROR_500),
    collect("429 for ever", throttle(COLLECT), "collect collect", RATE_LIMIT, "request_id", **TOO_MANY, **ONE),
    collect("503, accepted", down("status_after", COLLECT), "collect", (MAYBE,), "request_id", status=503,
            code="APIGW.0613", **NINE),

    collect("reads are reset", lost(READ, times=1), "collect read read", (), "id", "request_id", "position",
            options={**LONG_WAIT, "max_retries": 1}),
    collect("reads are too fast", fault("status", READ, times=1, status=400, body={"error_code": "DRS.M01503"}),
            "collect read read", (),
            "id", "request_id", "position", options=LONG_WAIT),
    collect("reads are throttled", throttle(READ, times=1), "collect read read", (), "id", "request_id", "position",
            options=LONG_WAIT),
    collect("reads are cut", fault("cut", READ), "collect read", (*CUT, STILL_RUNNING), "id", "request_id",
            options=WAIT),
    collect("reads get no response", fault("hang", READ), "collect read", NO_RESULT, "id", "request_id", options=WAIT,
            alone=True),
    collect("reads come byte by byte", (ACCEPTED, once(head(), end=drip(b" "))), "", NO_RESULT, "id", alone=True,
            options={**WAIT, "timeout": 30}),
    collect("reads are HTML", fault("html", READ), "collect read", (*SIGN_IN, STILL_RUNNING), "id", "request_id",
            status=200, options=WAIT),
    collect("reads fail", broken("status", READ), "collect read", ("Broken", STILL_RUNNING), "id", "request_id",
            options=WAIT, **ERROR_500),

    # An action is sent once, and only after the job is known to allow it.
    act("refused", None, "", ("connection failed", "Connection refused")),
    act("success", {}, f"login {ALL_CALLS}", (), "request_id", auth="password"),
    act("read is lost", lost(JOB_READ, times=1), f"job {ALL_CALLS}", (), "request_id", **ONE),
    act("reset, accepted", lost(ACTION), f"login {ALL_CALLS}", (*CUT, MAYBE), auth="password", **NINE),
    act("reset, with wait", lost(ACTION), ALL_CALLS, (*CUT, MAYBE), options={**WAIT, "max_retries": 9}),
    act("cut, accepted", fault("cut", ACTION), ALL_CALLS, (*CUT, MAYBE), "request_id", **NINE),
    act("no response, accepted", fault("hang", ACTION), ALL_CALLS, (*TIMED_OUT, MAYBE),
        options={"timeout": 1, "max_retries": 9}),
    act("HTML, accepted", fault("html", ACTION), ALL_CALLS, (*SIGN_IN, MAYBE), "request_id", status=202),
    act("nothing, accepted", fault("replace", ACTION, body=""), ALL_CALLS, (*UNCLEAR, MAYBE), "request_id", status=202),
    act("500, accepted", broken("status_after", ACTION), ALL_CALLS, ("Broken", MAYBE), "request_id",
        **ERROR_500, **NINE),
    act("200, and failed", {}, ALL_CALLS, ("the status failed and no error message",), "request_id",
        job={"status": "PAUSING", "action": "failed_silently"}, status=200),
    act("200, failed, and why", {}, ALL_CALLS, ("200 DRS.M00304", "Check which actions"), "request_id",
        job={"status": "PAUSING", "action": "failed"},
        status=200, code="DRS.M00304"),
    act("busy", fault("status", ACTION, status=202, body=BUSY), ALL_CALLS, ("202 DRS.M01504", "try again"),
        "request_id", status=202, code="DRS.M01504", options=WAIT),
    act("429 for ever", throttle(ACTION), f"{ALL_CALLS} action", RATE_LIMIT, "request_id", **TOO_MANY, **ONE),
    act("503, accepted", down("status_after", ACTION), ALL_CALLS, (MAYBE,), "request_id", status=503,
        code="APIGW.0613", **NINE),
    act("reads are reset", lost(JOB_READ, skip=1, times=1), f"{ALL_CALLS} job job", (), "request_id",
        options={**LONG_WAIT, "max_retries": 1}),
    act("reads are throttled", throttle(JOB_READ, skip=1, times=1), f"{ALL_CALLS} job job", (), "request_id",
        options=LONG_WAIT),
    act("reads are cut", fault("cut", JOB_READ, skip=1), f"{ALL_CALLS} job", (*CUT, CHECK_FIRST), "request_id",
        options=WAIT, changed=True),
    act("reads fail", broken("status", JOB_READ, skip=1), f"{ALL_CALLS} job", ("Broken", CHECK_FIRST), "request_id",
        options=WAIT, changed=True, **ERROR_500),
    act("reads get no response", fault("hang", JOB_READ, skip=1), f"{ALL_CALLS} job", STUCK, "request_id", options=WAIT,
        changed=True, alone=True),
    act("stuck", {}, f"{ALL_CALLS} job job", STUCK, "request_id", job={"status": "PAUSING", "action": "stuck"},
        options=WAIT, changed=True),
    act("fails later", {}, f"{ALL_CALLS} job job", ("is in status INCRE_TRANSFER_FAILED", CHECK_FIRST), "request_id",
        options=WAIT, changed=True,
        job={"status": "PAUSING", "action": "fails_later"}),

    set_position("success", {}, "start", (), "request_id", auth="key"),
    set_position("it runs", {}, "start", ("400 DRS.M00304", "Check which actions"), "request_id",
                 job={"status": "INCRE_TRANSFER_STARTED"},
                 status=400, code="DRS.M00304"),
    set_position("reset, accepted", lost(START), "login start", (*CUT, MAYBE), auth="password", **NINE),
    set_position("no response, accepted", fault("hang", START), "start", (*TIMED_OUT, MAYBE), options={"timeout": 1,
                 "max_retries": 9}),
    set_position("HTML, accepted", fault("html", START), "start", (*SIGN_IN, MAYBE), "request_id", status=200),
    set_position("500, accepted", broken("status_after", START), "start", ("Broken", MAYBE), "request_id",
                 **ERROR_500, **NINE),
    set_position("busy", fault("status", START, status=200, body=BUSY), "start", ("200 DRS.M01504", "try again"),
                 "request_id", status=200, code="DRS.M01504"),
    set_position("429 for ever", throttle(START), "start start", RATE_LIMIT, "request_id", **TOO_MANY, **ONE),
    set_position("503, accepted", down("status_after", START), "start", (MAYBE,), "request_id", status=503,
                 code="APIGW.0613", **NINE),
]  # fmt: skip


def in_the_cloud(sim: Simulator, run: Run) -> dict[str, str]:
    """Set the fault, and return the credentials."""
    sim.reset(collect_seconds=0, action_seconds=0)
    sim.job(JOB, **run.job)
    token, key, user = {"auth_token": sim.token(), "project_id": PROJECT}, sim.key(), sim.cloud["users"][0]
    password = {"username": user["name"], "password": user["password"], "domain_name": sim.cloud["account"]["name"]}
    password["project_name"] = "eu-west-101"
    sim.settings(clock_offset=run.clock_offset)
    sim.faults([run.wire] if run.wire else [])
    sim.forget_requests()
    return {
        "token": token,
        "password": password,
        "both": {**token, **password},
        "key": {"access_key": key["access_key"], "secret_key": key["secret_key"], "project_id": PROJECT},
    }[run.auth]


def alone(module: str, options: dict[str, Any], environment: dict[str, str], folder: Path) -> str:
    """Run a module in its own process, which must end soon, and return its output."""
    started = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", f"{MODULES}.{module}"],
        input=json.dumps({"ANSIBLE_MODULE_ARGS": options}),
        env={"PYTHONPATH": os.pathsep.join(sys.path), **environment},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert time.monotonic() - started < 10
    assert done.stderr == ""
    return done.stdout


@pytest.mark.parametrize("run", [pytest.param(run, id=run.fault) for run in RUNS])
def test_task(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    run: Run,
) -> None:
    sim = request.getfixturevalue("sim") if isinstance(run.wire, dict) else None
    given = in_the_cloud(sim, run) if sim else {"auth_token": "of-no-cloud", "project_id": PROJECT}
    if sim:
        url = sim.url
    elif run.wire:
        scripts = run.wire if isinstance(run.wire, tuple) else (run.wire,)
        url = request.getfixturevalue("serve")(*scripts).url
    else:
        url = request.getfixturevalue("refusing_url")
    options = {**GIVEN[run.module], "max_retries": 0, **run.options}
    environment = {VARIABLES[name]: value for name, value in given.items()}
    environment |= {"HW_DRS_ENDPOINT": url, "HW_AUTH_URL": url, "HOME": str(tmp_path)}
    if run.alone:
        output = alone(run.module, options, environment, tmp_path)
    else:
        request.getfixturevalue("clock")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        with patch_args(options), pytest.raises(SystemExit):
            importlib.import_module(f"{MODULES}.{run.module}").main()
        output = capsys.readouterr().out
    result = json.loads(output)

    # Nothing was requested twice.
    if sim:
        calls = [next(call for end, call in CALLS.items() if seen["path"].endswith(end)) for seen in sim.requests()]
        assert calls == list(run.arrives)
        statuses = [seen["cloud_status"] for call, seen in zip(calls, sim.requests(), strict=True) if call in CHANGING]
        assert len([status for status in statuses if status in (200, 202)]) <= 1

    # No traceback, neither next to the result nor in it, and no secret.
    assert "exception" not in result and "Please report this" not in result.get("msg", "")
    secrets = [given[name] for name in ("auth_token", "password", "secret_key") if name in given]
    assert [secret for secret in secrets if secret in output] == []

    assert result.get("failed", False) == bool(run.says)
    assert [words for words in run.says if words not in result["msg"]] == []
    assert (MAYBE in result.get("msg", "")) == (MAYBE in run.says)
    assert {name: result.get(name) for name in GIVEN[run.module]} == GIVEN[run.module]
    more = {name for name in ("id", "position", "request_id") if result.get(name)} - set(GIVEN[run.module])
    assert more == set(run.result)
    assert result.get("changed", False) == run.changed
    assert (result.get("http_status"), result.get("error_code")) == (run.status, run.code)
