# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API calls that find, read and change jobs. Functions are named after the calls in the official SDK.

A separate file, because collecting a position does not need it, and every imported line makes a task slower.
"""

from __future__ import annotations

import re
import typing as t

from ._drs import DrsClient, is_unpublished
from ._endpoints import check_job_id
from ._errors import ApiError, HuaweiCloudError, InvalidOptionError, InvalidResponseError
from ._positions import FAILED, SUCCESS

MYSQL_TO_DWS = "mysql-to-dws"
# The statuses of a job. ``PAUSING`` means paused.
JOB_STATUSES = tuple(
    """
    CREATING CREATE_FAILED CONFIGURATION STARTJOBING WAITING_FOR_START START_JOB_FAILED PAUSING
    FULL_TRANSFER_STARTED FULL_TRANSFER_FAILED FULL_TRANSFER_COMPLETE INCRE_TRANSFER_STARTED
    INCRE_TRANSFER_FAILED RELEASE_RESOURCE_STARTED RELEASE_RESOURCE_FAILED RELEASE_RESOURCE_COMPLETE
    REBUILD_NODE_STARTED REBUILD_NODE_FAILED CHANGE_JOB_STARTED CHANGE_JOB_FAILED DELETED
    CHILD_TRANSFER_STARTING CHILD_TRANSFER_STARTED CHILD_TRANSFER_COMPLETE CHILD_TRANSFER_FAILED
    RELEASE_CHILD_TRANSFER_STARTED RELEASE_CHILD_TRANSFER_COMPLETE NODE_UPGRADE_START NODE_UPGRADE_COMPLETE
    NODE_UPGRADE_FAILED
    """.split()
)
RUNNING = frozenset({"FULL_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"})
# Statuses that a job does not leave by itself.
FAILED_STATUSES = frozenset(
    {"RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE", "DELETED"}
    | {status for status in JOB_STATUSES if status.endswith("_FAILED")}
)
PAGE_SIZE = 50  # The maximum is not documented, so a page may contain fewer jobs than requested.


class Action(t.NamedTuple):
    """An action that DRS can perform on a job.

    ``api_name`` is its name in requests, ``listed_name`` its name in the list of allowed actions. In ``noop_statuses``,
    the action is not needed. ``target_statuses`` are the statuses that it leads to.
    """

    api_name: str
    listed_name: str
    noop_statuses: frozenset[str]
    target_statuses: frozenset[str]


_UNDER_WAY = RUNNING | {"STARTJOBING"}
_PAUSED = frozenset({"PAUSING"})
# By their names in the console. The action "stop" is a pause. The API call "stop" ends a job, and is not used here.
ACTIONS = {
    "start": Action("start", "START", _UNDER_WAY, RUNNING),
    "pause": Action("stop", "PAUSE", _PAUSED, _PAUSED),
    "retry": Action("restart", "RETRY", _UNDER_WAY, RUNNING),
    "reset": Action("reset", "RESET", frozenset(), RUNNING),
}


def check_position(value: str) -> str:
    """Return the position if it is well-formed, as ``mysql-bin.000277:805`` is.

    API page: Updating the Start Point of an Incremental Task.

    :raises InvalidOptionError: when it is not.
    """
    form = r"[^<>&:\"\\'/ ]{1,60}\.[0-9]{3,20}:[0-9]{1,20}"
    if len(value) > 100 or not value.isprintable() or not re.fullmatch(form, value):
        raise InvalidOptionError(
            "position must be a binlog file and offset of the form name.number:offset, with a number of 3 to 20 digits"
            f" and at most 100 characters in total, such as mysql-bin.000277:805; it is {value[:128]!r}."
        )
    return value


def check_gtid_set(value: str) -> str:
    """Return a GTID set without the line breaks with which MySQL prints it.

    API page: Updating the Start Point of an Incremental Task.

    :raises InvalidOptionError: when it has more than 2,048 characters, or characters that DRS does not accept.
    """
    gtid_set = "".join(value.split())
    if not re.fullmatch(r"[!-~]{1,2048}", gtid_set) or re.search(r"[<>&\"\\'/]", gtid_set):
        raise InvalidOptionError(
            "gtid_set must be Executed_Gtid_Set from SHOW MASTER STATUS, at most 2048 characters without line breaks;"
            f" it has {len(gtid_set)} characters and starts with {gtid_set[:64]!r}."
        )
    return gtid_set


def list_jobs(drs: DrsClient, name: str | None = None) -> list[dict[str, t.Any]]:
    """Read all synchronization jobs, or those with a name. API page: Querying the Task List.

    :returns: for each job the keys of :func:`_job`. A job that consists of subtasks is followed by these.
    """
    jobs: dict[str, dict[str, t.Any]] = {}
    offset = 0
    while True:
        params = {"job_type": "sync", "offset": str(offset), "limit": str(PAGE_SIZE)}
        if name:
            params["name"] = name  # DRS also finds names that contain it.
        response = drs.request("GET", f"{drs.base}/jobs", params=params)
        page, total = response.body.get("jobs"), response.body.get("total_count")
        if not isinstance(page, list) and not (page is None and total == 0):
            raise drs.invalid_response(response, "returned no list of jobs")
        known = len(jobs)
        for parent in page or []:
            children = (parent.get("children") if isinstance(parent, dict) else None) or []
            if not isinstance(children, list):
                raise drs.invalid_response(response, "listed a job whose subtasks are not a list")
            for entry in (parent, *children):
                if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
                    raise drs.invalid_response(response, "listed a job without an ID")
                jobs.setdefault(
                    entry["id"],
                    _job(entry["id"], entry, entry.get("status"), None if entry is parent else parent["id"]),
                )
        offset += len(page or [])
        # When jobs are created or deleted meanwhile, one may be listed twice. A page without new jobs is the last.
        if len(jobs) == known or (isinstance(total, int) and offset >= total):
            return [job for job in jobs.values() if not name or job["name"] == name]


def list_tags(drs: DrsClient) -> dict[str, dict[str, str]] | None:
    """Read the tags of all synchronization jobs. API page: Querying Resource Instances by Tag.

    :returns: the tags by job ID. Jobs without tags may be missing. None if the region does not publish this call.
    """
    tags: dict[str, dict[str, str]] = {}
    offset = 0
    while True:
        params = {"limit": "1000", "offset": str(offset)}
        try:
            # A POST that only reads.
            response = drs.request("POST", f"{drs.base}/sync/resource-instances/filter", params=params, body={})
        except ApiError as error:
            if is_unpublished(error):
                return None
            raise
        page, total = response.body.get("resources") or [], response.body.get("total_count")
        if not isinstance(page, list):
            raise drs.invalid_response(response, "returned no list of resources")
        known = len(tags)
        for resource in page:
            if isinstance(resource, dict) and isinstance(resource.get("resource_id"), str):
                pairs = [tag for tag in resource.get("tags") or () if isinstance(tag, dict)]
                tags[resource["resource_id"]] = {str(tag.get("key")): str(tag.get("value") or "") for tag in pairs}
        offset += len(page)
        if len(tags) == known or (isinstance(total, int) and offset >= total):
            return tags


def show_job_detail(
    drs: DrsClient, job_id: str, kind: str = "detail", deadline: float | None = None
) -> dict[str, t.Any]:
    """Read the details of a job. API page: Querying Task Details.

    :param kind: ``detail`` or ``progress``.
    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    :returns: the object ``job`` of the response.
    """
    url = f"{drs.base}/jobs/{check_job_id(job_id)}"
    response = drs.request("GET", url, params={"type": kind}, deadline=deadline)
    job = response.body.get("job")
    if not isinstance(job, dict):
        raise drs.invalid_response(response, "returned no job details")
    return job


def check_collectable(drs: DrsClient, job_id: str) -> bool:
    """Read a job, and check that its position can be collected.

    :returns: False if the region does not publish the call that reads jobs, so that nothing is known about the job.
    :raises HuaweiCloudError: when the job does not exist, or does not synchronize MySQL to GaussDB(DWS).
    """
    try:
        base_info = show_job_detail(drs, job_id).get("base_info")
    except ApiError as error:
        if is_unpublished(error):
            return False
        raise
    engine_type = base_info.get("engine_type") if isinstance(base_info, dict) else None
    if not engine_type:
        raise InvalidResponseError(f"DRS did not return the engine type of job {job_id}.")
    if engine_type != MYSQL_TO_DWS:
        shown = repr(drs.sanitize(engine_type)[:50])
        raise HuaweiCloudError(
            f"Job {job_id} has the engine type {shown}. Positions can be collected only for {MYSQL_TO_DWS} jobs."
        )
    return True


def show_job(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read a job, and return the same keys as :func:`list_jobs`."""
    job = show_job_detail(drs, job_id)
    base_info = job.get("base_info")
    return _job(job_id, base_info if isinstance(base_info, dict) else {}, job.get("status"), job.get("master_job_id"))


def show_progress(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read the progress of a job. API page: Querying Task Details.

    :returns: ``transfer_status``, and ``incr_trans_delay`` in seconds. Each is None if DRS does not return it.
    """
    progress = show_job_detail(drs, job_id, "progress").get("progress_info")
    progress = progress if isinstance(progress, dict) else {}
    delay = str(progress.get("incr_trans_delay"))
    return {
        "transfer_status": _text(progress.get("transfer_status")),
        "incr_trans_delay": int(delay) if re.fullmatch("[0-9]{1,18}", delay) else None,
    }


def show_actions(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read the actions that a job allows. API page: Obtaining the Operations Allowed in a Specified Task.

    :returns: ``available_actions``, ``unavailable_actions``, and ``current_action``, which may be None.
    """
    response = drs.request("GET", f"{drs.base}/jobs/{check_job_id(job_id)}/actions")
    found = response.body.get("job_action")
    if not isinstance(found, dict) or not isinstance(found.get("available_actions"), list):
        raise drs.invalid_response(response, "returned no list of allowed actions")
    lists = {name: found.get(name) for name in ("available_actions", "unavailable_actions")}
    texts = {
        name: [str(action) for action in actions] if isinstance(actions, list) else []
        for name, actions in lists.items()
    }
    return {**texts, "current_action": _text(found.get("current_action"))}


def check_allowed(drs: DrsClient, job_id: str, action: str) -> bool:
    """Check that a job allows an action, or that the action is already in progress.

    :param action: a key of :data:`ACTIONS`.
    :returns: whether the action has to be requested.
    :raises HuaweiCloudError: when the job does not allow the action. The message lists the actions that it allows.
    """
    actions = show_actions(drs, job_id)
    if ACTIONS[action].listed_name in actions["available_actions"]:
        return True
    if ACTIONS[action].listed_name == actions["current_action"]:
        return False
    known = [name for name, other in ACTIONS.items() if other.listed_name in actions["available_actions"]]
    current = f" Its current action is {drs.sanitize(actions['current_action'])}." if actions["current_action"] else ""
    raise HuaweiCloudError(
        f"Job {job_id} does not currently allow {action}."
        f" Of start, pause, retry and reset, it allows {' and '.join(known) or 'none'}.{current}"
    )


def job_action_request(drs: DrsClient, job_id: str, action: str) -> dict[str, t.Any]:
    """Return method, URL and body of the request that :func:`execute_job_action` sends."""
    url = f"{drs.base}/jobs/{check_job_id(job_id)}/action"
    return {"method": "POST", "url": url, "body": {"job": {"action_name": ACTIONS[action].api_name}}}


def execute_job_action(drs: DrsClient, job_id: str, action: str) -> str | None:
    """Request an action, which DRS performs asynchronously.

    API page: Performing Operations on a Task with a Specified ID.

    :param action: a key of :data:`ACTIONS`.
    :returns: the request ID.
    :raises HuaweiCloudError: also when a response with a 2xx status says that the action failed.
    """
    response = drs.request(**job_action_request(drs, job_id, action))
    status = response.body.get("status")
    if status == FAILED:
        said = drs.sanitize(response.body.get("error_msg"))
        reason = f"the message {said!r}" if said else "no error message"
        raise drs.invalid_response(
            response,
            f"returned HTTP {response.status} with the status failed and {reason} for the {action} of job {job_id}",
        )
    if status != SUCCESS and not response.body.get("query_id"):
        raise drs.invalid_response(response, f"did not confirm the {action} of job {job_id}", maybe_accepted=True)
    return response.request_id


def wait_for_action(drs: DrsClient, job_id: str, action: str, before: str | None, timeout: float, sleep: float) -> str:
    """Wait until a job has one of the target statuses of an action, and return that status.

    :param before: the status before the action. The job may keep it for some time.
    :param timeout: the maximum time to wait, in seconds.
    :param sleep: the interval between two requests, in seconds.
    :raises HuaweiCloudError: when the job fails or ends instead.
    :raises WaitTimeoutError: on timeout.
    """
    seen = [before]

    def read(deadline: float) -> str | None:
        status = _text(show_job_detail(drs, job_id, deadline=deadline).get("status"))
        seen.append(status)
        if status in FAILED_STATUSES and any(other != status for other in seen):
            raise HuaweiCloudError(
                f"After {action}, job {job_id} is in status {status}."
                " For the cause, see the logs of the job in the DRS console."
            )
        return status if status in ACTIONS[action].target_statuses else None

    def timeout_message() -> str:
        return (
            f"Job {job_id} is still in status {drs.sanitize(seen[-1])}"
            f" after {timeout:g} seconds of waiting for {action}."
        )

    return drs.wait_for(read, timeout, sleep, timeout_message)


def start_position_request(drs: DrsClient, job_id: str, position: str, gtid_set: str | None = None) -> dict[str, t.Any]:
    """Return method, URL and body of the request that :func:`update_start_position` sends."""
    body = {"file_and_position": position, **({"gtid_set": gtid_set} if gtid_set else {})}
    return {"method": "PUT", "url": f"{drs.base}/jobs/{check_job_id(job_id)}/start-position", "body": body}


def update_start_position(drs: DrsClient, job_id: str, position: str, gtid_set: str | None = None) -> str | None:
    """Set the start position of an incremental job. API page: Updating the Start Point of an Incremental Task.

    :param position: as returned by :func:`check_position`.
    :param gtid_set: as returned by :func:`check_gtid_set`.
    :returns: the request ID.
    """
    return drs.request(**start_position_request(drs, job_id, position, gtid_set)).request_id


def _job(job_id: str, facts: dict[str, t.Any], status: t.Any, parent_id: t.Any) -> dict[str, t.Any]:
    """Return a job with the keys that users see. Values that DRS does not return are None."""
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
