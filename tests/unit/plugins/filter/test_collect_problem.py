# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.filter.collect_problem import FilterModule
from ansible_collections.huaweicloud.drs.tests.unit.utils import JOB_ID

collect_problem = FilterModule().filters()["collect_problem"]
TIME = {"drs_reset_position_time": "2023-09-19T07:00:00Z"}
JOB = {**TIME, "drs_job_id": JOB_ID}


@pytest.mark.parametrize(
    ("values", "job_ids"),
    [
        (JOB, []),
        ({**TIME, "drs_job_name": "orders-to-dws"}, []),
        ({**TIME, "drs_job_ids": JOB_ID}, [JOB_ID]),
        ({**JOB, "drs_wait_timeout": "60", "drs_wait_sleep": "1", "drs_concurrency": "100"}, []),
    ],
)
def test_accepted(values, job_ids):
    assert collect_problem(values, job_ids) == ""


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        (TIME, "Set drs_job_id or drs_job_name for one job, or drs_job_ids for many jobs."),
        ({**JOB, "drs_job_name": "x"}, "Set only one of drs_job_id and drs_job_name."),
        (
            {**JOB, "drs_job_name": "x", "drs_job_ids": "y"},
            "Set only one of drs_job_id and drs_job_name and drs_job_ids.",
        ),
        ({**TIME, "drs_job_id": "x"}, "job_id"),
        ({**TIME, "drs_job_id": 5}, "job_id"),
        ({**JOB, "drs_concurrency": "1e1"}, "drs_concurrency must be a whole number; it is '1e1'."),
        ({**TIME, "drs_job_ids": ","}, "drs_job_ids contains no ID of a job."),
        ({"drs_job_id": JOB_ID}, "Set drs_reset_position_time to the point in time"),
        ({**JOB, "drs_reset_position_time": "yesterday"}, "it is 'yesterday'"),
        ({**JOB, "drs_wait_timeout": "0"}, "drs_wait_timeout must be a number from 1 to 86400; it is 0."),
        ({**JOB, "drs_wait_sleep": 3601}, "drs_wait_sleep must be a number from 1 to 3600; it is 3601."),
        ({**JOB, "drs_concurrency": "0"}, "drs_concurrency must be a number from 1 to 100; it is 0."),
    ],
)
def test_refused(values, problem):
    """Each message names the variable."""
    assert problem in collect_problem(values, [])
