# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Identity and Access Management: who we are. One class for each way in, each of which puts its credentials on a request.

It knows IAM and the regions of Huawei Cloud, whose projects IAM keeps. It knows no other service and no Ansible. The ways in with an access key are in
C(_keys.py).
"""

from __future__ import annotations

import re
import threading
import typing as t
from copy import copy

from ansible_collections.huaweicloud.drs.plugins.module_utils._http import (
    Answer,
    ApiError,
    BadAnswerError,
    HttpClient,
    HuaweiCloudError,
    InputError,
    NoAnswerError,
    check_endpoint,
)

if t.TYPE_CHECKING:
    from requests import PreparedRequest

# https://developer.huaweicloud.com/intl/en-us/endpoint: these regions have no IAM of their own and use the global one.
REGIONS_WITHOUT_IAM = frozenset({"af-north-1", "ap-southeast-5", "cn-north-11", "cn-south-4", "cn-southwest-3", "ru-northwest-2"})
# This region is run by a European company, under its own domain.
REGION_DOMAINS = {"eu-west-101": "myhuaweicloud.eu"}
# The codes for a token that is not, or no longer, valid. DRS sends its own with HTTP 403.
TOKEN_REFUSED = frozenset({"APIGW.0301", "APIGW.0307", "APIG.0301", "APIG.0307", "DRS.M00100"})

EVERY_WAY = (
    "Set auth_token and project_id; or access_key and secret_key; or username, password and domain_name (the account name);"
    " or keep a profile in ~/.huaweicloud/credentials; or run on an ECS host with an agency."
    " All but the first need region, project_name or project_id to say which project is meant."
)


class Credentials(t.NamedTuple):
    """What the user gave, or the environment in their place. See the options of the same names."""

    region: str | None = None
    iam_endpoint: str | None = None
    project_id: str | None = None
    project_name: str | None = None
    auth_token: str | None = None
    access_key: str | None = None
    secret_key: str | None = None
    security_token: str | None = None
    username: str | None = None
    password: str | None = None
    domain_name: str | None = None


# The ways in, in the order in which C(auto) tries them, which is that of Huawei Cloud's Terraform provider; and the options that make up each. They are
# taken all from the task or all from the environment, never mixed.
WAYS: dict[str, tuple[str, ...]] = {
    "token": ("auth_token",),
    "aksk": ("access_key", "secret_key", "security_token"),
    "password": ("username", "password"),
    "profile": (),
    "agency": (),
}


class IncompleteError(InputError):
    """Something that a way in needs is not set."""


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
    if not re.fullmatch(r"(?=.{1,50}$)[a-z]+(-[a-z0-9]+)+", region):
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


class Identity:
    """One way in. It is called by requests to put the credentials on a request.

    :arg given: see :class:`Credentials`.
    """

    def __init__(self, given: Credentials) -> None:
        self.given = given
        self.project_id = given.project_id

    def validate(self) -> None:
        """Check, without any network, that the credentials are complete and well-formed.

        :raises IncompleteError: when something is not set.
        :raises InputError: when something cannot be right.
        """
        if self.project_id:
            check_project_id(self.project_id)

    def authenticate(self, http: HttpClient) -> None:
        """Log in, if this way in needs it. Afterwards ``project_id`` is known, and C(http) masks the secrets.

        :raises HuaweiCloudError: when IAM refuses or does not answer.
        """
        raise NotImplementedError

    def renew(self, http: HttpClient) -> bool:
        """Replace credentials that turned out to be invalid.

        :returns: whether there was anything to replace them with.
        """
        return False

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        """Put the credentials on a request."""
        raise NotImplementedError

    def _require(self, **values: str | None) -> None:
        missing = [name for name, value in values.items() if not value]
        if missing:
            needed = [f"{name} (the account name)" if name == "domain_name" else name for name in missing]
            present = " and ".join(name for name in values if name not in missing)
            raise IncompleteError(f"With {present}, {' and '.join(needed)} must be set as well." if present else f"{' and '.join(needed)} must be set.")

    def _project(self) -> tuple[str, str]:
        """The project to log in to: C(id) or C(name), and its value."""
        if self.given.project_id:
            return "id", self.given.project_id
        name = self.given.project_name or self.given.region
        if not name:
            raise InputError("One of project_id, project_name and region must be set, to say which project is meant.")
        return "name", name


class PasswordIdentity(Identity):
    """User name and password, changed for a token of one project.

    https://support.huaweicloud.com/intl/en-us/api-iam/iam_30_0001.html (Obtaining a User Token Through Password Authentication)
    """

    token = ""
    expires_at: str | None = None

    def validate(self) -> None:
        super().validate()
        self._require(username=self.given.username, password=self.given.password, domain_name=self.given.domain_name)
        self._project()
        iam_endpoint(self.given.region, self.given.iam_endpoint)

    def authenticate(self, http: HttpClient) -> None:
        given = self.given
        http.secrets.add(str(given.password))
        endpoint = iam_endpoint(given.region, given.iam_endpoint)
        key, value = self._project()
        user = {"name": given.username, "password": given.password, "domain": {"name": given.domain_name}}
        body = {"auth": {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": {key: value}}}}
        try:
            answer = http.request("POST", f"{endpoint}/v3/auth/tokens", params={"nocatalog": "true"}, body=body, auth=lambda request: request)
            token = answer.headers.get("X-Subject-Token") or ""
            if not re.fullmatch(r"[\x21-\x7e]+", token):
                raise BadAnswerError(f"The answer of {endpoint} holds no usable X-Subject-Token.", request_id=answer.request_id)
            http.secrets.add(token)
            try:
                self.project_id = check_project_id(answer.body["token"]["project"]["id"])
                expires_at = answer.body["token"].get("expires_at")
                self.expires_at = expires_at if isinstance(expires_at, str) and expires_at.isprintable() else None
            except (KeyError, TypeError, InputError):
                raise BadAnswerError(f"The token of {endpoint} names no project.", request_id=answer.request_id) from None
        except HuaweiCloudError as error:
            error.advise(
                f"This was the login of user {given.username} of account (domain) {given.domain_name} to the project with {key} {value} at {endpoint}."
            )
            error.advise(_login_advice(error))
            raise
        self.token = token

    def renew(self, http: HttpClient) -> bool:
        self.authenticate(http)
        return True

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        request.headers["X-Auth-Token"] = self.token
        return request


def _login_advice(error: HuaweiCloudError) -> str | None:
    # IAM has no code of its own for this. The text is English, because no other language is asked for.
    if "locked" in (error.error_msg or "").lower():
        return "Several failed logins lock a user for 15 minutes. Wait that long, and do not try again in between."
    if "required_auth_methods" in (error.error_msg or ""):
        return "The user must give a second factor, which a task cannot. Use an access key, or another user."
    if error.http_status in (400, 401, 403, 404):
        return (
            "Check the password, and that domain_name is the name of the account, not of the user or of a DNS domain. A HUAWEI ID cannot log in"
            " here: use an IAM user of the account. Several failed logins lock the user for 15 minutes."
        )
    return None


class TokenIdentity(Identity):
    """A token that the user brings. IAM is not called, so the project has to be named by its id.

    If there is a password beside it, it replaces a token that turns out to be invalid.
    """

    def __init__(self, given: Credentials) -> None:
        super().__init__(given)
        self.token = given.auth_token or ""

    def validate(self) -> None:
        super().validate()
        self._require(auth_token=self.token, project_id=self.project_id)
        # A line break that came along with a copied token would otherwise make an error message that shows it.
        if not re.fullmatch(r"[\x21-\x7e]+", self.token):
            raise InputError("auth_token holds characters that no token has (white space, line breaks or non-ASCII). Copy it again.")

    def authenticate(self, http: HttpClient) -> None:
        http.secrets.add(self.token)

    def renew(self, http: HttpClient) -> bool:
        login = PasswordIdentity(self.given)
        try:
            login.validate()
        except InputError:
            return False
        login.authenticate(http)
        self.token = login.token
        return True

    __call__ = PasswordIdentity.__call__


def identity(given: Credentials, auth_method: str = "auto", from_task: t.Collection[str] = ()) -> Identity:
    """Choose the way in, and check it without any network.

    :arg auth_method: a key of :data:`WAYS`, or C(auto) for the first of them that is complete.
    :arg from_task: the options that the user gave in the task itself. They win over the environment as a set: C(auto) looks at nothing else if one of
        them belongs to a way in, and none of them is completed from the environment, whose secret is that of another user or key.
    :raises InputError: when nothing is complete, or something cannot be right.
    """
    for name, value in given._asdict().items():
        if not _is_text(value or ""):
            raise InputError(f"{name} is not valid UTF-8.")
    for options in (("project_id", "project_name"), *WAYS.values()):
        if set(options).intersection(from_task):
            given = given._replace(**{option: None for option in options if option not in from_task})

    if auth_method != "auto":
        chosen = _class_of(auth_method)(given)
        chosen.validate()
        return chosen
    incomplete: list[str] = []
    for way in [way for way, options in WAYS.items() if set(options).intersection(from_task)] or list(WAYS):
        options = WAYS[way]
        if options and not any(getattr(given, option) for option in options):
            continue
        if way == "agency" and incomplete:
            break  # Somebody else was meant.
        chosen = _class_of(way)(given)
        try:
            chosen.validate()
            return chosen
        except IncompleteError as error:
            if options:
                incomplete.append(str(error))
        except InputError:
            if options or not incomplete:
                raise
    raise InputError(" ".join(incomplete) or f"There are no credentials. {EVERY_WAY}")


def _class_of(way: str) -> type[Identity]:
    if way == "token":
        return TokenIdentity
    if way == "password":
        return PasswordIdentity
    # Only who may have an access key imports what it takes.
    from ansible_collections.huaweicloud.drs.plugins.module_utils import _keys

    return {"aksk": _keys.AccessKeyIdentity, "profile": _keys.ProfileIdentity, "agency": _keys.AgencyIdentity}[way]


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:  # bytes of the environment that were no UTF-8
        return False
    return "\ufffd" not in value


class Session:
    """Requests with the credentials of one identity that has logged in. They are renewed once when a server finds them invalid. Threads may share it.

    :raises InputError: when the project id cannot stand in a path.
    """

    def __init__(self, http: HttpClient, who: Identity) -> None:
        self._http = http
        self._who = who
        self._lock = threading.Lock()
        self._renewals = 0
        self._accepted = False
        self._refused: HuaweiCloudError | None = None
        self.project_id = check_project_id(who.project_id or "")

    def request(self, method: str, url: str, **kwargs: t.Any) -> Answer:
        """As :meth:`HttpClient.request`. Nothing is sent any more once the credentials are refused for good: some refusals lock a user or a key."""
        renewals = self._renewals
        if self._refused:
            unsent = NoAnswerError(f"{method} {url} was not sent, because the credentials have been refused. {self._refused}")
            unsent.credentials_refused = True
            raise unsent
        try:
            return self._send(method, url, **kwargs)
        except ApiError as error:
            # It was refused, so nothing was done: to send it again is safe for every method.
            if not error.credentials_refused:
                raise
            if not self._renew(renewals):
                self._give_up(error)
                raise
        try:
            return self._send(method, url, **kwargs)
        except ApiError as error:
            if error.credentials_refused:
                self._give_up(error)
            raise

    def _send(self, method: str, url: str, **kwargs: t.Any) -> Answer:
        try:
            answer = self._http.request(method, url, auth=self._who, **kwargs)
        except ApiError as error:
            error.credentials_refused = error.http_status == 401 or error.error_code in TOKEN_REFUSED
            raise
        self._accepted = True
        return answer

    def _give_up(self, error: HuaweiCloudError) -> None:
        """Send nothing any more, unless the credentials have been good for something: then a refusal is of one request."""
        if not self._accepted:
            self._refused = self._copy(error)

    def clean(self, value: t.Any) -> str:
        """As :meth:`HttpClient.clean`."""
        return self._http.clean(value)

    def _renew(self, renewals: int) -> bool:
        """Renew the credentials, unless another thread has done so since a request was begun that saw so many renewals."""
        with self._lock:
            if self._refused:
                raise self._copy(self._refused)
            if self._renewals != renewals:
                return True
            try:
                renewed = self._who.renew(self._http)
            except HuaweiCloudError as error:
                error.maybe_accepted = False  # The login may have been, but what it was for was refused.
                error.credentials_refused = True
                self._refused = self._copy(error)  # Another login that is refused could lock the user.
                raise
            self._renewals += renewed
            return renewed

    @staticmethod
    def _copy(error: HuaweiCloudError) -> HuaweiCloudError:
        """The same error for another request, to which advice is added apart."""
        again = copy(error)
        again.advice = list(error.advice)
        return again
