# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every check there is: `make test` runs them all, `nox -s NAME` one of them, `nox -l` lists them.

The sessions not found here come from antsibull-nox.toml.
"""

from __future__ import annotations

import glob
import os
import pathlib
import re
import shutil
import sys

import antsibull_nox
import nox
from antsibull_nox.sessions import prepare_collections

nox.needs_version = ">=2026.8"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = True
# As pip does, so that a company's own authority works.
os.environ.setdefault("UV_SYSTEM_CERTS", "true")

antsibull_nox.load_antsibull_nox_toml()

# Sessions without an ansible-core find the one beside nox; ansible-test, which pyenv's shims would mislead, finds the interpreters themselves.
os.environ["PATH"] = os.pathsep.join(
    [
        str(pathlib.Path(sys.executable).parent),
        *(folder for folder in os.environ["PATH"].split(os.pathsep) if not folder.endswith("/shims")),
        *(str(folder) for folder in pathlib.Path("~/.pyenv/versions").expanduser().glob("3.8.*/bin")),
    ]
)

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
OLDEST = "ansible-core~=2.17.0" if PYTHON <= "3.12" else "ansible-core~=2.18.0" if PYTHON == "3.13" else "ansible-core~=2.20.0"
NEWEST = os.environ.get("NEWEST_ANSIBLE_CORE", "ansible-core>=2.17")

# How the tools say that something was not checked, with an exit code of 0.
NOT_RUN = re.compile(
    r"All targets skipped|^WARNING: (?:Excluding|Skipping) .*|.*because it could not be found|\d+ (?:deselected|skipped|xfailed|xpassed)\b",
    re.MULTILINE,
)


def run(session: nox.Session, *command: str, refuse: re.Pattern[str] = NOT_RUN, **kwargs: object) -> str:
    """Run a command, show what it says, and fail when that has something that must not be there. Arguments given to nox may leave tests out."""
    output = str(session.run(*command, silent=True, **kwargs) or "")
    print(output)
    if not session.posargs and (found := refuse.search(output)):
        session.error(f"{command[0]} said: {found.group()}")
    return output


def copy(session: nox.Session) -> pathlib.Path:
    """Copy the collection, the files that git does not ignore, to ansible_collections/huaweicloud/drs outside of this checkout."""
    return prepare_collections(session, install_in_site_packages=False, install_out_of_tree=True).current_path


def build(session: nox.Session) -> pathlib.Path:
    """Build the collection as a release would."""
    place = copy(session)
    with session.chdir(place):
        session.run("ansible-galaxy", "collection", "build", "--output-path", "..")
    return next(place.parent.glob("*.tar.gz"))


def ansible_test(session: nox.Session, *command: str) -> None:
    """Run ansible-test in environments of its own, without a container."""
    session.install("pip")
    session.run("python", "tests/tools/prime_get_pip.py")
    with session.chdir(copy(session)):
        run(session, "ansible-test", *command, "--venv", "--requirements", "--color", "no", *session.posargs)


@nox.session
def changelog(session: nox.Session) -> None:
    """Check the changelog and its fragments."""
    session.install("antsibull-changelog[toml]")
    session.run("antsibull-changelog", "lint")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check the GitHub workflows against their schema."""
    session.install("check-jsonschema")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *glob.glob(".github/workflows/*.yml"))


@nox.session(name="galaxy-importer")
def galaxy_importer(session: nox.Session) -> None:
    """Import the collection as Galaxy would, without a warning."""
    session.install(NEWEST, "galaxy-importer>=0.4.44")
    tarball = build(session)
    with session.chdir(tarball.parent):
        run(session, "python", "-m", "galaxy_importer.main", tarball.name, refuse=re.compile(r"^(?:ERROR|WARNING).*", re.MULTILINE))


@nox.session(name="execution-environment")
def execution_environment(session: nox.Session) -> None:
    """Check that an execution environment with the collection gets what it needs."""
    session.install(NEWEST, "ansible-builder")
    tarball = build(session)
    session.run("ansible-galaxy", "collection", "install", "--offline", "-p", str(tarball.parent / "installed"), str(tarball))
    found = run(session, "ansible-builder", "introspect", str(tarball.parent / "installed"))
    if "requests>=" not in found:
        session.error("ansible-builder did not find the requirement: requests")


def add_ansible_test_session(command: str, age: str, core: str) -> None:
    @nox.session(name=f"{command}-{age}")
    def check(session: nox.Session) -> None:
        session.install(core)
        ansible_test(session, command, "--python", PYTHON)

    check.__doc__ = f"Run ansible-test {command} with {core}."


for kind in ("sanity", "integration"):
    add_ansible_test_session(kind, "oldest", OLDEST)
    add_ansible_test_session(kind, "newest", NEWEST)
add_ansible_test_session("units", "newest", NEWEST)


@nox.session
def coverage(session: nox.Session) -> None:
    """Run the unit tests with the oldest ansible-core, and measure the branches of plugins/ that they take."""
    session.install(OLDEST, "pytest", "pytest-cov", "-r", "tests/unit/requirements.txt")
    place = copy(session)
    with session.chdir(place):
        run(session, "pytest", "--cov=plugins", "tests/unit", *session.posargs, env={"PYTHONPATH": str(place.parents[2])})


@nox.session
def conformance(session: nox.Session) -> None:
    """Check the simulator, and the collection against it, with programs by others."""
    session.install(NEWEST, "pytest", "-r", "tests/conformance/requirements.txt")
    place = copy(session)
    with session.chdir(place):
        run(session, "pytest", "tests/conformance", *session.posargs, env={"PYTHONPATH": f"{place.parents[2]}:tests"})


@nox.session
def awx(session: nox.Session) -> None:
    """Check the files for AWX against its rules, set it up in a stand-in, and run the workflow as it would."""
    session.install("-r", "tests/awx/requirements.txt")
    with session.chdir(copy(session)):
        run(session, "pytest", "tests/awx", *session.posargs, env={"PYTHONPATH": "tests"})


@nox.session
def source(session: nox.Session) -> None:
    """Run the runbook with a source that it can look at, a server that speaks MySQL's protocol."""
    session.install("-r", "tests/source/requirements.txt")
    with session.chdir(copy(session)):
        run(session, "pytest", "tests/source", *session.posargs)


@nox.session(name="python-3.8")
def python38(session: nox.Session) -> None:
    """Check that plugins/ runs on Python 3.8, by its syntax and imports, and by the unit tests where there is a Python 3.8."""
    session.install("ansible-core>=2.17,<2.20", "vermin")
    session.run("vermin", "--no-tips", "--target=3.8-", "--violations", "plugins")
    if shutil.which("python3.8"):
        ansible_test(session, "units", "--python", "3.8")
    else:
        session.warn("There is no python3.8 on this machine: the unit tests were not run on it.")
