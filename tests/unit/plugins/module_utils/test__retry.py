# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import time
from email.utils import formatdate

import pytest
import responses

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import ApiError, TransportError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import URL, failure, send

# Method, status, requests sent with two retries, and whether the server may have carried it out.
RETRIES = [
    *((method, 429, 3, False) for method in ("GET", "POST", "PUT")),
    *(("GET", status, 3, False) for status in (500, 502, 503, 504, 599)),
    *((method, status, 1, True) for method in ("POST", "PUT", "DELETE") for status in (500, 502, 503, 504, 599)),
    *(
        (method, status, 1, False)
        for method, status in [("GET", 302), ("POST", 400), ("GET", 404), ("PUT", 408), ("POST", 499)]
    ),
]
# After one of these, a POST may have been carried out, so only a GET is sent again.
FAULTS = [
    loopback.reset_within_request,
    loopback.reset_after_request,
    loopback.reset_within_body,
    loopback.close_without_response,
    pytest.param(loopback.response(b'{"id": ', length=1000), id="cut_body"),
    b"garbage\r\n\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02",
]


class TestRetries:
    @pytest.mark.parametrize("method, status, sent, maybe_accepted", RETRIES)
    def test_retries_after_a_status(self, cloud, clock, method, status, sent, maybe_accepted):
        for attempt in range(sent):
            cloud.add(method, URL, status=status, json={"error_code": f"E{attempt}"})
        error = failure(method, http=HttpClient(max_retries=2))
        assert isinstance(error, ApiError)
        assert (len(cloud.calls), len(clock.pauses)) == (sent, sent - 1)
        assert (error.http_status, error.maybe_accepted) == (status, maybe_accepted)
        # The user sees the last response, not that no retries are left.
        assert error.error_code == f"E{sent - 1}"

    @pytest.mark.parametrize("fault", FAULTS)
    @pytest.mark.parametrize("method, sent", [("GET", 3), ("POST", 1)])
    def test_retries_after_a_lost_response(self, serve, method, fault, sent):
        server = serve(fault)
        error = failure(method, server.url, body={"a": 1})
        assert isinstance(error, TransportError)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")
        assert server.url in str(error)

    def test_empty_error_code_is_not_throttling(self, clock):
        """IAM sends an empty code when it refuses a login. Sending that again could lock the user."""
        with responses.RequestsMock() as cloud:
            cloud.post(URL, status=401, json={"error": {"code": "", "message": "Wrong."}})
            failure("POST")
            assert (len(cloud.calls), clock.pauses) == (1, [])

    def test_connection_refused(self, refusing_url, clock):
        error = failure("POST", refusing_url)
        assert "connection failed" in str(error)
        assert (len(clock.pauses), error.maybe_accepted) == (2, False)

    def test_retries_are_counted_for_each_request(self, cloud):
        http = HttpClient(max_retries=1)
        for _request in range(3):
            cloud.get(URL, status=503)
            cloud.get(URL, json={})
            send(http=http)
        assert len(cloud.calls) == 6


class TestPauses:
    @pytest.mark.parametrize("asked, pause", [("7", 7), (" 7 ", 7), ("60", 60), ("61", 60), ("9" * 400, 60)])
    def test_retry_after_seconds(self, cloud, clock, asked, pause):
        cloud.post(URL, status=429, headers={"Retry-After": asked})
        cloud.post(URL, json={})
        send("POST")
        assert clock.pauses == [pause]

    def test_retry_after_date(self, cloud, clock):
        cloud.get(URL, status=503, headers={"Retry-After": formatdate(time.time() + 30, usegmt=True)})
        cloud.get(URL, status=503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})
        cloud.get(URL, json={})
        send()
        assert clock.pauses == [pytest.approx(30, abs=3), 60]

    @pytest.mark.parametrize("asked", ["0", "-5", "soon", "1.5", "", "Mon, 01 Jan 2001 00:00:00 GMT"])
    def test_retry_after_is_ignored(self, cloud, clock, asked):
        cloud.get(URL, status=503, headers={"Retry-After": asked})
        cloud.get(URL, json={})
        send()
        assert len(clock.pauses) == 1
        assert 0.5 <= clock.pauses[0] <= 1

    @pytest.mark.parametrize(
        "asked",
        ["9" * 5000, "Fri, 01 Jan 99999 00:00:00 GMT", "x Dec , 31 12:12"],  # Python 3.8 fails to parse the last.
        ids=["digits", "year", "no date"],
    )
    def test_retry_after_too_large_for_python(self, cloud, clock, asked):
        cloud.get(URL, status=503, headers={"Retry-After": asked})
        assert failure(http=HttpClient(max_retries=1)).http_status == 503
        assert len(clock.pauses) == 1
        assert clock.pauses[0] == 60 or 0.5 <= clock.pauses[0] <= 1

    def test_backoff_is_exponential(self, cloud, clock):
        cloud.get(URL, status=503)
        for _attempt in range(10):
            clock.pauses.clear()
            failure(http=HttpClient(max_retries=9))
            assert len(clock.pauses) == 9
            assert all(
                min(60, 0.5 * 2**number) <= pause <= min(60, 2**number) for number, pause in enumerate(clock.pauses)
            )

    def test_backoff_has_jitter(self, cloud, clock):
        cloud.get(URL, status=503)
        for _attempt in range(5):
            failure(http=HttpClient(max_retries=1))
        assert len(set(clock.pauses)) > 1
