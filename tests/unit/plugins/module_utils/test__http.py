# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import sys

import pytest
import requests
import trustme

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http, _timeout
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    InvalidOptionError,
    InvalidResponseError,
    TransportError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import MAX_BODY, HttpClient
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import TOKEN, URL, execute, failure, send, with_token


class TestRequest:
    def test_headers_url_and_body(self, cloud):
        cloud.post(URL, json={})
        send(
            "POST",
            params={"query_id": "a b&c"},
            headers={"X-Language": "zh-cn"},
            body={"time": "ö"},
            http=HttpClient(user_agent="test/1"),
        )
        request = cloud.calls[0].request
        assert request.url == f"{URL}?query_id=a%20b%26c"
        assert json.loads(request.body) == {"time": "ö"}
        assert {name: value for name, value in request.headers.items() if name != "Connection"} == {
            "User-Agent": "test/1",
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "Content-Type": "application/json",
            "Content-Length": str(len(request.body)),
            "X-Language": "zh-cn",
            "X-Auth-Token": TOKEN,
        }

    def test_response(self, cloud):
        cloud.get(URL, status=202, json={"id": "1"}, headers={"X-Request-Id": "r1", "X-Subject-Token": "t"})
        response = send()
        assert (response.status, response.body, response.request_id, response.headers["x-subject-token"]) == (
            202,
            {"id": "1"},
            "r1",
            "t",
        )

    @pytest.mark.parametrize("status, body", [(200, b""), (201, b" \r\n"), (204, b"")])
    def test_empty_body(self, cloud, status, body):
        cloud.get(URL, body=body, status=status)
        assert send().body == {}
        assert cloud.calls[0].request.body is None

    def test_earlier_errors_in_a_success_are_not_its_own(self, cloud):
        job = {"job": {"error_code": "DRS.M00304", "error_msg": "some time ago"}, "code": "mysql", "message": "text"}
        cloud.get(URL, json=job)
        assert send().body == job


class TestAttempt:
    @pytest.mark.parametrize("method, sent", [("GET", 3), ("POST", 1)])
    def test_truncated_body_that_urllib3_1_accepts(self, serve, monkeypatch, method, sent):
        def build_response(adapter, request, raw):
            raw.enforce_content_length = False  # as it is in urllib3 1
            return original(adapter, request, raw)

        original = requests.adapters.HTTPAdapter.build_response
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "build_response", build_response)
        server = serve(loopback.response(b'{"id": "1"}', length=1000))
        error = failure(method, server.url)
        assert isinstance(error, TransportError)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")

    @pytest.mark.parametrize(
        "method, sent, fault", [("GET", 2, loopback.silence), ("POST", 1, loopback.stall_within_body)]
    )
    def test_timeout(self, serve, method, sent, fault):
        server = serve(fault)
        error = failure(method, server.url, http=HttpClient(timeout=0.25, max_retries=1), body={"a": 1})
        assert isinstance(error, TransportError)
        assert "0.25 seconds" in str(error)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")

    @pytest.mark.parametrize("fault", [loopback.drip_header, loopback.drip_body, loopback.drip_chunks])
    @pytest.mark.parametrize("method, sent", [("GET", 2), ("POST", 1)])
    def test_attempt_is_bounded_while_the_server_keeps_sending(self, serve, monkeypatch, method, sent, fault):

        def call_with_timeout(seconds, function):
            timeouts.append(seconds)
            return original(seconds - 1, function)

        timeouts, original = [], _timeout.call_with_timeout
        monkeypatch.setattr(_timeout, "call_with_timeout", call_with_timeout)
        server = serve(fault, *[loopback.response(b'{"id": "1"}')] * (method == "GET"))
        call, http = {"GET": send, "POST": failure}[method], HttpClient(timeout=0.25, max_retries=1)
        outcome = call(method, server.url, http=http, body={"a": 1})
        # One second more than the timeout of the socket, which tells a failed connection from a lost response.
        assert timeouts == [1.25] * sent
        assert len(server.requests) == sent
        if method == "GET":
            assert outcome.body == {"id": "1"}
        else:
            assert (type(outcome), outcome.maybe_accepted) == (TransportError, True)
            assert "0.25 seconds" in str(outcome)


class TestDeadline:
    def test_nothing_is_sent_after_the_deadline(self, cloud, clock):
        cloud.get(URL, status=503, headers={"Retry-After": "30"})
        assert failure(deadline=clock.now + 60, http=HttpClient(max_retries=4)).http_status == 503
        assert (len(cloud.calls), clock.pauses) == (2, [30])

    @pytest.mark.parametrize("left, timeout", [(None, 10), (100, 10), (5, 5), (0.25, 1), (-5, 1)])
    def test_deadline_bounds_the_timeout(self, cloud, clock, left, timeout):
        cloud.get(URL, json={})
        send(deadline=left and clock.now + left)
        assert cloud.calls[0].request.req_kwargs["timeout"] == timeout


class TestMaximumSize:
    @pytest.mark.parametrize(
        "method, script",
        [
            pytest.param("GET", loopback.response(b" " * (MAX_BODY + 1)), id="with-length"),
            pytest.param("POST", loopback.flood, id="in-chunks"),
        ],
    )
    def test_larger_body_is_rejected(self, serve, method, script):
        server = serve(script)
        error = failure(method, server.url)
        assert isinstance(error, InvalidResponseError)
        assert (error.http_status, error.maybe_accepted, len(server.requests)) == (200, method == "POST", 1)
        assert f"more than {MAX_BODY} bytes" in str(error)

    def test_limit_is_shared_by_all_threads(self, serve):
        """Otherwise, a batch would need gigabytes."""
        server, http = serve(loopback.response(b" " * (MAX_BODY // 10) + b"{}")), HttpClient(connections=10)
        assert f"more than {MAX_BODY // 10} bytes" in str(failure(url=server.url, http=http))

    def test_share_of_many_threads(self, serve):
        """A list of some hundred projects fits into it."""
        server = serve(loopback.response(b" " * 500000 + b"{}"))
        assert send(url=server.url, http=HttpClient(connections=100)).body == {}

    def test_error_without_end(self, serve):
        """The rest is not read."""
        server = serve(loopback.response(b'{"error_code": "DRS.1", "x": "' + b"x" * MAX_BODY, status=400))
        assert failure(url=server.url).error_msg == "more than 65536 bytes"

    def test_largest_body_is_accepted(self, serve):
        server = serve(loopback.response(b" " * (MAX_BODY - 2) + b"{}"))
        assert send(url=server.url).body == {}

    def test_long_number(self, cloud):
        """Versions of Python without a limit of their own take minutes for a number of 8 MB."""
        cloud.get(URL, body=b'{"a": 1' + b"0" * 4300 + b"}")
        limit = sys.get_int_max_str_digits()
        sys.set_int_max_str_digits(0)
        try:
            assert "that are not JSON" in str(failure())
        finally:
            sys.set_int_max_str_digits(limit)


class TestSecrets:
    def test_secret_added_later_is_masked(self, cloud):
        secrets = {""}
        http = HttpClient(secrets=secrets)
        secrets.add("hush-hush")
        cloud.get(URL, status=400, body="It is hush-hush.")
        assert failure(http=http).error_msg == "It is ********."


class TestRedirects:
    @pytest.mark.parametrize(
        "method, status", [("GET", 301), ("POST", 302), ("POST", 303), ("GET", 307), ("POST", 308)]
    )
    def test_not_followed(self, serve, method, status):
        elsewhere = serve(loopback.response())
        server = serve(loopback.response(status=status, headers=[f"Location: {elsewhere.url}/x"]))
        error = failure(method, server.url)
        assert isinstance(error, ApiError)
        assert elsewhere.url in str(error)
        assert (error.http_status, len(server.requests), elsewhere.requests) == (status, 1, [])
        # A 303 says where the result of an accepted request is.
        assert error.maybe_accepted is (status == 303)

    @pytest.mark.parametrize("location", [None, "", "javascript:x", "http://[::1", "\x80"])
    def test_invalid_target(self, cloud, location):
        cloud.get(URL, status=302, headers={} if location is None else {"Location": location})
        assert failure().http_status == 302


class TestEnvironment:
    @pytest.mark.parametrize("auth", [with_token, None])
    def test_login_from_netrc_is_not_used(self, serve, monkeypatch, tmp_path, auth):
        for name in (".netrc", "_netrc"):
            (tmp_path / name).write_text(
                "machine 127.0.0.1 login them password theirs\ndefault login them password theirs\n"
            )
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        server = serve(loopback.response())
        assert requests.get(server.url, timeout=10).request.headers["Authorization"]
        HttpClient().request("GET", server.url, auth=auth)
        assert b"authorization:" in server.requests[0].lower()
        assert b"authorization:" not in server.requests[1].lower()

    def test_proxies_are_looked_up_once_for_each_server(self, cloud, monkeypatch):
        looked_up = []
        monkeypatch.setattr(requests.utils, "getproxies", lambda: looked_up.append(1) or {})
        http = HttpClient()
        for url in (URL, URL + "/more", "https://iam.example.com"):
            cloud.get(url, json={})
            send(url=url, http=http)
        assert len(looked_up) == 2

    def test_missing_requests_is_reported(self, monkeypatch):
        assert _http.REQUESTS_IMPORT_ERROR is None
        monkeypatch.setitem(sys.modules, "requests", None)
        assert "import requests" in execute(_http.__file__, _http.__name__).REQUESTS_IMPORT_ERROR


def test_cookies_are_not_kept(serve):
    server = serve(loopback.response(headers=["Set-Cookie: a=b"]))
    http = HttpClient(timeout=10, max_retries=0)
    for _request in range(2):
        http.request("GET", server.url, auth=lambda request: request)
    assert b"cookie" not in server.requests[1].lower()


class TestProxy:
    @pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
    def test_not_used_for_plain_http(self, serve, monkeypatch, name):
        """Plain HTTP is for loopback addresses. A proxy would carry readable credentials to another host."""
        proxy, server = serve(loopback.response()), serve(loopback.response())
        for url in (proxy.url, "http://them:theirs@h:x"):
            monkeypatch.setenv(name, url)
            send(url=server.url)
        assert (len(server.requests), proxy.requests) == (2, [])

    @pytest.mark.parametrize("method, name", [("GET", "https_proxy"), ("POST", "HTTPS_PROXY"), ("POST", "all_proxy")])
    def test_connects_through_a_tunnel(self, serve, monkeypatch, tls, ca_cert, method, name):
        server = serve(loopback.response(b'{"id": "1"}'), tls=tls)
        proxy = serve(loopback.proxy(to=server.address))
        monkeypatch.setenv(name, proxy.url.replace("://", "://them:theirs@"))
        assert send(method, server.url, http=HttpClient(ca_cert=ca_cert)).body == {"id": "1"}
        (connect,) = proxy.requests
        assert connect.startswith(f"CONNECT 127.0.0.1:{server.address[1]} ".encode())
        assert b"Proxy-Authorization: Basic " in connect
        # The server does not see the proxy's credentials, nor the proxy the server's.
        assert TOKEN.encode() in server.requests[0]
        assert TOKEN.encode() not in connect
        assert b"proxy-authorization" not in server.requests[0].lower()

    @pytest.mark.parametrize("listed", ["*", "10.0.0.0/8,127.0.0.0/8", "example.com, 127.0.0.1"])
    def test_no_proxy_is_respected(self, serve, monkeypatch, refusing_url, tls, ca_cert, listed):
        monkeypatch.setenv("https_proxy", refusing_url.replace("://", "://them:theirs@"))
        monkeypatch.setenv("no_proxy", listed)
        assert send(url=serve(loopback.response(), tls=tls).url, http=HttpClient(ca_cert=ca_cert)).status == 200


class TestTls:
    @pytest.fixture
    def server(self, serve, tls):
        return serve(loopback.response(), tls=tls)

    @pytest.fixture
    def other_ca(self, tmp_path):
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
        return str(tmp_path / "other.pem")

    @pytest.mark.parametrize("bundle", ["missing", "other"])
    def test_ca_cert_wins_over_the_environment(self, server, ca_cert, other_ca, monkeypatch, bundle):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other_ca if bundle == "other" else f"{other_ca}.missing")
        send(url=server.url, http=HttpClient(ca_cert=ca_cert))

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_ca_from_the_environment(self, server, ca_cert, monkeypatch, name):
        monkeypatch.setenv(name, ca_cert)
        send(url=server.url)

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_missing_bundle_is_named(self, monkeypatch, clock, tmp_path, name):
        missing = str(tmp_path / "missing.pem")
        monkeypatch.setenv(name, missing)
        error = failure("POST")
        for part in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", missing):
            assert part in str(error)
        assert (clock.pauses, error.maybe_accepted) == ([], False)

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    @pytest.mark.parametrize("ca_in_options", [True, False])
    def test_validate_certs(self, server, monkeypatch, other_ca, ca_in_options):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other_ca)
        assert "TLS" in str(failure(url=server.url))
        send(url=server.url, http=HttpClient(validate_certs=False, ca_cert=other_ca if ca_in_options else None))

    def test_missing_ca_cert_is_named(self, tmp_path):
        with pytest.raises(InvalidOptionError, match="^ca_cert: the file does not exist"):
            HttpClient(ca_cert=str(tmp_path / "nowhere.pem"))
