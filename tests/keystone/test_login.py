# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM uses the protocol of OpenStack Keystone, so the logins are tested with the real Keystone.

The modules run without Ansible, but like Ansible would run them: options in, result out.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests

JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
USER = "drs-operator"
WRONG = "not-the-password-9261"
REGION = "eu-west-101"
START_DEADLINE = 60.0


@dataclass
class Keystone:
    """A running Keystone with one DRS call, see server.py."""

    url: str
    account: str
    projects: dict[str, str]
    passwords: dict[str, str]

    def call(self, method: str, path: str, token: str = "", about: str = "", body: Any = None) -> requests.Response:
        """Call Keystone.

        :param about: The token that the call is about, if it differs from `token`.
        """
        with requests.Session() as session:
            session.trust_env = False
            return session.request(
                method,
                self.url + path,
                headers={"X-Auth-Token": token, "X-Subject-Token": about or token},
                json=body,
                timeout=30,
            )

    def seen(self) -> list[str]:
        """Return the requests since the last call."""
        seen: list[str] = self.call("DELETE", "/_keystone").json()
        return seen

    def advance(self, seconds: int) -> None:
        assert self.call("POST", "/_keystone", body={"advance_seconds": seconds}).status_code == 204

    def run(self, module: str, **options: Any) -> dict[str, Any]:
        """Return the result of a module, which must not contain its secrets."""
        check_mode = options.pop("check_mode", False)
        connection = {
            "endpoint": self.url,
            "iam_endpoint": f"{self.url}/v3",
            "domain_name": self.account,
            "project_id": self.projects[REGION],
        }
        done = subprocess.run(
            [sys.executable, "-m", f"ansible_collections.huaweicloud.drs.plugins.modules.{module}"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": {**connection, **options, "_ansible_check_mode": check_mode}}),
            env={"PYTHONPATH": os.pathsep.join(sys.path), "NO_PROXY": "127.0.0.1"},
            capture_output=True,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        for secret in (options.get("password"), options.get("auth_token")):
            assert not secret or secret not in done.stdout
        result: dict[str, Any] = json.loads(done.stdout)
        assert not result.get("changed")
        return result

    def log_in(self, user: str = USER, **options: Any) -> dict[str, Any]:
        return self.run("iam_token", **{"username": user, "password": self.passwords[user], **options})

    def use(self, **options: Any) -> dict[str, Any]:
        return self.run("drs_db_position_info", job_id=JOB, query_id="0eacda0b-9422-4535-8b62-537d1833638b", **options)


@pytest.fixture(scope="session")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keystone]:
    folder = tmp_path_factory.mktemp("keystone")
    with (folder / "output").open("wb") as output:
        command = [sys.executable, str(Path(__file__).with_name("server.py")), str(folder)]
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + START_DEADLINE
        while not (folder / "info.json").exists():
            assert process.poll() is None and time.monotonic() < deadline, (folder / "output").read_text(
                encoding="utf-8"
            )
            time.sleep(0.05)
        info = json.loads((folder / "info.json").read_text(encoding="utf-8"))
        yield Keystone(f"http://127.0.0.1:{info['port']}", info["account"], info["projects"], info["passwords"])
    finally:
        process.terminate()
        process.wait()


@pytest.fixture
def keystone(running: Keystone) -> Keystone:
    running.seen()
    return running


@pytest.mark.parametrize("check_mode", [False, True])
@pytest.mark.parametrize("project", [REGION, f"{REGION}_finance"])
def test_login(keystone: Keystone, project: str, check_mode: bool) -> None:
    """A login creates a token that Keystone accepts for the right project, in check mode as well."""
    login = keystone.log_in(project_id=keystone.projects[project], check_mode=check_mode)
    assert keystone.seen() == ["POST /v3/auth/tokens 201"]
    token = keystone.call("GET", "/v3/auth/tokens", login["token"]).json()["token"]
    assert (token["user"]["name"], token["project"]["name"], token["project"]["id"]) == (
        USER,
        project,
        login["project_id"],
    )
    assert token["expires_at"][:19] == login["expires_at"][:19]


@pytest.mark.parametrize(
    ("options", "advice"),
    [
        ({"password": WRONG}, "domain_name is the name of the account"),
        ({"username": "nobody", "password": WRONG}, "domain_name is the name of the account"),
        ({"project_id": "0123456789abcdef0123456789abcdef"}, "domain_name is the name of the account"),
        ({"user": "drs-disabled"}, "domain_name is the name of the account"),
        ({"user": "drs-two-factors"}, "cannot provide the second factor"),
    ],
    ids=["wrong password", "no such user", "no such project", "disabled", "second factor"],
)
def test_refused(keystone: Keystone, options: dict[str, str], advice: str) -> None:
    """The error says who was rejected where, and the login is not retried.

    Keystone gives the same reason in all cases, so that it does not reveal which users exist.
    """
    check_refused(keystone, options, advice)


def check_refused(
    keystone: Keystone, options: dict[str, str], advice: str = "Several failed logins lock the user for 15 minutes"
) -> None:
    refused = keystone.log_in(**options)
    assert keystone.seen() == ["POST /v3/auth/tokens 401"]
    assert (refused["http_status"], refused.get("token")) == (401, None)
    name = options.get("username", options.get("user", USER))
    project = options.get("project_id", keystone.projects[REGION])
    for words in (
        f"user {name} of account (domain) {keystone.account} and the project with id {project} at {keystone.url}",
        advice,
    ):
        assert words in refused["msg"]


def test_locked(keystone: Keystone) -> None:
    """Three wrong passwords lock a user for 15 minutes, even with the right password."""
    for password in (WRONG, f"{WRONG}2", f"{WRONG}3"):
        check_refused(keystone, {"user": "drs-forgetful", "password": password})
    check_refused(keystone, {"user": "drs-forgetful"})
    keystone.advance(901)
    assert keystone.log_in("drs-forgetful")["token"]


@pytest.mark.parametrize("end", ["expired", "revoked"])
def test_token_that_is_no_longer_valid(keystone: Keystone, end: str) -> None:
    """It is renewed once, if the right user name and password are also set."""
    token = keystone.log_in()["token"]
    assert keystone.use(auth_token=token)["status"] == "pending"
    if end == "expired":
        keystone.advance(86401)
    else:
        assert keystone.call("DELETE", "/v3/auth/tokens", token).status_code == 204
    keystone.seen()
    read = f"GET /v5/{keystone.projects[REGION]}/jobs/{JOB}/db-position"

    assert keystone.use(auth_token=token)["http_status"] == 401
    assert keystone.seen() == [f"{read} 401"]
    assert keystone.use(auth_token=token, username=USER, password=WRONG)["http_status"] == 401
    assert keystone.seen() == [f"{read} 401", "POST /v3/auth/tokens 401"]
    assert keystone.use(auth_token=token, username=USER, password=keystone.passwords[USER])["status"] == "pending"
    assert keystone.seen() == [f"{read} 401", "POST /v3/auth/tokens 201", f"{read} 200"]

    fresh = keystone.log_in()["token"]
    assert [keystone.call("GET", "/v3/auth/tokens", fresh, about=about).status_code for about in (fresh, token)] == [
        200,
        404,
    ]
