# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
import sys

import pytest
import yaml

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.plugins.module_utils import _options
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_access_key import (
    AccessKeyAuth,
    AgencyAuth,
    ProfileAuth,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_password import PasswordAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_token import TokenAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    InvalidOptionError,
    MissingOptionError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import AUTH_HELP
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import show_job_detail
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import (
    AUTH_METHODS,
    SHARED_OPTIONS,
    VERSION,
    check_range,
    select_auth,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import collect_position_request
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    COLLECTION,
    IAM,
    JOB_ID,
    KEY,
    PASSWORD,
    PROFILE,
    PROJECT_ID,
    PROJECT_TOKEN,
    REGION,
    SECRET_KEY,
    SECRETS,
    SECURITY_TOKEN,
    TOKEN,
    USER,
    add_job,
    add_login,
    check_nothing_shown,
    make_module,
    readable,
    shown,
)

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
# The environment variables of each option. The first is ours.
ENVIRONMENTS = {name: spec["fallback"][1] for name, spec in SHARED_OPTIONS.items() if "fallback" in spec}
ENVIRONMENT = {name: envs[0] for name, envs in ENVIRONMENTS.items()}
KEY_OPTIONS = ["access_key", "secret_key", "security_token"]
LOGIN = {"region": REGION, **USER}
KEY_IN_ENVIRONMENT = {"HW_ACCESS_KEY": ACCESS_KEY, "HW_SECRET_KEY": SECRET_KEY, "HW_SECURITY_TOKEN": SECURITY_TOKEN}
TOKEN_IN_ENVIRONMENT = {"HW_AUTH_TOKEN": TOKEN, "HW_PROJECT_ID": PROJECT_ID}
USER_IN_ENVIRONMENT = {"HW_USER_NAME": "operator", "HW_USER_PASSWORD": PASSWORD, "HW_DOMAIN_NAME": "example-account"}


class TestDocumentation:
    def test_names(self):
        assert list(DOCUMENTED) == list(SHARED_OPTIONS)

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_option(self, name):
        spec, documented = SHARED_OPTIONS[name], DOCUMENTED[name]
        assert documented["type"] == spec.get("type", "str")
        for key in ("default", "aliases", "required"):
            assert documented.get(key) == spec.get(key), key
        assert documented.get("choices", []) == spec.get("choices", [])
        assert set(documented) <= {"description", "type", "default", "choices", "aliases", "required"}
        assert set(spec) <= {"fallback", "no_log", "type", "default", "choices", "aliases", "required"}

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_environment(self, name):
        text = " ".join(text for text in DOCUMENTED[name]["description"] if text.startswith("If not set, the env"))
        described = re.findall(r"E\((\w+)\)", text)
        if name in KEY_OPTIONS:
            # These decide whose variables are used.
            assert described[-2:] == ["HW_ACCESS_KEY", "HW_SECRET_KEY"]
            described = described[:-2]
        assert described == ENVIRONMENTS.get(name, [])

    def test_environment_names(self):
        # AWX refuses to set variables with these names.
        assert not any(name.startswith("ANSIBLE_") for name in ENVIRONMENT.values())
        assert len(set(ENVIRONMENT.values())) == len(ENVIRONMENT)

    def test_auth_methods(self):
        assert SHARED_OPTIONS["auth_method"]["choices"] == ["auto", *AUTH_METHODS]
        for method, options in AUTH_METHODS.items():
            (text,) = [text for text in DOCUMENTED["auth_method"]["description"] if text.startswith(f"V({method}) ")]
            assert set(re.findall(r"O\((\w+)\)", text)) >= set(options) - {"security_token"}

    def test_requirements(self):
        *always, sdk = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["requirements"]
        assert [text.split()[0] for text in always] == ["requests", "urllib3"]
        assert set(re.findall(r"auth_method=(\w+)", sdk)) == set(AUTH_METHODS) - {"token", "password"}

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_no_log(self, name):
        assert SHARED_OPTIONS[name].get("no_log", False) is bool(re.search("password|token|secret|key", name))

    def test_defaults(self):
        params = make_module({}).params
        assert {name: value for name, value in params.items() if value is not None} == {
            "auth_method": "auto",
            "validate_certs": True,
            "timeout": 30,
            "max_retries": 4,
            "language": "en-us",
        }

    def test_attributes(self):
        attributes = yaml.safe_load(ModuleDocFragment.ATTRIBUTES)["attributes"]
        assert set(attributes) == {"check_mode", "diff_mode", "idempotent", "action_group"}
        assert attributes["action_group"]["membership"] == ["huaweicloud.drs.drs"]


def test_version():
    assert yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["version"] == VERSION


class TestEmptyValues:
    """They count as unset."""

    def test_options_and_variables(self, monkeypatch):
        for env in ENVIRONMENT.values():
            monkeypatch.setenv(env, "")
        defaults = {name: spec.get("default") for name, spec in SHARED_OPTIONS.items()}
        for args in ({}, dict.fromkeys(SHARED_OPTIONS, ""), dict.fromkeys(SHARED_OPTIONS)):
            assert make_module(args).params == defaults

    def test_alias(self):
        assert make_module({"account_name": "", "domain_name": "mine"}).params["domain_name"] == "mine"

    @pytest.mark.parametrize("args", [{"region": ""}, {"region": None}])
    def test_environment_is_used_instead(self, monkeypatch, args):
        monkeypatch.setenv("HW_REGION_NAME", REGION)
        assert make_module(args).params["region"] == REGION

    def test_required_option(self, failed):
        assert "job_id" in failed(lambda: make_module({"job_id": ""}, job_id={"required": True}))["msg"]

    def test_zero_and_false_are_values(self):
        params = make_module({"max_retries": 0, "validate_certs": False}).params
        assert (params["max_retries"], params["validate_certs"]) == (0, False)


class TestEnvironment:
    @pytest.mark.parametrize("name", list(ENVIRONMENT))
    def test_fallback(self, monkeypatch, name):
        value, expected = {"bool": ("no", False), "int": ("7", 7)}.get(
            SHARED_OPTIONS[name].get("type"), ("/some/value", "/some/value")
        )
        if "choices" in SHARED_OPTIONS[name]:
            value = expected = SHARED_OPTIONS[name]["choices"][-1]
        if name == "security_token":  # it is used with a key of the same variables only
            monkeypatch.setenv("HW_SECRET_KEY", "other")
        monkeypatch.setenv(ENVIRONMENT[name], value)
        assert make_module({}).params[name] == expected

    def test_unknown_auth_method(self, monkeypatch, failed):
        monkeypatch.setenv("HW_AUTH_METHOD", "kerberos")
        assert "agency" in failed(lambda: make_module({}))["msg"]

    def test_secrets_are_masked(self, monkeypatch):
        for name, envs in ENVIRONMENTS.items():
            if "no_log" in SHARED_OPTIONS[name]:
                monkeypatch.setenv(envs[-1], f"secret of {envs[-1]}")
        masked = (
            "HW_AUTH_TOKEN",
            "HW_USER_PASSWORD",
            "HUAWEICLOUD_SDK_AK",
            "HUAWEICLOUD_SDK_SK",
            "HUAWEICLOUD_SDK_SECURITY_TOKEN",
        )
        assert {f"secret of {name}" for name in masked} <= make_module({}).no_log_values

    KEYS = [
        # Our variables, the SDK's, and the result.
        ("123", "", "123"),
        ("", "abc", "abc"),
        ("12-", "abc", "12-"),
        ("1--", "abc", "1--"),
        ("--3", "abc", "abc"),
        ("--3", "ab-", "ab-"),
        ("-2-", "a--", "-2-"),
    ]

    @pytest.mark.parametrize("ours, theirs, expected", KEYS)
    @pytest.mark.parametrize("empty", [False, True])
    def test_keys_are_never_mixed(self, monkeypatch, ours, theirs, expected, empty):
        for number, values in enumerate((ours, theirs)):
            for name, value in zip(KEY_OPTIONS, values or "---"):
                if value != "-" or empty:
                    monkeypatch.setenv(ENVIRONMENTS[name][number], value.strip("-"))
        params = make_module({}).params
        assert [params[name] or "-" for name in KEY_OPTIONS] == list(expected)


def choose(task=None, env=None, auth_method="auto"):
    """Choose the authentication method from options of a task and of the environment."""
    options = {"region": REGION, **(env or {}), **(task or {})}
    return select_auth(AuthOptions(**options), auth_method, set(task or {}))


COMPLETE = {"token": PROJECT_TOKEN, "aksk": KEY, "password": USER}
CLASSES = {
    "token": TokenAuth,
    "aksk": AccessKeyAuth,
    "password": PasswordAuth,
    "profile": ProfileAuth,
    "agency": AgencyAuth,
}


class TestSelectAuth:
    def test_order(self):
        assert list(AUTH_METHODS) == list(CLASSES) == ["token", "aksk", "password", "profile", "agency"]

    @pytest.mark.parametrize("first", list(AUTH_METHODS))
    @pytest.mark.parametrize("where", ["task", "env"])
    def test_first_complete_method(self, profile, first, where):
        """All methods after it are configured as well."""
        names = list(AUTH_METHODS)[list(AUTH_METHODS).index(first) : -1]
        if "profile" in names:
            profile(PROFILE)
        options = {key: value for name in names if name in COMPLETE for key, value in COMPLETE[name].items()}
        assert choose(**{where: options}).__class__ is CLASSES[first]

    @pytest.mark.parametrize("auth_method", list(AUTH_METHODS))
    @pytest.mark.parametrize("task", [{}, {"domain_name": "example-account"}])
    def test_auth_method_is_set(self, profile, auth_method, task):
        profile(PROFILE)
        assert choose(task, {**PROJECT_TOKEN, **KEY, **USER}, auth_method).__class__ is CLASSES[auth_method]

    @pytest.mark.parametrize(
        "present, missing",
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
    def test_incomplete_method(self, present, missing, where):
        """The agency of the host is not tried."""
        everything = {**PROJECT_TOKEN, **KEY, **USER, "security_token": SECURITY_TOKEN}
        options = {name: everything[name] for name in present}
        if where == "env":
            options = {**dict.fromkeys(everything, ""), **options}
        with pytest.raises(InvalidOptionError) as caught:
            choose(**{where: options})
        message = str(caught.value)
        said = [sentence.partition(" must be set")[0].rpartition(", ")[2] for sentence in message.split(". ")]
        assert [name for name in everything if re.search(rf"\b{name}\b", " ".join(said))] == sorted(
            missing, key=list(everything).index
        )
        assert ("(the account name)" in message) == ("domain_name" in missing)
        check_nothing_shown(shown(caught.value))
        assert not readable("operator", message)

    def test_profile_is_used_when_the_environment_is_incomplete(self, profile):
        profile(PROFILE)
        assert choose(env={"username": "operator"}).__class__ is ProfileAuth
        with pytest.raises(InvalidOptionError, match="password"):
            choose(task={"username": "operator"})

    def test_incomplete_methods_are_skipped(self):
        assert choose(env={"auth_token": TOKEN, "access_key": ACCESS_KEY, **USER}).__class__ is PasswordAuth

    @pytest.mark.parametrize(
        "env", [{}, {"domain_name": "example-account"}, {"auth_token": "", "password": "", "access_key": None}]
    )
    def test_no_credentials(self, monkeypatch, env):
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
    def test_invalid_characters_end_the_search(self, wrong):
        with pytest.raises(InvalidOptionError, match="Copy it again"):
            choose(env={**USER, **wrong})


class TestTaskBeforeEnvironment:
    """As a group: no method is completed with options from both."""

    @pytest.mark.parametrize(
        "task, env, method",
        [
            (USER, {**PROJECT_TOKEN, **KEY}, "password"),
            (KEY, {**PROJECT_TOKEN, **USER}, "aksk"),
            ({**USER, **KEY}, PROJECT_TOKEN, "aksk"),
            (
                {"username": "operator", "password": PASSWORD},
                {"domain_name": "example-account", **PROJECT_TOKEN},
                "password",
            ),
            ({"domain_name": "example-account"}, {"username": "operator", "password": PASSWORD}, "password"),
            ({"auth_token": TOKEN}, {"project_id": PROJECT_ID, **KEY}, "token"),
            ({"project_id": PROJECT_ID}, {"auth_token": TOKEN}, "token"),
            ({"project_name": "mine"}, KEY, "aksk"),
            ({"region": "cn-north-4", "iam_endpoint": IAM}, PROJECT_TOKEN, "token"),
        ],
    )
    def test_method_of_the_task(self, task, env, method):
        auth = choose(task, env)
        assert auth.__class__ is CLASSES[method]
        for name, value in {**env, **task}.items():
            assert getattr(auth.options, name) == value or (name in AUTH_METHODS[method] and name not in task)

    @pytest.mark.parametrize(
        "task, env, missing",
        [
            ({"password": PASSWORD}, {"username": "them", "domain_name": "example-account"}, "username"),
            (
                {"username": "operator"},
                {**PROJECT_TOKEN, **KEY, "password": "theirs", "domain_name": "example-account"},
                "password",
            ),
            (
                {"access_key": ACCESS_KEY},
                {"secret_key": "theirs", "security_token": "theirs", **PROJECT_TOKEN, **USER},
                "secret_key",
            ),
            ({"secret_key": SECRET_KEY}, {"access_key": "theirs"}, "access_key"),
            ({"security_token": SECURITY_TOKEN}, KEY, "access_key"),
            ({"auth_token": TOKEN}, USER, "project_id"),
        ],
    )
    @pytest.mark.parametrize("explicit", [False, True])
    def test_not_completed_from_the_environment(self, profile, task, env, missing, explicit):
        profile(PROFILE)
        auth_method = (
            next(name for name, options in AUTH_METHODS.items() if set(options) & set(task)) if explicit else "auto"
        )
        with pytest.raises(InvalidOptionError, match=rf"\b{missing}\b.* must be set") as caught:
            choose(task, env, auth_method)
        check_nothing_shown(shown(caught.value), secrets=[*SECRETS, "theirs"])

    def test_security_token_belongs_to_its_key(self):
        auth = choose(KEY, {"security_token": "theirs"})
        assert (auth.access_key, auth.secret_key, auth.security_token) == (ACCESS_KEY, SECRET_KEY, None)
        auth = choose({**KEY, "security_token": SECURITY_TOKEN}, {"security_token": "theirs"})
        assert auth.security_token == SECURITY_TOKEN

    def test_project_name_of_the_task(self):
        """A project_id from the environment is that of another project."""
        assert choose({"project_name": "mine", **USER}, {"project_id": PROJECT_ID})._project() == ("name", "mine")
        assert choose({"project_name": "mine", "project_id": PROJECT_ID, **USER})._project() == ("id", PROJECT_ID)
        assert choose(USER, {"project_name": "mine", "project_id": PROJECT_ID})._project() == ("id", PROJECT_ID)
        with pytest.raises(InvalidOptionError, match="project_id"):
            choose({"project_name": "mine"}, PROJECT_TOKEN)

    @pytest.mark.parametrize(
        "name, auth_method", [("region", "auto"), ("auth_token", "auto"), ("domain_name", "password")]
    )
    def test_bytes_that_are_not_utf8(self, name, auth_method):
        """Python reads them from the environment as lone surrogates."""
        with pytest.raises(InvalidOptionError, match=f"{name} is not valid UTF-8"):
            choose({}, {**PROJECT_TOKEN, **USER, name: "a\udcff"}, auth_method)

    @pytest.mark.parametrize(
        "name, value, auth_method",
        [
            ("auth_token", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "auto"),
            ("password", "********", "password"),
            ("username", "x********", "password"),
            ("project_name", "********", "auto"),
            ("secret_key", "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER", "aksk"),
        ],
    )
    def test_masked_value(self, name, value, auth_method):
        """A login with it fails, and may lock the user."""
        with pytest.raises(InvalidOptionError, match=f"{name} is a value that Ansible has masked"):
            choose({**PROJECT_TOKEN, **USER, "access_key": "AK", "secret_key": "SK", name: value}, {}, auth_method)


class TestIgnoredEnvironment:
    """What the user exported is not used, and the message says so."""

    @pytest.mark.parametrize("auth_method", ["auto", None])
    @pytest.mark.parametrize(
        "task, env, said",
        [
            (
                {"username": "operator", "domain_name": "example-account"},
                {"HW_USER_PASSWORD": PASSWORD},
                "password must be set as well. HW_USER_PASSWORD from the environment is ignored, because the task sets"
                " username: ",
            ),
            (
                {"access_key": ACCESS_KEY},
                {"HUAWEICLOUD_SDK_AK": ACCESS_KEY, "HUAWEICLOUD_SDK_SK": SECRET_KEY},
                "HW_SECRET_KEY or HUAWEICLOUD_SDK_SK from the environment is ignored, because the task sets access_key",
            ),
        ],
    )
    def test_message(self, monkeypatch, task, env, said, auth_method):
        for name, value in env.items():
            monkeypatch.setenv(name, value)
        method = auth_method or ("password" if "username" in task else "aksk")
        module = make_module({"region": REGION, "auth_method": method, **task})
        with pytest.raises(MissingOptionError) as caught:
            module.connect()
        assert said in str(caught.value)
        check_nothing_shown(shown(caught.value))

    def test_nothing_is_ignored(self):
        with pytest.raises(MissingOptionError) as caught:
            make_module({"region": REGION, "username": "operator"}).connect()
        assert "ignored" not in str(caught.value)


class TestOptionsOfSelectAuth:
    @pytest.mark.parametrize(
        "args, env, expected, task_only",
        [
            ({}, {**USER_IN_ENVIRONMENT, "HW_AUTH_METHOD": "password"}, {**USER, "auth_method": "password"}, set()),
            ({"auth_method": "auto"}, {"HW_AUTH_METHOD": "password"}, {"auth_method": "auto"}, {"auth_method"}),
            ({**KEY, "security_token": ""}, {"HW_USER_NAME": "theirs"}, {**KEY, "username": "theirs"}, set(KEY)),
            ({"account_name": "mine"}, {"HW_DOMAIN_NAME": "theirs"}, {"domain_name": "mine"}, {"domain_name"}),
            ({"account_name": "theirs", "domain_name": "mine"}, {}, {"domain_name": "mine"}, {"domain_name"}),
            (
                {"username": "", "project_name": "mine"},
                {"HW_USER_NAME": "theirs"},
                {"username": "theirs", "project_name": "mine"},
                {"project_name"},
            ),
        ],
    )
    def test_task_and_environment(self, monkeypatch, args, env, expected, task_only):
        """The options of both, and the names of those from the task."""

        def select_auth(*args):
            seen.extend(args)
            raise InvalidOptionError("enough")

        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(_options, "select_auth", select_auth)
        seen = []
        with pytest.raises(InvalidOptionError, match="enough"):
            make_module({"region": REGION, **args}).connect()
        options, auth_method, task_options = seen
        expected = {"region": REGION, "auth_method": "auto", **expected}
        assert {
            name: value for name, value in {**options._asdict(), "auth_method": auth_method}.items() if value
        } == expected
        assert task_options - {"region"} == {name for name in task_options if name.startswith("_ansible")} | task_only


@pytest.mark.parametrize("value, valid", [(1, True), (9, True), (0, False), (10, False), (True, False)])
def test_check_range(value, valid):
    if valid:
        check_range({"wait": value}, "wait", 1, 9)
    else:
        with pytest.raises(InvalidOptionError, match=rf"wait.*1 to 9.*{value}"):
            check_range({"wait": value}, "wait", 1, 9)


class TestConnect:
    def test_password(self, cloud):
        add_login(cloud)
        module = make_module(LOGIN)
        drs = module.connect()
        assert {PASSWORD, TOKEN} <= module.no_log_values
        add_job(cloud)
        show_job_detail(drs, JOB_ID)
        login, read = (call.request for call in cloud.calls)
        assert login.headers["User-Agent"] == f"huaweicloud.drs/{VERSION} ansible-core/{module.ansible_version}"
        assert (read.headers["X-Auth-Token"], read.headers["X-Language"]) == (TOKEN, "en-us")

    def test_settings_of_all_requests(self, cloud):
        add_login(cloud)
        drs = make_module(
            {**LOGIN, "timeout": 7, "max_retries": 1, "validate_certs": False, "language": "zh-cn"}
        ).connect()
        cloud.get(f"https://drs.{REGION}.myhuaweicloud.eu/v5/{PROJECT_ID}/jobs/{JOB_ID}", status=503)
        with pytest.raises(ApiError):
            show_job_detail(drs, JOB_ID)
        login, *reads = (call.request for call in cloud.calls)
        assert len(reads) == 2
        for request in (login, *reads):
            assert (request.req_kwargs["timeout"], request.req_kwargs["verify"]) == (7, False)
        assert reads[0].headers["X-Language"] == "zh-cn"

    def test_ca_cert(self, cloud, tmp_path):
        path = tmp_path / "ca.pem"
        path.touch()
        add_login(cloud)
        make_module({**LOGIN, "ca_cert": str(path)}).connect()
        assert cloud.calls[0].request.req_kwargs["verify"] == str(path)

    def test_endpoints_and_project(self, cloud):
        cloud.post(
            "https://iam.example.com/v3/auth/tokens",
            status=201,
            headers={"X-Subject-Token": TOKEN},
            json={"token": {"project": {"id": "1"}}},
        )
        args = {
            **LOGIN,
            "endpoint": "https://drs.example.com/",
            "iam_endpoint": "https://iam.example.com/v3",
            "project_name": "mine",
        }
        drs = make_module(args).connect()
        assert json.loads(cloud.calls[0].request.body)["auth"]["scope"] == {"project": {"name": "mine"}}
        assert collect_position_request(drs, JOB_ID, "")["url"].startswith("https://drs.example.com/v5/1/")

    @pytest.mark.parametrize(
        "invalid, named",
        [
            ({"timeout": 0}, "timeout"),
            ({"timeout": 3601}, "timeout"),
            ({"max_retries": -1}, "max_retries"),
            ({"max_retries": 101}, "max_retries"),
            ({"region": "no/region"}, "region"),
            ({"endpoint": "http://drs.example.com"}, "endpoint"),
            ({"iam_endpoint": "https://iam.example.com/v2"}, "iam_endpoint"),
            ({"project_id": "a/b"}, "project_id"),
            ({"password": ""}, "password"),
            ({"auth_token": f"{TOKEN}\n", "project_id": PROJECT_ID}, "auth_token"),
            ({**KEY, "secret_key": "two words"}, "secret_key"),
            ({"ca_cert": "/nonexistent/ca.pem"}, "ca_cert"),
        ],
    )
    def test_nothing_is_sent_before_the_options_are_valid(self, cloud, invalid, named):
        module = make_module({**LOGIN, **invalid})
        with pytest.raises(InvalidOptionError, match=rf"\b{named}\b"):
            module.connect()
        assert len(cloud.calls) == 0
