# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every module with every way in, when it succeeds and when it fails, run as AWX runs it. Then all that is left behind is searched for secrets."""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
import yaml
from simulator.client import Simulator

JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
# A job that does not exist, so that there is a failure that the cloud explains.
UNKNOWN_JOB = "00000000-8e09-4a5d-8dd6-cc44f78jb20r"
PROXY_PASSWORD = "the-pr0xys-own-passw0rd"

# The calls that come after others which only read.
LATER = {"path": "/(collect-db-position|db-position|action|start-position)$"}
# The answers that the cloud gives: as it is meant to be, with all the credentials in it, and none.
PHASES: dict[str, list[dict[str, Any]]] = {
    "as usual": [],
    "echo in JSON": [{"kind": "echo", "times": None}],
    "echo in HTML": [{"kind": "echo", "times": None, "content_type": "text/html", "status": 500}],
    "echo later": [{"kind": "echo", "times": 1, "status": 400, "match": {"path": "/actions$"}}, {"kind": "echo", "times": None, "match": LATER}],
    "lost answers": [{"kind": "reset_after", "times": None}],
}


def ways(sim: Simulator, folder: Path) -> dict[str, tuple[dict[str, str], dict[str, str]]]:
    """By the name of a way in: the options of the task, and the environment of the job."""
    cloud = sim.cloud
    user = cloud["users"][0]
    permanent, temporary = cloud["access_keys"][:2]
    login = {"username": user["name"], "password": user["password"], "domain_name": cloud["account"]["name"]}
    token = {"auth_token": sim.token(), "project_id": PROJECT}
    key = {"access_key": temporary["access_key"], "secret_key": temporary["secret_key"], "security_token": temporary["security_token"]}
    names = {
        "username": "HW_USER_NAME",
        "password": "HW_USER_PASSWORD",
        "domain_name": "HW_DOMAIN_NAME",
        "auth_token": "HW_AUTH_TOKEN",
        "project_id": "HW_PROJECT_ID",
        "access_key": "HUAWEICLOUD_SDK_AK",
        "secret_key": "HUAWEICLOUD_SDK_SK",
        "security_token": "HUAWEICLOUD_SDK_SECURITY_TOKEN",
    }
    profile = folder / "credentials"
    profile.write_text(f"[basic]\nak = {permanent['access_key']}\nsk = {permanent['secret_key']}\n", encoding="utf-8")

    def environment(options: dict[str, str]) -> dict[str, str]:
        return {names[option]: value for option, value in options.items()}

    return {
        **{f"{name} in the task": (options, {}) for name, options in (("password", login), ("token", token), ("key", key))},
        **{f"{name} in the environment": ({}, environment(options)) for name, options in (("password", login), ("token", token), ("key", key))},
        "profile": ({}, {"HUAWEICLOUD_SDK_CREDENTIALS_FILE": str(profile)}),
        "agency": ({"auth_method": "agency"}, {"http_proxy": sim.url.replace("//", f"//someone:{PROXY_PASSWORD}@"), "NO_PROXY": "127.0.0.1"}),
        # Every request goes through the proxy, and the proxy is not there.
        "broken proxy": (
            login,
            {
                "https_proxy": f"http://someone:{PROXY_PASSWORD}@127.0.0.1:1",
                "HW_AUTH_URL": "https://iam.invalid/v3",
                "HW_DRS_ENDPOINT": "https://drs.invalid",
                "NO_PROXY": "",
            },
        ),
    }


def play(sim: Simulator, options: dict[str, str], phases: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """All modules in some phases. The options come from a file, as they would from a vault."""
    given = {option: "{{ given." + option + " }}" for option in options}
    collect = {**given, "job_id": "{{ item }}", "reset_position_time": "2023-09-19T07:00:00Z", "wait": True, "max_retries": 0}
    many = {**given, "job_ids": [JOB, UNKNOWN_JOB], "reset_position_time": "2023-09-19T07:00:00Z", "wait": True, "max_retries": 0}
    read = {**given, "job_id": JOB, "query_id": "0eacda0b-9422-4535-8b62-537d1833638b", "max_retries": 0}
    look = {**given, "job_id": JOB, "include": ["actions", "progress"], "max_retries": 0}
    tell = {**given, "job_id": JOB, "wait": True, "max_retries": 0}
    begin = {**given, "job_id": JOB, "position": "mysql-bin.000277:805", "gtid_set": "4350aee0-56b5-11ee-8c99-0242ac120002:1-77", "max_retries": 0}
    tasks: list[dict[str, Any]] = []
    for phase, faults in phases.items():
        control = {"url": f"{sim.url}/_simulator/faults", "method": "PUT", "body_format": "json", "body": faults, "status_code": 204, "use_proxy": False}
        tasks += [
            {"name": phase, "ansible.builtin.uri": control},
            {"name": "Collect", "huaweicloud.drs.drs_collect_db_position": collect, "loop": [JOB, UNKNOWN_JOB] if phase == "as usual" else [JOB]},
            {"name": "Collect many", "huaweicloud.drs.drs_batch_collect_db_position": many},
            {"name": "Read", "huaweicloud.drs.drs_db_position_info": read},
            {"name": "Log in", "huaweicloud.drs.iam_token": {**given, "max_retries": 0}, "no_log": True},
            {"name": "Look", "huaweicloud.drs.drs_job_info": look},
            {"name": "Pause", "huaweicloud.drs.drs_job_action": {**tell, "action": "pause"}},
            {"name": "Begin there", "huaweicloud.drs.drs_start_position": begin},
        ]
        if phase == "as usual":
            tasks += [
                {"name": "Go on", "huaweicloud.drs.drs_job_action": {**tell, "action": "retry"}},
                {"name": "List", "huaweicloud.drs.drs_job_info": {**given, "max_retries": 0}},
                {"name": "Prepare to reset", "huaweicloud.drs.drs_job_action": {**tell, "action": "reset"}, "check_mode": True},
            ]
    for task in tasks:
        task["ignore_errors"] = "ansible.builtin.uri" not in task
    return [{"name": "Search for secrets", "hosts": "localhost", "gather_facts": False, "vars_files": ["given.yml"], "tasks": tasks}]


@contextmanager
def command_lines(marker: str) -> Iterator[set[str]]:
    """Collect the command lines of the processes that there are meanwhile with a marker in their environment."""
    seen: set[str] = set()
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.01):
            for process in Path("/proc").glob("[0-9]*"):
                try:
                    if marker.encode() in (process / "environ").read_bytes():
                        seen.add((process / "cmdline").read_text(encoding="utf-8", errors="replace"))
                except OSError:  # it has ended, or is another user's
                    continue

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


def left_behind(artifacts: Path) -> dict[str, str]:
    """What the files say that a run leaves. The environment, which ansible-runner writes down itself, is its own affair."""
    texts = {str(path.relative_to(artifacts)): path.read_text(encoding="utf-8", errors="replace") for path in artifacts.rglob("*") if path.is_file()}
    for name, text in texts.items():
        if name.endswith("/command"):
            texts[name] = json.dumps({**json.loads(text), "env": None})
    return texts


def secrets(sim: Simulator) -> set[str]:
    """All that must not be seen: what the cloud knows, and what it has been sent."""
    cloud = sim.cloud
    found = {PROXY_PASSWORD, cloud["users"][0]["password"]}
    for key in cloud["access_keys"]:
        found |= {key["access_key"], key["secret_key"], key.get("security_token")}
    for request in sim.requests():
        headers = request["headers"]
        found |= {headers.get("x-auth-token"), headers.get("x-security-token"), headers.get("proxy-authorization"), headers.get("x-metadata-token")}
        found |= set(re.findall(r"(?:Access|Signature)=(\w+)", headers.get("authorization", "")))
    return {secret for secret in found if secret}


@pytest.mark.parametrize(
    "way",
    [
        "password in the task",
        "token in the task",
        "key in the task",
        "password in the environment",
        "token in the environment",
        "key in the environment",
        "profile",
        "agency",
        "broken proxy",
    ],
)
def test_no_secret_is_left_behind(sim: Simulator, tmp_path: Path, way: str) -> None:
    sim.reset(collect_seconds=0, action_seconds=0)
    options, environment = ways(sim, tmp_path)[way]
    # What the cloud would answer is of no account if nothing gets there.
    phases = PHASES if way != "broken proxy" else {"as usual": []}
    project = tmp_path / "project"
    project.mkdir()
    (project / "site.yml").write_text(yaml.safe_dump(play(sim, options, phases)), encoding="utf-8")
    (project / "given.yml").write_text(yaml.safe_dump({"given": options}), encoding="utf-8")
    with command_lines(f"MARKER={tmp_path}") as commands:
        run = ansible_runner.run(
            private_data_dir=str(tmp_path),
            playbook="site.yml",
            ident="job",
            verbosity=4,
            quiet=True,
            envvars={
                "ANSIBLE_COLLECTIONS_PATH": os.environ["PYTHONPATH"].split(os.pathsep)[0],
                "ANSIBLE_DISPLAY_TRACEBACK": "always",
                "MARKER": str(tmp_path),
                "HUAWEICLOUD_SDK_CREDENTIALS_FILE": "/nowhere/credentials",
                "HW_REGION_NAME": "eu-west-101",
                "HW_AUTH_URL": f"{sim.url}/v3",
                "HW_DRS_ENDPOINT": sim.url,
                **environment,
            },
        )
    texts = left_behind(tmp_path / "artifacts")
    texts["command lines"] = "\n".join(commands)
    assert "ansible-playbook" in texts["command lines"]
    hidden = secrets(sim)
    assert len(hidden) > 6
    assert [(name, secret) for name, text in texts.items() for secret in hidden if secret in text or json.dumps(secret)[1:-1] in text] == []

    # It did what it was to do: with each answer of the cloud, every module came to a result.
    results = [
        event["event_data"] for event in run.events if event["event"] in ("runner_on_ok", "runner_on_failed", "runner_item_on_ok", "runner_item_on_failed")
    ]
    assert run.rc == 0, run.stdout.read()
    said = texts["job/stdout"]
    assert "Please report" not in said
    if way == "broken proxy":
        assert "the proxy from the environment" in said
    else:
        requests = [(request["path"].rpartition("/")[2], request["cloud_status"], request["fault"]) for request in sim.requests()]
        assert {("collect-db-position", 202), ("action", 202), ("start-position", 200), ("jobs", 200)} <= {request[:2] for request in requests}
        assert {"actions", "action", "start-position"} <= {end for end, _status, fault in requests if fault == "echo"}
        assert sim.job(JOB)["start_position"] == "mysql-bin.000277:805"
        assert "does not allow reset now" in said
        assert "mysql-bin.000277:805" in said
        assert "DRS.10000010" in said
        assert "********" in said or "holds a secret" in said
    assert len(results) >= 8 * len(phases)
    # The call that ends a job.
    assert [request["path"] for request in sim.requests() if request["path"].endswith("/stop")] == []
