# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What all authentication methods have in common, and the session that renews credentials.

Each method is in a file of its own, because a task uses only one of them.
"""

from __future__ import annotations

import threading
import typing as t
from copy import copy

from . import _endpoints, _errors, _http

if t.TYPE_CHECKING:
    from requests import PreparedRequest

# Error codes for an invalid or expired token. The code of DRS comes with HTTP 403.
TOKEN_REFUSED = frozenset({"APIGW.0301", "APIGW.0307", "APIG.0301", "APIG.0307", "DRS.M00100"})
MAX_RENEWALS = 3  # Tokens and temporary keys are valid for hours. An endpoint may refuse any number of new ones.


class AuthOptions(t.NamedTuple):
    """The module options of the same names, from the task or the environment."""

    region: str | None = None
    iam_endpoint: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    auth_token: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    security_token: str | None = None
    username: str | None = None
    password: str | None = None
    domain_name: str | None = None


class AuthMethod:
    """An authentication method. It is passed as ``auth`` to requests, which calls it to add credentials."""

    def __init__(self, options: AuthOptions) -> None:
        self.options = options
        self.project_id = options.project_id

    def validate(self) -> None:
        """Check that the options are complete and well-formed, without network access.

        :raises MissingOptionError: when a required option is not set.
        :raises InvalidOptionError: when an option is invalid.
        """
        if self.project_id:
            _endpoints.check_project_id(self.project_id)

    def authenticate(self, http: _http.HttpClient) -> None:
        """Log in, if the method requires it. Afterwards ``project_id`` is set, and ``http`` masks the secrets.

        :raises HuaweiCloudError: when the login fails.
        """
        raise NotImplementedError

    def renew(self, http: _http.HttpClient, deadline: float | None) -> bool:
        """Replace credentials that were refused, and return whether there are new ones.

        :param deadline: of the request that was refused, see :meth:`HttpClient.request`.
        :raises HuaweiCloudError: when the login fails.
        """
        return False

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the credentials to a request."""
        raise NotImplementedError

    def _require(self, **values: str | None) -> None:
        if not all(values.values()):
            from . import _hints

            raise _errors.MissingOptionError(_hints.missing_options(values))

    def _project(self) -> tuple[str, str]:
        """Return the key that identifies the project, ``id`` or ``name``, and its value."""
        if self.options.project_id:
            return "id", self.options.project_id
        name = self.options.project_name or self.options.region
        if not name:
            raise _errors.InvalidOptionError("Set project_id, project_name or region to identify the project.")
        return "name", name


class Session:
    """Sends requests with the credentials of an authentication method, and renews them when they are refused.

    Thread-safe. Sends nothing once ``refused`` is set: some refusals lock a user or a key.

    :raises InvalidOptionError: when the project ID is invalid.
    """

    def __init__(self, http: _http.HttpClient, auth: AuthMethod) -> None:
        self._http = http
        self.sanitize, self.has_secret = http.sanitize, http.has_secret
        self._auth = auth
        self._lock = threading.Lock()
        self._renewals = 0
        self._accepted = False
        self.refused: _errors.HuaweiCloudError | None = None
        self.project_id = _endpoints.check_project_id(auth.project_id or "")

    def request(self, method: str, url: str, **kwargs: t.Any) -> _http.Response:
        """Send a request, see :meth:`HttpClient.request`."""
        renewals = self._renewals
        if self.refused:
            unsent = _errors.TransportError(
                f"{method} {self.sanitize(url)} was not sent because the credentials were rejected. {self.refused}"
            )
            unsent.credentials_refused = True
            raise unsent
        try:
            return self._send(method, url, **kwargs)
        except _errors.ApiError as error:
            # A refused request has had no effect, so sending it again is safe for every method.
            if not error.credentials_refused:
                raise
            if not self._renew(renewals, kwargs.get("deadline")):
                self._give_up(error)
                raise
        try:
            return self._send(method, url, **kwargs)
        except _errors.ApiError as error:
            if error.credentials_refused:
                self._give_up(error)
            raise

    def _send(self, method: str, url: str, **kwargs: t.Any) -> _http.Response:
        try:
            response = self._http.request(method, url, auth=self._auth, **kwargs)
        except _errors.ApiError as error:
            status, code = error.http_status or 0, error.error_code
            error.credentials_refused = status == 401 or (400 <= status < 500 and code in TOKEN_REFUSED)
            raise
        self._accepted = True
        return response

    def _give_up(self, error: _errors.HuaweiCloudError) -> None:
        """Stop sending, unless the credentials were accepted before: then only this request was refused."""
        if not self._accepted:
            self.refused = self._copy(error)

    def _renew(self, renewals: int, deadline: float | None) -> bool:
        """Renew the credentials, unless another thread has done so, and return whether there are new ones.

        :param renewals: the number of renewals before the request was sent.
        """
        with self._lock:
            if self.refused:
                raise self._copy(self.refused)
            if self._renewals != renewals:
                return True
            if renewals == MAX_RENEWALS:
                return False
            try:
                renewed = self._auth.renew(self._http, deadline)
            except _errors.HuaweiCloudError as error:
                error.credentials_refused = True
                self.refused = self._copy(error)  # Another refused login could lock the user.
                raise
            self._renewals += renewed
            return renewed

    @staticmethod
    def _copy(error: _errors.HuaweiCloudError) -> _errors.HuaweiCloudError:
        """Return a copy of an error for another request, which gets its own hints."""
        again = copy(error)
        again.hints = list(error.hints)
        return again
