# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The client for the Data Replication Service (DRS). The API calls are in files such as ``_positions.py``."""

from __future__ import annotations

import typing as t

from . import _auth, _errors, _http

TOO_FREQUENT = "DRS.M01503"  # throttled, with HTTP 400


class DrsClient:
    """Sends requests to DRS in the project of a session.

    ``base`` and ``base_v3`` are the URL prefixes of the API calls of v5 and v3, ``sanitize`` and ``has_secret`` are
    the methods of :class:`HttpClient`. ``reads_v3`` is set once v5 has refused to read jobs, see ``_jobs.py``.

    :param endpoint: the base URL of DRS.
    :param language: the language of error messages, ``en-us`` or ``zh-cn``. Error codes do not depend on it.
    :param warn: shows a warning to the user.
    """

    def __init__(
        self,
        session: _auth.Session,
        endpoint: str,
        language: str = "en-us",
        warn: t.Callable[[str], None] = lambda message: None,
    ) -> None:
        self.session = session
        self.sanitize, self.has_secret = session.sanitize, session.has_secret
        self.endpoint, self.project_id = endpoint, session.project_id
        self.base = f"{endpoint}/v5/{self.project_id}"
        self.base_v3 = f"{endpoint}/v3/{self.project_id}"
        self.reads_v3 = False
        self.warn = warn
        self._headers = {"X-Language": language}

    def request(self, method: str, url: str, **kwargs: t.Any) -> _http.Response:
        """Send a request like :meth:`Session.request`, and add a hint to errors of DRS."""
        try:
            return self.session.request(method, url, headers=self._headers, throttle_code=TOO_FREQUENT, **kwargs)
        except _errors.HuaweiCloudError as error:
            from . import _hints

            error.maybe_accepted = error.maybe_accepted and not kwargs.get("read_only")
            error.add_hint(_hints.drs_hint(error))
            raise

    def invalid_response(
        self, response: _http.Response, what: str, maybe_accepted: bool = False
    ) -> _errors.InvalidResponseError:
        """Return the error for a response that the API does not document.

        :param what: the predicate of a sentence that starts with ``DRS``.
        """
        from . import _hints

        return _hints.invalid_response(response.status, response.request_id, what, maybe_accepted)
