# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which requests are sent again, and after which delay. Imported after an attempt that failed, or by a batch."""

from __future__ import annotations

import random
import typing as t

from . import _http_errors

if t.TYPE_CHECKING:
    import requests

    from . import _connection

try:
    from urllib3.exceptions import HTTPError
    from urllib3.util.retry import Retry
except ImportError:  # pragma: no cover
    Retry = object  # type: ignore[assignment,misc]  # Then there is no client either: see _http.py.

MAX_PAUSE = 60.0  # Seconds. A server may ask for a longer delay, but an operator is waiting.


class _Policy(Retry):
    """Decides which HTTP statuses are retried, and how long the delays are.

    urllib3 counts the attempts, reads ``Retry-After``, and tells a failed connection (nothing was sent, so every method
    is retried) from a lost response (only the methods in ``allowed_methods`` are).
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        # After 429, every method is safe to retry. After a 5xx, the request may have been carried out: 503 included,
        # because it is also the response of a gateway that lost its backend.
        return status_code == 429 or (status_code >= 500 and self._is_method_retryable(method))

    def pause(self, response: requests.Response | None) -> float:
        try:
            asked = response is not None and self.get_retry_after(response.raw)
        except Exception:  # pylint: disable=broad-exception-caught  # a date or a number that Python does not accept
            asked = None
        # The jitter spreads the retries of clients that were throttled at the same time.
        return min(MAX_PAUSE, asked or 2 ** (len(self.history) - 1) * random.uniform(0.5, 1.0))


class Retries:
    """The retries of a request.

    :param method: the HTTP method. It is ``GET`` for every request that changes nothing.
    :param url: the URL.
    :param max_retries: the maximum number of retries.
    """

    def __init__(self, method: str, url: str, max_retries: int) -> None:
        self._method, self._url = method, url
        self._policy = _Policy(total=max_retries, other=0, allowed_methods={"GET"})

    def next_pause(
        self,
        response: requests.Response | None,
        throttled: bool,
        failure: Exception | None,
        attempt: _connection.Attempt,
    ) -> float | None:
        """Count an attempt that failed. Return the delay before the next one, in seconds, or None if there is none.

        :param response: an error response, or None if there was no complete response.
        :param throttled: whether the response says that there were too many requests.
        :param failure: the exception if there was no complete response.
        :param attempt: how far the attempt got.
        """
        if response is not None and not throttled and not self._policy.is_retry(self._method, response.status_code):
            return None
        raw = None if response is None else response.raw
        error = failure and _http_errors.urllib3_error(failure, attempt)
        try:
            self._policy = self._policy.increment(self._method, self._url, response=raw, error=error)
        except HTTPError:  # no attempts left, or not safe to send again
            return None
        return self._policy.pause(response)


def is_throttled(response: requests.Response | None, data: t.Any, throttle_code: str) -> bool:
    """Return whether there is an error response, and it says that there were too many requests.

    :param data: the JSON value of the body.
    :param throttle_code: an error code that means the same as HTTP 429.
    """
    status = response.status_code if response is not None else 0
    if status == 429:
        return True
    # After a 5xx, the request may have been carried out.
    is_refusal = 400 <= status < 500
    return bool(throttle_code and is_refusal and _http_errors.error_fields(data).get("error_code") == throttle_code)
