# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs are read by v3 of the API where v5 refuses, and are reported as absent only if neither knows them."""

from __future__ import annotations

import pytest
from simulator.client import Simulator

from ansible_collections.huaweicloud.drs.plugins.module_utils import _job_lists, _jobs
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_password import PasswordAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import ApiError, HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient

JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
ABSENT = "00000000-8e09-4a5d-8dd6-cc44f78jb20r"


@pytest.fixture
def drs(sim: Simulator) -> DrsClient:
    http = HttpClient(max_retries=0)
    user = {"username": "drs-operator", "password": "Operator-Passw0rd!", "domain_name": "example-account"}
    auth = PasswordAuth(AuthOptions(region="eu-west-101", iam_endpoint=sim.url, **user))
    auth.authenticate(http)
    return DrsClient(Session(http, auth), sim.url)


def test_v3_returns_the_same_as_v5(sim: Simulator, drs: DrsClient) -> None:
    def read() -> list[object]:
        return [
            _job_lists.list_jobs(drs),
            _jobs.show_job(drs, JOB),
            _jobs.show_progress(drs, JOB),
            _jobs.show_status(drs, JOB),
        ]

    by_v5 = read()
    for default in (None, "mysql", "mysql-to-dws"):
        sim.settings(refuse_v5_reads=True, v3_default_engine=default)
        by_v3 = read()
        if default:  # jobs of other engine types may be missing
            by_v5[0] = by_v3[0]
        assert by_v3 == by_v5
        assert drs.reads_v3
    assert JOB in {job["id"] for job in by_v3[0]}


def test_job_that_v5_does_not_know(sim: Simulator, drs: DrsClient) -> None:
    sim.job(JOB, known_to_v5=False)
    assert _jobs.show_job(drs, JOB)["name"] == "orders-to-dws"
    assert _jobs.check_collectable(drs, JOB) is True
    assert not drs.reads_v3


@pytest.mark.parametrize("refuse_v5_reads", [False, True])
@pytest.mark.parametrize("unknown_jobs_v3", ["refused", "entry", "absent"])
def test_job_that_neither_knows(sim: Simulator, drs: DrsClient, unknown_jobs_v3: str, refuse_v5_reads: bool) -> None:
    sim.settings(unknown_jobs_v3=unknown_jobs_v3, refuse_v5_reads=refuse_v5_reads)
    for read in (_jobs.check_collectable, _jobs.show_job):
        with pytest.raises(ApiError, match="Check job_id, region and project"):
            read(drs, ABSENT)


def test_job_of_another_engine(sim: Simulator, drs: DrsClient) -> None:
    sim.settings(refuse_v5_reads=True)
    sim.job(JOB, engine_type="mysql-to-mysql")
    with pytest.raises(HuaweiCloudError, match="has the engine type 'mysql-to-mysql'"):
        _jobs.check_collectable(drs, JOB)
