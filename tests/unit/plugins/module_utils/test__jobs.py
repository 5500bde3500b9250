# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import json
import re

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _job_lists, _jobs
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import (
    ENDED_STATUSES,
    FAILED_STATUSES,
    JOB_STATUSES,
    PAGE_SIZE,
    RUNNING,
    check_collectable,
    list_jobs,
    list_tags,
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
    DRS,
    GTID_SET,
    JOB_ID,
    JOB_URL,
    JOBS_URL,
    JOBS_V3_URL,
    LOST,
    POSITION,
    PROGRESS_V3_URL,
    PROJECT_ID,
    TOKEN,
    add_actions,
    add_details_v3,
    add_job,
    add_jobs,
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


TAGS_URL = f"{DRS}/v5/{PROJECT_ID}/sync/resource-instances/filter"
# What an ID must never be: it may become a host name, part of a path, or part of a URL.
INVALID_IDS = [
    "",
    "id-1",
    "localhost",
    "../../x",
    "{{ lookup('pipe', 'id > /tmp/x') }}x",
    f"{JOB_ID}x",
    f"{JOB_ID}\n",
    f"{JOB_ID[:-1]}\u0661",
    f"\x1b[31m{JOB_ID[5:]}",
    TOKEN,
]


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

    @pytest.mark.parametrize("invalid", INVALID_IDS)
    @pytest.mark.parametrize("where", ["parent", "child"])
    def test_invalid_id(self, cloud, drs, where, invalid):
        entry = {**listed(), "id": invalid}
        cloud.get(JOBS_URL, json={"jobs": [entry if where == "parent" else listed(1, children=[entry])]})
        with pytest.raises(InvalidResponseError, match="^DRS listed a job with the invalid ID ['\"]") as caught:
            list_jobs(drs)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 600
        check_nothing_shown(shown(caught.value))

    def test_error_on_a_later_page(self, cloud, drs):
        """Part of the list would look like all of it."""
        cloud.get(JOBS_URL, json={"jobs": [listed(1)], "total_count": 2})
        cloud.get(JOBS_URL, status=403, json={"error_code": "DRS.M00102", "error_msg": "No permission."})
        with pytest.raises(ApiError, match="DRS FullAccess"):
            list_jobs(drs)


class TestListTags:
    def pages(self, cloud, *pages, **more):
        for page in pages:
            resources = [
                {"resource_id": job_id(number), "tags": [{"key": "number", "value": str(number)}]} for number in page
            ]
            cloud.post(TAGS_URL, json={"resources": resources, **more})

    def test_request(self, cloud):
        self.pages(cloud, [1], total_count=1)
        assert list_tags(client()) == {job_id(1): {"number": "1"}}
        assert cloud.calls[0].request.url == f"{TAGS_URL}?limit=1000&offset=0"
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
        cloud.post(TAGS_URL, json=body)
        assert list_tags(client()) == {}

    def test_values(self, cloud):
        """Tags may have no value, and resources no tags."""
        pairs = [{"key": "k"}, {"key": "l", "value": None}, {"key": "m", "value": ""}, {"key": "", "value": "v"}]
        resources = [
            {"resource_id": job_id(1), "tags": pairs},
            {"resource_id": job_id(2), "tags": None},
            {"resource_id": job_id(3)},
        ]
        cloud.post(TAGS_URL, json={"resources": resources, "total_count": 3})
        assert list_tags(client()) == {job_id(1): {"k": "", "l": "", "m": "", "": "v"}, job_id(2): {}, job_id(3): {}}

    @pytest.mark.parametrize("tags", [5, True, 0, "", "text", {}, {"key": "k", "value": "v"}])
    def test_tags_that_are_not_a_list(self, cloud, tags):
        cloud.post(
            TAGS_URL, json={"resources": [{"resource_id": JOB_ID, "tags": tags}]}, headers={"X-Request-Id": "r1"}
        )
        with pytest.raises(InvalidResponseError, match=r"^DRS returned tags that are not a list \(request ID r1\)\.$"):
            list_tags(client())

    @pytest.mark.parametrize(
        "tag", [None, 1, "k", [], {}, {"key": None, "value": "v"}, {"key": 1}, {"key": "k", "value": 2}, {"value": "v"}]
    )
    def test_malformed_tag(self, cloud, tag):
        """It is not skipped, because tags decide on which jobs a play runs."""
        tags = [{"key": "k", "value": "v"}, tag]
        cloud.post(TAGS_URL, json={"resources": [{"resource_id": JOB_ID, "tags": tags}]})
        with pytest.raises(InvalidResponseError, match="^DRS returned a tag whose key or value is not text"):
            list_tags(client())

    @pytest.mark.parametrize("resource", [None, 3, "text", {}, {"resource_id": 3}, {"resource_id": None, "tags": []}])
    def test_resource_without_an_id(self, cloud, resource):
        cloud.post(TAGS_URL, json={"resources": [{"resource_id": JOB_ID, "tags": []}, resource]})
        with pytest.raises(InvalidResponseError, match="^DRS listed a job without an ID"):
            list_tags(client())

    @pytest.mark.parametrize("invalid", INVALID_IDS)
    def test_invalid_id(self, cloud, invalid):
        cloud.post(TAGS_URL, json={"resources": [{"resource_id": invalid, "tags": []}]})
        with pytest.raises(InvalidResponseError, match="^DRS listed a job with the invalid ID ['\"]") as caught:
            list_tags(client())
        check_nothing_shown(shown(caught.value))

    def test_response_without_a_list(self, cloud):
        cloud.post(TAGS_URL, json={"resources": {"a": 1}})
        with pytest.raises(InvalidResponseError, match="no list of resources"):
            list_tags(client())

    def test_region_without_the_call(self, cloud):
        cloud.post(TAGS_URL, status=404, json={"error_code": "APIGW.0101"})
        assert list_tags(client()) is None

    def test_other_errors_are_raised(self, cloud):
        cloud.post(TAGS_URL, status=403, json={"error_code": "DRS.M00102"})
        with pytest.raises(ApiError):
            list_tags(client())


class TestLimits:
    """Limits of lists that a faulty or malicious server never ends."""

    @pytest.fixture(params=["jobs", "jobs of v3", "tags"])
    def read(self, request):
        """Read a list."""
        drs = client(max_retries=4)
        drs.reads_v3 = request.param == "jobs of v3"
        return lambda: (list_tags if request.param == "tags" else list_jobs)(drs)

    @pytest.fixture
    def endless(self, cloud, clock):
        """Each page has another job with tags, and the total is never reached."""

        def add(seconds=0, responses=()):
            numbers, more = itertools.count(), iter(responses)

            def respond(request):
                clock.now += seconds
                number = next(numbers)
                resource = {"resource_id": job_id(number), "tags": [{"key": "k", "value": "v"}]}
                body = {"jobs": [listed(number)], "resources": [resource], "total_count": 10**9, "total_record": 10**9}
                return next(more, (200, {}, json.dumps(body)))

            for method, url in (("GET", JOBS_URL), ("POST", JOBS_V3_URL), ("POST", TAGS_URL)):
                cloud.add_callback(method, url, callback=respond)
            cloud.assert_all_requests_are_fired = False

        return add

    def test_pages(self, cloud, read, endless, monkeypatch):
        monkeypatch.setattr(_job_lists, "MAX_PAGES", 5)
        endless()
        with pytest.raises(
            InvalidResponseError, match=r"^The list of (jobs|tags) from DRS did not end within 5 pages\."
        ):
            read()
        assert len(cloud.calls) == 5

    def test_time(self, cloud, read, endless):
        endless(seconds=100)
        with pytest.raises(InvalidResponseError, match=r"did not end within 600 seconds\."):
            read()
        assert len(cloud.calls) == 6

    def test_time_of_retries(self, cloud, clock, read, endless):
        """All pages have one deadline, after which nothing is retried."""
        endless(seconds=290, responses=[(503, {}, ""), (503, {"Retry-After": "50"}, "")])
        with pytest.raises(ApiError, match="503"):
            read()
        assert len(clock.pauses) == 1

    def test_length(self, cloud, read, endless, monkeypatch):
        monkeypatch.setattr(_job_lists, "MAX_LIST_LENGTH", 2000)
        endless()
        with pytest.raises(InvalidResponseError, match=r"did not end within 2000 characters\."):
            read()
        assert 3 < len(cloud.calls) < 12

    def test_jobs(self, cloud, drs, monkeypatch):
        """Subtasks count."""
        monkeypatch.setattr(_jobs, "MAX_JOBS", 3)
        cloud.get(JOBS_URL, json={"jobs": [listed(0, children=list(map(listed, range(1, 4))))], "total_count": 1})
        with pytest.raises(InvalidResponseError, match=r"did not end within 3 jobs\."):
            list_jobs(drs)


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

    def test_list_begins_again(self, cloud, drs):
        """Pages of v5 and v3 need not match."""
        cloud.get(JOBS_URL, json={"total_count": 3, "jobs": [listed(1)]})
        cloud.get(JOBS_URL, status=400, json={"error_code": "DRS.M99999"})
        pages = [((1, 2), 3), ((3,), 3), ((3, 4), 2)]
        for numbers, total in pages:
            cloud.post(JOBS_V3_URL, json={"total_record": total, "jobs": [listed(number) for number in numbers]})
        assert [job["id"] for job in list_jobs(drs, "job-3")] == [job_id(3)]
        # By default, v3 may list one engine type only.
        common = {"per_page": PAGE_SIZE, "db_use_type": "sync", "name": "job-3"}
        engine_type = {"engine_type": "mysql-to-dws"}
        assert bodies(cloud) == [
            {"cur_page": 1, **common},
            {"cur_page": 2, **common},
            {"cur_page": 1, **common, **engine_type},
        ]

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
