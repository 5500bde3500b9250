# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook reset_sync_position: invalid variables, confirmation, steps, report, and resuming after a failure."""

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
VARIABLES = {"drs_job_id": JOB, "drs_position": POSITION}
QUESTION = b"Type yes to continue"


def changes(cloud: Simulator) -> list[str]:
    """Return the requests that change something: calls by their path, actions by their name."""
    sent = [request for request in cloud.requests() if request["method"] != "GET" and "/auth/" not in request["path"]]
    return [
        json.loads(request["body"]).get("job", {}).get("action_name") or request["path"].rpartition("/")[2]
        for request in sent
    ]


def read_report(path: Path) -> Any:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def run_in_a_terminal(answer: bytes) -> Any:
    """Return a replacement for subprocess.run that answers the prompt in a terminal."""

    def run(
        command: list[str], timeout: float, check: bool, encoding: str, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        controller, terminal_fd = pty.openpty()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal_fd)
        process = subprocess.Popen(
            command,
            **{**more, **streams},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal_fd)
        watch = threading.Timer(timeout, process.kill)
        watch.start()
        output = b""
        with open(controller, "r+b", buffering=0) as terminal, suppress(OSError):  # raised when the other side closes
            while part := terminal.read(65536):
                output += part
                # Ansible discards input from before it starts to read, so the answer is sent until something happens.
                while QUESTION in output.rpartition(b"TASK [")[2] and not select.select([terminal], [], [], 0.5)[0]:
                    terminal.write(answer + b"\r")
        watch.cancel()
        return subprocess.CompletedProcess(command, process.wait(), output.decode(encoding))

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
    assert "Set either drs_job_id or drs_job_name, and one of" in said
    assert "On the command line, the values must not contain white space." in said
    assert cloud.requests() == []


def test_wrong_password(cloud: Simulator, ansible: Ansible) -> None:
    said = ansible(
        *RESET, variables={**VARIABLES, "drs_confirm": True}, code=2, HW_USER_PASSWORD="not-the-password-9261"
    )
    assert "user drs-operator of account (domain) example-account" in said
    assert "not-the-password" not in said
    assert changes(cloud) == []


@pytest.mark.parametrize(
    ("job", "variables", "reason"),
    [
        ({}, {"drs_job_name": "no-such-job"}, "This project has no job with the name no-such-job."),
        ({}, {"drs_job_name": "stock-to-dws"}, "Several jobs have the name stock-to-dws"),
        (
            {"engine_type": "mysql-to-mysql"},
            {"drs_job_id": JOB},
            "has the engine type mysql-to-mysql and the task type INCR_TRANS. This playbook sets",
        ),
        (
            {"task_type": "FULL_INCR_TRANS"},
            {"drs_job_id": JOB},
            "has the engine type mysql-to-dws and the task type FULL_INCR_TRANS. This playbook sets",
        ),
        ({"status": "WAITING_FOR_START"}, {"drs_job_id": JOB}, "is in status WAITING_FOR_START"),
        (
            {},
            {"drs_job_id": JOB, "drs_verify_source": True},
            "drs_verify_source needs the collection community.mysql, which is not installed",
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
def test_without_confirmation(cloud: Simulator, ansible: Ansible, token: dict[str, str], options: list[str]) -> None:
    output = ansible(*RESET, *options, variables=VARIABLES, code=2, **token)
    assert "The reset was not confirmed" in output
    assert "The job was not changed" in output
    assert changes(cloud) == []


def test_answer_no_in_a_terminal(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    output = ansible(*RESET, variables=VARIABLES, code=2, execute=run_in_a_terminal(b"no"), **token)
    assert QUESTION.decode() in output
    assert "The reset was not confirmed" in output
    assert changes(cloud) == []


@pytest.mark.smoke
def test_check_mode(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    output = ansible(
        *RESET, "--check", variables={**VARIABLES, "drs_report_path": str(tmp_path / "report.md")}, **token
    )
    assert f"Start position: {POSITION}" in output
    assert changes(cloud) == []
    assert not (tmp_path / "report.md").exists()


@pytest.mark.parametrize(
    ("tag", "variables", "said", "changed"),
    [
        ("collect", {"drs_reset_position_time": "2023-09-19T07:00:00Z"}, POSITION, ["collect-db-position"]),
        ("wait", {}, "is running, 0 seconds behind", []),
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


def test_response_to_the_pause_is_lost(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    cloud.faults([{"match": {"method": "POST", "path": "/action"}, "kind": "reset_after", "times": 1}])
    output = ansible(*RESET, variables={**VARIABLES, "drs_confirm": True}, code=2, **token)
    assert "A pause was requested, or may have been. The position was not set." in output
    assert f"Run the playbook again with drs_position={POSITION} after fixing the cause." in output
    assert "To cancel the reset and resume the job without a new position, use" in output
    assert changes(cloud) == ["stop"]


def test_failed_job_does_not_resume(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    """It is not paused. Its position is set once; the next run only resumes it."""
    cloud.job(JOB, status="INCRE_TRANSFER_FAILED", action="failed")
    variables = {**VARIABLES, "drs_confirm": True, "drs_wait_sleep": 1}
    output = ansible(*RESET, variables=variables, code=2, **token)
    assert "is in status INCRE_TRANSFER_FAILED. The position was set." in output
    assert "Run the playbook again with the same variables and --tags retry,wait" in output
    assert changes(cloud) == ["start-position", "restart"]

    cloud.job(JOB, action="success")
    cloud.forget_requests()
    assert "is running, 0 seconds behind" in ansible(*RESET, "--tags", "retry,wait", variables=variables, **token)
    assert changes(cloud) == ["restart"]
    assert cloud.job(JOB)["start_position"] == POSITION


def test_resumes_after_failures(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """A query takes too long, the response to the position is lost, and then the reset succeeds.

    Each run follows the instructions of the run before.
    """
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
    output = ansible(*RESET, variables=variables, code=2, **token)
    query = read_report(path)["query_id"]
    assert f"Run the playbook again with drs_query_id={query}" in output
    assert changes(cloud) == ["collect-db-position"]

    cloud.faults([{"match": {"path": "/start-position"}, "kind": "reset_after", "times": 1}])
    output = ansible(*RESET, variables={**known, "drs_query_id": query, "drs_confirm": True}, code=2, **token)
    assert (
        "is in status PAUSING. It is not known whether the position was set. Run the playbook again with "
        "drs_position=mysql-bin.000277:805 after fixing the cause. It continues from the current state of the job. "
        "Do not resume the job before that."
    ) in output
    result = read_report(path)
    assert (result["result"], result["failed_step"], result["status_after"]) == (
        "failed",
        "Set the position",
        "PAUSING",
    )
    assert "DRS may have accepted" in result["msg"]
    assert [step["step"] for step in result["steps"]] == ["collect", "pause"]
    assert "**Set the position** failed" in path.read_text(encoding="utf-8")

    cloud.forget_requests()
    output = ansible(
        *RESET,
        variables={**known, "drs_position": POSITION, "drs_gtid_set": "a:1-5"},
        execute=run_in_a_terminal(b"yes"),
    )
    assert re.search("CUSTOM STATS[^~]*drs_report", output)
    assert [request["path"] for request in cloud.requests()].count("/v3/auth/tokens") == 1
    assert changes(cloud) == ["start-position", "restart"]
    job = cloud.job(JOB)
    assert (job["status"], job["start_position"], job["gtid_set"]) == ("INCRE_TRANSFER_STARTED", POSITION, "a:1-5")
    result = read_report(path)
    assert (result["result"], result["status_before"], result["status_after"]) == (
        "done",
        "PAUSING",
        "INCRE_TRANSFER_STARTED",
    )
    assert [step["step"] for step in result["steps"]] == ["collect", "apply", "retry"]
    times = [result["begun"], *(step["at"] for step in result["steps"]), result["ended"]]
    assert times == sorted(times)
    text = path.read_text(encoding="utf-8")
    assert f"| Position | {POSITION} |" in text
    assert re.search(rf"\| apply \| .* \| {result['steps'][1]['request_id']} \|", text)
