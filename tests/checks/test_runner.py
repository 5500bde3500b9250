# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a run of the tests ends: tests/conftest.py."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tools.checkout import ROOT


@pytest.mark.parametrize(
    ("body", "code", "counted"),
    [
        ("pass", 0, "1 passed, 0 failed"),
        ("assert False", 1, "0 passed, 1 failed"),
        ("pytest.skip()", 1, "0 passed, 1 failed"),
    ],
)
def test_last_line(tmp_path: Path, body: str, code: int, counted: str) -> None:
    """A skipped test has failed. Where results come from does not matter."""
    (tmp_path / "conftest.py").symlink_to(ROOT / "tests/conftest.py")
    (tmp_path / "test_one.py").write_text(f"import pytest\n\n\ndef test_one():\n    {body}\n", encoding="utf-8")
    # The other plugins take most of the time of such a run.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    for more in ([], ["-p", "xdist.plugin", "-n", "1"]):
        command = [sys.executable, "-m", "pytest", *more]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, encoding="utf-8", check=False
        )
        assert (done.returncode, done.stdout.splitlines()[-1]) == (code, counted)
