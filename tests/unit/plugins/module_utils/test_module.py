# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re
from contextlib import nullcontext

import pytest
import yaml

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.plugins.module_utils import _module, _options
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import show_job_detail
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import DrsModule
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import AUTH_METHODS, SHARED_OPTIONS, VERSION
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import collect_position_request
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    COLLECTION,
    JOB_ID,
    PASSWORD,
    PROJECT_ID,
    REGION,
    SECRET_KEY,
    SECURITY_TOKEN,
    TOKEN,
    add_job,
    add_login,
    check_nothing_shown,
    patch_args,
)

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
# The names in the environment, the first of which is ours.
ENVIRONMENTS = {name: spec["fallback"][1] for name, spec in SHARED_OPTIONS.items() if "fallback" in spec}
ENVIRONMENT = {name: envs[0] for name, envs in ENVIRONMENTS.items()}
KEY_OPTIONS = ["access_key", "secret_key", "security_token"]
USER = {"username": "operator", "password": PASSWORD, "domain_name": "example-account"}
LOGIN = {"region": REGION, **USER}


def make(args, rules=None, **spec):
    with patch_args(args):
        return DrsModule(argument_spec=spec, **(rules or {}))


@pytest.fixture
def failed(capsys):
    """Run something that fails the task, and return the result."""

    def run(action):
        with pytest.raises(SystemExit) as stop:
            action()
        out = capsys.readouterr().out
        result = json.loads(out)
        assert (stop.value.code, result["failed"]) == (1, True)
        check_nothing_shown(out)
        return result

    return run


class TestOptionsAndTheirDocumentation:
    def test_names(self):
        assert list(DOCUMENTED) == list(SHARED_OPTIONS)

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_option(self, name):
        spec, documented = SHARED_OPTIONS[name], DOCUMENTED[name]
        assert documented["type"] == spec.get("type", "str")
        for key in ("default", "aliases", "required"):
            assert documented.get(key) == spec.get(key), key
        # A documentation that explains each choice has a dictionary.
        assert list(documented.get("choices", [])) == spec.get("choices", [])
        assert set(documented) <= {"description", "type", "default", "choices", "aliases", "required"}
        assert set(spec) <= {"fallback", "no_log", "type", "default", "choices", "aliases", "required"}

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_environment(self, name):
        described = re.findall(r"E\((\w+)\)", " ".join(DOCUMENTED[name]["description"]))
        if name in KEY_OPTIONS:
            # Which are used together depends on these.
            assert described[-2:] == ["HW_ACCESS_KEY", "HW_SECRET_KEY"]
            described = described[:-2]
        assert described == ENVIRONMENTS.get(name, [])

    def test_environment_names(self):
        # AWX refuses to set variables with these names.
        assert not any(name.startswith("ANSIBLE_") for name in ENVIRONMENT.values())
        assert len(set(ENVIRONMENT.values())) == len(ENVIRONMENT)

    def test_auth_methods(self):
        assert SHARED_OPTIONS["auth_method"]["choices"] == ["auto", *AUTH_METHODS]
        for way, text in DOCUMENTED["auth_method"]["choices"].items():
            assert set(re.findall(r"O\((\w+)\)", text)) >= (
                set(AUTH_METHODS[way]) - {"security_token"} if way in AUTH_METHODS else set()
            )

    def test_requirements(self):
        *always, sdk = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["requirements"]
        assert [text.split()[0] for text in always] == ["requests", "urllib3"]
        assert set(re.findall(r"auth_method=(\w+)", sdk)) == set(AUTH_METHODS) - {"token", "password"}

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_no_log(self, name):
        assert SHARED_OPTIONS[name].get("no_log", False) is bool(re.search("password|token|secret|key", name))

    def test_defaults(self):
        params = make({}).params
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


class TestCollectionFiles:
    def test_action_group(self):
        groups = yaml.safe_load((COLLECTION / "meta/runtime.yml").read_text())["action_groups"]
        extending = []
        for path in (COLLECTION / "plugins/modules").glob("*.py"):
            documentation = yaml.safe_load(
                re.search(r'^DOCUMENTATION = r"""$(.*?)^"""$', path.read_text(), re.DOTALL | re.MULTILINE)[1]
            )
            if "huaweicloud.drs.drs" in documentation["extends_documentation_fragment"]:
                assert "huaweicloud.drs.drs.attributes" in documentation["extends_documentation_fragment"]
                extending.append(path.stem)
        assert len(extending) >= 6
        assert groups == {"drs": sorted(extending)}

    def test_version(self):
        assert yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["version"] == VERSION


class TestEmptyValues:
    def test_of_options_and_variables(self, monkeypatch):
        for env in ENVIRONMENT.values():
            monkeypatch.setenv(env, "")
        defaults = {name: spec.get("default") for name, spec in SHARED_OPTIONS.items()}
        for args in ({}, dict.fromkeys(SHARED_OPTIONS, ""), dict.fromkeys(SHARED_OPTIONS)):
            assert make(args).params == defaults

    def test_of_an_alias(self):
        assert make({"account_name": "", "domain_name": "mine"}).params["domain_name"] == "mine"

    @pytest.mark.parametrize("args", [{"region": ""}, {"region": None}])
    def test_the_environment_counts_then(self, monkeypatch, args):
        monkeypatch.setenv("HW_REGION_NAME", REGION)
        assert make(args).params["region"] == REGION

    def test_of_a_required_option(self, failed):
        assert "job_id" in failed(lambda: make({"job_id": ""}, job_id={"required": True}))["msg"]

    def test_zero_and_false(self):
        params = make({"max_retries": 0, "validate_certs": False}).params
        assert (params["max_retries"], params["validate_certs"]) == (0, False)


class TestRules:
    """What a module demands of its options, shared ones among them, together. Empty ones count as unset."""

    @pytest.mark.parametrize(
        "rules, args, said",
        [
            (
                {"mutually_exclusive": [("job_id", "region")]},
                {"job_id": "1", "region": REGION},
                "mutually exclusive: job_id|region",
            ),
            (
                {"required_one_of": [("job_id", "region")]},
                {"job_id": "", "region": None},
                "one of the following is required: job_id, region",
            ),
        ],
    )
    def test_broken(self, failed, rules, args, said):
        assert said in failed(lambda: make(args, rules, job_id={}))["msg"]

    def test_kept(self):
        module = make({"job_id": "1", "region": ""}, {"mutually_exclusive": [("job_id", "region")]}, job_id={})
        assert (module.params["job_id"], module.params["region"], module.supports_check_mode) == ("1", None, True)


class TestEnvironment:
    @pytest.mark.parametrize("name", list(ENVIRONMENT))
    def test_fallback(self, monkeypatch, name):
        given, expected = {"bool": ("no", False), "int": ("7", 7)}.get(
            SHARED_OPTIONS[name].get("type"), ("/some/value", "/some/value")
        )
        if "choices" in SHARED_OPTIONS[name]:
            given = expected = SHARED_OPTIONS[name]["choices"][-1]
        if name == "security_token":  # of a key that is in the environment as well
            monkeypatch.setenv("HW_SECRET_KEY", "other")
        monkeypatch.setenv(ENVIRONMENT[name], given)
        assert make({}).params[name] == expected

    def test_unknown_auth_method(self, monkeypatch, failed):
        monkeypatch.setenv("HW_AUTH_METHOD", "kerberos")
        assert "agency" in failed(lambda: make({}))["msg"]

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
        assert {f"secret of {name}" for name in masked} <= make({}).no_log_values

    KEYS = [
        # what is set: ours, the SDK's; what is taken
        ("123", "", "123"),
        ("", "abc", "abc"),
        ("12-", "abc", "12-"),
        ("1--", "abc", "1--"),
        ("--3", "abc", "abc"),
        ("--3", "ab-", "ab-"),
        ("-2-", "a--", "-2-"),
    ]

    @pytest.mark.parametrize("ours, theirs, taken", KEYS)
    @pytest.mark.parametrize("empty", [False, True])
    def test_keys_are_never_mixed(self, monkeypatch, ours, theirs, taken, empty):
        for number, values in enumerate((ours, theirs)):
            for name, value in zip(KEY_OPTIONS, values or "---"):
                if value != "-" or empty:
                    monkeypatch.setenv(ENVIRONMENTS[name][number], value.strip("-"))
        params = make({}).params
        assert [params[name] or "-" for name in KEY_OPTIONS] == list(taken)


KEY = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
KEY_IN_ENVIRONMENT = {"HW_ACCESS_KEY": ACCESS_KEY, "HW_SECRET_KEY": SECRET_KEY, "HW_SECURITY_TOKEN": SECURITY_TOKEN}
TOKEN_IN_ENVIRONMENT = {"HW_AUTH_TOKEN": TOKEN, "HW_PROJECT_ID": PROJECT_ID}
USER_IN_ENVIRONMENT = {"HW_USER_NAME": "operator", "HW_USER_PASSWORD": PASSWORD, "HW_DOMAIN_NAME": "example-account"}


class TestWayIn:
    @pytest.mark.parametrize(
        "args, env, taken, given",
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
    def test_what_reaches_the_layer_below(self, monkeypatch, args, env, taken, given):
        """The options, whether from the task or from the environment, and which of them are from the task."""

        def select_auth(*args):
            seen.extend(args)
            raise InvalidOptionError("enough")

        for name, value in env.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(_options, "select_auth", select_auth)
        seen = []
        with pytest.raises(InvalidOptionError, match="enough"):
            make({"region": REGION, **args}).connect()
        options, auth_method, task_options = seen
        taken = {"region": REGION, "auth_method": "auto", **taken}
        assert {
            name: value for name, value in {**options._asdict(), "auth_method": auth_method}.items() if value
        } == taken
        assert task_options - {"region"} == {name for name in task_options if name.startswith("_ansible")} | given


class TestConnect:
    def test_with_a_password(self, cloud):
        add_login(cloud)
        module = make(LOGIN)
        drs = module.connect()
        assert {PASSWORD, TOKEN} <= module.no_log_values
        add_job(cloud)
        show_job_detail(drs, JOB_ID)
        login, read = (call.request for call in cloud.calls)
        assert login.headers["User-Agent"] == f"huaweicloud.drs/{VERSION} ansible-core/{module.ansible_version}"
        assert (read.headers["X-Auth-Token"], read.headers["X-Language"]) == (TOKEN, "en-us")

    def test_settings_reach_the_session(self, cloud):
        add_login(cloud)
        drs = make({**LOGIN, "timeout": 7, "max_retries": 1, "validate_certs": False, "language": "zh-cn"}).connect()
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
        make({**LOGIN, "ca_cert": str(path)}).connect()
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
        drs = make(args).connect()
        assert json.loads(cloud.calls[0].request.body)["auth"]["scope"] == {"project": {"name": "mine"}}
        assert collect_position_request(drs, JOB_ID, "")["url"].startswith("https://drs.example.com/v5/1/")

    @pytest.mark.parametrize(
        "wrong, named",
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
    def test_nothing_is_sent_before_the_options_are_right(self, cloud, wrong, named):
        module = make({**LOGIN, **wrong})
        with pytest.raises(InvalidOptionError, match=rf"\b{named}\b"):
            module.connect()
        assert len(cloud.calls) == 0


class TestLogIn:
    def test_result(self, cloud):
        add_login(cloud, expires_at="2026-11-24T10:11:12.701000Z")
        module = make(LOGIN)
        login = module.log_in()
        assert (login.token, login.expires_at, login.project_id) == (TOKEN, "2026-11-24T10:11:12.701000Z", PROJECT_ID)
        assert PASSWORD in module.no_log_values
        assert TOKEN not in module.no_log_values
        assert (
            cloud.calls[0].request.headers["User-Agent"]
            == f"huaweicloud.drs/{VERSION} ansible-core/{module.ansible_version}"
        )


class TestFailingWith:
    def run(self, error, result=None):
        module = make({**LOGIN})

        def action():
            with module.fail_json_on_error(result or {}):
                raise error

        return action

    def test_error(self, failed):
        error = ApiError("It broke.", http_status=400, error_code="X", error_msg="broke", request_id="r1")
        error.add_hint("Mend it.")
        result = failed(self.run(error, {"id": "1", "changed": True}))
        expected = {
            "msg": "It broke. Mend it.",
            "http_status": 400,
            "error_code": "X",
            "error_msg": "broke",
            "request_id": "r1",
            "id": "1",
            "changed": True,
        }
        assert {name: result.get(name) for name in expected} == expected

    def test_facts_that_are_not_known_are_left_out(self, failed):
        result = failed(self.run(HuaweiCloudError("It broke."), {"request_id": "of an earlier request"}))
        assert result["request_id"] == "of an earlier request"
        assert not {"http_status", "error_code", "error_msg"} & set(result)

    def test_last_request_id(self, failed):
        assert (
            failed(self.run(ApiError("It broke.", request_id="last"), {"request_id": "first"}))["request_id"] == "last"
        )

    def test_unexpected(self, failed):
        result = failed(self.run(ZeroDivisionError(f"with {PASSWORD}"), {"id": "1"}))
        assert "ZeroDivisionError" in result["msg"]
        assert "with ********" in result["msg"]
        assert result["id"] == "1"

    def test_no_error(self):
        with make(LOGIN).fail_json_on_error({}):
            pass


def test_missing_requests(monkeypatch, failed):
    monkeypatch.setattr(_module, "REQUESTS_IMPORT_ERROR", "Traceback: No module named 'requests'")
    result = failed(lambda: make({}))
    assert "requests" in result["msg"]
    assert "Python library" in result["msg"]


@pytest.mark.parametrize("value, good", [(1, True), (9, True), (0, False), (10, False), (True, False)])
def test_check_range(value, good):
    module = make({"wait": 1}, wait={"type": "int"})
    module.params["wait"] = value
    if good:
        module.check_range("wait", 1, 9)
    else:
        with pytest.raises(InvalidOptionError, match=rf"wait.*1 to 9.*{value}"):
            module.check_range("wait", 1, 9)


WAIT = {"wait_timeout": {"type": "int", "default": 300}, "wait_sleep": {"type": "int", "default": 2}}


@pytest.mark.parametrize(
    "args, said",
    [
        ({"wait_timeout": 1, "wait_sleep": 1}, None),
        ({"wait_timeout": 86400, "wait_sleep": 3600}, None),
        ({"wait_timeout": 0}, "wait_timeout must be a number from 1 to 86400; it is 0"),
        ({"wait_timeout": 86401}, "wait_timeout"),
        ({"wait_sleep": 0}, "wait_sleep must be a number from 1 to 3600; it is 0"),
        ({"wait_sleep": 3601}, "wait_sleep"),
    ],
)
def test_check_wait(args, said):
    with pytest.raises(InvalidOptionError, match=said) if said else nullcontext():
        make(args, **WAIT).check_wait()
