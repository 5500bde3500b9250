# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _start_position
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import SIGNALS
from ansible_collections.huaweicloud.drs.plugins.module_utils._reset import ADVICE
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTION_URL,
    ACTIONS_URL,
    DETAILS_V3_URL,
    GTID_SET,
    JOB_ID,
    JOB_URL,
    LOGIN_URL,
    LOST,
    POSITION,
    REQUEST_ID,
    START_URL,
    WITH_PASSWORD,
    WITH_TOKEN,
    add_action,
    add_actions,
    add_details_v3,
    add_start,
    add_status,
    sent,
)

TARGET = {"job_id": JOB_ID, "position": POSITION, "gtid_set": None}
ARGS = {**WITH_TOKEN, "job_id": JOB_ID, "position": POSITION}
RUNS = "INCRE_TRANSFER_STARTED"
OLD_POSITION = "mysql-bin.000001:4"
KNOWN = {
    **TARGET,
    "job_name": "orders-to-dws",
    "status_before": RUNS,
    "position_before": OLD_POSITION,
}
READ = [("GET", JOB_URL), ("GET", ACTIONS_URL), ("POST", DETAILS_V3_URL)]


def add_check(cloud):
    add_actions(cloud, "PAUSE")
    add_details_v3(cloud, incre_start_position=OLD_POSITION)


def test_documentation(module):
    module.check_documentation()
    module.check_options()
    described = " ".join(module.returns["state"]["description"])
    assert [state for state in ADVICE if f"V({state})" not in described] == []


@pytest.mark.parametrize(
    "invalid, named",
    [
        ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
        ({"position": "mysql-bin.000277"}, "position must be"),
        ({"gtid_set": f"{GTID_SET}'"}, "gtid_set"),
        ({"position": f"{POSITION};{GTID_SET}", "gtid_set": f"{GTID_SET}8"}, "gtid_set"),
        ({"pause_mode": "source"}, "pause_mode"),
        ({"wait_timeout": 0}, "wait_timeout"),
        ({"wait_sleep": 3601}, "wait_sleep"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
    ],
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, invalid, named, check_mode):
    module.check_refused(cloud, {**ARGS, **invalid}, named, check_mode)


@pytest.mark.parametrize("options, gtid_set", [({}, None), ({"position": f"{POSITION};{GTID_SET}"}, GTID_SET)])
def test_result(cloud, module, check_mode, options, gtid_set):
    """In check mode, the job is only read."""
    add_check(cloud)
    add_status(cloud, RUNS, *([] if check_mode else ["PAUSING"] * 3 + [RUNS]))
    if not check_mode:
        add_action(cloud)
        add_start(cloud)
        cloud.get(JOB_URL, json={"job": {"progress_info": {"incr_trans_delay": "2"}}})
    result = module.run({**ARGS, **options}, check_mode)
    steps = result.pop("steps")
    assert [step["step"] for step in steps] == ([] if check_mode else ["pause", "set_position", "retry"])
    diff = {
        "before": {"status": RUNS, "position": OLD_POSITION},
        "after": {"status": RUNS, "position": POSITION},
    }
    assert result == {
        **KNOWN,
        "gtid_set": gtid_set,
        "changed": True,
        "state": "unchanged" if check_mode else "running",
        "status": RUNS,
        "delay": None if check_mode else 2,
        "diff": diff,
    }
    if check_mode:
        assert sent(cloud) == READ


def test_not_allowed(cloud, module, check_mode):
    add_status(cloud, RUNS)
    add_actions(cloud, "RESET")
    message, result = module.fail(ARGS, check_mode)
    assert message.endswith(ADVICE["unchanged"])
    assert result == {
        **KNOWN,
        "position_before": None,
        "changed": False,
        "state": "unchanged",
        "steps": [],
        "status": RUNS,
        "delay": None,
    }


def test_lost_response(cloud, module):
    add_check(cloud)
    add_status(cloud, RUNS, "PAUSING")
    add_action(cloud)
    cloud.put(START_URL, body=LOST)
    message, result = module.fail(ARGS)
    assert "DRS may have accepted" in message
    assert message.endswith(ADVICE["position_unknown"])
    assert [step.pop("at")[-1] for step in result["steps"]] == ["Z", "Z"]
    assert result.pop("steps") == [
        {"step": "pause", "request_id": REQUEST_ID, "accepted": True},
        {"step": "set_position", "request_id": None, "accepted": None},
    ]
    assert result == {**KNOWN, "changed": True, "state": "position_unknown", "status": "PAUSING", "delay": None}


@pytest.mark.parametrize("number", SIGNALS)
@pytest.mark.parametrize(
    "method, url, state",
    [("POST", ACTION_URL, "pause_unknown"), ("PUT", START_URL, "position_unknown"), ("GET", JOB_URL, "unchanged")],
)
def test_signal_while_a_request_is_sent(cloud, module, number, method, url, state):
    def interrupt(_request):
        os.kill(os.getpid(), number)
        return 200, {}, "{}"

    cloud.assert_all_requests_are_fired = False
    cloud.add_callback(method, url, callback=interrupt)
    add_check(cloud)
    add_status(cloud, RUNS, "PAUSING")
    add_action(cloud)
    message, result = module.fail(ARGS)
    assert message.startswith("The task was interrupted")
    assert message.endswith(ADVICE[state])
    assert result["state"] == state
    assert result["changed"] is (state != "unchanged")


def test_unexpected_exception_says_where_the_job_is(cloud, module, monkeypatch):
    def fail(*_args):
        raise RuntimeError("a bug")

    add_check(cloud)
    add_status(cloud, RUNS, "PAUSING")
    add_action(cloud)
    monkeypatch.setattr(_start_position, "update_start_position", fail)
    message, result = module.fail(ARGS, unexpected=True)
    assert message.endswith(ADVICE["position_unknown"])
    assert result["state"] == "position_unknown"


def test_login_refused(cloud, module):
    cloud.get(JOB_URL, status=401, json={"error_code": "APIGW.0301"})
    message, result = module.fail(ARGS)
    assert message.endswith(ADVICE["unchanged"])
    assert (result["http_status"], result["state"], result["status"]) == (401, "unchanged", None)


def test_own_login_that_fails(cloud, module):
    """Nothing was sent to DRS, so the state is known."""
    cloud.post(LOGIN_URL, status=401, json={"error": {"code": 401, "message": "Wrong."}})
    message, result = module.fail({**WITH_PASSWORD, "job_id": JOB_ID, "position": POSITION})
    assert message.endswith(ADVICE["unchanged"])
    assert (result["state"], result["steps"], result["changed"]) == ("unchanged", [], False)
