# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.filter.reset_advice import UNKNOWN, FilterModule
from ansible_collections.huaweicloud.drs.plugins.module_utils._reset import ADVICE

reset_advice = FilterModule().filters()["reset_advice"]


@pytest.mark.parametrize("state", ADVICE)
def test_advice_of_the_module(state):
    assert reset_advice(state) == ADVICE[state]


def test_advice_without_a_state_sets_nothing_in_a_job_that_has_been_running():
    assert reset_advice("unknown") == UNKNOWN
    assert "If it has been running or stays failed, do not run the reset again." in UNKNOWN
    assert UNKNOWN.index("AnsiballZ_drs_reset_position is left") < UNKNOWN.index("then check the job")
    # With pipelining, the process has no name of its own.
    assert "or with pipelining, no Python process of this run" in UNKNOWN
