# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API calls that list jobs and their tags. Lists are read within limits, and what they contain is validated."""

from __future__ import annotations

import re
import time
import typing as t
from functools import partial

from . import _drs, _endpoints, _errors, _http, _jobs

PAGE_SIZE = 50  # The maximum is not documented, so a page may contain fewer jobs than requested.
# The gateway's error codes for an API call that is not available in the region.
UNPUBLISHED = ("APIGW.0101", "APIG.0101")
# Limits of a list, so that a faulty or malicious server cannot let it go on forever.
MAX_JOBS = 50000
MAX_PAGES = 1000
MAX_TAGS = 100  # of a job. DRS allows 20.
MAX_ALL_TAGS = 200000  # The inventory needs up to a millisecond for each, and more if each is a group of its own.
# Tags have up to 8,000 characters a job, so that a page of the largest size could exceed the limit of a body.
TAGS_PAGE_SIZE = 100
# Characters of all pages. A job has about a thousand. What is read takes four times as many bytes of memory.
MAX_LIST_LENGTH = 32 * 1024 * 1024
MAX_LIST_TIME = 600  # seconds
MAX_READS = 3  # How often a list is read again that changed while it was read.
# Of what is read about each job of a list: characters, and seconds.
MAX_INCLUDE_LENGTH = 32 * 1024 * 1024
MAX_INCLUDE_TIME = 3600


def list_jobs(drs: _drs.DrsClient, name: str | None = None) -> list[dict[str, t.Any]]:
    """Read all synchronization jobs, or those with a name. API page: Querying the Task List.

    :returns: for each job the keys of :func:`build_job`. A job that consists of subtasks is followed by these.
    """

    def read_page(number: int, offset: int, deadline: float) -> _http.Response:
        params = {"job_type": "sync", "offset": str(offset), "limit": str(PAGE_SIZE)}
        if name:
            params["name"] = name  # DRS also finds names that contain it.
        return drs.request("GET", f"{drs.base}/jobs", params=params, deadline=deadline)

    def parse(entry: t.Any) -> dict[str, dict[str, t.Any]]:
        parent = parse_job(entry)
        children = entry.get("children") or []
        if not isinstance(children, list):
            raise ValueError("listed a job whose subtasks are not a list")
        return {job["id"]: job for job in (parent, *(parse_job(child, parent["id"]) for child in children))}

    def read(read_page: t.Callable[[int, int, float], _http.Response]) -> list[dict[str, t.Any]]:
        jobs = _read_list(drs, "jobs", "jobs", read_page, parse, len, MAX_JOBS)
        return [job for job in jobs.values() if not name or job["name"] == name]

    def by_v3() -> list[dict[str, t.Any]]:
        from . import _jobs_v3

        # The API page says that v3 lists one engine type by default, and the SDK that it lists all.
        engine_types = (None, _jobs.MYSQL_TO_DWS)
        lists = [read(partial(_jobs_v3.list_jobs, drs, name, engine_type)) for engine_type in engine_types]
        return list({job["id"]: job for jobs in lists for job in jobs}.values())

    return _jobs.read_v5_or_v3(drs, lambda: read(read_page), by_v3)


def list_tags(drs: _drs.DrsClient) -> dict[str, dict[str, str]] | None:
    """Read the tags of all synchronization jobs. API page: Querying Resource Instances by Tag.

    :returns: the tags by job ID. Jobs without tags may be missing. None if the region does not publish this call.
    """

    def read_page(_number: int, offset: int, deadline: float) -> _http.Response:
        url = f"{drs.base}/sync/resource-instances/filter"
        params = {"limit": str(TAGS_PAGE_SIZE), "offset": str(offset)}
        return drs.request("POST", url, params=params, body={}, read_only=True, deadline=deadline)

    def parse(entry: t.Any) -> dict[str, dict[str, str]]:
        return {check_listed_id(entry, "resource_id"): parse_tags(entry.get("tags"))}

    def count(tags: dict[str, dict[str, str]]) -> int:
        return sum(map(len, tags.values()))

    try:
        return _read_list(drs, "tags", "resources", read_page, parse, count, MAX_ALL_TAGS)
    except _errors.ApiError as error:
        if error.http_status == 404 and error.error_code in UNPUBLISHED:
            return None
        raise


def parse_job(entry: t.Any, parent_id: str | None = None) -> dict[str, t.Any]:
    """Return a job of a list with the keys of :func:`build_job`.

    :raises ValueError: when it has no valid ID. The message is the predicate of a sentence that starts with ``DRS``.
    """
    return _jobs.build_job(check_listed_id(entry, "id"), entry, entry.get("status"), parent_id)


def _read_list(
    drs: _drs.DrsClient,
    what: str,
    key: str,
    read_page: t.Callable[[int, int, float], _http.Response],
    parse: t.Callable[[t.Any], dict[str, dict[str, t.Any]]],
    count: t.Callable[[dict[str, dict[str, t.Any]]], int],
    maximum: int,
) -> dict[str, dict[str, t.Any]]:
    """Read all pages of a list. If entries moved meanwhile, read it again, and at last warn that some may be missing.

    :param what: what the list contains, for messages.
    :param key: the key of the list in a response.
    :param read_page: returns a page. Its arguments are the number of the page, from 1, that of the entries before it,
        and the deadline, a value of ``time.monotonic()``.
    :param parse: returns what an entry contains, by job ID. It raises ValueError with the predicate of a sentence that
        starts with ``DRS``, and text from DRS to quote at its end.
    :param count: counts what was found, of which ``maximum`` is the limit.
    :returns: what all entries contain, by job ID.
    :raises InvalidResponseError: when the list is too long, takes too long, or is malformed.
    :raises ApiError: when the first page is refused. For a later page, the error has another type.
    """
    deadline = time.monotonic() + MAX_LIST_TIME
    length = number = offset = entries = times = 0
    found: dict[str, dict[str, t.Any]] = {}
    before: t.Any = None
    moved = False
    while number < MAX_PAGES:
        number += 1
        try:
            response = read_page(number, offset, deadline)
        except _errors.ApiError as error:
            if number == 1 and not times:
                raise
            # Otherwise, v3 could be read, or no tags, and less be returned than the pages before contain.
            raise _errors.HuaweiCloudError(str(error), **error.facts()) from None
        length += len(str(response.body))
        if length > MAX_LIST_LENGTH:
            raise list_too_long(what, f"{MAX_LIST_LENGTH} characters")
        page, total = response.body.get(key), response.body.get("total_count")
        if not isinstance(page, list) and not (page is None and total == 0):
            raise drs.invalid_response(response, f"returned no list of {key}")
        known = len(found)
        try:
            for entry in page or []:
                parsed = parse(entry)
                if any(job_id != drs.sanitize(job_id) for job_id in parsed):
                    raise ValueError("listed a job whose ID contains a password, token or key of this task")
                entries += next(iter(parsed)) not in found
                found.update({job_id: value for job_id, value in parsed.items() if job_id not in found})
        except ValueError as error:
            # Quoted afterwards, because that is one more encoding, which could hide a secret.
            said, *quoted = map(drs.sanitize, error.args)
            raise drs.invalid_response(response, " ".join([said, *map(repr, quoted)])) from None
        if count(found) > maximum:
            raise list_too_long(what, f"{maximum} {what}")
        offset += len(page or [])
        is_last = isinstance(total, int) and offset == total
        # When entries are removed, those behind them move, and one may get from a page to one that was read before.
        if number > 1 and isinstance(before, int) and isinstance(total, int):
            moved = moved or total < before or (is_last and entries < total)
        before = total
        if moved and times < MAX_READS:
            times += 1
            length = number = offset = entries = 0  # The limits are those of each time.
            found, moved = {}, False
        # A page without new jobs is the last.
        elif is_last or len(found) == known:
            if moved:
                drs.warn(f"The list of {what} from DRS changed each time that it was read. Some {what} may be missing.")
            # The total may count subtasks.
            elif isinstance(total, int) and entries < total and len(found) != total:
                counted = f"DRS counts {drs.sanitize(total)} entries in the list of {what}, and returned {entries}."
                drs.warn(f"{counted} Some {what} may be missing.")
            return found
        if time.monotonic() >= deadline:
            raise list_too_long(what, f"{MAX_LIST_TIME} seconds")
    raise list_too_long(what, f"{MAX_PAGES} pages")


def list_too_long(what: str, limit: str) -> _errors.InvalidResponseError:
    return _errors.InvalidResponseError(
        f"The list of {what} from DRS did not end within {limit}. Reading it was stopped."
    )


def parse_tags(tags: t.Any) -> dict[str, str]:
    """Return the tags of a job by their keys.

    :param tags: a list of objects with ``key`` and ``value``, or None.
    :raises ValueError: with the predicate of a sentence that starts with ``DRS``, when they are something else. They
        decide on which jobs a play runs.
    """
    if not isinstance(tags, list) and tags is not None:
        raise ValueError("returned tags that are not a list")
    if len(tags or ()) > MAX_TAGS:
        raise ValueError(f"returned more than {MAX_TAGS} tags of a job")
    found = {}
    for tag in tags or ():
        key, value = (tag.get("key"), tag.get("value")) if isinstance(tag, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(value, (str, type(None))):
            raise ValueError("returned a tag whose key or value is not text")
        found[_jobs.to_text(key) or ""] = _jobs.to_text(value) or ""
    return found


def check_listed_id(entry: t.Any, key: str) -> str:
    """Return the ID of a job from a response.

    :raises ValueError: with the predicate of a sentence that starts with ``DRS``, when it is invalid. It may become a
        host name or part of a URL.
    """
    job_id = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(job_id, str):
        raise ValueError("listed a job without an ID")
    if not re.fullmatch(_endpoints.JOB_ID, job_id):
        raise ValueError("listed a job with the invalid ID", job_id)
    return job_id
