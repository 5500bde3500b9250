# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from functools import partial

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
    WaitTimeoutError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import (
    ACTIONS,
    FAILED_STATUSES,
    JOB_STATUSES,
    PAGE_SIZE,
    RUNNING,
    check_allowed,
    check_collectable,
    check_gtid_set,
    check_position,
    execute_job_action,
    job_action_request,
    list_jobs,
    list_tags,
    show_actions,
    show_job,
    show_job_detail,
    show_progress,
    start_position_request,
    update_start_position,
    wait_for_action,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTION_URL,
    ACTIONS_URL,
    DRS,
    JOB_ID,
    JOB_URL,
    JOBS_URL,
    POSITION,
    PROJECT_ID,
    REQUEST_ID,
    START_URL,
    TOKEN,
    add_action,
    add_actions,
    add_job,
    add_jobs,
    add_start,
    add_status,
    bodies,
    check_nothing_shown,
    client,
    job_id,
    listed,
    sent,
    shown,
)

UUID = "4350aee0-56b5-11ee-8c99-0242ac120002"


@pytest.fixture
def drs():
    return client()


def test_nothing_is_sent_with_an_invalid_job_id(drs, cloud):
    for call in (
        partial(show_job_detail, drs),
        partial(show_job, drs),
        partial(show_progress, drs),
        partial(show_actions, drs),
        lambda job_id: check_allowed(drs, job_id, "pause"),
        lambda job_id: execute_job_action(drs, job_id, "pause"),
        lambda job_id: wait_for_action(drs, job_id, "pause", None, 10, 1),
        lambda job_id: update_start_position(drs, job_id, POSITION),
    ):
        with pytest.raises(InvalidOptionError, match="job_id"):
            call(f"{JOB_ID[:-3]}/..")
    assert len(cloud.calls) == 0


class TestCheckPosition:
    @pytest.mark.parametrize(
        "value",
        [POSITION, "x.000:0", "a.b.c.00000000000000000000:00000000000000000000"]
        + [f"{'x' * 60}.{'1' * 20}:{'2' * 18}", f"{'x' * 60}.123:{'2' * 20}", "\u00f6!$%()*+,-;=?@[]^_`{|}~#.123:4"],
    )
    def test_accepted(self, value):
        assert check_position(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "mysql-bin.000277",
            "mysql-bin:805",
            ".000277:805",
            "mysql-bin.000277:",
            "mysql-bin.:805",
            "mysql-bin000277:805",
            "000277:805",
        ]
        + [
            "mysql-bin.77:805",
            f"mysql-bin.{'7' * 21}:805",
            f"mysql-bin.000277:{'8' * 21}",
            f"{'x' * 61}.000277:805",
            f"{'x' * 60}.{'1' * 20}:{'2' * 19}",
        ]
        + [f"mysql{char}bin.000277:805" for char in "<>&:\"\\'/ \n\t\x00\x1b\x7f\u00a0\u2028\u3000\ud800"]
        + [
            f"{POSITION}\n",
            f" {POSITION}",
            f"{POSITION} ",
            f"{POSITION},",
            "mysql-bin.000277:-805",
            "mysql-bin.000277:8e5",
            "mysql-bin.000277:805.0",
        ]
        + ["mysql-bin.00027\N{ARABIC-INDIC DIGIT TWO}:805", "mysql-bin.000277:80\N{FULLWIDTH DIGIT FIVE}", "x" * 9999],
    )
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="^position .*mysql-bin.000277:805") as caught:
            check_position(value)
        assert str(caught.value).isprintable()
        # Each character that is shown may be escaped.
        assert len(str(caught.value)) < 200 + 128 * 6


class TestCheckGtidSet:
    @pytest.mark.parametrize(
        "value, sent",
        [
            (f"{UUID}:1-77,\n{UUID}:1-3:7\r\n", f"{UUID}:1-77,{UUID}:1-3:7"),
            (f"\t{UUID} : 1 -\u00a077\n", f"{UUID}:1-77"),
            ("x" * 2048, "x" * 2048),
            (" \n".join("x" * 2048), "x" * 2048),
        ],
    )
    def test_accepted(self, value, sent):
        assert check_gtid_set(value) == sent

    @pytest.mark.parametrize(
        "value",
        ["", " ", "\n", "x" * 2049, "x" * 99999]
        + [f"{UUID}:1{char}" for char in "<>&\"\\'/\x00\x1b\x7f\u00e9\u4e2d\N{FULLWIDTH DIGIT FIVE}\ud800"],
    )
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="^gtid_set .*2048") as caught:
            check_gtid_set(value)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 300
        assert f"has {len(value.strip())} " in str(caught.value)


class TestConstants:
    """Compared with a second copy of what the API pages say."""

    def test_statuses(self):
        assert len(JOB_STATUSES) == len(set(JOB_STATUSES)) == 29
        assert RUNNING == {"FULL_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"}
        assert RUNNING | FAILED_STATUSES < set(JOB_STATUSES)
        assert FAILED_STATUSES == {
            "CREATE_FAILED",
            "START_JOB_FAILED",
            "FULL_TRANSFER_FAILED",
            "INCRE_TRANSFER_FAILED",
            "RELEASE_RESOURCE_STARTED",
            "RELEASE_RESOURCE_FAILED",
            "RELEASE_RESOURCE_COMPLETE",
            "REBUILD_NODE_FAILED",
            "CHANGE_JOB_FAILED",
            "CHILD_TRANSFER_FAILED",
            "NODE_UPGRADE_FAILED",
            "DELETED",
        }

    def test_actions(self):
        assert {name: (action.api_name, action.listed_name) for name, action in ACTIONS.items()} == {
            "start": ("start", "START"),
            "pause": ("stop", "PAUSE"),
            "retry": ("restart", "RETRY"),
            "reset": ("reset", "RESET"),
        }

    def test_statuses_of_actions(self):
        for name, action in ACTIONS.items():
            assert action.target_statuses == ({"PAUSING"} if name == "pause" else RUNNING)
            assert action.noop_statuses == {"pause": {"PAUSING"}, "reset": set()}.get(name, RUNNING | {"STARTJOBING"})
            assert not action.target_statuses & FAILED_STATUSES


class TestListJobs:
    FACTS = {
        "name": "job-0",
        "status": "INCRE_TRANSFER_STARTED",
        "engine_type": "mysql-to-dws",
        "task_type": "INCR_TRANS",
        "parent_id": None,
    }

    @pytest.fixture(autouse=True)
    def _no_endless_loop(self, monkeypatch):
        """A list that is read again and again fails its test instead of blocking it."""
        request, calls = DrsClient.request, []

        def counted(*args, **kwargs):
            calls.append(args)
            assert len(calls) < 3000
            return request(*args, **kwargs)

        monkeypatch.setattr(DrsClient, "request", counted)

    def test_request(self, cloud, drs):
        add_jobs(cloud, listed())
        assert list_jobs(drs) == [{"id": job_id(0), **self.FACTS}]
        request = cloud.calls[0].request
        assert (request.method, request.url) == ("GET", f"{JOBS_URL}?job_type=sync&offset=0&limit={PAGE_SIZE}")
        assert request.headers["X-Auth-Token"] == TOKEN
        assert request.headers["X-Language"] == "en-us"

    @pytest.mark.parametrize("name", ["job-1", "job-11", "JOB-1", "job-", "ob-1", "job-1 ", "job-1,job-11"])
    def test_name_must_match_in_full(self, cloud, drs, name):
        add_jobs(cloud, *(listed(number) for number in range(12)), listed(99, name="job-1"))
        assert [job["id"] for job in list_jobs(drs, name)] == {
            "job-1": [job_id(1), job_id(99)],
            "job-11": [job_id(11)],
        }.get(name, [])

    def test_name_beyond_the_first_page(self, cloud, drs):
        add_jobs(cloud, *(listed(number, name=f"job-1-of-{number}") for number in range(60)), listed(99, name="job-1"))
        assert [job["id"] for job in list_jobs(drs, "job-1")] == [job_id(99)]
        assert all("&name=job-1" in call.request.url for call in cloud.calls)

    @pytest.mark.parametrize(
        "page, count",
        [(50, 0), (50, 1), (50, 49), (50, 50), (1000, 51), (1000, 100), (50, 101), (7, 49), (7, 51), (1, 3)],
    )
    def test_pages(self, cloud, drs, page, count):
        """Whatever the size of a page, all jobs are read, with as few requests as possible."""
        add_jobs(cloud, *map(listed, range(count)), page=page)
        assert [job["id"] for job in list_jobs(drs)] == [job_id(number) for number in range(count)]
        assert len(cloud.calls) == max(1, -(-count // min(page, 50)))

    @pytest.mark.parametrize(
        "page, total", [(50, {"total_count": None}), (7, {"total": "137"}), (50, {"total": 138}), (7, {"total": [137]})]
    )
    def test_unusable_total(self, cloud, drs, page, total):
        add_jobs(cloud, *map(listed, range(137)), page=page, **total)
        assert [job["id"] for job in list_jobs(drs)] == [job_id(number) for number in range(137)]
        # One more request, which returns no new job.
        assert len(cloud.calls) == -(-137 // page) + 1

    @pytest.mark.parametrize("total", [-1, 0, 1])
    def test_total_too_small(self, cloud, drs, total):
        """No job of the response is dropped."""
        add_jobs(cloud, *map(listed, range(3)), total=total)
        assert [job["id"] for job in list_jobs(drs)] == [job_id(0), job_id(1), job_id(2)]

    @pytest.mark.parametrize("total", [{}, {"total_count": 10**6}])
    def test_same_page_again_and_again(self, cloud, drs, total):
        cloud.get(JOBS_URL, json={"jobs": [listed(number) for number in range(50)], **total})
        assert len(list_jobs(drs)) == 50
        assert len(cloud.calls) == 2

    def test_job_on_two_pages(self, cloud, drs):
        """A job that is created between two requests shifts the others."""
        cloud.get(JOBS_URL, json={"total_count": 4, "jobs": [listed(3), listed(2)]})
        cloud.get(JOBS_URL, json={"total_count": 5, "jobs": [listed(2, status="PAUSING"), listed(1)]})
        cloud.get(JOBS_URL, json={"total_count": 5, "jobs": [listed(0)]})
        assert [(job["id"], job["status"][0]) for job in list_jobs(drs)] == [
            (job_id(number), "I") for number in (3, 2, 1, 0)
        ]
        assert [re.search("offset=([0-9]+)", call.request.url)[1] for call in cloud.calls] == ["0", "2", "4"]

    def test_children(self, cloud, drs):
        """The children of a job follow it. The total does not count them."""
        parts = [listed(11), listed(12, name=None, children=None)]
        add_jobs(cloud, listed(1, children=parts), listed(2, children=None), {"id": job_id(3)})
        assert [(job["id"], job["parent_id"]) for job in list_jobs(drs)] == [
            (job_id(1), None),
            (job_id(11), job_id(1)),
            (job_id(12), job_id(1)),
            (job_id(2), None),
            (job_id(3), None),
        ]
        assert len(cloud.calls) == 1

    def test_offset_does_not_count_children(self, cloud, drs):
        add_jobs(cloud, *(listed(number, children=[listed(100 + number)]) for number in range(60)))
        assert len(list_jobs(drs)) == 120
        assert [re.search("offset=([0-9]+)", call.request.url)[1] for call in cloud.calls] == ["0", "50"]

    def test_name_of_a_child(self, cloud, drs):
        add_jobs(cloud, listed(1, name="job-11-and-more", children=[listed(11)]))
        (job,) = list_jobs(drs, "job-11")
        assert (job["id"], job["parent_id"]) == (job_id(11), job_id(1))

    @pytest.mark.parametrize("value", ["", 5, ["x"]])
    def test_malformed_facts(self, cloud, drs, value):
        add_jobs(cloud, listed(0, **dict.fromkeys(["status", "engine_type", "task_type"], value)))
        assert list_jobs(drs) == [{"id": job_id(0), **dict.fromkeys(self.FACTS), "name": "job-0"}]

    @pytest.mark.parametrize(
        "body", [{"jobs": [], "total_count": 0}, {"jobs": None, "total_count": 0}, {"total_count": 0}, {"jobs": []}]
    )
    def test_no_jobs(self, cloud, drs, body):
        cloud.get(JOBS_URL, json=body)
        assert list_jobs(drs) == []
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"jobs": None, "total_count": 1},
            {"jobs": None, "total_count": "0"},
            {"jobs": "", "total_count": 0},
            {"jobs": {"id": JOB_ID}},
        ],
    )
    def test_response_without_a_list(self, cloud, drs, body):
        cloud.get(JOBS_URL, json=body, headers={"X-Request-Id": "r1"})
        with pytest.raises(InvalidResponseError, match=r"no list of jobs \(request ID r1\)") as caught:
            list_jobs(drs)
        assert (caught.value.http_status, caught.value.request_id) == (200, "r1")

    @pytest.mark.parametrize(
        "where, entry",
        [
            ("first", None),
            ("last", "text"),
            ("child", 5),
            ("last", [JOB_ID]),
            ("first", {"name": "x"}),
            ("child", {"id": None}),
            ("last", {"id": 5}),
        ],
    )
    def test_entry_without_an_id(self, cloud, drs, where, entry):
        jobs = {
            "first": [entry, listed()],
            "last": [listed(), entry],
            "child": [listed(0, children=[listed(1), entry])],
        }[where]
        cloud.get(JOBS_URL, json={"jobs": jobs, "total_count": len(jobs)})
        with pytest.raises(InvalidResponseError, match="a job without an ID"):
            list_jobs(drs)

    @pytest.mark.parametrize("children", ["text", {"id": JOB_ID}])
    def test_malformed_children(self, cloud, drs, children):
        add_jobs(cloud, listed(0, children=children))
        with pytest.raises(InvalidResponseError, match="subtasks are not a list"):
            list_jobs(drs)

    def test_error_on_a_later_page(self, cloud, drs):
        """Part of the list would look like all of it."""
        cloud.get(JOBS_URL, json={"jobs": [listed(1)], "total_count": 2})
        cloud.get(JOBS_URL, status=403, json={"error_code": "DRS.M00102", "error_msg": "No permission."})
        with pytest.raises(ApiError, match="DRS FullAccess"):
            list_jobs(drs)


class TestListTags:
    URL = f"{DRS}/v5/{PROJECT_ID}/sync/resource-instances/filter"

    def pages(self, cloud, *pages, **more):
        for page in pages:
            resources = [
                {"resource_id": job_id(number), "tags": [{"key": "number", "value": str(number)}]} for number in page
            ]
            cloud.post(self.URL, json={"resources": resources, **more})

    def test_request(self, cloud):
        self.pages(cloud, [1], total_count=1)
        assert list_tags(client()) == {job_id(1): {"number": "1"}}
        assert cloud.calls[0].request.url == f"{self.URL}?limit=1000&offset=0"
        assert bodies(cloud) == [{}]

    @pytest.mark.parametrize("last, total", [([], {"total_count": 5}), ([[]], {}), ([[]], {"total_count": "5"})])
    def test_pages(self, cloud, last, total):
        self.pages(cloud, [1, 2], [3, 4], [5], *last, **total)
        assert sorted(list_tags(client())) == [job_id(number) for number in (1, 2, 3, 4, 5)]
        assert [call.request.params["offset"] for call in cloud.calls][:3] == ["0", "2", "4"]

    @pytest.mark.parametrize("total", [{}, {"total_count": 99}])
    def test_server_that_ignores_the_offset(self, cloud, total):
        self.pages(cloud, [1, 2], [1, 2], **total)
        assert list_tags(client()) == {job_id(1): {"number": "1"}, job_id(2): {"number": "2"}}

    @pytest.mark.parametrize("body", [{}, {"resources": [], "total_count": 9}])
    def test_no_tags(self, cloud, body):
        cloud.post(self.URL, json=body)
        assert list_tags(client()) == {}

    def test_malformed_resources(self, cloud):
        resources = [3, {"resource_id": "a", "tags": None}]
        resources.append(
            {"resource_id": "c", "tags": [1, {"key": "k"}, {"key": "l", "value": 2}, {"key": "m", "value": ""}]}
        )
        cloud.post(self.URL, json={"resources": resources, "total_count": 3})
        assert list_tags(client()) == {"a": {}, "c": {"k": "", "l": "2", "m": ""}}

    def test_malformed_resources_on_several_pages(self, cloud):
        """The offset and the total count them."""
        for page in (
            [{"resource_id": "a", "tags": []}, {"resource_id": "b"}],
            [{"resource_id": "c", "tags": None}, {"tags": []}, "unknown", {"resource_id": 3}],
        ):
            cloud.post(self.URL, json={"resources": page, "total_count": 6})
        assert list_tags(client()) == {"a": {}, "b": {}, "c": {}}
        assert [call.request.params for call in cloud.calls] == [
            {"limit": "1000", "offset": offset} for offset in ("0", "2")
        ]
        assert bodies(cloud) == [{}, {}]

    def test_response_without_a_list(self, cloud):
        cloud.post(self.URL, json={"resources": {"a": 1}})
        with pytest.raises(InvalidResponseError, match="no list of resources"):
            list_tags(client())

    def test_region_without_the_call(self, cloud):
        cloud.post(self.URL, status=404, json={"error_code": "APIGW.0101"})
        assert list_tags(client()) is None

    def test_other_errors_are_raised(self, cloud):
        cloud.post(self.URL, status=403, json={"error_code": "DRS.M00102"})
        with pytest.raises(ApiError):
            list_tags(client())


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

    @pytest.mark.parametrize("code", ["APIGW.0101", "APIG.0101"])
    def test_region_without_the_call(self, cloud, drs, code):
        cloud.get(JOB_URL, status=404, json={"error_code": code, "error_msg": "The API does not exist."})
        assert check_collectable(drs, JOB_ID) is False

    @pytest.mark.parametrize("status, code", [(404, "DRS.M00289"), (404, None), (403, "APIGW.0101")])
    def test_other_errors_are_raised(self, cloud, drs, status, code):
        cloud.get(JOB_URL, status=status, json={"error_code": code})
        with pytest.raises(ApiError):
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
        cloud.get(JOB_URL, json={"job": {"id": "ignored", "master_job_id": job_id(1), "status": "PAUSING"}})
        job = show_job(drs, JOB_ID)
        assert (job["id"], job["parent_id"], job["status"], job["name"]) == (JOB_ID, job_id(1), "PAUSING", None)

    @pytest.mark.parametrize("value", [None, [], "text"])
    def test_malformed_base_info(self, cloud, drs, value):
        cloud.get(JOB_URL, json={"job": {"base_info": value, "status": 5, "master_job_id": ""}})
        assert show_job(drs, JOB_ID) == {
            **dict.fromkeys(["name", "status", "engine_type", "task_type", "parent_id"]),
            "id": JOB_ID,
        }


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
        for read in (partial(show_actions, drs), lambda job_id: check_allowed(drs, job_id, "pause")):
            with pytest.raises(InvalidResponseError, match="returned no list of allowed actions"):
                read(JOB_ID)


class TestCheckAllowed:
    @pytest.mark.parametrize("action", list(ACTIONS))
    @pytest.mark.parametrize("allowed, current", [(True, False), (True, True), (False, True)])
    def test_current_action_need_not_be_sent(self, cloud, drs, action, allowed, current):
        """Unless DRS allows it all the same."""
        name = ACTIONS[action].listed_name
        add_actions(cloud, "DELETE", *([name] if allowed else []), current_action=name if current else None)
        assert check_allowed(drs, JOB_ID, action) is allowed
        assert sent(cloud) == [("GET", ACTIONS_URL)]

    @pytest.mark.parametrize("current", ["START", "RESTART", "retry", None, ["RETRY"]])
    def test_other_current_action(self, cloud, drs, current):
        add_actions(cloud, "PAUSE", current_action=current)
        with pytest.raises(HuaweiCloudError, match="does not currently allow retry.*it allows pause"):
            check_allowed(drs, JOB_ID, "retry")

    @pytest.mark.parametrize(
        "available, named",
        [
            ([], "none"),
            (["DELETE", "FREE_RESOURCE"], "none"),
            (["START"], "start"),
            (["RETRY", "RESET", "DELETE"], "retry and reset"),
            (["RESET", "START", "RETRY"], "start and retry and reset"),
            (["pause", "STOP", "PAUSED", None, 5], "none"),
        ],
    )
    def test_error_names_the_allowed_actions(self, cloud, drs, available, named):
        cloud.get(ACTIONS_URL, json={"job_action": {"available_actions": available, "unavailable_actions": ["PAUSE"]}})
        with pytest.raises(HuaweiCloudError) as caught:
            check_allowed(drs, JOB_ID, "pause")
        assert (
            str(caught.value)
            == f"Job {JOB_ID} does not currently allow pause. Of start, pause, retry and reset, it allows {named}."
        )

    def test_error_names_the_current_action(self, cloud, drs):
        add_actions(cloud, current_action=f"\x1b]0;owned\x07RESTART {TOKEN}")
        with pytest.raises(
            HuaweiCloudError, match=r"it allows none. Its current action is ]0;owned RESTART "
        ) as caught:
            check_allowed(drs, JOB_ID, "pause")
        assert str(caught.value).isprintable()
        assert TOKEN[:20] not in str(caught.value)


class TestExecuteJobAction:
    @pytest.mark.parametrize(
        "action, name", [("start", "start"), ("pause", "stop"), ("retry", "restart"), ("reset", "reset")]
    )
    def test_request(self, cloud, drs, action, name):
        add_action(cloud)
        assert execute_job_action(drs, JOB_ID, action) == REQUEST_ID
        assert sent(cloud) == [("POST", ACTION_URL)]
        assert bodies(cloud) == [{"job": {"action_name": name}}]
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN
        assert job_action_request(drs, JOB_ID, action) == {
            "method": "POST",
            "url": ACTION_URL,
            "body": {"job": {"action_name": name}},
        }

    @pytest.mark.parametrize(
        "body",
        [
            {"query_id": 5, "status": None},
            {"query_id": "q", "status": "pending"},
            {"status": "success", "error_code": "", "error_msg": None},
            # The job ID of the response is not compared.
            {"id": job_id(1), "status": "success"},
        ],
    )
    def test_accepted(self, cloud, drs, body):
        cloud.post(ACTION_URL, status=202, json=body)
        assert execute_job_action(drs, JOB_ID, "pause") is None

    @pytest.mark.parametrize("status, more", [(200, {}), (202, {"query_id": "q", "error_code": "", "error_msg": ""})])
    def test_failed_without_a_reason(self, cloud, status, more):
        cloud.post(ACTION_URL, status=status, json={"status": "failed", **more}, headers={"X-Request-Id": "r1"})
        with pytest.raises(InvalidResponseError) as caught:
            execute_job_action(client(max_retries=4), JOB_ID, "retry")
        error = caught.value
        assert (
            str(error)
            == f"DRS returned HTTP {status} with the status failed and no error message for the retry of job {JOB_ID}"
            " (request ID r1)."
        )
        assert (error.http_status, error.request_id, error.maybe_accepted) == (status, "r1", False)
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize(
        "message, shown",
        [
            ("The pre-check has not passed.", "The pre-check has not passed."),
            (f"\x1b]0;owned\x07 {TOKEN}", r"]0;owned \*\*\*\*\*\*\*\*"),
            (["x"], r"\['x'\]"),
            ("x" * 9999, "x{512}"),
        ],
    )
    def test_failed_with_a_message_only(self, cloud, drs, message, shown):
        cloud.post(ACTION_URL, json={"status": "failed", "error_msg": message})
        with pytest.raises(
            InvalidResponseError, match=f"""failed and the message ['"]{shown}['"] for the reset of job"""
        ) as caught:
            execute_job_action(drs, JOB_ID, "reset")
        assert str(caught.value).isprintable()
        assert caught.value.maybe_accepted is False

    @pytest.mark.parametrize(
        "body",
        [{}, {"id": JOB_ID, "query_id": ""}, {"status": "SUCCESS"}, {"status": "pending"}, {"status": ["success"]}],
    )
    def test_neither_accepted_nor_refused(self, cloud, body):
        cloud.post(ACTION_URL, json=body, headers={"X-Request-Id": "r1"})
        with pytest.raises(
            InvalidResponseError, match="did not confirm the pause of job.*DRS may have accepted"
        ) as caught:
            execute_job_action(client(max_retries=4), JOB_ID, "pause")
        assert (caught.value.maybe_accepted, caught.value.http_status, caught.value.request_id) == (True, 200, "r1")
        assert len(cloud.calls) == 1


class TestWaitForAction:
    @pytest.mark.parametrize(
        "action, status",
        [("start", "FULL_TRANSFER_STARTED"), ("retry", "INCRE_TRANSFER_STARTED"), ("reset", "FULL_TRANSFER_COMPLETE")],
    )
    def test_until_it_runs(self, cloud, drs, clock, action, status):
        add_status(cloud, "PAUSING", "STARTJOBING", status)
        assert wait_for_action(drs, JOB_ID, action, "PAUSING", 300, 2) == status
        assert clock.pauses == [2, 2]
        assert {call.request.url for call in cloud.calls} == {f"{JOB_URL}?type=detail"}

    def test_until_it_is_paused(self, cloud, drs, clock):
        add_status(cloud, "INCRE_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "unknown", None, "PAUSING")
        assert wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 300, 7) == "PAUSING"
        assert clock.pauses == [7, 7, 7, 7]

    @pytest.mark.parametrize("action, status", [("pause", "PAUSING"), ("start", "INCRE_TRANSFER_STARTED")])
    def test_target_status_at_once(self, cloud, drs, clock, action, status):
        add_status(cloud, status)
        assert wait_for_action(drs, JOB_ID, action, status, 300, 2) == status
        assert clock.pauses == []

    def test_other_statuses_are_waited_out(self, cloud, drs, clock):
        statuses = sorted(set(JOB_STATUSES) - FAILED_STATUSES - RUNNING)
        add_status(cloud, *statuses, "FULL_TRANSFER_STARTED")
        assert wait_for_action(drs, JOB_ID, "retry", None, 300, 2) == "FULL_TRANSFER_STARTED"
        assert len(clock.pauses) == len(statuses)

    @pytest.mark.parametrize("status", sorted(FAILED_STATUSES))
    def test_job_fails(self, cloud, drs, clock, status):
        add_status(cloud, "INCRE_TRANSFER_STARTED", status)
        with pytest.raises(HuaweiCloudError) as caught:
            wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 300, 2)
        for part in ("After pause", JOB_ID, f"is in status {status}"):
            assert part in str(caught.value)
        assert not isinstance(caught.value, WaitTimeoutError)
        assert clock.pauses == [2]

    def test_job_failed_before(self, cloud, drs):
        """The old status may last some time."""
        old = "INCRE_TRANSFER_FAILED"
        add_status(cloud, old, old, "STARTJOBING", "INCRE_TRANSFER_STARTED")
        assert wait_for_action(drs, JOB_ID, "retry", old, 300, 2) == "INCRE_TRANSFER_STARTED"
        assert len(cloud.calls) == 4

    @pytest.mark.parametrize("between", ["STARTJOBING", "unknown", None])
    def test_job_fails_again(self, cloud, drs, between):
        add_status(cloud, "INCRE_TRANSFER_FAILED", between, "INCRE_TRANSFER_FAILED")
        with pytest.raises(HuaweiCloudError, match="is in status INCRE_TRANSFER_FAILED"):
            wait_for_action(drs, JOB_ID, "retry", "INCRE_TRANSFER_FAILED", 300, 2)

    def test_job_fails_with_another_status(self, cloud, drs, clock):
        add_status(cloud, "START_JOB_FAILED")
        with pytest.raises(HuaweiCloudError, match="is in status START_JOB_FAILED"):
            wait_for_action(drs, JOB_ID, "reset", "INCRE_TRANSFER_FAILED", 300, 2)
        assert clock.pauses == []

    def test_failed_status_does_not_change(self, cloud, drs):
        add_status(cloud, "INCRE_TRANSFER_FAILED")
        with pytest.raises(WaitTimeoutError, match="still in status INCRE_TRANSFER_FAILED after 10 seconds"):
            wait_for_action(drs, JOB_ID, "retry", "INCRE_TRANSFER_FAILED", 10, 4)

    def test_timeout(self, cloud, drs, clock):
        add_status(cloud, "INCRE_TRANSFER_STARTED", "CHANGE_JOB_STARTED")
        with pytest.raises(WaitTimeoutError) as caught:
            wait_for_action(drs, JOB_ID, "pause", "INCRE_TRANSFER_STARTED", 10, 4)
        assert (
            str(caught.value)
            == f"Job {JOB_ID} is still in status CHANGE_JOB_STARTED after 10 seconds of waiting for pause."
        )
        assert clock.pauses == [4, 4, 2]
        assert len(cloud.calls) == 4

    @pytest.mark.parametrize(
        "status, readable", [("\x1b]0;owned\x07", "]0;owned"), (f"of {TOKEN}", r"of \*+"), ("x" * 9999, "x+")]
    )
    def test_timeout_in_an_unknown_status(self, cloud, drs, status, readable):
        add_status(cloud, status)
        with pytest.raises(WaitTimeoutError, match=rf"in status {readable} after 1 ") as caught:
            wait_for_action(drs, JOB_ID, "pause", None, 1, 1)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 700

    @pytest.mark.parametrize("before", ["INCRE_TRANSFER_STARTED", None])
    def test_retries_end_at_the_deadline(self, cloud, clock, before):
        """No status was read, so the message names the previous one."""
        cloud.get(JOB_URL, status=429, headers={"Retry-After": "60"})
        with pytest.raises(WaitTimeoutError, match=f"still in status {before or ''} after 150 seconds"):
            wait_for_action(client(max_retries=99), JOB_ID, "pause", before, 150, 40)
        assert clock.pauses == [60, 60, 30]


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

    def test_empty_response(self, cloud, drs):
        cloud.put(START_URL)
        assert update_start_position(drs, JOB_ID, POSITION) is None
