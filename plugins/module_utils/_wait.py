# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting for DRS, which does most things asynchronously."""

from __future__ import annotations

import time
import typing as t

from . import _drs, _errors

T = t.TypeVar("T")


def wait_for(
    read: t.Callable[[float], T | None], timeout: float, sleep: float, timeout_message: t.Callable[[], str]
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
        except _errors.HuaweiCloudError as error:
            if not is_transient(error, deadline):
                raise
        remaining = deadline - time.monotonic()
        if remaining <= 0:
            raise _errors.WaitTimeoutError(timeout_message())
        time.sleep(min(sleep, remaining))


def is_transient(error: _errors.HuaweiCloudError, deadline: float) -> bool:
    """Return whether the next attempt may succeed, after throttling or an attempt that the deadline cut short."""
    if isinstance(error, _errors.ApiError):
        return error.http_status in (429, 503) or error.error_code == _drs.TOO_FREQUENT
    return isinstance(error, _errors.TransportError) and time.monotonic() >= deadline
