# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Data Replication Service (DRS): a request in a project, waiting, and invalid responses.

The calls are in ``_positions.py`` and ``_jobs.py``. Nothing here knows Ansible.
"""

from __future__ import annotations

import time
import typing as t

from ._auth import Session
from ._errors import ApiError, HuaweiCloudError, InvalidResponseError, TransportError, WaitTimeoutError
from ._http import Response

# The error code of DRS for requests that come too fast, with HTTP 400.
TOO_FREQUENT = "DRS.M01503"
# The gateway's error codes for a call that the region does not have.
UNPUBLISHED = ("APIGW.0101", "APIG.0101")

T = t.TypeVar("T")


class DrsClient:
    """DRS in the project of a session. ``base`` is the beginning of the URL of each call.

    :param endpoint: the base URL of DRS.
    :param language: of the messages, ``en-us`` or ``zh-cn``. Error codes are the same in each.
    """

    def __init__(self, session: Session, endpoint: str, language: str = "en-us") -> None:
        self._session = session
        self.sanitize = session.sanitize
        self.base = f"{endpoint}/v5/{session.project_id}"
        self._headers = {"X-Language": language}

    def request(self, method: str, url: str, **kwargs: t.Any) -> Response:
        """Send a request, see :meth:`Session.request`, and add to an error what it means in DRS."""
        try:
            return self._session.request(method, url, headers=self._headers, throttle_code=TOO_FREQUENT, **kwargs)
        except HuaweiCloudError as error:
            from ._hints import drs_hint

            error.add_hint(drs_hint(error))
            raise

    def invalid_response(self, response: Response, what: str, maybe_accepted: bool = False) -> InvalidResponseError:
        """Return the error for a response that its API does not document.

        :param what: what DRS did, as it follows ``DRS``.
        """
        id_part = f" (request id {response.request_id})" if response.request_id else ""
        error = InvalidResponseError(
            f"DRS {what}{id_part}.",
            http_status=response.status,
            request_id=response.request_id,
            maybe_accepted=maybe_accepted,
        )
        if maybe_accepted:
            from ._hints import drs_hint

            error.add_hint(drs_hint(error))
        return error

    def wait_for(
        self, read: t.Callable[[float], T | None], timeout: float, sleep: float, timeout_message: t.Callable[[], str]
    ) -> T:
        """Call a function until it returns something.

        :param read: gets the deadline, a value of ``time.monotonic()``.
        :param timeout: seconds after which to give up.
        :param sleep: seconds between two calls.
        :param timeout_message: returns what was not finished in time.
        :raises WaitTimeoutError: when the time is over.
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
    """Return whether the region does not have a call at all."""
    return error.http_status == 404 and error.error_code in UNPUBLISHED


def is_transient(error: HuaweiCloudError, deadline: float) -> bool:
    """Return whether the next attempt may succeed: requests came too fast, or the deadline cut an attempt short."""
    if isinstance(error, ApiError):
        return error.http_status in (429, 503) or error.error_code == TOO_FREQUENT
    return isinstance(error, TransportError) and time.monotonic() >= deadline
