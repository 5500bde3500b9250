# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures that run Ansible as a user does, against the simulated cloud."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from simulator.client import Simulator
from simulator.fixtures import running, sim

__all__ = ["Ansible", "running", "sim"]

Ansible = Callable[..., str]


def changes(cloud: Simulator) -> list[str]:
    """Return the requests that change something: calls by their path, actions by their name."""
    sent = [request for request in cloud.requests() if request["method"] != "GET" and "/v5/" in request["path"]]
    return [
        json.loads(request["body"]).get("job", {}).get("action_name") or request["path"].rpartition("/")[2]
        for request in sent
    ]


def make_unusable(folder: Path) -> None:
    """Put a file in place of a folder, in which Ansible cannot create its temporary folders any more."""
    if folder.is_dir():
        folder.rename(folder.with_name("removed"))
        folder.write_text("", encoding="utf-8")


@contextmanager
def on_request(cloud: Simulator, name: str, act: Callable[[], Any]) -> Iterator[None]:
    """Do something as soon as the cloud has received a request that changes something."""
    over = threading.Event()

    def watch() -> None:
        watched = Simulator(cloud.url, cloud.pid, cloud.stderr_file)
        while not over.wait(0.05):
            if name in changes(watched):
                act()
                return

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "smoke: also runs with --smoke")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--smoke"):
        items[:] = [item for item in items if item.get_closest_marker("smoke")]


@pytest.fixture
def cloud(sim: Simulator) -> Simulator:
    """The simulator, without delays."""
    sim.reset(collect_seconds=0, action_seconds=0, extra_jobs=120)
    return sim


@pytest.fixture
def token(cloud: Simulator) -> dict[str, str]:
    """Spares a run its login, of which the log says nothing."""
    found = {"HW_AUTH_TOKEN": cloud.token(), "HW_PROJECT_ID": cloud.cloud["projects"][0]["id"]}
    cloud.forget_requests()
    return found


@pytest.fixture
def environment(request: pytest.FixtureRequest, cloud: Simulator, tmp_path: Path) -> dict[str, str]:
    """The whole environment of Ansible: the credentials of a user, and nothing from the environment of the tests."""
    key = cloud.key()
    profile = tmp_path / ".huaweicloud" / "credentials"
    profile.parent.mkdir()
    profile.write_text(f"[basic]\nak = {key['access_key']}\nsk = {key['secret_key']}\n", encoding="utf-8")
    return {
        "PATH": os.pathsep.join([str(request.config.getoption("--ansible")), os.defpath]),
        "HOME": str(tmp_path),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
        # Otherwise, in the home folder of the account that runs the tests, whatever HOME is.
        "ANSIBLE_REMOTE_TMP": str(tmp_path / ".ansible/tmp"),
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_SHOW_CUSTOM_STATS": "true",
        "ANSIBLE_VERBOSITY": "4",
        **cloud.user,
    }


def secrets(sim: Simulator) -> set[str]:
    """Return the secrets that the cloud stores or has received, which must not be shown."""
    cloud = sim.cloud
    found = {user["password"] for user in cloud["users"]} | {key["secret_key"] for key in cloud["access_keys"]}
    for request in sim.requests():
        found |= {request["headers"].get(name, "") for name in ("x-auth-token", "x-security-token")}
    return found - {""}


@pytest.fixture
def ansible(request: pytest.FixtureRequest, cloud: Simulator, environment: dict[str, str], tmp_path: Path) -> Ansible:
    """Run an Ansible command with high verbosity and return its output, which must not contain secrets.

    :param code: The expected exit code.
    :param execute: A replacement for subprocess.run.
    """

    chosen = request.config.getoption("--interpreter")
    interpreter = {"ansible_python_interpreter": str(chosen)} if chosen else {}

    def run(
        *command: object,
        code: int = 0,
        variables: Mapping[str, Any] = MappingProxyType({}),
        execute: Callable[..., Any] = subprocess.run,
        **more: str,
    ) -> str:
        variables = {**variables, **interpreter}
        extra = ["--extra-vars", json.dumps(variables)] if variables else []
        done = execute(
            [*map(str, command), *extra],
            env={**environment, **more},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=240,
            check=False,
        )
        output: str = done.stdout
        assert done.returncode == code, output
        assert [secret for secret in secrets(cloud) if secret in output] == []
        return output

    return run
