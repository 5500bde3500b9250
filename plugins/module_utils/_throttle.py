# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pacing of concurrent requests after a server has throttled one."""

from __future__ import annotations

import threading
import time


class Throttle:
    """Keeps an interval between requests, which grows when one is throttled and shrinks with each success."""

    MIN_INTERVAL, MAX_INTERVAL = 0.02, 10.0  # seconds

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._interval = 0.0
        # Values of time.monotonic(): when the next request may be sent, and when the interval last grew.
        self._next = self._grown = 0.0

    def wait(self, deadline: float | None) -> float:
        """Sleep until the next request may be sent, and return the ``time.monotonic()`` of that moment.

        :param deadline: the value of ``time.monotonic()`` at which to stop sleeping.
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
        """Pause all requests, because one was throttled.

        :param sent: when that request was sent, as returned by :meth:`wait`.
        :param pause: the length of the pause, in seconds.
        """
        with self._lock:
            now = time.monotonic()
            self._next = max(self._next, now + pause)
            # Requests in flight at the same time were throttled for the same reason, so they count once.
            if sent >= self._grown:
                self._interval = min(self.MAX_INTERVAL, max(self.MIN_INTERVAL, 2 * self._interval))
                self._grown = now

    def on_success(self) -> None:
        """Shrink the interval."""
        with self._lock:
            self._interval = self._interval * 0.95 if self._interval > self.MIN_INTERVAL / 2 else 0.0
