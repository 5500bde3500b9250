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

# A source, a position on it, and further variables.
Case = tuple[Any, str, dict[str, Any]]
Verify = Callable[..., list[Any]]


@pytest.fixture
def verify(ansible: Ansible, tmp_path: Path) -> Verify:
    """Include the task file for each case in one play. Return the list of warnings or the error message of each."""

    def tasks(number: int, source: Any, position: str, more: dict[str, Any]) -> dict[str, Any]:
        def record(result: str) -> dict[str, Any]:
            return {"ansible.builtin.copy": {"content": f"{{{{ {result} | to_json }}}}", "dest": str(place(number))}}

        return {
            "vars": {
                "drs_verify_position": position,
                "drs_source_host": "127.0.0.1",
                "drs_source_port": source.port,
                "drs_source_user": "drs",
                "drs_source_password": PASSWORD,
                **more,
            },
            "block": [
                {"ansible.builtin.include_tasks": str(ROOT / "playbooks/tasks/verify_source.yml")},
                record("{'result': drs_verify_warnings}"),
            ],
            "rescue": [record("{'result': ansible_failed_result.msg}")],
        }

    def place(number: int) -> Path:
        return tmp_path / f"result-{number}.json"

    def run(*cases: Case) -> list[Any]:
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "tasks": [tasks(number, *case) for number, case in enumerate(cases)],
        }
        playbook = tmp_path / "verify.yml"
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        ansible(playbook, variables={})
        return [json.loads(place(number).read_text(encoding="utf-8"))["result"] for number in range(len(cases))]

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
    event = events(source, OLD)[2]
    warnings, error = verify((source, f"{OLD}:{event}", {}), (source, f"{OLD}:{event + 1}", {}))
    assert warnings == []
    assert f"The source found no event that begins at the position {OLD}:{event + 1}. It said:" in error
    assert "Wrong offset or I/O error" in error


def test_without_a_collection(source: MariaDB, verify: Verify, environment: dict[str, str], tmp_path: Path) -> None:
    environment.update(with_collections(tmp_path / "none"))
    (error,) = verify((source, f"{FILE}:4", {}))
    assert "drs_verify_source needs the collection community.mysql, which is not installed: run ansible-galaxy" in error


def test_position_is_there(source: MariaDB, verify: Verify) -> None:
    """At the first event, at another, and at the end, where the next event will begin."""
    positions = [f"{OLD}:4", f"{OLD}:{events(source, OLD)[-1]}", f"{FILE}:{events(source, FILE)[-1]}"]
    assert verify(*((source, position, {}) for position in positions)) == [[], [], []]


def test_position_is_not_there(source: MariaDB, verify: Verify) -> None:
    end = events(source, FILE)[-1]
    names = ["mysql-bin.000275", "it's 100%s.000277", f'{FILE}" OR "1']
    first, *others = verify((source, f"{FILE}:{end + 1}", {}), *((source, f"{name}:4", {}) for name in names))
    assert f"The position {FILE}:{end + 1} is not on the source, which has only {end} bytes of binlog file" in first
    for name, error in zip(names, others, strict=True):
        assert f"The position {name}:4 is not on the source, which has no binlog file {name}." in error
        assert f"Binlog files on the source: {OLD}, {FILE}." in error
        assert "Could not find target log" in error


@pytest.mark.parametrize("binlog_format", ["STATEMENT", "MIXED"])
def test_not_in_row_format(source: MariaDB, verify: Verify, binlog_format: str) -> None:
    source.execute("SET GLOBAL binlog_format = %s", binlog_format)
    try:
        (error,) = verify((source, f"{FILE}:4", {}))
    finally:
        source.execute("SET GLOBAL binlog_format = ROW")
    assert f"The binlog_format of the source is {binlog_format}. DRS needs ROW" in error


def test_rows_without_all_columns(source: MariaDB, verify: Verify) -> None:
    source.execute("SET GLOBAL binlog_row_image = MINIMAL")
    try:
        ((warning,),) = verify((source, f"{FILE}:4", {}))
    finally:
        source.execute("SET GLOBAL binlog_row_image = FULL")
    assert "The binlog_row_image of the source is MINIMAL, and DRS needs FULL" in warning


def test_password_in_the_name_of_the_file(source: MariaDB, verify: Verify) -> None:
    """Ansible masks the password in the results of a module."""
    source.create_user("drs", "mysql")
    password = {"drs_source_password": "mysql"}
    end = events(source, OLD)[-1]
    first, last, behind, inside, missing = verify(
        (source, f"{OLD}:4", password),
        (source, f"{OLD}:{end}", password),
        (source, f"{OLD}:{end + 1}", password),
        (source, f"{OLD}:{end - 1}", password),
        (source, "mysql-bin.000275:4", password),
    )
    assert (first, last) == ([], [])
    assert f"no event that begins at the position {OLD}:{end - 1}." in inside
    assert "which has no binlog file mysql-bin.000275." in missing
    # The names of both files are masked, so the length of this one is not known.
    assert f"{end} or " in behind or f"no event that begins at the position {OLD}:{end + 1}." in behind


def test_password_in_a_value(source: MariaDB, verify: Verify) -> None:
    """What the source answered is not known, so nothing is claimed."""
    source.create_user("number", "256")
    source.create_user("setting", "OW")
    assert 256 in events(source, FILE)
    for error in verify(
        (source, f"{FILE}:256", {"drs_source_user": "number", "drs_source_password": "256"}),
        (source, f"{FILE}:256", {"drs_source_user": "setting", "drs_source_password": "OW"}),
    ):
        assert f"The position {FILE}:256 cannot be verified, because the password of the source user is part" in error


def test_empty_variables_count_as_unset(source: MariaDB, verify: Verify, tmp_path: Path) -> None:
    """The module then takes the user and the password from the file of MySQL clients, and the default port."""
    (tmp_path / ".my.cnf").write_text(f"[client]\nuser = drs\npassword = {PASSWORD}\n", encoding="utf-8")
    names = ("drs_source_user", "drs_source_password", "drs_source_ca_cert", "drs_verify_gtid_set")
    # Nothing listens at this address of the loopback network.
    elsewhere = {"drs_source_host": "127.83.0.6"}
    *results, empty, null = verify(
        (source, f"{FILE}:4", dict.fromkeys(names, "")),
        (source, f"{FILE}:4", dict.fromkeys(names)),
        (source, f"{FILE}:4", {**elsewhere, "drs_source_port": ""}),
        (source, f"{FILE}:4", {**elsewhere, "drs_source_port": None}),
    )
    assert results == [[], []]
    assert "Can't connect to MySQL server on '127.83.0.6'" in empty
    assert "Can't connect to MySQL server on '127.83.0.6'" in null


def test_source_cannot_be_queried(source: MariaDB, verify: Verify) -> None:
    source.create_user("slave", PASSWORD, "REPLICATION SLAVE")
    password, port, privilege = verify(
        (source, f"{FILE}:4", {"drs_source_password": "Another-Passw0rd!"}),
        (source, f"{FILE}:4", {"drs_source_port": 1}),
        (source, f"{FILE}:4", {"drs_source_user": "slave"}),
    )
    assert "The source could not be queried: unable to connect to database" in password
    assert "Access denied for user 'drs'" in password
    assert "Another-Passw0rd!" not in password
    assert "The source could not be queried: unable to connect to database" in port
    assert "Can't connect to MySQL server on '127.0.0.1'" in port
    assert "The source could not be queried: Cannot execute SQL 'SHOW BINARY LOGS'" in privilege
    assert "BINLOG MONITOR privilege" in privilege


# MySQL, and what MariaDB does not answer


class Source:
    """A MySQL server that has only binlogs, and answers only statements that every version of MySQL has."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.settings = {"binlog_format": "ROW", **settings}
        self.port = 0

    def answer(self, sql: str) -> AllowedResult | None:
        words = sql.replace("'", "").split()
        # The driver sets up its connection.
        if words[0] == "SET":
            return None
        if words[:4] == ["SHOW", "GLOBAL", "VARIABLES", "LIKE"]:
            found = [(name, value) for name, value in self.settings.items() if name == words[4]]
            return found, ["Variable_name", "Value"]
        if words == ["SHOW", "BINARY", "LOGS"]:
            # The columns of MySQL 8.
            return [(OLD, 1073741903, "No"), (FILE, 1805, "No")], ["Log_name", "File_size", "Encrypted"]
        if words[:5] == ["SHOW", "BINLOG", "EVENTS", "IN", FILE] and words[5] == "FROM" and words[7:] == ["LIMIT", "1"]:
            return self.events(int(words[6]))
        raise MysqlError(f"You have an error in your SQL syntax near {sql}", 1064)  # type: ignore[arg-type]

    def events(self, offset: int) -> AllowedResult:
        found = [(FILE, pos, "Gtid", 1, pos + 65, "") for pos in (4, 126, 805, 1100) if pos >= offset][:1]
        return found, ["Log_name", "Pos", "Event_type", "Server_id", "End_log_pos", "Info"]


class Users(IdentityProvider):
    def get_plugins(self) -> list[NativePasswordAuthPlugin]:
        return [NativePasswordAuthPlugin()]

    async def get_user(self, username: str) -> User:
        plugin = NativePasswordAuthPlugin
        return User(name=username, auth_string=plugin.create_auth_string(PASSWORD), auth_plugin=plugin.name)


MySQL = Callable[..., Source]


@pytest.fixture
def mysql() -> Iterator[MySQL]:
    """Start servers with their settings."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    servers = []

    def start(kind: type[Source] = Source, **settings: str) -> Source:
        source = kind(settings)

        class Connection(Session):
            async def handle_query(self, sql: str, attrs: dict[str, str]) -> AllowedResult:
                return source.answer(sql)

        server = MysqlServer(session_factory=Connection, identity_provider=Users())
        asyncio.run_coroutine_threadsafe(server.start_server(host="127.0.0.1", port=0), loop).result(30)
        servers.append(server)
        assert server._server
        source.port = server._server.sockets[0].getsockname()[1]
        return source

    yield start
    for server in servers:
        loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_gtid_mode(mysql: MySQL, verify: Verify) -> None:
    on, permissive = mysql(gtid_mode="ON", binlog_row_image="FULL"), mysql(gtid_mode="ON_PERMISSIVE")
    # MySQL 5.5 has neither gtid_mode nor binlog_row_image: its rows have all columns.
    others = [mysql(gtid_mode="OFF"), mysql(gtid_mode="OFF_PERMISSIVE"), mysql()]
    results = verify(
        (on, f"{FILE}:805", {}),
        (permissive, f"{FILE}:805", {}),
        (on, f"{FILE}:805", {"drs_verify_gtid_set": GTID_SET}),
        *((source, f"{FILE}:805", {}) for source in others),
    )
    for mode, (warning,) in zip(["ON", "ON_PERMISSIVE"], results, strict=False):
        assert f"The gtid_mode of the source is {mode}, and no GTID set is given." in warning
        assert f"DRS needs the Executed_Gtid_Set at {FILE}:805 as well" in warning
    assert results[2:] == [[], [], [], []]


def test_text_that_changes_the_output_of_a_terminal(mysql: MySQL, verify: Verify) -> None:
    odd = "X\x9b2K\u202e\x1b[2K\rReset job other"
    source, refusing = mysql(binlog_row_image=odd, gtid_mode="ON"), mysql(Odd)
    (image, _gtid), message = verify((source, f"{FILE}:805", {}), (refusing, f"{FILE}:805", {}))
    assert "The binlog_row_image of the source is X?2K??[2K?Reset job other, and DRS needs FULL" in image
    assert "Reset job other" in message
    assert message.isprintable()


class Odd(Source):
    def events(self, offset: int) -> AllowedResult:
        raise MysqlError("X\x9b2K\u202e\x1b[2K\rReset job other", 1227)  # type: ignore[arg-type]


class WithoutPrivilege(Source):
    def events(self, offset: int) -> AllowedResult:
        raise MysqlError("Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s)", 1227)  # type: ignore[arg-type]


def test_answers_of_other_versions(mysql: MySQL, verify: Verify) -> None:
    source = mysql()
    end, behind, other, inside, last, refused = verify(
        (source, f"{FILE}:1805", {}),
        # MySQL 5.6 returns no event and no error behind the end, ...
        (source, f"{FILE}:1806", {}),
        # ... even where another file ends ...
        (source, f"{FILE}:1073741903", {}),
        (source, f"{FILE}:804", {}),
        # ... and after the beginning of the last event.
        (source, f"{FILE}:1804", {}),
        (mysql(WithoutPrivilege), f"{FILE}:805", {}),
    )
    assert end == []
    assert f"The position {FILE}:1806 is not on the source, which has only 1805 bytes" in behind
    assert f"The position {FILE}:1073741903 is not on the source, which has only 1805 bytes" in other
    assert f"no event that begins at the position {FILE}:804. The next event begins at 805." in inside
    assert f"no event that begins at the position {FILE}:1804. The binlog file has 1805 bytes." in last
    assert "The binlog of the source could not be read: Cannot execute SQL 'SHOW BINLOG EVENTS IN" in refused
    assert "you need (at least one of) the REPLICATION SLAVE privilege(s)" in refused


# The runbook


def reset(sim: Simulator, ansible: Ansible, folder: Path, source: Any, position: str, *options: str, code: int) -> str:
    sim.reset(action_seconds=0)
    variables = {
        "drs_job_id": JOB,
        "drs_use_position": position,
        "drs_confirm": True,
        "drs_report_path": str(folder / "report.md"),
        "drs_verify_source": "y",  # Ansible's filter bool takes it for false.
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
        **sim.user,
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
