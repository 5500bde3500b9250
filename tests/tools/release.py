# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Prepares a release: make release VERSION=1.2.3.

Everything but publishing: it writes version and changelog, runs the tests, builds the tarball, runs the documented
examples with what the tarball installs, commits and tags. If a step fails, the checkout is as it was before.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from tools.checkout import BIN, copy  # noqa: E402

# From https://semver.org, without build metadata, which Galaxy ignores.
NUMBER = r"(?:0|[1-9]\d*)"
PART = rf"(?:{NUMBER}|\d*[A-Za-z-][\dA-Za-z-]*)"
SEMVER = rf"{NUMBER}\.{NUMBER}\.{NUMBER}(?:-{PART}(?:\.{PART})*)?"
# Where the version is written.
VERSIONS = {
    "galaxy.yml": r"(?m)(?<=^version: ).*$",
    "plugins/module_utils/_options.py": r'(?m)(?<=^VERSION = ")[^"]*',
}


def run(*command: str | Path, cwd: Path = ROOT, env: dict[str, str] | None = None) -> None:
    """Show a command, and run it. It must succeed."""
    print(f"$ {shlex.join(map(str, command))}", flush=True)
    subprocess.run([*map(str, command)], cwd=cwd, env=env, check=True)


def git(*arguments: str) -> str:
    """Return the output of git. It must succeed."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, encoding="utf-8", check=True).stdout.strip()


def check(version: str) -> None:
    """Refuse a version or a checkout that cannot be released."""
    if not re.fullmatch(SEMVER, version):
        sys.exit(f"VERSION must be a semantic version, such as 1.2.3 or 1.2.3-rc.1. It is {version!r}.")
    branch = git("branch", "--show-current")
    if branch != "main":
        sys.exit(f"Releases are made from the branch main. This is {branch or 'a detached HEAD'}.")
    changed = git("status", "--porcelain")
    if changed:
        sys.exit(f"The working tree must be clean. Commit or remove:\n{changed}")
    if git("tag", "--list", version):
        sys.exit(f"The tag {version} exists. Versions that were released are not changed: choose the next one.")


def write_version(version: str) -> None:
    for name, pattern in VERSIONS.items():
        path = ROOT / name
        text, count = re.subn(pattern, version, path.read_text(encoding="utf-8"))
        if count != 1:
            sys.exit(f"{name} does not contain the version once.")
        path.write_text(text, encoding="utf-8")


def write_changelog(version: str, folder: Path) -> None:
    """Turn the fragments into a section of the changelog.

    :param folder: an empty one. antsibull-changelog finds plugins only in a folder with the name of the collection.
    """
    place = copy(folder)
    run(BIN / "antsibull-changelog", "release", "--version", version, "--update-existing", cwd=place)
    for name in ("CHANGELOG.rst", "changelogs/changelog.yaml"):
        shutil.copy2(place / name, ROOT / name)
    for path in (ROOT / "changelogs" / "fragments").glob("*"):
        if not (place / path.relative_to(ROOT)).exists():
            path.unlink()
    changes = yaml.safe_load((ROOT / "changelogs/changelog.yaml").read_text(encoding="utf-8"))["releases"][version]
    if "release_summary" not in changes.get("changes", {}):
        sys.exit(f"Write changelogs/fragments/{version}.yml with a release_summary, and commit it.")


def build(version: str, folder: Path) -> Path:
    """Build the tarball from the files that git knows, and return its path.

    :param folder: an empty one.
    """
    run(BIN / "ansible-galaxy", "collection", "build", "--force", "--output-path", ROOT, cwd=copy(folder))
    return (
        ROOT / f"huaweicloud-drs-{yaml.safe_load((ROOT / 'galaxy.yml').read_text(encoding='utf-8'))['version']}.tar.gz"
    )


def verify(tarball: Path, home: Path) -> None:
    """Install the tarball, and run the documented examples with it.

    :param home: an empty folder, the only one that Ansible can use.
    """
    environment = {"HOME": str(home), "LANG": "C.UTF-8", "PATH": f"{BIN}{os.pathsep}{os.defpath}"}
    run(BIN / "ansible-galaxy", "collection", "install", "--offline", tarball, cwd=home, env=environment)
    installed = home / ".ansible/collections/ansible_collections/huaweicloud/drs"
    run(BIN / "pytest", "-q", "tests/conformance/test_examples.py", cwd=installed, env=environment)


def main() -> None:
    parser = argparse.ArgumentParser(prog="make release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("--test", required=True, help="the command that runs the tests")
    arguments = parser.parse_args()
    version: str = arguments.version
    check(version)
    try:
        with tempfile.TemporaryDirectory(prefix="drs-release-") as folder:
            places = [Path(folder, name) for name in ("changelog", "build", "home")]
            write_version(version)
            write_changelog(version, places[0])
            run(*shlex.split(arguments.test))
            tarball = build(version, places[1])
            places[2].mkdir()
            verify(tarball, places[2])
    except BaseException:
        # The working tree was clean.
        git("checkout", "--quiet", "--", ".")
        raise
    if git("status", "--porcelain"):
        run("git", "commit", "--quiet", "--all", "--message", f"Release {version}")
    signed = subprocess.run(["git", "config", "user.signingkey"], cwd=ROOT, stdout=subprocess.PIPE, check=False).stdout
    run("git", "tag", "--sign" if signed else "--annotate", "--message", f"huaweicloud.drs {version}", version)
    print(
        f"\n{version} is committed, {'' if signed else 'not '}signed, and tagged. Nothing was published."
        " One step is left to a person with a token for Galaxy in ~/.ansible/galaxy_token:\n\n"
        f"git push --atomic origin main {version} && ansible-galaxy collection publish {tarball.name}"
    )


if __name__ == "__main__":
    try:
        main()
    except subprocess.CalledProcessError as error:
        sys.exit(f"The release was not made: {error}")
