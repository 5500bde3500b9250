# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import requests
from urllib3.exceptions import ProtocolError

from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import JOB_STATUSES
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTIONS_URL,
    JOB_ID,
    JOB_URL,
    LOGIN_URL,
    PASSWORD,
    POSITION,
    PROJECT_ID,
    REGION,
    REQUEST_ID,
    START_URL,
    TOKEN,
    add_actions,
    add_login,
    add_start,
    add_status,
    bodies,
    sent,
)

LOGIN = {"region": REGION, "username": "operator", "password": PASSWORD, "account_name": "example-account"}
TARGET = {"job_id": JOB_ID, "position": POSITION}
ARGS = {"region": REGION, "auth_token": TOKEN, "project_id": PROJECT_ID, **TARGET}
GTID_SET = "4350aee0-56b5-11ee-8c99-0242ac120002:1-77"
GIVEN_SET = f"{GTID_SET},\n{GTID_SET}\n"
SENT_SET = f"{GTID_SET},{GTID_SET}"
# As requests raises it when a connection breaks down before the answer.
LOST = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError("Connection reset by peer")))
SET = {"before": {}, "after": {"position": POSITION}}
READ = [("GET", JOB_URL), ("GET", ACTIONS_URL)]


@pytest.fixture
def module(module_file):
    return module_file("drs_start_position")


@pytest.fixture
def failed(module):
    """Run the module, which must fail, and return its message and the rest of the result."""

    def failed(check_mode=False, **args):
        result = module.run({**ARGS, **args}, check_mode)
        assert result.pop("failed") is True
        assert result.pop("changed", False) is False
        result.pop("exception", None)
        return result.pop("msg"), result

    return failed


class TestDocumentation:
    def test_examples_and_results(self, module):
        module.check_documentation()

    def test_options(self, module):
        module.check_secrets()
        module.check_options()


WRONG = [
    ({"job_id": "too-short"}, "job_id"),
    ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
    ({"job_id": ""}, "job_id"),
    ({"position": ""}, "position"),
    ({"position": None}, "position"),
    ({"position": "mysql-bin.000277"}, "position must be"),
    ({"position": "mysql-bin.77:805"}, "position must be"),
    ({"position": f"{POSITION}\n"}, "position must be"),
    ({"position": f"{'x' * 61}.000277:805"}, "position must be"),
    ({"position": [POSITION]}, "position must be"),
    ({"gtid_set": " \n"}, "gtid_set"),
    ({"gtid_set": f"{GTID_SET}'"}, "gtid_set"),
    ({"gtid_set": "\u4e2d"}, "gtid_set"),
    ({"gtid_set": "x" * 2049}, "gtid_set"),
    ({"timeout": 0}, "timeout"),
    ({"max_retries": 101}, "max_retries"),
    ({"project_id": "a/b"}, "project_id"),
    ({"endpoint": "http://drs.example.com"}, "endpoint"),
    ({"auth_token": "", "username": "operator"}, "password"),
    ({"wait": True}, "wait"),
]


@pytest.mark.parametrize("wrong, named", WRONG)
@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_sent_before_the_options_are_right(cloud, failed, wrong, named, check_mode):
    message, result = failed(check_mode, **wrong)
    assert named in message
    assert "request_id" not in result
    assert len(cloud.calls) == 0


class TestRefused:
    @pytest.mark.parametrize("more, result_set", [({}, {}), ({"gtid_set": GIVEN_SET}, {"gtid_set": SENT_SET})])
    @pytest.mark.parametrize(
        "status, code, words",
        [
            (400, "DRS.M00304", "Look at the actions that it allows"),
            (400, "DRS.10000010", "region and project"),
            (202, "DRS.M01504", "Another operation is running"),
            (200, "DRS.M01504", "Another operation is running"),
            (404, "APIGW.0101", "not published in this region"),
            (403, "DRS.M00102", "permission"),
        ],
    )
    def test_by_drs(self, cloud, failed, status, code, words, more, result_set):
        body = {"error_code": code, "error_msg": "It went wrong."}
        cloud.put(START_URL, status=status, json=body, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed(**more)
        assert result == {**TARGET, **result_set, "http_status": status, "request_id": REQUEST_ID, **body}
        for part in (code, "It went wrong", REQUEST_ID, words):
            assert part in message
        assert "may have accepted" not in message
        assert sent(cloud) == [("PUT", START_URL)]

    def test_lost_answer(self, cloud, failed):
        cloud.put(START_URL, body=LOST)
        message, result = failed()
        assert "DRS may have accepted" in message
        assert result == TARGET
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize("status", [500, 502, 504])
    def test_server_error(self, cloud, failed, status):
        cloud.put(START_URL, status=status)
        message, result = failed()
        assert "DRS may have accepted" in message
        assert result == {**TARGET, "http_status": status}
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize("body", ["<html>", "[]", "{"])
    def test_odd_answer(self, cloud, failed, body):
        cloud.put(START_URL, body=body, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed()
        assert "DRS may have accepted" in message
        assert result == {**TARGET, "http_status": 200, "request_id": REQUEST_ID}

    def test_by_iam(self, cloud, module):
        cloud.post(LOGIN_URL, status=401)
        result = module.run({**LOGIN, **TARGET})
        assert (result["failed"], result["http_status"]) == (True, 401)
        assert len(cloud.calls) == 1


class TestSet:
    def test_with_a_token(self, cloud, module):
        add_start(cloud)
        assert module.run(ARGS) == {**TARGET, "changed": True, "request_id": REQUEST_ID, "diff": SET}
        assert sent(cloud) == [("PUT", START_URL)]
        assert bodies(cloud, "PUT") == [{"file_and_position": POSITION}]
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN

    def test_with_a_password(self, cloud, module):
        add_login(cloud)
        add_start(cloud)
        assert module.run({**LOGIN, **TARGET})["changed"] is True
        assert sent(cloud) == [("POST", LOGIN_URL), ("PUT", START_URL)]

    def test_gtid_set_on_one_line(self, cloud, module):
        add_start(cloud)
        diff = {"before": {}, "after": {"position": POSITION, "gtid_set": SENT_SET}}
        assert module.run({**ARGS, "gtid_set": GIVEN_SET}) == {**TARGET, "gtid_set": SENT_SET, "changed": True, "request_id": REQUEST_ID, "diff": diff}
        assert bodies(cloud, "PUT") == [{"file_and_position": POSITION, "gtid_set": SENT_SET}]

    @pytest.mark.parametrize("empty", ["", None])
    def test_empty_counts_as_unset(self, cloud, module, empty):
        add_start(cloud)
        assert "gtid_set" not in module.run({**ARGS, "gtid_set": empty})
        assert bodies(cloud, "PUT") == [{"file_and_position": POSITION}]

    def test_without_a_request_id(self, cloud, module):
        cloud.put(START_URL)
        assert module.run(ARGS)["request_id"] is None

    @pytest.mark.parametrize("status", [429, 503])
    def test_refused_for_now(self, cloud, module, clock, status):
        cloud.put(START_URL, status=status, headers={"Retry-After": "9"})
        add_start(cloud)
        assert module.run(ARGS)["changed"] is True
        assert clock.pauses == [9]
        assert len(cloud.calls) == 2

    def test_every_time(self, cloud, module):
        add_start(cloud)
        assert [module.run(ARGS)["changed"] for _time in range(2)] == [True, True]
        assert len(cloud.calls) == 2


class TestCheckMode:
    REQUEST = {"method": "PUT", "url": START_URL, "body": {"file_and_position": POSITION}}

    def expected(self, status, task_type="INCR_TRANS", **more):
        job = {"id": JOB_ID, "name": "orders-to-dws", "status": status, "engine_type": "mysql-to-dws", "task_type": task_type, "parent_id": None}
        actions = {"available_actions": ["RETRY"], "unavailable_actions": ["START", "PAUSE", "RESET"], "current_action": None}
        return {**TARGET, "changed": True, "request_id": None, "job": {**job, "actions": actions}, "request": self.REQUEST, "diff": SET, **more}

    @pytest.mark.parametrize("status", [*JOB_STATUSES, None])
    def test_any_status(self, cloud, module, status):
        """A task before it may be meant to pause the job."""
        add_status(cloud, status)
        add_actions(cloud, "RETRY")
        assert module.run(ARGS, check_mode=True) == self.expected(status)
        assert sent(cloud) == READ

    @pytest.mark.parametrize("task_type", ["FULL_TRANS", "FULL_INCR_TRANS", "UNHEARD_OF"])
    def test_other_task_type(self, cloud, module, task_type):
        add_status(cloud, "PAUSING", task_type=task_type)
        add_actions(cloud, "RETRY")
        result = module.run(ARGS, check_mode=True)
        (warning,) = result.pop("warnings")
        for part in (JOB_ID, task_type, "INCR_TRANS jobs only"):
            assert part in str(warning)
        assert result == self.expected("PAUSING", task_type)

    @pytest.mark.parametrize("task_type", [None, "", 5])
    def test_unknown_task_type(self, cloud, module, task_type):
        add_status(cloud, "PAUSING", task_type=task_type)
        add_actions(cloud, "RETRY")
        assert module.run(ARGS, check_mode=True) == self.expected("PAUSING", None)

    def test_terminal_escapes_in_the_task_type(self, cloud, module):
        add_status(cloud, "PAUSING", task_type=f"\x1b]0;owned\x07{'x' * 9999}")
        add_actions(cloud, "RETRY")
        (warning,) = module.run(ARGS, check_mode=True)["warnings"]
        text = warning if isinstance(warning, str) else warning["event"]["msg"]
        assert text.isprintable()
        assert len(text) < 1000

    def test_gtid_set(self, cloud, module):
        add_status(cloud, "PAUSING")
        add_actions(cloud, "RETRY")
        request = {**self.REQUEST, "body": {"file_and_position": POSITION, "gtid_set": SENT_SET}}
        diff = {"before": {}, "after": {"position": POSITION, "gtid_set": SENT_SET}}
        expected = self.expected("PAUSING", gtid_set=SENT_SET, request=request, diff=diff)
        assert module.run({**ARGS, "gtid_set": GIVEN_SET}, check_mode=True) == expected

    def test_request_is_the_one_that_is_sent(self, cloud, module):
        add_status(cloud, "PAUSING")
        add_actions(cloud)
        request = module.run({**ARGS, "gtid_set": GTID_SET}, check_mode=True)["request"]
        add_start(cloud)
        module.run({**ARGS, "gtid_set": GTID_SET})
        put = cloud.calls[-1].request
        assert request == {"method": put.method, "url": put.url, "body": bodies(cloud, "PUT")[0]}

    def test_login(self, cloud, module):
        add_login(cloud)
        add_status(cloud, "PAUSING")
        add_actions(cloud, "RETRY")
        assert module.run({**LOGIN, **TARGET}, check_mode=True) == self.expected("PAUSING")
        assert sent(cloud) == [("POST", LOGIN_URL), *READ]

    def test_absent(self, cloud, failed):
        body = {"error_code": "DRS.M00289", "error_msg": "The job does not exist."}
        cloud.get(JOB_URL, status=404, json=body)
        assert failed(check_mode=True)[1] == {**TARGET, "http_status": 404, **body}
        assert sent(cloud) == READ[:1]

    def test_actions_cannot_be_read(self, cloud, failed):
        add_status(cloud, "PAUSING")
        cloud.get(ACTIONS_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "Not there."})
        assert failed(check_mode=True)[1] == {**TARGET, "http_status": 404, "error_code": "APIGW.0101", "error_msg": "Not there."}
