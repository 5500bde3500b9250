# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Call a function with a time limit."""

from __future__ import annotations

import queue
import threading
import typing as t

T = t.TypeVar("T")


def call_with_timeout(seconds: float, function: t.Callable[[], T]) -> T:
    """Call a function in a thread and return its result. After a timeout, the thread ends with the process.

    Socket timeouts are not enough, because each byte from a slow server restarts them. ``concurrent.futures`` is not
    either, because the process would wait for the thread before it exits.

    :raises TimeoutError: when the function takes longer.
    """
    outcome: queue.SimpleQueue[tuple[t.Any, BaseException | None]] = queue.SimpleQueue()

    def call() -> None:
        try:
            outcome.put((function(), None))
        except BaseException as error:  # pylint: disable=broad-exception-caught
            outcome.put((None, error))

    threading.Thread(target=call, name="call_with_timeout", daemon=True).start()
    try:
        result, error = outcome.get(timeout=seconds)
    except queue.Empty:
        raise TimeoutError(f"The call took longer than {seconds:g} seconds.") from None
    if error:
        raise error
    return t.cast(T, result)
