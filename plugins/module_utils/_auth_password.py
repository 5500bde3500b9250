# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication with a user name and password in Identity and Access Management (IAM)."""

from __future__ import annotations

import re
import typing as t

from . import _auth, _endpoints, _errors, _http

if t.TYPE_CHECKING:
    from requests import PreparedRequest

TOKEN = "X-Subject-Token"


class PasswordAuth(_auth.AuthMethod):
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
        _endpoints.iam_endpoint(options.region, options.iam_endpoint)

    def authenticate(self, http: _http.HttpClient, deadline: float | None = None) -> None:
        options = self.options
        http.secrets.add(str(options.password))
        endpoint = _endpoints.iam_endpoint(options.region, options.iam_endpoint)
        key, value = self._project()
        user = {"name": options.username, "password": options.password, "domain": {"name": options.domain_name}}
        identity = {"methods": ["password"], "password": {"user": user}}
        body = {"auth": {"identity": identity, "scope": {"project": {key: value}}}}
        url, query = f"{endpoint}/v3/auth/tokens", {"nocatalog": "true"}
        try:
            response = http.request(
                "POST", url, params=query, body=body, auth=lambda sent: sent, deadline=deadline, secret_header=TOKEN
            )
            token = response.headers.get(TOKEN) or ""
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise _errors.InvalidResponseError(
                    f"The response from {endpoint} contains no usable {TOKEN}.", request_id=response.request_id
                )
            try:
                self.project_id = _endpoints.check_project_id(response.body["token"]["project"]["id"])
                if self.project_id != (value if key == "id" else http.sanitize(self.project_id)):
                    raise KeyError
                expires_at = response.body["token"].get("expires_at")
                if isinstance(expires_at, str) and expires_at.isprintable() and len(expires_at) <= 64:
                    self.expires_at = expires_at
            except (KeyError, TypeError, _errors.InvalidOptionError):
                raise _errors.InvalidResponseError(
                    f"The token from {endpoint} names no valid project, or another one.", request_id=response.request_id
                ) from None
        except _errors.HuaweiCloudError as error:
            from . import _hints

            error.maybe_accepted = False  # A login changes nothing.
            error.add_hint(
                f"The login request was for user {options.username} of account (domain) {options.domain_name}"
                f" and the project with {key} {value} at {endpoint}."
            )
            error.add_hint(_hints.login_hint(error))
            raise
        self.token = token

    def renew(self, http: _http.HttpClient, deadline: float | None) -> bool:
        self.authenticate(http, deadline)
        return True

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Token"] = self.token
        return request
