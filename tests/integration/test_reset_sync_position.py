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


@pytest.fixture
def token(cloud: Simulator) -> dict[str, str]:
    """Spares a run its login."""
    return {"HW_AUTH_TOKEN": cloud.token(), "HW_PROJECT_ID": cloud.cloud["projects"][0]["id"]}


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
    ("variables", "reason"),
    [
        ({"drs_job_name": "stock-to-dws", "drs_position": POSITION}, "Several jobs have the name stock-to-dws"),
        ({"drs_job_name": "inventory-to-dws", "drs_position": POSITION}, "is in status WAITING_FOR_START"),
    ],
    ids=["several", "status"],
)
def test_refused(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], variables: dict[str, str], reason: str
) -> None:
    assert reason in ansible(*RESET, variables={**variables, "drs_confirm": True}, code=2, **token)
    assert changes(cloud) == []


def test_white_space_refused(cloud: Simulator, ansible: Ansible) -> None:
    said = ansible(
        *RESET, "-e", f"drs_job_id={JOB} drs_position={POSITION} drs_confirm=true drs_gtid_set=a:1-5, b:1-77", code=2
    )
    assert "variables must have no white space" in said
    assert cloud.requests() == []


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
