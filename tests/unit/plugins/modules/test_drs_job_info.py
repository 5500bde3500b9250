# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import JOB_STATUSES
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTIONS_URL,
    JOB_ID,
    JOB_URL,
    JOBS_URL,
    LOGIN_URL,
    PASSWORD,
    PROJECT_ID,
    REGION,
    TOKEN,
    add_actions,
    add_jobs,
    add_login,
    add_status,
    job_id,
    listed,
    sent,
)

LOGIN = {"region": REGION, "auth_token": TOKEN, "project_id": PROJECT_ID}
JOB = {
    "id": JOB_ID,
    "name": "orders-to-dws",
    "status": "PAUSING",
    "engine_type": "mysql-to-dws",
    "task_type": "INCR_TRANS",
    "parent_id": None,
}
PROGRESS = {"transfer_status": "INCRE_TRANSFER_STARTED", "incr_trans_delay": 2}
# Several that differ in what one can choose by.
SOME = [
    listed(1, status="PAUSING"),
    listed(2, status="PAUSING", engine_type="oracle-to-dws"),
    listed(3, engine_type="mysql-to-mysql"),
    listed(4, children=[listed(5, status="PAUSING"), listed(6)]),
    listed(7, status=None, engine_type=None),
]


@pytest.fixture
def module(module_file):
    return module_file("drs_job_info")


@pytest.fixture(params=[False, True], ids=["run", "check"])
def check_mode(request):
    return request.param


@pytest.fixture
def ids(module, check_mode):
    """Run the module, and return the ids of the jobs that it found."""

    def ids(**args):
        result = module.run({**LOGIN, **args}, check_mode)
        assert set(result) == {"changed", "jobs"}
        assert result["changed"] is False
        return [job["id"] for job in result["jobs"]]

    return ids


@pytest.fixture
def failed(module, check_mode):
    """Run the module, which must fail, and return its message and the rest of the result."""

    def failed(**args):
        result = module.run({**LOGIN, **args}, check_mode)
        assert result.pop("failed") is True
        assert result.pop("changed", False) is False
        result.pop("exception", None)
        return result.pop("msg"), result

    return failed


class TestDocumentation:
    def test_examples_and_results(self, module):
        module.check_documentation()

    def test_own_options(self, module):
        module.check_secrets()
        module.check_options(mutually_exclusive=[("job_id", "name")])

    def test_statuses(self, module):
        assert module.own_options["status"]["choices"] == list(JOB_STATUSES)


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"job_id": "too-short"}, "job_id"),
        ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
        ({"job_id": JOB_ID, "name": "orders-to-dws"}, "mutually exclusive: job_id|name"),
        ({"status": "RUNNING"}, "status"),
        ({"status": ["PAUSING", "pausing"]}, "pausing"),
        ({"status": [""]}, "status"),
        ({"include": "everything"}, "include"),
        ({"include": {"actions": True}}, "include"),
        ({"project_id": "a/b"}, "project_id"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"wait": True}, "wait"),
    ],
)
def test_nothing_is_sent_before_the_options_are_right(cloud, failed, wrong, named):
    message, result = failed(**wrong)
    assert named in message
    assert result == {}
    assert len(cloud.calls) == 0


class TestRefused:
    BODY = {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}
    FACTS = {"http_status": 400, "request_id": "r1", **BODY}

    def test_absent(self, cloud, failed):
        cloud.get(JOB_URL, status=400, json=self.BODY, headers={"X-Request-Id": "r1"})
        message, result = failed(job_id=JOB_ID)
        assert result == self.FACTS
        assert "region and project" in message

    def test_list(self, cloud, failed):
        cloud.get(JOBS_URL, status=400, json=self.BODY, headers={"X-Request-Id": "r1"})
        assert failed()[1] == self.FACTS

    @pytest.mark.parametrize("include", ["actions", "progress"])
    def test_what_else_was_to_be_read(self, cloud, failed, include):
        """A job without it would look as if DRS said nothing about it."""
        add_status(cloud, "PAUSING")
        cloud.get(ACTIONS_URL if include == "actions" else JOB_URL, status=400, json=self.BODY, headers={"X-Request-Id": "r1"})
        assert failed(job_id=JOB_ID, include=include)[1] == self.FACTS

    def test_login(self, cloud, module, check_mode):
        cloud.post(LOGIN_URL, status=401)
        result = module.run({"region": REGION, "username": "operator", "password": PASSWORD, "domain_name": "example-account"}, check_mode)
        assert (result["failed"], result["http_status"]) == (True, 401)
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize("body", [{}, {"jobs": {}}, {"jobs": [{}], "total_count": 1}, [], None])
    def test_odd_list(self, cloud, failed, body):
        cloud.get(JOBS_URL, json=body)
        assert failed()[1] == {"http_status": 200}

    @pytest.mark.parametrize("body", [{}, {"job": []}, [], None])
    def test_odd_job(self, cloud, failed, body):
        cloud.get(JOB_URL, json=body)
        assert failed(job_id=JOB_ID)[1] == {"http_status": 200}

    def test_odd_actions(self, cloud, failed):
        add_status(cloud, "PAUSING")
        cloud.get(ACTIONS_URL, json={"job_action": {}})
        assert failed(job_id=JOB_ID, include=["progress", "actions"])[1] == {"http_status": 200}


class TestOne:
    def test_job(self, cloud, module, check_mode):
        add_status(cloud, "PAUSING")
        assert module.run({**LOGIN, "job_id": JOB_ID}, check_mode) == {"changed": False, "jobs": [JOB]}
        assert [(call.request.method, call.request.url) for call in cloud.calls] == [("GET", f"{JOB_URL}?type=detail")]

    def test_login(self, cloud, module, check_mode):
        add_login(cloud)
        add_status(cloud, "PAUSING")
        args = {"region": REGION, "username": "operator", "password": PASSWORD, "domain_name": "example-account", "job_id": JOB_ID}
        assert module.run(args, check_mode)["jobs"] == [JOB]
        assert [method for method, _url in sent(cloud)] == ["POST", "GET"]

    @pytest.mark.parametrize(
        "args, found",
        [
            ({"status": "PAUSING"}, True),
            ({"status": "DELETED,PAUSING"}, True),
            ({"engine_type": ["mysql-to-mysql", "mysql-to-dws"]}, True),
            ({"status": "DELETED"}, False),
            ({"engine_type": "mysql-to-mysql", "status": "PAUSING"}, False),
            ({"engine_type": "mysql"}, False),
        ],
    )
    def test_chosen(self, cloud, ids, args, found):
        """Of a job that is not chosen, nothing more is read."""
        add_status(cloud, "PAUSING")
        if found:
            add_actions(cloud)
        assert ids(job_id=JOB_ID, include="actions", **args) == [JOB_ID] * found
        assert len(cloud.calls) == 1 + found

    def test_nothing_known(self, cloud, module, check_mode):
        cloud.get(JOB_URL, json={"job": {}})
        assert module.run({**LOGIN, "job_id": JOB_ID}, check_mode)["jobs"] == [{**dict.fromkeys(JOB), "id": JOB_ID}]


class TestList:
    @pytest.mark.parametrize("empty", [{}, {"job_id": "", "name": "", "engine_type": "", "status": "", "include": ""}, {"job_id": None, "name": None}])
    def test_all(self, cloud, ids, empty):
        add_jobs(cloud, *SOME)
        assert ids(**empty) == [job_id(number) for number in range(1, 8)]
        assert sent(cloud) == [("GET", JOBS_URL)]
        assert "name=" not in cloud.calls[0].request.url

    @pytest.mark.parametrize("given", [{"job_id": JOB_ID, "name": ""}, {"job_id": "", "name": "job-1"}])
    def test_empty_beside_the_other(self, cloud, ids, given):
        if given["job_id"]:
            add_status(cloud, "PAUSING")
        else:
            add_jobs(cloud, *SOME)
        assert ids(**given) == [given["job_id"] or job_id(1)]

    def test_many(self, cloud, ids):
        add_jobs(cloud, *map(listed, range(123)))
        assert ids() == [job_id(number) for number in range(123)]
        assert len(cloud.calls) == 3

    def test_keys(self, cloud, module, check_mode):
        add_jobs(cloud, listed(1, children=[listed(2)]))
        facts = {"status": "INCRE_TRANSFER_STARTED", "engine_type": "mysql-to-dws", "task_type": "INCR_TRANS"}
        assert module.run(LOGIN, check_mode)["jobs"] == [
            {"id": job_id(1), "name": "job-1", "parent_id": None, **facts},
            {"id": job_id(2), "name": "job-2", "parent_id": job_id(1), **facts},
        ]

    @pytest.mark.parametrize("name, found", [("job-1", [1]), ("job-11", [11]), ("job", []), ("JOB-1", []), ("job-5", [5])])
    def test_name(self, cloud, ids, name, found):
        add_jobs(cloud, listed(11), listed(1), listed(12), listed(4, name="job-5-and-more", children=[listed(5)]))
        assert ids(name=name) == [job_id(number) for number in found]
        assert cloud.calls[0].request.url.endswith(f"&name={name}")

    def test_name_of_several(self, cloud, module, check_mode):
        add_jobs(cloud, listed(1), listed(2, name="job-1"), listed(10))
        result = module.run({**LOGIN, "name": "job-1"}, check_mode)
        assert [job["id"] for job in result["jobs"]] == [job_id(1), job_id(2)]
        (warning,) = result["warnings"]
        assert "2 jobs have the name job-1" in str(warning)

    def test_name_of_several_of_which_one_is_chosen(self, cloud, module, check_mode):
        add_jobs(cloud, listed(1), listed(2, name="job-1", status="PAUSING"))
        result = module.run({**LOGIN, "name": "job-1", "status": "PAUSING"}, check_mode)
        assert [job["id"] for job in result["jobs"]] == [job_id(2)]
        assert len(result["warnings"]) == 1

    @pytest.mark.parametrize(
        "args, found",
        [
            ({"status": "PAUSING"}, [1, 2, 5]),
            ({"status": ["PAUSING", "INCRE_TRANSFER_STARTED"]}, [1, 2, 3, 4, 5, 6]),
            ({"status": list(JOB_STATUSES)}, [1, 2, 3, 4, 5, 6]),
            ({"engine_type": "mysql-to-dws"}, [1, 4, 5, 6]),
            ({"engine_type": "oracle-to-dws,mysql-to-mysql"}, [2, 3]),
            ({"engine_type": "mysql-to-dws", "status": "PAUSING"}, [1, 5]),
            ({"engine_type": "MYSQL-TO-DWS"}, []),
            ({"status": "DELETED"}, []),
            ({"engine_type": [], "status": [], "include": []}, [1, 2, 3, 4, 5, 6, 7]),
        ],
    )
    def test_chosen(self, cloud, ids, args, found):
        add_jobs(cloud, *SOME)
        assert ids(**args) == [job_id(number) for number in found]
        assert len(cloud.calls) == 1

    def test_lost_answer_is_asked_for_again(self, cloud, ids):
        cloud.get(JOBS_URL, status=502)
        add_jobs(cloud, listed(1))
        assert ids() == [job_id(1)]


class TestInclude:
    @pytest.mark.parametrize("include", ["progress,actions", ["actions", "progress"], ["actions", "progress", "actions"]])
    def test_both(self, cloud, module, check_mode, include):
        add_status(cloud, "PAUSING")
        cloud.get(JOB_URL, json={"job": {"progress_info": {**PROGRESS, "incr_trans_delay": "2"}}})
        add_actions(cloud, "RETRY")
        (job,) = module.run({**LOGIN, "job_id": JOB_ID, "include": include}, check_mode)["jobs"]
        actions = {"available_actions": ["RETRY"], "unavailable_actions": ["START", "PAUSE", "RESET"], "current_action": None}
        assert job == {**JOB, "actions": actions, "progress": PROGRESS}
        assert {method for method, _url in sent(cloud)} == {"GET"}

    def test_for_each_that_is_returned(self, cloud, module, check_mode):
        add_jobs(cloud, *SOME)
        for number in (1, 5):
            cloud.get(f"{JOBS_URL}/{job_id(number)}/actions", json={"job_action": {"available_actions": [f"OF-{number}"]}})
        jobs = module.run({**LOGIN, "engine_type": "mysql-to-dws", "status": "PAUSING", "include": "actions"}, check_mode)["jobs"]
        assert [job["actions"]["available_actions"] for job in jobs] == [["OF-1"], ["OF-5"]]
        assert len(cloud.calls) == 3

    def test_of_none(self, cloud, ids):
        add_jobs(cloud)
        assert ids(include=["actions", "progress"]) == []
