# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job templates and the workflow, run with ansible-runner like in AWX. rules.py does what AWX does between jobs."""

from __future__ import annotations

import json
import os
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
    """Answers to a survey are never templated (awx/main/utils/safe_yaml.py)."""


Unsafe.add_representer(str, lambda dumper, text: dumper.represent_scalar("!unsafe", text))


@dataclass
class Job:
    """The results of a job that AWX keeps."""

    status: str
    output: str
    artifacts: dict[str, Any]
    left: dict[str, str]


Launch = Callable[..., Job]


@pytest.fixture(scope="session")
def synced(tarball: Path) -> Path:
    """A project after an update (awx/playbooks/project_update.yml): its files and the collections that it requires."""
    place = tarball.parent / "synced"
    shutil.copytree(PROJECT, place / "project")
    required = place / "project/collections/requirements.yml"
    names = [item["name"] for item in rules.load(required)["collections"]]
    assert names == ["huaweicloud.drs"]
    # Galaxy cannot be reached. This installs the tarball that would be published there.
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
def launch(
    sim: Simulator, synced: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> Launch:
    """Run a job like AWX (awx/main/tasks/jobs.py), with a credential of the collection's type."""
    monkeypatch.setenv("HOME", str(tmp_path))
    ansible = pytestconfig.getoption("--ansible")
    monkeypatch.setenv("PATH", f"{ansible}{os.pathsep}{os.environ['PATH']}")
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
                "ANSIBLE_COLLECTIONS_PATH": ":".join(
                    [f"{place}/requirements_collections", "~/.ansible/collections", "/usr/share/ansible/collections"]
                ),
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
            "The collection is not the one that the project installed."
        )
        (stats,) = (event for event in events if event["event"] == "playbook_on_stats")
        texts = {
            str(path): path.read_text(encoding="utf-8", errors="replace")
            for path in place.rglob("*")
            if path.is_file() and synced not in path.parents
        }
        left = {path: text for path, text in texts.items() if "/requirements_collections/" not in path}
        # ansible-runner itself records the environment. AWX masks the secret fields of the credential type in it.
        for path, text in left.items():
            if path.endswith("/command"):
                assert all(value in text for value in credential.values())
                left[path] = json.dumps({**json.loads(text), "env": None})
        output = re.sub(r"\x1b\[[0-9;]*m", "", left[f"{place}/artifacts/{count}/stdout"])
        assert f"executable location = {ansible}/ansible-playbook" in output
        return Job(done.status, output, stats["event_data"].get("artifact_data", {}), left)

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
    """Return the secrets that the cloud stores or has received."""
    found: set[str | None] = {user["password"] for user in sim.cloud["users"]}
    for item in sim.cloud["access_keys"]:
        found |= {item["access_key"], item["secret_key"], item.get("security_token")}
    for request in sim.requests():
        found |= {request["headers"].get(name, "") for name in ("x-auth-token", "x-security-token")}
        found |= set(re.findall(r"(?:Access|Signature)=(\w+)", request["headers"].get("authorization", "")))
    return {secret for secret in found if secret}


def changes(sim: Simulator) -> list[tuple[str, Any]]:
    """Return the requests that change something in DRS."""
    asked = [request for request in sim.requests() if request["method"] != "GET" and "/v5/" in request["path"]]
    return [(request["path"].rpartition("/")[2], json.loads(request["body"])) for request in asked]


def assert_no_secrets(sim: Simulator, *jobs: Job) -> None:
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

    # Each job gets the answers, the variables of its node, and the artifacts of the earlier jobs.
    artifacts: list[dict[str, Any]] = []
    jobs: dict[str, Job] = {}
    node = NODES["collect"]
    while True:
        if "job_template" in node:
            template = TEMPLATES[node["job_template"]]
            variables = rules.node_variables(template, node, artifacts, answers)
            jobs[node["identifier"]] = job = launch(template["name"], variables, login(sim), WORKFLOW["name"])
            assert job.status == "successful", job.output
            artifacts.append(job.artifacts)
        else:
            assert changes(sim) == [("collect-db-position", {"reset_position_time": TIME})], (
                "Something was changed before the approval."
            )
            assert artifacts[0]["drs_position"] == POSITION
        if "success_nodes" not in node:
            break
        (following,) = node["success_nodes"]
        node = NODES[following]

    assert list(jobs) == ["collect", "apply"]
    assert variables["drs_collected"]["position"] == POSITION
    assert [name for name, _body in changes(sim)] == ["collect-db-position", "action", "start-position", "action"]
    assert changes(sim)[2][1] == {"file_and_position": POSITION}
    assert sim.job(JOB)["status"] == "INCRE_TRANSFER_STARTED"
    assert set(jobs["collect"].artifacts) == {
        "drs_collected",
        "drs_position",
        "drs_position_id",
        "drs_position_status",
    }
    assert jobs["apply"].artifacts["drs_report"]["result"] == "done"
    asked = {
        question["variable"] for item in [*TEMPLATES.values(), WORKFLOW] for question in item["survey_spec"]["spec"]
    }
    assert asked & {name for job in jobs.values() for name in job.artifacts} == set()
    assert_no_secrets(sim, *jobs.values())


def test_without_the_approval(sim: Simulator, launch: Launch) -> None:
    """Only the variable of the approved node confirms the reset. Without it, the job fails instead of prompting."""
    template = TEMPLATES["Apply position"]
    answers = {"drs_job_id": JOB, "drs_reset_position_time": TIME}
    collected = {"job_id": JOB, "time": TIME, "id": "1", "status": "success", "position": POSITION}
    variables = rules.node_variables(template, {}, [{"drs_collected": collected}], answers)
    before = sim.job(JOB)
    job = launch(template["name"], variables, key(sim), WORKFLOW["name"])
    # If it had prompted, ansible-runner would have ended it with the status "timeout".
    assert job.status == "failed", job.output
    assert "The reset was not confirmed" in job.output
    assert job.artifacts["drs_report"]["result"] == "failed"
    assert changes(sim) == []
    assert sim.job(JOB) == before
    assert_no_secrets(sim, job)


def test_apply_position_by_itself(sim: Simulator, launch: Launch) -> None:
    """For a source with gtid_mode on: with the query of an earlier job, and a GTID set that was looked up."""
    sim.reset(collect_seconds=0, action_seconds=0)
    response = sim.session.post(
        f"{sim.url}/v5/054ba152d480d55b2f5dc0069e7ddef0/jobs/{JOB}/collect-db-position",
        json={"reset_position_time": TIME},
        headers={"X-Auth-Token": sim.token()},
        timeout=30,
    )
    response.raise_for_status()
    sim.forget_requests()
    template = TEMPLATES["Apply position"]
    answers = {
        "drs_job_id": JOB,
        "drs_use_query_id": response.json()["id"],
        "drs_confirm": "true",
        "drs_use_gtid_set": "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5",
    }
    assert rules.accepted(template, answers) == answers
    job = launch(template["name"], rules.job_variables(template, answers), key(sim))
    assert job.status == "successful", job.output
    assert [name for name, _body in changes(sim)] == ["action", "start-position", "action"]
    assert changes(sim)[1][1] == {"file_and_position": POSITION, "gtid_set": answers["drs_use_gtid_set"]}
    assert_no_secrets(sim, job)
