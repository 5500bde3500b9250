# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as hosts: their names, variables and groups.

Other people name and tag jobs, so neither may change which job a play acts on, nor be evaluated by Ansible.
"""

from __future__ import annotations

import re
import typing as t
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from datetime import date

from ansible import template
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.inventory.group import to_safe_group_name
from ansible.inventory.host import Host
from ansible.plugins.inventory import Constructable
from ansible.utils.unsafe_proxy import wrap_var

from ansible_collections.huaweicloud.drs.plugins.module_utils import _endpoints

# Before ansible-core 2.19, strings are templates unless they are marked as unsafe.
CHECKS_TRUST = hasattr(template, "trust_as_template")
trust_as_template: t.Callable[[str], str] = getattr(template, "trust_as_template", str)
# Excludes templates, host patterns and job IDs. Without dots, no other host can have the same files in host_vars.
HOST_NAME = rf"(?i:(?!(?:localhost|{_endpoints.JOB_ID})$))[A-Za-z][A-Za-z0-9_-]{{0,63}}"

SURROGATES = "[\ud800-\udfff]"  # Halves of characters, which JSON may hold.
# Before ansible-core 2.19, Ansible evaluates unmarked text that has ``{{`` or ``{%``, that begins with ``#jinja2:``, or
# that is a list or dictionary of Python, in which escapes stand for any character. A play may join parts of these, and
# put a character of its own in front.
HARMLESS = str.maketrans("{[#\\%", "(((//")
HEADER = re.compile("(jinja2):", re.IGNORECASE)


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


class JobHosts(Constructable):  # type: ignore[misc]
    """The part of an inventory plugin that adds hosts. Its options are those of ``constructed``."""

    NAME: str
    inventory: t.Any

    def add_hosts(self, jobs: list[dict[str, t.Any]], filters: Mapping[str, t.Collection[str]]) -> None:
        """Add the hosts of the jobs that the filters select, and their groups.

        :param jobs: all jobs of the project, as ``_job_lists.list_jobs`` returns them, with ``tags`` by key.
        :param filters: the selected values of a job, by key.
        :raises AnsibleError: when a constructed option cannot be evaluated, or even the ID of a job is not unique.
        """
        # Plays rely on the groups that the file names, so a job cannot replace them.
        keyed = [entry for entry in self.get_option("keyed_groups") or () if isinstance(entry, Mapping)]
        parents = [str(entry["parent_group"]) for entry in keyed if entry.get("parent_group")]
        groups = {*map(self._sanitize_group_name, self.get_option("groups") or ())}
        names = {*map(str, self.get_option("groups") or ()), *(parent for parent in parents if "{" not in parent)}
        # As they are in the file as well: a play may use a name with a hyphen, which Ansible replaces.
        reserved = {"all", "ungrouped", *names, *map(self._sanitize_group_name, names)}
        # Facts, tags and names decide, now or later, which of the groups that begin like this exist.
        beginnings = [self._beginning(entry) for entry in keyed]
        beginnings += [parent.partition("{")[0].rstrip() for parent in parents if "{" in parent]  # as {{- does
        prefixes = (*beginnings, *(to_safe_group_name(text, force=True, silent=True) for text in beginnings))
        subtasks: dict[str | None, list[str]] = {}
        for job in jobs:
            subtasks.setdefault(job["parent_id"], []).append(job["id"])
        selected = [
            {**job, "subtask_ids": subtasks.get(job["id"], [])}
            for job in jobs
            if all(job[name] in values for name, values in filters.items())
        ]
        if "" in prefixes:
            reason = "because an entry of keyed_groups has no prefix, or a parent_group that begins with a template"
            self.display.warning(f"{self.NAME}: The hosts are named by the IDs of their jobs, {reason}.")
        inventory = self.inventory
        hosts = self._name_hosts(jobs, reserved, prefixes)
        self.inventory = draft = _Draft({*hosts.values(), *inventory.hosts})
        for job in selected:
            self._draft_host(hosts[job["id"]], job, self.get_option("keyed_groups"), self.get_option("strict"))
        refused: set[str] = set().union(*draft.refused.values())
        own = reserved | self._groups_of_facts([job for job in selected if job["id"] in refused], keyed)
        self.inventory = inventory
        others = sorted((own & set(draft.refused)) | (groups & set(inventory.hosts)))
        if others:
            # Plays for the group would run on the host, and plays without it on the jobs of the group.
            raise AnsibleParserError(
                f"The group {others[0]} cannot be created, because another inventory has a host {others[0]}. If that is"
                " a file of this plugin, define the group there as well."
            )
        for host in draft.hosts.values():
            inventory.add_host(host.name)
            for name, value in host.vars.items():
                # By its name, Ansible would prefer a group that was defined since another file of this plugin was read.
                inventory.hosts[host.name].set_variable(name, value)
        # A group without jobs must exist as well: a job of another inventory could have its name.
        for group in (*sorted(groups), *draft.groups):
            inventory.add_group(group)
        for group, child in draft.children:
            try:
                if group == child:
                    raise AnsibleError
                if child in draft.hosts:
                    inventory.add_host(child, group)
                else:
                    inventory.add_child(group, child)
            except AnsibleError:  # Otherwise, a tag could take away the whole inventory.
                problem = f"The group {child} was not added to the group {group}, which would then contain itself"
                self.display.warning(f"{self.NAME}: {problem}.")
        for problem, job_id in draft.problems.items():
            self.display.warning(f"{self.NAME}: {problem}. The first job that caused this is {job_id}.")

    def _beginning(self, entry: Mapping[str, t.Any]) -> str:
        """Return what the groups of an entry of ``keyed_groups`` begin with. Empty if this may be anything."""
        prefix = entry.get("prefix", "")
        return f"{prefix}{entry.get('separator', '_')}" if prefix != "" or self.get_option("leading_separator") else ""

    def _groups_of_facts(self, jobs: list[dict[str, t.Any]], keyed: list[Mapping[str, t.Any]]) -> set[str]:
        """Return the groups of jobs that depend neither on names nor on tags."""
        self.inventory = draft = _Draft(set())
        others = {"drs_tags", "drs_job_name"}

        def is_own(expression: t.Any) -> bool:
            return others.isdisjoint(re.findall(r"\w+", str(expression)))

        # Expressions may have a default for tags, so evaluating them without tags is not enough.
        others.update(name for name, value in (self.get_option("compose") or {}).items() if not is_own(value))
        # A key may not depend on tags even if its parent group does, and vice versa.
        keys = [{**entry, "parent_group": None} for entry in keyed if is_own(entry.get("key"))]
        key = trust_as_template("drs_job_id")
        parents = [{"key": key, "parent_group": entry.get("parent_group")} for entry in keyed]
        parents = [entry for entry in parents if is_own(entry["parent_group"])]
        for job in jobs:
            with suppress(AnsibleError):
                self._draft_host(job["id"], {**job, "name": None, "tags": {}}, [*keys, *parents], strict=False)
        return set(draft.groups)

    def _name_hosts(
        self, jobs: list[dict[str, t.Any]], reserved: set[str], prefixes: tuple[str, ...]
    ) -> dict[str, str]:
        """Return the host names by job ID. A job is named by its ID unless its name belongs to nothing else.

        :param reserved: names that belong to groups.
        :param prefixes: what such names may begin with.
        """

        # Where a file system does not tell upper from lower case, hosts share their files in host_vars.
        jobs_by_host: dict[str, set[str]] = {}
        for name, host in self.inventory.hosts.items():
            jobs_by_host.setdefault(name.lower(), set()).add(str(host.vars.get("drs_job_id")))

        def is_taken(name: str, job_id: str) -> bool:
            # A host of the same job is from another inventory file of this plugin.
            return name in self.inventory.groups or not jobs_by_host.get(name.lower(), set()) <= {job_id}

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
            elif not re.fullmatch(HOST_NAME, name) or count[name.lower()] > 1:
                name = job_id
            elif name in reserved or name.startswith(prefixes):
                name = job_id
            elif is_taken(name, job_id):
                reason = f"because another inventory has a group or host {name}, in upper or lower case"
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
        self._add_keyed_groups(keyed_groups, variables, host, strict)

    def _add_keyed_groups(self, keyed_groups: t.Any, variables: dict[str, t.Any], host: str, strict: bool) -> None:
        for entry in keyed_groups or ():
            try:
                self._add_host_to_keyed_groups([entry], variables, host, strict)
            except AnsibleError:
                raise
            except Exception as error:  # pylint: disable=broad-exception-caught
                # Before ansible-core 2.19, a template of a parent group raises what its filters do.
                if strict:
                    raise AnsibleParserError(f"A group of host {host} cannot be determined: {error}") from None

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
        """Return a value without what Ansible would evaluate, cannot export, or would read as something else then.

        Ansible does not evaluate text from elsewhere, but before ansible-core 2.19 only if it is marked as unsafe.
        Single words are not marked, because AWX would show them as dictionaries.
        """
        if isinstance(value, Mapping):
            kept = {key: item for key, item in value.items() if not str(key).startswith("__ansible")}
            if len(kept) < len(value):
                problem = "Keys that begin with __ansible were left out, because Ansible gives them a meaning"
                self.inventory.problems.setdefault(problem, self.inventory.job_id)
            # Dates, for example, may be values, but not keys.
            texts = {key if key is None or isinstance(key, (int, float)) else str(key): kept[key] for key in kept}
            return {self._protect(key): self._protect(item) for key, item in texts.items()}
        if isinstance(value, (list, tuple, set)):
            return [self._protect(item) for item in value]
        if value is not None and not isinstance(value, (str, int, float, date)):
            value = str(value)
        if isinstance(value, str):
            value = re.sub(SURROGATES, "?", value)
            if not CHECKS_TRUST:  # Keys of dictionaries and text from hostvars lose the mark.
                value = HEADER.sub(r"\1/", value.translate(HARMLESS))
        return wrap_var(value) if isinstance(value, str) and re.search(r"[^\w-]", value) else value

    @staticmethod
    def _sanitize_group_name(name: t.Any) -> t.Any:
        """Sanitize a group name whatever the configuration says.

        A name built from a tag may contain a template or a path, which Ansible would use later. Before ansible-core
        2.19, it may be a list or a Boolean. Ansible cannot use the reserved names for other groups, plays for localhost
        would run on the jobs, and an exported inventory with a group such as ``__ansible_vault`` cannot be read.
        """
        safe = to_safe_group_name(str(name), force=True, silent=True)
        is_reserved = safe in ("", "all", "ungrouped", "localhost", "_meta") or safe.startswith("__ansible")
        return f"_{safe}" if is_reserved else safe
