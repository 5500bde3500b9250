# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import (
    ADVICE,
    ADVICE_0201,
    PositionResult,
    StillPendingError,
    check_job_id,
    check_query_id,
    parse_time,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import (
    ApiError,
    BadAnswerError,
    HuaweiCloudError,
    InputError,
    NoAnswerError,
)
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    BAD_JOB_IDS,
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
            ("2023-09-19T07:00:00+00:00", "2023-09-19T07:00:00Z"),
            ("2023-09-19 07:00:00+00:00", "2023-09-19T07:00:00Z"),
            ("2023-09-19 07:00:00 +00:00", "2023-09-19T07:00:00Z"),
            ("2023-09-19T15:00:00+08:00", "2023-09-19T07:00:00Z"),
            ("2023-09-19T15:00:00+0800", "2023-09-19T07:00:00Z"),
            ("2023-09-19T15:00:00+08", "2023-09-19T07:00:00Z"),
            ("2023-09-19T01:30:00-05:30", "2023-09-19T07:00:00Z"),
            ("2023-09-19T07:00:00-00:00", "2023-09-19T07:00:00Z"),
            ("2023-09-19T07:00Z", "2023-09-19T07:00:00Z"),
            ("2023-09-19T07:00:00.999999999Z", "2023-09-19T07:00:00Z"),
            ("2023-09-19T07:00:00,9+00:00", "2023-09-19T07:00:00Z"),
            ("2024-03-01T00:30:00+14:00", "2024-02-29T10:30:00Z"),
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
            "2023-09-19T07:00:00ZZ",
            "2023-09-19T07:00:00Z+00:00",
            "2023-09-19T07:00:00UTC",
            "2023-09-19T07:00:00+8",
            "2023-09-19T07:00:00.Z",
            "2023-9-19T07:00:00Z",
            "2023-09-19  07:00:00Z",
            "2023-09-19T07:00:00Z\n2023-09-19T07:00:00Z",
            "+2023-09-19T07:00:00Z",
            "12023-09-19T07:00:00Z",
            "2023-W38-2T07:00:00Z",
            "\N{ARABIC-INDIC DIGIT TWO}023-09-19T07:00:00Z",
            "2023-09-19T07:00:0\N{FULLWIDTH DIGIT ZERO}Z",
            "2023-09-19T07:00:00\N{MINUS SIGN}05:00",
            "2023-09-19T07:00:00+08:60",
            "2023-09-19T07:00:00+0899",
        ],
    )
    def test_no_time(self, value):
        with pytest.raises(InputError, match="reset_position_time.*2023-09-19T07:00:00Z"):
            parse_time(value, NOW)

    @pytest.mark.parametrize(
        "value",
        [
            "2023-02-30T07:00:00Z",
            "2023-02-29T07:00:00Z",
            "2023-13-01T07:00:00Z",
            "2023-00-01T07:00:00Z",
            "2023-09-19T24:00:00Z",
            "2023-09-19T07:60:00Z",
            "2023-09-19T07:00:60Z",
            "2023-09-19T07:00:00+24:00",
            "2023-09-19T07:00:00-99:99",
            "0000-01-01T00:00:00Z",
            "0001-01-01T00:00:00+14:00",
            "9999-12-31T23:59:59-14:00",
        ],
    )
    def test_time_that_does_not_exist(self, value):
        with pytest.raises(InputError, match="reset_position_time"):
            parse_time(value, NOW)

    @pytest.mark.parametrize("value", ["2023-09-19T07:00:00", "2023-09-19 07:00", " 2023-09-19T07:00:00.5 "])
    def test_without_an_offset(self, value):
        with pytest.raises(InputError, match="time zone") as caught:
            parse_time(value, NOW)
        instead = re.findall(r"2023-09-19.\d\d:[\d:.]+(?:Z|\+08:00)", str(caught.value))
        assert [parse_time(time, NOW) for time in instead] == ["2023-09-19T07:00:00Z", "2023-09-18T23:00:00Z"]

    @pytest.mark.parametrize("value", ["2024-02-29T12:05:01Z", "2024-02-29T20:05:01+08:00", "2024-03-01T12:00:00Z", "9999-12-31T23:59:59Z"])
    def test_future(self, value):
        with pytest.raises(InputError, match="future.*2024-02-29T12:00:00Z"):
            parse_time(value, NOW)

    @pytest.mark.parametrize("minutes, good", [(-1, True), (4, True), (6, False)])
    def test_now_is_the_default(self, minutes, good):
        value = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
        if good:
            parse_time(value)
        else:
            with pytest.raises(InputError, match="future"):
                parse_time(value)

    likely = st.from_regex(r"\A\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?\Z")

    @given(st.text(max_size=30) | likely)
    def test_any_text(self, value):
        try:
            sent = parse_time(value, NOW)
        except InputError:
            return
        moment = datetime.strptime(sent, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
        assert moment <= NOW + timedelta(minutes=5)

    offsets = st.timedeltas(timedelta(hours=-23, minutes=-59), timedelta(hours=23, minutes=59)).map(
        lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
    )

    @given(st.datetimes(datetime(1, 1, 3), datetime(2024, 2, 27), timezones=offsets), st.sampled_from("T "), st.booleans())
    def test_any_moment_of_the_past(self, moment, separator, extended):
        value = moment.isoformat(separator)
        value = value if extended else value[:-3] + value[-2:]
        assert parse_time(value, NOW) == moment.astimezone(UTC).replace(tzinfo=None, microsecond=0).isoformat() + "Z"


class TestValues:
    @pytest.mark.parametrize("value", [JOB_ID, "c7debc9c-8e09-4a5d-8dd6-cc44f78JB20R", "x" * 36])
    def test_job_id(self, value):
        assert check_job_id(value) == value

    @pytest.mark.parametrize("value", BAD_JOB_IDS)
    def test_bad_job_id(self, drs, cloud, value):
        for call in (
            check_job_id,
            drs.show_job_detail,
            lambda job_id: drs.collect_position_async(job_id, TIME),
            lambda job_id: drs.show_position_result(job_id, QUERY_ID),
        ):
            with pytest.raises(InputError, match="job_id"):
                call(value)
        assert len(cloud.calls) == 0

    @pytest.mark.parametrize("value", ["pending", "success", "failed"])
    def test_status(self, value):
        assert client().check_status(value) == value

    @pytest.mark.parametrize("value", ["", "SUCCESS", "done", None, 0, True, ["success"], {"status": "success"}, "x" * 9999])
    def test_bad_status(self, value):
        with pytest.raises(BadAnswerError, match="status") as caught:
            client().check_status(value)
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize("value", [QUERY_ID, "x", "a/../b?c=d&e", "!~", "x" * 128])
    def test_query_id(self, value):
        assert check_query_id(value) == value

    @pytest.mark.parametrize("value", ["", " ", "a b", "a\n", "\ud800", "\u00e9", "\x00", "\x7f", "x" * 129, "x" * 9999])
    def test_bad_query_id(self, value):
        with pytest.raises(InputError, match="query_id") as caught:
            check_query_id(value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300

    @given(st.text() | st.text(st.characters(min_codepoint=33, max_codepoint=126)))
    def test_any_id(self, value):
        for check, pattern in ((check_job_id, "[0-9A-Za-z-]{36}"), (check_query_id, "[!-~]{1,128}")):
            good = re.fullmatch(pattern, value) is not None
            try:
                assert check(value) == value
                assert good
            except InputError as error:
                assert not good
                assert str(error).isprintable()

    @given(st.text("0123456789abcdefJBR-", min_size=36, max_size=36))
    def test_any_job_id_that_is_one(self, value):
        assert check_job_id(value) == value


class TestCollect:
    def test_request(self, cloud, drs):
        add_collect(cloud)
        query = drs.collect_position_async(JOB_ID, TIME)
        assert (query.id, query.status, query.request_id) == (QUERY_ID, "pending", REQUEST_ID)
        request = cloud.calls[0].request
        assert (request.method, request.url) == ("POST", COLLECT_URL)
        assert bodies(cloud) == [{"reset_position_time": TIME}]
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers["X-Auth-Token"] == TOKEN
        assert request.headers["X-Language"] == "en-us"

    def test_language(self, cloud):
        add_collect(cloud)
        client(language="zh-cn").collect_position_async(JOB_ID, TIME)
        assert cloud.calls[0].request.headers["X-Language"] == "zh-cn"

    def test_what_would_be_sent(self, drs):
        assert drs.collect_position_request(JOB_ID, TIME) == {"method": "POST", "url": COLLECT_URL, "body": {"reset_position_time": TIME}}

    def test_other_job_id_in_the_answer(self, cloud, drs):
        add_collect(cloud, job_id="177738d1-4eee-4fcb-a4e1-09aea79jb20i")
        assert drs.collect_position_async(JOB_ID, TIME).id == QUERY_ID

    def test_odd_status_does_not_lose_the_id(self, cloud, drs):
        add_collect(cloud, status={"odd": 1})
        assert drs.collect_position_async(JOB_ID, TIME).id == QUERY_ID

    @pytest.mark.parametrize("query_id", [None, "", 7, ["x"], {"id": "x"}, "a b", "a\n", "\ud800", "x" * 129])
    def test_no_id(self, cloud, drs, query_id):
        add_collect(cloud, id=query_id)
        with pytest.raises(BadAnswerError) as caught:
            drs.collect_position_async(JOB_ID, TIME)
        error = caught.value
        assert (error.maybe_accepted, error.http_status, error.request_id) == (True, 202, REQUEST_ID)
        assert "DRS may have accepted" in str(error)

    @pytest.mark.parametrize("headers, said", [({"X-Request-Id": "r1"}, ["(request id r1)"]), ({}, [])])
    def test_no_id_with_a_request_id(self, cloud, drs, headers, said):
        cloud.post(COLLECT_URL, status=202, json={}, headers=headers)
        with pytest.raises(BadAnswerError) as caught:
            drs.collect_position_async(JOB_ID, TIME)
        assert re.findall(r"\(request id.*?\)", str(caught.value)) == said

    @pytest.mark.parametrize("body", ["", "{}", "[]", "null", "{", "<html>"])
    def test_empty_or_no_object(self, cloud, drs, body):
        cloud.post(COLLECT_URL, status=202, body=body)
        with pytest.raises(BadAnswerError, match="DRS may have accepted") as caught:
            drs.collect_position_async(JOB_ID, TIME)
        assert caught.value.maybe_accepted
        assert len(cloud.calls) == 1

    def test_202_with_an_error_code(self, cloud, drs):
        cloud.post(COLLECT_URL, status=202, json={"error_code": "DRS.M01504", "error_msg": "Another operation is running."})
        with pytest.raises(ApiError, match="Another operation") as caught:
            drs.collect_position_async(JOB_ID, TIME)
        assert ADVICE["DRS.M01504"] in str(caught.value)
        assert "may have accepted" not in str(caught.value)

    @pytest.mark.parametrize("status", [500, 502, 504])
    @pytest.mark.parametrize("code", ["", "APIGW.0201"])
    def test_server_error(self, cloud, status, code):
        """It is not said that it can be tried again."""
        cloud.post(COLLECT_URL, status=status, json={"error_code": code, "error_msg": "Backend timeout."})
        with pytest.raises(ApiError, match="DRS may have accepted the request.* before you run this task again[.]$"):
            client(max_retries=4).collect_position_async(JOB_ID, TIME)
        assert len(cloud.calls) == 1

    def test_lost_answer(self, serve):
        server = serve(loopback.reset_after_request)
        with pytest.raises(NoAnswerError, match="DRS may have accepted"):
            client(server.url, max_retries=4).collect_position_async(JOB_ID, TIME)
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status", [429, 503])
    def test_refusal(self, cloud, status):
        cloud.post(COLLECT_URL, status=status, headers={"Retry-After": "1"})
        with pytest.raises(ApiError) as caught:
            client(max_retries=2).collect_position_async(JOB_ID, TIME)
        assert "may have accepted" not in str(caught.value)
        assert len(cloud.calls) == 3

    def test_connection_refused(self, refusing_url):
        with pytest.raises(NoAnswerError) as caught:
            client(refusing_url).collect_position_async(JOB_ID, TIME)
        assert "may have accepted" not in str(caught.value)

    def test_401_is_sent_once(self, cloud):
        cloud.post(COLLECT_URL, status=401, json={"error_code": "APIGW.0301"})
        with pytest.raises(ApiError):
            client(max_retries=4).collect_position_async(JOB_ID, TIME)
        assert len(cloud.calls) == 1


class TestResult:
    def test_request(self, cloud, drs):
        add_result(cloud, "success")
        assert drs.show_position_result(JOB_ID, "id/with&?") == PositionResult("success", POSITION, "result-success")
        assert cloud.calls[0].request.url == f"{RESULT_URL}?query_id=id%2Fwith%26%3F"
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_position_only_with_success(self, cloud, drs, status):
        add_result(cloud, status)
        assert drs.show_position_result(JOB_ID, QUERY_ID) == PositionResult(status, None, f"result-{status}")

    @pytest.mark.parametrize("position", [None, "", 805, ["mysql-bin.000277:805"], "a\nb", "\x1b[31m"])
    def test_success_without_a_position(self, cloud, drs, position):
        add_result(cloud, "success", position)
        with pytest.raises(BadAnswerError, match="position") as caught:
            drs.show_position_result(JOB_ID, QUERY_ID)
        assert (caught.value.request_id, caught.value.maybe_accepted) == ("result-success", False)

    @pytest.mark.parametrize("status", ["running", None, 7])
    def test_unknown_status(self, cloud, drs, status):
        add_result(cloud, status)
        with pytest.raises(BadAnswerError, match="status") as caught:
            drs.show_position_result(JOB_ID, QUERY_ID)
        assert (caught.value.http_status, caught.value.request_id) == (200, f"result-{status}")


class TestWait:
    @pytest.mark.parametrize("last, position", [("success", POSITION), ("failed", None)])
    def test_until_it_is_there(self, cloud, drs, clock, last, position):
        for status in ("pending", "pending", last):
            add_result(cloud, status)
        assert drs.wait_for_position(JOB_ID, QUERY_ID, 300, 2) == PositionResult(last, position, f"result-{last}")
        assert (len(cloud.calls), clock.pauses) == (3, [2, 2])

    def test_time_over(self, cloud, drs, clock):
        add_result(cloud, "pending")
        with pytest.raises(StillPendingError) as caught:
            drs.wait_for_position(JOB_ID, QUERY_ID, 10, 4)
        for part in (QUERY_ID, JOB_ID, "10 seconds"):
            assert part in str(caught.value)
        # The last pause ends with the time, so that there is one look more when it is over.
        assert clock.pauses == [4, 4, pytest.approx(2, abs=1)]
        assert len(cloud.calls) == 4

    def test_called_too_often(self, cloud, drs, clock):
        cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.M01503", "error_msg": "Too frequent."})
        cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.M01503", "error_msg": "Too frequent."})
        add_result(cloud, "success")
        assert drs.wait_for_position(JOB_ID, QUERY_ID, 300, 2).position == POSITION
        assert clock.pauses == [2, 2]

    def test_called_too_often_to_the_end(self, cloud, drs):
        cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.M01503", "error_msg": "Too frequent."})
        with pytest.raises(StillPendingError):
            drs.wait_for_position(JOB_ID, QUERY_ID, 10, 4)

    def test_other_error(self, cloud, drs):
        add_result(cloud, "pending")
        cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.10030014", "error_msg": "No such query."})
        with pytest.raises(ApiError, match="Collect the position again"):
            drs.wait_for_position(JOB_ID, QUERY_ID, 300, 2)

    @pytest.mark.parametrize("status", [429, 503])
    def test_retries_end_with_the_time(self, cloud, clock, status):
        cloud.get(RESULT_URL, status=status, headers={"Retry-After": "60"})
        with pytest.raises(StillPendingError):
            client(max_retries=99).wait_for_position(JOB_ID, QUERY_ID, 150, 40)
        # When the next pause of a retry would be too long, there are those between two reads.
        assert clock.pauses == [60, 60, pytest.approx(30, abs=1)]

    @pytest.mark.parametrize("status", [429, 503])
    def test_busy_for_a_while(self, cloud, clock, status):
        cloud.get(RESULT_URL, status=status)
        cloud.get(RESULT_URL, status=status)
        add_result(cloud, "success")
        assert client().wait_for_position(JOB_ID, QUERY_ID, 300, 2).position == POSITION
        assert clock.pauses == [2, 2]

    def test_no_answer(self, refusing_url, clock):
        with pytest.raises(NoAnswerError):
            client(refusing_url).wait_for_position(JOB_ID, QUERY_ID, 300, 2)
        assert clock.pauses == []

    def test_no_answer_when_the_time_is_over(self, refusing_url, clock):
        with pytest.raises(StillPendingError):
            client(refusing_url).wait_for_position(JOB_ID, QUERY_ID, 0, 2)


class TestJob:
    def test_request(self, cloud, drs):
        add_job(cloud)
        assert drs.show_job_detail(JOB_ID) == {"id": JOB_ID, "base_info": {"engine_type": "mysql-to-dws"}}
        assert cloud.calls[0].request.url == f"{JOB_URL}?type=detail"

    @pytest.mark.parametrize("body", [{}, {"job": None}, {"job": []}, {"job": "text"}, {"jobs": [{}]}])
    def test_no_job(self, cloud, drs, body):
        cloud.get(JOB_URL, json=body)
        with pytest.raises(BadAnswerError, match="job"):
            drs.show_job_detail(JOB_ID)

    def test_collectable(self, cloud, drs):
        add_job(cloud)
        assert drs.check_collectable(JOB_ID) is True

    @pytest.mark.parametrize("engine_type", ["mysql-to-mysql", "MYSQL-TO-DWS", ["mysql-to-dws"], "x" * 9999])
    def test_other_engine(self, cloud, drs, engine_type):
        add_job(cloud, engine_type)
        with pytest.raises(HuaweiCloudError, match="mysql-to-dws") as caught:
            drs.check_collectable(JOB_ID)
        assert JOB_ID in str(caught.value)
        assert str(engine_type)[:50] in str(caught.value)
        assert len(str(caught.value)) < 300

    def test_terminal_escapes_in_the_engine(self, cloud, drs):
        add_job(cloud, "\x1b]0;owned\x07")
        with pytest.raises(HuaweiCloudError) as caught:
            drs.check_collectable(JOB_ID)
        assert str(caught.value).isprintable()

    @pytest.mark.parametrize(
        "job",
        [
            {},
            {"base_info": None},
            {"base_info": []},
            {"base_info": "mysql-to-dws"},
            {"base_info": {}},
            {"base_info": {"engine_type": None}},
            {"base_info": {"engine_type": ""}},
        ],
    )
    def test_odd_job(self, cloud, drs, job):
        cloud.get(JOB_URL, json={"job": job})
        with pytest.raises(BadAnswerError, match=f"{JOB_ID} without its engine type"):
            drs.check_collectable(JOB_ID)

    @pytest.mark.parametrize("code", ["APIGW.0101", "APIG.0101"])
    def test_unpublished(self, cloud, drs, code):
        cloud.get(JOB_URL, status=404, json={"error_code": code, "error_msg": "The API does not exist."})
        assert drs.check_collectable(JOB_ID) is False

    @pytest.mark.parametrize("status, code", [(404, "DRS.M00289"), (404, None), (400, "DRS.10000010"), (403, "APIGW.0101"), (401, "APIGW.0301")])
    def test_other_refusal(self, cloud, drs, status, code):
        cloud.get(JOB_URL, status=status, json={"error_code": code})
        with pytest.raises(ApiError):
            drs.check_collectable(JOB_ID)


KNOWN_CODES = """
    DRS.10000010 DRS.10030014 DRS.M00289 DRS.M05004 DRS.M05003 DRS.M00304 DRS.M01503 DRS.M01504 DRS.M00100 DRS.M00102 DRS.M00103 DRS.M00105
    DRS.M00261 APIGW.0101 APIGW.0301 APIGW.0302 APIGW.0306 APIGW.0307 APIGW.0308 APIGW.0601 APIGW.0613
""".split()


def explained(cloud, code, status=400):
    cloud.get(JOB_URL, status=status, json={"error_code": code, "error_msg": "It went wrong."})
    with pytest.raises(ApiError) as caught:
        client().show_job_detail(JOB_ID)
    return caught.value


class TestAdvice:
    def test_codes(self):
        assert sorted(ADVICE) == sorted(KNOWN_CODES)

    @pytest.mark.parametrize("code", KNOWN_CODES)
    def test_code(self, cloud, code):
        assert str(explained(cloud, code)).endswith(f" {ADVICE[code]}")

    @pytest.mark.parametrize("code", [code for code in KNOWN_CODES if code.startswith("APIGW.")])
    def test_older_prefix(self, cloud, code):
        message = str(explained(cloud, code.replace("APIGW.", "APIG.")))
        assert message.endswith(f" {ADVICE[code]}")
        assert code.replace("APIGW.", "APIG.") in message

    @pytest.mark.parametrize(
        "code, words",
        [
            ("DRS.10000010", "job_id, region and project"),
            ("DRS.10030014", "Collect the position again"),
            ("DRS.M00100", "Log in again"),
            ("DRS.M00102", "permission"),
            ("DRS.M01503", "Wait"),
            ("APIGW.0101", "not published in this region"),
            ("APIGW.0301", "Log in again"),
            ("APIGW.0301", "the clock of this host"),
            ("APIGW.0307", "region"),
            ("APIGW.0308", "Wait"),
        ],
    )
    def test_what_the_user_can_do(self, cloud, code, words):
        assert words in str(explained(cloud, code))

    @pytest.mark.parametrize("status, words", [(413, "too large"), (414, "too large"), (502, "later"), (504, "later")])
    @pytest.mark.parametrize("prefix", ["APIGW", "APIG"])
    def test_0201(self, cloud, prefix, status, words):
        message = str(explained(cloud, f"{prefix}.0201", status))
        assert message.endswith(f" {ADVICE_0201[status]}")
        assert words in message

    @pytest.mark.parametrize("code, status", [("APIGW.0201", 400), ("DRS.M99999", 400), (None, 400), ("XAPIG.0301", 401)])
    def test_none(self, cloud, code, status):
        error = explained(cloud, code, status)
        assert "It went wrong" in str(error)
        assert error.advice == []
