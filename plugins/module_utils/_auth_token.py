# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication with a token that the user provides."""

from __future__ import annotations

import re
import typing as t

from ._auth import AuthMethod, AuthOptions
from ._errors import InvalidOptionError
from ._http import HttpClient

if t.TYPE_CHECKING:
    from requests import PreparedRequest


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
        if not re.fullmatch(r"[\x21-\x7e]+", self.token) or "*" in self.token:
            raise InvalidOptionError(
                "auth_token contains invalid characters (white space, line breaks, non-ASCII, or asterisks, with which"
                " Ansible masks secrets). Copy it again."
            )

    def authenticate(self, http: HttpClient) -> None:
        http.secrets.add(self.token)

    def renew(self, http: HttpClient) -> bool:
        from ._auth_password import PasswordAuth

        login = PasswordAuth(self.options)
        try:
            login.validate()
        except InvalidOptionError:
            return False
        login.authenticate(http)
        self.token = login.token
        return True

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Token"] = self.token
        return request
