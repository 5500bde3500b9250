# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication with an access key from the options, from a profile, or from the metadata service of an ECS host.

A separate file, because a login with a password does not need it.
"""

from __future__ import annotations

import calendar
import os
import re
import sys
import threading
import time
import typing as t
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

from . import _auth, _endpoints, _errors, _hints, _http, _timeout

if t.TYPE_CHECKING:
    from requests import PreparedRequest

METADATA_URL = "http://169.254.169.254"  # the same on every ECS host
METADATA_TIMEOUT = 3.0  # Seconds. The metadata service of an ECS host responds fast or does not exist.
# Of the metadata service. The length is not documented. Security tokens have some thousand characters. A text of few
# would be masked in all results, so that their IDs would be lost.
SECRET = r"[\x21-\x7e]{8,32768}"
RENEW_BEFORE = 300.0  # Seconds before a temporary key expires. It must not expire on the way.
RENEW_AGAIN = 60.0  # Seconds from one attempt to renew a key to the next, if the metadata service has no new one.


class AccessKeyAuth(_auth.AuthMethod):
    """Signs requests with a permanent or temporary access key, using the signer of the official SDK.

    Algorithm: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html
    """

    def __init__(self, options: _auth.AuthOptions) -> None:
        super().__init__(options)
        self.access_key, self.secret_key = options.access_key, options.secret_key
        self.security_token = options.security_token

    def validate(self) -> None:
        self._require(access_key=self.access_key, secret_key=self.secret_key)
        if self.access_key == os.environ.get("HUAWEICLOUD_SDK_AK"):
            # These variables belong to that key. Another key may be of another account.
            self._set_defaults(
                os.environ.get("HUAWEICLOUD_SDK_PROJECT_ID"), os.environ.get("HUAWEICLOUD_SDK_IAM_ENDPOINT")
            )
        super().validate()
        self._check_keys()
        _sdk()
        if not self.project_id:
            self._project()
            _endpoints.iam_endpoint(self.options.region, self.options.iam_endpoint)

    def _set_defaults(self, project_id: str | None, endpoint: str | None) -> None:
        """Set what comes with a key, unless an option or a variable of ours says otherwise."""
        if not self.options.project_name:
            self.project_id = self.project_id or project_id
        self.options = self.options._replace(iam_endpoint=self.options.iam_endpoint or endpoint)

    def _check_keys(self) -> None:
        for option in ("access_key", "secret_key", "security_token"):
            value = getattr(self, option) or ""
            if not re.fullmatch(r"[\x21-\x7e]*", value) or "*" in value:
                raise _errors.InvalidOptionError(
                    f"{option} contains invalid characters (white space, line breaks, non-ASCII, or asterisks, with"
                    " which Ansible masks secrets). Copy it again."
                )

    def authenticate(self, http: _http.HttpClient) -> None:
        self._check_keys()
        http.has_signatures = True
        http.secrets.update(secret for secret in (self.access_key, self.secret_key, self.security_token) if secret)
        if not self.project_id:
            self.project_id = self._find_project(http)

    def _find_project(self, http: _http.HttpClient) -> str:
        """Return the ID of the project with the configured name.

        The first call requires a permission, the second does not. API pages: Querying Project Information,
        https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html, and Listing the Projects Accessible to an
        IAM User, https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0003.html
        """
        endpoint = _endpoints.iam_endpoint(self.options.region, self.options.iam_endpoint)
        name = self._project()[1]
        try:
            response = http.request("GET", f"{endpoint}/v3/projects", params={"name": name}, auth=self)
        except _errors.ApiError as error:
            if error.http_status != 403:
                error.add_hint(_hints.drs_hint(error))
                raise
            response = http.request("GET", f"{endpoint}/v3/auth/projects", auth=self)
        projects = response.body.get("projects")
        if not isinstance(projects, list):
            raise _errors.InvalidResponseError(
                f"The response from {endpoint} contains no list of projects.", request_id=response.request_id
            )
        ids = [project.get("id") for project in projects if isinstance(project, dict) and project.get("name") == name]
        if not ids:
            raise _errors.HuaweiCloudError(
                f"This access key can access no project named {name}. Set project_id or a different project_name."
            )
        if len(ids) > 1:
            listed = http.sanitize(", ".join(map(str, ids)))
            raise _errors.HuaweiCloudError(f"There are {len(ids)} projects named {name}: {listed}. Set project_id.")
        try:
            return _endpoints.check_project_id(ids[0] if ids[0] == http.sanitize(ids[0]) else "")
        except _errors.InvalidOptionError:
            raise _errors.InvalidResponseError(
                f"The project in the response from {endpoint} has no valid ID.", request_id=response.request_id
            ) from None

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        sdk = _sdk()
        url = urlsplit(str(request.url))
        signed = sdk.SdkRequest(
            method=request.method,
            schema=url.scheme,
            host=url.netloc,
            resource_path=url.path,
            query_params=parse_qsl(url.query, keep_blank_values=True),
            header_params={"Content-Type": request.headers["Content-Type"]},
            body=request.body or b"",
        )
        keys = sdk.BasicCredentials(self.access_key, self.secret_key, self.project_id).with_security_token(
            self.security_token
        )
        request.headers.update(keys.sign_request(signed).header_params)
        return request


class ProfileAuth(AccessKeyAuth):
    """Uses the access key in ``~/.huaweicloud/credentials`` or the file in ``HUAWEICLOUD_SDK_CREDENTIALS_FILE``."""

    def validate(self) -> None:
        try:
            found = _sdk().ProfileCredentialProvider.get_basic().get_credentials()
        except Exception as error:  # pylint: disable=broad-exception-caught
            no_sdk, name = isinstance(error, _errors.InvalidOptionError), type(error).__name__
            # The SDK does not catch exceptions of its parsers, and those quote the file.
            reason = str(error) if no_sdk or name == "ApiValueError" else name
            default = os.path.expanduser("~/.huaweicloud/credentials")
            missing = no_sdk or not os.path.exists(os.environ.get("HUAWEICLOUD_SDK_CREDENTIALS_FILE") or default)
            kind = _errors.MissingOptionError if missing else _errors.InvalidOptionError
            raise kind(f"No usable profile was found: {reason}") from None
        if not found.ak:
            raise _errors.InvalidOptionError(
                "The profile specifies an identity provider instead of an access key."
                " Obtain a temporary access key from it, and use that key."
            )
        self.access_key, self.secret_key, self.security_token = found.ak, found.sk, found.security_token or None
        self._set_defaults(found.project_id, found.iam_endpoint)
        try:
            super().validate()
        except _errors.InvalidOptionError as error:
            used = {"project_id": self.project_id, "iam_endpoint": self.options.iam_endpoint}
            for name, value in used.items():
                # It is not quoted, because indented lines of the file, and keys in them, belong to the value before.
                if value and value == getattr(found, name) and str(error).startswith(name):
                    raise _errors.InvalidOptionError(f"{name} in the profile is invalid.") from None
            raise


class AgencyAuth(AccessKeyAuth):
    """Uses the temporary access key that an ECS host with an agency gets from its metadata service.

    The key is renewed before it expires, and when it is refused.
    """

    def __init__(self, options: _auth.AuthOptions) -> None:
        super().__init__(options)
        self._lock = threading.Lock()
        self._signed = threading.local()  # ``key`` is the access key of the thread's last request.
        self._renew_at = float("inf")

    def validate(self) -> None:
        try:
            _sdk()
        except _errors.InvalidOptionError as error:
            raise _errors.MissingOptionError(str(error)) from None
        # The key is fetched later. Everything else can be checked now.
        self.access_key = self.secret_key = "unknown"
        if not (self.project_id or self.options.project_name or self.options.region):
            raise _errors.MissingOptionError("Set project_id, project_name or region to identify the project.")
        super().validate()

    def authenticate(self, http: _http.HttpClient) -> None:
        self._http = http
        self._fetch()
        super().authenticate(http)

    def renew(self, http: _http.HttpClient, deadline: float | None) -> bool:
        refused_key: str = self._signed.key
        with self._lock:
            # Another thread may have a new key since then.
            if self.access_key == refused_key:
                self._fetch()
            # More signatures with a key that was refused could lock it.
            return self.access_key != refused_key

    def __call__(self, request: PreparedRequest) -> PreparedRequest:
        with self._lock:
            if time.time() >= self._renew_at:
                self._renew_at = time.time() + RENEW_AGAIN
                try:
                    self._fetch()
                except _errors.HuaweiCloudError:
                    pass  # The key may still be valid. If it is not, it is refused.
            self._signed.key = self.access_key
            return super().__call__(request)

    def _fetch(self) -> None:
        """Get the key from the metadata service.

        API page: Obtaining ECS Details Using Metadata,
        https://support.huaweicloud.com/intl/en-us/usermanual-ecs/ecs_03_0166.html
        """
        try:
            key = _timeout.call_with_timeout(METADATA_TIMEOUT, self._read_metadata)
            parts = key["access"], key["secret"], key["securitytoken"]
            if not all(re.fullmatch(SECRET, part) for part in parts):
                raise ValueError
        except Exception as error:  # pylint: disable=broad-exception-caught
            options = self.options
            none = "" if options.auth_token or options.access_key or options.username else "No credentials are set. "
            # Exceptions may quote the response.
            raise _errors.HuaweiCloudError(
                f"{none}The metadata service of ECS hosts did not provide an access key ({type(error).__name__})."
                f" {_hints.AUTH_HELP}"
            ) from None
        self._http.secrets.update(parts)
        self.access_key, self.secret_key, self.security_token = parts
        try:
            expiry = calendar.timegm(time.strptime(key["expires_at"][:19], "%Y-%m-%dT%H:%M:%S"))
            self._renew_at = max(expiry - RENEW_BEFORE, time.time() + RENEW_AGAIN)
        except (KeyError, TypeError, ValueError):
            self._renew_at = float("inf")

    def _read_metadata(self) -> dict[str, t.Any]:
        import requests

        deadline = time.monotonic() + METADATA_TIMEOUT
        # The client uses no proxy for plain HTTP: it would get the key of its own host, or read that of this one.
        request = requests.Request(
            "PUT", f"{METADATA_URL}/meta-data/latest/api/token", headers={"X-Metadata-Token-Ttl-Seconds": "60"}
        )
        response, token = self._http.exchange(request, deadline)
        headers = {}
        if response.status_code not in (404, 405, 503):  # Otherwise, the service has no tokens. The SDK does the same.
            response.raise_for_status()
            headers["X-Metadata-Token"] = token.decode()
            if not re.fullmatch(SECRET, token.decode()):
                raise ValueError
            self._http.secrets.add(token.decode())
        request = requests.Request("GET", f"{METADATA_URL}/openstack/latest/securitykey", headers=headers)
        response, content = self._http.exchange(request, deadline)
        response.raise_for_status()
        return t.cast("dict[str, t.Any]", _http.parse_json(content)[0]["credential"])


def _sdk() -> t.Any:
    """Return the required classes of the official SDK. Imported here, because it is optional and slow to import.

    :raises InvalidOptionError: when the SDK is not installed.
    """
    try:
        from huaweicloudsdkcore.auth.credentials import BasicCredentials
        from huaweicloudsdkcore.auth.provider import ProfileCredentialProvider
        from huaweicloudsdkcore.sdk_request import SdkRequest
    except ImportError as error:
        raise _errors.InvalidOptionError(
            "Access keys require the Python library huaweicloudsdkcore, which signs requests."
            f" {sys.executable} cannot import it: {error}."
        ) from error
    return SimpleNamespace(
        BasicCredentials=BasicCredentials,
        ProfileCredentialProvider=ProfileCredentialProvider,
        SdkRequest=SdkRequest,
    )
