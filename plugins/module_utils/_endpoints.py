# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The base URLs of the services, and what may stand in a path."""

from __future__ import annotations

import re

from ._errors import InvalidOptionError

# https://developer.huaweicloud.com/intl/en-us/endpoint: these regions have no IAM of their own and use the global one.
REGIONS_WITHOUT_IAM = frozenset(
    {"af-north-1", "ap-southeast-5", "cn-north-11", "cn-south-4", "cn-southwest-3", "ru-northwest-2"}
)
# This region is run by a European company, under its own domain.
REGION_DOMAINS = {"eu-west-101": "myhuaweicloud.eu"}


def check_endpoint(option: str, value: str) -> str:
    """Check the base URL of a service, and return it without a trailing slash.

    Only a scheme, a host and a port are accepted, so that nothing can change the path of a request or the host that gets
    the credentials. Plain ``http`` is for loopback addresses only, because anyone could read the credentials.

    :param option: the name of the option that holds the URL.
    :raises InvalidOptionError: when it is anything else.
    """
    label = "[A-Za-z0-9_-]{1,63}"
    match = re.fullmatch(rf"(https?)://({label}(?:\.{label})*|\[[0-9A-Fa-f:.]+\])(?::([0-9]{{1,5}}))?/?", value)
    if not match or int(match[3] or 0) > 65535 or (match[2].startswith("[") and not _is_address(match[2].strip("[]"))):
        # What stands before an @ may be a password.
        shown = repr(value) if "@" not in value else "a value with an @ in it"
        raise InvalidOptionError(
            f"{option} must look like https://host or https://host:port, with nothing after it; it is {shown}."
        )
    if match[1] == "http" and not _is_loopback(match[2].strip("[]")):
        raise InvalidOptionError(
            f"{option} is {value!r}: credentials are sent over https only. Plain http is accepted for loopback addresses."
        )
    return value.rstrip("/")


def service_endpoint(service: str, region: str | None, option: str, value: str | None) -> str:
    """Return the base URL of a service: the value of its option, or else the one of the region.

    :param service: ``drs`` or ``iam``, as in host names.
    :param option: the name of the option that holds the value.
    :raises InvalidOptionError: when neither is set, or one cannot be used.
    """
    if value:
        return check_endpoint(option, value)
    if not region:
        raise InvalidOptionError(f"Neither region nor {option} is set, so there is no address to send a request to.")
    if not re.fullmatch(r"(?=.{1,50}$)[a-z]+(-[a-z0-9]+)+", region):
        raise InvalidOptionError(f"region must look like eu-west-101; it is {region!r}.")
    domain = REGION_DOMAINS.get(region, "myhuaweicloud.com")
    if service == "iam" and region in REGIONS_WITHOUT_IAM:
        return f"https://iam.{domain}"
    return f"https://{service}.{region}.{domain}"


def iam_endpoint(region: str | None, value: str | None) -> str:
    """Return the base URL of IAM. ``HW_AUTH_URL`` usually ends in ``/v3``, which is part of the path of each call instead."""
    return service_endpoint("iam", region, "iam_endpoint", re.sub(r"/v3/?$", "", value or ""))


def check_project_id(value: str) -> str:
    """Return the project ID if it can stand in a path.

    :raises InvalidOptionError: when it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise InvalidOptionError(
            f"project_id must be letters and digits, as in 054ba152d480d55b2f5dc0069e7ddef0; it is {value!r}."
        )
    return value


def check_job_id(value: str) -> str:
    """Return the job ID if it has the form of one: 36 letters, digits and hyphens. It is not hexadecimal.

    :raises InvalidOptionError: when it does not.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]{36}", value):
        raise InvalidOptionError(
            "job_id must be 36 letters, digits and hyphens, as in c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r;"
            f" it is {value!r}."
        )
    return value


def _is_address(host: str) -> bool:
    import ipaddress  # Few endpoints are IP addresses, and its import takes time.

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    import ipaddress

    return ipaddress.ip_address(host).is_loopback if _is_address(host) else host.lower() == "localhost"
