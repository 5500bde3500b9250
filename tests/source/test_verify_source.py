# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Verification of the position on the source, with community.mysql and mysql-mimic, which speaks MySQL's protocol."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from mysql_mimic import IdentityProvider, MysqlServer, NativePasswordAuthPlugin, Session, User
from mysql_mimic.results import AllowedResult
from simulator.client import Simulator
from simulator.fixtures import running, sim

__all__ = ["running", "sim"]

JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
PASSWORD = "Source-Passw0rd!"
# The format of MySQL 8.4.
COLUMNS = ["Log_name", "File_size", "Encrypted"]
BINLOGS = [("mysql-bin.000276", 1073741903, "No"), ("mysql-bin.000277", 1805, "No")]


class Source(Session):
    """A MySQL server that has only binlogs."""

    async def handle_query(self, sql: str, attrs: dict[str, str]) -> AllowedResult:
        if sql.strip().upper() == "SHOW BINARY LOGS":
            return BINLOGS, COLUMNS
        return await super().handle_query(sql, attrs)


class Users(IdentityProvider):
    def get_plugins(self) -> list[NativePasswordAuthPlugin]:
        return [NativePasswordAuthPlugin()]

    async def get_user(self, username: str) -> User | None:
        plugin = NativePasswordAuthPlugin
        return (
            User(name="drs", auth_string=plugin.create_auth_string(PASSWORD), auth_plugin=plugin.name)
            if username == "drs"
            else None
        )


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    loop = asyncio.new_event_loop()
    server = MysqlServer(session_factory=Source, identity_provider=Users())
    loop.run_until_complete(server.start_server(host="127.0.0.1", port=0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    assert server._server
    yield server._server.sockets[0].getsockname()[1]
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


def reset(sim: Simulator, folder: Path, port: int, *options: str, **variables: str) -> tuple[int, str]:
    """Reset a job to a position. Return the exit code and the output."""
    sim.reset(action_seconds=0)
    given = {
        "drs_job_id": JOB,
        "drs_position": "mysql-bin.000277:805",
        "drs_confirm": True,
        "drs_report_path": str(folder / "report.md"),
        "drs_verify_source": True,
        "drs_source_host": "127.0.0.1",
        "drs_source_port": port,
        "drs_source_user": "drs",
        "drs_source_password": PASSWORD,
        **variables,
    }
    # Not on the command line, where other users could see the password.
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    done = subprocess.run(
        ["ansible-playbook", "huaweicloud.drs.reset_sync_position", "-vvvv", "-e", "@given.json", *options],
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "ANSIBLE_COLLECTIONS_PATH": os.environ["ANSIBLE_COLLECTIONS_PATH"],
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "HW_REGION_NAME": "eu-west-101",
            "HW_AUTH_URL": f"{sim.url}/v3",
            "HW_DRS_ENDPOINT": sim.url,
            "HW_DOMAIN_NAME": sim.cloud["account"]["name"],
            "HW_USER_NAME": sim.cloud["users"][0]["name"],
            "HW_USER_PASSWORD": sim.cloud["users"][0]["password"],
        },
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    for text in (done.stdout, *(path.read_text(encoding="utf-8") for path in folder.glob("report.*"))):
        assert PASSWORD not in text
        assert variables.get("drs_source_password", PASSWORD) not in text
    return done.returncode, done.stdout


def changes(sim: Simulator) -> list[str]:
    return [
        request["path"].rpartition("/")[2]
        for request in sim.requests()
        if request["method"] != "GET" and "/v5/" in request["path"]
    ]


@pytest.mark.parametrize("position", ["mysql-bin.000277:805", "mysql-bin.000277:1805", "mysql-bin.000276:4"])
def test_source_has_the_position(sim: Simulator, tmp_path: Path, port: int, position: str) -> None:
    code, output = reset(sim, tmp_path, port, drs_position=position)
    assert code == 0, output
    assert changes(sim) == ["action", "start-position", "action"]
    assert sim.job(JOB)["start_position"] == position
    assert "| Verified on the source | yes |" in (tmp_path / "report.md").read_text(encoding="utf-8")


def test_check_mode_verifies_the_source(sim: Simulator, tmp_path: Path, port: int) -> None:
    code, output = reset(sim, tmp_path, port, "--check")
    assert code == 0, output
    assert "The source has the position mysql-bin.000277:805" in output
    assert changes(sim) == []
    code, output = reset(sim, tmp_path, port, "--check", drs_position="mysql-bin.000275:4")
    assert code != 0


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (
            {"drs_position": "mysql-bin.000275:4"},
            "The source does not have the position mysql-bin.000275:4: it has no binlog file mysql-bin.000275.",
        ),
        (
            {"drs_position": "mysql-bin.000277:1806"},
            "The source does not have the position mysql-bin.000277:1806: it has only 1805 bytes of binlog file"
            " mysql-bin.000277.",
        ),
        (
            {"drs_source_password": "Another-Passw0rd!"},
            "The binlogs of the source could not be read: unable to connect to database",
        ),
        ({"drs_source_port": "1"}, "The binlogs of the source could not be read: unable to connect to database"),
    ],
    ids=["purged", "too short", "wrong password", "no server"],
)
def test_without_the_position_nothing_is_changed(
    sim: Simulator, tmp_path: Path, port: int, given: dict[str, str], reason: str
) -> None:
    code, output = reset(sim, tmp_path, port, **given)
    assert code != 0
    assert reason in " ".join(output.split())
    assert changes(sim) == []
    assert "| Verified on the source | no |" in (tmp_path / "report.md").read_text(encoding="utf-8")
