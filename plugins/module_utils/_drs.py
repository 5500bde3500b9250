# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Data Replication Service: its requests, its waiting, what its errors mean, and the calls that collect a position.

The functions bear the names that the calls have in the official SDK. The other calls are in C(_jobs.py). Nothing here knows Ansible.
"""

from __future__ import annotations

import re
import time
import typing as t
from datetime import datetime, timedelta, timezone

from ansible_collections.huaweicloud.drs.plugins.module_utils._http import (
    Answer,
    ApiError,
    BadAnswerError,
    HuaweiCloudError,
    InputError,
    NoAnswerError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._iam import Session

PENDING, SUCCESS, FAILED = "pending", "success", "failed"
MYSQL_TO_DWS = "mysql-to-dws"
# The clock of the control node may run ahead of the cloud's by as much.
CLOCK_TOLERANCE = timedelta(minutes=5)
# It stands in a query, where nothing can happen to the path. All that is known of its form is an example.
QUERY_ID = r"[\x21-\x7e]{1,128}"
TOO_FREQUENT = "DRS.M01503"
UNPUBLISHED = "APIGW.0101"
MAYBE_ACCEPTED = "DRS may have accepted the request, so it was not sent again. Look at the job before you run this task again."

_CHECK_JOB = "Check job_id, region and project: a job is only found in the project that it was created in."
_LOG_IN_AGAIN = "The token is not valid or has expired. Log in again; a token lives for 24 hours."
_SIGNATURE = "If an access key was used, check the key, and that the clock of this host is right to 15 minutes."
_NO_PERMISSION = "Ask the account's administrator for the permission (DRS FullAccess, or a policy with this action)."
_IAM_DOWN = "The gateway or IAM has a fault of its own. Try again later."
_NOT_PASSED_ON = "The gateway could not pass the request on. Try again later."
# By error code.
ADVICE = {
    "DRS.10000010": _CHECK_JOB,
    "DRS.M00289": f"The job is absent, deleted or released. {_CHECK_JOB}",
    "DRS.M05003": _CHECK_JOB,
    "DRS.M05004": f"The job is absent, deleted or released. {_CHECK_JOB}",
    "DRS.10030014": "There is no such query for this job: its results may have expired. Collect the position again.",
    "DRS.M00304": "The job cannot do this in its present status. Look at the actions that it allows.",
    TOO_FREQUENT: "DRS was called too often. Wait a minute before the next try.",
    "DRS.M01504": "Another operation is running on this job, or the job is abnormal. Look at its status, and try again when it has ended.",
    "DRS.M00100": _LOG_IN_AGAIN,
    "DRS.M00102": _NO_PERMISSION,
    "DRS.M00103": _NO_PERMISSION,
    "DRS.M00105": f"The account or user is restricted. {_NO_PERMISSION}",
    "DRS.M00261": "The project id is not valid, or the token is for another project.",
    UNPUBLISHED: "This call is not published in this region, or the endpoint is not that of DRS. Some regions lack some calls.",
    "APIGW.0301": f"{_LOG_IN_AGAIN} A token of another region is not valid here either. {_SIGNATURE}",
    "APIGW.0302": _NO_PERMISSION,
    "APIGW.0306": _NO_PERMISSION,
    "APIGW.0307": f"{_LOG_IN_AGAIN} The same answer comes when region and endpoint are of another region than the token.",
    "APIGW.0308": "The gateway throttles requests. Wait a minute, or raise max_retries.",
    "APIGW.0601": _IAM_DOWN,
    "APIGW.0613": _IAM_DOWN,
}
# APIGW.0201 has many meanings. The HTTP status tells them apart.
ADVICE_0201 = {502: _NOT_PASSED_ON, 504: _NOT_PASSED_ON, 413: "The request is too large.", 414: "The request is too large."}


_T = t.TypeVar("_T")


class StillPendingError(HuaweiCloudError):
    """Something in DRS was not finished within the time that was given to it."""


class PositionQuery(t.NamedTuple):
    """A query for a position, as DRS accepted it. The status is what DRS wrote, see :meth:`DrsClient.check_status`."""

    id: str
    status: t.Any
    request_id: str | None


class PositionResult(t.NamedTuple):
    """What a query has come to. There is a position if, and only if, the status is C(success)."""

    status: str
    position: str | None
    request_id: str | None


def parse_time(value: str, now: datetime | None = None) -> str:
    """Turn a time that a user wrote into the form that DRS takes, C(2023-09-19T07:00:00Z).

    The extended form of ISO 8601 with C(Z) or an offset is understood, with C(T) or a space. Fractions of a second are cut off, towards the past,
    so that no change after the time that the user meant can be skipped.

    :raises InputError: when the time has no offset, is no time, or is more than five minutes in the future.
    """
    match = re.fullmatch(r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,]\d+)?)?\s?(?:([Zz])|([+-])(\d\d)(?::?([0-5]\d))?)?", value.strip(), re.ASCII)
    if not match:
        raise InputError(f"reset_position_time must be a time such as 2023-09-19T07:00:00Z; it is {value!r}.")
    *fields, zulu, sign, hours, minutes = match.groups()
    if not zulu and not sign:
        stem = "{}-{}-{}T{}:{}:{}".format(*(field or "00" for field in fields))
        raise InputError(
            f"reset_position_time {value!r} does not say which time zone it is in. Write {stem}Z if it is UTC, or add the offset, as in {stem}+08:00."
        )
    try:
        offset = timedelta() if zulu else timedelta(hours=int(hours), minutes=int(minutes or 0)) * (1 if sign == "+" else -1)
        year, month, day, hour, minute, second = (int(field or 0) for field in fields)
        moment = datetime(year, month, day, hour, minute, second, tzinfo=timezone(offset)).astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise InputError(f"reset_position_time {value!r} is no time that exists: {error}.") from error
    now = now or datetime.now(timezone.utc)
    if moment - now > CLOCK_TOLERANCE:
        raise InputError(f"reset_position_time {value!r} is in the future: it is now {_write_time(now)}. Write a time that is past, and check its offset.")
    return _write_time(moment)


def _write_time(moment: datetime) -> str:
    return moment.replace(tzinfo=None, microsecond=0).isoformat() + "Z"


def check_job_id(value: str) -> str:
    """Return the id if it has the form of one: 36 letters, digits and hyphens. It is not hexadecimal.

    :raises InputError: when it has not.
    """
    if not re.fullmatch(r"[A-Za-z0-9-]{36}", value):
        raise InputError(f"job_id must be 36 letters, digits and hyphens, as c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r is; it is {value!r}.")
    return value


def check_query_id(value: str) -> str:
    """Return the id if it can be one.

    :raises InputError: when it cannot.
    """
    if not re.fullmatch(QUERY_ID, value):
        raise InputError(f"query_id must be the id that collecting a position returned; it is {value[:128]!r}.")
    return value


class DrsClient:
    """DRS in the project of a session.

    ``base`` is what the URLs of all calls begin with, and ``clean`` makes text from elsewhere fit to be shown, see :meth:`Session.clean`.

    :arg endpoint: the base URL of DRS.
    :arg language: of the messages, C(en-us) or C(zh-cn). Error codes are the same in each.
    """

    def __init__(self, session: Session, endpoint: str, language: str = "en-us") -> None:
        self._session = session
        self.clean = session.clean
        self.base = f"{endpoint}/v5/{session.project_id}"
        self._headers = {"X-Language": language}

    def check_status(self, value: t.Any, http_status: int | None = None, request_id: str | None = None) -> str:
        """Return the status of a query if it is one that DRS documents.

        :raises BadAnswerError: when it is not. This is apart from reading the answer, so that an id in the same answer is not lost.
        """
        if value not in (PENDING, SUCCESS, FAILED):
            shown = repr(self.clean(value)[:50]) if value else repr(value)
            raise BadAnswerError(f"DRS returned a status that its API does not have, {shown}.", http_status=http_status, request_id=request_id)
        return str(value)

    def collect_position_request(self, job_id: str, reset_position_time: str) -> dict[str, t.Any]:
        """What :meth:`collect_position_async` sends: method, url and body."""
        return {
            "method": "POST",
            "url": f"{self.base}/jobs/{check_job_id(job_id)}/collect-db-position",
            "body": {"reset_position_time": reset_position_time},
        }

    def collect_position_async(self, job_id: str, reset_position_time: str) -> PositionQuery:
        """Ask DRS to find the position of the source database at a time. Every call starts a new query.

        API page: Collecting Database Position Information.

        :arg reset_position_time: as :func:`parse_time` returns it.
        :raises HuaweiCloudError: with ``maybe_accepted`` set when DRS may have started a query whose id is lost.
        """
        answer = self.request(**self.collect_position_request(job_id, reset_position_time))
        query_id = answer.body.get("id")
        if not isinstance(query_id, str) or not re.fullmatch(QUERY_ID, query_id):
            what = f"with an unusable id for its result, {self.clean(query_id)[:50]!r}" if query_id else "without an id for its result"
            raise self.bad_answer(answer, f"accepted the request {what}", maybe_accepted=True)
        return PositionQuery(query_id, answer.body.get("status"), answer.request_id)

    def show_position_result(self, job_id: str, query_id: str, deadline: float | None = None) -> PositionResult:
        """Read what a query has come to.

        API page: Obtaining the Result of Querying Database Positions.

        :raises BadAnswerError: when the answer has a status that is not documented, or a success without a position.
        """
        answer = self.request("GET", f"{self.base}/jobs/{check_job_id(job_id)}/db-position", params={"query_id": query_id}, deadline=deadline)
        status, position = self.check_status(answer.body.get("status"), answer.status, answer.request_id), answer.body.get("position")
        if status != SUCCESS:
            # The API page's own example has a position in a pending result. It is not the result.
            return PositionResult(status, None, answer.request_id)
        if not isinstance(position, str) or not position or not position.isprintable():
            raise self.bad_answer(answer, "returned a success without a position")
        return PositionResult(status, position, answer.request_id)

    def wait_for_position(self, job_id: str, query_id: str, timeout: float, sleep: float) -> PositionResult:
        """Read the result of a query until it is there.

        :arg timeout: seconds after which to give up.
        :arg sleep: seconds between two reads.
        :returns: the result, whose status is C(success) or C(failed).
        :raises StillPendingError: when the time is over.
        """

        def read(deadline: float) -> PositionResult | None:
            result = self.show_position_result(job_id, query_id, deadline)
            return result if result.status != PENDING else None

        return self.wait_for(read, timeout, sleep, lambda: f"The query {query_id} of job {job_id} had no result within {timeout:g} seconds.")

    def wait_for(self, read: t.Callable[[float], _T | None], timeout: float, sleep: float, late: t.Callable[[], str]) -> _T:
        """Call I(read), which gets the deadline, until it returns something.

        :arg timeout: seconds after which to give up.
        :arg sleep: seconds between two calls.
        :arg late: says what was not finished in time.
        :raises StillPendingError: when the time is over.
        """
        deadline = time.monotonic() + timeout
        while True:
            try:
                found = read(deadline)
                if found is not None:
                    return found
            except HuaweiCloudError as error:
                if not is_passing(error, deadline):
                    raise
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                raise StillPendingError(late())
            time.sleep(min(sleep, remaining))

    def show_job_detail(self, job_id: str, kind: str = "detail", deadline: float | None = None) -> dict[str, t.Any]:
        """Read the job. API page: Querying Task Details.

        :arg kind: what to tell about it, C(detail) or C(progress).
        """
        answer = self.request("GET", f"{self.base}/jobs/{check_job_id(job_id)}", params={"type": kind}, deadline=deadline)
        job = answer.body.get("job")
        if not isinstance(job, dict):
            raise self.bad_answer(answer, "described no job")
        return job

    def check_collectable(self, job_id: str) -> bool:
        """Read the job, and make sure that it is one whose position can be collected.

        :returns: whether the job could be read. Some regions do not publish that call, and then nothing is known about the job.
        :raises HuaweiCloudError: when there is no such job, or it does not synchronize MySQL to GaussDB(DWS).
        """
        try:
            base_info = self.show_job_detail(job_id).get("base_info")
        except ApiError as error:
            if is_unpublished(error):
                return False
            raise
        engine_type = base_info.get("engine_type") if isinstance(base_info, dict) else None
        if not engine_type:
            raise BadAnswerError(f"DRS described job {job_id} without its engine type.")
        if engine_type != MYSQL_TO_DWS:
            raise HuaweiCloudError(f"Job {job_id} is of engine type {self.clean(engine_type)[:50]!r}. Positions can be collected for {MYSQL_TO_DWS} jobs only.")
        return True

    def request(self, method: str, url: str, **kwargs: t.Any) -> Answer:
        """Send a request, as :meth:`Session.request` does, and add to an error what it means in DRS."""
        try:
            return self._session.request(method, url, headers=self._headers, too_frequent=TOO_FREQUENT, **kwargs)
        except HuaweiCloudError as error:
            code = _gateway_code(error)
            advice = ADVICE_0201.get(error.http_status or 0) if code == "APIGW.0201" else ADVICE.get(code)
            # That it can be tried again is not said of what may have been done.
            error.advise(MAYBE_ACCEPTED if error.maybe_accepted else advice)
            raise

    def bad_answer(self, answer: Answer, what: str, maybe_accepted: bool = False) -> BadAnswerError:
        """The error for an answer that is not what the API promises.

        :arg what: what DRS did, as it follows C(DRS).
        """
        id_part = f" (request id {answer.request_id})" if answer.request_id else ""
        error = BadAnswerError(f"DRS {what}{id_part}.", http_status=answer.status, request_id=answer.request_id)
        if maybe_accepted:
            error.maybe_accepted = True
            error.advise(MAYBE_ACCEPTED)
        return error


def is_unpublished(error: ApiError) -> bool:
    """Whether the region does not have a call at all."""
    return error.http_status == 404 and _gateway_code(error) == UNPUBLISHED


def is_passing(error: HuaweiCloudError, deadline: float) -> bool:
    """Whether something that was to be waited for may be there at the next look. Without an answer, only the deadline can have been the reason."""
    if isinstance(error, ApiError):
        return error.http_status in (429, 503) or error.error_code == TOO_FREQUENT
    return isinstance(error, NoAnswerError) and time.monotonic() >= deadline


# For whoever stops waiting.
READ_LATER = "The query goes on in DRS. Read its result with the module huaweicloud.drs.drs_db_position_info, job_id and id as query_id."


def no_position(job_id: str, reset_position_time: str) -> HuaweiCloudError:
    """What a query that failed means."""
    return HuaweiCloudError(
        f"DRS could not find a position of job {job_id} at {reset_position_time}. Check that the source still keeps the binlog of that time."
    )


def _gateway_code(error: HuaweiCloudError) -> str:
    """The error code, with the gateway's present prefix in place of its older one."""
    return re.sub(r"^APIG\.", "APIGW.", error.error_code or "")
