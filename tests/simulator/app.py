# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Combines the contracts, the operations and the wire."""

from __future__ import annotations

import json
import logging
import re
from functools import cache, partial
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import connexion
import yaml
from connexion.lifecycle import ConnexionRequest, ConnexionResponse
from connexion.middleware.context import ContextMiddleware
from connexion.middleware.exceptions import ExceptionMiddleware
from connexion.middleware.lifespan import LifespanMiddleware
from connexion.middleware.request_validation import RequestValidationMiddleware
from connexion.middleware.response_validation import ResponseValidationMiddleware
from connexion.middleware.routing import RoutingMiddleware
from connexion.resolver import Resolver
from connexion.spec import Specification
from connexion.validators import VALIDATOR_MAP
from connexion.validators.json import JSONResponseBodyValidator
from starlette.exceptions import HTTPException

from .cloud import Cloud
from .control import Control
from .drs import Drs
from .drs_v3 import DrsV3
from .errors import CloudError
from .faults import JSON_TYPE, Front, Route
from .gateway import Gateway, Operation
from .iam import Iam
from .metadata import Metadata

CONTRACTS = Path(__file__).parent
METHODS = {"get", "put", "post", "delete", "patch"}
BUG = "SIMULATOR.BUG"

log = logging.getLogger("simulator")


class Routing(RoutingMiddleware):  # type: ignore[misc]
    """Does not redirect paths with a trailing slash like Starlette: the real gateway does not know such an API."""

    def add_api(self, specification: Specification, *args: Any, **kwargs: Any) -> None:
        super().add_api(specification, *args, **kwargs)
        for router in (self.router, *(route.app for route in self.router.routes)):
            router.redirect_slashes = False


class CachingValidator(JSONResponseBodyValidator):  # type: ignore[misc]
    """Validates equal responses only once: long lists take longer to validate than to create."""

    LIMIT = 10_000
    valid: dict[tuple[int, bytes], Any] = {}  # keeps the schemas, so that no id is reused

    def _validate(self, body: Any) -> None:
        key = (id(self._schema), sha256(json.dumps(body).encode()).digest())
        if key in self.valid:
            return
        super()._validate(body)
        if len(self.valid) >= self.LIMIT:
            self.valid.clear()
        self.valid[key] = self._schema


@cache
def read_contract(service: str) -> dict[str, Any]:
    # The loader in C takes a tenth of the time.
    contract: dict[str, Any] = yaml.load(
        (CONTRACTS / f"{service}.yaml").read_text(encoding="utf-8"), Loader=yaml.CSafeLoader
    )
    return contract


def _operations(service: str) -> dict[str, Operation]:
    contract = read_contract(service)
    items = (item for path in contract["paths"].values() for method, item in path.items() if method in METHODS)
    return {
        item["operationId"]: Operation(
            service,
            bool(item.get("security", contract.get("security"))),
            item.get("x-permission", contract.get("x-permission")),
            frozenset(item["responses"]),
        )
        for item in items
    }


def routes(service: str) -> list[Route]:
    contract = read_contract(service)
    base = urlsplit(contract["servers"][0]["url"]).path
    return [
        Route(method.upper(), re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(base + path))), item["operationId"])
        for path, items in contract["paths"].items()
        for method, item in items.items()
        if method in METHODS
    ]


def build(cloud: Cloud | None = None) -> Front:
    """Return the simulator as an ASGI application."""
    cloud = cloud or Cloud()
    published = ("iam", "drs", "drs_v3", "metadata")
    operations = {name: operation for service in published for name, operation in _operations(service).items()}
    front = Front(cloud.now, [route for service in published for route in routes(service)])
    job_states = set(read_contract("drs")["components"]["schemas"]["JobStatus"]["enum"])
    control = Control(cloud, front, set(operations), job_states)
    services = {
        "iam": Iam(cloud),
        "control": control,
        "drs": Drs(cloud),
        "drs_v3": DrsV3(cloud),
        "metadata": Metadata(cloud),
    }
    operations.update(_operations("control"))
    app = connexion.AsyncApp(
        "simulator",
        specification_dir=CONTRACTS,
        middlewares=[
            ExceptionMiddleware,
            Routing,
            ResponseValidationMiddleware,
            partial(Gateway, cloud=cloud, operations=operations),
            RequestValidationMiddleware,
            LifespanMiddleware,
            ContextMiddleware,
        ],
    )
    for name, service in services.items():
        app.add_api(
            f"{name}.yaml",
            name=name,
            base_path=urlsplit(
                read_contract(name)["servers"][0]["url"]
            ).path,  # connexion sorts by it: APIs without one come last
            resolver=Resolver(partial(getattr, service)),
            strict_validation=True,
            validate_responses=True,
            validator_map={"response": {**VALIDATOR_MAP["response"], JSON_TYPE: CachingValidator}},
        )
    app.add_error_handler(405, _unknown)
    app.add_error_handler(404, _unknown)
    app.add_error_handler(Exception, _bug)
    app.add_error_handler(connexion.ProblemException, _bug)
    front.app = app
    return front


def _unknown(request: ConnexionRequest, exc: Exception) -> ConnexionResponse:
    """An unknown path, or a path with the wrong method, is an API that does not exist."""
    refusal = CloudError("APIGW.0101")
    return _respond(
        request, refusal.status, refusal.body(request.headers.get("x-language", ""), request.scope["request_id"])
    )


def _bug(request: ConnexionRequest, exc: Exception) -> ConnexionResponse:
    """A response that breaks the contract, or another bug: not to be mistaken for the behaviour of the cloud."""
    log.error("%s: %s %s: %r", BUG, request.method, request.scope["path"], exc, exc_info=exc)
    detail = exc.detail if isinstance(exc, HTTPException) else repr(exc)
    return _respond(request, 500, {"error_code": BUG, "error_msg": f"The simulator broke its own contract: {detail}"})


def _respond(request: ConnexionRequest, status: int, body: dict[str, Any]) -> ConnexionResponse:
    headers = {"X-Request-Id": request.scope["request_id"]}
    return ConnexionResponse(
        status, mimetype=JSON_TYPE, content_type=JSON_TYPE, body=json.dumps(body).encode(), headers=headers
    )
