# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._job_lists import list_jobs
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import (
    ENDED_STATUSES,
    FAILED_STATUSES,
    JOB_STATUSES,
    RUNNING,
    check_collectable,
    show_actions,
    show_job,
    show_job_detail,
    show_progress,
    show_start,
    show_status,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTIONS_URL,
    DETAILS_V3_URL,
    GTID_SET,
    JOB_ID,
    JOB_URL,
    JOBS_V3_URL,
    LOST,
    POSITION,
    PROGRESS_V3_URL,
    TOKEN,
    add_actions,
    add_details_v3,
    add_job,
    add_status,
    bodies,
    check_nothing_shown,
    client,
    job_id,
    listed,
    sent,
    shown,
)


@pytest.fixture
def drs():
    return client()


def test_nothing_is_sent_with_an_invalid_job_id(drs, cloud):
    for call in (show_job_detail, show_job, show_progress, show_status, show_actions, show_start):
        with pytest.raises(InvalidOptionError, match="job_id"):
            call(drs, f"{JOB_ID[:-3]}/..")
    assert len(cloud.calls) == 0


class TestConstants:
    """Compared with a second copy of what the API pages say."""

    def test_statuses(self):
        assert len(JOB_STATUSES) == len(set(JOB_STATUSES)) == 29
        assert RUNNING == {"FULL_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"}
        assert RUNNING | FAILED_STATUSES | ENDED_STATUSES < set(JOB_STATUSES)
        assert ENDED_STATUSES == {"RELEASE_RESOURCE_STARTED", "RELEASE_RESOURCE_COMPLETE", "DELETED"}
        assert FAILED_STATUSES == {
            "CREATE_FAILED",
            "START_JOB_FAILED",
            "FULL_TRANSFER_FAILED",
            "INCRE_TRANSFER_FAILED",
            "RELEASE_RESOURCE_FAILED",
            "REBUILD_NODE_FAILED",
            "CHANGE_JOB_FAILED",
            "CHILD_TRANSFER_FAILED",
            "NODE_UPGRADE_FAILED",
        }


class TestShowJobDetail:
    def test_request(self, cloud, drs):
        add_job(cloud)
        assert show_job_detail(drs, JOB_ID) == {"id": JOB_ID, "base_info": {"engine_type": "mysql-to-dws"}}
        assert cloud.calls[0].request.url == f"{JOB_URL}?type=detail"

    @pytest.mark.parametrize("body", [{}, {"job": None}, {"job": []}])
    def test_response_without_a_job(self, cloud, drs, body):
        cloud.get(JOB_URL, json=body)
        with pytest.raises(InvalidResponseError, match="job"):
            show_job_detail(drs, JOB_ID)

    @pytest.mark.parametrize("other", [job_id(7), "", 5, [JOB_ID]])
    def test_response_about_another_job(self, cloud, drs, other):
        """A reset would take its status for that of the job."""
        cloud.get(JOB_URL, json={"job": {"id": other, "status": "PAUSING"}})
        with pytest.raises(InvalidResponseError, match=f"DRS returned another job than {JOB_ID}"):
            show_job_detail(drs, JOB_ID)

    @pytest.mark.parametrize("reads_v3", [False, True])
    def test_id_in_upper_case(self, cloud, drs, reads_v3):
        drs.reads_v3 = reads_v3
        if reads_v3:
            add_details_v3(cloud, id=JOB_ID.upper())
        else:
            cloud.get(JOB_URL, json={"job": {"id": JOB_ID.upper()}})
        assert show_job_detail(drs, JOB_ID)["id"] == JOB_ID.upper()


class TestCheckCollectable:
    def test_mysql_to_dws(self, cloud, drs):
        add_job(cloud)
        assert check_collectable(drs, JOB_ID) is True

    @pytest.mark.parametrize("engine_type", ["mysql-to-mysql", ["mysql-to-dws"], "\x1b]0;owned\x07", "x" * 9999])
    def test_other_engine_type(self, cloud, drs, engine_type):
        add_job(cloud, engine_type)
        with pytest.raises(HuaweiCloudError, match="mysql-to-dws") as caught:
            check_collectable(drs, JOB_ID)
        assert JOB_ID in str(caught.value)
        assert str(engine_type)[1:50].replace("\x07", "") in str(caught.value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300

    @pytest.mark.parametrize(
        "job", [{}, {"base_info": "mysql-to-dws"}, {"base_info": {}}, {"base_info": {"engine_type": ""}}]
    )
    def test_no_engine_type(self, cloud, drs, job):
        cloud.get(JOB_URL, json={"job": job})
        with pytest.raises(InvalidResponseError, match=f"DRS did not return the engine type of job {JOB_ID}"):
            check_collectable(drs, JOB_ID)

    @pytest.mark.parametrize(
        "status, code", [(404, "APIGW.0101"), (404, "APIG.0101"), (400, "DRS.M99999"), (404, None)]
    )
    @pytest.mark.parametrize("by_v3", [{"status": 404}, {"status": 403}, {"body": LOST}, {"json": {"results": 5}}])
    def test_job_can_be_read_neither_by_v5_nor_by_v3(self, cloud, drs, status, code, by_v3):
        cloud.get(JOB_URL, status=status, json={"error_code": code, "error_msg": "The API does not exist."})
        cloud.post(DETAILS_V3_URL, **by_v3)
        assert check_collectable(drs, JOB_ID) is False

    def test_engine_type_by_v3(self, cloud, drs):
        cloud.get(JOB_URL, status=400, json={"error_code": "DRS.M99999"})
        add_details_v3(cloud)
        add_details_v3(cloud, inst_info={"engine_type": "oracle-to-dws"})
        assert check_collectable(drs, JOB_ID) is True
        with pytest.raises(HuaweiCloudError, match="has the engine type 'oracle-to-dws'"):
            check_collectable(drs, JOB_ID)
        assert sent(cloud) == [("GET", JOB_URL), *[("POST", DETAILS_V3_URL)] * 2]

    @pytest.mark.parametrize("results", [[], [{"id": JOB_ID, "error_code": "DRS.M00289", "error_message": "absent"}]])
    def test_v3_does_not_know_the_job(self, cloud, drs, results):
        cloud.get(JOB_URL, status=400, json={"error_code": "DRS.M99999"})
        cloud.post(DETAILS_V3_URL, json={"count": len(results), "results": results})
        with pytest.raises(ApiError, match=f"DRS did not return job {JOB_ID}.*Check job_id, region and project"):
            check_collectable(drs, JOB_ID)
        with pytest.raises(ApiError, match=f"DRS did not return job {JOB_ID}"):
            check_collectable(drs, JOB_ID)
        assert len(cloud.calls) == 3

    def test_v3_returns_a_secret_in_two_parts(self, cloud):
        drs = client(secrets={"correct-horse"})
        drs.reads_v3 = True
        results = [{"id": JOB_ID, "error_code": "correct", "error_message": "-horse"}]
        cloud.post(DETAILS_V3_URL, json={"results": results})
        with pytest.raises(ApiError, match=r"job [^ ]+: \(hidden because it contains a secret\)"):
            check_collectable(drs, JOB_ID)

    def test_v3_refuses_with_http_200(self, cloud, drs):
        """The job may exist, so v5 is asked again the next time."""
        results = [{"id": JOB_ID, "error_code": "DRS.M00102", "error_message": "No."}]
        cloud.get(JOB_URL, status=400, json={"error_code": "DRS.M99999"})
        cloud.post(DETAILS_V3_URL, json={"count": 1, "results": results})
        with pytest.raises(ApiError, match="DRS.M99999.* failed as well: .*: DRS.M00102 No.*Ask .* for permission"):
            show_job(drs, JOB_ID)
        assert not drs.reads_v3

    @pytest.mark.parametrize("status, code", [(404, "DRS.M00289"), (403, "APIGW.0101"), (400, "DRS.M00105")])
    def test_other_errors_are_raised(self, cloud, drs, status, code):
        cloud.get(JOB_URL, status=status, json={"error_code": code})
        if code == "DRS.M00289":
            cloud.post(DETAILS_V3_URL, json={"results": []})
        with pytest.raises(ApiError, match=code):
            check_collectable(drs, JOB_ID)

    def test_secret_in_a_response_is_not_shown(self, cloud, drs):
        add_job(cloud, TOKEN)
        with pytest.raises(HuaweiCloudError) as caught:
            check_collectable(drs, JOB_ID)
        check_nothing_shown(shown(caught.value))


class TestShowJob:
    def test_request(self, cloud, drs):
        add_status(cloud, "PAUSING")
        assert show_job(drs, JOB_ID) == {
            "id": JOB_ID,
            "name": "orders-to-dws",
            "status": "PAUSING",
            "engine_type": "mysql-to-dws",
            "task_type": "INCR_TRANS",
            "parent_id": None,
        }
        assert cloud.calls[0].request.url == f"{JOB_URL}?type=detail"

    def test_child_of_another_job(self, cloud, drs):
        cloud.get(JOB_URL, json={"job": {"master_job_id": job_id(1), "status": "PAUSING"}})
        job = show_job(drs, JOB_ID)
        assert (job["id"], job["parent_id"], job["status"], job["name"]) == (JOB_ID, job_id(1), "PAUSING", None)

    @pytest.mark.parametrize("value", ["{{ 1 + 1 }}", "../../host_vars/x", "localhost", JOB_ID + "x", "0", 5, [JOB_ID]])
    def test_parent_id_that_is_none(self, drs, cloud, value):
        """It could become a host name or part of a path."""
        cloud.get(JOB_URL, json={"job": {"master_job_id": value}})
        assert show_job(drs, JOB_ID)["parent_id"] is None

    @pytest.mark.parametrize("value", [None, [], "text"])
    def test_malformed_base_info(self, cloud, drs, value):
        cloud.get(JOB_URL, json={"job": {"base_info": value, "status": 5, "master_job_id": ""}})
        assert show_job(drs, JOB_ID) == {
            **dict.fromkeys(["name", "status", "engine_type", "task_type", "parent_id"]),
            "id": JOB_ID,
        }

    @pytest.mark.parametrize(
        "name, shown",
        [
            ("orders\r\x1b]2Kother", "orders  ]2Kother"),
            (f"{TOKEN[:20]}\x1b[0m{TOKEN[20:40]}", "(omitted because it contains escape sequences of terminals)"),
            (f"{TOKEN[:20]}\x9b0m{TOKEN[20:40]}", "(omitted because it contains escape sequences of terminals)"),
            ("a\u202eb\u2028c\x90d", "a b c d"),
            ("a\ud800b", "a?b"),
            ("x" * 256, "x" * 256),
            ("x" * 250 + TOKEN[:30], "(omitted because it has more than 256 characters)"),
        ],
    )
    def test_hostile_name(self, cloud, drs, name, shown):
        """It is shown in prompts and reports, and half a character would lose the result of a task."""
        add_status(cloud, "INCRE_TRANSFER_STARTED", name=name)
        assert show_job(drs, JOB_ID)["name"] == shown


class TestShowProgress:
    def test_request(self, cloud, drs):
        cloud.get(
            JOB_URL,
            json={
                "job": {
                    "progress_info": {
                        "transfer_status": "INCRE_TRANSFER_STARTED",
                        "incr_trans_delay": "2",
                        "progress": "100",
                    }
                }
            },
        )
        assert show_progress(drs, JOB_ID) == {"transfer_status": "INCRE_TRANSFER_STARTED", "incr_trans_delay": 2}
        assert cloud.calls[0].request.url == f"{JOB_URL}?type=progress"

    @pytest.mark.parametrize(
        "delay, seconds",
        [("0", 0), (0, 0), (17, 17), ("017", 17), ("9" * 18, 10**18 - 1)]
        + [
            (delay, None)
            for delay in (
                None,
                "",
                "-1",
                -1,
                "1.5",
                2.0,
                True,
                "2s",
                " 2",
                "2\n",
                "9" * 19,
                [2],
                {},
                "\N{ARABIC-INDIC DIGIT TWO}",
            )
        ],
    )
    def test_delay(self, cloud, drs, delay, seconds):
        cloud.get(JOB_URL, json={"job": {"progress_info": {"incr_trans_delay": delay}}})
        assert show_progress(drs, JOB_ID) == {"transfer_status": None, "incr_trans_delay": seconds}

    @pytest.mark.parametrize("job", [{}, {"progress_info": "100"}])
    def test_no_progress(self, cloud, drs, job):
        cloud.get(JOB_URL, json={"job": job})
        assert show_progress(drs, JOB_ID) == {"transfer_status": None, "incr_trans_delay": None}


class TestReadByV3:
    """Where v5 refuses to read a job for a reason other than the job, the user, or too many requests."""

    JOB = {
        "id": JOB_ID,
        "name": "orders-to-dws",
        "status": "PAUSING",
        "engine_type": "mysql-to-dws",
        "task_type": "INCR_TRANS",
        "parent_id": None,
    }

    def test_v3_is_used_from_then_on(self, cloud, drs):
        cloud.get(JOB_URL, status=400, json={"error_code": "DRS.M99999"})
        add_details_v3(cloud)
        progress = {"job_id": JOB_ID, "incre_trans_delay": "2", "transfer_status": "INCRE_TRANSFER_STARTED"}
        cloud.post(PROGRESS_V3_URL, json={"results": [progress]})
        cloud.post(JOBS_V3_URL, json={"total_record": 1, "jobs": [listed()]})
        assert show_job(drs, JOB_ID) == self.JOB
        assert show_job(drs, JOB_ID) == self.JOB
        assert show_progress(drs, JOB_ID) == {"transfer_status": "INCRE_TRANSFER_STARTED", "incr_trans_delay": 2}
        assert [job["id"] for job in list_jobs(drs)] == [job_id(0)]
        assert sent(cloud) == [
            ("GET", JOB_URL),
            ("POST", DETAILS_V3_URL),
            ("POST", DETAILS_V3_URL),
            ("POST", PROGRESS_V3_URL),
            ("POST", JOBS_V3_URL),
            ("POST", JOBS_V3_URL),
        ]

    @pytest.mark.parametrize("code", ["DRS.10000010", "DRS.M00289", "DRS.M05003", "DRS.M05004"])
    def test_job_that_only_v3_knows(self, cloud, drs, code):
        """Other jobs are still read by v5."""
        cloud.get(JOB_URL, status=400, json={"error_code": code})
        add_details_v3(cloud, parent_id=job_id(1))
        add_status(cloud, "PAUSING")
        assert show_job(drs, JOB_ID) == {**self.JOB, "parent_id": job_id(1)}
        assert show_job(drs, JOB_ID) == self.JOB
        assert sent(cloud) == [("GET", JOB_URL), ("POST", DETAILS_V3_URL), ("GET", JOB_URL)]

    @pytest.mark.parametrize("by_v3", [{"json": {"results": []}}, {"status": 404}, {"body": LOST}])
    def test_job_that_neither_knows(self, cloud, drs, by_v3):
        cloud.get(JOB_URL, status=400, json={"error_code": "DRS.10000010", "error_msg": "Job does not exist."})
        cloud.post(DETAILS_V3_URL, **by_v3)
        with pytest.raises(ApiError, match="Job does not exist.*region and project") as caught:
            show_job(drs, JOB_ID)
        assert "v3" not in str(caught.value)

    def test_both_refuse(self, cloud, drs):
        cloud.get(JOB_URL, status=400, json={"error_code": "DRS.M99999", "error_msg": "Not by v5."})
        cloud.post(DETAILS_V3_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "Not by v3."})
        for _number in range(2):
            with pytest.raises(ApiError, match="Not by v5.*Reading by v3 of the API failed as well: .*Not by v3"):
                show_job(drs, JOB_ID)
        assert len(cloud.calls) == 4

    @pytest.mark.parametrize(
        "status, code",
        [(401, "APIGW.0301"), (403, None), (403, "DRS.M00102"), (429, "APIGW.0308"), (400, "DRS.M01503")]
        + [(400, "DRS.M00105"), (500, None), (503, None), (202, "DRS.M01504"), (200, "DRS.M00102")],
    )
    def test_other_refusals(self, cloud, drs, status, code):
        cloud.get(JOB_URL, status=status, json={"error_code": code, "error_msg": "x"})
        with pytest.raises(ApiError):
            show_job(drs, JOB_ID)
        assert sent(cloud) == [("GET", JOB_URL)]

    @pytest.mark.parametrize("inst_info", [None, [], {"engine_type": 5}])
    def test_malformed_facts(self, cloud, drs, inst_info):
        drs.reads_v3 = True
        add_details_v3(cloud, inst_info=inst_info, name=5, task_type=None)
        assert show_job(drs, JOB_ID) == {**self.JOB, "engine_type": None, "name": None, "task_type": None}

    @pytest.mark.parametrize("body", [{}, {"results": {}}, {"results": None}])
    def test_response_without_a_list(self, cloud, drs, body):
        drs.reads_v3 = True
        cloud.post(DETAILS_V3_URL, json=body)
        with pytest.raises(InvalidResponseError, match="returned no list of jobs"):
            show_job(drs, JOB_ID)

    def test_lost_response(self, cloud, clock):
        """Nothing was changed, so the request is sent again, and nothing may have been accepted."""
        drs = client(max_retries=1)
        drs.reads_v3 = True
        cloud.post(DETAILS_V3_URL, body=LOST)
        cloud.post(DETAILS_V3_URL, status=502)
        with pytest.raises(ApiError) as caught:
            show_job(drs, JOB_ID)
        assert (caught.value.maybe_accepted, len(cloud.calls)) == (False, 2)
        assert "may have accepted" not in str(caught.value)


class TestShowStart:
    def test_request(self, cloud, drs):
        add_details_v3(
            cloud,
            incre_start_position=POSITION,
            gtid=GTID_SET,
            conflict_policy="stop",
            failed_reason=f"It failed.\n{TOKEN}",
            is_open_fast_clean=True,
        )
        assert show_start(drs, JOB_ID) == {
            "start_position": POSITION,
            "start_gtid_set": GTID_SET,
            "conflict_policy": "stop",
            "failed_reason": "It failed. ********",
            "is_open_fast_clean": True,
        }
        assert bodies(cloud) == [{"jobs": [JOB_ID], "page_req": {"cur_page": 1, "per_page": 1}}]

    @pytest.mark.parametrize(
        "value, shown",
        [
            (f"{POSITION};{'1' * 5000}", f"{POSITION};(omitted because it has more than 4096 characters)"),
            (f"{POSITION};{'1' * 4090}", f"{POSITION};{'1' * 4090}"),
            ("1" * 5000, "(omitted because it has more than 4096 characters)"),
            (f";{'1' * 5000}", "(omitted because it has more than 4096 characters)"),
            (f"{'1' * 5000};", "(omitted because it has more than 4096 characters)"),
            # The beginning of a secret in front of the semicolon would not be recognized.
            (f"a.123:4;word.{'1' * 5000}", "(omitted because it has more than 4096 characters)"),
        ],
        ids=["set", "together", "no set", "set alone", "position", "secret"],
    )
    def test_too_long(self, cloud, value, shown):
        """Otherwise, a reset would take what replaces the position for the position of somebody else."""
        add_details_v3(cloud, incre_start_position=value)
        assert show_start(client(secrets={"a.123:4;word"}), JOB_ID)["start_position"] == shown

    @pytest.mark.parametrize("value", [None, "", 5, []])
    def test_unknown(self, cloud, drs, value):
        names = ("incre_start_position", "gtid", "conflict_policy", "is_open_fast_clean")
        add_details_v3(cloud, **dict.fromkeys(names, value))
        assert not any(show_start(drs, JOB_ID).values())


class TestShowActions:
    def test_request(self, cloud, drs):
        add_actions(cloud, "PAUSE", current_action="START")
        assert show_actions(drs, JOB_ID) == {
            "available_actions": ["PAUSE"],
            "unavailable_actions": ["START", "RETRY", "RESET"],
            "current_action": "START",
        }
        assert (cloud.calls[0].request.method, cloud.calls[0].request.url) == ("GET", ACTIONS_URL)

    @pytest.mark.parametrize(
        "more", [{}, {"unavailable_actions": None, "current_action": ""}, {"unavailable_actions": "PAUSE"}]
    )
    def test_no_actions(self, cloud, drs, more):
        cloud.get(ACTIONS_URL, json={"job_action": {"available_actions": [], **more}})
        assert show_actions(drs, JOB_ID) == {"available_actions": [], "unavailable_actions": [], "current_action": None}

    @pytest.mark.parametrize(
        "found", [None, ["PAUSE"], {}, {"available_actions": None}, {"available_actions": "PAUSE"}]
    )
    def test_response_without_a_list(self, cloud, drs, found):
        cloud.get(ACTIONS_URL, json={"job_action": found})
        with pytest.raises(InvalidResponseError, match="returned no list of allowed actions"):
            show_actions(drs, JOB_ID)

    @pytest.mark.parametrize("name", ["available_actions", "unavailable_actions"])
    def test_number_of_actions(self, cloud, drs, name):
        actions = {"available_actions": [], name: ["PAUSE"] * 101}
        cloud.get(ACTIONS_URL, json={"job_action": actions})
        with pytest.raises(InvalidResponseError, match="DRS returned more than 100 actions"):
            show_actions(drs, JOB_ID)

    @pytest.mark.parametrize("status, code", [(404, "APIGW.0101"), (400, "DRS.M99999"), (400, "DRS.10000010")])
    def test_not_offered(self, cloud, drs, status, code):
        warnings = []
        drs.warn = warnings.append
        cloud.get(ACTIONS_URL, status=status, json={"error_code": code, "error_msg": "No."})
        assert show_actions(drs, JOB_ID) is None
        assert len(warnings) == 1
        assert code in warnings[0]

    @pytest.mark.parametrize(
        "status, code", [(403, "DRS.M00102"), (200, "DRS.M00102"), (401, None), (429, None), (500, None)]
    )
    def test_other_errors_are_raised(self, cloud, drs, status, code):
        cloud.get(ACTIONS_URL, status=status, json={"error_code": code})
        with pytest.raises(ApiError):
            show_actions(drs, JOB_ID)
