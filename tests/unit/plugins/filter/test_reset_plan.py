# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.filter.reset_plan import FilterModule
from ansible_collections.huaweicloud.drs.tests.unit.utils import JOB_ID

reset_plan = FilterModule().filters()["reset_plan"]
OTHER_JOB = "177738d1-4eee-4fcb-a4e1-09aea79jb20i"
TIME = "2023-09-19T07:00:00Z"
POSITION = "mysql-bin.000277:805"
GTID_SET = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
JOB = {"drs_job_id": JOB_ID}
COLLECTED = {"job_id": JOB_ID, "time": TIME, "id": "5", "status": "success", "position": POSITION}
WITH_GTID_SET = {**COLLECTED, "gtid_set": GTID_SET}
USED = {"source": "collected", "position": POSITION, "query_id": "5", "time": TIME}


@pytest.mark.parametrize(
    ("values", "job_id", "expected"),
    [
        ({"drs_use_position": POSITION}, JOB_ID, {"source": "given", "position": POSITION}),
        (
            {"drs_use_position": POSITION, "drs_use_gtid_set": GTID_SET},
            JOB_ID,
            {"source": "given", "position": POSITION},
        ),
        ({"drs_use_position": POSITION, "drs_collected": COLLECTED}, JOB_ID, {"source": "given", "position": POSITION}),
        ({"drs_use_query_id": "7"}, JOB_ID, {"source": "query", "query_id": "7"}),
        ({"drs_use_query_id": 7}, JOB_ID, {"source": "query", "query_id": "7"}),
        ({"drs_use_query_id": "7", "drs_collected": COLLECTED}, JOB_ID, {"source": "query", "query_id": "7"}),
        ({"drs_reset_position_time": TIME}, JOB_ID, {"source": "collect", "time": TIME}),
        ({"drs_reset_position_time": "2023-09-19 09:00:00+02:00"}, JOB_ID, {"source": "collect", "time": TIME}),
        ({"drs_reset_position_time": TIME, "drs_collected": COLLECTED}, JOB_ID, USED),
        ({"drs_reset_position_time": "2023-09-19T15:00:00+08:00", "drs_collected": COLLECTED}, JOB_ID, USED),
        ({"drs_collected": COLLECTED}, JOB_ID, USED),
        ({"drs_collected": WITH_GTID_SET}, JOB_ID, {**USED, "position": f"{POSITION};{GTID_SET}"}),
        # Another job, another time, and no position: collected again.
        (
            {"drs_reset_position_time": TIME, "drs_collected": {**COLLECTED, "job_id": OTHER_JOB}},
            JOB_ID,
            {"source": "collect", "time": TIME},
        ),
        (
            {"drs_reset_position_time": "2023-09-19T08:00:00Z", "drs_collected": COLLECTED},
            JOB_ID,
            {"source": "collect", "time": "2023-09-19T08:00:00Z"},
        ),
        (
            {"drs_reset_position_time": TIME, "drs_collected": {**COLLECTED, "status": "failed", "position": ""}},
            JOB_ID,
            {"source": "collect", "time": TIME},
        ),
    ],
)
def test_source(values, job_id, expected):
    empty = {"problem": "", "source": "unknown", "position": "", "query_id": "", "time": ""}
    empty |= {"confirmed": False, "verify": False}
    assert reset_plan({**JOB, **values}, job_id) == {**empty, **expected}


@pytest.mark.parametrize("name, key", [("drs_confirm", "confirmed"), ("drs_verify_source", "verify")])
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((value, True) for value in (True, 1, 1.0, "1", "true", "True", "yes", "YES", "on", "y", "Y", "t", " true ")),
        *((value, False) for value in (False, 0, "0", "false", "no", "off", "n", "F")),
    ],
)
def test_boolean(name, key, value, expected):
    """Each value that Ansible accepts as a Boolean is read as modules read it."""
    assert reset_plan({**JOB, "drs_use_position": POSITION, name: value}, JOB_ID)[key] is expected


@pytest.mark.parametrize("name", ["drs_confirm", "drs_verify_source"])
@pytest.mark.parametrize("value", ["maybe", 2, ["true"], {"a": 1}])
def test_no_boolean(name, value):
    plan = reset_plan({**JOB, "drs_use_position": POSITION, name: value}, JOB_ID)
    assert plan["problem"] == f"{name} must be true or false; it is {value!r}."


def test_an_earlier_play_of_the_run_precedes_an_extra_variable():
    stale = {"drs_collected": {**COLLECTED, "time": "2023-09-18T07:00:00Z", "position": "mysql-bin.000001:4"}}
    plan = reset_plan({**JOB, **stale}, JOB_ID, COLLECTED)
    assert (plan["position"], plan["time"]) == (POSITION, TIME)
    assert reset_plan({**JOB, **stale}, JOB_ID, {"skipped": True})["position"] == "mysql-bin.000001:4"
    other = reset_plan({**JOB, **stale}, JOB_ID, {**COLLECTED, "job_id": OTHER_JOB})
    assert other["problem"].endswith(f"drs_collected is for job {OTHER_JOB}, not for {JOB_ID}.")


@pytest.mark.parametrize(
    ("values", "source"),
    [
        ({"drs_collected": COLLECTED}, "unknown"),
        ({"drs_collected": COLLECTED, "drs_reset_position_time": TIME}, "collect"),
    ],
)
def test_job_that_is_known_by_its_name_only(values, source):
    plan = reset_plan({"drs_job_name": "orders-to-dws", **values}, "")
    assert (plan["problem"], plan["source"], plan["position"]) == ("", source, "")


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({}, "Set one of drs_reset_position_time, drs_use_query_id and drs_use_position."),
        ({"drs_position": POSITION}, "Set one of drs_reset_position_time, drs_use_query_id and drs_use_position."),
        (
            {"drs_reset_position_time": TIME, "drs_use_position": POSITION},
            "Set only one of drs_reset_position_time and drs_use_position.",
        ),
        (
            {"drs_reset_position_time": TIME, "drs_use_query_id": "5", "drs_use_position": POSITION},
            "Set only one of drs_reset_position_time and drs_use_query_id and drs_use_position.",
        ),
        (
            {"drs_collected": {**COLLECTED, "job_id": OTHER_JOB}},
            f"drs_collected is for job {OTHER_JOB}, not for {JOB_ID}.",
        ),
        ({"drs_collected": {**COLLECTED, "job_id": "x\ny\x1bz"}}, f"drs_collected is for job x y z, not for {JOB_ID}."),
        ({"drs_collected": {**COLLECTED, "status": "pending"}}, "drs_collected contains no position."),
        ({"drs_collected": {**COLLECTED, "position": "x"}}, "it is 'x'"),
        ({"drs_collected": {**COLLECTED, "time": "x"}}, "it is 'x'"),
        ({"drs_collected": WITH_GTID_SET, "drs_use_gtid_set": "a:1"}, "gtid_set is 'a:1'"),
        ({"drs_collected": "x"}, "drs_collected must be as huaweicloud.drs.collect_db_position returns it."),
        ({"drs_collected": {"job_id": JOB_ID}}, "drs_collected must be as"),
        ({"drs_job_name": "x", "drs_use_position": POSITION}, "Set either drs_job_id or drs_job_name."),
        ({"drs_job_id": "x", "drs_use_position": POSITION}, "job_id"),
        ({"drs_job_id": [JOB_ID], "drs_use_position": POSITION}, "job_id must"),
        ({"drs_use_position": "mysql-bin.000277"}, "it is 'mysql-bin.000277'"),
        ({"drs_use_position": {"file": 5}}, "it is \"{'file': 5}\""),
        ({"drs_use_position": POSITION, "drs_use_gtid_set": False}, "drs_use_gtid_set must be a text; it is False."),
        (
            {"drs_use_position": POSITION, "drs_wait_timeout": 300.0},
            "drs_wait_timeout must be a whole number; it is 300.0",
        ),
        ({"drs_use_position": POSITION, "drs_wait_sleep": "1e1"}, "drs_wait_sleep must be a whole number; it is '1e1'"),
        ({"drs_use_position": POSITION, "drs_use_gtid_set": "<"}, "gtid_set must be"),
        ({"drs_use_query_id": "a b"}, "it is 'a b'"),
        ({"drs_reset_position_time": "yesterday"}, "it is 'yesterday'"),
        ({"drs_reset_position_time": TIME, "drs_use_gtid_set": "<"}, "gtid_set must be"),
        ({"drs_use_position": POSITION, "drs_wait_timeout": "0"}, "drs_wait_timeout must be a number from 1 to 86400"),
        ({"drs_use_position": POSITION, "drs_wait_sleep": 3601}, "drs_wait_sleep must be a number from 1 to 3600"),
        ({"drs_use_position": POSITION, "drs_report_path": "report.json"}, "drs_report_path must end in .md, and"),
        ({"drs_use_position": POSITION, "drs_report_path": "report\n.md"}, "drs_report_path must end in .md, and"),
        ({"drs_use_position": POSITION, "drs_report_path": "${HOME}.md"}, "drs_report_path must end in .md, and"),
    ],
)
def test_refused(values, problem):
    assert problem in reset_plan({**JOB, **values}, JOB_ID)["problem"]
