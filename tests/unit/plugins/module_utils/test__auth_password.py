# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from base64 import urlsafe_b64encode

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_password import PasswordAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    IAM,
    LOGIN_URL,
    PASSWORD,
    PROJECT_ID,
    REGION,
    TOKEN,
    USER,
    add_login,
    bodies,
    check_nothing_shown,
    shown,
)


def log_in(**options):
    """Log in with a password, unless other options are set."""
    http = HttpClient(timeout=10, max_retries=2)
    auth = select_auth(AuthOptions(**{"region": REGION, **USER, **options}))
    auth.authenticate(http)
    return auth, http


def login_error(**options):
    with pytest.raises(HuaweiCloudError) as caught:
        log_in(**options)
    return caught.value


class TestPasswordAuth:
    @pytest.mark.parametrize(
        "options, project",
        [
            ({"project_id": PROJECT_ID, "project_name": "not used"}, {"id": PROJECT_ID}),
            ({"project_name": f"{REGION}_sub"}, {"name": f"{REGION}_sub"}),
            ({}, {"name": REGION}),
        ],
    )
    def test_login(self, cloud, options, project):
        add_login(cloud)
        auth, http = log_in(**options)
        assert isinstance(auth, PasswordAuth)
        assert cloud.calls[0].request.url == f"{LOGIN_URL}?nocatalog=true"
        assert "X-Auth-Token" not in cloud.calls[0].request.headers
        assert bodies(cloud) == [
            {
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {
                            "user": {"name": "operator", "password": PASSWORD, "domain": {"name": "example-account"}}
                        },
                    },
                    "scope": {"project": project},
                }
            }
        ]
        assert (auth.project_id, auth.token) == (PROJECT_ID, TOKEN)
        assert http.secrets == {PASSWORD, TOKEN}

    @pytest.mark.parametrize(
        "expires_at, valid",
        [("2026-11-24T10:11:12.701000Z", True), (None, False), (7, False), ("\x1b[31m", False), ("x" * 65, False)],
    )
    def test_expiry(self, cloud, expires_at, valid):
        add_login(cloud, expires_at=expires_at)
        assert log_in()[0].expires_at == (expires_at if valid else None)

    @pytest.mark.parametrize(
        "options, named",
        [
            ({"project_id": "a/b"}, "project_id"),
            ({}, "project_name"),
            ({"region": REGION, "iam_endpoint": "x"}, "iam_endpoint"),
        ],
    )
    def test_project_must_be_set(self, options, named):
        with pytest.raises(InvalidOptionError, match=named):
            select_auth(AuthOptions(**{"iam_endpoint": IAM, **USER, **options}))


class TestPasswordRefused:
    @pytest.mark.parametrize(
        "status, options, project",
        [
            (400, {}, REGION),
            (401, {"project_id": PROJECT_ID}, PROJECT_ID),
            (403, {"project_name": "mine"}, "mine"),
            (404, {}, REGION),
        ],
    )
    def test_error_names_user_project_and_endpoint(self, cloud, status, options, project):
        body = {
            "error": {
                "code": status,
                "message": f"The username or password {PASSWORD} is wrong.",
                "title": "Unauthorized",
            }
        }
        cloud.post(LOGIN_URL, status=status, json=body, headers={"X-IAM-Trace-Id": "trace"})
        error = login_error(**options)
        assert isinstance(error, ApiError)
        for part in (
            "operator",
            "example-account",
            project,
            IAM,
            "domain_name",
            "region, project_name or project_id",
            "15 minutes",
        ):
            assert part in str(error)
        check_nothing_shown(shown(error))
        assert (error.http_status, error.request_id, len(cloud.calls)) == (status, "trace", 1)


class TestInvalidLoginResponse:
    @pytest.mark.parametrize("headers", [{}, {"X-Subject-Token": "a b"}, {"X-Subject-Token": "t\u00f6k"}])
    def test_no_token(self, cloud, headers):
        cloud.post(LOGIN_URL, status=201, headers=headers, json={"token": {"project": {"id": PROJECT_ID}}})
        error = login_error()
        assert isinstance(error, InvalidResponseError)
        assert "X-Subject-Token" in str(error)
        assert "operator" in str(error)

    @pytest.mark.parametrize(
        "token",
        [
            *(None, [], {}, {"project": None}, {"project": {}}, {"project": {"id": 7}}, {"project": {"id": "../.."}}),
            {"project": {"id": "another"}},
        ],
    )
    def test_no_project(self, cloud, token):
        cloud.post(
            LOGIN_URL, status=201, headers={"X-Subject-Token": TOKEN, "X-Request-Id": "r1"}, json={"token": token}
        )
        error = login_error(project_id=PROJECT_ID)
        assert isinstance(error, InvalidResponseError)
        assert "names no valid project, or another one" in str(error)
        assert error.request_id == "r1"
        assert TOKEN not in str(error)

    @pytest.mark.parametrize(
        "response",
        [
            {"status": 201, "json": {"error_code": "IAM.1", "error_msg": f"No: {TOKEN}"}},
            {"status": 201, "body": f"no JSON {TOKEN}"},
            {"status": 201, "json": {"token": {}}},
            {"status": 400, "json": {"error_code": "IAM.1"}},
        ],
    )
    def test_response_that_repeats_the_token(self, cloud, response):
        """The token is a secret from this response on."""
        cloud.post(LOGIN_URL, headers={"X-Subject-Token": TOKEN, "X-Request-Id": TOKEN[:40]}, **response)
        error = login_error()
        check_nothing_shown(str(error), str(error.facts()))

    @pytest.mark.parametrize("secret", [urlsafe_b64encode(PASSWORD.encode()).decode().rstrip("="), TOKEN[:20]])
    def test_project_id_that_contains_a_secret(self, cloud, secret):
        """It would be in the URL of each message, and in the result of iam_token."""
        token = {"project": {"id": f"x{secret}"}}
        cloud.post(LOGIN_URL, status=201, headers={"X-Subject-Token": TOKEN}, json={"token": token})
        error = login_error()
        assert "names no valid project" in str(error)
        assert secret not in str(error)


def test_unusable_project_id_is_not_shown(cloud):
    """The cause of the error does not show it either: a traceback would print it."""
    cloud.post(LOGIN_URL, status=201, headers={"X-Subject-Token": TOKEN}, json={"token": {"project": {"id": PASSWORD}}})
    with pytest.raises(InvalidResponseError) as caught:
        log_in()
    check_nothing_shown(shown(caught.value))
