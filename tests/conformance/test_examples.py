# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the documentation is run unchanged, except for the values that a reader would replace."""

from __future__ import annotations

import ast
import http.server
import json
import os
import re
import shlex
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
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
    leaked,
    secrets,
)

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDE = ROOT / "docs/docsite/rst/guide_authentication.rst"
FLEETS = ROOT / "docs/docsite/rst/guide_fleets.rst"
RUNBOOK = ROOT / "docs/docsite/rst/guide_migration_runbook.rst"
ERRORS = ROOT / "docs/docsite/rst/guide_errors.rst"
TROUBLESHOOTING = ROOT / "docs/docsite/rst/guide_troubleshooting.rst"
TEMPLATE = ROOT / "playbooks/templates/reset_sync_position.md.j2"
PLAYBOOK = ROOT / "playbooks/collect_db_position.yml"
INVENTORY = ROOT / "plugins/inventory/drs_jobs.py"
MODULES = sorted(ROOT.glob("plugins/modules/*.py"))

SAMPLE_QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
OTHER_JOB = "177738d1-4eee-4fcb-a4e1-09aea79jb20i"
# The call with which each module changes something. Read-only modules and check mode never send it.
CHANGES = {
    "drs_batch_collect_db_position": {"collect-db-position"},
    "drs_collect_db_position": {"collect-db-position"},
    "drs_job_action": {"action"},
    "drs_reset_position": {"action", "start-position"},
    "drs_start_position": {"start-position"},
}
COMMANDS = sorted(set(re.findall(r"^\$ (ansible-playbook .*)$", README.read_text(encoding="utf-8"), re.MULTILINE)))


def blocks(path: Path, language: str) -> list[str]:
    """Return the code blocks of a file in a language. For a module, these are its examples."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        values = [
            node.value
            for node in ast.parse(text).body
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "EXAMPLES"
        ]
        return [ast.literal_eval(value) for value in values]
    if path.suffix == ".md":
        return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [
        textwrap.dedent(block)
        for block in re.findall(rf"^\.\. code-block:: {language}\n((?:[ ]+.*\n|\n)+)", text, re.MULTILINE)
    ]


def is_play(block: str) -> bool:
    data = yaml.safe_load(block)
    return isinstance(data, list) and "hosts" in data[0]


# Modules and guides show plays and tasks. The README may show any YAML.
EXAMPLES = [
    (path, block)
    for path in [*MODULES, README, GUIDE, RUNBOOK, FLEETS, ERRORS]
    for block in blocks(path, "yaml")
    # Of an inventory, only the plugin knows the tags.
    if "\nplugin: " not in block
    if is_play(block) or (path != README and isinstance(yaml.safe_load(block), list))
]
# Each example gets only the environment that it mentions, so that nothing it lacks comes from there.
GROUPS = {
    "login in the environment": [block for _path, block in EXAMPLES if "HW_USER_PASSWORD" in block],
    "key of the host": [block for _path, block in EXAMPLES if "auth_method: " in block],
    "login in the task": [
        block for _path, block in EXAMPLES if "HW_USER_PASSWORD" not in block and "auth_method: " not in block
    ],
}
*INVENTORIES, VAULT_INVENTORY = [
    block for path in [INVENTORY, FLEETS] for block in blocks(path, "yaml") if "\nplugin: " in block
]


# Tells the simulator when the next play starts.
MARK = """
import os, urllib.error, urllib.request
from ansible.plugins.callback import CallbackBase

class CallbackModule(CallbackBase):
    CALLBACK_VERSION = 2.0
    CALLBACK_NAME = "mark"

    def v2_playbook_on_play_start(self, play):
        try:
            urllib.request.urlopen(os.environ["HW_DRS_ENDPOINT"] + "/mark", timeout=30)
        except urllib.error.HTTPError:
            pass
"""


def collect(sim: Simulator, job: str, token: str) -> str:
    """Start a query, and return its ID."""
    response = sim.session.post(
        f"{sim.url}/v5/{PROJECT}/jobs/{job}/collect-db-position",
        json={"reset_position_time": MOMENT},
        headers={"X-Auth-Token": token},
        timeout=30,
    )
    response.raise_for_status()
    return str(response.json()["id"])


def login(sim: Simulator) -> dict[str, str]:
    """Return the environment variables that the examples mention."""
    user = sim.cloud["users"][0]
    return {
        "HW_REGION_NAME": "eu-west-101",
        "HW_DOMAIN_NAME": sim.cloud["account"]["name"],
        "HW_USER_NAME": user["name"],
        "HW_USER_PASSWORD": user["password"],
    }


def run(
    sim: Simulator, folder: Path, command: list[str], environment: dict[str, str], code: int = 0, text: str = ""
) -> tuple[str, list[set[str]]]:
    """Run a command without the environment of this machine.

    :param code: the exit code that it must have.
    :param text: its standard input.
    :returns: Its output, and the DRS calls before the first play and in each play. Read-only calls are GET.
    """
    sim.forget_requests()
    (folder / "callback_plugins").mkdir(exist_ok=True)
    (folder / "callback_plugins/mark.py").write_text(MARK, encoding="utf-8")
    done = subprocess.run(
        command,
        cwd=folder,
        env={
            "PATH": PATH,
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "ANSIBLE_CALLBACK_PLUGINS": str(folder / "callback_plugins"),
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_VERBOSITY": "3",
            "HW_AUTH_URL": f"{sim.url}/v3",
            "HW_DRS_ENDPOINT": sim.url,
            **environment,
        },
        input=text,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=240,
        check=False,
    )
    assert done.returncode == code, done.stdout
    assert re.findall(r"\[(?:WARNING|DEPRECATION).*", done.stdout) == [], done.stdout
    assert leaked(secrets(sim), done.stdout) == []
    plays: list[set[str]] = [set()]
    for request in sim.requests():
        if request["path"] == "/mark":
            plays.append(set())
        elif request["path"].startswith("/v5/"):
            end = request["path"].rpartition("/")[2]
            plays[-1].add("GET" if request["method"] == "GET" or end == "filter" else end)
    return done.stdout, plays


class Webhook:
    """A server on loopback that keeps the texts that it is told."""

    def __init__(self) -> None:
        texts = self.texts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/team"


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    started = Webhook()
    thread = threading.Thread(target=started.server.serve_forever)
    thread.start()
    yield started
    started.server.shutdown()
    thread.join()
    started.server.server_close()


def changes(example: str) -> set[str]:
    """Return the calls with which an example changes something."""
    return set().union(*(calls for module, calls in CHANGES.items() if f"huaweicloud.drs.{module}:" in example))


def test_every_file_has_examples() -> None:
    assert {path for path, _block in EXAMPLES} == {*MODULES, README, GUIDE, RUNBOOK, FLEETS, ERRORS}
    assert len(INVENTORIES) == 2
    assert len(COMMANDS) == 2
    assert sorted(sum(GROUPS.values(), [])) == sorted(block for _path, block in EXAMPLES)


def settle(sim: Simulator) -> None:
    """Leave only two jobs running, so that the examples for all running jobs are fast."""
    sim.reset(collect_seconds=0, action_seconds=0)
    for job in sim.cloud["jobs"]:
        if job["status"] == "INCRE_TRANSFER_STARTED" and job["id"] not in (JOB, OTHER_JOB):
            sim.job(job["id"], status="PAUSING")


def environment_of(group: str, sim: Simulator, folder: Path) -> dict[str, str]:
    if group == "login in the environment":
        return login(sim)
    if group == "login in the task":
        return {}
    key = sim.key()
    (profile,) = blocks(GUIDE, "ini")
    profile = profile.replace("ak = ...", f"ak = {key['access_key']}").replace("sk = ...", f"sk = {key['secret_key']}")
    (folder / "credentials").write_text(profile, encoding="utf-8")
    return {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(folder / "credentials"), **sim.ecs}


@pytest.mark.parametrize(
    ("group", "options"),
    [*((group, []) for group in GROUPS), *((group, ["--check"]) for group in GROUPS if group.startswith("login"))],
    ids=str,
)
def test_examples(sim: Simulator, tmp_path: Path, webhook: Webhook, group: str, options: list[str]) -> None:
    """Run the examples of a group one after the other, each in its own play.

    In check mode, only the examples that register the result of a changing task are run: later tasks use that result.
    """
    settle(sim)
    examples = [text for text in GROUPS[group] if not options or ("  register: " in text and changes(text))]
    token, key = sim.token(), sim.key()
    queries = [{"job_id": job, "id": collect(sim, job, token)} for job in (JOB, OTHER_JOB)]
    variables: dict[str, Any] = {
        "vault_drs_password": sim.cloud["users"][0]["password"],
        "vault_huaweicloud_token": token,
        "vault_drs_access_key": key["access_key"],
        "vault_drs_secret_key": key["secret_key"],
        "drs_job_ids": [JOB, OTHER_JOB],
        "team_webhook": webhook.url,
        "queries": {"results": queries},
    }
    site = []
    for number, example in enumerate(examples):
        text = example.replace(SAMPLE_QUERY, queries[0]["id"])
        if not is_play(example):
            text = "- hosts: localhost\n  gather_facts: false\n  tasks:\n" + textwrap.indent(text, "    ")
        # Registered results belong to a host, so each example gets its own.
        text = text.replace("hosts: localhost", f"hosts: reader{number}")
        (tmp_path / f"{number}.yml").write_text(text, encoding="utf-8")
        # A variable passed from outside would override one that the example sets itself.
        given = {variable: value for variable, value in variables.items() if f"{{{{ {variable}" in example}
        site.append({"ansible.builtin.import_playbook": f"{number}.yml", "vars": given})
    (tmp_path / "site.yml").write_text(yaml.safe_dump(site), encoding="utf-8")
    readers = [f"reader{number} ansible_connection=local" for number in range(len(site))]
    local = f"[all:vars]\nansible_python_interpreter={sys.executable}\n"
    (tmp_path / "readers").write_text("\n".join([*readers, local]), encoding="utf-8")
    options = ["-i", "readers", *options]
    if any("hosts: localhost" not in example for example in examples if is_play(example)):
        (tmp_path / "shards.drs_jobs.yml").write_text(INVENTORIES[1], encoding="utf-8")
        options = ["-i", "shards.drs_jobs.yml", *options]

    jobs, environment = sim.cloud["jobs"], environment_of(group, sim, tmp_path)
    _output, (_inventory, *plays) = run(sim, tmp_path, ["ansible-playbook", "site.yml", *options], environment)
    if "--check" in options:
        assert plays == [{"GET"} for _example in examples]
        assert sim.cloud["jobs"] == jobs
    else:
        assert all(plays)
        assert [calls - {"GET"} for calls in plays] == [changes(example) for example in examples]
    told = [example for example in examples if "tell the team how it ended" in example and "--check" not in options]
    assert [text.strip() for text in webhook.texts] == ["Reset of orders-to-dws: running." for _example in told]
    # A job that was paused has been resumed, from the position that was set.
    repositioned = "--check" not in options and any("start-position" in calls for calls in plays)
    job = sim.job(JOB)
    assert (job["status"], job["start_position"]) == (
        "INCRE_TRANSFER_STARTED",
        "mysql-bin.000277:805" if repositioned else None,
    )


def test_inventories(sim: Simulator, tmp_path: Path) -> None:
    command = ["ansible-inventory", "--graph"]
    for number, inventory in enumerate(INVENTORIES):
        (tmp_path / f"{number}.drs_jobs.yml").write_text(inventory, encoding="utf-8")
        command += ["-i", f"{number}.drs_jobs.yml"]
    output, plays = run(sim, tmp_path, command, login(sim))
    assert plays == [{"GET"}]
    assert "orders-to-dws" in output


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
    output, _plays = run(sim, tmp_path, ["ansible-playbook", "shards.yml"], login(sim), code=2)
    for name, outcome in outcomes.items():
        assert f"{name} ({jobs[name]}): {outcome}. " in output
    found = json.loads((tmp_path / "positions.json").read_text(encoding="utf-8"))
    assert found == {job_id: "mysql-bin.000277:805" for name, job_id in jobs.items() if name not in outcomes}
    assert [request for request in sim.requests() if request["path"].endswith(f"{parent}/collect-db-position")] == []


def test_fleet_says_why_the_login_failed(sim: Simulator, tmp_path: Path) -> None:
    (tmp_path / "shards.yml").write_text(example(FLEETS, "Name each job that failed"), encoding="utf-8")
    environment = {**login(sim), "HW_USER_PASSWORD": "another"}
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
    environment = {**login(sim), "HW_USER_PASSWORD": "another"}
    output, _plays = run(sim, tmp_path, command, environment, code=2)
    assert re.search('(?m)^fatal: .*Assertion|"msg": "POST .*Check the password', output)


def test_rescue_tells_the_team(sim: Simulator, tmp_path: Path, webhook: Webhook) -> None:
    sim.reset(collect_seconds=0)
    purged = next(job["id"] for job in sim.cloud["jobs"] if job["name"] == "purged-to-dws")
    (tmp_path / "shards.yml").write_text(example(FLEETS, "rescue:"), encoding="utf-8")
    variables = json.dumps({"drs_job_ids": [JOB, purged], "team_webhook": webhook.url})
    run(sim, tmp_path, ["ansible-playbook", "shards.yml", "-e", variables], login(sim), code=2)
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
    run(sim, tmp_path, command, login(sim), code=2)
    (text,) = webhook.texts
    assert text.startswith("Reset of orders-to-dws: paused. ")
    assert "DRS.M00304" in text


def test_vault(sim: Simulator, tmp_path: Path) -> None:
    """The commands of the guide encrypt the file of variables, and run the playbook with it."""
    (tmp_path / ".vault-password").write_text("of-the-vault", encoding="utf-8")
    password = login(sim)["HW_USER_PASSWORD"]
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
    (user,) = (user for user in sim.cloud["users"] if user["name"] == "drs-only")
    printed, _plays = run(sim, tmp_path, ["bash", "-c", encrypt], {}, text=user["password"])
    encrypted = re.search(r"^password: !vault \|\n(?: +\S+\n?)+", printed, re.MULTILINE)
    assert encrypted, printed
    inventory, replaced = re.subn(
        r"^password: !vault \|\n(?: +\S+\n?)+", encrypted[0], VAULT_INVENTORY, flags=re.MULTILINE
    )
    assert replaced == 1
    (tmp_path / "shards.drs_jobs.yml").write_text(inventory, encoding="utf-8")
    # The password is not that of the default user, so the template must have been evaluated.
    output, _plays = run(sim, tmp_path, ["bash", "-c", graph], {"DRS_USER": user["name"]})
    assert "orders-to-dws" in output


def test_deleted_job_of_the_errors(sim: Simulator, tmp_path: Path) -> None:
    task = example(ERRORS, "that may have been deleted").replace(JOB, f"00000000{JOB[8:]}")
    play = "- hosts: localhost\n  gather_facts: false\n  tasks:\n" + textwrap.indent(task, "    ")
    (tmp_path / "play.yml").write_text(play, encoding="utf-8")
    run(sim, tmp_path, ["ansible-playbook", "play.yml"], login(sim))
    run(sim, tmp_path, ["ansible-playbook", "play.yml"], {**login(sim), "HW_USER_PASSWORD": "another"}, code=2)


# The tests above run those with a vault, and those with Galaxy cannot be run.
GUIDE_COMMANDS = [
    command
    for path in (GUIDE, RUNBOOK, FLEETS, ERRORS, TROUBLESHOOTING)
    for command in commands(path)
    if not re.match("export |ansible-vault |ansible-galaxy |.*--vault", command)
]


@pytest.mark.parametrize("command", GUIDE_COMMANDS)
def test_command_of_a_guide(sim: Simulator, tmp_path: Path, command: str) -> None:
    settle(sim)
    if "action=retry" in command:
        sim.job(JOB, status="PAUSING")
    (tmp_path / "shards.txt").write_text(f"{JOB}\n{OTHER_JOB}\n", encoding="utf-8")
    (tmp_path / "shards.drs_jobs.yml").write_text(INVENTORIES[1], encoding="utf-8")
    if "reset_sync_position" in command and "--check" not in command:
        command += " -e drs_confirm=true"  # in place of the answer of a reader
    output, _plays = run(sim, tmp_path, ["bash", "-c", command], login(sim))
    if "+0800" in command:
        assert output == f"{MOMENT}\n"
    if "include=" in command:
        assert '"start_position": ' in output
    if "-vvv" in command:
        assert re.search('"request_id|"password": "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"|"auth_method": "auto"', output)


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_readme(sim: Simulator, tmp_path: Path, command: str) -> None:
    sim.reset(collect_seconds=0, action_seconds=0)
    given = shlex.split(command.replace("/tmp/drs-demo", str(tmp_path)))
    _output, plays = run(sim, tmp_path, given, login(sim))
    more = {"action", "start-position"} if "reset_sync_position" in command else set()
    assert set().union(*plays) - {"GET"} == {"collect-db-position", *more}


def shown(tasks: list[dict[str, Any]]) -> list[str]:
    """Return the names of the tasks in the order of the output when no task fails. Skipped tasks are hidden."""
    found: list[str] = []
    for task in tasks:
        if task["name"] in ("Find the job by its name", "Show the result of check mode"):
            continue
        included = task.get("ansible.builtin.include_tasks", "")
        if isinstance(included, dict):
            included = included["file"]
        # The README shows the playbook for one job.
        file = task.get("ansible.builtin.import_tasks") or re.sub("{{.*}}", "one", included)
        if file:
            found += [task["name"]] if included else []
            found += shown(yaml.safe_load((PLAYBOOK.parent / "tasks" / Path(file).name).read_text(encoding="utf-8")))
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
    for absent in ("GTID set", "Warning"):
        labels.remove(absent)
    assert rows.findall(block) == [*labels, "pause", "set_position", "retry"]
