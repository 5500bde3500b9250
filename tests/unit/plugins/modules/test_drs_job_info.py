# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _job_lists
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import JOB_STATUSES
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTIONS_URL,
    DETAILS_V3_URL,
    DRS,
    JOB_ID,
    JOB_URL,
    JOBS_URL,
    PROJECT_ID,
    WITH_PASSWORD,
    WITH_TOKEN,
    add_actions,
    add_details_v3,
    add_jobs,
    add_status,
    job_id,
    listed,
    sent,
)

JOB = {
    "id": JOB_ID,
    "name": "orders-to-dws",
    "status": "PAUSING",
    "engine_type": "mysql-to-dws",
    "task_type": "INCR_TRANS",
    "parent_id": None,
}
START = {
    "start_position": "mysql-bin.000277:805",
    "start_gtid_set": None,
    "conflict_policy": "overwrite",
    "failed_reason": None,
    "is_open_fast_clean": False,
}
PLACE = {"project_id": PROJECT_ID, "endpoint": DRS}
PROGRESS = {"transfer_status": "INCRE_TRANSFER_STARTED", "incr_trans_delay": 2}
# They differ in all that can be filtered by.
SOME = [
    listed(1, status="PAUSING"),
    listed(2, status="PAUSING", engine_type="oracle-to-dws"),
    listed(3, engine_type="mysql-to-mysql"),
    listed(4, children=[listed(5, status="PAUSING"), listed(6)]),
    listed(7, status=None, engine_type=None),
]


@pytest.fixture
def ids(module, check_mode):
    """Run the module, and return the IDs of the jobs."""

    def ids(**args):
        result = module.run({**WITH_TOKEN, **args}, check_mode)
        assert {**result, "jobs": []} == {"changed": False, "jobs": [], **PLACE}
        return [job["id"] for job in result["jobs"]]

    return ids


def test_documentation(module):
    module.check_documentation()
    module.check_options(mutually_exclusive=[("job_id", "name")])
    assert module.own_options["status"]["choices"] == list(JOB_STATUSES)


@pytest.mark.parametrize(
    "invalid, named",
    [
        ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
        ({"job_id": JOB_ID, "name": "orders-to-dws"}, "mutually exclusive: job_id|name"),
        ({"status": ["PAUSING", "pausing"]}, "pausing"),
        ({"include": "everything"}, "include"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"wait": True}, "wait"),
        ({"name": "********-to-dws"}, "Ansible has masked it, or a part of it"),
    ],
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, check_mode, invalid, named):
    module.check_refused(cloud, {**WITH_PASSWORD, **invalid}, named, check_mode)


class TestErrors:
    BODY = {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}
    FACTS = {"changed": False, "http_status": 400, "request_id": "r1", **BODY}

    @pytest.mark.parametrize("args, url", [({"job_id": JOB_ID}, JOB_URL), ({}, JOBS_URL)])
    def test_job(self, cloud, module, check_mode, args, url):
        cloud.get(url, status=400, json=self.BODY, headers={"X-Request-Id": "r1"})
        message, result = module.fail({**WITH_TOKEN, **args}, check_mode)
        assert result == self.FACTS
        assert "region and project" in message

    @pytest.mark.parametrize(
        "include, method, url",
        [("actions", "GET", ACTIONS_URL), ("progress", "GET", JOB_URL), ("position", "POST", DETAILS_V3_URL)],
    )
    def test_include(self, cloud, module, include, method, url):
        """A job without the part would look as if DRS had returned nothing about it."""
        add_status(cloud, "PAUSING")
        body = {"error_code": "DRS.M00102", "error_msg": "No permission."}
        cloud.add(method, url, status=403, json=body, headers={"X-Request-Id": "r1"})
        result = module.fail({**WITH_TOKEN, "job_id": JOB_ID, "include": include})[1]
        assert result == {**self.FACTS, "http_status": 403, **body}

    @pytest.mark.parametrize(
        "include, method, url, value",
        [("actions", "GET", ACTIONS_URL, None), ("position", "POST", DETAILS_V3_URL, dict.fromkeys(START))],
    )
    def test_include_what_drs_does_not_offer(self, cloud, module, check_mode, include, method, url, value):
        add_status(cloud, "PAUSING")
        cloud.add(method, url, status=404, json={"error_code": "APIGW.0101", "error_msg": "Not published."})
        result = module.run({**WITH_TOKEN, "job_id": JOB_ID, "include": include}, check_mode)
        assert result["jobs"] == [{**JOB, include: value}]
        assert "unknown" in str(result["warnings"])
        assert "Not published" in str(result["warnings"])

    def test_warnings_about_many_jobs(self, cloud, module):
        add_jobs(cloud, *map(listed, range(30)), total=30)
        url = re.compile(rf"{DRS}/v5/.*/actions")
        cloud.get(url, status=404, json={"error_code": "APIGW.0101", "error_msg": "Not published."})
        result = module.run({**WITH_TOKEN, "include": "actions"})
        assert [job["actions"] for job in result["jobs"]] == [None] * 30
        assert len(result["warnings"]) == 21
        assert "More warnings like these are not shown." in str(result["warnings"][-1])


class TestJobId:
    def test_job(self, cloud, module, check_mode):
        add_status(cloud, "PAUSING")
        result = module.run({**WITH_TOKEN, "job_id": JOB_ID}, check_mode)
        assert result == {"changed": False, "jobs": [JOB], **PLACE}
        assert [(call.request.method, call.request.url) for call in cloud.calls] == [("GET", f"{JOB_URL}?type=detail")]


class TestList:
    @pytest.mark.parametrize("empty", [{}, {"job_id": "", "name": "", "engine_type": "", "status": "", "include": ""}])
    def test_all(self, cloud, ids, empty):
        add_jobs(cloud, *SOME)
        assert ids(**empty) == [job_id(number) for number in range(1, 8)]
        assert sent(cloud) == [("GET", JOBS_URL)]
        assert "name=" not in cloud.calls[0].request.url

    def test_name(self, cloud, ids):
        """An empty job_id counts as unset."""
        add_jobs(cloud, listed(11), listed(1), listed(12))
        assert ids(name="job-1", job_id="") == [job_id(1)]
        assert cloud.calls[0].request.url.endswith("&name=job-1")

    @pytest.mark.parametrize("filters, found", [({}, [1, 2]), ({"status": "PAUSING"}, [2])])
    def test_duplicate_name_warns(self, cloud, module, check_mode, filters, found):
        """Even if filters leave one job only: later it may be another."""
        add_jobs(cloud, listed(1), listed(2, name="job-1", status="PAUSING"), listed(10))
        result = module.run({**WITH_TOKEN, "name": "job-1", **filters}, check_mode)
        assert [job["id"] for job in result["jobs"]] == [job_id(number) for number in found]
        (warning,) = result["warnings"]
        assert "2 jobs have the name job-1" in str(warning)

    @pytest.mark.parametrize(
        "args, found",
        [
            ({"status": "PAUSING"}, [1, 2, 5]),
            ({"status": ["PAUSING", "INCRE_TRANSFER_STARTED"]}, [1, 2, 3, 4, 5, 6]),
            ({"engine_type": "oracle-to-dws,mysql-to-mysql"}, [2, 3]),
            ({"engine_type": "mysql-to-dws", "status": "PAUSING"}, [1, 5]),
            ({"engine_type": "MYSQL-TO-DWS"}, []),
            ({"engine_type": [], "status": [], "include": []}, [1, 2, 3, 4, 5, 6, 7]),
        ],
    )
    def test_filters(self, cloud, ids, args, found):
        add_jobs(cloud, *SOME)
        assert ids(**args) == [job_id(number) for number in found]
        assert len(cloud.calls) == 1


class TestInclude:
    @pytest.mark.parametrize("include", ["progress,actions,position", ["actions", "progress", "position", "actions"]])
    def test_all(self, cloud, module, check_mode, include):
        add_status(cloud, "PAUSING")
        cloud.get(JOB_URL, json={"job": {"progress_info": {**PROGRESS, "incr_trans_delay": "2"}}})
        add_actions(cloud, "RETRY")
        add_details_v3(
            cloud,
            incre_start_position=START["start_position"],
            gtid="",
            conflict_policy="overwrite",
            failed_reason="",
            is_open_fast_clean=False,
        )
        (job,) = module.run({**WITH_TOKEN, "job_id": JOB_ID, "include": include}, check_mode)["jobs"]
        actions = {
            "available_actions": ["RETRY"],
            "unavailable_actions": ["START", "PAUSE", "RESET"],
            "current_action": None,
        }
        assert job == {**JOB, "actions": actions, "position": START, "progress": PROGRESS}
        assert {url for method, url in sent(cloud) if method != "GET"} == {DETAILS_V3_URL}

    @pytest.mark.parametrize("name, value, limit", [("LENGTH", 700, "700 characters"), ("TIME", -1, "-1 seconds")])
    def test_limits(self, cloud, module, monkeypatch, name, value, limit):
        """Of what is read about all jobs."""
        monkeypatch.setattr(_job_lists, f"MAX_INCLUDE_{name}", value)
        add_jobs(cloud, *SOME)
        cloud.get(re.compile(f"{JOBS_URL}/.*/actions"), json={"job_action": {"available_actions": ["PAUSE"] * 10}})
        message, _result = module.fail({**WITH_TOKEN, "include": "actions"})
        assert f"The list of jobs from DRS did not end within {limit}." in message

    def test_read_for_returned_jobs_only(self, cloud, module, check_mode):
        add_jobs(cloud, *SOME)
        for number in (1, 5):
            cloud.get(
                f"{JOBS_URL}/{job_id(number)}/actions", json={"job_action": {"available_actions": [f"OF-{number}"]}}
            )
        jobs = module.run(
            {**WITH_TOKEN, "engine_type": "mysql-to-dws", "status": "PAUSING", "include": "actions"}, check_mode
        )["jobs"]
        assert [job["actions"]["available_actions"] for job in jobs] == [["OF-1"], ["OF-5"]]
        assert len(cloud.calls) == 3
