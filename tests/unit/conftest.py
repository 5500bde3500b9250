# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import os
import tempfile
import time

import hypothesis
import hypothesis.configuration
import pytest
import responses
from ansible.module_utils import basic
from ansible.module_utils.common import warnings

from ansible_collections.huaweicloud.drs.plugins.module_utils import _drs, _http

# Hypothesis writes files as soon as tests are collected.
_STORAGE = tempfile.TemporaryDirectory()
hypothesis.configuration.set_hypothesis_home_dir(_STORAGE.name)
hypothesis.settings.register_profile("units", database=None, deadline=None, derandomize=True)
hypothesis.settings.load_profile("units")


class Clock:
    """Stands in for the module time. A pause takes no time, but afterwards the clock shows it."""

    def __init__(self):
        self.pauses = []

    def sleep(self, seconds):
        self.pauses.append(seconds)

    def monotonic(self):
        return time.monotonic() + sum(self.pauses)


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    for module in (_http, _drs):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith("HW_") or name.lower().endswith("_proxy") or name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC"):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """What Ansible sets up in the process of a module."""
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    warnings._global_warnings.clear()


@pytest.fixture
def cloud():
    """The answers that a test gives. A request that it did not foresee fails, and so does an answer that nobody asked for."""
    with responses.RequestsMock() as cloud:
        yield cloud
