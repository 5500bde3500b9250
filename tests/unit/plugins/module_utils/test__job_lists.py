# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import html
import itertools
import json
import re

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils import _job_lists
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._job_lists import (
    PAGE_SIZE,
    list_jobs,
    list_tags,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._redact import HIDDEN
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    DRS,
    JOB_ID,
    JOBS_URL,
    JOBS_V3_URL,
    PASSWORD,
    PROJECT_ID,
    TOKEN,
    add_jobs,
    bodies,
    check_nothing_shown,
    client,
    job_id,
    listed,
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
    def test_same_page_again_and_again(self, cloud, total):
        """What is missing is not known. That something is missing may be."""
        warnings = []
        cloud.get(JOBS_URL, json={"jobs": [listed(number) for number in range(50)], **total})
        assert len(list_jobs(client(warn=warnings.append))) == 50
        assert len(cloud.calls) == 2
        expected = "DRS counts 1000000 entries in the list of jobs, and returned 50. Some jobs may be missing."
        assert warnings == ([expected] if total else [])

    @pytest.mark.parametrize("total, is_complete", [(1, True), (3, True), (2, False), (4, False)])
    def test_subtasks(self, cloud, total, is_complete):
        """The API page does not say whether the total counts them."""
        warnings = []
        cloud.get(JOBS_URL, json={"jobs": [listed(0, children=[listed(1), listed(2)])], "total_count": total})
        if total > 1:
            cloud.get(JOBS_URL, json={"jobs": [], "total_count": total})
        assert len(list_jobs(client(warn=warnings.append))) == 3
        said = f"DRS counts {total} entries in the list of jobs, and returned 1. Some jobs may be missing."
        assert warnings == ([] if is_complete else [said])

    def test_total_that_is_a_secret(self, cloud):
        warnings = []
        cloud.get(JOBS_URL, json={"jobs": [], "total_count": 31415926535})
        list_jobs(client(warn=warnings.append, secrets={"31415926535"}))
        assert warnings == [
            "DRS counts ******** entries in the list of jobs, and returned 0. Some jobs may be missing."
        ]

    @pytest.mark.parametrize("total", [0, -1, 1, True, False])
    def test_total_that_is_too_small(self, cloud, drs, total):
        """The list ends with an empty page."""
        for numbers in ((0, 1), (2, 3), ()):
            cloud.get(JOBS_URL, json={"jobs": list(map(listed, numbers)), "total_count": total})
        assert len(list_jobs(drs)) == 4

    @pytest.mark.parametrize("pages", [[((4, 3), 5), ((0,), 4)], [((4, 3), 4), ((0, 4), 4)]])
    def test_job_that_moves_to_a_page_that_was_read(self, cloud, pages):
        """Job 1 would be missing: job 3 was deleted, or job 4 is now the last."""
        warnings = []
        drs = client(warn=warnings.append)
        for numbers, count in (*pages, ((4, 2), 4), ((1, 0), 4)):
            cloud.get(JOBS_URL, json={"total_count": count, "jobs": list(map(listed, numbers))})
        assert [job["id"] for job in list_jobs(drs)] == [job_id(number) for number in (4, 2, 1, 0)]
        assert warnings == []

    def test_list_that_changes_each_time(self, cloud, monkeypatch):
        """The limits are those of each time, not of all together."""
        monkeypatch.setattr(_job_lists, "MAX_PAGES", 3)
        monkeypatch.setattr(_job_lists, "MAX_LIST_LENGTH", 1500)
        warnings = []
        drs = client(warn=warnings.append)
        pages = (*((((4, 3), 6), ((2, 1), 5)) * 4), ((0,), 5))
        for numbers, count in pages:
            cloud.get(JOBS_URL, json={"total_count": count, "jobs": list(map(listed, numbers))})
        assert [job["id"] for job in list_jobs(drs)] == [job_id(number) for number in (4, 3, 2, 1, 0)]
        assert warnings == ["The list of jobs from DRS changed each time that it was read. Some jobs may be missing."]
        assert len(cloud.calls) == len(pages)

    def test_job_on_two_pages(self, cloud, drs):
        """A job that is created between two requests shifts the others. The second time, nothing changes."""
        cloud.get(JOBS_URL, json={"total_count": 4, "jobs": [listed(3), listed(2)]})
        cloud.get(JOBS_URL, json={"total_count": 5, "jobs": [listed(2, status="PAUSING"), listed(1)]})
        for numbers in ((0,), (4, 3), (2, 1), (0,)):
            cloud.get(JOBS_URL, json={"total_count": 5, "jobs": list(map(listed, numbers))})
        assert [(job["id"], job["status"][0]) for job in list_jobs(drs)] == [
            (job_id(number), "I") for number in (4, 3, 2, 1, 0)
        ]
        offsets = [re.search("offset=([0-9]+)", call.request.url)[1] for call in cloud.calls]
        assert offsets == ["0", "2", "4", "0", "2", "4"]

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

    @pytest.mark.parametrize("where", ["parent", "child"])
    def test_id_that_contains_a_secret(self, cloud, drs, where):
        """It would be in URLs, and in their messages."""
        entry = {**listed(), "id": f"{TOKEN[4:24]:x<36}"}
        cloud.get(JOBS_URL, json={"jobs": [entry if where == "parent" else listed(1, children=[entry])]})
        with pytest.raises(InvalidResponseError, match="^DRS listed a job whose ID contains a password") as caught:
            list_jobs(drs)
        assert TOKEN[4:24] not in str(caught.value)

    @pytest.mark.parametrize("invalid", INVALID_IDS)
    @pytest.mark.parametrize("where", ["parent", "child"])
    def test_invalid_id(self, cloud, drs, where, invalid):
        entry = {**listed(), "id": invalid}
        cloud.get(JOBS_URL, json={"jobs": [entry if where == "parent" else listed(1, children=[entry])]})
        with pytest.raises(InvalidResponseError, match="^DRS listed a job with the invalid ID ['\"]") as caught:
            list_jobs(drs)
        assert str(caught.value).isprintable() and len(str(caught.value)) < 600
        check_nothing_shown(shown(caught.value))

    def test_secret_in_an_invalid_id(self, cloud):
        """Three encodings, to which a quoted text would add a fourth."""
        invalid = html.escape(html.escape(PASSWORD)).replace("/", "\\/")
        cloud.get(JOBS_URL, json={"jobs": [{**listed(), "id": invalid}]})
        with pytest.raises(InvalidResponseError, match=f"^DRS listed a job with the invalid ID '{re.escape(HIDDEN)}'"):
            list_jobs(client(secrets=[PASSWORD]))

    def test_error_on_a_later_page(self, cloud, drs):
        """Part of the list would look like all of it."""
        cloud.get(JOBS_URL, json={"jobs": [listed(1)], "total_count": 2})
        cloud.get(JOBS_URL, status=403, json={"error_code": "DRS.M00102", "error_msg": "No permission."})
        with pytest.raises(HuaweiCloudError, match="DRS FullAccess"):
            list_jobs(drs)

    def test_list_that_changed_and_is_refused_then(self, cloud, drs):
        cloud.get(JOBS_URL, json={"jobs": [listed(1)], "total_count": 3})
        cloud.get(JOBS_URL, json={"jobs": [listed(2)], "total_count": 2})
        cloud.get(JOBS_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "No."})
        with pytest.raises(HuaweiCloudError, match="HTTP 404 APIGW.0101: No"):
            list_jobs(drs)
        assert len(cloud.calls) == 3

    @pytest.mark.parametrize(
        "status, error_code", [(404, "APIGW.0101"), (400, "DRS.10000001"), (404, "DRS.10000010"), (409, "DRS.M05003")]
    )
    def test_later_page_that_v5_refuses(self, cloud, drs, status, error_code):
        """v3 may not list what the pages before contain."""
        cloud.get(JOBS_URL, json={"jobs": [listed(1)], "total_count": 2})
        cloud.get(JOBS_URL, status=status, json={"error_code": error_code, "error_msg": "No."})
        with pytest.raises(HuaweiCloudError, match=f"HTTP {status} {error_code}: No") as caught:
            list_jobs(drs)
        assert caught.value.facts() == {"http_status": status, "error_code": error_code, "error_msg": "No."}
        assert len(cloud.calls) == 2


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
        assert cloud.calls[0].request.url == f"{TAGS_URL}?limit=100&offset=0"
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

    def test_later_page_that_is_refused(self, cloud):
        """The tags of the first page show that the region publishes the call."""
        self.pages(cloud, [1], total_count=2)
        cloud.post(TAGS_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "No."})
        with pytest.raises(HuaweiCloudError, match="HTTP 404 APIGW.0101: No"):
            list_tags(client())

    @pytest.mark.parametrize("body", [{"total_count": 0}, {"resources": [], "total_count": 9}])
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

    @pytest.mark.parametrize("body", [{}, {"resources": {"a": 1}}, {"total_count": 1}])
    def test_response_without_a_list(self, cloud, body):
        cloud.post(TAGS_URL, json=body)
        with pytest.raises(InvalidResponseError, match="no list of resources"):
            list_tags(client())

    def test_region_without_the_call(self, cloud):
        cloud.post(TAGS_URL, status=404, json={"error_code": "APIGW.0101"})
        assert list_tags(client()) is None

    def test_other_errors_are_raised(self, cloud):
        cloud.post(TAGS_URL, status=403, json={"error_code": "DRS.M00102"})
        with pytest.raises(ApiError):
            list_tags(client())

    @pytest.mark.parametrize("count, good", [(100, True), (101, False)])
    def test_number_of_tags(self, cloud, count, good):
        tags = [{"key": f"k{number}", "value": "\u202e" + "x" * 255} for number in range(count)]
        cloud.post(TAGS_URL, json={"resources": [{"resource_id": JOB_ID, "tags": tags}], "total_count": 1})
        if good:
            assert set(list_tags(client())[JOB_ID].values()) == {" " + "x" * 255}
        else:
            with pytest.raises(InvalidResponseError, match="DRS returned more than 100 tags of a job"):
                list_tags(client())

    def test_number_of_all_tags(self, cloud, monkeypatch):
        monkeypatch.setattr(_job_lists, "MAX_ALL_TAGS", 3)
        self.pages(cloud, [1, 2], [3, 4], total_count=9)
        with pytest.raises(InvalidResponseError, match="The list of tags from DRS did not end within 3 tags"):
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
        monkeypatch.setattr(_job_lists, "MAX_JOBS", 3)
        cloud.get(JOBS_URL, json={"jobs": [listed(0, children=list(map(listed, range(1, 4))))], "total_count": 1})
        with pytest.raises(InvalidResponseError, match=r"did not end within 3 jobs\."):
            list_jobs(drs)


class TestListByV3:
    def test_requests(self, cloud, drs):
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
