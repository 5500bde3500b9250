# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A MariaDB server with a binlog, on loopback and in a temporary folder."""

from __future__ import annotations

import getpass
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pymysql

ADMIN = {"user": "admin", "password": "Admin-Passw0rd!"}


class MariaDB:
    def __init__(self, port: int) -> None:
        self.port = port

    def connect(self) -> pymysql.Connection[Any]:
        return pymysql.connect(host="127.0.0.1", port=self.port, autocommit=True, **ADMIN)

    def execute(self, statement: str, *arguments: str) -> list[tuple[Any, ...]]:
        """Execute a statement as administrator, and return the rows."""
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return list(cursor.fetchall())

    def create_user(self, name: str, password: str, privileges: str = "REPLICATION CLIENT, REPLICATION SLAVE") -> None:
        self.execute("CREATE OR REPLACE USER %s@'127.0.0.1' IDENTIFIED BY %s", name, password)
        self.execute(f"GRANT {privileges} ON *.* TO %s@'127.0.0.1'", name)


def _unpack(folder: Path) -> Path:
    """Download the server with apt and unpack it, which needs no privileges. Return the path of its /usr."""
    if not shutil.which("apt-get"):
        raise RuntimeError("The tests of tests/source need mariadbd: install the package mariadb-server.")
    for name in ("lists/partial", "archives/partial", "root"):
        (folder / name).mkdir(parents=True)

    def apt(*command: str) -> str:
        options = {
            "APT::Sandbox::User": getpass.getuser(),
            "Dir::Cache": folder,
            "Dir::State": folder,
            "Dir::State::status": "/var/lib/dpkg/status",
        }
        return subprocess.run(
            ["apt-get", "-q", *(f"-o{name}={value}" for name, value in options.items()), *command],
            cwd=folder,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    apt("update")
    # The server with the libraries that this machine does not have. Updates of installed packages are not needed.
    planned = apt("install", "--simulate", "--no-install-recommends", "mariadb-server-core")
    apt("download", *re.findall(r"^Inst (\S+) \(", planned, re.MULTILINE))
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg", "-x", package, folder / "root"], check=True)
    return folder / "root" / "usr"


@contextmanager
def mariadb(folder: Path) -> Iterator[MariaDB]:
    """Run the installed server, or else one that is unpacked in the folder."""
    installed = shutil.which("mariadbd", path=os.pathsep.join([os.environ["PATH"], "/usr/sbin"]))
    usr = Path(installed).resolve().parents[1] if installed else _unpack(folder / "packages")
    # Where the libraries of an installed server are, too.
    libraries = os.pathsep.join(map(str, [*usr.glob("lib/*-linux-gnu"), *usr.parent.glob("lib/*-linux-gnu")]))
    data = folder / "data"
    data.mkdir()
    command = [
        usr / "sbin" / "mariadbd",
        "--no-defaults",
        # Root has to name a user, even if it is root.
        f"--user={getpass.getuser()}",
        f"--basedir={usr}",
        f"--datadir={data}",
        f"--socket={data}/socket",
        f"--pid-file={data}/pid",
    ]
    environment = {"PATH": os.environ["PATH"], "LD_LIBRARY_PATH": libraries}
    # Below share/mysql or share/mariadb, with names to match.
    tables = [
        next(usr.glob(f"share/*/*_{name}.sql")).read_text(encoding="utf-8")
        for name in ("system_tables", "performance_tables", "system_tables_data")
    ]
    with (folder / "log").open("w+", encoding="utf-8") as log:
        subprocess.run(
            [*command, "--bootstrap"],
            input="\n".join(["CREATE DATABASE mysql;", "USE mysql;", *tables]),
            env=environment,
            check=True,
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        (folder / "init.sql").write_text(
            f"CREATE USER {ADMIN['user']}@'127.0.0.1' IDENTIFIED BY '{ADMIN['password']}';\n"
            f"GRANT ALL ON *.* TO {ADMIN['user']}@'127.0.0.1' WITH GRANT OPTION;\n",
            encoding="utf-8",
        )
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with subprocess.Popen(
            [
                *command,
                "--bind-address=127.0.0.1",
                f"--port={port}",
                "--skip-name-resolve",
                "--server-id=1",
                f"--log-bin={data}/mysql-bin",
                "--binlog-format=ROW",
                f"--init-file={folder}/init.sql",
            ],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
        ) as process:
            try:
                server = MariaDB(port)
                deadline = time.monotonic() + 60
                while True:
                    try:
                        server.connect().close()
                        break
                    except pymysql.OperationalError as e:
                        if process.poll() is not None or time.monotonic() > deadline:
                            raise RuntimeError((folder / "log").read_text(encoding="utf-8")) from e
                        time.sleep(0.1)
                yield server
            finally:
                process.terminate()
