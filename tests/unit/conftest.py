# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import ipaddress
import os
import re
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
from huaweicloudsdkcore.auth.internal import MetadataAccessor

from ansible_collections.huaweicloud.drs.plugins.module_utils import _batch, _drs, _http, _throttle
from ansible_collections.huaweicloud.drs.tests.unit.loopback import Server

# Hypothesis writes files as soon as tests are collected.
_STORAGE = tempfile.TemporaryDirectory()
hypothesis.configuration.set_hypothesis_home_dir(_STORAGE.name)
hypothesis.settings.register_profile("units", database=None, deadline=None, derandomize=True)
hypothesis.settings.load_profile("units")


def pytest_configure(config):
    # What the official SDK does with newer versions of Python is its own business.
    config.addinivalue_line("filterwarnings", "ignore::DeprecationWarning:huaweicloudsdkcore")


class Clock:
    """Stands in for the module time. A pause takes no time, but the clock shows it. Nothing else moves it."""

    def __init__(self):
        self.now = 1000.0
        self.pauses = []
        # What happens at the beginning of the next pause.
        self.meanwhile = None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append(seconds)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile:
            meanwhile()
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    clock = Clock()
    for module in (_http, _drs, _batch, _throttle):
        monkeypatch.setattr(module, "time", clock)
    return clock


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch):
    """Nothing that a user has in the environment or at home is seen. No file is in a home that is a file itself."""
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
    # What was given up on goes on, and must not do so in the next test, with what is set there. Its server has been stopped.
    deadline = time.monotonic() + 30
    for thread in set(threading.enumerate()) - threads:
        while thread.is_alive():
            assert time.monotonic() < deadline
            thread.join(0.1)
    assert left == []


@pytest.fixture(autouse=True)
def _fresh_process(monkeypatch):
    """What Ansible sets up in the process of a module."""
    monkeypatch.setattr(basic, "_ANSIBLE_PROFILE", "legacy", raising=False)
    warnings._global_warnings.clear()


@pytest.fixture
def refusing_url():
    """An address where no one listens, and no one can begin to while the test runs."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture(autouse=True)
def metadata(monkeypatch, refusing_url):
    """Set where the metadata service of an ECS host is. At first there is none."""

    def at(url):
        monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", url)

    at(refusing_url)
    return at


@pytest.fixture
def profile(monkeypatch, tmp_path):
    """Write the file that the official SDK keeps access keys in, and return its path."""

    def write(content):
        path = tmp_path / "credentials"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(path))
        return path

    return write


@pytest.fixture
def cloud():
    """The answers that a test gives. A request that it did not foresee fails, and so does an answer that nobody asked for."""
    with responses.RequestsMock() as cloud:
        yield cloud
        # The call that ends a job for good. Nothing here may ever send it.
        assert [call.request.url for call in cloud.calls if re.search("/stop([/?#]|$)", call.request.url)] == []


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


@pytest.fixture(scope="session")
def authority():
    return trustme.CA()


@pytest.fixture(scope="session")
def tls(authority):
    """For a server at 127.0.0.1, by that authority."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    return context


@pytest.fixture
def ca_cert(authority, tmp_path):
    path = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return str(path)
