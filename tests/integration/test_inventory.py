# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The inventory plugin, loaded by Ansible."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.conftest import Ansible
from simulator.client import Simulator

PLAYBOOK = Path(__file__).with_name("drs_jobs.yml")
INVENTORY = "shards.drs_jobs.yml"
TEMPLATE = "{{ lookup('pipe', 'touch $MARKER') }}"
ARCHIVE = "839fc0e7-92b4-41d3-9072-b4d5f67jb216"


def write(folder: Path, name: str = INVENTORY, **options: Any) -> None:
    (folder / name).write_text(yaml.safe_dump({"plugin": "huaweicloud.drs.drs_jobs", **options}), encoding="utf-8")


@pytest.mark.smoke
def test_hosts(cloud: Simulator, ansible: Ansible, tmp_path: Path) -> None:
    """Each job is a host. Templates in its name and tags are never evaluated."""
    cloud.job(ARCHIVE, name=TEMPLATE, tags={"team": TEMPLATE})
    write(
        tmp_path,
        status="{{ lookup('ansible.builtin.env', 'HW_USER_NAME') == 'drs-operator' and 'PAUSING' }}",
        password="{{ lookup('ansible.builtin.env', 'HW_USER_PASSWORD') }}",
        username="drs-operator",
        max_retries=None,
        strict=True,
        compose={"shard": "drs_tags.team | default('none')"},
        groups={"templated": "drs_tags.team | default('') is search('touch')"},
        keyed_groups=[{"prefix": "team", "key": "drs_tags.team | default('none')"}],
    )
    output = ansible("ansible-playbook", "-i", INVENTORY, PLAYBOOK, MARKER=str(tmp_path / "marker"))
    assert re.search(rf"^{ARCHIVE} +: ok=3 ", output, re.MULTILINE), output
    assert not (tmp_path / "marker").exists()


def plain(value: Any) -> Any:
    """Return a value without the form in which Ansible exports text that it does not trust, from 2.19 on."""
    if isinstance(value, dict):
        return value.get("__ansible_unsafe") or {key: plain(item) for key, item in value.items()}
    return value


@pytest.mark.smoke
def test_name_of_a_group(cloud: Simulator, ansible: Ansible, tmp_path: Path) -> None:
    """The host is named by the ID of the job. Ansible does not warn."""
    cloud.job(ARCHIVE, name="dws", tags={"shard": "01"})
    write(
        tmp_path,
        groups={"dws": "drs_engine_type == 'mysql-to-dws'"},
        keyed_groups=[{"prefix": "shard", "key": "drs_tags.shard | default('none')"}],
    )
    output = ansible("ansible-inventory", "-i", INVENTORY, "--list", "--export", ANSIBLE_VERBOSITY="0")
    listed = json.loads(output)  # There is nothing else, such as a warning.
    assert ARCHIVE in listed["dws"]["hosts"]
    assert listed["shard_01"]["hosts"] == [ARCHIVE]
    found = listed["_meta"]["hostvars"][ARCHIVE]
    assert (found["ansible_connection"], found["ansible_python_interpreter"]) == (
        "local",
        "{{ ansible_playbook_python }}",
    )
    assert plain(found) == {
        "ansible_connection": "local",
        "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        "drs_engine_type": "mysql-to-dws",
        "drs_job_id": ARCHIVE,
        "drs_job_name": "dws",
        "drs_job_status": "PAUSING",
        "drs_parent_id": None,
        "drs_subtask_ids": [],
        "drs_tags": {"shard": "01"},
        "drs_task_type": "INCR_TRANS",
    }


@pytest.mark.parametrize("source", [pytest.param("file", marks=pytest.mark.smoke), "export"])
def test_tag_as_a_condition(cloud: Simulator, ansible: Ansible, tmp_path: Path, source: str) -> None:
    """It is not evaluated, neither directly nor after AWX has read the exported inventory."""
    own = {"deploy": "inventory_hostname is match '^a'", "dept": "True", "team": "_ansible_unsafe"}
    cloud.job(ARCHIVE, name="archive", tags={**own, "__ansible_type": "x", "__ansible_vault": "y"})
    write(
        tmp_path,
        keyed_groups=[{"prefix": "dept", "key": "drs_tags.dept | default('none')"}, {"key": "drs_tags.team"}],
    )
    inventory = INVENTORY
    if source == "export":
        exported = ansible("ansible-inventory", "-i", INVENTORY, "--list", "--export", "--output", "exported.json")
        assert "Keys that begin with __ansible were left out" in " ".join(exported.split())
        script = tmp_path / "script.sh"
        script.write_text("#!/bin/sh\ncat exported.json\n", encoding="utf-8")
        script.chmod(0o755)
        inventory = script.name
    (tmp_path / "condition.yml").write_text(
        yaml.safe_dump(
            [
                {
                    "hosts": "dept_True",
                    "gather_facts": False,
                    "tasks": [
                        {"ansible.builtin.assert": {"that": "drs_tags == own"}},
                        {"ansible.builtin.debug": {"msg": "evaluated"}, "when": "{{ drs_tags.deploy }}"},
                    ],
                    "vars": {"own": own},
                }
            ]
        ),
        encoding="utf-8",
    )
    output = ansible("ansible-playbook", "-i", inventory, "condition.yml", code=2)
    assert re.search(r"^archive +: ok=1 .*failed=1 ", output, re.MULTILINE), output
    assert '"msg": "evaluated"' not in output


def test_file_of_another_name(ansible: Ansible, tmp_path: Path) -> None:
    write(tmp_path, "jobs.yml")
    strict = {"ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true"}
    output = ansible("ansible-inventory", "-i", "jobs.yml", "--list", code=1, **strict)
    assert "must end in drs_jobs.yml or drs_jobs.yaml" in " ".join(output.split())
    # Other plugins are asked as well.
    enabled = {"ANSIBLE_INVENTORY_ENABLED": "huaweicloud.drs.drs_jobs,ini"}
    (tmp_path / "hosts.ini").write_text("web\n", encoding="utf-8")
    assert "web" in ansible("ansible-inventory", "-i", "hosts.ini", "--list", **strict, **enabled)


def test_cache(cloud: Simulator, ansible: Ansible, tmp_path: Path) -> None:
    def requests_of(*command: str, **options: Any) -> list[str]:
        cloud.forget_requests()
        write(tmp_path, cache=True, cache_plugin="ansible.builtin.jsonfile", cache_connection="cache", **options)
        assert "billing-to-dws" in ansible(*command)
        return [request["path"].rpartition("/")[2] for request in cloud.requests()]

    first = requests_of("ansible-inventory", "-i", INVENTORY, "--list")
    assert first[0] == "tokens"
    assert requests_of("ansible-inventory", "-i", INVENTORY, "--list", status="PAUSING") == []


def test_refused(ansible: Ansible, tmp_path: Path) -> None:
    write(tmp_path, username="drs-operator", password="Wrong-Passw0rd", timeout=20)
    output = ansible(
        "ansible-inventory", "-i", INVENTORY, "--list", code=1, ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED="true"
    )
    assert "huaweicloud.drs.drs_jobs: " in output
    assert "The username or password is wrong" in output
    assert "Wrong-Passw0rd" not in output
    assert "Traceback" not in output
