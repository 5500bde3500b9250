# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html
import json
import socket
import ssl
import sys
import time
from email.utils import formatdate
from urllib.parse import quote, urlsplit

import pytest
import requests
import responses
import trustme
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import (
    ApiError,
    BadAnswerError,
    HttpClient,
    HuaweiCloudError,
    InputError,
    NoAnswerError,
    check_endpoint,
)
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import PASSWORD, TOKEN, execute

URL = "https://drs.example.com/v5/thing"


def with_token(request):
    request.headers["X-Auth-Token"] = TOKEN
    return request


def send(method="GET", url=URL, http=None, **kwargs):
    return (http or HttpClient(timeout=10, max_retries=2)).request(method, url, auth=with_token, **kwargs)


def failure(*args, **kwargs):
    with pytest.raises(HuaweiCloudError) as caught:
        send(*args, **kwargs)
    return caught.value


def answered(body, status=400, **kwargs):
    """The error that an answer makes."""
    with responses.RequestsMock() as cloud:
        cloud.get(URL, body=body, status=status, **kwargs)
        return failure(http=HttpClient(max_retries=0))


class TestRequest:
    def test_what_is_sent(self, cloud):
        cloud.post(URL, json={})
        send("POST", params={"query_id": "a b&c"}, headers={"X-Language": "zh-cn"}, body={"time": "ö"}, http=HttpClient(user_agent="test/1"))
        request = cloud.calls[0].request
        assert request.url == f"{URL}?query_id=a+b%26c"
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

    def test_no_body(self, cloud):
        cloud.get(URL, json={})
        send()
        assert cloud.calls[0].request.body is None

    def test_answer(self, cloud):
        cloud.get(URL, status=202, json={"id": "1"}, headers={"X-Request-Id": "r1", "X-Subject-Token": "t"})
        answer = send()
        assert (answer.status, answer.body, answer.request_id, answer.headers["x-subject-token"]) == (202, {"id": "1"}, "r1", "t")

    @pytest.mark.parametrize("status, body", [(200, b""), (201, b" \r\n"), (204, b"")])
    def test_empty_answer(self, cloud, status, body):
        cloud.get(URL, body=body, status=status)
        assert send().body == {}

    def test_errors_of_old_in_an_answer_are_not_its_own(self, cloud):
        job = {"job": {"error_code": "DRS.M00304", "error_msg": "some time ago"}, "code": "mysql", "message": "text"}
        cloud.get(URL, json=job)
        assert send().body == job

    def test_large_answer(self, serve):
        server = serve(loopback.answer(b'{"id": "' + b"x" * 1000000 + b'"}'))
        assert len(send(url=server.url).body["id"]) == 1000000


# method, status, requests sent with two retries, whether the server may have carried it out
RETRIES = [
    *((method, status, 3, False) for method in ("GET", "POST", "PUT") for status in (429, 503)),
    *(("GET", status, 3, False) for status in (500, 501, 502, 504, 599)),
    *((method, status, 1, True) for method in ("POST", "PUT", "DELETE") for status in (500, 501, 502, 504, 599)),
    *((method, status, 1, False) for method in ("GET", "POST") for status in (300, 302, 307, 400, 401, 403, 404, 408, 409, 418)),
]

# A fault, the requests sent with two retries if the method is GET, and if it is POST. Nobody knows what became of the latter.
FAULTS = [
    (loopback.reset_within_request, 3, 1),
    (loopback.reset_after_request, 3, 1),
    (loopback.reset_within_body, 3, 1),
    (loopback.close_without_answer, 3, 1),
    pytest.param(loopback.answer(b'{"id": ', length=1000), 3, 1, id="cut_body"),
    (b"garbage\r\n\r\n", 3, 1),
    (b"HTTP/1.1 abc\r\n\r\n", 3, 1),
    (b"\x15\x03\x01\x00\x02\x02", 3, 1),
]


class TestRetries:
    @pytest.mark.parametrize("method, status, sent, maybe_accepted", RETRIES)
    def test_status(self, cloud, clock, method, status, sent, maybe_accepted):
        for attempt in range(sent):
            cloud.add(method, URL, status=status, json={"error_code": f"E{attempt}"})
        error = failure(method, http=HttpClient(max_retries=2))
        assert isinstance(error, ApiError)
        assert (len(cloud.calls), len(clock.pauses)) == (sent, sent - 1)
        assert (error.http_status, error.maybe_accepted) == (status, maybe_accepted)
        # The last answer is what the user sees, not that the retries are used up.
        assert error.error_code == f"E{sent - 1}"

    @pytest.mark.parametrize("method, first", [("GET", 503), ("GET", 500), ("POST", 429), ("POST", 503)])
    def test_success_in_the_end(self, cloud, method, first):
        cloud.add(method, URL, status=first)
        cloud.add(method, URL, json={"id": "1"})
        assert send(method).body == {"id": "1"}

    @pytest.mark.parametrize("fault, gets, posts", FAULTS)
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_fault(self, serve, method, fault, gets, posts):
        server = serve(fault)
        error = failure(method, server.url, body={"a": 1})
        assert isinstance(error, NoAnswerError)
        assert len(server.requests) == (gets if method == "GET" else posts)
        assert error.maybe_accepted == (method == "POST")
        assert server.url in str(error)

    @pytest.mark.parametrize("method, sent", [("GET", 3), ("POST", 1)])
    def test_cut_body_that_urllib3_lets_pass(self, serve, monkeypatch, method, sent):
        def build_response(adapter, request, raw):
            raw.enforce_content_length = False  # as it is in urllib3 1
            return original(adapter, request, raw)

        original = requests.adapters.HTTPAdapter.build_response
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "build_response", build_response)
        server = serve(loopback.answer(b'{"id": "1"}', length=1000))
        error = failure(method, server.url)
        assert isinstance(error, NoAnswerError)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")

    @pytest.mark.parametrize("fault", [loopback.silence, loopback.stall_within_body, loopback.drip])
    @pytest.mark.parametrize("method, sent", [("GET", 2), ("POST", 1)])
    def test_time_out(self, serve, method, sent, fault):
        server = serve(fault)
        error = failure(method, server.url, http=HttpClient(timeout=0.2, max_retries=1), body={"a": 1})
        assert isinstance(error, NoAnswerError)
        assert "0.2 seconds" in str(error)
        assert len(server.requests) == sent
        assert error.maybe_accepted == (method == "POST")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_lost_then_found(self, serve, method):
        server = serve(loopback.reset_after_request, loopback.answer(b'{"id": "1"}'))
        if method == "GET":
            assert send(method, server.url).body == {"id": "1"}
        else:
            failure(method, server.url)
            assert len(server.requests) == 1

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_connection_refused(self, refusing_url, clock, method):
        error = failure(method, refusing_url)
        assert "no connection" in str(error)
        assert (len(clock.pauses), error.maybe_accepted) == (2, False)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_name_not_resolved(self, monkeypatch, clock, method):
        def getaddrinfo(*args, **kwargs):
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        error = failure(method, "https://drs.invalid")
        assert "no connection" in str(error)
        assert "drs.invalid" in str(error)
        assert (len(clock.pauses), error.maybe_accepted) == (2, False)

    def test_no_retries(self, cloud, clock):
        cloud.get(URL, status=503, headers={"Retry-After": "1"})
        assert failure(http=HttpClient(max_retries=0)).http_status == 503
        assert (len(cloud.calls), clock.pauses) == (1, [])

    def test_each_request_has_retries_of_its_own(self, cloud):
        http = HttpClient(max_retries=1)
        for _request in range(3):
            cloud.get(URL, status=503)
            cloud.get(URL, json={})
            send(http=http)
        assert len(cloud.calls) == 6


class TestPauses:
    @pytest.mark.parametrize("asked, pause", [("7", 7), (" 7 ", 7), ("60", 60), ("61", 60), ("86400", 60), ("9" * 400, 60)])
    @pytest.mark.parametrize("status", [429, 503])
    def test_retry_after(self, cloud, clock, status, asked, pause):
        cloud.post(URL, status=status, headers={"Retry-After": asked})
        cloud.post(URL, json={})
        send("POST")
        assert clock.pauses == [pause]

    def test_retry_after_date(self, cloud, clock):
        cloud.get(URL, status=503, headers={"Retry-After": formatdate(time.time() + 30, usegmt=True)})
        cloud.get(URL, status=503, headers={"Retry-After": "Fri, 31 Dec 9999 23:59:59 GMT"})
        cloud.get(URL, json={})
        send()
        assert clock.pauses == [pytest.approx(30, abs=3), 60]

    @pytest.mark.parametrize("asked", ["0", "-5", "soon", "1.5", "", "Mon, 01 Jan 2001 00:00:00 GMT", "Fri, 99 Foo 2023 99:00:00 GMT"])
    def test_retry_after_of_no_use(self, cloud, clock, asked):
        cloud.get(URL, status=503, headers={"Retry-After": asked})
        cloud.get(URL, json={})
        send()
        assert len(clock.pauses) == 1
        assert 0.5 <= clock.pauses[0] <= 1

    def test_retry_after_from_a_server(self, serve, clock):
        throttled = loopback.answer(b'{"error_code": "APIGW.0308"}', 429, headers=["Retry-After: 3"])
        server = serve(throttled, throttled, loopback.answer())
        send("POST", server.url)
        assert (len(server.requests), clock.pauses) == (3, [3, 3])

    def test_backoff(self, cloud, clock):
        cloud.get(URL, status=503)
        for _attempt in range(10):
            clock.pauses.clear()
            failure(http=HttpClient(max_retries=9))
            assert len(clock.pauses) == 9
            assert all(min(60, 0.5 * 2**number) <= pause <= min(60, 2**number) for number, pause in enumerate(clock.pauses))

    def test_jitter(self, cloud, clock):
        cloud.get(URL, status=503)
        for _attempt in range(5):
            failure(http=HttpClient(max_retries=1))
        assert len(set(clock.pauses)) > 1


class TestDeadline:
    def test_nothing_is_sent_after_it(self, cloud, clock):
        cloud.get(URL, status=503, headers={"Retry-After": "30"})
        assert failure(deadline=clock.monotonic() + 31.5, http=HttpClient(max_retries=4)).http_status == 503
        assert (len(cloud.calls), clock.pauses) == (2, [30])

    @pytest.mark.parametrize("left, timeout", [(100, 10), (5, 5), (0.2, 1), (-5, 1)])
    def test_it_bounds_the_time_out(self, cloud, clock, left, timeout):
        cloud.get(URL, json={})
        send(deadline=clock.monotonic() + left)
        assert cloud.calls[0].request.req_kwargs["timeout"] == pytest.approx(timeout, abs=0.5)

    def test_without_it(self, cloud):
        cloud.get(URL, json={})
        send()
        assert cloud.calls[0].request.req_kwargs["timeout"] == 10


DEEP = b"[" * 100000
ERRORS = [
    # body, error_code, error_msg
    ({"error_code": "DRS.M00102", "error_msg": "No permission."}, "DRS.M00102", "No permission."),
    ({"errorCode": "DRS.M00102", "errorMsg": "No permission."}, "DRS.M00102", "No permission."),
    ({"code": "DRS.M00102", "message": "No permission."}, "DRS.M00102", "No permission."),
    ({"error": {"error_code": "X", "error_msg": "y"}}, "X", "y"),
    ({"error": {"errorCode": "X", "errorMsg": "y"}}, "X", "y"),
    ({"error": {"code": 401, "message": "The account is locked.", "title": "Unauthorized"}}, "401", "The account is locked."),
    ({"noise": {"a": 1}, "error": {"code": "X", "message": "y"}}, "X", "y"),
    ({"error_msg": "only words"}, None, "only words"),
    ({"error_code": "X"}, "X", None),
    ({"error_code": "X", "error_msg": None}, "X", None),
    ({"error_code": ["X"], "error_msg": {"a": 1}}, "['X']", "{'a': 1}"),
    ({"error_code": "outer", "error": {"error_code": "inner"}}, "outer", None),
    ({"error": "text"}, None, None),
    ({"error": {"error": {"code": "too deep"}}}, None, None),
    ({}, None, None),
    ([], None, None),
    ([{"error_code": "X"}], None, None),
    (None, None, None),
    (0, None, None),
    ("text", None, None),
    (b"", None, None),
    (b" \n ", None, None),
    (b"<html><head><title>502 Bad &amp; <b>", None, "an HTML page without a title"),
    (b"<!DOCTYPE html><HTML><TITLE lang=en>\n 502 Bad &amp; Gateway </TITLE>" + b"<p>x" * 99, None, "502 Bad & Gateway"),
    (b"<html><body>Oh no</body></html>", None, "an HTML page without a title"),
    (b"upstream connect error", None, "upstream connect error"),
    (b'{"error_code": "DRS.M0', None, '{"error_code": "DRS.M0'),
    (b"caf\xe9", None, "caf\N{REPLACEMENT CHARACTER}"),
    (b"\xef\xbb\xbfbyte order mark", None, "byte order mark"),
    pytest.param(DEEP, None, "[" * 512, id="deep"),
    (b'{"error_msg": "a\\ud800b"}', None, "a b"),
    (b'{"error_msg": "\\u001b[31mred\\u0007\\u009b0m\\r\\nline\\u2028two\\u202e"}', None, "[31mred 0m line two"),
    (b"\x1b]0;title\x07text\x00", None, "]0;title text"),
    pytest.param({"error_msg": "x" * 2000}, None, "x" * 512, id="long"),
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["error", "error_code", "errorMsg", "code", "message", "request_id"]) | st.text(), inner),
)


class TestErrors:
    @pytest.mark.parametrize("body, error_code, error_msg", ERRORS)
    def test_body(self, body, error_code, error_msg):
        error = answered(body if isinstance(body, bytes) else json.dumps(body), status=418)
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
        error = answered(json.dumps(body), headers=headers)
        assert error.request_id == request_id
        assert (request_id or "request id") in str(error) or not request_id

    def test_status_that_is_repeated_as_code_is_shown_once(self):
        assert str(answered('{"error": {"code": 401, "message": "no"}}', status=401)).count("401") == 1

    @pytest.mark.parametrize(
        "body, part",
        [
            (b"[]", "JSON list"),
            (b"null", "JSON NoneType"),
            (b"12", "JSON int"),
            (b'"text"', "JSON str"),
            (b"<html><title>Log in</title>", "Log in"),
            (b'{"id": "0ea', '{"id": "0ea'),
            pytest.param(DEEP, "not JSON", id="deep"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_success_that_is_none(self, cloud, method, body, part):
        cloud.add(method, URL, status=200, body=body, headers={"X-Request-Id": "r1"})
        error = failure(method)
        assert isinstance(error, BadAnswerError)
        assert (error.http_status, error.request_id, error.maybe_accepted) == (200, "r1", method == "POST")
        assert part in str(error)
        assert "r1" in str(error)

    @pytest.mark.parametrize("body", [{"error_code": "DRS.M01504", "error_msg": "busy"}, {"errorCode": "DRS.M01504", "errorMsg": "busy", "id": "1"}])
    def test_success_with_an_error_code(self, cloud, body):
        cloud.post(URL, status=202, json=body)
        error = failure("POST")
        assert isinstance(error, ApiError)
        assert (error.http_status, error.error_code, error.error_msg, error.maybe_accepted) == (202, "DRS.M01504", "busy", False)

    @pytest.mark.parametrize("script", [pytest.param(loopback.answer(b" " * 3000000), id="with-length"), pytest.param(loopback.flood, id="in-chunks")])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_megabytes(self, serve, method, script):
        server = serve(script)
        error = failure(method, server.url)
        assert isinstance(error, BadAnswerError)
        assert (error.http_status, error.maybe_accepted, len(server.requests)) == (200, method == "POST", 1)
        assert "bytes" in str(error)

    @given(st.binary() | st.text().map(str.encode) | JSON.map(json.dumps).map(str.encode), st.sampled_from([200, 202, 400, 401, 404, 429, 500, 503]))
    def test_any_body(self, body, status):
        with responses.RequestsMock() as cloud:
            cloud.get(URL, body=body, status=status)
            try:
                assert isinstance(send(http=HttpClient(max_retries=0)).body, dict)
            except HuaweiCloudError as error:
                assert str(error).isprintable()

    def test_advice(self):
        error = HuaweiCloudError("It broke.")
        error.advise(None)
        error.advise("")
        assert str(error) == "It broke."
        error.advise("Mend it.")
        error.advise("Then test it.")
        assert str(error) == "It broke. Mend it. Then test it."


class TestRedirects:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_not_followed(self, serve, method, status):
        elsewhere = serve(loopback.answer())
        server = serve(loopback.answer(status=status, headers=[f"Location: {elsewhere.url}/x"]))
        error = failure(method, server.url)
        assert isinstance(error, ApiError)
        assert elsewhere.url in str(error)
        assert (error.http_status, len(server.requests), elsewhere.requests) == (status, 1, [])

    def test_without_a_target(self):
        assert answered("", status=302).http_status == 302


class TestSecrets:
    @pytest.mark.parametrize("secret", [pytest.param(PASSWORD, id="password"), pytest.param(TOKEN, id="token"), "pa'ss&<>\"\\"])
    @pytest.mark.parametrize(
        "echo",
        [
            pytest.param(lambda secret: f"You sent {secret}!".encode(), id="text"),
            pytest.param(lambda secret: json.dumps({"error_msg": f"You sent {secret}!"}).encode(), id="json"),
            pytest.param(lambda secret: json.dumps({"error_code": secret, "request_id": secret}).encode(), id="code"),
            pytest.param(lambda secret: json.dumps({"error_msg": json.dumps({"password": secret})}).encode(), id="json-in-json"),
            pytest.param(lambda secret: ("x" + json.dumps({"password": secret})).encode(), id="json-in-text"),
            pytest.param(lambda secret: f"<title>{html.escape(secret)}</title>".encode(), id="html-title"),
            pytest.param(lambda secret: f"Bad input: {html.escape(secret)}".encode(), id="html"),
            pytest.param(lambda secret: f"GET /?password={quote(secret)}".encode(), id="url"),
        ],
    )
    @pytest.mark.parametrize("status", [200, 400, 500])
    def test_echoed(self, cloud, secret, echo, status):
        cloud.get(URL, status=status, body=echo(secret), headers={"X-Request-Id": quote(secret)})
        error = failure(http=HttpClient(max_retries=0, secrets={secret}))
        shown = " ".join(map(str, (error, error.error_code, error.error_msg, error.request_id)))
        assert "********" in shown
        for form in (secret, json.dumps(secret)[1:-1], html.escape(secret), quote(secret)):
            assert form not in shown

    @pytest.mark.parametrize("length", [20, 100, 5000])
    def test_token_cut_short(self, length):
        body = f"X-Auth-Token {TOKEN[:length]} is not valid"
        with responses.RequestsMock() as cloud:
            cloud.get(URL, status=401, body=body)
            error = failure(http=HttpClient(secrets={TOKEN}))
        assert error.error_msg == "X-Auth-Token ******** is not valid"

    def test_redirect(self, cloud):
        cloud.get(URL, status=302, headers={"Location": f"https://elsewhere.example.com/?token={quote(TOKEN)}"})
        error = failure(http=HttpClient(secrets={TOKEN}))
        assert "token=********" in str(error)
        assert TOKEN[:32] not in str(error)

    def test_added_later(self, cloud):
        secrets = {""}
        http = HttpClient(secrets=secrets)
        secrets.add("hush-hush")
        cloud.get(URL, status=400, body="It is hush-hush.")
        assert failure(http=http).error_msg == "It is ********."


class TestEnvironment:
    @pytest.mark.parametrize("auth", [with_token, None])
    def test_netrc(self, serve, monkeypatch, tmp_path, auth):
        for name in (".netrc", "_netrc"):
            (tmp_path / name).write_text("machine 127.0.0.1 login them password theirs\ndefault login them password theirs\n")
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        server = serve(loopback.answer())
        assert requests.get(server.url, timeout=10).request.headers["Authorization"]
        HttpClient().request("GET", server.url, auth=auth)
        assert b"authorization:" in server.requests[0].lower()
        assert b"authorization:" not in server.requests[1].lower()

    def test_proxy(self, serve, monkeypatch):
        proxy = serve(loopback.answer(b'{"by": "proxy"}'))
        monkeypatch.setenv("http_proxy", proxy.url.replace("://", "://them:th%40irs@"))
        http = HttpClient()
        assert send(url="http://drs.invalid/x", http=http).body == {"by": "proxy"}
        assert proxy.requests[0].startswith(b"GET http://drs.invalid/x ")
        assert b"Proxy-Authorization: Basic " in proxy.requests[0]
        assert http.secrets == {"th%40irs", "th@irs"}

    def test_no_proxy(self, serve, monkeypatch, refusing_url):
        monkeypatch.setenv("http_proxy", refusing_url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert send(url=serve(loopback.answer()).url).status == 200

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_proxy_that_is_not_there(self, monkeypatch, clock, refusing_url, method):
        monkeypatch.setenv("https_proxy", refusing_url.replace("://", "://them:theirs@"))
        error = failure(method)
        assert isinstance(error, NoAnswerError)
        assert "proxy" in str(error)
        assert "theirs" not in str(error)
        assert (len(clock.pauses), error.maybe_accepted) == (2, False)

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_proxy_that_refuses(self, serve, monkeypatch, method):
        proxy = serve(loopback.answer(status=407))
        monkeypatch.setenv("https_proxy", proxy.url)
        error = failure(method)
        assert "407" in str(error)
        assert (len(proxy.requests), error.maybe_accepted) == (1, False)

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


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


class TestTls:
    @pytest.fixture
    def server(self, serve, authority):
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        return serve(loopback.answer(), tls=context)

    @pytest.fixture
    def ca_cert(self, authority, tmp_path):
        authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
        return str(tmp_path / "ca.pem")

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_unknown_authority(self, server, clock, method):
        error = failure(method, server.url)
        assert "ca_cert" in str(error)
        assert (server.requests, clock.pauses, error.maybe_accepted) == ([], [], False)

    def test_ca_cert(self, server, ca_cert):
        send(url=server.url, http=HttpClient(ca_cert=ca_cert))

    def test_ca_cert_before_the_environment(self, server, ca_cert, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/nonexistent")
        send(url=server.url, http=HttpClient(ca_cert=ca_cert))

    def test_ca_from_the_environment(self, server, ca_cert, monkeypatch):
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_cert)
        send(url=server.url)

    @pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
    @pytest.mark.parametrize("ca_in_options", [True, False])
    def test_validate_certs(self, server, monkeypatch, authority, ca_in_options, tmp_path):
        trustme.CA().cert_pem.write_to_path(str(tmp_path / "other.pem"))
        other = str(tmp_path / "other.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", other)
        assert "TLS" in str(failure(url=server.url))
        send(url=server.url, http=HttpClient(validate_certs=False, ca_cert=other if ca_in_options else None))

    def test_no_such_ca_cert(self, tmp_path):
        with pytest.raises(InputError, match="nowhere.pem"):
            HttpClient(ca_cert=str(tmp_path / "nowhere.pem"))


class TestEndpoint:
    @pytest.mark.parametrize(
        "value",
        [
            "https://drs.eu-west-101.myhuaweicloud.eu",
            "https://DRS.example.com:8443",
            "https://10.0.0.1",
            "https://[2001:db8::1]:443",
            "http://127.0.0.1:8080",
            "http://127.8.8.8",
            "http://localhost:1",
            "http://LOCALHOST",
            "http://[::1]:65535",
        ],
    )
    def test_good(self, value):
        assert check_endpoint("endpoint", value) == value
        assert check_endpoint("endpoint", value + "/") == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "drs.example.com",
            "//drs.example.com",
            "ftp://drs.example.com",
            "https://",
            "https:///path",
            "https://drs.example.com/path",
            "https://drs.example.com//",
            "https://drs.example.com?query",
            "https://drs.example.com/?query",
            "https://drs.example.com#fragment",
            "https://drs.example.com:",
            "https://drs.example.com:x",
            "https://drs.example.com:65536",
            "https://drs.example.com:\N{ARABIC-INDIC DIGIT EIGHT}0",
            "https://drs example.com",
            "https://drs.example.com\n",
            "https://drs.example.com/\n",
            " https://drs.example.com",
            "https://drs.example.com\\evil",
            "https://drs..example.com",
            "https://.example.com",
            "https://drs.example.com%2fevil",
            "https://drs.exämple.com",
            "https://[::1",
            "https://::1",
        ],
    )
    def test_bad(self, value):
        with pytest.raises(InputError) as caught:
            check_endpoint("iam_endpoint", value)
        assert "iam_endpoint" in str(caught.value)

    @pytest.mark.parametrize("value", ["https://them:theirs@drs.example.com", "https://127.0.0.1@example.com", "theirs@https://x"])
    def test_userinfo_is_not_shown(self, value):
        with pytest.raises(InputError) as caught:
            check_endpoint("endpoint", value)
        assert "theirs" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)

    @pytest.mark.parametrize("host", ["drs.example.com", "10.0.0.1", "128.0.0.1", "127.0.0.1.example.com", "localhost.example.com", "[2001:db8::1]", "0x7f"])
    def test_plain_http(self, host):
        with pytest.raises(InputError, match="https"):
            check_endpoint("endpoint", f"http://{host}")

    pieces = st.sampled_from(
        ["https://", "http://", "drs", "127.0.0.1", "localhost", ".", ":", "80", "/", "//", "@", "\\", "?", "#", "%", "[", "::1", "]", "\n"]
    )

    @given(st.lists(pieces | st.text(max_size=3)).map("".join) | st.lists(pieces).map(lambda rest: "https://drs" + "".join(rest)))
    @example("https://drs.example.com:443/")
    def test_nothing_but_scheme_host_and_port(self, value):
        try:
            accepted = check_endpoint("endpoint", value)
        except InputError:
            return
        parts = urlsplit(accepted + "/v5/path")
        assert parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1"))
        assert parts.hostname
        assert (parts.path, parts.query, parts.fragment, parts.username, parts.password) == ("/v5/path", "", "", None, None)
        assert parts.port is None or 0 <= parts.port < 65536
        assert requests.Request("GET", accepted + "/v5/path").prepare().path_url == "/v5/path"
