# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html
import json
import re
import textwrap
import time
from base64 import b64encode, encodebytes, urlsafe_b64encode
from urllib.parse import quote, quote_plus

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import MAX_ERROR_BODY, HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._redact import (
    ESCAPES,
    HIDDEN,
    MAX_SEARCHED,
    TOO_LONG,
    redact,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    PASSWORD,
    PROJECT_ID,
    PROXY_PASSWORD,
    TOKEN,
    URL,
    check_nothing_shown,
    error_from,
    failure,
    readable,
    shown,
)

# How a server may write a text that it sends back.
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
    "upper-case": lambda secret: f"You sent {secret.upper()}!",
    "html-upper-case": lambda secret: f"Bad input: {html.escape(secret.upper())}",
    "utf-16": lambda secret: f"You sent {secret}!".encode("utf-16-le"),
    "utf-16-be": lambda secret: f"You sent {secret}!".encode("utf-16-be"),
    "base64": lambda secret: f"You sent {b64encode(secret.encode()).decode()}!",
    "base64-in-text": lambda secret: (
        f"Body: {b64encode(json.dumps({'p': [secret]}, ensure_ascii=False).encode()).decode()}"
    ),
    "base64-for-urls": lambda secret: f"/?p={urlsafe_b64encode(secret.encode()).decode().rstrip('=')}",
    "base64-in-lines": lambda secret: "Body:\n" + encodebytes(b"x" * 100 + secret.encode()).decode(),
    "base64-code": lambda secret: json.dumps({"error_code": b64encode(secret.encode()).decode().rstrip("=")}),
    "base64-in-path": lambda secret: f"GET /error/{b64encode(secret.encode()).decode()}",
    "base64-in-short-lines": lambda secret: "\n".join(
        textwrap.wrap(b64encode(f"Body: {secret}".encode()).decode(), 10)
    ),
    "base64-of-utf-16": lambda secret: b64encode(f"Body: {secret}".encode("utf-16-le")).decode(),
    "base64-of-json": lambda secret: b64encode(json.dumps({"p": secret}).encode()).decode(),
    "base64-of-url": lambda secret: b64encode(quote(secret, safe="").encode()).decode(),
    "javascript": lambda secret: "".join(f"\\x{byte:02x}" for byte in secret.encode("latin-1")),
    "latin-1": lambda secret: f"You sent {secret}!".encode("latin-1"),
    "split-by-a-line": lambda secret: f"{secret[:5]}\r\n  {secret[5:]}",
    "split-by-colors": lambda secret: f"{secret[:5]}\x1b[0;1m{secret[5:]}",
    "split-by-soft-hyphens": "\xad".join,
    "url-in-part": lambda secret: f"GET /?password={secret[:4]}{quote(secret[4:], safe='')}",
}


def lower_case(quoted):
    return re.sub("%..", lambda match: match[0].lower(), quoted)


class TestWhiteSpace:
    """It is folded before secrets are searched, and before the text is cut."""

    @pytest.mark.parametrize(
        "text", ["It is two  words.", "It is two words.", "It is two \n words.", "It is two\x00  words."]
    )
    def test_secret_with_two_spaces(self, text):
        assert error_from(text, http=HttpClient(secrets={"two  words"})).error_msg == "It is ********."

    @pytest.mark.parametrize("space", ["\\n", "&nbsp;", "&#10;", "%0A", "+", "\t"])
    @pytest.mark.parametrize("width", [1, 2, 4, 20])
    def test_escaped_white_space_within_escapes(self, space, width):
        """As where JSON or HTML quotes a text that was wrapped."""
        for secret in ("P@ssw0rd&more", TOKEN[:60]):
            escaped = "".join(f"%{ord(char):02x}" for char in secret)
            wrapped = space.join(escaped[start : start + width] for start in range(0, len(escaped), width))
            assert redact(f"It is {wrapped}.", {secret}) == HIDDEN

    def test_zero_bytes_that_html_replaces(self):
        utf_16 = "".join(
            f"&#{byte};" for byte in "".join(f"%{ord(char):02x}" for char in "P@ssw0rd").encode("utf-16-le")
        )
        assert redact(f"It is {utf_16}.", {"P@ssw0rd"}) == HIDDEN

    def test_white_space_in_upper_case(self):
        assert redact(r"It is P@SS\NW0RD\TX.", {"P@ssw0rdx"}) == HIDDEN

    def test_spaces_at_the_ends_of_a_secret_count(self):
        assert error_from("It is a b.", http=HttpClient(secrets={" a "})).error_msg == "It is********b."

    @pytest.mark.parametrize("space", [" ", "\n", "\x00", "\u200b"])
    def test_secret_after_much_white_space(self, space):
        for shift in range(0, 12, 5):
            text = "x" + space * (MAX_SEARCHED - shift) + "secret-word"
            assert redact(text, {"secret-word"}) == ("x********" if space == "\x00" else "x ********")


def test_text_that_is_too_long_to_search():
    """Masks are shorter than tokens, so that the text would be shown up to where it is cut: within a secret."""
    text = f"{TOKEN} " * (MAX_SEARCHED // len(TOKEN)) + "secret-word " * 1000
    assert redact(text, {TOKEN, "secret-word"}) == TOO_LONG


@pytest.mark.parametrize("digits", ["9" * 5000, "0" * 5000 + "65"], ids=["nines", "zeros"])
@pytest.mark.parametrize("text", ["&#{};", "<title>x&#{};</title>", '{{"error_msg": "&#{};"}}'])
def test_number_of_a_character_with_many_digits(text, digits):
    """Python refuses to convert it."""
    error = error_from(text.format(digits), http=HttpClient(secrets={"hush-hush"}))
    assert error.http_status == 400
    assert not readable("hush-hush", shown(error))


@pytest.mark.parametrize("form", ["Ab&gt\n;cd%Ef1", "Ab&gt ;cd%Ef1", "Ab&#62\n;cd%Ef1", "Ab&#x3E ;cd%Ef1"])
@pytest.mark.parametrize("text", ["<title>Bad login: {}</title>", "Bad login: {}"])
def test_white_space_in_an_entity(text, form):
    """HTML undoes the escape without its semicolon, which then divides the secret."""
    error = error_from(text.format(form), http=HttpClient(secrets={"Ab>cd%Ef1"}))
    assert error.error_msg == HIDDEN


def test_secret_in_a_number_with_many_digits():
    text = "".join(f"&#{'0' * 5000}{ord(char)};" for char in "secret")
    assert error_from(text, http=HttpClient(secrets={"secret"})).error_msg == HIDDEN


@pytest.mark.parametrize("piece", ["x", "&amp;", "\\u0026", "%25", "&#x26;#x26;", " ", "\u200b"])
def test_title_of_8_mb(piece):
    # As bytes, because responses reads each character of a string in Python.
    title = piece.encode() * (8000000 // len(piece.encode()))
    error = error_from(b"<title>" + title + b"</title>", status=200, http=HttpClient(secrets={TOKEN, PASSWORD}))
    shown = "" if piece in {" ", "\u200b"} else TOO_LONG
    assert f"({shown!r})" in str(error)


@pytest.mark.parametrize(
    "head, shown",
    [
        ("<Title>Bad gateway</Title>", "Bad gateway"),
        ("<title>Bad", "more than 65536 bytes"),
        ("It is secret-wor", "more than 65536 bytes"),
    ],
)
def test_beginning_of_a_large_error_response(head, shown):
    """The rest is not read, and what is before it may end within a secret."""
    error = error_from(f"{head}{' ' * MAX_ERROR_BODY}x", status=502)
    assert (error.error_msg, error.http_status) == (shown, 502)


class TestSecrets:
    @pytest.mark.parametrize(
        "secret", [pytest.param(PASSWORD, id="password"), pytest.param(TOKEN, id="token"), "pa'ss&<>\"\\"]
    )
    @pytest.mark.parametrize("echo", ECHOES.values(), ids=ECHOES)
    def test_echoed_secret_is_masked(self, cloud, secret, echo):
        cloud.get(URL, status=400, body=echo(secret), headers={"X-Request-Id": quote(secret)})
        error = failure(http=HttpClient(max_retries=0, secrets={secret}))
        for text in (error.error_msg or error.error_code, error.request_id):
            assert "********" in text or text in (HIDDEN, ESCAPES)
        assert not readable(secret, shown(error))

    @pytest.mark.parametrize("form", ["text", "code", "html-title"])
    def test_echo_in_a_success_is_masked(self, cloud, form):
        cloud.post(URL, status=202, body=ECHOES[form](PASSWORD), headers={"X-Request-Id": PASSWORD})
        assert not readable(PASSWORD, shown(failure("POST", http=HttpClient(secrets={PASSWORD}))))

    @pytest.mark.parametrize(
        "form", [form for form in ECHOES if not re.match("html-numbers|html-hex|base64|javascript|split", form)]
    )
    def test_other_text_is_shown(self, form):
        """This proves that the tests above would find a secret."""
        assert "0123456789" in shown(error_from(ECHOES[form]("0123456789"), http=HttpClient(secrets={PASSWORD, TOKEN})))

    @pytest.mark.parametrize(
        "text, masked",
        [("It is s3cret.", "It is ********."), ("s3crets3cret", "****************"), ("S3CRET", "********")],
    )
    def test_unescaped_secret_is_masked(self, text, masked):
        assert error_from(text, http=HttpClient(secrets={"s3cret"})).error_msg == masked

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
    def test_text_with_an_escaped_secret_is_hidden(self, secret, text):
        assert error_from(f"It is {text}.", http=HttpClient(secrets={secret})).error_msg == HIDDEN

    @pytest.mark.parametrize("secret", ["p\U0001f600ss", "pa\nss", "pa\x07ss"])
    def test_secret_with_json_escapes(self, cloud, secret):
        cloud.get(URL, status=400, body="x" + json.dumps({"password": secret}))
        assert not readable(secret, shown(failure(http=HttpClient(max_retries=0, secrets={secret}))))

    @pytest.mark.parametrize(
        "echo",
        [
            lambda secret: html.escape(json.dumps({"password": secret}, ensure_ascii=False)),
            lambda secret: "x" + json.dumps({"body": json.dumps({"password": secret})}),
            lambda secret: quote(json.dumps({"password": secret}), safe=""),
            lambda secret: html.escape(html.escape(secret)),
        ],
        ids=["json-in-html", "json-in-json", "json-in-url", "html-in-html"],
    )
    def test_secret_that_is_escaped_twice(self, cloud, echo):
        secret = "pa'ss&<>\"\\"
        cloud.get(URL, status=400, body=echo(secret))
        assert not readable(secret, shown(failure(http=HttpClient(max_retries=0, secrets={secret}))))

    def test_secret_that_contains_another(self):
        # Sets have no order, so one pair could be in the right order by chance.
        for number in range(16):
            http = HttpClient(secrets={f"word-{number}", f"word-{number}-longer"})
            assert error_from(f"x word-{number}-longer word-{number} x", http=http).error_msg == "x ******** ******** x"

    @pytest.mark.parametrize("length", [20, 100, 5000])
    def test_truncated_token_is_masked(self, length):
        error = error_from(f"X-Auth-Token {TOKEN[:length]} is not valid", http=HttpClient(secrets={TOKEN}))
        assert error.error_msg == "X-Auth-Token ******** is not valid"

    @pytest.mark.parametrize(
        "echo",
        [
            lambda token: "\n".join(textwrap.wrap(token, 76)),
            lambda token: f"...{token[100:]}",
            lambda token: f"...{token[100:116]}...",
            lambda token: token[8:].upper(),
            lambda token: quote(token[8:], safe=""),
            lambda token: b64encode(token[8:].encode()).decode(),
        ],
    )
    def test_piece_of_a_token_is_masked(self, echo):
        error = error_from(f"X-Auth-Token {echo(TOKEN)} is not valid", http=HttpClient(secrets={TOKEN}))
        assert error.error_msg == HIDDEN

    def test_piece_of_a_token_of_digits(self):
        """It looks like a request ID."""
        secret = "".join(f"{number:02x}" for number in range(32))
        http = HttpClient(secrets={secret})
        for piece in (secret[20:36], secret[24:], f"{secret[40:57]}-0"):
            assert http.sanitize(piece) == HIDDEN
        assert http.sanitize(secret[:16]) == "********"
        assert http.sanitize("9" * 32) == "9" * 32

    @pytest.mark.parametrize("width", range(5, 17))
    @pytest.mark.parametrize("escape", ["%{:02x}", "&#{};", "\\u{:04x}"])
    def test_white_space_in_escapes(self, escape, width):
        text = "".join(escape.format(ord(char)) for char in "hush-hush")
        error = error_from(" ".join(textwrap.wrap(text, width)), http=HttpClient(secrets={"hush-hush"}))
        assert error.error_msg == HIDDEN

    def test_secret_in_upper_case_that_is_longer(self):
        assert error_from("It is STRASSE!", http=HttpClient(secrets={"stra\xdfe!"})).error_msg == HIDDEN

    def test_short_secret_is_not_found_across_white_space(self):
        """It could be there by chance, and the message would be lost."""
        assert error_from("I go on each day.", http=HttpClient(secrets={"oneac"})).error_msg == "I go on each day."

    @staticmethod
    def signing_client():
        http = HttpClient(max_retries=0)
        http.has_signatures = True  # as set by AccessKeyAuth
        return http

    @pytest.mark.parametrize("name", ["Signature", "signature", "X-Signature", "SIGNATURE"])
    @pytest.mark.parametrize("form", ["=0123abcd", "=0", "%3D0123abcd", "&#61;0123abcd", "= 0123abcd", '": "0123abcd"'])
    def test_text_with_a_signature_is_hidden(self, name, form):
        """It is recognized by its name, because its value is not known in advance."""
        text = f"SDK-HMAC-SHA256 Access=AK, SignedHeaders=host, {name}{form} is wrong"
        assert error_from(text, http=self.signing_client()).error_msg == HIDDEN

    @pytest.mark.parametrize("length, shown", [(50, False), (51, True), (64, True)])
    def test_signature_without_its_name(self, length, shown):
        digits = "0123456789abcdef" * 4
        found = error_from(f"The signed text is {digits[:length]}.", http=self.signing_client()).error_msg
        assert found == (HIDDEN if shown else f"The signed text is {digits[:50]}.")

    @pytest.mark.parametrize(
        "text",
        [
            "The signature expired.",
            "Wrong signature: access denied.",
            *("signature-20230919", "dws-Signature-20231001", "e-signature--deadbeef", "signature_0a1b2c3d"),
            f"The policy denies {PROJECT_ID} {PROJECT_ID}.",
            f"\u9879\u76ee{PROJECT_ID}\u8bf7\u6c42{PROJECT_ID}",
        ],
    )
    def test_text_about_signatures(self, text):
        """Names of jobs, and IDs, are not taken for one."""
        assert error_from(text, http=self.signing_client()).error_msg == text

    @pytest.mark.parametrize(
        "text",
        [
            "5" * 64,
            f"{PROJECT_ID}{PROJECT_ID}",
            f"{'5' * 30} {'5' * 34}",
            "Signature: deadbeef01",
        ],
    )
    def test_text_like_a_signature(self, text):
        """Without an access key, there are none."""
        assert error_from(text).error_msg == text
        assert error_from(text, http=self.signing_client()).error_msg == HIDDEN

    @pytest.mark.parametrize("text", ["\x1b[Passw0rd-1", "a\x1b[Pas\x1b[31msw0rd-1", "\x9b1mPassw0rd-1"])
    def test_escape_sequence_that_ends_with_the_beginning_of_a_secret(self, text):
        assert error_from(text, http=HttpClient(secrets={"Passw0rd-1"})).error_msg == ESCAPES

    @pytest.mark.parametrize("form", ["\\U{:04X}", "\\X{:02X}"])
    def test_escapes_in_upper_case(self, form):
        text = "".join(form.format(ord(char)) for char in "Passw0rd-1")
        assert error_from(text, http=HttpClient(secrets={"Passw0rd-1"})).error_msg == HIDDEN

    @pytest.mark.parametrize("secret", ["gn\\gn\\gn\\gn\\", "M6tM6t"])
    def test_base64_that_looks_like_an_id(self, secret):
        text = b64encode(secret.encode()).decode()
        assert HttpClient(secrets={secret}).sanitize(text) == HIDDEN

    @pytest.mark.parametrize(
        "secret, text",
        [
            ("kGtoW5sg9wN4kMuoG7sW8wg5", "a0d0b1c1c2c5d040a011b0c3c1c4d2c1"),
            ("kG8kg8", f"12{'a0c4' * 2}{'0' * 22}"),
            ("kG8KG8", f"123{'a0c4' * 2}{'0' * 21}"),
            ("OFtOFt", "T0Z0:T0Z0:00-0:0:000"),
            ("ABCDEF", "QUJDREVG.0123"),
            ("abcdef", "QUJDREVG.0123"),
            (")eM023", "KWVNMDIA.M6765366"),
            ("ABC DEF", "QUJDREVG.0123"),
            ("YcA@ V", "WWNBQCBW.123"),
            ("012 345 678", f"{'0123456789' * 3}ab"),
            ("a0AE1P", "YTBBRTFQ.123"),
        ],
    )
    def test_base64_within_an_id_a_time_or_a_code(self, secret, text):
        assert re.fullmatch(_http.PLAIN, text)
        assert HttpClient(secrets={secret}).sanitize(text) == HIDDEN
        assert HttpClient(secrets={"x" + secret}).sanitize(text) == text

    @pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [text], lambda text: {"a": {text: 1}}])
    @pytest.mark.parametrize(
        "secret, encode",
        [
            ("Pa/ss&w0/rd", lambda text: html.escape(html.escape(text)).replace("/", "\\/")),
            ("Ab\\cd'9xQ", lambda text: f'the password "{text}" is wrong'),
            ("Abq\\cd9x", lambda text: text.replace("q", "\nq")),
            ("Abq\\cd9x", "\0".join),
            ("Abq\\cd9x", lambda text: json.dumps(json.dumps(json.dumps(text)))),
        ],
        ids=["three encodings", "quotes", "line break", "UTF-16", "JSON"],
    )
    def test_error_message_that_is_no_text(self, wrap, secret, encode):
        """Python's text of a list would add an encoding."""
        body = json.dumps({"error_code": "X", "error_msg": wrap(encode(secret))})
        error = error_from(body, http=HttpClient(secrets={secret}))
        assert error.error_msg in (HIDDEN, "********", 'the password "********" is wrong')
        check_nothing_shown(shown(error), secrets=[secret])


def test_title_is_found_in_linear_time(cloud):
    cloud.get(URL, status=400, body="<title" * 30000)
    started = time.monotonic()
    failure(http=HttpClient(max_retries=0))
    assert time.monotonic() - started < 5  # seconds, not minutes


class TestProxySecrets:
    @pytest.mark.parametrize(
        "proxy, secrets",
        [
            (
                f"http://them:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:1",
                {PROXY_PASSWORD, quote(PROXY_PASSWORD, safe=""), b64encode(f"them:{PROXY_PASSWORD}".encode()).decode()},
            ),
            ("them:theirs@127.0.0.1:1", {"theirs", "dGhlbTp0aGVpcnM="}),
            ("http://them@127.0.0.1:1", set()),
            ("http://s3cret:@127.0.0.1:1", {"s3cret", "czNjcmV0Og=="}),
            ("127.0.0.1:1", set()),
        ],
    )
    def test_all_forms_of_the_password_are_secret(self, monkeypatch, proxy, secrets):
        monkeypatch.setenv("https_proxy", proxy)
        http = HttpClient(max_retries=0)
        failure(http=http)
        assert http.secrets == secrets

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
        + ["http://them:theirs@", "http://them:the/irs@h", "http://them:the#irs@h", "http://them:theïrs@h"]
        + ["http://them:theirs\\@h", "http://them:the\\irs@h:1", "http://the\\irs:pw@h:1", "them:theirs\\@h:1"],
    )
    def test_malformed_url_is_rejected_and_not_shown(self, monkeypatch, clock, proxy):
        monkeypatch.setenv("https_proxy", proxy)
        error = failure("POST")
        assert "proxy" in str(error).lower()
        check_nothing_shown(shown(error), secrets=["theirs", "irs@", "rs@"])
        assert (clock.pauses, error.maybe_accepted) == ([], False)
