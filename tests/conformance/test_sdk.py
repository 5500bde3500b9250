# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The official SDK says whether the simulator speaks DRS, and the contracts are held against it and the API pages."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import requests
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkdrs import v5
from jsonschema import ValidationError
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate as validate_contract
from simulator.app import METHODS, read_contract
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


def key(sim: Simulator, access_key: str) -> dict[str, Any]:
    return next(item for item in sim.cloud["access_keys"] if item["access_key"] == access_key)


def client(sim: Simulator, access_key: str = KEY, project_id: str = PROJECT, **changes: str | None) -> Any:
    given = {**key(sim, access_key), **changes}
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
    given = key(sim, KEY)
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


def test_what_was_signed_must_be_what_came(sim: Simulator) -> None:
    assert ask(sim, signed(sim)).status_code == 200
    for headers in (
        {**signed(sim), "X-Language": "en-us"},
        signed(sim, body=b"{}"),
        {**signed(sim), "Authorization": "SDK-HMAC-SHA256 Access=SIMULATEDKEYOPERATOR, SignedHeaders=host, Signature=00"},
    ):
        answer = ask(sim, headers)
        assert (answer.status_code, answer.json()["error_code"]) == (401, "APIGW.0301")


# The contracts

CONTRACT = read_contract("drs")
BASE = "/v5"
OPERATIONS = {
    operation["operationId"]: (method, path, item.get("parameters", []) + operation.get("parameters", []), operation)
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}
# Transcribed from the API pages drs_03_0222 (collecting) and drs_03_0221 (its result).
EXAMPLES = [
    ("QueryDbPositionReq", {"reset_position_time": "2023-09-19T07:00:00Z"}),
    (
        "CollectPositionAsyncResponse",
        {"id": "0eacda0b-9422-4535-8b62-537d1833638b", "job_id": "177738d1-4eee-4fcb-a4e1-09aea79jb20i", "status": "pending"},
    ),
    ("Error", {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}),
    (
        "ShowPositionResultResponse",
        {"job_id": "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r", "position": "mysql-bin.000277:805", "status": "pending"},
    ),
    ("Error", {"error_code": "DRS.10030014", "error_msg": "Firstly, please the query object info."}),
]
TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}


def follow(node: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in node:
        target: Any = CONTRACT
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        node = target
    return node


def validator(name: str) -> OAS30Validator:
    return OAS30Validator({"$ref": f"#/components/schemas/{name}", "components": CONTRACT["components"]})


@pytest.mark.parametrize("name", ["iam", "drs", "control"])
def test_the_contract_is_openapi(name: str) -> None:
    contract = read_contract(name)
    validate_contract(contract)
    if name != "control":
        for path in contract["paths"].values():
            for method, operation in path.items():
                assert method not in METHODS or "support.huaweicloud.com" in operation["description"]


@pytest.mark.parametrize(("name", "example"), EXAMPLES)
def test_the_pages_examples_hold(name: str, example: dict[str, str]) -> None:
    validator(name).validate(example)
    for wrong in ({**example, "more": "x"}, {name: [value] for name, value in example.items()}, {}, [example]):
        with pytest.raises(ValidationError):
            validator(name).validate(wrong)


def sdk_model(name: str) -> Any:
    return getattr(v5, name)


def differences(schema: dict[str, Any], model: Any, where: str) -> Iterator[str]:
    """Where a schema and a model of the SDK disagree."""
    schema = follow(schema)
    theirs = {model.attribute_map[attribute]: kind for attribute, kind in model.openapi_types.items()}
    ours = schema["properties"]
    missing = [] if schema.get("x-partial") else sorted(set(theirs) - set(ours))
    yield from (f"{where}.{name} is missing in the contract" for name in missing)
    for name, part in ours.items():
        yield from _property_differences(follow(part), theirs.get(name), f"{where}.{name}")


def _property_differences(schema: dict[str, Any], kind: str | None, where: str) -> Iterator[str]:
    if kind is None:
        yield f"{where} is not in the SDK"
    elif kind.startswith("list["):
        if schema["type"] != "array":
            yield f"{where} is a list in the SDK"
        else:
            yield from _property_differences(follow(schema["items"]), kind[5:-1], f"{where}[]")
    elif kind in TYPES:
        if schema["type"] != TYPES[kind]:
            yield f"{where} is {schema['type']} in the contract, {kind} in the SDK"
    else:
        yield from differences(schema, sdk_model(kind), where)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_contract_agrees_with_the_sdk(name: str) -> None:
    method, path, parameters, operation = OPERATIONS[name]
    request_model = sdk_model("".join(part.capitalize() for part in name.split("_")) + "Request")
    request = request_model(**dict.fromkeys(request_model.attribute_map, "x"))
    info = getattr(v5.DrsClient, f"_{name}_http_info")(request)
    assert (info["method"], info["resource_path"]) == (method.upper(), BASE + path)
    places: dict[str, dict[str, dict[str, Any]]] = {"path": {}, "query": {}, "header": {}}
    for parameter in map(follow, parameters):
        places[parameter["in"]][parameter["name"]] = parameter
    assert set(places["path"]) == {"project_id", *info["path_params"]}
    assert set(places["query"]) == {name for name, _value in info["query_params"]}
    assert set(places["header"]) == set(info["header_params"]) - {"Content-Type"}
    for attribute, kind in request_model.openapi_types.items():
        described = places["query"].get(request_model.attribute_map[attribute])
        assert described is None or described["schema"]["type"] == TYPES[kind]
    assert ("requestBody" in operation) == (info["body"] is not None)
    found: list[str] = []
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        found += differences(schema, sdk_model(request_model.openapi_types["body"]), "request")
    (answer,) = (follow(response) for status, response in operation["responses"].items() if status < "300")
    found += differences(answer["content"]["application/json"]["schema"], sdk_model(info["response_type"]), "response")
    assert not found


def test_a_disagreement_with_the_sdk_is_found() -> None:
    schema = {"properties": {"reset_time": {"type": "string"}}}
    assert list(differences(schema, v5.QueryDbPositionReq, "request")) == [
        "request.reset_position_time is missing in the contract",
        "request.reset_time is not in the SDK",
    ]
    schema = {"properties": {"reset_position_time": {"type": "integer"}}}
    assert list(differences(schema, v5.QueryDbPositionReq, "request")) == [
        "request.reset_position_time is integer in the contract, str in the SDK",
    ]
