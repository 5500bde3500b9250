# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs in the stand-in for DRS, and what the inventory makes of them."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from ansible.errors import AnsibleParserError
from ansible.parsing import vault
from ansible.utils.unsafe_proxy import AnsibleUnsafe

from ansible_collections.huaweicloud.drs.tests.unit.controller import CONTROLLER, is_trusted_as_template
from ansible_collections.huaweicloud.drs.tests.unit.utils import DRS, PROJECT_ID, check_nothing_shown, job_id, shown

NAME = "huaweicloud.drs.drs_jobs"
JOBS_URL = f"{DRS}/v5/{PROJECT_ID}/jobs"
TAGS_URL = f"{DRS}/v5/{PROJECT_ID}/sync/resource-instances/filter"
VAULT = [("default", vault.VaultSecret(b"of-the-vault"))]


def job(number, name, status="INCRE_TRANSFER_STARTED", engine_type="mysql-to-dws", **more):
    return {
        "id": job_id(number),
        "name": name,
        "status": status,
        "engine_type": engine_type,
        "task_type": "FULL_INCR_TRANS",
        **more,
    }


JOBS = [job(1, "shard1"), job(2, "shard2", status="PAUSING"), job(3, "other", engine_type="mysql-to-mysql")]
ONE, TWO, THREE, FOUR, FIVE = map(job_id, range(1, 6))
TAGS = {ONE: {"shard": "a"}, TWO: {"shard": "b", "empty": ""}}


def add_jobs(cloud, jobs=None, tags=None):
    jobs, tags = JOBS if jobs is None else jobs, TAGS if tags is None else tags
    cloud.get(JOBS_URL, json={"jobs": jobs, "total_count": len(jobs)})
    resources = [
        {"resource_id": job_id, "tags": [{"key": key, "value": value} for key, value in pairs.items()]}
        for job_id, pairs in tags.items()
    ]
    cloud.post(TAGS_URL, json={"resources": resources, "total_count": len(resources)})


def add_no_jobs(cloud):
    """Add empty lists of all projects."""
    cloud.get(re.compile(r".*/v5/[0-9a-f]+/jobs"), json={"jobs": [], "total_count": 0})
    cloud.post(re.compile(r".*/resource-instances/filter"), json={"resources": [], "total_count": 0})


def lists_read(cloud):
    """Return how often the list of jobs was read."""
    return sum(urlsplit(call.request.url).path.endswith("/jobs") for call in cloud.calls)


def variables(inventory, host):
    own = inventory.get_host(host).get_vars()
    return {name: value for name, value in own.items() if name.startswith(("drs_", "ansible_")) or name == "shard"}


def jobs_of(inventory):
    """The ID of the job of each host."""
    return {name: host.vars.get("drs_job_id") for name, host in inventory.hosts.items()}


def members(inventory, group):
    return sorted(host.name for host in inventory.groups[group].get_hosts())


def as_text(text):
    """Return a text from DRS as a variable has it: before ansible-core 2.19, it cannot begin a template."""
    return text if CONTROLLER else re.sub(r"[\\%]", "/", re.sub(r"[{[#]", "(", text)).replace("jinja2:", "jinja2/")


def is_exported_as_unsafe(value):
    if not CONTROLLER:
        return isinstance(value, AnsibleUnsafe)
    return isinstance(value, str) and not is_trusted_as_template(value)


def strings(value):
    """Yield all strings in a value except keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def failure(parse, *args, **kwargs):
    """Return the error message, which shows no secret."""
    with pytest.raises(AnsibleParserError) as caught:
        parse(*args, **kwargs)
    check_nothing_shown(shown(caught.value))
    return str(caught.value)
