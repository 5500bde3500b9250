# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""python server.py FOLDER: runs Keystone on loopback until it is terminated, together with one DRS call.

Keystone is OpenStack's identity service. IAM uses its protocol. The real Keystone handles every login and every token.
All its data is in FOLDER, where info.json contains the port, the account, the projects and the passwords.
"""

from __future__ import annotations

import configparser
import json
import os
import signal
import sys
import uuid
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

from cheroot import wsgi
from keystone.common import fernet_utils, provider_api
from keystone.common.sql import upgrades
from keystone.server.wsgi import initialize_public_application
from oslo_utils import timeutils
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

ACCOUNT = "example-account"
PROJECTS = ("eu-west-101", "eu-west-101_finance")
OPERATOR = "drs-operator"
# All users have the same role in every project. These are their other properties.
USERS: dict[str, dict[str, Any]] = {
    OPERATOR: {},
    "drs-forgetful": {},
    "drs-disabled": {"enabled": False},
    "drs-two-factors": {
        "options": {"multi_factor_auth_enabled": True, "multi_factor_auth_rules": [["password", "totp"]]}
    },
}
# As IAM documents it, except for the rounds: a strong hash takes a quarter of a second.
SETTINGS: dict[str, dict[str, Any]] = {
    "auth": {"methods": "password,token,totp"},
    "identity": {"password_hash_rounds": 4},
    "security_compliance": {"lockout_failure_attempts": 3, "lockout_duration": 15 * 60},
    "token": {"expiration": 24 * 60 * 60},
}


def keystone(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Set up Keystone with a new database, filled by its own managers. Return its application and the data."""
    settings = configparser.ConfigParser(interpolation=None)
    settings.read_dict(
        {
            **SETTINGS,
            "DEFAULT": {"log_file": f"{folder}/keystone.log", "use_stderr": False},
            "database": {"connection": f"sqlite:///{folder}/keystone.db"},
            "fernet_tokens": {"key_repository": f"{folder}/keys"},
            "fernet_receipts": {"key_repository": f"{folder}/keys"},
        }
    )
    with Path(folder, "keystone.conf").open("w", encoding="utf-8") as file:
        settings.write(file)
    os.environ["OS_KEYSTONE_CONFIG_DIR"] = str(folder)
    keys = fernet_utils.FernetUtils(f"{folder}/keys", 3, "fernet_tokens")
    keys.create_key_directory()
    keys.initialize_key_repository()
    application = initialize_public_application()
    upgrades.offline_sync_database_to_version()

    managers = provider_api.ProviderAPIs
    account, role = uuid.uuid4().hex, uuid.uuid4().hex
    projects = {name: uuid.uuid4().hex for name in PROJECTS}
    managers.resource_api.create_domain(account, {"id": account, "name": ACCOUNT, "enabled": True})
    managers.role_api.create_role(role, {"id": role, "name": "drs_administrator"})
    for name, project in projects.items():
        managers.resource_api.create_project(
            project, {"id": project, "name": name, "domain_id": account, "enabled": True}
        )
    passwords = {name: f"{name}-Passw0rd!" for name in USERS}
    for name, more in USERS.items():
        user = managers.identity_api.create_user(
            {"name": name, "domain_id": account, "password": passwords[name], "enabled": True, **more}
        )
        for project in projects.values():
            managers.assignment_api.add_role_to_user_and_project(user["id"], project, role)
    return application, {"account": ACCOUNT, "projects": projects, "passwords": passwords}


class Front:
    """Keystone, the DRS call that reads a position, and the controls for tests below /_keystone."""

    def __init__(self, application: Any) -> None:
        self.keystone = application
        self.requests: list[str] = []
        self.ahead = timedelta()
        now = timeutils.utcnow
        timeutils.utcnow = lambda *args, **kwargs: now(*args, **kwargs) + self.ahead

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        steps = request.path.strip("/").split("/")
        if steps[0] == "_keystone":
            return self.control(request)(environ, start_response)
        response = self.drs(request, *steps) if steps[0] == "v5" else Response.from_app(self.keystone, environ)
        self.requests.append(f"{request.method} {request.path} {response.status_code}")
        return response(environ, start_response)

    def control(self, request: Request) -> Response:
        """DELETE returns and clears the log of requests. POST advances the clock."""
        if request.method == "POST":
            self.ahead += timedelta(seconds=request.get_json()["advance_seconds"])
            return Response(status=204)
        seen, self.requests = self.requests, []
        return json_response(200, seen)

    def drs(self, request: Request, *steps: str) -> Response:
        """Return the result of a query, if Keystone accepts the token and it belongs to the project."""
        token = request.headers.get("X-Auth-Token", "")
        validation = Client(self.keystone).get(
            "/v3/auth/tokens", headers={"X-Auth-Token": token, "X-Subject-Token": token}
        )
        if validation.status_code != 200 or validation.get_json()["token"]["project"]["id"] != steps[1]:
            return json_response(
                401, {"error_code": "APIGW.0301", "error_msg": "Incorrect IAM authentication information"}
            )
        if request.method != "GET" or steps[-1] != "db-position":
            return json_response(404, {"error_code": "APIGW.0101", "error_msg": "The API does not exist"})
        return json_response(200, {"job_id": steps[3], "status": "pending"})


def json_response(status: int, body: Any) -> Response:
    return Response(json.dumps(body), status, mimetype="application/json")


def main() -> None:
    folder = Path(sys.argv[1]).resolve()
    sys.argv[1:] = []  # Keystone would parse them as its own
    application, info = keystone(folder)
    # One thread, one request at a time: SQLite has one writer.
    server = wsgi.Server(("127.0.0.1", 0), Front(application), numthreads=1)
    server.prepare()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    draft = folder / "info.json.draft"
    draft.write_text(json.dumps({"port": server.bind_addr[1], "pid": os.getpid(), **info}), encoding="utf-8")
    draft.replace(folder / "info.json")  # atomic, so that no reader sees an incomplete file
    try:
        server.serve()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
