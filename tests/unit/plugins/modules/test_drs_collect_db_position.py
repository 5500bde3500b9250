# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECT_URL,
    COLLECTION,
    JOB_ID,
    JOB_URL,
    LOGIN_URL,
    LOST,
    POSITION,
    QUERY_ID,
    REQUEST_ID,
    RESULT_URL,
    TIME,
    WITH_PASSWORD,
    WITH_TOKEN,
    add_collect,
    add_job,
    add_result,
    bodies,
)

JOB = {"job_id": JOB_ID, "reset_position_time": TIME}
ARGS = {**WITH_TOKEN, **JOB}
STARTED = {"id": QUERY_ID, "changed": True, "request_id": REQUEST_ID, **JOB}
# Of module_utils, in one task.
MAX_SHARED_LINES = 1471
WAIT = pytest.mark.parametrize("wait", [False, True])


def test_documentation(module):
    module.check_documentation()
    module.check_options()


@pytest.mark.parametrize("auth", ["_auth_password", "_auth_token"])
def test_imports(auth):
    """A task compiles all that it imports, so the module imports no SDK, and of the collection only what it needs."""
    plugins = "ansible_collections.huaweicloud.drs.plugins"
    code = (
        f"import json, sys, {plugins}.modules.drs_collect_db_position, {plugins}.module_utils.{auth};"
        " print(json.dumps([name for name in sys.modules if 'huaweicloud' in name]))"
    )
    path = os.pathsep.join([str(COLLECTION.parents[2]), *filter(None, [os.environ.get("PYTHONPATH")])])
    found = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}, stdout=subprocess.PIPE, check=True
    )
    names = {found.rpartition(".")[2] for found in json.loads(found.stdout)}
    parents = {"huaweicloud", "drs", "plugins", "modules", "module_utils", "drs_collect_db_position"}
    shared = [auth, *"_auth _connection _drs _endpoints _errors _http _module _options _positions _timeout".split()]
    assert names == {*parents, *shared}
    files = [COLLECTION / "plugins" / "module_utils" / f"{name}.py" for name in shared]
    # Raise this only for what a single collect needs.
    assert sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files) <= MAX_SHARED_LINES


class TestCollect:
    def test_result(self, cloud, module):
        add_collect(cloud)
        assert module.run(ARGS) == {**STARTED, "status": "pending"}
        assert bodies(cloud) == [{"reset_position_time": TIME}]

    def test_returned_options(self, cloud, module):
        """The time is returned as it was sent, and job_id as it was set."""
        add_collect(cloud, job_id="177738d1-4eee-4fcb-a4e1-09aea79jb20i")
        assert module.run({**ARGS, "reset_position_time": "2023-09-19T15:00:00.7+08:00"}) == {
            **STARTED,
            "status": "pending",
        }
        assert bodies(cloud) == [{"reset_position_time": TIME}]

    def test_no_position_without_wait(self, cloud, module):
        add_collect(cloud, status="success", position=POSITION)
        assert module.run(ARGS) == {**STARTED, "status": "success"}

    @WAIT
    def test_failed(self, cloud, module, wait):
        add_collect(cloud, status="failed")
        message, result = module.fail({**ARGS, "wait": wait})
        assert result == {**STARTED, "status": "failed"}
        for part in (JOB_ID, TIME, "binlog"):
            assert part in message

    @WAIT
    def test_unknown_status(self, cloud, module, wait):
        add_collect(cloud, status="undocumented")
        message, result = module.fail({**ARGS, "wait": wait})
        assert "undocumented status, 'undocumented'. The query continues in DRS." in message
        assert result == STARTED

    def test_error(self, cloud, module):
        body = {"error_code": "DRS.10000010", "error_msg": "Job does not exist, please check job id."}
        cloud.post(COLLECT_URL, status=400, json=body, headers={"X-Request-Id": REQUEST_ID})
        message, result = module.fail(ARGS)
        assert result == {**JOB, "http_status": 400, "request_id": REQUEST_ID, **body}
        for part in ("DRS.10000010", "Job does not exist", REQUEST_ID, "region and project"):
            assert part in message

    def test_lost_response(self, cloud, module):
        cloud.post(COLLECT_URL, body=LOST)
        message, result = module.fail(ARGS)
        assert "DRS may have accepted" in message
        assert result == {**JOB, "changed": True}
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize("fault", [{"body": LOST}, {"status": 503}])
    def test_lost_login(self, cloud, module, check_mode, fault):
        """It changes nothing."""
        cloud.post(LOGIN_URL, **fault)
        _message, result = module.fail({**WITH_PASSWORD, **JOB}, check_mode)
        assert not result.get("changed")
        assert len(cloud.calls) == 1


class TestWait:
    @pytest.mark.parametrize("more, sleep", [({}, 2), ({"wait_sleep": 11}, 11)])
    def test_success(self, cloud, module, clock, more, sleep):
        add_collect(cloud)
        for status in ("pending", "pending", "success"):
            add_result(cloud, status)
        assert module.run({**ARGS, "wait": True, **more}) == {**STARTED, "status": "success", "position": POSITION}
        assert clock.pauses == [sleep] * 2
        assert cloud.calls[-1].request.url == f"{RESULT_URL}?query_id={QUERY_ID}"
        assert len(bodies(cloud)) == 1

    def test_failed(self, cloud, module):
        add_collect(cloud)
        add_result(cloud, "failed")
        message, result = module.fail({**ARGS, "wait": True})
        assert result == {**STARTED, "status": "failed"}
        assert JOB_ID in message

    def test_timeout(self, cloud, module, clock):
        add_collect(cloud)
        add_result(cloud, "pending")
        message, result = module.fail({**ARGS, "wait": True, "wait_timeout": 10})
        assert result == {**STARTED, "status": "pending"}
        assert sum(clock.pauses) == 10
        for part in (QUERY_ID, JOB_ID, "10 seconds", "huaweicloud.drs.drs_db_position_info"):
            assert part in message

    @pytest.mark.parametrize("code, continues", [("DRS.M00102", True), ("DRS.10030014", False), ("DRS.M05004", False)])
    def test_query_may_be_gone(self, cloud, module, code, continues):
        add_collect(cloud)
        cloud.get(RESULT_URL, status=400, json={"error_code": code, "error_msg": "No."})
        assert ("The query continues in DRS." in module.fail({**ARGS, "wait": True})[0]) is continues

    def test_request_id_of_the_error(self, cloud, module):
        add_collect(cloud)
        cloud.get(RESULT_URL, status=403, json={"error_code": "DRS.M00100"}, headers={"X-Request-Id": "of the error"})
        result = module.fail({**ARGS, "wait": True})[1]
        facts = {"request_id": "of the error", "http_status": 403, "error_code": "DRS.M00100"}
        assert result == {**STARTED, "status": "pending", **facts}


@pytest.mark.parametrize(
    "invalid, named",
    [
        ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
        ({"reset_position_time": "2023-09-19T07:00:00"}, "offset"),
        ({"wait_timeout": 86401}, "wait_timeout"),
        ({"wait_sleep": 0}, "wait_sleep"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"unknown": 1}, "unknown"),
    ],
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, invalid, named, check_mode):
    module.check_refused(cloud, {**ARGS, **invalid}, named, check_mode)


class TestCheckMode:
    REQUEST = {"method": "POST", "url": COLLECT_URL, "body": {"reset_position_time": TIME}}
    EXPECTED = {**JOB, "changed": True, "request_id": None, "request": REQUEST}
    EXPECTED.update(id=None, status=None, position=None)

    @WAIT
    def test_collectable_job(self, cloud, module, wait):
        add_job(cloud)
        assert module.run({**ARGS, "wait": wait}, check_mode=True) == self.EXPECTED
        assert [(call.request.method, call.request.url) for call in cloud.calls] == [("GET", f"{JOB_URL}?type=detail")]

    def test_other_engine_type(self, cloud, module):
        add_job(cloud, "mysql-to-mysql")
        message, result = module.fail(ARGS, check_mode=True)
        assert "mysql-to-mysql" in message
        assert result == JOB

    def test_region_without_the_call(self, cloud, module):
        cloud.get(JOB_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "The API does not exist."})
        result = module.run(ARGS, check_mode=True)
        (warning,) = result.pop("warnings")
        assert JOB_ID in str(warning)
        assert result == self.EXPECTED
