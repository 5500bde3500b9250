# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A batch of fifty jobs on real connections, where one job in the middle meets a fault: one row for each outcome."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._batch import PositionBatch
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.tests.conformance.runs import JOB, MOMENT, PROJECT
from ansible_collections.huaweicloud.drs.tests.unit import loopback

COUNT, MIDDLE, CONCURRENCY = 50, 25, 10
IDS = [JOB if number == MIDDLE else f"{number:08d}-8e09-4a5d-8dd6-cc44f78jb20r" for number in range(COUNT)]
USER = {"username": "drs-operator", "password": "Operator-Passw0rd!", "domain_name": "example-account"}
TOKEN = "MIIRawServersToken0123456789"
MODULE = "ansible_collections.huaweicloud.drs.plugins.modules.drs_batch_collect_db_position"
# Seconds that a slow machine may take.
QUICK = 10


def response(status: int, body: Any, *headers: str) -> bytes:
    """Return a response that keeps the connection open."""
    whole: bytes = loopback.response(
        json.dumps(body).encode(), status, headers=["X-Request-Id: of-the-response", *headers]
    )
    return whole.replace(b"Connection: close", b"Connection: keep-alive")


class Cloud:
    """A cloud in which every call for fifty jobs succeeds, except one call for the job in the middle.

    :param call: ``collect``, ``read`` or ``job``.
    :param faults: The faults of that call, in order: the bytes of a response, or a script of loopback.py.
    """

    def __init__(self, call: str, *faults: Any) -> None:
        self.call = call
        self.logins = 0
        # The calls that arrived, each with its job.
        self.arrived: list[tuple[str, str]] = []
        self._faults = list(faults)

    def talk(self, connection: Any, server: Any) -> None:
        while True:
            server.read_request(connection)
            path = server.requests[-1].split()[1].decode().partition("?")[0]
            if path.endswith("/tokens"):
                self.logins += 1
                connection.sendall(response(201, {"token": {"project": {"id": PROJECT}}}, f"X-Subject-Token: {TOKEN}"))
                continue
            if path.endswith("/jobs/batch-detail"):  # v3, which does not know a job that v5 does not know
                connection.sendall(response(200, {"count": 0, "results": []}))
                continue
            job_id, *end = path.split("/")[4:]
            call = {"collect-db-position": "collect", "db-position": "read"}.get("".join(end), "job")
            self.arrived.append((call, job_id))
            if (call, job_id) == (self.call, JOB) and self._faults:
                fault = self._faults.pop(0)
                if callable(fault):
                    fault(connection, server)
                    return
                connection.sendall(fault)
                continue
            known = expected(call, job_id)
            body = {"job": {"base_info": {"engine_type": "mysql-to-dws"}}} if call == "job" else known
            connection.sendall(response(202 if call == "collect" else 200, body))

    def wait_for(self, count: int) -> None:
        deadline = time.monotonic() + 2 * QUICK
        while len(self.arrived) < count:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def expected(call: str, job_id: str) -> dict[str, Any]:
    """Return the result of a job after a successful call."""
    if call == "job":
        return {"job_id": job_id, "outcome": "collectable"}
    query = {"job_id": job_id, "outcome": "pending", "status": "pending", "id": f"query-{job_id}"}
    query["request_id"] = "of-the-response"
    position = {"outcome": "success", "status": "success", "position": f"mysql-bin.{IDS.index(job_id):06d}:4"}
    return query if call == "collect" else {**query, **position}


GONE = response(400, {"error_code": "DRS.10000010", "error_msg": "no job"})
BROKEN = response(500, {"error_code": "DRS.M00001", "error_msg": "Broken"})
THROTTLED = response(429, {"error_code": "APIGW.0308"}, "Retry-After: 9")
RESET = loopback.reset
# The call, its faults, how often it is sent with one retry, the outcome, and the error message.
ROWS = [
    ("collect", [GONE], 1, "refused", "DRS.10000010"),
    ("collect", [THROTTLED, THROTTLED], 2, "refused", "APIGW.0308"),
    ("collect", [THROTTLED], 2, "pending", None),
    ("collect", [RESET], 1, "unknown", "DRS may have accepted the request"),
    ("collect", [BROKEN], 1, "unknown", "DRS may have accepted the request"),
    ("read", [RESET], 2, "success", None),
    ("read", [BROKEN, BROKEN], 2, "pending", "Broken"),
    ("job", [RESET], 2, "collectable", None),
    ("job", [GONE], 1, "refused", "DRS.10000010"),
    ("job", [RESET, RESET], 2, "unknown", "no complete response"),
]


@pytest.mark.parametrize(("call", "faults", "sent", "outcome", "says"), ROWS)
def test_fault(serve: Any, clock: Any, call: str, faults: list[Any], sent: int, outcome: str, says: str | None) -> None:
    cloud = Cloud(call, *faults)
    url = serve(cloud.talk).url
    http = HttpClient(timeout=QUICK, max_retries=1, connections=CONCURRENCY)
    auth = select_auth(AuthOptions(iam_endpoint=url, project_name="eu-west-101", **USER))
    auth.authenticate(http)
    batch = PositionBatch(DrsClient(Session(http, auth), url), IDS, MOMENT, CONCURRENCY)
    message = ""
    if call == "job":
        batch.check()
    else:
        batch.collect()
    if call == "read":
        batch.wait(1500, 1500)
    try:
        batch.check_outcome()
    except HuaweiCloudError as error:
        message = str(error)

    one = batch.positions[MIDDLE]
    assert [position for position in batch.positions if position is not one] == [
        expected(call, job_id) for job_id in IDS if job_id != JOB
    ]
    assert cloud.logins == 1
    calls = ["collect", "read"] if call == "read" else [call]
    once = Counter((name, job_id) for name in calls for job_id in IDS)
    assert Counter(cloud.arrived) == once + Counter({(call, JOB): sent - 1})
    assert one["outcome"] == outcome
    if says is None:
        assert message == ""
        assert one == expected(call, JOB)
        return
    assert says in one["msg"]
    assert one.get("id") == (f"query-{JOB}" if call == "read" else None)
    assert message.startswith("1 of 50 jobs failed. ")
    assert [job_id for job_id in IDS if job_id in message] == [JOB]


def start_module(url: str, **options: Any) -> subprocess.Popen[str]:
    """Start the module in its own process."""
    given = {"job_ids": IDS, "reset_position_time": MOMENT, "endpoint": url, "iam_endpoint": url, **USER, **options}
    task = subprocess.Popen(
        [sys.executable, "-m", MODULE],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert task.stdin
    task.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": {**given, "project_name": "eu-west-101", "concurrency": 1}}))
    task.stdin.close()
    task.stdin = None
    return task


@pytest.mark.parametrize("interrupted", [True, False])
def test_early_end(serve: Any, interrupted: bool) -> None:
    """An interrupted process, or one that lost its server, ends at once and returns what it has sent."""
    cloud = Cloud("collect", loopback.hold)
    server = serve(cloud.talk)
    task = start_module(server.url, max_retries=1)
    cloud.wait_for(MIDDLE + 1)
    began = time.monotonic()
    if interrupted:
        task.send_signal(signal.SIGTERM)
    else:
        server.stop()
    out, err = task.communicate(timeout=30)
    assert time.monotonic() - began < QUICK
    assert err == ""
    assert TOKEN not in out and USER["password"] not in out
    result = json.loads(out)
    assert result["failed"] and result["changed"] and "exception" not in result
    assert [position["job_id"] for position in result["positions"]] == IDS
    assert result["positions"][:MIDDLE] == [expected("collect", job_id) for job_id in IDS[:MIDDLE]]
    assert result["counts"] == {"pending": MIDDLE, "unknown": 1, "unsent": COUNT - MIDDLE - 1}
    assert set(Counter(cloud.arrived).values()) == {1}
    lost, unsent = result["positions"][MIDDLE : MIDDLE + 2]
    if interrupted:
        assert "was interrupted" in result["msg"]
    else:
        assert "DRS may have accepted" in lost["msg"]
        assert "connection failed" in unsent["msg"]
