# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import collect_position_async
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECT_URL,
    JOB_ID,
    TIME,
    add_collect,
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
