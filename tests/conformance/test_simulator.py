# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulator itself: each error, each fault, and its log."""

from __future__ import annotations

import html
import json
import os
import socket
import stat
import time
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import pytest
import requests
from simulator.app import METHODS, read_contract
from simulator.client import Simulator, simulator

PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
FINANCE = "0b7e6c1f94a24f5d8f0c2f3a9d1e4b76"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
FINANCE_JOB = "5e3f9a70-21bd-4c0e-9a47-7be1d06jb20w"
PAUSED_JOB = "839fc0e7-92b4-41d3-9072-b4d5f67jb216"
MOMENT = "2023-09-19T07:00:00Z"
# Every operation of DRS: its request and the status of its response.
CALLS: dict[str, tuple[str, str, Any, int]] = {
    "show_job_list": ("POST", "jobs", {"db_use_type": "sync"}, 200),
    "batch_list_job_details": ("POST", "jobs/batch-detail", {"jobs": [JOB]}, 200),
    "batch_list_job_status": ("POST", "jobs/batch-status", {"jobs": [JOB]}, 200),
    "batch_list_progresses": ("POST", "jobs/batch-progress", {"jobs": [JOB]}, 200),
    "list_jobs": ("GET", "jobs?job_type=sync", None, 200),
    "show_job_detail": ("GET", f"jobs/{JOB}?type=detail", None, 200),
    "show_actions": ("GET", f"jobs/{JOB}/actions", None, 200),
    "execute_job_action": ("POST", f"jobs/{JOB}/action", {"job": {"action_name": "stop"}}, 202),
    "stop_job_action": ("POST", f"jobs/{JOB}/stop", {}, 200),
    "collect_position_async": ("POST", f"jobs/{JOB}/collect-db-position", {"reset_position_time": MOMENT}, 202),
    "show_position_result": ("GET", f"jobs/{JOB}/db-position?query_id=none", None, 400),
    "update_start_position": (
        "PUT",
        f"jobs/{PAUSED_JOB}/start-position",
        {"file_and_position": "mysql-bin.000277:805"},
        200,
    ),
    "list_instance_by_tags": ("POST", "sync/resource-instances/filter", {}, 200),
}
VERSIONS = {
    item["operationId"]: version
    for service, version in (("drs", "v5"), ("drs_v3", "v3"))
    for path in read_contract(service)["paths"].values()
    for method, item in path.items()
    if method in METHODS
}
GONE = "mysql-bin.000001:4"
TIMEOUT = 10


def log_in(
    sim: Simulator,
    user: str = "drs-operator",
    password: str = "Operator-Passw0rd!",
    account: str = "example-account",
    scope: Any = None,
) -> requests.Response:
    identity = {"name": user, "password": password, "domain": {"name": account}}
    auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": identity}}}
    auth["scope"] = scope or {"project": {"name": "eu-west-101"}}
    return sim.session.post(
        f"{sim.url}/v3/auth/tokens", params={"nocatalog": "true"}, json={"auth": auth}, timeout=TIMEOUT
    )


def collect(sim: Simulator, token: str, *, project: str = PROJECT, job: str = JOB, **options: Any) -> requests.Response:
    headers = {"X-Auth-Token": token, **options.pop("headers", {})}
    body = options or {"json": {"reset_position_time": MOMENT}}
    return sim.session.post(
        f"{sim.url}/v5/{project}/jobs/{job}/collect-db-position", headers=headers, timeout=TIMEOUT, **body
    )


def get(sim: Simulator, token: str, path: str, **options: Any) -> requests.Response:
    return sim.session.get(
        f"{sim.url}{path}", headers={"X-Auth-Token": token}, timeout=TIMEOUT, allow_redirects=False, **options
    )


def call(sim: Simulator, operation: str, token: str | None, project: str = PROJECT) -> requests.Response:
    method, path, body, _status = CALLS[operation]
    headers = {"X-Auth-Token": token} if token else {}
    url = f"{sim.url}/{VERSIONS[operation]}/{project}/{path}"
    return sim.session.request(method, url, json=body, headers=headers, timeout=TIMEOUT)


def position(sim: Simulator, token: str, query_id: str, *, project: str = PROJECT, job: str = JOB) -> requests.Response:
    return get(sim, token, f"/v5/{project}/jobs/{job}/db-position", params={"query_id": query_id})


def refused(response: requests.Response, status: int, code: str) -> str:
    """Check the format of an error from DRS or its gateway, and return its message."""
    body = response.json()
    assert (response.status_code, body["error_code"]) == (status, code)
    assert set(body) == {"error_code", "error_msg"} | ({"request_id"} if code.startswith("APIGW.") else set())
    assert body.get("request_id", response.headers["X-Request-Id"]) == response.headers["X-Request-Id"]
    return str(body["error_msg"])


def denied(response: requests.Response, status: int = 401) -> str:
    """Check the format of an error from IAM, and return its message."""
    error = response.json()["error"]
    assert (response.status_code, error["code"], set(error)) == (status, status, {"code", "message", "title"})
    assert response.headers["X-Request-Id"]
    assert response.headers["X-IAM-Trace-Id"]
    assert "X-Subject-Token" not in response.headers
    return str(error["message"])


# IAM


@pytest.mark.parametrize("scope", [{"name": "eu-west-101"}, {"id": PROJECT}])
def test_a_login_gives_a_token_of_the_project(sim: Simulator, scope: dict[str, str]) -> None:
    response = log_in(sim, scope={"project": scope})
    assert response.status_code == 201
    token = response.json()["token"]
    assert (token["project"]["id"], token["project"]["name"]) == (PROJECT, "eu-west-101")
    assert (token["user"]["name"], token["user"]["domain"]["name"], token["catalog"]) == (
        "drs-operator",
        "example-account",
        [],
    )
    assert token["expires_at"].endswith("000Z")
    assert len(token["expires_at"]) == len("2026-11-24T10:11:12.701000Z")
    assert len(response.headers["X-Subject-Token"]) > 9000
    assert response.headers["X-Request-Id"]
    assert response.headers["X-IAM-Trace-Id"]
    assert collect(sim, response.headers["X-Subject-Token"]).status_code == 202


def test_another_login_gives_another_token_and_leaves_the_first_alone(sim: Simulator) -> None:
    first, second = sim.token(), sim.token()
    assert first != second
    assert collect(sim, first).status_code == collect(sim, second).status_code == 202


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"password": "wrong"}, "The username or password is wrong."),
        ({"user": "nobody"}, "The username or password is wrong."),
        ({"account": "another-account"}, "The username or password is wrong."),
        ({"user": "drs-disabled", "password": "Disabled-Passw0rd!"}, "The user is disabled."),
        ({"user": "drs-locked", "password": "Locked-Passw0rd!"}, "The account is locked."),
        ({"scope": {"project": {"name": "nowhere-1"}}}, "The request you have made requires authentication."),
        ({"scope": {"project": {"id": "0" * 32}}}, "The request you have made requires authentication."),
    ],
)
def test_logins_refused(sim: Simulator, options: dict[str, Any], message: str) -> None:
    assert denied(log_in(sim, **options)) == message


def test_a_malformed_login_is_refused(sim: Simulator) -> None:
    bodies: list[dict[str, Any]] = [
        {"json": {}},
        {"json": {"auth": {"identity": {"methods": ["totp"]}}}},
        {"data": b"{"},
        {"data": b"\xff"},
    ]
    for body in bodies:
        response = sim.session.post(
            f"{sim.url}/v3/auth/tokens", headers={"Content-Type": "application/json"}, timeout=TIMEOUT, **body
        )
        assert denied(response, 400).startswith("Malformed request: ")


def test_five_wrong_passwords_in_a_row_lock_the_user(sim: Simulator) -> None:
    for _attempt in range(4):
        denied(log_in(sim, password="wrong"))
    assert log_in(sim).status_code == 201
    for _attempt in range(5):
        assert denied(log_in(sim, password="wrong")) == "The username or password is wrong."
    assert denied(log_in(sim)) == "The account is locked."
    sim.reset()
    assert log_in(sim).status_code == 201


def test_a_lock_ends(sim: Simulator) -> None:
    sim.settings(lock_seconds=0)
    for _attempt in range(6):
        denied(log_in(sim, password="wrong"))
    assert log_in(sim).status_code == 201


def test_a_token_expires(sim: Simulator) -> None:
    sim.settings(token_lifetime=60)
    token = sim.token()
    assert collect(sim, token).status_code == 202
    sim.settings(clock_offset=61)
    assert refused(collect(sim, token), 403, "DRS.M00100") == "Invalid token."


@pytest.mark.parametrize("path", ["/v3/projects?name=eu-west-101", "/v3/auth/projects"])
@pytest.mark.parametrize("scope", ["eu-west-101", None])
def test_projects_are_listed_with_a_token(sim: Simulator, path: str, scope: str | None) -> None:
    response = get(sim, sim.token(project=scope), path)
    assert response.status_code == 200
    assert response.headers["X-IAM-Trace-Id"]
    body = response.json()
    assert body["links"]["self"].startswith("https://iam.myhuaweicloud.com/v3/")
    (project,) = (project for project in body["projects"] if project["name"] == "eu-west-101")
    assert (project["id"], project["enabled"], project["is_domain"], project["description"]) == (
        PROJECT,
        True,
        False,
        "",
    )
    assert set(project) == {"id", "name", "domain_id", "parent_id", "enabled", "is_domain", "description", "links"}


@pytest.mark.parametrize("user", ["drs-only", "no-permission"])
def test_listing_projects_needs_a_permission(sim: Simulator, user: str) -> None:
    token = sim.token(user)
    assert (
        denied(get(sim, token, "/v3/projects?name=eu-west-101"), 403)
        == "You are not authorized to perform the requested action."
    )
    assert get(sim, token, "/v3/auth/projects").status_code == 200
    if user == "drs-only":
        assert collect(sim, token).status_code == 202


@pytest.mark.parametrize("path", ["/v3/projects", "/v3/auth/projects"])
def test_listing_projects_needs_a_valid_token(sim: Simulator, path: str) -> None:
    message = "The request you have made requires authentication."
    assert denied(get(sim, "nonsense", path)) == message
    assert denied(sim.session.get(f"{sim.url}{path}", timeout=TIMEOUT)) == message
    token = sim.token()
    sim.settings(clock_offset=25 * 3600)
    assert denied(get(sim, token, path)) == message
    token = sim.token()
    sim.revoke("DRS.M00100")
    assert denied(get(sim, token, path)) == message


def test_invalid_queries_for_projects_are_refused(sim: Simulator) -> None:
    token = sim.token()
    for query in ("names=x", "page=0&per_page=1", "enabled=maybe"):
        assert denied(get(sim, token, f"/v3/projects?{query}"), 400).startswith("Malformed request: ")


def test_two_projects_of_one_name(sim: Simulator) -> None:
    token = sim.token()
    sim.settings(duplicate_projects=["eu-west-101"])
    first, second = get(sim, token, "/v3/projects?name=eu-west-101").json()["projects"]
    assert (first["id"], first["name"]) == (PROJECT, second["name"])
    assert [project["name"] for project in get(sim, token, "/v3/auth/projects").json()["projects"]].count(
        "eu-west-101"
    ) == 2
    assert log_in(sim, scope={"project": {"id": second["id"]}}).json()["token"]["project"]["id"] == second["id"]
    assert {job["project_id"] for job in sim.cloud["jobs"]} == {PROJECT, FINANCE}
    sim.settings(duplicate_projects=[])
    assert len(get(sim, token, "/v3/projects?name=eu-west-101").json()["projects"]) == 1


@pytest.mark.parametrize(("code", "status"), [("APIGW.0301", 401), ("APIGW.0307", 401), ("DRS.M00100", 403)])
def test_tokens_are_revoked(sim: Simulator, code: str, status: int) -> None:
    revoked = [sim.token(), sim.token()]
    sim.revoke(code)
    for token in revoked:
        refused(collect(sim, token), status, code)
    assert collect(sim, sim.token()).status_code == 202
    refused(collect(sim, revoked[0]), status, code)


def test_the_clock_of_the_cloud(sim: Simulator) -> None:
    token = sim.token()
    for offset in (-3600, 23 * 3600):
        sim.settings(clock_offset=offset)
        response = collect(sim, token, json={"reset_position_time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())})
        assert response.status_code == (202 if offset > 0 else 400)
        assert parsedate_to_datetime(response.headers["Date"]).timestamp() == pytest.approx(time.time() + offset, abs=5)
    expires_at = log_in(sim).json()["token"]["expires_at"]
    assert expires_at[:13] in {
        time.strftime("%Y-%m-%dT%H", time.gmtime(time.time() + 47 * 3600 + more)) for more in (0, -5)
    }
    sim.settings(clock_offset=24 * 3600 + 1)
    refused(collect(sim, token), 403, "DRS.M00100")
    sim.settings(clock_offset=0)
    assert collect(sim, token).status_code == 202
    assert sim.requests()[-1]["time"] == pytest.approx(time.time(), abs=5)


# The metadata service


def security_key(sim: Simulator, **headers: str) -> requests.Response:
    return sim.session.get(f"{sim.url}/openstack/latest/securitykey", headers=headers, timeout=TIMEOUT)


def metadata_token(sim: Simulator, seconds: str | None) -> requests.Response:
    headers = {"X-Metadata-Token-Ttl-Seconds": seconds} if seconds else {}
    return sim.session.put(f"{sim.url}/meta-data/latest/api/token", headers=headers, timeout=TIMEOUT)


def test_temporary_keys_of_the_agency(sim: Simulator) -> None:
    token = metadata_token(sim, "21600")
    assert (token.status_code, token.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    for headers in ({}, {"X-Metadata-Token": token.text}):
        credential = security_key(sim, **headers).json()["credential"]
        assert set(credential) == {"access", "secret", "securitytoken", "expires_at"}
        assert len(credential["expires_at"]) == len("2026-11-24T10:11:12.701000Z")
        given = sim.key(credential["access"])
        assert (given["secret_key"], given["security_token"]) == (credential["secret"], credential["securitytoken"])
    sim.reset()
    assert len(sim.cloud["access_keys"]) == 4


def test_refusals_of_the_metadata_service(sim: Simulator) -> None:
    token = metadata_token(sim, "60").text
    assert security_key(sim, **{"X-Metadata-Token": token}).status_code == 200
    sim.settings(clock_offset=61)
    refusals = [security_key(sim, **{"X-Metadata-Token": given}) for given in (token, "nonsense")]
    assert all("token is invalid" in response.text for response in refusals)
    sim.settings(agency=None)
    refusals.append(security_key(sim))
    assert "Please configure Cloud Service Agency first" in refusals[-1].text
    assert [response.status_code for response in refusals] == [401, 401, 401]
    refusals += [metadata_token(sim, seconds) for seconds in (None, "0", "x")]
    assert [response.status_code for response in refusals[3:]] == [400, 400, 400]
    assert {response.headers["Content-Type"].partition(";")[0] for response in refusals} == {"text/html"}


# Refusals of DRS and its gateway


def test_no_token_or_an_unknown_one(sim: Simulator) -> None:
    known = sim.token()
    assert refused(collect(sim, "nonsense"), 401, "APIGW.0301")
    assert refused(collect(sim, known[:-1]), 401, "APIGW.0301")
    assert refused(
        sim.session.get(f"{sim.url}/v5/{PROJECT}/jobs/{JOB}?type=detail", timeout=TIMEOUT), 401, "APIGW.0301"
    )
    sim.reset()
    assert refused(collect(sim, known), 401, "APIGW.0301")


def test_authentication_comes_before_validation(sim: Simulator) -> None:
    refused(collect(sim, "nonsense", data=b"{"), 401, "APIGW.0301")


def test_a_token_of_another_project(sim: Simulator) -> None:
    token = sim.token(project="eu-west-101_finance")
    refused(collect(sim, token), 403, "DRS.M00261")
    assert collect(sim, token, project=FINANCE, job=FINANCE_JOB).status_code == 202
    refused(collect(sim, sim.token(project=None)), 403, "DRS.M00261")


def test_no_such_job(sim: Simulator) -> None:
    token = sim.token()
    for job in ("00000000-0000-0000-0000-000000jb20r", "short", FINANCE_JOB):
        refused(collect(sim, token, job=job), 400, "DRS.10000010")
        refused(position(sim, token, "0eacda0b-9422-4535-8b62-537d1833638b", job=job), 400, "DRS.10000010")
        refused(get(sim, token, f"/v5/{PROJECT}/jobs/{job}", params={"type": "detail"}), 400, "DRS.10000010")


def test_no_such_query(sim: Simulator) -> None:
    token = sim.token()
    refused(position(sim, token, "0eacda0b-9422-4535-8b62-537d1833638b"), 400, "DRS.10030014")
    of_another = collect(sim, token, job="177738d1-4eee-4fcb-a4e1-09aea79jb20i").json()["id"]
    refused(position(sim, token, of_another), 400, "DRS.10030014")


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"json": {"reset_position_time": "2023-09-19T09:00:00+02:00"}}, "DRS.M00202"),
        ({"json": {"reset_position_time": "2023-9-19T07:00:00Z"}}, "DRS.M00202"),
        ({"json": {"reset_position_time": "2023-13-19T07:00:00Z"}}, "DRS.M00202"),
        ({"json": {"reset_position_time": "2999-01-01T00:00:00Z"}}, "DRS.M00202"),
        ({"json": {"reset_position_time": 1695106800}}, "DRS.M00200"),
        ({"json": {"reset_position_time": MOMENT, "more": 1}}, "DRS.M00200"),
        ({"json": {}}, "DRS.M00200"),
        ({"json": [MOMENT]}, "DRS.M00200"),
        ({"data": b'{"reset'}, "DRS.M00200"),
        ({"data": b"\xff\xfe"}, "DRS.M00200"),
        ({"data": b""}, "DRS.M00200"),
        ({"data": b"a=b", "headers": {"Content-Type": "text/plain"}}, "DRS.M00200"),
        ({"json": {"reset_position_time": MOMENT}, "headers": {"X-Language": "fr-fr"}}, "DRS.M00200"),
    ],
)
def test_malformed_requests(sim: Simulator, options: dict[str, Any], code: str) -> None:
    assert "\n" not in refused(collect(sim, sim.token(), **options), 400, code)


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "DRS.M00200"),
        ("type=nonsense", "DRS.M00200"),
        ("type=detail&more=1", "DRS.M00200"),
        ("type=overview", "DRS.M00202"),
    ],
)
def test_details_that_are_not_served(sim: Simulator, query: str, code: str) -> None:
    refused(get(sim, sim.token(), f"/v5/{PROJECT}/jobs/{JOB}?{query}"), 400, code)


def test_unknown_routes(sim: Simulator) -> None:
    token = sim.token()
    for path in (
        "/",
        "/v5",
        "/v4/x",
        "/v3/nothing",
        f"/v3/{PROJECT}/jobs",
        f"/v3/{PROJECT}/jobs/batch-detail/",
        f"/v5/{PROJECT}/jobs/{JOB}/",
        f"/v5/{PROJECT}/jobs/{JOB}/collect-position",
    ):
        refused(get(sim, token, path), 404, "APIGW.0101")
    refused(get(sim, token, f"/v5/{PROJECT}/jobs/{JOB}/collect-db-position"), 404, "APIGW.0101")
    refused(get(sim, token, "/v3/auth/tokens"), 404, "APIGW.0101")


def test_every_call_is_known() -> None:
    assert set(CALLS) == set(VERSIONS)


@pytest.mark.parametrize("operation", CALLS)
def test_every_call_obeys(sim: Simulator, operation: str) -> None:
    method, path, body, status = CALLS[operation]
    token = sim.token()
    for given, project, code in (
        (None, PROJECT, 401),
        ("nonsense", PROJECT, 401),
        (token, FINANCE, 403),
        (sim.token("no-permission"), PROJECT, 403),
    ):
        assert call(sim, operation, given, project).status_code == code
    sim.settings(unpublished=[operation])
    refused(call(sim, operation, token), 404, "APIGW.0101")
    sim.settings(unpublished=sorted(set(CALLS) - {operation}))
    sim.faults(
        [
            {"kind": "status", "status": 503, "match": {"operation": operation}},
            {"kind": "status", "status": 504, "match": {"method": method, "path": path.partition("?")[0] + "$"}},
            {
                "kind": "status",
                "status": 505,
                "match": {"operation": next(name for name in CALLS if name != operation)},
            },
        ]
    )
    assert [call(sim, operation, token).status_code for _attempt in range(3)] == [503, 504, status]
    seen = sim.requests()[-1]
    assert (seen["method"], seen["processed"], seen["cloud_status"], seen["status"]) == (method, True, status, status)
    assert json.loads(seen["body"] or "null") == body


@pytest.mark.parametrize(
    "operation", [name for name, given in CALLS.items() if JOB in given[1] or PAUSED_JOB in given[1]]
)
def test_calls_for_a_job_of_another_project(sim: Simulator, operation: str) -> None:
    refused(call(sim, operation, sim.token(project="eu-west-101_finance"), FINANCE), 400, "DRS.10000010")


def test_the_language_changes_messages_only(sim: Simulator) -> None:
    token = sim.token()
    english, default = (
        refused(
            collect(sim, token, job="x", json={"reset_position_time": MOMENT}, headers=headers), 400, "DRS.10000010"
        )
        for headers in ({"X-Language": "en-us"}, {})
    )
    chinese = refused(
        collect(sim, token, job="x", json={"reset_position_time": MOMENT}, headers={"X-Language": "zh-cn"}),
        400,
        "DRS.10000010",
    )
    assert english == default == "Job does not exist, please check job id."
    assert not chinese.isascii()


# Positions


def test_a_pending_query_returns_a_stale_position(sim: Simulator) -> None:
    sim.settings(collect_seconds=600)
    token = sim.token()
    query_id = collect(sim, token).json()["id"]
    assert position(sim, token, query_id).json() == {"job_id": JOB, "status": "pending", "position": GONE}
    assert sim.cloud["stale_position"] == GONE


def test_each_collection_has_its_own_result(sim: Simulator) -> None:
    sim.settings(collect_seconds=0, extra_jobs=2)
    token = sim.token()
    asked = [(JOB, MOMENT), (JOB, MOMENT), (JOB, "2023-09-19T07:00:01Z"), (JOB, "2023-09-19T06:59:59Z")]
    asked += [(job["id"], MOMENT) for job in sim.cloud["jobs"][-2:]]
    accepted = [collect(sim, token, job=job, json={"reset_position_time": moment}).json() for job, moment in asked]
    assert len({query["id"] for query in accepted}) == len(asked)
    positions = [position(sim, token, query["id"], job=query["job_id"]).json()["position"] for query in accepted]
    assert positions[0] == positions[1] == "mysql-bin.000277:805"
    assert positions[2:4] == ["mysql-bin.000277:1805", "mysql-bin.000276:3599805"]
    assert len(set(positions)) == len(asked) - 1


def test_extra_jobs_are_added_and_removed(sim: Simulator) -> None:
    before = len(sim.cloud["jobs"])
    sim.settings(extra_jobs=50)
    extra = sim.cloud["jobs"][before:]
    assert len({job["id"] for job in extra}) == 50
    assert {(len(job["id"]), job["engine_type"], job["task_type"], job["project_id"]) for job in extra} == {
        (36, "mysql-to-dws", "INCR_TRANS", PROJECT)
    }
    assert extra[12]["tags"] == {"fleet": "true", "shard": "3"}
    assert len({job["create_time"] for job in sim.cloud["jobs"]}) == before + 50
    assert collect(sim, sim.token(), job=extra[-1]["id"]).status_code == 202
    sim.reset()
    assert len(sim.cloud["jobs"]) == before


# Actions


def test_a_second_action_is_refused_with_202(sim: Simulator) -> None:
    sim.settings(action_seconds=600)
    token = sim.token()
    assert call(sim, "execute_job_action", token).json().keys() == {"query_id"}
    busy = call(sim, "execute_job_action", token)
    assert busy.status_code == 202
    assert busy.json().keys() == {"error_code", "error_msg"}
    assert busy.json()["error_code"] == "DRS.M01504"
    changed = sim.job(JOB, status="FULL_TRANSFER_FAILED", delay=7, tags={"a": "b"})
    assert (changed["status"], changed["transition"], changed["delay"], changed["tags"]) == (
        "FULL_TRANSFER_FAILED",
        None,
        7,
        {"a": "b"},
    )
    refused(call(sim, "execute_job_action", token), 400, "DRS.M00304")
    sim.reset()
    assert sim.job(JOB)["status"] == "INCRE_TRANSFER_STARTED"
    assert sim.cloud["settings"]["action_seconds"] == 0.3


# The log


def test_the_log_has_requests_and_responses(sim: Simulator) -> None:
    token = sim.token()
    sim.forget_requests()
    accepted = collect(sim, token, headers={"X-Language": "zh-cn"}, json={"reset_position_time": MOMENT})
    position(sim, token, "none")
    first, second = sim.requests()
    assert (first["method"], first["path"]) == ("POST", f"/v5/{PROJECT}/jobs/{JOB}/collect-db-position")
    assert first["headers"]["x-auth-token"] == token
    assert first["headers"]["x-language"] == "zh-cn"
    assert json.loads(first["body"]) == {"reset_position_time": MOMENT}
    assert (first["processed"], first["cloud_status"], first["status"], first["fault"]) == (True, 202, 202, None)
    assert (second["query"], second["status"]) == ("query_id=none", 400)
    assert second["request_id"] != first["request_id"] == accepted.headers["X-Request-Id"]
    assert first["time"] <= second["time"] <= time.time()
    sim.reset()
    assert sim.requests() == []


# Faults


def outcome(sim: Simulator) -> tuple[Any, ...]:
    seen = sim.requests()[-1]
    return seen["fault"], seen["processed"], seen["cloud_status"], seen["status"]


def raw(sim: Simulator, token: str) -> socket.socket:
    """Send a request that collects a position over a plain socket, and return the socket."""
    host, port = sim.url.removeprefix("http://").split(":")
    body = json.dumps({"reset_position_time": MOMENT})
    head = [
        f"POST /v5/{PROJECT}/jobs/{JOB}/collect-db-position HTTP/1.1",
        f"Host: {host}:{port}",
        f"X-Auth-Token: {token}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    connection = socket.create_connection((host, int(port)), timeout=TIMEOUT)
    connection.sendall("\r\n".join([*head, "", body]).encode())
    return connection


def test_latency(sim: Simulator) -> None:
    token = sim.token()
    sim.faults([{"kind": "latency", "seconds": 0.1}])
    before = time.monotonic()
    assert collect(sim, token).status_code == 202
    assert time.monotonic() - before >= 0.1
    assert outcome(sim) == ("latency", True, 202, 202)


def test_a_canned_status_keeps_the_request_from_the_cloud(sim: Simulator) -> None:
    token = sim.token()
    body = {"error_code": "APIGW.0308", "error_msg": "The throttling threshold has been reached"}
    sim.faults([{"kind": "status", "status": 429, "headers": {"Retry-After": "1"}, "body": body}])
    response = collect(sim, token)
    assert (response.status_code, response.headers["Retry-After"], response.json()) == (429, "1", body)
    assert response.headers["Content-Type"] == "application/json"
    assert response.headers["X-Request-Id"]
    assert outcome(sim) == ("status", False, None, 429)


def test_a_status_after_hides_that_the_request_was_accepted(sim: Simulator) -> None:
    token = sim.token()
    sim.faults([{"kind": "status_after", "status": 502, "body": "Bad Gateway", "content_type": "text/plain"}])
    response = collect(sim, token)
    assert (response.status_code, response.text, response.headers["Content-Type"]) == (502, "Bad Gateway", "text/plain")
    assert outcome(sim) == ("status_after", True, 202, 502)


@pytest.mark.parametrize(("kind", "processed", "status"), [("reset_before", False, None), ("reset_after", True, 202)])
def test_resets(sim: Simulator, kind: str, processed: bool, status: int | None) -> None:
    token = sim.token()
    sim.faults([{"kind": kind}])
    with raw(sim, token) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert outcome(sim) == (kind, processed, status, None)
    assert collect(sim, token).status_code == 202


def test_a_truncated_response(sim: Simulator) -> None:
    token = sim.token()
    sim.faults([{"kind": "cut"}])
    received = b""
    with raw(sim, token) as connection:
        while part := connection.recv(65536):
            received += part
    head, body = received.decode().split("\r\n\r\n", 1)
    length = next(
        int(line.partition(":")[2]) for line in head.lower().splitlines() if line.startswith("content-length:")
    )
    assert head.startswith("HTTP/1.1 202 ")
    assert 0 < len(body) == length // 2
    assert outcome(sim) == ("cut", True, 202, 202)


def test_html(sim: Simulator) -> None:
    token = sim.token()
    sim.faults([{"kind": "html"}, {"kind": "html", "status": 503, "body": "<p>Busy</p>"}])
    response = collect(sim, token)
    assert (response.status_code, response.headers["Content-Type"]) == (202, "text/html")
    assert "<html>" in response.text
    response = collect(sim, token)
    assert (response.status_code, response.headers["Content-Type"], response.text) == (503, "text/html", "<p>Busy</p>")
    assert outcome(sim) == ("html", True, 202, 503)


@pytest.mark.parametrize(
    ("fault", "status", "text"),
    [
        ({"body": {"job_id": JOB}}, 202, json.dumps({"job_id": JOB})),
        ({"body": ["x"]}, 202, '["x"]'),
        ({"body": 7}, 202, "7"),
        ({}, 202, ""),
        ({"body": None, "status": 204}, 204, ""),
        ({"body": "ab", "repeat": 2_000_000}, 202, "ab" * 2_000_000),
        ({"body": {"a": 1}, "repeat": 3}, 202, '[{"a": 1}, {"a": 1}, {"a": 1}]'),
    ],
)
def test_replaced_bodies(sim: Simulator, fault: dict[str, Any], status: int, text: str) -> None:
    token = sim.token()
    sim.faults([{"kind": "replace", **fault}])
    response = collect(sim, token)
    assert response.status_code == status
    assert response.text == text
    assert outcome(sim) == ("replace", True, 202, status)


def test_hanging(sim: Simulator) -> None:
    token = sim.token()
    sim.faults([{"kind": "hang"}])
    with raw(sim, token) as connection:
        connection.settimeout(0.1)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert outcome(sim) == ("hang", True, 202, None)


def test_an_echo_repeats_the_request(sim: Simulator) -> None:
    token = sim.token()
    sim.faults([{"kind": "echo"}, {"kind": "echo", "status": 500}])
    response = collect(sim, token, json={"reset_position_time": MOMENT})
    assert (response.status_code, response.headers["Content-Type"]) == (401, "application/json")
    body = response.json()
    assert body == {"error_code": "APIGW.0301", "error_msg": body["error_msg"]}
    assert body["error_msg"].endswith(f' {token} {{"reset_position_time": "{MOMENT}"}}')
    assert outcome(sim) == ("echo", False, None, 401)
    headers = {"Authorization": "SDK-HMAC-SHA256 Access=x", "X-Security-Token": "marked"}
    response = sim.session.get(f"{sim.url}/v3/projects", headers=headers, timeout=TIMEOUT)
    assert response.status_code == 500
    assert " SDK-HMAC-SHA256 Access=x marked " in response.json()["error_msg"]


def test_an_echo_in_the_title_of_a_page(sim: Simulator) -> None:
    sim.faults([{"kind": "echo", "content_type": "text/html", "status": 403}])
    response = log_in(sim, password="<&>'\"")
    assert (response.status_code, response.headers["Content-Type"]) == (403, "text/html")
    title = response.text.partition("<title>")[2].partition("</title>")[0]
    assert "&lt;&amp;&gt;" in title
    assert json.dumps("<&>'\"") in html.unescape(title)


def test_faults_are_counted_and_matched(sim: Simulator) -> None:
    token = sim.token()
    sim.faults(
        [
            {"kind": "status", "status": 500, "match": {"method": "get"}, "times": None},
            {"kind": "status", "status": 501, "match": {"path": "/auth/tokens$"}},
            {
                "kind": "status",
                "status": 503,
                "match": {"method": "POST", "path": f"{JOB}/collect"},
                "skip": 1,
                "times": 2,
            },
        ]
    )
    assert [collect(sim, token).status_code for _attempt in range(5)] == [202, 503, 503, 202, 202]
    assert [position(sim, token, "none").status_code for _attempt in range(3)] == [500, 500, 500]
    assert [log_in(sim).status_code for _attempt in range(2)] == [501, 201]
    assert [fault["applied"] for fault in sim.fault_counts()] == [3, 1, 2]
    sim.faults([])
    assert position(sim, token, "none").status_code == 400


def test_invalid_controls_are_refused(sim: Simulator) -> None:
    for faults in (
        [{"kind": "nonsense"}],
        [{"kind": "latency"}],
        [{"kind": "status"}],
        [{"kind": "hang", "match": {"path": "("}}],
        [{"kind": "hang", "typo": 1}],
        [{"kind": "hang", "applied": 1}],
        [{"kind": "hang", "match": {"operation": "nonsense"}}],
    ):
        with pytest.raises(ValueError, match="400"):
            sim.faults(faults)
    invalid: list[dict[str, Any]] = [{"colect_seconds": 1}, {"collect_seconds": "1"}, {"clock_offset": "1"}]
    invalid += [{"unpublished": ["nonsense"]}, {"duplicate_projects": ["nonsense"]}, {"agency": "nonsense"}]
    invalid += [{"unknown_jobs_v3": "nonsense"}]
    for settings in invalid:
        with pytest.raises(ValueError, match="400"):
            sim.settings(**settings)
    invalid = [{"action": "nonsense"}, {"status": "nonsense"}, {"precheck": 101}, {"id": "x"}, {"collect": "pending"}]
    invalid += [{"resumes_after": -1}, {"conflict_policy": "nonsense"}, {"pause_mode": "all"}]
    for changes in invalid:
        with pytest.raises(ValueError, match="400"):
            sim.job(JOB, **changes)
    with pytest.raises(ValueError, match="400"):
        sim.job("nonsense", action="stuck")
    with pytest.raises(ValueError, match="400"):
        sim.settings(action_status=201)
    with pytest.raises(ValueError, match="400"):
        sim.revoke("APIGW.0101")


# The process


def test_it_stops_at_once_and_leaves_no_process(sim: Simulator) -> None:
    with simulator() as own:
        assert own.pid != sim.pid
        assert own.url != sim.url
        token = own.token()
        own.faults([{"kind": "hang"}])
        connection = raw(own, token)
        deadline = time.monotonic() + TIMEOUT
        while not own.requests()[-1]["processed"] or own.requests()[-1]["fault"] != "hang":
            assert time.monotonic() < deadline
        before = time.monotonic()
    assert time.monotonic() - before < 5  # before it would be killed
    connection.close()
    with pytest.raises(ProcessLookupError):
        os.kill(own.pid, 0)
    assert log_in(sim).status_code == 201


def test_a_simulator_that_does_not_start_says_why(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no module named connexion >&2\nexit 3\n", encoding="utf-8")
    broken.chmod(broken.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(RuntimeError, match="no module named connexion"), simulator(str(broken)):
        pass


@pytest.mark.filterwarnings("ignore::Warning")  # raised by the test client about httpx
def test_a_response_that_breaks_the_contract_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    from simulator.app import build
    from simulator.cloud import Cloud
    from starlette.testclient import TestClient

    cloud = Cloud()
    token = cloud.issue_token(cloud.users["drs-operator"], cloud.find_project(name="eu-west-101"))
    with TestClient(build(cloud)) as client:
        path, headers = f"/v5/{PROJECT}/jobs/{JOB}?type=detail", {"X-Auth-Token": token.value}
        assert client.get(path, headers=headers).status_code == 200
        cloud.jobs[JOB].status = "NO_SUCH_STATUS"
        response = client.get(path, headers=headers)
        assert (response.status_code, response.json()["error_code"]) == (500, "SIMULATOR.BUG")
        assert "SIMULATOR.BUG" in caplog.text
        assert "NO_SUCH_STATUS" in caplog.text
        cloud.jobs[JOB] = None  # type: ignore[assignment]
        cloud.find_job = lambda project_id, job_id: 1 / 0  # type: ignore[method-assign, assignment, return-value]
        assert client.get(path, headers=headers).json()["error_code"] == "SIMULATOR.BUG"
