# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The contracts are compared with the official SDK and the API pages."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from typing import Any

import pytest
from huaweicloudsdkdrs import v3 as drs_v3
from huaweicloudsdkdrs import v5
from huaweicloudsdkiam import v3
from jsonschema import ValidationError
from openapi_schema_validator import OAS30Validator
from openapi_spec_validator import validate as validate_contract
from simulator.app import METHODS, read_contract

SDKS = {
    "drs": (v5, v5.DrsClient, "/v5"),
    "drs_v3": (drs_v3, drs_v3.DrsClient, "/v3"),
    "iam": (v3, v3.IamClient, "/v3"),
}
# Transcribed from the API pages drs_03_0222 (collecting), drs_03_0221 (its result), drs_03_0208 (start positions),
# drs_api_0150 (statuses), iam_06_0003 (projects) and iam_04_0002 (temporary keys).
EXAMPLES: list[tuple[str, str, dict[str, Any]]] = [
    ("drs", "QueryDbPositionReq", {"reset_position_time": "2023-09-19T07:00:00Z"}),
    (
        "drs",
        "CollectPositionAsyncResponse",
        {
            "id": "0eacda0b-9422-4535-8b62-537d1833638b",
            "job_id": "177738d1-4eee-4fcb-a4e1-09aea79jb20i",
            "status": "pending",
        },
    ),
    ("drs", "Error", {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}),
    (
        "drs",
        "ShowPositionResultResponse",
        {"job_id": "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r", "position": "mysql-bin.000277:805", "status": "pending"},
    ),
    ("drs", "Error", {"error_code": "DRS.10030014", "error_msg": "Firstly, please the query object info."}),
    ("drs", "ModifyStartPositionReq", {"file_and_position": "mysql-bin.000277:805"}),
    (
        "drs_v3",
        "BatchListJobStatusResponse",
        {
            "results": [
                {"id": "9a470239-2308-4bb5-a6bc-1040402fjb21", "status": "INCRE_TRANSFER_STARTED"},
                {"id": "dc67695a-ee3e-49b8-a022-a099bd81jb21", "status": "INCRE_TRANSFER_FAILED"},
            ],
            "count": 2,
        },
    ),
    (
        "iam",
        "AuthProjectsResponse",
        {
            "projects": [
                {
                    "domain_id": "d78cbac186b744899480f25bd02...",
                    "is_domain": False,
                    "parent_id": "d78cbac186b744899480f25bd022...",
                    "name": "af-south-1",
                    "description": "",
                    "links": {"self": "https://iam.myhuaweicloud.com/v3/projects/06f1cbbaf280106b2f14c00313a9d065"},
                    "id": "06f1cbbaf280106b2f14c00313a9...",
                    "enabled": True,
                }
            ],
            "links": {"self": "https://iam.myhuaweicloud.com/v3/auth/projects"},
        },
    ),
    (
        "metadata",
        "SecurityKey",
        {
            "credential": {
                "access": "NZFAT5VNWEJDGZ4PZ...",
                "expires_at": "2020-01-08T03:50:07.574000Z",
                "secret": "riEoWsy3qO0BvgwfkoLVgCUvzgpjBBcvdq...",
                "securitytoken": "gQpjbi1ub3J0aC00jD4Ej...",
            }
        },
    ),
]
# Responses that the API pages document and the SDK's operation lacks.
OTHER_RESPONSES = {("execute_job_action", "200"): "ActionBaseResp"}
TYPES = {"str": "string", "int": "integer", "bool": "boolean", "float": "number"}
# Types in which the examples of the API pages contradict the SDK.
OTHER_TYPES = {"JobBaseInfo.expired_days": "integer"}
# Properties that the SDK requires and the API pages do not.
OPTIONAL = {"PwdAuth.scope"}


def resolved(node: Any, contract: dict[str, Any]) -> Any:
    """Return a part of a contract with its references resolved."""
    if isinstance(node, list):
        return [resolved(item, contract) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        target: Any = contract
        for step in node["$ref"].removeprefix("#/").split("/"):
            target = target[step]
        return resolved(target, contract)
    return {name: resolved(item, contract) for name, item in node.items()}


def read_resolved(service: str) -> dict[str, Any]:
    contract = read_contract(service)
    whole: dict[str, Any] = resolved(contract, contract)
    return whole


CONTRACTS = {service: read_resolved(service) for service in (*SDKS, "metadata")}
OPERATIONS = {
    operation["operationId"]: (
        service,
        method,
        path,
        item.get("parameters", []) + operation.get("parameters", []),
        operation,
    )
    for service in SDKS
    for path, item in CONTRACTS[service]["paths"].items()
    for method, operation in item.items()
    if method in METHODS
}


@pytest.mark.parametrize("name", [*SDKS, "metadata", "control"])
def test_the_contract_is_openapi(name: str) -> None:
    contract = read_contract(name)
    validate_contract(contract)
    if name != "control":
        for path in contract["paths"].values():
            for method, operation in path.items():
                assert method not in METHODS or "support.huaweicloud.com" in operation["description"]


@pytest.mark.parametrize(("service", "name", "example"), EXAMPLES)
def test_the_pages_examples_hold(service: str, name: str, example: dict[str, Any]) -> None:
    validator = OAS30Validator(CONTRACTS[service]["components"]["schemas"][name])
    validator.validate(example)
    for wrong in ({**example, "more": "x"}, {name: [value] for name, value in example.items()}, {}, [example]):
        with pytest.raises(ValidationError):
            validator.validate(wrong)


def differences(schema: dict[str, Any], sdk: Any, model_name: str, where: str) -> Iterator[str]:
    """Yield the differences between a schema and a model of the SDK."""
    model = getattr(sdk, model_name)
    theirs = {model.attribute_map[attribute]: kind for attribute, kind in model.openapi_types.items()}
    ours = schema["properties"]
    required = required_by(model)
    missing = (required if schema.get("x-partial") else set(theirs)) - set(ours)
    yield from (f"{where}.{name} is missing in the contract" for name in sorted(missing))
    optional = (required & set(ours)) - set(schema.get("required", []))
    yield from (
        f"{where}.{name} is required in the SDK" for name in sorted(optional) if f"{model_name}.{name}" not in OPTIONAL
    )
    for name, part in ours.items():
        if OTHER_TYPES.get(f"{model_name}.{name}") != part.get("type", "object"):
            yield from _property_differences(part, sdk, theirs.get(name), f"{where}.{name}")


def required_by(model: Any) -> set[str]:
    """Return the properties that a model of the SDK sets even to None, which are those that its API page requires."""
    names = re.findall(r"^ {8}self\.(\w+) = \1$", inspect.getsource(model.__init__), re.MULTILINE)
    return {model.attribute_map[name] for name in names}


def _property_differences(schema: dict[str, Any], sdk: Any, kind: str | None, where: str) -> Iterator[str]:
    if kind is None:
        yield f"{where} is not in the SDK"
    elif kind.startswith("list["):
        if schema["type"] != "array":
            yield f"{where} is a list in the SDK"
        else:
            yield from _property_differences(schema["items"], sdk, kind[5:-1], f"{where}[]")
    elif kind.startswith("dict(str, "):
        if schema["type"] != "object":
            yield f"{where} is an object in the SDK"
        else:
            yield from _property_differences(schema["additionalProperties"], sdk, kind[10:-1], f"{where}{{}}")
    elif kind in TYPES:
        if schema["type"] != TYPES[kind]:
            yield f"{where} is {schema['type']} in the contract, {kind} in the SDK"
    else:
        yield from differences(schema, sdk, kind, where)


def model_of(name: str, status: str, info: dict[str, Any]) -> str:
    model: str = OTHER_RESPONSES.get((name, status), info["response_type"])
    return model


def response_differences(response: dict[str, Any], sdk: Any, model_name: str) -> Iterator[str]:
    """Yield the differences between a response and a model. The models do not contain errors, even those with 2xx."""
    if "content" not in response:
        kinds = getattr(sdk, model_name).openapi_types
        yield from () if kinds == {"body": "object"} else (f"response has a body in the SDK: {kinds}",)
        return
    schema = response["content"]["application/json"]["schema"]
    for alternative in schema.get("oneOf", [schema]):
        if alternative != CONTRACTS["drs"]["components"]["schemas"]["Error"]:
            yield from differences(alternative, sdk, model_name, "response")


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_contract_agrees_with_the_sdk(name: str) -> None:
    service, method, path, parameters, operation = OPERATIONS[name]
    sdk, client, base = SDKS[service]
    request_model = getattr(sdk, "".join(part.capitalize() for part in name.split("_")) + "Request")
    request = request_model(**dict.fromkeys(request_model.attribute_map, "x"))
    info = getattr(client, f"_{name}_http_info")(request)
    given = {"project_id"} if "{project_id}" in path else set()  # by the SDK's credentials
    assert (info["method"], info["resource_path"]) == (method.upper(), base + path)
    places: dict[str, dict[str, dict[str, Any]]] = {"path": {}, "query": {}, "header": {}}
    for parameter in parameters:
        places[parameter["in"]][parameter["name"]] = parameter
    assert set(places["path"]) == given | set(info["path_params"])
    assert set(places["query"]) == {name for name, _value in info["query_params"]}
    assert set(places["header"]) == set(info["header_params"]) - {"Content-Type"}
    for attribute, kind in request_model.openapi_types.items():
        described = places["query"].get(request_model.attribute_map[attribute])
        assert described is None or described["schema"]["type"] == (
            "array" if kind.startswith("list[") else TYPES[kind]
        )
    assert ("requestBody" in operation) == (info["body"] is not None)
    found: list[str] = []
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        found += differences(schema, sdk, request_model.openapi_types["body"], "request")
    responses = {status: response for status, response in operation["responses"].items() if status < "300"}
    assert info["response_type"] in {model_of(name, status, info) for status in responses}
    for status, response in responses.items():
        headers = {
            f"response.{name} is missing in the contract"
            for name in info["response_headers"]
            if name in response["headers"]
        }
        found += set(response_differences(response, sdk, model_of(name, status, info))) - headers
    assert not found


def test_a_disagreement_with_the_sdk_is_found() -> None:
    schema = {"properties": {"reset_time": {"type": "string"}}}
    assert list(differences(schema, v5, "QueryDbPositionReq", "request")) == [
        "request.reset_position_time is missing in the contract",
        "request.reset_time is not in the SDK",
    ]
    schema = {"properties": {"reset_position_time": {"type": "integer"}}, "required": ["reset_position_time"]}
    assert list(differences(schema, v5, "QueryDbPositionReq", "request")) == [
        "request.reset_position_time is integer in the contract, str in the SDK",
    ]
    schema = {"x-partial": True, "properties": {"available_actions": {"type": "array", "items": {"type": "string"}}}}
    assert list(differences(schema, v5, "JobActions", "response")) == [
        "response.current_action is missing in the contract",
        "response.unavailable_actions is missing in the contract",
        "response.available_actions is required in the SDK",
    ]
    schema = {
        "properties": {"tags": {"type": "object", "additionalProperties": {"type": "integer"}}},
        "x-partial": True,
    }
    assert list(differences(schema, drs_v3, "QueryJobsReq", "request")) == [
        "request.db_use_type is missing in the contract",
        "request.tags{} is integer in the contract, str in the SDK",
    ]
    schema = {"x-partial": True, "properties": {"expired_days": {"type": "boolean"}}}
    assert list(differences(schema, v5, "JobBaseInfo", "response")) == [
        "response.expired_days is boolean in the contract, str in the SDK"
    ]
    assert list(response_differences({}, v5, "ShowActionsResponse")) == [
        "response has a body in the SDK: {'job_action': 'JobActions'}"
    ]
    either = {
        "oneOf": [{"properties": {"query": {"type": "string"}}}, CONTRACTS["drs"]["components"]["schemas"]["Error"]]
    }
    assert list(
        response_differences({"content": {"application/json": {"schema": either}}}, v5, "ExecuteJobActionResponse")
    ) == [
        "response.query_id is missing in the contract",
        "response.query is not in the SDK",
    ]
