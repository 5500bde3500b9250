# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible.module_utils.common.parameters import AnsibleFallbackNotFound

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.plugins.module_utils import _module
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import ApiError, HuaweiCloudError, InputError
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import SHARED_OPTIONS, VERSION, DrsModule, env_fallback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECTION,
    IAM,
    JOB_ID,
    LOGIN_URL,
    PASSWORD,
    PROJECT_ID,
    REGION,
    TOKEN,
    add_job,
    add_login,
    patch_args,
)

DOCUMENTED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]
ENVIRONMENT = {name: spec["fallback"][1][0] for name, spec in SHARED_OPTIONS.items() if "fallback" in spec}
LOGIN = {"region": REGION, "username": "operator", "password": PASSWORD, "domain_name": "example-account"}


def make(args, **spec):
    with patch_args(args):
        return DrsModule(argument_spec=spec)


@pytest.fixture
def failed(capsys):
    """Run something that fails the task, and return the result."""

    def run(action):
        with pytest.raises(SystemExit) as stop:
            action()
        out = capsys.readouterr().out
        result = json.loads(out)
        assert (stop.value.code, result["failed"]) == (1, True)
        assert PASSWORD not in out
        assert json.dumps(PASSWORD)[1:-1] not in out
        assert TOKEN not in out
        return result

    return run


class TestOptionsAndTheirDocumentation:
    def test_names(self):
        assert list(DOCUMENTED) == list(SHARED_OPTIONS)

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_option(self, name):
        spec, documented = SHARED_OPTIONS[name], DOCUMENTED[name]
        assert documented["type"] == spec.get("type", "str")
        for key in ("default", "choices", "aliases", "required"):
            assert documented.get(key) == spec.get(key), key
        assert set(documented) <= {"description", "type", "default", "choices", "aliases", "required"}
        assert set(spec) <= {"fallback", "no_log", "type", "default", "choices", "aliases", "required"}

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_environment(self, name):
        described = re.findall(r"E\((HW_\w+)\)", " ".join(DOCUMENTED[name]["description"]))
        assert described == ([ENVIRONMENT[name]] if name in ENVIRONMENT else [])

    def test_environment_names(self):
        # AWX refuses to set variables with these names.
        assert not any(name.startswith("ANSIBLE_") for name in ENVIRONMENT.values())
        assert len(set(ENVIRONMENT.values())) == len(ENVIRONMENT)
        assert ENVIRONMENT == {
            "region": "HW_REGION_NAME",
            "endpoint": "HW_DRS_ENDPOINT",
            "iam_endpoint": "HW_AUTH_URL",
            "project_id": "HW_PROJECT_ID",
            "project_name": "HW_PROJECT_NAME",
            "auth_token": "HW_AUTH_TOKEN",
            "username": "HW_USER_NAME",
            "password": "HW_USER_PASSWORD",
            "domain_name": "HW_DOMAIN_NAME",
            "validate_certs": "HW_VALIDATE_CERTS",
            "ca_cert": "HW_CA_CERT",
            "timeout": "HW_TIMEOUT",
            "max_retries": "HW_MAX_RETRIES",
        }

    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_no_log(self, name):
        assert bool(SHARED_OPTIONS[name].get("no_log")) == bool(re.search("password|token|secret|key", name))

    def test_defaults(self):
        params = make({}).params
        assert {name: value for name, value in params.items() if value is not None} == {
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
            documentation = yaml.safe_load(re.search(r'^DOCUMENTATION = r"""$(.*?)^"""$', path.read_text(), re.DOTALL | re.MULTILINE)[1])
            if "huaweicloud.drs.drs" in documentation["extends_documentation_fragment"]:
                assert "huaweicloud.drs.drs.attributes" in documentation["extends_documentation_fragment"]
                extending.append(path.stem)
        assert len(extending) >= 2
        assert groups == {"drs": sorted(extending)}

    def test_version(self):
        assert yaml.safe_load((COLLECTION / "galaxy.yml").read_text())["version"] == VERSION


class TestEmptyValues:
    @pytest.mark.parametrize("empty", ["", None])
    @pytest.mark.parametrize("name", list(SHARED_OPTIONS))
    def test_in_options(self, name, empty):
        assert make({name: empty}).params[name] == SHARED_OPTIONS[name].get("default")

    def test_of_an_alias(self):
        assert make({"account_name": "", "domain_name": "mine"}).params["domain_name"] == "mine"

    @pytest.mark.parametrize("name", list(ENVIRONMENT))
    def test_in_the_environment(self, monkeypatch, name):
        monkeypatch.setenv(ENVIRONMENT[name], "")
        assert make({}).params[name] == SHARED_OPTIONS[name].get("default")

    @pytest.mark.parametrize("args", [{}, {"region": ""}, {"region": None}])
    def test_the_environment_counts_then(self, monkeypatch, args):
        monkeypatch.setenv("HW_REGION_NAME", REGION)
        assert make(args).params["region"] == REGION

    @pytest.mark.parametrize("args", [{}, {"job_id": ""}, {"job_id": None}])
    def test_of_a_required_option(self, failed, args):
        assert "job_id" in failed(lambda: make(args, job_id={"required": True}))["msg"]

    @pytest.mark.parametrize("value", [0, False, " "])
    def test_other_values_are_not_empty(self, value):
        assert make({"region": value}).params["region"] == str(value)

    def test_zero_and_false(self):
        params = make({"max_retries": 0, "validate_certs": False}).params
        assert (params["max_retries"], params["validate_certs"]) == (0, False)


class TestEnvironment:
    @pytest.mark.parametrize("name", list(ENVIRONMENT))
    def test_fallback(self, monkeypatch, name):
        given, expected = {"bool": ("no", False), "int": ("7", 7)}.get(SHARED_OPTIONS[name].get("type"), ("/some/value", "/some/value"))
        monkeypatch.setenv(ENVIRONMENT[name], given)
        assert make({}).params[name] == expected

    def test_an_option_comes_first(self, monkeypatch):
        monkeypatch.setenv("HW_REGION_NAME", "cn-north-4")
        assert make({"region": REGION}).params["region"] == REGION

    def test_alias(self):
        assert make({"account_name": "mine"}).params["domain_name"] == "mine"

    @pytest.mark.parametrize("name", ["auth_token", "password"])
    def test_secret_is_masked(self, monkeypatch, name):
        monkeypatch.setenv(ENVIRONMENT[name], PASSWORD)
        assert PASSWORD in make({}).no_log_values

    @pytest.mark.parametrize("value", [None, ""])
    def test_unset(self, monkeypatch, value):
        if value is not None:
            monkeypatch.setenv("HW_REGION_NAME", value)
        with pytest.raises(AnsibleFallbackNotFound):
            env_fallback("HW_REGION_NAME")


class TestConnect:
    def test_with_a_password(self, cloud):
        add_login(cloud)
        module = make(LOGIN)
        drs = module.connect()
        assert {PASSWORD, TOKEN} <= module.no_log_values
        add_job(cloud)
        drs.show_job_detail(JOB_ID)
        login, read = (call.request for call in cloud.calls)
        assert login.headers["User-Agent"] == f"huaweicloud.drs/{VERSION} ansible-core/{module.ansible_version}"
        assert (read.headers["X-Auth-Token"], read.headers["X-Language"]) == (TOKEN, "en-us")

    def test_with_a_token(self, cloud):
        make({"region": REGION, "auth_token": TOKEN, "project_id": PROJECT_ID}).connect()
        assert len(cloud.calls) == 0

    def test_settings_reach_the_session(self, cloud):
        add_login(cloud)
        drs = make({**LOGIN, "timeout": 7, "max_retries": 1, "validate_certs": False, "language": "zh-cn"}).connect()
        cloud.get(f"https://drs.{REGION}.myhuaweicloud.eu/v5/{PROJECT_ID}/jobs/{JOB_ID}", status=503)
        with pytest.raises(ApiError):
            drs.show_job_detail(JOB_ID)
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
        cloud.post("https://iam.example.com/v3/auth/tokens", status=201, headers={"X-Subject-Token": TOKEN}, json={"token": {"project": {"id": "1"}}})
        args = {**LOGIN, "endpoint": "https://drs.example.com/", "iam_endpoint": "https://iam.example.com/v3", "project_name": "mine"}
        drs = make(args).connect()
        assert json.loads(cloud.calls[0].request.body)["auth"]["scope"] == {"project": {"name": "mine"}}
        assert drs.collect_position_request(JOB_ID, "")["url"].startswith("https://drs.example.com/v5/1/")

    @pytest.mark.parametrize(
        "wrong, named",
        [
            ({"timeout": 0}, "timeout"),
            ({"timeout": -1}, "timeout"),
            ({"max_retries": -1}, "max_retries"),
            ({"region": "no/region"}, "region"),
            ({"region": ""}, "region"),
            ({"endpoint": "http://drs.example.com"}, "endpoint"),
            ({"iam_endpoint": "https://iam.example.com/v2"}, "iam_endpoint"),
            ({"project_id": "a/b"}, "project_id"),
            ({"username": ""}, "username"),
            ({"password": ""}, "password"),
            ({"domain_name": ""}, "domain_name"),
            ({"auth_token": f"{TOKEN}\n", "project_id": PROJECT_ID}, "auth_token"),
            ({"auth_token": TOKEN}, "project_id"),
            ({"ca_cert": "/nonexistent/ca.pem"}, "ca_cert"),
        ],
    )
    def test_nothing_is_sent_before_the_options_are_right(self, cloud, wrong, named):
        module = make({**LOGIN, **wrong})
        with pytest.raises(InputError, match=rf"\b{named}\b"):
            module.connect()
        assert len(cloud.calls) == 0

    def test_minted_token_is_masked_in_results(self, cloud, capsys):
        add_login(cloud)
        module = make(LOGIN)
        module.connect()
        with pytest.raises(SystemExit):
            module.exit_json(token=TOKEN, text=f"It is {TOKEN}.", password=PASSWORD)
        result = json.loads(capsys.readouterr().out)
        assert result["text"] == "It is ********."
        assert TOKEN not in result["token"]
        assert PASSWORD not in result["password"]


class TestFailingWith:
    def run(self, error, result=None):
        module = make({**LOGIN})

        def action():
            with module.failing_with(result or {}):
                raise error

        return action

    def test_error(self, failed):
        error = ApiError("It broke.", http_status=400, error_code="X", error_msg="broke", request_id="r1")
        error.advise("Mend it.")
        result = failed(self.run(error, {"id": "1", "changed": True}))
        expected = {"msg": "It broke. Mend it.", "http_status": 400, "error_code": "X", "error_msg": "broke", "request_id": "r1", "id": "1", "changed": True}
        assert {name: result.get(name) for name in expected} == expected

    def test_facts_that_are_not_known_are_left_out(self, failed):
        result = failed(self.run(HuaweiCloudError("It broke."), {"request_id": "of an earlier request"}))
        assert result["request_id"] == "of an earlier request"
        assert not {"http_status", "error_code", "error_msg"} & set(result)

    def test_last_request_id(self, failed):
        assert failed(self.run(ApiError("It broke.", request_id="last"), {"request_id": "first"}))["request_id"] == "last"

    def test_unexpected(self, failed):
        result = failed(self.run(ZeroDivisionError(f"with {PASSWORD}"), {"id": "1"}))
        assert "ZeroDivisionError" in result["msg"]
        assert "with ********" in result["msg"]
        assert result["id"] == "1"

    def test_no_error(self):
        with make(LOGIN).failing_with({}):
            pass

    def test_refused_login(self, failed, cloud):
        cloud.post(LOGIN_URL, status=401, json={"error": {"code": 401, "message": f"Wrong: {PASSWORD}", "title": "Unauthorized"}})
        module = make(LOGIN)

        def action():
            with module.failing_with({}):
                module.connect()

        result = failed(action)
        assert (result["http_status"], result["error_code"], result["error_msg"]) == (401, "401", "Wrong: ********")
        for part in ("operator", "example-account", REGION, IAM):
            assert part in result["msg"]


def test_missing_requests(monkeypatch, failed):
    monkeypatch.setattr(_module, "REQUESTS_IMPORT_ERROR", "Traceback: No module named 'requests'")
    result = failed(lambda: make({}))
    assert "requests" in result["msg"]
    assert "Python library" in result["msg"]


@pytest.mark.parametrize("value, good", [(2, True), (1, True), (0, False), (-1, False)])
def test_at_least(value, good):
    module = make({"wait": value}, wait={"type": "int"})
    if good:
        module.at_least(1, "timeout", "wait")
    else:
        with pytest.raises(InputError, match=rf"wait.*1.*{value}"):
            module.at_least(1, "timeout", "wait")
