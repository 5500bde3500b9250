# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API call that reads the result of a query for a position, and waiting for that result."""

from __future__ import annotations

import re
import typing as t

from . import _binlog, _drs, _endpoints, _errors, _hints, _positions, _wait

# The format is not documented. For what this excludes, see QUERY_ID.
VALID_POSITION = rf"""(?!\[)[^"'\\{{%#]{{1,{_binlog.MAX_POSITION}}}"""


class PositionResult(t.NamedTuple):
    """The result of a query. The position is set if and only if the status is ``success``.

    The GTID set is set if DRS returned one with the position.
    """

    status: str
    position: str | None
    request_id: str | None
    gtid_set: str | None = None

    def facts(self) -> dict[str, str]:
        """Return those of ``position`` and ``gtid_set`` that are known."""
        return {name: value for name, value in (("position", self.position), ("gtid_set", self.gtid_set)) if value}


def check_query_id(value: str) -> str:
    """Return the query ID if it is well-formed.

    :raises InvalidOptionError: when it is not.
    """
    hint = _hints.masked_hint(value)
    # An asterisk would be a part that Ansible has masked.
    if hint or "*" in value or not re.fullmatch(_positions.QUERY_ID, value):
        error = _errors.InvalidOptionError(
            f"query_id must be the ID of a position query; it is {_hints.quote_value(value)}."
        )
        error.add_hint(hint)
        raise error
    return value


def show_position_result(
    drs: _drs.DrsClient, job_id: str, query_id: str, deadline: float | None = None
) -> PositionResult:
    """Read the result of a query. API page: Obtaining the Result of Querying Database Positions.

    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    :raises InvalidResponseError: when the status is not documented, or a success has no position, or one that contains
        a secret.
    """
    url = f"{drs.base}/jobs/{_endpoints.check_job_id(job_id)}/db-position"
    response = drs.request("GET", url, params={"query_id": query_id}, deadline=deadline)
    status = _positions.check_status(drs, response.body.get("status"), response.status, response.request_id)
    position = response.body.get("position")
    if status != _positions.SUCCESS:
        # A position in a pending result, as in the example on the API page, is not final.
        return PositionResult(status, None, response.request_id)
    if not isinstance(position, str) or not position.isprintable() or not re.fullmatch(VALID_POSITION, position):
        what = "reported success without a valid position (one line, without quotes, backslashes, {, % and #)"
        raise drs.invalid_response(response, what)
    if drs.has_secret(position):
        # Ansible would mask it, and later tasks use the masked value.
        raise drs.invalid_response(response, _hints.POSITION_WITH_SECRET)
    position, gtid_set = _binlog.split_position(position)
    return PositionResult(status, position, response.request_id, gtid_set)


def wait_for_position(drs: _drs.DrsClient, job_id: str, query_id: str, timeout: float, sleep: float) -> PositionResult:
    """Wait for the result of a query, and return it. Its status is ``success`` or ``failed``.

    :param timeout: the maximum time to wait, in seconds.
    :param sleep: the interval between two requests, in seconds.
    :raises WaitTimeoutError: on timeout.
    """

    def read(deadline: float) -> PositionResult | None:
        result = show_position_result(drs, job_id, query_id, deadline)
        return result if result.status != _positions.PENDING else None

    def timeout_message() -> str:
        return f"Query {drs.sanitize(query_id)} of job {job_id} returned no result within {timeout:g} seconds."

    return _wait.wait_for(read, timeout, sleep, timeout_message)
