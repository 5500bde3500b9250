# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
    WaitTimeoutError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import HINTS
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import (
    PositionResult,
    check_query_id,
    check_status,
    collect_position_async,
    parse_time,
    show_position_result,
    wait_for_position,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECT_URL,
    JOB_ID,
    POSITION,
    QUERY_ID,
    REQUEST_ID,
    RESULT_URL,
    TIME,
    TOKEN,
    add_collect,
    add_result,
    bodies,
    check_nothing_shown,
    client,
    shown,
    texts,
)

UTC = timezone.utc
NOW = datetime(2024, 2, 29, 12, 0, 0, 999999, tzinfo=UTC)


@pytest.fixture
def drs():
    return client()


class TestParseTime:
    @pytest.mark.parametrize(
        "value, sent",
        [
            ("2023-09-19T07:00:00Z", "2023-09-19T07:00:00Z"),
            ("2023-09-19 07:00:00Z", "2023-09-19T07:00:00Z"),
            ("2023-09-19t07:00:00z", "2023-09-19T07:00:00Z"),
            ("  2023-09-19T07:00:00Z\n", "2023-09-19T07:00:00Z"),
            ("2023-09-19 07:00:00 +00:00", "2023-09-19T07:00:00Z"),
            ("2023-09-19T15:00:00+0800", "2023-09-19T07:00:00Z"),
            ("2023-09-19T15:00:00+08", "2023-09-19T07:00:00Z"),
            ("2023-09-19T01:30:00-05:30", "2023-09-19T07:00:00Z"),
            ("2023-09-19T07:00Z", "2023-09-19T07:00:00Z"),
            ("2023-09-19T07:00:00.999999999Z", "2023-09-19T07:00:00Z"),
            ("2023-09-19T07:00:00,9+00:00", "2023-09-19T07:00:00Z"),
            ("2023-12-31T23:59:59-23:59", "2024-01-01T23:58:59Z"),
            ("1969-12-31T23:59:59.5Z", "1969-12-31T23:59:59Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("2024-02-29T12:05:00Z", "2024-02-29T12:05:00Z"),
        ],
    )
    def test_accepted(self, value, sent):
        assert parse_time(value, NOW) == sent

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "now",
            "1695106800",
            "2023-09-19",
            "20230919T070000Z",
            "2023-09-19T07Z",
            "2023-9-19T07:00:00Z",
            "2023-W38-2T07:00:00Z",
        ]
        + [
            f"2023-09-19T07:00:00{tail}"
            for tail in ("ZZ", "Z+00:00", "UTC", "+8", ".Z", "+08:60", "\N{MINUS SIGN}05:00")
        ]
        + [
            "2023-09-19  07:00:00Z",
            "2023-09-19T07:00:00Z\n2023-09-19T07:00:00Z",
            "+2023-09-19T07:00:00Z",
            "12023-09-19T07:00:00Z",
        ]
        + ["\N{ARABIC-INDIC DIGIT TWO}023-09-19T07:00:00Z", "2023-09-19T07:00:0\N{FULLWIDTH DIGIT ZERO}Z"],
    )
    def test_other_formats_are_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="reset_position_time.*2023-09-19T07:00:00Z"):
            parse_time(value, NOW)

    @pytest.mark.parametrize(
        "value",
        [
            "2023-02-29T07:00:00Z",
            "2023-13-01T07:00:00Z",
            "2023-09-19T24:00:00Z",
            "2023-09-19T07:60:00Z",
            "2023-09-19T07:00:60Z",
        ]
        + [
            "2023-09-19T07:00:00+24:00",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
        ],
    )
    def test_nonexistent_time_is_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="reset_position_time"):
            parse_time(value, NOW)

    @pytest.mark.parametrize("value", ["2023-09-19T07:00:00", "2023-09-19 07:00", " 2023-09-19T07:00:00.5 "])
    def test_error_without_an_offset_suggests_two(self, value):
        with pytest.raises(InvalidOptionError, match="time zone") as caught:
            parse_time(value, NOW)
        suggested = re.findall(r"2023-09-19.\d\d:[\d:.]+(?:Z|\+08:00)", str(caught.value))
        assert [parse_time(time, NOW) for time in suggested] == ["2023-09-19T07:00:00Z", "2023-09-18T23:00:00Z"]

    @pytest.mark.parametrize("value", ["2024-02-29T12:05:01Z", "9999-12-31T23:59:59Z"])
    def test_future_is_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="future.*2024-02-29T12:00:00Z"):
            parse_time(value, NOW)

    @pytest.mark.parametrize("minutes, valid", [(-1, True), (4, True), (6, False)])
    def test_clock_may_be_ahead(self, minutes, valid):
        value = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        if valid:
            parse_time(value)
        else:
            with pytest.raises(InvalidOptionError, match="future"):
                parse_time(value)

    # The strategy of Hypothesis for regular expressions takes seconds.
    likely = st.tuples(
        *(st.integers(0, most).map("{:02}".format) for most in (25, 99, 13, 32, 24, 60, 60)),
        st.sampled_from(["Z", ".9Z", "+08:00", "-23:59", "+99", ""]),
    ).map(lambda parts: "{}{}-{}-{}T{}:{}:{}{}".format(*parts))

    @settings(max_examples=50)
    @given(texts(max_size=30) | likely)
    def test_any_text(self, value):
        try:
            sent = parse_time(value, NOW)
        except InvalidOptionError as error:
            assert str(error).isprintable()
            return
        moment = datetime.strptime(sent, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert moment <= NOW + timedelta(minutes=5)


class TestCheckQueryId:
    @pytest.mark.parametrize("value", [QUERY_ID, "x", "a/../b?c=d&e", "!~", "x" * 128])
    def test_accepted(self, value):
        assert check_query_id(value) == value

    @pytest.mark.parametrize(
        "value", ["", " ", "a b", "a\n", "\ud800", "\u00e9", "\x00", "\x7f", "x" * 129, "x" * 9999]
    )
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="query_id") as caught:
            check_query_id(value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300

    @settings(max_examples=50)
    @given(texts() | texts(min_size=36, max_size=36) | texts("aZ0-", min_size=36, max_size=36))
    def test_any_text(self, value):
        valid = re.fullmatch("[!-~]{1,128}", value) is not None
        try:
            assert check_query_id(value) == value
            assert valid
        except InvalidOptionError as error:
            assert not valid
            assert str(error).isprintable()


class TestCheckStatus:
    @pytest.mark.parametrize("value", ["pending", "success", "failed"])
    def test_accepted(self, value):
        assert check_status(client(), value) == value

    @pytest.mark.parametrize("value", ["", "SUCCESS", None, True, ["success"], "x" * 9999])
    def test_rejected(self, value):
        with pytest.raises(InvalidResponseError, match="status") as caught:
            check_status(client(), value)
        assert len(str(caught.value)) < 200


def test_nothing_is_sent_with_an_invalid_job_id(drs, cloud):
    for call in (
        lambda job_id: collect_position_async(drs, job_id, TIME),
        lambda job_id: show_position_result(drs, job_id, QUERY_ID),
    ):
        with pytest.raises(InvalidOptionError, match="job_id"):
            call(f"{JOB_ID[:-3]}/..")
    assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    "method, url, response, call",
    [
        ("GET", RESULT_URL, {"status": TOKEN}, lambda drs: show_position_result(drs, JOB_ID, QUERY_ID)),
        ("POST", COLLECT_URL, {"id": TOKEN}, lambda drs: collect_position_async(drs, JOB_ID, TIME)),
    ],
)
def test_secret_in_a_response_is_not_shown(cloud, drs, method, url, response, call):
    cloud.add(method, url, json=response)
    with pytest.raises(HuaweiCloudError) as caught:
        call(drs)
    check_nothing_shown(shown(caught.value))


class TestCollect:
    def test_request(self, cloud, drs):
        add_collect(cloud)
        query = collect_position_async(drs, JOB_ID, TIME)
        assert (query.id, query.status, query.request_id) == (QUERY_ID, "pending", REQUEST_ID)
        request = cloud.calls[0].request
        assert (request.method, request.url) == ("POST", COLLECT_URL)
        assert bodies(cloud) == [{"reset_position_time": TIME}]
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["X-Auth-Token"] == TOKEN
        assert request.headers["X-Language"] == "en-us"

    def test_id_is_kept_with_an_unknown_status(self, cloud, drs):
        add_collect(cloud, status={"unknown": 1})
        assert collect_position_async(drs, JOB_ID, TIME).id == QUERY_ID

    @pytest.mark.parametrize("query_id", [None, "", ["x"], "a b", "x" * 129])
    def test_response_without_a_usable_id(self, cloud, drs, query_id):
        add_collect(cloud, id=query_id)
        with pytest.raises(InvalidResponseError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        error = caught.value
        assert (error.maybe_accepted, error.http_status, error.request_id) == (True, 202, REQUEST_ID)
        assert "DRS may have accepted" in str(error)

    def test_202_with_an_error_code(self, cloud, drs):
        cloud.post(
            COLLECT_URL, status=202, json={"error_code": "DRS.M01504", "error_msg": "Another operation is running."}
        )
        with pytest.raises(ApiError, match="Another operation") as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert HINTS["DRS.M01504"] in str(caught.value)
        assert "may have accepted" not in str(caught.value)


class TestResult:
    def test_request(self, cloud, drs):
        add_result(cloud, "success")
        assert show_position_result(drs, JOB_ID, "id/with&?") == PositionResult("success", POSITION, "result-success")
        assert cloud.calls[0].request.url == f"{RESULT_URL}?query_id=id%2Fwith%26%3F"
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_position_only_with_success(self, cloud, drs, status):
        add_result(cloud, status)
        assert show_position_result(drs, JOB_ID, QUERY_ID) == PositionResult(status, None, f"result-{status}")

    @pytest.mark.parametrize("position", [None, "", ["mysql-bin.000277:805"], "\x1b[31m"])
    def test_success_without_a_position(self, cloud, drs, position):
        add_result(cloud, "success", position)
        with pytest.raises(InvalidResponseError, match="position") as caught:
            show_position_result(drs, JOB_ID, QUERY_ID)
        assert (caught.value.request_id, caught.value.maybe_accepted) == ("result-success", False)

    def test_unknown_status(self, cloud, drs):
        add_result(cloud, "running")
        with pytest.raises(InvalidResponseError, match="status") as caught:
            show_position_result(drs, JOB_ID, QUERY_ID)
        assert (caught.value.http_status, caught.value.request_id) == (200, "result-running")


class TestWait:
    @pytest.mark.parametrize("last, position", [("success", POSITION), ("failed", None)])
    def test_until_there_is_a_result(self, cloud, drs, clock, last, position):
        for status in ("pending", "pending", last):
            add_result(cloud, status)
        assert wait_for_position(drs, JOB_ID, QUERY_ID, 300, 2) == PositionResult(last, position, f"result-{last}")
        assert (len(cloud.calls), clock.pauses) == (3, [2, 2])

    def test_timeout(self, cloud, drs, clock):
        add_result(cloud, "pending")
        with pytest.raises(WaitTimeoutError) as caught:
            wait_for_position(drs, JOB_ID, QUERY_ID, 10, 4)
        for part in (QUERY_ID, JOB_ID, "10 seconds"):
            assert part in str(caught.value)
        # The last pause ends at the deadline, where the result is read once more.
        assert clock.pauses == [4, 4, 2]
        assert len(cloud.calls) == 4
