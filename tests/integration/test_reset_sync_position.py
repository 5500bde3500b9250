# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook reset_sync_position: what it refuses, how it asks, what it does and reports, and how it goes on after a failure."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import subprocess
import termios
import threading
from pathlib import Path
from typing import Any

import pytest
from conftest import Ansible
from simulator.client import Simulator

RESET = ("ansible-playbook", "huaweicloud.drs.reset_sync_position")
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
FAILED_JOB = "4f6b8ca3-5e70-4d9f-9c3e-7091b23jb212"
POSITION = "mysql-bin.000277:805"
AT_A_TIME = {"drs_job_id": JOB, "drs_reset_position_time": "2023-09-19T07:00:00Z"}
AT_A_POSITION = {"drs_job_id": JOB, "drs_position": POSITION}
CONFIRMED = {"drs_confirm": True, "drs_wait_sleep": 1}
QUESTION = "Type yes to go on"


@pytest.fixture
def token(cloud: Simulator) -> dict[str, str]:
    """Spares a run its login."""
    return {"HW_AUTH_TOKEN": cloud.token(), "HW_PROJECT_ID": cloud.cloud["projects"][0]["id"]}


def changes(cloud: Simulator) -> list[str]:
    """What was sent that changes something, the actions by their names."""
    sent = [request for request in cloud.requests() if request["method"] != "GET" and "/auth/" not in request["path"]]
    return [json.loads(request["body"]).get("job", {}).get("action_name") or request["path"].rpartition("/")[2] for request in sent]


def report(path: Path) -> Any:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def run_at_a_terminal(answer: str) -> Any:
    """Like subprocess.run, with somebody who answers the question."""

    def run(command: list[str], timeout: float, encoding: str, check: bool, **more: Any) -> subprocess.CompletedProcess[str]:
        ours, theirs = pty.openpty()
        more |= {"stdin": theirs, "start_new_session": True, "preexec_fn": lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0)}
        with subprocess.Popen(command, **more) as process:
            assert process.stdout
            watch = threading.Timer(timeout, process.kill)
            watch.start()
            output = said = b""
            while said := os.read(process.stdout.fileno(), 65536):
                output += said
                # What is typed before Ansible begins to read is thrown away, so it is typed again as long as nothing happens.
                while QUESTION.encode() in output.rpartition(b"TASK [")[2] and not select.select([process.stdout], [], [], 0.5)[0]:
                    os.write(ours, answer.encode() + b"\r")
        watch.cancel()
        os.close(ours)
        os.close(theirs)
        return subprocess.CompletedProcess(command, process.returncode, output.decode(encoding))

    return run


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({**AT_A_POSITION, "drs_job_name": "orders-to-dws"}, "Set one of drs_job_id"),
        ({**AT_A_POSITION, "drs_report_path": "report.json"}, "must end in .md"),
        ({"drs_job_name": "stock-to-dws", "drs_position": POSITION}, "Several jobs have the name stock-to-dws"),
        ({"drs_job_name": "billing-to-dws", "drs_position": POSITION}, "task type FULL_INCR_TRANS"),
        ({"drs_job_name": "inventory-to-dws", "drs_position": POSITION}, "is in status WAITING_FOR_START"),
    ],
    ids=["two jobs", "report", "several", "task type", "status"],
)
def test_refused(cloud: Simulator, ansible: Ansible, token: dict[str, str], variables: dict[str, str], reason: str) -> None:
    assert reason in ansible(*RESET, variables={**variables, **CONFIRMED}, code=2, **token)
    assert changes(cloud) == []


def test_white_space_refused(cloud: Simulator, ansible: Ansible) -> None:
    said = ansible(*RESET, "-e", f"drs_job_id={JOB} drs_position={POSITION} drs_confirm=true drs_gtid_set=a:1-5, b:1-77", code=2)
    assert "variables must have no white space" in said
    assert cloud.requests() == []


@pytest.mark.parametrize("options", [[], ["--skip-tags", "confirm"]], ids=["asked", "not asked"])
def test_nobody_confirms(cloud: Simulator, ansible: Ansible, token: dict[str, str], options: list[str]) -> None:
    said = ansible(*RESET, *options, variables=AT_A_POSITION, code=2, **token)
    assert "It was not confirmed" in said
    assert "Nothing was changed in the job" in said
    assert changes(cloud) == []


def test_no_at_a_terminal(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    said = ansible(*RESET, variables=AT_A_POSITION, code=2, execute=run_at_a_terminal("no"), **token)
    assert QUESTION in said
    assert "It was not confirmed" in said
    assert changes(cloud) == []


@pytest.mark.smoke
def test_check_mode(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    said = ansible(*RESET, "--check", variables={**AT_A_POSITION, "drs_report_path": "report.md"}, **token)
    assert f"Goes on from: {POSITION}" in said
    assert changes(cloud) == []
    assert not (tmp_path / "report.md").exists()


def test_reset(cloud: Simulator, ansible: Ansible, tmp_path: Path) -> None:
    """One login, one request for each step, and a report of them."""
    said = ansible(*RESET, variables={**AT_A_TIME, **CONFIRMED, "drs_gtid_set": "a:1-5", "drs_report_path": "report.md"})
    assert re.search("CUSTOM STATS[^~]*drs_report", said)
    assert [request["path"] for request in cloud.requests()].count("/v3/auth/tokens") == 1
    assert changes(cloud) == ["collect-db-position", "stop", "start-position", "restart"]
    job = cloud.job(JOB)
    assert (job["status"], job["start_position"], job["gtid_set"]) == ("INCRE_TRANSFER_STARTED", POSITION, "a:1-5")
    told = report(tmp_path / "report.md")
    assert (told["result"], told["status_before"], told["status_after"]) == ("done", "INCRE_TRANSFER_STARTED", "INCRE_TRANSFER_STARTED")
    assert (told["position"], len(told["query_id"])) == (POSITION, 36)
    assert [step["step"] for step in told["steps"]] == ["collect", "pause", "apply", "retry"]
    assert all(step["request_id"] for step in told["steps"])
    times = [told["begun"], *(step["at"] for step in told["steps"]), told["ended"]]
    assert times == sorted(times)
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"| Position | {POSITION} |" in text
    assert re.search(rf"\| apply \| .* \| {told['steps'][2]['request_id']} \|", text)


def test_goes_on_after_a_query_that_took_too_long(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """The query is not started anew, and a job that has failed is not paused."""
    pending = {"match": {"path": "/db-position"}, "kind": "replace", "body": {"job_id": FAILED_JOB, "status": "pending"}, "times": None}
    cloud.faults([pending])
    variables = {**AT_A_TIME, "drs_job_id": FAILED_JOB, **CONFIRMED, "drs_wait_timeout": 1, "drs_report_path": "late.md"}
    said = ansible(*RESET, variables=variables, code=2, **token)
    query = report(tmp_path / "late.md")["query_id"]
    assert f"Run the playbook again with drs_query_id={query}" in said
    cloud.faults([])
    again = {"drs_job_id": FAILED_JOB, "drs_query_id": query, **CONFIRMED}
    ansible(*RESET, "--tags", "collect", variables=again, **token)
    assert changes(cloud) == ["collect-db-position"]
    ansible(*RESET, variables=again, **token)
    assert changes(cloud) == ["collect-db-position", "start-position", "restart"]


def test_goes_on_from_where_the_job_is(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """First the answer to the position is lost, then the job fails when it goes on. Each run does what is left to do."""
    cloud.faults([{"match": {"path": "/start-position"}, "kind": "reset_after", "times": 1}])
    variables = {**AT_A_POSITION, "drs_wait_sleep": 1, "drs_report_path": "lost.md"}
    said = ansible(*RESET, variables=variables, code=2, execute=run_at_a_terminal("yes"), **token)
    assert (
        "is in status PAUSING. Whether the position was set is not known. Run the playbook again with drs_position=mysql-bin.000277:805 when the cause is "
        "mended. It goes on from where the job is. Do not let the job go on before."
    ) in " ".join(said.split())
    told = report(tmp_path / "lost.md")
    assert (told["result"], told["failed_step"], told["status_after"]) == ("failed", "Set the position", "PAUSING")
    assert "DRS may have accepted" in told["msg"]
    assert [step["step"] for step in told["steps"]] == ["collect", "pause"]
    assert "**Set the position** failed" in (tmp_path / "lost.md").read_text(encoding="utf-8")

    cloud.job(JOB, action="fails_later")
    said = ansible(*RESET, variables={**AT_A_POSITION, **CONFIRMED}, code=2, **token)
    assert "is in status INCRE_TRANSFER_FAILED. The position was set. Run the playbook again with the same variables and --tags retry,wait" in said
    cloud.job(JOB, action="success")
    said = ansible(*RESET, "--tags", "retry,wait", variables={**AT_A_POSITION, **CONFIRMED}, **token)
    assert "runs, 0 seconds behind" in said
    assert changes(cloud) == ["stop", "start-position", "start-position", "restart", "restart"]


def test_goes_on_after_a_pause_that_was_not_answered(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    cloud.faults([{"match": {"method": "POST", "path": "/action"}, "kind": "reset_after", "times": 1}])
    said = ansible(*RESET, variables={**AT_A_POSITION, **CONFIRMED}, code=2, **token)
    assert "The job was told to pause, or may have been. The position was not set. Run the playbook again with drs_position=" in said
    assert "To give up and let the job go on as it was" in said
