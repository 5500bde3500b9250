# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""playbooks/tasks/verify_source.yml with MariaDB, and with MySQL servers of which mysql-mimic plays the part."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from mysql_mimic import IdentityProvider, MysqlServer, NativePasswordAuthPlugin, Session, User
from mysql_mimic.errors import MysqlError
from mysql_mimic.results import AllowedResult
from simulator.client import Simulator
from source.conftest import INSTALLED, PASSWORD, Ansible, with_collections
from source.mariadb import MariaDB
from tools.checkout import ROOT

JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
OLD, FILE = "mysql-bin.000276", "mysql-bin.000277"
GTID_SET = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-77"

Verify = Callable[..., Any]


@pytest.fixture
def verify(ansible: Ansible, tmp_path: Path) -> Verify:
    """Include the task file for a position. Return the warnings, or the output of a run that failed."""
    tasks = [
        {"ansible.builtin.include_tasks": str(ROOT / "playbooks/tasks/verify_source.yml")},
        {"ansible.builtin.copy": {"content": "{{ drs_verify_warnings | to_json }}", "dest": "{{ drs_test_warnings }}"}},
    ]
    playbook = tmp_path / "verify.yml"
    playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]), encoding="utf-8")

    def run(source: Any, position: str, code: int = 0, options: tuple[str, ...] = (), **variables: Any) -> Any:
        given = {
            "drs_test_warnings": str(tmp_path / "warnings.json"),
            "drs_verify_position": position,
            "drs_source_host": "127.0.0.1",
            "drs_source_port": source.port,
            "drs_source_user": "drs",
            "drs_source_password": PASSWORD,
        }
        output = ansible(playbook, *options, variables={**given, **variables}, code=code)
        if code or "--check" in options:
            return output
        return json.loads((tmp_path / "warnings.json").read_text(encoding="utf-8"))

    return run


def events(source: MariaDB, file: str) -> list[int]:
    """Return the offsets at which the events of a binlog file begin, and that of its end."""
    rows = source.execute("SHOW BINLOG EVENTS IN %s", file)
    return [*(row[1] for row in rows), rows[-1][4]]


# MariaDB


@pytest.mark.parametrize("collection", INSTALLED)
def test_with_one_of_the_collections(
    source: MariaDB, verify: Verify, environment: dict[str, str], tmp_path: Path, collection: str
) -> None:
    environment.update(with_collections(tmp_path / "one", collection))
    inside = events(source, OLD)[2]
    assert verify(source, f"{OLD}:{inside}") == []
    output = verify(source, f"{OLD}:{inside + 1}", code=2)
    assert f"The source found no event that begins at the position {OLD}:{inside + 1}. It said:" in output
    assert "Wrong offset or I/O error" in output


def test_without_a_collection(
    source: MariaDB, verify: Verify, environment: dict[str, str], tmp_path: Path
) -> None:
    environment.update(with_collections(tmp_path / "none"))
    output = verify(source, f"{FILE}:4", code=2)
    assert "drs_verify_source needs the collection community.mysql, which is not installed, or its successor" in output


@pytest.mark.parametrize(
    ("file", "event"), [(OLD, 0), (OLD, -1), (FILE, 3), (FILE, -1)], ids=["begin", "end", "event", "end of the log"]
)
def test_position_is_there(source: MariaDB, verify: Verify, file: str, event: int) -> None:
    assert verify(source, f"{file}:{events(source, file)[event]}") == []


def test_check_mode(source: MariaDB, verify: Verify) -> None:
    assert f"The source has the position {FILE}:4." in verify(source, f"{FILE}:4", options=("--check",))
    assert "has no binlog file" in verify(source, "mysql-bin.000275:4", options=("--check",), code=2)


@pytest.mark.parametrize("name", ["mysql-bin.000275", "it's.000277", "100%s.000277", f'{FILE}" OR "1'])
def test_no_such_file(source: MariaDB, verify: Verify, name: str) -> None:
    output = verify(source, f"{name}:4", code=2)
    assert f"is not on the source, which has no binlog file {name}.".replace('"', '\\"') in output
    assert f"Binlog files on the source: {OLD}, {FILE}." in output
    assert "Could not find target log" in output


def test_behind_the_end(source: MariaDB, verify: Verify) -> None:
    end = events(source, FILE)[-1]
    output = verify(source, f"{FILE}:{end + 1}", code=2)
    assert f"The position {FILE}:{end + 1} is not on the source, which has only {end} bytes" in output


@pytest.mark.parametrize("binlog_format", ["STATEMENT", "MIXED"])
def test_not_in_row_format(source: MariaDB, verify: Verify, binlog_format: str) -> None:
    source.execute("SET GLOBAL binlog_format = %s", binlog_format)
    try:
        output = verify(source, f"{FILE}:4", code=2)
    finally:
        source.execute("SET GLOBAL binlog_format = ROW")
    assert f"The binlog_format of the source is {binlog_format}. DRS needs ROW" in output


def test_rows_without_all_columns(source: MariaDB, verify: Verify) -> None:
    source.execute("SET GLOBAL binlog_row_image = MINIMAL")
    try:
        warnings = verify(source, f"{FILE}:4")
    finally:
        source.execute("SET GLOBAL binlog_row_image = FULL")
    assert len(warnings) == 1
    assert "The binlog_row_image of the source is MINIMAL, and DRS needs FULL" in warnings[0]


def test_password_in_the_name_of_the_file(source: MariaDB, verify: Verify) -> None:
    """Ansible masks the password in the results of a module."""
    source.create_user("drs", "mysql")
    end = events(source, OLD)[-1]
    for offset in (4, end):
        assert verify(source, f"{OLD}:{offset}", drs_source_password="mysql") == []
    assert "is not on the source" in verify(source, f"{OLD}:{end + 1}", drs_source_password="mysql", code=2)
    assert "no event that begins at" in verify(source, f"{OLD}:{end - 1}", drs_source_password="mysql", code=2)
    assert "has no binlog file" in verify(source, "mysql-bin.000275:4", drs_source_password="mysql", code=2)


@pytest.mark.parametrize("password", ["256", "OW"], ids=["offset", "setting"])
def test_password_in_a_value(source: MariaDB, verify: Verify, password: str) -> None:
    """It is not known what the source said, so nothing is claimed."""
    source.create_user("drs", password)
    assert 256 in events(source, FILE)
    output = verify(source, f"{FILE}:256", drs_source_password=password, code=2)
    assert f"The position {FILE}:256 cannot be verified, because the password of the source user is part of" in output


@pytest.mark.parametrize("unset", ["", None])
def test_empty_variables_count_as_unset(source: MariaDB, verify: Verify, tmp_path: Path, unset: str | None) -> None:
    """The module then takes the user and the password from the file of MySQL clients, and the default port."""
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser = drs\npassword = {PASSWORD}\n", encoding="utf-8")
    given = {"drs_source_user": unset, "drs_source_password": unset, "drs_source_ca_cert": unset}
    assert verify(source, f"{FILE}:4", drs_verify_gtid_set=unset, **given) == []
    # Nothing listens on 3306 of this address of the loopback network.
    output = verify(source, f"{FILE}:4", drs_source_port=unset, drs_source_host="127.83.0.6", code=2)
    assert "Can't connect to MySQL server on '127.83.0.6'" in output


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"drs_source_password": "Another-Passw0rd!"}, "Access denied for user 'drs'"),
        ({"drs_source_port": 1}, "Can't connect to MySQL server on '127.0.0.1'"),
    ],
    ids=["wrong password", "no server"],
)
def test_no_connection(source: MariaDB, verify: Verify, given: dict[str, Any], reason: str) -> None:
    output = verify(source, f"{FILE}:4", code=2, **given)
    assert "The source could not be queried: unable to connect to database" in output
    assert reason in output
    assert "Another-Passw0rd!" not in output


def test_no_privilege(source: MariaDB, verify: Verify) -> None:
    source.create_user("drs", PASSWORD, "REPLICATION SLAVE")
    output = verify(source, f"{FILE}:4", code=2)
    assert "The source could not be queried: Cannot execute SQL 'SHOW BINARY LOGS'" in output
    assert "BINLOG MONITOR privilege" in output


# MySQL, and what MariaDB does not answer


class Source:
    """A MySQL server that has only binlogs, and answers only the statements that every version of MySQL has."""

    def __init__(self) -> None:
        self.settings = {"binlog_format": "ROW", "binlog_row_image": "FULL", "gtid_mode": "OFF"}
        # Of FILE, with the positions of its events.
        self.size, self.positions = 1805, [4, 126, 805, 1100]
        self.port = 0

    def answer(self, sql: str) -> AllowedResult | None:
        words = sql.replace("'", "").split()
        if words[:2] == ["SET", "AUTOCOMMIT"]:
            return None
        if words[:4] == ["SHOW", "GLOBAL", "VARIABLES", "LIKE"]:
            found = [(name, value) for name, value in self.settings.items() if name == words[4]]
            return found, ["Variable_name", "Value"]
        if words == ["SHOW", "BINARY", "LOGS"]:
            # The columns of MySQL 8.
            return [(OLD, 1073741903, "No"), (FILE, self.size, "No")], ["Log_name", "File_size", "Encrypted"]
        if words[:4] == ["SHOW", "BINLOG", "EVENTS", "IN"] and words[5] == "FROM" and words[7:] == ["LIMIT", "1"]:
            assert words[4] == FILE
            return self.events(int(words[6]))
        raise MysqlError(f"You have an error in your SQL syntax near {sql}", 1064)  # type: ignore[arg-type]

    def events(self, offset: int) -> AllowedResult:
        found = [(FILE, pos, "Gtid", 1, pos + 65, "") for pos in self.positions if pos >= offset][:1]
        return found, ["Log_name", "Pos", "Event_type", "Server_id", "End_log_pos", "Info"]


class Users(IdentityProvider):
    def get_plugins(self) -> list[NativePasswordAuthPlugin]:
        return [NativePasswordAuthPlugin()]

    async def get_user(self, username: str) -> User:
        plugin = NativePasswordAuthPlugin
        return User(name=username, auth_string=plugin.create_auth_string(PASSWORD), auth_plugin=plugin.name)


@pytest.fixture
def mysql() -> Iterator[Source]:
    source = Source()

    class Connection(Session):
        async def handle_query(self, sql: str, attrs: dict[str, str]) -> AllowedResult:
            return source.answer(sql)

    loop = asyncio.new_event_loop()
    server = MysqlServer(session_factory=Connection, identity_provider=Users())
    loop.run_until_complete(server.start_server(host="127.0.0.1", port=0))
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    assert server._server
    source.port = server._server.sockets[0].getsockname()[1]
    yield source
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    server.close()
    loop.close()


@pytest.mark.parametrize("gtid_mode", ["ON", "ON_PERMISSIVE"])
def test_no_gtid_set(mysql: Source, verify: Verify, gtid_mode: str) -> None:
    mysql.settings["gtid_mode"] = gtid_mode
    (warning,) = verify(mysql, f"{FILE}:805")
    assert f"The gtid_mode of the source is {gtid_mode}, and no GTID set is given." in warning
    assert f"DRS needs the Executed_Gtid_Set at {FILE}:805 as well" in warning
    assert verify(mysql, f"{FILE}:805", drs_verify_gtid_set=GTID_SET) == []


@pytest.mark.parametrize("gtid_mode", ["OFF", "OFF_PERMISSIVE", None])
def test_no_gtid_set_needed(mysql: Source, verify: Verify, gtid_mode: str | None) -> None:
    """MySQL 5.5 has neither gtid_mode nor binlog_row_image: its rows have all columns."""
    mysql.settings = {"binlog_format": "ROW", **({"gtid_mode": gtid_mode} if gtid_mode else {})}
    assert verify(mysql, f"{FILE}:805") == []


def test_answer_with_another_event(mysql: Source, verify: Verify) -> None:
    assert (
        f"The source found no event that begins at the position {FILE}:804. The next event begins at 805."
        in verify(mysql, f"{FILE}:804", code=2)
    )


def test_no_answer_behind_the_end(mysql: Source, verify: Verify) -> None:
    """As MySQL 5.6, without an error, even if another file is as long as this."""
    assert verify(mysql, f"{FILE}:1805") == []
    for offset in (1806, 1073741903):
        output = verify(mysql, f"{FILE}:{offset}", code=2)
        assert f"The position {FILE}:{offset} is not on the source, which has only 1805 bytes" in output
    output = verify(mysql, f"{FILE}:1804", code=2)
    assert f"no event that begins at the position {FILE}:1804. The binlog file has 1805 bytes." in output


def test_no_privilege_for_events(mysql: Source, verify: Verify) -> None:
    def refuse(_offset: int) -> AllowedResult:
        raise MysqlError("Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s)", 1227)  # type: ignore[arg-type]

    mysql.events = refuse  # type: ignore[method-assign]
    output = verify(mysql, f"{FILE}:805", code=2)
    assert "The binlog of the source could not be read: Cannot execute SQL 'SHOW BINLOG EVENTS IN" in output
    assert "you need (at least one of) the REPLICATION SLAVE privilege(s)" in output


# The runbook


def reset(sim: Simulator, ansible: Ansible, folder: Path, source: Any, position: str, *options: str, code: int) -> str:
    sim.reset(action_seconds=0)
    variables = {
        "drs_job_id": JOB,
        "drs_position": position,
        "drs_confirm": True,
        "drs_report_path": str(folder / "report.md"),
        "drs_verify_source": True,
        "drs_source_host": "127.0.0.1",
        "drs_source_port": source.port,
        "drs_source_user": "drs",
        "drs_source_password": PASSWORD,
    }
    return ansible(
        "huaweicloud.drs.reset_sync_position",
        *options,
        variables=variables,
        code=code,
        HW_REGION_NAME="eu-west-101",
        HW_AUTH_URL=f"{sim.url}/v3",
        HW_DRS_ENDPOINT=sim.url,
        HW_DOMAIN_NAME=sim.cloud["account"]["name"],
        HW_USER_NAME=sim.cloud["users"][0]["name"],
        HW_USER_PASSWORD=sim.cloud["users"][0]["password"],
    )


def changes(sim: Simulator) -> list[str]:
    return [
        request["path"].rpartition("/")[2]
        for request in sim.requests()
        if request["method"] != "GET" and "/v5/" in request["path"]
    ]


def test_reset_to_a_position_of_the_source(sim: Simulator, ansible: Ansible, source: MariaDB, tmp_path: Path) -> None:
    position = f"{FILE}:{events(source, FILE)[3]}"
    output = reset(sim, ansible, tmp_path, source, position, "--check", code=0)
    assert f"The source has the position {position}" in output
    assert changes(sim) == []
    reset(sim, ansible, tmp_path, source, position, code=0)
    assert changes(sim) == ["action", "start-position", "action"]
    assert sim.job(JOB)["start_position"] == position
    assert "| Verified on the source | yes |" in (tmp_path / "report.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["", "check mode"])
def test_nothing_is_changed_without_the_position(
    sim: Simulator, ansible: Ansible, source: MariaDB, tmp_path: Path, options: list[str]
) -> None:
    output = reset(sim, ansible, tmp_path, source, "mysql-bin.000275:4", *options, code=2)
    assert "is not on the source, which has no binlog file mysql-bin.000275." in output
    assert changes(sim) == []
    if not options:
        assert "| Verified on the source | no |" in (tmp_path / "report.md").read_text(encoding="utf-8")
