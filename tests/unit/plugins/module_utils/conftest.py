# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket

import pytest

from ansible_collections.huaweicloud.drs.tests.unit.loopback import Server


@pytest.fixture
def serve():
    """Start servers that are stopped after the test."""
    servers = []

    def start(*scripts, **kwargs):
        servers.append(Server(*scripts, **kwargs))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture
def refusing_url():
    """An address where no one listens, and no one can begin to while the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"
