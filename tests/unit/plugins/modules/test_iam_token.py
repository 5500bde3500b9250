# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
from base64 import b64encode

import pytest

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
    WITH_PASSWORD,
    add_login,
    bodies,
)

EXPIRES_AT = "2026-11-24T10:11:12.701000Z"
RESULT = {"changed": False, "token": TOKEN, "expires_at": EXPIRES_AT, "project_id": PROJECT_ID}


def test_documentation(module):
    module.check_documentation()
    module.check_options()
    assert module.own_options == {}
    # The token is not masked, so only no_log keeps it out of the output.
    assert [task["no_log"] for task in module.tasks if module.fqcn in task] == [True]


def test_result(cloud, module, check_mode):
    add_login(cloud, expires_at=EXPIRES_AT)
    assert module.run(WITH_PASSWORD, check_mode, shown_secret=TOKEN) == RESULT
    (sent,) = bodies(cloud)
    assert sent["auth"]["identity"]["password"]["user"] == {
        "name": "operator",
        "password": PASSWORD,
        "domain": {"name": "example-account"},
    }
    assert sent["auth"]["scope"] == {"project": {"name": REGION}}


@pytest.mark.parametrize("password", ["Password", "Contoso2024"])
def test_password_that_is_a_word_of_the_token(cloud, module, password):
    """A token is Base64 of JSON with names, and the methods of the login."""
    words = {"token": {"methods": ["password"], "user": {"domain": {"name": "contoso2024"}}}}
    token = b64encode(json.dumps(words).encode()).decode()
    add_login(cloud, token, expires_at=EXPIRES_AT)
    assert module.run({**WITH_PASSWORD, "password": password}) == {**RESULT, "token": token}


@pytest.mark.parametrize("auth_method", ["auto", "password"])
def test_credentials_of_other_methods(cloud, module, check_mode, auth_method):
    """They may come from module_defaults. They are masked, the new token is not."""
    add_login(cloud, expires_at=EXPIRES_AT)
    args = {
        **WITH_PASSWORD,
        "auth_token": NEW_TOKEN,
        "access_key": ACCESS_KEY,
        "secret_key": SECRET_KEY,
        "auth_method": auth_method,
    }
    assert module.run(args, check_mode, shown_secret=TOKEN) == RESULT


@pytest.mark.parametrize("auth_method", ["token", "aksk", "profile", "agency"])
def test_other_methods_are_rejected(cloud, module, check_mode, auth_method):
    keys = {"auth_token": TOKEN, "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    message, result = module.fail({**WITH_PASSWORD, **keys, "auth_method": auth_method}, check_mode)
    assert f"auth_method {auth_method} does not provide a token" in message
    assert not result.get("changed")
    assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    "invalid, named", [({"password": ""}, "password"), ({"timeout": 0}, "timeout"), ({"job_id": "x"}, "job_id")]
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, check_mode, invalid, named):
    module.check_refused(cloud, {**WITH_PASSWORD, **invalid}, named, check_mode)


def test_refused(cloud, module, check_mode):
    body = {"error": {"code": 401, "message": f"The password {PASSWORD} is wrong.", "title": "Unauthorized"}}
    cloud.post(LOGIN_URL, status=401, json=body, headers={"X-Request-Id": "r1"})
    message, result = module.fail({**WITH_PASSWORD, "max_retries": 9}, check_mode)
    facts = {
        "http_status": 401,
        "error_code": "401",
        "error_msg": "The password ******** is wrong.",
        "request_id": "r1",
    }
    assert {name: value for name, value in result.items() if name != "changed"} == facts
    for part in ("operator", "example-account", REGION, IAM):
        assert part in message
    assert len(cloud.calls) == 1
