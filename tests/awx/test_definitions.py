# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The definitions for AWX are checked against the rules of AWX. Each rule must also reject an invalid example."""

from __future__ import annotations

import json
import site
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from awx import rules
from awx.rules import PROJECT, ROOT, definition, load

TYPE = definition("credential_type")
TEMPLATES = {template["name"]: template for template in definition("job_templates")}
WORKFLOW = definition("workflow")
NODES = {node["identifier"]: node for node in WORKFLOW["nodes"]}
SURVEYS = {item["name"]: item["survey_spec"] for item in [*TEMPLATES.values(), WORKFLOW]}


def playbook_of(template: str) -> Path:
    """The collection's playbook that the file of a job template imports."""
    (play,) = load(PROJECT / TEMPLATES[template]["playbook"])
    namespace, collection, name = play["ansible.builtin.import_playbook"].split(".")
    assert (namespace, collection) == ("huaweicloud", "drs")
    return ROOT / f"playbooks/{name}.yml"


def artifacts_in(tasks: Any) -> set[str]:
    """Return the artifacts that tasks set, including those in nested blocks."""
    found: set[str] = set()
    for item in tasks:
        found |= set(item.get("ansible.builtin.set_stats", {}).get("data", {}))
        for value in item.values():
            if isinstance(value, list) and all(isinstance(part, dict) for part in value):
                found |= artifacts_in(value)
    return found


# The artifacts of all playbooks and of the task files that they include.
ARTIFACTS = set.union(
    *(artifacts_in(load(path)) for path in [*ROOT.glob("playbooks/*.yml"), *ROOT.glob("playbooks/tasks/*.yml")])
)


def variables(survey: dict[str, Any]) -> set[str]:
    return {question["variable"] for question in survey["spec"]}


def test_credential_type() -> None:
    assert rules.wrong_with_credential_type(TYPE["kind"], TYPE["inputs"], TYPE["injectors"]) == []
    assert set(TYPE["injectors"]) == {"env"}
    assert all(name.startswith("HW_") for name in TYPE["injectors"]["env"])
    # AWX adds a type to a field that has none, and awx.awx would then report a change on every run.
    assert all("type" in field for field in TYPE["inputs"]["fields"])


def test_each_field_of_the_credential_is_an_option_with_its_variable() -> None:
    options = load_options()
    secret = {field["id"] for field in TYPE["inputs"]["fields"] if field.get("secret")}
    for name, template in TYPE["injectors"]["env"].items():
        field = template.strip("{} ")
        assert f"E({name})" in " ".join(options[field]["description"]), field
    assert len(TYPE["injectors"]["env"]) == len(TYPE["inputs"]["fields"])
    assert secret == {"password", "access_key", "secret_key", "security_token"}


def load_options() -> dict[str, Any]:
    text = (ROOT / "plugins/doc_fragments/drs.py").read_text(encoding="utf-8")
    options: dict[str, Any] = rules.yaml.safe_load(text.split('DOCUMENTATION = r"""')[1].split('"""')[0])["options"]
    return options


def test_empty_fields_of_the_credential_become_empty_variables() -> None:
    assert rules.inject(TYPE, {}) == dict.fromkeys(TYPE["injectors"]["env"], "")
    given = {"region": "eu-west-101", "password": "{{ 7 * 6 }}", "security_token": ""}
    assert rules.inject(TYPE, given) == {
        **rules.inject(TYPE, {}),
        "HW_REGION_NAME": "eu-west-101",
        "HW_USER_PASSWORD": "{{ 7 * 6 }}",
    }


@pytest.mark.parametrize("name", SURVEYS)
def test_survey(name: str) -> None:
    survey = SURVEYS[name]
    assert rules.wrong_with_survey(survey) == []
    # AWX passes an unanswered optional question on as an empty value.
    optional = [question for question in survey["spec"] if not question["required"]]
    assert [rules.wrong_with_answer(question, {question["variable"]: ""}) for question in optional] == [[]] * len(
        optional
    )


@pytest.mark.parametrize("name", SURVEYS)
def test_no_survey_asks_for_an_artifact(name: str) -> None:
    assert {"drs_position", "drs_position_id", "drs_position_status", "drs_report"} <= ARTIFACTS
    assert variables(SURVEYS[name]) & ARTIFACTS == set()


@pytest.mark.parametrize("name", TEMPLATES)
def test_job_template(name: str) -> None:
    template = TEMPLATES[name]
    documented = playbook_of(name).read_text(encoding="utf-8").split("\n- name:")[0]
    assert [variable for variable in variables(template["survey_spec"]) if variable not in documented] == []
    # Otherwise, anyone who may launch a job could send its credential to an endpoint of their choice.
    assert "ask_variables_on_launch" not in template
    assert "ask_variables_on_launch" not in WORKFLOW


def test_site_files_are_what_the_job_templates_use() -> None:
    assert {path.name for path in PROJECT.glob("*_position.yml")} == {
        template["playbook"] for template in TEMPLATES.values()
    }
    assert [item["name"] for item in load(PROJECT / "collections/requirements.yml")["collections"]] == [
        "huaweicloud.drs"
    ]


def test_users_get_collections_from_galaxy_by_name_and_version() -> None:
    required = load(ROOT / "playbooks/collections/requirements.yml")["collections"]
    commands = {
        item["name"]: f"ansible-galaxy collection install '{item['name']}:{item['version']}'" for item in required
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [command for command in commands.values() if command not in readme] == []
    assert commands["awx.awx"] in (ROOT / "docs/docsite/rst/guide_awx.rst").read_text(encoding="utf-8")
    # At least the version that these tests use.
    (place,) = (Path(folder) / "ansible_collections/awx/awx" for folder in site.getsitepackages())
    tested = json.loads((place / "MANIFEST.json").read_text(encoding="utf-8"))["collection_info"]["version"]
    assert commands["awx.awx"].endswith(f":>={tested}'")


def test_workflow() -> None:
    # awx/api/views/__init__.py, WorkflowJobTemplateNodeChildrenBaseList: no duplicate nodes and no cycles. This
    # workflow is linear, with the approval in the middle.
    assert list(NODES) == ["collect", "approve", "apply"]
    assert [node.get("success_nodes") for node in NODES.values()] == [["approve"], ["apply"], None]
    assert all(
        set(node) <= {"identifier", "job_template", "approval", "success_nodes", "extra_data"}
        for node in NODES.values()
    )
    assert [NODES[name].get("job_template") for name in NODES] == ["Collect position", None, "Apply position"]
    # awx/api/serializers.py, WorkflowJobTemplateNodeCreateApprovalSerializer
    assert set(NODES["approve"]["approval"]) == {"name", "description", "timeout"}


def test_only_the_approved_node_confirms() -> None:
    given = NODES["apply"]["extra_data"]
    assert rules.accepted(TEMPLATES["Apply position"], given) == given == {"drs_confirm": "true"}
    assert "extra_data" not in NODES["collect"]
    assert "drs_confirm" not in variables(WORKFLOW["survey_spec"])
    assert rules.job_variables(TEMPLATES["Apply position"], {})["drs_confirm"] == "false"
    # A boolean is not one of the choices, so AWX would silently drop it.
    assert rules.accepted(TEMPLATES["Apply position"], {"drs_confirm": True}) == {}


def test_the_workflow_asks_for_what_its_jobs_need() -> None:
    asked = variables(WORKFLOW["survey_spec"])
    for node in NODES.values():
        if "job_template" in node:
            needed = {
                question["variable"]
                for question in TEMPLATES[node["job_template"]]["survey_spec"]["spec"]
                if question["required"]
            }
            assert needed <= asked | set(node.get("extra_data", {})), node["identifier"]
    assert all(question["required"] for question in WORKFLOW["survey_spec"]["spec"])


def test_precedence_of_survey_artifacts_and_node() -> None:
    template = {
        "survey_spec": {
            "spec": [{"variable": name, "type": "text", "required": False, "default": "default"} for name in "abcd"]
        }
    }
    node = {"extra_data": {"b": "node", "c": "node", "d": "node", "e": "dropped"}}
    found = rules.node_variables(
        template, node, [{"c": "artifact", "d": "artifact", "f": "artifact"}], {"d": "workflow", "g": "workflow"}
    )
    assert found == {"a": "default", "b": "node", "c": "artifact", "d": "workflow", "f": "artifact", "g": "workflow"}


FIELD = {"id": "one", "label": "One", "type": "string"}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"kind": "ssh"}, "not cloud or net"),
        ({"inputs": {"fields": [FIELD], "dependencies": {}}}, "inputs has dependencies"),
        ({"inputs": {"fields": [{"id": "one"}]}}, "has no label"),
        ({"inputs": {"fields": [FIELD, FIELD]}}, "has a bad name"),
        ({"inputs": {"fields": [{**FIELD, "id": "1st"}]}}, "has a bad name"),
        ({"inputs": {"fields": [{**FIELD, "id": "tower"}]}}, "has a bad name"),
        ({"inputs": {"fields": [{**FIELD, "type": "number"}]}}, "is a number"),
        ({"inputs": {"fields": [{**FIELD, "ask_at_runtime": True}]}}, "a wrong ask_at_runtime"),
        ({"inputs": {"fields": [{**FIELD, "secret": "yes"}]}}, "a wrong secret"),
        ({"inputs": {"fields": [{**FIELD, "type": "boolean", "secret": True}]}}, "a boolean with secret"),
        ({"inputs": {"fields": [{**FIELD, "default": 1}]}}, "the default of one"),
        ({"inputs": {"fields": [FIELD], "required": ["two"]}}, "is not a field"),
        ({"injectors": {"environment": {}}}, "injectors has environment"),
        ({"injectors": {"env": {"ANSIBLE_TOKEN": "{{ one }}"}}}, "not allowed"),
        ({"injectors": {"env": {"PATH": "{{ one }}"}}}, "not allowed"),
        ({"injectors": {"env": {"SUPERVISOR_CONFIG_PATH": "{{ one }}"}}}, "not allowed"),
        ({"injectors": {"env": {"HW-ONE": "{{ one }}"}}}, "is not a valid name"),
        ({"injectors": {"env": {"HW_ONE": "{{ two }}"}}}, "cannot be rendered"),
        ({"injectors": {"env": {"HW_ONE": "{{ one }"}}}, "cannot be rendered"),
        ({"injectors": {"env": {"HW_ONE": "§{{ one }}"}}}, "is not ASCII"),
    ],
)
def test_rules_for_credential_types_refuse(change: dict[str, Any], reason: str) -> None:
    good: dict[str, Any] = {
        "kind": "cloud",
        "inputs": {"fields": [FIELD]},
        "injectors": {"env": {"HW_ONE": "{{ one }}"}},
    }
    assert rules.wrong_with_credential_type(**good) == []
    assert reason in "\n".join(rules.wrong_with_credential_type(**{**good, **change}))


@pytest.mark.parametrize("name", ["PROOT_TMP_DIR", "SUPERVISOR_WEB_CONFIG_PATH"])
def test_rules_for_credential_types_accept(name: str) -> None:
    assert rules.wrong_with_credential_type("cloud", {"fields": [FIELD]}, {"env": {name: "{{ one }}"}}) == []


QUESTION = {"question_name": "One", "variable": "one", "type": "text", "required": True}
CHOICE = {**QUESTION, "type": "multiplechoice", "choices": ["a", "b"]}


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        ({**QUESTION, "required": "yes"}, "required of one"),
        ({"variable": "one", "type": "text", "required": True}, "question_name of one"),
        ({**QUESTION, "type": "bool"}, "is a bool"),
        ({**QUESTION, "default": 1}, "the default of one"),
        ({**QUESTION, "min": "1"}, "min of one"),
        ({**QUESTION, "default": "$encrypted$"}, "reserved"),
        ({**QUESTION, "type": "multiplechoice"}, "no choices"),
        ({**CHOICE, "default": "c"}, "not one of its choices"),
        ({**CHOICE, "default": "a\nb"}, "more than one default"),
        ({**CHOICE, "default": True}, "the default of one"),
    ],
)
def test_rules_for_surveys_refuse(question: dict[str, Any], reason: str) -> None:
    survey: dict[str, Any] = {"name": "One", "description": "", "spec": [deepcopy(QUESTION)]}
    assert rules.wrong_with_survey(survey) == rules.wrong_with_survey({**survey, "spec": [CHOICE]}) == []
    assert reason in "\n".join(rules.wrong_with_survey({**survey, "spec": [question]}))
    assert rules.wrong_with_survey({**survey, "spec": [QUESTION, QUESTION]}) == ["one is asked for twice"]
    assert rules.wrong_with_survey({**survey, "spec": []}) == ["there are no questions"]
    assert rules.wrong_with_survey({"name": "One", "spec": [QUESTION]}) == ["description is missing or of a wrong type"]


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        (QUESTION, {}),
        (QUESTION, {"one": 1}),
        ({**QUESTION, "min": 2}, {"one": "a"}),
        ({**QUESTION, "max": 2}, {"one": "abc"}),
        ({**QUESTION, "type": "integer"}, {"one": "1"}),
        ({**QUESTION, "type": "integer", "max": 2}, {"one": 3}),
        (CHOICE, {"one": "c"}),
        ({**CHOICE, "choices": "a\nb"}, {"one": True}),
        ({**CHOICE, "type": "multiselect"}, {"one": ["a", "c"]}),
    ],
)
def test_rules_for_answers_refuse(question: dict[str, Any], answers: dict[str, Any]) -> None:
    assert rules.wrong_with_answer(question, answers) != []
