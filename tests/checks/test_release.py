# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make release refuses what cannot be released, and leaves the checkout as it was. tests/matrix makes a release."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from tools.checkout import repository
from tools.release import SEMVER

FRAGMENT = "changelogs/fragments/1.2.0.yml"
SUMMARIZE = f"mkdir -p changelogs/fragments && echo 'release_summary: The second release.' > {FRAGMENT}"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return repository(tmp_path_factory.mktemp("release"))


def git(place: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=place, stdout=subprocess.PIPE, encoding="utf-8", check=True
    ).stdout.strip()


def state(place: Path) -> tuple[str, ...]:
    return tuple(git(place, *command.split()) for command in ("status --porcelain", "log --format=%H", "tag", "diff"))


@pytest.mark.parametrize(
    ("version", "valid"),
    [
        *((version, True) for version in ("0.0.0", "1.2.3", "10.20.30", "1.2.3-rc.1", "1.2.3-0a.b-c")),
        *((version, False) for version in ("", "1.2", "1.2.3.4", "v1.2.3", "01.2.3", "1.2.3-01", "1.2.3-", "1.2.3\n")),
    ],
)
def test_semver(version: str, valid: bool) -> None:
    assert bool(re.fullmatch(SEMVER, version)) is valid


@pytest.mark.parametrize(
    ("before", "version", "test", "said"),
    [
        ([], "1.2", "true", "VERSION must be a semantic version"),
        ([], "", "true", "VERSION must be a semantic version"),
        (["git switch --quiet --create other"], "1.2.0", "true", "from the branch main. This is other"),
        (["git switch --quiet --detach"], "1.2.0", "true", "This is a detached HEAD"),
        (["touch new.py"], "1.2.0", "true", "The working tree must be clean. Commit or remove:\n?? new.py"),
        (["git tag 1.2.0"], "1.2.0", "true", "The tag 1.2.0 exists"),
        ([], "1.2.0", "true", "Write changelogs/fragments/1.2.0.yml with a release_summary"),
        (
            [SUMMARIZE, "git add --all", "git commit --quiet --message Summary"],
            "1.2.0",
            "false",
            "The release was not made: Command '['false']' returned non-zero exit status 1",
        ),
    ],
    ids=["version", "no version", "branch", "detached", "dirty", "tagged", "no summary", "tests fail"],
)
def test_refused(place: Path, before: list[str], version: str, test: str, said: str) -> None:
    start = git(place, "rev-parse", "main")
    for command in before:
        subprocess.run(["sh", "-c", command], cwd=place, check=True)
    found = state(place)
    done = subprocess.run(
        [sys.executable, "tests/tools/release.py", version, "--test", test],
        cwd=place,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 1
    assert said in done.stderr
    assert state(place) == found
    for restore in (
        ["switch", "--quiet", "--force", "main"],
        ["reset", "--quiet", "--hard", start],
        ["clean", "--quiet", "-df"],
    ):
        git(place, *restore)
    if "git tag" in "".join(before):
        git(place, "tag", "--delete", version)
