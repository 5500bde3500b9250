# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The official SDK tests the simulated DRS."""

from __future__ import annotations

import json
import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkdrs import v3, v5
from simulator.client import Simulator

pytestmark = pytest.mark.filterwarnings("ignore:Method '.*' of DrsClient is deprecated:DeprecationWarning")

PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
FINANCE = "0b7e6c1f94a24f5d8f0c2f3a9d1e4b76"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
FAILING_JOB = "f4179e2b-6c8d-4e0f-b1a2-c3d4e5fjb20x"
MYSQL_JOB = "9b2c4d6e-8f10-4213-a516-1718192jb201"
BILLING_JOB = "177738d1-4eee-4fcb-a4e1-09aea79jb20i"
REFUSING_JOB = "3e5a7b92-4d6f-4c8e-8b2d-6f80a12jb211"
FAILED_JOB = "4f6b8ca3-5e70-4d9f-9c3e-7091b23jb212"
UNCHECKED_JOB = "506c9db4-6f81-4ea0-8d4f-81a2c34jb213"
PAUSED_JOB = "839fc0e7-92b4-41d3-9072-b4d5f67jb216"
PARENT_JOB = "94a0d1f8-a3c5-42e4-8183-c5e6078jb217"
MOMENT = "2023-09-19T07:00:00Z"
KEY = "SIMULATEDKEYOPERATOR"
TEMPORARY_KEY = "SIMULATEDKEYTEMPORAR"
POWERLESS_KEY = "SIMULATEDKEYNOTHINGS"


def client(
    sim: Simulator, access_key: str = KEY, project_id: str = PROJECT, version: Any = v5, **changes: str | None
) -> Any:
    given = {**sim.key(access_key), **changes}
    credentials = BasicCredentials(given["access_key"], given["secret_key"], project_id)
    if given["security_token"]:
        credentials.with_security_token(given["security_token"])
    return version.DrsClient.new_builder().with_credentials(credentials).with_endpoints([sim.url]).build()


def collect(drs: Any, job_id: str = JOB, moment: str = MOMENT) -> Any:
    return drs.collect_position_async(v5.CollectPositionAsyncRequest(job_id=job_id, body=v5.QueryDbPositionReq(moment)))


def result(drs: Any, query_id: str, job_id: str = JOB) -> Any:
    """Read the result until it is no longer pending."""
    deadline = time.monotonic() + 10
    while True:
        response = drs.show_position_result(v5.ShowPositionResultRequest(job_id=job_id, query_id=query_id))
        if response.status != "pending":
            return response
        assert time.monotonic() < deadline, "still pending"


@pytest.mark.parametrize("access_key", [KEY, TEMPORARY_KEY])
def test_collects_and_reads_a_position(sim: Simulator, access_key: str) -> None:
    sim.settings(collect_seconds=0.05)
    drs = client(sim, access_key)
    accepted = collect(drs)
    assert (accepted.status_code, accepted.status, accepted.job_id) == (202, "pending", JOB)
    response = result(drs, accepted.id)
    assert (response.status, response.position, response.job_id) == ("success", "mysql-bin.000277:805", JOB)


def test_a_collection_that_fails_has_no_position(sim: Simulator) -> None:
    sim.settings(collect_seconds=0)
    drs = client(sim)
    response = result(drs, collect(drs, FAILING_JOB).id, FAILING_JOB)
    assert (response.status, response.position) == ("failed", None)


def test_reads_a_job(sim: Simulator) -> None:
    response = client(sim).show_job_detail(v5.ShowJobDetailRequest(job_id=JOB, type="detail"))
    job = response.job
    assert (job.id, job.status) == (JOB, "INCRE_TRANSFER_STARTED")
    assert (job.base_info.engine_type, job.base_info.job_type, job.base_info.task_type) == (
        "mysql-to-dws",
        "sync",
        "INCR_TRANS",
    )
    assert {tag.key: tag.value for tag in job.base_info.tags} == {"env": "prod", "team": "sales"}
    assert (job.create_time, job.progress_info) == ("2023-09-11T02:40:00Z", None)
    assert json.loads(response.raw_content)["job"]["base_info"]["expired_days"] == 14  # text in the SDK's model


def test_reads_the_progress_of_a_job(sim: Simulator) -> None:
    sim.job(JOB, delay=90)
    job = client(sim).show_job_detail(v5.ShowJobDetailRequest(job_id=JOB, type="progress")).job
    assert (job.id, job.status, job.base_info) == (JOB, "INCRE_TRANSFER_STARTED", None)
    progress = job.progress_info
    assert (progress.incr_trans_delay, progress.incr_trans_delay_millis, progress.progress) == ("90", "90000", "100")
    assert (progress.transfer_status, progress.task_mode) == ("INCRE_TRANSFER_STARTED", "INCR_TRANS")
    assert (progress.process_time, progress.remaining_time) == ("0", "0")
    for state in ("PAUSING", "INCRE_TRANSFER_FAILED", "FULL_TRANSFER_STARTED"):
        sim.job(JOB, status=state)
        job = client(sim).show_job_detail(v5.ShowJobDetailRequest(job_id=JOB, type="progress")).job
        assert (job.progress_info.incr_trans_delay, job.progress_info.incr_trans_delay_millis) == (None, None)


# Lists


def jobs(sim: Simulator, **query: Any) -> Any:
    return client(sim).list_jobs(v5.ListJobsRequest(**{"job_type": "sync", **query}))


def refusal(call: Any, *arguments: Any) -> tuple[int, str]:
    """Return the HTTP status and error code with which a call was refused."""
    with pytest.raises(ClientRequestException) as caught:
        call(*arguments)
    return caught.value.status_code, caught.value.error_code


def test_lists_jobs(sim: Simulator) -> None:
    response = jobs(sim, limit=100)
    known = [
        job
        for job in sim.cloud["jobs"]
        if (job["project_id"], job["job_type"], job["parent"]) == (PROJECT, "sync", None)
    ]
    assert response.total_count == len(known) > 10
    assert [job.id for job in response.jobs] == [job["id"] for job in reversed(known)]
    assert len({job.create_time for job in response.jobs}) == len(known)
    oldest = response.jobs[-1]
    assert (oldest.name, oldest.status, oldest.engine_type) == (
        "orders-to-dws",
        "INCRE_TRANSFER_STARTED",
        "mysql-to-dws",
    )
    assert (oldest.task_type, oldest.job_type, oldest.job_mode, oldest.job_mode_role) == (
        "INCR_TRANS",
        "sync",
        "single",
        None,
    )
    assert (oldest.net_type, oldest.charging_mode, oldest.job_direction) == ("vpc", "on_demand", "up")
    assert (oldest.billing_tag, oldest.enterprise_project_id, oldest.children) == (True, "0", [])
    assert (oldest.is_multi_az, oldest.node_role, oldest.node_new_framework) == (False, None, False)
    assert oldest.job_action.available_actions == ["PAUSE", "FREE_RESOURCE"]
    assert len(jobs(sim).jobs) == 10


def test_a_response_has_a_hundred_jobs_at_most(sim: Simulator) -> None:
    sim.settings(extra_jobs=250)
    total = jobs(sim, limit=1).total_count
    assert total > 250
    assert len(jobs(sim, limit=1000).jobs) == 100
    found: list[str] = []
    while page := jobs(sim, limit=1000, offset=len(found)).jobs:
        found += [job.id for job in page]
    assert len(set(found)) == len(found) == total
    assert jobs(sim, name="fleet-").total_count == 250


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"name": "orders-to-dws"}, ["orders-to-dws-archive", "orders-to-dws"]),
        ({"name": "ORDERS"}, []),
        ({"name": "stock-to-dws"}, ["stock-to-dws", "stock-to-dws"]),
        ({"name": JOB}, ["orders-to-dws"]),
        ({"name": f"{JOB},{MYSQL_JOB}"}, ["crm-to-mysql", "orders-to-dws"]),
        ({"name": ",".join([JOB] * 10)}, ["orders-to-dws"]),
        ({"name": "orders-to-dws,stock-to-dws"}, []),
        ({"status": "WAITING_FOR_START"}, ["inventory-to-dws"]),
        ({"engine_type": "oracle-to-dws"}, ["erp-to-dws"]),
        ({"engine_type": "mysql-to-mysql", "status": "PAUSING"}, []),
        ({"net_type": "eip"}, []),
        ({"name": "crm", "net_type": "vpc", "enterprise_project_id": ""}, ["crm-to-mysql"]),
        ({"name": "crm", "enterprise_project_id": "1"}, []),
        ({"job_type": "migration"}, ["legacy-to-cloud"]),
        ({"job_type": "replay"}, []),
        ({"name": "dws", "sort_key": "name", "sort_dir": "asc", "limit": 2}, ["billing-to-dws", "erp-to-dws"]),
        ({"sort_dir": "asc", "limit": 1, "offset": 1}, ["billing-to-dws"]),
        ({"sort_key": "pay_mode", "sort_dir": "asc", "limit": 1}, ["orders-to-dws"]),
        ({"offset": 1000}, []),
    ],
)
def test_filters_and_sorts_jobs(sim: Simulator, query: Any, names: list[str]) -> None:
    assert [job.name for job in jobs(sim, **query).jobs] == names


def test_a_job_of_many_is_listed_once(sim: Simulator) -> None:
    response = jobs(sim, name="shops-to-dws")
    (parent,) = response.jobs
    assert (response.total_count, parent.id, parent.job_mode, parent.job_mode_role) == (
        1,
        PARENT_JOB,
        "multi_to_single",
        "parent",
    )
    assert [(job.name, job.status) for job in parent.children] == [
        ("shops-to-dws-north", "INCRE_TRANSFER_STARTED"),
        ("shops-to-dws-south", "INCRE_TRANSFER_FAILED"),
    ]
    assert {(job.job_mode, job.job_mode_role, job.job_type) for job in parent.children} == {
        ("multi_to_single", "child", "sync")
    }
    assert parent.children[1].job_action.available_actions == ["RETRY", "RESET", "FREE_RESOURCE"]
    assert jobs(sim, name="shops-to-dws-north").total_count == 0


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"job_type": None}, "DRS.M00200"),
        ({"job_type": "nonsense"}, "DRS.M00200"),
        ({"sort_key": "nonsense"}, "DRS.M00200"),
        ({"name": ",".join([JOB] * 11)}, "DRS.M00202"),
        ({"limit": 0}, "DRS.M00202"),
        ({"offset": -1}, "DRS.M00202"),
        ({"instance_ip": "192.0.2.1"}, "DRS.M00202"),
        ({"instance_ids": ["x", "y"]}, "DRS.M00202"),
        ({"instance_ids": ["x"] * 11}, "DRS.M00200"),
    ],
)
def test_refuses_to_list_jobs(sim: Simulator, query: Any, code: str) -> None:
    assert refusal(lambda: jobs(sim, **query)) == (400, code)


def tagged(
    sim: Simulator, tags: Any = None, resource_type: str = "sync", limit: Any = None, offset: Any = None, **query: Any
) -> Any:
    given = [v5.Tag(key, values) for key, values in (tags or {}).items()]
    body = v5.QueryInstanceByTagReq(tags=given or None, **query)
    return client(sim).list_instance_by_tags(
        v5.ListInstanceByTagsRequest(resource_type=resource_type, limit=limit, offset=offset, body=body)
    )


def test_lists_jobs_by_tags(sim: Simulator) -> None:
    def names(*arguments: Any, **query: Any) -> set[str]:
        response = tagged(sim, *arguments, **query)
        assert response.total_count == len(response.resources)
        return {resource.resource_name for resource in response.resources}

    everything = {job["name"] for job in sim.cloud["jobs"] if (job["project_id"], job["job_type"]) == (PROJECT, "sync")}
    assert names() == everything
    assert names({"team": ["sales"]}) == {"orders-to-dws", "inventory-to-dws", "orders-to-dws-archive"}
    assert names({"team": ["sales", "finance"], "env": ["prod"]}) == {
        "orders-to-dws",
        "billing-to-dws",
        "payments-to-dws",
    }
    assert names({"team": []}) == names({"team": ["sales", "finance"]}) != everything
    assert names({"team": ["nobody"]}) == names({"nothing": []}) == set()
    assert names({"team": ["sales"]}, without_any_tag=True) == everything - names({"env": []})
    assert names({"env": ["prod"]}, "migration") == {"legacy-to-cloud"}
    assert names({"env": []}, matches=[v5.TagMatch("resource_name", "archive")]) == {"orders-to-dws-archive"}
    (resource,) = tagged(sim, {"team": ["sales"]}, limit=1, offset=2).resources
    assert {tag.key: tag.value for tag in resource.tags} == {"env": "test", "team": "sales"}
    assert (resource.resource_name, resource.resource_detail) == ("orders-to-dws-archive", "")
    assert len(resource.resource_id) == 36


def test_pages_through_jobs_by_tags(sim: Simulator) -> None:
    sim.settings(extra_jobs=1100)
    assert tagged(sim, {"shard": ["3", "7"]}).total_count == 220
    response = tagged(sim, {"fleet": ["true"]})
    assert (response.total_count, len(response.resources)) == (1100, 1000)
    assert len(tagged(sim, {"fleet": ["true"]}, offset=1000).resources) == 100


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"limit": 1001}, "DRS.M00202"),
        ({"limit": 0}, "DRS.M00202"),
        ({"offset": -1}, "DRS.M00202"),
        ({"tags": {f"key{number}": [] for number in range(21)}}, "DRS.M00202"),
        ({"matches": [v5.TagMatch("nonsense", "x")]}, "DRS.M00202"),
        ({"resource_type": "nonsense"}, "DRS.M00200"),
    ],
)
def test_refuses_to_list_by_tags(sim: Simulator, query: Any, code: str) -> None:
    assert refusal(lambda: tagged(sim, **query)) == (400, code)


# Actions


def act(sim: Simulator, name: str, job: str = JOB, pause_mode: str | None = None, **more: Any) -> Any:
    if pause_mode:
        more["action_params"] = v5.ActionParams(pause_mode=pause_mode)
    body = v5.JobActionReq(v5.ActionReq(action_name=name, **more))
    return client(sim).execute_job_action(v5.ExecuteJobActionRequest(job_id=job, body=body))


def actions(sim: Simulator, job_id: str = JOB) -> Any:
    return client(sim).show_actions(v5.ShowActionsRequest(job_id=job_id)).job_action


def status(sim: Simulator, job_id: str = JOB) -> str:
    job = client(sim).show_job_detail(v5.ShowJobDetailRequest(job_id=job_id, type="detail")).job
    return str(job.status)


def settled(sim: Simulator, job_id: str = JOB) -> str:
    """Return the status once no action is in progress."""
    deadline = time.monotonic() + 10
    while actions(sim, job_id).current_action:
        assert time.monotonic() < deadline, "still in progress"
    return status(sim, job_id)


INCREMENTAL, WHOLE = "INCR_TRANS", "FULL_INCR_TRANS"
TRANSITIONS = [
    ("stop", "PAUSE", "FULL_TRANSFER_STARTED", WHOLE, "FULL_TRANSFER_STARTED", "PAUSING"),
    ("stop", "PAUSE", "FULL_TRANSFER_COMPLETE", WHOLE, "FULL_TRANSFER_COMPLETE", "PAUSING"),
    ("stop", "PAUSE", "INCRE_TRANSFER_STARTED", INCREMENTAL, "INCRE_TRANSFER_STARTED", "PAUSING"),
    ("restart", "RETRY", "PAUSING", INCREMENTAL, "STARTJOBING", "INCRE_TRANSFER_STARTED"),
    ("restart", "RETRY", "INCRE_TRANSFER_FAILED", WHOLE, "STARTJOBING", "INCRE_TRANSFER_STARTED"),
    ("restart", "RETRY", "FULL_TRANSFER_FAILED", WHOLE, "STARTJOBING", "FULL_TRANSFER_STARTED"),
    ("reset", "RESET", "INCRE_TRANSFER_FAILED", INCREMENTAL, "STARTJOBING", "INCRE_TRANSFER_STARTED"),
    ("reset", "RESET", "INCRE_TRANSFER_FAILED", WHOLE, "STARTJOBING", "FULL_TRANSFER_STARTED"),
    ("reset", "RESET", "FULL_TRANSFER_FAILED", WHOLE, "STARTJOBING", "FULL_TRANSFER_STARTED"),
    ("reset", "RESET", "PAUSING", INCREMENTAL, "STARTJOBING", "INCRE_TRANSFER_STARTED"),
    ("reset", "RESET", "PAUSING", WHOLE, "STARTJOBING", "FULL_TRANSFER_STARTED"),
    ("start", "START", "WAITING_FOR_START", INCREMENTAL, "STARTJOBING", "INCRE_TRANSFER_STARTED"),
    ("start", "START", "WAITING_FOR_START", WHOLE, "STARTJOBING", "FULL_TRANSFER_STARTED"),
]


@pytest.mark.parametrize(("name", "shown", "before", "task_type", "in_progress", "after"), TRANSITIONS)
def test_an_action_changes_the_state(
    sim: Simulator, name: str, shown: str, before: str, task_type: str, in_progress: str, after: str
) -> None:
    sim.job(JOB, status=before, task_type=task_type)
    assert shown in actions(sim).available_actions
    sim.settings(action_seconds=600)
    accepted = act(sim, name)
    assert (accepted.status_code, len(accepted.query_id)) == (202, 36)
    now = actions(sim)
    assert (now.available_actions, now.current_action, status(sim)) == ([], shown, in_progress)
    assert {"PAUSE", "START", "RETRY", "RESET"} <= set(now.unavailable_actions)
    sim.job(JOB, status=before)
    sim.settings(action_seconds=0.05)
    act(sim, name)
    assert settled(sim) == after
    assert actions(sim).available_actions


@pytest.mark.parametrize("name", ["start", "stop", "restart", "reset"])
def test_no_other_state_allows_an_action(sim: Simulator, name: str) -> None:
    allowed = {row[2]: row[1] for row in TRANSITIONS if row[0] == name}
    (shown,) = set(allowed.values())
    for state in {
        "CONFIGURATION",
        "STARTJOBING",
        "START_JOB_FAILED",
        "RELEASE_RESOURCE_COMPLETE",
        *(row[2] for row in TRANSITIONS),
    } - set(allowed):
        sim.job(JOB, status=state)
        listed = actions(sim)
        assert (shown in listed.available_actions, shown in listed.unavailable_actions) == (False, True)
        assert refusal(act, sim, name) == (400, "DRS.M00304")
        assert status(sim) == state


def test_a_reset_needs_its_pre_check(sim: Simulator) -> None:
    assert "RESET" in actions(sim, UNCHECKED_JOB).available_actions
    assert refusal(act, sim, "reset", UNCHECKED_JOB) == (400, "DRS.M00304")
    assert act(sim, "reset", FAILED_JOB).query_id
    assert act(sim, "restart", UNCHECKED_JOB).query_id


def test_one_action_at_a_time(sim: Simulator) -> None:
    sim.settings(action_seconds=600)
    assert act(sim, "stop").query_id
    refused = act(sim, "stop")  # 202, which the SDK takes for success
    assert (refused.status_code, refused.query_id) == (202, None)
    assert json.loads(refused.raw_content)["error_code"] == "DRS.M01504"
    assert status(sim) == "INCRE_TRANSFER_STARTED"


def test_an_action_may_return_its_result(sim: Simulator) -> None:
    sim.settings(action_status=200, action_seconds=0.05)
    no_error = {"error_code": None, "error_msg": None}
    assert outcome(act(sim, "stop")) == (200, {"id": JOB, "name": "orders-to-dws", "status": "success", **no_error})
    assert settled(sim) == "PAUSING"


def outcome(response: Any) -> tuple[int, Any]:
    return response.status_code, json.loads(response.raw_content)


def test_an_action_may_fail_with_200(sim: Simulator) -> None:
    name = {"id": REFUSING_JOB, "name": "refunds-to-dws", "status": "failed"}
    error = {"error_code": "DRS.M00304", "error_msg": "This operation cannot be performed on the task."}
    assert outcome(act(sim, "stop", REFUSING_JOB)) == (200, {**name, **error})
    sim.job(REFUSING_JOB, action="failed_silently")
    assert outcome(act(sim, "stop", REFUSING_JOB)) == (200, {**name, "error_code": None, "error_msg": None})
    assert (status(sim, REFUSING_JOB), actions(sim, REFUSING_JOB).current_action) == ("INCRE_TRANSFER_STARTED", None)


def test_an_action_may_get_stuck_or_fail_later(sim: Simulator) -> None:
    sim.settings(action_seconds=0.05)
    for name, state in (("stop", "INCRE_TRANSFER_STARTED"), ("restart", "PAUSING")):
        sim.job(JOB, status=state, action="stuck")
        assert act(sim, name).query_id
        assert (status(sim), settled(sim)) == (state, state)
        sim.job(JOB, action="fails_later")
        assert act(sim, name).query_id
        assert settled(sim) == "INCRE_TRANSFER_FAILED"


def test_a_pause_has_a_mode(sim: Simulator) -> None:
    sim.settings(action_seconds=0)
    for given, remembered in ((None, "target"), ("target", "target"), ("all", "all")):
        assert act(sim, "stop", pause_mode=given).query_id
        assert (settled(sim), sim.job(JOB)["pause_mode"]) == ("PAUSING", remembered)
        assert act(sim, "restart", pause_mode="all").query_id
        assert (settled(sim), sim.job(JOB)["pause_mode"]) == ("INCRE_TRANSFER_STARTED", None)
    assert refusal(lambda: act(sim, "stop", pause_mode="source")) == (400, "DRS.M00202")
    assert sim.job(JOB)["status"] == "INCRE_TRANSFER_STARTED"


@pytest.mark.parametrize("phase", ["FULL", "INCRE"])
def test_a_failed_job_may_be_paused(sim: Simulator, phase: str) -> None:
    sim.settings(action_seconds=0)
    sim.job(JOB, status=f"{phase}_TRANSFER_FAILED")
    assert "PAUSE" not in actions(sim).available_actions
    assert refusal(act, sim, "stop") == (400, "DRS.M00304")
    sim.job(JOB, pausable_when_failed=True)
    assert {"PAUSE", "RETRY", "RESET"} <= set(actions(sim).available_actions)
    assert act(sim, "stop", pause_mode="all").query_id
    assert (settled(sim), sim.job(JOB)["pause_mode"]) == ("PAUSING", "all")
    assert "PAUSE" not in actions(sim).available_actions


@pytest.mark.parametrize("phase", ["FULL", "INCRE"])
def test_a_failed_job_may_resume_by_itself(sim: Simulator, phase: str) -> None:
    failed, resumed = f"{phase}_TRANSFER_FAILED", f"{phase}_TRANSFER_STARTED"
    sim.job(JOB, status=failed, resumes_after=2)
    actions(sim)
    jobs(sim)
    assert [status(sim) for _look in range(4)] == [failed, failed, resumed, resumed]
    sim.job(JOB, status=failed)
    assert [status(sim) for _look in range(4)] == [failed] * 4


def test_a_job_may_fail_and_resume_after_an_action(sim: Simulator) -> None:
    sim.settings(action_seconds=0)
    sim.job(JOB, status="PAUSING", action="fails_later", resumes_after=1)
    assert act(sim, "restart").query_id
    assert [status(sim), status(sim)] == ["INCRE_TRANSFER_FAILED", "INCRE_TRANSFER_STARTED"]


@pytest.mark.parametrize("stop", ["terminate", "stop_job_action"])
def test_a_job_is_ended_permanently(sim: Simulator, stop: str) -> None:
    def end() -> Any:
        if stop == "terminate":
            return act(sim, stop)
        return client(sim).stop_job_action(
            v5.StopJobActionRequest(job_id=JOB, body=v5.StopJobActionReq(is_force_stop=True))
        )

    assert "FREE_RESOURCE" in actions(sim).available_actions
    response = end()
    assert response.status_code == 202 if stop == "terminate" else (response.status, response.id) == ("success", JOB)
    assert status(sim) == "RELEASE_RESOURCE_COMPLETE"
    assert actions(sim).available_actions == ["DELETE"]
    assert refusal(act, sim, "restart") == refusal(end) == (400, "DRS.M00304")
    assert [job.billing_tag for job in jobs(sim, name=JOB).jobs] == [False]


@pytest.mark.parametrize(
    ("name", "more", "code"),
    [
        ("pause", {}, "DRS.M00202"),
        ("STOP", {}, "DRS.M00202"),
        ("stop", {"job_id": MYSQL_JOB}, "DRS.M00202"),
        (None, {}, "DRS.M00200"),
        ("precheck", {}, "DRS.M00304"),
    ],
)
def test_invalid_actions_are_refused(sim: Simulator, name: Any, more: Any, code: str) -> None:
    assert refusal(lambda: act(sim, name, **more)) == (400, code)
    assert act(sim, "stop", job_id=JOB).query_id


# Start positions


def apply(
    sim: Simulator, position: Any = "mysql-bin.000277:805", gtid_set: Any = None, job_id: str = PAUSED_JOB
) -> Any:
    body = v5.ModifyStartPositionReq(position, gtid_set)
    return client(sim).update_start_position(v5.UpdateStartPositionRequest(job_id=job_id, body=body))


def test_sets_a_start_position(sim: Simulator) -> None:
    gtid_set = "c8cd8ff7-da6f-11ec-a945-00d861ef1161:1-3,f4f9537f-0c8b-11ec-a284-00d861ef116a:1-10820402"
    for given in (gtid_set, None):
        response = apply(sim, gtid_set=given)
        assert (response.status_code, response.raw_content) == (200, b"")
        job = sim.job(PAUSED_JOB)
        assert (job["start_position"], job["gtid_set"]) == ("mysql-bin.000277:805", given)
    assert job == next(item for item in sim.cloud["jobs"] if item["id"] == PAUSED_JOB)


@pytest.mark.parametrize(
    ("position", "gtid_set", "code"),
    [
        ("x" * 60 + ".00000000000000000277:805000000000000000", None, None),
        ("a.b.000277:1", "x" * 2048, None),
        ("x" * 61 + ".000277:805", None, "DRS.M00202"),
        ("x" * 60 + ".00000000000000000277:8050000000000000000", None, "DRS.M00202"),  # 101 characters
        ("mysql-bin.000277", None, "DRS.M00202"),
        ("mysql-bin:805", None, "DRS.M00202"),
        (".000277:805", None, "DRS.M00202"),
        ("mysql-bin.27:805", None, "DRS.M00202"),
        ("mysql-bin.000277:", None, "DRS.M00202"),
        ("mysql-bin.000277:" + "8" * 21, None, "DRS.M00202"),
        ("mysql-bin." + "2" * 21 + ":805", None, "DRS.M00202"),
        ("mysql-bin.000277:805\n", None, "DRS.M00202"),
        ("mysql-bin.٠٠٠:805", None, "DRS.M00202"),
        *[(f"mysql{character}bin.000277:805", None, "DRS.M00202") for character in "<>&:\"\\'/"],
        ("mysql-bin.000277:805", "x" * 2049, "DRS.M00202"),
        ("mysql-bin.000277:805", "位", "DRS.M00202"),
        *[("mysql-bin.000277:805", character, "DRS.M00202") for character in "<>&\"\\'/"],
        (None, None, "DRS.M00200"),
        (277, None, "DRS.M00200"),
    ],
)
def test_the_form_of_start_positions(sim: Simulator, position: Any, gtid_set: Any, code: str | None) -> None:
    if code is None:
        apply(sim, position, gtid_set)
        assert sim.job(PAUSED_JOB)["start_position"] == position
    else:
        assert refusal(apply, sim, position, gtid_set) == (400, code)
        assert sim.job(PAUSED_JOB)["start_position"] is None


def test_what_has_a_start_position(sim: Simulator) -> None:
    for state in ("CONFIGURATION", "WAITING_FOR_START", "PAUSING", "START_JOB_FAILED", "INCRE_TRANSFER_FAILED"):
        sim.job(PAUSED_JOB, status=state)
        assert apply(sim).status_code == 200
    for state in ("INCRE_TRANSFER_STARTED", "STARTJOBING", "FULL_TRANSFER_FAILED", "RELEASE_RESOURCE_COMPLETE"):
        sim.job(PAUSED_JOB, status=state)
        assert refusal(apply, sim) == (400, "DRS.M00304")
    assert refusal(lambda: apply(sim, job_id=BILLING_JOB)) == (400, "DRS.M00304")  # not incremental only
    sim.job(BILLING_JOB, task_type="INCR_TRANS", engine_type="mysql-to-mysql")
    assert refusal(lambda: apply(sim, job_id=BILLING_JOB)) == (400, "DRS.M00304")
    sim.job(BILLING_JOB, engine_type="mysql-to-taurus")
    assert apply(sim, job_id=BILLING_JOB).status_code == 200


# Version 3


UNKNOWN_JOB = "00000000-0000-0000-0000-0000000jb20r"
UNKNOWN = ("DRS.M00289", "The task does not exist.")


def details(sim: Simulator, *job_ids: str, pages: Any = None) -> Any:
    body = v3.BatchQueryJobReqPage(list(job_ids), pages)
    return client(sim, version=v3).batch_list_job_details(v3.BatchListJobDetailsRequest(body=body))


def statuses(sim: Simulator, *job_ids: str, pages: Any = None) -> Any:
    body = v3.BatchQueryJobReqPage(list(job_ids), pages)
    return client(sim, version=v3).batch_list_job_status(v3.BatchListJobStatusRequest(body=body))


def progresses(sim: Simulator, *job_ids: str) -> Any:
    body = v3.BatchQueryProgressReq(list(job_ids))
    return client(sim, version=v3).batch_list_progresses(v3.BatchListProgressesRequest(body=body))


def jobs_v3(sim: Simulator, db_use_type: str = "sync", **more: Any) -> Any:
    body = v3.QueryJobsReq(db_use_type=db_use_type, **more)
    return client(sim, version=v3).show_job_list(v3.ShowJobListRequest(body=body))


def test_v3_reads_jobs(sim: Simulator) -> None:
    response = details(sim, JOB, MYSQL_JOB)
    first, second = response.results
    assert (response.count, first.id, second.id) == (2, JOB, MYSQL_JOB)
    assert (first.name, first.status, first.task_type, first.db_use_type) == (
        "orders-to-dws",
        "INCRE_TRANSFER_STARTED",
        "INCR_TRANS",
        "sync",
    )
    assert (first.create_time, first.net_type, first.job_direction) == ("1694400000000", "vpc", "up")
    assert (first.inst_info.engine_type, first.inst_info.status) == ("mysql-to-dws", "active")
    assert second.inst_info.engine_type == "mysql-to-mysql"
    assert {tag.key: tag.value for tag in first.tags} == {"env": "prod", "team": "sales"}
    assert (first.parent_id, first.error_code, first.error_message, first.failed_reason) == (None,) * 4
    child = next(job["id"] for job in sim.cloud["jobs"] if job["parent"] == PARENT_JOB)
    assert details(sim, child).results[0].parent_id == PARENT_JOB


def test_v3_tells_where_a_job_starts_from(sim: Simulator) -> None:
    (job,) = details(sim, PAUSED_JOB).results
    assert (job.incre_start_position, job.gtid, job.conflict_policy, job.is_open_fast_clean) == (
        None,
        None,
        "overwrite",
        False,
    )
    apply(sim, "mysql-bin.000277:805", "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5")
    sim.job(PAUSED_JOB, conflict_policy="stop", is_open_fast_clean=True)
    (job,) = details(sim, PAUSED_JOB).results
    assert (job.incre_start_position, job.gtid, job.conflict_policy, job.is_open_fast_clean) == (
        "mysql-bin.000277:805",
        "3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5",
        "stop",
        True,
    )
    sim.job(PAUSED_JOB, start_position="mysql-bin.000001:4", gtid_set=None, conflict_policy=None)
    (job,) = details(sim, PAUSED_JOB).results
    assert (job.incre_start_position, job.gtid, job.conflict_policy) == ("mysql-bin.000001:4", None, None)


def test_v3_tells_why_a_job_failed(sim: Simulator) -> None:
    sim.job(JOB, failed_reason="The binlog is gone.")
    assert details(sim, JOB).results[0].failed_reason is None
    sim.job(JOB, status="INCRE_TRANSFER_FAILED")
    assert details(sim, JOB).results[0].failed_reason == "The binlog is gone."


def test_v3_reads_statuses_and_progress(sim: Simulator) -> None:
    sim.job(JOB, delay=90)
    response = statuses(sim, JOB, PAUSED_JOB)
    assert (response.count, [(job.id, job.status) for job in response.results]) == (
        2,
        [(JOB, "INCRE_TRANSFER_STARTED"), (PAUSED_JOB, "PAUSING")],
    )
    response = progresses(sim, JOB, PAUSED_JOB)
    running, paused = response.results
    assert (response.count, running.job_id, running.transfer_status, running.progress, running.task_mode) == (
        2,
        JOB,
        "INCRE_TRANSFER_STARTED",
        "100",
        "INCR_TRANS",
    )
    assert (running.incre_trans_delay, running.incre_trans_delay_millis) == ("90", "90000")
    assert (paused.transfer_status, paused.incre_trans_delay, paused.incre_trans_delay_millis) == (
        "PAUSING",
        None,
        None,
    )


def test_each_look_of_v3_counts(sim: Simulator) -> None:
    sim.job(JOB, status="INCRE_TRANSFER_FAILED", resumes_after=2)
    seen = [details(sim, JOB).results[0].status, progresses(sim, JOB).results[0].transfer_status]
    assert [*seen, statuses(sim, JOB).results[0].status] == [
        "INCRE_TRANSFER_FAILED",
        "INCRE_TRANSFER_FAILED",
        "INCRE_TRANSFER_STARTED",
    ]


@pytest.mark.parametrize("read", [details, statuses, progresses])
def test_v3_does_not_know_a_job(sim: Simulator, read: Any) -> None:
    def errors(response: Any) -> list[tuple[Any, ...]]:
        return [
            (
                getattr(job, "job_id", None) or job.id,
                job.error_code,
                job.error_msg if read is progresses else job.error_message,
            )
            for job in response.results
        ]

    with pytest.raises(ClientRequestException) as caught:
        read(sim, UNKNOWN_JOB)
    assert caught.value.status_code == 400
    assert errors(read(sim, JOB, UNKNOWN_JOB)) == [(JOB, None, None), (UNKNOWN_JOB, *UNKNOWN)]
    sim.settings(unknown_jobs_v3="entry")
    assert errors(read(sim, UNKNOWN_JOB)) == [(UNKNOWN_JOB, *UNKNOWN)]
    sim.settings(unknown_jobs_v3="absent")
    assert errors(read(sim, UNKNOWN_JOB)) == []
    assert errors(read(sim, JOB, UNKNOWN_JOB)) == [(JOB, None, None)]


@pytest.mark.parametrize("read", [details, statuses])
def test_pages_of_v3(sim: Simulator, read: Any) -> None:
    job_ids = [job["id"] for job in sim.cloud["jobs"] if job["project_id"] == PROJECT][:10]

    def page(number: Any, size: Any) -> list[str]:
        response = read(sim, *job_ids, pages=v3.PageReq(number, size))
        assert response.count == len(response.results)
        return [job.id for job in response.results]

    assert [job.id for job in read(sim, *job_ids).results] == job_ids[:5]
    assert (page(2, None), page(None, 10), page(1, 0), page(0, 3)) == (job_ids[5:], job_ids, job_ids, job_ids)
    assert page(4, 3) == job_ids[9:]
    for number, size in ((5, 3), (2, 0), (-1, 1), (1, 101)):
        assert refusal(page, number, size) == (400, "DRS.M00202")
    assert refusal(read, sim, *job_ids, JOB) == (400, "DRS.M00202")
    assert refusal(read, sim) == (400, "DRS.M00200")


def test_v3_lists_jobs(sim: Simulator) -> None:
    response = jobs_v3(sim, per_page=100)
    same = jobs(sim, limit=100)
    assert response.total_record == same.total_count
    assert [job.id for job in response.jobs] == [job.id for job in same.jobs]
    oldest = response.jobs[-1]
    assert (oldest.name, oldest.status, oldest.engine_type, oldest.task_type, oldest.db_use_type) == (
        "orders-to-dws",
        "INCRE_TRANSFER_STARTED",
        "mysql-to-dws",
        "INCR_TRANS",
        "sync",
    )
    assert (oldest.create_time, oldest.net_type, oldest.job_direction) == ("1694400000000", "vpc", "up")
    assert (oldest.billing_tag, oldest.node_new_framework, oldest.children) == (True, False, [])
    (parent,) = jobs_v3(sim, name="shops-to-dws").jobs
    assert {job.name for job in parent.children} == {"shops-to-dws-north", "shops-to-dws-south"}
    assert [len(jobs_v3(sim, **pages).jobs) for pages in ({}, {"cur_page": 2, "per_page": 3}, {"per_page": 0})] == [
        10,
        3,
        same.total_count,
    ]
    sim.settings(v3_default_engine="mysql-to-mysql")
    assert [job.name for job in jobs_v3(sim).jobs] == ["crm-to-mysql"]
    assert [job.name for job in jobs_v3(sim, engine_type="oracle-to-dws").jobs] == ["erp-to-dws"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"name": "orders-to-dws"}, ["orders-to-dws-archive", "orders-to-dws"]),
        ({"name": f"{JOB},{MYSQL_JOB}"}, ["crm-to-mysql", "orders-to-dws"]),
        ({"name": ",".join([JOB] * 100)}, ["orders-to-dws"]),
        ({"status": "WAITING_FOR_START"}, ["inventory-to-dws"]),
        ({"engine_type": "oracle-to-dws"}, ["erp-to-dws"]),
        ({"net_type": "eip"}, []),
        ({"name": "crm", "enterprise_project_id": "0"}, ["crm-to-mysql"]),
        ({"enterprise_project_id": "1"}, []),
        ({"tags": {"team": "sales", "env": "prod"}}, ["orders-to-dws"]),
        ({"db_use_type": "migration"}, ["legacy-to-cloud"]),
        ({"name": "shops-to-dws-north"}, []),
    ],
)
def test_v3_filters_jobs(sim: Simulator, query: Any, names: list[str]) -> None:
    assert [job.name for job in jobs_v3(sim, **query).jobs] == names


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"db_use_type": None}, "DRS.M00200"),
        ({"db_use_type": "nonsense"}, "DRS.M00202"),
        ({"enterprise_project_id": ""}, "DRS.M00202"),
        ({"name": ",".join([JOB] * 101)}, "DRS.M00202"),
        ({"per_page": 101}, "DRS.M00202"),
        ({"per_page": 0, "cur_page": 2}, "DRS.M00202"),
        ({"instance_ip": "192.0.2.1"}, "DRS.M00202"),
        ({"instance_ids": ["x"]}, "DRS.M00202"),
    ],
)
def test_v3_refuses_to_list_jobs(sim: Simulator, query: Any, code: str) -> None:
    assert refusal(lambda: jobs_v3(sim, **query)) == (400, code)


def reads_of_v5(sim: Simulator, job_id: str) -> list[Any]:
    return [
        lambda: client(sim).show_job_detail(v5.ShowJobDetailRequest(job_id=job_id, type="detail")),
        lambda: client(sim).show_job_detail(v5.ShowJobDetailRequest(job_id=job_id, type="progress")),
        lambda: actions(sim, job_id),
    ]


def other_calls_work(sim: Simulator) -> bool:
    """Return whether everything but reading jobs works for the paused job."""
    sim.settings(collect_seconds=0)
    drs = client(sim)
    found = result(drs, collect(drs, PAUSED_JOB).id, PAUSED_JOB).position
    return bool(found and apply(sim).status_code == 200 and act(sim, "restart", PAUSED_JOB).query_id)


def test_v5_may_refuse_to_read_jobs(sim: Simulator) -> None:
    sim.settings(refuse_v5_reads=True)
    for read in (*reads_of_v5(sim, PAUSED_JOB), lambda: jobs(sim)):
        assert refusal(read) == (400, "DRS.M99999")
    assert jobs_v3(sim).total_record > 10
    assert details(sim, PAUSED_JOB).results[0].status == "PAUSING"
    assert other_calls_work(sim)


def test_v5_may_not_know_a_job_that_v3_knows(sim: Simulator) -> None:
    sim.job(PAUSED_JOB, known_to_v5=False)
    for read in reads_of_v5(sim, PAUSED_JOB):
        assert refusal(read) == (400, "DRS.10000010")
    assert jobs(sim, name=PAUSED_JOB).total_count == 0
    assert [job.id for job in jobs_v3(sim, name=PAUSED_JOB).jobs] == [PAUSED_JOB]
    assert details(sim, PAUSED_JOB).results[0].status == "PAUSING"
    assert other_calls_work(sim)
    assert status(sim, JOB) == "INCRE_TRANSFER_STARTED"


# Refusals


@pytest.mark.parametrize(
    ("options", "job_id", "moment", "status", "code"),
    [
        ({}, "00000000-0000-0000-0000-000000jb20r", MOMENT, 400, "DRS.10000010"),
        ({"project_id": FINANCE}, JOB, MOMENT, 400, "DRS.10000010"),
        ({"project_id": "0" * 32}, JOB, MOMENT, 403, "DRS.M00261"),
        ({}, MYSQL_JOB, MOMENT, 400, "DRS.M00304"),
        ({}, JOB, "2023-09-19 07:00:00", 400, "DRS.M00202"),
        ({}, JOB, "2999-01-01T00:00:00Z", 400, "DRS.M00202"),
        ({"access_key": POWERLESS_KEY}, JOB, MOMENT, 403, "DRS.M00102"),
        ({"secret_key": "wrong"}, JOB, MOMENT, 401, "APIGW.0301"),
        ({"access_key": TEMPORARY_KEY, "security_token": "wrong"}, JOB, MOMENT, 401, "APIGW.0301"),
        ({"access_key": TEMPORARY_KEY, "security_token": None}, JOB, MOMENT, 401, "APIGW.0301"),
    ],
)
def test_refusals_are_errors_to_the_sdk(
    sim: Simulator, options: Any, job_id: str, moment: str, status: int, code: str
) -> None:
    with pytest.raises(ClientRequestException) as caught:
        collect(client(sim, **options), job_id, moment)
    assert (caught.value.status_code, caught.value.error_code) == (status, code)
    assert caught.value.error_msg
    assert caught.value.request_id == sim.requests()[-1]["request_id"]


def test_a_key_locks_after_too_many_bad_signatures(sim: Simulator) -> None:
    bad, good = client(sim, secret_key="wrong"), client(sim)
    for _row in range(2):
        for _attempt in range(5):
            with pytest.raises(ClientRequestException):
                collect(bad)
        assert collect(good).id  # not more than five, and no longer in a row
    for _attempt in range(6):
        with pytest.raises(ClientRequestException):
            collect(bad)
    with pytest.raises(ClientRequestException, match="is locked"):
        collect(good)


def signed(sim: Simulator, *, age: timedelta = timedelta(), body: bytes = b"") -> dict[str, str]:
    """Return the headers of a signed request for the details of a job, signed some time ago."""
    given = sim.key()
    headers = {
        "Host": sim.url.rpartition("/")[2],
        "X-Sdk-Date": (datetime.now(timezone.utc) - age).strftime("%Y%m%dT%H%M%SZ"),
        "X-Language": "zh-cn",
    }
    path = f"/v5/{PROJECT}/jobs/{JOB}"
    request = SdkRequest("GET", resource_path=path, query_params=[("type", "detail")], header_params=headers, body=body)
    Signer(BasicCredentials(given["access_key"], given["secret_key"])).sign(request)
    return headers


def ask(sim: Simulator, headers: dict[str, str]) -> requests.Response:
    return sim.session.get(f"{sim.url}/v5/{PROJECT}/jobs/{JOB}", params={"type": "detail"}, headers=headers, timeout=10)


@pytest.mark.parametrize(("minutes", "status"), [(0, 200), (14, 200), (-14, 200), (16, 401), (-16, 401)])
def test_the_clock_may_be_fifteen_minutes_off(sim: Simulator, minutes: int, status: int) -> None:
    assert ask(sim, signed(sim, age=timedelta(minutes=minutes))).status_code == status
    sim.settings(clock_offset=60 * minutes)
    assert ask(sim, signed(sim)).status_code == status
    assert ask(sim, signed(sim, age=timedelta(minutes=-minutes))).status_code == 200


def test_the_signature_must_match_the_request(sim: Simulator) -> None:
    assert ask(sim, signed(sim)).status_code == 200
    for headers in (
        {**signed(sim), "X-Language": "en-us"},
        signed(sim, body=b"{}"),
        {
            **signed(sim),
            "Authorization": "SDK-HMAC-SHA256 Access=SIMULATEDKEYOPERATOR, SignedHeaders=host, Signature=00",
        },
    ):
        response = ask(sim, headers)
        assert (response.status_code, response.json()["error_code"]) == (401, "APIGW.0301")
