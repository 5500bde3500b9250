# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import socket
import time

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._timeout import call_with_timeout
from ansible_collections.huaweicloud.drs.tests.unit import loopback


class TestCallWithTimeout:
    def test_time_is_bounded(self, serve):
        server = serve(loopback.silence)
        started = time.monotonic()
        with socket.create_connection(server.address) as connection, pytest.raises(TimeoutError, match="0.1 seconds"):
            call_with_timeout(0.1, lambda: connection.recv(1))
        assert time.monotonic() - started < 10  # seconds, on a slow machine

    def test_timeout_error_of_the_function_is_raised(self):
        def function():
            raise TimeoutError("mine")

        with pytest.raises(TimeoutError, match="mine"):
            call_with_timeout(10, function)
