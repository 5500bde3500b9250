# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: variable_problems
short_description: Find misspelled and reserved variables
version_added: 1.0.0
description:
  - Returns the problems with the names of the variables that are defined. Problems are a name that is nearly the name
    of an input of the playbooks of this collection, a variable that is reserved for them, and an extra variable that
    would take the place of something else that they read. Extra variables are recognized by their names, because no
    playbook can reset them.
  - Other names are not a problem, even if they begin with C(drs_).
  - Used by the playbooks of this collection.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input
options:
  _input:
    description:
      - The value of the variable that the playbooks set at their start.
    type: dict
    required: true
"""

EXAMPLES = r"""
- name: Show that drs_reset_position_time was meant
  ansible.builtin.debug:
    msg: "{{ {'skipped': true} | huaweicloud.drs.variable_problems }}"
  vars:
    drs_reset_positon_time: 2023-09-19T07:00:00Z
"""

RETURN = r"""
_value:
  description: The problems, as sentences.
  type: list
  elements: str
"""

import re
import typing as t

from ansible.parsing.dataloader import DataLoader
from ansible.utils.vars import load_extra_vars
from jinja2 import pass_context
from jinja2.runtime import Context

from ansible_collections.huaweicloud.drs.plugins.module_utils import _options

CONNECTION = tuple(f"drs_{option}" for option in _options.SHARED_OPTIONS if option != "language")
INPUTS = (
    "drs_job_id",
    "drs_job_ids",
    "drs_job_name",
    "drs_reset_position_time",
    "drs_use_query_id",
    "drs_use_position",
    "drs_use_gtid_set",
    "drs_confirm",
    "drs_report_path",
    "drs_verify_source",
    "drs_source_host",
    "drs_source_port",
    "drs_source_user",
    "drs_source_password",
    "drs_source_ca_cert",
    "drs_concurrency",
    "drs_wait_timeout",
    "drs_wait_sleep",
    *CONNECTION,
)
SECRETS = (
    "drs_source_password",
    *(f"drs_{name}" for name, option in _options.SHARED_OPTIONS.items() if option.get("no_log")),
)
# An earlier playbook or node of a workflow may have left these. Only drs_collected is read again.
OUTPUTS = (
    "drs_collected",
    "drs_position",
    "drs_position_id",
    "drs_position_status",
    "drs_position_counts",
    "drs_positions",
    "drs_report",
)
AWX_INPUTS = (
    "drs_awx_project_scm_url",
    "drs_awx_project_scm_branch",
    "drs_awx_project_scm_credential",
    "drs_awx_project_update_timeout",
    "drs_awx_organization",
    "drs_awx_project",
    "drs_awx_inventory",
    "drs_awx_credential",
    "drs_awx_execution_environment_image",
    "drs_awx_execution_environment",
)
# What the playbooks read and Ansible sets, as variables and as functions of templates. Some of these take precedence
# over an extra variable, in some versions of Ansible.
ANSIBLE_NAMES = (
    "ansible_check_mode",
    "ansible_failed_result",
    "ansible_failed_task",
    "ansible_play_hosts_all",
    "dict",
    "inventory_hostname",  # The lookup plugin vars reads the variables of this host.
    "item",
    "lookup",
    "now",
    "omit",
    "query",
)
# The value to which the playbooks reset their variables, like the result of a task that did not run.
INITIAL = {"skipped": True}
# What one of the playbooks hands on to a later play of the same run. An output may be hidden by an extra variable.
PASSED_ON = "_drs_passed_on"


@pass_context
def variable_problems(context: Context, started: t.Any) -> list[str]:
    """Return the problems with the names of variables, and with values that messages cannot show.

    They come from Jinja and from Ansible, not from a variable or function of the template, which a variable could
    hide.

    :param context: what the template can read.
    :param started: the value of the variable that the playbooks set at their start.
    """
    if not _is_initial(started):
        return [
            "This playbook runs as a whole, and has no tags. Run it without --tags, or with a tag of its import."
            " Nothing was changed."
        ]
    # Ansible has parsed them already, and returns the same again.
    extra = {str(name) for name in load_extra_vars(DataLoader())}
    problems = []
    for name in sorted(extra.union(context.parent)):
        if _is_reserved(name):
            if name in extra or not (name == PASSED_ON or _is_initial(context.resolve(name))):
                problems.append(f"The variable {name} is reserved for the playbooks of this collection.")
        elif name in extra and name.startswith("drs_awx_") and name not in AWX_INPUTS:
            # The playbook awx_setup itself defines some of these.
            problems.append(f"The variable {name} is reserved for the playbooks of this collection.")
        elif name in extra and name in ANSIBLE_NAMES:
            problems.append(f"The variable {name} is reserved for Ansible.")
        elif re.match("_?drs_", name, re.IGNORECASE) and name not in INPUTS and name not in OUTPUTS:
            meant = _meant(name)
            if meant:
                problems.append(f"The variable {name} is unknown; {meant} was probably meant.")
        elif name in INPUTS and name not in SECRETS:
            value = context.resolve(name)
            text = value if isinstance(value, str) else ""
            # Ansible quotes invalid values in its own messages. A list may have an ID on each line.
            words = text.split() if name == "drs_job_ids" else [text.strip()]
            if not all(map(str.isprintable, words)):
                problems.append(f"{name} must have no control characters.")
    return problems


def _is_reserved(name: str) -> bool:
    return name.startswith(("_drs_", "drs_verify_")) and name != "drs_verify_source"


def _is_initial(value: t.Any) -> bool:
    return isinstance(value, t.Mapping) and dict(value) == INITIAL


def _meant(name: str) -> str | None:
    """Return the input that was probably meant by a name that is no input."""
    squashed = _squash(name)
    if squashed[-1:].isdigit():
        return None  # One of several values, such as drs_job_id_2, and not a misspelling.
    distances = [
        (_distance(squashed, form), known) for known in INPUTS for form in (_squash(known), _without_use(known))
    ]
    distances.append((_distance(squashed, "accountname"), "drs_domain_name"))
    distance, meant = min(distances)
    # One mistake, or two in a long name.
    return meant if distance <= (1 if len(squashed) < 12 else 2) else None


def _squash(name: str) -> str:
    return name.lower().replace("_", "")[len("drs") :]


def _without_use(name: str) -> str:
    return _squash(name.replace("drs_use_", "drs_"))


def _distance(one: str, other: str) -> int:
    """Return the number of characters to insert, delete, replace or swap with their neighbor to turn one into other.

    The ratio of ``difflib`` does not tell "regoin" for "region" from a name that users have given to something else.
    """
    rows = [list(range(len(other) + 1))]
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[-1] + 1, rows[-1][j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and b == one[i - 2]:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"variable_problems": variable_problems}
