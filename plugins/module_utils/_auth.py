# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication by password or token in Identity and Access Management (IAM), and the session that renews credentials.

The authentication methods that use an access key are in ``_auth_access_key.py``.
"""

from __future__ import annotations

import re
import threading
import typing as t
from copy import copy

from ._endpoints import check_project_id, iam_endpoint
from ._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
    MissingOptionError,
    TransportError,
)
from ._http import HttpClient, Response

if t.TYPE_CHECKING:
    from requests import PreparedRequest

# Error codes for an invalid or expired token. The code of DRS comes with HTTP 403.
TOKEN_REFUSED = frozenset({"APIGW.0301", "APIGW.0307", "APIG.0301", "APIG.0307", "DRS.M00100"})


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
            check_project_id(self.project_id)

    def authenticate(self, http: HttpClient) -> None:
        """Log in, if the method requires it. Afterwards ``project_id`` is set, and ``http`` masks the secrets.

        :raises HuaweiCloudError: when the login fails.
        """
        raise NotImplementedError

    def renew(self, http: HttpClient) -> bool:
        """Replace credentials that were refused, and return whether there are new ones.

        :raises HuaweiCloudError: when the login fails.
        """
        return False

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Add the credentials to a request."""
        raise NotImplementedError

    def _require(self, **values: str | None) -> None:
        missing = [name for name, value in values.items() if not value]
        if missing:
            needed = " and ".join(f"{name} (the account name)" if name == "domain_name" else name for name in missing)
            present = " and ".join(name for name in values if name not in missing)
            raise MissingOptionError(
                f"With {present}, {needed} must be set as well." if present else f"{needed} must be set."
            )

    def _project(self) -> tuple[str, str]:
        """Return the key that identifies the project, ``id`` or ``name``, and its value."""
        if self.options.project_id:
            return "id", self.options.project_id
        name = self.options.project_name or self.options.region
        if not name:
            raise InvalidOptionError("Set project_id, project_name or region to identify the project.")
        return "name", name


class PasswordAuth(AuthMethod):
    """Exchanges a user name and password for a project token.

    API page: Obtaining a User Token Through Password Authentication,
    https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html
    """

    token = ""
    expires_at: str | None = None

    def validate(self) -> None:
        super().validate()
        options = self.options
        self._require(username=options.username, password=options.password, domain_name=options.domain_name)
        self._project()
        iam_endpoint(options.region, options.iam_endpoint)

    def authenticate(self, http: HttpClient) -> None:
        options = self.options
        http.secrets.add(str(options.password))
        endpoint = iam_endpoint(options.region, options.iam_endpoint)
        key, value = self._project()
        user = {"name": options.username, "password": options.password, "domain": {"name": options.domain_name}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {key: value}}}}
        url = f"{endpoint}/v3/auth/tokens"
        try:
            response = http.request("POST", url, params={"nocatalog": "true"}, body=body, auth=lambda request: request)
            token = response.headers.get("X-Subject-Token") or ""
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise InvalidResponseError(
                    f"The response from {endpoint} contains no usable X-Subject-Token.", request_id=response.request_id
                )
            http.secrets.add(token)
            try:
                self.project_id = check_project_id(response.body["token"]["project"]["id"])
                expires_at = response.body["token"].get("expires_at")
                self.expires_at = expires_at if isinstance(expires_at, str) and expires_at.isprintable() else None
            except (KeyError, TypeError, InvalidOptionError):
                raise InvalidResponseError(
                    f"The token from {endpoint} has no valid project ID.", request_id=response.request_id
                ) from None
        except HuaweiCloudError as error:
            from ._hints import login_hint

            error.add_hint(
                f"The login request was for user {options.username} of account (domain) {options.domain_name}"
                f" and the project with {key} {value} at {endpoint}."
            )
            error.add_hint(login_hint(error))
            raise
        self.token = token

    def renew(self, http: HttpClient) -> bool:
        self.authenticate(http)
        return True

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Token"] = self.token
        return request


class TokenAuth(AuthMethod):
    """Uses a token that the user provides. IAM is not called, so the project ID is required.

    If a password is also set, it is exchanged for a new token when the token is refused.
    """

    def __init__(self, options: AuthOptions) -> None:
        super().__init__(options)
        self.token = options.auth_token or ""

    def validate(self) -> None:
        super().validate()
        self._require(auth_token=self.token, project_id=self.project_id)
        # Otherwise, http.client would reject a line break in the token with an error that shows the token.
        if not re.fullmatch(r"[\x21-\x7e]+", self.token):
            raise InvalidOptionError(
                "auth_token contains invalid characters (white space, line breaks or non-ASCII). Copy it again."
            )

    def authenticate(self, http: HttpClient) -> None:
        http.secrets.add(self.token)

    def renew(self, http: HttpClient) -> bool:
        login = PasswordAuth(self.options)
        try:
            login.validate()
        except InvalidOptionError:
            return False
        login.authenticate(http)
        self.token = login.token
        return True

    __call__ = PasswordAuth.__call__


class Session:
    """Sends requests with the credentials of an authentication method, and renews them when they are refused.

    Thread-safe. Once credentials are refused for good, no more requests are sent: some refusals lock a user or a key.

    :raises InvalidOptionError: when the project ID is invalid.
    """

    def __init__(self, http: HttpClient, auth: AuthMethod) -> None:
        self._http = http
        self.sanitize = http.sanitize
        self._auth = auth
        self._lock = threading.Lock()
        self._renewals = 0
        self._accepted = False
        self._refused: HuaweiCloudError | None = None
        self.project_id = check_project_id(auth.project_id or "")

    def request(self, method: str, url: str, **kwargs: t.Any) -> Response:
        """Send a request, see :meth:`HttpClient.request`."""
        renewals = self._renewals
        if self._refused:
            unsent = TransportError(
                f"{method} {url} was not sent because the credentials were rejected. {self._refused}"
            )
            unsent.credentials_refused = True
            raise unsent
        try:
            return self._send(method, url, **kwargs)
        except ApiError as error:
            # A refused request has had no effect, so sending it again is safe for every method.
            if not error.credentials_refused:
                raise
            if not self._renew(renewals):
                self._give_up(error)
                raise
        try:
            return self._send(method, url, **kwargs)
        except ApiError as error:
            if error.credentials_refused:
                self._give_up(error)
            raise

    def _send(self, method: str, url: str, **kwargs: t.Any) -> Response:
        try:
            response = self._http.request(method, url, auth=self._auth, **kwargs)
        except ApiError as error:
            error.credentials_refused = error.http_status == 401 or error.error_code in TOKEN_REFUSED
            raise
        self._accepted = True
        return response

    def _give_up(self, error: HuaweiCloudError) -> None:
        """Stop sending, unless the credentials were accepted before: then only this request was refused."""
        if not self._accepted:
            self._refused = self._copy(error)

    def _renew(self, renewals: int) -> bool:
        """Renew the credentials, unless another thread has done so, and return whether there are new ones.

        :param renewals: the number of renewals before the request was sent.
        """
        with self._lock:
            if self._refused:
                raise self._copy(self._refused)
            if self._renewals != renewals:
                return True
            try:
                renewed = self._auth.renew(self._http)
            except HuaweiCloudError as error:
                error.maybe_accepted = False  # of the request, which was refused; a login changes nothing
                error.credentials_refused = True
                self._refused = self._copy(error)  # Another refused login could lock the user.
                raise
            self._renewals += renewed
            return renewed

    @staticmethod
    def _copy(error: HuaweiCloudError) -> HuaweiCloudError:
        """Return a copy of an error for another request, which gets its own hints."""
        again = copy(error)
        again.hints = list(error.hints)
        return again
