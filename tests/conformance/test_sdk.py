# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The official SDK says whether the simulator speaks DRS."""

from __future__ import annotations

import time
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkdrs import v5
from simulator.client import Simulator

PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
FINANCE = "0b7e6c1f94a24f5d8f0c2f3a9d1e4b76"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
FAILING_JOB = "f4179e2b-6c8d-4e0f-b1a2-c3d4e5fjb20x"
MYSQL_JOB = "9b2c4d6e-8f10-4213-a516-1718192jb201"
MOMENT = "2023-09-19T07:00:00Z"
KEY = "SIMULATEDKEYOPERATOR"
TEMPORARY_KEY = "SIMULATEDKEYTEMPORAR"
POWERLESS_KEY = "SIMULATEDKEYNOTHINGS"


def client(sim: Simulator, access_key: str = KEY, project_id: str = PROJECT, **changes: str | None) -> Any:
    given = {**sim.key(access_key), **changes}
    credentials = BasicCredentials(given["access_key"], given["secret_key"], project_id)
    if given["security_token"]:
        credentials.with_security_token(given["security_token"])
    return v5.DrsClient.new_builder().with_credentials(credentials).with_endpoints([sim.url]).build()


def collect(drs: Any, job_id: str = JOB, moment: str = MOMENT) -> Any:
    return drs.collect_position_async(v5.CollectPositionAsyncRequest(job_id=job_id, body=v5.QueryDbPositionReq(moment)))


def result(drs: Any, query_id: str, job_id: str = JOB) -> Any:
    """Ask until it is no longer pending."""
    deadline = time.monotonic() + 10
    while True:
        answer = drs.show_position_result(v5.ShowPositionResultRequest(job_id=job_id, query_id=query_id))
        if answer.status != "pending":
            return answer
        assert time.monotonic() < deadline, "still pending"


@pytest.mark.parametrize("access_key", [KEY, TEMPORARY_KEY])
def test_collects_and_reads_a_position(sim: Simulator, access_key: str) -> None:
    drs = client(sim, access_key)
    accepted = collect(drs)
    assert (accepted.status_code, accepted.status, accepted.job_id) == (202, "pending", JOB)
    answer = result(drs, accepted.id)
    assert (answer.status, answer.position, answer.job_id) == ("success", "mysql-bin.000277:805", JOB)


def test_a_collection_that_fails_has_no_position(sim: Simulator) -> None:
    drs = client(sim)
    answer = result(drs, collect(drs, FAILING_JOB).id, FAILING_JOB)
    assert (answer.status, answer.position) == ("failed", None)


def test_reads_a_job(sim: Simulator) -> None:
    job = client(sim).show_job_detail(v5.ShowJobDetailRequest(job_id=JOB, type="detail")).job
    assert (job.id, job.status) == (JOB, "INCRE_TRANSFER_STARTED")
    assert (job.base_info.engine_type, job.base_info.job_type, job.base_info.task_type) == ("mysql-to-dws", "sync", "FULL_INCR_TRANS")


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
def test_refusals_are_errors_to_the_sdk(sim: Simulator, options: Any, job_id: str, moment: str, status: int, code: str) -> None:
    with pytest.raises(ClientRequestException) as caught:
        collect(client(sim, **options), job_id, moment)
    assert (caught.value.status_code, caught.value.error_code) == (status, code)
    assert caught.value.error_msg
    assert caught.value.request_id == sim.requests()[-1]["request_id"]


def test_an_unknown_query_is_an_error_to_the_sdk(sim: Simulator) -> None:
    drs = client(sim)
    with pytest.raises(ClientRequestException) as caught:
        drs.show_position_result(v5.ShowPositionResultRequest(job_id=JOB, query_id="0eacda0b-9422-4535-8b62-537d1833638b"))
    assert (caught.value.status_code, caught.value.error_code) == (400, "DRS.10030014")


def test_an_unpublished_call_is_an_error_to_the_sdk(sim: Simulator) -> None:
    sim.settings(unpublished=["collect_position_async"])
    with pytest.raises(ClientRequestException) as caught:
        collect(client(sim))
    assert (caught.value.status_code, caught.value.error_code) == (404, "APIGW.0101")


def test_a_key_locks_after_too_many_bad_signatures(sim: Simulator) -> None:
    bad, good = client(sim, secret_key="wrong"), client(sim)
    for _row in range(2):
        for _attempt in range(5):
            with pytest.raises(ClientRequestException):
                collect(bad)
        assert collect(good).id  # not more than five, and not in a row any more
    for _attempt in range(6):
        with pytest.raises(ClientRequestException):
            collect(bad)
    with pytest.raises(ClientRequestException, match="is locked"):
        collect(good)


def signed(sim: Simulator, *, age: timedelta = timedelta(), body: bytes = b"") -> dict[str, str]:
    """The headers of a signed request for a job's detail, its clock off by so much."""
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


def test_what_was_signed_must_be_what_came(sim: Simulator) -> None:
    assert ask(sim, signed(sim)).status_code == 200
    for headers in (
        {**signed(sim), "X-Language": "en-us"},
        signed(sim, body=b"{}"),
        {**signed(sim), "Authorization": "SDK-HMAC-SHA256 Access=SIMULATEDKEYOPERATOR, SignedHeaders=host, Signature=00"},
    ):
        answer = ask(sim, headers)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")
