# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: reset_wait
short_description: Whether to go on waiting for the incremental phase of a job
version_added: 1.0.0
description:
  - Decides whether the playbook C(huaweicloud.drs.reset_sync_position) goes on waiting for the job that it resumed. It
    waits in rounds, each of which ends when the status of the job changes, or after half a minute, and later after a
    tenth of the time that has passed.
  - Used by this playbook.
author:
  - huaweicloud.drs contributors (!UNKNOWN)
positional: _input, wait, timeout, now
options:
  _input:
    description:
      - The result of the module M(huaweicloud.drs.drs_job_info).
    type: dict
    required: true
  wait:
    description:
      - What this filter returned at the end of the previous round. Without C(outcome) in the first round.
    type: dict
    required: true
  timeout:
    description:
      - The maximum time to wait, in seconds.
    type: int
    required: true
  now:
    description:
      - The time in seconds. By default, that of a clock that does not change when the time of the host is set.
    type: float
"""

EXAMPLES = r"""
- name: Show that the wait goes on
  ansible.builtin.debug:
    msg: "{{ ({'jobs': [{'status': 'PAUSING'}]} | huaweicloud.drs.reset_wait({}, 1800)).outcome }}"
"""

RETURN = r"""
_value:
  description:
    - C(outcome) - V(running) if the job is in its incremental phase, V(waiting) if the wait goes on, V(failed) if the
      job has been failed for a minute or was ended, V(late) if the time is over, V(error) if it could not be read.
    - C(round_over) - Whether this round ends.
    - C(status), C(since) - The status of the job, and the time at which it was first seen in this status.
    - C(until), C(round_until) - When the time is over, and when the next round ends.
    - C(rounds) - The number of rounds up to this one.
  type: dict
"""

import time
import typing as t

from ansible_collections.huaweicloud.drs.plugins.filter.is_throttled import is_throttled
from ansible_collections.huaweicloud.drs.plugins.module_utils import _reset

# Seconds. DRS resumes failed jobs by itself, so only a failure that lasts counts.
LASTING_FAILURE = 60.0
ROUND = 30.0
# The file of a round includes itself, and Ansible crashes at about 240 levels. So rounds grow, and after this number of
# rounds, a change of the status no longer ends one: a job may fail and recover for hours. How long it has been failed
# is not known then, so it is waited for to the end.
SHORT_ROUNDS = 100
GROWTH = 0.1


def reset_wait(
    result: t.Mapping[str, t.Any], wait: t.Mapping[str, t.Any], timeout: float, now: float | None = None
) -> dict[str, t.Any]:
    """Return whether to go on waiting, see ``RETURN``.

    :param result: the result of the module ``drs_job_info``.
    :param wait: what this function returned at the end of the previous round. Without ``outcome`` in the first round.
    :param timeout: the maximum time to wait, in seconds.
    :param now: the value of ``time.monotonic()``, for tests.
    """
    now = time.monotonic() if now is None else now
    is_first = "outcome" not in wait
    # If DRS returned no status, the last one counts.
    status: str = (result.get("jobs") and result["jobs"][0]["status"]) or wait.get("status", "")
    has_changed = is_first or status != wait["status"]
    since: float = now if has_changed else wait["since"]
    until: float = now + timeout if is_first else wait["until"]
    rounds: int = 1 if is_first else wait["rounds"] + 1
    is_short = rounds <= SHORT_ROUNDS
    outcome = _outcome(result, status, now - since if is_short else 0.0, now >= until)
    round_over = outcome != "waiting" or (is_short and has_changed) or now >= wait["round_until"]
    return {
        "outcome": outcome,
        "round_over": round_over,
        "status": status,
        "since": since,
        "until": until,
        "round_until": now + max(ROUND, GROWTH * (now - until + timeout)),
        "rounds": rounds,
    }


def _outcome(result: t.Mapping[str, t.Any], status: str, age: float, is_late: bool) -> str:
    """Return the outcome.

    :param age: for how long the job has been in this status, in seconds.
    """
    if not result.get("jobs"):
        return "waiting" if is_throttled(result) and not is_late else "error"
    if status == _reset.JOB_RUNS:
        return "running"
    if status.startswith(("RELEASE_", "DELETED")) or (
        status.endswith("_FAILED") and (is_late or age >= LASTING_FAILURE)
    ):
        return "failed"
    return "late" if is_late else "waiting"


class FilterModule:
    """The filter for Ansible."""

    def filters(self) -> dict[str, t.Callable[..., t.Any]]:
        return {"reset_wait": reset_wait}
