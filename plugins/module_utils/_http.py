# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The transport: one HTTP session, its TLS, time-outs and retry policy, and the decoding of answers and errors.

It knows HTTP, JSON and the shapes in which Huawei Cloud's services write errors. It knows no service and no Ansible.
"""

from __future__ import annotations

import ipaddress
import json
import os
import queue
import random
import re
import threading
import time
import traceback
import typing as t
from base64 import b64encode
from http.client import HTTPException
from urllib.parse import quote, unquote, unquote_plus, urlencode, urlsplit

REQUESTS_IMPORT_ERROR: str | None = None
try:
    import requests
    from urllib3.exceptions import (
        ConnectTimeoutError,
        HTTPError,
        InvalidHeader,
        LocationValueError,
        MaxRetryError,
        ProtocolError,
        ProxyError,
        ReadTimeoutError,
        SSLError,
    )
    from urllib3.util.retry import Retry
except ImportError:
    REQUESTS_IMPORT_ERROR = traceback.format_exc()
    Retry = object  # type: ignore[assignment,misc]

# The largest answers of these APIs are pages of jobs that are made up of others, which may come to some megabytes.
MAX_BODY = 8 * 1024 * 1024
# A server may ask for any pause. An operator is waiting, so no single pause is longer than this, in seconds.
MAX_PAUSE = 60.0
MASK = "********"


class HuaweiCloudError(Exception):
    """What went wrong, in words for the user, with the facts of the server's answer where there was one.

    Every error that these layers raise is one of this class. ``maybe_accepted`` is true when the request could have changed something and
    the server may have carried it out although no usable answer came back.
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        error_code: str | None = None,
        error_msg: str | None = None,
        request_id: str | None = None,
        maybe_accepted: bool = False,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.error_code = error_code
        self.error_msg = error_msg
        self.request_id = request_id
        self.maybe_accepted = maybe_accepted
        # Whether the server, or a layer in its place, says that the credentials are not valid.
        self.credentials_refused = False
        self.advice: list[str] = []

    def advise(self, advice: str | None) -> None:
        """Add what the user can do about it; a layer that knows more than the one below calls this and raises again."""
        if advice:
            self.advice.append(advice)

    def __str__(self) -> str:
        return " ".join([super().__str__(), *self.advice])


class InputError(HuaweiCloudError):
    """A value that the user gave cannot be used. Raised before anything is sent."""


class NoAnswerError(HuaweiCloudError):
    """No connection, or no complete answer."""


class ApiError(HuaweiCloudError):
    """The server answered with an error."""


class BadAnswerError(HuaweiCloudError):
    """The server answered, but not with what its API promises."""


class Answer(t.NamedTuple):
    """A successful answer: HTTP status, headers (names in any case), the JSON object of the body (empty if there was none)."""

    status: int
    headers: t.Mapping[str, str]
    body: dict[str, t.Any]
    request_id: str | None


class _RetryPolicy(Retry):
    """When to send a request again, and after which pause.

    urllib3 counts the attempts, tells a failed connection (nothing was sent, so any request may go again) from a lost answer (only methods
    in ``allowed_methods`` may), and reads ``Retry-After``. Left to say here: which statuses, and how long the pauses are.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        # 429 and 503 are refusals, so they are safe for every method. Behind any other 5xx the request may have been carried out.
        return status_code in (429, 503) or (status_code >= 500 and self._is_method_retryable(method))

    def pause(self, response: requests.Response | None) -> float:
        """Seconds to wait before the next attempt."""
        try:
            asked = response is not None and self.get_retry_after(response.raw)
        except (InvalidHeader, ValueError, OverflowError):  # a number or a year that Python does not take
            asked = None
        # Without jitter, parallel jobs that were throttled together would come back together.
        return min(MAX_PAUSE, asked or 2 ** (len(self.history) - 1) * random.uniform(0.5, 1.0))


def check_endpoint(option: str, value: str) -> str:
    """Check the base URL of a service, and return it without a trailing slash.

    Only a scheme, a host and a port are let through, so that nothing can change the path of a request or the host that gets the
    credentials. Plain ``http`` is for loopback addresses alone, because the credentials would travel readable.

    :arg option: the name that the user knows the value by.
    :raises InputError: when it is anything else.
    """
    label = "[A-Za-z0-9_-]{1,63}"
    match = re.fullmatch(rf"(https?)://({label}(?:\.{label})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?/?", value)
    if not match or int(match[3] or 0) > 65535 or (match[2].startswith("[") and not _is_address(match[2].strip("[]"))):
        # What stands before an @ may be a password.
        shown = repr(value) if "@" not in value else "something with an @ in it"
        raise InputError(f"{option} must look like https://host or https://host:port, with nothing behind it; it is {shown}.")
    if match[1] == "http" and not _is_loopback(match[2].strip("[]")):
        raise InputError(f"{option} is {value!r}: credentials are only sent over https. Plain http is accepted for loopback addresses.")
    return value.rstrip("/")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host.lower() == "localhost"


class _Pace:
    """The distance between two requests. It grows when a server says that they come too fast, for all threads alike, and shrinks with every success."""

    LEAST, MOST = 0.02, 10.0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._gap = 0.0
        # Values of time.monotonic(): when the next request may be sent, and when the gap grew last.
        self._next = self._grown = 0.0

    def wait(self, deadline: float | None) -> float:
        """Sleep until a request may be sent, or until the deadline, and return the time."""
        with self._lock:
            now = time.monotonic()
            begin = max(self._next, now)
            self._next = begin + self._gap
        if deadline is not None:
            begin = max(min(begin, deadline), now)
        if begin > now:
            time.sleep(begin - now)
        return begin

    def refused(self, sent: float, pause: float) -> None:
        """Note that a request was refused that was sent at a time. Nothing is sent for a while."""
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now + pause)
            # Those that were under way at the same time were refused for the same reason.
            if sent >= self._grown:
                self._gap = min(self.MOST, max(self.LEAST, 2 * self._gap))
                self._grown = now

    def accepted(self) -> None:
        with self._lock:
            self._gap = self._gap * 0.95 if self._gap > self.LEAST / 2 else 0.0


_T = t.TypeVar("_T")
# Where the threads that have nothing to do wait for work. To begin one for each request would be about a fifth of what a request costs. The threads of
# concurrent.futures will not do: the process would not end before what was given up on.
_IDLE: list[queue.SimpleQueue[t.Any]] = []
os.register_at_fork(after_in_child=_IDLE.clear)  # A child has none of its parent's threads.


def in_time(seconds: float, function: t.Callable[[], _T]) -> _T:
    """Call a function in a thread, and give up on it after some seconds. What it began ends with the process.

    The time-outs of sockets do not do this: they start anew with every byte that a slow server sends.

    :raises TimeoutError: when the time is over.
    """
    try:
        work = _IDLE.pop()
    except IndexError:
        work = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(work,), name="in_time", daemon=True).start()
    outcome: queue.SimpleQueue[tuple[t.Any, BaseException | None]] = queue.SimpleQueue()
    work.put((function, outcome))
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"It took longer than {seconds:g} seconds.") from None
    if error:
        raise error
    return t.cast(_T, result)


def _serve(work: queue.SimpleQueue[t.Any]) -> None:
    """Call one function after the other, each of which comes with a place for its result, until there is C(None) in place of one."""

    def call(function: t.Callable[[], t.Any], outcome: queue.SimpleQueue[t.Any]) -> None:
        found: tuple[t.Any, BaseException | None]
        try:
            found = function(), None
        except BaseException as error:  # pylint: disable=broad-exception-caught
            found = None, error
        _IDLE.append(work)
        outcome.put(found)

    while task := work.get():
        call(*task)
        del task  # What it holds is not needed while this waits.


class HttpClient:
    """One HTTP session: a connection pool with one policy for TLS, time-outs and retries. Threads may share it.

    :arg validate_certs: whether the server's certificate is verified.
    :arg ca_cert: path of a file with the authorities to trust instead of the system's.
    :arg timeout: seconds that one attempt may take, from the connection to the last byte of the answer.
    :arg max_retries: how often a request is sent again where that is safe.
    :arg connections: how many threads will send requests at the same time, at most.
    :arg user_agent: what the server's log shows.
    :arg secrets: everything that must not be shown. It is shared, not copied: what a layer adds later is masked from then on.
    :raises InputError: when I(ca_cert) does not exist.
    """

    def __init__(
        self,
        *,
        validate_certs: bool = True,
        ca_cert: str | None = None,
        timeout: float = 30,
        max_retries: int = 4,
        connections: int = 1,
        user_agent: str = "huaweicloud.drs",
        secrets: set[str] | None = None,
    ) -> None:
        if ca_cert and not os.path.exists(ca_cert):
            raise InputError(f"ca_cert: there is no file {ca_cert!r}.")
        self.secrets = secrets if secrets is not None else set()
        self._timeout = timeout
        self._retries = _RetryPolicy(total=max_retries, other=0, allowed_methods={"GET"})
        self._verify: bool | str = (ca_cert or True) if validate_certs else False
        self._environment: dict[str, dict[str, t.Any]] = {}
        self._pace = _Pace()
        # Without a session of requests: it would keep cookies, read the body of a redirect that is not to be followed, whatever its size, and let a
        # login from ~/.netrc replace ours.
        self._adapter = requests.adapters.HTTPAdapter(pool_maxsize=connections)
        # Nothing compressed is asked for, since it could swell.
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
        too_frequent: str = "",
    ) -> Answer:
        """Send a request, again where that is safe, and return the answer if it is a success.

        A request is sent again after 429 and 503, and when the connection failed, since nothing was sent then. After a lost answer or
        another 5xx only a C(GET) is. When a request comes too fast, those of other threads are held back as well.

        :arg auth: puts the credentials on the request.
        :arg body: is sent as JSON.
        :arg deadline: the value of ``time.monotonic()`` after which nothing is sent again. An attempt is given one second at least.
        :arg too_frequent: an error code that means the same as 429.
        :raises ApiError: the server said no.
        :raises BadAnswerError: the answer is not a JSON object, or too large.
        :raises NoAnswerError: no connection, or no complete answer.
        """
        data = None if body is None else json.dumps(body).encode()
        # Not as params, where requests writes a space as a plus: signatures are made of what stands in the URL.
        query = f"?{urlencode(params, quote_via=quote)}" if params else ""
        all_headers = {**self._headers, "Content-Type": "application/json", **(headers or {})}
        request = requests.Request(method, url + query, headers=all_headers, data=data, auth=auth)
        retries = self._retries
        while True:
            response, content, failure = None, b"", None
            sent = self._pace.wait(deadline)
            try:
                response, content = self._exchange(request, deadline)
            except (OSError, HTTPError) as error:  # the exceptions of requests are OSErrors
                failure = error
            status = 0 if response is None else response.status_code
            too_fast = status in (429, 503) or bool(status >= 400 and too_frequent and _error_code(content) == too_frequent)
            if response is not None and not too_fast and not retries.is_retry(method, response.status_code):
                break
            try:
                retries = retries.increment(method, url, response=None if response is None else response.raw, error=failure and _cause(failure))
            except HTTPError:  # no attempts left, or not to be sent again
                break
            pause = retries.pause(response)
            if too_fast:
                self._pace.refused(sent, pause)
            if deadline is not None and time.monotonic() + pause >= deadline:
                break
            time.sleep(pause)
        if response is None:
            raise self._no_answer(method, url, failure or OSError())
        answer = self._decode(method, url, response, content)
        self._pace.accepted()
        return answer

    def _exchange(self, request: requests.Request, deadline: float | None) -> tuple[requests.Response, bytes]:
        """Send once, and read the whole answer within the limits of size and time."""
        prepared = request.prepare()
        timeout = self._timeout if deadline is None else min(self._timeout, max(1.0, deadline - time.monotonic()))
        settings = self._settings(request.url)

        answered: list[requests.Response] = []

        def exchange() -> tuple[requests.Response, bytes]:
            with self._adapter.send(prepared, stream=True, timeout=timeout, **settings) as response:
                answered.append(response)
                content = bytearray()
                for chunk in response.iter_content(65536):
                    content += chunk
                    if len(content) > MAX_BODY:
                        raise BadAnswerError(
                            f"{request.method} {request.url} was answered {response.status_code} with more than {MAX_BODY} bytes.",
                            http_status=response.status_code,
                            request_id=self.clean(response.headers.get("X-Request-Id")) or None,
                            maybe_accepted=request.method != "GET",
                        )
                if response.raw.length_remaining:  # which urllib3 1 lets pass
                    raise requests.ConnectionError(ProtocolError("Connection broken: the answer was cut short"))
                return response, bytes(content)

        try:
            # A second more than the time-outs of the socket have, because those tell a failed connection from a lost answer.
            return in_time(timeout + 1, exchange)
        except TimeoutError:
            late = ReadTimeoutError(None, request.url, "Read timed out.")  # type: ignore[arg-type]
            raise requests.ReadTimeout(late, response=answered[0] if answered else None) from None
        except requests.RequestException as error:
            error.response = answered[0] if answered else None
            raise

    def _settings(self, url: str) -> dict[str, t.Any]:
        """Proxies and authorities from the environment (HTTPS_PROXY, NO_PROXY, REQUESTS_CA_BUNDLE ...), looked up once for a server.

        Looking them up for every request costs more than the request itself in a loop.
        """
        base = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        if base not in self._environment:
            with requests.Session() as session:
                settings = session.merge_environment_settings(base, {}, True, self._verify, None)
            verify = settings["verify"]
            if isinstance(verify, str) and not os.path.exists(verify):
                raise InputError(f"REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE names a file that is not there: {verify!r}.")
            proxy = requests.utils.select_proxy(base, settings["proxies"])
            if base.startswith("http:"):
                proxy = None  # Plain http is for loopback addresses. A proxy would carry the credentials readable to another host.
            if proxy:
                self.secrets.update(_proxy_secrets(proxy))
            self._environment[base] = {"verify": verify, "proxies": {"https": proxy} if proxy else {}}
        return self._environment[base]

    def _no_answer(self, method: str, url: str, failure: BaseException) -> NoAnswerError:
        sent, cause, response = False, _cause(failure), getattr(failure, "response", None)
        if isinstance(cause, SSLError):
            # A certificate is looked at before anything is sent. Other faults of TLS may come later. urllib3 1.26 says "doesn't match" of a name.
            faults = ("certificate", "CERTIFICATE", "doesn't match", "WRONG_VERSION_NUMBER", "HANDSHAKE", "PROTOCOL_VERSION")
            sent = not any(fault in str(cause) for fault in faults)
            reason = f"TLS failed: {self.clean(cause)}." + (
                "" if sent else " If the server's certificate comes from an authority of your own, name its file in ca_cert."
            )
        elif isinstance(cause, ProxyError):
            reason = f"the proxy from the environment does not let it through: {self.clean(cause)}."
        elif isinstance(cause, ConnectTimeoutError):
            reason = f"no connection: {self.clean(cause).rsplit(': ', 1)[-1]}."
        elif isinstance(cause, ReadTimeoutError):
            sent, reason = True, f"no complete answer in time, which is {self._timeout} seconds at most."
        elif isinstance(cause, (HTTPError, requests.ConnectionError, ConnectionError)) and not isinstance(cause, LocationValueError):
            sent, reason = True, f"no complete answer: {self.clean(cause)}."
        else:
            reason = f"it could not be sent: {self.clean(cause)}."
        request_id = None if response is None else self.clean(response.headers.get("X-Request-Id")) or None
        return NoAnswerError(
            f"{method} {url}: {reason}{f' (request id {request_id})' if request_id else ''}",
            request_id=request_id,
            maybe_accepted=sent and method != "GET",
        )

    def _decode(self, method: str, url: str, response: requests.Response, content: bytes) -> Answer:
        status = response.status_code
        data, is_json = _parse_json(content)
        fields = _error_fields(data, deep=status >= 300)
        error_code = self.clean(fields.get("error_code")) or None
        request_id = self.clean(response.headers.get("X-Request-Id") or fields.get("request_id") or response.headers.get("X-IAM-Trace-Id")) or None
        said = f"{method} {url} was answered {status}"
        id_part = f" (request id {request_id})" if request_id else ""
        if 200 <= status < 300:
            if isinstance(data, dict) and is_json and not error_code:
                return Answer(status, response.headers, data, request_id)
            if not error_code:
                what = f"a JSON {type(data).__name__}" if is_json else f"{len(content)} bytes that are not JSON, {self._excerpt(content)!r}"
                raise BadAnswerError(
                    f"{said} with {what}, where the API promises a JSON object{id_part}.",
                    http_status=status,
                    request_id=request_id,
                    maybe_accepted=method != "GET",
                )
        if 300 <= status < 400:
            target = self.clean(response.headers.get("Location"))
            error_msg = f"a redirect to {target or 'nowhere'}, which is not followed because it would take the credentials there"
        elif is_json and (fields or not data):
            error_msg = self.clean(fields.get("error_msg"))
        else:
            error_msg = self._excerpt(content)
        # IAM repeats the HTTP status as its code.
        code_part = f" {error_code}" if error_code not in (None, str(status)) else ""
        raise ApiError(
            f"{said}{code_part}: {error_msg.rstrip('.。') or 'the server gave no reason'}{id_part}.",
            http_status=status,
            error_code=error_code,
            error_msg=error_msg or None,
            request_id=request_id,
            # Behind an answer below 200 another one was to come.
            maybe_accepted=method != "GET" and (status < 200 or (status >= 500 and status != 503)),
        )

    def _excerpt(self, content: bytes) -> str:
        """The start of a body that is not JSON; of an HTML page, its title."""
        text = content.decode("utf-8", "replace")
        title = re.search(r"<title[^<>]*>([^<]*)</title", text, re.IGNORECASE)
        if title:
            text = _unescape_html(title[1])
        elif re.match(r"\s*<(!doctype|html)", text, re.IGNORECASE):
            text = "an HTML page without a title"
        return self.clean(text)

    def clean(self, value: t.Any) -> str:
        """Text that came from elsewhere, fit to be shown: one line, no secret, at most the 512 characters that DRS documents."""
        text = "" if value is None else str(value)[:200000]
        if not text:
            return ""
        # The longest first, since one secret may be a part of another. Other threads may add some meanwhile.
        secrets = sorted(filter(None, tuple(self.secrets)), key=len, reverse=True)
        for secret in secrets:
            text = text.replace(secret, MASK)
            if len(secret) > 32 and secret[:16] in text:  # a token that the server itself cut short
                text = re.sub(re.escape(secret[:16]) + r"\S*", MASK, text)
        text = re.sub(r"(?i)\b(signature=)\w+", rf"\1{MASK}", text)
        readings = {text}
        # Without one of these characters nothing is encoded. JSON in a URL in HTML would be in three ways.
        for _depth in range(0 if set("&%+\\").isdisjoint(text) else 3):
            readings |= {read(reading) for reading in readings for read in (_unescape_html, unquote, unquote_plus, _unescape_json)}
        if any(secret in reading for secret in secrets for reading in readings) or any(re.search(r"(?i)\bsignature=\w", reading) for reading in readings):
            return "(not shown, because it holds a secret)"
        return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:512]


def _unescape_html(text: str) -> str:
    from html import unescape  # Few answers need it, and its import takes its time.

    return unescape(text)


def _unescape_json(text: str) -> str:
    names = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t"}
    plain = re.sub(r"\\(?:u([0-9A-Fa-f]{4})|(.))", lambda match: chr(int(match[1], 16)) if match[1] else names.get(match[2], match[2]), text)
    # What lies beyond the first 65,536 characters of Unicode is escaped as two.
    return plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _proxy_secrets(proxy: str) -> set[str]:
    """The password in a proxy's URL, as it stands there, as it is meant, and as it is sent.

    :raises InputError: when the URL cannot be taken apart. It is not shown, since a part of it may be a password.
    """
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        password = parts.password or ""
        good = proxy.isascii() and parts.hostname and parts.port != 0 and ("@" in parts.netloc or "@" not in proxy)
    except ValueError:
        good = False
    if not good:
        raise InputError(
            "The proxy that the environment names is no URL such as http://user:password@host:port. Characters of the password that mean something"
            " in a URL must be percent-encoded."
        )
    if not password:
        return set()
    login = f"{unquote(parts.username or '')}:{unquote(password)}"
    return {password, unquote(password), b64encode(login.encode("latin-1", "replace")).decode()}


def _cause(error: BaseException) -> t.Any:
    """The exception of urllib3 inside one of requests."""
    cause: t.Any = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    if isinstance(cause, MaxRetryError) and cause.reason:
        cause = cause.reason
    if isinstance(cause, ProxyError) and isinstance(cause.original_error, (ConnectionError, HTTPException)):
        # urllib3 takes an answer that was lost behind a proxy for a fault of the proxy, as if nothing had been sent.
        return ProtocolError("Connection aborted.", cause.original_error)
    return cause


def _error_code(content: bytes) -> t.Any:
    return _error_fields(_parse_json(content)[0], deep=True).get("error_code")


def _parse_json(content: bytes) -> tuple[t.Any, bool]:
    """The JSON value of a body, and whether it is one. An empty body counts as an empty object."""
    try:
        return (json.loads(content) if content.strip() else {}), True
    except (ValueError, RecursionError):
        return None, False


def _error_fields(data: t.Any, deep: bool) -> dict[str, t.Any]:
    """Code, message and request id from any of the shapes in which the services and their gateway write errors.

    :arg deep: whether to look one level down as well, as is right in an error but not in an answer, whose parts may tell of errors of old.
    """
    if not isinstance(data, dict):
        return {}
    levels = [data, *(value for value in data.values() if isinstance(value, dict) and deep)]
    for level in levels:
        error_code = level.get("error_code") or level.get("errorCode") or (level.get("code") if deep else None)
        error_msg = level.get("error_msg") or level.get("errorMsg") or (level.get("message") if deep else None)
        if error_code or error_msg:
            return {"error_code": error_code, "error_msg": error_msg, "request_id": level.get("request_id") or data.get("request_id")}
    return {}
