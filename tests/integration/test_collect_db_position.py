# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook collect_db_position: what it says, hands on and refuses."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from integration.conftest import Ansible, make_unusable, on_request
from simulator.client import Simulator

COLLECT = ("ansible-playbook", "huaweicloud.drs.collect_db_position")
RUNBOOK = ("ansible-playbook", Path(__file__).with_name("runbook.yml"))
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
UNKNOWN = "00000000-8e09-4a5d-8dd6-cc44f78jb20r"
FLEET = [f"{number:08d}-feed-4bee-8dad-{number:07d}jb20r" for number in range(10, 15)]
QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
ANY_QUERY = "[0-9a-f-]{36}"
READ = {"path": "/db-position"}
TIME = {"drs_reset_position_time": "2023-09-19T07:00:00Z"}


def posts(cloud: Simulator) -> list[str]:
    return [request["path"].rpartition("/")[2] for request in cloud.requests() if request["method"] == "POST"]


def handed_on(said: str, **values: str) -> bool:
    """Whether the next node of a workflow gets these."""
    stats = said.partition("CUSTOM STATS")[2]
    return all(re.search(rf'"?drs_position_?{name}"?: "?{value}"?\W', stats) for name, value in values.items())


@pytest.mark.smoke
def test_one_and_many(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    """It reads until the positions are there, and hands them on."""
    cloud.faults(
        [
            {
                "match": READ,
                "kind": "status",
                "status": 400,
                "body": {"error_code": "DRS.M01503", "error_msg": "Too frequent."},
                "times": 1,
            },
            {"match": READ, "kind": "replace", "body": {"job_id": JOB, "status": "pending"}, "times": 1},
        ]
    )
    said = ansible(
        *RUNBOOK,
        variables={"job": JOB, "shards": FLEET, **TIME, "drs_wait_sleep": "1", "drs_concurrency": "3"},
        **token,
    )
    assert "FAILED - RETRYING" in said
    assert f"The position of DRS job {JOB} at 2023-09-19T07:00:00Z is mysql-bin.000277:805" in said
    assert re.search(f"handed on: {ANY_QUERY} success mysql-bin.000277:805", said)
    assert re.search("of many: .*success.* 5.* mysql-bin.000277:815 .* mysql-bin.000277:819", said)
    assert handed_on(said, **{"": "mysql-bin.000277:805", "status": "success", "id": ANY_QUERY})
    assert posts(cloud) == ["collect-db-position"] * 6


def test_many_of_which_one_is_unknown(cloud: Simulator, ansible: Ansible) -> None:
    """The jobs are set on the command line. There is one login, by variables, and the other positions are passed on."""
    login = f"drs_region=eu-west-101 drs_endpoint={cloud.url} drs_iam_endpoint={cloud.url}"
    login += " drs_domain_name=example-account drs_project_name="
    said = ansible(
        *COLLECT,
        *(
            "-e",
            "drs_reset_position_time=2023-09-19T07:00:00Z",
            "-e",
            f"drs_job_ids={','.join([*FLEET, UNKNOWN])}",
            "-e",
            login,
        ),
        code=2,
        **dict.fromkeys(["HW_REGION_NAME", "HW_AUTH_URL", "HW_DRS_ENDPOINT", "HW_DOMAIN_NAME"], ""),
    )
    assert "1 of 6 jobs failed" in said
    assert re.search(r"CUSTOM STATS[^~]*\"success\": 5[^~]*mysql-bin.000277:819[^~]*DRS.10000010", said)
    assert posts(cloud) == ["tokens", *["collect-db-position"] * 6]


def test_check_mode(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    said = ansible(
        *RUNBOOK, "--check", variables={"job": JOB, "shards": f"{FLEET[0]}\n{FLEET[1]}, {FLEET[2]}\n", **TIME}, **token
    )
    assert f"The position of DRS job {JOB} at 2023-09-19T07:00:00Z would be collected." in said
    assert "The positions of 3 DRS jobs at 2023-09-19T07:00:00Z would be collected." in said
    assert "handed on: no no no" in said
    assert "of many: no" in said
    assert "CUSTOM STATS" not in said
    assert posts(cloud) == []


def test_check_mode_where_jobs_cannot_be_read(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    cloud.settings(unpublished=["show_job_detail", "batch_list_job_details"])
    said = ansible(*RUNBOOK, "--check", variables={"job": JOB, "shards": FLEET, **TIME}, **token)
    assert "5 of these jobs could not be checked, because the region does not support reading jobs." in said
    assert "collect-db-position" not in posts(cloud)


@pytest.mark.parametrize(
    ("fault", "timeout", "reason", "status", "query"),
    [
        (
            {"match": READ, "kind": "replace", "body": {"job_id": JOB, "status": "pending"}},
            1,
            "{query} is pending",
            "pending",
            ANY_QUERY,
        ),
        (
            {"match": READ, "kind": "replace", "body": {"job_id": JOB, "status": "failed"}},
            10,
            "{query} is failed",
            "failed",
            ANY_QUERY,
        ),
        (
            {"match": READ, "kind": "status", "status": 403, "body": {"error_code": "DRS.M00102", "error_msg": "No."}},
            10,
            "DRS.M00102",
            "pending",
            ANY_QUERY,
        ),
        (
            {"match": {"path": "collect"}, "kind": "replace", "body": {"id": QUERY, "job_id": JOB, "status": "failed"}},
            10,
            "binlog",
            "failed",
            QUERY,
        ),
    ],
    ids=["late", "failed", "refused", "failed at once"],
)
def test_no_position(
    cloud: Simulator,
    ansible: Ansible,
    token: dict[str, str],
    fault: dict[str, Any],
    timeout: int,
    reason: str,
    status: str,
    query: str,
) -> None:
    """Only one that is late is waited for."""
    cloud.faults([{**fault, "times": None}])
    said = ansible(
        *COLLECT,
        variables={"drs_job_id": JOB, **TIME, "drs_wait_timeout": timeout, "drs_wait_sleep": 1 if timeout > 1 else 600},
        code=2,
        **token,
    )
    assert re.search(reason.format(query=query), said)
    assert "RETRYING" not in said or timeout == 1
    assert handed_on(said, **{"": "", "status": status, "id": query})


@pytest.mark.parametrize("password", ["mysql-bin", "MySQL-Bin.0"])
@pytest.mark.parametrize("jobs", [{"drs_job_id": JOB}, {"drs_job_ids": FLEET[0]}])
def test_position_that_contains_the_password(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], jobs: dict[str, str], password: str
) -> None:
    """It is not handed on with something else in its place."""
    said = ansible(*COLLECT, variables={**jobs, **TIME}, code=2, HW_USER_PASSWORD=password, **token)
    assert re.search(r"found a\s+position\s+that\s+cannot\s+be\s+returned", said)
    stats = said.partition("CUSTOM STATS")[2]
    assert re.search(ANY_QUERY, stats)
    assert "pending" in stats
    assert not re.search(r":8\d5|[*]{8}\.|\(hidden", stats)


def test_temporary_folder_that_disappears(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    """Ansible takes the host for unreachable. The ID of the query is not lost."""
    folder = tmp_path / "temporary"
    folder.mkdir()

    with on_request(cloud, "collect-db-position", lambda: make_unusable(folder)):
        said = ansible(*COLLECT, variables={"drs_job_id": JOB, **TIME}, code=2, ANSIBLE_REMOTE_TMP=str(folder), **token)
    assert "Failed to create temporary directory" in said
    assert handed_on(said, id=ANY_QUERY, status="pending")


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        (f"drs_job_id={JOB} drs_job_ids={FLEET[0]}", "Set only one of drs_job_id and drs_job_ids."),
        (f"drs_jobid={JOB}", "The variable drs_jobid is unknown; drs_job_id was probably meant."),
    ],
    ids=["two kinds of jobs", "name"],
)
def test_variables_refused(cloud: Simulator, ansible: Ansible, variables: str, reason: str) -> None:
    assert reason in ansible(*COLLECT, "-e", f"{variables} drs_reset_position_time=2023-09-19T07:00:00Z", code=2)
    assert cloud.requests() == []
