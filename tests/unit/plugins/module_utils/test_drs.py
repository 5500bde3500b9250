# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import check_job_id
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
    WaitTimeoutError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import HINTS
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import check_collectable, show_job_detail
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
    JOB_URL,
    POSITION,
    QUERY_ID,
    REQUEST_ID,
    RESULT_URL,
    TIME,
    TOKEN,
    add_collect,
    add_job,
    add_result,
    bodies,
    client,
    texts,
)

UTC = timezone.utc
NOW = datetime(2024, 2, 29, 12, 0, 0, 999999, tzinfo=UTC)
UUID = "4350aee0-56b5-11ee-8c99-0242ac120002"


@pytest.fixture
def drs():
    return client()


class TestTime:
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
    def test_good(self, value, sent):
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
    def test_no_time(self, value):
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
    def test_time_that_does_not_exist(self, value):
        with pytest.raises(InvalidOptionError, match="reset_position_time"):
            parse_time(value, NOW)

    @pytest.mark.parametrize("value", ["2023-09-19T07:00:00", "2023-09-19 07:00", " 2023-09-19T07:00:00.5 "])
    def test_without_an_offset(self, value):
        with pytest.raises(InvalidOptionError, match="time zone") as caught:
            parse_time(value, NOW)
        instead = re.findall(r"2023-09-19.\d\d:[\d:.]+(?:Z|\+08:00)", str(caught.value))
        assert [parse_time(time, NOW) for time in instead] == ["2023-09-19T07:00:00Z", "2023-09-18T23:00:00Z"]

    @pytest.mark.parametrize("value", ["2024-02-29T12:05:01Z", "9999-12-31T23:59:59Z"])
    def test_future(self, value):
        with pytest.raises(InvalidOptionError, match="future.*2024-02-29T12:00:00Z"):
            parse_time(value, NOW)

    @pytest.mark.parametrize("minutes, good", [(-1, True), (4, True), (6, False)])
    def test_now_is_the_default(self, minutes, good):
        value = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        if good:
            parse_time(value)
        else:
            with pytest.raises(InvalidOptionError, match="future"):
                parse_time(value)

    # Hypothesis needs seconds for a regular expression.
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


class TestValues:
    @pytest.mark.parametrize("value", [JOB_ID, "c7debc9c-8e09-4a5d-8dd6-cc44f78JB20R", "x" * 36])
    def test_job_id(self, value):
        assert check_job_id(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            JOB_ID[:-1],
            f"{JOB_ID}0",
            f"{JOB_ID}\n",
            *(f"{JOB_ID[:-1]}{char}" for char in "/?#% _.\u00e9\N{ARABIC-INDIC DIGIT TWO}"),
        ],
    )
    def test_bad_job_id(self, value):
        with pytest.raises(InvalidOptionError, match="job_id"):
            check_job_id(value)

    def test_nothing_is_sent_with_a_bad_job_id(self, drs, cloud):
        for call in (
            lambda job_id: show_job_detail(drs, job_id),
            lambda job_id: collect_position_async(drs, job_id, TIME),
            lambda job_id: show_position_result(drs, job_id, QUERY_ID),
        ):
            with pytest.raises(InvalidOptionError, match="job_id"):
                call(f"{JOB_ID[:-3]}/..")
        assert len(cloud.calls) == 0

    @pytest.mark.parametrize("value", ["pending", "success", "failed"])
    def test_status(self, value):
        assert check_status(client(), value) == value

    @pytest.mark.parametrize("value", ["", "SUCCESS", None, True, ["success"], "x" * 9999])
    def test_bad_status(self, value):
        with pytest.raises(InvalidResponseError, match="status") as caught:
            check_status(client(), value)
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("value", [QUERY_ID, "x", "a/../b?c=d&e", "!~", "x" * 128])
    def test_query_id(self, value):
        assert check_query_id(value) == value

    @pytest.mark.parametrize(
        "value", ["", " ", "a b", "a\n", "\ud800", "\u00e9", "\x00", "\x7f", "x" * 129, "x" * 9999]
    )
    def test_bad_query_id(self, value):
        with pytest.raises(InvalidOptionError, match="query_id") as caught:
            check_query_id(value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300

    @settings(max_examples=50)
    @given(texts() | texts(min_size=36, max_size=36) | texts("aZ0-", min_size=36, max_size=36))
    def test_any_id(self, value):
        for check, pattern in ((check_job_id, "[0-9A-Za-z-]{36}"), (check_query_id, "[!-~]{1,128}")):
            good = re.fullmatch(pattern, value) is not None
            try:
                assert check(value) == value
                assert good
            except InvalidOptionError as error:
                assert not good
                assert str(error).isprintable()


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

    def test_language(self, cloud):
        add_collect(cloud)
        collect_position_async(client(language="zh-cn"), JOB_ID, TIME)
        assert cloud.calls[0].request.headers["X-Language"] == "zh-cn"

    def test_odd_status_does_not_lose_the_id(self, cloud, drs):
        add_collect(cloud, status={"odd": 1})
        assert collect_position_async(drs, JOB_ID, TIME).id == QUERY_ID

    @pytest.mark.parametrize("query_id", [None, "", ["x"], "a b", "x" * 129])
    def test_no_id(self, cloud, drs, query_id):
        add_collect(cloud, id=query_id)
        with pytest.raises(InvalidResponseError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        error = caught.value
        assert (error.maybe_accepted, error.http_status, error.request_id) == (True, 202, REQUEST_ID)
        assert "DRS may have accepted" in str(error)

    @pytest.mark.parametrize("headers, said", [({"X-Request-Id": "r1"}, ["(request id r1)"]), ({}, [])])
    def test_empty_answer(self, cloud, drs, headers, said):
        cloud.post(COLLECT_URL, status=202, headers=headers)
        with pytest.raises(InvalidResponseError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert re.findall(r"\(request id.*?\)", str(caught.value)) == said

    def test_202_with_an_error_code(self, cloud, drs):
        cloud.post(
            COLLECT_URL, status=202, json={"error_code": "DRS.M01504", "error_msg": "Another operation is running."}
        )
        with pytest.raises(ApiError, match="Another operation") as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert HINTS["DRS.M01504"] in str(caught.value)
        assert "may have accepted" not in str(caught.value)

    @pytest.mark.parametrize("status, code", [(500, ""), (504, "APIGW.0201")])
    def test_server_error(self, cloud, status, code):
        """It is not said that it can be tried again."""
        cloud.post(COLLECT_URL, status=status, json={"error_code": code, "error_msg": "Backend timeout."})
        with pytest.raises(ApiError, match="DRS may have accepted the request.* before you run this task again[.]$"):
            collect_position_async(client(max_retries=4), JOB_ID, TIME)
        assert len(cloud.calls) == 1


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
    def test_until_it_is_there(self, cloud, drs, clock, last, position):
        for status in ("pending", "pending", last):
            add_result(cloud, status)
        assert wait_for_position(drs, JOB_ID, QUERY_ID, 300, 2) == PositionResult(last, position, f"result-{last}")
        assert (len(cloud.calls), clock.pauses) == (3, [2, 2])

    def test_time_over(self, cloud, drs, clock):
        add_result(cloud, "pending")
        with pytest.raises(WaitTimeoutError) as caught:
            wait_for_position(drs, JOB_ID, QUERY_ID, 10, 4)
        for part in (QUERY_ID, JOB_ID, "10 seconds"):
            assert part in str(caught.value)
        # The last pause ends with the time, so that there is one look more when it is over.
        assert clock.pauses == [4, 4, 2]
        assert len(cloud.calls) == 4

    def test_busy_for_a_while(self, cloud, drs, clock):
        for _answer in range(2):
            cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.M01503"})
        add_result(cloud, "success")
        assert wait_for_position(drs, JOB_ID, QUERY_ID, 300, 2).position == POSITION
        assert clock.pauses == [2, 2]

    def test_other_error(self, cloud, drs):
        add_result(cloud, "pending")
        cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.10030014", "error_msg": "No such query."})
        with pytest.raises(ApiError, match="Collect the position again"):
            wait_for_position(drs, JOB_ID, QUERY_ID, 300, 2)

    def test_retries_end_with_the_time(self, cloud, clock):
        cloud.get(RESULT_URL, status=429, headers={"Retry-After": "60"})
        with pytest.raises(WaitTimeoutError):
            wait_for_position(client(max_retries=99), JOB_ID, QUERY_ID, 150, 40)
        # When the next pause of a retry would be too long, there are those between two reads.
        assert clock.pauses == [60, 60, 30]

    def test_no_answer_when_the_time_is_over(self, refusing_url, clock):
        with pytest.raises(WaitTimeoutError):
            wait_for_position(client(refusing_url), JOB_ID, QUERY_ID, 0, 2)


class TestJob:
    def test_request(self, cloud, drs):
        add_job(cloud)
        assert show_job_detail(drs, JOB_ID) == {"id": JOB_ID, "base_info": {"engine_type": "mysql-to-dws"}}
        assert cloud.calls[0].request.url == f"{JOB_URL}?type=detail"

    @pytest.mark.parametrize("body", [{}, {"job": None}, {"job": []}])
    def test_no_job(self, cloud, drs, body):
        cloud.get(JOB_URL, json=body)
        with pytest.raises(InvalidResponseError, match="job"):
            show_job_detail(drs, JOB_ID)

    def test_collectable(self, cloud, drs):
        add_job(cloud)
        assert check_collectable(drs, JOB_ID) is True

    @pytest.mark.parametrize("engine_type", ["mysql-to-mysql", ["mysql-to-dws"], "\x1b]0;owned\x07", "x" * 9999])
    def test_other_engine(self, cloud, drs, engine_type):
        add_job(cloud, engine_type)
        with pytest.raises(HuaweiCloudError, match="mysql-to-dws") as caught:
            check_collectable(drs, JOB_ID)
        assert JOB_ID in str(caught.value)
        assert str(engine_type)[1:50].replace("\x07", "") in str(caught.value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300

    @pytest.mark.parametrize(
        "job", [{}, {"base_info": "mysql-to-dws"}, {"base_info": {}}, {"base_info": {"engine_type": ""}}]
    )
    def test_odd_job(self, cloud, drs, job):
        cloud.get(JOB_URL, json={"job": job})
        with pytest.raises(InvalidResponseError, match=f"{JOB_ID} without its engine type"):
            check_collectable(drs, JOB_ID)

    @pytest.mark.parametrize("code", ["APIGW.0101", "APIG.0101"])
    def test_unpublished(self, cloud, drs, code):
        cloud.get(JOB_URL, status=404, json={"error_code": code, "error_msg": "The API does not exist."})
        assert check_collectable(drs, JOB_ID) is False

    @pytest.mark.parametrize("status, code", [(404, "DRS.M00289"), (404, None), (403, "APIGW.0101")])
    def test_other_refusal(self, cloud, drs, status, code):
        cloud.get(JOB_URL, status=status, json={"error_code": code})
        with pytest.raises(ApiError):
            check_collectable(drs, JOB_ID)


KNOWN_CODES = """
    DRS.10000010 DRS.10030014 DRS.M00289 DRS.M05004 DRS.M05003 DRS.M00304 DRS.M01503 DRS.M01504 DRS.M00100 DRS.M00102 DRS.M00103 DRS.M00105
    DRS.M00261 APIGW.0101 APIGW.0301 APIGW.0302 APIGW.0306 APIGW.0307 APIGW.0308 APIGW.0601 APIGW.0613
""".split()


def explained(cloud, code, status=400):
    cloud.get(JOB_URL, status=status, json={"error_code": code, "error_msg": "It went wrong."})
    with pytest.raises(ApiError) as caught:
        show_job_detail(client(), JOB_ID)
    return caught.value


class TestAdvice:
    def test_codes(self):
        assert sorted(HINTS) == sorted(KNOWN_CODES)

    @pytest.mark.parametrize("code", KNOWN_CODES)
    def test_code(self, cloud, code):
        assert str(explained(cloud, code)).endswith(f" {HINTS[code]}")

    def test_older_prefix(self, cloud):
        message = str(explained(cloud, "APIG.0301"))
        assert message.endswith(f" {HINTS['APIGW.0301']}")
        assert "APIG.0301" in message

    @pytest.mark.parametrize(
        "code, words",
        [
            ("DRS.10000010", "job_id, region and project"),
            ("APIGW.0101", "not published in this region"),
            ("APIGW.0301", "Log in again"),
            ("APIGW.0301", "the clock of this host"),
        ],
    )
    def test_what_the_user_can_do(self, cloud, code, words):
        assert words in str(explained(cloud, code))

    @pytest.mark.parametrize(
        "prefix, status, words",
        [("APIGW", 413, "too large"), ("APIG", 414, "too large"), ("APIGW", 502, "later"), ("APIG", 504, "later")],
    )
    def test_0201(self, cloud, prefix, status, words):
        assert words in str(explained(cloud, f"{prefix}.0201", status))

    @pytest.mark.parametrize(
        "code, status", [("APIGW.0201", 400), ("DRS.M99999", 400), (None, 400), ("XAPIG.0301", 401)]
    )
    def test_none(self, cloud, code, status):
        error = explained(cloud, code, status)
        assert "It went wrong" in str(error)
        assert error.hints == []
