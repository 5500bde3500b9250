# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The HTTP client: one attempt, the retry policy, and the decoding of responses and errors.

It knows HTTP, JSON and the shapes in which Huawei Cloud's services write errors; no service, no option and no Ansible.
"""

from __future__ import annotations

import json
import os
import random
import re
import time
import traceback
import typing as t
from urllib.parse import quote, urlencode, urlsplit

from ._errors import InvalidOptionError, InvalidResponseError
from ._timeout import call_with_timeout

if t.TYPE_CHECKING:
    from ._throttle import Throttle

REQUESTS_IMPORT_ERROR: str | None = None
try:
    import requests
    from urllib3.exceptions import HTTPError, InvalidHeader, ProtocolError, ReadTimeoutError
    from urllib3.util.retry import Retry
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
    Retry = object  # type: ignore[assignment,misc]

# Bytes. The largest responses of these APIs are pages of jobs that consist of others, which may come to some megabytes.
MAX_BODY = 8 * 1024 * 1024
# Seconds. A server may ask for any pause, but an operator is waiting.
MAX_PAUSE = 60.0


class Response(t.NamedTuple):
    """A successful response: HTTP status, headers (names in any case) and the JSON object of the body (empty if none)."""

    status: int
    headers: t.Mapping[str, str]
    body: dict[str, t.Any]
    request_id: str | None


class _RetryPolicy(Retry):
    """When to send a request again, and after which pause.

    urllib3 counts the attempts, tells a failed connection (nothing was sent, so any request may be sent again) from a lost
    response (only methods in ``allowed_methods`` may), and reads ``Retry-After``. This class says which statuses, and how
    long the pauses are.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        # 429 and 503 are refusals: safe for every method. After any other 5xx the request may have been carried out.
        return status_code in (429, 503) or (status_code >= 500 and self._is_method_retryable(method))

    def pause(self, response: requests.Response | None) -> float:
        """Return the seconds to wait before the next attempt."""
        try:
            asked = response is not None and self.get_retry_after(response.raw)
        except (InvalidHeader, ValueError, OverflowError):  # a number or a year that Python does not accept
            asked = None
        # Without jitter, parallel jobs that were throttled together would come back together.
        return min(MAX_PAUSE, asked or 2 ** (len(self.history) - 1) * random.uniform(0.5, 1.0))


class HttpClient:
    """Sends requests, with one policy for TLS, timeouts and retries. Threads may share it.

    :param validate_certs: whether to verify the server's certificate.
    :param ca_cert: path of a file with the certificate authorities to trust instead of the system's.
    :param timeout: seconds that one attempt may take, from the connection to the last byte of the response.
    :param max_retries: how often to send a request again where that is safe.
    :param connections: how many threads send requests at the same time, at most.
    :param throttle: slows these threads down together.
    :param user_agent: what the server's log shows.
    :param secrets: everything that must not be shown. The set is shared: what a layer adds later is masked from then on.
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
        throttle: Throttle | None = None,
        user_agent: str = "huaweicloud.drs",
        secrets: set[str] | None = None,
    ) -> None:
        if ca_cert and not os.path.exists(ca_cert):
            raise InvalidOptionError(f"ca_cert: there is no file {ca_cert!r}.")
        self.secrets = secrets if secrets is not None else set()
        self._timeout = timeout
        self._retries = _RetryPolicy(total=max_retries, other=0, allowed_methods={"GET"})
        self._verify: bool | str = (ca_cert or True) if validate_certs else False
        self._environment: dict[str, dict[str, t.Any]] = {}
        self._throttle = throttle
        # Not a session of requests: it would keep cookies, read the body of a redirect that is not followed, whatever its
        # size, and let a login from ~/.netrc replace ours.
        self._adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections)
        # Nothing compressed is asked for, because a small body could expand beyond any limit.
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
    ) -> Response:
        """Send a request, again where that is safe, and return the response if it is a success.

        A request is sent again after 429 and 503, and when the connection failed, because then nothing was sent. After a
        lost response or another 5xx, only a ``GET`` is. When requests come too fast, other threads are held back as well.

        :param auth: puts the credentials on the request.
        :param body: sent as JSON.
        :param deadline: the value of ``time.monotonic()`` after which nothing is sent again. An attempt gets at least one
            second.
        :param throttle_code: an error code that means the same as 429.
        :raises ApiError: when the server responds with an error.
        :raises InvalidResponseError: when the response is not a JSON object, or too large.
        :raises TransportError: when there is no connection, or no complete response.
        """
        data = None if body is None else json.dumps(body).encode()
        # Not as params: requests would write a space as a plus, but signatures are made of what stands in the URL.
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        all_headers = {**self._headers, "Content-Type": "application/json", **(headers or {})}
        request = requests.Request(method, url + query, headers=all_headers, data=data, auth=auth)
        retries = self._retries
        while True:
            response, content, failure = None, b"", None
            sent = self._throttle.wait(deadline) if self._throttle else 0.0
            try:
                response, content = self._exchange(request, deadline)
            except (OSError, HTTPError) as error:  # the exceptions of requests are OSErrors
                failure = error
            throttled = response is not None and _is_throttled(response.status_code, content, throttle_code)
            if response is not None and not throttled and not retries.is_retry(method, response.status_code):
                break
            try:
                raw = None if response is None else response.raw
                retries = retries.increment(method, url, response=raw, error=failure and _cause(failure))
            except HTTPError:  # no attempts left, or not safe to send again
                break
            pause = retries.pause(response)
            if throttled and self._throttle:
                self._throttle.on_throttled(sent, pause)
            if deadline is not None and time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
        if response is None:
            from ._http_errors import transport_error

            raise transport_error(method, url, failure or OSError(), self._timeout, self.sanitize)
        decoded = self._decode(method, url, response, content)
        if self._throttle:
            self._throttle.on_success()
        return decoded

    def _exchange(self, request: requests.Request, deadline: float | None) -> tuple[requests.Response, bytes]:
        """Send once, and read the whole response within the limits of size and time."""
        prepared = request.prepare()
        timeout = self._timeout if deadline is None else min(self._timeout, max(1.0, deadline - time.monotonic()))
        settings = self._environment_settings(request.url)
        responses: list[requests.Response] = []

        def exchange() -> tuple[requests.Response, bytes]:
            with self._adapter.send(prepared, stream=True, timeout=timeout, **settings) as response:
                responses.append(response)
                content = bytearray()
                for chunk in response.iter_content(65536):
                    content += chunk
                    if len(content) > MAX_BODY:
                        raise InvalidResponseError(
                            f"{request.method} {request.url} was answered {response.status_code} with more than"
                            f" {MAX_BODY} bytes.",
                            http_status=response.status_code,
                            request_id=self.sanitize(response.headers.get("X-Request-Id")) or None,
                            maybe_accepted=request.method != "GET",
                        )
                if response.raw.length_remaining:  # which urllib3 1 does not report
                    raise requests.ConnectionError(ProtocolError("Connection broken: the answer was cut short"))
                return response, bytes(content)

        try:
            # One second more than the timeouts of the socket: those tell a failed connection from a lost response.
            return call_with_timeout(timeout + 1, exchange)
        except TimeoutError:
            cause = ReadTimeoutError(None, request.url, "Read timed out.")  # type: ignore[arg-type]
            raise requests.ReadTimeout(cause, response=responses[0] if responses else None) from None
        except requests.RequestException as error:
            error.response = responses[0] if responses else None
            raise

    def _environment_settings(self, url: str) -> dict[str, t.Any]:
        """Return proxies and authorities from the environment (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE ...).

        They are looked up once for each server: it costs more than a request.
        """
        base = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        if base not in self._environment:
            with requests.Session() as session:
                settings = session.merge_environment_settings(base, {}, True, self._verify, None)
            verify = settings["verify"]
            if isinstance(verify, str) and not os.path.exists(verify):
                raise InvalidOptionError(
                    f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that does not exist: {verify!r}."
                )
            proxy = requests.utils.select_proxy(base, settings["proxies"])
            if base.startswith("http:"):
                proxy = None  # Plain http is for loopback addresses. A proxy would carry readable credentials to another host.
            if proxy:
                from ._redact import proxy_secrets

                self.secrets.update(proxy_secrets(proxy))
            self._environment[base] = {"verify": verify, "proxies": {"https": proxy} if proxy else {}}
        return self._environment[base]

    def _decode(self, method: str, url: str, response: requests.Response, content: bytes) -> Response:
        data, is_json = _parse_json(content)
        if 200 <= response.status_code < 300 and isinstance(data, dict):
            # Some errors come with the status of a success.
            if not self.sanitize(data.get("error_code") or data.get("errorCode")):
                headers = response.headers
                request_id = self.sanitize(headers.get("X-Request-Id") or headers.get("X-IAM-Trace-Id")) or None
                return Response(response.status_code, headers, data, request_id)
        from ._http_errors import response_error

        raise response_error(method, url, response, content, data, is_json, self.sanitize)

    def sanitize(self, value: t.Any) -> str:
        """Return text from elsewhere fit to be shown: one line, no secret, at most 512 characters."""
        text = "" if value is None else str(value)
        # Other threads may add secrets meanwhile.
        secrets = tuple(self.secrets)
        # Most texts are error codes and request IDs. Only other texts are worth the import.
        if re.fullmatch(r"[\w.-]{0,40}", text, re.ASCII) and not any(
            secret[:16] in text for secret in secrets if secret
        ):
            return text
        from ._redact import redact

        return redact(text, secrets)


def _cause(error: BaseException) -> t.Any:
    from ._http_errors import urllib3_error

    return urllib3_error(error)


def _is_throttled(status: int, content: bytes, throttle_code: str) -> bool:
    if status < 400 or status in (429, 503) or not throttle_code:
        return status in (429, 503)
    from ._http_errors import error_fields

    return bool(error_fields(_parse_json(content)[0]).get("error_code") == throttle_code)


def _parse_json(content: bytes) -> tuple[t.Any, bool]:
    """Return the JSON value of a body, and whether it is JSON. An empty body counts as an empty object."""
    try:
        return (json.loads(content) if content.strip() else {}), True
    except (ValueError, RecursionError):
        return None, False
