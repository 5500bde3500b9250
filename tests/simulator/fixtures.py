# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of pytest: a simulator that runs for all tests of a session, and is as new for each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .client import Simulator, simulator


@pytest.fixture(scope="session")
def running() -> Iterator[Simulator]:
    with simulator() as sim:
        yield sim


@pytest.fixture
def sim(running: Simulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[Simulator]:
    """A simulator in its start state, which must not have broken its own contract when the test is over."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running.reset()
    yield running
    assert "SIMULATOR.BUG" not in running.stderr
