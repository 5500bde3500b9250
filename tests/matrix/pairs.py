# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The pairs of ansible-core and Python to test, as far as this machine has the Python versions."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

# The support matrix of ansible-core: controllers ...
CORES = {
    "2.16": ("3.10", "3.11", "3.12"),
    "2.17": ("3.10", "3.11", "3.12"),
    "2.18": ("3.11", "3.12", "3.13"),
    "2.19": ("3.11", "3.12", "3.13"),
    "2.20": ("3.12", "3.13", "3.14"),
    "2.21": ("3.12", "3.13", "3.14"),
}
# ... and Python versions for managed nodes only, with the newest ansible-core that supports them.
TARGETS = {"3.8": "2.19", "3.9": "2.21"}
# Python versions on which urllib3 1.26.0 runs.
OLDEST = ("3.10", "3.11")
# Python versions on which the locked package ansible contains ansible.mysql as well as community.mysql.
SOURCE = ("3.12", "3.13")


def _find(version: str) -> Path | None:
    """Return the interpreter of a version: this one, one on PATH, or one from pyenv.

    The shims of pyenv are scripts and may name a version that is not installed.
    """
    if version == f"{sys.version_info.major}.{sys.version_info.minor}":
        return Path(sys.executable)
    path = [folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.endswith("/shims")]
    pyenv = Path("~/.pyenv/versions").expanduser().glob(f"{version}.*/bin")
    found = shutil.which(f"python{version}", path=os.pathsep.join([*path, *map(str, pyenv)]))
    return Path(found) if found else None


_FOUND = {version: _find(version) for version in sorted({*TARGETS, *sum(CORES.values(), ())})}
PYTHONS = {version: path for version, path in _FOUND.items() if path}
PAIRS = [(core, python) for core, pythons in CORES.items() for python in pythons if python in PYTHONS]
# The tests that cannot run without a further Python version.
MISSING = [
    *(
        f"ansible-core {core} on Python {python}"
        for core, pythons in CORES.items()
        for python in pythons
        if python not in PYTHONS
    ),
    *(f"modules on Python {python}" for python in TARGETS if python not in PYTHONS),
    *(["the oldest versions, on Python 3.10 or 3.11"] if not {*OLDEST} & {*PYTHONS} else []),
    *(["ansible.mysql, on Python 3.12 or 3.13"] if not {*SOURCE} & {*PYTHONS} else []),
]
