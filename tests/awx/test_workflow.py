# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job templates and the workflow, run with ansible-runner as AWX runs them. What AWX does between the jobs is in rules.py."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml
from awx import rules
from awx.rules import PROJECT, definition
from simulator.client import Simulator

TYPE = definition("credential_type")
TEMPLATES = {template["name"]: template for template in definition("job_templates")}
WORKFLOW = definition("workflow")
NODES = {node["identifier"]: node for node in WORKFLOW["nodes"]}

JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
TIME = "2023-09-19T07:00:00Z"
POSITION = "mysql-bin.000277:805"

# awx/main/models/inventory.py, get_script_data: an inventory without hosts.
INVENTORY = """#! /bin/sh
echo '{"_meta": {"hostvars": {}}, "all": {"hosts": []}}'
"""


class Unsafe(yaml.SafeDumper):
    """AWX lets nobody who answers a survey write a template (awx/main/utils/safe_yaml.py)."""


Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


@dataclass
class Job:
    """What AWX keeps of a job."""

    status: str
    said: str
    artifacts: dict[str, Any]
    left: dict[str, str]


Launch = Callable[..., Job]


@pytest.fixture(scope="session")
def synced(tarball: Path) -> Path:
    """A project as AWX has it after an update (awx/playbooks/project_update.yml): its files, and beside them what its requirements name."""
    place = tarball.parent / "synced"
    shutil.copytree(PROJECT, place / "project")
    required = place / "project/collections/requirements.yml"
    names = [item["name"] for item in rules.load(required)["collections"]]
    assert names == ["huaweicloud.drs"]
    # Galaxy is out of reach: the same, from the tarball that would be published there.
    required.write_text(yaml.safe_dump({"collections": [{"name": str(tarball), "type": "file"}]}), encoding="utf-8")
    subprocess.run(
        [
            "ansible-galaxy",
            "collection",
            "install",
            "--offline",
            "--force",
            "-r",
            str(required),
            "-p",
            str(place / "requirements_collections"),
        ],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return place


@pytest.fixture
def launch(sim: Simulator, synced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Launch:
    """Run a job as AWX does (awx/main/tasks/jobs.py), with a credential of our type."""
    monkeypatch.setenv("HOME", str(tmp_path))
    count = 0

    def run(name: str, variables: dict[str, Any], credential: dict[str, str], workflow: str | None = None) -> Job:
        nonlocal count
        count += 1
        place = tmp_path / f"awx_{count}"
        shutil.copytree(synced, place)
        for folder in ("env", "inventory"):
            (place / folder).mkdir()
        hosts = place / "inventory/hosts"
        hosts.write_text(INVENTORY, encoding="utf-8")
        hosts.chmod(0o700)
        given = {**variables, **rules.meta_variables(name, count, workflow)}
        (place / "env/extravars").write_text(yaml.dump(given, Dumper=Unsafe), encoding="utf-8")
        addresses = {"endpoint": sim.url, "iam_endpoint": f"{sim.url}/v3"}
        done = ansible_runner.run(
            private_data_dir=str(place),
            playbook=TEMPLATES[name]["playbook"],
            ident=str(count),
            quiet=True,
            verbosity=4,
            suppress_env_files=True,
            timeout=120,
            envvars={
                "ANSIBLE_COLLECTIONS_PATH": f"{place}/requirements_collections:~/.ansible/collections:/usr/share/ansible/collections",
                "ANSIBLE_FORCE_COLOR": "True",
                "ANSIBLE_HOST_KEY_CHECKING": "False",
                "ANSIBLE_RETRY_FILES_ENABLED": "False",
                "AWX_PRIVATE_DATA_DIR": str(place),
                "INVENTORY_ID": "1",
                "JOB_ID": str(count),
                **rules.inject(TYPE, {**addresses, **credential}),
            },
        )
        events = list(done.events)
        places = {event["event_data"]["task_path"] for event in events if event["event"] == "playbook_on_task_start"}
        assert all(path.startswith(f"{place}/requirements_collections/") for path in places), (
            "The collection is not the one of the project."
        )
        (stats,) = (event for event in events if event["event"] == "playbook_on_stats")
        texts = {
            str(path): path.read_text(encoding="utf-8", errors="replace")
            for path in place.rglob("*")
            if path.is_file() and synced not in path.parents
        }
        left = {path: text for path, text in texts.items() if "/requirements_collections/" not in path}
        # The environment, which ansible-runner writes down itself, is its own affair. AWX hides in it what the credential type calls secret.
        for path, text in left.items():
            if path.endswith("/command"):
                assert all(value in text for value in credential.values())
                left[path] = json.dumps({**json.loads(text), "env": None})
        said = re.sub(r"\x1b\[[0-9;]*m", "", left[f"{place}/artifacts/{count}/stdout"])
        return Job(done.status, said, stats["event_data"].get("artifact_data", {}), left)

    return run


def login(sim: Simulator) -> dict[str, str]:
    return {
        "region": "eu-west-101",
        "domain_name": sim.cloud["account"]["name"],
        "username": "drs-operator",
        "password": sim.cloud["users"][0]["password"],
    }


def key(sim: Simulator) -> dict[str, str]:
    temporary = next(item for item in sim.cloud["access_keys"] if item.get("security_token"))
    return {
        "region": "eu-west-101",
        **{name: temporary[name] for name in ("access_key", "secret_key", "security_token")},
    }


def secrets(sim: Simulator) -> set[str]:
    """What the cloud knows, and what it has been sent."""
    found: set[str | None] = {user["password"] for user in sim.cloud["users"]}
    for item in sim.cloud["access_keys"]:
        found |= {item["access_key"], item["secret_key"], item.get("security_token")}
    for request in sim.requests():
        found |= {request["headers"].get(name, "") for name in ("x-auth-token", "x-security-token")}
        found |= set(re.findall(r"(?:Access|Signature)=(\w+)", request["headers"].get("authorization", "")))
    return {secret for secret in found if secret}


def changes(sim: Simulator) -> list[tuple[str, Any]]:
    """What DRS was asked to change."""
    asked = [request for request in sim.requests() if request["method"] != "GET" and "/v5/" in request["path"]]
    return [(request["path"].rpartition("/")[2], json.loads(request["body"])) for request in asked]


def refuse_secrets(sim: Simulator, *jobs: Job) -> None:
    hidden = secrets(sim)
    assert (
        hidden & {item for job in jobs for item in [*job.artifacts, *job.artifacts.values()] if isinstance(item, str)}
        == set()
    )
    for job in jobs:
        assert any(path.endswith("/stdout") for path in job.left)
        assert [
            (path, secret)
            for path, text in job.left.items()
            for secret in hidden
            if secret in text or json.dumps(secret)[1:-1] in text
        ] == []


def test_workflow(sim: Simulator, launch: Launch) -> None:
    sim.reset(collect_seconds=0, action_seconds=0)
    answers = {"drs_job_id": JOB, "drs_reset_position_time": TIME}
    assert rules.accepted(WORKFLOW, answers) == rules.job_variables(WORKFLOW, answers) == answers

    # The job whose turn it is has the answers, its node's own variables, and what the jobs before have handed on.
    handed_on: list[dict[str, Any]] = []
    jobs: dict[str, Job] = {}
    node = NODES["collect"]
    while True:
        if "job_template" in node:
            template = TEMPLATES[node["job_template"]]
            variables = rules.node_variables(template, node, handed_on, answers)
            jobs[node["identifier"]] = job = launch(template["name"], variables, login(sim), WORKFLOW["name"])
            assert job.status == "successful", job.said
            handed_on.append(job.artifacts)
        else:
            assert changes(sim) == [("collect-db-position", {"reset_position_time": TIME})], (
                "Something was changed before the approval."
            )
            assert handed_on[0]["drs_position"] == POSITION
        if "success_nodes" not in node:
            break
        (following,) = node["success_nodes"]
        node = NODES[following]

    assert list(jobs) == ["collect", "apply"]
    assert variables["drs_position"] == POSITION
    assert [name for name, _body in changes(sim)] == ["collect-db-position", "action", "start-position", "action"]
    assert changes(sim)[2][1] == {"file_and_position": POSITION}
    assert sim.job(JOB)["status"] == "INCRE_TRANSFER_STARTED"
    assert set(jobs["collect"].artifacts) == {"drs_position", "drs_position_id", "drs_position_status"}
    assert jobs["apply"].artifacts["drs_report"]["result"] == "done"
    asked = {
        question["variable"] for item in [*TEMPLATES.values(), WORKFLOW] for question in item["survey_spec"]["spec"]
    }
    assert asked & {name for job in jobs.values() for name in job.artifacts} == set()
    refuse_secrets(sim, *jobs.values())


def test_without_the_approval(sim: Simulator, launch: Launch) -> None:
    """Nothing but the approved node's variable confirms: with the position alone the job is refused, at a terminal that nobody looks at."""
    template = TEMPLATES["Apply position"]
    answers = {"drs_job_id": JOB, "drs_reset_position_time": TIME}
    variables = rules.node_variables(template, {}, [{"drs_position": POSITION}], answers)
    before = sim.job(JOB)
    job = launch(template["name"], variables, key(sim), WORKFLOW["name"])
    # Had it waited for an answer, ansible-runner's time limit would have ended it ("timeout").
    assert job.status == "failed", job.said
    assert "It was not confirmed" in job.said
    assert job.artifacts["drs_report"]["result"] == "failed"
    assert changes(sim) == []
    assert sim.job(JOB) == before
    refuse_secrets(sim, job)


def test_apply_position_by_itself(sim: Simulator, launch: Launch) -> None:
    """For a source with gtid_mode on: the query of a job before, and the GTID set that somebody has looked up."""
    sim.reset(collect_seconds=0, action_seconds=0)
    answer = sim.session.post(
        f"{sim.url}/v5/054ba152d480d55b2f5dc0069e7ddef0/jobs/{JOB}/collect-db-position",
        json={"reset_position_time": TIME},
        headers={"X-Auth-Token": sim.token()},
        timeout=30,
    )
    answer.raise_for_status()
    sim.forget_requests()
    template = TEMPLATES["Apply position"]
    answers = {
        "drs_job_id": JOB,
        "drs_query_id": answer.json()["id"],
        "drs_confirm": "true",
        "drs_gtid_set": "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
    }
    assert rules.accepted(template, answers) == answers
    job = launch(template["name"], rules.job_variables(template, answers), key(sim))
    assert job.status == "successful", job.said
    assert [name for name, _body in changes(sim)] == ["action", "start-position", "action"]
    assert changes(sim)[1][1] == {"file_and_position": POSITION, "gtid_set": answers["drs_gtid_set"]}
    refuse_secrets(sim, job)
