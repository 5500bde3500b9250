# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Makes a Python process believe that it runs on an ECS host: its metadata service is the simulator.

The address of the metadata service is fixed, and no proxy is used for it. Python imports this file at its start if the
folder is in PYTHONPATH.
"""

from __future__ import annotations

import os
import socket
from typing import Any

_connect = socket.socket.connect


def connect(self: socket.socket, address: Any) -> None:
    if address[0] == "169.254.169.254":
        address = ("127.0.0.1", int(os.environ["SIMULATED_METADATA_PORT"]))
    _connect(self, address)


socket.socket.connect = connect  # type: ignore[method-assign]
