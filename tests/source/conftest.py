# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator.fixtures import running, sim
from source.mariadb import MariaDB, mariadb

__all__ = ["running", "sim"]

PASSWORD = "Source-Passw0rd!"
# The collections for MySQL that the package ansible installed: community.mysql, and from version 13 on ansible.mysql.
INSTALLED = {
    name: Path(sysconfig.get_path("purelib"), "ansible_collections", name, "mysql")
    for name in ("ansible", "community")
    if Path(sysconfig.get_path("purelib"), "ansible_collections", name, "mysql").is_dir()
}


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MariaDB]:
    with mariadb(tmp_path_factory.mktemp("mariadb")) as running:
        yield running


@pytest.fixture
def source(server: MariaDB) -> MariaDB:
    """The server with the files mysql-bin.000276 and mysql-bin.000277, of which the second is in use.

    The user drs has the password PASSWORD.
    """
    server.create_user("drs", PASSWORD)
    server.execute("RESET MASTER TO 276")
    server.execute("CREATE OR REPLACE TABLE mysql.orders (id INT)")
    server.execute("FLUSH BINARY LOGS")
    server.execute("INSERT INTO mysql.orders VALUES (1)")
    return server


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """The environment of Ansible, with one of the collections for MySQL only."""
    return with_collections(tmp_path, list(INSTALLED)[0])


def with_collections(folder: Path, *names: str) -> dict[str, str]:
    """Return an environment in which Ansible finds only this collection and some for MySQL."""
    # Not "collections", which Ansible also finds next to a playbook.
    place = folder / "installed"
    place.mkdir(parents=True)
    for name in names:
        (place / "ansible_collections" / name).mkdir(parents=True)
        (place / "ansible_collections" / name / "mysql").symlink_to(INSTALLED[name])
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "NO_PROXY": "127.0.0.1",
        "ANSIBLE_COLLECTIONS_PATH": os.pathsep.join([str(place), os.environ["ANSIBLE_COLLECTIONS_PATH"]]),
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "false",
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "ANSIBLE_NOCOLOR": "true",
        "ANSIBLE_VERBOSITY": "4",
    }


Ansible = Callable[..., str]


@pytest.fixture
def ansible(environment: dict[str, str], tmp_path: Path) -> Ansible:
    """Run a playbook with variables, check the exit code, and return the output on one line."""

    def run(playbook: str | Path, *options: str, variables: dict[str, Any], code: int = 0, **more: str) -> str:
        # Not on the command line, where other users could see the password.
        (tmp_path / "variables.json").write_text(json.dumps(variables), encoding="utf-8")
        done = subprocess.run(
            ["ansible-playbook", playbook, "-e", "@variables.json", *options],
            cwd=tmp_path,
            env={**environment, **more},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == code, done.stdout
        for text in (done.stdout, *(path.read_text(encoding="utf-8") for path in tmp_path.glob("report.*"))):
            assert PASSWORD not in text
        return " ".join(done.stdout.split())

    return run
