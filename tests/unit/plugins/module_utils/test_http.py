# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html
import json
import re
import time
from email.utils import formatdate
from urllib.parse import quote, quote_plus, urlsplit

import pytest
import requests
import responses
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import check_endpoint
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
    TransportError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import MAX_BODY, HttpClient
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import PASSWORD, TOKEN, failure, readable, send, shown, texts

URL = "https://drs.example.com/v5/thing"


def answered(body, status=400, http=None, **kwargs):
    """The error that an answer makes."""
    with responses.RequestsMock() as cloud:
        cloud.get(URL, body=body, status=status, **kwargs)
        return failure(http=http or HttpClient(max_retries=0))


class TestRequest:
    def test_what_is_sent(self, cloud):
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

    def test_answer(self, cloud):
        cloud.get(URL, status=202, json={"id": "1"}, headers={"X-Request-Id": "r1", "X-Subject-Token": "t"})
        answer = send()
        assert (answer.status, answer.body, answer.request_id, answer.headers["x-subject-token"]) == (
            202,
            {"id": "1"},
            "r1",
            "t",
        )

    @pytest.mark.parametrize("status, body", [(200, b""), (201, b" \r\n"), (204, b"")])
    def test_empty_answer(self, cloud, status, body):
        cloud.get(URL, body=body, status=status)
        assert send().body == {}
        assert cloud.calls[0].request.body is None

    def test_errors_of_old_in_an_answer_are_not_its_own(self, cloud):
        job = {"job": {"error_code": "DRS.M00304", "error_msg": "some time ago"}, "code": "mysql", "message": "text"}
        cloud.get(URL, json=job)
        assert send().body == job


# method, status, requests sent with two retries, whether the server may have carried it out
RETRIES = [
    *((method, status, 3, False) for method, status in [("GET", 429), ("POST", 429), ("PUT", 503), ("POST", 503)]),
    *(("GET", status, 3, False) for status in (500, 502, 504, 599)),
    *((method, status, 1, True) for method, status in [("POST", 500), ("PUT", 502), ("POST", 504), ("DELETE", 599)]),
    *(
        (method, status, 1, False)
        for method, status in [("GET", 302), ("POST", 400), ("GET", 404), ("PUT", 408), ("POST", 499)]
    ),
]

# Of what became of a POST after one of these nobody knows, so only a GET is sent again.
FAULTS = [
    loopback.reset_within_request,
    loopback.reset_after_request,
    loopback.reset_within_body,
    loopback.close_without_answer,
    pytest.param(loopback.answer(b'{"id": ', length=1000), id="cut_body"),
    b"garbage\r\n\r\n",
    b"HTTP/1.1 abc\r\n\r\n",
    b"\x15\x03\x01\x00\x02\x02",
]
SENT = pytest.mark.parametrize("method, sent", [("GET", 3), ("POST", 1)])


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

    @pytest.mark.parametrize("fault", FAULTS)
    @SENT
    def test_fault(self, serve, method, fault, sent):
        server = serve(fault)
        error = failure(method, server.url, body={"a": 1})
        assert isinstance(error, TransportError)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")
        assert server.url in str(error)

    @SENT
    def test_cut_body_that_urllib3_lets_pass(self, serve, monkeypatch, method, sent):
        def build_response(adapter, request, raw):
            raw.enforce_content_length = False  # as it is in urllib3 1
            return original(adapter, request, raw)

        original = requests.adapters.HTTPAdapter.build_response
        monkeypatch.setattr(requests.adapters.HTTPAdapter, "build_response", build_response)
        server = serve(loopback.answer(b'{"id": "1"}', length=1000))
        error = failure(method, server.url)
        assert isinstance(error, TransportError)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")

    @pytest.mark.parametrize(
        "method, sent, fault", [("GET", 2, loopback.silence), ("POST", 1, loopback.stall_within_body)]
    )
    def test_time_out(self, serve, method, sent, fault):
        server = serve(fault)
        error = failure(method, server.url, http=HttpClient(timeout=0.25, max_retries=1), body={"a": 1})
        assert isinstance(error, TransportError)
        assert "0.25 seconds" in str(error)
        assert (len(server.requests), error.maybe_accepted) == (sent, method == "POST")

    @pytest.mark.parametrize("fault", [loopback.drip_header, loopback.drip_body, loopback.drip_chunks])
    @pytest.mark.parametrize("method, sent", [("GET", 2), ("POST", 1)])
    def test_never_silent_for_long(self, serve, monkeypatch, method, sent, fault):
        """Each attempt is bounded while the server goes on for ever. A GET is sent again, a POST is not."""

        def call_with_timeout(seconds, function):
            given.append(seconds)
            return original(seconds - 1, function)

        given, original = [], _http.call_with_timeout
        monkeypatch.setattr(_http, "call_with_timeout", call_with_timeout)
        server = serve(fault, *[loopback.answer(b'{"id": "1"}')] * (method == "GET"))
        call, http = {"GET": send, "POST": failure}[method], HttpClient(timeout=0.25, max_retries=1)
        found = call(method, server.url, http=http, body={"a": 1})
        # Its time-out and the second that tells a connection that failed from an answer that is lost.
        assert given == [1.25] * sent
        assert len(server.requests) == sent
        if method == "GET":
            assert found.body == {"id": "1"}
        else:
            assert (type(found), found.maybe_accepted) == (TransportError, True)
            assert "0.25 seconds" in str(found)

    def test_no_code_is_not_too_fast(self, clock):
        """An IAM that sends an empty code has refused a login, and sending it again could lock the user."""
        with responses.RequestsMock() as cloud:
            cloud.post(URL, status=401, json={"error": {"code": "", "message": "Wrong."}})
            failure("POST")
            assert (len(cloud.calls), clock.pauses) == (1, [])

    def test_connection_refused(self, refusing_url, clock):
        error = failure("POST", refusing_url)
        assert "no connection" in str(error)
        assert (len(clock.pauses), error.maybe_accepted) == (2, False)

    def test_each_request_has_retries_of_its_own(self, cloud):
        http = HttpClient(max_retries=1)
        for _request in range(3):
            cloud.get(URL, status=503)
            cloud.get(URL, json={})
            send(http=http)
        assert len(cloud.calls) == 6


class TestPauses:
    @pytest.mark.parametrize("asked, pause", [("7", 7), (" 7 ", 7), ("60", 60), ("61", 60), ("9" * 400, 60)])
    def test_retry_after(self, cloud, clock, asked, pause):
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
    def test_retry_after_of_no_use(self, cloud, clock, asked):
        cloud.get(URL, status=503, headers={"Retry-After": asked})
        cloud.get(URL, json={})
        send()
        assert len(clock.pauses) == 1
        assert 0.5 <= clock.pauses[0] <= 1

    @pytest.mark.parametrize("asked", ["9" * 5000, "Fri, 01 Jan 99999 00:00:00 GMT"], ids=["digits", "year"])
    def test_retry_after_that_cannot_be_read(self, cloud, clock, asked):
        cloud.get(URL, status=503, headers={"Retry-After": asked})
        assert failure(http=HttpClient(max_retries=1)).http_status == 503
        assert len(clock.pauses) == 1
        assert clock.pauses[0] == 60 or 0.5 <= clock.pauses[0] <= 1

    def test_backoff(self, cloud, clock):
        cloud.get(URL, status=503)
        for _attempt in range(10):
            clock.pauses.clear()
            failure(http=HttpClient(max_retries=9))
            assert len(clock.pauses) == 9
            assert all(
                min(60, 0.5 * 2**number) <= pause <= min(60, 2**number) for number, pause in enumerate(clock.pauses)
            )

    def test_jitter(self, cloud, clock):
        cloud.get(URL, status=503)
        for _attempt in range(5):
            failure(http=HttpClient(max_retries=1))
        assert len(set(clock.pauses)) > 1


class TestDeadline:
    def test_nothing_is_sent_after_it(self, cloud, clock):
        cloud.get(URL, status=503, headers={"Retry-After": "30"})
        assert failure(deadline=clock.now + 60, http=HttpClient(max_retries=4)).http_status == 503
        assert (len(cloud.calls), clock.pauses) == (2, [30])

    @pytest.mark.parametrize("left, timeout", [(None, 10), (100, 10), (5, 5), (0.25, 1), (-5, 1)])
    def test_it_bounds_the_time_out(self, cloud, clock, left, timeout):
        cloud.get(URL, json={})
        send(deadline=left and clock.now + left)
        assert cloud.calls[0].request.req_kwargs["timeout"] == timeout


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
    # Of a shape that is not known, all is shown.
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
        "502 Bad & Gateway",
    ),
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
TEXT = texts()
NAMES = st.sampled_from(["error", "error_code", "errorMsg", "code", "message", "request_id"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(NAMES | TEXT, inner),
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
            (b"<html><title>Log in</title>", "Log in"),
            (b'{"id": "0ea', '{"id": "0ea'),
            pytest.param(DEEP, "not JSON", id="deep"),
        ],
    )
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_success_that_is_none(self, cloud, method, body, part):
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

    @pytest.mark.parametrize(
        "method, script",
        [
            pytest.param("GET", loopback.answer(b" " * (MAX_BODY + 1)), id="with-length"),
            pytest.param("POST", loopback.flood, id="in-chunks"),
        ],
    )
    def test_megabytes(self, serve, method, script):
        server = serve(script)
        error = failure(method, server.url)
        assert isinstance(error, InvalidResponseError)
        assert (error.http_status, error.maybe_accepted, len(server.requests)) == (200, method == "POST", 1)
        assert f"more than {MAX_BODY} bytes" in str(error)

    def test_as_much_as_is_let_in(self, serve):
        server = serve(loopback.answer(b" " * (MAX_BODY - 2) + b"{}"))
        assert send(url=server.url).body == {}

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
    def test_anything(self, body, status, headers, method):
        with responses.RequestsMock() as cloud:
            cloud.add(method, URL, body=b"" if status in (204, 304) else body, status=status, headers=headers)
            try:
                answer = send(method, http=HttpClient(max_retries=1))
            except HuaweiCloudError as error:
                texts = (str(error), error.error_code or "", error.error_msg or "", error.request_id or "")
                assert all(text.isprintable() for text in texts)
                assert max(map(len, texts[1:])) <= 512
                assert error.http_status == status
                # Nothing that may have been carried out is taken for a refusal, and the other way round.
                assert error.maybe_accepted == (
                    method == "POST" and (isinstance(error, InvalidResponseError) or (status >= 500 and status != 503))
                )
            else:
                assert 200 <= status < 300
                assert isinstance(answer.body, dict)

    def test_advice(self):
        error = HuaweiCloudError("It broke.")
        error.add_hint(None)
        error.add_hint("")
        assert str(error) == "It broke."
        error.add_hint("Mend it.")
        error.add_hint("Then test it.")
        assert str(error) == "It broke. Mend it. Then test it."


HIDDEN = "(not shown, because it holds a secret)"
# What a server does to a text that it sends back.
ECHOES = {
    "text": lambda secret: f"You sent {secret}!",
    "json": lambda secret: json.dumps({"error_msg": f"You sent {secret}!"}),
    "code": lambda secret: json.dumps({"error_code": secret, "request_id": secret}),
    "json-in-json": lambda secret: json.dumps({"error_msg": json.dumps({"password": secret})}),
    "json-in-text": lambda secret: "x" + json.dumps({"password": secret}),
    "json-in-utf8": lambda secret: "x" + json.dumps({"password": secret}, ensure_ascii=False),
    "json-with-slashes": lambda secret: "x" + json.dumps({"password": secret}).replace("/", "\\/"),
    "html-title": lambda secret: f"<title>{html.escape(secret)}</title>",
    "html": lambda secret: f"Bad input: {html.escape(secret)}",
    "html-without-quotes": lambda secret: f"Bad input: {html.escape(secret, quote=False)}",
    "html-numbers": lambda secret: "Bad input: " + "".join(f"&#{ord(char)};" for char in secret),
    "html-hex": lambda secret: "Bad input: " + "".join(f"&#x{ord(char):X}" for char in secret),
    "url": lambda secret: f"GET /?password={quote(secret)}",
    "url-all": lambda secret: f"GET /?password={quote(secret, safe='')}",
    "url-lower-case": lambda secret: f"GET /?password={lower_case(quote(secret, safe=''))}",
    "url-plus": lambda secret: f"GET /?password={quote_plus(secret)}",
    "url-in-part": lambda secret: f"GET /?password={secret[:4]}{quote(secret[4:], safe='')}",
}


def lower_case(quoted):
    return re.sub("%..", lambda match: match[0].lower(), quoted)


class TestSecrets:
    @pytest.mark.parametrize(
        "secret", [pytest.param(PASSWORD, id="password"), pytest.param(TOKEN, id="token"), "pa'ss&<>\"\\"]
    )
    @pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
    def test_echoed(self, cloud, secret, echo):
        cloud.get(URL, status=400, body=echo(secret), headers={"X-Request-Id": quote(secret)})
        error = failure(http=HttpClient(max_retries=0, secrets={secret}))
        seen = shown(error)
        assert "********" in seen or HIDDEN in seen
        assert not readable(secret, seen)

    @pytest.mark.parametrize("form", ["text", "code", "html-title"])
    def test_echoed_in_a_success(self, cloud, form):
        cloud.post(URL, status=202, body=ECHOES[form](PASSWORD), headers={"X-Request-Id": PASSWORD})
        assert not readable(PASSWORD, shown(failure("POST", http=HttpClient(secrets={PASSWORD}))))

    @pytest.mark.parametrize("form", [form for form in ECHOES if form not in ("html-numbers", "html-hex")])
    def test_nothing_to_hide(self, form):
        """The proof that what is searched for a secret would show it."""
        assert "0123456789" in shown(answered(ECHOES[form]("0123456789"), http=HttpClient(secrets={PASSWORD, TOKEN})))

    @pytest.mark.parametrize(
        "text, masked",
        [("It is s3cret.", "It is ********."), ("s3crets3cret", "****************"), ("S3CRET", "S3CRET")],
    )
    def test_as_it_is(self, text, masked):
        assert answered(text, http=HttpClient(secrets={"s3cret"})).error_msg == masked

    @pytest.mark.parametrize(
        "secret, text",
        [
            ("p w&d", text)
            for text in (
                "p%20w&d",
                "p+w&d",
                "p w&amp;d",
                "p w&#38;d",
                "p w&#X26;d",
                "p w\\u0026d",
                "p%20w%26d",
                "p+w%26%64",
            )
        ]
        + [("p+w/d", text) for text in ("p+w%2fd", "p%2Bw/d", "p+w\\/d")],
    )
    def test_in_another_form(self, secret, text):
        assert answered(f"It is {text}.", http=HttpClient(secrets={secret})).error_msg == HIDDEN

    def test_within_another(self):
        # Sets have no order of their own, so that one pair could come out right by chance.
        for number in range(16):
            http = HttpClient(secrets={f"pass{number}", f"pass{number}word-longer"})
            assert answered(f"x pass{number}word-longer pass{number} x", http=http).error_msg == "x ******** ******** x"

    @pytest.mark.parametrize("length", [20, 100, 5000])
    def test_token_cut_short(self, length):
        error = answered(f"X-Auth-Token {TOKEN[:length]} is not valid", http=HttpClient(secrets={TOKEN}))
        assert error.error_msg == "X-Auth-Token ******** is not valid"

    @pytest.mark.parametrize("name", ["Signature", "signature", "X-Signature", "SIGNATURE"])
    def test_signature(self, name):
        """It is no secret that is known beforehand."""
        error = answered(f"SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, {name}=0123abcd is wrong")
        assert error.error_msg == f"SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, {name}=******** is wrong"

    @pytest.mark.parametrize("text", ["Signature%3D0123abcd", "Signature&#61;0123abcd"])
    def test_signature_in_another_form(self, text):
        assert answered(f"Access=AK, {text} is wrong").error_msg == HIDDEN

    def test_redirect(self, cloud):
        cloud.get(URL, status=302, headers={"Location": f"https://elsewhere.example.com/?token={TOKEN}"})
        error = failure(http=HttpClient(secrets={TOKEN}))
        assert "token=********" in str(error)

    def test_added_later(self, cloud):
        secrets = {""}
        http = HttpClient(secrets=secrets)
        secrets.add("hush-hush")
        cloud.get(URL, status=400, body="It is hush-hush.")
        assert failure(http=http).error_msg == "It is ********."


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
            "ftp://drs.example.com",
            "https://",
            "https://drs.example.com/path",
            "https://drs.example.com//",
            "https://drs.example.com?query",
            "https://drs.example.com#fragment",
            "https://drs.example.com:",
            "https://drs.example.com:65536",
            "https://drs.example.com:\N{ARABIC-INDIC DIGIT EIGHT}0",
            "https://drs example.com",
            "https://drs.example.com\n",
            " https://drs.example.com",
            "https://drs..example.com",
            "https://drs.example.com%2fevil",
            "https://drs.exämple.com",
            "https://[::1",
            "https://::1",
            "https://[:::]",
        ],
    )
    def test_bad(self, value):
        with pytest.raises(InvalidOptionError) as caught:
            check_endpoint("iam_endpoint", value)
        assert "iam_endpoint" in str(caught.value)

    @pytest.mark.parametrize(
        "value", ["https://them:theirs@drs.example.com", "https://127.0.0.1@example.com", "theirs@https://x"]
    )
    def test_userinfo_is_not_shown(self, value):
        with pytest.raises(InvalidOptionError) as caught:
            check_endpoint("endpoint", value)
        assert "theirs" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)

    @pytest.mark.parametrize(
        "host",
        [
            "drs.example.com",
            "10.0.0.1",
            "128.0.0.1",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "[2001:db8::1]",
            "0x7f",
        ],
    )
    def test_plain_http(self, host):
        with pytest.raises(InvalidOptionError, match="https"):
            check_endpoint("endpoint", f"http://{host}")

    pieces = st.sampled_from(
        [
            "https://",
            "http://",
            "drs",
            "127.0.0.1",
            "localhost",
            ".",
            ":",
            "80",
            "/",
            "//",
            "@",
            "\\",
            "?",
            "#",
            "%",
            "[",
            "::1",
            "]",
            "\n",
        ]
    )

    @settings(max_examples=50)
    @given(
        st.lists(pieces | texts(max_size=3)).map("".join)
        | st.lists(pieces).map(lambda rest: "https://drs" + "".join(rest))
    )
    @example("https://drs.example.com:443/")
    def test_nothing_but_scheme_host_and_port(self, value):
        try:
            accepted = check_endpoint("endpoint", value)
        except InvalidOptionError:
            return
        parts = urlsplit(accepted + "/v5/path")
        assert parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        )
        assert parts.hostname
        assert (parts.path, parts.query, parts.fragment, parts.username, parts.password) == (
            "/v5/path",
            "",
            "",
            None,
            None,
        )
        assert parts.port is None or 0 <= parts.port < 65536
        assert requests.Request("GET", accepted + "/v5/path").prepare().path_url == "/v5/path"
