# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client for the Data Replication Service (DRS). The API calls are in ``_positions.py`` and ``_jobs.py``."""

from __future__ import annotations

import time
import typing as t

from ._auth import Session
from ._errors import ApiError, HuaweiCloudError, InvalidResponseError, TransportError, WaitTimeoutError
from ._http import Response

TOO_FREQUENT = "DRS.M01503"  # throttled, with HTTP 400
# The gateway's error codes for an API call that is not available in the region.
UNPUBLISHED = ("APIGW.0101", "APIG.0101")

T = t.TypeVar("T")


class DrsClient:
    """Sends requests to DRS in the project of a session.

    ``base`` is the URL prefix of all API calls, ``sanitize`` the method of :class:`HttpClient`.

    :param endpoint: the base URL of DRS.
    :param language: the language of error messages, ``en-us`` or ``zh-cn``. Error codes do not depend on it.
    """

    def __init__(self, session: Session, endpoint: str, language: str = "en-us") -> None:
        self._session = session
        self.sanitize = session.sanitize
        self.base = f"{endpoint}/v5/{session.project_id}"
        self._headers = {"X-Language": language}

    def request(self, method: str, url: str, **kwargs: t.Any) -> Response:
        """Send a request like :meth:`Session.request`, and add a hint to errors of DRS."""
        try:
            return self._session.request(method, url, headers=self._headers, throttle_code=TOO_FREQUENT, **kwargs)
        except HuaweiCloudError as error:
            from ._hints import drs_hint

            error.add_hint(drs_hint(error))
            raise

    def invalid_response(self, response: Response, what: str, maybe_accepted: bool = False) -> InvalidResponseError:
        """Return the error for a response that the API does not document.

        :param what: the predicate of a sentence that starts with ``DRS``.
        """
        id_part = f" (request ID {response.request_id})" if response.request_id else ""
        message = f"DRS {what}{id_part}."
        error = InvalidResponseError(
            message, http_status=response.status, request_id=response.request_id, maybe_accepted=maybe_accepted
        )
        if maybe_accepted:
            from ._hints import drs_hint

            error.add_hint(drs_hint(error))
        return error

    def wait_for(
        self, read: t.Callable[[float], T | None], timeout: float, sleep: float, timeout_message: t.Callable[[], str]
    ) -> T:
        """Call a function until it returns a value, and return that.

        :param read: the function. Its argument is the deadline, a value of ``time.monotonic()``.
        :param timeout: the maximum time to wait, in seconds.
        :param sleep: the interval between two calls, in seconds.
        :param timeout_message: returns the message for a timeout.
        :raises WaitTimeoutError: on timeout.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = read(deadline)
                if found is not None:
                    return found
            except HuaweiCloudError as error:
                if not is_transient(error, deadline):
                    raise
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise WaitTimeoutError(timeout_message())
            time.sleep(min(sleep, remaining))


def is_unpublished(error: ApiError) -> bool:
    """Return whether the API call is not available in the region."""
    return error.http_status == 404 and error.error_code in UNPUBLISHED


def is_transient(error: HuaweiCloudError, deadline: float) -> bool:
    """Return whether the next attempt may succeed, after throttling or an attempt that the deadline cut short."""
    if isinstance(error, ApiError):
        return error.http_status in (429, 503) or error.error_code == TOO_FREQUENT
    return isinstance(error, TransportError) and time.monotonic() >= deadline
