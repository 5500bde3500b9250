# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    HuaweiCloudError,
    InvalidOptionError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._start_position import (
    start_position_request,
    update_start_position,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    JOB_ID,
    POSITION,
    REQUEST_ID,
    START_URL,
    add_start,
    bodies,
    client,
    sent,
)


@pytest.fixture
def drs():
    return client()


def test_nothing_is_sent_with_an_invalid_job_id(drs, cloud):
    with pytest.raises(InvalidOptionError, match="job_id"):
        update_start_position(drs, f"{JOB_ID[:-3]}/..", POSITION)
    assert len(cloud.calls) == 0


class TestUpdateStartPosition:
    @pytest.mark.parametrize("gtid_set", [None, "", "4350aee0-56b5-11ee-8c99-0242ac120002:1-77"])
    def test_request(self, cloud, drs, gtid_set):
        add_start(cloud)
        assert update_start_position(drs, JOB_ID, POSITION, gtid_set) == REQUEST_ID
        body = {"file_and_position": POSITION, **({"gtid_set": gtid_set} if gtid_set else {})}
        assert sent(cloud) == [("PUT", START_URL)]
        assert bodies(cloud, "PUT") == [body]
        assert cloud.calls[0].request.headers["Content-Type"] == "application/json"
        assert start_position_request(drs, JOB_ID, POSITION, gtid_set) == {
            "method": "PUT",
            "url": START_URL,
            "body": body,
        }

    @pytest.mark.parametrize(
        "body, said",
        [
            ({"status": "failed"}, "did not confirm the start position of job"),
            ({"status": "failed", "error_msg": "Not now."}, ": Not now."),
            ({"job": {"id": JOB_ID, "status": "failed"}}, "did not confirm the start position of job"),
            ({"success": False}, "did not confirm the start position of job"),
            ({"status": "FAILED"}, "did not confirm the start position of job"),
            ({"code": "DRS.M00304", "message": "Not now."}, ": DRS.M00304 Not now."),
            ({"error_msg": "Not now."}, ": Not now."),
            ({"error": {"code": "DRS.M00304", "message": "Not now."}}, ": DRS.M00304 Not now."),
            ({"errors": [{"error_code": "DRS.M00304"}]}, ": DRS.M00304"),
            ({"results": [{"id": JOB_ID, "status": "failed", "error_msg": "Not now."}]}, ": Not now."),
            *(
                (body, "did not confirm the start position of job")
                for body in [
                    {"error": "refused"},
                    {"error": True},
                    {"result": "failed"},
                    {"is_success": False},
                    {"failed": [JOB_ID]},
                    {"results": [{"id": JOB_ID, "status": "failed", "error_message": "Not now."}]},
                    {"jobs": [{"id": JOB_ID, "success": False}]},
                    {"status": ["success"]},
                    {"status": {}},
                    {"id": False},
                    {"job_id": {"error": "refused"}},
                    {"request_id": ["failed"]},
                ]
            ),
        ],
    )
    def test_failure_with_a_2xx_status(self, cloud, drs, body, said):
        """Otherwise, a job would be resumed from its old position."""
        cloud.put(START_URL, json=body, headers={"X-Request-Id": REQUEST_ID})
        with pytest.raises(HuaweiCloudError) as caught:
            update_start_position(drs, JOB_ID, POSITION)
        assert said in str(caught.value)
        assert caught.value.request_id == REQUEST_ID

    @pytest.mark.parametrize(
        "body",
        [
            None,
            {},
            {"status": "success"},
            {"status": "pending", "id": "1"},
            {"success": True},
            {"job_id": JOB_ID, "request_id": "1", "status": None, "success": None},
        ],
    )
    def test_success(self, cloud, drs, body):
        cloud.put(START_URL, **({} if body is None else {"json": body}))
        assert update_start_position(drs, JOB_ID, POSITION) is None
