# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from simulator.fixtures import running, sim

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
