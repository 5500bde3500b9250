# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What errors mean and how to resolve them. A task that succeeds should not need to import it."""

from __future__ import annotations

import re
import typing as t

from . import _errors

AUTH_HELP = (
    "Set auth_token and project_id; or access_key and secret_key; or username, password and domain_name"
    " (the account name); or create a profile in ~/.huaweicloud/credentials; or run on an ECS host with an agency."
    " All methods except the first also require region, project_name or project_id to identify the project."
)
MAYBE_ACCEPTED = (
    "DRS may have accepted the request, so it was not retried. Check the job before you run this task again."
)
# For tasks that stop waiting for a result.
READ_LATER = (
    "The query continues in DRS."
    " To read its result, run huaweicloud.drs.drs_db_position_info with job_id, and with id as query_id."
)
POSITION_WITH_SECRET = (
    "found a position that cannot be returned, because it contains the value of a secret option, such as the password."
    " Log in with a token (see the module huaweicloud.drs.iam_token) or an access key, without a password in the"
    " environment, or change the password, before you read the result again"
)
# The error codes for a job that DRS does not know.
ABSENT = ("DRS.10000010", "DRS.M00289", "DRS.M05003", "DRS.M05004")

_CHECK_JOB = "Check job_id, region and project. A job exists only in the project in which it was created."
_JOB_GONE = f"The job does not exist, or it was deleted or released. {_CHECK_JOB}"
_LOG_IN_AGAIN = "The token is invalid or has expired. Log in again. A token is valid for 24 hours."
_SIGNATURE = (
    "If you use an access key, check the key and the clock of this host, which must be accurate to within 15 minutes."
)
_NO_PERMISSION = "Ask the account administrator for permission (DRS FullAccess, or a policy that allows this action)."
_IAM_DOWN = "The API gateway or IAM has an internal error. Try again later."
_NOT_FORWARDED = "The API gateway could not forward the request. Try again later."
# By error code.
HINTS = {
    "DRS.10000010": _CHECK_JOB,
    "DRS.M00289": _JOB_GONE,
    "DRS.M05003": _CHECK_JOB,
    "DRS.M05004": _JOB_GONE,
    "DRS.10030014": "The job has no query with this ID. Its result may have expired. Collect the position again.",
    "DRS.M00304": (
        "The job does not allow this operation in its current status, or is not of an engine type that supports it."
        " Check which actions it allows. Positions are for mysql-to-dws jobs."
    ),
    "DRS.M01503": "Too many requests were sent to DRS. Wait a minute before you try again.",
    "DRS.M01504": (
        "Another operation on this job is in progress, or the job is abnormal."
        " Check the status of the job, and try again after the operation has ended."
    ),
    "DRS.M00100": _LOG_IN_AGAIN,
    "DRS.M00102": _NO_PERMISSION,
    "DRS.M00103": _NO_PERMISSION,
    "DRS.M00105": f"The account or user is restricted. {_NO_PERMISSION}",
    "DRS.M00261": "The project ID is invalid, or the token is for a different project.",
    "APIGW.0101": "This API call is not available in this region, or the endpoint is not a DRS endpoint.",
    "APIGW.0301": (
        f"{_SIGNATURE} If you use a token, it is invalid, has expired, or is from a different region: log in again."
    ),
    "APIGW.0302": _NO_PERMISSION,
    "APIGW.0306": _NO_PERMISSION,
    "APIGW.0307": (
        f"{_LOG_IN_AGAIN} This error also occurs if the token is from a different region than the endpoint."
    ),
    "APIGW.0308": "The API gateway is throttling requests. Wait a minute, or increase max_retries.",
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


def gateway_code(error: _errors.HuaweiCloudError) -> str:
    """Return the error code, with the older prefix ``APIG.`` of the gateway replaced by the current one."""
    return re.sub(r"^APIG\.", "APIGW.", error.error_code or "")


def drs_hint(error: _errors.HuaweiCloudError) -> str | None:
    """Return the hint for an error of a request to DRS."""
    if error.maybe_accepted:
        return MAYBE_ACCEPTED  # The other hints may suggest to try again.
    code = gateway_code(error)
    return HINTS_0201.get(error.http_status or 0) if code == "APIGW.0201" else HINTS.get(code)


def read_later_hint(error: _errors.HuaweiCloudError) -> str | None:
    """Return the hint for an error that ended the wait for the result of a query."""
    return None if error.error_code in (*ABSENT, "DRS.10030014") else READ_LATER


def login_hint(error: _errors.HuaweiCloudError) -> str | None:
    """Return the hint for an error of a login with a password."""
    # IAM has no error codes for these cases. Its messages are in English, because no other language is requested.
    if "locked" in (error.error_msg or "").lower():
        return "Several failed logins lock a user for 15 minutes. Wait that long before you try again."
    if "required_auth_methods" in (error.error_msg or ""):
        return "A task cannot provide the second factor that this user requires. Use an access key or a different user."
    if error.http_status in (400, 401, 403, 404):
        return (
            "Check the password, and that domain_name is the name of the account, not of the user or a DNS domain."
            " You cannot log in with a HUAWEI ID. Use an IAM user of the account."
            " Check region, project_name or project_id as well: the user needs access to the project."
            " Several failed logins lock the user for 15 minutes."
        )
    return None


def quote_value(value: str) -> str:
    """Return the value of an option for a message. It is not cut, because part of a secret would not be recognized."""
    return repr(value) if len(value) <= 128 else f"a text of {len(value)} characters"


def masked_hint(value: str) -> str | None:
    """Return the hint for an option in which Ansible has put something else in place of a secret."""
    if "********" not in value and value != "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER":
        return None
    return (
        "Ansible has masked it, or a part of it, because a secret option contains it. Log in with a token or a key,"
        " without a password in the environment."
    )


def masked_result(names: t.Sequence[str]) -> str:
    """Return the message for a result in which these values would be masked."""
    return (
        f"The task has done its work, but {' and '.join(names)} cannot be returned, because it contains the value of a"
        " secret option, such as the password, or is too long to be searched for one. Later tasks would use the masked"
        " value. The other values of the result are valid. Before you run the task again, log in with a token (see the"
        " module huaweicloud.drs.iam_token) or an access key, without a password in the environment, or change the"
        " password."
    )


def ignored_hint(
    methods: t.Mapping[str, t.Sequence[str]],
    specs: t.Mapping[str, t.Mapping[str, t.Any]],
    params: t.Mapping[str, t.Any],
    task_options: t.Collection[str],
) -> str | None:
    """Return the hint for credentials in the environment that were not used.

    :param methods: the options of each authentication method.
    :param specs: the argument specification of these options, which contains their environment variables.
    :param params: all options, from the task and from the environment.
    :param task_options: the names of the options that are set in the task.
    """
    for names in methods.values():
        in_task = " and ".join(name for name in names if name in task_options)
        ignored = [name for name in names if params[name] and name not in task_options]
        if in_task and ignored:
            variables = " and ".join(" or ".join(specs[name]["fallback"][1]) for name in ignored)
            return (
                f"{variables} from the environment is ignored, because the task sets {in_task}: the environment may"
                " belong to another user or key. Set all of them in the task or none."
            )
    return None


def invalid_response(
    status: int, request_id: str | None, what: str, maybe_accepted: bool
) -> _errors.InvalidResponseError:
    """Return the error for a response of DRS that the API does not document, see :meth:`DrsClient.invalid_response`."""
    error = _errors.InvalidResponseError(
        f"DRS {what}{f' (request ID {request_id})' if request_id else ''}.",
        http_status=status,
        request_id=request_id,
        maybe_accepted=maybe_accepted,
    )
    if maybe_accepted:
        error.add_hint(drs_hint(error))
    return error


def position_not_found(job_id: str, reset_position_time: str) -> _errors.HuaweiCloudError:
    """Return the error for a query that failed."""
    return _errors.HuaweiCloudError(
        f"DRS could not find a position for job {job_id} at {reset_position_time}."
        " Check that the source still has the binlog of that time."
    )


def missing_options(values: t.Mapping[str, str | None]) -> str:
    """Return the message for options of which some are not set.

    :param values: their values, by name.
    """
    missing = [name for name, value in values.items() if not value]
    needed = " and ".join(f"{name} (the account name)" if name == "domain_name" else name for name in missing)
    present = " and ".join(name for name in values if name not in missing)
    return f"With {present}, {needed} must be set as well." if present else f"{needed} must be set."
