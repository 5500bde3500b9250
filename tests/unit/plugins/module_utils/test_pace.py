# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How requests are held back when a server says that they come too fast."""

from __future__ import annotations

import threading

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import ApiError, HttpClient, _Pace

URL = "https://drs.example.com/v5/thing"
BEGIN = 1000.0


class Frozen:
    """Stands in for the module time. It only goes on when a test says so."""

    def __init__(self):
        self.now = BEGIN
        self.pauses = []
        self.while_sleeping = None

    def monotonic(self):
        return self.now

    def sleep(self, seconds):
        self.pauses.append((threading.current_thread().name, seconds))
        then, self.while_sleeping = self.while_sleeping, None
        if then:
            then()


@pytest.fixture
def frozen(monkeypatch):
    frozen = Frozen()
    monkeypatch.setattr(_http, "time", frozen)
    # No jitter, so that pauses can be compared.
    monkeypatch.setattr(_http.random, "uniform", lambda low, high: high)
    return frozen


def gap(pace):
    """The distance of two requests, as a caller sees it."""
    first = pace.wait(None)
    return pytest.approx(pace.wait(None) - first)


def slow_down(pace, frozen, rounds):
    for _round in range(rounds):
        pace.refused(frozen.now, 0)


class TestPace:
    def test_at_first_nobody_waits(self, frozen):
        pace = _Pace()
        assert [pace.wait(None) for _number in range(3)] == [BEGIN] * 3
        assert frozen.pauses == []

    def test_nothing_is_sent_for_a_while(self, frozen):
        pace = _Pace()
        pace.refused(pace.wait(None), 7)
        assert pace.wait(None) == BEGIN + 7
        assert frozen.pauses == [("MainThread", 7)]

    def test_the_longest_pause_counts(self, frozen):
        pace = _Pace()
        pace.refused(BEGIN, 7)
        pace.refused(BEGIN, 3)
        assert pace.wait(None) == BEGIN + 7

    def test_one_after_the_other(self, frozen):
        pace = _Pace()
        slow_down(pace, frozen, 3)
        assert [pace.wait(None) - BEGIN for _number in range(4)] == pytest.approx([0, 0.08, 0.16, 0.24])
        assert [seconds for _name, seconds in frozen.pauses] == pytest.approx([0.08, 0.16, 0.24])

    def test_no_arrears(self, frozen):
        """A time in which nothing was sent is not made up for, nor waited for again."""
        pace = _Pace()
        slow_down(pace, frozen, 3)
        pace.wait(None)
        frozen.now += 100
        assert [pace.wait(None) - frozen.now for _number in range(2)] == pytest.approx([0, 0.08])

    def test_gap_doubles_once_in_a_round(self, frozen):
        pace = _Pace()
        for expected in (0.02, 0.04, 0.08):
            frozen.now += 10
            sent = [pace.wait(None) for _number in range(5)]
            # The answers come in later than the last of them was sent.
            frozen.now += 10
            for begin in sent:
                pace.refused(begin, 0)
            assert gap(pace) == expected
            frozen.now += 10

    def test_gap_has_a_limit(self, frozen):
        pace = _Pace()
        slow_down(pace, frozen, 30)
        assert gap(pace) == _Pace.MOST

    def test_gap_shrinks_with_success(self, frozen):
        pace = _Pace()
        slow_down(pace, frozen, 5)
        before = 0.32
        assert gap(pace) == before
        for _number in range(10):
            pace.accepted()
            frozen.now += 10
            before *= 0.95
            assert gap(pace) == before

    def test_gap_goes_away(self, frozen):
        pace = _Pace()
        slow_down(pace, frozen, 30)
        for _number in range(200):
            pace.accepted()
        frozen.now += 100
        assert gap(pace) == 0

    def test_success_does_not_end_a_pause(self, frozen):
        pace = _Pace()
        pace.refused(BEGIN, 7)
        for _number in range(200):
            pace.accepted()
        assert pace.wait(None) == BEGIN + 7

    @pytest.mark.parametrize("deadline, begin", [(5, 5), (60, 60), (100, 60), (0, 0), (-5, 0)])
    def test_deadline(self, frozen, deadline, begin):
        pace = _Pace()
        pace.refused(BEGIN, 60)
        assert pace.wait(BEGIN + deadline) == BEGIN + begin
        assert frozen.pauses == ([("MainThread", begin)] if begin else [])

    def test_threads(self, frozen):
        """No two of them get the same time."""
        pace = _Pace()
        slow_down(pace, frozen, 1)
        begins = []
        threads = [threading.Thread(target=lambda: begins.append(pace.wait(None))) for _number in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sorted(begins) == pytest.approx([BEGIN + 0.02 * number for number in range(20)])


def send(http, method="POST", url=URL, **kwargs):
    return http.request(method, url, auth=lambda request: request, too_frequent="DRS.M01503", **kwargs)


def in_thread(name, function):
    thread = threading.Thread(target=function, name=name)
    thread.start()
    thread.join()


# What says that requests come too fast: status and error code.
TOO_FAST = [(429, None), (503, None), (429, "APIGW.0308"), (400, "DRS.M01503"), (403, "DRS.M01503"), (500, "DRS.M01503")]
OTHERS = [(500, None), (502, "DRS.M00304"), (504, None)]


class TestRequests:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("status, code", TOO_FAST)
    def test_others_are_held_back(self, cloud, frozen, method, status, code):
        http = HttpClient(connections=2)
        cloud.add(method, URL, status=status, json={"error_code": code}, headers={"Retry-After": "7"})
        cloud.add(method, URL, json={"id": "1"})
        cloud.get(f"{URL}/other", json={})
        # While the first thread sleeps, at the same time, another one begins.
        frozen.while_sleeping = lambda: in_thread("other", lambda: send(http, "GET", f"{URL}/other"))
        assert send(http, method).body == {"id": "1"}
        assert frozen.pauses[:2] == [("MainThread", 7), ("other", 7)]
        assert [call.request.url for call in cloud.calls].count(URL) == 2

    @pytest.mark.parametrize("status, code", OTHERS)
    def test_by_nothing_else(self, cloud, frozen, status, code):
        http = HttpClient(connections=2)
        cloud.get(URL, status=status, json={"error_code": code}, headers={"Retry-After": "7"})
        cloud.get(URL, json={})
        cloud.get(f"{URL}/other", json={})
        frozen.while_sleeping = lambda: in_thread("other", lambda: send(http, "GET", f"{URL}/other"))
        send(http, "GET")
        assert frozen.pauses == [("MainThread", 7)]

    @pytest.mark.parametrize("code", ["DRS.M01504", "DRS.M00304", None, ""])
    def test_another_refusal_is_final(self, cloud, frozen, code):
        http = HttpClient()
        cloud.post(URL, status=400, json={"error_code": code})
        with pytest.raises(ApiError):
            send(http)
        assert (len(cloud.calls), frozen.pauses) == (1, [])

    def test_not_meant_without_a_code(self, cloud, frozen):
        cloud.post(URL, status=400, json={"error_code": "DRS.M01503"})
        with pytest.raises(ApiError):
            HttpClient().request("POST", URL, auth=lambda request: request)
        assert (len(cloud.calls), frozen.pauses) == (1, [])

    @pytest.mark.parametrize("status, code", [(429, "APIGW.0308"), (400, "DRS.M01503")])
    @pytest.mark.parametrize("max_retries", [0, 3])
    def test_tries_are_counted(self, cloud, frozen, status, code, max_retries):
        cloud.post(URL, status=status, json={"error_code": code})
        with pytest.raises(ApiError) as caught:
            send(HttpClient(max_retries=max_retries))
        error = caught.value
        assert (error.http_status, error.error_code, error.maybe_accepted) == (status, code, False)
        assert len(cloud.calls) == max_retries + 1

    def test_deadline_is_before_the_end_of_the_pause(self, cloud, frozen):
        http = HttpClient()
        cloud.get(URL, status=429, headers={"Retry-After": "30"})
        with pytest.raises(ApiError, match="429"):
            send(http, "GET", deadline=BEGIN + 10)
        assert (len(cloud.calls), frozen.pauses) == (1, [])
        # Another one knows of it, and has a deadline as well.
        with pytest.raises(ApiError, match="429"):
            send(http, "GET", deadline=BEGIN + 10)
        assert (len(cloud.calls), frozen.pauses) == (2, [("MainThread", 10)])

    def test_success_shrinks_the_gap(self, cloud, frozen):
        http = HttpClient()
        slow_down(http._pace, frozen, 5)
        cloud.get(URL, json={})
        send(http, "GET")
        assert gap(http._pace) == 0.32 * 0.95

    def test_refusal_does_not(self, cloud, frozen):
        http = HttpClient()
        slow_down(http._pace, frozen, 5)
        cloud.get(URL, status=400)
        with pytest.raises(ApiError):
            send(http, "GET")
        assert gap(http._pace) == 0.32

    @pytest.mark.parametrize("connections", [1, 10])
    def test_connections_are_kept(self, connections):
        assert HttpClient(connections=connections)._adapter._pool_maxsize == connections
