# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook collect_db_position: its output, its results for later plays, and invalid variables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Ansible
from simulator.client import Simulator

COLLECT = ("ansible-playbook", "huaweicloud.drs.collect_db_position")
RUNBOOK = ("ansible-playbook", Path(__file__).with_name("runbook.yml"))
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
UNKNOWN = "00000000-8e09-4a5d-8dd6-cc44f78jb20r"
FLEET = [f"{number:08d}-feed-4bee-8dad-{number:07d}jb20r" for number in range(10, 15)]
QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
TIME = {"drs_reset_position_time": "2023-09-19T07:00:00Z"}


def posts(cloud: Simulator) -> list[str]:
    return [request["path"].rpartition("/")[2] for request in cloud.requests() if request["method"] == "POST"]


def passed_on(output: str, **values: str) -> bool:
    """Return whether the next node of a workflow gets these values."""
    stats = output.partition("CUSTOM STATS")[2]
    return all(re.search(rf'"?drs_position_?{name}"?: "?{value}"?\W', stats) for name, value in values.items())


@pytest.mark.smoke
def test_one(cloud: Simulator, ansible: Ansible) -> None:
    """It reads until the position has been found, and passes it on. Variables replace the environment."""
    cloud.faults(
        [
            {
                "match": {"path": "/db-position"},
                "kind": "status",
                "status": 400,
                "body": {"error_code": "DRS.M01503", "error_msg": "Too frequent."},
                "times": 1,
            },
            {
                "match": {"path": "/db-position"},
                "kind": "replace",
                "body": {"job_id": JOB, "status": "pending"},
                "times": 1,
            },
        ]
    )
    variables = {
        "drs_region": "eu-west-101",
        "drs_endpoint": cloud.url,
        "drs_iam_endpoint": cloud.url,
        "drs_domain_name": "example-account",
    }
    output = ansible(
        *RUNBOOK,
        variables={"drs_job_id": JOB, **TIME, "drs_wait_sleep": "1", "drs_project_name": "", **variables},
        **dict.fromkeys(["HW_REGION_NAME", "HW_AUTH_URL", "HW_DRS_ENDPOINT", "HW_DOMAIN_NAME"], ""),
    )
    assert "FAILED - RETRYING" in output
    assert f"The position of DRS job {JOB} at 2023-09-19T07:00:00Z is mysql-bin.000277:805" in output
    assert re.search("one job: [0-9a-z-]{36} success mysql-bin.000277:805", output)
    assert passed_on(output, **{"": "mysql-bin.000277:805", "status": "success", "id": "[0-9a-z-]{36}"})
    assert posts(cloud) == ["tokens", "collect-db-position"]


def test_many_with_one_unknown(cloud: Simulator, ansible: Ansible) -> None:
    """The jobs are set on the command line. There is one login, and the other positions are passed on."""
    output = ansible(
        *COLLECT,
        "-e",
        "drs_reset_position_time=2023-09-19T07:00:00Z",
        "-e",
        f"drs_job_ids={','.join([*FLEET, UNKNOWN])}",
        code=2,
    )
    assert "1 of 6 jobs failed" in output
    assert re.search(r"CUSTOM STATS[^~]*\"success\": 5[^~]*mysql-bin.000277:819[^~]*DRS.10000010", output)
    assert posts(cloud) == ["tokens", *["collect-db-position"] * 6]


def test_check_mode(cloud: Simulator, ansible: Ansible) -> None:
    output = ansible(*RUNBOOK, "--check", variables={"drs_job_ids": f"{FLEET[0]}\n{FLEET[1]}, {FLEET[2]}\n", **TIME})
    assert "The positions of 3 DRS jobs at 2023-09-19T07:00:00Z would be collected." in output
    assert "many jobs: no" in output
    assert "CUSTOM STATS" not in output
    assert posts(cloud) == ["tokens"]


@pytest.mark.parametrize(
    ("fault", "reason", "status"),
    [
        (
            {"match": {"path": "/db-position"}, "kind": "replace", "body": {"job_id": JOB, "status": "pending"}},
            "is pending",
            "pending",
        ),
        (
            {"match": {"path": "collect"}, "kind": "replace", "body": {"id": QUERY, "job_id": JOB, "status": "failed"}},
            "binlog",
            "failed",
        ),
    ],
    ids=["late", "failed at once"],
)
def test_no_position(cloud: Simulator, ansible: Ansible, fault: dict[str, Any], reason: str, status: str) -> None:
    cloud.faults([{**fault, "times": None}])
    token = {"HW_AUTH_TOKEN": cloud.token(), "HW_PROJECT_ID": cloud.cloud["projects"][0]["id"]}
    output = ansible(
        *COLLECT, variables={"drs_job_id": JOB, **TIME, "drs_wait_timeout": 1, "drs_wait_sleep": 1}, code=2, **token
    )
    assert reason in output
    assert passed_on(output, **{"": "", "status": status, "id": QUERY if status == "failed" else "[0-9a-z-]{36}"})


def test_wrong_password(cloud: Simulator, ansible: Ansible) -> None:
    output = ansible(*COLLECT, variables={"drs_job_id": JOB, **TIME}, code=2, HW_USER_PASSWORD="not-the-password-9261")
    assert "user drs-operator of account (domain) example-account" in output
    assert "not-the-password" not in output


@pytest.mark.parametrize(
    "variables",
    [
        f'{{"drs_job_id": "{JOB}", "drs_job_ids": ["{FLEET[0]}"], "drs_reset_position_time": "2023-09-19T07:00:00Z"}}',
        f"drs_reset_position_time=2023-09-19T07:00:00Z drs_job_ids={FLEET[0]}, {FLEET[1]}",
    ],
    ids=["two kinds of jobs", "white space"],
)
def test_variables_refused(cloud: Simulator, ansible: Ansible, variables: str) -> None:
    assert "Set drs_job_id to the ID of a DRS job, or drs_job_ids to the IDs of many jobs" in ansible(
        *COLLECT, "-e", variables, code=2
    )
    assert cloud.requests() == []
