# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Identity and Access Management: who we are. One class for each way in, each of which puts its credentials on a request.

It knows IAM and the regions of Huawei Cloud, whose projects IAM keeps. It knows no other service and no Ansible.
"""

from __future__ import annotations

import re
import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils._http import (
    ApiError,
    BadAnswerError,
    HttpClient,
    HuaweiCloudError,
    InputError,
    check_endpoint,
)

if t.TYPE_CHECKING:
    from requests import PreparedRequest

# https://developer.huaweicloud.com/intl/en-us/endpoint: these regions have no IAM of their own and use the global one.
REGIONS_WITHOUT_IAM = frozenset({"af-north-1", "ap-southeast-5", "cn-north-11", "cn-south-4", "cn-southwest-3", "ru-northwest-2"})
# This region is run by a European company, under its own domain.
REGION_DOMAINS = {"eu-west-101": "myhuaweicloud.eu"}


class Identity(t.Protocol):
    """What every way in offers. It is called by requests to put the credentials on a request."""

    project_id: str | None

    def validate(self) -> None:
        """Check, without any network, that the credentials are complete and well-formed.

        :raises InputError: when they are not.
        """

    def authenticate(self, http: HttpClient) -> None:
        """Log in, if this way in needs it. Afterwards ``project_id`` is known.

        :raises HuaweiCloudError: when IAM refuses or does not answer.
        """

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Put the credentials on a request."""


def service_endpoint(service: str, region: str | None, option: str, value: str | None) -> str:
    """The base URL of a service: the one given, or else the one that the region has.

    :arg service: C(drs), C(iam) ..., as it stands in host names.
    :arg option: the name that the user knows I(value) by.
    :raises InputError: when neither is given, or one cannot be used.
    """
    if value:
        return check_endpoint(option, value)
    if not region:
        raise InputError(f"Neither region nor {option} is set, so there is no address to send a request to.")
    if not re.fullmatch(r"[a-z]+(-[a-z0-9]+)+", region):
        raise InputError(f"region must look like eu-west-101; it is {region!r}.")
    domain = REGION_DOMAINS.get(region, "myhuaweicloud.com")
    if service == "iam" and region in REGIONS_WITHOUT_IAM:
        return f"https://iam.{domain}"
    return f"https://{service}.{region}.{domain}"


def iam_endpoint(region: str | None, value: str | None) -> str:
    """The base URL of IAM. What users keep in C(HW_AUTH_URL) usually ends in C(/v3), which is part of each call's path instead."""
    return service_endpoint("iam", region, "iam_endpoint", re.sub(r"/v3/?$", "", value or ""))


def check_project_id(value: str) -> str:
    """Return the id if it can stand in a path.

    :raises InputError: when it cannot.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,64}", value):
        raise InputError(f"project_id must be letters and digits, as 054ba152d480d55b2f5dc0069e7ddef0 is; it is {value!r}.")
    return value


class _WithToken:
    """Puts a token on requests."""

    token = ""

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Token"] = self.token
        return request


class TokenIdentity(_WithToken):
    """A token that the user brings. IAM is never called, so the project has to be named by its id."""

    def __init__(self, token: str, project_id: str | None) -> None:
        self.token = token
        self.project_id = project_id

    def validate(self) -> None:
        # A line break that came along with a copied token would otherwise make an error message that shows it.
        if not re.fullmatch(r"[\x21-\x7e]+", self.token):
            raise InputError("auth_token holds characters that no token has (white space, line breaks or non-ASCII). Copy it again.")
        if not self.project_id:
            raise InputError("auth_token needs project_id: IAM is not asked, so nothing else says which project the token is for.")
        check_project_id(self.project_id)

    def authenticate(self, http: HttpClient) -> None:
        http.secrets.add(self.token)


class PasswordIdentity(_WithToken):
    """User name and password, changed for a token of one project.

    https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html (Obtaining a User Token Through Password Authentication)

    :arg endpoint: the base URL of IAM.
    :arg domain_name: the name of the account that the user belongs to.
    :arg project_id: the project to log in to; if it is not given, I(project_name) is used.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        username: str | None,
        password: str | None,
        domain_name: str | None,
        project_id: str | None = None,
        project_name: str | None = None,
    ) -> None:
        self.endpoint = endpoint
        self.username = username
        self.password = password
        self.domain_name = domain_name
        self.project_id = project_id
        self.project_name = project_name

    def validate(self) -> None:
        needed = {"username": self.username, "password": self.password, "domain_name (the account name)": self.domain_name}
        missing = [name for name, value in needed.items() if not value]
        if missing:
            raise InputError(f"To log in, {', '.join(missing)} must be set as well. Without a login, auth_token and project_id are enough.")
        if self.project_id:
            check_project_id(self.project_id)
        elif not self.project_name:
            raise InputError("To log in to a project, project_id, project_name or region must be set.")

    def authenticate(self, http: HttpClient) -> None:
        http.secrets.add(str(self.password))
        user = {"name": self.username, "password": self.password, "domain": {"name": self.domain_name}}
        project = {"id": self.project_id} if self.project_id else {"name": self.project_name}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": project}}}
        try:
            answer = http.request("POST", f"{self.endpoint}/v3/auth/tokens", params={"nocatalog": "true"}, body=body, auth=lambda request: request)
            token = answer.headers.get("X-Subject-Token") or ""
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise BadAnswerError(f"The answer of {self.endpoint} holds no usable X-Subject-Token.", request_id=answer.request_id)
            http.secrets.add(token)
            try:
                self.project_id = check_project_id(answer.body["token"]["project"]["id"])
            except (KeyError, TypeError, InputError) as error:
                raise BadAnswerError(f"The token of {self.endpoint} names no project.", request_id=answer.request_id) from error
        except HuaweiCloudError as error:
            shown_project = " ".join(f"{key} {value}" for key, value in project.items())
            error.advise(
                f"This was the login of user {self.username} of account (domain) {self.domain_name} to the project with {shown_project} at {self.endpoint}."
            )
            if isinstance(error, ApiError):
                error.advise(_login_advice(error))
            raise
        self.token = token


def _login_advice(error: ApiError) -> str | None:
    # IAM has no code of its own for this. The text is English, because no other language is asked for.
    if "locked" in (error.error_msg or "").lower():
        return "Several failed logins lock a user for 15 minutes. Wait that long, and do not try again in between."
    if error.http_status in (400, 401, 403, 404):
        return (
            "Check the password, and that domain_name is the name of the account, not of the user or of a DNS domain. A HUAWEI ID cannot log in"
            " here: use an IAM user of the account. Several failed logins lock the user for 15 minutes."
        )
    return None


def identity(
    *,
    region: str | None = None,
    endpoint: str | None = None,
    project_id: str | None = None,
    project_name: str | None = None,
    auth_token: str | None = None,
    username: str | None = None,
    password: str | None = None,
    domain_name: str | None = None,
) -> Identity:
    """Choose the way in by what is set. A token comes first: with it, nothing else is needed.

    The name of a project is the region's unless the user made sub-projects, so it defaults to I(region).

    :raises InputError: when what is set is not enough to log in.
    """
    way_in: Identity
    if auth_token:
        way_in = TokenIdentity(auth_token, project_id)
    elif not (username or password):
        raise InputError("There are no credentials. Set auth_token and project_id, or username, password and domain_name (the account name).")
    else:
        way_in = PasswordIdentity(
            iam_endpoint(region, endpoint),
            username=username,
            password=password,
            domain_name=domain_name,
            project_id=project_id,
            project_name=project_name or region,
        )
    way_in.validate()
    return way_in
