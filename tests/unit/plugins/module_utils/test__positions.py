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
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import HINTS
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import (
    check_status,
    collect_position_async,
    parse_time,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECT_URL,
    JOB_ID,
    QUERY_ID,
    REQUEST_ID,
    TIME,
    TOKEN,
    add_collect,
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
    with pytest.raises(InvalidOptionError, match="job_id"):
        collect_position_async(drs, f"{JOB_ID[:-3]}/..", TIME)
    assert len(cloud.calls) == 0


def test_secret_in_a_response_is_not_shown(cloud, drs):
    cloud.post(COLLECT_URL, json={"id": TOKEN})
    with pytest.raises(HuaweiCloudError) as caught:
        collect_position_async(drs, JOB_ID, TIME)
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

    @pytest.mark.parametrize(
        "query_id", [None, "", ["x"], "a b", "x" * 129, TOKEN[:20], "[1]", r"\x9b", "1{{1}}", "%1%"]
    )
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
