# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API calls of v3 that read jobs, for ``_jobs.py``. All responses are returned in the shape of v5."""

from __future__ import annotations

import typing as t

from . import _drs, _errors, _http

PAGE_SIZE = 50
# By what is read. API pages: Querying Task Details in Batches, Querying Task Progress in Batches, and Querying Task
# Statuses in Batches.
PATHS = {"detail": "batch-detail", "progress": "batch-progress", "status": "batch-status"}


def list_jobs(
    drs: _drs.DrsClient, name: str | None, engine_type: str | None, number: int, _offset: int, deadline: float
) -> _http.Response:
    """Read a page of the synchronization jobs. API page: Querying the Task List (v3).

    :param name: a text that the names of the jobs contain.
    :param engine_type: the engine type of the jobs; default: what DRS lists by default.
    :param number: the number of the page, from 1.
    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    """
    filters = {key: value for key, value in (("name", name), ("engine_type", engine_type)) if value}
    body = {"cur_page": number, "per_page": PAGE_SIZE, "db_use_type": "sync", **filters}
    response = drs.request("POST", f"{drs.base_v3}/jobs", body=body, read_only=True, deadline=deadline)
    return response._replace(body={"jobs": response.body.get("jobs"), "total_count": response.body.get("total_record")})


def show_job_detail(
    drs: _drs.DrsClient, job_id: str, kind: str = "detail", deadline: float | None = None
) -> _http.Response:
    """Read the details, the progress or the status of a job.

    :param kind: a key of :data:`PATHS`.
    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    :raises ApiError: when there is no such job, or it cannot be read. Some responses have HTTP status 200 then.
    """
    body: dict[str, t.Any] = {"jobs": [job_id]}
    if kind != "progress":
        body["page_req"] = {"cur_page": 1, "per_page": 1}
    url = f"{drs.base_v3}/jobs/{PATHS[kind]}"
    response = drs.request("POST", url, body=body, deadline=deadline, read_only=True)
    results = response.body.get("results")
    if not isinstance(results, list):
        raise drs.invalid_response(response, "returned no list of jobs")
    key = "job_id" if kind == "progress" else "id"
    entries = [entry for entry in results if isinstance(entry, dict)]
    entry = next((entry for entry in entries if str(entry.get(key)).lower() == job_id.lower()), {})
    if not entry or (kind != "progress" and not entry.get("status")):
        from . import _hints

        code = drs.sanitize(entry.get("error_code")) or None
        reason = drs.sanitize(entry.get("error_message") or entry.get("error_msg")) or None
        said = drs.sanitize(" ".join(filter(None, [code, reason])))  # Together, they may contain a secret.
        error = _errors.ApiError(
            f"DRS did not return job {job_id}{f': {said}' if said else ''}.",
            http_status=response.status,
            error_code=code,
            error_msg=reason,
            request_id=response.request_id,
        )
        error.add_hint(_hints.HINTS.get(code or "DRS.10000010"))
        raise error
    inst_info = entry.get("inst_info")
    engine_type = inst_info.get("engine_type") if isinstance(inst_info, dict) else None
    job = {
        **entry,
        "master_job_id": entry.get("parent_id"),
        "base_info": {**entry, "engine_type": engine_type},
        "progress_info": {**entry, "incr_trans_delay": entry.get("incre_trans_delay")},
    }
    return response._replace(body={"job": job})
