# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: reset_advice
short_description: What to do after a reset that ended in a state
version_added: 1.0.0
description:
  - Returns the advice of the module M(huaweicloud.drs.drs_reset_position) for a state, for a failure that the module
    itself does not see.
  - Used by the playbook C(huaweicloud.drs.reset_sync_position).
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input
options:
  _input:
    description:
      - The RV(huaweicloud.drs.drs_reset_position#module:state), or V(unknown) if the module returned none.
    type: str
    required: true
"""

EXAMPLES = r"""
- name: Show what to do with a job that is paused
  ansible.builtin.debug:
    msg: "{{ 'paused' | huaweicloud.drs.reset_advice }}"
"""

RETURN = r"""
_value:
  description: The advice, as sentences.
  type: str
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.module_utils import _reset

UNKNOWN = (
    "The task was cut off, so it is unknown whether the job was paused, the position was set, and the job was resumed,"
    " and the module may still be working on the reset. First make sure that no process named"
    " AnsiballZ_drs_reset_position is left on the host that ran the playbook, or with pipelining, no Python process of"
    " this run, then check the job. If it is paused and has not been running since, run the reset again with the same"
    " position. If it has been running or stays failed, do not run the reset again."
)


def reset_advice(state: str) -> str:
    """Return what to do.

    :param state: a key of :data:`ADVICE`, or ``unknown``.
    """
    return _reset.ADVICE.get(state, UNKNOWN)


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"reset_advice": reset_advice}
