# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP client that tells which requests it sends. Modules import it only for ``-vvv``."""

from __future__ import annotations

import time
import typing as t

from . import _connection, _http

if t.TYPE_CHECKING:
    import requests

# The value of auth_method, by the class of the authentication method. Logins and the metadata service have none.
AUTH_NAMES = {
    "TokenAuth": "token",
    "AccessKeyAuth": "aksk",
    "PasswordAuth": "password",
    "ProfileAuth": "profile",
    "AgencyAuth": "agency",
}
# Lines about requests. A batch that waits for hours sends millions, and Ansible would hold all of them in memory.
MAX_REQUESTS = 2000
LEFT_OUT = "Requests were left out here."


def add_request(requests_sent: list[str], line: str) -> None:
    """Add the line of a request to a list. Of too many, the first and the last are kept."""
    requests_sent.append(line)
    if len(requests_sent) > MAX_REQUESTS:
        middle = MAX_REQUESTS // 2
        requests_sent[middle : middle + 2] = [LEFT_OUT]


class TracingHttpClient(_http.HttpClient):
    """Calls a function with a line for each attempt of a request, without secrets.

    :param trace: this function.
    :param settings: see :class:`HttpClient`.
    """

    def __init__(self, trace: t.Callable[[str], None], **settings: t.Any) -> None:
        super().__init__(**settings)
        self._trace = trace

    def exchange(
        self, request: requests.Request, deadline: float | None, attempt: _connection.Attempt | None = None
    ) -> tuple[requests.Response, bytes]:
        attempt, started = attempt or _connection.Attempt(), time.monotonic()
        try:
            return super().exchange(request, deadline, attempt)
        finally:
            response, outcome = attempt.response, "no response"
            if response is not None:
                request_id = response.headers.get("X-Request-Id") or response.headers.get("X-IAM-Trace-Id")
                outcome = f"HTTP {response.status_code}, request ID {self.sanitize(request_id) or 'unknown'}"
            line = f"{request.method} {self.sanitize(request.url)}: {outcome}, {time.monotonic() - started:.2f} s"
            auth = AUTH_NAMES.get(type(request.auth).__name__)
            self._trace(f"{line}, auth_method {auth}" if auth else line)
