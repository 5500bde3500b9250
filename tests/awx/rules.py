# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules of AWX that matter here, reimplemented. Each names the file of github.com/ansible/awx that contains it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from copy import deepcopy
from pathlib import Path
from typing import Any

import yaml
from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

ROOT = Path(__file__).resolve().parents[2]
PROJECT = ROOT / "playbooks/awx"

NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")

# awx/main/constants.py, ENV_BLOCKLIST: the variables that AWX sets itself.
BLOCKED = set(
    """
    VIRTUAL_ENV PATH PYTHONPATH JOB_ID INVENTORY_ID INVENTORY_SOURCE_ID INVENTORY_UPDATE_ID
    AD_HOC_COMMAND_ID REST_API_URL REST_API_TOKEN MAX_EVENT_RES CALLBACK_QUEUE CALLBACK_CONNECTION CACHE
    JOB_CALLBACK_DEBUG INVENTORY_HOSTVARS AWX_HOST PROJECT_REVISION SUPERVISOR_CONFIG_PATH
    """.split()
)

# awx/main/fields.py, CredentialTypeInputField: the keys of a field, and their types.
FIELD_KEYS: dict[str, type] = {
    "id": str,
    "label": str,
    "type": str,
    "format": str,
    "help_text": str,
    "multiline": bool,
    "secret": bool,
    "choices": list,
    "default": object,
}

# awx/api/views/__init__.py, JobTemplateSurveySpec: the types of questions, and of their defaults.
QUESTION_TYPES: dict[str, tuple[type, ...]] = {
    "text": (str,),
    "textarea": (str,),
    "password": (str,),
    "integer": (int,),
    "float": (float, int),
    "multiplechoice": (str,),
    "multiselect": (str, list),
}


class _Loader(yaml.SafeLoader):
    """Loads YAML like Ansible: !unsafe marks a string that is not templated."""


_Loader.add_constructor("!unsafe", lambda loader, node: loader.construct_scalar(node))


def load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)


def definition(name: str) -> Any:
    """Return the only variable in a file of definitions."""
    (value,) = load(PROJECT / f"definitions/{name}.yml").values()
    return value


def looks_like_playbook(path: Path) -> bool:
    """Whether AWX offers a file of a project as a playbook (awx/main/utils/ansible.py, could_be_playbook)."""
    line = re.compile(r"\s*-?\s*(hosts|(ansible\.builtin\.)?(include|import_playbook)):")
    return any(line.match(text) for text in path.read_text(encoding="utf-8").splitlines())


def wrong_with_credential_type(kind: str, inputs: dict[str, Any], injectors: dict[str, Any]) -> list[str]:
    """Return the reasons why AWX would reject a credential type."""
    wrong = []
    # awx/api/serializers.py, CredentialTypeSerializer
    if kind not in ("cloud", "net"):
        wrong.append(f"the kind {kind} is not cloud or net")
    # awx/main/fields.py, CredentialTypeInputField
    wrong += [f"inputs has {key}" for key in inputs if key not in ("fields", "required")]
    fields = inputs.get("fields", [])
    names = [field.get("id", "") for field in fields]
    for name, field in zip(names, fields, strict=True):
        wrong += [f"the field {name} has no {key}" for key in ("id", "label") if key not in field]
        wrong += [
            f"the field {name} has a wrong {key}"
            for key, value in field.items()
            if not isinstance(value, FIELD_KEYS.get(key, ()))
        ]
        if not NAME.fullmatch(name) or name == "tower" or names.count(name) > 1:
            wrong.append(f"the field {name} has a bad name")
        element = field.get("type", "string")
        if element not in ("string", "boolean"):
            wrong.append(f"the field {name} is a {element}")
        elif element == "boolean":
            wrong += [
                f"the field {name} is a boolean with {key}"
                for key in ("choices", "multiline", "format", "secret")
                if key in field
            ]
        if "default" in field and not isinstance(field["default"], {"string": str, "boolean": bool}.get(element, ())):
            wrong.append(f"the default of {name} is not a {element}")
    wrong += [f"{name} is required and is not a field" for name in inputs.get("required", []) if name not in names]
    # awx/main/fields.py, CredentialTypeInjectorField
    sandbox = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    for key, injected in injectors.items():
        if key not in ("env", "extra_vars", "file"):
            wrong.append(f"injectors has {key}")
            continue
        for name, template in injected.items():
            if key != "file" and not NAME.fullmatch(name):
                wrong.append(f"{name} is not a valid name")
            if key == "env" and (name.startswith("ANSIBLE_") or name in BLOCKED):
                wrong.append(f"the environment variable {name} is not allowed")
            if not isinstance(template, str) or not template.isascii():
                wrong.append(f"{name} is not ASCII text")
                continue
            try:
                sandbox.from_string(template).render(dict.fromkeys(names, "EXAMPLE"))
            except TemplateError as error:
                wrong.append(f"{name} cannot be rendered: {error}")
    return wrong


def inject(credential_type: dict[str, Any], values: dict[str, Any]) -> dict[str, str]:
    """Return the environment of a job with a credential.

    See awx/main/models/credential.py, CredentialType.inject_credential.
    """
    # Empty fields are left out, and undefined names render as empty text. A missing boolean is false.
    names = {name: value for name, value in values.items() if isinstance(value, bool) or value}
    for field in credential_type["inputs"]["fields"]:
        if field["type"] == "boolean":
            names.setdefault(field["id"], False)
    sandbox = ImmutableSandboxedEnvironment()
    return {
        name: sandbox.from_string(template).render(names)
        for name, template in credential_type["injectors"]["env"].items()
    }


def wrong_with_survey(survey: dict[str, Any]) -> list[str]:
    """Return the reasons why AWX would reject a survey (awx/api/views/__init__.py, JobTemplateSurveySpec)."""
    wrong = [
        f"{key} is missing or of a wrong type"
        for key, kind in (("name", str), ("description", str), ("spec", list))
        if not isinstance(survey.get(key), kind)
    ]
    if wrong or not survey["spec"]:
        return wrong or ["there are no questions"]
    variables = [question.get("variable") for question in survey["spec"]]
    for question in survey["spec"]:
        name, kind = question.get("variable"), question.get("type")
        for key in ("type", "question_name", "variable", "required"):
            if not isinstance(question.get(key), bool if key == "required" else str):
                wrong.append(f"{key} of {name} is missing or of a wrong type")
        if variables.count(name) > 1:
            wrong.append(f"{name} is asked for twice")
        if kind not in QUESTION_TYPES:
            wrong.append(f"{name} is a {kind}")
            continue
        default = question.get("default", "")
        if default != "" and not isinstance(default, QUESTION_TYPES[kind]):
            wrong.append(f"the default of {name} is not a {kind}")
            continue
        wrong += [
            f"{key} of {name} is not a whole number"
            for key in ("min", "max")
            if not isinstance(question.get(key, 0), (int, type(None)))
        ]
        if kind in ("multiplechoice", "multiselect"):
            if "choices" not in question:
                wrong.append(f"{name} has no choices")
                continue
            chosen = default.splitlines() if isinstance(default, str) else default
            if kind == "multiplechoice" and len(chosen) > 1:
                wrong.append(f"{name} has more than one default")
            wrong += [
                f"the default {item} of {name} is not one of its choices"
                for item in chosen
                if item not in _choices(question)
            ]
        if isinstance(default, str) and default.startswith("$encrypted$") and kind != "password":
            wrong.append(f"the default of {name} is reserved for passwords")
    return sorted(set(wrong))


def _choices(question: dict[str, Any]) -> list[str]:
    choices = question["choices"]
    return choices.splitlines() if isinstance(choices, str) else list(choices)


def wrong_with_answer(question: dict[str, Any], answers: dict[str, Any]) -> list[str]:
    """Return the reasons why AWX would reject an answer (awx/main/models/mixins.py, SurveyJobTemplateMixin)."""
    name, kind = question["variable"], question["type"]
    if name not in answers:
        return [f"{name} is missing"] if question["required"] else []
    answer = answers[name]
    if kind == "multiplechoice":
        return [] if answer in _choices(question) else [f"{answer!r} is not one of the choices of {name}"]
    if kind == "multiselect":
        return (
            []
            if isinstance(answer, list) and set(answer) <= set(_choices(question))
            else [f"{answer!r} are not choices of {name}"]
        )
    number = kind in ("integer", "float")
    if isinstance(answer, bool) or not isinstance(answer, QUESTION_TYPES[kind]):
        return [f"{answer!r} of {name} is not a {kind}"]
    size = answer if number else len(answer)
    low, high = question.get("min"), question.get("max")
    return [
        f"{name} is too {word}"
        for word, bad in (("small", low is not None and size < low), ("large", high is not None and size > high))
        if bad
    ]


def accepted(template: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
    """Return the variables of a launch that AWX does not ignore.

    See awx/main/models/mixins.py, SurveyJobTemplateMixin._accept_or_ignore_variables.
    """
    questions = (
        {question["variable"]: question for question in template["survey_spec"]["spec"]}
        if template.get("survey_enabled", True)
        else {}
    )
    asked = template.get("ask_variables_on_launch", False)
    return {
        name: value
        for name, value in given.items()
        if (name in questions and not wrong_with_answer(questions[name], given)) or (name not in questions and asked)
    }


def job_variables(template: dict[str, Any], runtime: dict[str, Any]) -> dict[str, Any]:
    """Return the extra variables of a job. Its own variables take precedence over the defaults of the survey.

    See awx/main/models/mixins.py, _update_unified_job_kwargs.
    """
    defaults = {}
    for question in template["survey_spec"]["spec"]:
        if question.get("default") is not None and not wrong_with_answer(
            question, {question["variable"]: question["default"]}
        ):
            defaults[question["variable"]] = question["default"]
    return {**deepcopy(template.get("extra_vars", {})), **defaults, **runtime}


def node_variables(
    template: dict[str, Any], node: dict[str, Any], artifacts: Iterable[dict[str, Any]], workflow: dict[str, Any]
) -> dict[str, Any]:
    """Return the extra variables of a job in a workflow (awx/main/models/workflow.py, WorkflowJobNode.get_job_kwargs).

    The variables of the node are filtered by the survey of the template. The artifacts of earlier jobs take precedence
    over them. The variables of the workflow, which are the answers to its survey, take precedence over both. The
    template does not have to ask for artifacts or workflow variables.
    """
    runtime = accepted(template, node.get("extra_data", {}))
    for artifact in artifacts:
        runtime |= artifact
    return job_variables(template, {**runtime, **workflow})


def meta_variables(template: str, number: int, workflow: str | None) -> dict[str, Any]:
    """Return the extra variables that AWX adds to every job (awx_meta_vars in awx/main/models/unified_jobs.py)."""
    found: dict[str, Any] = {
        "job_id": number,
        "job_launch_type": "workflow" if workflow else "manual",
        "job_template_id": 7,
        "job_template_name": template,
    }
    found |= {"user_id": 1, "user_name": "admin", "project_revision": "0123456789abcdef0123456789abcdef01234567"}
    if workflow:
        found |= {"workflow_job_id": 1, "workflow_job_name": workflow}
    return {f"{prefix}_{name}": value for prefix in ("awx", "tower") for name, value in found.items()}
