# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make simulator: what it prints works in another shell, and Ctrl-C ends it."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from ansible_collections.huaweicloud.drs.tests.conformance.runs import PATH

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = "tests/demo/by_hand.py"


def test_target() -> None:
    command = ["make", "--dry-run", "--old-file=.venv/demo/.ready", "simulator"]
    assert SCRIPT in subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout


@pytest.mark.slow
def test_position(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, SCRIPT], cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8") as process:
        try:
            output = process.stdout
            assert output
            lines = []
            while not lines or not lines[-1].startswith("ansible-playbook "):
                lines.append(output.readline())
                assert lines[-1], f"It ended: {lines}"
            shell = subprocess.run(
                ["sh", "-eu", "-c", "".join(line for line in lines[1:])],
                env={"HOME": str(tmp_path), "LANG": "C.UTF-8", "PATH": PATH},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                check=False,
            )
            assert shell.returncode == 0, shell.stdout
            assert '"position": "mysql-bin.000277:805"' in shell.stdout
            assert "can be reset." in shell.stdout
            process.send_signal(signal.SIGINT)
            assert "has ended" in output.read()
        finally:
            process.terminate()
    assert process.returncode == 0
    (port,) = re.findall(r"http://127\.0\.0\.1:(\d+)\.", lines[0])
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", int(port))) != 0
    (folder,) = (line.partition("=")[2].strip() for line in lines if "ANSIBLE_COLLECTIONS_PATH" in line)
    assert not os.path.exists(folder)
