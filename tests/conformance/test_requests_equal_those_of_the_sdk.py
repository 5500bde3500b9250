# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each call that the collection can make is made by the official SDK as well, and the two requests are compared.

The simulator records them. The calls are those of its contracts, so that none can be forgotten.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials, Credentials, GlobalCredentials
from huaweicloudsdkcore.auth.internal import MetadataAccessor
from huaweicloudsdkdrs import v3, v5
from huaweicloudsdkiam import v3 as iam
from simulator.app import routes
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.plugins.module_utils import (
    _auth_access_key,
    _job_actions,
    _job_lists,
    _jobs,
    _jobs_v3,
    _position_results,
    _positions,
    _start_position,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_access_key import AccessKeyAuth, AgencyAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_password import PasswordAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient

pytestmark = pytest.mark.filterwarnings("ignore:Method '.*' of DrsClient is deprecated:DeprecationWarning")

PLUGINS = Path(__file__).parents[2] / "plugins"
PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
REGION = "eu-west-101"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
MOMENT = "2023-09-19T07:00:00Z"
POSITION = "mysql-bin.000277:805"
GTID_SET = "c8cd8ff7-da6f-11ec-a945-00d861ef1161:1-3,f4f9537f-0c8b-11ec-a284-00d861ef116a:1-10820402"
# A name with characters that have to be encoded in a query.
NAME = "a b/c+d&e=f%20~é"
PASSWORD = "Operator-Passw0rd!"
ROUTES = {
    service: {route.operation: route for route in routes(service)} for service in ("drs", "drs_v3", "iam", "metadata")
}
SERVICES = {operation: service for service, operations in ROUTES.items() for operation in operations}

# Differences between all requests of the collection and of the SDK to a service, with their reasons.
_CLIENT = {
    "header user-agent": "It names the collection.",
    "header accept": "The collection reads JSON only. The SDK accepts everything.",
    "header accept-encoding": "A small compressed body could expand beyond any limit.",
    "header connection": "HTTP/1.1 keeps connections without it.",
}
_SIGNATURE = {"signed header user-agent": "Proxies may change it."}
_DRS = {**_CLIENT, **_SIGNATURE, "signed header x-language": "It changes messages only."}
DIFFERENCES: dict[str, dict[str, str]] = {
    "drs": _DRS,
    "drs_v3": _DRS,
    "iam": {**_CLIENT, **_SIGNATURE},
    "metadata": {
        **_CLIENT,
        "header user-agent": "Both are those of HTTP libraries.",
        "header accept": "The service has one format only.",
    },
}
# Calls of the contracts that the collection does not make: what a file of it would contain if it did, and the reason.
NOT_CALLED = {
    "stop_job_action": (r"/stop[\"']", "It ends a job permanently."),
}


@dataclass
class Caller:
    """Who calls: the key that signs the requests, and the language of the messages."""

    sim: Simulator
    access_key: str
    language: str

    @property
    def key(self) -> tuple[str, str, str | None]:
        given = self.sim.key(self.access_key)
        return given["access_key"], given["secret_key"], given["security_token"]

    def options(self, **more: Any) -> AuthOptions:
        access_key, secret_key, security_token = self.key
        return AuthOptions(
            iam_endpoint=self.sim.url,
            access_key=access_key,
            secret_key=secret_key,
            security_token=security_token,
            **more,
        )

    @property
    def drs(self) -> DrsClient:
        """The client of the collection."""
        auth = AccessKeyAuth(self.options(project_id=PROJECT))
        return DrsClient(Session(HttpClient(max_retries=0), auth), self.sim.url, self.language)

    def sdk(self, kind: Any, credentials: Any) -> Any:
        """Return a client of the SDK."""
        security_token = self.key[2]
        if security_token:
            credentials.with_security_token(security_token)
        return kind.new_builder().with_credentials(credentials).with_endpoints([self.sim.url]).build()

    def sdk_drs(self, operation: str, /, **parameters: Any) -> Any:
        """Make a call of DRS with the SDK, in the version of the API that has it."""
        version = v3 if SERVICES[operation] == "drs_v3" else v5
        request = getattr(version, "".join(part.capitalize() for part in operation.split("_")) + "Request")
        client = self.sdk(version.DrsClient, BasicCredentials(*self.key[:2], PROJECT))
        return getattr(client, operation)(request(x_language=self.language, **parameters))

    @cached_property
    def query_id(self) -> str:
        """The ID of a result."""
        query_id: str = self.sdk_drs("collect_position_async", job_id=JOB, body=v5.QueryDbPositionReq(MOMENT)).id
        return query_id

    @property
    def sdk_iam(self) -> Any:
        return self.sdk(iam.IamClient, GlobalCredentials(*self.key[:2]))


@dataclass(frozen=True)
class Call:
    """A call, as the collection and as the SDK make it."""

    operation: str
    ours: Callable[[Caller], Any]
    theirs: Callable[[Caller], Any]
    variant: str = ""
    differences: dict[str, str] = field(default_factory=dict)  # with their reasons, in addition to DIFFERENCES
    status: str = "INCRE_TRANSFER_STARTED"  # of the job, before the call
    faults: tuple[dict[str, Any], ...] = ()  # while the collection makes the call


def action(name: str, api_name: str, status: str, pause_mode: str | None = None) -> Call:
    params = v5.ActionParams(pause_mode=pause_mode) if pause_mode else None
    return Call(
        "execute_job_action",
        lambda caller: _job_actions.execute_job_action(caller.drs, JOB, name, pause_mode),
        lambda caller: caller.sdk_drs(
            "execute_job_action", job_id=JOB, body=v5.JobActionReq(v5.ActionReq(None, api_name, params))
        ),
        f"{name} {pause_mode or ''}",
        status=status,
    )


def login(key: str, value: str) -> Call:
    def ours(caller: Caller) -> None:
        user = {"username": "drs-operator", "password": PASSWORD, "domain_name": "example-account"}
        options = AuthOptions(iam_endpoint=caller.sim.url, **user, **{f"project_{key}": value})
        PasswordAuth(options).authenticate(HttpClient(max_retries=0))

    def theirs(caller: Caller) -> Any:
        domain = iam.PwdPasswordUserDomain(name="example-account")
        user = iam.PwdPasswordUser(name="drs-operator", password=PASSWORD, domain=domain)
        identity = iam.PwdIdentity(methods=["password"], password=iam.PwdPassword(user=user))
        auth = iam.PwdAuth(identity=identity, scope=iam.AuthScope(project=iam.AuthScopeProject(**{key: value})))
        body = iam.KeystoneCreateUserTokenByPasswordRequestBody(auth=auth)
        request = iam.KeystoneCreateUserTokenByPasswordRequest(nocatalog="true", body=body)
        return caller.sdk_iam.keystone_create_user_token_by_password(request)

    unsigned = "The password is the credential. The SDK signs every request."
    headers = ("header authorization", "header x-sdk-date", "header x-security-token")
    signed = (f"signed header {name}" for name in ("content-type", "host", "x-sdk-date", "x-security-token"))
    differences = {**dict.fromkeys((*headers, *signed), unsigned), "header content-type": "JSON is always UTF-8."}
    return Call("keystone_create_user_token_by_password", ours, theirs, f"project {key}", differences)


def our_project(caller: Caller) -> None:
    AccessKeyAuth(caller.options(region=REGION)).authenticate(HttpClient(max_retries=0))


def our_agency(caller: Caller) -> None:
    AgencyAuth(AuthOptions(project_id=PROJECT)).authenticate(HttpClient(max_retries=0))


def their_agency(caller: Caller) -> Any:
    return MetadataAccessor().get_credential()


CALLS = [
    Call(
        "collect_position_async",
        lambda caller: _positions.collect_position_async(caller.drs, JOB, MOMENT),
        lambda caller: caller.sdk_drs("collect_position_async", job_id=JOB, body=v5.QueryDbPositionReq(MOMENT)),
    ),
    Call(
        "show_position_result",
        lambda caller: _position_results.show_position_result(caller.drs, JOB, caller.query_id),
        lambda caller: caller.sdk_drs("show_position_result", job_id=JOB, query_id=caller.query_id),
    ),
    *(
        Call(
            "show_job_detail",
            lambda caller, kind=kind: _jobs.show_job_detail(caller.drs, JOB, kind),
            lambda caller, kind=kind: caller.sdk_drs("show_job_detail", job_id=JOB, type=kind),
            kind,
        )
        for kind in ("detail", "progress")
    ),
    Call(
        "list_jobs",
        lambda caller: _job_lists.list_jobs(caller.drs),
        lambda caller: caller.sdk_drs("list_jobs", job_type="sync", offset=0, limit=_job_lists.PAGE_SIZE),
        "all",
    ),
    Call(
        "list_jobs",
        lambda caller: _job_lists.list_jobs(caller.drs, NAME),
        lambda caller: caller.sdk_drs("list_jobs", job_type="sync", offset=0, limit=_job_lists.PAGE_SIZE, name=NAME),
        "by name",
    ),
    *(
        Call(
            "show_job_list",
            lambda caller, filters=filters: _jobs_v3.list_jobs(
                caller.drs, filters.get("name"), filters.get("engine_type"), 1, 0, time.monotonic() + 60
            ),
            lambda caller, filters=filters: caller.sdk_drs(
                "show_job_list",
                body=v3.QueryJobsReq(cur_page=1, per_page=_jobs_v3.PAGE_SIZE, db_use_type="sync", **filters),
            ),
            " and ".join(filters) or "all",
        )
        for filters in ({}, {"name": NAME}, {"name": NAME, "engine_type": "mysql-to-dws"})
    ),
    *(
        Call(
            operation,
            lambda caller, kind=kind: _jobs_v3.show_job_detail(caller.drs, JOB, kind),
            lambda caller, operation=operation: caller.sdk_drs(
                operation, body=v3.BatchQueryJobReqPage([JOB], v3.PageReq(cur_page=1, per_page=1))
            ),
        )
        for operation, kind in (("batch_list_job_details", "detail"), ("batch_list_job_status", "status"))
    ),
    Call(
        "batch_list_progresses",
        lambda caller: _jobs_v3.show_job_detail(caller.drs, JOB, "progress"),
        lambda caller: caller.sdk_drs("batch_list_progresses", body=v3.BatchQueryProgressReq([JOB])),
    ),
    Call(
        "list_instance_by_tags",
        lambda caller: _job_lists.list_tags(caller.drs),
        lambda caller: caller.sdk_drs(
            "list_instance_by_tags", resource_type="sync", limit=100, offset=0, body=v5.QueryInstanceByTagReq()
        ),
    ),
    Call(
        "show_actions",
        lambda caller: _jobs.show_actions(caller.drs, JOB),
        lambda caller: caller.sdk_drs("show_actions", job_id=JOB),
    ),
    action("start", "start", "WAITING_FOR_START"),
    action("pause", "stop", "INCRE_TRANSFER_STARTED"),
    action("pause", "stop", "INCRE_TRANSFER_STARTED", "target"),
    action("pause", "stop", "INCRE_TRANSFER_STARTED", "all"),
    action("retry", "restart", "PAUSING"),
    action("reset", "reset", "INCRE_TRANSFER_FAILED"),
    *(
        Call(
            "update_start_position",
            lambda caller, gtid_set=gtid_set: _start_position.update_start_position(
                caller.drs, JOB, POSITION, gtid_set
            ),
            lambda caller, gtid_set=gtid_set: caller.sdk_drs(
                "update_start_position", job_id=JOB, body=v5.ModifyStartPositionReq(POSITION, gtid_set)
            ),
            "with GTIDs" if gtid_set else "",
            status="PAUSING",
        )
        for gtid_set in (None, GTID_SET)
    ),
    login("name", REGION),
    login("id", PROJECT),
    Call(
        "keystone_list_projects",
        our_project,
        lambda caller: caller.sdk_iam.keystone_list_projects(iam.KeystoneListProjectsRequest(name=REGION)),
    ),
    Call(
        "keystone_list_auth_projects",
        our_project,
        lambda caller: caller.sdk_iam.keystone_list_auth_projects(iam.KeystoneListAuthProjectsRequest()),
        faults=({"kind": "status", "status": 403, "match": {"operation": "keystone_list_projects"}},),
    ),
    Call(
        "create_metadata_token",
        our_agency,
        their_agency,
        differences={"header x-metadata-token-ttl-seconds": "The collection uses the token at once, and once only."},
    ),
    Call("show_security_key", our_agency, their_agency),
]


def recorded(sim: Simulator, operation: str, call: Callable[[], Any]) -> dict[str, Any]:
    """Make a call, and return the only request for an operation, and the status of its response."""
    sim.forget_requests()
    call()
    route = ROUTES[SERVICES[operation]][operation]
    (request,) = (
        seen for seen in sim.requests() if seen["method"] == route.method and route.path.fullmatch(seen["path"])
    )
    return request


def parts(request: dict[str, Any]) -> dict[str, Any]:
    """Return what is compared of a request, by name.

    The bytes of a body may differ, and so may its length. The simulator has checked the signatures.
    """
    headers = {name: value for name, value in request["headers"].items() if name != "content-length"}
    if "x-metadata-token" in headers:  # each is a new one
        headers["x-metadata-token"] = f"{len(headers['x-metadata-token'])} characters"
    signed: list[str] = []
    if "authorization" in headers:
        headers["authorization"], names = re.fullmatch(
            r"(.+), SignedHeaders=(.+), Signature=.+", headers["authorization"]
        ).groups()
        headers["x-sdk-date"] = re.sub(r"\d", "0", headers["x-sdk-date"])
        signed = names.split(";")
    return {
        **{f"header {name}": value for name, value in headers.items()},
        **{f"signed header {name}": True for name in signed},
        "method": request["method"],
        "path": request["path"],
        "query": sorted(request["query"].split("&")),
        "body": json.loads(request["body"]) if request["body"] else None,
        "status": request["status"],
    }


def test_no_call_is_forgotten() -> None:
    compared = {call.operation for call in CALLS}
    assert compared | set(NOT_CALLED) == set(SERVICES)
    assert not compared & set(NOT_CALLED)
    code = "\n".join(path.read_text(encoding="utf-8") for path in PLUGINS.rglob("*.py"))
    for operation, (sign, _reason) in NOT_CALLED.items():
        assert not re.search(sign, code), f"The collection makes the call {operation}: compare it with the SDK's."


@pytest.mark.parametrize(
    ("access_key", "language"), [("SIMULATEDKEYOPERATOR", "en-us"), ("SIMULATEDKEYTEMPORAR", "zh-cn")]
)
@pytest.mark.parametrize("call", CALLS, ids=lambda call: f"{call.operation} {call.variant}".strip())
def test_the_requests_are_equal(
    sim: Simulator, monkeypatch: pytest.MonkeyPatch, call: Call, access_key: str, language: str
) -> None:
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", sim.url)
    monkeypatch.setattr(_auth_access_key, "METADATA_URL", sim.url)
    monkeypatch.setattr(Credentials, "_CACHE", {})
    caller = Caller(sim, access_key, language)
    found = []
    for make, faults in ((call.ours, call.faults), (call.theirs, ())):
        sim.job(JOB, status=call.status)
        sim.faults(list(faults))
        found.append(parts(recorded(sim, call.operation, lambda make=make: make(caller))))
    ours, theirs = found
    assert ours["status"] < 300
    different = {
        name: (ours.get(name), theirs.get(name))
        for name in ours.keys() | theirs.keys()
        if ours.get(name) != theirs.get(name)
    }
    expected = {**DIFFERENCES[SERVICES[call.operation]], **call.differences}
    assert set(different) == set(expected) & (ours.keys() | theirs.keys()), different
