# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API calls that find and read jobs. Functions are named after the calls in the official SDK.

Jobs are read by v5 of the API. Some regions do not serve v5 for all engines, so jobs are read by v3 where v5 refuses.

A separate file, because collecting a position does not need it, and every imported line makes a task slower.
"""

from __future__ import annotations

import re
import typing as t
from functools import partial

from ._drs import TOO_FREQUENT, DrsClient
from ._endpoints import check_job_id
from ._errors import ApiError, HuaweiCloudError, InvalidResponseError
from ._http import Response
from ._job_lists import check_listed_id, list_too_long, parse_tags, read_pages

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
PAGE_SIZE = 50  # The maximum is not documented, so a page may contain fewer jobs than requested.
MAX_JOBS = 50000  # of a list, see _job_lists.py
# The gateway's error codes for an API call that is not available in the region.
UNPUBLISHED = ("APIGW.0101", "APIG.0101")
# Refusals that v3 would repeat: the account or user is restricted.
RESTRICTED = "DRS.M00105"


def list_jobs(drs: DrsClient, name: str | None = None) -> list[dict[str, t.Any]]:
    """Read all synchronization jobs, or those with a name. API page: Querying the Task List.

    :returns: for each job the keys of :func:`_job`. A job that consists of subtasks is followed by these.
    """

    def page(number: int, offset: int, deadline: float) -> Response:
        params = {"job_type": "sync", "offset": str(offset), "limit": str(PAGE_SIZE)}
        if name:
            params["name"] = name  # DRS also finds names that contain it.
        return drs.request("GET", f"{drs.base}/jobs", params=params, deadline=deadline)

    def by_v3() -> list[dict[str, t.Any]]:
        from . import _jobs_v3

        # The API page says that v3 lists one engine type by default, and the SDK that it lists all.
        lists = [
            _list_pages(drs, name, partial(_jobs_v3.list_jobs, drs, name, engine_type))
            for engine_type in (None, MYSQL_TO_DWS)
        ]
        return list({job["id"]: job for jobs in lists for job in jobs}.values())

    return _read(drs, lambda: _list_pages(drs, name, page), by_v3)


def _list_pages(
    drs: DrsClient, name: str | None, read_page: t.Callable[[int, int, float], Response]
) -> list[dict[str, t.Any]]:
    """Read all pages of a list of jobs.

    :param read_page: returns a page. Its arguments are the number of the page, that of the jobs before it, and the
        deadline.
    """
    jobs: dict[str, dict[str, t.Any]] = {}
    offset = 0
    pages = read_pages("jobs", lambda number, deadline: read_page(number, offset, deadline))
    while True:
        response = next(pages)
        page, total = response.body.get("jobs"), response.body.get("total_count")
        if not isinstance(page, list) and not (page is None and total == 0):
            raise drs.invalid_response(response, "returned no list of jobs")
        known = len(jobs)
        try:
            for entry in page or []:
                parent = parse_job(entry)
                children = entry.get("children") or []
                if not isinstance(children, list):
                    raise ValueError("listed a job whose subtasks are not a list")
                for job in (parent, *(parse_job(child, parent["id"]) for child in children)):
                    jobs.setdefault(job["id"], job)
        except ValueError as error:
            raise drs.invalid_response(response, drs.sanitize(error)) from None
        if len(jobs) > MAX_JOBS:
            raise list_too_long("jobs", f"{MAX_JOBS} jobs")
        offset += len(page or [])
        # When jobs are created or deleted meanwhile, one may be listed twice. A page without new jobs is the last.
        if len(jobs) == known or (isinstance(total, int) and offset >= total):
            return [job for job in jobs.values() if not name or job["name"] == name]


def list_tags(drs: DrsClient) -> dict[str, dict[str, str]] | None:
    """Read the tags of all synchronization jobs. API page: Querying Resource Instances by Tag.

    :returns: the tags by job ID. Jobs without tags may be missing. None if the region does not publish this call.
    """

    def read_page(_number: int, deadline: float) -> Response:
        url = f"{drs.base}/sync/resource-instances/filter"
        params = {"limit": "1000", "offset": str(offset)}
        return drs.request("POST", url, params=params, body={}, read_only=True, deadline=deadline)

    tags: dict[str, dict[str, str]] = {}
    offset = 0
    pages = read_pages("tags", read_page)
    while True:
        try:
            response = next(pages)
        except ApiError as error:
            if error.http_status == 404 and error.error_code in UNPUBLISHED:
                return None
            raise
        page, total = response.body.get("resources") or [], response.body.get("total_count")
        if not isinstance(page, list):
            raise drs.invalid_response(response, "returned no list of resources")
        known = len(tags)
        try:
            tags.update((check_listed_id(entry, "resource_id"), parse_tags(entry.get("tags"))) for entry in page)
        except ValueError as error:
            raise drs.invalid_response(response, drs.sanitize(error)) from None
        offset += len(page)
        if len(tags) == known or (isinstance(total, int) and offset >= total):
            return tags


def parse_job(entry: t.Any, parent_id: str | None = None) -> dict[str, t.Any]:
    """Return a job of a list with the keys of :func:`_job`.

    :raises ValueError: when it has no valid ID. The message is the predicate of a sentence that starts with ``DRS``.
    """
    return _job(check_listed_id(entry, "id"), entry, entry.get("status"), parent_id)


def show_job_detail(
    drs: DrsClient, job_id: str, kind: str = "detail", deadline: float | None = None
) -> dict[str, t.Any]:
    """Read the details of a job. API page: Querying Task Details.

    :param kind: ``detail``; ``progress``; or ``status``, if only the status of the job is needed.
    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    :returns: the object ``job`` of the response.
    """
    url = f"{drs.base}/jobs/{check_job_id(job_id)}"
    params = {"type": "progress" if kind == "progress" else "detail"}

    def by_v3() -> Response:
        from . import _jobs_v3

        return _jobs_v3.show_job_detail(drs, job_id, kind, deadline)

    response = _read(drs, lambda: drs.request("GET", url, params=params, deadline=deadline), by_v3)
    job = response.body.get("job")
    if not isinstance(job, dict):
        raise drs.invalid_response(response, "returned no job details")
    return job


def _read(drs: DrsClient, by_v5: t.Callable[[], T], by_v3: t.Callable[[], T]) -> T:
    """Read by v5, or by v3 if v5 refuses in a way that v3 may not.

    Once v3 has responded in place of v5, it is used for all that follows. A job that v5 does not know may be of an
    engine that v5 does not serve, so v3 is asked before the job is reported as absent.
    """
    if drs.reads_v3:
        return by_v3()
    try:
        return by_v5()
    except ApiError as error:
        absent = is_absent(error)
        if not absent and not is_unsupported(error):
            raise
        refusal = error
    try:
        found = by_v3()
    except HuaweiCloudError as error:
        if isinstance(error, ApiError) and is_absent(error) and not absent:
            drs.reads_v3 = True  # It serves the region, but there is no such job.
            raise
        if not absent:
            refusal.add_hint(f"Reading by v3 of the API failed as well: {error}")
        raise refusal from None
    drs.reads_v3 = drs.reads_v3 or not absent
    return found


def is_absent(error: ApiError) -> bool:
    """Return whether DRS does not know a job. v3 may respond with HTTP 200 and no error, see ``_jobs_v3.py``."""
    from ._hints import ABSENT

    return error.error_code in ABSENT or (error.http_status == 200 and not error.error_code)


def is_unsupported(error: ApiError) -> bool:
    """Return whether DRS refused a request for a reason other than the job, the user, or too many requests."""
    status = error.http_status or 0
    other = is_absent(error) or error.error_code in (RESTRICTED, TOO_FREQUENT)
    return 400 <= status < 500 and status not in (401, 403, 429) and not other


def check_collectable(drs: DrsClient, job_id: str) -> bool:
    """Read a job, and check that its position can be collected.

    :returns: False if DRS does not offer to read the job, neither by v5 nor by v3, so that nothing is known about it.
    :raises HuaweiCloudError: when the job does not exist, or does not synchronize MySQL to GaussDB(DWS).
    """
    try:
        base_info = show_job_detail(drs, job_id).get("base_info")
    except ApiError as error:
        if is_unsupported(error):
            return False
        raise
    engine_type = base_info.get("engine_type") if isinstance(base_info, dict) else None
    if not engine_type:
        raise InvalidResponseError(f"DRS did not return the engine type of job {job_id}.")
    if engine_type != MYSQL_TO_DWS:
        shown = repr(drs.sanitize(engine_type)[:50])
        raise HuaweiCloudError(
            f"Job {job_id} has the engine type {shown}. Positions can be collected only for {MYSQL_TO_DWS} jobs."
        )
    return True


def show_job(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read a job, and return the same keys as :func:`list_jobs`."""
    job = show_job_detail(drs, job_id)
    base_info = job.get("base_info")
    return _job(job_id, base_info if isinstance(base_info, dict) else {}, job.get("status"), job.get("master_job_id"))


def show_progress(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read the progress of a job. API page: Querying Task Details.

    :returns: ``transfer_status``, and ``incr_trans_delay`` in seconds. Each is None if DRS does not return it.
    """
    progress = show_job_detail(drs, job_id, "progress").get("progress_info")
    progress = progress if isinstance(progress, dict) else {}
    delay = str(progress.get("incr_trans_delay"))
    return {
        "transfer_status": _text(progress.get("transfer_status")),
        "incr_trans_delay": int(delay) if re.fullmatch("[0-9]{1,18}", delay) else None,
    }


def show_status(drs: DrsClient, job_id: str, deadline: float | None = None) -> str | None:
    """Read the status of a job.

    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    """
    return _text(show_job_detail(drs, job_id, "status", deadline).get("status"))


def show_actions(drs: DrsClient, job_id: str) -> dict[str, t.Any] | None:
    """Read the actions that a job allows. API page: Obtaining the Operations Allowed in a Specified Task.

    :returns: ``available_actions``, ``unavailable_actions``, and ``current_action``, which may be None. None, with a
        warning, if DRS does not offer to read them.
    """
    url = f"{drs.base}/jobs/{check_job_id(job_id)}/actions"
    try:
        response = drs.request("GET", url)
    except ApiError as error:
        # A job that v5 does not know has been read by v3 before.
        if not is_unsupported(error) and not is_absent(error):
            raise
        drs.warn(f"It is unknown which actions job {job_id} allows. {error}")
        return None
    found = response.body.get("job_action")
    if not isinstance(found, dict) or not isinstance(found.get("available_actions"), list):
        raise drs.invalid_response(response, "returned no list of allowed actions")
    lists = {name: found.get(name) for name in ("available_actions", "unavailable_actions")}
    texts = {
        name: [str(action) for action in actions] if isinstance(actions, list) else []
        for name, actions in lists.items()
    }
    return {**texts, "current_action": _text(found.get("current_action"))}


def show_start(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read where a job starts, and what is related to it. Only v3 of the API returns this.

    API page: Querying Task Details in Batches.

    :returns: ``start_position``, ``start_gtid_set``, ``conflict_policy``, ``failed_reason`` (texts), and
        ``is_open_fast_clean`` (a boolean). Each is None if DRS does not return it.
    """
    from . import _jobs_v3

    found = _jobs_v3.show_job_detail(drs, check_job_id(job_id)).body["job"]
    cleaned = found.get("is_open_fast_clean")
    return {
        "start_position": _text(found.get("incre_start_position")),
        "start_gtid_set": _text(found.get("gtid")),
        "conflict_policy": _text(found.get("conflict_policy")),
        "failed_reason": drs.sanitize(found.get("failed_reason")) or None,
        "is_open_fast_clean": cleaned if isinstance(cleaned, bool) else None,
    }


def _job(job_id: str, facts: dict[str, t.Any], status: t.Any, parent_id: t.Any) -> dict[str, t.Any]:
    """Return a job with the keys that users see. Values that DRS does not return are None."""
    return {
        "id": job_id,
        "name": _text(facts.get("name")),
        "status": _text(status),
        "engine_type": _text(facts.get("engine_type")),
        "task_type": _text(facts.get("task_type")),
        "parent_id": _text(parent_id),
    }


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) and value else None
