# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that break before a request is sent, and responses without bounds."""

from __future__ import annotations

import gzip
import itertools
import json
import os
import queue
import re
import signal
import socket
import ssl
import sys
import threading

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _connection, _timeout
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    InvalidResponseError,
    TransportError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import TOKEN, execute, failure, send

METHODS = pytest.mark.parametrize("method", ["GET", "POST"])
CLIENT_HELLO = b"\x16\x03"
# The first bytes of a record of 16 KB that holds a ServerHello.
RECORD = b"\x16\x03\x03\x40\x00\x02"
BREAKS = {
    "end": loopback.within_handshake(loopback.close),
    "reset": loopback.within_handshake(loopback.reset),
    "reset before the ClientHello": loopback.reset,
    "end within the ServerHello": loopback.within_handshake(loopback.close, sent=RECORD),
    "reset within the ServerHello": loopback.within_handshake(loopback.reset, sent=RECORD),
    "close_notify": loopback.within_handshake(loopback.close, sent=b"\x15\x03\x03\x00\x02\x01\x00"),
}
HANGS = {
    "hang": loopback.within_handshake(loopback.hold),
    "hang within the ServerHello": loopback.within_handshake(loopback.hold, sent=RECORD),
    "drip": loopback.within_handshake(loopback.drip(b"x"), sent=RECORD),
}
PROXY_BREAKS = {
    "end after CONNECT": loopback.proxy(then=loopback.close),
    "hang after CONNECT": loopback.proxy(then=loopback.hold),
    **{f"{name} after CONNECT": loopback.proxy(then=script) for name, script in BREAKS.items()},
    "end in place of a response": loopback.close_without_response,
    "reset in place of a response": loopback.reset_after_request,
    "hang in place of a response": loopback.silence,
    "no HTTP": loopback.once(b"garbage\r\n\r\n"),
}


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLS1.2", "TLS1.3"])
def tls_version(request, authority):
    """The TLS context of a server that speaks one version only."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    context.minimum_version = context.maximum_version = request.param
    return context


@pytest.fixture
def http(ca_cert, request):
    """A client. Its timeout is short only if the server hangs."""
    hangs = "hang" in request.node.name or "drip" in request.node.name
    # Where no attempt has to succeed, the timeout may be too short for a slow machine.
    short = 0.3 if "test_not_accepted" in request.node.name else 1
    return HttpClient(timeout=short if hangs else 10, max_retries=2, ca_cert=ca_cert)


def https(server):
    return server.url.replace("http:", "https:")


def response_over(tls, body=b'{"id": "1"}'):
    return loopback.over_tls(tls, loopback.once(loopback.response(body)))


class TestHandshake:
    @METHODS
    def test_sent_again_for_every_method(self, serve, tls_version, http, clock, method):
        server = serve(BREAKS["end"], response_over(tls_version))
        assert send(method, https(server), http=http, body={"a": 1}).body == {"id": "1"}
        hello, request = server.requests  # The request was sent once.
        assert hello.startswith(CLIENT_HELLO)
        assert request.startswith(method.encode())
        assert len(clock.pauses) == 1

    @pytest.mark.parametrize("fault", [*BREAKS.values(), *HANGS.values()], ids=[*BREAKS, *HANGS])
    def test_sent_again_after_every_break(self, serve, tls, http, clock, fault):
        server = serve(fault, response_over(tls))
        assert send("POST", https(server), http=http).body == {"id": "1"}
        assert len([request for request in server.requests if not request.startswith(CLIENT_HELLO)]) == 1
        assert len(clock.pauses) == 1

    @pytest.mark.parametrize("fault", [*BREAKS.values(), *HANGS.values()], ids=[*BREAKS, *HANGS])
    def test_not_accepted(self, serve, http, clock, fault):
        server = serve(fault)
        error = failure("POST", https(server), http=http)
        assert isinstance(error, TransportError)
        assert (error.maybe_accepted, len(clock.pauses)) == (False, 2)
        assert "connection failed: " in str(error)
        if fault is not loopback.reset:  # which may come before the connection is there
            assert "connection failed: it broke before the end of the TLS handshake (" in str(error)
        assert ("timed out" in str(error)) is (fault in HANGS.values())
        assert "ca_cert" not in str(error)

    @pytest.mark.parametrize("fault", PROXY_BREAKS.values(), ids=PROXY_BREAKS)
    def test_behind_a_proxy(self, serve, monkeypatch, tls, http, clock, fault):
        proxy = serve(fault, loopback.proxy(then=response_over(tls)))
        monkeypatch.setenv("https_proxy", proxy.url)
        assert send("POST", "https://127.0.0.1:1/x", http=http).body == {"id": "1"}
        requests = [request.split()[0] for request in proxy.requests if not request.startswith(CLIENT_HELLO)]
        assert requests[-2:] == [b"CONNECT", b"POST"]
        assert set(requests[:-2]) <= {b"CONNECT"}
        assert len(clock.pauses) == 1

    @pytest.mark.parametrize("fault", PROXY_BREAKS.values(), ids=PROXY_BREAKS)
    def test_not_accepted_behind_a_proxy(self, serve, monkeypatch, http, clock, fault):
        monkeypatch.setenv("https_proxy", serve(fault).url)
        error = failure("POST", "https://127.0.0.1:1/x", http=http)
        assert (error.maybe_accepted, len(clock.pauses)) == (False, 2)
        assert "it broke before the end of the TLS handshake (" in str(error)

    @pytest.mark.parametrize(
        "alert, sent",
        [("handshake failure", b"\x15\x03\x03\x00\x02\x02\x28"), ("version", b"\x15\x03\x03\x00\x02\x02\x46")],
    )
    def test_refusal_is_not_repeated(self, serve, http, clock, alert, sent):
        """The response to the next attempt would be the same."""
        server = serve(loopback.within_handshake(loopback.close, sent=sent))
        error = failure("POST", https(server), http=http)
        assert "TLS failed" in str(error)
        assert alert in str(error)
        assert "ca_cert" not in str(error)
        assert (clock.pauses, error.maybe_accepted) == ([], False)

    def test_time_limit_of_an_attempt_in_the_handshake(self, serve, tls, ca_cert, monkeypatch, clock):
        """Each step of a connection has the timeout, and all together exceed the limit of an attempt."""
        original = _timeout.call_with_timeout
        monkeypatch.setattr(_timeout, "call_with_timeout", lambda seconds, function: original(limits.pop(), function))
        limits, server = [10, 0.25], serve(HANGS["hang"], response_over(tls))
        http = HttpClient(timeout=10, max_retries=1, ca_cert=ca_cert)
        assert send("POST", https(server), http=http).body == {"id": "1"}
        assert len(clock.pauses) == 1


class TestAfterTheHandshake:
    """The request may have been sent, and even been read."""

    @pytest.mark.parametrize("end", [loopback.close, loopback.reset, loopback.hold], ids=["end", "reset", "hang"])
    @pytest.mark.parametrize("method, attempts", [("GET", 3), ("POST", 1)])
    def test_connection_breaks_at_once(self, serve, tls_version, http, clock, method, attempts, end):
        error = failure(method, https(serve(loopback.over_tls(tls_version, end))), http=http)
        assert (len(clock.pauses), error.maybe_accepted) == (attempts - 1, method == "POST")

    def test_client_certificate_is_required(self, serve, tls_version, http, ca_cert):
        """In TLS 1.3, the handshake of the client is over by then."""
        tls_version.load_verify_locations(ca_cert)
        tls_version.verify_mode = ssl.CERT_REQUIRED
        server = serve(loopback.over_tls(tls_version, loopback.once(loopback.response())))
        error = failure("POST", https(server), http=http)
        assert error.maybe_accepted is (tls_version.minimum_version == ssl.TLSVersion.TLSv1_3)
        assert server.requests == []

    @METHODS
    def test_connection_that_is_used_again(self, serve, tls_version, http, clock, method):
        """The server closes it when the second request arrives."""

        def script(connection, server):
            server.read_request(connection)
            connection.sendall(loopback.head(200, "Content-Length: 2") + b"{}")
            server.read_request(connection)

        server = serve(loopback.over_tls(tls_version, script), response_over(tls_version))
        send(url=https(server), http=http)
        if method == "GET":
            assert send(url=https(server), http=http).body == {"id": "1"}
        else:
            assert failure("POST", https(server), http=http).maybe_accepted
        assert len(clock.pauses) == (method == "GET")


def test_each_pool_gets_the_class_once(serve, tls, http):
    server = serve(loopback.each(loopback.head(200, "Content-Length: 2") + b"{}"), tls=tls)
    for _request in range(3):
        send(url=server.url, http=http)
    (pool,) = [http._adapter.poolmanager.pools[key] for key in http._adapter.poolmanager.pools.keys()]
    assert pool.num_connections == 1
    assert [cls.__name__ for cls in pool.ConnectionCls.__mro__][:3] == [
        "Connection",
        "_Connection",
        "HTTPSConnection",
    ]


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n"
CHUNKED = loopback.head(200, "Transfer-Encoding: chunked")
# What a server may send without end, where libraries expect an end.
ENDLESS = {
    "chunk of negative length": (CHUNKED + b"-1\r\n", b" " * 65536),
    "length of a chunk": (CHUNKED, b"1" * 65536),
    "extension of a chunk": (CHUNKED + b"1;", b"1" * 65536),
    "trailer": (CHUNKED + b"0\r\n", b"X-Trailer: x\r\n" * 5000),
    "statuses": (b"", loopback.head(100) * 5000),
}


@pytest.mark.parametrize("over", ["https", "proxy"])
def test_second_response_to_one_request(serve, tls, ca_cert, monkeypatch, over):
    """It is not taken for the response to the next request. Python reads 8,192 bytes from TLS at a time."""

    def response(text, size=0):
        body = json.dumps({"id": text}).encode()
        return loopback.head(200, f"Content-Length: {size or len(body)}") + body.ljust(size)

    size = 8192 - len(loopback.head(200, "Content-Length: 8000"))
    scripts = [loopback.each(response("1", size) + response("stray")), loopback.each(response("2"))]
    if over == "proxy":
        server = serve(*(loopback.proxy(then=loopback.over_tls(tls, script)) for script in scripts))
        monkeypatch.setenv("https_proxy", server.url)
    else:
        server = serve(*scripts, tls=tls)
    http = HttpClient(ca_cert=ca_cert, max_retries=0)
    url = "https://127.0.0.1:1/x" if over == "proxy" else server.url
    assert [send("POST", url, http=http).body for _number in range(2)] == [{"id": "1"}, {"id": "2"}]


class TestBounds:
    @pytest.mark.parametrize("start, piece", ENDLESS.values(), ids=ENDLESS)
    @pytest.mark.parametrize("over", ["http", "https"])
    def test_endless_response(self, serve, tls, http, monkeypatch, over, start, piece):
        monkeypatch.setattr(_connection, "MAX_RESPONSE", 2**20)
        server = serve(loopback.endless(start, piece), tls=tls if over == "https" else None)
        error = failure("POST", server.url, http=http)
        # Newer versions of urllib3 bound some lines themselves.
        assert re.search("with more than|line exceeded maximum", str(error))
        assert error.maybe_accepted is True
        assert isinstance(error, TransportError) or error.http_status == (None if start == b"" else 200)
        # What the sockets hold is not read.
        assert server.sent < 2**25

    def test_threads_share_the_limit(self, serve):
        """Otherwise, the limit of a batch of 100 jobs would be that of one job times 100."""
        server = serve(loopback.endless(CHUNKED + b"-1\r\n", b" " * 4096))
        error = failure("POST", server.url, http=HttpClient(connections=100, max_retries=0))
        assert re.search("with more than", str(error))
        assert server.sent < 2**23  # with what the sockets hold

    def test_proxy_without_end(self, serve, http, monkeypatch):
        monkeypatch.setattr(_connection, "MAX_RESPONSE", 2**18)
        # Newer versions of Python bound the number of headers themselves.
        proxy = serve(loopback.endless(b"HTTP/1.1 200 OK\r\n", b"X: " + b"x" * 60000 + b"\r\n"))
        monkeypatch.setenv("https_proxy", proxy.url)
        error = failure("POST", "https://127.0.0.1:1/x", http=http)
        assert proxy.sent < 2**25
        assert TOKEN.encode() not in proxy.requests[0]
        assert "could not be sent: The response has more than" in str(error)
        assert not error.maybe_accepted

    @pytest.mark.parametrize("length", [b"-5", b"-%d" % 2**80, b"%x" % 2**80, b"zz", b""])
    @pytest.mark.parametrize("method, sent", [("GET", 3), ("POST", 1)])
    def test_length_of_a_chunk_is_invalid(self, serve, http, method, sent, length):
        """A lost response, whatever exception it causes."""
        server = serve(loopback.once(CHUNKED + length + b"\r\n{}\r\n0\r\n\r\n"))
        error = failure(method, server.url, http=http)
        assert isinstance(error, TransportError)
        assert "no complete response" in str(error)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")

    @pytest.mark.parametrize("over", ["http", "https"])
    @pytest.mark.parametrize("cut", [*range(len("HTTP/1.1 200"), len(HEAD), 5), len(HEAD) - 1])
    def test_head_that_is_cut(self, serve, tls, http, over, cut):
        """Python takes the end of the connection for the end of the headers, and Content-Length is lost with them."""
        server = serve(loopback.once(HEAD[:cut]), tls=tls if over == "https" else None)
        error = failure("PUT", https(server) if over == "https" else server.url, http=http)
        assert isinstance(error, TransportError)
        assert "no complete response" in str(error)
        assert error.maybe_accepted

    @pytest.mark.parametrize("end", [b"", b"0", b"0\r", b"0\r\n", b"0\r\n\r"])
    def test_chunks_that_are_cut(self, serve, http, end):
        """Of a size such as 00000044, the beginning is the size of the last chunk."""
        error = failure("PUT", serve(loopback.once(CHUNKED + end)).url, http=http)
        assert isinstance(error, TransportError)
        assert error.maybe_accepted

    def test_line_that_is_no_header(self, serve, http, caplog):
        """urllib3 logs it, and Ansible writes that to the log of the controller."""
        server = serve(loopback.response(b'{"id": "1"}', headers=[f"an echo of {TOKEN}", "X-Request-Id: r1"]))
        with caplog.at_level("DEBUG"):
            send(url=server.url, http=http)
        assert TOKEN[:20] not in caplog.text

    @pytest.mark.parametrize("body", [b"", b" \r\n"])
    def test_empty_body_without_a_length(self, serve, http, body):
        """Nothing tells that it is complete."""
        error = failure("PUT", serve(loopback.once(b"HTTP/1.1 200 OK\r\n\r\n" + body)).url, http=http)
        assert isinstance(error, TransportError)
        assert error.maybe_accepted

    @pytest.mark.parametrize(
        "response, body",
        [
            (HEAD + b"{}", {}),
            (b"HTTP/1.1 204 No Content\r\n\r\n", {}),
            (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", {}),
            (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {}),
            (b'HTTP/1.0 200 OK\r\n\r\n{"id": "1"}', {"id": "1"}),
            (b'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{"id": "1"}', {"id": "1"}),
        ],
    )
    def test_complete_response(self, serve, http, response, body):
        assert send("PUT", url=serve(loopback.once(response)).url, http=http).body == body

    @pytest.mark.parametrize("statuses", [[100], [102], [103, 103], [100, 199], [101]])
    @pytest.mark.parametrize("over", ["http", "https"])
    def test_response_after_an_interim_one(self, serve, tls, ca_cert, statuses, over):
        """It is not the response to the next request on the connection, even if it comes late."""
        number = itertools.count(1)

        def interim(connection, server):
            while True:
                server.read_request(connection)
                for status in statuses:
                    connection.sendall(loopback.head(status, "Link: </a>"))
                server.stopped.wait(0.05)
                body = b'{"id": "%d"}' % next(number)
                connection.sendall(loopback.head(200, f"Content-Length: {len(body)}") + body)

        server = serve(interim, tls=tls if over == "https" else None)
        url = https(server) if over == "https" else server.url
        http = HttpClient(timeout=10, max_retries=0, ca_cert=ca_cert)
        if statuses == [101]:
            for _request in range(2):
                error = failure("POST", url, http=http)
                assert (error.http_status, error.maybe_accepted) == (101, True)
        else:
            assert [send("POST", url, http=http).body["id"] for _request in range(3)] == ["1", "2", "3"]

    @pytest.mark.parametrize("status", [102, 103])
    def test_interim_response_without_a_final_one(self, serve, http, status):
        error = failure("POST", serve(loopback.once(loopback.head(status))).url, http=http)
        assert isinstance(error, TransportError)
        assert error.maybe_accepted

    def test_refusal_without_a_body(self, serve, http):
        error = failure("PUT", serve(loopback.once(b"HTTP/1.1 403 Forbidden\r\n\r\n")).url, http=http)
        assert (error.http_status, error.maybe_accepted) == (403, False)

    @pytest.mark.parametrize("encoding", ["gzip", "gzip, gzip", "deflate", "br", "GZIP"])
    def test_encoding_that_was_not_asked_for(self, serve, http, encoding):
        body = gzip.compress(gzip.compress(b" " * 100000 + b"{}"))
        server = serve(loopback.response(body, headers=[f"Content-Encoding: {encoding}", "X-Request-Id: r1"]))
        error = failure("POST", server.url, http=http)
        assert isinstance(error, InvalidResponseError)
        assert "an encoding that was not asked for" in str(error)
        assert (error.http_status, error.request_id, error.maybe_accepted) == (200, "r1", True)

    @pytest.mark.parametrize("status", [400, 401])
    def test_error_in_an_encoding_that_was_not_asked_for(self, serve, http, status):
        """Gateways send such error pages. The status says that the request was refused."""
        server = serve(loopback.response(gzip.compress(b"{}"), status, headers=["Content-Encoding: gzip"]))
        error = failure("POST", server.url, http=http)
        assert isinstance(error, ApiError)
        assert "an encoding that was not asked for" in str(error)
        assert (error.http_status, error.maybe_accepted) == (status, False)

    def test_encoding_identity(self, serve, http):
        server = serve(loopback.response(b'{"id": "1"}', headers=["Content-Encoding: Identity"]))
        assert send(url=server.url, http=http).body == {"id": "1"}

    @pytest.mark.parametrize("before", [b"", b"X-Other: a\r", b"X-Other: a\r\n b\r\n"])
    @pytest.mark.parametrize("name", [b"Content-Type", b"CONTENT-TYPE"])
    @pytest.mark.parametrize("parameter", [b";a" * 30000 + b"\r\n ", b"; boundary=" + b"a" * 60000 + b"\r\n "])
    def test_header_of_a_multipart_body(self, serve, before, name, parameter):
        """Python would parse 1.4 MB of it for minutes, also after the attempt was given up."""
        headers = before + name + b": multipart/x" + parameter * 24
        server = serve(
            loopback.once(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\nContent-Length: 11\r\n\r\n" + b'{"id": "1"}')
        )
        assert send(url=server.url, http=HttpClient(timeout=10, max_retries=0)).body == {"id": "1"}

    def test_cookie_that_python_cannot_parse(self, serve, http, recwarn):
        cookie = f"Set-Cookie: a=b; expires=Thu, 01 Jan {'9' * 5000} 00:00:00 GMT"
        server = serve(loopback.response(b'{"id": "1"}', headers=[cookie, "X-Request-Id: r1"]))
        assert send(url=server.url, http=http).request_id == "r1"
        # Other warnings may come from whatever else runs meanwhile, such as those of old versions of urllib3.
        assert [warning for warning in recwarn if "http.cookiejar" in str(warning.message)] == []

    @pytest.mark.parametrize(
        "fault", [loopback.drip_header, loopback.drip_body, loopback.drip_chunks, loopback.silence]
    )
    @pytest.mark.parametrize("over", ["http", "https", "proxy"])
    def test_attempt_that_is_given_up_ends(self, serve, tls, ca_cert, monkeypatch, over, fault):
        """Its thread ends and its connection is closed, although the server goes on."""
        original = _timeout.call_with_timeout
        monkeypatch.setattr(_timeout, "call_with_timeout", lambda _seconds, function: original(1, function))
        server = serve(fault, tls=tls if over == "https" else None)
        if over == "proxy":
            monkeypatch.setenv("https_proxy", server.url)
        threads = set(threading.enumerate())
        url = "https://127.0.0.1:1/x" if over == "proxy" else server.url
        error = failure("POST", url, http=HttpClient(timeout=60, max_retries=0, ca_cert=ca_cert))
        assert error.maybe_accepted is (over != "proxy")
        for thread in set(threading.enumerate()) - threads:
            thread.join(20)  # less than the timeout
            assert not thread.is_alive()

    @pytest.mark.parametrize("over", ["http", "https", "proxy"])
    def test_attempt_that_is_given_up_sends_nothing(self, serve, tls, ca_cert, monkeypatch, clock, over):
        """The lookup of the name takes so long that another attempt has sent the request when it ends."""
        lookup, call = socket.getaddrinfo, _timeout.call_with_timeout
        limits, lookups, found = [20, 0.3], [], threading.Event()

        def slow_lookup(*args, **kwargs):
            lookups.append(threading.current_thread())
            assert len(lookups) > 1 or found.wait(20)
            return lookup(*args, **kwargs)

        monkeypatch.setattr(socket, "getaddrinfo", slow_lookup)
        monkeypatch.setattr(_timeout, "call_with_timeout", lambda _seconds, function: call(limits.pop(), function))
        response = loopback.response(b'{"id": "1"}')
        script = loopback.proxy(then=loopback.over_tls(tls, loopback.once(response))) if over == "proxy" else response
        server = serve(script, tls=tls if over == "https" else None)
        if over == "proxy":
            monkeypatch.setenv("https_proxy", server.url)
        url = "https://127.0.0.1:1/x" if over == "proxy" else server.url
        assert send("POST", url, http=HttpClient(max_retries=1, ca_cert=ca_cert)).body == {"id": "1"}
        found.set()
        lookups[0].join(20)
        assert not lookups[0].is_alive()
        assert [request.split()[0] for request in server.requests].count(b"POST") == 1
        assert len(clock.pauses) == 1

    # A signal within Condition.wait() may become a RuntimeError.
    @pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("release unlocked lock")])
    def test_signal_before_the_request_is_sent(self, serve, monkeypatch, error):
        """The thread that connects goes on until the process ends."""
        lookup, lookups, found = socket.getaddrinfo, [], threading.Event()

        def slow_lookup(*args, **kwargs):
            lookups.append(threading.current_thread())
            assert found.wait(20)
            return lookup(*args, **kwargs)

        class Interrupted(queue.SimpleQueue):
            def get(self, *args, **kwargs):
                raise error

        monkeypatch.setattr(socket, "getaddrinfo", slow_lookup)
        monkeypatch.setattr(queue, "SimpleQueue", Interrupted)
        server, threads = serve(loopback.response()), set(threading.enumerate())
        with pytest.raises((KeyboardInterrupt, TransportError)) as caught:
            send("POST", server.url, http=HttpClient())
        assert not getattr(caught.value, "maybe_accepted", False)
        found.set()
        for thread in set(threading.enumerate()) - threads:
            thread.join(20)
            assert not thread.is_alive()
        assert server.requests == []

    @pytest.mark.parametrize(
        "method, more, changes",
        [
            ("GET", {}, False),
            ("POST", {}, True),
            ("POST", {"read_only": True}, False),
            ("POST", {"secret_header": "X-Subject-Token"}, False),
        ],
    )
    def test_signal_after_the_request_was_sent(self, serve, method, more, changes):
        """The client knows a request that DRS may have accepted."""

        def interrupt(connection, server):
            server.read_request(connection)
            os.kill(os.getpid(), signal.SIGINT)
            loopback.hold(connection, server)

        server = serve(interrupt)
        http = HttpClient()
        with pytest.raises(KeyboardInterrupt):
            send(method, server.url, http=http, **more)
        assert http.last_change == (f"POST {server.url}" if changes else None)


def test_import_without_requests(monkeypatch):
    """The client reports it."""
    monkeypatch.setitem(sys.modules, "requests.adapters", None)
    assert execute(_connection.__file__, _connection.__name__).Adapter.__base__ is object


def test_attempt_without_a_connection_can_be_given_up():
    _connection.Attempt().give_up()
