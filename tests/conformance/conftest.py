# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from simulator.fixtures import running, sim

from ansible_collections.huaweicloud.drs.tests.conformance.runs import Webhook
from ansible_collections.huaweicloud.drs.tests.unit.conftest import (
    _clean_environment,
    _fresh_process,
    authority,
    ca_cert,
    clock,
    refusing_url,
    serve,
    tls,
)

__all__ = [
    "_clean_environment",
    "_fresh_process",
    "authority",
    "ca_cert",
    "clock",
    "refusing_url",
    "running",
    "serve",
    "sim",
    "tls",
]


@pytest.fixture
def webhook() -> Iterator[Webhook]:
    started = Webhook()
    thread = threading.Thread(target=started.server.serve_forever)
    thread.start()
    yield started
    started.server.shutdown()
    thread.join()
    started.server.server_close()
