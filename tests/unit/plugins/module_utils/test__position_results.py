# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
    WaitTimeoutError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._position_results import (
    PositionResult,
    check_query_id,
    show_position_result,
    wait_for_position,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    GTID_SET,
    JOB_ID,
    POSITION,
    QUERY_ID,
    RESULT_URL,
    TOKEN,
    add_result,
    check_nothing_shown,
    client,
    shown,
    texts,
)


@pytest.fixture
def drs():
    return client()


class TestCheckQueryId:
    @pytest.mark.parametrize("value", [QUERY_ID, "x", "a/../b?c=d&e", "!~", "x" * 128])
    def test_accepted(self, value):
        assert check_query_id(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "********-4535",
            "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER",
            " ",
            "a b",
            "a\n",
            "\ud800",
            "\u00e9",
            "\x00",
            "\x7f",
            "x" * 129,
            "x" * 9999,
            "[1]",
            "{1}",
            "a\\x9b",
            "'a'",
            '"a"',
            "a{",
            "%a",
            "#a",
        ],
    )
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="query_id") as caught:
            check_query_id(value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300

    @settings(max_examples=50)
    @given(texts() | texts(min_size=36, max_size=36) | texts("aZ0-", min_size=36, max_size=36))
    def test_any_text(self, value):
        valid = re.fullmatch("[!-~]{1,128}", value) is not None and not re.search(r"""[*"'\\]|^[\[{]""", value)
        try:
            assert check_query_id(value) == value
            assert valid
        except InvalidOptionError as error:
            assert not valid
            assert str(error).isprintable()


def test_nothing_is_sent_with_an_invalid_job_id(drs, cloud):
    with pytest.raises(InvalidOptionError, match="job_id"):
        show_position_result(drs, f"{JOB_ID[:-3]}/..", QUERY_ID)
    assert len(cloud.calls) == 0


def test_secret_in_a_response_is_not_shown(cloud, drs):
    cloud.get(RESULT_URL, json={"status": TOKEN})
    with pytest.raises(HuaweiCloudError) as caught:
        show_position_result(drs, JOB_ID, QUERY_ID)
    check_nothing_shown(shown(caught.value))


class TestResult:
    def test_request(self, cloud, drs):
        add_result(cloud, "success")
        assert show_position_result(drs, JOB_ID, "id/with&?") == PositionResult("success", POSITION, "result-success")
        assert cloud.calls[0].request.url == f"{RESULT_URL}?query_id=id%2Fwith%26%3F"
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN

    def test_position_with_a_gtid_set(self, cloud, drs):
        add_result(cloud, "success", f"{POSITION};{GTID_SET}")
        result = show_position_result(drs, JOB_ID, QUERY_ID)
        assert result.facts() == {"position": POSITION, "gtid_set": GTID_SET}

    @pytest.mark.parametrize("status", ["pending", "failed"])
    def test_position_only_with_success(self, cloud, drs, status):
        add_result(cloud, status)
        assert show_position_result(drs, JOB_ID, QUERY_ID) == PositionResult(status, None, f"result-{status}")

    @pytest.mark.parametrize(
        "position",
        [
            *(None, "", ["mysql-bin.000277:805"], "\x1b[31m", "x" * 4097, "[...]", "{1}", r"['\x9b2J']"),
            *(r"mysql-bin.\x9b2J:805", "mysql'bin.000277:805", 'mysql"bin.000277:805'),
            *("mysql-bin.000277:805{{1}}", "%set a=1%", "#jinja2:a", "mysql-bin.000277:{"),
        ],
    )
    def test_success_without_a_valid_position(self, cloud, drs, position):
        add_result(cloud, "success", position)
        with pytest.raises(InvalidResponseError, match="position") as caught:
            show_position_result(drs, JOB_ID, QUERY_ID)
        assert (caught.value.request_id, caught.value.maybe_accepted) == ("result-success", False)

    @pytest.mark.parametrize(
        "position",
        ["Passw0rd-1.000277:805", "PASSW0RD-1.000277:805", f"{POSITION};{GTID_SET},Passw0rd-1:1"],
    )
    def test_position_with_a_secret(self, cloud, position):
        """Ansible would return it masked, so it is not returned at all."""
        add_result(cloud, "success", position)
        with pytest.raises(InvalidResponseError, match="contains the value of a secret option.*iam_token") as caught:
            show_position_result(client(secrets={"Passw0rd-1"}), JOB_ID, QUERY_ID)
        assert caught.value.request_id == "result-success"
        assert "passw0rd" not in str(caught.value).lower()

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
