# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starts a simulator and controls it for a test."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from requests import Session

TESTS = Path(__file__).resolve().parent.parent
START_DEADLINE = 90.0  # seconds; it needs five, but not on a busy machine
STOP_DEADLINE = 5.0


@dataclass
class Simulator:
    """A running simulator."""

    url: str
    pid: int
    stderr_file: Path
    session: Session = field(default_factory=Session)

    def __post_init__(self) -> None:
        self.session.trust_env = False  # loopback never goes through a proxy

    def reset(self, faults: list[dict[str, Any]] | None = None, **settings: Any) -> None:
        self._control("POST", "reset", {"faults": faults or [], "settings": settings})

    def faults(self, faults: list[dict[str, Any]]) -> None:
        self._control("PUT", "faults", faults)

    def fault_counts(self) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self._control("GET", "faults")
        return result

    def settings(self, **settings: Any) -> dict[str, Any]:
        result: dict[str, Any] = self._control("PATCH", "settings", settings)
        return result

    def job(self, job_id: str, **changes: Any) -> dict[str, Any]:
        """Change a job, and return it. Without changes, only return it."""
        result: dict[str, Any] = self._control("PATCH", f"jobs/{job_id}", changes)
        return result

    def requests(self) -> list[dict[str, Any]]:
        result: list[dict[str, Any]] = self._control("GET", "requests")
        return result

    def forget_requests(self) -> None:
        self._control("DELETE", "requests")

    def revoke(self, code: str = "APIGW.0301") -> None:
        self._control("POST", "revoke", {"as": code})

    @property
    def ecs(self) -> dict[str, str]:
        """The environment of a process on an ECS host, see ecs/sitecustomize.py."""
        return {
            "PYTHONPATH": str(Path(__file__).with_name("ecs")),
            "SIMULATED_METADATA_PORT": self.url.rpartition(":")[2],
        }

    @property
    def user(self) -> dict[str, str]:
        """The environment variables with which the collection logs in as the first user."""
        cloud = self.cloud
        return {
            "HW_REGION_NAME": "eu-west-101",
            "HW_AUTH_URL": f"{self.url}/v3",
            "HW_DRS_ENDPOINT": self.url,
            "HW_DOMAIN_NAME": cloud["account"]["name"],
            "HW_USER_NAME": cloud["users"][0]["name"],
            "HW_USER_PASSWORD": cloud["users"][0]["password"],
        }

    @property
    def cloud(self) -> dict[str, Any]:
        result: dict[str, Any] = self._control("GET", "cloud")
        return result

    @property
    def stderr(self) -> str:
        return self.stderr_file.read_text(encoding="utf-8", errors="replace")

    def key(self, access_key: str = "SIMULATEDKEYOPERATOR") -> dict[str, Any]:
        """Return an access key from the initial data, or one that was issued later."""
        return next(item for item in self.cloud["access_keys"] if item["access_key"] == access_key)

    def token(self, user: str = "drs-operator", project: str | None = "eu-west-101") -> str:
        """Log in as a user from the initial data, and return the token."""
        cloud = self.cloud
        password = next(item["password"] for item in cloud["users"] if item["name"] == user)
        identity = {"name": user, "password": password, "domain": {"name": cloud["account"]["name"]}}
        auth: dict[str, Any] = {"identity": {"methods": ["password"], "password": {"user": identity}}}
        if project:
            auth["scope"] = {"project": {"name": project}}
        response = self.session.post(f"{self.url}/v3/auth/tokens", json={"auth": auth}, timeout=30)
        response.raise_for_status()
        return response.headers["X-Subject-Token"]

    def _control(self, method: str, name: str, body: Any = None) -> Any:
        response = self.session.request(method, f"{self.url}/_simulator/{name}", json=body, timeout=60)
        if not response.ok:
            raise ValueError(f"{method} {name}: {response.status_code} {response.text}")
        return response.json() if response.content else None


@contextmanager
def simulator(python: str = sys.executable) -> Iterator[Simulator]:
    """Run a simulator while the block runs."""
    path = os.pathsep.join(filter(None, [str(TESTS), os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(prefix="simulator-") as folder:
        info_file, stderr_file = Path(folder, "info.json"), Path(folder, "stderr")
        with stderr_file.open("wb") as stderr:
            process = subprocess.Popen(
                [python, "-m", "simulator", "--info-file", str(info_file)],
                env={**os.environ, "PYTHONPATH": path},
                stdin=subprocess.DEVNULL,
                stdout=stderr,
                stderr=stderr,
            )
        try:
            _wait_for(info_file, process, stderr_file)
            info = json.loads(info_file.read_text(encoding="utf-8"))
            yield Simulator(f"http://127.0.0.1:{info['port']}", info["pid"], stderr_file)
        finally:
            process.terminate()
            try:
                process.wait(STOP_DEADLINE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(info_file: Path, process: subprocess.Popen[bytes], stderr_file: Path) -> None:
    deadline = time.monotonic() + START_DEADLINE
    while not info_file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            state = "exited" if process.poll() is not None else "did not start in time"
            raise RuntimeError(f"The simulator {state}:\n{stderr_file.read_text(encoding='utf-8', errors='replace')}")
        time.sleep(0.02)
