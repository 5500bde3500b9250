# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The exceptions of this collection::

HuaweiCloudError
 +-- InvalidOptionError
 |    +-- MissingOptionError
 +-- TransportError
 +-- ApiError
 +-- InvalidResponseError
 +-- WaitTimeoutError
"""

from __future__ import annotations

import typing as t


class HuaweiCloudError(Exception):
    """An error with a message for the user.

    :param message: what happened, as a sentence.
    :param http_status: the HTTP status of the response, if there was one.
    :param error_code: the error code from the server.
    :param error_msg: the error message from the server.
    :param request_id: the ID that the server assigned to the request.
    :param maybe_accepted: whether the server may have made the requested change although no usable response arrived.
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
        self.credentials_refused = False  # set by Session
        self.hints: list[str] = []

    def add_hint(self, hint: str | None) -> None:
        """Add advice for the user. A layer that knows more than the one below adds a hint and re-raises the error."""
        if hint:
            self.hints.append(hint)

    def facts(self) -> dict[str, t.Any]:
        """Return those of ``http_status``, ``error_code``, ``error_msg`` and ``request_id`` that are known."""
        names = ("http_status", "error_code", "error_msg", "request_id")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    def __str__(self) -> str:
        return " ".join([super().__str__(), *self.hints])


class InvalidOptionError(HuaweiCloudError):
    """An option is invalid. Raised before anything is sent."""


class MissingOptionError(InvalidOptionError):
    """A required option is not set."""


class TransportError(HuaweiCloudError):
    """The connection failed, or the response is incomplete."""


class ApiError(HuaweiCloudError):
    """The server responded with an error."""


class InvalidResponseError(HuaweiCloudError):
    """The server responded with something that its API does not document."""


class WaitTimeoutError(HuaweiCloudError):
    """DRS did not finish within the wait timeout."""
