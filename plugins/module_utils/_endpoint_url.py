# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Validation of the base URLs that users set."""

from __future__ import annotations

import ipaddress
import re

from . import _errors


def check_endpoint(option: str, value: str) -> str:
    """Return the base URL of a service without a trailing slash.

    Only scheme, host and port are accepted, so that a URL cannot redirect credentials or alter the path of a request.
    Plain ``http`` is limited to loopback addresses, because it exposes the credentials.

    :param option: the name of the option, for the error message.
    :raises InvalidOptionError: when the URL is not acceptable.
    """
    label = "[A-Za-z0-9_-]{1,63}"
    match = re.fullmatch(
        rf"(https?)://({label}(?:\.{label})*|\[[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*\])(?::([0-9]{{1,5}}))?/?", value
    )
    if not match or int(match[3] or 0) > 65535 or (match[2].startswith("[") and not _ip_address(match[2])):
        # The part before an @ may be a password.
        shown = repr(value) if "@" not in value else "a value that contains an @"
        raise _errors.InvalidOptionError(
            f"{option} must have the form https://host or https://host:port, without a path; it is {shown}."
        )
    if match[1] == "http" and not _is_loopback(match[2]):
        raise _errors.InvalidOptionError(
            f"{option} must use https, because requests contain credentials; it is {value!r}."
            " Plain http is accepted only for loopback addresses."
        )
    return value.rstrip("/")


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _ip_address(host)
    return address.is_loopback if address else host.lower() == "localhost"
