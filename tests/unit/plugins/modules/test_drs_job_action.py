# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import signal

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _connection
from ansible_collections.huaweicloud.drs.plugins.module_utils._job_actions import ACTIONS, PAUSE_MODES
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTION_URL,
    ACTIONS_URL,
    JOB_ID,
    JOB_URL,
    LOST,
    REQUEST_ID,
    WITH_TOKEN,
    add_action,
    add_actions,
    add_status,
    bodies,
    sent,
)

JOB = {"job_id": JOB_ID, "action": "pause"}
ARGS = {**WITH_TOKEN, **JOB}
RUNS = "INCRE_TRANSFER_STARTED"
ANY_RUNNING = "FULL_TRANSFER_COMPLETE or FULL_TRANSFER_STARTED or INCRE_TRANSFER_STARTED"
READ = [("GET", JOB_URL)]
READ_ACTIONS = [*READ, ("GET", ACTIONS_URL)]
SENT = [*READ_ACTIONS, ("POST", ACTION_URL)]


def before(was, **result):
    """The result once the status is known."""
    return {**JOB, "changed": False, "status_before": was, "status": was, "request_id": None, **result}


def diff(was, then):
    return {"before": {"status": was}, "after": {"status": then}}


def test_documentation(module):
    module.check_documentation()
    module.check_options()
    assert module.own_options["action"]["choices"] == list(ACTIONS)
    assert module.own_options["pause_mode"]["choices"] == list(PAUSE_MODES)


@pytest.mark.parametrize(
    "invalid, named",
    [
        ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
        # The API's name of a pause, which would be misread here.
        ({"action": "stop"}, "action"),
        ({"pause_mode": "source"}, "pause_mode"),
        ({"action": "retry", "pause_mode": "all"}, "pause_mode is for action pause only"),
        ({"wait": "perhaps"}, "wait"),
        ({"wait_timeout": 0}, "wait_timeout"),
        ({"wait_sleep": 3601}, "wait_sleep"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"name": "orders-to-dws"}, "name"),
    ],
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, invalid, named, check_mode):
    module.check_refused(cloud, {**ARGS, **invalid}, named, check_mode)


class TestAction:
    @pytest.mark.parametrize(
        "action, status, after",
        [("pause", RUNS, "PAUSING"), ("retry", "PAUSING", ANY_RUNNING), ("reset", RUNS, ANY_RUNNING)],
    )
    def test_sent_unless_in_check_mode(self, cloud, module, clock, action, status, after, check_mode):
        """In check mode, the result has the request instead."""
        add_status(cloud, status)
        add_actions(cloud, ACTIONS[action].listed_name)
        request = {"method": "POST", "url": ACTION_URL, "body": {"job": {"action_name": ACTIONS[action].api_name}}}
        if not check_mode:
            add_action(cloud)
        more = {"request": request} if check_mode else {"request_id": REQUEST_ID}
        expected = before(status, action=action, changed=True, diff=diff(status, after), **more)
        assert module.run({**ARGS, "action": action}, check_mode) == expected
        assert sent(cloud) == (READ_ACTIONS if check_mode else SENT)
        assert bodies(cloud) == ([] if check_mode else [request["body"]])
        assert clock.pauses == []

    @pytest.mark.parametrize("pause_mode", PAUSE_MODES)
    def test_pause_mode(self, cloud, module, check_mode, pause_mode):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        body = {"job": {"action_name": "stop", "action_params": {"pause_mode": pause_mode}}}
        if not check_mode:
            add_action(cloud)
        result = module.run({**ARGS, "pause_mode": pause_mode}, check_mode)
        assert (result["request"]["body"] if check_mode else bodies(cloud)[0]) == body

    def test_failed_job_may_be_paused(self, cloud, module):
        """Otherwise DRS might resume it."""
        add_status(cloud, "INCRE_TRANSFER_FAILED", "INCRE_TRANSFER_FAILED", "PAUSING")
        add_actions(cloud, "PAUSE", "RETRY")
        add_action(cloud)
        assert module.run({**ARGS, "wait": True})["status"] == "PAUSING"

    def test_drs_decides_if_it_does_not_list_the_actions(self, cloud, module, check_mode):
        add_status(cloud, RUNS)
        cloud.get(ACTIONS_URL, status=400, json={"error_code": "DRS.M99999", "error_msg": "Not supported."})
        if not check_mode:
            add_action(cloud)
        result = module.run(ARGS, check_mode)
        assert result["changed"] is True
        (warning,) = result["warnings"]
        for part in ("unknown which actions", JOB_ID, "Not supported."):
            assert part in str(warning)
        assert sent(cloud) == (READ_ACTIONS if check_mode else SENT)

    def test_target_status_needs_no_action(self, cloud, module, check_mode):
        add_status(cloud, "PAUSING")
        assert module.run(ARGS, check_mode) == before("PAUSING", diff=diff("PAUSING", "PAUSING"))
        assert sent(cloud) == READ

    def test_current_action_is_not_sent_again(self, cloud, module, check_mode):
        """The status does not show it yet."""
        add_status(cloud, RUNS)
        add_actions(cloud, current_action="PAUSE")
        assert module.run(ARGS, check_mode) == before(RUNS, diff=diff(RUNS, RUNS))
        assert sent(cloud) == READ_ACTIONS

    def test_not_allowed(self, cloud, module, check_mode):
        add_status(cloud, RUNS)
        add_actions(cloud, "START")
        message, result = module.fail(ARGS, check_mode)
        assert f"Job {JOB_ID} does not currently allow pause." in message
        assert result == before(RUNS)
        assert sent(cloud) == READ_ACTIONS

    def test_unknown_job(self, cloud, module):
        body = {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}
        cloud.get(JOB_URL, status=400, json=body, headers={"X-Request-Id": REQUEST_ID})
        assert module.fail(ARGS)[1] == {**JOB, "changed": False, "http_status": 400, "request_id": REQUEST_ID, **body}

    def test_lost_response(self, cloud, module):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(ACTION_URL, body=LOST)
        message, result = module.fail({**ARGS, "wait": True})
        assert "DRS may have accepted" in message
        assert result == {**before(RUNS), "changed": True}
        assert sent(cloud) == SENT


class TestWait:
    def test_until_the_target_status(self, cloud, module, clock):
        add_status(cloud, RUNS, RUNS, "PAUSING")
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        expected = before(RUNS, changed=True, status="PAUSING", request_id=REQUEST_ID, diff=diff(RUNS, "PAUSING"))
        assert module.run({**ARGS, "wait": True, "wait_sleep": 11}) == expected
        assert clock.pauses == [11]

    def test_job_failed_before(self, cloud, module, clock):
        """The old status is not taken for a failure of this action."""
        old = "INCRE_TRANSFER_FAILED"
        add_status(cloud, old, old, RUNS)
        add_actions(cloud, "RETRY")
        add_action(cloud)
        expected = before(old, action="retry", changed=True, status=RUNS, request_id=REQUEST_ID, diff=diff(old, RUNS))
        assert module.run({**ARGS, "action": "retry", "wait": True}) == expected
        assert clock.pauses == [2]

    @pytest.mark.parametrize("action, status, then", [("start", "STARTJOBING", RUNS), ("pause", RUNS, "PAUSING")])
    def test_action_in_progress(self, cloud, module, clock, action, status, then):
        """The module waits for it, without sending it again."""
        add_status(cloud, status, status, then)
        if action == "pause":
            add_actions(cloud, current_action="PAUSE")
        expected = before(status, action=action, status=then, diff=diff(status, then))
        assert module.run({**ARGS, "action": action, "wait": True}) == expected
        assert clock.pauses == [2]
        assert {method for method, _url in sent(cloud)} == {"GET"}

    def test_action_in_progress_is_not_said_to_be_accepted(self, cloud, module, clock):
        add_status(cloud, "STARTJOBING")
        message, result = module.fail({**ARGS, "action": "start", "wait": True, "wait_timeout": 10})
        assert "accepted" not in message
        assert "Check the job before you request start again." in message
        assert result["changed"] is False

    def test_check_mode_does_not_wait(self, cloud, module, clock):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        assert module.run({**ARGS, "wait": True}, check_mode=True)["status"] == RUNS
        assert (sent(cloud), clock.pauses) == (READ_ACTIONS, [])

    def test_status_is_the_one_in_the_message(self, cloud, module, clock):
        add_status(cloud, RUNS, "CHANGE_JOB_STARTED")
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        message, result = module.fail({**ARGS, "wait": True, "wait_timeout": 10})
        assert "is still in status CHANGE_JOB_STARTED" in message
        assert (result["status_before"], result["status"]) == (RUNS, "CHANGE_JOB_STARTED")

    def test_timeout(self, cloud, module, clock):
        """The result still has all that is known."""
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        message, result = module.fail({**ARGS, "wait": True, "wait_timeout": 10, "wait_sleep": 4})
        assert f"Job {JOB_ID} is still in status {RUNS} after 10 seconds of waiting for pause." in message
        assert "DRS had accepted the pause. Check the job before you request pause again." in message
        assert result == before(RUNS, changed=True, request_id=REQUEST_ID)
        assert clock.pauses == [4, 4, 2]


@pytest.mark.parametrize("connected", [True, False])
def test_signal_while_a_request_is_sent(cloud, module, monkeypatch, connected):
    """Without a connection, as between two attempts to connect, nothing has changed."""

    def interrupt(_request):
        os.kill(os.getpid(), signal.SIGTERM)
        return 200, {}, "{}"

    monkeypatch.setattr(_connection.Attempt, "connected", property(lambda _attempt: connected))
    add_status(cloud, RUNS)
    add_actions(cloud, "PAUSE")
    cloud.add_callback("POST", ACTION_URL, callback=interrupt)
    message, result = module.fail(ARGS)
    assert message.startswith("The task was interrupted.")
    assert (ACTION_URL in message) is connected
    assert result == before(RUNS, changed=connected)
