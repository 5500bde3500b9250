# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drs_jobs
short_description: The synchronization jobs of Huawei Cloud DRS as hosts
version_added: 1.0.0
description:
  - Makes a host of each synchronization job of the Data Replication Service (DRS), so that a play runs once for each job. The plays run on the control
    node, since nobody can log in to a job.
  - A host has the name of its job. If several jobs have it, an underscore and the ID follow. The ID alone is used for a name that Ansible would take for
    something else, which is one that does not begin with a letter, has other characters than letters, digits, V(_), V(-) and V(.), or is V(all),
    V(ungrouped) or V(localhost).
  - Its variables are C(drs_job_id), C(drs_job_name), C(drs_job_status), C(drs_engine_type), C(drs_task_type), C(drs_parent_id), and C(drs_tags) with the
    values of the tags by their keys. C(drs_parent_id) is the ID of the job that it is a part of. C(ansible_connection) is V(local), and
    C(ansible_python_interpreter) the Python that runs Ansible; O(compose) can change both.
  - In the names of groups, each character that is no letter, digit or underscore becomes an underscore, whatever Ansible is configured to do with it.
  - The name of the inventory file has to end in C(drs_jobs.yml) or C(drs_jobs.yaml).
  - These are the calls C(GET /v5/{project_id}/jobs) and C(POST /v5/{project_id}/sync/resource-instances/filter), described on the API pages "Querying the
    Task List" and "Querying Resource Instances by Tag". Where a region does not publish the second one, C(drs_tags) is empty, and there is a warning.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description:
      - Says that the file is for this plugin.
    type: str
    required: true
    choices:
      - huaweicloud.drs.drs_jobs
  engine_type:
    description:
      - Take only jobs of these engine types.
    type: list
    elements: str
  status:
    description:
      - Take only jobs in these statuses, for example V(INCRE_TRANSFER_STARTED). They have to be of those that M(huaweicloud.drs.drs_job_info) lists.
        V(PAUSING) is a job that has been paused.
    type: list
    elements: str
notes:
  - O(engine_type), O(status) and the options for the login and the connection may be templates, for example
    C({{ lookup('ansible.builtin.env', 'SECRET') }}). No variables are defined there. Keep no secret in the file itself, unless Ansible Vault has encrypted it.
  - The cache has all jobs of the project, with their tags, so O(engine_type) and O(status) can change without a new request. It is not used for another
    inventory file, region, endpoint, project, user or access key. With a profile or an agency, it is only used if O(project_id) is set.
  - A host of another inventory that has the name of a job becomes one with it, with C(ansible_connection=local). Use this inventory by itself, or see to
    it that the names differ.
  - If an inventory cannot be read, Ansible only warns and goes on without its hosts, or with some of them if O(strict) was the reason. Set
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) to make it fail. Other plugins may then complain about the same file; the reason is where this plugin's name
    is.
seealso:
  - module: huaweicloud.drs.drs_job_info
"""

EXAMPLES = r"""
# A file with the name shards.drs_jobs.yml. It takes the login from the environment, as the modules do: HW_REGION_NAME, HW_DOMAIN_NAME (the account name),
# HW_USER_NAME and HW_USER_PASSWORD.
plugin: huaweicloud.drs.drs_jobs
engine_type: mysql-to-dws
status:
  - INCRE_TRANSFER_STARTED
  - PAUSING
compose:
  # A variable for the plays.
  shard: drs_tags.shard | default('none')
groups:
  paused: drs_job_status == 'PAUSING'
keyed_groups:
  - prefix: shard
    key: drs_tags.shard | default('none')
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/drs_jobs
cache_timeout: 300
"""

import re
import sys
import typing as t
from collections import Counter

from ansible import __version__ as ansible_version
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import REQUESTS_IMPORT_ERROR
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import JOB_STATUSES, list_jobs, list_tags
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import (
    SHARED_OPTIONS,
    connect,
    drop_empty_options,
)

# Those that modules have as well. Here, they may be templates.
OPTIONS: dict[str, dict[str, t.Any]] = {
    **SHARED_OPTIONS,
    "engine_type": {"type": "list", "elements": "str"},
    "status": {"type": "list", "elements": "str", "choices": list(JOB_STATUSES)},
}
# Neither a template, nor a pattern of hosts, nor a name that means something else.
HOST_NAME = r"(?!(?:all|ungrouped|localhost)$)[A-Za-z][A-Za-z0-9_.-]*"


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    NAME = "huaweicloud.drs.drs_jobs"

    def verify_file(self, path: str) -> bool:
        """Whether the file is for this plugin, by its name."""
        return super().verify_file(path) and path.endswith(("drs_jobs.yml", "drs_jobs.yaml"))

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Add a host for each job."""
        super().parse(inventory, loader, path, cache)
        try:
            self._read_config_data(path)
            # One file may be for several projects, by the environment. Ansible keeps a hash of this.
            names = ("region", "endpoint", "project_id", "project_name", "domain_name", "username", "access_key")
            key = self.get_cache_key(str([path, *(self.params[name] for name in names)]))
            cached = self.get_option("cache")
            if cached and not any(self.params[name] for name in ("project_id", "username", "access_key")):
                cached = False
                self.display.warning(
                    f"{self.NAME}: The cache is not used, because a profile or an agency does not tell the account. Set project_id."
                )
            jobs = self._cache.get(key) if cached and cache else None
            if jobs is None:
                jobs = self._read_jobs()
                if cached:
                    self._cache[key] = jobs
            self._add_hosts(jobs)
        except (AnsibleError, HuaweiCloudError) as error:
            # Ansible shows the errors of all plugins that tried to read the file.
            raise AnsibleParserError(f"{self.NAME}: {error}") from None

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        """Take the options of the file, which are I(direct)."""
        aliases = {alias for spec in OPTIONS.values() for alias in spec.get("aliases", ())}
        rendered = {}
        for name, value in direct.items():
            if name in OPTIONS or name in aliases:
                try:
                    # What Vault has encrypted is no string before ansible-core 2.19.
                    value = str(value) if hasattr(value, "data") else self.templar.template(value)
                except AnsibleError as error:
                    raise AnsibleParserError(f"Option {name} cannot be read: {error}") from None
            rendered[name] = value
        # Only now is it known which ones are empty.
        self.task_options = drop_empty_options(rendered)
        checked = ArgumentSpecValidator(OPTIONS).validate(
            {name: value for name, value in self.task_options.items() if name in OPTIONS}
        )
        if checked.error_messages:
            raise AnsibleParserError(" ".join(checked.error_messages))
        self.params = checked.validated_parameters
        super().set_options(
            task_keys, var_options, {name: value for name, value in self.task_options.items() if name not in OPTIONS}
        )
        unknown = sorted(set(map(str, self.task_options)) - set(self._options))
        if unknown:
            # A filter that is misspelt would let plays run on more jobs.
            raise AnsibleParserError(f"There is no option {' or '.join(unknown)}.")

    def _read_jobs(self) -> list[dict[str, t.Any]]:
        """All jobs with their tags, whatever is filtered later, so that they can be cached."""
        if REQUESTS_IMPORT_ERROR:
            raise AnsibleParserError("The Python library requests is missing.")
        secrets = {self.params[name] for name, spec in OPTIONS.items() if spec.get("no_log") and self.params[name]}
        drs = connect(self.params, self.task_options, secrets, ansible_version)
        jobs, tags = list_jobs(drs), list_tags(drs)
        if tags is None:
            self.display.warning(
                f"{self.NAME}: This region does not publish the call that reads tags, so drs_tags is empty."
            )
        return [{**job, "tags": (tags or {}).get(job["id"], {})} for job in jobs]

    def _add_hosts(self, jobs: list[dict[str, t.Any]]) -> None:
        shared = {name for name, count in Counter(job["name"] for job in jobs).items() if count > 1}
        for job in jobs:
            if any(self.params[name] and job[name] not in self.params[name] for name in ("engine_type", "status")):
                continue
            host = job["id"]
            if re.fullmatch(HOST_NAME, job["name"] or ""):
                host = f"{job['name']}_{host}" if job["name"] in shared else job["name"]
            variables = {
                # Whoever may name or tag a job must not run templates here.
                "drs_job_id": wrap_var(job["id"]),
                "drs_job_name": wrap_var(job["name"]),
                "drs_job_status": wrap_var(job["status"]),
                "drs_engine_type": wrap_var(job["engine_type"]),
                "drs_task_type": wrap_var(job["task_type"]),
                "drs_parent_id": wrap_var(job["parent_id"]),
                "drs_tags": wrap_var(job["tags"]),
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
            }
            self.inventory.add_host(host)
            for name, value in variables.items():
                self.inventory.set_variable(host, name, value)
            strict = self.get_option("strict")
            self._set_composite_vars(self.get_option("compose"), variables, host, strict)
            variables = self.inventory.get_host(host).get_vars()
            self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict)
            self._add_host_to_keyed_groups(self.get_option("keyed_groups"), variables, host, strict)

    @staticmethod
    def _sanitize_group_name(name: t.Any) -> t.Any:
        """Ansible may leave a template in a name that is made of a tag, and run it later, or look for variables in a path that is made of it."""
        return to_safe_group_name(name, force=True, silent=True)
