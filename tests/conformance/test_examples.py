# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the documentation, run as it stands. Only what a reader would put in place of it is put in place."""

from __future__ import annotations

import ast
import json
import os
import re
import shlex
import subprocess
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.tests.conformance.runs import (
    JOB,
    MOMENT,
    PATH,
    PROJECT,
    collections_path,
    secrets,
    seen,
)

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDE = ROOT / "docs/docsite/rst/guide_authentication.rst"
FLEETS = ROOT / "docs/docsite/rst/guide_fleets.rst"
RUNBOOK = ROOT / "docs/docsite/rst/guide_migration_runbook.rst"
TEMPLATE = ROOT / "playbooks/templates/reset_sync_position.md.j2"
PLAYBOOK = ROOT / "playbooks/collect_db_position.yml"
INVENTORY = ROOT / "plugins/inventory/drs_jobs.py"
MODULES = sorted(ROOT.glob("plugins/modules/*.py"))

SAMPLE_QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
OTHER_JOB = "177738d1-4eee-4fcb-a4e1-09aea79jb20i"
JOB_WITHOUT_BINLOG = "f4179e2b-6c8d-4e0f-b1a2-c3d4e5fjb20x"
# What the modules that change something ask for, which only reading modules and check mode never do.
CHANGES = {
    "drs_batch_collect_db_position": "collect-db-position",
    "drs_collect_db_position": "collect-db-position",
    "drs_job_action": "action",
    "drs_start_position": "start-position",
}
COMMANDS = sorted(set(re.findall(r"^\$ (ansible-playbook .*)$", README.read_text(encoding="utf-8"), re.MULTILINE)))


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of a file that are in a language. In a module it is its examples."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        values = [node.value for node in ast.parse(text).body if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES"]
        return [ast.literal_eval(value) for value in values]
    if path.suffix == ".md":
        return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(block) for block in re.findall(rf"^\.\. code-block:: {language}\n((?:[ ]+.*\n|\n)+)", text, re.MULTILINE)]


def is_play(block: str) -> bool:
    data = yaml.safe_load(block)
    return isinstance(data, list) and "hosts" in data[0]


# Beside plays, a module and the guide show tasks, and the README may show anything.
EXAMPLES = [
    (path, block)
    for path in [*MODULES, README, GUIDE, RUNBOOK, FLEETS]
    for block in blocks(path, "yaml")
    if is_play(block) or (path != README and isinstance(yaml.safe_load(block), list))
]
INVENTORIES = [block for path in [INVENTORY, FLEETS] for block in blocks(path, "yaml") if "\nplugin: " in block]


def collect(sim: Simulator, job: str, token: str) -> str:
    """Start a query, and return its ID."""
    answer = sim.session.post(
        f"{sim.url}/v5/{PROJECT}/jobs/{job}/collect-db-position",
        json={"reset_position_time": "2023-09-19T07:00:00Z"},
        headers={"X-Auth-Token": token},
        timeout=30,
    )
    answer.raise_for_status()
    return str(answer.json()["id"])


def login(sim: Simulator) -> dict[str, str]:
    """What the examples say that they take from the environment."""
    user = sim.cloud["users"][0]
    return {
        "HW_REGION_NAME": "eu-west-101",
        "HW_DOMAIN_NAME": sim.cloud["account"]["name"],
        "HW_USER_NAME": user["name"],
        "HW_USER_PASSWORD": user["password"],
    }


def run(sim: Simulator, folder: Path, command: list[str], environment: dict[str, str], changes: set[str]) -> str:
    """Run a command that has to succeed, with nothing of this machine's environment, look at what it says and what it does, and return what it said.

    :arg changes: the calls that it sends, beside those that only read.
    """
    sim.forget_requests()
    jobs = sim.cloud["jobs"]
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"].split(os.pathsep)[0],
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_VERBOSITY": "3",
            "HW_AUTH_URL": f"{sim.url}/v3",
            "HW_DRS_ENDPOINT": sim.url,
            **environment,
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=60,
        check=False,
    )
    asked = [f"{request['method']} {request['path']}" for request in sim.requests() if request["path"].startswith("/v5/")]
    assert done.returncode == 0, done.stdout
    assert re.findall(r"\[(?:WARNING|DEPRECATION).*", done.stdout) == [], done.stdout
    assert [secret for secret in secrets(sim) if secret in done.stdout or json.dumps(secret)[1:-1] in done.stdout] == []
    assert asked, "Nothing was asked of DRS."
    assert {request.rpartition("/")[2] for request in asked if not request.startswith("GET ")} - {"filter"} == changes, asked
    if not changes:
        assert sim.cloud["jobs"] == jobs
    return done.stdout


def test_every_file_has_examples() -> None:
    assert {path for path, _block in EXAMPLES} == {*MODULES, README, GUIDE, RUNBOOK, FLEETS}
    assert len(INVENTORIES) == 2
    assert len(COMMANDS) == 2


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
@pytest.mark.parametrize("example", [pytest.param(block, id=f"{path.relative_to(ROOT)}: {yaml.safe_load(block)[0]['name']}") for path, block in EXAMPLES])
def test_example(sim: Simulator, tmp_path: Path, example: str, options: list[str]) -> None:
    sim.reset(collect_seconds=0, action_seconds=0)
    # Among the jobs that run is none whose position DRS cannot find.
    sim.job(JOB_WITHOUT_BINLOG, status="PAUSING")
    token, key = sim.token(), sim.key()
    queries = [{"job_id": job, "id": collect(sim, job, token)} for job in (JOB, OTHER_JOB)]
    variables: dict[str, Any] = {
        "vault_drs_password": sim.cloud["users"][0]["password"],
        "vault_huaweicloud_token": token,
        "vault_drs_access_key": key["access_key"],
        "vault_drs_secret_key": key["secret_key"],
        "drs_job_ids": [JOB, OTHER_JOB],
        "queries": {"results": queries},
    }
    # A variable that the example sets itself would not count beside one from outside.
    given = {variable: value for variable, value in variables.items() if f"{{{{ {variable}" in example}
    (tmp_path / "given.json").write_text(json.dumps(given), encoding="utf-8")

    # Each example has the environment that it speaks of, so that one that lacks something is not helped by it.
    environment = {variable: value for variable, value in login(sim).items() if variable in example}
    if "auth_method: profile" in example:
        (profile,) = blocks(GUIDE, "ini")
        profile = profile.replace("ak = ...", f"ak = {key['access_key']}").replace("sk = ...", f"sk = {key['secret_key']}")
        (tmp_path / "credentials").write_text(profile, encoding="utf-8")
        environment["HUAWEICLOUD_SDK_CREDENTIALS_FILE"] = str(tmp_path / "credentials")
    if "auth_method: agency" in example:
        environment["http_proxy"] = sim.url

    text = example.replace(SAMPLE_QUERY, queries[0]["id"])
    if not is_play(example):
        text = "- hosts: localhost\n  gather_facts: false\n  tasks:\n" + textwrap.indent(text, "    ")
    (tmp_path / "site.yml").write_text(text, encoding="utf-8")
    inventory = []
    if "hosts: localhost" not in text:
        inventory = ["-i", "shards.drs_jobs.yml"]
        (tmp_path / inventory[1]).write_text(INVENTORIES[1], encoding="utf-8")

    changes = {call for module, call in CHANGES.items() if f"huaweicloud.drs.{module}:" in example and not options}
    run(sim, tmp_path, ["ansible-playbook", "site.yml", "-e", "@given.json", *inventory, *options], environment, changes)
    # A job that was paused has gone on, from where it was told to.
    job = sim.job(JOB)
    assert (job["status"], job["start_position"]) == ("INCRE_TRANSFER_STARTED", "mysql-bin.000277:805" if "start-position" in changes else None)


@pytest.mark.parametrize("inventory", INVENTORIES, ids=["plugin", "guide"])
def test_inventory(sim: Simulator, tmp_path: Path, inventory: str) -> None:
    (tmp_path / "shards.drs_jobs.yml").write_text(inventory, encoding="utf-8")
    assert "orders-to-dws" in run(sim, tmp_path, ["ansible-inventory", "-i", "shards.drs_jobs.yml", "--graph"], login(sim), set())


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "check"])
@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_readme(sim: Simulator, tmp_path: Path, command: str, options: list[str]) -> None:
    sim.reset(collect_seconds=0, action_seconds=0)
    changes = {"collect-db-position", "action", "start-position"} if "reset_sync_position" in command else {"collect-db-position"}
    given = shlex.split(command.replace("/tmp/drs-demo", str(tmp_path)))
    run(sim, tmp_path, [*given, *options], login(sim), set() if options else changes)


def shown(tasks: list[dict[str, Any]]) -> list[str]:
    """The tasks in the order that they are shown in when none fails."""
    found: list[str] = []
    for task in tasks:
        # The playbook for one job is shown.
        included = task.get("ansible.builtin.include_tasks", "")
        file = task.get("ansible.builtin.import_tasks") or re.sub("{{.*}}", "one", included)
        if file:
            found += [task["name"]] if included else []
            found += shown(yaml.safe_load((PLAYBOOK.parent / file).read_text(encoding="utf-8")))
            continue
        found += shown([*task["block"], *task.get("always", [])]) if "block" in task else [task["name"]]
    return found


def test_demo_in_the_readme() -> None:
    (block,) = (block for block in blocks(README, "console") if "TASK [" in block)
    (play,) = yaml.safe_load(PLAYBOOK.read_text(encoding="utf-8"))
    assert re.findall(r"^TASK \[(.*)\] \*+$", block, re.MULTILINE) == shown(play["tasks"])


def test_report_in_the_readme() -> None:
    (block,) = (block for block in blocks(README, "console") if "# Reset of" in block)
    rows = re.compile(r"^\| ([\w ,()]+) \|", re.MULTILINE)
    labels = rows.findall(TEMPLATE.read_text(encoding="utf-8"))
    labels.remove("GTID set")
    assert rows.findall(block) == [*labels, "collect", "pause", "apply", "retry"]
