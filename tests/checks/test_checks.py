# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Format, lint, types and documentation: checks by other programs, and a few of our own."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
import yaml
from matrix.pairs import CORES
from tools.checkout import ROOT, files, run, sanity


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sanity(collection: Path) -> None:
    """Of the plugins. make matrix does it for all files, which takes twice as long, because pylint reads the tests."""
    sanity(collection, f"{sys.version_info.major}.{sys.version_info.minor}", "plugins/")


def test_ansible_lint(collection: Path) -> None:
    """Uses the production profile from .ansible-lint."""
    run("ansible-lint", "--offline", "--strict", cwd=collection, ANSIBLE_COLLECTIONS_PATH=str(collection.parents[2]))


def test_docs(collection: Path) -> None:
    run(
        "antsibull-docs",
        "lint-collection-docs",
        "--plugin-docs",
        "--validate-collection-refs=self",
        ".",
        cwd=collection,
    )


def test_types() -> None:
    tree = os.environ["ANSIBLE_COLLECTIONS_PATH"]
    package = "ansible_collections.huaweicloud.drs.plugins"
    run(
        "mypy",
        "--namespace-packages",
        "--explicit-package-bases",
        "--package",
        package,
        "--cache-dir",
        f"{tree}/mypy",
        MYPYPATH=tree,
    )


@pytest.mark.parametrize(
    "command",
    [
        "ruff format --check",
        "ruff check",
        "yamllint --strict " + " ".join(str(name) for name in files() if name.suffix in (".yml", ".yaml")),
        "antsibull-changelog lint",
        # plugins/ runs where modules run: its syntax and imports are those of Python 3.8.
        "vermin --quiet --no-tips --target=3.8- --violations plugins",
        "check-jsonschema --builtin-schema vendor.github-workflows "
        + " ".join(map(str, (ROOT / ".github/workflows").glob("*.yml"))),
        "check-jsonschema --builtin-schema vendor.github-issue-config .github/ISSUE_TEMPLATE/config.yml",
        "check-jsonschema --builtin-schema vendor.github-issue-forms "
        + " ".join(map(str, (ROOT / ".github/ISSUE_TEMPLATE").glob("*_*.yml"))),
    ],
    ids=lambda command: "-".join(command.split()[: 3 if "vendor" in command else 2]),
)
def test_check(command: str) -> None:
    run(*command.split())


def texts() -> dict[Path, str]:
    """Return the files written by hand: all but the licences, the generated changelog and plots, and the lock files."""
    names = [
        name
        for name in files()
        if name.name not in ("LICENSE", "CHANGELOG.rst", "changelog.yaml")
        and name.parts[0] != "LICENSES"
        and name.suffix != ".svg"
    ]
    return {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in names
        if not (name.parent.name == "requirements" and name.suffix == ".txt")
    }


def test_licence_in_every_file() -> None:
    wanted = ("Copyright (c) huaweicloud.drs contributors", "SPDX-License-Identifier: GPL-3.0-or-later")
    assert [str(name) for name, text in texts().items() if not all(line in text[:600] for line in wanted)] == []


def test_white_space() -> None:
    assert [str(name) for name, text in texts().items() if re.search(r"[ \t]$", text, re.MULTILINE)] == []
    assert [str(name) for name, text in texts().items() if "\t" in text and name.name != "Makefile"] == []


def test_newest_ansible_core_is_in_the_matrix() -> None:
    locked = (ROOT / "tests/requirements/test.txt").read_text(encoding="utf-8")
    assert max(re.findall(r"^ansible-core==(2\.\d+)\.", locked, re.MULTILINE)) == max(CORES)


def test_release_notes_name_every_module() -> None:
    notes = (ROOT / "CHANGELOG.rst").read_text(encoding="utf-8")
    assert [
        path.stem for path in ROOT.glob("plugins/modules/*.py") if f"- huaweicloud.drs.{path.stem} - " not in notes
    ] == []


def test_readme_shows_the_matrix() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (2\.\d+) \| ([\d., ]+) \|", readme, re.MULTILINE)
    assert {core: tuple(pythons.split(", ")) for core, pythons in rows} == CORES


def test_bug_reports_contain_what_is_needed() -> None:
    form = yaml.safe_load((ROOT / ".github/ISSUE_TEMPLATE/bug_report.yml").read_text(encoding="utf-8"))
    first, *fields = form["body"]
    assert "**Remove secrets**" in first["attributes"]["value"]
    required = [item["id"] for item in fields if item.get("validations", {}).get("required")]
    assert {"versions", "request"} <= set(required)
    (confirmed,) = (item["attributes"]["options"] for item in fields if item["type"] == "checkboxes")
    assert [option["required"] for option in confirmed] == [True]


def test_actions_of_workflows_are_pinned_by_commit() -> None:
    """A tag can be moved to other code."""
    used = [
        line.strip()
        for path in sorted((ROOT / ".github/workflows").glob("*.yml"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if "uses:" in line
    ]
    assert used
    assert [line for line in used if not re.search(r"uses: [\w-]+/[\w-]+@[0-9a-f]{40}  # v[0-9.]+$", line)] == []
