# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every example of the documentation is run unchanged, except for the values that a reader would replace."""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest
import yaml
from demo.demo import MESSAGES
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.plugins.module_utils._reset import ADVICE
from ansible_collections.huaweicloud.drs.tests.conformance.runs import (
    JOB,
    MOMENT,
    PATH,
    PROJECT,
    Webhook,
    leaked,
    secrets,
)

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "README.md"
GUIDE = ROOT / "docs/docsite/rst/guide_authentication.rst"
FLEETS = ROOT / "docs/docsite/rst/guide_fleets.rst"
RUNBOOK = ROOT / "docs/docsite/rst/guide_migration_runbook.rst"
ERRORS = ROOT / "docs/docsite/rst/guide_errors.rst"
TEMPLATE = ROOT / "playbooks/templates/reset_sync_position.md.j2"
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


# Modules and guides show plays and tasks. The README may show any YAML. tests/integration/ runs the runbook of the
# guide, which imports playbooks.
EXAMPLES = [
    (path, block)
    for path in [*MODULES, README, GUIDE, RUNBOOK, FLEETS, ERRORS]
    for block in blocks(path, "yaml")
    if "import_playbook" not in block
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
INVENTORIES = [block for path in [INVENTORY, FLEETS] for block in blocks(path, "yaml") if "\nplugin: " in block]


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
        timeout=250,
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
        return sim.user
    if group == "login in the task":
        return {}
    key = sim.key()
    (profile,) = blocks(GUIDE, "ini")
    profile = profile.replace("ak = ...", f"ak = {key['access_key']}").replace("sk = ...", f"sk = {key['secret_key']}")
    (folder / "credentials").write_text(profile, encoding="utf-8")
    return {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(folder / "credentials"), **sim.ecs}


@pytest.mark.parametrize(
    ("group", "options"),
    [
        *((group, []) for group in GROUPS),
        *(pytest.param(group, ["--check"], marks=pytest.mark.slow) for group in GROUPS if group.startswith("login")),
    ],
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
    output, plays = run(sim, tmp_path, command, sim.user)
    assert plays == [{"GET"}]
    assert "orders-to-dws" in output


MASKED = re.compile(r"\(query [^)]*\)|/\S*/report.md|(?<=http://127\.0\.0\.1:)\d+")


@pytest.mark.parametrize("command", COMMANDS)
def test_command_of_the_readme(sim: Simulator, tmp_path: Path, command: str) -> None:
    """It also prints the messages that the README shows, as in the demo."""
    sim.reset(collect_seconds=0, action_seconds=0)
    given = shlex.split(command.replace("/tmp/drs-demo", str(tmp_path)))
    output, plays = run(sim, tmp_path, given, {**sim.user, "ANSIBLE_VERBOSITY": "0"})
    more = {"action", "start-position"} if "reset_sync_position" in command else set()
    assert set().union(*plays) - {"GET"} == {"collect-db-position", *more}
    (block,) = (block for block in blocks(README, "console") if command in block)
    shown = block.partition(f"{command}\n")[2].partition("$ ")[0].splitlines()
    messages = re.findall(MESSAGES, output, re.MULTILINE)
    assert [MASKED.sub("", message) for message in messages] == [MASKED.sub("", line) for line in shown]


def test_report_in_the_guide() -> None:
    (block,) = blocks(RUNBOOK, "markdown")
    rows = re.compile(r"^\| ([\w ,()]+) \|", re.MULTILINE)
    labels = rows.findall(TEMPLATE.read_text(encoding="utf-8"))
    for absent in ("GTID set", "Warning"):
        labels.remove(absent)
    assert rows.findall(block) == [*labels, "pause", "set_position", "retry"]


def test_diagram_of_the_readme() -> None:
    """It has the states of a reset, in the order in which one reaches them."""
    (diagram,) = blocks(README, "mermaid")
    assert sorted(re.findall(r"--> (\w+):", diagram)) == sorted(ADVICE)
    assert [state for state in ADVICE if state in re.findall(r"^ +(\w+) -->", diagram, re.MULTILINE)] == [
        "unchanged",
        "paused",
        "position_set",
        "running",
    ]


def test_length_of_the_readme() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


def test_content_of_the_readme() -> None:
    readme = README.read_text(encoding="utf-8")
    listed = re.findall(r"^\| \[(\w+)\]\(([\w/.]+)\) \|", readme, re.MULTILINE)
    content = [*MODULES, INVENTORY, *ROOT.glob("playbooks/*.yml")]
    assert sorted(listed) == sorted((path.stem, str(path.relative_to(ROOT))) for path in content)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "SECURITY.md", "CODE_OF_CONDUCT.md"])
def test_links(name: str) -> None:
    """They lead to files of this repository, and to headings that exist."""
    for target in re.findall(r"\]\(([^)]+)\)", (ROOT / name).read_text(encoding="utf-8")):
        if not target.startswith("https://"):
            path, _separator, anchor = target.partition("#")
            text = (ROOT / path).read_text(encoding="utf-8")
            headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
            assert not anchor or anchor in [heading.lower().replace(" ", "-") for heading in headings]
