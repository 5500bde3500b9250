# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import datetime
import errno
import json
import os
import re
import socket
import ssl
from urllib.parse import quote

import pytest
import requests
import responses
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from urllib3.connection import HTTPSConnection
from urllib3.exceptions import MaxRetryError, NewConnectionError, SSLError

from ansible_collections.huaweicloud.drs.plugins.module_utils import _connection
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidResponseError,
    TransportError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    PROXY_PASSWORD,
    TOKEN,
    URL,
    error_from,
    failure,
    readable,
    send,
    shown,
    texts,
)

DEEP = b"[" * 100000
ERRORS = [
    # body, error_code, error_msg
    ({"error_code": "DRS.M00102", "error_msg": "No permission."}, "DRS.M00102", "No permission."),
    ({"code": "DRS.M00102", "message": "No permission."}, "DRS.M00102", "No permission."),
    ({"error": {"errorCode": "X", "errorMsg": "y"}}, "X", "y"),
    (
        {"error": {"code": 401, "message": "The account is locked.", "title": "Unauthorized"}},
        "401",
        "The account is locked.",
    ),
    ({"noise": {"a": 1}, "error": {"code": "X", "message": "y"}}, "X", "y"),
    ({"error_msg": "only words"}, None, "only words"),
    ({"error_code": "X"}, "X", None),
    ({"error_code": "X", "error_msg": None}, "X", None),
    ({"error_code": ["X"], "error_msg": {"a": 1}}, "['X']", "{'a': 1}"),
    ({"error_code": "outer", "error": {"error_code": "inner"}}, "outer", None),
    # A body of unknown shape is shown as it is.
    ({"error": "text"}, None, '{"error": "text"}'),
    ({"error": {"error": {"code": "too deep"}}}, None, '{"error": {"error": {"code": "too deep"}}}'),
    ([{"error_code": "X"}], None, '[{"error_code": "X"}]'),
    ("text", None, '"text"'),
    ({}, None, None),
    (0, None, None),
    (b" \n ", None, None),
    (b"<html><head><title>502 Bad &amp; <b>", None, "an HTML page without a title"),
    (
        b"<!DOCTYPE html><HTML><TITLE lang=en>\n 502 Bad &amp; Gateway </TITLE>" + b"<p>x" * 99,
        None,
        "502 Bad &amp; Gateway",
    ),
    (b"upstream connect error", None, "upstream connect error"),
    (b'{"error_code": "DRS.M0', None, '{"error_code": "DRS.M0'),
    (b"caf\xe9", None, "caf\N{REPLACEMENT CHARACTER}"),
    (b"\xef\xbb\xbfbyte order mark", None, "byte order mark"),
    pytest.param(DEEP, None, "more than 65536 bytes", id="deep"),
    (b'{"error_msg": "a\\ud800b"}', None, "a?b"),
    (b'{"error_msg": "\\u001b]31mred\\u0007\\u00900m\\r\\nline\\u2028two\\u202e"}', None, "]31mred 0m line two"),
    (b"\x1b]0;title\x07text\x00", None, "]0;title text"),
    pytest.param({"error_msg": "x" * 2000}, None, "x" * 512, id="long"),
]
TEXT = texts()
NAMES = st.sampled_from(["error", "error_code", "errorMsg", "code", "message", "request_id"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(NAMES | TEXT, inner),
)
METHODS = pytest.mark.parametrize("method", ["GET", "POST"])


class TestResponseError:
    @pytest.mark.parametrize("body, error_code, error_msg", ERRORS)
    def test_code_and_message_of_any_shape(self, body, error_code, error_msg):
        error = error_from(body if isinstance(body, bytes) else json.dumps(body), status=418)
        assert isinstance(error, ApiError)
        assert (error.http_status, error.error_code, error.error_msg) == (418, error_code, error_msg)
        for part in ("418", URL, error_code or "", (error_msg or "no reason").rstrip(".")):
            assert part in str(error)

    @pytest.mark.parametrize(
        "headers, body, request_id",
        [
            ({"X-Request-Id": "a"}, {"error_code": "X"}, "a"),
            ({"x-request-id": "a", "X-IAM-Trace-Id": "b"}, {"error_code": "X", "request_id": "c"}, "a"),
            ({"X-IAM-Trace-Id": "b"}, {"error_code": "X", "request_id": "c"}, "c"),
            ({"X-IAM-Trace-Id": "b"}, {"error_code": "X"}, "b"),
            ({}, {"error": {"code": "X", "request_id": "d"}}, "d"),
            ({}, {"request_id": "e", "error": {"code": "X"}}, "e"),
            ({}, {"error_code": "X"}, None),
        ],
    )
    def test_request_id(self, headers, body, request_id):
        error = error_from(json.dumps(body), headers=headers)
        assert error.request_id == request_id
        assert (request_id or "request ID") in str(error) or not request_id

    def test_status_repeated_as_code_is_shown_once(self):
        assert str(error_from('{"error": {"code": 401, "message": "no"}}', status=401)).count("401") == 1

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_success_that_takes_too_much_memory(self, cloud, monkeypatch, method):
        def load(text, **more):
            raise MemoryError

        cloud.add(method, URL, body=b'{"id": "1"}')
        monkeypatch.setattr(json, "loads", load)
        error = failure(method)
        assert isinstance(error, InvalidResponseError)
        assert error.maybe_accepted == (method == "POST")

    @pytest.mark.parametrize(
        "body, part",
        [
            (b"[]", "JSON list"),
            (b"null", "JSON NoneType"),
            (b"<html><title>Log in</title>", "Log in"),
            (b'{"id": "0ea', '{"id": "0ea'),
            pytest.param(DEEP, "not JSON", id="deep"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_success_without_a_json_object(self, cloud, method, body, part):
        cloud.add(method, URL, status=200, body=body, headers={"X-Request-Id": "r1"})
        error = failure(method)
        assert isinstance(error, InvalidResponseError)
        assert (error.http_status, error.request_id, error.maybe_accepted) == (200, "r1", method == "POST")
        assert part in str(error)
        assert "r1" in str(error)

    @pytest.mark.parametrize(
        "body",
        [{"error_code": "DRS.M01504", "error_msg": "busy"}, {"errorCode": "DRS.M01504", "errorMsg": "busy", "id": "1"}],
    )
    def test_success_with_an_error_code(self, cloud, body):
        cloud.post(URL, status=202, json=body)
        error = failure("POST")
        assert isinstance(error, ApiError)
        assert (error.http_status, error.error_code, error.error_msg, error.maybe_accepted) == (
            202,
            "DRS.M01504",
            "busy",
            False,
        )

    def test_target_of_a_redirect_is_masked(self, cloud):
        cloud.get(URL, status=302, headers={"Location": f"https://elsewhere.example.com/?token={TOKEN}"})
        error = failure(http=HttpClient(secrets={TOKEN}))
        assert "token=********" in str(error)

    bodies = st.binary() | TEXT.map(lambda text: text.encode(errors="replace")) | JSON.map(json.dumps).map(str.encode)

    statuses = st.sampled_from([200, 201, 202, 204, 302, 400, 401, 403, 404, 429, 500, 503]) | st.integers(200, 599)

    names = st.sampled_from(
        [
            "X-Request-Id",
            "X-IAM-Trace-Id",
            "Retry-After",
            "Location",
            "Content-Type",
            "Date",
            "Set-Cookie",
            "X-Subject-Token",
        ]
    )

    @settings(max_examples=50)
    @given(
        bodies, statuses, st.dictionaries(names, texts("".join(map(chr, range(256))))), st.sampled_from(["GET", "POST"])
    )
    def test_any_response(self, body, status, headers, method):
        with responses.RequestsMock() as cloud:
            body = b"" if status in (204, 304) else body
            cloud.add(method, URL, body, status=status, headers=headers, auto_calculate_content_length=True)
            try:
                response = send(method, http=HttpClient(max_retries=1))
            except HuaweiCloudError as error:
                texts = (str(error), error.error_code or "", error.error_msg or "", error.request_id or "")
                assert all(text.isprintable() for text in texts)
                assert max(map(len, texts[1:])) <= 512
                assert error.http_status == status
                # Only a request that the server may have carried out counts as maybe accepted.
                assert error.maybe_accepted == (
                    method == "POST" and (isinstance(error, InvalidResponseError) or status >= 500)
                )
            else:
                assert 200 <= status < 300
                assert isinstance(response.body, dict)


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), BrokenPipeError("pipe")])
def test_reset_without_a_reason_may_have_been_accepted(cloud, error):
    cloud.post(URL, body=requests.ConnectionError(error))
    assert failure("POST", http=HttpClient(max_retries=0)).maybe_accepted


@pytest.mark.parametrize(
    "said, shown",
    [
        ("Failed to establish a new connection: [Errno 111] Connection refused", "[Errno 111] Connection refused"),
        ("Failed to resolve 'h' ([Errno -2] Name or service not known)",) * 2,
    ],
)
def test_only_the_reason_of_a_failed_connection_is_shown(cloud, said, shown):
    failed = NewConnectionError(HTTPSConnection("h", 443), said)
    cloud.post(URL, body=requests.ConnectionError(MaxRetryError(None, "/", failed)))
    error = failure("POST", http=HttpClient(max_retries=0))
    assert str(error) == f"POST {URL}: connection failed: {shown}."
    assert not error.maybe_accepted


class TestProxyErrors:
    @pytest.fixture
    def set_proxy(self, monkeypatch):
        """Set a proxy with a user name and password."""

        def set_proxy(server):
            monkeypatch.setenv(
                "https_proxy",
                getattr(server, "url", server).replace("://", f"://them:{quote(PROXY_PASSWORD, safe='')}@"),
            )

        return set_proxy

    @METHODS
    def test_no_connection(self, clock, set_proxy, refusing_url, method):
        set_proxy(refusing_url)
        error = failure(method)
        assert isinstance(error, TransportError)
        assert "proxy" in str(error)
        assert not readable(PROXY_PASSWORD, shown(error))
        assert (len(clock.pauses), error.maybe_accepted) == (2, False)

    @pytest.mark.parametrize("method, status", [("GET", 403), ("POST", 407), ("POST", 504)])
    def test_proxy_refuses_the_request(self, serve, set_proxy, method, status):
        def script(connection, server):
            server.read_request(connection)
            connection.sendall(f"HTTP/1.1 {status} The password {PROXY_PASSWORD} is wrong\r\n\r\n".encode())

        proxy = serve(script)
        set_proxy(proxy)
        error = failure(method)
        assert isinstance(error, TransportError)
        assert "proxy" in str(error)
        assert str(status) in str(error)
        assert not readable(PROXY_PASSWORD, shown(error))
        assert (len(proxy.requests), error.maybe_accepted) == (1, False)
        assert TOKEN.encode() not in proxy.requests[0]

    @pytest.mark.parametrize(
        "method, sent, fault", [("POST", 1, loopback.reset_after_request), ("GET", 3, loopback.close_without_response)]
    )
    def test_response_lost_behind_the_proxy(self, serve, set_proxy, tls, ca_cert, fault, method, sent):
        proxy = serve(loopback.proxy(then=loopback.over_tls(tls, fault)))
        set_proxy(proxy)
        error = failure(method, "https://127.0.0.1:1/x", http=HttpClient(max_retries=2, ca_cert=ca_cert))
        assert [request.split()[0].decode() for request in proxy.requests] == ["CONNECT", method] * sent
        assert error.maybe_accepted == (method == "POST")

    @pytest.mark.parametrize("code", [errno.EHOSTUNREACH, errno.ENETDOWN, errno.EIO])
    def test_network_that_fails_behind_the_proxy(self, serve, set_proxy, tls, ca_cert, monkeypatch, code):
        """urllib3 1.26 reports that it could not connect to the proxy."""
        readinto = _connection._BoundedReader.readinto

        def fail(reader, buffer):
            if _connection._current.attempt.connected:
                raise OSError(code, os.strerror(code))
            return readinto(reader, buffer)

        monkeypatch.setattr(_connection._BoundedReader, "readinto", fail)
        set_proxy(serve(loopback.proxy(then=loopback.over_tls(tls, loopback.hold))))
        error = failure("POST", "https://127.0.0.1:1/x", http=HttpClient(max_retries=2, ca_cert=ca_cert))
        assert "no complete response" in str(error)
        assert error.maybe_accepted

    def test_unknown_authority_behind_the_proxy(self, serve, set_proxy, tls):
        proxy = serve(loopback.proxy(then=loopback.over_tls(tls, loopback.close_without_response)))
        set_proxy(proxy)
        error = failure("POST", "https://127.0.0.1:1/x")
        assert "ca_cert" in str(error)
        assert (len(proxy.requests), error.maybe_accepted) == (1, False)


class TestTlsErrors:
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
        server = serve(loopback.response(), tls=context)
        error = failure(method, server.url, http=HttpClient(max_retries=2, ca_cert=ca_cert))
        assert isinstance(error, TransportError)
        assert re.search(words, str(error))
        assert "TLS failed" in str(error)
        assert "ca_cert" in str(error)
        assert (server.requests, clock.pauses, error.maybe_accepted) == ([], [], False)

    def test_plain_http_where_tls_is_expected(self, serve):
        def script(connection, server):
            connection.recv(1)
            connection.sendall(loopback.response())

        error = failure("POST", serve(script).url.replace("http:", "https:"))
        assert isinstance(error, TransportError)
        assert "TLS failed" in str(error)
        assert error.maybe_accepted is False

    @METHODS
    def test_tls_where_plain_http_is_expected(self, serve, tls, method):
        server = serve(loopback.response(), tls=tls)
        error = failure(method, server.url.replace("https:", "http:"))
        assert isinstance(error, TransportError)
        # The client cannot know that the server did not understand the request.
        assert (server.requests, error.maybe_accepted) == ([], method == "POST")

    @METHODS
    def test_failure_after_the_request(self, serve, tls, ca_cert, method):
        def garbage(connection, server):
            server.read_request(connection)
            with socket.socket(fileno=connection.detach()) as raw:
                raw.sendall(b"\x17\x03\x03\x00\x20" + b"x" * 32)
                raw.recv(1)

        server = serve(garbage, tls=tls)
        error = failure(method, server.url, http=HttpClient(max_retries=2, ca_cert=ca_cert))
        assert "ca_cert" not in str(error)
        assert (len(server.requests), error.maybe_accepted) == (1, method == "POST")


@pytest.mark.parametrize(
    "response",
    [
        {"status": 404, "json": {"error_msg": "No."}},
        {"body": "no JSON"},
        {"body": "", "headers": {"Content-Encoding": "gzip"}},
        {"body": requests.exceptions.ConnectionError("refused")},
    ],
)
@pytest.mark.parametrize("form", ["Passw0rd-1", "PASSW0RD-1", "UGFzc3cwcmQtMQ"])
def test_url_that_contains_a_secret(cloud, response, form):
    """An ID in it may be from a response."""
    url = f"{URL}/{form}/x"
    cloud.get(url, **response)
    error = failure(url=url, http=HttpClient(secrets={"Passw0rd-1"}, max_retries=0))
    assert form not in str(error)


@pytest.mark.parametrize("method, attempts", [("GET", 3), ("POST", 1)])
def test_unexpected_eof_in_tls_is_a_lost_response(cloud, clock, method, attempts):
    """Python 3.13 reports a connection that was reset so, without the subclass of the exception for it."""
    error = ssl.SSLError(ssl.SSL_ERROR_SYSCALL, "[SSL: UNEXPECTED_EOF_WHILE_READING] unexpected eof while reading")
    error.reason = "UNEXPECTED_EOF_WHILE_READING"
    cloud.add(method, URL, body=requests.exceptions.SSLError(MaxRetryError(None, "/", SSLError(error))))
    found = failure(method)
    assert (len(cloud.calls), found.maybe_accepted) == (attempts, method == "POST")
    assert "no complete response" in str(found)
