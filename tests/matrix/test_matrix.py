# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every supported ansible-core with every supported Python on this machine, and tests with their own environment."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from matrix.conftest import Environment
from matrix.pairs import OLDEST, PAIRS, PYTHONS, SOURCE, TARGETS
from tools.checkout import ROOT, run, sanity
from tools.docs import CHROMIUM

# What imports ansible-core. The rest of module_utils does not, see test_layers.py: one run per Python is enough for it.
UNITS_OF_ANSIBLE = [
    *(f"tests/unit/plugins/{folder}" for folder in ("filter", "inventory", "modules")),
    *(f"tests/unit/plugins/module_utils/test__{name}.py" for name in ("module", "options")),
]
# Tests of ansible-test that judge the style of files and need no ansible-core: the newest linters are enough. pylint
# takes more time than all other tests together.
STYLE = ("pep8", "pylint", "yamllint")


def units(path: Path, *tests: str, **variables: str) -> None:
    run("pytest", "-q", *(tests or ["tests/unit"]), path=path, **variables)


def playbooks(path: Path, *options: str | Path) -> None:
    """Run some tasks of each playbook with the ansible-playbook of an environment."""
    run("pytest", "-q", "--smoke", "--ansible", path, *options, "tests/integration")


def newest_python(core: str) -> str:
    return [python for number, python in PAIRS if number == core][-1]


def newest_core(python: str) -> str:
    return [core for core, number in PAIRS if number == python][-1]


# The longest tests come first, and the shortest last, so that no process waits long for the others at the end.


@pytest.mark.parametrize("core", sorted({core for core, _python in PAIRS}, reverse=True))
def test_sanity(environment: Environment, collection: Path, core: str) -> None:
    python = newest_python(core)
    skipped = () if core == PAIRS[-1][0] else STYLE
    options = (f"--skip-test={name}" for name in skipped)
    sanity(collection, python, *options, path=environment(f"core-{core}", PYTHONS[python]))


@pytest.mark.parametrize("python", [python for python in TARGETS if python in PYTHONS])
def test_target(environment: Environment, tmp_path: Path, python: str) -> None:
    """Modules run on a Python version for managed nodes only, with ansible.module_utils of the controller."""
    path = environment("target", PYTHONS[python])
    controller = environment(f"core-{TARGETS[python]}", PYTHONS[newest_python(TARGETS[python])])
    (ansible,) = controller.parent.glob("lib/*/site-packages/ansible")
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "ansible").symlink_to(ansible)
    units(path, "tests/unit/plugins/module_utils", "tests/unit/plugins/modules", PYTHONPATH=str(tmp_path / "lib"))
    playbooks(controller, "--interpreter", path / "python")


@pytest.mark.parametrize("python", [python for python in OLDEST if python in PYTHONS][:1])
def test_oldest(environment: Environment, python: str) -> None:
    """The oldest ansible-core, requests and urllib3 that meta/ allows, from tests/requirements/oldest.in."""
    path = environment("oldest", PYTHONS[python])
    units(path)
    # Before ansible-core 2.16.1, Ansible also evaluates conditions that are marked as unsafe (CVE-2023-5764).
    playbooks(path, "-k", "not tag_as_a_condition")


def test_source(environment: Environment) -> None:
    """The tests with MariaDB, and with ansible.mysql and community.mysql as far as a Python for both is there."""
    python = next((PYTHONS[version] for version in SOURCE if version in PYTHONS), Path(sys.executable))
    run("pytest", "-q", "tests/source", path=environment("source", python))


def test_slow() -> None:
    """The tests that make test leaves out, other than the sanity tests, which are above."""
    run("pytest", "-q", "--slow", "tests/integration", "tests/conformance")


def test_awx(environment: Environment) -> None:
    """The tests with awx.awx. test_awx_jobs runs the jobs."""
    run(
        "pytest",
        "-q",
        "tests/awx",
        "--ignore=tests/awx/test_workflow.py",
        path=environment("awx", Path(sys.executable)),
    )


def test_galaxy_importer(environment: Environment, collection: Path) -> None:
    """Galaxy imports the collection without a warning, and ansible-builder finds its Python requirements."""
    path = environment("importer", Path(sys.executable))
    run("ansible-galaxy", "collection", "build", "--output-path", "..", cwd=collection, path=path)
    (tarball,) = collection.parent.glob("*.tar.gz")
    output = run("python", "-m", "galaxy_importer.main", tarball.name, cwd=tarball.parent, path=path)
    assert re.findall(r"^(?:ERROR|WARNING).*", output, re.MULTILINE) == []
    installed = str(tarball.parent / "installed")
    run("ansible-galaxy", "collection", "install", "--offline", "--force", "-p", installed, tarball, path=path)
    assert "requests>=" in run("ansible-builder", "introspect", installed, path=path)


def test_docs_site(environment: Environment, tmp_path: Path) -> None:
    """The documentation site is built without a warning, and its pages fit into a window if Chromium is installed."""
    output = run(
        "python",
        "-m",
        "tools.docs",
        tmp_path / "site",
        cwd=ROOT / "tests",
        path=environment("docs", Path(sys.executable)),
    )
    assert not CHROMIUM or "\n0 elements are wider" in output


@pytest.mark.parametrize(("core", "python"), PAIRS)
def test_units(environment: Environment, core: str, python: str) -> None:
    units(environment(f"core-{core}", PYTHONS[python]), *([] if core == newest_core(python) else UNITS_OF_ANSIBLE))


@pytest.mark.parametrize(("core", "python"), PAIRS)
def test_playbooks(environment: Environment, core: str, python: str) -> None:
    path = environment(f"core-{core}", PYTHONS[python])
    # ansible-core itself declares the Python versions that it supports.
    output = run(
        "python",
        "-c",
        "import importlib.metadata as m; print(*m.metadata('ansible-core').get_all('Classifier'), sep='\\n')",
        path=path,
    )
    assert f"Programming Language :: Python :: {python}\n" in output
    assert f"[core {core}." in run("ansible", "--version", path=path)
    playbooks(path)


@pytest.mark.parametrize("core", sorted({core for core, _python in PAIRS}))
def test_awx_jobs(environment: Environment, core: str) -> None:
    """The jobs of the AWX workflow, with every ansible-core that an image for AWX or Automation Platform can have."""
    run(
        "pytest",
        "-q",
        "--ansible",
        environment(f"core-{core}", PYTHONS[newest_python(core)]),
        "tests/awx/test_workflow.py",
    )
