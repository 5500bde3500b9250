# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that an AWX job leaves behind is searched for secrets.

Each module and each authentication method runs once successfully and once with a fault. The combinations of all of
them with all faults are in tests/unit/plugins/modules/test_secrets.py. This file covers what only a real run shows:
invocations, artifacts and command lines.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.tests.conformance.runs import (
    JOB,
    MOMENT,
    PATH,
    PROJECT,
    leaked,
    secrets,
)

# A job that does not exist, for an error response from the cloud.
UNKNOWN_JOB = "00000000-8e09-4a5d-8dd6-cc44f78jb20r"
PROXY_PASSWORD = "the-pr0xys-own-passw0rd"
POSITION = "mysql-bin.000277:805"
# The options that are read from a file, as from a vault.
SECRET = ("password", "auth_token", "access_key", "secret_key", "security_token")

# One task each: a module and an authentication method. All but the last two succeed.
AS_USUAL = [
    ("drs_collect_db_position", "password in the task"),
    ("drs_batch_collect_db_position", "token in the task"),
    ("drs_db_position_info", "key in the task"),
    ("iam_token", "password in the environment"),
    ("drs_job_info", "token in the environment"),
    ("drs_job_action", "key in the environment"),
    ("drs_start_position", "profile"),
    ("drs_collect_db_position of an unknown job", "agency"),
    ("drs_job_info", "broken proxy"),
]
ECHO_IN_JSON = [
    ("iam_token", "password in the task"),
    ("drs_collect_db_position", "token in the task"),
    ("drs_job_info", "key in the environment"),
    ("drs_job_action", "agency"),
]
ECHO_IN_HTML = [
    ("drs_start_position", "password in the environment"),
    ("drs_db_position_info", "token in the environment"),
    ("drs_batch_collect_db_position", "key in the task"),
]
NO_RESPONSE = [
    ("drs_collect_db_position", "token in the environment"),
    ("drs_db_position_info", "profile"),
]
# The fault comes after the task has obtained a new secret: the token of a login, or the key of an agency.
ECHO_LATER = [
    ("drs_batch_collect_db_position", "password in the environment"),
    ("drs_job_action", "key in the task"),
    ("drs_start_position", "agency"),
]
LATER = {"path": "/(collect-db-position|db-position|action|start-position)$"}
# The last request of each task meets a fault. One more fault is for the rejected token, which is renewed.
FAULTS = [
    {"kind": "echo", "times": len(ECHO_IN_JSON) + 1},
    {"kind": "echo", "times": len(ECHO_IN_HTML), "content_type": "text/html", "status": 500},
    {"kind": "reset_after", "times": len(NO_RESPONSE)},
    {"kind": "echo", "times": None, "match": LATER},
]
RUNS: dict[str, tuple[list[dict[str, Any]], list[tuple[str, str]]]] = {
    "as usual": ([], AS_USUAL),
    "faults": (FAULTS, [*ECHO_IN_JSON, *ECHO_IN_HTML, *NO_RESPONSE, *ECHO_LATER]),
}
OPTIONS: dict[str, dict[str, Any]] = {
    "drs_collect_db_position": {"job_id": JOB, "reset_position_time": MOMENT, "wait": True},
    "drs_collect_db_position of an unknown job": {"job_id": UNKNOWN_JOB, "reset_position_time": MOMENT},
    "drs_batch_collect_db_position": {"job_ids": [JOB], "reset_position_time": MOMENT, "wait": True},
    "drs_db_position_info": {"job_id": JOB, "query_id": "{{ vault.query_id }}"},
    "iam_token": {},
    "drs_job_info": {"job_id": JOB, "include": ["actions", "progress"]},
    "drs_job_action": {"job_id": JOB, "action": "pause", "wait": True},
    "drs_start_position": {
        "job_id": JOB,
        "position": POSITION,
        "gtid_set": "4350aee0-56b5-11ee-8c99-0242ac120002:1-77",
    },
}


def methods(sim: Simulator, folder: Path) -> tuple[dict[str, dict[str, str]], dict[str, str]]:
    """Return the task options for each authentication method, and the environment of the job."""
    cloud = sim.cloud
    user, (permanent, temporary) = cloud["users"][0], cloud["access_keys"][:2]
    login = {"username": user["name"], "password": user["password"], "domain_name": cloud["account"]["name"]}
    token = {"auth_token": sim.token(), "project_id": PROJECT}
    key = {name: temporary[name] for name in ("access_key", "secret_key", "security_token")}
    # Only this method uses the proxy, where nothing listens.
    away = {"endpoint": "https://drs.invalid", "iam_endpoint": "https://iam.invalid/v3"}
    profile = folder / "credentials"
    profile.write_text(f"[basic]\nak = {permanent['access_key']}\nsk = {permanent['secret_key']}\n", encoding="utf-8")
    environment = {
        "HW_REGION_NAME": "eu-west-101",
        "HW_AUTH_URL": f"{sim.url}/v3",
        "HW_DRS_ENDPOINT": sim.url,
        "HW_USER_NAME": login["username"],
        "HW_USER_PASSWORD": login["password"],
        "HW_DOMAIN_NAME": login["domain_name"],
        "HW_AUTH_TOKEN": sim.token(),
        "HUAWEICLOUD_SDK_AK": key["access_key"],
        "HUAWEICLOUD_SDK_SK": key["secret_key"],
        "HUAWEICLOUD_SDK_SECURITY_TOKEN": key["security_token"],
        "HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(profile),
        **sim.ecs,
        "http_proxy": f"http://someone:{PROXY_PASSWORD}@127.0.0.1:1",
        "https_proxy": f"http://someone:{PROXY_PASSWORD}@127.0.0.1:1",
        "NO_PROXY": "127.0.0.1",
    }
    in_the_environment = {
        "password in the environment": {"auth_method": "password"},
        "token in the environment": {"auth_method": "token", "project_id": PROJECT},
        "key in the environment": {"auth_method": "aksk"},
        "profile": {"auth_method": "profile"},
    }
    in_the_task = {"password in the task": login, "token in the task": token, "key in the task": key}
    others = {"agency": {"auth_method": "agency"}, "broken proxy": {**login, **away}}
    return {**in_the_task, **in_the_environment, **others}, environment


def task(module: str, method: str, options: dict[str, str]) -> dict[str, Any]:
    given = {option: f"{{{{ vault.{option} }}}}" if option in SECRET else value for option, value in options.items()}
    name = module.partition(" ")[0]
    return {
        "name": f"{module}, {method}",
        f"huaweicloud.drs.{name}": {**given, **OPTIONS[module], "max_retries": 0},
        "no_log": name == "iam_token",
        "ignore_errors": True,
    }


@contextmanager
def command_lines(marker: str) -> Iterator[set[str]]:
    """Collect the command lines of all processes with a marker in their environment while the block runs."""
    found: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.1):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if marker.encode() in (process / "environ").read_bytes():
                        found.add((process / "cmdline").read_text(encoding="utf-8", errors="replace"))
                except OSError:  # the process has ended or belongs to another user
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield found
    finally:
        over.set()
        thread.join()


def left_behind(artifacts: Path) -> dict[str, str]:
    """Return the contents of all files of a run, without the environment that ansible-runner itself records."""
    texts = {
        str(path.relative_to(artifacts)): path.read_text(encoding="utf-8", errors="replace")
        for path in artifacts.rglob("*")
        if path.is_file()
    }
    for name, text in texts.items():
        if name.endswith("/command"):
            texts[name] = json.dumps({**json.loads(text), "env": None})
    return texts


@pytest.mark.parametrize(("faults", "rows"), RUNS.values(), ids=RUNS)
def test_no_secret_is_left_behind(
    sim: Simulator, tmp_path: Path, faults: list[dict[str, Any]], rows: list[tuple[str, str]]
) -> None:
    sim.reset(collect_seconds=0, action_seconds=0)
    auth_options, environment = methods(sim, tmp_path)
    vault = {name: value for options in auth_options.values() for name, value in options.items() if name in SECRET}
    body, headers = {"reset_position_time": MOMENT}, {"X-Auth-Token": vault["auth_token"]}
    url = f"{sim.url}/v5/{PROJECT}/jobs/{JOB}/collect-db-position"
    vault["query_id"] = sim.session.post(url, json=body, headers=headers, timeout=30).json()["id"]
    sim.faults(faults)
    tasks = [task(module, method, auth_options[method]) for module, method in rows]
    play = {"hosts": "localhost", "gather_facts": False, "vars_files": ["vault.yml"], "tasks": tasks}
    project = tmp_path / "project"
    project.mkdir()
    (project / "site.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    (project / "vault.yml").write_text(yaml.safe_dump({"vault": vault}), encoding="utf-8")
    with command_lines(f"MARKER={tmp_path}") as commands:
        run = ansible_runner.run(
            private_data_dir=str(tmp_path),
            playbook="site.yml",
            ident="job",
            verbosity=4,
            quiet=True,
            envvars={
                "PATH": PATH,
                "HOME": str(tmp_path),
                "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
                "ANSIBLE_DISPLAY_TRACEBACK": "always",
                "MARKER": str(tmp_path),
                **environment,
            },
        )
    texts = left_behind(tmp_path / "artifacts")
    texts["command lines"] = "\n".join(commands)
    assert "ansible-playbook" in texts["command lines"]
    hidden = secrets(sim) | {PROXY_PASSWORD}
    assert len(hidden) > 12
    assert {name: shown for name, text in texts.items() if (shown := leaked(hidden, text))} == {}

    # The tasks had the expected results.
    output = texts["job/stdout"]
    assert run.rc == 0, output
    assert "Please report" not in output
    failed = [event["event_data"]["task"] for event in run.events if event["event"] == "runner_on_failed"]
    succeeded = [event["event_data"]["task"] for event in run.events if event["event"] == "runner_on_ok"]
    if faults:
        assert failed == [task["name"] for task in tasks]
        *counted, last = sim.fault_counts()
        assert [fault["applied"] for fault in counted] == [fault["times"] for fault in counted]
        assert last["applied"] >= len(ECHO_LATER)
        assert "********" in output or "contains a secret" in output
    else:
        assert [*succeeded, *failed] == [task["name"] for task in tasks]
        assert len(failed) == 2
        assert "DRS.10000010" in output
        assert "the proxy from the environment" in output
        assert sim.job(JOB)["start_position"] == POSITION
    # Never the call that ends a job.
    assert [request["path"] for request in sim.requests() if request["path"].endswith("/stop")] == []
