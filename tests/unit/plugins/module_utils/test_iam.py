# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import sys

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import (
    AuthMethod,
    AuthOptions,
    PasswordAuth,
    TokenAuth,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_access_key import (
    AccessKeyAuth,
    AgencyAuth,
    ProfileAuth,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import (
    check_project_id,
    iam_endpoint,
    service_endpoint,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import AUTH_HELP
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import AUTH_METHODS, select_auth
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    IAM,
    LOGIN_URL,
    PASSWORD,
    PROJECT_ID,
    REGION,
    SECRET_KEY,
    SECRETS,
    SECURITY_TOKEN,
    TOKEN,
    add_login,
    bodies,
    check_nothing_shown,
    readable,
    shown,
)

USER = {"username": "operator", "password": PASSWORD, "domain_name": "example-account"}
KEY = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
TOKEN_OF_MINE = {"auth_token": TOKEN, "project_id": PROJECT_ID}
PROFILE = f"[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\n"


def choose(task=None, env=None, auth_method="auto"):
    """Choose the way in that the options of a task and the environment name together."""
    given = {"region": REGION, **(env or {}), **(task or {})}
    return select_auth(AuthOptions(**given), auth_method, set(task or {}))


def login(**kwargs):
    """Log in, and return who one is then and the session."""
    http = HttpClient(timeout=10, max_retries=2)
    who = choose(env={**USER, **kwargs})
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
            ("iam", "eu-west-101", "https://iam.eu-west-101.myhuaweicloud.eu"),
            ("drs", "af-north-1", "https://drs.af-north-1.myhuaweicloud.com"),
            ("drs", "eu-" + "a" * 47, f"https://drs.eu-{'a' * 47}.myhuaweicloud.com"),
            *(
                ("iam", region, "https://iam.myhuaweicloud.com")
                for region in (
                    "af-north-1",
                    "ap-southeast-5",
                    "cn-north-11",
                    "cn-south-4",
                    "cn-southwest-3",
                    "ru-northwest-2",
                )
            ),
        ],
    )
    def test_of_a_region(self, service, region, endpoint):
        assert service_endpoint(service, region, "endpoint", "") == endpoint

    @pytest.mark.parametrize("region", [REGION, "not/a region", None])
    def test_given(self, region):
        assert service_endpoint("drs", region, "endpoint", "https://drs.example.com/") == "https://drs.example.com"

    @pytest.mark.parametrize(
        "region",
        [
            "eu",
            "EU-WEST-101",
            "eu-west-101/",
            "eu-west-101.evil.com",
            "eu west",
            "eu-west-101\n",
            "-eu",
            "eu-",
            "eu-w\u00e9st",
            "eu-" + "a" * 48,
        ],
    )
    def test_bad_region(self, region):
        with pytest.raises(InvalidOptionError, match="region"):
            service_endpoint("drs", region, "endpoint", None)

    def test_neither(self):
        with pytest.raises(InvalidOptionError, match="region.* endpoint"):
            service_endpoint("drs", "", "endpoint", None)

    def test_bad_endpoint_is_named(self):
        with pytest.raises(InvalidOptionError, match="iam_endpoint"):
            iam_endpoint(REGION, "http://iam.example.com/v3")

    @pytest.mark.parametrize("tail", ["", "/", "/v3", "/v3/"])
    def test_iam_endpoint(self, tail):
        assert iam_endpoint(None, f"https://iam.example.com:5000{tail}") == "https://iam.example.com:5000"

    @pytest.mark.parametrize("tail", ["/v3/auth", "/v3/v3", "/v3\n", "v3"])
    def test_bad_iam_endpoint(self, tail):
        with pytest.raises(InvalidOptionError, match="iam_endpoint"):
            iam_endpoint(REGION, f"https://iam.example.com:5000{tail}")


class TestProjectId:
    @pytest.mark.parametrize("value", [PROJECT_ID, "a", "A-Z_9" * 12])
    def test_good(self, value):
        assert check_project_id(value) == value

    @pytest.mark.parametrize("value", ["", "a/b", "..", "a%2fb", "a\n", "é", "x" * 65])
    def test_bad(self, value):
        with pytest.raises(InvalidOptionError, match="project_id"):
            check_project_id(value)


# In the order in which they are tried. The last needs nothing.
COMPLETE = {"token": TOKEN_OF_MINE, "aksk": KEY, "password": USER}
CLASSES = {
    "token": TokenAuth,
    "aksk": AccessKeyAuth,
    "password": PasswordAuth,
    "profile": ProfileAuth,
    "agency": AgencyAuth,
}


class TestChoice:
    def test_ways(self):
        assert list(AUTH_METHODS) == list(CLASSES) == ["token", "aksk", "password", "profile", "agency"]

    @pytest.mark.parametrize("first", list(AUTH_METHODS))
    @pytest.mark.parametrize("where", ["task", "env"])
    def test_first_complete(self, profile, first, where):
        """Those behind it are there as well."""
        names = list(AUTH_METHODS)[list(AUTH_METHODS).index(first) : -1]
        if "profile" in names:
            profile(PROFILE)
        given = {key: value for name in names if name in COMPLETE for key, value in COMPLETE[name].items()}
        assert choose(**{where: given}).__class__ is CLASSES[first]

    @pytest.mark.parametrize("auth_method", list(AUTH_METHODS))
    @pytest.mark.parametrize("task", [{}, {"domain_name": "example-account"}])
    def test_explicit(self, profile, auth_method, task):
        profile(PROFILE)
        assert choose(task, {**TOKEN_OF_MINE, **KEY, **USER}, auth_method).__class__ is CLASSES[auth_method]

    @pytest.mark.parametrize(
        "there, missing",
        [
            (["auth_token"], ["project_id"]),
            (["access_key"], ["secret_key"]),
            (["security_token"], ["access_key", "secret_key"]),
            (["username"], ["password", "domain_name"]),
            (["username", "password"], ["domain_name"]),
            (["password", "domain_name"], ["username"]),
            (["auth_token", "secret_key"], ["project_id", "access_key"]),
            (["auth_token", "access_key", "username"], ["project_id", "secret_key", "password", "domain_name"]),
        ],
    )
    @pytest.mark.parametrize("where", ["task", "env"])
    def test_incomplete(self, there, missing, where):
        """The agency of the host is not tried then."""
        everything = {**TOKEN_OF_MINE, **KEY, **USER, "security_token": SECURITY_TOKEN}
        given = {name: everything[name] for name in there}
        if where == "env":
            given = {**dict.fromkeys(everything, ""), **given}
        with pytest.raises(InvalidOptionError) as caught:
            choose(**{where: given})
        message = str(caught.value)
        said = [sentence.partition(" must be set")[0].rpartition(", ")[2] for sentence in message.split(". ")]
        assert [name for name in everything if re.search(rf"\b{name}\b", " ".join(said))] == sorted(
            missing, key=list(everything).index
        )
        assert ("(the account name)" in message) == ("domain_name" in missing)
        check_nothing_shown(shown(caught.value))
        assert not readable("operator", message)

    def test_profile_is_tried_when_something_else_was_begun(self, profile):
        profile(PROFILE)
        assert choose(env={"username": "operator"}).__class__ is ProfileAuth
        with pytest.raises(InvalidOptionError, match="password"):
            choose(task={"username": "operator"})

    def test_later_way_that_is_complete(self):
        assert choose(env={"auth_token": TOKEN, "access_key": ACCESS_KEY, **USER}).__class__ is PasswordAuth

    @pytest.mark.parametrize(
        "env",
        [{}, {"domain_name": "example-account"}, {"auth_token": "", "password": "", "access_key": None}],
    )
    def test_nothing_at_all(self, monkeypatch, env):
        assert choose(env=env).__class__ is AgencyAuth
        monkeypatch.setitem(sys.modules, "huaweicloudsdkcore.auth.provider", None)
        with pytest.raises(InvalidOptionError) as caught:
            choose(env=env)
        for name in (
            "auth_token",
            "project_id",
            "access_key",
            "secret_key",
            "username",
            "password",
            "domain_name",
            "~/.huaweicloud/credentials",
            "agency",
        ):
            assert name in str(caught.value)
        assert AUTH_HELP in str(caught.value)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"auth_token": f"{TOKEN}\n", "project_id": PROJECT_ID},
            {**KEY, "secret_key": "a b"},
            {**KEY, "security_token": "\n"},
        ],
    )
    def test_wrong_characters_are_no_reason_to_look_further(self, wrong):
        with pytest.raises(InvalidOptionError, match="Copy it again"):
            choose(env={**USER, **wrong})


class TestTaskBeforeEnvironment:
    """As a set: a way in is never made of options from both."""

    @pytest.mark.parametrize(
        "task, env, way",
        [
            (USER, {**TOKEN_OF_MINE, **KEY}, "password"),
            (KEY, {**TOKEN_OF_MINE, **USER}, "aksk"),
            ({**USER, **KEY}, TOKEN_OF_MINE, "aksk"),
            (
                {"username": "operator", "password": PASSWORD},
                {"domain_name": "example-account", **TOKEN_OF_MINE},
                "password",
            ),
            ({"domain_name": "example-account"}, {"username": "operator", "password": PASSWORD}, "password"),
            ({"auth_token": TOKEN}, {"project_id": PROJECT_ID, **KEY}, "token"),
            ({"project_id": PROJECT_ID}, {"auth_token": TOKEN}, "token"),
            ({"project_name": "mine"}, KEY, "aksk"),
            ({"region": "cn-north-4", "iam_endpoint": IAM}, TOKEN_OF_MINE, "token"),
        ],
    )
    def test_way(self, task, env, way):
        who = choose(task, env)
        assert who.__class__ is CLASSES[way]
        for name, value in {**env, **task}.items():
            assert getattr(who.options, name) == value or (name in AUTH_METHODS[way] and name not in task)

    @pytest.mark.parametrize(
        "task, env, missing",
        [
            ({"password": PASSWORD}, {"username": "them", "domain_name": "example-account"}, "username"),
            (
                {"username": "operator"},
                {**TOKEN_OF_MINE, **KEY, "password": "theirs", "domain_name": "example-account"},
                "password",
            ),
            (
                {"access_key": ACCESS_KEY},
                {"secret_key": "theirs", "security_token": "theirs", **TOKEN_OF_MINE, **USER},
                "secret_key",
            ),
            ({"secret_key": SECRET_KEY}, {"access_key": "theirs"}, "access_key"),
            ({"security_token": SECURITY_TOKEN}, KEY, "access_key"),
            ({"auth_token": TOKEN}, USER, "project_id"),
        ],
    )
    @pytest.mark.parametrize("explicit", [False, True])
    def test_not_completed(self, profile, task, env, missing, explicit):
        profile(PROFILE)
        auth_method = (
            next(name for name, options in AUTH_METHODS.items() if set(options) & set(task)) if explicit else "auto"
        )
        with pytest.raises(InvalidOptionError, match=rf"\b{missing}\b.* must be set") as caught:
            choose(task, env, auth_method)
        check_nothing_shown(shown(caught.value), secrets=[*SECRETS, "theirs"])

    def test_security_token_of_another_key(self):
        who = choose(KEY, {"security_token": "theirs"})
        assert (who.access_key, who.secret_key, who.security_token) == (ACCESS_KEY, SECRET_KEY, None)
        who = choose({**KEY, "security_token": SECURITY_TOKEN}, {"security_token": "theirs"})
        assert who.security_token == SECURITY_TOKEN

    def test_project_name_of_the_task(self):
        """An id from the environment is that of another project."""
        assert choose({"project_name": "mine", **USER}, {"project_id": PROJECT_ID})._project() == ("name", "mine")
        assert choose({"project_name": "mine", "project_id": PROJECT_ID, **USER})._project() == ("id", PROJECT_ID)
        assert choose(USER, {"project_name": "mine", "project_id": PROJECT_ID})._project() == ("id", PROJECT_ID)
        with pytest.raises(InvalidOptionError, match="project_id"):
            choose({"project_name": "mine"}, TOKEN_OF_MINE)

    @pytest.mark.parametrize(
        "name, auth_method", [("region", "auto"), ("auth_token", "auto"), ("domain_name", "password")]
    )
    def test_bytes_that_are_no_text(self, name, auth_method):
        """So they come out of the environment."""
        with pytest.raises(InvalidOptionError, match=f"{name} is not valid UTF-8"):
            choose({}, {**TOKEN_OF_MINE, **USER, name: "a\udcff"}, auth_method)


class TestToken:
    def test_iam_is_not_called(self, cloud):
        who, http = login(**TOKEN_OF_MINE)
        assert isinstance(who, TokenAuth)
        assert (who.project_id, len(cloud.calls)) == (PROJECT_ID, 0)
        assert http.secrets == {TOKEN}

    @pytest.mark.parametrize("token", [f"{TOKEN}\n", "two words", "tök", "tok\x00en"])
    def test_characters_that_no_token_has(self, token):
        with pytest.raises(InvalidOptionError, match="auth_token") as caught:
            choose(env={"auth_token": token, "project_id": PROJECT_ID})
        assert token.strip() not in shown(caught.value)


def test_a_new_way_has_to_say_how():
    new = AuthMethod(AuthOptions(**TOKEN_OF_MINE))
    new.validate()
    assert new.renew(HttpClient()) is False
    for call in (new.authenticate, new):
        with pytest.raises(NotImplementedError):
            call(None)


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
        assert isinstance(who, PasswordAuth)
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
        assert (who.project_id, who.token) == (PROJECT_ID, TOKEN)
        assert http.secrets == {PASSWORD, TOKEN}

    @pytest.mark.parametrize(
        "expires_at, known", [("2026-11-24T10:11:12.701000Z", True), (None, False), (7, False), ("\x1b[31m", False)]
    )
    def test_expiry(self, cloud, expires_at, known):
        add_login(cloud, expires_at=expires_at)
        assert login()[0].expires_at == (expires_at if known else None)

    @pytest.mark.parametrize(
        "options, named",
        [
            ({"project_id": "a/b"}, "project_id"),
            ({}, "project_name"),
            ({"region": REGION, "iam_endpoint": "x"}, "iam_endpoint"),
        ],
    )
    def test_no_project(self, options, named):
        with pytest.raises(InvalidOptionError, match=named):
            select_auth(AuthOptions(**{"iam_endpoint": IAM, **USER, **options}))


class TestLoginRefused:
    @pytest.mark.parametrize(
        "status, options, project",
        [
            (400, {}, REGION),
            (401, {"project_id": PROJECT_ID}, PROJECT_ID),
            (403, {"project_name": "mine"}, "mine"),
            (404, {}, REGION),
        ],
    )
    def test_says_who_and_where(self, cloud, status, options, project):
        body = {
            "error": {
                "code": status,
                "message": f"The username or password {PASSWORD} is wrong.",
                "title": "Unauthorized",
            }
        }
        cloud.post(LOGIN_URL, status=status, json=body, headers={"X-IAM-Trace-Id": "trace"})
        error = refused(**options)
        assert isinstance(error, ApiError)
        for part in ("operator", "example-account", project, IAM, "domain_name", "account", "15 minutes"):
            assert part in str(error)
        check_nothing_shown(shown(error))
        assert (error.http_status, error.request_id, len(cloud.calls)) == (status, "trace", 1)

    @pytest.mark.parametrize(
        "status, body, said",
        [
            (
                401,
                {"error": {"code": 401, "message": "The account is locked."}},
                "Several failed logins lock a user for 15 minutes.",
            ),
            (
                401,
                {"receipt": {"methods": ["password"]}, "required_auth_methods": [["totp", "password"]]},
                "second factor",
            ),
            (500, {"error_code": "APIGW.0601"}, "operator"),
        ],
    )
    def test_for_another_reason(self, cloud, status, body, said):
        cloud.post(LOGIN_URL, status=status, json=body)
        error = refused()
        assert "operator" in str(error)
        assert said in str(error)
        assert "Check the password" not in str(error)
        assert len(cloud.calls) == 1


class TestBadLoginAnswer:
    @pytest.mark.parametrize("headers", [{}, {"X-Subject-Token": "a b"}, {"X-Subject-Token": "t\u00f6k"}])
    def test_no_token(self, cloud, headers):
        cloud.post(LOGIN_URL, status=201, headers=headers, json={"token": {"project": {"id": PROJECT_ID}}})
        error = refused()
        assert isinstance(error, InvalidResponseError)
        assert "X-Subject-Token" in str(error)
        assert "operator" in str(error)

    @pytest.mark.parametrize(
        "token",
        [None, [], {}, {"project": None}, {"project": {}}, {"project": {"id": 7}}, {"project": {"id": "../.."}}],
    )
    def test_no_project(self, cloud, token):
        cloud.post(
            LOGIN_URL, status=201, headers={"X-Subject-Token": TOKEN, "X-Request-Id": "r1"}, json={"token": token}
        )
        error = refused()
        assert isinstance(error, InvalidResponseError)
        assert "project" in str(error)
        assert error.request_id == "r1"
        assert TOKEN not in str(error)
