# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: refuse_partial_run
short_description: Refuse to run only a part of a playbook
version_added: 1.0.0
description:
  - Returns its input, which is the C(hosts) of a play, unless an option of C(ansible-playbook) leaves out tasks of the
    play. Ansible itself would skip these tasks, or the whole play, and succeed.
  - Used by the playbooks of this collection.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input
options:
  _input:
    description:
      - The host of the play.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Run completely or not at all
  hosts: "{{ 'localhost' | huaweicloud.drs.refuse_partial_run }}"
  gather_facts: false
  tasks:
    - name: Show that nothing was left out
      ansible.builtin.debug:
        msg: No option left out this task.
"""

RETURN = r"""
_value:
  description: The host of the play.
  type: str
"""

import typing as t

from ansible import context
from ansible.inventory.manager import split_host_pattern


def refuse_partial_run(host: str) -> str:
    """Return the host of a play.

    :raises ValueError: when an option on the command line leaves out the host or tasks.
    """
    options = context.CLIARGS
    tags = {tag.strip() for tags in options.get("skip_tags") or () for tag in tags.split(",")}
    skipped = sorted({"always", "tagged"} & tags)
    limit = split_host_pattern(options.get("subset") or "")
    # A file may contain the other two.
    subtracting = [part for part in limit if part[0] in "!&@"]
    problem = ""
    if limit and host not in limit:
        problem = f"--limit leaves out {host}, which this play runs on. Add {host} to it"
    elif subtracting:
        problem = f"--limit {','.join(subtracting)} may leave out {host}, which this play runs on. Remove it"
    elif skipped:
        problem = f"--skip-tags {','.join(skipped)} would leave out tasks. Run the playbook without it"
    elif options.get("step") or options.get("start_at_task") is not None:  # Without a name, Ansible runs no task.
        option = "--step" if options.get("step") else "--start-at-task"
        problem = f"{option} would leave out tasks. Run the playbook without it"
    if problem:
        raise ValueError(f"{problem}. Nothing was changed by this play.")
    return host


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"refuse_partial_run": refuse_partial_run}
