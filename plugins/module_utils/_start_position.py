# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start position of incremental jobs. Functions are named after the calls in the official SDK."""

from __future__ import annotations

import typing as t

from . import _drs, _endpoints, _http_errors


def start_position_request(
    drs: _drs.DrsClient, job_id: str, position: str, gtid_set: str | None = None
) -> dict[str, t.Any]:
    """Return method, URL and body of the request that :func:`update_start_position` sends."""
    body = {"file_and_position": position, **({"gtid_set": gtid_set} if gtid_set else {})}
    return {"method": "PUT", "url": f"{drs.base}/jobs/{_endpoints.check_job_id(job_id)}/start-position", "body": body}


def update_start_position(drs: _drs.DrsClient, job_id: str, position: str, gtid_set: str | None = None) -> str | None:
    """Set the start position of an incremental job. API page: Updating the Start Point of an Incremental Task.

    :param position: as returned by :func:`check_position`.
    :param gtid_set: as returned by :func:`check_gtid_set`.
    :returns: the request ID.
    :raises HuaweiCloudError: also when a response with a 2xx status, which should be empty, says that it failed.
    """
    response = drs.request(**start_position_request(drs, job_id, position, gtid_set))
    said = _http_errors.error_fields(response.body)
    levels = [response.body, *(value for value in response.body.values() if isinstance(value, dict))]
    found = {str(level.get(name)) for level in levels for name in ("status", "success")}
    if said or not found <= {"None", "success", "pending", "True"}:
        reason = drs.sanitize(" ".join(str(said[name]) for name in ("error_code", "error_msg") if said.get(name)))
        what = f"did not confirm the start position of job {job_id}"
        raise drs.invalid_response(response, f"{what}: {reason}" if reason else what, maybe_accepted=True)
    return response.request_id
