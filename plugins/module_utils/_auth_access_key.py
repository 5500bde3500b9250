# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Authentication with an access key from the options, from a profile, or from the metadata service of an ECS host.

A separate file, because a login with a password does not need it.
"""

from __future__ import annotations

import os
import re
import sys
import typing as t
from types import SimpleNamespace
from urllib.parse import parse_qsl, urlsplit

from ._auth import AuthMethod, AuthOptions
from ._endpoints import check_project_id, iam_endpoint
from ._errors import ApiError, HuaweiCloudError, InvalidOptionError, InvalidResponseError, MissingOptionError
from ._hints import AUTH_HELP
from ._http import HttpClient
from ._timeout import call_with_timeout

if t.TYPE_CHECKING:
    from requests import PreparedRequest

METADATA_TIMEOUT = 3.0  # Seconds. The metadata service of an ECS host responds fast or does not exist.


class AccessKeyAuth(AuthMethod):
    """Signs requests with a permanent or temporary access key, using the signer of the official SDK.

    Algorithm: https://support.huaweicloud.com/intl/en-us/devg-apisign/api-sign-algorithm.html
    """

    def __init__(self, options: AuthOptions) -> None:
        super().__init__(options)
        self.access_key, self.secret_key = options.access_key, options.secret_key
        self.security_token = options.security_token

    def validate(self) -> None:
        super().validate()
        self._require(access_key=self.access_key, secret_key=self.secret_key)
        self._check_keys()
        _sdk()
        if not self.project_id:
            self._project()
            iam_endpoint(self.options.region, self.options.iam_endpoint)

    def _check_keys(self) -> None:
        for option in ("access_key", "secret_key", "security_token"):
            if not re.fullmatch(r"[\x21-\x7e]*", getattr(self, option) or ""):
                raise InvalidOptionError(
                    f"{option} contains invalid characters (white space, line breaks or non-ASCII). Copy it again."
                )

    def authenticate(self, http: HttpClient) -> None:
        self._check_keys()
        http.secrets.update(secret for secret in (self.access_key, self.secret_key, self.security_token) if secret)
        if not self.project_id:
            self.project_id = self._find_project(http)

    def _find_project(self, http: HttpClient) -> str:
        """Return the ID of the project with the configured name.

        The first call requires a permission, the second does not. API pages: Querying Project Information,
        https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0001.html, and Listing the Projects Accessible to an
        IAM User, https://support.huaweicloud.com/intl/en-us/api-iam/iam_06_0003.html
        """
        endpoint = iam_endpoint(self.options.region, self.options.iam_endpoint)
        name = self._project()[1]
        try:
            response = http.request("GET", f"{endpoint}/v3/projects", params={"name": name}, auth=self)
        except ApiError as error:
            if error.http_status != 403:
                raise
            response = http.request("GET", f"{endpoint}/v3/auth/projects", auth=self)
        projects = response.body.get("projects")
        if not isinstance(projects, list):
            raise InvalidResponseError(
                f"The response from {endpoint} contains no list of projects.", request_id=response.request_id
            )
        ids = [project.get("id") for project in projects if isinstance(project, dict) and project.get("name") == name]
        if len(ids) != 1 or not isinstance(ids[0], str):
            found = f"{len(ids)} projects" if ids else "no project"
            raise HuaweiCloudError(
                f"This key can access {found} with the name {name}. Set project_id or a different project_name."
            )
        try:
            return check_project_id(ids[0])
        except InvalidOptionError:
            raise InvalidResponseError(
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
            no_sdk, name = isinstance(error, InvalidOptionError), type(error).__name__
            # The SDK does not catch exceptions of its parsers, and those quote the file.
            reason = str(error) if no_sdk or name == "ApiValueError" else name
            default = os.path.expanduser("~/.huaweicloud/credentials")
            missing = no_sdk or not os.path.exists(os.environ.get("HUAWEICLOUD_SDK_CREDENTIALS_FILE") or default)
            kind = MissingOptionError if missing else InvalidOptionError
            raise kind(f"No usable profile was found: {reason}") from None
        if not found.ak:
            raise InvalidOptionError(
                "The profile specifies an identity provider instead of an access key."
                " Obtain a temporary access key from it, and use that key."
            )
        self.access_key, self.secret_key, self.security_token = found.ak, found.sk, found.security_token or None
        self.project_id = self.project_id or found.project_id
        super().validate()


class AgencyAuth(AccessKeyAuth):
    """Uses the temporary access key that an ECS host with an agency gets from its metadata service."""

    def validate(self) -> None:
        try:
            _sdk()
        except InvalidOptionError as error:
            raise MissingOptionError(str(error)) from None
        # The key is fetched later. Everything else can be checked now.
        self.access_key = self.secret_key = "unknown"
        if not (self.project_id or self.options.project_name or self.options.region):
            raise MissingOptionError("Set project_id, project_name or region to identify the project.")
        super().validate()

    def authenticate(self, http: HttpClient) -> None:
        try:
            found = call_with_timeout(METADATA_TIMEOUT, _sdk().MetadataCredentialProvider.get_basic().get_credentials)
        except Exception as error:  # pylint: disable=broad-exception-caught
            # Exceptions of the SDK may quote the response.
            raise HuaweiCloudError(
                f"The metadata service of ECS hosts did not provide an access key ({type(error).__name__}). {AUTH_HELP}"
            ) from None
        self.access_key, self.secret_key, self.security_token = found.ak, found.sk, found.security_token
        super().authenticate(http)


def _sdk() -> t.Any:
    """Return the required classes of the official SDK. Imported here, because it is optional and slow to import.

    :raises InvalidOptionError: when the SDK is not installed.
    """
    try:
        from huaweicloudsdkcore.auth.credentials import BasicCredentials
        from huaweicloudsdkcore.auth.provider import MetadataCredentialProvider, ProfileCredentialProvider
        from huaweicloudsdkcore.sdk_request import SdkRequest
    except ImportError as error:
        raise InvalidOptionError(
            "Access keys require the Python library huaweicloudsdkcore, which signs requests."
            f" {sys.executable} cannot import it: {error}."
        ) from error
    return SimpleNamespace(
        BasicCredentials=BasicCredentials,
        MetadataCredentialProvider=MetadataCredentialProvider,
        ProfileCredentialProvider=ProfileCredentialProvider,
        SdkRequest=SdkRequest,
    )
