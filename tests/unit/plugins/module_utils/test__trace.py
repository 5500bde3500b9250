# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_token import TokenAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import TransportError
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import AUTH_METHODS, _auth_class
from ansible_collections.huaweicloud.drs.plugins.module_utils._trace import AUTH_NAMES, TracingHttpClient
from ansible_collections.huaweicloud.drs.tests.unit.utils import PROJECT_ID, TOKEN, URL, check_nothing_shown, send

NUMBERS = r"\d+\.\d\d s"


def test_all_authentication_methods():
    assert AUTH_NAMES == {_auth_class(method).__name__: method for method in AUTH_METHODS}


def test_each_attempt(cloud, clock):
    lines = []
    cloud.get(URL, status=503, headers={"X-Request-Id": "r1"})
    cloud.get(URL, json={}, headers={"X-IAM-Trace-Id": "r2"})
    http = TracingHttpClient(lines.append, max_retries=1)
    http.request("GET", URL, params={"a": "1"}, auth=TokenAuth(AuthOptions(auth_token=TOKEN, project_id=PROJECT_ID)))
    first, second = lines
    start = f"GET {re.escape(URL)}\\?a=1: HTTP"
    assert re.fullmatch(rf"{start} 503, request ID r1, {NUMBERS}, auth_method token", first)
    assert re.fullmatch(rf"{start} 200, request ID r2, {NUMBERS}, auth_method token", second)


def test_no_response(refusing_url, clock):
    lines = []
    with pytest.raises(TransportError):
        send("POST", refusing_url, TracingHttpClient(lines.append, max_retries=0))
    (line,) = lines
    assert re.fullmatch(rf"POST {re.escape(refusing_url)}: no response, {NUMBERS}", line)


def test_token_of_a_login(cloud):
    """It is not known before this response, which may repeat it."""
    lines = []
    cloud.post(URL, json={}, headers={"X-Subject-Token": TOKEN, "X-Request-Id": TOKEN[:40]})
    send("POST", http=TracingHttpClient(lines.append), secret_header="X-Subject-Token")
    check_nothing_shown(*lines)


def test_secrets(cloud):
    """A server may repeat the token as a request ID, and a URL may contain it."""
    lines = []
    url = f"{URL}/{TOKEN}"
    cloud.get(url, json={}, headers={"X-Request-Id": TOKEN})
    cloud.get(url, json={})
    http = TracingHttpClient(lines.append, secrets={TOKEN})
    send(url=url, http=http)
    send(url=url, http=http)
    check_nothing_shown(*lines)
    assert "request ID unknown" in lines[1]
