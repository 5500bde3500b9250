# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._http import ApiError, BadAnswerError, HttpClient, HuaweiCloudError, InputError, NoAnswerError
from ansible_collections.huaweicloud.drs.plugins.module_utils._iam import (
    PasswordIdentity,
    TokenIdentity,
    check_project_id,
    iam_endpoint,
    identity,
    service_endpoint,
)
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import IAM, LOGIN_URL, PASSWORD, PROJECT_ID, REGION, TOKEN, add_login, bodies

USER = {"username": "operator", "password": PASSWORD, "domain_name": "example-account"}


def login(**kwargs):
    """Log in, and return who one is then and the session."""
    http = HttpClient(timeout=10, max_retries=2)
    who = identity(**{"region": REGION, **USER, **kwargs})
    who.authenticate(http)
    return who, http


def refused(**kwargs):
    with pytest.raises(HuaweiCloudError) as caught:
        login(**kwargs)
    return caught.value


class TestEndpoints:
    @pytest.mark.parametrize(
        "service, region, endpoint",
        [
            ("drs", "cn-north-4", "https://drs.cn-north-4.myhuaweicloud.com"),
            ("iam", "cn-north-4", "https://iam.cn-north-4.myhuaweicloud.com"),
            ("drs", "eu-west-101", "https://drs.eu-west-101.myhuaweicloud.eu"),
            ("iam", "eu-west-101", "https://iam.eu-west-101.myhuaweicloud.eu"),
            ("drs", "af-north-1", "https://drs.af-north-1.myhuaweicloud.com"),
            ("drs", "ap-southeast-5", "https://drs.ap-southeast-5.myhuaweicloud.com"),
            *(
                ("iam", region, "https://iam.myhuaweicloud.com")
                for region in ("af-north-1", "ap-southeast-5", "cn-north-11", "cn-south-4", "cn-southwest-3", "ru-northwest-2")
            ),
        ],
    )
    def test_of_a_region(self, service, region, endpoint):
        assert service_endpoint(service, region, "endpoint", None) == endpoint
        assert service_endpoint(service, region, "endpoint", "") == endpoint

    @pytest.mark.parametrize("region", [REGION, "af-north-1", "not/a region", None])
    def test_given(self, region):
        assert service_endpoint("drs", region, "endpoint", "https://drs.example.com/") == "https://drs.example.com"

    @pytest.mark.parametrize(
        "region",
        ["eu", "EU-WEST-101", "eu-west-101/", "eu-west-101.evil.com", "eu-west-101@evil", "eu west", "eu-west-101\n", "-eu", "eu-", "eu--1", "eu-w\u00e9st"],
    )
    def test_bad_region(self, region):
        with pytest.raises(InputError, match="region"):
            service_endpoint("drs", region, "endpoint", None)

    @pytest.mark.parametrize("region", [None, ""])
    def test_neither(self, region):
        with pytest.raises(InputError, match="region.* endpoint"):
            service_endpoint("drs", region, "endpoint", None)

    def test_bad_endpoint_is_named(self):
        with pytest.raises(InputError, match="iam_endpoint"):
            iam_endpoint(REGION, "http://iam.example.com/v3")

    @pytest.mark.parametrize("tail", ["", "/", "/v3", "/v3/"])
    def test_iam_endpoint(self, tail):
        assert iam_endpoint(None, f"https://iam.example.com:5000{tail}") == "https://iam.example.com:5000"

    @pytest.mark.parametrize("tail", ["/v3/auth", "/v2", "/v3/v3", "/v3\n", "/identity/v3", "v3"])
    def test_bad_iam_endpoint(self, tail):
        with pytest.raises(InputError, match="iam_endpoint"):
            iam_endpoint(REGION, f"https://iam.example.com:5000{tail}")

    def test_iam_endpoint_of_the_region(self):
        assert iam_endpoint(REGION, None) == IAM


class TestProjectId:
    @pytest.mark.parametrize("value", [PROJECT_ID, "a", "A-Z_9" * 12])
    def test_good(self, value):
        assert check_project_id(value) == value

    @pytest.mark.parametrize("value", ["", "a/b", "..", "a b", "a?b", "a#b", "a%2fb", "a\n", "é", "x" * 65])
    def test_bad(self, value):
        with pytest.raises(InputError, match="project_id"):
            check_project_id(value)


class TestToken:
    def test_iam_is_not_called(self, cloud):
        who, http = login(auth_token=TOKEN, project_id=PROJECT_ID)
        assert isinstance(who, TokenIdentity)
        assert (who.project_id, len(cloud.calls)) == (PROJECT_ID, 0)
        assert http.secrets == {TOKEN}

    def test_nothing_else_is_needed(self):
        identity(auth_token=TOKEN, project_id=PROJECT_ID)

    def test_on_a_request(self, cloud):
        cloud.get("https://drs.example.com", json={})
        HttpClient().request("GET", "https://drs.example.com", auth=identity(auth_token=TOKEN, project_id=PROJECT_ID))
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN

    @pytest.mark.parametrize("token", [f"{TOKEN}\n", f" {TOKEN}", "two words", "tok\ten", "tök", "tok\x00en", "tok\ud800"])
    def test_characters_that_no_token_has(self, token):
        with pytest.raises(InputError, match="auth_token") as caught:
            identity(auth_token=token, project_id=PROJECT_ID)
        assert token.strip() not in str(caught.value)

    @pytest.mark.parametrize("project_id", [None, "", "a/b"])
    def test_project_id_is_needed(self, project_id):
        with pytest.raises(InputError, match="project_id"):
            identity(auth_token=TOKEN, project_id=project_id, region=REGION, project_name=REGION)


class TestPassword:
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
        who, http = login(**options)
        assert isinstance(who, PasswordIdentity)
        assert cloud.calls[0].request.url == f"{LOGIN_URL}?nocatalog=true"
        assert "X-Auth-Token" not in cloud.calls[0].request.headers
        assert bodies(cloud) == [
            {
                "auth": {
                    "identity": {
                        "methods": ["password"],
                        "password": {"user": {"name": "operator", "password": PASSWORD, "domain": {"name": "example-account"}}},
                    },
                    "scope": {"project": project},
                }
            }
        ]
        assert (who.project_id, who.token) == (PROJECT_ID, TOKEN)
        assert http.secrets == {PASSWORD, TOKEN}

    def test_on_a_request(self, cloud):
        add_login(cloud)
        who, http = login()
        cloud.get("https://drs.example.com", json={})
        http.request("GET", "https://drs.example.com", auth=who)
        assert cloud.calls[1].request.headers["X-Auth-Token"] == TOKEN

    @pytest.mark.parametrize("endpoint", ["https://iam.example.com", "https://iam.example.com/v3"])
    def test_endpoint(self, cloud, endpoint):
        cloud.post("https://iam.example.com/v3/auth/tokens", status=201, headers={"X-Subject-Token": TOKEN}, json={"token": {"project": {"id": PROJECT_ID}}})
        login(region=None, endpoint=endpoint, project_id=PROJECT_ID)

    @pytest.mark.parametrize("missing", list(USER))
    @pytest.mark.parametrize("value", [None, ""])
    def test_missing(self, missing, value):
        with pytest.raises(InputError) as caught:
            identity(region=REGION, **{**USER, missing: value})
        assert missing in str(caught.value)
        assert not any(name in str(caught.value) for name in ("operator", PASSWORD, "example-account"))

    @pytest.mark.parametrize("options", [{}, {"domain_name": "example-account", "project_id": PROJECT_ID}])
    def test_no_credentials(self, options):
        with pytest.raises(InputError) as caught:
            identity(region=REGION, **options)
        for name in ("auth_token", "project_id", "username", "password", "domain_name"):
            assert name in str(caught.value)

    @pytest.mark.parametrize("options, named", [({"project_id": "a/b"}, "project_id"), ({}, "project_name")])
    def test_no_project(self, options, named):
        with pytest.raises(InputError, match=named):
            identity(endpoint=IAM, **USER, **options)


class TestLoginRefused:
    @pytest.mark.parametrize("status", [400, 401, 403, 404])
    @pytest.mark.parametrize("options, project", [({"project_id": PROJECT_ID}, PROJECT_ID), ({"project_name": "my-project"}, "my-project"), ({}, REGION)])
    def test_says_who_and_where(self, cloud, status, options, project):
        body = {"error": {"code": status, "message": f"The username or password {PASSWORD} is wrong.", "title": "Unauthorized"}}
        cloud.post(LOGIN_URL, status=status, json=body, headers={"X-IAM-Trace-Id": "trace"})
        error = refused(**options)
        assert isinstance(error, ApiError)
        for part in ("operator", "example-account", project, IAM, "domain_name", "account", "15 minutes"):
            assert part in str(error)
        assert PASSWORD not in str(error)
        assert (error.http_status, error.request_id, len(cloud.calls)) == (status, "trace", 1)

    def test_locked(self, cloud):
        cloud.post(LOGIN_URL, status=401, json={"error": {"code": 401, "message": "The account is locked.", "title": "Unauthorized"}})
        error = refused()
        assert "15 minutes" in str(error)
        assert "domain_name" not in str(error)
        assert len(cloud.calls) == 1

    def test_second_factor(self, cloud):
        cloud.post(LOGIN_URL, status=401, json={"receipt": {"methods": ["password"]}})
        assert "operator" in str(refused())

    def test_iam_down(self, cloud):
        cloud.post(LOGIN_URL, status=500, json={"error_code": "APIGW.0601"})
        error = refused()
        assert "operator" in str(error)
        assert "Check the password" not in str(error)
        assert len(cloud.calls) == 1

    def test_throttled(self, cloud):
        cloud.post(LOGIN_URL, status=429)
        add_login(cloud)
        assert login()[0].token == TOKEN

    def test_no_answer(self, serve):
        server = serve(loopback.reset_after_request)
        error = refused(endpoint=server.url)
        assert isinstance(error, NoAnswerError)
        assert server.url in str(error)
        assert "operator" in str(error)
        assert len(server.requests) == 1


class TestBadLoginAnswer:
    @pytest.mark.parametrize("headers", [{}, {"X-Subject-Token": ""}, {"X-Subject-Token": "a b"}, {"X-Subject-Token": "t\u00f6k"}])
    def test_no_token(self, cloud, headers):
        cloud.post(LOGIN_URL, status=201, headers=headers, json={"token": {"project": {"id": PROJECT_ID}}})
        error = refused()
        assert isinstance(error, BadAnswerError)
        assert "X-Subject-Token" in str(error)
        assert "operator" in str(error)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"token": None},
            {"token": []},
            {"token": {}},
            {"token": {"domain": {"id": "unscoped"}}},
            {"token": {"project": None}},
            {"token": {"project": {"name": REGION}}},
            {"token": {"project": {"id": None}}},
            {"token": {"project": {"id": 7}}},
            {"token": {"project": {"id": "../.."}}},
            {"token": {"project": {"id": ""}}},
        ],
    )
    def test_no_project(self, cloud, body):
        cloud.post(LOGIN_URL, status=201, headers={"X-Subject-Token": TOKEN, "X-Request-Id": "r1"}, json=body)
        error = refused()
        assert isinstance(error, BadAnswerError)
        assert "project" in str(error)
        assert error.request_id == "r1"
        assert TOKEN not in str(error)

    def test_token_echoed_by_the_next_error(self, cloud):
        add_login(cloud)
        who, http = login()
        cloud.get("https://drs.example.com", status=401, body=json.dumps({"error_msg": f"bad token {TOKEN}"}))
        with pytest.raises(ApiError) as caught:
            http.request("GET", "https://drs.example.com", auth=who)
        assert caught.value.error_msg == "bad token ********"
