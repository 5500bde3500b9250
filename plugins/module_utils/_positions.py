# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API call that collects a binlog position. It is named after the call in the official SDK."""

from __future__ import annotations

import re
import typing as t
from datetime import datetime, timedelta, timezone

from . import _drs, _endpoints, _errors

PENDING, SUCCESS, FAILED = "pending", "success", "failed"
# Allowed difference between the clock of the control node and that of the cloud.
CLOCK_TOLERANCE = timedelta(minutes=5)
# The format is not documented, so this only excludes values that cannot be an ID, and what Ansible may evaluate before
# ansible-core 2.19: templates, and lists of Python, in which escapes stand for any character.
QUERY_ID = r"""(?!\[)(?:(?!["'\\{%#])[!-~]){1,128}"""


class PositionQuery(t.NamedTuple):
    """A query that DRS accepted. The status is not validated yet, see :func:`check_status`."""

    id: str
    status: t.Any
    request_id: str | None


def parse_time(value: str, now: datetime | None = None) -> str:
    """Return a time in the format that DRS accepts, ``2023-09-19T07:00:00Z``.

    Fractions of a second are truncated, never rounded up, so that no change after the time is skipped.

    :param value: a time in ISO 8601 extended format with ``Z`` or an offset; a space may replace the ``T``.
    :param now: the current time, for tests.
    :raises InvalidOptionError: when the time has no offset, does not exist, or is more than five minutes in the future.
    """
    match = re.fullmatch(
        r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s?(?:([Zz])|([+-])(\d\d)(?::?([0-5]\d))?)?",
        value.strip(),
        re.ASCII,
    )
    if not match:
        raise _errors.InvalidOptionError(
            f"reset_position_time must be a time such as 2023-09-19T07:00:00Z; it is {value!r}."
        )
    *fields, zulu, sign, hours, minutes = match.groups()
    if not zulu and not sign:
        stem = "{}-{}-{}T{}:{}:{}".format(*(field or "00" for field in fields))
        raise _errors.InvalidOptionError(
            f"reset_position_time {value!r} does not specify a time zone."
            f" Use {stem}Z for UTC, or append the offset, as in {stem}+08:00."
        )
    try:
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0)) * (-1 if sign == "-" else 1)
        year, month, day, hour, minute, second = (int(field or 0) for field in fields)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset)).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise _errors.InvalidOptionError(f"reset_position_time {value!r} is not a valid time: {error}.") from error
    now = now or datetime.now(timezone.utc)
    if moment - now > CLOCK_TOLERANCE:
        raise _errors.InvalidOptionError(
            f"reset_position_time {value!r} is in the future; the current time is {_write_time(now)}."
            " Use a time in the past, and check its offset."
        )
    return _write_time(moment)


def _write_time(moment: datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def check_status(
    drs: _drs.DrsClient, value: t.Any, http_status: int | None = None, request_id: str | None = None
) -> str:
    """Return the status of a query if it is a documented one.

    :func:`collect_position_async` does not call this, so that the ID in the same response is not lost.

    :raises InvalidResponseError: when it is not.
    """
    if value not in (PENDING, SUCCESS, FAILED):
        shown = repr(drs.sanitize(value)[:50]) if value else repr(value)
        message = f"DRS returned an undocumented status, {shown}."
        raise _errors.InvalidResponseError(message, http_status=http_status, request_id=request_id)
    return str(value)


def collect_position_request(drs: _drs.DrsClient, job_id: str, reset_position_time: str) -> dict[str, t.Any]:
    """Return method, URL and body of the request that :func:`collect_position_async` sends."""
    url = f"{drs.base}/jobs/{_endpoints.check_job_id(job_id)}/collect-db-position"
    return {"method": "POST", "url": url, "body": {"reset_position_time": reset_position_time}}


def collect_position_async(drs: _drs.DrsClient, job_id: str, reset_position_time: str) -> PositionQuery:
    """Start a query for the position at a time. API page: Collecting Database Position Information.

    :param reset_position_time: as returned by :func:`parse_time`.
    :raises HuaweiCloudError: with ``maybe_accepted`` when DRS may have started a query whose ID is lost.
    """
    response = drs.request(**collect_position_request(drs, job_id, reset_position_time))
    query_id = response.body.get("id")
    if query_id != drs.sanitize(query_id) or not re.fullmatch(QUERY_ID, query_id):
        shown = repr(drs.sanitize(query_id)[:50])
        what = f"but returned an invalid query ID, {shown}" if query_id else "but returned no query ID"
        raise drs.invalid_response(response, f"accepted the request {what}", maybe_accepted=True)
    return PositionQuery(query_id, response.body.get("status"), response.request_id)
