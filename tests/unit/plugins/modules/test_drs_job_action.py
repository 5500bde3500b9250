# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import requests
from urllib3.exceptions import ProtocolError

from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import BROKEN, JOB_STATUSES
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTION_URL,
    ACTIONS_URL,
    JOB_ID,
    JOB_URL,
    LOGIN_URL,
    PASSWORD,
    PROJECT_ID,
    REGION,
    REQUEST_ID,
    TOKEN,
    add_action,
    add_actions,
    add_login,
    add_status,
    bodies,
    sent,
)

LOGIN = {"region": REGION, "username": "operator", "password": PASSWORD, "account_name": "example-account"}
JOB = {"job_id": JOB_ID, "action": "pause"}
ARGS = {"region": REGION, "auth_token": TOKEN, "project_id": PROJECT_ID, **JOB}
# As requests raises it when a connection breaks down before the answer.
LOST = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError("Connection reset by peer")))
# What the request calls an action, and what the list of allowed ones calls it.
NAMES = {"start": ("start", "START"), "pause": ("stop", "PAUSE"), "retry": ("restart", "RETRY"), "reset": ("reset", "RESET")}
UNDER_WAY = {"STARTJOBING", "FULL_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"}
DONE = {"start": UNDER_WAY, "pause": {"PAUSING"}, "retry": UNDER_WAY, "reset": set()}
RUNS = "INCRE_TRANSFER_STARTED"
ANY_RUNNING = "FULL_TRANSFER_COMPLETE or FULL_TRANSFER_STARTED or INCRE_TRANSFER_STARTED"
READ = [("GET", JOB_URL)]
TOLD = [*READ, ("GET", ACTIONS_URL), ("POST", ACTION_URL)]


@pytest.fixture
def module(module_file):
    return module_file("drs_job_action")


@pytest.fixture
def failed(module):
    """Run the module, which must fail, and return its message and the rest of the result."""

    def failed(check_mode=False, **args):
        result = module.run({**ARGS, **args}, check_mode)
        assert result.pop("failed") is True
        result.pop("exception", None)
        return result.pop("msg"), result

    return failed


def before(was, **result):
    """What is in the result once the status is known."""
    return {**JOB, "changed": False, "status_before": was, "status": was, **result}


class TestDocumentation:
    def test_examples_and_results(self, module):
        module.check_documentation()

    def test_options(self, module):
        module.check_secrets()
        module.check_options()
        assert list(module.own_options["action"]["choices"]) == list(NAMES)


WRONG = [
    ({"job_id": "too-short"}, "job_id"),
    ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
    ({"job_id": ""}, "job_id"),
    ({"action": ""}, "action"),
    ({"action": None}, "action"),
    # The names that the API has for them, one of which would mean something else.
    ({"action": "stop"}, "action"),
    ({"action": "restart"}, "action"),
    ({"action": "terminate"}, "action"),
    ({"action": "PAUSE"}, "action"),
    ({"action": ["pause"]}, "action"),
    ({"wait": "perhaps"}, "wait"),
    ({"wait_timeout": 0}, "wait_timeout"),
    ({"wait_timeout": 86401}, "wait_timeout"),
    ({"wait_timeout": "long"}, "wait_timeout"),
    ({"wait_sleep": 0}, "wait_sleep"),
    ({"wait_sleep": 3601}, "wait_sleep"),
    ({"timeout": 0}, "timeout"),
    ({"max_retries": -1}, "max_retries"),
    ({"project_id": "a/b"}, "project_id"),
    ({"endpoint": "http://drs.example.com"}, "endpoint"),
    ({"auth_token": "", "username": "operator"}, "password"),
    ({"name": "orders-to-dws"}, "name"),
]


@pytest.mark.parametrize("wrong, named", WRONG)
@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_sent_before_the_options_are_right(cloud, failed, wrong, named, check_mode):
    message, result = failed(check_mode, **wrong)
    assert named in message
    assert result.get("changed", False) is False
    assert len(cloud.calls) == 0


class TestRefused:
    BODY = {"error_code": "DRS.M00304", "error_msg": "This operation cannot be performed on the task."}

    @pytest.mark.parametrize("check_mode", [False, True])
    @pytest.mark.parametrize("wait", [False, True])
    @pytest.mark.parametrize("action", list(NAMES))
    def test_not_allowed(self, cloud, failed, action, wait, check_mode):
        """It says what is allowed, and sends nothing."""
        others = [name for name in NAMES if name != action]
        add_status(cloud, "CONFIGURATION")
        add_actions(cloud, "DELETE", *(NAMES[name][1] for name in others), current_action="CLONE")
        message, result = failed(check_mode, action=action, wait=wait)
        assert f"Job {JOB_ID} does not allow {action} now." in message
        assert f"it allows {' and '.join(others)}. Its current action is CLONE." in message
        assert result.pop("request_id", None) is None
        assert result == before("CONFIGURATION", action=action)
        assert sent(cloud) == TOLD[:2]

    def test_nothing_allowed(self, cloud, failed):
        add_status(cloud, RUNS)
        add_actions(cloud)
        assert "it allows none." in failed()[0]

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_absent(self, cloud, failed, check_mode):
        body = {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}
        cloud.get(JOB_URL, status=400, json=body, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed(check_mode)
        assert result == {**JOB, "changed": False, "http_status": 400, "request_id": REQUEST_ID, **body}
        assert "region and project" in message

    @pytest.mark.parametrize("check_mode", [False, True])
    def test_list_of_actions(self, cloud, failed, check_mode):
        add_status(cloud, RUNS)
        cloud.get(ACTIONS_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "Not there."}, headers={"X-Request-Id": "r1"})
        message, result = failed(check_mode)
        assert result == before(RUNS, http_status=404, error_code="APIGW.0101", error_msg="Not there.", request_id="r1")
        assert "not published in this region" in message

    @pytest.mark.parametrize("status", [200, 202, 400])
    @pytest.mark.parametrize("wait", [False, True])
    def test_by_drs(self, cloud, failed, status, wait):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, status=status, json={"id": JOB_ID, "status": "failed", **self.BODY}, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed(wait=wait)
        assert result == before(RUNS, http_status=status, request_id=REQUEST_ID, **self.BODY)
        for part in ("DRS.M00304", "cannot be performed", REQUEST_ID, "Look at the actions that it allows"):
            assert part in message
        assert sent(cloud) == TOLD

    def test_another_operation(self, cloud, failed):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, status=202, json={"error_code": "DRS.M01504", "error_msg": "busy"}, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed(wait=True)
        assert result == before(RUNS, http_status=202, request_id=REQUEST_ID, error_code="DRS.M01504", error_msg="busy")
        assert "Another operation is running" in message
        assert "may have accepted" not in message

    def test_failed_without_a_reason(self, cloud, failed):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, json={"id": JOB_ID, "status": "failed"}, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed()
        assert result == before(RUNS, http_status=200, request_id=REQUEST_ID)
        assert f"to pause job {JOB_ID}" in message
        assert "may have accepted" not in message

    @pytest.mark.parametrize("body", [{}, {"status": "odd"}, {"id": JOB_ID}, [], None])
    def test_odd_answer(self, cloud, failed, body):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, status=202, json=body, headers={"X-Request-Id": REQUEST_ID})
        message, result = failed(wait=True)
        assert "DRS may have accepted" in message
        assert result == before(RUNS, http_status=202, request_id=REQUEST_ID)
        assert sent(cloud) == TOLD

    @pytest.mark.parametrize("wait", [False, True])
    def test_lost_answer(self, cloud, failed, wait):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, body=LOST)
        message, result = failed(wait=wait)
        assert "DRS may have accepted" in message
        assert result.pop("request_id", None) is None
        assert result == before(RUNS)
        assert sent(cloud) == TOLD

    def test_server_error(self, cloud, failed):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, status=500, json={"error_code": "DRS.M00001", "error_msg": "Broken"})
        message, result = failed()
        assert "DRS may have accepted" in message
        assert result.pop("request_id", None) is None
        assert result == before(RUNS, http_status=500, error_code="DRS.M00001", error_msg="Broken")
        assert sent(cloud) == TOLD

    def test_by_iam(self, cloud, module):
        cloud.post(LOGIN_URL, status=401)
        result = module.run({**LOGIN, **JOB})
        assert (result["failed"], result["http_status"], result["changed"]) == (True, 401, False)
        assert len(cloud.calls) == 1


class TestIdempotency:
    """Every action in every status."""

    @pytest.mark.parametrize("check_mode", [False, True])
    @pytest.mark.parametrize("action", list(NAMES))
    @pytest.mark.parametrize("status", [*JOB_STATUSES, None, "UNHEARD_OF"])
    def test_table(self, cloud, module, action, status, check_mode):
        """It is told to do what it has not done yet, whatever its status, if DRS allows it."""
        add_status(cloud, status)
        name, listed_as = NAMES[action]
        done = status in DONE[action]
        if not done:
            add_actions(cloud, listed_as)
            if not check_mode:
                add_action(cloud)
        after = status if done else "PAUSING" if action == "pause" else ANY_RUNNING
        expected = before(status, action=action, changed=not done, diff={"before": {"status": status}, "after": {"status": after}})
        expected["request_id"] = REQUEST_ID if not done and not check_mode else None
        if check_mode and not done:
            expected["request"] = {"method": "POST", "url": ACTION_URL, "body": {"job": {"action_name": name}}}
        assert module.run({**ARGS, "action": action}, check_mode) == expected
        assert sent(cloud) == (READ if done else TOLD[: 2 if check_mode else 3])
        assert bodies(cloud) == ([] if done or check_mode else [{"job": {"action_name": name}}])

    @pytest.mark.parametrize("action, status", [("start", "WAITING_FOR_START"), ("pause", RUNS), ("retry", "PAUSING"), ("reset", "FULL_TRANSFER_FAILED")])
    @pytest.mark.parametrize("check_mode", [False, True])
    def test_twice(self, cloud, module, action, status, check_mode):
        """What it was told before and is doing now, although its status is still that of before, it is not told again."""
        add_status(cloud, status)
        add_actions(cloud, current_action=NAMES[action][1])
        diff = {"before": {"status": status}, "after": {"status": status}}
        assert module.run({**ARGS, "action": action}, check_mode) == before(status, action=action, request_id=None, diff=diff)
        assert sent(cloud) == TOLD[:2]

    def test_twice_and_waiting(self, cloud, module, clock):
        """What another task has begun is waited for."""
        add_status(cloud, RUNS, RUNS, "PAUSING")
        add_actions(cloud, current_action="PAUSE")
        diff = {"before": {"status": RUNS}, "after": {"status": "PAUSING"}}
        assert module.run({**ARGS, "wait": True}) == before(RUNS, status="PAUSING", request_id=None, diff=diff)
        assert sent(cloud) == [*TOLD[:2], *READ, *READ]
        assert clock.pauses == [2]


class TestPlain:
    @pytest.mark.parametrize("body", [{"query_id": "q"}, {"id": JOB_ID, "name": "orders-to-dws", "status": "success"}])
    def test_with_a_token(self, cloud, module, clock, body):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE", "DELETE")
        add_action(cloud, **body)
        diff = {"before": {"status": RUNS}, "after": {"status": "PAUSING"}}
        assert module.run(ARGS) == before(RUNS, changed=True, request_id=REQUEST_ID, diff=diff)
        assert sent(cloud) == TOLD
        assert clock.pauses == []
        assert {call.request.headers["X-Auth-Token"] for call in cloud.calls} == {TOKEN}

    def test_with_a_password(self, cloud, module):
        add_login(cloud)
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        assert module.run({**LOGIN, **JOB})["changed"] is True
        assert sent(cloud) == [("POST", LOGIN_URL), *TOLD]

    def test_empty_counts_as_unset(self, cloud, module):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        assert module.run({**ARGS, "wait": "", "wait_timeout": "", "wait_sleep": None, "language": ""})["changed"] is True

    @pytest.mark.parametrize("status", [429, 503])
    def test_refused_for_now(self, cloud, module, clock, status):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, status=status, headers={"Retry-After": "9"})
        add_action(cloud)
        assert module.run(ARGS)["changed"] is True
        assert clock.pauses == [9]
        assert sent(cloud) == [*TOLD, TOLD[-1]]


class TestWait:
    @pytest.mark.parametrize(
        "action, status, on_the_way, after",
        [
            ("pause", RUNS, [RUNS, RUNS], "PAUSING"),
            ("start", "WAITING_FOR_START", ["WAITING_FOR_START", "STARTJOBING"], "FULL_TRANSFER_STARTED"),
            ("retry", "PAUSING", ["PAUSING", "STARTJOBING"], RUNS),
            ("retry", "INCRE_TRANSFER_FAILED", ["INCRE_TRANSFER_FAILED", "STARTJOBING"], RUNS),
            ("reset", "FULL_TRANSFER_FAILED", ["FULL_TRANSFER_FAILED", "CONFIGURATION"], "FULL_TRANSFER_COMPLETE"),
        ],
    )
    def test_until_it_is_done(self, cloud, module, clock, action, status, on_the_way, after):
        add_status(cloud, status, *on_the_way, after)
        add_actions(cloud, NAMES[action][1])
        add_action(cloud)
        diff = {"before": {"status": status}, "after": {"status": after}}
        assert module.run({**ARGS, "action": action, "wait": True}) == before(
            status, action=action, changed=True, status=after, request_id=REQUEST_ID, diff=diff
        )
        assert clock.pauses == [2, 2]
        assert len(bodies(cloud)) == 1

    def test_sleep(self, cloud, module, clock):
        add_status(cloud, RUNS, RUNS, "PAUSING")
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        module.run({**ARGS, "wait": True, "wait_sleep": 11})
        assert clock.pauses == [11]

    @pytest.mark.parametrize("action, status", [(action, status) for action in ("start", "pause", "retry") for status in sorted(DONE[action])])
    def test_done_before(self, cloud, module, clock, action, status):
        """A job that only begins to run is waited for, although it is told nothing."""
        after = status if status != "STARTJOBING" else RUNS
        add_status(cloud, status, *([status] if status != after else []), after)
        diff = {"before": {"status": status}, "after": {"status": after}}
        assert module.run({**ARGS, "action": action, "wait": True}) == before(status, action=action, status=after, request_id=None, diff=diff)
        assert clock.pauses == ([2] if status != after else [])
        assert {method for method, _url in sent(cloud)} == {"GET"}

    def test_not_in_check_mode(self, cloud, module, clock):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        assert module.run({**ARGS, "wait": True}, check_mode=True)["status"] == RUNS
        assert sent(cloud) == TOLD[:2]
        assert clock.pauses == []

    def check_failed_later(self, failed, status=RUNS, action="pause", **args):
        message, result = failed(wait=True, action=action, **args)
        # It was told, and all that is known is still returned.
        expected = before(status, action=action, changed=True, request_id=REQUEST_ID)
        assert {name: result[name] for name in expected if name != "request_id"} == {name: expected[name] for name in expected if name != "request_id"}
        assert result["request_id"]
        assert f"Look at the job before you tell it to {action} again." in message
        return message, result

    def test_time_over(self, cloud, failed, clock):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        message, result = self.check_failed_later(failed, wait_timeout=10, wait_sleep=4)
        assert f"After pause, job {JOB_ID} is still in status {RUNS} after 10 seconds." in message
        assert result == before(RUNS, changed=True, request_id=REQUEST_ID)
        assert sum(clock.pauses) == pytest.approx(10, abs=1)
        assert len(bodies(cloud)) == 1

    @pytest.mark.parametrize("status", sorted(BROKEN))
    def test_broken(self, cloud, failed, status):
        add_status(cloud, RUNS, RUNS, status)
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        message, result = self.check_failed_later(failed)
        assert f"is in status {status}" in message
        assert result == before(RUNS, changed=True, request_id=REQUEST_ID)

    def test_broken_again(self, cloud, failed):
        add_status(cloud, "INCRE_TRANSFER_FAILED", "INCRE_TRANSFER_FAILED", "STARTJOBING", "INCRE_TRANSFER_FAILED")
        add_actions(cloud, "RETRY")
        add_action(cloud)
        message, _result = self.check_failed_later(failed, "INCRE_TRANSFER_FAILED", "retry")
        assert "is in status INCRE_TRANSFER_FAILED" in message

    def test_refused(self, cloud, failed):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        cloud.get(JOB_URL, status=403, json={"error_code": "DRS.M00100", "error_msg": "Expired."}, headers={"X-Request-Id": "of the error"})
        result = self.check_failed_later(failed)[1]
        assert (result["request_id"], result["http_status"], result["error_code"]) == ("of the error", 403, "DRS.M00100")

    def test_no_answer(self, cloud, failed):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        cloud.get(JOB_URL, body=LOST)
        message = self.check_failed_later(failed, max_retries=0)[0]
        assert "no complete answer" in message
        assert "may have accepted" not in message


class TestCheckMode:
    @pytest.mark.parametrize("action", list(NAMES))
    def test_request_is_the_one_that_is_sent(self, cloud, module, action):
        add_status(cloud, "CONFIGURATION")
        add_actions(cloud, NAMES[action][1])
        request = module.run({**ARGS, "action": action}, check_mode=True)["request"]
        add_action(cloud)
        module.run({**ARGS, "action": action})
        told = cloud.calls[-1].request
        assert request == {"method": told.method, "url": told.url, "body": bodies(cloud)[0]}

    def test_login(self, cloud, module):
        add_login(cloud)
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        assert module.run({**LOGIN, **JOB}, check_mode=True)["changed"] is True
        assert [method for method, _url in sent(cloud)] == ["POST", "GET", "GET"]
