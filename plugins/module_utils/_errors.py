# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The exceptions of this collection.

* ``HuaweiCloudError``

  * ``InvalidOptionError``: an option cannot be used; nothing was sent

    * ``MissingOptionError``: an option is not set

  * ``TransportError``: no connection, or no complete response
  * ``ApiError``: the server responded with an error
  * ``InvalidResponseError``: the server responded with something that its API does not document
  * ``WaitTimeoutError``: DRS did not finish within the time to wait
"""

from __future__ import annotations

import typing as t


class HuaweiCloudError(Exception):
    """What went wrong, in words for the user.

    :param message: what happened, as a sentence.
    :param http_status: the HTTP status of the response, if there was one.
    :param error_code: the server's error code.
    :param error_msg: the server's error message.
    :param request_id: the ID that the server gave to the request.
    :param maybe_accepted: whether the server may have carried out a request that changes something, although no usable
        response arrived.
    """

    def __init__(
        self,
        message: str,
        *,
        http_status: int | None = None,
        error_code: str | None = None,
        error_msg: str | None = None,
        request_id: str | None = None,
        maybe_accepted: bool = False,
    ) -> None:
        super().__init__(message)
        self.http_status = http_status
        self.error_code = error_code
        self.error_msg = error_msg
        self.request_id = request_id
        self.maybe_accepted = maybe_accepted
        # Whether the credentials are not valid, as the server or the session says.
        self.credentials_refused = False
        self.hints: list[str] = []

    def add_hint(self, hint: str | None) -> None:
        """Add what the user can do. A layer that knows more than the one below it calls this and raises the error again."""
        if hint:
            self.hints.append(hint)

    def facts(self) -> dict[str, t.Any]:
        """Return what is known of the server's response: ``http_status``, ``error_code``, ``error_msg``, ``request_id``."""
        names = ("http_status", "error_code", "error_msg", "request_id")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def __str__(self) -> str:
        return " ".join([super().__str__(), *self.hints])


class InvalidOptionError(HuaweiCloudError):
    """An option cannot be used. Raised before anything is sent."""


class MissingOptionError(InvalidOptionError):
    """An option that is needed is not set."""


class TransportError(HuaweiCloudError):
    """There was no connection, or no complete response."""


class ApiError(HuaweiCloudError):
    """The server responded with an error."""


class InvalidResponseError(HuaweiCloudError):
    """The server responded with something that its API does not document."""


class WaitTimeoutError(HuaweiCloudError):
    """DRS did not finish within the time to wait."""
