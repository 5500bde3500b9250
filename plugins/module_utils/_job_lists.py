# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading the pages of a list within limits, and validation of what the lists of jobs and tags contain."""

from __future__ import annotations

import re
import time
import typing as t

from ._endpoints import JOB_ID
from ._errors import InvalidResponseError
from ._http import Response

# Limits of a list, so that a faulty or malicious server cannot let it go on forever.
MAX_PAGES = 1000
MAX_LIST_LENGTH = 128 * 1024 * 1024  # characters of all pages
MAX_LIST_TIME = 600  # seconds


def read_pages(what: str, read_page: t.Callable[[int, float], Response]) -> t.Iterator[Response]:
    """Yield the pages of a list until the caller has the last one.

    :param what: what the list contains.
    :param read_page: returns a page. Its arguments are the number of the page, from 1, and the deadline, a value of
        ``time.monotonic()``.
    :raises InvalidResponseError: when the list is too long, or takes too long.
    """
    deadline = time.monotonic() + MAX_LIST_TIME
    length = 0
    for number in range(1, MAX_PAGES + 1):
        response = read_page(number, deadline)
        length += len(str(response.body))
        if length > MAX_LIST_LENGTH:
            raise list_too_long(what, f"{MAX_LIST_LENGTH} characters")
        yield response
        if time.monotonic() >= deadline:
            raise list_too_long(what, f"{MAX_LIST_TIME} seconds")
    raise list_too_long(what, f"{MAX_PAGES} pages")


def list_too_long(what: str, limit: str) -> InvalidResponseError:
    return InvalidResponseError(f"The list of {what} from DRS did not end within {limit}. Reading it was stopped.")


def parse_tags(tags: t.Any) -> dict[str, str]:
    """Return the tags of a job by their keys.

    :param tags: a list of objects with ``key`` and ``value``, or None.
    :raises ValueError: with the predicate of a sentence that starts with ``DRS``, when they are something else. They
        decide on which jobs a play runs.
    """
    if not isinstance(tags, list) and tags is not None:
        raise ValueError("returned tags that are not a list")
    found = {}
    for tag in tags or ():
        key, value = (tag.get("key"), tag.get("value")) if isinstance(tag, dict) else (None, None)
        if not isinstance(key, str) or not isinstance(value, (str, type(None))):
            raise ValueError("returned a tag whose key or value is not text")
        found[key] = value or ""
    return found


def check_listed_id(entry: t.Any, key: str) -> str:
    """Return the ID of a job from a response.

    :raises ValueError: with the predicate of a sentence that starts with ``DRS``, when it is invalid. It may become a
        host name or part of a URL.
    """
    job_id = entry.get(key) if isinstance(entry, dict) else None
    if not isinstance(job_id, str):
        raise ValueError("listed a job without an ID")
    if not re.fullmatch(JOB_ID, job_id):
        raise ValueError(f"listed a job with the invalid ID {job_id!r}")
    return job_id
