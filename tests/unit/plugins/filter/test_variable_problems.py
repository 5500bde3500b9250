# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from ansible.utils.vars import load_extra_vars

from ansible_collections.huaweicloud.drs.plugins.filter.variable_problems import (
    CONNECTION,
    INITIAL,
    INPUTS,
    OUTPUTS,
    FilterModule,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import COLLECTION

variable_problems = FilterModule().filters()["variable_problems"]
STARTED = {"_drs_started": INITIAL}


@pytest.mark.parametrize("playbook", ["reset_sync_position", "collect_db_position"])
def test_inputs_and_outputs_are_those_that_the_playbooks_document(playbook):
    text = (COLLECTION / f"playbooks/{playbook}.yml").read_text(encoding="utf-8").split("\n- name:")[0]
    assert [name for name in CONNECTION if f"{name}," not in text and f"{name}\n" not in text] == []
    documented = set(re.findall(r"(?<![\w.])drs_\w+", text))
    assert documented - {*INPUTS, *OUTPUTS} == set()


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
    assert variable_problems([*names, "_drs_started"], STARTED) == []


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
    problems = variable_problems([name, "_drs_started"], STARTED)
    if name == "drs_verify_sources":
        assert problems == [f"The variable {name} is reserved for the playbooks of this collection."]
    else:
        assert problems == [f"The variable {name} is unknown; {meant} was probably meant."]


@pytest.mark.parametrize(
    ("name", "internal"),
    [
        ("_drs_reset", {"_drs_reset": "x"}),
        ("_drs_reset", {"_drs_reset": {"skipped": True, "state": "running"}}),
        ("_drs_anything", {}),
        ("drs_verify_format", {}),
        ("drs_verify_warnings", {"drs_verify_warnings": []}),
    ],
)
def test_reserved(name, internal):
    assert variable_problems([name], {**STARTED, **internal}) == [
        f"The variable {name} is reserved for the playbooks of this collection."
    ]


@pytest.mark.parametrize("name", ["_drs_reset", "_drs_started", "_drs_passed_on", "drs_verify_warnings"])
def test_reserved_extra_variable_whatever_its_value_is(monkeypatch, name):
    """No playbook can reset an extra variable, not even to the value that it already has."""
    problem = f"The variable {name} is reserved for the playbooks of this collection."
    assert variable_problems([name], {**STARTED, name: INITIAL}) == []
    monkeypatch.setattr(load_extra_vars, "extra_vars", {name: INITIAL}, raising=False)
    assert variable_problems([name], {**STARTED, name: INITIAL}) == [problem]


def test_what_an_earlier_play_has_passed_on():
    assert variable_problems(["_drs_passed_on"], {**STARTED, "_drs_passed_on": {"job_id": "x"}}) == []


@pytest.mark.parametrize("internal", [{}, {"_drs_started": "x"}, {"_drs_started": {"skipped": True, "changed": False}}])
def test_not_started_as_a_whole(internal):
    (problem,) = variable_problems(["drs_gtidset"], internal)
    assert problem.startswith("This playbook runs as a whole, and has no tags.")
