# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: drs_jobs
short_description: Huawei Cloud DRS synchronization jobs as an inventory source
version_added: 1.0.0
description:
  - Creates a host for each synchronization job of the Data Replication Service (DRS), so that a play runs once for
    each job. The plays run on the control node, because it is not possible to log in to a job.
  - The host name is the name of the job, or the job ID if the name is not unique, regardless of upper and lower case,
    or could mean something else to Ansible. The latter is the case if it does not start with a letter, contains
    characters other than letters, digits, V(_) and V(-), has more than 64 characters, is V(localhost), has the form of
    a job ID, is in O(groups) or a C(parent_group) or C(default_value) of O(keyed_groups), is the group of a C(key) of
    O(keyed_groups) that uses neither names nor tags, such as the status, or is the name of a group or of another host
    in an inventory that Ansible read before. In the last case, the plugin issues a warning.
  - The host variables are C(drs_job_id), C(drs_job_name), C(drs_job_status), C(drs_engine_type), C(drs_task_type),
    C(drs_parent_id), C(drs_subtask_ids), and C(drs_tags), a dictionary of tag values by tag key. A job that consists
    of subtasks and each of its subtasks are hosts. C(drs_parent_id) is the ID of the parent job if the job is a
    subtask, and C(drs_subtask_ids) contains the IDs of the subtasks of the job.
  - C(ansible_connection) is V(local), and C(ansible_python_interpreter) is the Python interpreter that runs Ansible.
    Use O(compose) to change both.
  - In group names, each character other than a letter, digit or underscore is replaced with an underscore, regardless
    of the Ansible configuration. An underscore is put before C(all), C(ungrouped), C(localhost) and C(_meta). A group
    of O(keyed_groups) with the name of a host or of the host of an excluded job is not created. A group that would
    contain itself is not added to the other group. In both cases, the plugin issues a warning.
  - Text that contains a password, token or other secret of this inventory is replaced, in names as well. Keys of tags
    that begin with C(__ansible) are left out, with a warning. Text from DRS is never evaluated, neither as a template
    nor as a condition.
  - The name of the inventory file must end in C(drs_jobs.yml) or C(drs_jobs.yaml).
  - The plugin calls C(GET /v5/{project_id}/jobs) and C(POST /v5/{project_id}/sync/resource-instances/filter),
    described on the API pages "Querying the Task List" and "Querying Resource Instances by Tag". If a region does not
    publish the second call, C(drs_tags) is empty and the plugin issues a warning.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
extends_documentation_fragment:
  - huaweicloud.drs.drs
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
options:
  plugin:
    description:
      - Identifies the file as a configuration of this plugin.
    type: str
    required: true
    choices:
      - huaweicloud.drs.drs_jobs
  engine_type:
    description:
      - Include only jobs of these engine types.
    type: list
    elements: str
  status:
    description:
      - Include only jobs with these statuses, for example V(INCRE_TRANSFER_STARTED). For the valid values, see the
        O(huaweicloud.drs.drs_job_info#module:status) option of M(huaweicloud.drs.drs_job_info). V(PAUSING) means that
        the job is paused.
    type: list
    elements: str
notes:
  - O(engine_type), O(status) and the authentication and connection options can contain templates, for example
    V({{ lookup('ansible.builtin.env', 'SECRET'\) }}). No variables are available in these templates.
  - Do not store secrets in the file unless they are encrypted with Ansible Vault. If an unencrypted password contains
    V({{), it is evaluated as a template, and Ansible may show it in an error message. An encrypted value is never
    evaluated.
  - The cache contains all jobs of the project with their tags, so changes to O(engine_type) and O(status) take effect
    without a new request. A cache entry is valid only for the same inventory file, region, endpoint, project, user
    and access key, as they are used, wherever they come from. With an agency, the cache is used only if O(project_id)
    is set.
  - If an inventory that Ansible reads later contains a host with the name of a job, Ansible merges the two into one
    host with C(ansible_connection=local). If it contains a group with that name, plays for the group run on the host.
    Use this inventory separately, or specify it last. If two inventories of this plugin contain jobs of the same name,
    the one that Ansible reads first keeps the name. If a host of another inventory has the name of a group in
    O(groups), or of one that uses neither names nor tags, this inventory fails. So define the same groups in all files
    of this plugin.
  - A group of O(keyed_groups) is the same as the group of that name in another inventory. Its variables apply to the
    jobs, and its hosts belong to C(parent_group). Whoever can tag jobs chooses such groups, so use a C(prefix) that no
    other inventory uses.
  - If DRS changes a list of jobs or tags while it is read, the plugin reads it again. If this happens each time, it
    issues a warning that jobs or tags may be missing. A removal and an addition at the same time may remain unnoticed.
  - To Ansible, C(all:!GROUP) means all hosts if the group does not exist. So do not exclude jobs by a group that
    O(keyed_groups) derives from tags or names, which other people choose. Use O(groups), whose names no job can take.
  - C(ansible-inventory --list --export --yaml) loses the mark that keeps Ansible from evaluating text from DRS. Do not
    use its output as an inventory.
  - From ansible-core 2.19 on, C(ansible-inventory --list) and AWX show text from DRS as a dictionary with the key
    C(__ansible_unsafe), as they do for other inventory plugins. Plays get the text.
  - If an inventory cannot be read, Ansible only issues a warning and continues without its hosts. Set
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) to make Ansible fail instead. Other plugins may report errors for the
    same file as well. The actual cause is in the message that contains the name of this plugin.
seealso:
  - module: huaweicloud.drs.drs_job_info
"""

EXAMPLES = r"""
# The file shards.drs_jobs.yml. Like the modules, the plugin takes the region and the credentials from the environment
# variables HW_REGION_NAME, HW_DOMAIN_NAME (the account name), HW_USER_NAME and HW_USER_PASSWORD.
plugin: huaweicloud.drs.drs_jobs
engine_type: mysql-to-dws
status:
  - INCRE_TRANSFER_STARTED
  - PAUSING
compose:
  # An additional variable for the plays.
  shard: drs_tags.shard | default('none')
groups:
  paused: drs_job_status == 'PAUSING'
  # Jobs that consist of subtasks. A play with "hosts: all:!parents" leaves them out.
  parents: drs_subtask_ids | length > 0
keyed_groups:
  - prefix: shard
    key: drs_tags.shard | default('none')
cache: true
cache_plugin: ansible.builtin.jsonfile
cache_connection: ~/.cache/drs_jobs
cache_timeout: 300
"""

import functools
import hashlib
import json
import re
import time
import typing as t
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from ansible import __version__ as ansible_version
from ansible import template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.inventory.host import Host
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.huaweicloud.drs.plugins.module_utils import (
    _auth_access_key,
    _endpoints,
    _errors,
    _http,
    _job_lists,
    _jobs,
    _options,
    _redact,
    _trace,
)

# Before ansible-core 2.19, strings are templates unless they are marked as unsafe.
CHECKS_TRUST = hasattr(template, "trust_as_template")
trust_as_template: t.Callable[[str], str] = getattr(template, "trust_as_template", str)
# The options that modules have as well. In an inventory file, they may be templates.
OPTIONS: dict[str, dict[str, t.Any]] = {
    **_options.SHARED_OPTIONS,
    "engine_type": {"type": "list", "elements": "str"},
    "status": {"type": "list", "elements": "str", "choices": list(_jobs.JOB_STATUSES)},
}

FILE_NAMES = ("drs_jobs.yml", "drs_jobs.yaml")
# Excludes templates, host patterns and job IDs. Without dots, no other host can have the same files in host_vars.
HOST_NAME = rf"(?i:(?!(?:localhost|{_endpoints.JOB_ID})$))[A-Za-z][A-Za-z0-9_-]{{0,63}}"
MAX_SEARCH_TIME = 300  # Seconds. The names and tags of 5,000 jobs take a few.


class _Draft:
    """What is added to the inventory when all of it is known. Groups cannot have the names of hosts in ``taken``."""

    def __init__(self, taken: set[str]) -> None:
        self.hosts: dict[str, Host] = {}
        self.groups: dict[str, None] = {}  # in their order
        self.children: dict[tuple[str, str], None] = {}  # hosts and groups by group
        self.problems: dict[str, str] = {}  # the job that caused it first, by problem
        self.refused: dict[str, set[str]] = {}  # the jobs by each group that cannot be created
        self.job_id = ""  # of the host that is being added
        self._taken = taken

    def get_host(self, name: str) -> Host:
        return self.hosts[name]

    def set_variable(self, host: str, name: str, value: t.Any) -> None:
        self.hosts[host].set_variable(name, value)

    def add_group(self, group: str) -> str | None:
        """Return the name of the group, or None if it cannot be created."""
        if group in self._taken:
            self.refused.setdefault(group, set()).add(self.job_id)
            self.problems.setdefault(f"The group {group} was not created, because a host has this name", self.job_id)
            return None
        self.groups[group] = None
        return group

    def add_host(self, host: str, group: str | None) -> None:
        self.add_child(group, host)

    def add_child(self, group: str | None, child: str | None) -> None:
        if group in self.groups and child:
            self.children[group, child] = None


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):  # type: ignore[misc]
    NAME = "huaweicloud.drs.drs_jobs"
    inventory: t.Any

    def verify_file(self, path: str) -> bool:
        """Return whether the file exists, and its name is one for this plugin.

        :raises AnsibleParserError: when the file is for this plugin except for its name. If False was returned, Ansible
            would not say what is wrong.
        """
        if not super().verify_file(path):
            return False
        if path.endswith(FILE_NAMES):
            return True
        if path.endswith((".yml", ".yaml")):
            with open(path, encoding="utf-8", errors="replace") as file:
                if re.search(rf"""(?m)^[{{\s"']*plugin["']?\s*:\s*["']?{re.escape(self.NAME)}\b""", file.read()):
                    raise AnsibleParserError(
                        f"{self.NAME}: The name of an inventory file of this plugin must end in"
                        f" {' or '.join(FILE_NAMES)}. Rename the file {path}."
                    )
        return False

    def parse(self, inventory: t.Any, loader: t.Any, path: str, cache: bool = True) -> None:
        """Add a host for each job.

        :raises AnsibleParserError: when an option cannot be used, or the jobs cannot be read. Nothing is added then.
        """
        super().parse(inventory, loader, path, cache)
        try:
            self._read_config_data(path)
            key = self._cache_key(path) if self.get_option("cache") else None
            jobs = _load(functools.partial(self._cache.get, key)) if key and cache else None
            if jobs is None:
                jobs = self._read_jobs()
                if key:
                    self._cache[key] = _dump(jobs)
            self._add_hosts(jobs)
        except (AnsibleError, _errors.HuaweiCloudError) as error:
            # The name of the plugin is added because Ansible shows the errors of all plugins that tried the file.
            raise AnsibleParserError(f"{self.NAME}: {error}") from None

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        """Validate the options of the file.

        :param direct: the options, by name.
        :raises AnsibleParserError: when one is unknown or cannot be used.
        """
        aliases = {alias for spec in OPTIONS.values() for alias in spec.get("aliases", ())}
        rendered = {}
        for name, value in direct.items():
            if name in OPTIONS or name in aliases:
                try:
                    # Before ansible-core 2.19, a value that Vault encrypted is an object and not a string.
                    value = str(value) if hasattr(value, "data") else self.templar.template(value)
                except AnsibleError as error:
                    raise AnsibleParserError(f"Option {name} cannot be read: {error}") from None
            rendered[name] = value
        # Templates may render to nothing, so empty values are dropped only now.
        self.task_options = _options.drop_empty_options(rendered)
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
            # A misspelt filter would let plays run on more jobs than intended.
            raise AnsibleParserError(f"There is no option {' or '.join(unknown)}.")

    def _cache_key(self, path: str) -> str | None:
        """Return the key of the cache entry for this file, or None with a warning if there cannot be one.

        The environment may point one file at several projects. Ansible's own keys end in a hash so short that two
        projects may have the same.
        """
        auth = _options.create_auth(self.params, self.params["auth_method"], self.task_options)
        if isinstance(auth, _auth_access_key.AgencyAuth) and not auth.project_id:
            reason = "because an agency does not identify the account. Set project_id"
            self.display.warning(f"{self.NAME}: The cache is not used {reason}.")
            return None
        names = ("region", "iam_endpoint", "project_name", "domain_name", "username")
        values = [getattr(auth.options, name) for name in names]
        account = [auth.project_id, getattr(auth, "access_key", None), *values]
        identity = json.dumps([path, self.params["endpoint"], type(auth).__name__, *account])
        return f"{self.NAME}_{hashlib.sha256(identity.encode()).hexdigest()}"

    def _read_jobs(self) -> list[dict[str, t.Any]]:
        """Return all jobs with their tags. Filters apply later, so that the cache serves all of them."""
        if _http.REQUESTS_IMPORT_ERROR:
            raise AnsibleParserError("The Python library requests cannot be imported.")
        secrets = {self.params[name] for name, spec in OPTIONS.items() if spec.get("no_log") and self.params[name]}
        drs = _options.connect(
            self.params,
            self.task_options,
            self.display.warning,
            secrets=secrets,
            ansible_version=ansible_version,
            create=functools.partial(_trace.TracingHttpClient, self.display.vvv),
        )
        jobs, tags = _job_lists.list_jobs(drs), _job_lists.list_tags(drs)
        if tags is None:
            problem = "The API call that reads tags is not available in this region, so drs_tags is empty"
            self.display.warning(f"{self.NAME}: {problem}.")

        deadline = time.monotonic() + MAX_SEARCH_TIME

        @functools.lru_cache(maxsize=None)  # Most tags are on many jobs.
        def hide(text: str) -> str:
            if time.monotonic() > deadline:
                raise _errors.InvalidResponseError(
                    f"DRS listed so many jobs or tags that {MAX_SEARCH_TIME} seconds were not enough to search them for"
                    " secrets."
                )
            return text if _http.is_plain(text, secrets) else _redact.hide(text, secrets)

        for job in jobs:
            if hide(job["id"]) != job["id"]:
                raise _errors.InvalidResponseError(f"DRS listed a job with the invalid ID {_redact.HIDDEN}.")
            job.update({name: hide(value) for name, value in job.items() if isinstance(value, str)})
            job["tags"] = {hide(key): hide(value) for key, value in (tags or {}).get(job["id"], {}).items()}
        return jobs

    def _add_hosts(self, jobs: list[dict[str, t.Any]]) -> None:
        """Add the hosts of the jobs that the filters select, and their groups.

        :raises AnsibleError: when a constructed option cannot be evaluated, or even the ID of a job is not unique.
        """
        # Plays rely on the groups that the file names, so a job cannot replace them.
        keyed = [entry for entry in self.get_option("keyed_groups") or () if isinstance(entry, Mapping)]
        named = {*(self.get_option("groups") or ()), *map(self._parent_group, keyed), *map(self._default_group, keyed)}
        reserved = {"all", "ungrouped", *map(self._sanitize_group_name, named)}
        filters = {name: self.params[name] for name in ("engine_type", "status") if self.params[name]}
        subtasks: dict[str | None, list[str]] = {}
        for job in jobs:
            subtasks.setdefault(job["parent_id"], []).append(job["id"])
        selected = [
            {**job, "subtask_ids": subtasks.get(job["id"], [])}
            for job in jobs
            if all(job[name] in values for name, values in filters.items())
        ]
        inventory = self.inventory
        while True:  # twice at most: then no host has the name of such a group
            hosts = self._name_hosts(jobs, reserved)
            self.inventory = draft = _Draft({*hosts.values(), *inventory.hosts})
            for job in selected:
                self._draft_host(hosts[job["id"]], job, self.get_option("keyed_groups"), self.get_option("strict"))
            refused: set[str] = set().union(*draft.refused.values())
            own = reserved | self._groups_of_facts([job for job in selected if job["id"] in refused], keyed)
            self.inventory = inventory
            names = {host for job_id, host in hosts.items() if host != job_id and host not in inventory.hosts} & own
            if not names:
                break
            reserved |= names
        others = sorted(own & set(draft.refused))
        if others:
            # Plays for the group would run on the host, and plays without it on the jobs of the group.
            raise AnsibleParserError(
                f"The group {others[0]} cannot be created, because another inventory has a host {others[0]}. If that is"
                " a file of this plugin, define the group there as well."
            )
        for host in draft.hosts.values():
            inventory.add_host(host.name)
            for name, value in host.vars.items():
                inventory.set_variable(host.name, name, value)
        for group in draft.groups:
            inventory.add_group(group)
        for group, child in draft.children:
            try:
                if group == child:
                    raise AnsibleError
                inventory.add_child(group, child)
            except AnsibleError:  # Otherwise, a tag could take away the whole inventory.
                problem = f"The group {child} was not added to the group {group}, which would then contain itself"
                self.display.warning(f"{self.NAME}: {problem}.")
        for problem, job_id in draft.problems.items():
            self.display.warning(f"{self.NAME}: {problem}. The first job that caused this is {job_id}.")

    def _parent_group(self, entry: Mapping[str, t.Any]) -> str | None:
        """Return the parent group of an entry of ``keyed_groups``, as far as it does not depend on a host."""
        group: str | None = entry.get("parent_group")
        try:
            return group and str(self.templar.template(group))
        except AnsibleError:
            return group

    def _default_group(self, entry: Mapping[str, t.Any]) -> str | None:
        """Return the group of an entry of ``keyed_groups`` for hosts with an empty value."""
        prefix = entry.get("prefix") or ""
        separator = entry.get("separator", "_") if prefix or self.get_option("leading_separator") else ""
        return f"{prefix}{separator}{entry['default_value']}" if entry.get("default_value") else None

    def _groups_of_facts(self, jobs: list[dict[str, t.Any]], keyed: list[Mapping[str, t.Any]]) -> set[str]:
        """Return the groups that depend neither on names nor on tags. A job cannot take these from the others."""
        self.inventory = draft = _Draft(set())
        # A parent group may not depend on tags even if the key does.
        key = trust_as_template("drs_job_id")
        parents = [{"key": key, "parent_group": entry.get("parent_group")} for entry in keyed]
        for job in jobs:
            with suppress(AnsibleError):
                self._draft_host(job["id"], {**job, "name": None, "tags": {}}, [*keyed, *parents], strict=False)
        return set(draft.groups)

    def _name_hosts(self, jobs: list[dict[str, t.Any]], reserved: set[str]) -> dict[str, str]:
        """Return the host names by job ID. A job is named by its ID unless its name belongs to nothing else."""

        def is_taken(name: str, job_id: str) -> bool:
            host = self.inventory.hosts.get(name)
            # A host of the same job is from another inventory file of this plugin.
            return name in self.inventory.groups or (host is not None and host.vars.get("drs_job_id") != job_id)

        count = Counter((job["name"] or "").lower() for job in jobs)
        # The hosts from other inventory files of this plugin. The name of a job may differ, if it was renamed since.
        known = {
            host.vars["drs_job_id"]: name
            for name, host in self.inventory.hosts.items()
            if {"drs_job_id", "drs_job_status", "drs_tags"} <= set(host.vars)
        }
        hosts = {}
        # All jobs count, so that names do not depend on the filters.
        for job in jobs:
            name, job_id = job["name"] or "", job["id"]
            if job_id in known:
                name = known[job_id]
            elif not re.fullmatch(HOST_NAME, name) or count[name.lower()] > 1 or name in reserved:
                name = job_id
            elif is_taken(name, job_id):
                reason = f"because another inventory has a group or host {name}"
                self.display.warning(f"{self.NAME}: The host of job {job_id} is named by its ID, {reason}.")
                name = job_id
            if name == job_id and (job_id in reserved or is_taken(job_id, job_id)):
                raise AnsibleParserError(f"The ID of job {job_id} is also the name of a group or of another host.")
            hosts[job_id] = name
        return hosts

    def _draft_host(self, host: str, job: dict[str, t.Any], keyed_groups: t.Any, strict: bool) -> None:
        self.inventory.job_id = job["id"]
        names = {"id": "job_id", "name": "job_name", "status": "job_status"}
        values = {f"drs_{names.get(key, key)}": value for key, value in job.items()}
        own = {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
        variables = {**self._protect(values), **{name: trust_as_template(value) for name, value in own.items()}}
        self.inventory.hosts[host] = Host(host)
        self.inventory.hosts[host].vars.update(variables)
        self._is_key = False
        self._set_composite_vars(self.get_option("compose"), variables, host, strict)
        variables = self.inventory.hosts[host].get_vars()
        self._add_host_to_composed_groups(self.get_option("groups"), variables, host, strict)
        self._is_key = True
        self._add_host_to_keyed_groups(keyed_groups, variables, host, strict)

    def _compose(self, template: t.Any, *args: t.Any, **kwargs: t.Any) -> t.Any:
        """Evaluate an expression. Its result may be a template that it decoded or put together from names and tags."""
        value: t.Any = None
        if not CHECKS_TRUST:
            # In a list, a text such as True or [1] stays text. If there is no list, the value is something like a time.
            listed = trust_as_template(f"[({template}) | ansible.builtin.mandatory]")
            value = super()._compose(listed, *args, **kwargs)
        value = self._protect(value[0] if isinstance(value, list) else super()._compose(template, *args, **kwargs))
        # Ansible would give up the inventory for a key of any other type.
        is_valid_key = value is None or isinstance(value, (str, list, dict))
        return str(value) if self._is_key and not is_valid_key else value

    def _protect(self, value: t.Any) -> t.Any:
        """Return a value without what Ansible would evaluate, or read as something else after exporting it.

        Ansible does not evaluate text from elsewhere, but before ansible-core 2.19 only if it is marked as unsafe. Text
        that cannot become part of a template is not marked, because AWX would show it as a dictionary.
        """
        if isinstance(value, Mapping):
            kept = {key: item for key, item in value.items() if not str(key).startswith("__ansible")}
            if len(kept) < len(value):
                problem = "Keys that begin with __ansible were left out, because Ansible gives them a meaning"
                self.inventory.problems.setdefault(problem, self.inventory.job_id)
            return {self._protect(key): self._protect(item) for key, item in kept.items()}
        if isinstance(value, (list, tuple)):
            return [self._protect(item) for item in value]
        return wrap_var(value) if isinstance(value, str) and re.search("[{(|]", value) else value

    @staticmethod
    def _sanitize_group_name(name: t.Any) -> t.Any:
        """Sanitize a group name whatever the configuration says.

        A name built from a tag may contain a template or a path, which Ansible would use later. Before ansible-core
        2.19, it may be a list or a Boolean. Ansible cannot use the reserved names for other groups, and plays for
        localhost would run on the jobs.
        """
        safe = to_safe_group_name(str(name), force=True, silent=True)
        return f"_{safe}" if safe in ("", "all", "ungrouped", "localhost", "_meta") else safe


def _dump(jobs: list[dict[str, t.Any]]) -> str:
    """Return jobs as text for the cache. Ansible gives some keys of dictionaries a meaning, and tags may have them."""
    return json.dumps(
        [{**job, "tags": [{"key": key, "value": value} for key, value in job["tags"].items()]} for job in jobs]
    )


def _load(read: t.Callable[[], t.Any]) -> list[dict[str, t.Any]] | None:
    """Return the jobs from the cache, checked like those of a response. None if this is not possible."""
    try:
        jobs = [
            {**_job_lists.parse_job(job, job["parent_id"]), "tags": _job_lists.parse_tags(job["tags"])}
            for job in json.loads(read())
        ]
        return jobs if {job["parent_id"] for job in jobs} <= {None, *(job["id"] for job in jobs)} else None
    except Exception:  # pylint: disable=broad-exception-caught  # Cache plugins do not document theirs.
        return None
