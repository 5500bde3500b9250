# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base URLs of the services, and validation of IDs that are part of a URL path."""

from __future__ import annotations

import re
import typing as t

from ._errors import InvalidOptionError

if t.TYPE_CHECKING:
    import ipaddress

# These regions have no IAM endpoint and use the global one: https://developer.huaweicloud.com/intl/en-us/endpoint
REGIONS_WITHOUT_IAM = frozenset(
    "af-north-1 ap-southeast-5 cn-north-11 cn-south-4 cn-southwest-3 ru-northwest-2".split()
)
# A European company operates the regions that begin with this, such as eu-west-101, under its own domain.
EUROPEAN_REGIONS = "eu-west-1"


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
        shown = repr(value) if "@" not in value else "a value with an @ in it"
        raise InvalidOptionError(
            f"{option} must look like https://host or https://host:port, with nothing after it; it is {shown}."
        )
    if match[1] == "http" and not _is_loopback(match[2]):
        raise InvalidOptionError(
            f"{option} is {value!r}: credentials are sent over https only."
            " Plain http is accepted for loopback addresses."
        )
    return value.rstrip("/")


def service_endpoint(service: str, region: str | None, option: str, value: str | None) -> str:
    """Return the base URL of a service: the value of its option, or the default for the region.

    :param service: ``drs`` or ``iam``, as in host names.
    :param option: the name of the option, for error messages.
    :raises InvalidOptionError: when neither is set, or one is invalid.
    """
    if value:
        return check_endpoint(option, value)
    if not region:
        raise InvalidOptionError(f"Neither region nor {option} is set, so there is no address to send a request to.")
    if not re.fullmatch(r"(?=.{1,50}$)[a-z]+(-[a-z0-9]+)+", region):
        raise InvalidOptionError(f"region must look like eu-west-101; it is {region!r}.")
    domain = "myhuaweicloud.eu" if region.startswith(EUROPEAN_REGIONS) else "myhuaweicloud.com"
    if service == "iam" and region in REGIONS_WITHOUT_IAM:
        return f"https://iam.{domain}"
    return f"https://{service}.{region}.{domain}"


def iam_endpoint(region: str | None, value: str | None) -> str:
    """Return the base URL of IAM, without the ``/v3`` that ``HW_AUTH_URL`` usually ends in."""
    return service_endpoint("iam", region, "iam_endpoint", re.sub(r"/v3/?$", "", value or ""))


def check_project_id(value: str) -> str:
    """Return the project ID if it is safe in a URL path.

    :raises InvalidOptionError: when it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise InvalidOptionError(
            f"project_id must be letters and digits, as in 054ba152d480d55b2f5dc0069e7ddef0; it is {value!r}."
        )
    return value


def check_job_id(value: str) -> str:
    """Return the job ID if it is well-formed: 36 letters, digits and hyphens. It looks like a UUID but is not one.

    :raises InvalidOptionError: when it is not.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]{36}", value):
        raise InvalidOptionError(
            "job_id must be 36 letters, digits and hyphens, as in c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r;"
            f" it is {value!r}."
        )
    return value


def _ip_address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    import ipaddress  # slow to import, and few endpoints are IP addresses

    try:
        return ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _ip_address(host)
    return address.is_loopback if address else host.lower() == "localhost"
