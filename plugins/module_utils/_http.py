# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The HTTP client: a single attempt, its limits, and the decoding of responses."""

from __future__ import annotations

import json
import os
import re
import time
import traceback
import typing as t
from base64 import urlsafe_b64decode
from urllib.parse import quote, urlencode, urlsplit

from . import _connection, _errors, _timeout

if t.TYPE_CHECKING:
    from . import _retry, _throttle

REQUESTS_IMPORT_ERROR: str | None = None
try:
    import requests
    from urllib3.exceptions import ProtocolError, ReadTimeoutError
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()

# Bytes of the bodies that 16 threads read at a time. A page of jobs with subtasks may have several megabytes.
MAX_BODY = 8 * 1024 * 1024
MAX_ERROR_BODY = 64 * 1024  # Of a longer error response, only the title of an HTML page is used.
# Error codes, request IDs, times and short words: most texts. They can be no encoded form of a secret but Base64.
PLAIN = r"[0-9a-f-]{32,40}|[0-9TZ:-]{20}|[A-Z]{2,8}\.[A-Z]?[0-9]{3,8}|[0-9a-z]{0,7}"


class Response(t.NamedTuple):
    """A successful response. Header names are case-insensitive. An empty body is an empty object."""

    status: int
    headers: t.Mapping[str, str]
    body: dict[str, t.Any]
    request_id: str | None


class HttpClient:
    """Sends requests, with one policy for TLS, timeouts and retries. Thread-safe.

    :param validate_certs: whether to verify TLS certificates.
    :param ca_cert: path to a file with the certificate authorities to trust instead of the system's.
    :param timeout: seconds that an attempt may take, from the connection to the last byte of the response.
    :param max_retries: the maximum number of retries, where they are safe.
    :param connections: the maximum number of concurrent threads.
    :param throttle: paces these threads.
    :param secrets: strings to mask in messages. The set is shared: strings that are added later are masked as well.
    :raises InvalidOptionError: when the file of ``ca_cert`` does not exist.
    """

    def __init__(
        self,
        *,
        validate_certs: bool = True,
        ca_cert: str | None = None,
        timeout: float = 30,
        max_retries: int = 4,
        connections: int = 1,
        throttle: _throttle.Throttle | None = None,
        user_agent: str = "huaweicloud.drs",
        secrets: set[str] | None = None,
    ) -> None:
        if ca_cert and not os.path.exists(ca_cert):
            # Ansible has replaced environment variables in it, which may hold a password.
            raise _errors.InvalidOptionError("ca_cert: the file does not exist.")
        self.secrets = secrets if secrets is not None else set()
        self.has_signatures = False  # whether requests are signed
        self.last_change: str | None = None  # the last request that was sent, and is for a change
        self._timeout = timeout
        self._max_retries = max_retries
        self._verify: bool | str = (ca_cert or True) if validate_certs else False
        self._environment: dict[str, dict[str, t.Any]] = {}
        self._throttle = throttle
        # A session of requests would keep cookies, read redirects of any size, and prefer credentials from ~/.netrc.
        self._adapter = _connection.Adapter(pool_maxsize=connections)
        self._max_body = MAX_BODY // min(connections, 16)  # Less would be too small for a list of projects.
        # No compression, because a small body could expand beyond any limit.
        self._headers = {"User-Agent": user_agent, "Accept": "application/json", "Accept-Encoding": "identity"}

    def request(
        self,
        method: str,
        url: str,
        *,
        auth: t.Callable[[requests.PreparedRequest], requests.PreparedRequest],
        headers: t.Mapping[str, str] | None = None,
        params: t.Mapping[str, str] | None = None,
        body: t.Mapping[str, t.Any] | None = None,
        deadline: float | None = None,
        throttle_code: str = "",
        read_only: bool = False,
        secret_header: str = "",
    ) -> Response:
        """Send a request, retry it where that is safe (see ``_retry.py``), and return the response.

        :param auth: adds the credentials to the request.
        :param body: sent as JSON.
        :param deadline: the value of ``time.monotonic()`` after which there are no retries. An attempt may always take
            one second.
        :param throttle_code: an error code that means the same as HTTP 429.
        :param read_only: whether a request that is not a ``GET`` changes nothing, so that it is retried like one.
        :param secret_header: a header of the response whose value is a secret.
        :raises ApiError: when the server responds with an error.
        :raises InvalidResponseError: when the response is not a JSON object, or too large.
        :raises TransportError: when the connection failed, or the response is incomplete.
        """
        data = None if body is None else json.dumps(body).encode()
        # Not passed as params, because requests encodes a space as a plus sign, which signatures do not accept.
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        all_headers = {**self._headers, "Content-Type": "application/json", **(headers or {})}
        request = requests.Request(method, url + query, headers=all_headers, data=data, auth=auth)
        retries: _retry.Retries | None = None
        while True:
            response, content, failure = None, b"", None
            sent = self._throttle.wait(deadline) if self._throttle else 0.0
            attempt = _connection.Attempt(secret_header)
            try:
                response, content = self.exchange(request, deadline, attempt)
            except _errors.HuaweiCloudError:
                raise
            except Exception as error:  # pylint: disable=broad-exception-caught
                failure = error  # Malformed responses also cause exceptions that libraries do not document.
            finally:
                if attempt.connected and method != "GET" and not (read_only or secret_header):
                    self.last_change = f"{method} {url}"
            if response is not None and response.status_code < 400:
                break
            from . import _retry

            throttled = _retry.is_throttled(response, parse_json(content)[0], throttle_code)
            retries = retries or _retry.Retries("GET" if read_only else method, url, self._max_retries)
            pause = retries.next_pause(response, throttled, failure, attempt)
            if pause is not None and throttled and self._throttle:
                self._throttle.on_throttled(sent, pause)
            if pause is None or (deadline is not None and time.monotonic() + pause >= deadline):
                break
            time.sleep(pause)
        if response is None:
            from . import _http_errors

            raise _http_errors.transport_error(method, url, failure or OSError(), attempt, self._timeout, self.sanitize)
        decoded = self._decode(method, url, response, content)
        if self._throttle:
            self._throttle.on_success()
        return decoded

    def exchange(
        self, request: requests.Request, deadline: float | None, attempt: _connection.Attempt | None = None
    ) -> tuple[requests.Response, bytes]:
        """Send a request once, and read the complete response within the limits of size and time.

        :param deadline: see :meth:`request`.
        :param attempt: records how far the attempt got.
        :returns: the response, with any status, and its body.
        """
        attempt = attempt or _connection.Attempt()
        prepared = request.prepare()
        timeout = self._timeout if deadline is None else min(self._timeout, max(1.0, deadline - time.monotonic()))
        settings = self._environment_settings(request.url)

        def exchange() -> tuple[requests.Response, bytes]:
            attempt.begin(MAX_BODY // self._max_body)
            with self._adapter.send(prepared, stream=True, timeout=timeout, **settings) as response:
                attempt.response = response
                # Before anything else of the response can be shown.
                self.secrets.update(filter(None, [response.headers.get(attempt.secret_header)]))
                if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                    if response.status_code >= 400:
                        return response, b"an encoding that was not asked for"
                    raise self._unreadable(request, response, "an encoding that was not asked for")
                content = bytearray()
                for chunk in response.iter_content(65536):
                    content += chunk
                    if response.status_code >= 400 and len(content) > MAX_ERROR_BODY:
                        end = content.lower().find(b"</title")  # Other text may end within a secret.
                        title = content[: end + 7] if end >= 0 else b"more than %d bytes" % MAX_ERROR_BODY
                        return response, bytes(title)
                    if len(content) > self._max_body:
                        raise _connection.ResponseTooLargeError
                # More than the response. urllib3, which would use the connection again, does not look into TLS.
                if attempt.connection and getattr(attempt.sock, "pending", int)():
                    attempt.connection.close()
                left = response.raw.length_remaining  # urllib3 1 does not raise an error
                # Without a length, or the end of the chunks, an empty body may be a lost one.
                has_end = not attempt.ended if response.raw.chunked else left is not None
                if left or (response.status_code < 300 and not has_end and not content.strip()):
                    raise requests.ConnectionError(ProtocolError("Connection broken: the response is incomplete"))
                return response, bytes(content)

        try:
            # The extra second lets socket timeouts come first: they tell a failed connection from a lost response.
            return _timeout.call_with_timeout(timeout + 1, exchange)
        except BaseException as error:
            attempt.give_up()  # What ended the wait, such as a signal, may not have come from the thread.
            if isinstance(error, TimeoutError):
                raise ReadTimeoutError(None, request.url, "Read timed out.") from None  # type: ignore[arg-type]
            # Otherwise, it was the response of a proxy to CONNECT.
            if isinstance(error, _connection.ResponseTooLargeError) and not attempt.connecting:
                raise self._unreadable(request, attempt.response, f"more than {self._max_body} bytes") from None
            raise

    def _unreadable(
        self, request: requests.Request, response: requests.Response | None, what: str
    ) -> _errors.HuaweiCloudError:
        from . import _http_errors

        return _http_errors.unreadable_response(request.method, request.url, response, what, self.sanitize)

    def _environment_settings(self, url: str) -> dict[str, t.Any]:
        """Return proxies and certificate authorities from the environment. Cached, because the lookup is slow."""
        base = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        if base not in self._environment:
            with requests.Session() as session:
                settings = session.merge_environment_settings(base, {}, True, self._verify, None)
            verify = settings["verify"]
            if isinstance(verify, str) and not os.path.exists(verify):
                raise _errors.InvalidOptionError(
                    f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE refers to a file that does not exist: {verify!r}."
                )
            # Plain http is for loopback addresses. Through a proxy, readable credentials would leave the host.
            proxy = None if base.startswith("http:") else requests.utils.select_proxy(base, settings["proxies"])
            if proxy:
                from . import _redact

                self.secrets.update(_redact.proxy_secrets(proxy))
            self._environment[base] = {"verify": verify, "proxies": {"https": proxy} if proxy else {}}
        return self._environment[base]

    def _decode(self, method: str, url: str, response: requests.Response, content: bytes) -> Response:
        data, is_json = parse_json(content)
        if 200 <= response.status_code < 300 and isinstance(data, dict):
            # Some errors come with a 2xx status.
            if not self.sanitize(data.get("error_code") or data.get("errorCode")):
                headers = response.headers
                request_id = self.sanitize(headers.get("X-Request-Id") or headers.get("X-IAM-Trace-Id")) or None
                return Response(response.status_code, headers, data, request_id)
        from . import _http_errors

        raise _http_errors.response_error(method, url, response, content, data, is_json, self.sanitize)

    def sanitize(self, value: t.Any) -> str:
        """Return untrusted text on one line, with secrets masked, at most 512 characters."""
        text = "" if value is None else str(value)
        secrets = tuple(filter(None, self.secrets))  # a copy, because other threads may add secrets
        if is_plain(text, secrets):
            return text
        from . import _redact

        return _redact.redact(value, secrets, self.has_signatures)

    def has_secret(self, text: str) -> bool:
        """Return whether a text contains a secret, so that a task cannot return it."""
        from . import _redact

        return _redact.hide(text, tuple(self.secrets), self.has_signatures) != text


def is_plain(text: str, secrets: t.Collection[str]) -> bool:
    """Return whether a text needs no redaction, without the time that it takes to import ``_redact.py``."""
    if not re.fullmatch(PLAIN, text):
        return False
    pieces = {text[start : start + 16].lower() for start in range(len(text) - 15)}
    run = re.sub("[^0-9A-Za-z-]", "", text) + "AAA"
    decoded = (urlsafe_b64decode(run[start : len(run) - (len(run) - start) % 4]) for start in range(4))
    shown = re.sub(r"[\0\s]", "", b" ".join([text.encode(), *decoded]).decode("utf-8", "replace").lower())
    # Of a long secret, such as a token, pieces count. A secret of a few characters may be in Base64 by chance.
    return not any(
        secret in (shown if length > 5 else text.lower()) or any(piece in secret for piece in pieces)
        for secret, length in (("".join(item.lower().split()), len(item)) for item in secrets)
    )


def _parse_int(digits: str) -> int:
    if len(digits) > 4300:  # New versions of Python refuse it, and old ones take minutes (CVE-2020-10735).
        raise ValueError
    return int(digits)


def parse_json(content: bytes) -> tuple[t.Any, bool]:
    """Return the JSON value of a body, and whether it is valid JSON. An empty body counts as an empty object."""
    try:
        value = json.loads(content, parse_int=_parse_int) if content.strip() else {}
        # JSON may hold halves of characters, which Ansible cannot return.
        text = json.dumps(value, ensure_ascii=False).encode("utf-8", "replace")
        return (json.loads(text) if b"?" in text else value), True
    except (ValueError, RecursionError, MemoryError):
        return None, False
