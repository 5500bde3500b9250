# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import requests
from urllib3.exceptions import ProtocolError

from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECT_URL,
    COLLECTION,
    JOB_ID,
    JOB_URL,
    LOGIN_URL,
    PASSWORD,
    POSITION,
    PROJECT_ID,
    QUERY_ID,
    REGION,
    REQUEST_ID,
    RESULT_URL,
    TIME,
    TOKEN,
    add_collect,
    add_job,
    add_login,
    add_result,
    bodies,
)

LOGIN = {"region": REGION, "username": "operator", "password": PASSWORD, "account_name": "example-account"}
JOB = {"job_id": JOB_ID, "reset_position_time": TIME}
ARGS = {"region": REGION, "auth_token": TOKEN, "project_id": PROJECT_ID, **JOB}
# As requests raises it when a connection breaks down before the answer.
LOST = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError("Connection reset by peer")))
STARTED = {"id": QUERY_ID, "changed": True, "request_id": REQUEST_ID, **JOB}


@pytest.fixture
def module(module_file):
    return module_file("drs_collect_db_position")


def failed(module, args, check_mode=False):
    """Run the module, which must fail, and return its message and the rest of the result."""
    result = module.run(args, check_mode)
    assert result.pop("failed") is True
    result.pop("exception", None)
    return result.pop("msg"), result


class TestDocumentation:
    def test_examples_and_results(self, module):
        module.check_documentation()

    def test_secrets(self, module):
        module.check_secrets()
        module.check_options()

    def test_options(self, module):
        """They are those of the code: the names, because unknown ones are refused, and the types and defaults, because they come back."""
        result = module.run({**dict.fromkeys(module.own_options, "1"), **ARGS, "reset_position_time": "x"})
        assert "reset_position_time" in result["msg"]
        assert {name: spec.get("default") for name, spec in module.own_options.items()} == {
            "job_id": None,
            "reset_position_time": None,
            "wait": False,
            "wait_timeout": 300,
            "wait_sleep": 2,
        }


def test_imports():
    """What a task imports is compiled each time, so the module takes no more of the collection than its call needs, and no SDK."""
    name = "ansible_collections.huaweicloud.drs.plugins.modules.drs_collect_db_position"
    code = f"import json, sys, {name}; print(json.dumps([name for name in sys.modules if 'huaweicloud' in name]))"
    path = os.pathsep.join([str(COLLECTION.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, check=True)
    assert {found.rpartition(".")[2] for found in json.loads(found.stdout)} == {
        *("huaweicloud", "drs", "plugins", "modules", "drs_collect_db_position"),
        *("module_utils", "_module", "_drs", "_iam", "_http"),
    }


class TestPlain:
    def test_with_a_token(self, cloud, module):
        add_collect(cloud)
        assert module.run(ARGS) == {**STARTED, "status": "pending"}
        assert bodies(cloud) == [{"reset_position_time": TIME}]
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN

    def test_with_a_password(self, cloud, module):
        add_login(cloud)
        add_collect(cloud)
        assert module.run({**LOGIN, **JOB}) == {**STARTED, "status": "pending"}
        assert [call.request.method for call in cloud.calls] == ["POST", "POST"]

    def test_from_the_environment(self, cloud, module, monkeypatch):
        for name, value in {"REGION_NAME": REGION, "USER_NAME": "operator", "USER_PASSWORD": PASSWORD, "DOMAIN_NAME": "example-account"}.items():
            monkeypatch.setenv(f"HW_{name}", value)
        add_login(cloud)
        add_collect(cloud)
        assert module.run(JOB) == {**STARTED, "status": "pending"}

    @pytest.mark.parametrize("time", ["2023-09-19 07:00:00+00:00", "2023-09-19T15:00:00.7+08:00"])
    def test_time_as_sent(self, cloud, module, time):
        add_collect(cloud)
        assert module.run({**ARGS, "reset_position_time": time})["reset_position_time"] == TIME
        assert bodies(cloud) == [{"reset_position_time": TIME}]

    def test_no_position_without_wait(self, cloud, module):
        add_collect(cloud, status="success", position=POSITION)
        assert module.run(ARGS) == {**STARTED, "status": "success"}

    def test_job_id_as_given(self, cloud, module):
        add_collect(cloud, job_id="177738d1-4eee-4fcb-a4e1-09aea79jb20i")
        assert module.run(ARGS)["job_id"] == JOB_ID

    @pytest.mark.parametrize("wait", [False, True])
    def test_failed(self, cloud, module, wait):
        add_collect(cloud, status="failed")
        message, result = failed(module, {**ARGS, "wait": wait})
        assert result == {**STARTED, "status": "failed"}
        for part in (JOB_ID, TIME, "binlog"):
            assert part in message

    @pytest.mark.parametrize("status", ["odd", None, 0])
    @pytest.mark.parametrize("wait", [False, True])
    def test_unknown_status(self, cloud, module, wait, status):
        add_collect(cloud, status=status)
        message, result = failed(module, {**ARGS, "wait": wait})
        assert str(status) in message
        assert result == STARTED


class TestWait:
    def test_success(self, cloud, module, clock):
        add_collect(cloud)
        for status in ("pending", "pending", "success"):
            add_result(cloud, status)
        assert module.run({**ARGS, "wait": True}) == {**STARTED, "status": "success", "position": POSITION}
        assert clock.pauses == [2, 2]
        assert cloud.calls[-1].request.url == f"{RESULT_URL}?query_id={QUERY_ID}"
        assert len(bodies(cloud)) == 1

    def test_at_once(self, cloud, module, clock):
        add_collect(cloud, status="success")
        add_result(cloud, "success")
        assert module.run({**ARGS, "wait": True})["position"] == POSITION
        assert clock.pauses == []

    def test_sleep(self, cloud, module, clock):
        add_collect(cloud)
        add_result(cloud, "pending")
        add_result(cloud, "success")
        module.run({**ARGS, "wait": True, "wait_sleep": 11})
        assert clock.pauses == [11]

    def test_failed(self, cloud, module):
        add_collect(cloud)
        add_result(cloud, "pending")
        add_result(cloud, "failed")
        message, result = failed(module, {**ARGS, "wait": True})
        assert result == {**STARTED, "status": "failed"}
        assert JOB_ID in message

    def test_time_over(self, cloud, module, clock):
        add_collect(cloud)
        add_result(cloud, "pending")
        message, result = failed(module, {**ARGS, "wait": True, "wait_timeout": 10})
        assert result == {**STARTED, "status": "pending"}
        assert sum(clock.pauses) == pytest.approx(10, abs=1)
        for part in (QUERY_ID, JOB_ID, "10 seconds", "huaweicloud.drs.drs_db_position_info"):
            assert part in message

    @pytest.mark.parametrize(
        "status, body", [(400, {"error_code": "DRS.10030014", "error_msg": "gone"}), (200, {"status": "odd"}), (200, {"status": "success"})]
    )
    def test_error(self, cloud, module, status, body):
        add_collect(cloud)
        cloud.get(RESULT_URL, status=status, json=body)
        message, result = failed(module, {**ARGS, "wait": True})
        assert {name: result[name] for name in STARTED} == STARTED
        assert result["status"] == "pending"
        assert "huaweicloud.drs.drs_db_position_info" in message

    def test_request_id_of_the_error(self, cloud, module):
        add_collect(cloud)
        cloud.get(RESULT_URL, status=403, json={"error_code": "DRS.M00100"}, headers={"X-Request-Id": "of the error"})
        result = failed(module, {**ARGS, "wait": True})[1]
        assert (result["request_id"], result["http_status"], result["error_code"]) == ("of the error", 403, "DRS.M00100")


class TestRefused:
    def test_by_drs(self, cloud, module):
        body = {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}
        cloud.post(COLLECT_URL, status=400, json=body, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed(module, ARGS)
        assert result == {**JOB, "http_status": 400, "request_id": REQUEST_ID, **body}
        for part in ("DRS.10000010", "Job does not exist", REQUEST_ID, "region and project"):
            assert part in message

    def test_by_iam(self, cloud, module):
        cloud.post(LOGIN_URL, status=401, json={"error": {"code": 401, "message": f"{PASSWORD} is wrong.", "title": "Unauthorized"}})
        message, result = failed(module, {**LOGIN, **JOB})
        assert result == {**JOB, "http_status": 401, "error_code": "401", "error_msg": "******** is wrong."}
        assert "example-account" in message
        assert len(cloud.calls) == 1

    def test_lost_answer(self, cloud, module):
        cloud.post(COLLECT_URL, body=LOST)
        message, result = failed(module, ARGS)
        assert "DRS may have accepted" in message
        assert result == JOB
        assert len(cloud.calls) == 1

    def test_lost_answer_of_a_login(self, cloud, module):
        cloud.post(LOGIN_URL, body=LOST)
        message, result = failed(module, {**LOGIN, **JOB})
        assert "DRS" not in message
        assert result == JOB

    def test_no_id(self, cloud, module):
        add_collect(cloud, id=None)
        message, result = failed(module, ARGS)
        assert "DRS may have accepted" in message
        assert result == {**JOB, "http_status": 202, "request_id": REQUEST_ID}

    def test_throttled(self, cloud, module, clock):
        cloud.post(COLLECT_URL, status=429, headers={"Retry-After": "9"})
        add_collect(cloud)
        assert module.run(ARGS)["id"] == QUERY_ID
        assert clock.pauses == [9]


WRONG = [
    ({"job_id": "too-short"}, "job_id"),
    ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
    ({"job_id": ""}, "job_id"),
    ({"reset_position_time": ""}, "reset_position_time"),
    ({"reset_position_time": "2023-09-19T07:00:00"}, "offset"),
    ({"reset_position_time": "2999-09-19T07:00:00Z"}, "future"),
    ({"wait_timeout": 0}, "wait_timeout"),
    ({"wait_timeout": 86401}, "wait_timeout"),
    ({"wait_sleep": 0}, "wait_sleep"),
    ({"wait_sleep": 3601}, "wait_sleep"),
    ({"timeout": 0}, "timeout"),
    ({"max_retries": -1}, "max_retries"),
    ({"max_retries": "many"}, "max_retries"),
    ({"language": "de-de"}, "language"),
    ({"region": "x"}, "region"),
    ({"endpoint": "http://drs.example.com"}, "endpoint"),
    ({"endpoint": "https://drs.example.com/v5"}, "endpoint"),
    ({"project_id": ""}, "project_id"),
    ({"project_id": "a/b"}, "project_id"),
    ({"auth_token": f"{TOKEN}\n"}, "auth_token"),
    ({"auth_token": "", "username": "operator"}, "password"),
    ({"auth_token": "", "access_key": "mine"}, "secret_key"),
    ({"auth_token": "", "auth_method": "token"}, "auth_token"),
    ({"auth_method": "password"}, "password"),
    ({"unknown": 1}, "unknown"),
]


@pytest.mark.parametrize("wrong, named", WRONG)
@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_sent_before_the_options_are_right(cloud, module, wrong, named, check_mode):
    message, result = failed(module, {**ARGS, **wrong}, check_mode)
    assert named in message
    assert "id" not in result
    assert len(cloud.calls) == 0


class TestCheckMode:
    REQUEST = {"method": "POST", "url": COLLECT_URL, "body": {"reset_position_time": TIME}}
    EXPECTED = {**JOB, "changed": True, "id": None, "status": None, "request_id": None, "request": REQUEST}

    @pytest.mark.parametrize("wait", [False, True])
    def test_job_that_fits(self, cloud, module, wait):
        add_job(cloud)
        assert module.run({**ARGS, "wait": wait}, check_mode=True) == self.EXPECTED
        assert [(call.request.method, call.request.url) for call in cloud.calls] == [("GET", f"{JOB_URL}?type=detail")]

    def test_login(self, cloud, module):
        add_login(cloud)
        add_job(cloud)
        assert module.run({**LOGIN, **JOB}, check_mode=True) == self.EXPECTED
        assert [call.request.method for call in cloud.calls] == ["POST", "GET"]
        assert cloud.calls[0].request.url.startswith(LOGIN_URL)

    def test_request_is_the_one_that_is_sent(self, cloud, module):
        add_job(cloud)
        request = module.run(ARGS, check_mode=True)["request"]
        add_collect(cloud)
        module.run(ARGS)
        sent = cloud.calls[-1].request
        assert request == {"method": sent.method, "url": sent.url, "body": bodies(cloud)[0]}

    def test_wrong_engine(self, cloud, module):
        add_job(cloud, "mysql-to-mysql")
        message, result = failed(module, ARGS, check_mode=True)
        assert "mysql-to-mysql" in message
        assert "mysql-to-dws" in message
        assert result == JOB

    def test_absent(self, cloud, module):
        cloud.get(JOB_URL, status=404, json={"error_code": "DRS.M00289", "error_msg": "The job does not exist."})
        message, result = failed(module, ARGS, check_mode=True)
        assert "DRS.M00289" in message
        assert result == {**JOB, "http_status": 404, "error_code": "DRS.M00289", "error_msg": "The job does not exist."}

    @pytest.mark.parametrize("code", ["APIGW.0101", "APIG.0101"])
    def test_unpublished(self, cloud, module, code):
        cloud.get(JOB_URL, status=404, json={"error_code": code, "error_msg": "The API does not exist."})
        result = module.run(ARGS, check_mode=True)
        (warning,) = result.pop("warnings")
        assert JOB_ID in str(warning)
        assert result == self.EXPECTED

    def test_refused_login(self, cloud, module):
        cloud.post(LOGIN_URL, status=401)
        assert failed(module, {**LOGIN, **JOB}, check_mode=True)[1]["http_status"] == 401
