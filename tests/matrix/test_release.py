# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""make release, with a new version, in a repository of its own. Only the tests of the checkout are left out."""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path

from tools.checkout import repository

SUMMARY = """---
# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

release_summary: The second release.
"""


def test_release(tmp_path: Path) -> None:
    place = repository(tmp_path)

    def git(*command: str) -> str:
        done = subprocess.run(["git", *command], cwd=place, stdout=subprocess.PIPE, encoding="utf-8", check=True)
        return done.stdout.strip()

    fragment = place / "changelogs/fragments/1.2.0.yml"
    fragment.parent.mkdir(exist_ok=True)
    fragment.write_text(SUMMARY, encoding="utf-8")
    git("add", "--all")
    git("commit", "--quiet", "--message", "Summarize the release")
    # The environment that runs this test.
    (place / ".venv").mkdir()
    (place / ".venv/test").symlink_to(sys.prefix)
    done = subprocess.run(
        [
            "make",
            "--no-print-directory",
            "--old-file=.venv/test/.ready",
            "release",
            "VERSION=1.2.0",
            "TEST=grep -q 1.2.0 galaxy.yml",
        ],
        cwd=place,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert " passed, 0 failed" in done.stdout
    assert done.stdout.splitlines()[-1] == (
        "git push --atomic origin main 1.2.0 && ansible-galaxy collection publish huaweicloud-drs-1.2.0.tar.gz"
    )
    assert git("status", "--porcelain") == ""
    assert git("log", "-1", "--format=%s %D") == "Release 1.2.0 HEAD -> main, tag: 1.2.0"
    # An annotated tag is an object of its own.
    assert git("cat-file", "-t", "1.2.0") == "tag"
    assert not fragment.exists()
    assert "v1.2.0\n======\n" in (place / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert 'VERSION = "1.2.0"' in (place / "plugins/module_utils/_options.py").read_text(encoding="utf-8")
    with tarfile.open(place / "huaweicloud-drs-1.2.0.tar.gz") as tarball:
        changelog = tarball.extractfile("CHANGELOG.rst")
        assert changelog
        assert "The second release." in changelog.read().decode()
