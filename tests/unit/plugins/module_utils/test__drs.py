# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import is_transient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidResponseError,
    TransportError,
    WaitTimeoutError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import (
    collect_position_async,
    wait_for_position,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECT_URL,
    JOB_ID,
    POSITION,
    QUERY_ID,
    RESULT_URL,
    TIME,
    add_collect,
    add_result,
    client,
)


@pytest.fixture
def drs():
    return client()


class TestRequest:
    def test_language_header(self, cloud):
        add_collect(cloud)
        collect_position_async(client(language="zh-cn"), JOB_ID, TIME)
        assert cloud.calls[0].request.headers["X-Language"] == "zh-cn"

    @pytest.mark.parametrize("status, code", [(500, ""), (504, "APIGW.0201")])
    def test_hint_when_drs_may_have_accepted(self, cloud, status, code):
        """It is the only hint: the code's own hint could be to try again."""
        cloud.post(COLLECT_URL, status=status, json={"error_code": code, "error_msg": "Backend timeout."})
        with pytest.raises(ApiError, match="DRS may have accepted the request.* before you run this task again[.]$"):
            collect_position_async(client(max_retries=4), JOB_ID, TIME)
        assert len(cloud.calls) == 1


class TestInvalidResponse:
    @pytest.mark.parametrize("headers, expected", [({"X-Request-Id": "r1"}, ["(request ID r1)"]), ({}, [])])
    def test_message_has_the_request_id(self, cloud, drs, headers, expected):
        cloud.post(COLLECT_URL, status=202, headers=headers)
        with pytest.raises(InvalidResponseError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert re.findall(r"\(request ID.*?\)", str(caught.value)) == expected


@pytest.mark.parametrize(
    "error, before, after",
    [
        (ApiError("x", http_status=429), True, True),
        (ApiError("x", http_status=503), True, True),
        (ApiError("x", http_status=400, error_code="DRS.M01503"), True, True),
        (ApiError("x", http_status=400, error_code="DRS.M01504"), False, False),
        (ApiError("x", http_status=500), False, False),
        (TransportError("x"), False, True),
        (InvalidResponseError("x"), False, False),
        (HuaweiCloudError("x"), False, False),
    ],
)
def test_is_transient(clock, error, before, after):
    assert is_transient(error, clock.monotonic() + 100) is before
    assert is_transient(error, clock.monotonic() - 1) is after


class TestWaitFor:
    def test_throttled_requests_are_repeated(self, cloud, drs, clock):
        for _response in range(2):
            cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.M01503"})
        add_result(cloud, "success")
        assert wait_for_position(drs, JOB_ID, QUERY_ID, 300, 2).position == POSITION
        assert clock.pauses == [2, 2]

    def test_other_errors_are_raised(self, cloud, drs):
        add_result(cloud, "pending")
        cloud.get(RESULT_URL, status=400, json={"error_code": "DRS.10030014", "error_msg": "No such query."})
        with pytest.raises(ApiError, match="Collect the position again"):
            wait_for_position(drs, JOB_ID, QUERY_ID, 300, 2)

    def test_retries_end_at_the_deadline(self, cloud, clock):
        cloud.get(RESULT_URL, status=429, headers={"Retry-After": "60"})
        with pytest.raises(WaitTimeoutError):
            wait_for_position(client(max_retries=99), JOB_ID, QUERY_ID, 150, 40)
        # Where the next pause of a retry would pass the deadline, the pause between two reads is used.
        assert clock.pauses == [60, 60, 30]

    def test_no_connection_at_the_deadline(self, refusing_url, clock):
        with pytest.raises(WaitTimeoutError):
            wait_for_position(client(refusing_url), JOB_ID, QUERY_ID, 0, 2)
