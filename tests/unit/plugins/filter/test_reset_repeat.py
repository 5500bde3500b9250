# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.filter.reset_advice import UNKNOWN
from ansible_collections.huaweicloud.drs.plugins.filter.reset_repeat import REPEATABLE, FilterModule
from ansible_collections.huaweicloud.drs.plugins.module_utils._reset import ADVICE

reset_repeat = FilterModule().filters()["reset_repeat"]
POSITION = "mysql-bin.000277:805"


@pytest.mark.parametrize("state", [*ADVICE, "unknown"])
def test_no_position_is_set_twice_in_a_job_that_may_have_run_from_it(state):
    """What this says and what the advice says go together."""
    advice = {**ADVICE, "unknown": UNKNOWN}[state]
    forbidden = advice.find("Do not run the reset again") >= 0 or state == "running"
    assert (state in REPEATABLE) == (not forbidden)
    assert (reset_repeat(state, "collect", POSITION, "5", False) == "none") == forbidden


@pytest.mark.parametrize(
    ("source", "position", "query_id", "relaunch", "expected"),
    [
        ("given", POSITION, "", False, "none"),
        ("given", POSITION, "", True, "none"),
        ("collect", POSITION, "5", False, "position"),
        ("query", POSITION, "5", False, "position"),
        ("collected", POSITION, "5", False, "position"),
        # With its time, it would collect again.
        ("collect", POSITION, "5", True, "query"),
        ("query", POSITION, "5", True, "relaunch"),
        ("collected", POSITION, "5", True, "relaunch"),
        ("collect", "", "5", False, "query"),
        ("collect", "", "5", True, "query"),
        ("query", "", "5", False, "query"),
        ("collect", "", "", False, "none"),
        ("unknown", "", "", True, "none"),
    ],
)
def test_how(source, position, query_id, relaunch, expected):
    assert reset_repeat("paused", source, position, query_id, relaunch) == expected
