# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import jinja2
import jinja2.meta
import pytest
import yaml
from ansible.utils.vars import load_extra_vars
from jinja2 import nodes

from ansible_collections.huaweicloud.drs.plugins.filter.variable_problems import (
    ANSIBLE_NAMES,
    AWX_INPUTS,
    CONNECTION,
    INITIAL,
    INPUTS,
    OUTPUTS,
    SECRETS,
    FilterModule,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import COLLECTION

PLAYBOOKS = COLLECTION / "playbooks"
CONDITIONS = ("that", "when", "until", "failed_when", "changed_when")
# AWX sets both. Then, nobody is asked, and drs_confirm is needed. If _raw_params is defined, the playbooks end.
ALLOWED = {*INPUTS, *OUTPUTS, *AWX_INPUTS, "awx_job_id", "tower_job_id", "_raw_params"}


def variable_problems(started=None, **variables):
    context = jinja2.Environment().from_string("").new_context(variables)
    return FilterModule().filters()["variable_problems"](context, INITIAL if started is None else started)


@pytest.fixture
def set_extra(monkeypatch):
    return lambda **variables: monkeypatch.setattr(load_extra_vars, "extra_vars", variables, raising=False)


def load(path):
    """Return the content of a file, in which values that are tagged as unsafe are no templates for Ansible."""

    class Loader(yaml.SafeLoader):
        pass

    Loader.add_constructor("!unsafe", lambda loader, node: "")
    return yaml.load(path.read_text(encoding="utf-8"), Loader)


def templates(value, is_condition=False):
    """Yield the templates in the content of a file."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from templates(inner, key in CONDITIONS)
    elif isinstance(value, list):
        for inner in value:
            yield from templates(inner, is_condition)
    elif isinstance(value, str):
        yield f"{{{{ {value} }}}}" if is_condition and "{{" not in value else value


def defined_names(value):
    """Yield the names of the variables that the content of a file defines."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if key == "register":
                yield inner
            elif key in ("vars", "ansible.builtin.set_fact"):
                yield from inner
            yield from defined_names(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from defined_names(inner)


def read_names(template):
    environment = jinja2.Environment()
    # A variable may take the place of a function.
    environment.globals.clear()
    # Ansible keeps backslashes in templates of playbooks.
    tree = environment.parse(template.replace("\\", "\\\\"))
    environment.filters.update((node.name, str) for node in tree.find_all(nodes.Filter))
    environment.tests.update((node.name, str) for node in tree.find_all(nodes.Test))
    return jinja2.meta.find_undeclared_variables(tree)


def names_in_the_playbooks():
    """Return the names of all variables and functions that the playbooks define or read."""
    found = set()
    for path in PLAYBOOKS.rglob("*.yml"):
        content = load(path)
        found.update(defined_names(content), *map(read_names, templates(content)))
    for path in (PLAYBOOKS / "awx/definitions").glob("*.yml"):
        found.update(load(path))
    for path in PLAYBOOKS.rglob("*.j2"):
        found.update(read_names(path.read_text(encoding="utf-8")))
    return found


NAMES = sorted(names_in_the_playbooks())


@pytest.mark.parametrize("playbook", ["reset_sync_position", "collect_db_position"])
def test_inputs_and_outputs_are_those_that_the_playbooks_document(playbook):
    text = (COLLECTION / f"playbooks/{playbook}.yml").read_text(encoding="utf-8").split("\n- name:")[0]
    assert [name for name in CONNECTION if f"{name}," not in text and f"{name}\n" not in text] == []
    documented = set(re.findall(r"(?<![\w.])drs_\w+", text))
    assert documented - {*INPUTS, *OUTPUTS} == set()


def test_inputs_of_awx_setup_are_those_that_it_documents():
    text = (PLAYBOOKS / "awx_setup.yml").read_text(encoding="utf-8").split("\n- name:")[0]
    assert re.findall(r"^#   (drs_\w+)", text, re.MULTILINE) == list(AWX_INPUTS)


def table_of_the_guide():
    """Return the rows of the table of variables: the names and the default."""
    guide = (COLLECTION / "docs/docsite/rst/guide_migration_runbook.rst").read_text(encoding="utf-8")
    _before, _heading, rest = guide.partition("\nVariables\n---------\n")
    table = rest.partition("\nThe result of ")[0]
    rows = [re.split(r"\n    -", row) for row in re.split(r"\n  \* - ", table)[2:]]
    return [(re.findall(r"``(drs_\w+)``", names), default.strip()) for names, _meaning, default in rows]


def test_table_of_the_guide_contains_every_input():
    names = [name for row, _default in table_of_the_guide() for name in row]
    assert sorted(names) == sorted([*INPUTS, "drs_collected"])


def test_inputs_and_defaults_are_those_that_the_playbooks_read():
    tasks = {path.stem: path.read_text(encoding="utf-8") for path in COLLECTION.glob("playbooks/tasks/*.yml")}
    specified = {
        name
        for file in ("collect_db_position", "reset_check")
        for name in re.findall(r"^      (drs_\w+): \{type: ", tasks[file], re.MULTILINE)
    }
    # Any type will do for the password.
    assert specified | {"drs_source_password", *CONNECTION} == {*INPUTS, "drs_collected"}
    default = {row[0]: text for row, text in table_of_the_guide()}
    for name in ("drs_wait_timeout", "drs_wait_sleep"):
        read = [
            re.search(rf"{name} \| default\((\d+)\)", tasks[file])[1] for file in ("collect_db_position", "reset_check")
        ]
        assert re.findall(r"\d+", default[name]) == list(dict.fromkeys(read))


def test_known_names_and_names_of_the_user():
    names = [
        *INPUTS,
        *OUTPUTS,
        "drs_shards",
        "drs_job",
        "drs_jobs",
        "drs_job_id_2",
        "drs_region2",
        "drs_position_old",
        "drs_time",
        "drs_endpoint_of_the_proxy",
        "drs_source_cert",
        "drs_awx_project",
        "drs_ticket",
    ]
    assert variable_problems(**dict.fromkeys(names, "x")) == []


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("drs_reset_positon_time", "drs_reset_position_time"),
        ("drs_reset_postion_tme", "drs_reset_position_time"),
        ("drs_resetposition_time", "drs_reset_position_time"),
        ("drs_gtidset", "drs_use_gtid_set"),
        ("drs_gtid_set", "drs_use_gtid_set"),
        ("drs_query_id", "drs_use_query_id"),
        ("drs_use_positon", "drs_use_position"),
        ("drs_positon", "drs_use_position"),
        ("drs_jobid", "drs_job_id"),
        ("drs_job_names", "drs_job_name"),
        ("drs_confrim", "drs_confirm"),
        ("drs_user_name", "drs_username"),
        ("drs_account_name", "drs_domain_name"),
        ("DRS_JOB_ID", "drs_job_id"),
        ("drs_regoin", "drs_region"),
        ("drs_verify_sources", "drs_verify_source"),
    ],
)
def test_near_miss(name, meant):
    problems = variable_problems(**{name: "x"})
    if name == "drs_verify_sources":
        assert problems == [f"The variable {name} is reserved for the playbooks of this collection."]
    else:
        assert problems == [f"The variable {name} is unknown; {meant} was probably meant."]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("_drs_reset", "x"),
        ("_drs_reset", {"skipped": True, "state": "running"}),
        ("_drs_anything", ""),
        ("drs_verify_format", "ROW"),
        ("drs_verify_warnings", []),
    ],
)
def test_reserved(name, value):
    assert variable_problems(**{name: value}) == [
        f"The variable {name} is reserved for the playbooks of this collection."
    ]


def test_names_in_the_playbooks():
    """The next test covers all kinds of them."""
    kinds = {
        "_drs_answer": "registered",
        "_drs_confirmed": "set",
        "_drs_spec": "variable of an include",
        "drs_verify_file": "variable of a block",
        "drs_awx_names": "variable of a play",
        "drs_awx_workflow": "variable in a file of a play",
        "drs_awx_update_label": "variable of a task",
        "ansible_failed_result": "set by Ansible",
        "ansible_play_hosts_all": "read in a condition",
        "dict": "function of Jinja",
        "query": "function of Ansible",
    }
    assert set(kinds) - set(NAMES) == set()
    # What the lookup plugin vars reads.
    assert set(ANSIBLE_NAMES) - set(NAMES) == {"inventory_hostname"}
    assert ALLOWED - {*INPUTS, *OUTPUTS} - set(NAMES) == set()


@pytest.mark.parametrize("value", [INITIAL, [], "x"], ids=["initial", "list", "text"])
@pytest.mark.parametrize("name", sorted({*NAMES, *ANSIBLE_NAMES, "_drs_problems", "_drs_anything"} - ALLOWED))
def test_extra_variable_never_takes_the_place_of_what_a_playbook_reads(set_extra, name, value):
    """Whatever its value is, and even if the variables that the template can read are hidden."""
    set_extra(**{name: value})
    (problem,) = variable_problems(**{name: value})
    assert problem.startswith(f"The variable {name} is reserved for ")
    assert variable_problems() == [problem]


def test_extra_variables_that_are_inputs(set_extra):
    set_extra(**dict.fromkeys(ALLOWED, "x"))
    assert variable_problems() == []


def test_name_of_an_extra_variable_that_is_a_number(monkeypatch):
    monkeypatch.setattr(load_extra_vars, "extra_vars", {1: "x", "drs_jobid": "x"}, raising=False)
    assert len(variable_problems()) == 1


def test_variables_that_are_not_extra_variables():
    """Ansible and the playbooks set these with more weight."""
    assert variable_problems(**dict.fromkeys([*ANSIBLE_NAMES, "drs_awx_names"], "x")) == []


def test_what_an_earlier_play_has_passed_on():
    assert variable_problems(_drs_started=INITIAL, _drs_passed_on={"job_id": "x"}) == []


def test_secrets():
    names = {"access_key", "auth_token", "password", "secret_key", "security_token", "source_password"}
    assert names == {name[len("drs_") :] for name in SECRETS}


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("value", ["a\x1b[2Jb", "a\x9bb", "a\u202eb", "a\nb"])
def test_control_characters(name, value):
    """Ansible quotes invalid values, and prompt and report show names."""
    allowed = name in SECRETS or (name == "drs_job_ids" and value == "a\nb")
    problems = [] if allowed else [f"{name} must have no control characters."]
    assert variable_problems(**{name: value}) == problems
    assert variable_problems(**{name: "\u00e4 b\n"}) == []


@pytest.mark.parametrize("started", ["", "x", {"skipped": True, "changed": False}])
def test_not_started_as_a_whole(started):
    (problem,) = variable_problems(started, drs_gtidset="x")
    assert problem.startswith("This playbook runs as a whole, and has no tags.")
