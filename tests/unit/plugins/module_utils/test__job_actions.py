# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
    WaitTimeoutError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._job_actions import (
    ACTIONS,
    FAILURE_GRACE,
    PAUSE_MODES,
    check_allowed,
    check_pause_mode,
    execute_job_action,
    job_action_request,
    wait_for_action,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import (
    ENDED_STATUSES,
    FAILED_STATUSES,
    JOB_STATUSES,
    RUNNING,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTION_URL,
    ACTIONS_URL,
    JOB_ID,
    JOB_URL,
    REQUEST_ID,
    STATUS_V3_URL,
    TOKEN,
    add_action,
    add_actions,
    add_status,
    bodies,
    client,
    job_id,
    sent,
)


@pytest.fixture
def drs():
    return client()


def test_nothing_is_sent_with_an_invalid_job_id(drs, cloud):
    for call in (
        lambda job_id: check_allowed(drs, job_id, "pause"),
        lambda job_id: execute_job_action(drs, job_id, "pause"),
        lambda job_id: wait_for_action(drs, job_id, "pause", None, 10, 1),
    ):
        with pytest.raises(InvalidOptionError, match="job_id"):
            call(f"{JOB_ID[:-3]}/..")
    assert len(cloud.calls) == 0


class TestConstants:
    """Compared with a second copy of what the API pages say."""

    def test_pause_modes(self):
        assert PAUSE_MODES == ("target", "all")

    def test_actions(self):
        assert {name: (action.api_name, action.listed_name) for name, action in ACTIONS.items()} == {
            "start": ("start", "START"),
            "pause": ("stop", "PAUSE"),
            "retry": ("restart", "RETRY"),
            "reset": ("reset", "RESET"),
        }

    def test_statuses_of_actions(self):
        for name, action in ACTIONS.items():
            assert action.target_statuses == ({"PAUSING"} if name == "pause" else RUNNING)
            assert action.noop_statuses == {"pause": {"PAUSING"}, "reset": set()}.get(name, RUNNING | {"STARTJOBING"})
            assert not action.target_statuses & FAILED_STATUSES


class TestCheckAllowed:
    @pytest.mark.parametrize("action", list(ACTIONS))
    @pytest.mark.parametrize("allowed, current", [(True, False), (True, True), (False, True)])
    def test_current_action_need_not_be_sent(self, cloud, drs, action, allowed, current):
        """Unless DRS allows it all the same."""
        name = ACTIONS[action].listed_name
        add_actions(cloud, "DELETE", *([name] if allowed else []), current_action=name if current else None)
        assert check_allowed(drs, JOB_ID, action) is allowed
        assert sent(cloud) == [("GET", ACTIONS_URL)]

    @pytest.mark.parametrize("current", ["START", "RESTART", "retry", None, ["RETRY"]])
    def test_other_current_action(self, cloud, drs, current):
        add_actions(cloud, "PAUSE", current_action=current)
        with pytest.raises(HuaweiCloudError, match="does not currently allow retry.*it allows pause"):
            check_allowed(drs, JOB_ID, "retry")

    @pytest.mark.parametrize(
        "available, named",
        [
            ([], "none"),
            (["DELETE", "FREE_RESOURCE"], "none"),
            (["START"], "start"),
            (["RETRY", "RESET", "DELETE"], "retry and reset"),
            (["RESET", "START", "RETRY"], "start and retry and reset"),
            (["pause", "STOP", "PAUSED", None, 5], "none"),
        ],
    )
    def test_error_names_the_allowed_actions(self, cloud, drs, available, named):
        cloud.get(ACTIONS_URL, json={"job_action": {"available_actions": available, "unavailable_actions": ["PAUSE"]}})
        with pytest.raises(HuaweiCloudError) as caught:
            check_allowed(drs, JOB_ID, "pause")
        assert (
            str(caught.value)
            == f"Job {JOB_ID} does not currently allow pause. Of start, pause, retry and reset, it allows {named}."
        )

    def test_error_names_the_current_action(self, cloud, drs):
        add_actions(cloud, current_action=f"\x1b]0;owned\x07RESTART {TOKEN[:100]}")
        with pytest.raises(
            HuaweiCloudError, match=r"it allows none. Its current action is ]0;owned RESTART "
        ) as caught:
            check_allowed(drs, JOB_ID, "pause")
        assert str(caught.value).isprintable()
        assert TOKEN[:20] not in str(caught.value)


@pytest.mark.parametrize("action", [action for action in ACTIONS if action != "pause"])
def test_pause_mode_is_for_a_pause(action):
    check_pause_mode("pause", "all")
    check_pause_mode(action, None)
    with pytest.raises(InvalidOptionError, match=f"pause_mode is for action pause only; action is {action}"):
        check_pause_mode(action, "all")


class TestExecuteJobAction:
    @pytest.mark.parametrize("pause_mode", PAUSE_MODES)
    def test_pause_mode(self, cloud, drs, pause_mode):
        add_action(cloud)
        execute_job_action(drs, JOB_ID, "pause", pause_mode)
        assert bodies(cloud) == [{"job": {"action_name": "stop", "action_params": {"pause_mode": pause_mode}}}]

    @pytest.mark.parametrize(
        "action, name", [("start", "start"), ("pause", "stop"), ("retry", "restart"), ("reset", "reset")]
    )
    def test_request(self, cloud, drs, action, name):
        add_action(cloud)
        assert execute_job_action(drs, JOB_ID, action) == REQUEST_ID
        assert sent(cloud) == [("POST", ACTION_URL)]
        assert bodies(cloud) == [{"job": {"action_name": name}}]
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN
        assert job_action_request(drs, JOB_ID, action) == {
            "method": "POST",
            "url": ACTION_URL,
            "body": {"job": {"action_name": name}},
        }

    @pytest.mark.parametrize(
        "body",
        [
            {"query_id": 5, "status": None},
            {"query_id": "q", "status": "pending"},
            {"query_id": "q", "status": "INCRE_TRANSFER_FAILED"},  # of the job
            {"query_id": "q", "error_msg": [], "error_code": {}, "error": None, "success": True},
            {"status": "success", "error_code": "", "error_msg": None},
            # The job ID of the response is not compared.
            {"id": job_id(1), "status": "success"},
        ],
    )
    def test_accepted(self, cloud, drs, body):
        cloud.post(ACTION_URL, status=202, json=body)
        assert execute_job_action(drs, JOB_ID, "pause") is None

    @pytest.mark.parametrize("status, more", [(200, {}), (202, {"query_id": "q", "error_code": "", "error_msg": ""})])
    def test_failed_without_a_reason(self, cloud, status, more):
        cloud.post(ACTION_URL, status=status, json={"status": "failed", **more}, headers={"X-Request-Id": "r1"})
        with pytest.raises(InvalidResponseError) as caught:
            execute_job_action(client(max_retries=4), JOB_ID, "retry")
        error = caught.value
        assert (
            str(error)
            == f"DRS returned HTTP {status} with the status failed and no error message for the retry of job {JOB_ID}"
            " (request ID r1)."
        )
        assert (error.http_status, error.request_id, error.maybe_accepted) == (status, "r1", False)
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize(
        "message, shown",
        [
            ("The pre-check has not passed.", "The pre-check has not passed."),
            (f"\x1b]0;owned\x07 {TOKEN}", r"]0;owned \*\*\*\*\*\*\*\*"),
            (["x"], r"\['x'\]"),
            ("x" * 9999, "x{512}"),
        ],
    )
    def test_failed_with_a_message_only(self, cloud, drs, message, shown):
        cloud.post(ACTION_URL, json={"status": "failed", "error_msg": message})
        with pytest.raises(
            InvalidResponseError, match=f"""failed and the message ['"]{shown}['"] for the reset of job"""
        ) as caught:
            execute_job_action(drs, JOB_ID, "reset")
        assert str(caught.value).isprintable()
        assert caught.value.maybe_accepted is False

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"id": JOB_ID, "query_id": ""},
            {"query_id": ["q"]},
            {"query_id": "q", "status": "FAILED"},
            {"query_id": "q", "status": "error", "error_msg": ""},
            {"query_id": "q", "error_msg": "The job is busy."},
            {"query_id": "q", "errorMsg": "The job is busy."},
            {"query_id": "q", "error": {"code": "DRS.M00304", "message": "The job is busy."}},
            {"query_id": "q", "success": False},
            {"status": "success", "error_msg": "The job is busy."},
            {"status": "SUCCESS"},
            {"status": "pending"},
            {"status": ["success"]},
        ],
    )
    def test_neither_accepted_nor_refused(self, cloud, body):
        cloud.post(ACTION_URL, json=body, headers={"X-Request-Id": "r1"})
        with pytest.raises(
            InvalidResponseError, match="did not confirm the pause of job.*DRS may have accepted"
        ) as caught:
            execute_job_action(client(max_retries=4), JOB_ID, "pause")
        assert (caught.value.maybe_accepted, caught.value.http_status, caught.value.request_id) == (True, 200, "r1")
        assert body.get("error_msg", "") in str(caught.value)
        assert len(cloud.calls) == 1


class TestWaitForAction:
    @pytest.mark.parametrize(
        "action, status",
        [("start", "FULL_TRANSFER_STARTED"), ("retry", "INCRE_TRANSFER_STARTED"), ("reset", "FULL_TRANSFER_COMPLETE")],
    )
    def test_until_it_runs(self, cloud, drs, clock, action, status):
        add_status(cloud, "PAUSING", "STARTJOBING", status)
        assert wait_for_action(drs, JOB_ID, action, "PAUSING", 300, 2) == status
        assert clock.pauses == [2, 2]
        assert {call.request.url for call in cloud.calls} == {f"{JOB_URL}?type=detail"}

    def test_until_it_is_paused(self, cloud, drs, clock):
        add_status(cloud, "INCRE_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "unknown", None, "PAUSING")
        assert wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 300, 7) == "PAUSING"
        assert clock.pauses == [7, 7, 7, 7]

    @pytest.mark.parametrize("action, status", [("pause", "PAUSING"), ("start", "INCRE_TRANSFER_STARTED")])
    def test_target_status_at_once(self, cloud, drs, clock, action, status):
        add_status(cloud, status)
        assert wait_for_action(drs, JOB_ID, action, status, 300, 2) == status
        assert clock.pauses == []

    def test_other_statuses_are_waited_out(self, cloud, drs, clock):
        statuses = sorted(set(JOB_STATUSES) - FAILED_STATUSES - ENDED_STATUSES - RUNNING)
        add_status(cloud, *statuses, "FULL_TRANSFER_STARTED")
        assert wait_for_action(drs, JOB_ID, "retry", None, 300, 2) == "FULL_TRANSFER_STARTED"
        assert len(clock.pauses) == len(statuses)

    @pytest.mark.parametrize("status", sorted(ENDED_STATUSES))
    def test_job_ends(self, cloud, drs, clock, status):
        add_status(cloud, "INCRE_TRANSFER_STARTED", status)
        with pytest.raises(HuaweiCloudError) as caught:
            wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 300, 2)
        for part in ("After pause", JOB_ID, f"is in status {status}"):
            assert part in str(caught.value)
        assert "resume" not in str(caught.value)
        assert clock.pauses == [2]

    @pytest.mark.parametrize("status", sorted(FAILED_STATUSES))
    def test_job_stays_failed(self, cloud, drs, clock, status):
        add_status(cloud, "INCRE_TRANSFER_STARTED", status)
        with pytest.raises(HuaweiCloudError) as caught:
            wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 300, 2)
        for part in ("After pause", JOB_ID, f"is in status {status}.", "DRS may resume it"):
            assert part in str(caught.value)
        assert "stopped" not in str(caught.value)
        assert not isinstance(caught.value, WaitTimeoutError)
        assert sum(clock.pauses) == 2 + FAILURE_GRACE

    def test_drs_resumes_the_job(self, cloud, drs, clock):
        """Each failure has a minute of its own."""
        failed = ["INCRE_TRANSFER_FAILED"] * 5
        add_status(cloud, *failed, "STARTJOBING", *failed, "INCRE_TRANSFER_STARTED")
        assert wait_for_action(drs, JOB_ID, "retry", "PAUSING", 300, 14) == "INCRE_TRANSFER_STARTED"
        assert sum(clock.pauses) == 11 * 14

    def test_job_is_failed_at_the_end_of_the_wait(self, cloud, drs):
        add_status(cloud, "PAUSING", "INCRE_TRANSFER_FAILED")
        with pytest.raises(WaitTimeoutError, match="is in status INCRE_TRANSFER_FAILED. DRS may resume it"):
            wait_for_action(drs, JOB_ID, "retry", "PAUSING", 10, 4)

    def test_job_failed_before(self, cloud, drs):
        """The old status may last some time."""
        old = "INCRE_TRANSFER_FAILED"
        add_status(cloud, *[old] * 50, "STARTJOBING", "INCRE_TRANSFER_STARTED")
        assert wait_for_action(drs, JOB_ID, "retry", old, 300, 2) == "INCRE_TRANSFER_STARTED"

    @pytest.mark.parametrize("between", ["STARTJOBING", "unknown", None])
    def test_job_fails_again(self, cloud, drs, between):
        add_status(cloud, "INCRE_TRANSFER_FAILED", between, "INCRE_TRANSFER_FAILED")
        with pytest.raises(HuaweiCloudError, match="is in status INCRE_TRANSFER_FAILED"):
            wait_for_action(drs, JOB_ID, "retry", "INCRE_TRANSFER_FAILED", 300, 2)

    def test_job_fails_with_another_status(self, cloud, drs, clock):
        add_status(cloud, "START_JOB_FAILED")
        with pytest.raises(HuaweiCloudError, match="is in status START_JOB_FAILED"):
            wait_for_action(drs, JOB_ID, "reset", "INCRE_TRANSFER_FAILED", 300, 2)
        assert sum(clock.pauses) == FAILURE_GRACE

    def test_failed_status_does_not_change(self, cloud, drs):
        add_status(cloud, "INCRE_TRANSFER_FAILED")
        with pytest.raises(WaitTimeoutError, match="still in status INCRE_TRANSFER_FAILED after 10 seconds"):
            wait_for_action(drs, JOB_ID, "retry", "INCRE_TRANSFER_FAILED", 10, 4)

    def test_status_is_read_by_v3_where_v5_refuses(self, cloud, drs):
        cloud.get(JOB_URL, status=400, json={"error_code": "DRS.M99999"})
        for status in ("INCRE_TRANSFER_STARTED", "PAUSING"):
            cloud.post(STATUS_V3_URL, json={"count": 1, "results": [{"id": JOB_ID, "status": status}]})
        assert wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 300, 2) == "PAUSING"
        assert sent(cloud) == [("GET", JOB_URL), ("POST", STATUS_V3_URL), ("POST", STATUS_V3_URL)]
        assert bodies(cloud) == [{"jobs": [JOB_ID], "page_req": {"cur_page": 1, "per_page": 1}}] * 2

    def test_timeout(self, cloud, drs, clock):
        add_status(cloud, "INCRE_TRANSFER_STARTED", "CHANGE_JOB_STARTED")
        with pytest.raises(WaitTimeoutError) as caught:
            wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 10, 4)
        assert (
            str(caught.value)
            == f"Job {JOB_ID} is still in status CHANGE_JOB_STARTED after 10 seconds of waiting for pause."
        )
        assert clock.pauses == [4, 4, 2]
        assert len(cloud.calls) == 4

    @pytest.mark.parametrize(
        "status, readable",
        [("\x1b]0;owned\x07", "]0;owned"), (f"of {TOKEN[:100]}", r"of \*+"), ("x" * 9999, r"\(omitted because .*\)")],
    )
    def test_timeout_in_an_unknown_status(self, cloud, drs, status, readable):
        add_status(cloud, status)
        with pytest.raises(WaitTimeoutError, match=rf"in status {readable} after 1 ") as caught:
            wait_for_action(drs, JOB_ID, "pause", None, 1, 1)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 700

    @pytest.mark.parametrize("before", ["INCRE_TRANSFER_STARTED", None])
    def test_retries_end_at_the_deadline(self, cloud, clock, before):
        """No status was read, so the message names the previous one."""
        cloud.get(JOB_URL, status=429, headers={"Retry-After": "60"})
        with pytest.raises(WaitTimeoutError, match=f"still in status {before or ''} after 150 seconds"):
            wait_for_action(client(max_retries=99), JOB_ID, "pause", before, 150, 40)
        assert clock.pauses == [60, 60, 30]
