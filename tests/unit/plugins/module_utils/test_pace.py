# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How requests are held back when a server says that they come too fast."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import ApiError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._throttle import Throttle

URL = "https://drs.example.com/v5/thing"
BEGIN = 1000.0


@pytest.fixture(autouse=True)
def _no_jitter(monkeypatch):
    """So that pauses can be compared."""
    monkeypatch.setattr(_http.random, "uniform", lambda low, high: high)


def gap(pace):
    """The distance of two requests, as a caller sees it."""
    first = pace.wait(None)
    return pytest.approx(pace.wait(None) - first)


def slow_down(pace, clock, rounds):
    for _round in range(rounds):
        pace.on_throttled(clock.now, 0)


class TestPace:
    def test_at_first_nobody_waits(self, clock):
        pace = Throttle()
        assert [pace.wait(None) for _number in range(3)] == [BEGIN] * 3
        assert clock.pauses == []

    def test_nothing_is_sent_for_a_while(self, clock):
        """The longest pause counts."""
        pace = Throttle()
        pace.on_throttled(pace.wait(None), 7)
        pace.on_throttled(BEGIN, 3)
        assert pace.wait(None) == BEGIN + 7
        assert clock.pauses == [7]

    def test_one_after_the_other(self, clock):
        pace = Throttle()
        slow_down(pace, clock, 3)
        assert [pace.wait(None) - BEGIN for _number in range(4)] == pytest.approx([0, 0.08, 0.16, 0.24])
        assert clock.pauses == pytest.approx([0.08] * 3)

    def test_no_arrears(self, clock):
        """A time in which nothing was sent is not made up for, nor waited for again."""
        pace = Throttle()
        slow_down(pace, clock, 3)
        pace.wait(None)
        clock.now += 100
        now = clock.now
        assert [pace.wait(None) - now for _number in range(2)] == pytest.approx([0, 0.08])

    def test_gap_doubles_once_in_a_round(self, clock):
        pace = Throttle()
        for expected in (0.02, 0.04, 0.08):
            clock.now += 10
            sent = [pace.wait(None) for _number in range(5)]
            # The answers come in later than the last of them was sent.
            clock.now += 10
            for begin in sent:
                pace.on_throttled(begin, 0)
            assert gap(pace) == expected
            clock.now += 10

    def test_gap_has_a_limit(self, clock):
        pace = Throttle()
        slow_down(pace, clock, 30)
        assert gap(pace) == Throttle.MAX_INTERVAL

    def test_gap_shrinks_with_success(self, clock):
        pace = Throttle()
        slow_down(pace, clock, 5)
        before = 0.32
        assert gap(pace) == before
        for _number in range(10):
            pace.on_success()
            clock.now += 10
            before *= 0.95
            assert gap(pace) == before

    def test_gap_goes_away(self, clock):
        pace = Throttle()
        slow_down(pace, clock, 30)
        for _number in range(200):
            pace.on_success()
        clock.now += 100
        assert gap(pace) == 0

    def test_success_does_not_end_a_pause(self, clock):
        pace = Throttle()
        pace.on_throttled(BEGIN, 7)
        for _number in range(200):
            pace.on_success()
        assert pace.wait(None) == BEGIN + 7

    @pytest.mark.parametrize("deadline, begin", [(5, 5), (60, 60), (100, 60), (0, 0), (-5, 0)])
    def test_deadline(self, clock, deadline, begin):
        pace = Throttle()
        pace.on_throttled(BEGIN, 60)
        assert pace.wait(BEGIN + deadline) == BEGIN + begin
        assert clock.pauses == ([begin] if begin else [])

    def test_threads(self, clock):
        """No two of them send within the gap."""
        pace = Throttle()
        slow_down(pace, clock, 1)
        begins = []
        threads = [threading.Thread(target=lambda: begins.append(pace.wait(None))) for _number in range(20)]
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


# What says that requests come too fast: status and error code.
TOO_FAST = [
    ("GET", 429, None),
    ("POST", 503, None),
    ("POST", 429, "APIGW.0308"),
    ("POST", 400, "DRS.M01503"),
    ("POST", 500, "DRS.M01503"),
]


class TestRequests:
    @pytest.mark.parametrize("method, status, code", TOO_FAST)
    def test_others_are_held_back(self, cloud, clock, method, status, code):
        http = HttpClient(connections=2, throttle=Throttle())
        cloud.add(method, URL, status=status, json={"error_code": code}, headers={"Retry-After": "7"})
        cloud.add(method, URL, json={"id": "1"})
        cloud.get(f"{URL}/other", json={})
        # While the first thread sleeps, at the same time, another one begins.
        clock.meanwhile = lambda: in_thread("other", lambda: send(http, "GET", f"{URL}/other"))
        assert send(http, method).body == {"id": "1"}
        assert clock.pauses[:2] == [7, 7]
        assert [call.request.url for call in cloud.calls].count(URL) == 2

    @pytest.mark.parametrize("status, code", [(500, None), (502, "DRS.M00304")])
    def test_by_nothing_else(self, cloud, clock, status, code):
        http = HttpClient(connections=2, throttle=Throttle())
        cloud.get(URL, status=status, json={"error_code": code}, headers={"Retry-After": "7"})
        cloud.get(URL, json={})
        cloud.get(f"{URL}/other", json={})
        clock.meanwhile = lambda: in_thread("other", lambda: send(http, "GET", f"{URL}/other"))
        send(http, "GET")
        assert clock.pauses == [7]

    def test_not_meant_without_a_code(self, cloud, clock):
        cloud.post(URL, status=400, json={"error_code": "DRS.M01503"})
        with pytest.raises(ApiError):
            HttpClient(throttle=Throttle()).request("POST", URL, auth=lambda request: request)
        assert (len(cloud.calls), clock.pauses) == (1, [])

    @pytest.mark.parametrize("max_retries", [0, 3])
    def test_tries_are_counted(self, cloud, max_retries):
        cloud.post(URL, status=400, json={"error_code": "DRS.M01503"})
        with pytest.raises(ApiError) as caught:
            send(HttpClient(max_retries=max_retries, throttle=Throttle()))
        error = caught.value
        assert (error.http_status, error.error_code, error.maybe_accepted) == (400, "DRS.M01503", False)
        assert len(cloud.calls) == max_retries + 1

    def test_deadline_is_before_the_end_of_the_pause(self, cloud, clock):
        http = HttpClient(throttle=Throttle())
        cloud.get(URL, status=429, headers={"Retry-After": "30"})
        with pytest.raises(ApiError, match="429"):
            send(http, "GET", deadline=BEGIN + 10)
        assert (len(cloud.calls), clock.pauses) == (1, [])
        # Another one knows of it, and has a deadline as well.
        with pytest.raises(ApiError, match="429"):
            send(http, "GET", deadline=BEGIN + 10)
        assert (len(cloud.calls), clock.pauses) == (2, [10])

    def test_success_shrinks_the_gap(self, cloud, clock):
        http = HttpClient(throttle=Throttle())
        slow_down(http._throttle, clock, 5)
        cloud.get(URL, json={})
        send(http, "GET")
        assert gap(http._throttle) == 0.32 * 0.95

    def test_refusal_does_not(self, cloud, clock):
        http = HttpClient(throttle=Throttle())
        slow_down(http._throttle, clock, 5)
        cloud.get(URL, status=400)
        with pytest.raises(ApiError):
            send(http, "GET")
        assert gap(http._throttle) == 0.32
