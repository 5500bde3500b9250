# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module_util is **PRIVATE** to the collection. It can have breaking changes at any time.

"""Many jobs at one time. It knows DRS, and threads; no HTTP and no Ansible. Only what needs it imports it, because an import is most of a task's time."""

from __future__ import annotations

import threading
import time
import typing as t
from collections import Counter, deque

from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import FAILED, PENDING, READ_LATER, SUCCESS, DrsClient, check_job_id, is_passing, no_position
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HuaweiCloudError, InputError, NoAnswerError

# What has become of a job, beside the status of its query: it can be asked for, or the region does not tell whether; it was refused, an answer
# is missing, or nothing was sent.
COLLECTABLE, UNCHECKED, REFUSED, UNKNOWN, UNSENT = "collectable", "unchecked", "refused", "unknown", "unsent"
_GOOD = (SUCCESS, PENDING, COLLECTABLE, UNCHECKED)
# How many jobs in a row without an answer, or with too many requests, mean that it is the same for all.
HOPELESS = 3


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


class PositionBatch:
    """The positions of many jobs at one time.

    ``positions`` has an entry for each job, in their order, with its id and what is known of it. It is right at any moment, so that nothing is lost when
    it is interrupted.

    :arg job_ids: as :func:`check_job_ids` returns them.
    :arg reset_position_time: as :func:`parse_time` returns it.
    :arg concurrency: how many requests are under way at the same time, at most.
    """

    def __init__(self, drs: DrsClient, job_ids: list[str], reset_position_time: str, concurrency: int) -> None:
        self._drs = drs
        self._time = reset_position_time
        self._concurrency = concurrency
        self.positions: list[dict[str, t.Any]] = [{"job_id": job_id, "outcome": UNSENT} for job_id in job_ids]

    @property
    def counts(self) -> dict[str, int]:
        """How many jobs have come to which outcome."""
        return dict(Counter(position["outcome"] for position in self.positions))

    def check(self) -> None:
        """Make sure that the jobs are there, and that their positions can be collected."""

        def check(position: dict[str, t.Any]) -> int:
            try:
                position["outcome"] = COLLECTABLE if self._drs.check_collectable(position["job_id"]) else UNCHECKED
            except HuaweiCloudError as error:
                silent = isinstance(error, NoAnswerError)
                return self._note(position, error, UNSENT if silent and error.credentials_refused else UNKNOWN if silent else REFUSED)
            return 0

        self._each(self.positions, check)

    def collect(self) -> None:
        """Ask for all positions."""

        def collect(position: dict[str, t.Any]) -> int:
            try:
                query = self._drs.collect_position_async(position["job_id"], self._time)
                position.update(id=query.id, request_id=query.request_id, outcome=PENDING)
                self._set_status(position, self._drs.check_status(query.status))
            except HuaweiCloudError as error:
                unsent = isinstance(error, NoAnswerError) and not error.maybe_accepted
                outcome = PENDING if "id" in position else UNKNOWN if error.maybe_accepted else UNSENT if unsent else REFUSED
                return max(self._note(position, error, outcome), HOPELESS if unsent else 0)
            return 0

        # Until there is an answer, nobody knows.
        self._each(self.positions, collect, outcome=UNKNOWN)

    def wait(self, timeout: float, sleep: float) -> None:
        """Read the results until all are there.

        :arg timeout: seconds after which to give up.
        :arg sleep: seconds between two looks at those that are not there yet.
        """
        deadline = time.monotonic() + timeout
        # What went wrong at the last look, by the id of the query.
        troubles: dict[str, HuaweiCloudError] = {}

        def read(position: dict[str, t.Any]) -> int:
            if time.monotonic() >= deadline:
                return 0
            troubles.pop(position["id"], None)
            try:
                result = self._drs.show_position_result(position["job_id"], position["id"], deadline)
                if result.position:
                    position.update(outcome=SUCCESS, position=result.position)
                self._set_status(position, result.status)
            except HuaweiCloudError as error:
                # A connection that is gone may come back. The others are read all the same, so that none has to wait for those before it.
                if is_passing(error, deadline) or isinstance(error, NoAnswerError):
                    troubles[position["id"]] = error
                    return HOPELESS if error.credentials_refused else 0
                error.advise(READ_LATER)
                return self._note(position, error, PENDING)
            return 0

        while True:
            pending = [position for position in self.positions if position["outcome"] == PENDING and "msg" not in position]
            # After the credentials were refused, nothing is sent.
            refused = next((error for error in troubles.values() if error.credentials_refused), None)
            if not pending or refused or time.monotonic() >= deadline:
                break
            self._each(pending, read)
            if any(position["outcome"] == PENDING and "msg" not in position for position in pending):
                time.sleep(max(0.0, min(sleep, deadline - time.monotonic())))
        for position in pending:
            trouble = troubles.get(position["id"], refused)
            late = "" if refused else f"The query {position['id']} had no result within {timeout:g} seconds. "
            position["msg"] = f"{late}{f'{trouble} ' if trouble else ''}{READ_LATER}"

    def check_outcome(self) -> None:
        """Make sure that nothing failed.

        :raises HuaweiCloudError: when something did. It names each job for which it did.
        """
        reasons: dict[str, list[str]] = {}
        for position in self.positions:
            if "msg" in position or position["outcome"] not in _GOOD:
                said = " ".join(filter(None, [position.get("error_code"), position.get("error_msg")]))
                reasons.setdefault(f"{position['outcome']}{f' ({said})' if said else ''}", []).append(position["job_id"])
        if reasons:
            failed = sum(map(len, reasons.values()))
            listed = "; ".join(f"{reason}: {', '.join(job_ids)}" for reason, job_ids in reasons.items())
            raise HuaweiCloudError(f"{failed} of {len(self.positions)} jobs failed. {listed}. What became of each job is in positions.")

    def _set_status(self, position: dict[str, t.Any], status: str) -> None:
        """Set the status of a query. Without a position, even C(success) is no outcome yet."""
        position["status"] = status
        if status == FAILED:
            self._note(position, no_position(position["job_id"], self._time), FAILED)

    def _note(self, position: dict[str, t.Any], error: HuaweiCloudError, outcome: str) -> int:
        """Add an error to a position, and return its weight."""
        facts = {name: getattr(error, name) for name in ("http_status", "error_code", "error_msg", "request_id")}
        position.update(outcome=outcome, msg=str(error), **{name: value for name, value in facts.items() if value is not None})
        return self._weight(error)

    @staticmethod
    def _weight(error: HuaweiCloudError) -> int:
        """How much an error says about the jobs that come after: nothing, or something, or all."""
        silent = isinstance(error, NoAnswerError)
        if silent and error.credentials_refused:
            return HOPELESS
        return int(silent or error.credentials_refused or error.http_status in (502, 504) or is_passing(error, 0))

    def _each(self, positions: list[dict[str, t.Any]], work: t.Callable[[dict[str, t.Any]], int], **meanwhile: str) -> None:
        """Call a function with each position, in threads, until it makes no sense to go on.

        The first one goes alone: if the credentials are wrong, several requests at a time could lock them.

        :arg work: returns what :meth:`_weight` says, or 0. As soon as this comes to ``HOPELESS`` without a 0 in between, the rest is left as it is.
        :arg meanwhile: what a position says from when it is begun.
        """
        waiting = deque(positions)
        # Nothing is begun once this function was interrupted, and what was begun says so.
        lock = threading.Lock()
        weights = 0
        faults: list[BaseException] = []

        def run(most: int) -> None:
            nonlocal weights
            try:
                for _number in range(most):
                    with lock:
                        if not waiting:
                            break
                        position = waiting.popleft()
                        position.update(meanwhile)
                    weight = work(position)
                    with lock:
                        weights = weights + weight if weight else 0
                        if weights >= HOPELESS:
                            waiting.clear()
            except BaseException as fault:  # pylint: disable=broad-exception-caught
                with lock:
                    waiting.clear()
                faults.append(fault)

        try:
            for count, most in ((1, 1), (min(self._concurrency, len(positions) - 1), len(positions))):
                threads = [threading.Thread(target=run, args=(most,), daemon=True) for _number in range(count)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
        finally:
            with lock:
                waiting.clear()
        if faults:
            raise faults[0]
