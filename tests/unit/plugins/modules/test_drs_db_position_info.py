# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    JOB_ID,
    LOGIN_URL,
    PASSWORD,
    POSITION,
    PROJECT_ID,
    QUERY_ID,
    REGION,
    RESULT_URL,
    TOKEN,
    add_login,
    add_result,
)

IDS = {"job_id": JOB_ID, "query_id": QUERY_ID}
ARGS = {"region": REGION, "auth_token": TOKEN, "project_id": PROJECT_ID, **IDS}


@pytest.fixture
def module(module_file):
    return module_file("drs_db_position_info")


@pytest.fixture(params=[False, True], ids=["run", "check"])
def check_mode(request):
    return request.param


def test_examples_and_results(module):
    module.check_documentation()


def test_own_options(module):
    module.check_secrets()
    module.check_options()
    assert {name: (spec["type"], spec["required"]) for name, spec in module.own_options.items()} == dict.fromkeys(IDS, ("str", True))


@pytest.mark.parametrize("status, found", [("pending", {}), ("failed", {}), ("success", {"position": POSITION})], ids=["pending", "failed", "success"])
def test_status(cloud, module, check_mode, status, found):
    add_result(cloud, status)
    assert module.run(ARGS, check_mode) == {**IDS, "changed": False, "status": status, "request_id": f"result-{status}", **found}
    assert [(call.request.method, call.request.url) for call in cloud.calls] == [("GET", f"{RESULT_URL}?query_id={QUERY_ID}")]


def test_login(cloud, module, check_mode):
    add_login(cloud)
    add_result(cloud, "success")
    result = module.run({"region": REGION, "username": "operator", "password": PASSWORD, "domain_name": "example-account", **IDS}, check_mode)
    assert result["position"] == POSITION
    assert cloud.calls[0].request.url.startswith(LOGIN_URL)


def test_query_id_is_quoted(cloud, module):
    add_result(cloud, "success")
    assert module.run({**ARGS, "query_id": "a/../b?c=d&e"})["query_id"] == "a/../b?c=d&e"
    assert cloud.calls[0].request.url == f"{RESULT_URL}?query_id=a%2F..%2Fb%3Fc%3Dd%26e"


def test_refused(cloud, module, check_mode):
    body = {"error_code": "DRS.10030014", "error_msg": "The query does not exist."}
    cloud.get(RESULT_URL, status=400, json=body, headers={"X-Request-Id": "r1"})
    result = module.run(ARGS, check_mode)
    message = result.pop("msg")
    result.pop("exception", None)
    assert result == {**IDS, "failed": True, "changed": False, "http_status": 400, "request_id": "r1", **body}
    assert "Collect the position again" in message


@pytest.mark.parametrize("body", [{}, {"status": "odd"}, {"status": "success"}, [], None])
def test_odd_answer(cloud, module, body):
    cloud.get(RESULT_URL, json=body)
    result = module.run(ARGS)
    assert result["failed"] is True
    assert {name: result[name] for name in IDS} == IDS
    assert "position" not in result


def test_lost_answer_is_asked_for_again(cloud, module):
    cloud.get(RESULT_URL, status=502)
    add_result(cloud, "success")
    assert module.run(ARGS)["position"] == POSITION


@pytest.mark.parametrize(
    "wrong, named",
    [
        ({"job_id": "too-short"}, "job_id"),
        ({"job_id": ""}, "job_id"),
        ({"query_id": ""}, "query_id"),
        ({"query_id": "a b"}, "query_id"),
        ({"query_id": "x" * 129}, "query_id"),
        ({"project_id": "a/b"}, "project_id"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"reset_position_time": "2023-09-19T07:00:00Z"}, "reset_position_time"),
    ],
)
def test_nothing_is_sent_before_the_options_are_right(cloud, module, check_mode, wrong, named):
    result = module.run({**ARGS, **wrong}, check_mode)
    assert result["failed"] is True
    assert named in result["msg"]
    assert len(cloud.calls) == 0
