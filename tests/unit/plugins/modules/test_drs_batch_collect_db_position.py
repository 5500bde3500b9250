# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import signal
import threading

import pytest
import requests
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ProtocolError

from ansible_collections.huaweicloud.drs.plugins.module_utils._batch import PositionBatch
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import READ_LATER
from ansible_collections.huaweicloud.drs.tests.unit.utils import DRS, LOGIN_URL, PASSWORD, PROJECT_ID, REGION, REQUEST_ID, TIME, TOKEN, add_login, bodies

IDS = [f"c7debc9c-8e09-4a5d-8dd6-{number:08d}jb20" for number in range(3)]
LOGIN = {"region": REGION, "username": "operator", "password": PASSWORD, "account_name": "example-account"}
JOBS = {"job_ids": IDS, "reset_position_time": TIME}
ARGS = {"region": REGION, "auth_token": TOKEN, "project_id": PROJECT_ID, **JOBS}
LOST = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError("Connection reset by peer")))
NO_CONNECTION = requests.ConnectTimeout(MaxRetryError(None, "/", ConnectTimeoutError("timed out")))


def url(number, what="/collect-db-position"):
    return f"{DRS}/v5/{PROJECT_ID}/jobs/{IDS[number]}{what}"


def query(number):
    return {"id": f"query-{number}", "status": "pending"}


def add_collect(cloud, *numbers, **body):
    for number in numbers:
        cloud.post(url(number), status=202, json={**query(number), **body}, headers={"X-Request-Id": REQUEST_ID})


def add_result(cloud, number, status="success"):
    cloud.get(url(number, "/db-position"), json={"status": status, "position": f"mysql-bin.000001:{number}"})


def add_job(cloud, *numbers, engine_type="mysql-to-dws"):
    for number in numbers:
        cloud.get(url(number, ""), json={"job": {"base_info": {"engine_type": engine_type}}})


def started(number, **more):
    return {"job_id": IDS[number], "outcome": "pending", "request_id": REQUEST_ID, **query(number), **more}


def found(number):
    return started(number, outcome="success", status="success", position=f"mysql-bin.000001:{number}")


def no_position(number):
    hint = "Check that the source still keeps the binlog of that time."
    return started(number, outcome="failed", status="failed", msg=f"DRS could not find a position of job {IDS[number]} at {TIME}. {hint}")


@pytest.fixture
def module(module_file):
    return module_file("drs_batch_collect_db_position")


@pytest.fixture(autouse=True)
def _signals():
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def failed(module, args, check_mode=False, **kwargs):
    """Run the module, which must fail, and return its message and the rest of the result."""
    result = module.run(args, check_mode, **kwargs)
    assert result.pop("failed") is True
    result.pop("exception", None)
    return result.pop("msg"), result


class TestDocumentation:
    def test_secrets(self, module):
        module.check_secrets()

    def test_options(self, module):
        result = module.run({**dict.fromkeys(module.own_options, "1"), **ARGS, "reset_position_time": "x"})
        assert "reset_position_time" in result["msg"]
        assert {name: spec.get("default") for name, spec in module.own_options.items()} == {
            "job_ids": None,
            "reset_position_time": None,
            "concurrency": 10,
            "wait": False,
            "wait_timeout": 300,
            "wait_sleep": 2,
        }

    def test_keys_of_a_position(self, cloud, module):
        """What comes back for a job is documented."""
        add_collect(cloud, 0)
        add_result(cloud, 0)
        cloud.post(url(1), status=400, json={"error_code": "DRS.M00289", "error_msg": "absent"}, headers={"X-Request-Id": REQUEST_ID})
        add_collect(cloud, 2, status="failed")
        positions = failed(module, {**ARGS, "wait": True})[1]["positions"]
        assert {name for position in positions for name in position} == set(module.returns["positions"]["contains"])


class TestCollect:
    @pytest.mark.parametrize("concurrency", [1, 3, 100])
    def test_all(self, cloud, module, concurrency):
        add_collect(cloud, 0, 1, 2)
        assert module.run({**ARGS, "concurrency": concurrency}) == {
            "changed": True,
            "counts": {"pending": 3},
            "positions": [started(number) for number in range(3)],
            "reset_position_time": TIME,
        }
        assert bodies(cloud) == [{"reset_position_time": TIME}] * 3

    def test_one_login(self, cloud, module):
        add_login(cloud)
        add_collect(cloud, 0, 1, 2)
        assert module.run({**LOGIN, **JOBS})["counts"] == {"pending": 3}
        assert sum(call.request.url.startswith(LOGIN_URL) for call in cloud.calls) == 1

    def test_ids_as_a_text(self, cloud, module):
        add_collect(cloud, 1, 0)
        result = module.run({**ARGS, "job_ids": f"{IDS[1]},{IDS[0]}"})
        assert [position["job_id"] for position in result["positions"]] == [IDS[1], IDS[0]]

    def test_time_as_sent(self, cloud, module):
        add_collect(cloud, 0)
        assert module.run({**ARGS, "job_ids": IDS[:1], "reset_position_time": "2023-09-19 15:00:00.9+08:00"})["reset_position_time"] == TIME
        assert bodies(cloud) == [{"reset_position_time": TIME}]

    @pytest.mark.parametrize("fault, outcome", [({"status": 400}, "refused"), ({"status": 500}, "unknown"), ({"body": LOST}, "unknown")])
    @pytest.mark.parametrize("at", [0, 1, 2])
    def test_one_fault(self, cloud, module, fault, outcome, at):
        for number in range(3):
            if number == at:
                cloud.post(url(number), **fault)
            else:
                add_collect(cloud, number)
        message, result = failed(module, ARGS)
        odd = result["positions"].pop(at)
        assert result["positions"] == [started(number) for number in range(3) if number != at]
        assert result["counts"] == {"pending": 2, outcome: 1}
        assert result["changed"] is True
        assert (odd["job_id"], odd["outcome"]) == (IDS[at], outcome)
        assert f"{outcome}: {IDS[at]}" in message
        assert len(cloud.calls) == 3

    def test_all_refused(self, cloud, module):
        for number in range(3):
            cloud.post(url(number), status=400, json={"error_code": "DRS.M01504", "error_msg": TOKEN})
        message, result = failed(module, ARGS)
        assert (result["changed"], result["counts"]) == (False, {"refused": 3})
        assert all(job_id in message for job_id in IDS)

    def test_no_connection(self, cloud, module):
        cloud.post(url(0), body=NO_CONNECTION)
        message, result = failed(module, {**ARGS, "concurrency": 1, "max_retries": 0})
        assert [position["outcome"] for position in result["positions"]][1:] == ["unsent", "unsent"]
        assert all(job_id in message for job_id in IDS)
        assert result["changed"] is False

    def test_refused_login(self, cloud, module):
        cloud.post(LOGIN_URL, status=401, json={"error": {"code": 401, "message": f"{PASSWORD} is wrong."}})
        message, result = failed(module, {**LOGIN, **JOBS})
        assert result == {"reset_position_time": TIME, "http_status": 401, "error_code": "401", "error_msg": "******** is wrong."}
        assert "example-account" in message
        assert len(cloud.calls) == 1


class TestWait:
    def test_success(self, cloud, module, clock):
        add_collect(cloud, 0, 1, 2)
        add_result(cloud, 1, "pending")
        for number in range(3):
            add_result(cloud, number)
        result = module.run({**ARGS, "wait": True, "wait_sleep": 5})
        assert result["positions"] == [found(number) for number in range(3)]
        assert result["counts"] == {"success": 3}
        assert clock.pauses == [5]

    def test_time_over(self, cloud, module, clock):
        add_collect(cloud, 0, 1, 2)
        add_result(cloud, 0)
        add_result(cloud, 1, "pending")
        add_result(cloud, 2, "failed")
        message, result = failed(module, {**ARGS, "wait": True, "wait_timeout": 9})
        assert result["positions"][0] == found(0)
        assert result["positions"][1] == started(1, msg=f"The query query-1 had no result within 9 seconds. {READ_LATER}")
        assert result["positions"][2] == no_position(2)
        assert result["counts"] == {"success": 1, "pending": 1, "failed": 1}
        assert message.startswith(f"2 of 3 jobs failed. pending: {IDS[1]}; failed: {IDS[2]}.")
        assert sum(clock.pauses) == pytest.approx(9, abs=1)


class TestFailed:
    """A query that fails says the same as with the module for a single job."""

    @pytest.mark.parametrize("wait", [False, True])
    def test_at_once(self, cloud, module, module_file, wait):
        add_collect(cloud, 0, status="failed")
        message, result = failed(module, {**ARGS, "job_ids": IDS[:1], "wait": wait})
        assert result["positions"] == [no_position(0)]
        assert result["changed"] is True
        assert message.startswith(f"1 of 1 jobs failed. failed: {IDS[0]}.")
        single = {name: value for name, value in ARGS.items() if name != "job_ids"}
        assert failed(module_file("drs_collect_db_position"), {**single, "job_id": IDS[0], "wait": wait})[0] == no_position(0)["msg"]


class TestCheckMode:
    @pytest.mark.parametrize("wait", [False, True])
    def test_good(self, cloud, module, wait):
        add_job(cloud, 0, 1, 2)
        assert module.run({**ARGS, "wait": wait}, check_mode=True) == {
            "changed": True,
            "counts": {"collectable": 3},
            "positions": [{"job_id": job_id, "outcome": "collectable"} for job_id in IDS],
            "reset_position_time": TIME,
        }
        assert {call.request.method for call in cloud.calls} == {"GET"}

    def test_unpublished(self, cloud, module):
        add_job(cloud, 0, 2)
        cloud.get(url(1, ""), status=404, json={"error_code": "APIGW.0101", "error_msg": "The API does not exist."})
        result = module.run(ARGS, check_mode=True)
        assert len(result["warnings"]) == 1
        assert "does not offer to read jobs" in str(result["warnings"])
        assert result["counts"] == {"collectable": 2, "unchecked": 1}

    def test_no_connection(self, cloud, module):
        """Not all of them are tried in vain."""
        ids = [*IDS, IDS[0][:-1] + "x"]
        for number in range(3):
            cloud.get(url(number, ""), body=NO_CONNECTION)
        message, result = failed(module, {**ARGS, "job_ids": ids, "concurrency": 1, "max_retries": 0}, check_mode=True)
        assert result["counts"] == {"unknown": 3, "unsent": 1}
        assert f"unsent: {ids[3]}" in message
        assert len(cloud.calls) == 3

    def test_unfit(self, cloud, module):
        add_job(cloud, 0)
        add_job(cloud, 1, engine_type="mysql-to-mysql")
        cloud.get(url(2, ""), status=404, json={"error_code": "DRS.M00289", "error_msg": "absent"})
        message, result = failed(module, ARGS, check_mode=True)
        assert result["counts"] == {"collectable": 1, "refused": 2}
        assert f"refused (DRS.M00289 absent): {IDS[2]}" in message
        assert IDS[1] in message
        assert {call.request.method for call in cloud.calls} == {"GET"}


WRONG = [
    ({"job_ids": []}, "job_ids"),
    ({"job_ids": ""}, "job_ids"),
    ({"job_ids": [""]}, "job_id"),
    ({"job_ids": [*IDS, IDS[0]]}, f"once: {IDS[0]}"),
    ({"job_ids": [*IDS, "short"]}, "short"),
    ({"job_ids": [f"{IDS[0][:-3]}/.."]}, "job_id"),
    ({"job_ids": {"a": 1}}, "job_ids"),
    ({"reset_position_time": ""}, "reset_position_time"),
    ({"reset_position_time": "2023-09-19T07:00:00"}, "offset"),
    ({"reset_position_time": "2999-09-19T07:00:00Z"}, "future"),
    ({"concurrency": 0}, "concurrency must be a number from 1 to 100"),
    ({"concurrency": -1}, "concurrency"),
    ({"concurrency": 101}, "concurrency"),
    ({"concurrency": "many"}, "concurrency"),
    ({"wait_timeout": 0}, "wait_timeout"),
    ({"wait_timeout": 86401}, "wait_timeout"),
    ({"wait_sleep": 0}, "wait_sleep"),
    ({"timeout": 0}, "timeout"),
    ({"max_retries": 101}, "max_retries"),
    ({"region": "x"}, "region"),
    ({"project_id": "a/b"}, "project_id"),
    ({"unknown": 1}, "unknown"),
]


@pytest.mark.parametrize("wrong, named", WRONG)
@pytest.mark.parametrize("check_mode", [False, True])
def test_nothing_is_sent_before_the_options_are_right(cloud, module, wrong, named, check_mode):
    message, result = failed(module, {**ARGS, **wrong}, check_mode)
    assert named in message
    assert not {"positions", "counts"} & set(result)
    assert len(cloud.calls) == 0


class TestInterrupted:
    """What was sent comes back, and nothing more is sent."""

    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_while_collecting(self, cloud, module, number):
        signal.signal(signal.SIGINT, signal.default_int_handler)
        over, before = threading.Event(), set(threading.enumerate())

        def answer(request):
            os.kill(os.getpid(), number)
            assert over.wait(10)
            return 202, {}, json.dumps(query(1))

        add_collect(cloud, 0)
        cloud.add_callback("POST", url(1), answer)
        try:
            message, result = failed(module, {**ARGS, "concurrency": 1})
        finally:
            # Left alone, the thread would end with the process.
            over.set()
            for thread in set(threading.enumerate()) - before:
                thread.join(10)
        assert result == {
            "changed": True,
            "counts": {"pending": 1, "unknown": 1, "unsent": 1},
            "positions": [started(0), {"job_id": IDS[1], "outcome": "unknown"}, {"job_id": IDS[2], "outcome": "unsent"}],
            "reset_position_time": TIME,
        }
        assert "was interrupted" in message
        assert len(cloud.calls) == 2
        # Another one while the result is written would lose it.
        assert {signal.getsignal(other) for other in (signal.SIGTERM, signal.SIGINT)} == {signal.SIG_IGN}

    def test_while_waiting(self, cloud, module, clock, monkeypatch):
        def sleep(seconds):
            raise KeyboardInterrupt

        monkeypatch.setattr(clock, "sleep", sleep)
        add_collect(cloud, 0, 1, 2)
        add_result(cloud, 0)
        for number in (1, 2):
            add_result(cloud, number, "pending")
        message, result = failed(module, {**ARGS, "wait": True})
        assert result["positions"] == [found(0), started(1), started(2)]
        assert result["counts"] == {"success": 1, "pending": 2}
        assert result["changed"] is True
        assert "goes on" in message

    def test_in_check_mode(self, cloud, module, monkeypatch):
        def check(self):
            raise KeyboardInterrupt

        monkeypatch.setattr(PositionBatch, "check", check)
        result = failed(module, ARGS, check_mode=True)[1]
        assert result["counts"] == {"unsent": 3}

    def test_at_the_login(self, cloud, module):
        def answer(request):
            raise KeyboardInterrupt

        cloud.add_callback("POST", LOGIN_URL, answer)
        message, result = failed(module, {**LOGIN, **JOBS})
        assert "was interrupted" in message
        assert result == {"reset_position_time": TIME}

    def test_fault_of_ours(self, cloud, module, monkeypatch):
        """It loses nothing either."""

        def wait(self, timeout, sleep):
            raise ZeroDivisionError

        monkeypatch.setattr(PositionBatch, "wait", wait)
        add_collect(cloud, 0, 1, 2)
        message, result = failed(module, {**ARGS, "wait": True}, fault_of_ours=True)
        assert "ZeroDivisionError" in message
        assert result["positions"] == [started(number) for number in range(3)]
        assert result["counts"] == {"pending": 3}
