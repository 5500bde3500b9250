# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._reset import ADVICE, Reset
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTION_URL,
    ACTIONS_URL,
    DETAILS_V3_URL,
    GTID_SET,
    JOB_ID,
    JOB_URL,
    LOST,
    NO_CONNECTION,
    POSITION,
    REQUEST_ID,
    START_URL,
    add_action,
    add_actions,
    add_details_v3,
    add_start,
    add_status,
    client,
)

RUNS, PAUSED, FAILED, STARTS = "INCRE_TRANSFER_STARTED", "PAUSING", "INCRE_TRANSFER_FAILED", "STARTJOBING"
OLD_POSITION = "mysql-bin.000001:4"
# The ways in which a request that changes something can end: response, whether DRS may have accepted it, and whether it
# is a step at all.
REFUSED = {"status": 400, "json": {"error_code": "DRS.M00304", "error_msg": "Not now."}}
FAULTS = {
    "refused": (REFUSED, False, True),
    "no permission": ({"status": 403, "json": {"error_code": "DRS.M00102"}}, False, True),
    "another operation": ({"status": 202, "json": {"error_code": "DRS.M01504"}}, False, True),
    "throttled": ({"status": 429}, False, True),
    "connection failed": ({"body": NO_CONNECTION}, False, False),
    "response lost": ({"body": LOST}, True, True),
    "server error": ({"status": 500}, True, True),
    "unavailable": ({"status": 503}, True, True),
    "gateway timeout": ({"status": 504, "json": {"error_code": "APIGW.0201"}}, True, True),
    "not JSON": ({"status": 200, "body": "<html>"}, True, True),
}
# By step: method and URL, the state before it, and that if DRS may have accepted it.
STEPS = {
    "pause": ("POST", ACTION_URL, "unchanged", "pause_unknown"),
    "set_position": ("PUT", START_URL, "paused", "position_unknown"),
    "retry": ("POST", ACTION_URL, "position_set", "start_unknown"),
}


@pytest.fixture
def cloud(cloud):
    """The last responses may remain unused, because a reset ends where it fails."""
    cloud.assert_all_requests_are_fired = False
    return cloud


def reset(wait=True, gtid_set=None, timeout=300, pause_mode="all", position=POSITION, secrets=()):
    """Run a reset, and return it with the error that it ended with."""
    found = Reset(client(secrets=secrets), JOB_ID, position, gtid_set, pause_mode)
    try:
        found.check()
        found.run(wait, timeout, 2)
    except HuaweiCloudError as error:
        return found, error
    return found, None


def requested(cloud):
    """The requests that change something: actions by their names."""
    found = []
    for call in cloud.calls:
        if call.request.method == "PUT" or call.request.url == ACTION_URL:
            body = json.loads(call.request.body)
            found.append(body["job"]["action_name"] if "job" in body else "position")
    return found


def accepted(found):
    return [(step["step"], step["accepted"]) for step in found.steps]


def add_statuses(cloud, *statuses, progress=(200, '{"job": {"progress_info": {"incr_trans_delay": "2"}}}')):
    """The statuses of the job, each time that it is read. The last one stays."""
    remaining = list(statuses)

    def respond(request):
        if request.url.endswith("type=progress"):
            return progress[0], {}, progress[1]
        status = remaining.pop(0) if len(remaining) > 1 else remaining[0]
        if not isinstance(status, str):
            return status, {}, ""
        info = {"name": "orders-to-dws", "engine_type": "mysql-to-dws", "task_type": "INCR_TRANS"}
        return 200, {}, json.dumps({"job": {"status": status, "base_info": info}})

    cloud.add_callback("GET", JOB_URL, callback=respond)


def add_reset(cloud, *statuses, before=OLD_POSITION, after=OLD_POSITION, **more):
    """All responses of a reset that succeeds."""
    add_statuses(cloud, *statuses, **more)
    add_actions(cloud, "PAUSE" if statuses[0] == RUNS else "RETRY")
    add_details_v3(cloud, incre_start_position=before)
    add_details_v3(cloud, incre_start_position=after)
    add_action(cloud)
    add_start(cloud)


def test_advice_never_repeats_a_reset_that_may_have_run():
    assert list(ADVICE) == [
        "unchanged",
        "pause_unknown",
        "paused",
        "position_unknown",
        "position_set",
        "start_unknown",
        "running",
    ]
    for state in ("position_set", "start_unknown"):
        assert "Do not run the reset again" in ADVICE[state]
    assert "has not been running since" in ADVICE["position_unknown"]
    assert "Before you run the reset again, check" in ADVICE["running"]


def test_advice_claims_nothing_of_an_earlier_reset():
    """It may have set a position, if the job was paused before this one."""
    for state in ("pause_unknown", "paused"):
        assert "this reset did not set the position" in ADVICE[state].replace("This", "this")
        assert "unless an earlier reset may have set a position" in ADVICE[state]


class TestCheck:
    @pytest.mark.parametrize(
        "status, allowed",
        [
            (RUNS, ["PAUSE"]),
            (PAUSED, ["RETRY"]),
            (FAILED, ["RETRY"]),
            (FAILED, ["PAUSE"]),
            (FAILED, ["PAUSE", "RETRY", "RESET"]),
        ],
    )
    def test_accepted(self, cloud, status, allowed):
        add_status(cloud, status)
        add_actions(cloud, *allowed)
        add_details_v3(cloud, incre_start_position=f"{OLD_POSITION};{GTID_SET}")
        found = Reset(client(), JOB_ID, POSITION, None, "all")
        found.check()
        assert found.facts() == {
            "changed": False,
            "state": "unchanged",
            "steps": [],
            "job_name": "orders-to-dws",
            "status_before": status,
            "status": status,
            "position_before": OLD_POSITION,
            "delay": None,
        }

    @pytest.mark.parametrize(
        "status, allowed",
        [
            (RUNS, ["RETRY"]),
            (RUNS, []),
            (PAUSED, ["PAUSE", "RESET"]),
            (FAILED, ["RESET"]),
            ("WAITING_FOR_START", ["START"]),
            (STARTS, ["PAUSE"]),
            ("FULL_TRANSFER_STARTED", ["PAUSE"]),
            (None, ["PAUSE", "RETRY"]),
        ],
    )
    def test_status_or_actions_do_not_allow_it(self, cloud, status, allowed):
        add_status(cloud, status)
        add_actions(cloud, *allowed)
        found, error = reset()
        assert f"is in status {status or ''} and allows {', '.join(allowed) or 'no actions'}. A job can be" in str(
            error
        )
        assert (found.state, found.steps, requested(cloud)) == ("unchanged", [], [])

    @pytest.mark.parametrize(
        "facts, said",
        [
            ({"engine_type": "mysql-to-mysql"}, "The engine type of job .* is 'mysql-to-mysql'"),
            ({"engine_type": None}, "The engine type of job .* is unknown"),
            ({"task_type": "FULL_INCR_TRANS"}, "The task type of job .* is 'FULL_INCR_TRANS'"),
            ({"task_type": "\x1b]0;owned\x07"}, r"The task type of job .* is '\]0;owned'"),
        ],
    )
    def test_other_jobs(self, cloud, facts, said):
        add_status(cloud, RUNS, **facts)
        found = Reset(client(), JOB_ID, POSITION, None, "all")
        with pytest.raises(HuaweiCloudError, match=said):
            found.check()
        assert requested(cloud) == []

    @pytest.mark.parametrize("response", [{"status": 404}, {"body": LOST}, {"json": {"results": []}}])
    def test_old_position_is_not_needed(self, cloud, response):
        add_status(cloud, RUNS)
        add_actions(cloud, "PAUSE")
        cloud.post(DETAILS_V3_URL, **response)
        found = Reset(client(), JOB_ID, POSITION, None, "all")
        found.check()
        assert found.position_before is None


class TestRun:
    @pytest.mark.parametrize("gtid_set", [None, GTID_SET])
    @pytest.mark.parametrize("pause_mode", ["all", "target"])
    def test_running_job(self, cloud, clock, gtid_set, pause_mode):
        add_reset(cloud, RUNS, RUNS, PAUSED, PAUSED, PAUSED, STARTS, RUNS)
        found, error = reset(gtid_set=gtid_set, pause_mode=pause_mode)
        assert error is None
        assert requested(cloud) == ["stop", "position", "restart"]
        changes = [json.loads(call.request.body) for call in cloud.calls if call.request.url in (ACTION_URL, START_URL)]
        assert changes == [
            {"job": {"action_name": "stop", "action_params": {"pause_mode": pause_mode}}},
            {"file_and_position": POSITION, **({"gtid_set": gtid_set} if gtid_set else {})},
            {"job": {"action_name": "restart"}},
        ]
        assert clock.pauses == [2, 2]
        assert (found.state, found.status_before, found.status, found.delay) == ("running", RUNS, RUNS, 2)
        assert accepted(found) == [("pause", True), ("set_position", True), ("retry", True)]
        for step in found.steps:
            assert step["request_id"] == REQUEST_ID
            assert step["at"].endswith("Z")

    def test_paused_job_is_not_paused_again(self, cloud):
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS)
        found, error = reset()
        assert (error, found.state, requested(cloud)) == (None, "running", ["position", "restart"])

    @pytest.mark.parametrize(
        "allowed, requests",
        [(["PAUSE", "RETRY"], ["stop", "position", "restart"]), (["RETRY"], ["position", "restart"])],
    )
    def test_failed_job_is_paused_where_possible(self, cloud, allowed, requests):
        """Otherwise DRS might resume it before the position is set."""
        statuses = [FAILED, FAILED, PAUSED, PAUSED, PAUSED] if "PAUSE" in allowed else [FAILED, FAILED, FAILED]
        add_actions(cloud, *allowed)
        add_reset(cloud, *statuses, RUNS)
        found, error = reset()
        assert (error, found.state, requested(cloud)) == (None, "running", requests)

    def test_without_waiting_for_the_start(self, cloud, clock):
        add_reset(cloud, RUNS, PAUSED)
        found, error = reset(wait=False)
        assert (error, found.state, found.changed) == (None, "start_unknown", True)
        assert accepted(found)[-1] == ("retry", True)
        assert clock.pauses == []

    @pytest.mark.parametrize(
        "status, requests", [(RUNS, ["stop", "position", "restart"]), (PAUSED, ["position", "restart"])]
    )
    def test_drs_decides_if_it_does_not_list_the_actions(self, cloud, status, requests):
        cloud.get(ACTIONS_URL, status=404, json={"error_code": "APIGW.0101"})
        add_reset(cloud, *([RUNS, PAUSED] if status == RUNS else [PAUSED]), PAUSED, PAUSED, RUNS)
        assert reset()[1] is None
        assert requested(cloud) == requests

    def test_delay_is_not_needed(self, cloud):
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS, progress=(500, ""))
        found, error = reset()
        assert (error, found.state, found.delay) == (None, "running", None)


class TestFaults:
    """Each step with each fault: what is sent, and what is known afterwards."""

    @staticmethod
    def begin(cloud, step, response):
        """The responses up to a step, and the response to that step."""
        method, url, _before, _unknown = STEPS[step]
        if step == "retry":
            add_action(cloud)  # to the pause
        cloud.add(method, url, **response)

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("step", STEPS)
    def test_state(self, cloud, step, fault):
        """The job shows no effect of the request."""
        response, maybe_accepted, is_step = FAULTS[fault]
        before = STEPS[step][2]
        self.begin(cloud, step, response)
        add_reset(cloud, RUNS, *([] if step == "pause" else [PAUSED]))
        found, error = reset()
        assert error is not None
        assert error.maybe_accepted is maybe_accepted
        assert found.state == (STEPS[step][3] if maybe_accepted else before)
        sent = [name for name, _accepted in accepted(found)]
        earlier = list(STEPS)[: list(STEPS).index(step)]
        assert sent == [*earlier, *([step] if is_step else [])]
        if is_step:
            assert accepted(found)[-1] == (step, None if maybe_accepted else False)
        assert found.changed is (bool(earlier) or maybe_accepted)
        # Nothing is sent twice, and nothing after the fault.
        names = {"pause": "stop", "set_position": "position", "retry": "restart"}
        assert requested(cloud) == [names[name] for name in [*earlier, step]]

    def test_lost_pause_of_a_job_that_is_paused(self, cloud):
        cloud.post(ACTION_URL, body=LOST)
        add_reset(cloud, RUNS, RUNS, PAUSED, PAUSED, PAUSED, RUNS)
        found, error = reset()
        assert (error, found.state) == (None, "running")
        assert accepted(found) == [("pause", None), ("set_position", True), ("retry", True)]

    @pytest.mark.parametrize("wait", [False, True])
    def test_lost_retry_of_a_job_that_runs(self, cloud, wait):
        add_action(cloud)
        cloud.post(ACTION_URL, body=LOST)
        add_reset(cloud, RUNS, PAUSED, PAUSED, PAUSED, STARTS, RUNS)
        found, error = reset(wait)
        assert (error, found.state) == (None, "running")
        assert accepted(found)[-1] == ("retry", None)
        assert requested(cloud) == ["stop", "position", "restart"]

    @pytest.mark.parametrize(
        "before, shown, resolved",
        [
            (OLD_POSITION, POSITION, True),
            (None, f"{POSITION};{GTID_SET}", True),
            (POSITION, POSITION, False),
            (OLD_POSITION, OLD_POSITION, False),
            (OLD_POSITION, None, False),
        ],
    )
    def test_lost_position_that_drs_shows(self, cloud, before, shown, resolved):
        cloud.put(START_URL, body=LOST)
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS, before=before, after=shown)
        found, error = reset()
        assert (error is None, found.state) == (resolved, "running" if resolved else "position_unknown")
        assert requested(cloud) == ["position", *(["restart"] if resolved else [])]

    @pytest.mark.parametrize("unread", [{"status": 403}, {"status": 404}, {"body": LOST}])
    def test_lost_position_whose_predecessor_is_not_known(self, cloud, unread):
        """DRS may show the position because an earlier reset has set it."""
        cloud.put(START_URL, body=LOST)
        cloud.post(DETAILS_V3_URL, **unread)
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS, before=POSITION, after=POSITION)
        found, error = reset()
        assert (error.maybe_accepted, found.state) == (True, "position_unknown")
        assert requested(cloud) == ["position"]

    @pytest.mark.parametrize(
        "statuses, step, state",
        [
            ((RUNS, PAUSED, PAUSED, RUNS), "set_position", "pause_unknown"),
            ((PAUSED, PAUSED, RUNS), "set_position", "unchanged"),
            ((PAUSED, PAUSED, PAUSED, RUNS), "retry", "running"),
            ((PAUSED, PAUSED, PAUSED, FAILED), "retry", "start_unknown"),
            ((PAUSED, PAUSED, PAUSED, PAUSED), "retry", "position_set"),
            ((PAUSED, PAUSED, PAUSED, 500), "retry", "position_set"),
        ],
    )
    def test_refused_because_somebody_resumed_the_job(self, cloud, statuses, step, state):
        """No message claims that the job is still paused."""
        if step == "set_position":
            cloud.put(START_URL, **REFUSED)
        else:
            cloud.post(ACTION_URL, **REFUSED)
        add_reset(cloud, *statuses)
        found, error = reset()
        assert (error.error_code, found.state) == ("DRS.M00304", state)

    def test_lost_response_is_looked_for_a_minute_only(self, cloud, clock):
        cloud.post(ACTION_URL, body=LOST)
        add_reset(cloud, RUNS)
        assert reset(timeout=1800)[0].state == "pause_unknown"
        assert sum(clock.pauses) == 60

    @pytest.mark.parametrize(
        "status, said", [(RUNS, "is still in status"), (FAILED, "is in status"), ("DELETED", "is in")]
    )
    def test_job_is_not_paused_in_time(self, cloud, status, said):
        add_reset(cloud, RUNS, status)
        found, error = reset()
        assert said in str(error)
        assert (found.state, found.status, requested(cloud)) == ("pause_unknown", status, ["stop"])

    @pytest.mark.parametrize("status", [PAUSED, STARTS, FAILED])
    def test_job_does_not_start(self, cloud, status):
        add_reset(cloud, PAUSED, PAUSED, PAUSED, STARTS, status)
        found, error = reset()
        assert status in str(error)
        assert (found.state, found.status) == ("start_unknown", status)

    @pytest.mark.parametrize("step, read", [("paused", 2), ("position_set", 3)])
    def test_status_cannot_be_read_between_two_steps(self, cloud, step, read):
        add_reset(cloud, *[PAUSED] * (read - 1), 500)
        found, error = reset()
        assert error is not None
        assert found.state == step


class TestSomebodyElse:
    """A job that changes between two steps is left alone."""

    @pytest.mark.parametrize("status", [RUNS, FAILED, "DELETED"])
    def test_before_the_position_is_set(self, cloud, status):
        add_reset(cloud, RUNS, PAUSED, status)
        found, error = reset()
        assert f"was in status {PAUSED}, and is now in status {status}" in str(error)
        assert "before the position was set. No further request was sent." in str(error)
        assert (found.state, requested(cloud)) == ("pause_unknown", ["stop"])

    @pytest.mark.parametrize("status, state", [(RUNS, "running"), (STARTS, "start_unknown"), (FAILED, "start_unknown")])
    def test_after_the_position_was_set(self, cloud, status, state):
        add_reset(cloud, RUNS, PAUSED, PAUSED, status)
        found, error = reset()
        assert "after the position was set. No further request was sent." in str(error)
        assert (found.state, requested(cloud)) == (state, ["stop", "position"])

    @pytest.mark.parametrize("before", [FAILED, PAUSED])
    def test_before_anything_was_sent(self, cloud, before):
        add_reset(cloud, before, RUNS)
        found, error = reset()
        assert "Somebody else, or DRS itself, changed it before" in str(error)
        assert (found.state, found.changed, requested(cloud)) == ("unchanged", False, [])

    @pytest.mark.parametrize(
        "shown, fails",
        [
            (POSITION, False),
            (OLD_POSITION, False),
            (None, False),
            (f"{POSITION};{GTID_SET}", False),
            (f"{POSITION};", False),
            (f";{GTID_SET}", False),
            (f"{POSITION};{','.join([GTID_SET] * 90)}", False),
            (f"{POSITION};{','.join([GTID_SET] * 190)}", False),
            ("mysql-bin.000300:4", True),
        ],
    )
    def test_another_reset_set_its_position(self, cloud, shown, fails):
        """DRS may show the old position for some time, but none that nobody has set."""
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS, after=shown)
        found, error = reset()
        assert (error is not None, found.state) == (fails, "running")
        if fails:
            assert f"'{shown}' for job {JOB_ID}, not '{POSITION}'" in str(error)

    @pytest.mark.parametrize("echoed", ["p4ss;word", "x:p4ss;word", "x:p4ss&amp;word", "a.123:p4ss;word"])
    def test_shown_text_that_is_no_position_is_not_cut(self, cloud, echoed):
        """Of a secret that a server echoes, the first part would not be recognized."""
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS, before=echoed)
        assert reset()[0].position_before == echoed

    @pytest.mark.parametrize(
        "secret, shown", [("other", "a.123:4"), ("a.123:4;word", "a.123:4;word"), ("a.123:4", "a.123:4")]
    )
    def test_shown_secret_that_looks_like_a_position_with_a_gtid_set(self, cloud, secret, shown):
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS, before="a.123:4;word")
        assert reset(secrets=[secret])[0].position_before == shown

    @pytest.mark.parametrize("rest", ["", f";{GTID_SET}"])
    @pytest.mark.parametrize("lost", [False, True])
    def test_file_with_a_semicolon_in_its_name(self, cloud, rest, lost):
        position = "my;sql-bin.000277:805"
        add_reset(cloud, PAUSED, PAUSED, PAUSED, RUNS, after=f"{position}{rest}")
        if lost:
            cloud.replace("PUT", START_URL, body=LOST)
        found, error = reset(position=position)
        assert (error, found.state) == (None, "running")
