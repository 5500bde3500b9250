# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of this checkout, and commands that check them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent

# Messages of tools that skip something and still exit with 0.
SKIPPED = re.compile(
    r"All targets skipped|^WARNING: (?:Excluding|Skipping) .*|.*because it could not be found", re.MULTILINE
)


def files() -> list[Path]:
    """Return every file that git does not ignore, as a path below ROOT."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, encoding="utf-8").stdout
    return sorted({Path(name) for name in names.split("\0") if name and (ROOT / name).is_file()})


def copy(folder: Path) -> Path:
    """Copy the files to ansible_collections/huaweicloud/drs in a folder, and return that path."""
    place = folder / "ansible_collections" / "huaweicloud" / "drs"
    for name in files():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, place / name)
    return place


def repository(folder: Path) -> Path:
    """Commit a copy of the files to the branch main of a new repository in an empty folder, and return its path."""
    place = copy(folder)
    for command in (
        ["init", "--quiet", "--initial-branch=main"],
        ["config", "user.name", "huaweicloud.drs contributors"],
        ["config", "user.email", "contributors@example.com"],
        ["config", "commit.gpgsign", "false"],
        ["add", "--all"],
        ["commit", "--quiet", "--message=Copy the files"],
    ):
        subprocess.run(["git", *command], cwd=place, check=True)
    return place


def run(*command: str | Path, cwd: Path = ROOT, path: Path = BIN, **variables: str) -> str:
    """Run a program of an environment and return its output. Fail if the program fails or skips something."""
    done = subprocess.run(
        [path / command[0], *command[1:]],
        cwd=cwd,
        # Without the shims of pyenv, which ansible-test would use as interpreters.
        env={**os.environ, "PATH": os.pathsep.join([str(path), "/usr/local/bin", "/usr/bin", "/bin"]), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert not SKIPPED.search(done.stdout), done.stdout
    return done.stdout


def sanity(collection: Path, python: str, *options: str, path: Path = BIN) -> None:
    """Run the ansible-test sanity of an environment."""
    run("python", ROOT / "tests/tools/prime_get_pip.py", path=path)
    run(
        "ansible-test",
        "sanity",
        "--venv",
        "--requirements",
        "--color",
        "no",
        "--python",
        python,
        *options,
        cwd=collection,
        path=path,
    )
