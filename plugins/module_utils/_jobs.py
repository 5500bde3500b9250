# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API calls that read a job. Functions are named after the calls in the official SDK.

Jobs are read by v5 of the API. Some regions do not serve v5 for all engines, so jobs are read by v3 where v5 refuses.

Separate files, this one and ``_job_lists.py``, because collecting a position does not need them, and every imported
line makes a task slower.
"""

from __future__ import annotations

import re
import typing as t

from . import _binlog, _drs, _endpoints, _errors, _http

T = t.TypeVar("T")

MYSQL_TO_DWS = "mysql-to-dws"
# The statuses of a job. ``PAUSING`` means paused.
JOB_STATUSES = tuple(
    """
    CREATING CREATE_FAILED CONFIGURATION STARTJOBING WAITING_FOR_START START_JOB_FAILED PAUSING
    FULL_TRANSFER_STARTED FULL_TRANSFER_FAILED FULL_TRANSFER_COMPLETE INCRE_TRANSFER_STARTED
    INCRE_TRANSFER_FAILED RELEASE_RESOURCE_STARTED RELEASE_RESOURCE_FAILED RELEASE_RESOURCE_COMPLETE
    REBUILD_NODE_STARTED REBUILD_NODE_FAILED CHANGE_JOB_STARTED CHANGE_JOB_FAILED DELETED
    CHILD_TRANSFER_STARTING CHILD_TRANSFER_STARTED CHILD_TRANSFER_COMPLETE CHILD_TRANSFER_FAILED
    RELEASE_CHILD_TRANSFER_STARTED RELEASE_CHILD_TRANSFER_COMPLETE NODE_UPGRADE_START NODE_UPGRADE_COMPLETE
    NODE_UPGRADE_FAILED
    """.split()
)
RUNNING = frozenset({"FULL_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"})
# Statuses of a job that has ended.
ENDED_STATUSES = frozenset({"RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE", "DELETED"})
# DRS resumes failed jobs by itself, so a job may leave these statuses again.
FAILED_STATUSES = frozenset(status for status in JOB_STATUSES if status.endswith("_FAILED"))
MAX_TEXT = 256  # Characters of all texts about a job except positions. DRS allows 255 at most, in the values of tags.
MAX_ACTIONS = 100  # There are about 20.
# Refusals that v3 would repeat: the account or user is restricted.
RESTRICTED = "DRS.M00105"


def show_job_detail(
    drs: _drs.DrsClient, job_id: str, kind: str = "detail", deadline: float | None = None
) -> dict[str, t.Any]:
    """Read the details of a job. API page: Querying Task Details.

    :param kind: ``detail``; ``progress``; or ``status``, if only the status of the job is needed.
    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    :returns: the object ``job`` of the response.
    """
    url = f"{drs.base}/jobs/{_endpoints.check_job_id(job_id)}"
    params = {"type": "progress" if kind == "progress" else "detail"}

    def by_v3() -> _http.Response:
        from . import _jobs_v3

        return _jobs_v3.show_job_detail(drs, job_id, kind, deadline)

    response = read_v5_or_v3(drs, lambda: drs.request("GET", url, params=params, deadline=deadline), by_v3)
    job = response.body.get("job")
    if not isinstance(job, dict):
        raise drs.invalid_response(response, "returned no job details")
    if job.get("id") is not None and str(job["id"]).lower() != job_id.lower():
        raise drs.invalid_response(response, f"returned another job than {job_id}")
    return job


def read_v5_or_v3(drs: _drs.DrsClient, by_v5: t.Callable[[], T], by_v3: t.Callable[[], T]) -> T:
    """Read by v5, or by v3 if v5 refuses in a way that v3 may not.

    Once v3 has responded in place of v5, it is used for all that follows. A job that v5 does not know may be of an
    engine that v5 does not serve, so v3 is asked before the job is reported as absent.
    """
    if drs.reads_v3:
        return by_v3()
    try:
        return by_v5()
    except _errors.ApiError as error:
        absent = is_absent(error)
        if not absent and not is_unsupported(error):
            raise
        refusal = error
    try:
        found = by_v3()
    except _errors.HuaweiCloudError as error:
        if isinstance(error, _errors.ApiError) and is_absent(error) and not absent:
            drs.reads_v3 = True  # It serves the region, but there is no such job.
            raise
        if not absent:
            refusal.add_hint(f"Reading by v3 of the API failed as well: {error}")
        raise refusal from None
    drs.reads_v3 = drs.reads_v3 or not absent
    return found


def is_absent(error: _errors.ApiError) -> bool:
    """Return whether DRS does not know a job. v3 may respond with HTTP 200 and no error, see ``_jobs_v3.py``."""
    from . import _hints

    return error.error_code in _hints.ABSENT or (error.http_status == 200 and not error.error_code)


def is_unsupported(error: _errors.ApiError) -> bool:
    """Return whether DRS refused a request for a reason other than the job, the user, or too many requests."""
    status = error.http_status or 0
    other = is_absent(error) or error.error_code in (RESTRICTED, _drs.TOO_FREQUENT)
    return 400 <= status < 500 and status not in (401, 403, 429) and not other


def check_collectable(drs: _drs.DrsClient, job_id: str) -> bool:
    """Read a job, and check that its position can be collected.

    :returns: False if DRS does not offer to read the job, neither by v5 nor by v3, so that nothing is known about it.
    :raises HuaweiCloudError: when the job does not exist, or does not synchronize MySQL to GaussDB(DWS).
    """
    try:
        base_info = show_job_detail(drs, job_id).get("base_info")
    except _errors.ApiError as error:
        if is_unsupported(error):
            return False
        raise
    engine_type = base_info.get("engine_type") if isinstance(base_info, dict) else None
    if not engine_type:
        raise _errors.InvalidResponseError(f"DRS did not return the engine type of job {job_id}.")
    if engine_type != MYSQL_TO_DWS:
        shown = repr(drs.sanitize(engine_type)[:50])
        raise _errors.HuaweiCloudError(
            f"Job {job_id} has the engine type {shown}. Positions can be collected only for {MYSQL_TO_DWS} jobs."
        )
    return True


def show_job(drs: _drs.DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read a job, and return the same keys as :func:`list_jobs`. An ID of a parent that is malformed counts as none."""
    job = show_job_detail(drs, job_id)
    base_info, parent_id = job.get("base_info"), job.get("master_job_id")
    has_parent = isinstance(parent_id, str) and re.fullmatch(_endpoints.JOB_ID, parent_id)
    facts = base_info if isinstance(base_info, dict) else {}
    return build_job(job_id, facts, job.get("status"), parent_id if has_parent else None)


def show_progress(drs: _drs.DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read the progress of a job. API page: Querying Task Details.

    :returns: ``transfer_status``, and ``incr_trans_delay`` in seconds. Each is None if DRS does not return it.
    """
    progress = show_job_detail(drs, job_id, "progress").get("progress_info")
    progress = progress if isinstance(progress, dict) else {}
    delay = str(progress.get("incr_trans_delay"))
    return {
        "transfer_status": to_text(progress.get("transfer_status")),
        "incr_trans_delay": int(delay) if re.fullmatch("[0-9]{1,18}", delay) else None,
    }


def show_status(drs: _drs.DrsClient, job_id: str, deadline: float | None = None) -> str | None:
    """Read the status of a job.

    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    """
    return to_text(show_job_detail(drs, job_id, "status", deadline).get("status"))


def show_actions(drs: _drs.DrsClient, job_id: str) -> dict[str, t.Any] | None:
    """Read the actions that a job allows. API page: Obtaining the Operations Allowed in a Specified Task.

    :returns: ``available_actions``, ``unavailable_actions``, and ``current_action``, which may be None. None, with a
        warning, if DRS does not offer to read them.
    """
    url = f"{drs.base}/jobs/{_endpoints.check_job_id(job_id)}/actions"
    try:
        response = drs.request("GET", url)
    except _errors.ApiError as error:
        # A job that v5 does not know has been read by v3 before.
        if not is_unsupported(error) and not is_absent(error):
            raise
        drs.warn(f"It is unknown which actions job {job_id} allows. {error}")
        return None
    found = response.body.get("job_action")
    if not isinstance(found, dict) or not isinstance(found.get("available_actions"), list):
        raise drs.invalid_response(response, "returned no list of allowed actions")
    lists = {name: found.get(name) for name in ("available_actions", "unavailable_actions")}
    if any(isinstance(actions, list) and len(actions) > MAX_ACTIONS for actions in lists.values()):
        raise drs.invalid_response(response, f"returned more than {MAX_ACTIONS} actions")
    texts = {
        name: [to_text(str(action)) or "" for action in actions] if isinstance(actions, list) else []
        for name, actions in lists.items()
    }
    return {**texts, "current_action": to_text(found.get("current_action"))}


def show_start(drs: _drs.DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read where a job starts, and what is related to it. Only v3 of the API returns this.

    API page: Querying Task Details in Batches.

    :returns: ``start_position``, ``start_gtid_set``, ``conflict_policy``, ``failed_reason`` (texts), and
        ``is_open_fast_clean`` (a boolean). Each is None if DRS does not return it.
    """
    from . import _jobs_v3

    found = _jobs_v3.show_job_detail(drs, _endpoints.check_job_id(job_id)).body["job"]
    cleaned = found.get("is_open_fast_clean")
    return {
        "start_position": _start_position(drs, found.get("incre_start_position")),
        "start_gtid_set": to_text(found.get("gtid"), _binlog.MAX_POSITION),
        "conflict_policy": to_text(found.get("conflict_policy")),
        "failed_reason": drs.sanitize(found.get("failed_reason")) or None,
        "is_open_fast_clean": cleaned if isinstance(cleaned, bool) else None,
    }


def _start_position(drs: _drs.DrsClient, value: t.Any) -> str | None:
    """Return a start position. If a GTID set makes it too long, only the GTID set is replaced."""
    if isinstance(value, str) and len(value) > _binlog.MAX_POSITION:
        position, gtid_set = (to_text(part, _binlog.MAX_POSITION) for part in _binlog.cut_gtid_set(value))
        # What is left of a secret that is cut would not be recognized.
        if position and gtid_set and not drs.has_secret(value):
            return f"{position};{gtid_set}"
    return to_text(value, _binlog.MAX_POSITION)


def build_job(job_id: str, facts: dict[str, t.Any], status: t.Any, parent_id: t.Any) -> dict[str, t.Any]:
    """Return a job with the keys that users see. Values that DRS does not return are None."""
    return {
        "id": job_id,
        "name": to_text(facts.get("name")),
        "status": to_text(status),
        "engine_type": to_text(facts.get("engine_type")),
        "task_type": to_text(facts.get("task_type")),
        "parent_id": to_text(parent_id),
    }


def to_text(value: t.Any, length: int = MAX_TEXT) -> str | None:
    """Return a text of a response on one line. Characters that are not printable become spaces.

    :param length: A longer text is replaced. If it were cut, a part of a secret could remain, which redaction would not
        recognize.
    """
    if not isinstance(value, str) or not value:
        return None
    if "\x1b[" in value or "\x9b" in value:
        from . import _redact

        return _redact.ESCAPES  # Without their first character, redaction would not recognize them.
    if len(value) > length:
        return f"(omitted because it has more than {length} characters)"
    return "".join(char if char.isprintable() else " " for char in value)
