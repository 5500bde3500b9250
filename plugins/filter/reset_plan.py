# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: reset_plan
short_description: Check the inputs of a reset, and decide where its position comes from
version_added: 1.0.0
description:
  - Checks the inputs of the playbook C(huaweicloud.drs.reset_sync_position), and decides whether it collects the
    position, reads the result of a query, uses the position that it was given, or uses the one that an earlier play or
    node of a workflow collected.
  - Used by this playbook.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input, job_id, passed_on
options:
  _input:
    description:
      - The variables of the playbook that are set.
    type: dict
    required: true
  job_id:
    description:
      - ID of the job. Empty if it is not known yet.
    type: str
    required: true
  passed_on:
    description:
      - What an earlier play of the same run collected, in the form of C(drs_collected). It takes precedence over
        C(drs_collected), which may be an extra variable from before the run.
    type: dict
    default: {}
"""

EXAMPLES = r"""
- name: Show where the position comes from
  ansible.builtin.debug:
    msg: "{{ {'drs_job_id': job_id, 'drs_use_position': 'mysql-bin.000277:805'} | huaweicloud.drs.reset_plan(job_id) }}"
  vars:
    job_id: c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r
"""

RETURN = r"""
_value:
  description:
    - C(problem) - What is wrong with the inputs. Empty if nothing is.
    - C(source) - Where the position comes from, V(collect), V(query), V(given) or V(collected). V(unknown) until the ID
      of the job is known.
    - C(position) - The position, with its GTID set after a semicolon, if it is known already.
    - C(query_id) - ID of the query, if there is one already.
    - C(time) - The time in UTC, if the position belongs to one.
    - C(confirmed) - Whether the reset was confirmed in advance.
    - C(verify) - Whether to verify the position on the source.
  type: dict
"""

import typing as t
from types import MappingProxyType

from ansible.module_utils.parsing.convert_bool import boolean

from ansible_collections.huaweicloud.drs.plugins.module_utils import (
    _binlog,
    _endpoints,
    _errors,
    _jobs,
    _options,
    _position_results,
    _positions,
)

SOURCES = ("drs_reset_position_time", "drs_use_query_id", "drs_use_position")
TEXTS = (*SOURCES, "drs_job_id", "drs_use_gtid_set")


def reset_plan(
    values: t.Mapping[str, t.Any], job_id: str, passed_on: t.Mapping[str, t.Any] = MappingProxyType({})
) -> dict[str, t.Any]:
    """Return where the position comes from, see ``RETURN``.

    :param values: the variables that are set.
    :param job_id: the ID of the job. Empty if it is not known yet.
    :param passed_on: what an earlier play of the same run collected. If there was none, it has no ``job_id``.
    """
    if "job_id" in passed_on:
        values = {**values, "drs_collected": passed_on}
    plan: dict[str, t.Any] = {"problem": "", "source": "unknown", "position": "", "query_id": "", "time": ""}
    plan.update(confirmed=False, verify=False)
    try:
        _plan(plan, values, job_id)
    except _errors.InvalidOptionError as error:
        plan["problem"] = str(error)
    return plan


def _plan(plan: dict[str, t.Any], values: t.Mapping[str, t.Any], job_id: str) -> None:
    """Complete a plan.

    :raises InvalidOptionError: when an input is missing or invalid.
    """
    plan.update(confirmed=_is_true(values, "drs_confirm"), verify=_is_true(values, "drs_verify_source"))
    for name in TEXTS:
        if isinstance(values.get(name), bool):
            raise _errors.InvalidOptionError(f"{name} must be a text; it is {values[name]}.")
    values = {name: str(value) if name in TEXTS else value for name, value in values.items()}
    if ("drs_job_id" in values) == ("drs_job_name" in values):
        raise _errors.InvalidOptionError("Set either drs_job_id or drs_job_name.")
    if "drs_job_id" in values:
        _endpoints.check_job_id(values["drs_job_id"])
    check_limits(values)
    report_path = str(values.get("drs_report_path", ".md"))
    # The output of a command loses the line breaks at its end, so that an existing report could be replaced. Modules
    # replace environment variables in paths, which may hold a password.
    if not report_path.endswith(".md") or not report_path.isprintable() or "$" in report_path:
        raise _errors.InvalidOptionError("drs_report_path must end in .md, and have no $ and no control characters.")
    given = [name for name in SOURCES if name in values]
    if len(given) > 1:
        raise _errors.InvalidOptionError(f"Set only one of {' and '.join(given)}.")
    gtid_set = values.get("drs_use_gtid_set")
    if gtid_set:
        _binlog.check_gtid_set(gtid_set)
    if "drs_use_position" in values:
        _binlog.parse_position(values["drs_use_position"], gtid_set)
        plan.update(source="given", position=values["drs_use_position"])
    elif "drs_use_query_id" in values:
        plan.update(source="query", query_id=_position_results.check_query_id(values["drs_use_query_id"]))
    else:
        if given:
            plan.update(source="collect", time=_positions.parse_time(values[given[0]]))
        _use_collected(plan, values.get("drs_collected"), job_id, gtid_set)


def _is_true(values: t.Mapping[str, t.Any], name: str) -> bool:
    """Return a Boolean variable as modules read it. The filter ``bool`` of Ansible takes ``y`` for false.

    :raises InvalidOptionError: when it is not a Boolean.
    """
    try:
        return bool(boolean(values.get(name, False)))
    except TypeError:
        raise _errors.InvalidOptionError(f"{name} must be true or false; it is {values[name]!r}.") from None


def check_limits(values: t.Mapping[str, t.Any]) -> None:
    """Check the limits for a wait.

    :param values: the variables that are set.
    :raises InvalidOptionError: when one is out of range.
    """
    for name, maximum in (("drs_wait_timeout", 86400), ("drs_wait_sleep", 3600)):
        if name in values:
            check_number(values, name, maximum)


def check_number(values: t.Mapping[str, t.Any], name: str, maximum: int) -> None:
    """Check that a variable is a whole number from 1 to a maximum.

    :raises InvalidOptionError: when it is not.
    """
    try:
        number = int(str(values[name]))
    except ValueError:
        raise _errors.InvalidOptionError(f"{name} must be a whole number; it is {values[name]!r}.") from None
    _options.check_range({name: number}, name, 1, maximum)


def _use_collected(plan: dict[str, t.Any], collected: t.Any, job_id: str, gtid_set: str | None) -> None:
    """Use the position that was collected earlier if it is for the same job, and for the time if one is set.

    :raises InvalidOptionError: when it has to be used, but cannot be.
    """
    mismatch = ""
    if collected is not None:
        names = ("job_id", "time", "id", "status", "position")
        texts = (str(collected.get(name, "")) for name in names) if isinstance(collected, t.Mapping) else ("",) * 5
        job, time, query_id, status, position = texts
        if not job or not time:
            raise _errors.InvalidOptionError("drs_collected must be as huaweicloud.drs.collect_db_position returns it.")
        if job_id and job != job_id:
            mismatch = f" drs_collected is for job {_jobs.to_text(job)}, not for {job_id}."
        elif status != _positions.SUCCESS:
            mismatch = " drs_collected contains no position."
        elif job_id and plan["time"] in ("", _positions.parse_time(time)):
            found = f"{position};{collected['gtid_set']}" if collected.get("gtid_set") else position
            _binlog.parse_position(found, gtid_set)
            plan.update(source="collected", position=found, query_id=query_id, time=_positions.parse_time(time))
    if plan["source"] == "unknown" and (mismatch or collected is None):
        raise _errors.InvalidOptionError(
            f"Set one of drs_reset_position_time, drs_use_query_id and drs_use_position.{mismatch}"
        )


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"reset_plan": reset_plan}
