# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time

import pytest

from ansible_collections.huaweicloud.drs.plugins.filter.reset_wait import FilterModule

reset_wait = FilterModule().filters()["reset_wait"]
RUNS, PAUSED, FAILED = "INCRE_TRANSFER_STARTED", "PAUSING", "INCRE_TRANSFER_FAILED"
THROTTLED = {"failed": True, "http_status": 429}
REFUSED = {"failed": True, "http_status": 403}
TIMEOUT = 1800


def job(status):
    return {"jobs": [{"status": status}]}


def waiting(status, since=1000.0, now=1000.0, rounds=1):
    """Return what the filter returned for the previous round, which began at ``now``."""
    return {
        "outcome": "waiting",
        "round_over": True,
        "status": status,
        "since": since,
        "until": 1000.0 + TIMEOUT,
        "round_until": now + 30,
        "rounds": rounds,
    }


@pytest.mark.parametrize("unset", [{"skipped": True}, {"until": 5.0}])
@pytest.mark.parametrize(
    ("result", "outcome", "status"),
    [
        (job(PAUSED), "waiting", PAUSED),
        (job(None), "waiting", ""),
        (job(FAILED), "waiting", FAILED),
        (job(RUNS), "running", RUNS),
        (job("RELEASE_RESOURCE_STARTED"), "failed", "RELEASE_RESOURCE_STARTED"),
        (THROTTLED, "waiting", ""),
        (REFUSED, "error", ""),
        ({"jobs": []}, "error", ""),
    ],
)
def test_first_round(unset, result, outcome, status):
    """It ends at once, so that the status is shown."""
    assert reset_wait(result, unset, TIMEOUT, 1000.0) == {
        "outcome": outcome,
        "round_over": True,
        "status": status,
        "since": 1000.0,
        "until": 2800.0,
        "round_until": 1030.0,
        "rounds": 1,
    }


@pytest.mark.parametrize(
    ("result", "wait", "now", "outcome", "round_over"),
    [
        (job(PAUSED), waiting(PAUSED), 1029.9, "waiting", False),
        (job(PAUSED), waiting(PAUSED), 1030.0, "waiting", True),
        (job(FAILED), waiting(PAUSED), 1001.0, "waiting", True),
        (job(RUNS), waiting(PAUSED), 1001.0, "running", True),
        # A failure counts once it has lasted for a minute, in several rounds.
        (job(FAILED), waiting(FAILED), 1001.0, "waiting", False),
        (job(FAILED), waiting(FAILED, now=1031.0), 1059.9, "waiting", False),
        (job(FAILED), waiting(FAILED, now=1031.0), 1060.0, "failed", True),
        (job(FAILED), waiting(FAILED, since=1050.0, now=1061.0), 1062.0, "waiting", False),
        (job(FAILED), waiting(PAUSED), 1100.0, "waiting", True),
        (job("FULL_TRANSFER_FAILED"), waiting("FULL_TRANSFER_FAILED"), 1060.0, "failed", True),
        (job(RUNS), waiting(FAILED), 1100.0, "running", True),
        (job("RELEASE_RESOURCE_COMPLETE"), waiting(PAUSED), 1001.0, "failed", True),
        (job("DELETED"), waiting(PAUSED), 1001.0, "failed", True),
        # A job that has changed very often is looked at less often.
        (job(FAILED), waiting(PAUSED, rounds=99), 1001.0, "waiting", True),
        (job(FAILED), waiting(PAUSED, rounds=100), 1001.0, "waiting", False),
        (job(FAILED), waiting(PAUSED, rounds=100), 1030.0, "waiting", True),
        (job(FAILED), waiting(FAILED, rounds=99), 1060.0, "failed", True),
        (job(FAILED), waiting(FAILED, rounds=100), 1060.0, "waiting", True),
        (job(FAILED), waiting(FAILED, rounds=100), 2800.0, "failed", True),
        (job(RUNS), waiting(PAUSED, rounds=100), 1001.0, "running", True),
        # The time is over.
        (job(PAUSED), waiting(PAUSED, now=2790.0), 2799.9, "waiting", False),
        (job(PAUSED), waiting(PAUSED, now=2790.0), 2800.0, "late", True),
        (job(FAILED), waiting(PAUSED, now=2790.0), 2800.0, "failed", True),
        (job(RUNS), waiting(PAUSED, now=2790.0), 2800.0, "running", True),
        (THROTTLED, waiting(PAUSED, now=2790.0), 2800.0, "error", True),
        # Throttling is no reason to give up, and no other status.
        (THROTTLED, waiting(PAUSED), 1001.0, "waiting", False),
        (THROTTLED, waiting(FAILED), 1061.0, "waiting", True),
        ({"error_code": "DRS.M01503", "http_status": 400}, waiting(PAUSED), 1001.0, "waiting", False),
        (REFUSED, waiting(PAUSED), 1001.0, "error", True),
    ],
)
def test_next_round(result, wait, now, outcome, round_over):
    found = reset_wait(result, wait, TIMEOUT, now)
    assert (found["outcome"], found["round_over"]) == (outcome, round_over)
    assert (found["until"], found["round_until"]) == (2800.0, now + max(30, (now - 1000) / 10))
    assert found["rounds"] == wait["rounds"] + 1
    status = result["jobs"][0]["status"] if "jobs" in result else wait["status"]
    assert (found["status"], found["since"]) == (status, wait["since"] if status == wait["status"] else now)


@pytest.mark.parametrize("statuses", [(PAUSED,), (PAUSED, FAILED)], ids=["constant", "always changing"])
def test_longest_wait(statuses):
    """Each round is included in the one before, and Ansible crashes at about 240 levels."""
    wait, now, timeout = {}, 0.0, 86400.0
    while wait.get("outcome") in (None, "waiting"):
        for number in range(100000):
            now += 2.0
            found = reset_wait(job(statuses[number % len(statuses)]), wait, timeout, now)
            if found["round_over"]:
                break
        wait = found
    assert wait["outcome"] in ("late", "failed")
    assert 86400 <= now <= 86410
    assert 50 < wait["rounds"] < 200


def test_time_of_the_host_that_is_set(monkeypatch):
    """The wait ends neither earlier nor later."""
    before = time.monotonic()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert before + TIMEOUT <= reset_wait(job(PAUSED), {}, TIMEOUT)["until"] <= time.monotonic() + TIMEOUT
