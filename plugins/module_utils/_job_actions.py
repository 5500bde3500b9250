# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API calls that perform actions on jobs. Functions are named after the calls in the official SDK."""

from __future__ import annotations

import time
import typing as t

from . import _drs, _endpoints, _errors, _http_errors, _jobs, _positions, _wait


class Action(t.NamedTuple):
    """An action that DRS can perform on a job.

    ``api_name`` is its name in requests, ``listed_name`` its name in the list of allowed actions. In ``noop_statuses``,
    the action is not needed. ``target_statuses`` are the statuses that it leads to.
    """

    api_name: str
    listed_name: str
    noop_statuses: frozenset[str]
    target_statuses: frozenset[str]


PAUSE_MODES = ("target", "all")
# Seconds. DRS resumes failed jobs by itself, so a failure is reported once it has lasted.
FAILURE_GRACE = 60.0

_UNDER_WAY = _jobs.RUNNING | {"STARTJOBING"}
_PAUSED = frozenset({"PAUSING"})
# By their names in the console. The action "stop" is a pause. The API call "stop" ends a job, and is not used here.
ACTIONS = {
    "start": Action("start", "START", _UNDER_WAY, _jobs.RUNNING),
    "pause": Action("stop", "PAUSE", _PAUSED, _PAUSED),
    "retry": Action("restart", "RETRY", _UNDER_WAY, _jobs.RUNNING),
    "reset": Action("reset", "RESET", frozenset(), _jobs.RUNNING),
}


def check_pause_mode(action: str, pause_mode: str | None) -> None:
    """Check that a pause mode is set for a pause only.

    :raises InvalidOptionError: when it is not.
    """
    if pause_mode and action != "pause":
        raise _errors.InvalidOptionError(f"pause_mode is for action pause only; action is {action}.")


def check_allowed(drs: _drs.DrsClient, job_id: str, action: str) -> bool:
    """Check that a job allows an action, or that the action is already in progress.

    :param action: a key of :data:`ACTIONS`.
    :returns: whether the action has to be requested. True, with a warning, if DRS does not tell what the job allows.
    :raises HuaweiCloudError: when the job does not allow the action. The message lists the actions that it allows.
    """
    actions = _jobs.show_actions(drs, job_id)
    if actions is None or ACTIONS[action].listed_name in actions["available_actions"]:
        return True
    if ACTIONS[action].listed_name == actions["current_action"]:
        return False
    known = [name for name, other in ACTIONS.items() if other.listed_name in actions["available_actions"]]
    current = f" Its current action is {drs.sanitize(actions['current_action'])}." if actions["current_action"] else ""
    raise _errors.HuaweiCloudError(
        f"Job {job_id} does not currently allow {action}."
        f" Of start, pause, retry and reset, it allows {' and '.join(known) or 'none'}.{current}"
    )


def job_action_request(
    drs: _drs.DrsClient, job_id: str, action: str, pause_mode: str | None = None
) -> dict[str, t.Any]:
    """Return method, URL and body of the request that :func:`execute_job_action` sends."""
    url = f"{drs.base}/jobs/{_endpoints.check_job_id(job_id)}/action"
    params = {"action_params": {"pause_mode": pause_mode}} if pause_mode else {}
    return {"method": "POST", "url": url, "body": {"job": {"action_name": ACTIONS[action].api_name, **params}}}


def execute_job_action(drs: _drs.DrsClient, job_id: str, action: str, pause_mode: str | None = None) -> str | None:
    """Request an action, which DRS performs asynchronously.

    API page: Performing Operations on a Task with a Specified ID.

    :param action: a key of :data:`ACTIONS`.
    :param pause_mode: one of :data:`PAUSE_MODES`, for a pause; default: that of DRS.
    :returns: the request ID.
    :raises HuaweiCloudError: also when a response with a 2xx status says that the action failed.
    """
    response = drs.request(**job_action_request(drs, job_id, action, pause_mode))
    status, query_id = response.body.get("status"), response.body.get("query_id")
    fields = _http_errors.error_fields(response.body, deep=False)
    said = drs.sanitize(fields.get("error_msg"))
    if status == _positions.FAILED:
        reason = f"the message {said!r}" if said else "no error message"
        raise drs.invalid_response(
            response,
            f"returned HTTP {response.status} with the status failed and {reason} for the {action} of job {job_id}",
        )
    # Forms in which DRS does not document that an action failed.
    is_refused = fields or response.body.get("error") or response.body.get("success") is False
    is_refused = is_refused or str(status).lower() in ("failed", "error")
    is_accepted = status == _positions.SUCCESS or (query_id and isinstance(query_id, (str, int)))
    if is_refused or not is_accepted:
        what = f"did not confirm the {action} of job {job_id}"
        raise drs.invalid_response(response, f"{what}: {said}" if said else what, maybe_accepted=True)
    return response.request_id


def wait_for_action(
    drs: _drs.DrsClient,
    job_id: str,
    action: str,
    before: str | None,
    timeout: float,
    sleep: float,
    targets: t.Collection[str] | None = None,
    see: t.Callable[[str | None], None] = lambda status: None,
) -> str:
    """Wait until a job has one of the target statuses of an action, and return that status.

    :param before: the status before the action. The job may keep it for some time.
    :param timeout: the maximum time to wait, in seconds.
    :param sleep: the interval between two requests, in seconds.
    :param targets: the statuses to wait for; default: those of the action.
    :param see: called with each status that was read.
    :raises HuaweiCloudError: when the job ends instead, or has failed and stayed so for :data:`FAILURE_GRACE`.
    :raises WaitTimeoutError: on timeout.
    """
    seen = [before]
    failed_at: float | None = None

    def failure() -> str:
        if seen[-1] not in _jobs.FAILED_STATUSES | _jobs.ENDED_STATUSES or all(status == seen[-1] for status in seen):
            return ""
        resumed = " DRS may resume it by itself." if seen[-1] in _jobs.FAILED_STATUSES else ""
        return (
            f"After {action}, job {job_id} is in status {seen[-1]}.{resumed}"
            " For the cause, see the logs of the job in the DRS console."
        )

    def read(deadline: float) -> str | None:
        nonlocal failed_at
        status = _jobs.show_status(drs, job_id, deadline)
        seen.append(status)
        see(status)
        now = time.monotonic()
        failed_at = (failed_at or now) if failure() else None
        if failed_at is not None and (status in _jobs.ENDED_STATUSES or now - failed_at >= FAILURE_GRACE):
            raise _errors.HuaweiCloudError(failure())
        return status if status in (targets or ACTIONS[action].target_statuses) else None

    def timeout_message() -> str:
        return failure() or (
            f"Job {job_id} is still in status {drs.sanitize(seen[-1])}"
            f" after {timeout:g} seconds of waiting for {action}."
        )

    return _wait.wait_for(read, timeout, sleep, timeout_message)
