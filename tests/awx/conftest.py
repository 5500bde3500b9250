# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from simulator.client import Simulator, simulator

ROOT = Path(__file__).resolve().parents[2]


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


@pytest.fixture(scope="session")
def tarball(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection as it is released."""
    folder = tmp_path_factory.mktemp("build")
    subprocess.run(["ansible-galaxy", "collection", "build", "--output-path", str(folder), str(ROOT)], check=True, stdout=subprocess.DEVNULL)
    (found,) = folder.glob("*.tar.gz")
    return found
