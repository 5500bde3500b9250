# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: collect_problem
short_description: Check the inputs of the playbook that collects positions
version_added: 1.0.0
description:
  - Checks the inputs of the playbook C(huaweicloud.drs.collect_db_position).
  - Used by this playbook.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input, job_ids
options:
  _input:
    description:
      - The variables of the playbook that are set.
    type: dict
    required: true
  job_ids:
    description:
      - The IDs in C(drs_job_ids).
    type: list
    elements: str
    required: true
"""

EXAMPLES = r"""
- name: Show that the time is missing
  ansible.builtin.debug:
    msg: "{{ {'drs_job_name': 'orders-to-dws'} | huaweicloud.drs.collect_problem([]) }}"
"""

RETURN = r"""
_value:
  description: What is wrong with the inputs. Empty if nothing is.
  type: str
"""

import typing as t

from ansible_collections.huaweicloud.drs.plugins.filter.reset_plan import check_limits, check_number
from ansible_collections.huaweicloud.drs.plugins.module_utils import _endpoints, _errors, _positions

JOBS = ("drs_job_id", "drs_job_name", "drs_job_ids")


def collect_problem(values: t.Mapping[str, t.Any], job_ids: t.Sequence[str]) -> str:
    """Return what is wrong with the inputs, or an empty text.

    :param values: the variables that are set.
    :param job_ids: the IDs in ``drs_job_ids``.
    """
    try:
        _check(values, job_ids)
    except _errors.InvalidOptionError as error:
        return str(error)
    return ""


def _check(values: t.Mapping[str, t.Any], job_ids: t.Sequence[str]) -> None:
    """Check the inputs.

    :raises InvalidOptionError: when one is missing or invalid.
    """
    given = [name for name in JOBS if name in values]
    if not given:
        raise _errors.InvalidOptionError("Set drs_job_id or drs_job_name for one job, or drs_job_ids for many jobs.")
    if len(given) > 1:
        raise _errors.InvalidOptionError(f"Set only one of {' and '.join(given)}.")
    if "drs_job_id" in values:
        _endpoints.check_job_id(str(values["drs_job_id"]))
    if "drs_job_ids" in values and not job_ids:
        raise _errors.InvalidOptionError("drs_job_ids contains no ID of a job.")
    if "drs_reset_position_time" not in values:
        raise _errors.InvalidOptionError(
            "Set drs_reset_position_time to the point in time to collect the position for, for example"
            " 2023-09-19T07:00:00Z."
        )
    _positions.parse_time(str(values["drs_reset_position_time"]))
    check_limits(values)
    if "drs_concurrency" in values:
        check_number(values, "drs_concurrency", 100)


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"collect_problem": collect_problem}
