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

from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import FAILED, PENDING, READ_LATER, SUCCESS, DrsClient, is_passing, no_position
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HuaweiCloudError, NoAnswerError

# What has become of a job, beside the status of its query: it can be asked for, or the region does not tell whether; it was refused, an answer
# is missing, or nothing was sent.
COLLECTABLE, UNCHECKED, REFUSED, UNKNOWN, UNSENT = "collectable", "unchecked", "refused", "unknown", "unsent"
_GOOD = (SUCCESS, PENDING, COLLECTABLE, UNCHECKED)


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

        silent: list[str] = []

        def check(position: dict[str, t.Any]) -> bool:
            try:
                position["outcome"] = COLLECTABLE if self._drs.check_collectable(position["job_id"]) else UNCHECKED
            except NoAnswerError as error:
                self._note(position, error, UNKNOWN)
                # The answer that is lost may be that of one job. Two in a row mean that there is no connection.
                silent.append(position["job_id"])
                return len(silent) < 2
            except HuaweiCloudError as error:
                self._note(position, error, REFUSED)
            silent.clear()
            return True

        self._each(self.positions, check)

    def collect(self) -> None:
        """Ask for all positions."""

        def collect(position: dict[str, t.Any]) -> bool:
            try:
                query = self._drs.collect_position_async(position["job_id"], self._time)
                position.update(id=query.id, request_id=query.request_id, outcome=PENDING)
                self._set_status(position, self._drs.check_status(query.status))
            except HuaweiCloudError as error:
                unsent = isinstance(error, NoAnswerError) and not error.maybe_accepted
                outcome = UNKNOWN if error.maybe_accepted else UNSENT if unsent else REFUSED
                return self._note(position, error, PENDING if "id" in position else outcome)
            return True

        # Until there is an answer, nobody knows.
        self._each(self.positions, collect, outcome=UNKNOWN)

    def wait(self, timeout: float, sleep: float) -> None:
        """Read the results until all are there.

        :arg timeout: seconds after which to give up.
        :arg sleep: seconds between two looks at those that are not there yet.
        """
        deadline = time.monotonic() + timeout

        def read(position: dict[str, t.Any]) -> bool:
            if time.monotonic() < deadline:
                try:
                    result = self._drs.show_position_result(position["job_id"], position["id"], deadline)
                    if result.position:
                        position.update(outcome=SUCCESS, position=result.position)
                    self._set_status(position, result.status)
                except HuaweiCloudError as error:
                    if not is_passing(error, deadline):
                        error.advise(READ_LATER)
                        return self._note(position, error, PENDING)
            return True

        while True:
            pending = [position for position in self.positions if position["outcome"] == PENDING and "msg" not in position]
            remaining = deadline - time.monotonic()
            if not pending or remaining <= 0:
                break
            self._each(pending, read)
            if any(position["outcome"] == PENDING and "msg" not in position for position in pending):
                time.sleep(max(0.0, min(sleep, deadline - time.monotonic())))
        for position in pending:
            position["msg"] = f"The query {position['id']} had no result within {timeout:g} seconds. {READ_LATER}"

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

    def _note(self, position: dict[str, t.Any], error: HuaweiCloudError, outcome: str) -> bool:
        """Add an error to a position, and return whether it makes sense to go on with the others."""
        facts = {name: getattr(error, name) for name in ("http_status", "error_code", "error_msg", "request_id")}
        position.update(outcome=outcome, msg=str(error), **{name: value for name, value in facts.items() if value is not None})
        # Without a connection, it would take each of the others as long to find out.
        return not isinstance(error, NoAnswerError) or error.maybe_accepted

    def _each(self, positions: list[dict[str, t.Any]], work: t.Callable[[dict[str, t.Any]], bool], **meanwhile: str) -> None:
        """Call a function with each position, in threads, until it says that it makes no sense to go on.

        :arg meanwhile: what a position says from when it is begun.
        """
        waiting = deque(positions)
        # Nothing is begun once this function was interrupted, and what was begun says so.
        beginning = threading.Lock()
        faults: list[BaseException] = []

        def run() -> None:
            try:
                while True:
                    with beginning:
                        if not waiting:
                            break
                        position = waiting.popleft()
                        position.update(meanwhile)
                    if not work(position):
                        waiting.clear()
            except BaseException as fault:  # pylint: disable=broad-exception-caught
                waiting.clear()
                faults.append(fault)

        threads = [threading.Thread(target=run, daemon=True) for number in range(min(self._concurrency, len(positions)))]
        try:
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            with beginning:
                waiting.clear()
        if faults:
            raise faults[0]
