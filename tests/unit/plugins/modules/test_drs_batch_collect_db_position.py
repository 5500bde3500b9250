# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _batch, _module
from ansible_collections.huaweicloud.drs.plugins.module_utils._batch import PositionBatch
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import SIGNALS
from ansible_collections.huaweicloud.drs.plugins.module_utils._redact import UNSEARCHED
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECTION,
    GTID_SET,
    LOST,
    POSITION,
    REQUEST_ID,
    TIME,
    WITH_TOKEN,
    add_collect_of,
    add_job_of,
    add_result_of,
    bodies,
    job_id,
    position_url,
    started,
)

IDS = [job_id(number) for number in range(3)]
JOBS = {"job_ids": IDS, "reset_position_time": TIME}
ARGS = {**WITH_TOKEN, **JOBS}


def position_not_found(number):
    hint = "Check that the source still has the binlog of that time."
    return started(
        number,
        outcome="failed",
        status="failed",
        msg=f"DRS could not find a position for job {IDS[number]} at {TIME}. {hint}",
    )


@pytest.fixture(autouse=True)
def _signals():
    before = {number: signal.getsignal(number) for number in SIGNALS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_options(module):
    module.check_options()


def test_keys_of_a_position_are_documented(cloud, module):
    add_collect_of(cloud, 0)
    cloud.get(position_url(0, "/db-position"), json={"status": "success", "position": f"{POSITION};{GTID_SET}"})
    cloud.post(
        position_url(1),
        status=400,
        json={"error_code": "DRS.M00289", "error_msg": "absent"},
        headers={"X-Request-Id": REQUEST_ID},
    )
    add_collect_of(cloud, 2, status="failed")
    positions = module.fail({**ARGS, "wait": True})[1]["positions"]
    assert {name for position in positions for name in position} == set(module.returns["positions"]["contains"])


def test_error_messages_that_leave_no_time_to_search_the_result(cloud, module, monkeypatch):
    """The IDs and positions of the other jobs are returned."""
    monkeypatch.setattr(_module, "SEARCH_TIME", -1)
    add_collect_of(cloud, 0, 2)
    cloud.get(position_url(0, "/db-position"), json={"status": "success", "position": f"{POSITION};{GTID_SET}"})
    add_result_of(cloud, 2, "pending")
    cloud.post(position_url(1), status=400, json={"error_code": "DRS.M00289", "error_msg": "It is absent."})
    found, refused, pending = module.fail({**ARGS, "wait": True, "wait_timeout": 1})[1]["positions"]
    assert found == started(0, outcome="success", status="success", position=POSITION, gtid_set=GTID_SET)
    assert (refused["outcome"], refused["error_msg"]) == ("refused", UNSEARCHED)
    assert {**pending, "msg": ""} == started(2, msg="")


class TestCollect:
    def test_all(self, cloud, module):
        add_collect_of(cloud, 0, 1, 2)
        assert module.run({**ARGS, "reset_position_time": "2023-09-19 15:00:00.9+08:00"}) == {
            "changed": True,
            "counts": {"pending": 3},
            "positions": [started(number) for number in range(3)],
            "reset_position_time": TIME,
        }
        assert bodies(cloud) == [{"reset_position_time": TIME}] * 3

    @pytest.mark.parametrize("args, concurrency", [({}, 10), ({"concurrency": 7}, 7)])
    def test_concurrency(self, cloud, module, monkeypatch, args, concurrency):
        """There are as many connections as threads."""
        seen = []

        def collect(self):
            seen.extend([self._concurrency, self._drs.session._http._adapter._pool_maxsize])

        monkeypatch.setattr(PositionBatch, "collect", collect)
        module.fail({**ARGS, **args})
        assert seen == [concurrency] * 2

    def test_lost_response(self, cloud, module):
        cloud.post(position_url(0), body=LOST)
        _message, result = module.fail({**ARGS, "job_ids": IDS[:1]})
        assert (result["counts"], result["changed"]) == ({"unknown": 1}, True)

    def test_one_job_fails(self, cloud, module):
        add_collect_of(cloud, 0, 2)
        cloud.post(position_url(1), body=LOST)
        message, result = module.fail(ARGS)
        failed_one = result["positions"].pop(1)
        assert result["positions"] == [started(0), started(2)]
        assert result["counts"] == {"pending": 2, "unknown": 1}
        assert result["changed"] is True
        assert (failed_one["job_id"], failed_one["outcome"]) == (IDS[1], "unknown")
        assert f"unknown: {IDS[1]}" in message

    def test_all_refused(self, cloud, module):
        for number in range(3):
            cloud.post(position_url(number), status=400, json={"error_code": "DRS.M01504"})
        message, result = module.fail(ARGS)
        assert (result["changed"], result["counts"]) == (False, {"refused": 3})
        assert all(job_id in message for job_id in IDS)

    @pytest.mark.parametrize("wait", [False, True])
    def test_failed(self, cloud, module, module_file, wait):
        """The message is that of the module for a single job."""
        add_collect_of(cloud, 0, status="failed")
        message, result = module.fail({**ARGS, "job_ids": IDS[:1], "wait": wait})
        assert result["positions"] == [position_not_found(0)]
        assert result["changed"] is True
        assert message.startswith(f"1 of 1 jobs failed. failed: {IDS[0]}.")
        single = {name: value for name, value in ARGS.items() if name != "job_ids"}
        said = module_file("drs_collect_db_position").fail({**single, "job_id": IDS[0], "wait": wait})[0]
        assert said == position_not_found(0)["msg"]

    @pytest.mark.parametrize("last, pauses", [("success", [5]), ("pending", [5, 4])])
    def test_wait(self, cloud, module, clock, last, pauses):
        add_collect_of(cloud, 0)
        for status in ("pending", last):
            add_result_of(cloud, 0, status)
        args = {**ARGS, "job_ids": IDS[:1], "wait": True, "wait_sleep": 5, "wait_timeout": 9}
        result = module.run(args) if last == "success" else module.fail(args)[1]
        assert result["counts"] == {last: 1}
        assert clock.pauses == pauses


class TestCheckMode:
    @pytest.mark.parametrize("wait", [False, True])
    def test_collectable_jobs(self, cloud, module, wait):
        add_job_of(cloud, 0, 1, 2)
        assert module.run({**ARGS, "wait": wait}, check_mode=True) == {
            "changed": True,
            "counts": {"collectable": 3},
            "positions": [{"job_id": job_id, "outcome": "collectable"} for job_id in IDS],
            "reset_position_time": TIME,
        }
        assert {call.request.method for call in cloud.calls} == {"GET"}

    def test_region_without_the_call(self, cloud, module):
        add_job_of(cloud, 0, 2)
        cloud.get(
            position_url(1, ""), status=404, json={"error_code": "APIGW.0101", "error_msg": "The API does not exist."}
        )
        result = module.run(ARGS, check_mode=True)
        assert len(result["warnings"]) == 1
        assert "does not support reading jobs" in str(result["warnings"])
        assert result["counts"] == {"collectable": 2, "unchecked": 1}

    def test_other_engine_type(self, cloud, module):
        add_job_of(cloud, 0, 2)
        add_job_of(cloud, 1, engine_type="mysql-to-mysql")
        message, result = module.fail(ARGS, check_mode=True)
        assert result["counts"] == {"collectable": 2, "refused": 1}
        assert IDS[1] in message


@pytest.mark.parametrize(
    "invalid, named",
    [
        ({"job_ids": [*IDS, IDS[0]]}, f"duplicates: {IDS[0]}"),
        ({"reset_position_time": "2023-09-19T07:00:00"}, "offset"),
        ({"concurrency": 0}, "concurrency must be a number from 1 to 100"),
        ({"concurrency": 101}, "concurrency"),
        ({"wait_timeout": 0}, "wait_timeout"),
        ({"wait_sleep": 0}, "wait_sleep"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, invalid, named, check_mode):
    module.check_refused(cloud, {**ARGS, **invalid}, named, check_mode)


class TestLimitsOfTheHost:
    """DRS carries out what was sent, so no ID may be lost."""

    @pytest.mark.parametrize("allowed", [0, 1, 2])
    def test_threads(self, cloud, module, monkeypatch, allowed):
        """The threads that there are do all the work."""
        start, started_threads = threading.Thread.start, []

        def start_some(thread):
            if thread.name != "call_with_timeout":
                started_threads.append(thread)
                if len(started_threads) > allowed:
                    raise RuntimeError("can't start new thread")
            start(thread)

        monkeypatch.setattr(threading.Thread, "start", start_some)
        for number in range(3):
            add_collect_of(cloud, number)
        assert module.run(ARGS)["counts"] == {"pending": 3}

    def test_open_files(self, cloud, module, monkeypatch):
        def refuse(*args):
            raise OSError(errno.EMFILE, "Too many open files")

        monkeypatch.setattr(_batch, "open", refuse, raising=False)
        message, result = module.fail(ARGS)
        assert message == "No connection can be opened: Too many open files."
        assert result["counts"] == {"unsent": 3}

    def test_files_are_left_for_the_result(self, serve):
        """What returns a result may have to be imported first, even after an error. In a process of its own."""
        server = serve(loopback.each(b'HTTP/1.1 202 X\r\nContent-Length: 32\r\n\r\n{"id": "1", "status": "pending"}'))
        code = (
            "import json, resource, sys;"
            "from ansible_collections.huaweicloud.drs.plugins.module_utils import _batch, _drs, _http;"
            "http = _http.HttpClient(connections=100, max_retries=0);"
            "session = type('Session', (), {'project_id': 'p', 'sanitize': http.sanitize,"
            " 'has_secret': http.has_secret,"
            " 'request': lambda self, *args, **more: http.request(*args, auth=lambda request: request, **more)})();"
            "batch = _batch.PositionBatch("
            "_drs.DrsClient(session, sys.argv[1]), json.loads(sys.argv[2]), '2023-09-19T07:00:00Z', 100);"
            "resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40));"
            "batch.collect();"
            "import ansible.module_utils.urls, ftplib;"
            "print(json.dumps(batch.counts))"
        )
        path = os.pathsep.join([str(COLLECTION.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
        ids = json.dumps([job_id(number) for number in range(200)])
        done = subprocess.run(
            [sys.executable, "-c", code, server.url, ids],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            check=True,
        )
        counts = json.loads(done.stdout)
        assert counts["pending"] == len(server.requests)
        assert set(counts) <= {"pending", "unsent"}


class TestInterrupted:
    """The result has what was sent, and nothing more is sent."""

    @pytest.mark.parametrize("number", SIGNALS)
    def test_while_collecting(self, cloud, module, number):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        finished, before, workers = threading.Event(), set(threading.enumerate()), []

        def respond(request):
            new = set(threading.enumerate()) - before
            workers.extend(thread.ident for thread in new if thread.name != "call_with_timeout")
            os.kill(os.getpid(), number)
            assert finished.wait(10)
            return 202, {}, json.dumps({"id": "query-1", "status": "pending"})

        add_collect_of(cloud, 0)
        cloud.add_callback("POST", position_url(1), respond)
        try:
            message, result = module.fail({**ARGS, "concurrency": 1})
        finally:
            # The thread of the batch must end before the next test. It cannot be joined: Python up to 3.12 considers a
            # thread finished when joining it was interrupted.
            finished.set()
            while set(workers) & set(sys._current_frames()):
                time.sleep(0.001)
        assert result == {
            "changed": True,
            "counts": {"pending": 1, "unknown": 1, "unsent": 1},
            "positions": [
                started(0),
                {"job_id": IDS[1], "outcome": "unknown"},
                {"job_id": IDS[2], "outcome": "unsent"},
            ],
            "reset_position_time": TIME,
        }
        assert "was interrupted" in message
        assert len(cloud.calls) == 2
        # Another signal must not end the process while it writes the result.
        assert {signal.getsignal(other) for other in SIGNALS} == {signal.SIG_IGN}

    def test_after_the_last_request(self, cloud, module, monkeypatch):
        """Until the result is complete, an interrupt may come at any moment."""
        for number in range(3):
            add_collect_of(cloud, number)

        counts, signals = PositionBatch.counts, iter([signal.SIGTERM])

        def interrupt(batch):
            for number in signals:
                os.kill(os.getpid(), number)
            return counts.fget(batch)

        monkeypatch.setattr(PositionBatch, "counts", property(interrupt))
        message, result = module.fail(ARGS)
        assert "was interrupted" in message
        assert result["positions"] == [started(number) for number in range(3)]
        assert (result["changed"], result["counts"]) == (True, {"pending": 3})

    def test_unexpected_exception(self, cloud, module, monkeypatch):

        def wait(self, timeout, sleep):
            raise ZeroDivisionError

        monkeypatch.setattr(PositionBatch, "wait", wait)
        add_collect_of(cloud, 0, 1, 2)
        message, result = module.fail({**ARGS, "wait": True}, unexpected=True)
        assert "ZeroDivisionError" in message
        assert result["positions"] == [started(number) for number in range(3)]
        assert result["counts"] == {"pending": 3}
