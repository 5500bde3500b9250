# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook awx_setup, with the modules of awx.awx, against the stub of the AWX API."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from awx.rules import PROJECT, definition, looks_like_playbook
from awx.stub import PASSWORD, USER, Awx, stub
from requests import Session

URL = "https://git.example.com/drs.git"
TYPE = definition("credential_type")
TEMPLATES = definition("job_templates")
WORKFLOW = definition("workflow")
NAME = "Huawei Cloud DRS"


@pytest.fixture(scope="session")
def collections(tarball: Path) -> Path:
    place = tarball.parent / "installed"
    subprocess.run(
        ["ansible-galaxy", "collection", "install", "--offline", "--force", "-p", str(place), str(tarball)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return place


@pytest.fixture
def awx() -> Iterator[Awx]:
    with stub({path.name for path in PROJECT.glob("*.yml") if looks_like_playbook(path)}) as running:
        yield running
        assert running.tokens == {}, "A module did not revoke its token."


def set_up(
    awx: Awx, collections: Path, fails: bool = False, environment: dict[str, str] | None = None, **variables: str
) -> tuple[str, int]:
    """Run the playbook. Return its output and the number of changed tasks."""
    done = subprocess.run(
        ["ansible-playbook", "huaweicloud.drs.awx_setup", "--extra-vars", json.dumps(variables)],
        cwd=collections,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(collections),
            "LANG": "C.UTF-8",
            "NO_PROXY": "127.0.0.1",
            "ANSIBLE_COLLECTIONS_PATH": str(collections),
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_PIPELINING": "true",
            "CONTROLLER_HOST": awx.url,
            "CONTROLLER_USERNAME": USER,
            "CONTROLLER_PASSWORD": PASSWORD,
            **(environment or {}),
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert (done.returncode != 0) == fails, done.stdout
    assert PASSWORD not in done.stdout
    counted = re.search(r"changed=(\d+)", done.stdout)
    return done.stdout, int(counted[1]) if counted else 0


def test_twice(awx: Awx, collections: Path) -> None:
    image = "registry.example.com/drs:1"
    given = {"drs_awx_project_scm_url": URL, "drs_awx_execution_environment_image": image}
    output, changed = set_up(awx, collections, **given)
    tasks = re.findall(r"^TASK \[(.*)\]", output, re.MULTILINE)
    assert tasks[:2] == ["Check the variables", "Set up"]
    assert changed == len(tasks[2:]) > 5
    assert re.findall(r"\[(?:WARNING|DEPRECATION).*", output) == []

    # Everything exists as defined.
    kind = awx.named("credential_types", TYPE["name"])
    assert {name: kind[name] for name in ("kind", "inputs", "injectors")} == {
        name: TYPE[name] for name in ("kind", "inputs", "injectors")
    }
    credential = awx.named("credentials", NAME)
    assert (credential["credential_type"], credential["inputs"]) == (kind["id"], {})
    environment = awx.named("execution_environments", NAME)
    assert environment["image"] == image
    project = awx.named("projects", NAME)
    assert (project["scm_type"], project["scm_url"]) == ("git", URL)
    for template in TEMPLATES:
        item = awx.named("job_templates", template["name"])
        assert awx.surveys[item["id"]] == template["survey_spec"]
        assert awx.associated[item["id"], "credentials"] == [credential["id"]]
        assert item["ask_tags_on_launch"] == template.get("ask_tags_on_launch", False)
        assert {
            name: item[name]
            for name in ("playbook", "job_type", "survey_enabled", "ask_job_type_on_launch", "ask_variables_on_launch")
        } == {
            "playbook": template["playbook"],
            "job_type": "run",
            "survey_enabled": True,
            "ask_job_type_on_launch": True,
            "ask_variables_on_launch": False,
        }
        assert item["inventory"] == awx.named("inventories", NAME)["id"]
        assert (item["project"], item["execution_environment"]) == (project["id"], environment["id"])
    workflow = awx.named("workflow_job_templates", WORKFLOW["name"])
    assert awx.surveys[workflow["id"]] == WORKFLOW["survey_spec"]
    assert (workflow["survey_enabled"], workflow["ask_variables_on_launch"]) == (True, False)
    owners = [
        awx.objects[name].values()
        for name in ("credentials", "inventories", "execution_environments", "projects", "workflow_job_templates")
    ]
    assert {item["organization"] for items in owners for item in items} == {awx.named("organizations", "Default")["id"]}
    nodes = {
        node["identifier"]: awx.named("workflow_job_template_nodes", node["identifier"]) for node in WORKFLOW["nodes"]
    }
    for node in WORKFLOW["nodes"]:
        item = nodes[node["identifier"]]
        assert item["workflow_job_template"] == workflow["id"]
        assert item["extra_data"] == node.get("extra_data", {})
        assert awx.associated.get((item["id"], "success_nodes"), []) == [
            nodes[name]["id"] for name in node.get("success_nodes", [])
        ]
        if "approval" in node:
            approval = awx.objects["workflow_approval_templates"][item["unified_job_template"]]
            assert {name: approval[name] for name in node["approval"]} == node["approval"]
        else:
            assert item["unified_job_template"] == awx.named("job_templates", node["job_template"])["id"]

    # A user fills in the credential. The second run changes nothing, including the credential.
    credential["inputs"] = {"region": "eu-west-101", "password": "a-password"}
    before = deepcopy((awx.objects, awx.surveys, awx.associated))
    awx.changes.clear()
    output, changed = set_up(awx, collections, **given)
    assert changed == 0, output
    # awx.awx sends an inventory again, with a null for what AWX shows as empty text.
    assert [change for change in awx.changes if "/inventories/" not in change] == []
    assert before == (awx.objects, awx.surveys, awx.associated)

    # Only manual changes are corrected.
    template = awx.named("job_templates", "Apply position")
    template["ask_variables_on_launch"] = True
    awx.surveys[workflow["id"]] = {**WORKFLOW["survey_spec"], "name": "Another"}
    nodes["apply"] = awx.named("workflow_job_template_nodes", "apply")
    nodes["apply"]["extra_data"] = {}
    output, changed = set_up(awx, collections, **given)
    assert changed == 3, output
    assert before == (awx.objects, awx.surveys, awx.associated)


def test_custom_names(awx: Awx, collections: Path) -> None:
    """Existing objects are used, and an empty variable counts as not set."""
    organization = awx.save("organizations", {}, {"name": "Databases"})["id"]
    inventory = awx.save(
        "inventories", {}, {"name": "Nothing", "organization": organization, "description": "not ours"}
    )
    environment = awx.save("execution_environments", {}, {"name": "Ours", "image": "registry.example.com/ours:3"})
    scm = awx.save(
        "credential_types", {}, {"name": "Source Control", "kind": "cloud", "inputs": {"fields": []}, "injectors": {}}
    )
    git = awx.save("credentials", {}, {"name": "git", "credential_type": scm["id"], "organization": organization})
    set_up(
        awx,
        collections,
        drs_awx_project_scm_url=URL,
        drs_awx_project_scm_branch="main",
        drs_awx_project_scm_credential="git",
        drs_awx_organization="Databases",
        drs_awx_inventory="Nothing",
        drs_awx_execution_environment="Ours",
        drs_awx_execution_environment_image="",
        drs_awx_project="DRS project",
        drs_awx_credential="DRS operator",
    )
    assert awx.shown("inventories", awx.named("inventories", "Nothing")) == inventory
    assert awx.shown("execution_environments", awx.named("execution_environments", "Ours")) == environment
    project = awx.named("projects", "DRS project")
    assert (project["organization"], project["scm_branch"], project["credential"]) == (organization, "main", git["id"])
    for item in awx.objects["job_templates"].values():
        assert (item["project"], item["execution_environment"]) == (project["id"], environment["id"])
        assert awx.associated[item["id"], "credentials"] == [awx.named("credentials", "DRS operator")["id"]]


def test_without_a_repository(awx: Awx, collections: Path) -> None:
    output, _changed = set_up(awx, collections, fails=True, drs_awx_project_scm_url="")
    assert "set drs_awx_project_scm_url" in " ".join(output.split())
    assert awx.changes == []


def test_without_awx_awx(awx: Awx, collections: Path) -> None:
    output, _changed = set_up(
        awx,
        collections,
        fails=True,
        environment={"ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false"},
        drs_awx_project_scm_url=URL,
    )
    assert "awx.awx.credential_type" in output
    assert awx.changes == []


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        (
            "credential_types",
            {"name": "x", "kind": "cloud", "inputs": {"fields": []}, "injectors": {"env": {"PATH": "x"}}},
            "not allowed",
        ),
        ("job_templates", {"name": "x", "playbook": "collect_position.yml"}, "Playbook not found"),
        (
            "workflow_job_template_nodes",
            {"identifier": "x", "extra_data": {"drs_confirm": "true"}},
            "not allowed on launch",
        ),
        ("organizations/1", {}, "not allowed"),
        ("nothing", {}, "Not found"),
    ],
)
def test_the_stub_rejects(awx: Awx, path: str, body: dict[str, Any], reason: str) -> None:
    with Session() as session:
        session.trust_env = False
        assert session.post(f"{awx.url}/api/v2/{path}/", json=body, timeout=10).status_code == 401
        response = session.post(f"{awx.url}/api/v2/{path}/", json=body, auth=(USER, PASSWORD), timeout=10)
    assert response.status_code >= 400
    assert reason in response.text
