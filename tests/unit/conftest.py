# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import ipaddress
import os
import re
import signal
import socket
import ssl
import tempfile
import threading
import time

import hypothesis
import hypothesis.configuration
import pytest
import responses
import trustme
from ansible.module_utils import basic
from ansible.module_utils.common import warnings

from ansible_collections.huaweicloud.drs.plugins.module_utils import (
    _auth_access_key,
    _batch,
    _http,
    _job_actions,
    _job_lists,
    _module,
    _throttle,
    _wait,
)
from ansible_collections.huaweicloud.drs.tests.unit.loopback import Server

# Hypothesis writes files as soon as tests are collected.
_STORAGE = tempfile.TemporaryDirectory()
hypothesis.configuration.set_hypothesis_home_dir(_STORAGE.name)
hypothesis.settings.register_profile("units", database=None, deadline=None, derandomize=True)
hypothesis.settings.load_profile("units")


def pytest_configure(config):
    # The official SDK uses what newer versions of Python deprecate.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:huaweicloudsdkcore")


class Clock:
    """Replaces the module `time`. Only pauses move the clock, and they take no real time."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []
        # Called once, when the next pause begins.
        self.on_sleep = None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        on_sleep, self.on_sleep = self.on_sleep, None
        if on_sleep:
            on_sleep()
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    for module in (_http, _wait, _batch, _job_actions, _job_lists, _throttle):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """Hide the environment and the home of the user. A home that is a file itself has no files."""
    for name in list(os.environ):
        if (
            name.startswith(("HW_", "HUAWEICLOUD_"))
            or name.lower().endswith("_proxy")
            or name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC")
        ):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", os.devnull)


@pytest.fixture(autouse=True)
def _nothing_leaves_this_host(monkeypatch):
    left = []

    def connect(self, address):
        if self.family != socket.AF_UNIX and not ipaddress.ip_address(address[0]).is_loopback:
            left.append(address)
            raise OSError(f"Nothing listens at {address}.")
        return original_connect(self, address)

    def getaddrinfo(host, *args, **kwargs):
        if host not in ("127.0.0.1", "::1", "localhost"):
            left.append(host)
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return original_getaddrinfo(host, *args, **kwargs)

    original_connect, original_getaddrinfo = socket.socket.connect, socket.getaddrinfo
    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    threads = set(threading.enumerate())
    yield
    # Calls that timed out continue, but must not do so in the next test. Their servers have been stopped.
    deadline = time.monotonic() + 30
    for thread in set(threading.enumerate()) - threads:
        while thread.is_alive():
            assert time.monotonic() < deadline
            thread.join(0.1)
    assert left == []


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """Set up the process as Ansible does for a module."""
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    warnings._global_warnings.clear()
    # A module keeps its handlers to the end. pytest needs those from before.
    handlers = {number: signal.getsignal(number) for number in _module.SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # The tests may run with nohup.
    yield
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def refusing_url():
    """A URL that refuses connections: the port is in use, but nothing listens on it."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def metadata(monkeypatch, refusing_url):
    """Set the URL of the metadata service of an ECS host. At first there is none."""

    def at(url):
        monkeypatch.setattr(_auth_access_key, "METADATA_URL", url)

    at(refusing_url)
    return at


@pytest.fixture
def profile(monkeypatch, tmp_path):
    """Write the credentials file of the official SDK, and return its path."""

    def write(content):
        path = tmp_path / "credentials"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(path))
        return path

    return write


@pytest.fixture
def cloud(monkeypatch):
    """The responses of a test. A request without a response fails, and so does a response without a request."""
    # Without a length, an empty body would be a lost response.
    init = functools.partialmethod(responses.Response.__init__, auto_calculate_content_length=True)
    monkeypatch.setattr(responses.Response, "__init__", init)
    with responses.RequestsMock() as cloud:
        yield cloud
        # The call that ends a job for good must never be sent.
        assert [call.request.url for call in cloud.calls if re.search("/stop([/?#]|$)", call.request.url)] == []


@pytest.fixture
def serve():
    """Start servers, which are stopped after the test."""
    servers = []

    def start(*scripts, **kwargs):
        servers.append(Server(*scripts, **kwargs))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def tls(authority):
    """The TLS context of a server at 127.0.0.1, with a certificate of that authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca_cert(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
