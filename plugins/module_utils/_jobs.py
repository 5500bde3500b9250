# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""The jobs of DRS: one function for each call that finds a job, reads it, or changes it.

The functions are named after the calls in the official SDK. Nothing here knows Ansible. Collecting a position needs none of
this, so it is not part of ``_positions.py``: every line that a task imports is compiled again each time.
"""

from __future__ import annotations

import re
import typing as t

from ._drs import DrsClient, is_unpublished
from ._endpoints import check_job_id
from ._errors import ApiError, HuaweiCloudError, InvalidOptionError, InvalidResponseError
from ._positions import FAILED, SUCCESS

MYSQL_TO_DWS = "mysql-to-dws"
# Of a job. ``PAUSING`` is one that has been paused.
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
# A job in one of these does not leave it by itself.
FAILED_STATUSES = frozenset(
    {
        *(status for status in JOB_STATUSES if status.endswith("_FAILED")),
        "RELEASE_RESOURCE_STARTED",
        "RELEASE_RESOURCE_COMPLETE",
        "DELETED",
    }
)
# Jobs in one response. The maximum is not documented, so nothing relies on getting as many.
PAGE_SIZE = 50


class Action(t.NamedTuple):
    """An action that a job can be told to do.

    ``api_name`` is its name in requests, ``listed_name`` its name in the list of allowed actions. In ``noop_statuses`` there is
    nothing to do; ``target_statuses`` are those that it leads to.
    """

    api_name: str
    listed_name: str
    noop_statuses: frozenset[str]
    target_statuses: frozenset[str]


_UNDER_WAY = RUNNING | {"STARTJOBING"}
_PAUSED = frozenset({"PAUSING"})
# By their names in the console. Requests call a pause "stop"; the call of that name ends a job, and is not used here.
ACTIONS = {
    "start": Action("start", "START", _UNDER_WAY, RUNNING),
    "pause": Action("stop", "PAUSE", _PAUSED, _PAUSED),
    "retry": Action("restart", "RETRY", _UNDER_WAY, RUNNING),
    "reset": Action("reset", "RESET", frozenset(), RUNNING),
}


def check_position(value: str) -> str:
    """Return the position if it has the form of one, ``mysql-bin.000277:805``.

    API page: Updating the Start Point of an Incremental Task.

    :raises InvalidOptionError: when it has not.
    """
    # Python's isprintable leaves the space in.
    if (
        len(value) > 100
        or not value.isprintable()
        or not re.fullmatch(r"[^<>&:\"\\'/ ]{1,60}\.[0-9]{3,20}:[0-9]{1,20}", value)
    ):
        raise InvalidOptionError(
            "position must be the name of a binlog file, a dot, its number of 3 to 20 digits, a colon and an offset, as in mysql-bin.000277:805, and at most"
            f" 100 characters long; it is {value[:128]!r}."
        )
    return value


def check_gtid_set(value: str) -> str:
    """Return a set of GTIDs on one line. MySQL prints it with line breaks.

    API page: Updating the Start Point of an Incremental Task.

    :raises InvalidOptionError: when it has characters that DRS does not take, or more than 2,048 of them.
    """
    gtid_set = "".join(value.split())
    if not re.fullmatch(r"[!-~]{1,2048}", gtid_set) or re.search(r"[<>&\"\\'/]", gtid_set):
        raise InvalidOptionError(
            "gtid_set must be Executed_Gtid_Set as SHOW MASTER STATUS prints it, at most 2048 characters after its line breaks are taken out;"
            f" it has {len(gtid_set)} and begins with {gtid_set[:64]!r}."
        )
    return gtid_set


def list_jobs(drs: DrsClient, name: str | None = None) -> list[dict[str, t.Any]]:
    """Read all synchronization jobs, or those with a name. API page: Querying the Task List.

    A job that is made up of others is followed by these.

    :returns: for each job the keys of :func:`_job`.
    """
    jobs: dict[str, dict[str, t.Any]] = {}
    offset = 0
    while True:
        params = {"job_type": "sync", "offset": str(offset), "limit": str(PAGE_SIZE)}
        if name:
            params["name"] = name  # DRS finds all that have it in their names
        response = drs.request("GET", f"{drs.base}/jobs", params=params)
        page, total = response.body.get("jobs"), response.body.get("total_count")
        if not isinstance(page, list) and not (page is None and total == 0):
            raise drs.invalid_response(response, "returned no list of jobs")
        known = len(jobs)
        for parent in page or []:
            children = (parent.get("children") if isinstance(parent, dict) else None) or []
            if not isinstance(children, list):
                raise drs.invalid_response(response, "listed a job whose parts are no list")
            for entry in (parent, *children):
                if not isinstance(entry, dict) or not isinstance(entry.get("id"), str):
                    raise drs.invalid_response(response, "listed a job without an id")
                jobs.setdefault(
                    entry["id"],
                    _job(entry["id"], entry, entry.get("status"), None if entry is parent else parent["id"]),
                )
        offset += len(page or [])
        # While jobs are made and deleted, one may be seen twice. A page that brings nothing new is the last.
        if len(jobs) == known or (isinstance(total, int) and offset >= total):
            return [job for job in jobs.values() if not name or job["name"] == name]


def list_tags(drs: DrsClient) -> dict[str, dict[str, str]] | None:
    """Read the tags of all synchronization jobs. API page: Querying Resource Instances by Tag.

    :returns: by the id of a job, the values of its tags by their keys. A job without tags may be left out. None if the region does not publish this call.
    """
    tags: dict[str, dict[str, str]] = {}
    offset = 0
    while True:
        params = {"limit": "1000", "offset": str(offset)}
        try:
            # Though a POST, it only reads.
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
    """Read a job as DRS describes it. API page: Querying Task Details.

    :param kind: ``detail`` or ``progress``.
    :param deadline: a value of ``time.monotonic()``, see :meth:`HttpClient.request`.
    :returns: the object ``job`` of the response.
    """
    url = f"{drs.base}/jobs/{check_job_id(job_id)}"
    response = drs.request("GET", url, params={"type": kind}, deadline=deadline)
    job = response.body.get("job")
    if not isinstance(job, dict):
        raise drs.invalid_response(response, "described no job")
    return job


def check_collectable(drs: DrsClient, job_id: str) -> bool:
    """Read a job, and make sure that its position can be collected.

    :returns: whether the job could be read. Some regions do not publish that call; then nothing is known about the job.
    :raises HuaweiCloudError: when there is no such job, or it does not synchronize MySQL to GaussDB(DWS).
    """
    try:
        base_info = show_job_detail(drs, job_id).get("base_info")
    except ApiError as error:
        if is_unpublished(error):
            return False
        raise
    engine_type = base_info.get("engine_type") if isinstance(base_info, dict) else None
    if not engine_type:
        raise InvalidResponseError(f"DRS described job {job_id} without its engine type.")
    if engine_type != MYSQL_TO_DWS:
        shown = repr(drs.sanitize(engine_type)[:50])
        raise HuaweiCloudError(
            f"Job {job_id} is of engine type {shown}. Positions can be collected for {MYSQL_TO_DWS} jobs only."
        )
    return True


def show_job(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read a job, as :func:`list_jobs` returns it."""
    job = show_job_detail(drs, job_id)
    base_info = job.get("base_info")
    return _job(job_id, base_info if isinstance(base_info, dict) else {}, job.get("status"), job.get("master_job_id"))


def show_progress(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read how far a job is. API page: Querying Task Details.

    :returns: ``transfer_status``, and ``incr_trans_delay`` in seconds; each is None where DRS does not say.
    """
    progress = show_job_detail(drs, job_id, "progress").get("progress_info")
    progress = progress if isinstance(progress, dict) else {}
    delay = str(progress.get("incr_trans_delay"))
    return {
        "transfer_status": _text(progress.get("transfer_status")),
        "incr_trans_delay": int(delay) if re.fullmatch("[0-9]{1,18}", delay) else None,
    }


def show_actions(drs: DrsClient, job_id: str) -> dict[str, t.Any]:
    """Read what a job can be told to do. API page: Obtaining the Operations Allowed in a Specified Task.

    :returns: ``available_actions``, ``unavailable_actions``, and ``current_action``, which may be None.
    """
    response = drs.request("GET", f"{drs.base}/jobs/{check_job_id(job_id)}/actions")
    found = response.body.get("job_action")
    if not isinstance(found, dict) or not isinstance(found.get("available_actions"), list):
        raise drs.invalid_response(response, "named no actions that the job allows")
    lists = {name: found.get(name) for name in ("available_actions", "unavailable_actions")}
    texts = {
        name: [str(action) for action in actions] if isinstance(actions, list) else []
        for name, actions in lists.items()
    }
    return {**texts, "current_action": _text(found.get("current_action"))}


def check_allowed(drs: DrsClient, job_id: str, action: str) -> bool:
    """Make sure that a job allows an action, or is just doing it.

    :param action: a key of :data:`ACTIONS`.
    :returns: whether it has to be told.
    :raises HuaweiCloudError: when it does not allow it. It says what the job allows.
    """
    actions = show_actions(drs, job_id)
    if ACTIONS[action].listed_name in actions["available_actions"]:
        return True
    if ACTIONS[action].listed_name == actions["current_action"]:
        return False
    known = [name for name, other in ACTIONS.items() if other.listed_name in actions["available_actions"]]
    current = f" Its current action is {drs.sanitize(actions['current_action'])}." if actions["current_action"] else ""
    raise HuaweiCloudError(
        f"Job {job_id} does not allow {action} now. Of start, pause, retry and reset it allows {' and '.join(known) or 'none'}.{current}"
    )


def job_action_request(drs: DrsClient, job_id: str, action: str) -> dict[str, t.Any]:
    """What :func:`execute_job_action` sends: method, url and body."""
    return {
        "method": "POST",
        "url": f"{drs.base}/jobs/{check_job_id(job_id)}/action",
        "body": {"job": {"action_name": ACTIONS[action].api_name}},
    }


def execute_job_action(drs: DrsClient, job_id: str, action: str) -> str | None:
    """Tell a job to do something. DRS does it after it has responseed. API page: Performing Operations on a Task with a Specified ID.

    :param action: a key of :data:`ACTIONS`.
    :returns: the request id.
    :raises HuaweiCloudError: also when the HTTP status is that of a success and the response says that the action failed.
    """
    response = drs.request(**job_action_request(drs, job_id, action))
    status = response.body.get("status")
    if status == FAILED:
        said = drs.sanitize(response.body.get("error_msg"))
        reason = f"the message {said!r}" if said else "no reason"
        raise drs.invalid_response(
            response, f"answered {response.status}, with the status failed and {reason}, to {action} job {job_id}"
        )
    if status != SUCCESS and not response.body.get("query_id"):
        raise drs.invalid_response(
            response, f"did not say whether it accepted to {action} job {job_id}", maybe_accepted=True
        )
    return response.request_id


def wait_for_action(drs: DrsClient, job_id: str, action: str, before: str | None, timeout: float, sleep: float) -> str:
    """Read the status of a job until an action has brought it where it leads to.

    :param before: the status before the action. It may still be there some time after it.
    :param timeout: seconds after which to give up.
    :param sleep: seconds between two reads.
    :returns: the status.
    :raises HuaweiCloudError: when the job has failed or ended instead.
    :raises WaitTimeoutError: when the time is over.
    """
    seen = [before]

    def read(deadline: float) -> str | None:
        status = _text(show_job_detail(drs, job_id, deadline=deadline).get("status"))
        seen.append(status)
        if status in FAILED_STATUSES and any(other != status for other in seen):
            raise HuaweiCloudError(
                f"After {action}, job {job_id} is in status {status}. The console of DRS, and the task's logs in it, say why."
            )
        return status if status in ACTIONS[action].target_statuses else None

    return drs.wait_for(
        read,
        timeout,
        sleep,
        lambda: f"After {action}, job {job_id} is still in status {drs.sanitize(seen[-1])} after {timeout:g} seconds.",
    )


def start_position_request(drs: DrsClient, job_id: str, position: str, gtid_set: str | None = None) -> dict[str, t.Any]:
    """What :func:`update_start_position` sends: method, url and body."""
    body = {"file_and_position": position, **({"gtid_set": gtid_set} if gtid_set else {})}
    return {"method": "PUT", "url": f"{drs.base}/jobs/{check_job_id(job_id)}/start-position", "body": body}


def update_start_position(drs: DrsClient, job_id: str, position: str, gtid_set: str | None = None) -> str | None:
    """Set where an incremental job begins to read when it is started next. API page: Updating the Start Point of an Incremental Task.

    :param position: as :func:`check_position` returns it.
    :param gtid_set: as :func:`check_gtid_set` returns it.
    :returns: the request id.
    """
    return drs.request(**start_position_request(drs, job_id, position, gtid_set)).request_id


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
