# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_password import PasswordAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import ApiError, HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import HINTS
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._position_results import show_position_result
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    JOB_ID,
    LOGIN_URL,
    QUERY_ID,
    REGION,
    RESULT_URL,
    USER,
    client,
)

KNOWN_CODES = """
    DRS.10000010 DRS.10030014 DRS.M00289 DRS.M05004 DRS.M05003 DRS.M00304 DRS.M01503 DRS.M01504
    DRS.M00100 DRS.M00102 DRS.M00103 DRS.M00105 DRS.M00261
    APIGW.0101 APIGW.0301 APIGW.0302 APIGW.0306 APIGW.0307 APIGW.0308 APIGW.0601 APIGW.0613
""".split()


def error_with(cloud, code, status=400):
    cloud.get(RESULT_URL, status=status, json={"error_code": code, "error_msg": "It went wrong."})
    with pytest.raises(ApiError) as caught:
        show_position_result(client(), JOB_ID, QUERY_ID)
    return caught.value


class TestDrsHint:
    def test_known_codes(self):
        assert sorted(HINTS) == sorted(KNOWN_CODES)

    @pytest.mark.parametrize("code", KNOWN_CODES)
    def test_hint_ends_the_message(self, cloud, code):
        assert str(error_with(cloud, code)).endswith(f" {HINTS[code]}")

    def test_older_prefix_of_the_gateway(self, cloud):
        message = str(error_with(cloud, "APIG.0301"))
        assert message.endswith(f" {HINTS['APIGW.0301']}")
        assert "APIG.0301" in message

    @pytest.mark.parametrize(
        "code, words",
        [
            ("DRS.10000010", "job_id, region and project"),
            ("APIGW.0101", "not available in this region"),
            ("APIGW.0301", "log in again"),
            ("APIGW.0301", "the clock of this host"),
        ],
    )
    def test_what_the_user_can_do(self, cloud, code, words):
        assert words in str(error_with(cloud, code))

    @pytest.mark.parametrize(
        "prefix, status, words",
        [("APIGW", 413, "too large"), ("APIG", 414, "too large"), ("APIGW", 502, "later"), ("APIG", 504, "later")],
    )
    def test_0201_depends_on_the_status(self, cloud, prefix, status, words):
        assert words in str(error_with(cloud, f"{prefix}.0201", status))

    @pytest.mark.parametrize(
        "code, status", [("APIGW.0201", 400), ("DRS.M99999", 400), (None, 400), ("XAPIG.0301", 401)]
    )
    def test_unknown_code_has_no_hint(self, cloud, code, status):
        error = error_with(cloud, code, status)
        assert "It went wrong" in str(error)
        assert error.hints == []


class TestLoginHint:
    @pytest.mark.parametrize(
        "status, body, said",
        [
            (
                401,
                {"error": {"code": 401, "message": "The account is locked."}},
                "Several failed logins lock a user for 15 minutes.",
            ),
            (
                401,
                {"receipt": {"methods": ["password"]}, "required_auth_methods": [["totp", "password"]]},
                "second factor",
            ),
            (500, {"error_code": "APIGW.0601"}, "operator"),
        ],
    )
    def test_refused_for_another_reason_than_the_password(self, cloud, status, body, said):
        cloud.post(LOGIN_URL, status=status, json=body)
        with pytest.raises(HuaweiCloudError) as caught:
            PasswordAuth(AuthOptions(region=REGION, **USER)).authenticate(HttpClient(timeout=10, max_retries=2))
        error = caught.value
        assert "operator" in str(error)
        assert said in str(error)
        assert "Check the password" not in str(error)
        assert len(cloud.calls) == 1
