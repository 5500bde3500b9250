# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shared helpers of the tests that run Ansible."""

from __future__ import annotations

import http.server
import json
import os
import re
import sys
from pathlib import Path

from simulator.client import Simulator

PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
MOMENT = "2023-09-19T07:00:00Z"
# The programs of the environment that the tests run in, regardless of PATH.
PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.defpath}"


def secrets(sim: Simulator) -> set[str]:
    """Return all values that must not be shown: the secrets that the cloud stores or has received."""
    cloud = sim.cloud
    found = {user["password"] for user in cloud["users"]}
    for key in cloud["access_keys"]:
        found |= {key["access_key"], key["secret_key"], key.get("security_token")}
    for request in sim.requests():
        headers = request["headers"]
        names = ("x-auth-token", "x-security-token", "proxy-authorization", "x-metadata-token")
        found |= {headers.get(name) for name in names}
        found |= set(re.findall(r"(?:Access|Signature)=(\w+)", headers.get("authorization", "")))
    return {secret for secret in found if secret}


def leaked(hidden: set[str], text: str) -> list[str]:
    """Return the secrets whose first characters appear in a text, as they are or escaped as JSON."""
    begins = {secret: secret[:64] for secret in hidden}
    return [secret for secret, begin in begins.items() if begin in text or json.dumps(begin)[1:-1] in text]


class Webhook:
    """A server on loopback that keeps the texts that it is told."""

    def __init__(self) -> None:
        texts = self.texts = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                texts.append(json.loads(self.rfile.read(int(self.headers["Content-Length"])))["text"])
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *args: object) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/team"
