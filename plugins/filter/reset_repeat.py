# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: reset_repeat
short_description: How to run a failed reset again with the same position
version_added: 1.0.0
description:
  - Decides which of the inputs of the playbook C(huaweicloud.drs.reset_sync_position) sets the same position once more
    after a failure, if that is safe.
  - Used by this playbook.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input, source, position, query_id, relaunch
options:
  _input:
    description:
      - The RV(huaweicloud.drs.drs_reset_position#module:state), or V(unknown) if the module returned none.
    type: str
    required: true
  source:
    description:
      - Where the position comes from, as returned by P(huaweicloud.drs.reset_plan#filter).
    type: str
    required: true
  position:
    description:
      - The position. Empty if it is not known.
    type: str
    required: true
  query_id:
    description:
      - ID of the query. Empty if there is none.
    type: str
    required: true
  relaunch:
    description:
      - Whether the run can be relaunched with the variables of this one, but not with others, as in AWX.
    type: bool
    required: true
"""

EXAMPLES = r"""
- name: Show that the reset can be run again with the position
  ansible.builtin.debug:
    msg: "{{ 'paused' | huaweicloud.drs.reset_repeat('collect', 'mysql-bin.000277:805', '5', false) }}"
"""

RETURN = r"""
_value:
  description:
    - V(position) with C(drs_use_position), V(query) with C(drs_use_query_id), V(relaunch) with the same variables.
      V(none) if there is nothing to say, or if the position must not be set again.
  type: str
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _reset

# In the others, the position was set, and the job may have run from it.
REPEATABLE = (_reset.UNCHANGED, _reset.PAUSE_UNKNOWN, _reset.PAUSED, _reset.POSITION_UNKNOWN, "unknown")


def reset_repeat(state: str, source: str, position: str, query_id: str, relaunch: bool) -> str:
    """Return how to run the reset again, see ``RETURN``.

    :param state: the state in which the reset left the job, or ``unknown``.
    :param source: where the position comes from.
    :param position: empty if it is not known.
    :param query_id: empty if there is none.
    :param relaunch: whether the run can be relaunched with the same variables only.
    """
    if source == "given" or state not in REPEATABLE:
        return "none"
    # With a time, a relaunch would collect again.
    if position and not relaunch:
        return "position"
    if position and source != "collect":
        return "relaunch"
    return "query" if query_id else "none"


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"reset_repeat": reset_repeat}
