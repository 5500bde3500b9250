# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from pathlib import Path

import pytest
from tools import checkout


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    terminalreporter.write_line(
        "not run, because this environment does not have the collections: the tests with AWX's modules, and the"
        " verification of the source with MariaDB; make matrix runs them"
    )


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy outside the checkout, at ansible_collections/huaweicloud/drs.

    ansible-test accepts neither a symbolic link nor a folder that git ignores.
    """
    return checkout.copy(tmp_path_factory.mktemp("tree"))
