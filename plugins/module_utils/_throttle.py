# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Slow down all threads together when a server says that requests come too fast."""

from __future__ import annotations

import threading
import time


class Throttle:
    """Keeps an interval between two requests. It grows with each refusal and shrinks with each success."""

    MIN_INTERVAL, MAX_INTERVAL = 0.02, 10.0  # seconds

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interval = 0.0
        # Values of time.monotonic(): when the next request may be sent, and when the interval last grew.
        self._next = self._grown = 0.0

    def wait(self, deadline: float | None) -> float:
        """Sleep until a request may be sent.

        :param deadline: a value of ``time.monotonic()`` after which not to sleep any more.
        :returns: the value of ``time.monotonic()`` at which the request may be sent.
        """
        with self._lock:
            now = time.monotonic()
            begin = max(self._next, now)
            self._next = begin + self._interval
        if deadline is not None:
            begin = max(min(begin, deadline), now)
        if begin > now:
            time.sleep(begin - now)
        return begin

    def on_throttled(self, sent: float, pause: float) -> None:
        """Send nothing for a while, because a request was refused.

        :param sent: when the request was sent, as :meth:`wait` returned it.
        :param pause: seconds to wait.
        """
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now + pause)
            # Requests that were under way at the same time were refused for the same reason.
            if sent >= self._grown:
                self._interval = min(self.MAX_INTERVAL, max(self.MIN_INTERVAL, 2 * self._interval))
                self._grown = now

    def on_success(self) -> None:
        """Shrink the interval."""
        with self._lock:
            self._interval = self._interval * 0.95 if self._interval > self.MIN_INTERVAL / 2 else 0.0
