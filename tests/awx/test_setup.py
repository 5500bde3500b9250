# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook awx_setup, with the modules of awx.awx, against the stub of the AWX API."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from awx.rules import PROJECT, definition, looks_like_playbook
from awx.stub import GIT_ERROR, PASSWORD, USER, Awx, Refused, Repository, stub
from requests import Response, Session

URL = "https://git.example.com/drs.git"
TYPE = definition("credential_type")
TEMPLATES = definition("job_templates")
WORKFLOW = definition("workflow")
NAME = "Huawei Cloud DRS"
ANSWERS = {"drs_job_id": "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r", "drs_reset_position_time": "2023-09-19T07:00:00Z"}
# A run of the playbook executes some twenty modules.
pytestmark = pytest.mark.timeout(900)


def session() -> Session:
    client = Session()
    client.trust_env = False
    client.auth = (USER, PASSWORD)
    return client


def post(awx: Awx, path: str, body: dict[str, Any]) -> Response:
    with session() as client:
        return client.post(f"{awx.url}/api/v2/{path}/", json=body, timeout=10)


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
    with stub(Repository({path.name for path in PROJECT.glob("*.yml") if looks_like_playbook(path)})) as running:
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
    assert "token-of-awx" not in done.stdout
    counted = re.search(r"changed=(\d+)", done.stdout)
    return done.stdout, int(counted[1]) if counted else 0


def test_reserved_variable(awx: Awx, collections: Path) -> None:
    """Otherwise, it would take the place of a result or of a definition."""
    reserved = ["ansible_failed_result", "drs_awx_created_credential", "drs_awx_workflow"]
    output, changed = set_up(awx, collections, fails=True, drs_awx_project_scm_url=URL, **dict.fromkeys(reserved, "x"))
    assert [name for name in reserved if f"The variable {name} is reserved for " not in output] == []
    assert changed == 0
    assert "TASK [Set up]" not in output


def test_twice(awx: Awx, collections: Path) -> None:
    image = "registry.example.com/drs:1"
    given = {"drs_awx_project_scm_url": URL, "drs_awx_execution_environment_image": image}
    output, changed = set_up(awx, collections, **given)
    tasks = re.findall(r"^TASK \[(.*)\]", output, re.MULTILINE)
    before = tasks.index("Set up") + 1
    assert tasks[before - 2] == "Check the variables"
    created = [task for task in tasks[before:] if task != "Show that the execution environment was not changed"]
    assert changed == len(created) > 5
    assert re.findall(r"\[(?:WARNING|DEPRECATION).*", output) == []

    # Everything exists as defined.
    kind = awx.named("credential_types", TYPE["name"])
    assert {name: kind[name] for name in ("kind", "inputs", "injectors")} == {
        name: TYPE[name] for name in ("kind", "inputs", "injectors")
    }
    credential = awx.named("credentials", NAME)
    assert (credential["credential_type"], credential["inputs"]) == (kind["id"], {})
    environment = awx.named("execution_environments", f"{NAME} (Default)")
    assert environment["image"] == image
    project = awx.named("projects", NAME)
    assert (project["scm_type"], project["scm_url"]) == ("git", URL)
    for template in TEMPLATES:
        item = awx.named("job_templates", template["name"])
        assert awx.surveys[item["id"]] == template["survey_spec"]
        assert awx.associated[item["id"], "credentials"] == [credential["id"]]
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
    assert project["scm_revision"] == awx.repository.revision
    before = deepcopy((awx.objects, awx.surveys, awx.associated))
    awx.changes.clear()
    output, changed = set_up(awx, collections, **given)
    assert changed == 0, output
    # awx.awx sends an inventory again, with a null for what AWX shows as empty text.
    update = f"POST /api/v2/projects/{project['id']}/update/"
    assert [change for change in awx.changes if "/inventories/" not in change] == [update]
    assert before == (awx.objects, awx.surveys, awx.associated)

    # A launch does not wait for one that waits for its approval.
    launched = [
        post(awx, f"workflow_job_templates/{workflow['id']}/launch", {"extra_vars": ANSWERS}) for _number in range(2)
    ]
    assert [response.json()["status"] for response in launched] == ["running", "running"]

    # Manual changes are corrected. A new image and a new commit are used.
    template = awx.named("job_templates", "Apply position")
    template["ask_variables_on_launch"] = True
    awx.surveys[workflow["id"]] = {**WORKFLOW["survey_spec"], "name": "Another"}
    nodes["apply"] = awx.named("workflow_job_template_nodes", "apply")
    nodes["apply"]["extra_data"] = {}
    awx.repository.revision = "89abcdef" * 5
    awx.repository.playbooks.add("another.yml")
    given["drs_awx_execution_environment_image"] = "registry.example.com/drs:2"
    output, changed = set_up(awx, collections, **given)
    assert changed == 5, output
    environment = awx.named("execution_environments", f"{NAME} (Default)")
    assert environment["image"] == given["drs_awx_execution_environment_image"]
    project = awx.named("projects", NAME)
    assert project["scm_revision"] == awx.repository.revision
    assert "another.yml" in project["playbook_files"]
    environment["image"] = image
    project |= {name: before[0]["projects"][project["id"]][name] for name in ("scm_revision", "playbook_files")}
    assert before == (awx.objects, awx.surveys, awx.associated)


@pytest.mark.parametrize(("image", "owner"), [("", "Other"), ("registry.example.com/drs:1", None)])
def test_custom_names(awx: Awx, collections: Path, image: str, owner: str | None) -> None:
    """Existing objects are used, and an empty variable counts as not set.

    An execution environment that is global or belongs to another organization keeps its image.
    """
    organization = awx.save("organizations", {}, {"name": "Databases"})["id"]
    inventory = awx.save(
        "inventories", {}, {"name": "Nothing", "organization": organization, "description": "not ours"}
    )
    environment = awx.save(
        "execution_environments",
        {},
        {
            "name": "Ours",
            "image": "registry.example.com/ours:3",
            "organization": awx.named("organizations", owner)["id"] if owner else None,
        },
    )
    scm = awx.save(
        "credential_types", {}, {"name": "Source Control", "kind": "cloud", "inputs": {"fields": []}, "injectors": {}}
    )
    git = awx.save("credentials", {}, {"name": "git", "credential_type": scm["id"], "organization": organization})
    output, _changed = set_up(
        awx,
        collections,
        drs_awx_project_scm_url=URL,
        drs_awx_project_scm_branch="main",
        drs_awx_project_scm_credential="git",
        drs_awx_organization="Databases",
        drs_awx_inventory="Nothing",
        drs_awx_execution_environment="Ours",
        drs_awx_execution_environment_image=image,
        drs_awx_project="DRS project",
        drs_awx_credential="DRS operator",
    )
    assert awx.shown("inventories", awx.named("inventories", "Nothing")) == inventory
    assert awx.shown("execution_environments", awx.named("execution_environments", "Ours")) == environment
    ignored = "It is used as it is, and drs_awx_execution_environment_image is ignored."
    assert (ignored in " ".join(output.split())) == (image != "")
    project = awx.named("projects", "DRS project")
    assert (project["organization"], project["scm_branch"], project["credential"]) == (organization, "main", git["id"])
    for item in awx.objects["job_templates"].values():
        assert (item["project"], item["execution_environment"]) == (project["id"], environment["id"])
        assert awx.associated[item["id"], "credentials"] == [awx.named("credentials", "DRS operator")["id"]]


def test_update_of_the_project_fails(awx: Awx, collections: Path) -> None:
    def fail_with(outcome: str, explanation: str) -> tuple[str, str]:
        awx.repository.outcome, awx.repository.explanation = outcome, explanation
        output, _changed = set_up(awx, collections, fails=True, drs_awx_project_scm_url=URL)
        assert awx.objects["job_templates"] == {}
        (result,) = re.findall(
            r"^fatal: \[localhost\]: FAILED! => (.*run this playbook again.*)$", output, re.MULTILINE
        )
        return output, json.loads(result)["msg"]

    _output, message = fail_with("error", "The image could not be pulled.")
    assert message == (
        f"Update {max(awx.updates)} of the project {NAME} ended with the status error: The image could not be pulled."
        " ERROR: ******** ******** Fix the cause, and run this playbook again."
    )
    output, message = fail_with("failed", "")
    assert message == (
        f"Update {max(awx.updates)} of the project {NAME} ended with the status failed: fatal: [localhost]: FAILED! =>"
        f" {GIT_ERROR} ERROR: from the server ?[2K??. ERROR: ******** ******** Fix the cause, and run this playbook"
        " again."
    )
    # The whole output is shown, without its colors, and without what changes the output of a terminal.
    assert '"PLAY [Update source tree if necessary] ***",' in output
    assert not re.search("\\\\u001b|[\x1b\x9b\u202e]", output)

    # A project whose last update failed is updated again.
    awx.repository.outcome = "successful"
    set_up(awx, collections, drs_awx_project_scm_url=URL)
    assert len(awx.objects["job_templates"]) == len(TEMPLATES)


@pytest.mark.parametrize("status", [400, 503])
def test_output_of_the_update_is_refused(
    awx: Awx, collections: Path, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    """AWX may show in an error what it received. An ID that it returns is no template."""
    handle = awx.handle

    def refuse(method: str, path: str, query: dict[str, str], given: dict[str, Any]) -> tuple[int, Any]:
        if path.endswith("/stdout/"):
            raise Refused(status, {"detail": f"Not for {PASSWORD} and {' '.join(awx.tokens.values())}."})
        code, body = handle(method, path, query, given)
        if "/project_updates/" in path:
            body = {**body, "id": f"{{{{ lookup('pipe', 'touch {collections}/run') }}}}"}
        return code, body

    monkeypatch.setattr(awx, "handle", refuse)
    awx.repository.outcome, awx.repository.explanation = "error", "The image could not be pulled."
    output, _changed = set_up(awx, collections, fails=True, drs_awx_project_scm_url=URL)
    assert "ended with the status error: The image could not be pulled. Fix the cause" in " ".join(output.split())
    assert not (collections / "run").exists()


def test_token_cannot_be_revoked(awx: Awx, collections: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason why the update failed is shown all the same."""
    handle = awx.handle
    kept: list[int] = []

    def refuse(method: str, path: str, query: dict[str, str], given: dict[str, Any]) -> tuple[int, Any]:
        if method == "DELETE" and kept and path.endswith(f"/tokens/{kept[0]}/"):
            raise Refused(503, {"detail": "Maintenance."})
        code, body = handle(method, path, query, given)
        if given.get("description") == "Reads the output of a project update":
            kept.append(body["id"])
        return code, body

    monkeypatch.setattr(awx, "handle", refuse)
    awx.repository.outcome, awx.repository.explanation = "error", "The image could not be pulled."
    output = " ".join(set_up(awx, collections, fails=True, drs_awx_project_scm_url=URL)[0].split())
    assert "ended with the status error: The image could not be pulled." in output
    assert "Reads the output of a project update" in output
    assert "could not be revoked. Delete it in AWX." in output
    del awx.tokens[kept[0]]


def test_workflow_without_links_is_not_confirmed(awx: Awx, collections: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All its nodes would start at once, without the approval."""
    associate = awx.associate

    def refuse(kind: str, number: int, name: str, given: dict[str, Any]) -> None:
        if name == "success_nodes":
            raise Refused(503, {"detail": "Maintenance."})
        associate(kind, number, name, given)

    with monkeypatch.context() as patch:
        patch.setattr(awx, "associate", refuse)
        set_up(awx, collections, fails=True, drs_awx_project_scm_url=URL)
    nodes = awx.objects["workflow_job_template_nodes"].values()
    assert {node["identifier"]: node["extra_data"] for node in nodes} == {"collect": {}, "approve": {}, "apply": {}}
    set_up(awx, collections, drs_awx_project_scm_url=URL)
    assert {node["identifier"]: node["extra_data"] for node in nodes}["apply"] == {"drs_confirm": "true"}


def test_update_of_the_project_does_not_run(awx: Awx, collections: Path) -> None:
    awx.repository.outcome = None
    begun = time.monotonic()
    output, _changed = set_up(
        awx, collections, fails=True, drs_awx_project_scm_url=URL, drs_awx_project_update_timeout="4"
    )
    assert (
        f"Update {max(awx.updates)} of the project {NAME} is still pending after 4 seconds. If it stays pending or"
        " waiting, AWX has no node that can run it" in " ".join(output.split())
    )
    reads = [path for path in awx.reads if "/project_updates/" in path]
    assert 2 <= len(reads) <= (time.monotonic() - begun) / 2 + 2, "It polled without a pause."


def test_two_organizations(awx: Awx, collections: Path) -> None:
    """Names of all objects but credential types and execution environments are unique only in an organization."""
    databases = awx.save("organizations", {}, {"name": "Databases"})["id"]
    default = awx.named("organizations", "Default")["id"]
    given = {
        "drs_awx_project_scm_url": URL,
        "drs_awx_execution_environment_image": "registry.example.com/drs:1",
    }
    set_up(awx, collections, **given)
    set_up(awx, collections, drs_awx_organization="Databases", **given)
    assert set_up(awx, collections, **given)[1] == 0

    def owned(kind: str, organization: int) -> list[dict[str, Any]]:
        items = [awx.shown(kind, item) for item in awx.objects[kind].values()]
        return [item for item in items if item["organization"] == organization]

    assert len(awx.objects["credential_types"]) == 1
    for organization in (default, databases):
        (credential,) = owned("credentials", organization)
        (inventory,) = owned("inventories", organization)
        (project,) = owned("projects", organization)
        (environment,) = owned("execution_environments", organization)
        (workflow,) = owned("workflow_job_templates", organization)
        templates = owned("job_templates", organization)
        assert {item["name"] for item in templates} == {item["name"] for item in TEMPLATES}
        for item in templates:
            assert (item["inventory"], item["project"]) == (inventory["id"], project["id"])
            assert item["execution_environment"] == environment["id"]
            assert awx.associated[item["id"], "credentials"] == [credential["id"]]
        nodes = [
            node
            for node in awx.objects["workflow_job_template_nodes"].values()
            if node["workflow_job_template"] == workflow["id"]
        ]
        assert len(nodes) == len(WORKFLOW["nodes"])
        used = {node["unified_job_template"] for node in nodes} & set(awx.objects["job_templates"])
        assert used == {item["id"] for item in templates}


def test_changed_fields_of_the_credential_type(awx: Awx, collections: Path) -> None:
    """AWX does not change the fields of a credential type in use. The guide AWX describes how to migrate."""
    old = awx.save(
        "credential_types",
        {},
        {**TYPE, "inputs": {"fields": TYPE["inputs"]["fields"][:1]}, "injectors": {"env": {}}},
    )
    organization = awx.named("organizations", "Default")["id"]
    used = awx.save("credentials", {}, {"name": NAME, "credential_type": old["id"], "organization": organization})
    output, _changed = set_up(awx, collections, fails=True, drs_awx_project_scm_url=URL)
    assert 'see "Changed fields of the credential type" in the guide AWX.' in " ".join(
        output.replace('\\"', '"').split()
    )

    # As in the guide: rename the old type, and run the playbook again.
    with session() as client:
        client.patch(f"{awx.url}{old['url']}", json={"name": f"{NAME} 1"}, timeout=10).raise_for_status()
    set_up(awx, collections, drs_awx_project_scm_url=URL)
    (credential,) = (item for item in awx.objects["credentials"].values() if item["id"] != used["id"])
    assert credential["name"] == NAME
    assert awx.objects["credential_types"][credential["credential_type"]]["inputs"] == TYPE["inputs"]
    for item in awx.objects["job_templates"].values():
        assert awx.associated[item["id"], "credentials"] == [credential["id"]]


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
    with Session() as anonymous:
        anonymous.trust_env = False
        assert anonymous.post(f"{awx.url}/api/v2/{path}/", json=body, timeout=10).status_code == 401
    response = post(awx, path, body)
    assert response.status_code >= 400
    assert reason in response.text


def test_the_stub_blocks_a_second_launch(awx: Awx) -> None:
    """Unless the workflow allows simultaneous launches."""
    organization = awx.named("organizations", "Default")["id"]
    workflow = awx.save("workflow_job_templates", {}, {"name": "x", "organization": organization})["id"]
    awx.survey(workflow, WORKFLOW["survey_spec"])
    path = f"workflow_job_templates/{workflow}/launch"
    assert "drs_job_id is missing" in post(awx, path, {}).text
    statuses = [post(awx, path, {"extra_vars": ANSWERS}).json()["status"] for _number in range(2)]
    assert statuses == ["running", "pending"]
