# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes pytest work in a checkout of any name, and ends a run with the number of passed and failed tests."""

from __future__ import annotations

import atexit
import os
import pathlib
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]

# Python and Ansible find the collection by its name.
_TREE = tempfile.TemporaryDirectory(prefix="drs-tree-")
atexit.register(_TREE.cleanup)
_NAMESPACE = pathlib.Path(_TREE.name, "ansible_collections", "huaweicloud")
_NAMESPACE.mkdir(parents=True)
(_NAMESPACE / "drs").symlink_to(ROOT)
sys.path.insert(0, _TREE.name)
os.environ["ANSIBLE_COLLECTIONS_PATH"] = _TREE.name
# The programs of this environment, even if it is not activated.
BIN = pathlib.Path(sys.executable).parent
os.environ["PATH"] = os.pathsep.join([str(BIN), os.environ["PATH"]])


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("tests/integration")
    group.addoption("--smoke", action="store_true", help="run only a few tasks of each playbook")
    group.addoption("--slow", action="store_true", help="run the slow tests, and no others")
    group.addoption("--ansible", type=pathlib.Path, default=BIN, help="folder of the ansible-playbook to use")
    group.addoption("--interpreter", type=pathlib.Path, help="Python that runs the modules; default: that of Ansible")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow: runs with --slow, as in make matrix, or if tests are selected by name")


def _leaves_out_slow(config: pytest.Config) -> bool:
    return not (config.getoption("--slow") or config.getoption("keyword") or "::" in " ".join(config.args))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--slow") or _leaves_out_slow(config):
        items[:] = [item for item in items if bool(item.get_closest_marker("slow")) == config.getoption("--slow")]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if _leaves_out_slow(config) and {"tests/checks", "tests/integration"}.intersection(config.args):
        terminalreporter.write_line("not run, because they take long: the tests marked as slow; make matrix runs them")


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Let a run with skipped tests fail: a skipped test proves nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter and not hasattr(config, "workerinput") and reporter.stats:
        failed = sum(
            len(reporter.stats.get(outcome, ())) for outcome in ("failed", "error", "skipped", "xfailed", "xpassed")
        )
        print(f"{len(reporter.stats.get('passed', ()))} passed, {failed} failed")
