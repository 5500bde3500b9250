# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Collecting the positions of many jobs concurrently."""

from __future__ import annotations

import os
import threading
import time
import typing as t
from collections import Counter, deque
from contextlib import ExitStack

from . import _drs, _endpoints, _errors, _hints, _jobs, _position_results, _positions, _wait

# Imported before the connections of the threads take all file descriptors. Otherwise, an error would end the batch.
from . import _auth_password, _jobs_v3, _redact, _retry  # noqa: F401  # isort: skip  # pylint: disable=unused-import

# The outcome of a job, if it is not the status of its query. In check mode, the position can be collected, or this is
# not known in the region. In general, DRS refused the request, the response was lost, or nothing was sent.
COLLECTABLE, UNCHECKED, REFUSED, UNKNOWN, UNSENT = "collectable", "unchecked", "refused", "unknown", "unsent"
OK_OUTCOMES = (_positions.SUCCESS, _positions.PENDING, COLLECTABLE, UNCHECKED)
# After this many jobs in a row without a response or with throttling, the others would fail as well.
MAX_CONSECUTIVE_FAILURES = 3
RESERVE = 16  # Open files.


def check_job_ids(values: list[str]) -> list[str]:
    """Return the IDs if each is well-formed and there are no duplicates.

    :raises InvalidOptionError: when that is not the case.
    """
    if not values:
        raise _errors.InvalidOptionError("job_ids is empty.")
    twice = sorted(job_id for job_id, count in Counter(map(_endpoints.check_job_id, values)).items() if count > 1)
    if twice:
        more = f" and {len(twice) - 20} more" if len(twice) > 20 else ""
        raise _errors.InvalidOptionError(f"job_ids contains duplicates: {', '.join(twice[:20])}{more}.")
    return values


class PositionBatch:
    """Collects the positions of many jobs concurrently.

    ``positions`` has an entry for each job, in the order of the IDs. It is correct at any moment, so that an interrupt
    loses nothing.

    :param job_ids: as returned by :func:`check_job_ids`.
    :param reset_position_time: as returned by :func:`parse_time`.
    :param concurrency: the maximum number of concurrent requests.
    """

    def __init__(self, drs: _drs.DrsClient, job_ids: list[str], reset_position_time: str, concurrency: int) -> None:
        self._drs = drs
        self._time = reset_position_time
        self._concurrency = concurrency
        self.positions: list[dict[str, t.Any]] = [{"job_id": job_id, "outcome": UNSENT} for job_id in job_ids]

    @property
    def counts(self) -> dict[str, int]:
        """The number of jobs by outcome."""
        return dict(Counter(position["outcome"] for position in self.positions))

    def check(self) -> None:
        """Check that the jobs exist and that their positions can be collected."""

        def check(position: dict[str, t.Any]) -> int:
            try:
                position["outcome"] = (
                    COLLECTABLE if _jobs.check_collectable(self._drs, position["job_id"]) else UNCHECKED
                )
            except _errors.HuaweiCloudError as error:
                unsent = UNSENT if error.credentials_refused else UNKNOWN
                return self._record_error(
                    position, error, unsent if isinstance(error, _errors.TransportError) else REFUSED
                )
            return 0

        self._run_concurrently(self.positions, check)

    def collect(self) -> None:
        """Start a query for each job."""

        def collect(position: dict[str, t.Any]) -> int:
            try:
                query = _positions.collect_position_async(self._drs, position["job_id"], self._time)
                position.update(id=query.id, request_id=query.request_id, outcome=_positions.PENDING)
                self._set_status(position, _positions.check_status(self._drs, query.status))
            except _errors.HuaweiCloudError as error:
                if "id" in position:
                    error.add_hint(_hints.READ_LATER)
                unsent = isinstance(error, _errors.TransportError) and not error.maybe_accepted
                outcome = (
                    _positions.PENDING
                    if "id" in position
                    else UNKNOWN
                    if error.maybe_accepted
                    else UNSENT
                    if unsent
                    else REFUSED
                )
                return max(self._record_error(position, error, outcome), MAX_CONSECUTIVE_FAILURES if unsent else 0)
            return 0

        # While a request is in progress, the outcome is unknown.
        self._run_concurrently(self.positions, collect, outcome=UNKNOWN)

    def wait(self, timeout: float, sleep: float) -> None:
        """Wait until all queries have a result.

        :param timeout: the maximum time to wait, in seconds.
        :param sleep: the interval between two rounds of requests, in seconds.
        """
        deadline = time.monotonic() + timeout
        # The error of the last request, by job ID.
        last_errors: dict[str, _errors.HuaweiCloudError] = {}
        refusals: list[str] = []  # of accepted credentials that are no longer accepted, in a row
        refused: str | None = None

        def read(position: dict[str, t.Any]) -> int:
            if time.monotonic() >= deadline:
                return 0
            last_errors.pop(position["job_id"], None)
            try:
                result = _position_results.show_position_result(self._drs, position["job_id"], position["id"], deadline)
                if result.position:
                    position.update(outcome=_positions.SUCCESS, **result.facts())
                self._set_status(position, result.status)
            except _errors.HuaweiCloudError as error:
                if error.credentials_refused:
                    refusals.append(str(error))
                elif not isinstance(error, _errors.TransportError):
                    refusals.clear()
                # A failed connection may recover. The other results are read meanwhile.
                if _wait.is_transient(error, deadline) or isinstance(error, _errors.TransportError):
                    last_errors[position["job_id"]] = error
                    return MAX_CONSECUTIVE_FAILURES if error.credentials_refused else 0
                error.add_hint(_hints.read_later_hint(error))
                return self._record_error(position, error, _positions.PENDING)
            refusals.clear()
            return 0

        while True:
            pending = [item for item in self.positions if item["outcome"] == _positions.PENDING and "msg" not in item]
            if not pending or refused or time.monotonic() >= deadline:
                break
            self._run_concurrently(pending, read)
            rejected = self._drs.session.refused
            if rejected or len(refusals) >= MAX_CONSECUTIVE_FAILURES:
                refused = f"The result was not read because the credentials were rejected. {rejected or refusals[-1]}"
            elif any(item["outcome"] == _positions.PENDING and "msg" not in item for item in pending):
                time.sleep(max(0.0, min(sleep, deadline - time.monotonic())))
        for position in pending:
            late = f"Query {position['id']} returned no result within {timeout:g} seconds."
            last_error = last_errors.get(position["job_id"])
            why = None if last_error and last_error.credentials_refused else refused
            said = (None if refused else late, str(last_error) if last_error else None, why, _hints.READ_LATER)
            position["msg"] = " ".join(filter(None, said))

    def check_outcome(self) -> None:
        """Check that no job failed.

        :raises HuaweiCloudError: when one did. The message lists all that failed.
        """
        reasons: dict[str, list[str]] = {}
        for position in self.positions:
            if "msg" in position or position["outcome"] not in OK_OUTCOMES:
                # Together, they may contain a secret.
                said = self._drs.sanitize(
                    " ".join(filter(None, [position.get("error_code"), position.get("error_msg")]))
                )
                reasons.setdefault(f"{position['outcome']}{f' ({said})' if said else ''}", []).append(
                    position["job_id"]
                )
        if reasons:
            failed = sum(map(len, reasons.values()))
            listed = "; ".join(f"{reason}: {', '.join(job_ids)}" for reason, job_ids in reasons.items())
            raise _errors.HuaweiCloudError(
                f"{failed} of {len(self.positions)} jobs failed. {listed}. For the outcome of each job, see positions."
            )

    def _set_status(self, position: dict[str, t.Any], status: str) -> None:
        """Set the status of a query. ``success`` becomes the outcome only together with a position."""
        position["status"] = status
        if status == _positions.FAILED:
            self._record_error(position, _hints.position_not_found(position["job_id"], self._time), _positions.FAILED)

    def _record_error(self, position: dict[str, t.Any], error: _errors.HuaweiCloudError, outcome: str) -> int:
        """Add an error to a position, and return the failure score."""
        position.update(outcome=outcome, msg=str(error), **error.facts())
        return self._failure_score(error)

    @staticmethod
    def _failure_score(error: _errors.HuaweiCloudError) -> int:
        """Return 0 if an error concerns one job only, 1 if others may fail alike, or the maximum if they will."""
        no_response = isinstance(error, _errors.TransportError)
        if no_response and error.credentials_refused:
            return MAX_CONSECUTIVE_FAILURES
        return int(
            no_response or error.credentials_refused or error.http_status in (502, 504) or _wait.is_transient(error, 0)
        )

    def _run_concurrently(
        self, positions: list[dict[str, t.Any]], work: t.Callable[[dict[str, t.Any]], int], **in_progress: str
    ) -> None:
        """Call a function with each position in threads, until too many calls in a row have failed.

        The first call runs alone: with wrong credentials, concurrent requests could lock the user or the key.

        :param work: returns a failure score. When the scores since the last 0 add up to ``MAX_CONSECUTIVE_FAILURES``,
            no more calls are started.
        :param in_progress: keys to set on a position before its call.
        """
        waiting = deque(positions)
        # After an interrupt, no more calls are started. The keys of in_progress tell which were started.
        lock = threading.Lock()
        score = 0
        faults: list[BaseException] = []

        def run(calls: int) -> None:
            nonlocal score
            try:
                for _number in range(calls):
                    with lock:
                        if not waiting:
                            break
                        position = waiting.popleft()
                        position.update(in_progress)
                    failure_score = work(position)
                    with lock:
                        score = score + failure_score if failure_score else 0
                        if score >= MAX_CONSECUTIVE_FAILURES:
                            waiting.clear()
            except BaseException as fault:  # pylint: disable=broad-exception-caught
                with lock:
                    waiting.clear()
                faults.append(fault)

        others = len(positions) - 1
        try:
            with ExitStack() as reserve:
                # The connections of the threads leave these files for what has to be imported to return a result.
                try:
                    for _number in range(RESERVE):
                        reserve.enter_context(open(os.devnull, "rb"))
                except OSError as error:
                    raise _errors.HuaweiCloudError(f"No connection can be opened: {error.strerror}.") from None
                for count, calls in ((1, 1), (min(self._concurrency, others), others)):
                    threads = []
                    for _number in range(count):
                        thread = threading.Thread(target=run, args=(calls,), daemon=True)
                        try:
                            thread.start()
                        except RuntimeError:  # There cannot be more threads. Those that run do all the work.
                            break
                        threads.append(thread)
                    if count and not threads:
                        run(calls)
                    # Python may notice a signal only after join() has returned, so none lasts long.
                    for thread in threads:
                        while thread.is_alive():
                            thread.join(1)
        finally:
            with lock:
                waiting.clear()
        if faults:
            raise faults[0]
