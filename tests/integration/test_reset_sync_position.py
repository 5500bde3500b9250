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
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Ansible
from simulator.client import Simulator

RESET = ("ansible-playbook", "huaweicloud.drs.reset_sync_position")
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
POSITION = "mysql-bin.000277:805"
GIVEN = {"drs_job_id": JOB, "drs_position": POSITION}
QUESTION = b"Type yes to go on"


def changes(cloud: Simulator) -> list[str]:
    """What was sent that changes something: the calls by their paths, the actions by their names."""
    sent = [request for request in cloud.requests() if request["method"] != "GET" and "/auth/" not in request["path"]]
    return [
        json.loads(request["body"]).get("job", {}).get("action_name") or request["path"].rpartition("/")[2]
        for request in sent
    ]


def report(path: Path) -> Any:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def run_at_a_terminal(answer: bytes) -> Any:
    """Like subprocess.run, with somebody who answers the question."""

    def run(
        command: list[str], timeout: float, check: bool, encoding: str, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        ours, theirs = pty.openpty()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), theirs)
        process = subprocess.Popen(
            command,
            **{**more, **streams},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(theirs)
        watch = threading.Timer(timeout, process.kill)
        watch.start()
        said = b""
        with open(ours, "r+b", buffering=0) as terminal, suppress(OSError):  # so ends what the other side has closed
            while part := terminal.read(65536):
                said += part
                # What is typed before Ansible begins to read is thrown away, so it is typed again for as long as nothing happens.
                while QUESTION in said.rpartition(b"TASK [")[2] and not select.select([terminal], [], [], 0.5)[0]:
                    terminal.write(answer + b"\r")
        watch.cancel()
        return subprocess.CompletedProcess(command, process.wait(), said.decode(encoding))

    return run


@pytest.mark.parametrize(
    "variables",
    [
        f"drs_job_id={JOB} drs_position={POSITION} drs_gtid_set=a:1-5, b:1-77",
        f"drs_job_id={JOB} drs_job_name=orders-to-dws drs_position={POSITION}",
        f"drs_job_id={JOB} drs_position=",
        f"drs_job_id={JOB} drs_position={POSITION} drs_wait_sleep=often",
        f"drs_job_id={JOB} drs_position={POSITION} drs_wait_timeout=0",
        f"drs_job_id={JOB} drs_position={POSITION} drs_report_path=no-such-folder/report.md",
        f"drs_job_id={JOB} drs_position={POSITION} drs_report_path=report.json",
    ],
    ids=["white space", "ID and name", "no position", "sleep", "timeout", "folder of the report", "kind of report"],
)
def test_variables_refused(cloud: Simulator, ansible: Ansible, variables: str) -> None:
    said = ansible(*RESET, "-e", variables, "-e", "drs_confirm=true", code=2)
    assert "Set one of drs_job_id and drs_job_name, and one of" in said
    assert "On the command line, variables must have no white space." in said
    assert cloud.requests() == []


def test_wrong_password(cloud: Simulator, ansible: Ansible) -> None:
    said = ansible(*RESET, variables={**GIVEN, "drs_confirm": True}, code=2, HW_USER_PASSWORD="not-the-password-9261")
    assert "user drs-operator of account (domain) example-account" in said
    assert "not-the-password" not in said
    assert changes(cloud) == []


@pytest.mark.parametrize(
    ("job", "variables", "reason"),
    [
        ({}, {"drs_job_name": "no-such-job"}, "There is no job with the name no-such-job in this project."),
        ({}, {"drs_job_name": "stock-to-dws"}, "Several jobs have the name stock-to-dws"),
        (
            {"engine_type": "mysql-to-mysql"},
            {"drs_job_id": JOB},
            "is of engine type mysql-to-mysql and task type INCR_TRANS. DRS sets a position for",
        ),
        (
            {"task_type": "FULL_INCR_TRANS"},
            {"drs_job_id": JOB},
            "is of engine type mysql-to-dws and task type FULL_INCR_TRANS. DRS sets a position for",
        ),
        ({"status": "WAITING_FOR_START"}, {"drs_job_id": JOB}, "is in status WAITING_FOR_START"),
        (
            {},
            {"drs_job_id": JOB, "drs_verify_source": True},
            "drs_verify_source needs the collection community.mysql, which is not installed here",
        ),
    ],
    ids=["none", "several", "engine type", "task type", "status", "no collection for MySQL"],
)
def test_refused(
    cloud: Simulator,
    ansible: Ansible,
    token: dict[str, str],
    job: dict[str, str],
    variables: dict[str, Any],
    reason: str,
) -> None:
    cloud.job(JOB, **job)
    assert reason in ansible(
        *RESET, variables={**variables, "drs_position": POSITION, "drs_confirm": True}, code=2, **token
    )
    assert changes(cloud) == []


@pytest.mark.parametrize("options", [[], ["--skip-tags", "confirm"]], ids=["asked", "not asked"])
def test_nobody_confirms(cloud: Simulator, ansible: Ansible, token: dict[str, str], options: list[str]) -> None:
    said = ansible(*RESET, *options, variables=GIVEN, code=2, **token)
    assert "It was not confirmed" in said
    assert "Nothing was changed in the job" in said
    assert changes(cloud) == []


def test_no_at_a_terminal(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    said = ansible(*RESET, variables=GIVEN, code=2, execute=run_at_a_terminal(b"no"), **token)
    assert QUESTION.decode() in said
    assert "It was not confirmed" in said
    assert changes(cloud) == []


@pytest.mark.smoke
def test_check_mode(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    said = ansible(*RESET, "--check", variables={**GIVEN, "drs_report_path": str(tmp_path / "report.md")}, **token)
    assert f"Goes on from: {POSITION}" in said
    assert changes(cloud) == []
    assert not (tmp_path / "report.md").exists()


@pytest.mark.parametrize(
    ("tag", "variables", "said", "changed"),
    [
        ("collect", {"drs_reset_position_time": "2023-09-19T07:00:00Z"}, POSITION, ["collect-db-position"]),
        ("wait", {}, "runs, 0 seconds behind", []),
    ],
    ids=["collect", "wait"],
)
def test_tag_that_changes_nothing(
    cloud: Simulator,
    ansible: Ansible,
    token: dict[str, str],
    tag: str,
    variables: dict[str, str],
    said: str,
    changed: list[str],
) -> None:
    """It needs no confirmation, and to wait needs no position."""
    assert said in ansible(*RESET, "--tags", tag, variables={"drs_job_id": JOB, **variables}, **token)
    assert changes(cloud) == changed


def test_answer_to_the_pause_is_lost(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    cloud.faults([{"match": {"method": "POST", "path": "/action"}, "kind": "reset_after", "times": 1}])
    said = ansible(*RESET, variables={**GIVEN, "drs_confirm": True}, code=2, **token)
    assert (
        f"The job was told to pause, or may have been. The position was not set. Run the playbook again with drs_position={POSITION} when the cause is mended."
    ) in said
    assert "To give up and let the job go on as it was, use huaweicloud.drs.drs_job_action with action retry." in said
    assert changes(cloud) == ["stop"]


def test_failed_job_does_not_go_on(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    """It cannot be paused. Its position is set once, and then it is only let go on."""
    cloud.job(JOB, status="INCRE_TRANSFER_FAILED", action="failed")
    variables = {**GIVEN, "drs_confirm": True, "drs_wait_sleep": 1}
    said = ansible(*RESET, variables=variables, code=2, **token)
    assert (
        "is in status INCRE_TRANSFER_FAILED. The position was set. Run the playbook again with the same variables and --tags retry,wait"
        in said
    )
    assert changes(cloud) == ["start-position", "restart"]

    cloud.job(JOB, action="success")
    cloud.forget_requests()
    assert "runs, 0 seconds behind" in ansible(*RESET, "--tags", "retry,wait", variables=variables, **token)
    assert changes(cloud) == ["restart"]
    assert cloud.job(JOB)["start_position"] == POSITION


def test_goes_on_from_where_it_was(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """A query takes too long, the answer to the position is lost, and then it succeeds. Each run is what the one before it said."""
    path = tmp_path / "report.md"
    known = {"drs_job_name": "orders-to-dws", "drs_wait_sleep": 1, "drs_report_path": str(path)}
    cloud.faults(
        [
            {
                "match": {"path": "/db-position"},
                "kind": "replace",
                "body": {"job_id": JOB, "status": "pending"},
                "times": None,
            }
        ]
    )
    variables = {**known, "drs_reset_position_time": "2023-09-19T07:00:00Z", "drs_confirm": True, "drs_wait_timeout": 1}
    said = ansible(*RESET, variables=variables, code=2, **token)
    query = report(path)["query_id"]
    assert f"Run the playbook again with drs_query_id={query}" in said
    assert changes(cloud) == ["collect-db-position"]

    cloud.faults([{"match": {"path": "/start-position"}, "kind": "reset_after", "times": 1}])
    said = ansible(*RESET, variables={**known, "drs_query_id": query, "drs_confirm": True}, code=2, **token)
    assert (
        "is in status PAUSING. Whether the position was set is not known. Run the playbook again with drs_position=mysql-bin.000277:805 when the cause is "
        "mended. It goes on from where the job is. Do not let the job go on before."
    ) in said
    told = report(path)
    assert (told["result"], told["failed_step"], told["status_after"]) == ("failed", "Set the position", "PAUSING")
    assert "DRS may have accepted" in told["msg"]
    assert [step["step"] for step in told["steps"]] == ["collect", "pause"]
    assert "**Set the position** failed" in path.read_text(encoding="utf-8")

    cloud.forget_requests()
    said = ansible(
        *RESET,
        variables={**known, "drs_position": POSITION, "drs_gtid_set": "a:1-5"},
        execute=run_at_a_terminal(b"yes"),
    )
    assert re.search("CUSTOM STATS[^~]*drs_report", said)
    assert [request["path"] for request in cloud.requests()].count("/v3/auth/tokens") == 1
    assert changes(cloud) == ["start-position", "restart"]
    job = cloud.job(JOB)
    assert (job["status"], job["start_position"], job["gtid_set"]) == ("INCRE_TRANSFER_STARTED", POSITION, "a:1-5")
    told = report(path)
    assert (told["result"], told["status_before"], told["status_after"]) == (
        "done",
        "PAUSING",
        "INCRE_TRANSFER_STARTED",
    )
    assert [step["step"] for step in told["steps"]] == ["collect", "apply", "retry"]
    times = [told["begun"], *(step["at"] for step in told["steps"]), told["ended"]]
    assert times == sorted(times)
    text = path.read_text(encoding="utf-8")
    assert f"| Position | {POSITION} |" in text
    assert re.search(rf"\| apply \| .* \| {told['steps'][1]['request_id']} \|", text)
