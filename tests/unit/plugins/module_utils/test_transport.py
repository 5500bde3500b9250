# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What stands between the module _http and a server: the environment, TLS, proxies and redirects. All of it on loopback, with real sockets."""

from __future__ import annotations

import datetime
import re
import socket
import ssl
import sys
import time
from base64 import b64encode
from urllib.parse import quote

import pytest
import requests
import trustme

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    InvalidOptionError,
    TransportError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._timeout import call_with_timeout
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    PROXY_PASSWORD,
    TOKEN,
    check_nothing_shown,
    execute,
    failure,
    readable,
    send,
    shown,
    with_token,
)

# It goes nowhere: a proxy or a mock has to answer.
URL = "https://drs.example.com/v5/thing"
QUOTED = quote(PROXY_PASSWORD, safe="")
BOTH = pytest.mark.parametrize("method", ["GET", "POST"])


class TestInTime:
    def test_time_over(self, serve):
        server = serve(loopback.silence)
        started = time.monotonic()
        with socket.create_connection(server.address) as connection, pytest.raises(TimeoutError, match="0.1 seconds"):
            call_with_timeout(0.1, lambda: connection.recv(1))
        assert time.monotonic() - started < 10  # what a slow machine may take

    def test_a_time_out_of_its_own(self):
        def function():
            raise TimeoutError("mine")

        with pytest.raises(TimeoutError, match="mine"):
            call_with_timeout(10, function)


class TestRedirects:
    @pytest.mark.parametrize(
        "method, status", [("GET", 301), ("POST", 302), ("POST", 303), ("GET", 307), ("POST", 308)]
    )
    def test_not_followed(self, serve, method, status):
        elsewhere = serve(loopback.answer())
        server = serve(loopback.answer(status=status, headers=[f"Location: {elsewhere.url}/x"]))
        error = failure(method, server.url)
        assert isinstance(error, ApiError)
        assert elsewhere.url in str(error)
        assert (error.http_status, len(server.requests), elsewhere.requests) == (status, 1, [])
        assert error.maybe_accepted is False

    @pytest.mark.parametrize("location", [None, "", "javascript:x", "http://[::1", "\x80"])
    def test_without_a_target_that_is_one(self, cloud, location):
        cloud.get(URL, status=302, headers={} if location is None else {"Location": location})
        assert failure().http_status == 302


class TestEnvironment:
    @pytest.mark.parametrize("auth", [with_token, None])
    def test_netrc(self, serve, monkeypatch, tmp_path, auth):
        for name in (".netrc", "_netrc"):
            (tmp_path / name).write_text(
                "machine 127.0.0.1 login them password theirs\ndefault login them password theirs\n"
            )
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        server = serve(loopback.answer())
        assert requests.get(server.url, timeout=10).request.headers["Authorization"]
        HttpClient().request("GET", server.url, auth=auth)
        assert b"authorization:" in server.requests[0].lower()
        assert b"authorization:" not in server.requests[1].lower()

    def test_looked_up_once_for_a_server(self, cloud, monkeypatch):
        looked_up = []
        monkeypatch.setattr(requests.utils, "getproxies", lambda: looked_up.append(1) or {})
        http = HttpClient()
        for url in (URL, URL + "/more", "https://iam.example.com"):
            cloud.get(url, json={})
            send(url=url, http=http)
        assert len(looked_up) == 2

    def test_missing_requests(self, monkeypatch):
        assert _http.REQUESTS_IMPORT_ERROR is None
        monkeypatch.setitem(sys.modules, "requests", None)
        assert "import requests" in execute(_http.__file__, "__main__").REQUESTS_IMPORT_ERROR


class TestProxy:
    """In the environment, where it may have a user name and a password of its own."""

    @pytest.fixture
    def go_by(self, monkeypatch):
        """Set a proxy, with a user name and a password."""

        def go_by(server):
            monkeypatch.setenv("https_proxy", getattr(server, "url", server).replace("://", f"://them:{QUOTED}@"))

        return go_by

    @pytest.mark.parametrize("name", ["http_proxy", "all_proxy"])
    def test_not_for_plain_http(self, serve, monkeypatch, name):
        """That is for loopback addresses, from where a proxy would carry the credentials readable to another host."""
        proxy, server = serve(loopback.answer()), serve(loopback.answer())
        for url in (proxy.url, "http://them:theirs@h:x"):
            monkeypatch.setenv(name, url)
            send(url=server.url)
        assert (len(server.requests), proxy.requests) == (2, [])

    @pytest.mark.parametrize("method, name", [("GET", "https_proxy"), ("POST", "HTTPS_PROXY"), ("POST", "all_proxy")])
    def test_tunnel(self, serve, monkeypatch, tls, ca_cert, method, name):
        server = serve(loopback.answer(b'{"id": "1"}'), tls=tls)
        proxy = serve(loopback.proxy(to=server.address))
        monkeypatch.setenv(name, proxy.url.replace("://", "://them:theirs@"))
        assert send(method, server.url, http=HttpClient(ca_cert=ca_cert)).body == {"id": "1"}
        (connect,) = proxy.requests
        assert connect.startswith(f"CONNECT 127.0.0.1:{server.address[1]} ".encode())
        assert b"Proxy-Authorization: Basic " in connect
        # The credentials are for the server alone, and those of the proxy for the proxy.
        assert TOKEN.encode() in server.requests[0]
        assert TOKEN.encode() not in connect
        assert b"proxy-authorization" not in server.requests[0].lower()

    @pytest.mark.parametrize(
        "proxy, secrets",
        [
            (
                f"http://them:{QUOTED}@127.0.0.1:1",
                {PROXY_PASSWORD, QUOTED, b64encode(f"them:{PROXY_PASSWORD}".encode()).decode()},
            ),
            ("them:theirs@127.0.0.1:1", {"theirs", "dGhlbTp0aGVpcnM="}),
            ("http://them@127.0.0.1:1", set()),
            ("127.0.0.1:1", set()),
        ],
    )
    def test_password(self, monkeypatch, proxy, secrets):
        monkeypatch.setenv("https_proxy", proxy)
        http = HttpClient(max_retries=0)
        failure(http=http)
        assert http.secrets == secrets

    @pytest.mark.parametrize("listed", ["*", "10.0.0.0/8,127.0.0.0/8", "example.com, 127.0.0.1"])
    def test_no_proxy(self, serve, monkeypatch, go_by, refusing_url, tls, ca_cert, listed):
        go_by(refusing_url)
        monkeypatch.setenv("no_proxy", listed)
        assert send(url=serve(loopback.answer(), tls=tls).url, http=HttpClient(ca_cert=ca_cert)).status == 200

    @BOTH
    def test_not_there(self, clock, go_by, refusing_url, method):
        go_by(refusing_url)
        error = failure(method)
        assert isinstance(error, TransportError)
        assert "proxy" in str(error)
        assert not readable(PROXY_PASSWORD, shown(error))
        assert (len(clock.pauses), error.maybe_accepted) == (2, False)

    @pytest.mark.parametrize("method, status", [("GET", 403), ("POST", 407), ("POST", 504)])
    def test_refuses(self, serve, go_by, method, status):
        def script(connection, server):
            server.read_request(connection)
            connection.sendall(f"HTTP/1.1 {status} The password {PROXY_PASSWORD} is wrong\r\n\r\n".encode())

        proxy = serve(script)
        go_by(proxy)
        error = failure(method)
        assert isinstance(error, TransportError)
        assert "proxy" in str(error)
        assert str(status) in str(error)
        assert not readable(PROXY_PASSWORD, shown(error))
        assert (len(proxy.requests), error.maybe_accepted) == (1, False)
        assert TOKEN.encode() not in proxy.requests[0]

    @pytest.mark.parametrize(
        "method, sent, fault", [("POST", 1, loopback.reset_after_request), ("GET", 3, loopback.close_without_answer)]
    )
    def test_answer_lost_behind_it(self, serve, go_by, tls, ca_cert, fault, method, sent):
        proxy = serve(loopback.proxy(tls=tls, then=fault))
        go_by(proxy)
        error = failure(method, "https://127.0.0.1:1/x", http=HttpClient(max_retries=2, ca_cert=ca_cert))
        assert [request.split()[0].decode() for request in proxy.requests] == ["CONNECT", method] * sent
        assert error.maybe_accepted == (method == "POST")

    def test_other_authority_behind_it(self, serve, go_by, tls):
        proxy = serve(loopback.proxy(tls=tls, then=loopback.close_without_answer))
        go_by(proxy)
        error = failure("POST", "https://127.0.0.1:1/x")
        assert "ca_cert" in str(error)
        assert (len(proxy.requests), error.maybe_accepted) == (1, False)

    @pytest.mark.parametrize(
        "proxy",
        [
            "http://h:99999",
            "http://:80",
            "http://h:0",
            "http://h:x",
            "http://",
            "garbage://x",
            "http://[::1",
            "them:theirs@[h",
            "h:99999",
        ]
        + ["http://them:theirs@", "http://them:the/irs@h", "http://them:the#irs@h", "http://them:theïrs@h"],
    )
    def test_no_url(self, monkeypatch, clock, proxy):
        monkeypatch.setenv("https_proxy", proxy)
        error = failure("POST")
        assert "proxy" in str(error).lower()
        check_nothing_shown(shown(error), secrets=["theirs", "irs@", "rs@"])
        assert (clock.pauses, error.maybe_accepted) == ([], False)


class TestTls:
    @pytest.fixture
    def server(self, serve, tls):
        return serve(loopback.answer(), tls=tls)

    @pytest.fixture
    def other_ca(self, tmp_path):
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
        return str(tmp_path / "other.pem")

    @pytest.mark.parametrize(
        "method, fault, words",
        [
            ("GET", "name", "127.0.0.1"),
            ("POST", "expired", "expired"),
            ("POST", "self-signed", "self.signed"),
            ("GET", "authority", "certificate verify failed"),
        ],
    )
    def test_bad_certificate(self, serve, authority, ca_cert, clock, method, fault, words):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        if fault == "name":
            authority.issue_cert("127.0.0.2", "drs.example.com").configure_cert(context)
        elif fault == "expired":
            authority.issue_cert("127.0.0.1", not_after=datetime.datetime.now() - datetime.timedelta(2)).configure_cert(
                context
            )
        elif fault == "authority":
            trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
        else:
            alone = trustme.CA()
            with alone.private_key_pem.tempfile() as key, alone.cert_pem.tempfile() as certificate:
                context.load_cert_chain(certificate, key)
        server = serve(loopback.answer(), tls=context)
        error = failure(method, server.url, http=HttpClient(max_retries=2, ca_cert=ca_cert))
        assert isinstance(error, TransportError)
        assert re.search(words, str(error))
        assert "TLS failed" in str(error)
        assert "ca_cert" in str(error)
        assert (server.requests, clock.pauses, error.maybe_accepted) == ([], [], False)

    def test_plain_http_where_tls_is_expected(self, serve):
        def script(connection, server):
            connection.recv(1)
            connection.sendall(loopback.answer())

        error = failure("POST", serve(script).url.replace("http:", "https:"))
        assert isinstance(error, TransportError)
        assert "TLS failed" in str(error)
        assert error.maybe_accepted is False

    @BOTH
    def test_tls_where_plain_http_is_expected(self, server, method):
        error = failure(method, server.url.replace("https:", "http:"))
        assert isinstance(error, TransportError)
        # Nobody can see from here that the server did not understand it.
        assert (server.requests, error.maybe_accepted) == ([], method == "POST")

    @BOTH
    def test_it_breaks_after_the_request(self, serve, tls, ca_cert, method):
        def garbage(connection, server):
            server.read_request(connection)
            with socket.socket(fileno=connection.detach()) as raw:
                raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
                raw.recv(1)

        server = serve(garbage, tls=tls)
        error = failure(method, server.url, http=HttpClient(max_retries=2, ca_cert=ca_cert))
        assert "ca_cert" not in str(error)
        assert (len(server.requests), error.maybe_accepted) == (1, method == "POST")

    @pytest.mark.parametrize("bundle", ["/nonexistent", "other"])
    def test_ca_cert_before_the_environment(self, server, ca_cert, other_ca, monkeypatch, bundle):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other_ca if bundle == "other" else bundle)
        send(url=server.url, http=HttpClient(ca_cert=ca_cert))

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_ca_from_the_environment(self, server, ca_cert, monkeypatch, name):
        monkeypatch.setenv(name, ca_cert)
        send(url=server.url)

    @pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_bundle_that_is_not_there(self, monkeypatch, clock, name):
        monkeypatch.setenv(name, "/nonexistent")
        error = failure("POST")
        for part in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "/nonexistent"):
            assert part in str(error)
        assert (clock.pauses, error.maybe_accepted) == ([], False)

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    @pytest.mark.parametrize("ca_in_options", [True, False])
    def test_validate_certs(self, server, monkeypatch, other_ca, ca_in_options):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other_ca)
        assert "TLS" in str(failure(url=server.url))
        send(url=server.url, http=HttpClient(validate_certs=False, ca_cert=other_ca if ca_in_options else None))

    def test_no_such_ca_cert(self, tmp_path):
        with pytest.raises(InvalidOptionError, match="nowhere.pem"):
            HttpClient(ca_cert=str(tmp_path / "nowhere.pem"))
