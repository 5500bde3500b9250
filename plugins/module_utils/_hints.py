# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What errors mean and how to resolve them. Imported only after a failure."""

from __future__ import annotations

import re

from ._errors import HuaweiCloudError

AUTH_HELP = (
    "Set auth_token and project_id; or access_key and secret_key; or username, password and domain_name"
    " (the account name); or keep a profile in ~/.huaweicloud/credentials; or run on an ECS host with an agency."
    " All but the first need region, project_name or project_id to say which project is meant."
)
MAYBE_ACCEPTED = (
    "DRS may have accepted the request, so it was not sent again. Look at the job before you run this task again."
)
# For tasks that stop waiting for a result.
READ_LATER = (
    "The query goes on in DRS."
    " Read its result with the module huaweicloud.drs.drs_db_position_info, job_id and id as query_id."
)

_CHECK_JOB = "Check job_id, region and project: a job is only found in the project that it was created in."
_JOB_GONE = f"The job is absent, deleted or released. {_CHECK_JOB}"
_LOG_IN_AGAIN = "The token is not valid or has expired. Log in again; a token lives for 24 hours."
_SIGNATURE = "If an access key was used, check the key, and that the clock of this host is right to 15 minutes."
_NO_PERMISSION = "Ask the account's administrator for the permission (DRS FullAccess, or a policy with this action)."
_IAM_DOWN = "The gateway or IAM has a fault of its own. Try again later."
_NOT_FORWARDED = "The gateway could not pass the request on. Try again later."
# By error code.
HINTS = {
    "DRS.10000010": _CHECK_JOB,
    "DRS.M00289": _JOB_GONE,
    "DRS.M05003": _CHECK_JOB,
    "DRS.M05004": _JOB_GONE,
    "DRS.10030014": "There is no such query for this job: its results may have expired. Collect the position again.",
    "DRS.M00304": "The job cannot do this in its present status. Look at the actions that it allows.",
    "DRS.M01503": "DRS was called too often. Wait a minute before the next try.",
    "DRS.M01504": (
        "Another operation is running on this job, or the job is abnormal."
        " Look at its status, and try again when it has ended."
    ),
    "DRS.M00100": _LOG_IN_AGAIN,
    "DRS.M00102": _NO_PERMISSION,
    "DRS.M00103": _NO_PERMISSION,
    "DRS.M00105": f"The account or user is restricted. {_NO_PERMISSION}",
    "DRS.M00261": "The project id is not valid, or the token is for another project.",
    "APIGW.0101": (
        "This call is not published in this region, or the endpoint is not that of DRS. Some regions lack some calls."
    ),
    "APIGW.0301": f"{_LOG_IN_AGAIN} A token of another region is not valid here either. {_SIGNATURE}",
    "APIGW.0302": _NO_PERMISSION,
    "APIGW.0306": _NO_PERMISSION,
    "APIGW.0307": (
        f"{_LOG_IN_AGAIN} The same answer comes when region and endpoint are of another region than the token."
    ),
    "APIGW.0308": "The gateway throttles requests. Wait a minute, or raise max_retries.",
    "APIGW.0601": _IAM_DOWN,
    "APIGW.0613": _IAM_DOWN,
}
# APIGW.0201 has many meanings. The HTTP status tells them apart.
HINTS_0201 = {
    502: _NOT_FORWARDED,
    504: _NOT_FORWARDED,
    413: "The request is too large.",
    414: "The request is too large.",
}


def gateway_code(error: HuaweiCloudError) -> str:
    """Return the error code, with the older prefix ``APIG.`` of the gateway replaced by the current one."""
    return re.sub(r"^APIG\.", "APIGW.", error.error_code or "")


def drs_hint(error: HuaweiCloudError) -> str | None:
    """Return the hint for an error of a request to DRS."""
    if error.maybe_accepted:
        return MAYBE_ACCEPTED  # The other hints may suggest to try again.
    code = gateway_code(error)
    return HINTS_0201.get(error.http_status or 0) if code == "APIGW.0201" else HINTS.get(code)


def login_hint(error: HuaweiCloudError) -> str | None:
    """Return the hint for an error of a login with a password."""
    # IAM has no error codes for these cases. Its messages are in English, because no other language is requested.
    if "locked" in (error.error_msg or "").lower():
        return "Several failed logins lock a user for 15 minutes. Wait that long, and do not try again in between."
    if "required_auth_methods" in (error.error_msg or ""):
        return "The user must provide a second factor, which a task cannot. Use an access key, or another user."
    if error.http_status in (400, 401, 403, 404):
        return (
            "Check the password, and that domain_name is the name of the account, not of the user or of a DNS domain."
            " A HUAWEI ID cannot log in here: use an IAM user of the account."
            " Several failed logins lock the user for 15 minutes."
        )
    return None


def position_not_found(job_id: str, reset_position_time: str) -> HuaweiCloudError:
    """Return the error for a query that failed."""
    return HuaweiCloudError(
        f"DRS could not find a position of job {job_id} at {reset_position_time}."
        " Check that the source still keeps the binlog of that time."
    )
