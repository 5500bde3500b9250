# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication with a token that the user provides."""

from __future__ import annotations

import re
import typing as t

from . import _auth, _errors, _http

if t.TYPE_CHECKING:
    from requests import PreparedRequest


class TokenAuth(_auth.AuthMethod):
    """Uses a token that the user provides. IAM is not called, so the project ID is required.

    If a password is also set, it is exchanged for a new token when the token is refused.
    """

    def __init__(self, options: _auth.AuthOptions) -> None:
        super().__init__(options)
        self.token = options.auth_token or ""

    def validate(self) -> None:
        super().validate()
        self._require(auth_token=self.token, project_id=self.project_id)
        # Otherwise, http.client would reject a line break in the token with an error that shows the token.
        if not re.fullmatch(r"[\x21-\x7e]+", self.token) or "*" in self.token:
            raise _errors.InvalidOptionError(
                "auth_token contains invalid characters (white space, line breaks, non-ASCII, or asterisks, with which"
                " Ansible masks secrets). Copy it again."
            )

    def authenticate(self, http: _http.HttpClient) -> None:
        http.secrets.add(self.token)

    def renew(self, http: _http.HttpClient, deadline: float | None) -> bool:
        from . import _auth_password

        login = _auth_password.PasswordAuth(self.options)
        try:
            login.validate()
        except _errors.InvalidOptionError:
            return False
        login.authenticate(http, deadline)
        self.token = login.token
        return True

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Token"] = self.token
        return request
