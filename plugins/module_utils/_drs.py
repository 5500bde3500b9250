# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Data Replication Service: one function for each call of its API v5, its values, its waiting, and what its errors mean.

The functions bear the names that the calls have in the official SDK. Nothing here knows Ansible.
"""

from __future__ import annotations

import re
import time
import typing as t
from collections import Counter
from dataclasses import dataclass
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
# Of a job. C(PAUSING) is one that has been paused.
JOB_STATUSES = (
    "CREATING",
    "CREATE_FAILED",
    "CONFIGURATION",
    "STARTJOBING",
    "WAITING_FOR_START",
    "START_JOB_FAILED",
    "PAUSING",
    "FULL_TRANSFER_STARTED",
    "FULL_TRANSFER_FAILED",
    "FULL_TRANSFER_COMPLETE",
    "INCRE_TRANSFER_STARTED",
    "INCRE_TRANSFER_FAILED",
    "RELEASE_RESOURCE_STARTED",
    "RELEASE_RESOURCE_FAILED",
    "RELEASE_RESOURCE_COMPLETE",
    "REBUILD_NODE_STARTED",
    "REBUILD_NODE_FAILED",
    "CHANGE_JOB_STARTED",
    "CHANGE_JOB_FAILED",
    "DELETED",
    "CHILD_TRANSFER_STARTING",
    "CHILD_TRANSFER_STARTED",
    "CHILD_TRANSFER_COMPLETE",
    "CHILD_TRANSFER_FAILED",
    "RELEASE_CHILD_TRANSFER_STARTED",
    "RELEASE_CHILD_TRANSFER_COMPLETE",
    "NODE_UPGRADE_START",
    "NODE_UPGRADE_COMPLETE",
    "NODE_UPGRADE_FAILED",
)
RUNNING = frozenset({"FULL_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"})
# A job in one of these does not get to another by itself.
BROKEN = frozenset({*(status for status in JOB_STATUSES if status.endswith("_FAILED")), "RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE", "DELETED"})
# Jobs in one answer. What the API allows at most is not documented, so nothing relies on getting as many.
PAGE = 50
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


@dataclass(frozen=True)
class Action:
    """Something that a job can be told to do.

    ``sent`` is what the request calls it, and ``listed`` what the list of allowed actions calls it. In the statuses ``done`` it has been done
    already; to those in ``leads_to`` it brings the job.
    """

    sent: str
    listed: str
    done: frozenset[str]
    leads_to: frozenset[str]


_UNDER_WAY = RUNNING | {"STARTJOBING"}
_PAUSED = frozenset({"PAUSING"})
# By the names that the console has for them. The request calls a pause C(stop); the call of that name ends a job, and is not used here.
ACTIONS = {
    "start": Action("start", "START", _UNDER_WAY, RUNNING),
    "pause": Action("stop", "PAUSE", _PAUSED, _PAUSED),
    "retry": Action("restart", "RETRY", _UNDER_WAY, RUNNING),
    "reset": Action("reset", "RESET", frozenset(), RUNNING),
}


@dataclass(frozen=True)
class PositionQuery:
    """A query for a position, as DRS accepted it. The status is what DRS wrote, see :meth:`DrsClient.check_status`."""

    id: str
    status: t.Any
    request_id: str | None


@dataclass(frozen=True)
class PositionResult:
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


def check_job_ids(values: list[str]) -> list[str]:
    """Return the ids if each has the form of one, and none is there twice.

    :raises InputError: when it is not so.
    """
    if not values:
        raise InputError("job_ids is empty.")
    twice = sorted(job_id for job_id, count in Counter(map(check_job_id, values)).items() if count > 1)
    if twice:
        raise InputError(f"job_ids must hold each job once: {', '.join(twice)}.")
    return values


def check_query_id(value: str) -> str:
    """Return the id if it can be one.

    :raises InputError: when it cannot.
    """
    if not re.fullmatch(QUERY_ID, value):
        raise InputError(f"query_id must be the id that collecting a position returned; it is {value[:128]!r}.")
    return value


def check_position(value: str) -> str:
    """Return the position if it has the form of one, C(mysql-bin.000277:805).

    API page: Updating the Start Point of an Incremental Task.

    :raises InputError: when it has not.
    """
    # Python's isprintable leaves the space in.
    if len(value) > 100 or not value.isprintable() or not re.fullmatch(r"[^<>&:\"\\'/ ]{1,60}\.[0-9]{3,20}:[0-9]{1,20}", value):
        raise InputError(
            "position must be the name of a binlog file, a dot, its number of 3 to 20 digits, a colon and an offset, as in mysql-bin.000277:805, and at most"
            f" 100 characters long; it is {value[:128]!r}."
        )
    return value


def check_gtid_set(value: str) -> str:
    """Return a set of GTIDs on one line. MySQL prints it with line breaks.

    API page: Updating the Start Point of an Incremental Task.

    :raises InputError: when it has characters that DRS does not take, or more than 2,048 of them.
    """
    gtid_set = "".join(value.split())
    if not re.fullmatch(r"[!-~]{1,2048}", gtid_set) or re.search(r"[<>&\"\\'/]", gtid_set):
        raise InputError(
            "gtid_set must be Executed_Gtid_Set as SHOW MASTER STATUS prints it, at most 2048 characters after its line breaks are taken out;"
            f" it has {len(gtid_set)} and begins with {gtid_set[:64]!r}."
        )
    return gtid_set


class DrsClient:
    """DRS in the project of a session.

    :arg endpoint: the base URL of DRS.
    :arg language: of the messages, C(en-us) or C(zh-cn). Error codes are the same in each.
    """

    def __init__(self, session: Session, endpoint: str, language: str = "en-us") -> None:
        self._session = session
        self._base = f"{endpoint}/v5/{session.project_id}"
        self._headers = {"X-Language": language}

    def check_status(self, value: t.Any, http_status: int | None = None, request_id: str | None = None) -> str:
        """Return the status of a query if it is one that DRS documents.

        :raises BadAnswerError: when it is not. This is apart from reading the answer, so that an id in the same answer is not lost.
        """
        if value not in (PENDING, SUCCESS, FAILED):
            shown = repr(self._session.clean(value)[:50]) if value else repr(value)
            raise BadAnswerError(f"DRS returned a status that its API does not have, {shown}.", http_status=http_status, request_id=request_id)
        return str(value)

    def collect_position_request(self, job_id: str, reset_position_time: str) -> dict[str, t.Any]:
        """What :meth:`collect_position_async` sends: method, url and body."""
        return {
            "method": "POST",
            "url": f"{self._base}/jobs/{check_job_id(job_id)}/collect-db-position",
            "body": {"reset_position_time": reset_position_time},
        }

    def collect_position_async(self, job_id: str, reset_position_time: str) -> PositionQuery:
        """Ask DRS to find the position of the source database at a time. Every call starts a new query.

        API page: Collecting Database Position Information.

        :arg reset_position_time: as :func:`parse_time` returns it.
        :raises HuaweiCloudError: with ``maybe_accepted`` set when DRS may have started a query whose id is lost.
        """
        answer = self._request(**self.collect_position_request(job_id, reset_position_time))
        query_id = answer.body.get("id")
        if not isinstance(query_id, str) or not re.fullmatch(QUERY_ID, query_id):
            what = f"with an unusable id for its result, {self._session.clean(query_id)[:50]!r}" if query_id else "without an id for its result"
            raise self._bad_answer(answer, f"accepted the request {what}", maybe_accepted=True)
        return PositionQuery(query_id, answer.body.get("status"), answer.request_id)

    def show_position_result(self, job_id: str, query_id: str, deadline: float | None = None) -> PositionResult:
        """Read what a query has come to.

        API page: Obtaining the Result of Querying Database Positions.

        :raises BadAnswerError: when the answer has a status that is not documented, or a success without a position.
        """
        answer = self._request("GET", f"{self._base}/jobs/{check_job_id(job_id)}/db-position", params={"query_id": query_id}, deadline=deadline)
        status, position = self.check_status(answer.body.get("status"), answer.status, answer.request_id), answer.body.get("position")
        if status != SUCCESS:
            # The API page's own example has a position in a pending result. It is not the result.
            return PositionResult(status, None, answer.request_id)
        if not isinstance(position, str) or not position or not position.isprintable():
            raise self._bad_answer(answer, "returned a success without a position")
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

        return self._wait(read, timeout, sleep, lambda: f"The query {query_id} of job {job_id} had no result within {timeout:g} seconds.")

    def _wait(self, read: t.Callable[[float], _T | None], timeout: float, sleep: float, late: t.Callable[[], str]) -> _T:
        """Call I(read), which gets the deadline, until it returns something.

        :arg late: says what was not finished in time.
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

    def list_jobs(self, name: str | None = None) -> list[dict[str, t.Any]]:
        """Read all synchronization jobs, or those with a name. API page: Querying the Task List.

        A job that is made up of others is followed by these.

        :returns: for each job the keys of :func:`_job`.
        """
        jobs: dict[str, dict[str, t.Any]] = {}
        offset = 0
        while True:
            params = {"job_type": "sync", "offset": str(offset), "limit": str(PAGE)}
            if name:
                params["name"] = name  # DRS finds all that have it in their names
            answer = self._request("GET", f"{self._base}/jobs", params=params)
            page, total = answer.body.get("jobs"), answer.body.get("total_count")
            if not isinstance(page, list) and not (page is None and total == 0):
                raise self._bad_answer(answer, "returned no list of jobs")
            known = len(jobs)
            for parent in page or []:
                children = (parent.get("children") if isinstance(parent, dict) else None) or []
                if not isinstance(children, list):
                    raise self._bad_answer(answer, "listed a job whose parts are no list")
                for entry in (parent, *children):
                    if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
                        raise self._bad_answer(answer, "listed a job without an id")
                    jobs.setdefault(entry["id"], _job(entry["id"], entry, entry.get("status"), None if entry is parent else parent["id"]))
            offset += len(page or [])
            # While jobs are made and deleted, one may be seen twice. A page that brings nothing new is the last.
            if len(jobs) == known or (isinstance(total, int) and offset >= total):
                return [job for job in jobs.values() if not name or job["name"] == name]

    def list_tags(self) -> dict[str, dict[str, str]] | None:
        """Read the tags of all synchronization jobs. API page: Querying Resource Instances by Tag.

        :returns: by the id of a job, the values of its tags by their keys. A job without tags may be left out. None if the region does not publish this call.
        """
        tags: dict[str, dict[str, str]] = {}
        offset = 0
        while True:
            params = {"limit": "1000", "offset": str(offset)}
            try:
                # Though a POST, it only reads.
                answer = self._request("POST", f"{self._base}/sync/resource-instances/filter", params=params, body={})
            except ApiError as error:
                if error.http_status == 404 and _gateway_code(error) == UNPUBLISHED:
                    return None
                raise
            page, total = answer.body.get("resources") or [], answer.body.get("total_count")
            if not isinstance(page, list):
                raise self._bad_answer(answer, "returned no list of resources")
            known = len(tags)
            for resource in page:
                if isinstance(resource, dict) and isinstance(resource.get("resource_id"), str):
                    pairs = [tag for tag in resource.get("tags") or () if isinstance(tag, dict)]
                    tags[resource["resource_id"]] = {str(tag.get("key")): str(tag.get("value") or "") for tag in pairs}
            offset += len(page)
            if len(tags) == known or (isinstance(total, int) and offset >= total):
                return tags

    def show_job(self, job_id: str) -> dict[str, t.Any]:
        """Read a job, as :meth:`list_jobs` returns it."""
        job = self.show_job_detail(job_id)
        base_info = job.get("base_info")
        return _job(job_id, base_info if isinstance(base_info, dict) else {}, job.get("status"), job.get("master_job_id"))

    def show_progress(self, job_id: str) -> dict[str, t.Any]:
        """Read how far a job is. API page: Querying Task Details.

        :returns: ``transfer_status``, and ``incr_trans_delay`` in seconds; each is None where DRS does not say.
        """
        progress = self.show_job_detail(job_id, "progress").get("progress_info")
        progress = progress if isinstance(progress, dict) else {}
        delay = str(progress.get("incr_trans_delay"))
        return {"transfer_status": _text(progress.get("transfer_status")), "incr_trans_delay": int(delay) if re.fullmatch("[0-9]{1,18}", delay) else None}

    def show_actions(self, job_id: str) -> dict[str, t.Any]:
        """Read what a job can be told to do. API page: Obtaining the Operations Allowed in a Specified Task.

        :returns: ``available_actions``, ``unavailable_actions``, and ``current_action``, which may be None.
        """
        answer = self._request("GET", f"{self._base}/jobs/{check_job_id(job_id)}/actions")
        found = answer.body.get("job_action")
        if not isinstance(found, dict) or not isinstance(found.get("available_actions"), list):
            raise self._bad_answer(answer, "named no actions that the job allows")
        lists = {name: found.get(name) for name in ("available_actions", "unavailable_actions")}
        texts = {name: [str(action) for action in actions] if isinstance(actions, list) else [] for name, actions in lists.items()}
        return {**texts, "current_action": _text(found.get("current_action"))}

    def check_allowed(self, job_id: str, action: str) -> bool:
        """Make sure that a job allows an action, or is just doing it.

        :arg action: a key of :data:`ACTIONS`.
        :returns: whether it has to be told.
        :raises HuaweiCloudError: when it does not allow it. It says what the job allows.
        """
        actions = self.show_actions(job_id)
        if ACTIONS[action].listed in actions["available_actions"]:
            return True
        if ACTIONS[action].listed == actions["current_action"]:
            return False
        known = [name for name, other in ACTIONS.items() if other.listed in actions["available_actions"]]
        current = f" Its current action is {self._session.clean(actions['current_action'])}." if actions["current_action"] else ""
        raise HuaweiCloudError(
            f"Job {job_id} does not allow {action} now. Of start, pause, retry and reset it allows {' and '.join(known) or 'none'}.{current}"
        )

    def job_action_request(self, job_id: str, action: str) -> dict[str, t.Any]:
        """What :meth:`execute_job_action` sends: method, url and body."""
        return {"method": "POST", "url": f"{self._base}/jobs/{check_job_id(job_id)}/action", "body": {"job": {"action_name": ACTIONS[action].sent}}}

    def execute_job_action(self, job_id: str, action: str) -> str | None:
        """Tell a job to do something. DRS does it after it has answered. API page: Performing Operations on a Task with a Specified ID.

        :arg action: a key of :data:`ACTIONS`.
        :returns: the request id.
        :raises HuaweiCloudError: also when the HTTP status is that of a success and the answer says that the action failed.
        """
        answer = self._request(**self.job_action_request(job_id, action))
        status = answer.body.get("status")
        if status == FAILED:
            said = self._session.clean(answer.body.get("error_msg"))
            reason = f"the message {said!r}" if said else "no reason"
            raise self._bad_answer(answer, f"answered {answer.status}, with the status failed and {reason}, to {action} job {job_id}")
        if status != SUCCESS and not answer.body.get("query_id"):
            raise self._bad_answer(answer, f"did not say whether it accepted to {action} job {job_id}", maybe_accepted=True)
        return answer.request_id

    def wait_for_action(self, job_id: str, action: str, before: str | None, timeout: float, sleep: float) -> str:
        """Read the status of a job until an action has brought it where it leads to.

        :arg before: the status before the action. It may still be there some time after it.
        :arg timeout: seconds after which to give up.
        :arg sleep: seconds between two reads.
        :returns: the status.
        :raises HuaweiCloudError: when the job has failed or ended instead.
        :raises StillPendingError: when the time is over.
        """
        seen = [before]

        def read(deadline: float) -> str | None:
            status = _text(self.show_job_detail(job_id, deadline=deadline).get("status"))
            seen.append(status)
            if status in BROKEN and any(other != status for other in seen):
                raise HuaweiCloudError(f"After {action}, job {job_id} is in status {status}. The console of DRS, and the task's logs in it, say why.")
            return status if status in ACTIONS[action].leads_to else None

        return self._wait(
            read, timeout, sleep, lambda: f"After {action}, job {job_id} is still in status {self._session.clean(seen[-1])} after {timeout:g} seconds."
        )

    def start_position_request(self, job_id: str, position: str, gtid_set: str | None = None) -> dict[str, t.Any]:
        """What :meth:`update_start_position` sends: method, url and body."""
        body = {"file_and_position": position, **({"gtid_set": gtid_set} if gtid_set else {})}
        return {"method": "PUT", "url": f"{self._base}/jobs/{check_job_id(job_id)}/start-position", "body": body}

    def update_start_position(self, job_id: str, position: str, gtid_set: str | None = None) -> str | None:
        """Set where an incremental job begins to read when it is started next. API page: Updating the Start Point of an Incremental Task.

        :arg position: as :func:`check_position` returns it.
        :arg gtid_set: as :func:`check_gtid_set` returns it.
        :returns: the request id.
        """
        return self._request(**self.start_position_request(job_id, position, gtid_set)).request_id

    def show_job_detail(self, job_id: str, kind: str = "detail", deadline: float | None = None) -> dict[str, t.Any]:
        """Read the job. API page: Querying Task Details.

        :arg kind: what to tell about it, C(detail) or C(progress).
        """
        answer = self._request("GET", f"{self._base}/jobs/{check_job_id(job_id)}", params={"type": kind}, deadline=deadline)
        job = answer.body.get("job")
        if not isinstance(job, dict):
            raise self._bad_answer(answer, "described no job")
        return job

    def check_collectable(self, job_id: str) -> bool:
        """Read the job, and make sure that it is one whose position can be collected.

        :returns: whether the job could be read. Some regions do not publish that call, and then nothing is known about the job.
        :raises HuaweiCloudError: when there is no such job, or it does not synchronize MySQL to GaussDB(DWS).
        """
        try:
            base_info = self.show_job_detail(job_id).get("base_info")
        except ApiError as error:
            if error.http_status == 404 and _gateway_code(error) == UNPUBLISHED:
                return False
            raise
        engine_type = base_info.get("engine_type") if isinstance(base_info, dict) else None
        if not engine_type:
            raise BadAnswerError(f"DRS described job {job_id} without its engine type.")
        if engine_type != MYSQL_TO_DWS:
            raise HuaweiCloudError(
                f"Job {job_id} is of engine type {self._session.clean(engine_type)[:50]!r}. Positions can be collected for {MYSQL_TO_DWS} jobs only."
            )
        return True

    def _request(self, method: str, url: str, **kwargs: t.Any) -> Answer:
        """Send a request, and add to an error what it means in DRS."""
        try:
            return self._session.request(method, url, headers=self._headers, too_frequent=TOO_FREQUENT, **kwargs)
        except HuaweiCloudError as error:
            code = _gateway_code(error)
            advice = ADVICE_0201.get(error.http_status or 0) if code == "APIGW.0201" else ADVICE.get(code)
            # That it can be tried again is not said of what may have been done.
            error.advise(MAYBE_ACCEPTED if error.maybe_accepted else advice)
            raise

    def _bad_answer(self, answer: Answer, what: str, maybe_accepted: bool = False) -> BadAnswerError:
        id_part = f" (request id {answer.request_id})" if answer.request_id else ""
        error = BadAnswerError(f"DRS {what}{id_part}.", http_status=answer.status, request_id=answer.request_id)
        if maybe_accepted:
            error.maybe_accepted = True
            error.advise(MAYBE_ACCEPTED)
        return error


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


def _job(job_id: str, facts: dict[str, t.Any], status: t.Any, parent_id: t.Any) -> dict[str, t.Any]:
    """What users get to know of a job. What DRS does not say is None."""
    return {
        "id": job_id,
        "name": _text(facts.get("name")),
        "status": _text(status),
        "engine_type": _text(facts.get("engine_type")),
        "task_type": _text(facts.get("task_type")),
        "parent_id": _text(parent_id),
    }


def _text(value: t.Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _gateway_code(error: HuaweiCloudError) -> str:
    """The error code, with the gateway's present prefix in place of its older one."""
    return re.sub(r"^APIG\.", "APIGW.", error.error_code or "")
