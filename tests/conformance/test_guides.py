# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the guides promise about their examples, and their commands. test_examples.py runs the examples themselves."""

from __future__ import annotations

import json
import re
import sys
import textwrap
from pathlib import Path

import pytest
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.tests.conformance.runs import JOB, MOMENT, Webhook
from ansible_collections.huaweicloud.drs.tests.conformance.test_examples import (
    ERRORS,
    FLEETS,
    GUIDE,
    INVENTORIES,
    OTHER_JOB,
    ROOT,
    RUNBOOK,
    blocks,
    run,
    settle,
)

TROUBLESHOOTING = ROOT / "docs/docsite/rst/guide_troubleshooting.rst"


def example(path: Path, part: str) -> str:
    """Return the only example of a guide that contains a part."""
    (found,) = (block for block in blocks(path, "yaml") if part in block)
    return found


def commands(path: Path) -> list[str]:
    """Return the commands of the console blocks of a guide, each of which may be continued on further lines."""
    return [
        command
        for block in blocks(path, "console")
        for command in re.findall(r"^\$ ((?:.*\\\n)*.*)$", block, re.MULTILINE)
    ]


def test_fleet_names_what_failed(sim: Simulator, tmp_path: Path) -> None:
    """One position does not exist, one query is refused, and the response to one is lost."""
    sim.reset(collect_seconds=0)
    jobs = {
        job["name"]: job["id"]
        for job in sim.cloud["jobs"]
        if (job["project"], job["engine_type"], job["status"])
        == ("eu-west-101", "mysql-to-dws", "INCRE_TRANSFER_STARTED")
    }
    parent = jobs.pop("shops-to-dws")
    outcomes = {"purged-to-dws": "failed", "refunds-to-dws": "refused", "stock-to-dws": "unknown"}
    refusal = {"error_code": "DRS.M00304", "error_msg": "This operation cannot be performed on the task."}
    faults = {
        "refunds-to-dws": {"kind": "status", "status": 400, "body": refusal},
        "stock-to-dws": {"kind": "reset_after"},
    }
    sim.faults(
        [
            {"times": None, "match": {"path": f"{jobs[name]}/collect-db-position$"}, **fault}
            for name, fault in faults.items()
        ]
    )
    (tmp_path / "shards.yml").write_text(example(FLEETS, "Name each job that failed"), encoding="utf-8")
    output, _plays = run(sim, tmp_path, ["ansible-playbook", "shards.yml"], sim.user, code=2)
    for name, outcome in outcomes.items():
        assert f"{name} ({jobs[name]}): {outcome}. " in output
    found = json.loads((tmp_path / "positions.json").read_text(encoding="utf-8"))
    assert found == {job_id: "mysql-bin.000277:805" for name, job_id in jobs.items() if name not in outcomes}
    assert [request for request in sim.requests() if request["path"].endswith(f"{parent}/collect-db-position")] == []


def test_fleet_says_why_the_login_failed(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "shards.yml").write_text(example(FLEETS, "Name each job that failed"), encoding="utf-8")
    environment = {**sim.user, "HW_USER_PASSWORD": "another"}
    output, _plays = run(sim, tmp_path, ["ansible-playbook", "shards.yml"], environment, code=2)
    assert "Check the password" in output


@pytest.mark.parametrize(
    ("path", "part"),
    [(GUIDE, "Collect with the token"), (FLEETS, "Log in once for all jobs")],
    ids=["authentication", "fleets"],
)
def test_login_without_log_says_why_it_failed(sim: Simulator, tmp_path: Path, path: Path, part: str) -> None:
    (tmp_path / "play.yml").write_text(example(path, part), encoding="utf-8")
    host = f"orders ansible_connection=local ansible_python_interpreter={sys.executable}"
    (tmp_path / "hosts").write_text(f"[status_incre_transfer_started]\n{host}\n[parents]\n", encoding="utf-8")
    command = ["ansible-playbook", "-i", "hosts", "play.yml", "-e", "vault_drs_password=another"]
    environment = {**sim.user, "HW_USER_PASSWORD": "another"}
    output, _plays = run(sim, tmp_path, command, environment, code=2)
    assert "Check the password" in output.partition("TASK [Make sure that the login succeeded]")[2]


def test_rescue_tells_the_team(sim: Simulator, tmp_path: Path, webhook: Webhook) -> None:
    sim.reset(collect_seconds=0)
    purged = next(job["id"] for job in sim.cloud["jobs"] if job["name"] == "purged-to-dws")
    (tmp_path / "shards.yml").write_text(example(FLEETS, "rescue:"), encoding="utf-8")
    variables = json.dumps({"drs_job_ids": [JOB, purged], "team_webhook": webhook.url})
    run(sim, tmp_path, ["ansible-playbook", "shards.yml", "-e", variables], sim.user, code=2)
    assert [text for text in webhook.texts if f"1 of 2 jobs failed. failed: {purged}" in text] == webhook.texts != []
    saved = json.loads((tmp_path / "positions.json").read_text(encoding="utf-8"))
    assert {item["job_id"]: item["outcome"] for item in saved} == {JOB: "success", purged: "failed"}


def test_reset_tells_the_team_that_it_failed(sim: Simulator, tmp_path: Path, webhook: Webhook) -> None:
    refusal = {"error_code": "DRS.M00304", "error_msg": "This operation cannot be performed on the task."}
    sim.reset(
        [{"kind": "status", "status": 400, "body": refusal, "match": {"path": "start-position$"}}], action_seconds=0
    )
    (tmp_path / "reset.yml").write_text(example(RUNBOOK, "tell the team"), encoding="utf-8")
    command = ["ansible-playbook", "reset.yml", "-e", json.dumps({"team_webhook": webhook.url})]
    run(sim, tmp_path, command, sim.user, code=2)
    (text,) = webhook.texts
    assert text.startswith("Reset of orders-to-dws: paused. ")
    assert "DRS.M00304" in text


def test_vault(sim: Simulator, tmp_path: Path) -> None:
    """The commands of the guide encrypt the file of variables, and run the playbook with it."""
    (tmp_path / ".vault-password").write_text("of-the-vault", encoding="utf-8")
    password = sim.user["HW_USER_PASSWORD"]
    for name in ("group_vars/all/vault.yml", "site.yml"):
        text = example(GUIDE, f"# {name}\n").replace("correct-horse", password)
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    encrypt, play = (command for command in commands(GUIDE) if "vault" in command)
    run(sim, tmp_path, ["bash", "-c", encrypt], {})
    assert password not in (tmp_path / "group_vars/all/vault.yml").read_text(encoding="utf-8")
    output, _plays = run(sim, tmp_path, ["bash", "-c", play], {})
    assert "orders-to-dws" in output


def test_vault_in_an_inventory(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / ".vault-password").write_text("of-the-vault", encoding="utf-8")
    encrypt, graph = (command for command in commands(FLEETS) if "vault" in command)
    (other,) = (item for item in sim.cloud["users"] if item["name"] == "drs-only")
    printed, _plays = run(sim, tmp_path, ["bash", "-c", encrypt], {}, text=other["password"])
    encrypted = re.search(r"^password: !vault \|\n(?: +\S+\n?)+", printed, re.MULTILINE)
    assert encrypted, printed
    # Not called yaml, because the linter of the documentation does not know the tag.
    (block,) = blocks(FLEETS, r"yaml\+jinja")
    inventory, replaced = re.subn(r"^password: !vault \|\n(?: +\S+\n?)+", encrypted[0], block, flags=re.MULTILINE)
    assert replaced == 1
    (tmp_path / "shards.drs_jobs.yml").write_text(inventory, encoding="utf-8")
    # The password is not that of the default user, so the template must have been evaluated.
    output, _plays = run(sim, tmp_path, ["bash", "-c", graph], {"DRS_USER": other["name"]})
    assert "orders-to-dws" in output


def test_deleted_job_of_the_errors(sim: Simulator, tmp_path: Path) -> None:
    task = example(ERRORS, "that may have been deleted").replace(JOB, f"00000000{JOB[8:]}")
    play = "- hosts: localhost\n  gather_facts: false\n  tasks:\n" + textwrap.indent(task, "    ")
    (tmp_path / "play.yml").write_text(play, encoding="utf-8")
    run(sim, tmp_path, ["ansible-playbook", "play.yml"], sim.user)
    run(sim, tmp_path, ["ansible-playbook", "play.yml"], {**sim.user, "HW_USER_PASSWORD": "another"}, code=2)


# The tests above run those with a vault, and tests/integration/ runs those of the runbook.
GUIDE_COMMANDS = [
    command
    for path in (RUNBOOK, FLEETS, ERRORS, TROUBLESHOOTING)
    for command in commands(path)
    if not re.match("export |.*vault", command) and (path != RUNBOOK or command.startswith("date "))
]


@pytest.mark.parametrize("command", dict.fromkeys(GUIDE_COMMANDS))
def test_command_of_a_guide(sim: Simulator, tmp_path: Path, command: str) -> None:
    settle(sim)
    if "include=" in command:
        sim.job(JOB, status="PAUSING")
    (tmp_path / "shards.txt").write_text(f"{JOB}\n{OTHER_JOB}\n", encoding="utf-8")
    (tmp_path / "shards.drs_jobs.yml").write_text(INVENTORIES[1], encoding="utf-8")
    output, _plays = run(sim, tmp_path, ["bash", "-c", command], sim.user)
    if "+0800" in command:
        assert output == f"{MOMENT}\n"
    if "include=" in command:
        assert '"start_position": ' in output
        # The delay of a job that does not replicate, which is not 0.
        assert '"incr_trans_delay": null' in output
    if "-vvv" in command:
        assert re.search(r'"requests": \[\n +"POST http.*HTTP 201, request ID', output)
