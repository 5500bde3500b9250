# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import threading

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _retry
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import ApiError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._throttle import Throttle
from ansible_collections.huaweicloud.drs.tests.unit.utils import URL

BEGIN = 1000.0


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    """Make pauses comparable."""
    monkeypatch.setattr(_retry.random, "uniform", lambda low, high: high)


def interval(throttle):
    """The interval between two requests."""
    first = throttle.wait(None)
    return pytest.approx(throttle.wait(None) - first)


def slow_down(throttle, clock, rounds):
    for _round in range(rounds):
        throttle.on_throttled(clock.now, 0)


class TestThrottle:
    def test_no_interval_at_first(self, clock):
        throttle = Throttle()
        assert [throttle.wait(None) for _number in range(3)] == [BEGIN] * 3
        assert clock.pauses == []

    def test_longest_pause_counts(self, clock):
        throttle = Throttle()
        throttle.on_throttled(throttle.wait(None), 7)
        throttle.on_throttled(BEGIN, 3)
        assert throttle.wait(None) == BEGIN + 7
        assert clock.pauses == [7]

    def test_requests_keep_the_interval(self, clock):
        throttle = Throttle()
        slow_down(throttle, clock, 3)
        assert [throttle.wait(None) - BEGIN for _number in range(4)] == pytest.approx([0, 0.08, 0.16, 0.24])
        assert clock.pauses == pytest.approx([0.08] * 3)

    def test_idle_time_gives_no_credit(self, clock):
        throttle = Throttle()
        slow_down(throttle, clock, 3)
        throttle.wait(None)
        clock.now += 100
        now = clock.now
        assert [throttle.wait(None) - now for _number in range(2)] == pytest.approx([0, 0.08])

    def test_interval_doubles_once_for_concurrent_requests(self, clock):
        throttle = Throttle()
        for expected in (0.02, 0.04, 0.08):
            clock.now += 10
            sent = [throttle.wait(None) for _number in range(5)]
            # The responses arrive after the last request was sent.
            clock.now += 10
            for begin in sent:
                throttle.on_throttled(begin, 0)
            assert interval(throttle) == expected
            clock.now += 10

    def test_interval_has_a_maximum(self, clock):
        throttle = Throttle()
        slow_down(throttle, clock, 30)
        assert interval(throttle) == Throttle.MAX_INTERVAL

    def test_interval_shrinks_with_each_success(self, clock):
        throttle = Throttle()
        slow_down(throttle, clock, 5)
        before = 0.32
        assert interval(throttle) == before
        for _number in range(10):
            throttle.on_success()
            clock.now += 10
            before *= 0.95
            assert interval(throttle) == before

    def test_interval_goes_back_to_zero(self, clock):
        throttle = Throttle()
        slow_down(throttle, clock, 30)
        for _number in range(200):
            throttle.on_success()
        clock.now += 100
        assert interval(throttle) == 0

    def test_success_does_not_end_a_pause(self, clock):
        throttle = Throttle()
        throttle.on_throttled(BEGIN, 7)
        for _number in range(200):
            throttle.on_success()
        assert throttle.wait(None) == BEGIN + 7

    @pytest.mark.parametrize("deadline, begin", [(5, 5), (60, 60), (100, 60), (0, 0), (-5, 0)])
    def test_no_pause_beyond_the_deadline(self, clock, deadline, begin):
        throttle = Throttle()
        throttle.on_throttled(BEGIN, 60)
        assert throttle.wait(BEGIN + deadline) == BEGIN + begin
        assert clock.pauses == ([begin] if begin else [])

    def test_threads_keep_the_interval_together(self, clock):
        throttle = Throttle()
        slow_down(throttle, clock, 1)
        begins = []
        threads = [threading.Thread(target=lambda: begins.append(throttle.wait(None))) for _number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        begins.sort()
        assert len(begins) == 20
        assert all(later - earlier > 0.0199 for earlier, later in zip(begins, begins[1:]))


def send(http, method="POST", url=URL, **kwargs):
    return http.request(method, url, auth=lambda request: request, throttle_code="DRS.M01503", **kwargs)


def in_thread(name, function):
    thread = threading.Thread(target=function, name=name)
    thread.start()
    thread.join()


# Method, status and error code of a throttled request.
THROTTLED = [
    ("GET", 429, None),
    ("POST", 429, "APIGW.0308"),
    ("POST", 400, "DRS.M01503"),
]


class TestHttpClient:
    """How the HTTP client uses it."""

    @pytest.mark.parametrize("method, status, code", THROTTLED)
    def test_throttled_request_holds_back_other_threads(self, cloud, clock, method, status, code):
        http = HttpClient(connections=2, throttle=Throttle())
        cloud.add(method, URL, status=status, json={"error_code": code}, headers={"Retry-After": "7"})
        cloud.add(method, URL, json={"id": "1"})
        cloud.get(f"{URL}/other", json={})
        # While the first thread sleeps, another one begins.
        clock.on_sleep = lambda: in_thread("other", lambda: send(http, "GET", f"{URL}/other"))
        assert send(http, method).body == {"id": "1"}
        assert clock.pauses[:2] == [7, 7]
        assert [call.request.url for call in cloud.calls].count(URL) == 2

    @pytest.mark.parametrize("status, code", [(500, None), (502, "DRS.M00304"), (503, None)])
    def test_other_errors_hold_back_nobody(self, cloud, clock, status, code):
        http = HttpClient(connections=2, throttle=Throttle())
        cloud.get(URL, status=status, json={"error_code": code}, headers={"Retry-After": "7"})
        cloud.get(URL, json={})
        cloud.get(f"{URL}/other", json={})
        clock.on_sleep = lambda: in_thread("other", lambda: send(http, "GET", f"{URL}/other"))
        send(http, "GET")
        assert clock.pauses == [7]

    def test_code_is_ignored_without_throttle_code(self, cloud, clock):
        cloud.post(URL, status=400, json={"error_code": "DRS.M01503"})
        with pytest.raises(ApiError):
            HttpClient(throttle=Throttle()).request("POST", URL, auth=lambda request: request)
        assert (len(cloud.calls), clock.pauses) == (1, [])

    @pytest.mark.parametrize("max_retries", [0, 3])
    def test_retries_are_counted(self, cloud, max_retries):
        cloud.post(URL, status=400, json={"error_code": "DRS.M01503"})
        with pytest.raises(ApiError) as caught:
            send(HttpClient(max_retries=max_retries, throttle=Throttle()))
        error = caught.value
        assert (error.http_status, error.error_code, error.maybe_accepted) == (400, "DRS.M01503", False)
        assert len(cloud.calls) == max_retries + 1

    def test_no_retry_when_the_pause_ends_after_the_deadline(self, cloud, clock):
        http = HttpClient(throttle=Throttle())
        cloud.get(URL, status=429, headers={"Retry-After": "30"})
        with pytest.raises(ApiError, match="429"):
            send(http, "GET", deadline=BEGIN + 10)
        assert (len(cloud.calls), clock.pauses) == (1, [])
        # Another request waits for the same pause, until its own deadline.
        with pytest.raises(ApiError, match="429"):
            send(http, "GET", deadline=BEGIN + 10)
        assert (len(cloud.calls), clock.pauses) == (2, [10])

    def test_success_shrinks_the_interval(self, cloud, clock):
        http = HttpClient(throttle=Throttle())
        slow_down(http._throttle, clock, 5)
        cloud.get(URL, json={})
        send(http, "GET")
        assert interval(http._throttle) == 0.32 * 0.95

    def test_refusal_keeps_the_interval(self, cloud, clock):
        http = HttpClient(throttle=Throttle())
        slow_down(http._throttle, clock, 5)
        cloud.get(URL, status=400)
        with pytest.raises(ApiError):
            send(http, "GET")
        assert interval(http._throttle) == 0.32
