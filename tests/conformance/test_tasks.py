# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What becomes of a task when something goes wrong between it and the cloud: what it sends, and what the user reads."""

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
from ansible_collections.huaweicloud.drs.tests.unit.loopback import answer, drip, head, once
from ansible_collections.huaweicloud.drs.tests.unit.utils import patch_args

MODULES = "ansible_collections.huaweicloud.drs.plugins.modules"
QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
POSITION = "mysql-bin.000277:805"
# What a task sends, by the end of its path.
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
# The options that each module needs, all of which come back in its result.
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
ACCEPTED = answer(json.dumps({"id": QUERY, "status": "pending"}).encode(), 202)

CUT = ("no complete answer",)
LATE = ("no complete answer in time",)
STORM = ("429 APIGW.0308: The throttling threshold has been reached", "throttles requests")
SIGN_IN = ("'Sign in to the network'", "the API promises a JSON object")
NO_WORD = ("did not say whether it accepted",)
MAYBE = "DRS may have accepted the request, so it was not sent again."
GOES_ON = "The query goes on in DRS."
LOOK_FIRST = "Look at the job before you tell it to retry again."
IN_VAIN = ("had no result within 1 second", GOES_ON)
STUCK = ("still in status PAUSING after 1 seconds", LOOK_FIRST)

WAIT = {"wait": True, "wait_timeout": 1, "wait_sleep": 1, "timeout": 1}
LONG_WAIT = {**WAIT, "wait_timeout": 9}
READ, TELL, LOOK = "/db-position$", "/action$", f"/jobs/{JOB}$"


@dataclass(frozen=True)
class Run:
    """A fault, and what becomes of a task."""

    fault: str
    # What arrives at the server, by the names in CALLS, if the wire can tell.
    arrives: tuple[str, ...]
    # What the user reads; nothing if the task succeeds.
    says: tuple[str, ...]
    # What is in the result beside msg and what was given: the id of the query, the request_id of some request.
    result: tuple[str, ...] = ()
    status: int | None = None
    code: str | None = None
    # A fault of the simulator, see control.yaml; or a script of a server on loopback; or nothing, where nobody listens.
    wire: Any = None
    # How the user logs in: with a token, a token and a password in reserve, a password, or an access key.
    who: str = "token"
    # Of the cloud's clock, once there is a token.
    clock_offset: float = 0
    # What is changed of the job, which has been paused, so that it can be told to go on and where.
    job: dict[str, Any] = field(default_factory=lambda: {"status": "PAUSING"})
    options: dict[str, Any] = field(default_factory=dict)
    module: str = "drs_collect_db_position"
    # Whether the task says that it has changed something.
    changed: bool = False
    # Whether it is run in a process of its own, which has to end.
    alone: bool = False


def fault(kind: str, on: str, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "times": None, "match": {"path": on}, **more}


def collect(name: str, wire: Any, arrives: str, says: tuple[str, ...], *result: str, **more: Any) -> Run:
    changed = "id" in result
    return Run(f"collect: {name}", tuple(arrives.split()), says, result, wire=wire, changed=changed, **more)


def act(name: str, wire: Any, arrives: str, says: tuple[str, ...], *result: str, **more: Any) -> Run:
    more = {"changed": not says, **more}
    return Run(f"action: {name}", tuple(arrives.split()), says, result, wire=wire, module="drs_job_action", **more)


def begin_at(name: str, wire: Any, arrives: str, says: tuple[str, ...], *result: str, **more: Any) -> Run:
    more = {"changed": not says, **more}
    return Run(f"start: {name}", tuple(arrives.split()), says, result, wire=wire, module="drs_start_position", **more)


def lost(on: str, **more: Any) -> dict[str, Any]:
    return fault("reset_after", on, **more)


def broken(kind: str, on: str, **more: Any) -> dict[str, Any]:
    return fault(kind, on, status=500, body=BROKEN, **more)


def storm(on: str, **more: Any) -> dict[str, Any]:
    return fault("status", on, status=429, body=THROTTLED, headers={"Retry-After": "60"}, **more)


def down(on: str) -> dict[str, Any]:
    return fault("status", on, status=503, body=DOWN, times=1)


COLLECT, START, SAID = "collect", "/start-position$", {"status": 500, "code": "DRS.M00001"}
THROTTLES = {"status": 429, "code": "APIGW.0308"}
ONE, NINE = {"options": {"max_retries": 1}}, {"options": {"max_retries": 9}}
TOLD_ALL = "job actions action"
RUNS = [
    #   what goes wrong, how, what arrives, what the user reads, and what is in the result

    collect("refused", None, "", ("no connection", "Connection refused")),
    collect("login is reset", lost("/tokens"), "login", (*CUT, "This was the login of user drs-operator"),
            who="password"),
    collect("key, 16 minutes fast", {}, "collect", ("signature expired", "clock"), "request_id", who="key",
            clock_offset=960, status=401, code="APIGW.0301"),
    collect("key, 16 minutes slow", {}, "collect", ("signature expired", "clock"), "request_id", who="key",
            clock_offset=-960, status=401, code="APIGW.0301"),
    collect("token, 25 hours fast", {}, "collect", ("expired", "Log in again"), "request_id", clock_offset=90000,
            status=403, code="DRS.M00100"),
    collect("token and password, 25 hours fast", {}, "collect login collect", (), "id", "request_id", who="both",
            clock_offset=90000),
    collect("reset, not accepted", fault("reset_before", COLLECT), "collect", (*CUT, MAYBE), **NINE),
    collect("reset, accepted", lost(COLLECT), "login collect", (*CUT, MAYBE), who="password", alone=True, **NINE),
    collect("cut, accepted", fault("cut", COLLECT), "collect", (*CUT, MAYBE), "request_id", **NINE),
    collect("no answer, accepted", fault("hang", COLLECT), "collect", (*LATE, MAYBE), options={"timeout": 1,
            "max_retries": 9}),
    collect("byte by byte", once(b"HTTP/1.1 200 Text\r\nX-A: ", end=drip(b"a")), "", (*LATE, MAYBE),
            options={"timeout": 1}, alone=True),
    collect("HTML, accepted", fault("html", COLLECT), "collect", (*SIGN_IN, MAYBE), "request_id", status=202),
    collect("nothing, accepted", fault("replace", COLLECT, body=""), "collect", ("id for its result", MAYBE),
            "request_id", status=202),
    collect("500, accepted", broken("status_after", COLLECT), "collect", ("Broken", MAYBE), "request_id", **SAID,
            **NINE),
    collect("500, accepted, and a password", broken("status_after", COLLECT), "collect", ("Broken", MAYBE),
            "request_id", who="both", **SAID),
    collect("429 for ever", storm(COLLECT), "collect collect", STORM, "request_id", **THROTTLES, **ONE),
    collect("503, then accepted", down(COLLECT), "collect collect", (), "id", "request_id", **ONE),

    collect("reads are reset", lost(READ, times=1), "collect read read", (), "id", "request_id", "position",
            options={**LONG_WAIT, "max_retries": 1}),
    collect("reads are too fast", fault("status", READ, times=1, status=400, body={"error_code": "DRS.M01503"}),
            "collect read read", (),
            "id", "request_id", "position", options=LONG_WAIT),
    collect("reads are throttled", storm(READ, times=1), "collect read read", (), "id", "request_id", "position",
            options=LONG_WAIT),
    collect("reads are cut", fault("cut", READ), "collect read", (*CUT, GOES_ON), "id", "request_id", options=WAIT),
    collect("reads get no answer", fault("hang", READ), "collect read", IN_VAIN, "id", "request_id", options=WAIT,
            alone=True),
    collect("reads come byte by byte", (ACCEPTED, once(head(), end=drip(b" "))), "", IN_VAIN, "id", alone=True,
            options={**WAIT, "timeout": 30}),
    collect("reads are HTML", fault("html", READ), "collect read", (*SIGN_IN, GOES_ON), "id", "request_id",
            status=200, options=WAIT),
    collect("reads fail", broken("status", READ), "collect read", ("Broken", GOES_ON), "id", "request_id",
            options=WAIT, **SAID),

    # A job is told once, and not before it is known that it may be.
    act("refused", None, "", ("no connection", "Connection refused")),
    act("good", {}, f"login {TOLD_ALL}", (), "request_id", who="password"),
    act("look is lost", lost(LOOK, times=1), f"job {TOLD_ALL}", (), "request_id", **ONE),
    act("reset, accepted", lost(TELL), f"login {TOLD_ALL}", (*CUT, MAYBE), who="password", **NINE),
    act("reset, and to be waited for", lost(TELL), TOLD_ALL, (*CUT, MAYBE), options={**WAIT, "max_retries": 9}),
    act("cut, accepted", fault("cut", TELL), TOLD_ALL, (*CUT, MAYBE), "request_id", **NINE),
    act("no answer, accepted", fault("hang", TELL), TOLD_ALL, (*LATE, MAYBE), options={"timeout": 1, "max_retries": 9}),
    act("HTML, accepted", fault("html", TELL), TOLD_ALL, (*SIGN_IN, MAYBE), "request_id", status=202),
    act("nothing, accepted", fault("replace", TELL, body=""), TOLD_ALL, (*NO_WORD, MAYBE), "request_id", status=202),
    act("500, accepted", broken("status_after", TELL), TOLD_ALL, ("Broken", MAYBE), "request_id", **SAID, **NINE),
    act("200, and failed", {}, TOLD_ALL, ("the status failed and no reason",), "request_id", job={"status": "PAUSING",
        "action": "failed_silently"}, status=200),
    act("200, failed, and why", {}, TOLD_ALL, ("200 DRS.M00304", "Look at the actions"), "request_id",
        job={"status": "PAUSING", "action": "failed"},
        status=200, code="DRS.M00304"),
    act("busy", fault("status", TELL, status=202, body=BUSY), TOLD_ALL, ("202 DRS.M01504", "try again"), "request_id",
        status=202, code="DRS.M01504",
        options=WAIT),
    act("429 for ever", storm(TELL), f"{TOLD_ALL} action", STORM, "request_id", **THROTTLES, **ONE),
    act("503, then accepted", down(TELL), f"{TOLD_ALL} action", (), "request_id", **ONE),
    act("looks are reset", lost(LOOK, skip=1, times=1), f"{TOLD_ALL} job job", (), "request_id", options={**LONG_WAIT,
        "max_retries": 1}),
    act("looks are throttled", storm(LOOK, skip=1, times=1), f"{TOLD_ALL} job job", (), "request_id",
        options=LONG_WAIT),
    act("looks are cut", fault("cut", LOOK, skip=1), f"{TOLD_ALL} job", (*CUT, LOOK_FIRST), "request_id",
        options=WAIT, changed=True),
    act("looks fail", broken("status", LOOK, skip=1), f"{TOLD_ALL} job", ("Broken", LOOK_FIRST), "request_id",
        options=WAIT, changed=True, **SAID),
    act("looks get no answer", fault("hang", LOOK, skip=1), f"{TOLD_ALL} job", STUCK, "request_id", options=WAIT,
        changed=True, alone=True),
    act("stuck", {}, f"{TOLD_ALL} job job", STUCK, "request_id", job={"status": "PAUSING", "action": "stuck"},
        options=WAIT, changed=True),
    act("fails later", {}, f"{TOLD_ALL} job", ("is in status INCRE_TRANSFER_FAILED", LOOK_FIRST), "request_id",
        options=WAIT, changed=True,
        job={"status": "PAUSING", "action": "fails_later"}),

    begin_at("good", {}, "start", (), "request_id", who="key"),
    begin_at("it runs", {}, "start", ("400 DRS.M00304", "Look at the actions"), "request_id",
             job={"status": "INCRE_TRANSFER_STARTED"},
             status=400, code="DRS.M00304"),
    begin_at("reset, accepted", lost(START), "login start", (*CUT, MAYBE), who="password", **NINE),
    begin_at("no answer, accepted", fault("hang", START), "start", (*LATE, MAYBE), options={"timeout": 1,
             "max_retries": 9}),
    begin_at("HTML, accepted", fault("html", START), "start", (*SIGN_IN, MAYBE), "request_id", status=200),
    begin_at("500, accepted", broken("status_after", START), "start", ("Broken", MAYBE), "request_id", **SAID, **NINE),
    begin_at("busy", fault("status", START, status=200, body=BUSY), "start", ("200 DRS.M01504", "try again"),
             "request_id", status=200, code="DRS.M01504"),
    begin_at("429 for ever", storm(START), "start start", STORM, "request_id", **THROTTLES, **ONE),
    begin_at("503, then accepted", down(START), "start start", (), "request_id", **ONE),
]  # fmt: skip


def in_the_cloud(sim: Simulator, run: Run) -> dict[str, str]:
    """Set the fault, and return what the user logs in with."""
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
    }[run.who]


def alone(module: str, options: dict[str, Any], environment: dict[str, str], folder: Path) -> str:
    """Run a module in a process of its own, which has to end soon, and return what it writes."""
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

    # Nothing twice that was asked for once.
    if sim:
        calls = [next(call for end, call in CALLS.items() if seen["path"].endswith(end)) for seen in sim.requests()]
        assert calls == list(run.arrives)
        statuses = [seen["cloud_status"] for call, seen in zip(calls, sim.requests(), strict=True) if call in CHANGING]
        assert len([status for status in statuses if status in (200, 202)]) <= 1

    # No traceback, neither beside the result nor in it, and no secret.
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
