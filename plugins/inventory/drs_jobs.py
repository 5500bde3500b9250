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
    a job ID, begins with the C(prefix) and C(separator) of an entry of O(keyed_groups), is in O(groups) or a
    C(parent_group) of O(keyed_groups), begins like a C(parent_group) that contains a template, or is the name of a
    group, or in upper or lower case of a host, in an inventory that Ansible read before. Then, a warning is issued.
  - If groups may have any name, all hosts are named by job IDs, with a warning, because a job could have the name of a
    group that does not exist yet. So set a C(prefix) in each entry of O(keyed_groups) unless O(leading_separator) puts
    the C(separator) there, and let no C(parent_group) begin with a template.
  - The host variables are C(drs_job_id), C(drs_job_name), C(drs_job_status), C(drs_engine_type), C(drs_task_type),
    C(drs_parent_id), C(drs_subtask_ids), and C(drs_tags), a dictionary of tag values by tag key. A job that consists
    of subtasks and each of its subtasks are hosts. C(drs_parent_id) is the ID of the parent job if the job is a
    subtask, and C(drs_subtask_ids) contains the IDs of the subtasks of the job.
  - C(ansible_connection) is V(local), and C(ansible_python_interpreter) is the Python interpreter that runs Ansible.
    Use O(compose) to change both.
  - In group names, each character other than a letter, digit or underscore is replaced with an underscore, regardless
    of the Ansible configuration. An underscore is put before C(all), C(ungrouped), C(localhost), C(_meta), and names
    that begin with C(__ansible). The groups in O(groups) are created even if no job belongs to them. A group of
    O(keyed_groups) with the name of a host of another inventory is not created. A group that would contain itself is
    not added to the other group. In both cases, the plugin issues a warning.
  - Text that contains a password, token or other secret of this inventory is replaced, in names and tags. If the ID,
    status or type of a job contains one, the plugin fails, because the job would be in other groups. Each character
    that is not printable is replaced with a space. Keys of tags that begin with C(__ansible) are left out, with a
    warning.
  - Text from DRS is never evaluated, neither as a template nor as a condition, from ansible-core 2.19 on. Before that,
    V(() replaces V({), V([) and V(#), and V(/) replaces V(\\), V(%) and the colon of V(jinja2:), in all text that
    O(compose) returns as well, because Ansible does not always remember that text from DRS is not a template. A
    condition that is nothing but such text is evaluated if the text consists of letters, digits, underscores and
    hyphens, and before 2.16.1 in any case (CVE-2023-5764). So compare text from DRS with other text. Do not use an
    inventory that was exported with ansible-core 2.19 or later with an earlier version.
  - The name of the inventory file must end in C(drs_jobs.yml) or C(drs_jobs.yaml).
  - The plugin calls C(GET /v5/{project_id}/jobs) and C(POST /v5/{project_id}/sync/resource-instances/filter),
    described on the API pages "Querying the Task List" and "Querying Resource Instances by Tag". If a region does not
    publish the second call, C(drs_tags) is empty and the plugin issues a warning. If DRS refuses the first call, the
    plugin uses C(POST /v3/{project_id}/jobs), which may lack jobs of engine types other than V(mysql-to-dws).
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
  - Do not store secrets in the file unless they are encrypted with Ansible Vault. A password that contains V({{) or
    V({%) is evaluated as a template, also in a file that is encrypted as a whole. A value that is encrypted by itself,
    with C(ansible-vault encrypt_string), is never evaluated.
  - The cache contains all jobs of the project with their tags, so changes to O(engine_type) and O(status) take effect
    without a new request. A cache entry is valid only for the same inventory file, region, endpoint, project, user,
    token and access key, as they are used, wherever they come from. With an agency, the cache is used only if
    O(project_id) is set.
  - If an inventory that Ansible reads later contains a host with the name of a job, Ansible merges the two into one
    host with C(ansible_connection=local). If it contains a group with that name, plays for the group run on the host.
    Use this inventory separately, or specify it last. If two inventories of this plugin contain jobs of the same name,
    the one that Ansible reads first keeps the name, unless its O(status) or O(engine_type) excludes the job. If a host
    of another inventory has the name of a group in O(groups), or of one that uses neither names nor tags, this
    inventory fails. A job of another file of this plugin may have the name of a group that has no jobs yet, and plays
    for the group run on it. So define the same groups in all files of this plugin. A job in two files is one host.
  - A group of O(keyed_groups) is the same as the group of that name in O(groups), in another entry, or in another
    inventory. Its variables apply to the jobs, plays for it run on them, and its hosts belong to C(parent_group).
    Whoever can name or tag jobs chooses the groups that use names or tags, so use a C(prefix) that no other group has,
    and a C(parent_group) without a template. Otherwise, groups could nest so deep that C(ansible-inventory) fails.
  - If DRS changes a list of jobs or tags while it is read, the plugin reads it again. If this happens each time, it
    issues a warning that jobs or tags may be missing, and also if DRS returns fewer than it counts. A removal and an
    addition at the same time may remain unnoticed.
  - To Ansible, C(all:!GROUP) means all hosts if the group does not exist. A group of O(keyed_groups) may be missing
    because no job belongs to it at the moment, because a host of another inventory has its name, or because somebody
    changed a tag. So exclude jobs by a group in O(groups).
  - C(ansible-inventory --list --yaml), with or without C(--export), loses the mark that keeps Ansible from evaluating
    text from DRS. Do not use its output as an inventory.
  - C(ansible-inventory --list) and AWX show text from DRS as a dictionary with the key C(__ansible_unsafe), as they do
    for other inventory plugins. Before ansible-core 2.19, they show single words as they are. Plays get the text.
  - If an inventory cannot be read, Ansible only issues a warning and continues without its hosts. Set
    E(ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED) to make Ansible fail instead. Other plugins may report errors for the
    same file as well, and quote lines of it, so encrypt secrets. The cause is in the message that names this plugin.
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

from ansible import __version__ as ansible_version
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.parameters import remove_values
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable

from ansible_collections.huaweicloud.drs.plugins.module_utils import (
    _auth_access_key,
    _errors,
    _http,
    _job_lists,
    _jobs,
    _options,
    _redact,
    _trace,
)
from ansible_collections.huaweicloud.drs.plugins.plugin_utils import _job_hosts

# The options that modules have as well. In an inventory file, they may be templates.
OPTIONS: dict[str, dict[str, t.Any]] = {
    **_options.SHARED_OPTIONS,
    "engine_type": {"type": "list", "elements": "str"},
    "status": {"type": "list", "elements": "str", "choices": list(_jobs.JOB_STATUSES)},
}

FILE_NAMES = ("drs_jobs.yml", "drs_jobs.yaml")
# Text around a template is a password that was not meant as one. Ansible's own reason contains words of it.
NOT_A_TEMPLATE = (
    "It contains {{, {% or {#, and cannot be evaluated as a template. Correct the template. If it is not one, encrypt"
    " the value, not only the file, with ansible-vault encrypt_string."
)
TEMPLATE = r"(?s)\s*{{((?!}}).)*}}\s*"  # and nothing else
MAX_SEARCH_TIME = 300  # Seconds. The names and tags of 5,000 jobs take a few.


# JobHosts comes first: before ansible-core 2.19, the other classes have a way of their own to sanitize group names.
class InventoryModule(_job_hosts.JobHosts, BaseInventoryPlugin, Cacheable):  # type: ignore[misc]
    NAME = "huaweicloud.drs.drs_jobs"

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
            found = _load(functools.partial(self._cache.get, key)) if key and cache else None
            if found is None:
                found = self._read_jobs()
                if key:
                    self._cache[key] = _dump(*found)
            else:  # The run that filled the cache may have had another password.
                self._hide_secrets(found[0], self._secrets())
            for warning in found[1]:
                self.display.warning(f"{self.NAME}: {remove_values(warning, self._secrets())}")
            filters = {name: self.params[name] for name in ("engine_type", "status") if self.params[name]}
            self.add_hosts(found[0], filters)
        except (AnsibleError, _errors.HuaweiCloudError) as error:
            secrets = self._secrets()
            message = remove_values(str(error), secrets)  # as Ansible does for modules
            # It may quote a secret that is set for another option with escapes.
            shown = _redact.hide(message, secrets) if isinstance(error, _errors.InvalidOptionError) else message
            if shown != message:
                message = f"An option is invalid. Its value is {shown[1:-1]}."
            # The name of the plugin is added because Ansible shows the errors of all plugins that tried the file.
            raise AnsibleParserError(f"{self.NAME}: {message}") from None

    def _secrets(self) -> set[str]:
        """Return the secrets among the options."""
        params = getattr(self, "params", {})
        return {params[name] for name, spec in OPTIONS.items() if spec.get("no_log") and params.get(name)}

    def set_options(self, task_keys: t.Any = None, var_options: t.Any = None, direct: t.Any = None) -> None:
        """Validate the options of the file.

        :param direct: the options, by name.
        :raises AnsibleParserError: when one is unknown or cannot be read.
        :raises InvalidOptionError: when one cannot be used.
        """
        specs = {key: spec for name, spec in OPTIONS.items() for key in (name, *spec.get("aliases", ()))}
        rendered = {}
        for name, value in direct.items():
            if name in specs:
                try:
                    # Before ansible-core 2.19, a value that Vault encrypted is an object and not a string.
                    value = str(value) if hasattr(value, "data") else self.templar.template(value)
                except Exception as error:  # pylint: disable=broad-exception-caught  # Filters raise any, before 2.19.
                    is_secret = specs[name].get("no_log") and isinstance(value, (str, list, dict))
                    reason = NOT_A_TEMPLATE if is_secret and not re.fullmatch(TEMPLATE, str(value)) else error
                    raise AnsibleParserError(f"Option {name} cannot be read: {reason}") from None
            rendered[str(name)] = value
        # Templates may render to nothing, so empty values are dropped only now.
        self.task_options = _options.drop_empty_options(rendered)
        checked = ArgumentSpecValidator(OPTIONS).validate(
            {name: value for name, value in self.task_options.items() if name in OPTIONS}
        )
        self.params = checked.validated_parameters
        if checked.error_messages:
            raise _errors.InvalidOptionError(" ".join(checked.error_messages))
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
        account = [auth.project_id, getattr(auth, "access_key", None), getattr(auth, "token", None), *values]
        identity = json.dumps([path, self.params["endpoint"], type(auth).__name__, *account])
        return f"{self.NAME}_{hashlib.sha256(identity.encode()).hexdigest()}"

    def _read_jobs(self) -> tuple[list[dict[str, t.Any]], list[str]]:
        """Return all jobs with their tags, and warnings about what may be missing.

        Filters apply later, so that the cache serves all of them.
        """
        if _http.REQUESTS_IMPORT_ERROR:
            raise AnsibleParserError("The Python library requests cannot be imported.")
        secrets = self._secrets()
        warnings: list[str] = []
        drs = _options.connect(
            self.params,
            self.task_options,
            warnings.append,
            secrets=secrets,
            ansible_version=ansible_version,
            create=functools.partial(_trace.TracingHttpClient, self.display.vvv),
        )
        jobs, tags = _job_lists.list_jobs(drs), _job_lists.list_tags(drs)
        if tags is None:
            warnings.append("The API call that reads tags is not available in this region, so drs_tags is empty.")
        jobs = [{**job, "tags": (tags or {}).get(job["id"], {})} for job in jobs]
        self._hide_secrets(jobs, secrets)
        return jobs, warnings

    def _hide_secrets(self, jobs: list[dict[str, t.Any]], secrets: set[str]) -> None:
        """Replace names and tags that contain a secret.

        :raises InvalidResponseError: when the ID, status or type of a job contains one.
        """
        auth = _options.create_auth(self.params, self.params["auth_method"], self.task_options)
        has_signatures = isinstance(auth, _auth_access_key.AccessKeyAuth)
        deadline = time.monotonic() + MAX_SEARCH_TIME

        @functools.lru_cache(maxsize=None)  # Most tags are on many jobs.
        def hide(text: str) -> str:
            if time.monotonic() > deadline:
                raise _errors.InvalidResponseError(
                    f"DRS listed so many jobs or tags that {MAX_SEARCH_TIME} seconds were not enough to search them for"
                    " secrets."
                )
            return text if _http.is_plain(text, secrets) else _redact.hide(text, secrets, has_signatures)

        for job in jobs:
            shown = {name: hide(value) for name, value in job.items() if isinstance(value, str)}
            # With another status or type, a job would be in other groups. With another ID, it would not be itself.
            if any(text != job[name] for name, text in shown.items() if name != "name"):
                raise _errors.InvalidResponseError(
                    "DRS listed a job whose ID, status or type contains a password, token or key of this inventory. If"
                    " a password is a word in it, change the password, or use a token or an access key in place of it."
                    " The password must not be set in the environment either."
                )
            job.update(shown, tags={hide(key): hide(value) for key, value in job["tags"].items()})


def _dump(jobs: list[dict[str, t.Any]], warnings: list[str]) -> str:
    """Return jobs as text for the cache. Ansible gives some keys of dictionaries a meaning, and tags may have them."""
    tags = ([{"key": key, "value": value} for key, value in job["tags"].items()] for job in jobs)
    return json.dumps({"jobs": [{**job, "tags": item} for job, item in zip(jobs, tags)], "warnings": warnings})


def _load(read: t.Callable[[], t.Any]) -> tuple[list[dict[str, t.Any]], list[str]] | None:
    """Return jobs and warnings from the cache, checked like those of a response. None if this is not possible."""
    try:
        cached = json.loads(read())
        jobs = [
            {**_job_lists.parse_job(job, job["parent_id"]), "tags": _job_lists.parse_tags(job["tags"])}
            for job in cached["jobs"]
        ]
        warnings = list(filter(None, map(_jobs.to_text, cached["warnings"])))
        return (jobs, warnings) if {job["parent_id"] for job in jobs} <= {None, *(job["id"] for job in jobs)} else None
    except Exception:  # pylint: disable=broad-exception-caught  # Cache plugins do not document theirs.
        return None
