# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The reset of an incremental job to a position: pause the job, set the position, and resume the job."""

from __future__ import annotations

import typing as t
from contextlib import contextmanager, suppress
from datetime import datetime, timezone

from . import _binlog, _drs, _errors, _job_actions, _jobs, _start_position

# Where the job is, as far as the requests and responses of this reset tell. When a request is sent, the state changes
# to one that ends in "unknown", and back if DRS refuses the request, unless the job has another status by then.
UNCHANGED, PAUSE_UNKNOWN, PAUSED = "unchanged", "pause_unknown", "paused"
POSITION_UNKNOWN, POSITION_SET = "position_unknown", "position_set"
START_UNKNOWN, RUNNING = "start_unknown", "running"
_RESUME = "resume the job with the module huaweicloud.drs.drs_job_action and action retry"
# What to do after a failure. No advice sets a position again in a job that may have run from it.
ADVICE = {
    UNCHANGED: "This reset did not change the job.",
    PAUSE_UNKNOWN: (
        "This reset did not set the position, and it is unknown whether the job is paused. To continue, check the job"
        f" and run the reset again. To cancel the reset, {_RESUME} once it is paused, unless an earlier reset may have"
        " set a position: the job would run from that one."
    ),
    PAUSED: (
        "The job is paused, and this reset did not set the position. To continue, run the reset again. To cancel the"
        f" reset, {_RESUME}, unless an earlier reset may have set a position: the job would run from that one."
    ),
    POSITION_UNKNOWN: (
        "It is unknown whether the position was set, so do not resume the job. If the job has not been running since,"
        " run the reset again with the same position."
    ),
    POSITION_SET: f"The position was set, but the job was not resumed. Do not run the reset again: {_RESUME}.",
    START_UNKNOWN: (
        "The position was set, and the job may have been resumed. Do not run the reset again, because the job may have"
        f" run from the position. Check the job: if it is paused or stays failed, {_RESUME}."
    ),
    RUNNING: (
        "The job is running. Before you run the reset again, check which position it started from: setting a position"
        " again repeats the changes written since."
    ),
}
JOB_RUNS, JOB_PAUSED, JOB_FAILED = "INCRE_TRANSFER_STARTED", "PAUSING", "INCRE_TRANSFER_FAILED"
# The actions of which a job must allow one, by its status.
NEEDED_ACTIONS = {JOB_RUNS: {"PAUSE"}, JOB_PAUSED: {"RETRY"}, JOB_FAILED: {"PAUSE", "RETRY"}}
# Seconds. How long to look for the effect of a request whose response was lost.
LOST_RESPONSE_WAIT = 60.0


class Reset:
    """A reset of a job. Its attributes are correct at any moment, so that an interrupt loses nothing.

    ``state`` is a key of :data:`ADVICE`. ``steps`` has an entry for each request that changes the job and was sent.

    :param position: as returned by :func:`parse_position`.
    :param gtid_set: as returned by :func:`parse_position`.
    :param pause_mode: one of :data:`PAUSE_MODES`.
    """

    def __init__(self, drs: _drs.DrsClient, job_id: str, position: str, gtid_set: str | None, pause_mode: str) -> None:
        self._drs = drs
        self._job_id = job_id
        self._position, self._gtid_set = position, gtid_set
        self._pause_mode = pause_mode
        self._can_be_paused = False
        self.state = UNCHANGED
        self.steps: list[dict[str, t.Any]] = []
        self.job_name: str | None = None
        self.status_before: str | None = None
        self.status: str | None = None
        self.position_before: str | None = None
        self._shown_before: str | None = None  # see _shown_position
        self.delay: int | None = None

    @property
    def changed(self) -> bool:
        """Whether the job was or may have been changed."""
        return any(step["accepted"] is not False for step in self.steps)

    def facts(self) -> dict[str, t.Any]:
        """Return what is known about the job and the reset."""
        names = ("changed", "state", "steps", "job_name", "status_before", "status", "position_before", "delay")
        return {name: getattr(self, name) for name in names}

    def check(self) -> None:
        """Read the job, and check that it can be reset.

        :raises HuaweiCloudError: when it cannot.
        """
        job = _jobs.show_job(self._drs, self._job_id)
        self.job_name, self.status, self.status_before = job["name"], job["status"], job["status"]
        for key, expected in (("engine_type", _jobs.MYSQL_TO_DWS), ("task_type", "INCR_TRANS")):
            if job[key] != expected:
                shown = repr(self._drs.sanitize(job[key])[:50]) if job[key] else "unknown"
                raise _errors.HuaweiCloudError(
                    f"The {key.replace('_', ' ')} of job {self._job_id} is {shown}. Only the position of incremental"
                    f" jobs (INCR_TRANS) from MySQL to GaussDB(DWS) ({_jobs.MYSQL_TO_DWS}) can be reset."
                )
        actions = _jobs.show_actions(self._drs, self._job_id)
        # Without a list of actions, DRS itself decides.
        allowed = {"PAUSE", "RETRY"} if actions is None else set(actions["available_actions"])
        # DRS may resume a failed job by itself, unless it is paused. Not every failed job can be.
        self._can_be_paused = self.status == JOB_RUNS or (actions is not None and "PAUSE" in allowed)
        if not allowed & NEEDED_ACTIONS.get(self.status or "", set()):
            shown = self._drs.sanitize(", ".join(sorted(allowed))) or "no actions"
            raise _errors.HuaweiCloudError(
                f"Job {self._job_id} is in status {self._drs.sanitize(self.status)} and allows {shown}. A job can be"
                f" reset if it is in status {JOB_RUNS} and allows PAUSE, in status {JOB_PAUSED} and allows RETRY, or in"
                f" status {JOB_FAILED} and allows either."
            )
        self._shown_before = self._shown_position()
        self.position_before = self._shown_before or None

    def run(self, wait: bool, timeout: float, sleep: float) -> None:
        """Reset the job, after :meth:`check`.

        :param wait: whether to wait until the job is in its incremental phase.
        :param timeout: the maximum time to wait for the effect of each request, in seconds.
        :param sleep: the interval between two requests for the status, in seconds.
        :raises HuaweiCloudError: when a step fails, or somebody else has changed the job between two steps.
        """
        if self.status == JOB_PAUSED:
            self.state = PAUSED
        elif self._can_be_paused:
            self._act("pause", PAUSE_UNKNOWN, PAUSED, JOB_PAUSED, True, timeout, sleep)
        self._check_status()
        try:
            with self._sending("set_position", POSITION_UNKNOWN) as step:
                step["request_id"] = _start_position.update_start_position(
                    self._drs, self._job_id, self._position, self._gtid_set
                )
        except _errors.HuaweiCloudError as error:
            self._recheck_after_refusal(error)
            # DRS may show the position. That it shows another does not mean that it was not set.
            shown = self._shown_position() if error.maybe_accepted else None
            if shown != self._position or self._shown_before in (None, shown):
                raise
        self.state = POSITION_SET
        self._check_status()
        self._act("retry", START_UNKNOWN, RUNNING, JOB_RUNS, wait, timeout, sleep)
        if self.state == RUNNING:
            self._check_position()

    def _act(
        self, action: str, unknown: str, known: str, target: str, wait: bool, timeout: float, sleep: float
    ) -> None:
        """Request an action, and wait for its effect. If the response is lost, the job may still show the effect.

        :param unknown: the state from the request on.
        :param known: the state once the job has the target status.
        """
        before, lost = self.status, None
        try:
            with self._sending(action, unknown) as step:
                pause_mode = self._pause_mode if action == "pause" else None
                step["request_id"] = _job_actions.execute_job_action(self._drs, self._job_id, action, pause_mode)
        except _errors.HuaweiCloudError as error:
            self._recheck_after_refusal(error)
            if not error.maybe_accepted:
                raise
            lost = error
        if wait or lost:
            limit = min(timeout, LOST_RESPONSE_WAIT) if lost else timeout
            try:
                _job_actions.wait_for_action(self._drs, self._job_id, action, before, limit, sleep, {target}, self._see)
            except _errors.HuaweiCloudError as error:
                raise lost or error from None
            self.state = known

    @contextmanager
    def _sending(self, name: str, unknown: str) -> t.Iterator[dict[str, t.Any]]:
        """Record a request as a step, and keep the state correct while it is sent."""
        before, self.state = self.state, unknown
        now = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0)
        step: dict[str, t.Any] = {"step": name, "at": f"{now.isoformat()}Z", "request_id": None, "accepted": None}
        self.steps.append(step)
        try:
            yield step
            step["accepted"] = True
        except _errors.HuaweiCloudError as error:
            step["request_id"] = error.request_id
            if not error.maybe_accepted:
                self.state, step["accepted"] = before, False
                if isinstance(error, _errors.TransportError):
                    self.steps.remove(step)  # It was not sent.
            raise

    def _see(self, status: str | None) -> None:
        self.status = status

    def _check_status(self) -> None:
        """Check that the job still has the status in which this reset last saw it.

        :raises HuaweiCloudError: when it has not.
        """
        before, self.status = self.status, _jobs.show_status(self._drs, self._job_id)
        if self.status != before:
            was_set = self.state == POSITION_SET
            if was_set:
                self.state = RUNNING if self.status in _jobs.RUNNING else START_UNKNOWN
            else:
                self.state = PAUSE_UNKNOWN if self.changed else UNCHANGED
            raise _errors.HuaweiCloudError(
                f"Job {self._job_id} was in status {before}, and is now in status {self._drs.sanitize(self.status)}."
                f" Somebody else, or DRS itself, changed it {'after' if was_set else 'before'} the position was set."
                " No further request was sent."
            )

    def _recheck_after_refusal(self, error: _errors.HuaweiCloudError) -> None:
        """Read the status again, and correct the state if somebody else has changed the job.

        This may be why DRS refused the request.
        """
        if isinstance(error, _errors.ApiError) and not error.maybe_accepted:
            # It corrects the state before it raises. The error to show is the refusal.
            with suppress(_errors.HuaweiCloudError):
                self._check_status()

    def _shown_position(self) -> str | None:
        """Return the start position that DRS shows, empty if it shows none, or None if it cannot be read.

        DRS does not document when it updates it.
        """
        try:
            shown = _jobs.show_start(self._drs, self._job_id)["start_position"] or ""
            position = _binlog.cut_gtid_set(shown)[0]  # DRS does not document the form of the GTID set.
            # A secret that looks like a position with a GTID set would not be recognized without its end.
            return position if self._drs.has_secret(position) or not self._drs.has_secret(shown) else shown
        except _errors.HuaweiCloudError:
            return None

    def _check_position(self) -> None:
        """Read the delay, and check that DRS does not show the position of somebody else."""
        try:
            self.delay = _jobs.show_progress(self._drs, self._job_id)["incr_trans_delay"]
        except _errors.HuaweiCloudError:
            pass  # It is only shown.
        shown = self._shown_position()
        if shown and shown not in (self._position, self.position_before):
            raise _errors.HuaweiCloudError(
                f"DRS shows the start position {self._drs.sanitize(shown)!r} for job {self._job_id}, not"
                f" {self._position!r}. Somebody else may have set it at the same time."
            )
