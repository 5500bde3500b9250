# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors built from exceptions and error responses. Imported after a failure, or by a batch."""

from __future__ import annotations

import re
import socket
import ssl
import typing as t
from http.client import HTTPException

from . import _errors, _redact

if t.TYPE_CHECKING:
    from . import _connection

try:
    import requests
    from urllib3.exceptions import (
        ConnectTimeoutError,
        HTTPError,
        LocationValueError,
        MaxRetryError,
        ProtocolError,
        ProxyError,
        ReadTimeoutError,
        SSLError,
    )
except ImportError:  # pragma: no cover
    pass  # Then there is no client either: see _http.py.


def transport_error(
    method: str,
    url: str,
    failure: Exception,
    attempt: _connection.Attempt,
    timeout: float,
    sanitize: t.Callable[[t.Any], str],
) -> _errors.TransportError:
    """Return the error for a request without a complete response.

    :param failure: the exception from requests or urllib3.
    :param attempt: how far the attempt got.
    :param timeout: the timeout of an attempt, in seconds.
    :param sanitize: see :meth:`HttpClient.sanitize`.
    """
    sent, cause, response = False, urllib3_error(failure, attempt), attempt.response
    if isinstance(cause, SSLError):
        sent, reason = not attempt.connecting, f"TLS failed: {sanitize(cause)}."
        # "doesn't match" is about host names, in urllib3 1.26.
        if not sent and re.search("certificate|doesn't match", str(cause), re.IGNORECASE):
            reason += " If the server uses a private certificate authority, set ca_cert to its certificate file."
    elif isinstance(cause, ProxyError):
        reason = f"the proxy from the environment did not forward the request: {sanitize(cause)}."
    elif isinstance(cause, ConnectTimeoutError):
        # urllib3 puts the connection in front, and sometimes words that say the same.
        front = r"^(<[^>]*>|\w*Connection\([^)]*\)): (Failed to establish a new connection: )?"
        reason = f"connection failed: {re.sub(front, '', sanitize(cause.args[-1]))}."
    elif isinstance(cause, ReadTimeoutError):
        sent, reason = True, f"no complete response before the timeout ({timeout} seconds at most)."
    elif isinstance(cause, LocationValueError) or not isinstance(
        cause, (HTTPError, requests.ConnectionError, ConnectionError)
    ):
        reason = f"the request could not be sent: {sanitize(cause)}."
    else:
        sent, reason = True, f"no complete response: {sanitize(cause)}."
    request_id = None if response is None else sanitize(response.headers.get("X-Request-Id")) or None
    return _errors.TransportError(
        f"{method} {sanitize(url)}: {reason}{f' (request ID {request_id})' if request_id else ''}",
        request_id=request_id,
        maybe_accepted=sent and method != "GET",
    )


def unreadable_response(
    method: str, url: str, response: requests.Response | None, what: str, sanitize: t.Callable[[t.Any], str]
) -> _errors.InvalidResponseError:
    """Return the error for a response whose body was not read to its end.

    :param response: None when not even its headers were read to their end.
    :param what: what the response has, as the end of a sentence.
    :param sanitize: see :meth:`HttpClient.sanitize`.
    """
    status = None if response is None else response.status_code
    return _errors.InvalidResponseError(
        f"{method} {sanitize(url)} returned{f' HTTP {status}' if status else ' a response'} with {what}.",
        http_status=status,
        request_id=None if response is None else sanitize(response.headers.get("X-Request-Id")) or None,
        maybe_accepted=method != "GET",
    )


def response_error(
    method: str,
    url: str,
    response: requests.Response,
    content: bytes,
    data: t.Any,
    is_json: bool,
    sanitize: t.Callable[[t.Any], str],
) -> _errors.HuaweiCloudError:
    """Return the error for an error response or an invalid one.

    :param content: the body.
    :param data: the JSON value of the body.
    :param is_json: whether the body is valid JSON.
    :param sanitize: see :meth:`HttpClient.sanitize`.
    """
    status, headers = response.status_code, response.headers
    # Nested objects of a successful response may describe earlier errors.
    fields = error_fields(data, deep=status >= 300)
    error_code = sanitize(fields.get("error_code")) or None
    request_id = headers.get("X-Request-Id") or fields.get("request_id") or headers.get("X-IAM-Trace-Id")
    request_id = sanitize(request_id) or None
    said = f"{method} {sanitize(url)} returned HTTP {status}"
    id_part = f" (request ID {request_id})" if request_id else ""
    if 200 <= status < 300 and not error_code:
        what = f"a JSON {type(data).__name__}"
        if not is_json:
            what = f"{len(content)} bytes that are not JSON ({sanitize(_redact.excerpt(content))!r})"
        return _errors.InvalidResponseError(
            f"{said} with {what} instead of a JSON object{id_part}.",
            http_status=status,
            request_id=request_id,
            maybe_accepted=method != "GET",
        )
    if 300 <= status < 400:
        target = sanitize(headers.get("Location")) or "an unspecified location"
        error_msg = f"a redirect to {target}, which was not followed because it would send the credentials there"
    elif is_json and (fields or not data):
        error_msg = sanitize(fields.get("error_msg"))
    else:
        error_msg = sanitize(_redact.excerpt(content))
    # IAM repeats the HTTP status as the error code.
    code_part = f" {error_code}" if error_code not in (None, str(status)) else ""
    return _errors.ApiError(
        f"{said}{code_part}: {error_msg.rstrip('.。') or 'the server gave no reason'}{id_part}.",
        http_status=status,
        error_code=error_code,
        error_msg=error_msg or None,
        request_id=request_id,
        # After a 1xx status, the final response is still missing. A 303 says where the result is.
        maybe_accepted=method != "GET" and (status < 200 or status == 303 or status >= 500),
    )


def urllib3_error(error: Exception, attempt: _connection.Attempt) -> t.Any:
    """Return the exception of urllib3 that says what happened: its policy for retries depends on the type.

    :param error: the exception from requests, urllib3 or a library that they use.
    :param attempt: how far the attempt got.
    """
    cause: t.Any = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    if isinstance(cause, MaxRetryError) and cause.reason:
        cause = cause.reason
    root: t.Any = cause
    while root.args and isinstance(root.args[-1], Exception):
        root = root.args[-1]
    timed_out = isinstance(root, (socket.timeout, ReadTimeoutError))
    broken = isinstance(
        root, (ConnectionError, HTTPException, ssl.SSLEOFError, ssl.SSLSyscallError, ssl.SSLZeroReturnError)
    )
    # After a reset, Python 3.13 raises the base class with this reason.
    broken = broken or getattr(root, "reason", None) == "UNEXPECTED_EOF_WHILE_READING"
    if attempt.connecting and (broken or timed_out):
        # The policy retries it for every method, like a connection that was refused.
        return ConnectTimeoutError(
            f"it broke before the end of the TLS handshake ({'timed out' if timed_out else root})"
        )
    # urllib3 reports a response lost behind a proxy as a proxy failure, and one lost in TLS as a TLS failure.
    if broken or (attempt.connected and (isinstance(cause, ProxyError) or not isinstance(cause, HTTPError))):
        return ProtocolError("Connection aborted.", root)
    return cause


def error_fields(data: t.Any, deep: bool = True) -> dict[str, t.Any]:
    """Return error code, message and request ID from any of the error formats of the services and their gateway.

    :param data: the JSON value of a body.
    :param deep: whether to also look one level down, in lists as well, and for the short names ``code`` and
        ``message``.
    """
    if not isinstance(data, dict):
        return {}
    inner = [item for value in data.values() for item in (value if isinstance(value, list) else [value]) if deep]
    for level in [data, *(item for item in inner if isinstance(item, dict))]:
        error_code = level.get("error_code") or level.get("errorCode") or (level.get("code") if deep else None)
        error_msg = level.get("error_msg") or level.get("errorMsg") or (level.get("message") if deep else None)
        if error_code or error_msg:
            request_id = level.get("request_id") or data.get("request_id")
            return {"error_code": error_code, "error_msg": error_msg, "request_id": request_id}
    return {}
