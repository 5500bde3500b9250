# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    JOB_ID,
    POSITION,
    QUERY_ID,
    RESULT_URL,
    WITH_TOKEN,
    add_result,
)

IDS = {"job_id": JOB_ID, "query_id": QUERY_ID}
ARGS = {**WITH_TOKEN, **IDS}


def test_documentation(module):
    module.check_documentation()
    module.check_options()


@pytest.mark.parametrize("status, found", [("pending", {}), ("failed", {}), ("success", {"position": POSITION})])
def test_status(cloud, module, check_mode, status, found):
    add_result(cloud, status)
    expected = {**IDS, "changed": False, "status": status, "request_id": f"result-{status}", **found}
    assert module.run(ARGS, check_mode) == expected
    requests = [(call.request.method, call.request.url) for call in cloud.calls]
    assert requests == [("GET", f"{RESULT_URL}?query_id={QUERY_ID}")]


def test_refused(cloud, module, check_mode):
    body = {"error_code": "DRS.10030014", "error_msg": "The query does not exist."}
    cloud.get(RESULT_URL, status=400, json=body, headers={"X-Request-Id": "r1"})
    message, result = module.fail(ARGS, check_mode)
    assert result == {**IDS, "changed": False, "http_status": 400, "request_id": "r1", **body}
    assert "Collect the position again" in message


@pytest.mark.parametrize(
    "invalid, named",
    [
        ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
        ({"query_id": "a b"}, "query_id"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"reset_position_time": "2023-09-19T07:00:00Z"}, "reset_position_time"),
    ],
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, check_mode, invalid, named):
    module.check_refused(cloud, {**ARGS, **invalid}, named, check_mode)
