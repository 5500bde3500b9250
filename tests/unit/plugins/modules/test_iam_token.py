# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    IAM,
    LOGIN_URL,
    NEW_TOKEN,
    PASSWORD,
    PROJECT_ID,
    REGION,
    SECRET_KEY,
    TOKEN,
    add_login,
    bodies,
)

LOGIN = {"region": REGION, "username": "operator", "password": PASSWORD, "account_name": "example-account"}
EXPIRES_AT = "2026-11-24T10:11:12.701000Z"
RESULT = {"changed": False, "token": TOKEN, "expires_at": EXPIRES_AT, "project_id": PROJECT_ID}


@pytest.fixture
def module(module_file):
    return module_file("iam_token")


@pytest.fixture(params=[False, True], ids=["run", "check"])
def check_mode(request):
    return request.param


@pytest.fixture
def failed(module, check_mode):
    """Run the module, which must fail, and return its message and the rest of the result."""

    def failed(args):
        result = module.run(args, check_mode)
        assert result.pop("failed") is True
        result.pop("exception", None)
        return result.pop("msg"), result

    return failed


def test_examples_and_results(module):
    module.check_documentation()
    # The token is there to be read, so only this keeps it out of the output.
    assert [task["no_log"] for task in module.tasks if module.fqcn in task] == [True]


def test_own_options(module):
    assert module.own_options == {}
    module.check_options()


def test_result(cloud, module, check_mode):
    add_login(cloud, expires_at=EXPIRES_AT)
    assert module.run(LOGIN, check_mode, meant_to_be_seen=TOKEN) == RESULT
    (sent,) = bodies(cloud)
    assert sent["auth"]["identity"]["password"]["user"] == {"name": "operator", "password": PASSWORD, "domain": {"name": "example-account"}}
    assert sent["auth"]["scope"] == {"project": {"name": REGION}}


def test_from_the_environment(cloud, module, monkeypatch, check_mode):
    for name, value in {"REGION_NAME": REGION, "USER_NAME": "operator", "USER_PASSWORD": PASSWORD, "DOMAIN_NAME": "example-account"}.items():
        monkeypatch.setenv(f"HW_{name}", value)
    add_login(cloud, expires_at=EXPIRES_AT)
    assert module.run({}, check_mode, meant_to_be_seen=TOKEN) == RESULT


@pytest.mark.parametrize("auth_method", ["auto", "password"])
def test_beside_another_way(cloud, module, check_mode, auth_method):
    """In module_defaults, for the other modules. What it brings is masked, the new token is not."""
    add_login(cloud, expires_at=EXPIRES_AT)
    args = {**LOGIN, "auth_token": NEW_TOKEN, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "auth_method": auth_method}
    assert module.run(args, check_mode, meant_to_be_seen=TOKEN) == RESULT


def test_project_id(cloud, module):
    add_login(cloud, expires_at=EXPIRES_AT)
    assert module.run({**LOGIN, "project_id": PROJECT_ID}, meant_to_be_seen=TOKEN) == RESULT
    assert bodies(cloud)[0]["auth"]["scope"] == {"project": {"id": PROJECT_ID}}


@pytest.mark.parametrize("expires_at", [None, "", 7, ["x"], {"a": 1}, "\x1b[31m"])
def test_odd_expiry(cloud, module, expires_at):
    add_login(cloud, expires_at=expires_at)
    result = module.run(LOGIN, meant_to_be_seen=TOKEN)
    assert result == {**RESULT, "expires_at": expires_at or None if isinstance(expires_at, str) and expires_at.isprintable() else None} or expires_at == ""


@pytest.mark.parametrize("auth_method", ["token", "aksk", "profile", "agency"])
def test_other_ways(cloud, failed, auth_method):
    message, result = failed({**LOGIN, "auth_token": TOKEN, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "auth_method": auth_method})
    assert f"auth_method {auth_method} makes no token" in message
    assert result == {"changed": False} or result == {}
    assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    "missing, named",
    [
        (["password"], ["password"]),
        (["username"], ["username"]),
        (["account_name"], ["domain_name", "(the account name)"]),
        (["username", "password", "account_name"], ["username", "password", "domain_name"]),
        (["region"], ["region"]),
    ],
)
def test_missing(cloud, failed, missing, named):
    message, _result = failed({**LOGIN, **dict.fromkeys(missing, "")})
    for part in named:
        assert part in message
    assert len(cloud.calls) == 0


def test_password_of_the_environment_is_not_for_a_user_of_the_task(cloud, failed, monkeypatch):
    monkeypatch.setenv("HW_USER_PASSWORD", PASSWORD)
    assert "password must be set" in failed({**LOGIN, "password": ""})[0]


@pytest.mark.parametrize(
    "wrong, named", [({"timeout": 0}, "timeout"), ({"max_retries": -1}, "max_retries"), ({"iam_endpoint": "x"}, "iam_endpoint"), ({"job_id": "x"}, "job_id")]
)
def test_options_are_checked_first(cloud, failed, wrong, named):
    assert named in failed({**LOGIN, **wrong})[0]
    assert len(cloud.calls) == 0


def test_refused(cloud, failed):
    body = {"error": {"code": 401, "message": f"The password {PASSWORD} is wrong.", "title": "Unauthorized"}}
    cloud.post(LOGIN_URL, status=401, json=body, headers={"X-Request-Id": "r1"})
    message, result = failed({**LOGIN, "max_retries": 9})
    facts = {"http_status": 401, "error_code": "401", "error_msg": "The password ******** is wrong.", "request_id": "r1"}
    assert {name: value for name, value in result.items() if name != "changed"} == facts
    for part in ("operator", "example-account", REGION, IAM):
        assert part in message
    assert len(cloud.calls) == 1


@pytest.mark.parametrize("body", [{}, {"token": {"project": {"id": "../.."}}}, {"token": {"project": {"id": TOKEN}}}])
def test_token_that_is_no_use_is_not_shown(cloud, failed, body):
    cloud.post(LOGIN_URL, status=201, headers={"X-Subject-Token": TOKEN}, json=body)
    message, result = failed(LOGIN)
    assert "project" in message
    assert "token" not in result


def test_no_answer(serve, failed):
    server = serve(loopback.reset_after_request)
    message, result = failed({**LOGIN, "iam_endpoint": server.url})
    assert server.url in message
    assert "DRS" not in message
    assert len(server.requests) == 1
