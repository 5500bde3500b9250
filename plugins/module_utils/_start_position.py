# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The start position of incremental jobs. Functions are named after the calls in the official SDK."""

from __future__ import annotations

import typing as t

from . import _drs, _endpoints, _http_errors

# What a response with a 2xx status may contain although it is documented as empty.
IDS = ("id", "job_id", "request_id")
CONFIRMED: dict[str, tuple[t.Any, ...]] = {"status": ("success", "pending", None), "success": (True, None)}


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
    :raises HuaweiCloudError: also when a response with a 2xx status, which should be empty, contains anything but a
        confirmation.
    """
    response = drs.request(**start_position_request(drs, job_id, position, gtid_set))
    # The body should be empty. Anything else may say, in a form that is not documented, that it failed.
    confirms = [
        isinstance(value, str) if name in IDS else value in CONFIRMED.get(name, ())
        for name, value in response.body.items()
    ]
    if not all(confirms):
        said = _http_errors.error_fields(response.body)
        # Searched together, because a secret may be in both.
        parts = (said.get("error_code"), said.get("error_msg"))
        texts = [part if isinstance(part, str) else drs.sanitize(part) for part in parts]
        reason = drs.sanitize(" ".join(filter(None, texts)))
        what = f"did not confirm the start position of job {job_id}"
        raise drs.invalid_response(response, f"{what}: {reason}" if reason else what, maybe_accepted=True)
    return response.request_id
