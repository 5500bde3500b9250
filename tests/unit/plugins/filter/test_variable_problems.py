# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

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


@pytest.mark.parametrize("internal", [{}, {"_drs_started": "x"}, {"_drs_started": {"skipped": True, "changed": False}}])
def test_not_started_as_a_whole(internal):
    (problem,) = variable_problems(["drs_gtidset"], internal)
    assert problem.startswith("This playbook runs as a whole, and has no tags.")
