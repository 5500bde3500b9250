# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections import Counter

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _positions
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._batch import PositionBatch, check_job_ids
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError, InvalidOptionError
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import READ_LATER, position_not_found
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECTION,
    DRS,
    JOB_ID,
    LOGIN_URL,
    LOST,
    NEW_TOKEN,
    NO_CONNECTION,
    PASSWORD,
    PROJECT_ID,
    REGION,
    TIME,
    TOKEN,
    USER,
    add_collect_of,
    add_job_of,
    add_login,
    add_result_of,
    check_nothing_shown,
    client,
    job_id,
    position_url,
    started,
)


def connect(max_retries=0, secrets=(), **options):
    http = HttpClient(timeout=10, max_retries=max_retries, connections=10, secrets={*secrets})
    auth = select_auth(AuthOptions(region=REGION, auth_token=TOKEN, project_id=PROJECT_ID, **options))
    auth.authenticate(http)
    return DrsClient(Session(http, auth), DRS)


def batch(count, concurrency=3, **kwargs):
    return PositionBatch(connect(**kwargs), [job_id(number) for number in range(count)], TIME, concurrency)


def found(number):
    return started(number, outcome="success", status="success", position=f"mysql-bin.000001:{number}")


def failed(number):
    return started(number, outcome="failed", status="failed", msg=str(position_not_found(job_id(number), TIME)))


def sent(cloud, method="POST"):
    """The number of requests for each job, by the number of the job."""
    return Counter(
        int(call.request.url.partition("/jobs/")[2][:8])
        for call in cloud.calls
        if call.request.method == method and "/jobs/" in call.request.url
    )


def test_imports():
    """What a thread may need is imported before the connections take all file descriptors."""
    needed = {"_auth_password", "_hints", "_http_errors", "_jobs_v3", "_redact", "_retry"}
    plugins = "ansible_collections.huaweicloud.drs.plugins"
    code = f"import sys, {plugins}.module_utils._batch; print(*(name.rpartition('.')[2] for name in sys.modules))"
    path = os.pathsep.join([str(COLLECTION.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    env = {**os.environ, "PYTHONPATH": path}
    found = subprocess.run([sys.executable, "-c", code], env=env, stdout=subprocess.PIPE, check=True)
    assert needed <= set(found.stdout.decode().split())


class TestCheckJobIds:
    def test_accepted(self):
        values = [job_id(3), job_id(1), job_id(2)]
        assert check_job_ids(values) == values

    def test_empty_list(self):
        with pytest.raises(InvalidOptionError, match="job_ids is empty"):
            check_job_ids([])

    def test_duplicates_are_named(self):
        with pytest.raises(InvalidOptionError) as caught:
            check_job_ids([job_id(2), job_id(1), job_id(3), job_id(1), job_id(2), job_id(1)])
        assert f"{job_id(1)}, {job_id(2)}." in str(caught.value)
        assert job_id(3) not in str(caught.value)

    def test_many_duplicates(self):
        with pytest.raises(InvalidOptionError, match=f"{job_id(19)} and 80 more.$"):
            check_job_ids([job_id(number) for number in range(100)] * 2)

    def test_each_is_checked(self):
        with pytest.raises(InvalidOptionError, match="36 letters"):
            check_job_ids([job_id(1), f"{JOB_ID[:-3]}/.."])


# A response, the outcome of its job, and a part of the message.
FAULTS = [
    ({"status": 400, "json": {"error_code": "DRS.10000010", "error_msg": "no job"}}, "refused", "DRS.10000010"),
    ({"status": 429}, "refused", "429"),
    ({"status": 500}, "unknown", "may have accepted"),
    ({"body": LOST}, "unknown", "may have accepted"),
    ({"status": 202, "json": {"id": "a b", "status": "pending"}}, "unknown", "invalid query ID"),
]


class TestCollect:
    @pytest.mark.parametrize("count, concurrency", [(1, 4), (2, 1), (25, 4), (25, 100)])
    def test_all(self, cloud, count, concurrency):
        for number in range(count):
            add_collect_of(cloud, number)
        work = batch(count, concurrency)
        assert work.counts == {"unsent": count}
        work.collect()
        assert work.positions == [started(number) for number in range(count)]
        assert work.counts == {"pending": count}
        work.check_outcome()
        assert sent(cloud) == Counter(range(count))
        assert {call.request.body for call in cloud.calls} == {json.dumps({"reset_position_time": TIME}).encode()}

    def test_positions_have_the_order_of_the_ids(self, cloud):
        """The order of the responses does not matter. The first request is sent alone."""
        last = threading.Event()

        def first(request):
            assert last.wait(10)
            return 202, {}, json.dumps({"id": "query-1", "status": "pending"})

        def second(request):
            last.set()
            return 202, {}, json.dumps({"id": "query-2", "status": "pending"})

        add_collect_of(cloud, 0)
        cloud.add_callback("POST", position_url(1), first)
        cloud.add_callback("POST", position_url(2), second)
        work = batch(3, 2)
        work.collect()
        assert [position["id"] for position in work.positions] == ["query-0", "query-1", "query-2"]

    @pytest.mark.parametrize("concurrency", [1, 3])
    def test_concurrent_requests_are_limited(self, cloud, concurrency):
        lock, level, levels, together = threading.Lock(), [], [], threading.Barrier(concurrency)

        def respond(request):
            with lock:
                level.append(1)
                levels.append(len(level))
            together.wait(10)
            with lock:
                level.pop()
            return 202, {}, json.dumps({"id": "q", "status": "pending"})

        add_collect_of(cloud, 0)
        for number in range(1, 10):
            cloud.add_callback("POST", position_url(number), respond)
        batch(10, concurrency).collect()
        assert max(levels) == concurrency

    @pytest.mark.parametrize("fault, outcome, said", FAULTS)
    @pytest.mark.parametrize("concurrency, at", [(1, 2), (3, 0), (3, 4)])
    def test_one_job_fails(self, cloud, fault, outcome, said, concurrency, at):
        for number in range(5):
            if number == at:
                cloud.post(position_url(number), **fault)
            else:
                add_collect_of(cloud, number)
        work = batch(5, concurrency)
        work.collect()
        failed_one = work.positions[at]
        assert [position for position in work.positions if position is not failed_one] == [
            started(number) for number in range(5) if number != at
        ]
        assert (failed_one["job_id"], failed_one["outcome"]) == (job_id(at), outcome)
        assert said in failed_one["msg"]
        assert not {"id", "status", "position"} & set(failed_one)
        assert None not in failed_one.values()
        assert work.counts == {"pending": 4, outcome: 1}
        assert sent(cloud) == Counter(range(5))
        with pytest.raises(HuaweiCloudError, match=f"^1 of 5 jobs failed. {outcome}.*: {job_id(at)}. ") as caught:
            work.check_outcome()
        assert not any(job_id(number) in str(caught.value) for number in range(5) if number != at)

    def test_id_is_kept_with_an_unknown_status(self, cloud):
        add_collect_of(cloud, 0)
        add_collect_of(cloud, 1, status="unknown")
        work = batch(2)
        work.collect()
        assert work.positions[0] == started(0)
        assert (work.positions[1]["id"], work.positions[1]["outcome"]) == ("query-1", "pending")
        assert "returned an undocumented status" in work.positions[1]["msg"]
        assert "The query continues in DRS." in work.positions[1]["msg"]
        with pytest.raises(HuaweiCloudError, match=f"1 of 2 jobs failed. pending: {job_id(1)}"):
            work.check_outcome()

    def test_message_names_all_failed_jobs(self, cloud):
        for number in range(3):
            cloud.post(position_url(number), status=400, json={"error_code": "DRS.10000010", "error_msg": "no job"})
        cloud.post(position_url(3), status=500)
        add_collect_of(cloud, 4)
        work = batch(5)
        work.collect()
        with pytest.raises(HuaweiCloudError) as caught:
            work.check_outcome()
        assert str(caught.value) == (
            f"4 of 5 jobs failed. refused (DRS.10000010 no job): {job_id(0)}, {job_id(1)}, {job_id(2)};"
            f" unknown: {job_id(3)}. For the outcome of each job, see positions."
        )

    def test_secret_in_two_parts(self, cloud):
        """The message joins the code and the message of the server."""
        cloud.post(position_url(0), status=400, json={"error_code": "correct", "error_msg": "-horse"})
        work = PositionBatch(client(secrets={"correct-horse"}), [job_id(0)], TIME, 1)
        work.collect()
        with pytest.raises(HuaweiCloudError, match=r"refused \(\(hidden because it contains a secret\)\)"):
            work.check_outcome()

    def test_no_connection_ends_the_batch(self, cloud):
        add_collect_of(cloud, 0)
        cloud.post(position_url(1), body=NO_CONNECTION)
        work = batch(5, 1, max_retries=2)
        work.collect()
        assert work.positions[0] == started(0)
        assert "connection failed" in work.positions[1]["msg"]
        assert "id" not in work.positions[1]
        assert work.positions[1]["outcome"] == "unsent"
        assert work.positions[2:] == [{"job_id": job_id(number), "outcome": "unsent"} for number in (2, 3, 4)]
        assert sent(cloud) == Counter({0: 1, 1: 3})
        with pytest.raises(
            HuaweiCloudError, match=f"4 of 5 jobs failed. unsent: {job_id(1)}, {job_id(2)}, {job_id(3)}, {job_id(4)}"
        ):
            work.check_outcome()

    def test_handshake_that_breaks_is_unsent(self, serve, tls, ca_cert, monkeypatch):
        """The first job is served, in a connection of its own. The second is not sent."""
        body = json.dumps({"id": "query-0", "job_id": job_id(0), "status": "pending"}).encode()
        served = loopback.over_tls(tls, loopback.once(loopback.response(body)))
        server = serve(served, loopback.within_handshake(loopback.close))
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", ca_cert)
        drs = client(server.url.replace("http:", "https:"), max_retries=2)
        work = PositionBatch(drs, [job_id(number) for number in range(3)], TIME, 1)
        work.collect()
        assert work.counts == {"pending": 1, "unsent": 2}
        assert "before the end of the TLS handshake" in work.positions[1]["msg"]
        assert "may have accepted" not in work.positions[1]["msg"]
        # The request of the first job, and three attempts for the second.
        assert len(server.requests) == 4

    def test_no_connection_does_not_end_requests_in_progress(self, cloud, monkeypatch):
        in_progress, workers = threading.Event(), {}
        original = _positions.collect_position_async

        def collect(drs, job, time):
            workers[job] = threading.current_thread()
            return original(drs, job, time)

        def respond(request):
            in_progress.set()
            assert has_begun.wait(10)
            workers[job_id(2)].join(10)
            return 202, {"X-Request-Id": "request-1"}, json.dumps({"id": "query-1", "status": "pending"})

        def fault(request):
            has_begun.set()
            assert in_progress.wait(10)
            raise NO_CONNECTION

        has_begun = threading.Event()
        monkeypatch.setattr(_positions, "collect_position_async", collect)
        add_collect_of(cloud, 0)
        cloud.add_callback("POST", position_url(1), respond)
        cloud.add_callback("POST", position_url(2), fault)
        work = batch(5, 2)
        work.collect()
        assert work.positions[:2] == [started(0), started(1)]
        assert work.counts == {"pending": 2, "unsent": 3}

    @pytest.mark.parametrize(
        "fault, outcome",
        [
            ({"body": LOST}, "unknown"),
            ({"status": 504}, "unknown"),
            ({"status": 503}, "unknown"),
            ({"status": 429}, "refused"),
        ],
    )
    def test_three_consecutive_failures_end_the_batch(self, cloud, fault, outcome):
        """If the cloud did not respond, or throttled everything, the task would otherwise take hours."""
        add_collect_of(cloud, 0)
        for number in range(1, 6):
            cloud.post(position_url(number), **fault)
        cloud.assert_all_requests_are_fired = False
        work = batch(9, 1, max_retries=1)
        work.collect()
        assert [position["outcome"] for position in work.positions] == ["pending", *[outcome] * 3, *["unsent"] * 5]
        assert set(sent(cloud)) == {0, 1, 2, 3}

    def test_single_lost_responses_do_not_end_the_batch(self, cloud):
        for number in range(8):
            if number % 3:
                cloud.post(position_url(number), body=LOST)
            else:
                add_collect_of(cloud, number)
        work = batch(8, 1)
        work.collect()
        assert work.counts == {"pending": 3, "unknown": 5}

    @pytest.mark.parametrize("user, status, code", [({}, 401, "APIGW.0301"), (USER, 403, "APIGW.0307")])
    def test_invalid_credentials_end_the_batch(self, cloud, user, status, code):
        """Several refusals lock a user or a key."""
        for number in range(6):
            cloud.post(position_url(number), status=status, json={"error_code": code})
        add_login(cloud, NEW_TOKEN)
        cloud.assert_all_requests_are_fired = False
        work = batch(6, 6, max_retries=4, **user)
        work.collect()
        assert work.counts == {"refused": 1, "unsent": 5}
        assert sent(cloud) == {0: 2 if user else 1}
        with pytest.raises(HuaweiCloudError, match=f"refused .{code}.: {job_id(0)}; unsent: {job_id(1)}, "):
            work.check_outcome()

    def test_credentials_expire_during_the_batch(self, cloud):
        add_collect_of(cloud, 0)
        for number in range(1, 9):
            cloud.post(position_url(number), status=401, json={"error_code": "APIGW.0301"})
        cloud.assert_all_requests_are_fired = False
        work = batch(9, 1)
        work.collect()
        assert work.counts == {"pending": 1, "refused": 3, "unsent": 5}

    def test_unexpected_exception_ends_the_batch(self, cloud, monkeypatch):
        add_collect_of(cloud, 0)
        work = batch(4, 1)
        original = _positions.collect_position_async

        def collect(drs, job, time):
            if job == job_id(1):
                raise ZeroDivisionError
            return original(drs, job, time)

        monkeypatch.setattr(_positions, "collect_position_async", collect)
        with pytest.raises(ZeroDivisionError):
            work.collect()
        assert work.positions[0] == started(0)
        assert work.counts == {"pending": 1, "unknown": 1, "unsent": 2}

    def test_all_threads_end(self, cloud):
        before = set(threading.enumerate())
        for number in range(5):
            add_collect_of(cloud, number)
        batch(5).collect()
        for thread in set(threading.enumerate()) - before:
            thread.join(10)
        assert set(threading.enumerate()) == before


class TestCheck:
    def test_outcomes(self, cloud):
        add_job_of(cloud, 0)
        add_job_of(cloud, 1, engine_type="mysql-to-mysql")
        cloud.get(position_url(2, ""), status=404, json={"error_code": "DRS.M00289", "error_msg": "absent"})
        cloud.get(position_url(3, ""), status=404, json={"error_code": "APIG.0101", "error_msg": "unpublished"})
        cloud.get(position_url(4, ""), json={})
        add_job_of(cloud, 5)
        work = batch(6)
        work.check()
        assert [position["outcome"] for position in work.positions] == [
            "collectable",
            "refused",
            "refused",
            "unchecked",
            "refused",
            "collectable",
        ]
        assert "mysql-to-mysql" in work.positions[1]["msg"]
        assert (work.positions[2]["http_status"], work.positions[2]["error_code"], work.positions[2]["error_msg"]) == (
            404,
            "DRS.M00289",
            "absent",
        )
        with pytest.raises(HuaweiCloudError, match="3 of 6"):
            work.check_outcome()

    @pytest.mark.parametrize("fault", [LOST, NO_CONNECTION])
    def test_three_consecutive_failures_end_the_check(self, cloud, fault):
        add_job_of(cloud, 0)
        for number in (1, 2, 3):
            cloud.get(position_url(number, ""), body=fault)
        work = batch(6, 1)
        work.check()
        assert [position["outcome"] for position in work.positions] == [
            "collectable",
            "unknown",
            "unknown",
            "unknown",
            "unsent",
            "unsent",
        ]
        assert all(position["msg"] for position in work.positions[1:4])
        assert len(cloud.calls) == 4
        unknown, unsent = (", ".join(map(job_id, numbers)) for numbers in ((1, 2, 3), (4, 5)))
        with pytest.raises(HuaweiCloudError, match=f"5 of 6 jobs failed. unknown: {unknown}; unsent: {unsent}"):
            work.check_outcome()


class TestWait:
    def collected(self, cloud, count, concurrency=3, **kwargs):
        for number in range(count):
            add_collect_of(cloud, number)
        work = batch(count, concurrency, **kwargs)
        work.collect()
        return work

    @pytest.mark.parametrize("concurrency", [1, 4])
    def test_only_pending_results_are_read_again(self, cloud, clock, concurrency):
        work = self.collected(cloud, 4, concurrency)
        for number in range(4):
            for _round in range(number):
                add_result_of(cloud, number, "pending")
            add_result_of(cloud, number)
        work.wait(300, 7)
        assert work.positions == [found(number) for number in range(4)]
        assert clock.pauses == [7, 7, 7]
        assert sent(cloud, "GET") == Counter({0: 1, 1: 2, 2: 3, 3: 4})
        assert sent(cloud) == Counter(range(4))
        work.check_outcome()

    def test_timeout(self, cloud, clock):
        work = self.collected(cloud, 3)
        add_result_of(cloud, 1)
        for number in (0, 2):
            add_result_of(cloud, number, "pending")
        work.wait(10, 4)
        messages = {
            number: f"Query query-{number} returned no result within 10 seconds. {READ_LATER}" for number in (0, 2)
        }
        assert work.positions == [started(0, msg=messages[0]), found(1), started(2, msg=messages[2])]
        assert work.counts == {"pending": 2, "success": 1}
        assert clock.pauses == [4, 4, 2]
        with pytest.raises(HuaweiCloudError, match=f"2 of 3 jobs failed. pending: {job_id(0)}, {job_id(2)}"):
            work.check_outcome()

    def test_two_jobs_with_the_same_query_id(self, cloud, clock):
        """Each keeps its own error."""
        work = self.collected(cloud, 2, 1)
        work.positions[1]["id"] = work.positions[0]["id"]
        cloud.get(position_url(0, "/db-position"), body=LOST)
        cloud.get(position_url(1, "/db-position"), json={"status": "pending"})
        work.wait(10, 20)
        said = "Query query-0 returned no result within 10 seconds. "
        assert [position["msg"].startswith(said + "GET ") for position in work.positions] == [True, False]

    def test_nothing_is_read_after_the_deadline(self, cloud, clock):
        work = self.collected(cloud, 3, 1)

        def slow(request):
            clock.now += 20
            return 200, {}, json.dumps({"status": "pending"})

        cloud.add_callback("GET", position_url(0, "/db-position"), slow)
        work.wait(10, 4)
        assert sent(cloud, "GET") == Counter({0: 1})
        assert all("returned no result within 10 seconds" in position["msg"] for position in work.positions)

    @pytest.mark.parametrize(
        "fault, continues",
        [
            ({"status": 400, "json": {"error_code": "DRS.10030014", "error_msg": "gone"}}, False),
            ({"status": 500}, True),
            ({"json": {"status": "unknown"}}, True),
            ({"json": {"status": "success"}}, True),
            ({"json": {"status": "success", "position": "Passw0rd-1.000277:805"}}, True),
        ],
    )
    def test_one_error(self, cloud, fault, continues):
        work = self.collected(cloud, 4, secrets={"Passw0rd-1"})
        cloud.get(position_url(1, "/db-position"), **fault)
        for number in (0, 2, 3):
            add_result_of(cloud, number)
        work.wait(300, 2)
        assert [work.positions[number] for number in (0, 2, 3)] == [found(number) for number in (0, 2, 3)]
        failed_one = work.positions[1]
        assert (failed_one["outcome"], failed_one["status"], failed_one["id"]) == ("pending", "pending", "query-1")
        assert failed_one["msg"].endswith(READ_LATER) is continues
        assert sent(cloud, "GET") == Counter(range(4))
        assert sent(cloud) == Counter(range(4))

    @pytest.mark.parametrize("fault", [{"body": LOST}, {"body": NO_CONNECTION}, {"status": 429}])
    def test_transient_errors_are_waited_out(self, cloud, clock, fault):
        work = self.collected(cloud, 5)
        for number in range(5):
            for _attempt in range(5):
                cloud.get(position_url(number, "/db-position"), **fault)
            add_result_of(cloud, number)
        work.wait(300, 2)
        assert work.positions == [found(number) for number in range(5)]
        work.check_outcome()

    def test_lost_responses_do_not_delay_other_results(self, cloud):
        work = self.collected(cloud, 5, 1)
        for number in range(3):
            cloud.get(position_url(number, "/db-position"), body=LOST)
        for number in (3, 4):
            add_result_of(cloud, number)
        work.wait(30, 20)
        assert work.positions[3:] == [found(3), found(4)]
        assert work.counts == {"pending": 3, "success": 2}
        for position in work.positions[:3]:
            timeout = f"Query {position['id']} returned no result within 30 seconds. "
            assert re.fullmatch(f"{timeout}GET .*: no complete response: .* {READ_LATER}", position["msg"])

    def test_credentials_expire_while_waiting(self, cloud, clock):
        """The queries are named, and there are no more attempts."""
        cloud.assert_all_requests_are_fired = False
        work = self.collected(cloud, 3, 1, **USER)
        for number in range(3):
            cloud.get(position_url(number, "/db-position"), status=401, json={"error_code": "APIGW.0301"})
        cloud.post(LOGIN_URL, status=401)
        work.wait(300, 2)
        assert [(position["outcome"], position["id"]) for position in work.positions] == [
            ("pending", f"query-{number}") for number in range(3)
        ]
        assert all(position["msg"].endswith(READ_LATER) for position in work.positions)
        for position, verb in zip(work.positions[1:], ("sent", "read")):
            assert f"was not {verb} because the credentials were rejected" in position["msg"]
        # The other jobs are not told the URL of job 1.
        assert position_url(1, "") not in work.positions[2]["msg"]
        assert clock.pauses == []
        assert sum(call.request.url.startswith(LOGIN_URL) for call in cloud.calls) == 1

    @pytest.mark.parametrize("login", [{"status": 401}, {"status": 503}, {"body": LOST}])
    def test_credentials_expire_for_the_last_job(self, cloud, clock, login):
        """The wait ends at once, although the round has no job that is not sent."""
        work = self.collected(cloud, 2, 1, **USER)
        add_result_of(cloud, 0, "pending")
        cloud.get(position_url(1, "/db-position"), status=401, json={"error_code": "APIGW.0301"})
        cloud.post(LOGIN_URL, **login)
        work.wait(300, 2)
        assert clock.pauses == []
        assert sent(cloud, "GET") == {0: 1, 1: 1}
        for number, position in enumerate(work.positions):
            assert (position["outcome"], position["id"]) == ("pending", f"query-{number}")
            assert "The login request was for user operator" in position["msg"]
            assert position["msg"].endswith(READ_LATER)
        assert "was not read because the credentials were rejected. POST " in work.positions[0]["msg"]

    @pytest.mark.parametrize("other", [None, 404, 500])
    def test_single_refusals_while_waiting(self, cloud, clock, other):
        """DRS still accepts the credentials, so the wait goes on."""
        work = self.collected(cloud, 6, 1)
        add_result_of(cloud, 0, "pending")
        add_result_of(cloud, 0)
        for number in (1, 2, 4, 5):
            cloud.get(position_url(number, "/db-position"), status=401, json={"error_code": "APIGW.0301"})
        if other:
            cloud.get(position_url(3, "/db-position"), status=other, json={})
        else:
            add_result_of(cloud, 3)
        work.wait(300, 2)
        assert sent(cloud, "GET") == {0: 2, 1: 1, 2: 1, 3: 1, 4: 1, 5: 1}
        assert clock.pauses == [2]
        assert work.positions[0] == found(0)
        assert [position["outcome"] for position in work.positions[4:]] == ["pending"] * 2

    def test_token_expires_while_waiting(self, cloud, clock):
        """After three refusals in a row, the others would be refused as well."""
        cloud.assert_all_requests_are_fired = False
        work = self.collected(cloud, 6, 1)
        add_result_of(cloud, 0, "pending")
        for number in range(1, 6):
            cloud.get(position_url(number, "/db-position"), status=401, json={"error_code": "APIGW.0301"})
        work.wait(300, 2)
        assert sent(cloud, "GET") == {0: 1, 1: 1, 2: 1, 3: 1}
        assert clock.pauses == []
        for number, position in enumerate(work.positions):
            assert (position["outcome"], position["id"]) == ("pending", f"query-{number}")
            assert "APIGW.0301" in position["msg"]
            assert ("was not read because the credentials were rejected" in position["msg"]) is (number in (0, 4, 5))
            assert position["msg"].endswith(READ_LATER)
            assert position["msg"].count(READ_LATER) == 1

    def test_refusals_after_another_error(self, cloud, clock):
        """A job whose last error was another one is told as well why the wait ended."""
        cloud.assert_all_requests_are_fired = False
        work = self.collected(cloud, 4, 1)
        for number in range(3):
            add_result_of(cloud, number, "pending")
            cloud.get(position_url(number, "/db-position"), status=401, json={"error_code": "APIGW.0301"})
        cloud.get(position_url(3, "/db-position"), body=LOST)
        work.wait(300, 2)
        assert clock.pauses == [2]
        assert "no complete response" in work.positions[3]["msg"]
        assert "The result was not read because the credentials were rejected." in work.positions[3]["msg"]
        assert work.positions[3]["msg"].endswith(READ_LATER)

    def test_failed_query(self, cloud):
        work = self.collected(cloud, 2)
        add_result_of(cloud, 0)
        add_result_of(cloud, 1, "failed")
        work.wait(300, 2)
        assert work.positions == [found(0), failed(1)]
        with pytest.raises(HuaweiCloudError, match=f"^1 of 2 jobs failed. failed: {job_id(1)}. "):
            work.check_outcome()

    def test_success_without_a_position_is_pending(self, cloud):
        """The response that starts a query has no position, whatever its status."""
        add_collect_of(cloud, 0, status="success")
        work = batch(1)
        work.collect()
        assert work.positions == [started(0, status="success")]
        work.check_outcome()
        add_result_of(cloud, 0)
        work.wait(300, 2)
        assert work.positions == [found(0)]

    def test_only_accepted_queries_are_read(self, cloud):
        add_collect_of(cloud, 0)
        cloud.post(position_url(1), status=400)
        cloud.post(position_url(2), status=500)
        add_collect_of(cloud, 3, status="failed")
        add_collect_of(cloud, 4, status="unknown")
        work = batch(5)
        work.collect()
        add_result_of(cloud, 0)
        work.wait(300, 2)
        assert sent(cloud, "GET") == Counter({0: 1})
        assert work.counts == {"success": 1, "refused": 1, "unknown": 1, "failed": 1, "pending": 1}


class TestSharedSession:
    """The token is refused in several threads at the same time."""

    COUNT = 6

    def refuse_together(self, cloud):
        """The first request is sent alone, and accepted. The others are refused when all of them have arrived."""
        together = threading.Barrier(self.COUNT)
        tokens = []

        def respond(request):
            token = request.headers["X-Auth-Token"]
            tokens.append(token)
            if token == TOKEN:
                together.wait(10)
                return 401, {}, json.dumps({"error_code": "APIGW.0301", "error_msg": "The token is not valid."})
            number = int(request.url.partition("/jobs/")[2][:8])
            return (
                202,
                {"X-Request-Id": f"request-{number}"},
                json.dumps({"id": f"query-{number}", "status": "pending"}),
            )

        add_collect_of(cloud, 0)
        for number in range(1, self.COUNT + 1):
            cloud.add_callback("POST", position_url(number), respond)
        return tokens

    @staticmethod
    def logins(cloud):
        return sum(call.request.url.startswith(LOGIN_URL) for call in cloud.calls)

    def test_renewed_once(self, cloud):
        tokens = self.refuse_together(cloud)
        add_login(cloud, NEW_TOKEN)
        work = batch(self.COUNT + 1, self.COUNT, **USER)
        work.collect()
        assert work.positions == [started(number) for number in range(self.COUNT + 1)]
        assert self.logins(cloud) == 1
        assert Counter(tokens) == {TOKEN: self.COUNT, NEW_TOKEN: self.COUNT}

    def test_refused_login_is_not_repeated(self, cloud):
        """Another login could lock the user."""
        tokens = self.refuse_together(cloud)
        cloud.post(
            LOGIN_URL,
            status=401,
            json={"error": {"code": 401, "message": f"Wrong: {PASSWORD}", "title": "Unauthorized"}},
        )
        work = batch(self.COUNT + 1, self.COUNT, max_retries=4, **USER)
        work.collect()
        assert self.logins(cloud) == 1
        assert tokens == [TOKEN] * self.COUNT
        assert work.counts == {"pending": 1, "refused": self.COUNT}
        (message,) = {position["msg"] for position in work.positions[1:]}
        assert message.count("The login request was for user operator") == 1
        assert message.count("lock the user for 15 minutes") == 1
        assert {position["error_msg"] for position in work.positions[1:]} == {"Wrong: ********"}
        check_nothing_shown(json.dumps(work.positions))
        # Later requests fail with the same message, without another login.
        before = len(cloud.calls)
        work.collect()
        assert message in work.positions[0]["msg"]
        assert len(cloud.calls) == before

    def test_lost_login_leaves_nothing_unknown(self, cloud):
        """DRS had refused the request, so it cannot have accepted it."""
        cloud.post(position_url(0), status=401, json={"error_code": "APIGW.0301"})
        cloud.post(LOGIN_URL, body=LOST)
        work = batch(3, 1, **USER)
        work.collect()
        assert work.counts == {"unsent": 3}
        assert "DRS may have accepted" not in work.positions[0]["msg"]
        assert self.logins(cloud) == 1
