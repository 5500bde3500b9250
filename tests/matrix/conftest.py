# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from matrix import pairs
from tools.checkout import ROOT, copy, run
from tools.docs import CHROMIUM

Environment = Callable[[str, Path], Path]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for name in pairs.MISSING:
        terminalreporter.write_line(f"not run, because this machine does not have the Python version: {name}")
    if not CHROMIUM:
        terminalreporter.write_line("not run, because Chromium is not installed: whether the pages of the site fit")


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """A copy outside the checkout, at ansible_collections/huaweicloud/drs."""
    return copy(tmp_path / "tree")


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """Create the environment of a file in tests/requirements with a Python, and return the folder of its programs.

    It is created once, also for the tests in the other processes of pytest-xdist.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent

    def uv(*command: str | Path) -> None:
        run("uv", "-q", *command, path=ROOT / ".venv/uv/bin", UV_SYSTEM_CERTS="true", UV_PYTHON_DOWNLOADS="never")

    def make(name: str, python: Path) -> Path:
        place = folder / f"{name}-{python.name}"
        ready = place / ".ready"
        with place.with_name(f"{place.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not ready.exists():
                uv("venv", "--clear", "--python", python, place)
                uv("pip", "sync", "--require-hashes", "--python", place, f"tests/requirements/{name}.txt")
                ready.touch()
        return place / "bin"

    return make
