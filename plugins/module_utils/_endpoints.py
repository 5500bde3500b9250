# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The base URLs of the services, and validation of IDs that are part of a URL path."""

from __future__ import annotations

import re

from . import _errors

# These regions have no IAM endpoint and use the global one: https://developer.huaweicloud.com/intl/en-us/endpoint
REGIONS_WITHOUT_IAM = frozenset(
    "af-north-1 ap-southeast-5 cn-north-11 cn-south-4 cn-southwest-3 ru-northwest-2".split()
)
# A European company operates the regions that begin with this, such as eu-west-101, under its own domain.
EUROPEAN_REGIONS = "eu-west-1"
JOB_ID = "[A-Za-z0-9-]{36}"  # It looks like a UUID but is not one.


def service_endpoint(service: str, region: str | None, option: str, value: str | None) -> str:
    """Return the base URL of a service: the value of its option, or the default for the region.

    :param service: ``drs`` or ``iam``, as in host names.
    :param option: the name of the option, for error messages.
    :raises InvalidOptionError: when neither is set, or one is invalid.
    """
    if value:
        from . import _endpoint_url  # most users only set a region

        return _endpoint_url.check_endpoint(option, value)
    if not region:
        raise _errors.InvalidOptionError(
            f"Set region (or HW_REGION_NAME) or {option} to determine the URL of the service."
        )
    if not re.fullmatch(r"(?=.{1,50}$)[a-z]+(-[a-z0-9]+)+", region):
        raise _errors.InvalidOptionError(f"region must be the ID of a region, such as eu-west-101; it is {region!r}.")
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
        raise _errors.InvalidOptionError(
            f"project_id must consist of letters and digits, such as 054ba152d480d55b2f5dc0069e7ddef0; it is {value!r}."
        )
    return value


def check_job_id(value: str) -> str:
    """Return the job ID if it is well-formed: 36 letters, digits and hyphens.

    :raises InvalidOptionError: when it is not.
    """
    if not re.fullmatch(JOB_ID, value):
        raise _errors.InvalidOptionError(
            "job_id must consist of 36 letters, digits and hyphens, such as c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r;"
            f" it is {value!r}."
        )
    return value
