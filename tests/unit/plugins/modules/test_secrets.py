# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""No module prints a secret, whatever the authentication method, when a server sends back what it received."""

from __future__ import annotations

import html
import itertools
import json
from urllib.parse import quote

import pytest
import requests

from ansible_collections.huaweicloud.drs.plugins.module_utils import _positions
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_password import PasswordAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._redact import HIDDEN
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    ACTION_URL,
    ACTIONS_URL,
    COLLECT_URL,
    DRS,
    JOB_ID,
    JOB_URL,
    LOGIN_URL,
    NEW_TOKEN,
    OWN_PROJECTS_URL,
    PASSWORD,
    POSITION,
    PROJECT_ID,
    PROJECT_TOKEN,
    PROJECTS_URL,
    PROXY_PASSWORD,
    QUERY_ID,
    REGION,
    RESULT_URL,
    SECRET_KEY,
    SECURITY_TOKEN,
    START_URL,
    TEMPORARY_KEY,
    TIME,
    TOKEN,
    USER,
    add_action,
    add_actions,
    add_collect,
    add_jobs,
    add_login,
    add_projects,
    add_result,
    add_start,
    add_status,
    agency_key,
    listed,
    pairs,
    readable,
)

LOGINS = {
    "token": PROJECT_TOKEN,
    "token-with-password": {**PROJECT_TOKEN, **USER},
    "aksk": {**TEMPORARY_KEY, "project_id": PROJECT_ID},
    "aksk-without-project": TEMPORARY_KEY,
    "password": USER,
    "profile": {"auth_method": "profile"},
    "agency": {"auth_method": "agency"},
}
MODULES = {
    "drs_collect_db_position": {"job_id": JOB_ID, "reset_position_time": TIME, "wait": True},
    "drs_db_position_info": {"job_id": JOB_ID, "query_id": QUERY_ID},
    "drs_job_info": {"job_id": JOB_ID, "include": ["actions", "progress"]},
    "drs_job_action": {"job_id": JOB_ID, "action": "pause"},
    "drs_start_position": {"job_id": JOB_ID, "position": POSITION},
}
# How a server may write a part of the request that it sends back.
ECHOES = {
    "json": lambda text: json.dumps({"error_code": "X.1", "error_msg": f"Sent: {text}"}),
    "json-in-json": lambda text: json.dumps({"error_msg": json.dumps({"sent": text})}),
    "other-json": lambda text: json.dumps({"detail": {"sent": [text]}}),
    "html": lambda text: f"<html><title>{html.escape(text)}</title><body><pre>{html.escape(text)}",
    "text": lambda text: f"Sent: {text}",
    "cut-json": lambda text: json.dumps({"sent": text})[:-1],
    "code": lambda text: json.dumps({"error": {"code": text, "message": text, "request_id": text}}),
}
PARTS = ["Authorization", "X-Auth-Token", "X-Security-Token", "body", "all"]


@pytest.fixture
def _sources(cloud, serve, metadata, profile, monkeypatch):
    """Set up a profile, a metadata service and a proxy with a password."""
    profile(f"[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\nsecurity_token = {SECURITY_TOKEN}\n")
    # A key that is refused is fetched again.
    server = serve(*[loopback.response(body) for body in (b"metadata-token", agency_key())] * 2)
    metadata(server.url)
    cloud.add_passthru(server.url)
    cloud.assert_all_requests_are_fired = False
    monkeypatch.setenv("https_proxy", f"http://them:{quote(PROXY_PASSWORD, safe='')}@127.0.0.1:1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def echo(part, form, status):
    """Return a callback that responds with a part of the request."""

    def respond(request):
        body = request.body or b""
        parts = {**request.headers, "body": body.decode() if isinstance(body, bytes) else body}
        # Only the start of a response is shown, so the secrets come first.
        parts["all"] = " ".join(f"{name}: {parts[name]}" for name in [*PARTS[:-1], *request.headers] if name in parts)
        text = parts.get(part, "")
        headers = {"X-Request-Id": text, "X-IAM-Trace-Id": text, "Location": f"https://drs.example.com/?{text}"}
        return status, {name: value.encode().decode("latin-1") for name, value in headers.items()}, ECHOES[form](text)

    return respond


@pytest.fixture
def run(module_file):
    """Run a module, and search its output for all secrets."""

    def run(login, name="drs_collect_db_position", options=None, **kwargs):
        return module_file(name).run(
            {"region": REGION, "max_retries": 0, **LOGINS[login], **(MODULES[name] if options is None else options)},
            **kwargs,
        )

    return run


EACH_LOGIN = pytest.mark.parametrize("login", list(LOGINS))
# Module, method and URL.
CALLS = [
    ("drs_collect_db_position", "POST", COLLECT_URL),
    ("drs_db_position_info", "GET", RESULT_URL),
    ("drs_job_info", "GET", JOB_URL),
    ("drs_job_info", "GET", ACTIONS_URL),
    ("drs_job_action", "POST", ACTION_URL),
    ("drs_start_position", "PUT", START_URL),
]


def add_reads(cloud, url):
    """Responses to what the module reads before the call under test."""
    if url in (ACTIONS_URL, ACTION_URL):
        add_status(cloud, "INCRE_TRANSFER_STARTED")
    if url == ACTION_URL:
        add_actions(cloud, "PAUSE")


@pytest.mark.usefixtures("_sources")
class TestModules:
    @pytest.mark.parametrize("login, name, check_mode", pairs(LOGINS, MODULES, [False, True]))
    def test_success(self, cloud, run, name, login, check_mode):
        add_login(cloud)
        add_projects(cloud, REGION)
        add_collect(cloud)
        add_status(cloud, "INCRE_TRANSFER_STARTED")
        add_result(cloud, "success")
        add_actions(cloud, "PAUSE")
        add_action(cloud)
        add_start(cloud)
        assert "failed" not in run(login, name, check_mode=check_mode)
        sent = [call.request for call in cloud.calls if call.request.url.startswith(DRS)]
        # Otherwise the search could not have found anything.
        assert sent
        assert all(
            readable(TOKEN, *request.headers.values()) or readable(SECURITY_TOKEN, *request.headers.values())
            for request in sent
        )

    @pytest.mark.parametrize(
        "login, call, status, part, form", pairs(LOGINS, CALLS, [302, 400, 401, 500], PARTS, ECHOES)
    )
    def test_echo(self, cloud, run, login, call, status, part, form):
        name, method, url = call
        add_login(cloud, NEW_TOKEN)
        add_projects(cloud, REGION)
        add_reads(cloud, url)
        cloud.add_callback(method, url, callback=echo(part, form, status))
        result = run(login, name)
        if url == ACTIONS_URL and status == 400:
            assert "which actions" in str(result["warnings"])
        else:
            assert result["http_status"] == status
        # A renewed login has sent two secrets.
        renewed = status == 401 and login in ("password", "token-with-password")
        assert len([call for call in cloud.calls if call.request.url.partition("?")[0] == url]) == 1 + renewed

    @pytest.mark.parametrize(
        "login, part, form",
        pairs(
            [login for login in LOGINS if login not in ("token", "aksk")],
            [part for part in PARTS if part != "X-Auth-Token"],
            ECHOES,
        ),
    )
    def test_echo_of_iam(self, cloud, run, login, part, form):
        cloud.post(COLLECT_URL, status=401)
        cloud.add_callback("POST", LOGIN_URL, callback=echo(part, form, 401))
        for url in (PROJECTS_URL, OWN_PROJECTS_URL):
            cloud.add_callback("GET", url, callback=echo(part, form, 403))
        assert run(login)["http_status"] in (401, 403)

    @pytest.mark.parametrize("login, call", list(zip(LOGINS, itertools.cycle(CALLS))))
    def test_lost_response(self, cloud, run, login, call):
        name, method, url = call

        def lost(request):
            raise requests.ConnectionError(" ".join(map(str, request.headers.values())))

        add_login(cloud)
        add_projects(cloud, REGION)
        add_reads(cloud, url)
        cloud.add_callback(method, url, callback=lost)
        assert "no complete response" in run(login, name)["msg"]

    @EACH_LOGIN
    def test_echo_in_the_name_of_a_job(self, cloud, run, login):
        """Ansible masks the secrets in it."""
        secret = TOKEN if login in ("token", "token-with-password", "password") else SECRET_KEY
        add_login(cloud)
        add_projects(cloud, REGION)
        add_jobs(cloud, listed(0, name=f"of {secret[:200]}"))
        (job,) = run(login, "drs_job_info", {})["jobs"]
        # A piece of a token is not masked by Ansible.
        assert job["name"] == (HIDDEN if secret is TOKEN else "of ********")

    @pytest.mark.parametrize(
        "login, call, form", pairs(LOGINS, [call for call in CALLS if call[2] in (ACTION_URL, START_URL)], ECHOES)
    )
    def test_echo_in_a_success(self, cloud, run, login, call, form):
        name, method, url = call
        add_login(cloud)
        add_projects(cloud, REGION)
        add_reads(cloud, ACTION_URL)
        cloud.add_callback(method, url, callback=echo("all", form, 202))
        assert run(login, name)["request_id"]

    @EACH_LOGIN
    def test_unexpected_exception(self, cloud, run, login, monkeypatch):
        """The result has a traceback."""

        def fail(*args):
            raise ZeroDivisionError(f"It happened with {' and '.join(used)}.")

        secret = {"auth_token", "password", *TEMPORARY_KEY}
        used = [
            value
            for name, value in {
                **({} if login[0] in "tp" and login != "profile" else TEMPORARY_KEY),
                **LOGINS[login],
            }.items()
            if name in secret
        ]
        add_login(cloud)
        add_projects(cloud, REGION)
        monkeypatch.setattr(_positions, "collect_position_async", fail)
        result = run(login, unexpected=True)
        assert "ZeroDivisionError: It happened with ********" in result["msg"]


@pytest.mark.usefixtures("_sources")
class TestLogin:
    @pytest.mark.parametrize("part, form, status", pairs(["body", "all"], ECHOES, [302, 400, 401, 500]))
    def test_echo(self, cloud, module_file, part, form, status):
        cloud.add_callback("POST", LOGIN_URL, callback=echo(part, form, status))
        assert module_file("iam_token").run({"region": REGION, "max_retries": 0, **USER})["http_status"] == status

    def test_unexpected_exception(self, cloud, module_file, monkeypatch):
        def fail(*args):
            raise ZeroDivisionError(f"It happened with {PASSWORD}.")

        monkeypatch.setattr(PasswordAuth, "authenticate", fail)
        assert (
            "It happened with ********"
            in module_file("iam_token").run({"region": REGION, **USER}, unexpected=True)["msg"]
        )
