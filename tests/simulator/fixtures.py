# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures for pytest: one simulator for all tests of a session, which is reset for each test."""

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
    """The simulator in its initial state. The test fails if the simulator broke its own contract."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    running.reset()
    yield running
    assert "SIMULATOR.BUG" not in running.stderr
