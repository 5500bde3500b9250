# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands in README that install the collection, run in an empty home."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from tools.checkout import BIN, ROOT, repository

INSTALL = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Install\n")[2].partition("\n## ")[0]
COMMANDS = re.findall(r"^\$ (.*)$", INSTALL, re.MULTILINE)
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text(encoding="utf-8"))
NAME = f"{GALAXY['namespace']}.{GALAXY['name']}"
FROM_GALAXY = f"ansible-galaxy collection install {NAME}"
REQUIREMENTS = "python3 -m pip install requests"
# What needs no server.
LOCAL = [command for command in COMMANDS if command not in (FROM_GALAXY, REQUIREMENTS)]


def test_commands() -> None:
    assert COMMANDS == [FROM_GALAXY, *LOCAL, REQUIREMENTS]
    assert [GALAXY["repository"] in command for command in LOCAL] == [True, False]


@pytest.mark.parametrize("command", LOCAL)
def test_install(tmp_path: Path, command: str) -> None:
    place = repository(tmp_path / "repository")
    home = tmp_path / "home"
    home.mkdir()
    environment = {"HOME": str(home), "LANG": "C.UTF-8", "PATH": f"{BIN}{os.pathsep}{os.defpath}"}
    for line in (command.replace(GALAXY["repository"], f"file://{place}"), f"ansible-galaxy collection list {NAME}"):
        done = subprocess.run(
            line,
            shell=True,
            cwd=place,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        assert done.returncode == 0, done.stdout
    assert re.search(rf"^{NAME} +{re.escape(GALAXY['version'])}", done.stdout, re.MULTILINE)
    assert (home / ".ansible/collections/ansible_collections/huaweicloud/drs/plugins/modules").is_dir()
