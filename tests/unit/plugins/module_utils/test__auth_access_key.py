# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from datetime import datetime, timedelta

import pytest
from huaweicloudsdkcore.signer import signer
from responses.matchers import query_param_matcher

from ansible_collections.huaweicloud.drs.plugins.module_utils import _auth_access_key
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_access_key import AgencyAuth, ProfileAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._hints import AUTH_HELP
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    COLLECT_URL,
    IAM,
    KEY,
    OWN_PROJECTS_URL,
    PROFILE,
    PROJECT_ID,
    PROJECTS_URL,
    REGION,
    RESULT_URL,
    SECRET_KEY,
    SECURITY_TOKEN,
    TEMPORARY_KEY,
    URL,
    add_projects,
    agency_key,
    check_nothing_shown,
    check_signature,
    check_signed,
    readable,
    shown,
)

EXPIRY = 4070908800  # 2099-01-01, in seconds since 1970
SDK_PARTS = [
    "huaweicloudsdkcore",
    "huaweicloudsdkcore.auth.credentials",
    "huaweicloudsdkcore.auth.provider",
    "huaweicloudsdkcore.sdk_request",
]


def log_in(auth_method="aksk", **options):
    http = HttpClient(timeout=10, max_retries=2)
    auth = select_auth(AuthOptions(**{"region": REGION, **options}), auth_method)
    auth.authenticate(http)
    return auth, http


def login_error(auth_method="aksk", **options):
    with pytest.raises(HuaweiCloudError) as caught:
        log_in(auth_method, **options)
    check_nothing_shown(shown(caught.value))
    return caught.value


@pytest.fixture(params=SDK_PARTS)
def _no_sdk(request, monkeypatch):
    monkeypatch.setitem(sys.modules, request.param, None)
    for name in [name for name in sys.modules if name.startswith(f"{request.param}.")]:
        monkeypatch.delitem(sys.modules, name)


class TestSignature:
    @pytest.mark.parametrize("options", [KEY, TEMPORARY_KEY], ids=["permanent", "temporary"])
    @pytest.mark.parametrize(
        "method, url, params, body",
        [
            ("GET", RESULT_URL, {"query_id": "a/../b?c=d&e", "b": "", "a": "2~*'()"}, None),
            ("GET", RESULT_URL, {"name": "two words+ö"}, None),
            ("POST", COLLECT_URL, {"x": "y"}, {"text": "ö\n\N{GRINNING FACE}"}),
            ("PUT", "https://drs.example.com:8443/v5/a%20b/~c", None, {}),
            ("DELETE", "https://drs.example.com/", None, None),
        ],
    )
    def test_signature_of_a_request(self, cloud, options, method, url, params, body):
        auth, http = log_in(**options, project_id=PROJECT_ID)
        cloud.add(method, url, json={})
        http.request(method, url, auth=auth, params=params, body=body)
        request = cloud.calls[0].request
        check_signed(request)
        assert request.headers["X-Project-Id"] == PROJECT_ID
        assert request.headers["Content-Type"] == "application/json"
        assert request.headers.get("X-Security-Token") == options.get("security_token")
        sent = datetime.strptime(request.headers["X-Sdk-Date"], "%Y%m%dT%H%M%SZ")
        assert abs(
            sent - datetime.strptime(time.strftime("%Y%m%dT%H%M%S", time.gmtime()), "%Y%m%dT%H%M%S")
        ) < timedelta(minutes=1)
        assert auth.project_id == PROJECT_ID
        assert http.secrets == set(options.values())

    def test_signature_covers_the_whole_request(self, cloud):
        """This proves that `check_signature` finds what was changed after signing."""
        auth, http = log_in(**TEMPORARY_KEY, project_id=PROJECT_ID)
        cloud.post(COLLECT_URL, json={})
        http.request("POST", COLLECT_URL, auth=auth, params={"a": "b"}, body={"c": "d"})
        request = cloud.calls[0].request
        good = {"method": "POST", "url": request.url, "headers": dict(request.headers), "body": request.body}
        check_signature(**good)
        for change in (
            {"method": "PUT"},
            {"url": f"{request.url}c"},
            {"url": request.url.replace("/v5/", "/v6/")},
            {"body": request.body + b" "},
            {"secret_key": SECRET_KEY[:-1]},
            *(
                {"headers": {**good["headers"], name: "other"}}
                for name in ("Content-Type", "Host", "X-Sdk-Date", "X-Security-Token", "X-Project-Id")
            ),
        ):
            with pytest.raises((AssertionError, ValueError)):
                check_signature(**{**good, **change})

    def test_nothing_signed_is_changed_on_the_wire(self, serve):
        server = serve(loopback.response())
        auth, http = log_in(**TEMPORARY_KEY, project_id=PROJECT_ID)
        http.request("POST", f"{server.url}/v5/a", auth=auth, params={"b": "c/d e"}, body={"f": "ö"})
        head, body = server.requests[0].decode().split("\r\n\r\n")
        line, *headers = head.split("\r\n")
        method, target, _version = line.split()
        names = [header.split(":")[0].lower() for header in headers]
        assert len(names) == len(set(names))
        check_signature(
            method, f"{server.url}{target}", dict(header.split(": ", 1) for header in headers), body.encode()
        )
        assert not readable(SECRET_KEY, server.requests[0].decode())

    def test_each_attempt_is_signed_again(self, cloud, monkeypatch):
        class Clock(datetime):
            """A minute passes with each call."""

            calls = 0

            @classmethod
            def utcnow(cls):
                cls.calls += 1
                return datetime(2024, 2, 29, 12, cls.calls)

        monkeypatch.setattr(signer, "datetime", Clock)
        auth, http = log_in(**KEY, project_id=PROJECT_ID)
        for status in (429, 429, 200):
            cloud.post(COLLECT_URL, status=status, json={})
        http.request("POST", COLLECT_URL, auth=auth, body={"a": 1})
        requests = [call.request for call in cloud.calls]
        assert [request.headers["X-Sdk-Date"] for request in requests] == [
            "20240229T120100Z",
            "20240229T120200Z",
            "20240229T120300Z",
        ]
        for request in requests:
            check_signed(request)
        assert len({request.headers["Authorization"] for request in requests}) == 3

    @pytest.mark.parametrize(
        "option, text",
        [("access_key", "two words"), ("secret_key", "line\n"), ("security_token", "k\u00e9y")]
        + [(option, "ab********yz") for option in TEMPORARY_KEY],  # as Ansible masks a part of it
    )
    def test_invalid_characters_are_not_shown(self, option, text):
        error = login_error(**{**TEMPORARY_KEY, option: text})
        assert isinstance(error, InvalidOptionError)
        assert option in str(error)
        assert text not in str(error)

    @pytest.mark.usefixtures("_no_sdk")
    def test_without_the_sdk(self):
        error = login_error(**KEY, project_id=PROJECT_ID)
        assert isinstance(error, InvalidOptionError)
        assert "huaweicloudsdkcore" in str(error)
        assert sys.executable in str(error)

    @pytest.mark.usefixtures("_no_sdk")
    def test_without_the_sdk_other_methods_work(self, cloud):
        assert log_in("auto", auth_token="token", project_id=PROJECT_ID)[0].token == "token"
        with pytest.raises(InvalidOptionError, match="huaweicloudsdkcore"):
            select_auth(AuthOptions(region=REGION, **KEY))

    @pytest.mark.usefixtures("_no_sdk")
    @pytest.mark.parametrize("auth_method", ["profile", "agency"])
    def test_without_the_sdk_there_is_no_profile_and_no_agency(self, profile, auth_method):
        profile(PROFILE)
        assert "huaweicloudsdkcore" in str(login_error(auth_method))
        with pytest.raises(InvalidOptionError) as caught:
            select_auth(AuthOptions(region=REGION))
        assert AUTH_HELP in str(caught.value)


class TestProject:
    """Its ID is found by its name, unless project_id is set."""

    @pytest.mark.parametrize(
        "options, name",
        [({}, REGION), ({"project_name": f"{REGION}_sub"}, f"{REGION}_sub"), ({"project_name": "ö &b"}, "ö &b")],
    )
    def test_by_name(self, cloud, options, name):
        cloud.get(
            PROJECTS_URL,
            json={"projects": [{"id": PROJECT_ID, "name": name}]},
            match=[query_param_matcher({"name": name})],
        )
        auth, _http = log_in(**TEMPORARY_KEY, **options)
        assert auth.project_id == PROJECT_ID
        request = cloud.calls[0].request
        check_signed(request)
        assert request.headers["X-Security-Token"] == SECURITY_TOKEN
        assert "X-Project-Id" not in request.headers

    def test_iam_endpoint(self, cloud):
        add_projects(cloud, "mine", url="https://iam.example.com/v3/projects")
        assert (
            log_in(**KEY, region=None, iam_endpoint="https://iam.example.com/v3", project_name="mine")[0].project_id
            == PROJECT_ID
        )

    def test_project_id_needs_no_request(self, cloud):
        log_in(**KEY, project_id=PROJECT_ID, project_name="not used", region=None)
        assert len(cloud.calls) == 0

    def test_own_projects_without_the_permission(self, cloud):
        cloud.get(PROJECTS_URL, status=403, json={"error_code": "APIGW.0302"})
        add_projects(cloud, REGION, f"{REGION}_sub", "MOS", url=OWN_PROJECTS_URL)
        assert log_in(**KEY)[0].project_id == PROJECT_ID
        first, second = (call.request for call in cloud.calls)
        check_signed(first)
        check_signed(second)
        assert second.url == OWN_PROJECTS_URL

    def test_refused_both_times(self, cloud):
        cloud.get(PROJECTS_URL, status=403)
        cloud.get(OWN_PROJECTS_URL, status=403, json={"error_msg": "Not you."})
        assert login_error(**KEY).error_msg == "Not you."
        assert len(cloud.calls) == 2

    @pytest.mark.parametrize("status, code", [(401, "APIGW.0301"), (404, None), (500, None)])
    def test_other_refusal(self, cloud, status, code):
        cloud.get(
            PROJECTS_URL,
            status=status,
            json={"error_code": code, "error_msg": "Wrong signature."},
            headers={"X-Request-Id": "r1"},
        )
        error = login_error(**KEY)
        assert isinstance(error, ApiError)
        assert (error.http_status, error.error_code, error.request_id) == (status, code, "r1")
        assert ("check the key" in str(error)) is (code == "APIGW.0301")
        # Several invalid signatures lock a key.
        assert len(cloud.calls) == (3 if status == 500 else 1)

    @pytest.mark.parametrize(
        "names, url", [([], PROJECTS_URL), (["MOS", f"{REGION}_sub", REGION.upper()], OWN_PROJECTS_URL)]
    )
    def test_no_project_with_the_name(self, cloud, names, url):
        if url == OWN_PROJECTS_URL:
            cloud.get(PROJECTS_URL, status=403)
        add_projects(cloud, *names, url=url)
        error = login_error(**KEY)
        for part in ("no project", REGION, "project_id", "project_name"):
            assert part in str(error)

    def test_several_projects_with_the_name(self, cloud):
        add_projects(cloud, "mine", "other", "mine")
        error = login_error(**KEY, project_name="mine")
        assert str(error) == f"There are 2 projects named mine: {PROJECT_ID}, other2. Set project_id."

    def test_ids_of_several_projects_are_cut_and_masked(self, cloud):
        ids = [SECURITY_TOKEN, "\x07", None, *("x" * 64 for _number in range(100))]
        cloud.get(PROJECTS_URL, json={"projects": [{"name": REGION, "id": value} for value in ids]})
        message = str(login_error(**TEMPORARY_KEY))
        assert f"There are 103 projects named {REGION}: ********, , None, xxx" in message
        assert len(message) < 700

    @pytest.mark.parametrize("body", [{}, {"projects": {}}, {"projects": "x"}])
    def test_response_without_a_list(self, cloud, body):
        cloud.get(PROJECTS_URL, json=body, headers={"X-Request-Id": "r1"})
        error = login_error(**KEY)
        assert isinstance(error, InvalidResponseError)
        assert IAM in str(error)
        assert error.request_id == "r1"

    @pytest.mark.parametrize(
        "project",
        [None, [REGION], *({"name": REGION, "id": value} for value in (None, 7, "../..", ["a"], ACCESS_KEY.lower()))],
    )
    def test_malformed_project(self, cloud, project):
        cloud.get(PROJECTS_URL, json={"projects": [project]})
        assert "project" in str(login_error(**KEY))

    def test_malformed_projects_are_skipped(self, cloud):
        cloud.get(
            PROJECTS_URL, json={"projects": [None, 7, {"id": "x"}, {"name": REGION, "id": PROJECT_ID, "more": [1]}]}
        )
        assert log_in(**KEY)[0].project_id == PROJECT_ID

    def test_project_must_be_set(self):
        error = login_error(**KEY, region=None)
        assert isinstance(error, InvalidOptionError)
        for option in ("project_id", "project_name", "region"):
            assert option in str(error)

    @pytest.mark.parametrize(
        "options, named",
        [({"project_name": "mine", "region": None}, "iam_endpoint"), ({"project_id": "a/b"}, "project_id")],
    )
    def test_options_are_checked_before_anything_is_sent(self, cloud, options, named):
        assert named in str(login_error(**KEY, **options))
        assert len(cloud.calls) == 0


def test_unusable_project_id_is_not_shown(cloud):
    cloud.get(PROJECTS_URL, json={"projects": [{"name": REGION, "id": SECURITY_TOKEN}]})
    with pytest.raises(HuaweiCloudError) as caught:
        log_in(**TEMPORARY_KEY)
    check_nothing_shown(shown(caught.value))
    # The response is wrong, not an option.
    assert isinstance(caught.value, InvalidResponseError)


class TestVariablesOfTheSdk:
    """They belong to the key in HUAWEICLOUD_SDK_AK, which may be of another account than the key in use."""

    @pytest.fixture(autouse=True)
    def _variables(self, monkeypatch):
        monkeypatch.setenv("HUAWEICLOUD_SDK_AK", ACCESS_KEY)
        monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "theirs")
        monkeypatch.setenv("HUAWEICLOUD_SDK_IAM_ENDPOINT", "https://iam.sdk.example.com")

    def test_project_of_the_key(self):
        auth = log_in(**KEY, region=None)[0]
        assert auth.project_id == "theirs"

    def test_iam_endpoint_of_the_key(self, cloud, monkeypatch):
        monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "")
        add_projects(cloud, REGION, url="https://iam.sdk.example.com/v3/projects")
        assert log_in(**KEY)[0].project_id == PROJECT_ID

    def test_options_win(self, cloud):
        assert log_in(**KEY, project_id=PROJECT_ID)[0].project_id == PROJECT_ID
        add_projects(cloud, "mine", url="https://iam.example.com/v3/projects")
        auth = log_in(**KEY, project_name="mine", iam_endpoint="https://iam.example.com")[0]
        assert auth.project_id == PROJECT_ID

    def test_other_key(self, cloud):
        add_projects(cloud, REGION)
        assert log_in(access_key="OTHER", secret_key=SECRET_KEY)[0].project_id == PROJECT_ID

    @pytest.mark.parametrize(
        "args", [{"username": "me", "password": "p", "domain_name": "d"}, {"auth_token": "t", "project_id": PROJECT_ID}]
    )
    def test_other_methods(self, args):
        options = select_auth(AuthOptions(region=REGION, **args)).options
        assert (options.project_id, options.iam_endpoint) == (args.get("project_id"), None)

    def test_malformed_project(self, monkeypatch):
        monkeypatch.setenv("HUAWEICLOUD_SDK_PROJECT_ID", "a/b")
        assert "project_id" in str(login_error(**KEY))


class TestProfile:
    def test_permanent_key(self, cloud, profile):
        profile(PROFILE)
        add_projects(cloud, REGION)
        auth, http = log_in("profile")
        assert isinstance(auth, ProfileAuth)
        assert (auth.project_id, http.secrets) == (PROJECT_ID, {ACCESS_KEY, SECRET_KEY})
        check_signed(cloud.calls[0].request)

    def test_temporary_key_with_a_project(self, cloud, profile):
        profile(f"{PROFILE}security_token = {SECURITY_TOKEN}\nproject_id = {PROJECT_ID}\n[global]\nak = x\nsk = y\n")
        auth, http = log_in("profile")
        assert (auth.project_id, http.secrets) == (PROJECT_ID, {ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN})
        cloud.get(RESULT_URL, json={})
        http.request("GET", RESULT_URL, auth=auth)
        check_signed(cloud.calls[0].request)
        assert cloud.calls[0].request.headers["X-Security-Token"] == SECURITY_TOKEN

    def test_project_id_of_the_task_wins(self, profile):
        profile(f"{PROFILE}project_id = other\n")
        assert log_in("profile", project_id=PROJECT_ID)[0].project_id == PROJECT_ID

    def test_project_name_of_the_task_wins(self, cloud, profile):
        profile(f"{PROFILE}project_id = other\n")
        add_projects(cloud, "mine")
        assert log_in("profile", project_name="mine")[0].project_id == PROJECT_ID

    @pytest.mark.parametrize(
        "option, used",
        [
            (None, "https://iam.profile.example.com"),
            ("https://iam.example.com/v3", "https://iam.example.com"),
        ],
    )
    def test_iam_endpoint(self, cloud, profile, option, used):
        profile(f"{PROFILE}iam_endpoint = https://iam.profile.example.com\n")
        add_projects(cloud, REGION, url=f"{used}/v3/projects")
        assert log_in("profile", iam_endpoint=option)[0].project_id == PROJECT_ID

    @pytest.mark.parametrize(
        "name, value",
        [
            ("iam_endpoint", SECRET_KEY),
            ("iam_endpoint", f"https://x/{SECRET_KEY}"),
            ("project_id", f"{SECRET_KEY}!"),
            ("project_id", f"{ACCESS_KEY}!"),
            ("project_id", "abc\n  securitytoken = another-secret"),
        ],
    )
    def test_key_in_another_line(self, profile, name, value):
        """An indented line belongs to the value before."""
        profile(f"{PROFILE}{name} = {value}\n")
        with pytest.raises(InvalidOptionError, match=f"^{name} in the profile is invalid.$"):
            log_in("profile")

    def test_option_that_wins_is_quoted(self, profile):
        profile(f"{PROFILE}project_id = {SECRET_KEY}!\n")
        with pytest.raises(InvalidOptionError, match="^project_id must .* it is 'a/b'"):
            log_in("profile", project_id="a/b")

    def test_iam_endpoint_is_checked(self, cloud, profile):
        profile(f"{PROFILE}iam_endpoint = http://iam.example.com\n")
        assert "iam_endpoint" in str(login_error("profile"))
        assert len(cloud.calls) == 0

    def test_file_at_home(self, monkeypatch, tmp_path):
        (tmp_path / ".huaweicloud").mkdir()
        (tmp_path / ".huaweicloud/credentials").write_text(PROFILE)
        monkeypatch.setenv("HOME", str(tmp_path))
        assert log_in("profile", project_id=PROJECT_ID)[0].access_key == ACCESS_KEY
        assert isinstance(log_in("auto", project_id=PROJECT_ID)[0], ProfileAuth)

    INVALID = {
        "empty": "",
        "no secret key": f"[basic]\nak = {ACCESS_KEY}\n",
        "empty keys": "[basic]\nak =\nsk =\n",
        "no section": f"ak = {ACCESS_KEY}\nsk = {SECRET_KEY}\n",
        "no option": f"[basic]\n{SECRET_KEY}\n",
        "twice": f"{PROFILE}sk = {SECRET_KEY}\n",
        "reference": f"[basic]\nak = {ACCESS_KEY}\nsk = %({SECRET_KEY})s\n",
        "bytes": PROFILE.encode() + b"\xff\xfe",
    }

    @pytest.mark.parametrize("content", INVALID.values(), ids=INVALID)
    @pytest.mark.parametrize("auth_method", ["profile", "auto"])
    def test_invalid_file(self, cloud, profile, auth_method, content):
        profile(content)
        error = login_error(auth_method, project_id=PROJECT_ID)
        assert isinstance(error, InvalidOptionError)
        assert "profile" in str(error)
        assert len(cloud.calls) == 0

    def test_invalid_file_does_not_disturb_other_methods(self, profile):
        profile(self.INVALID["no section"])
        assert log_in("auto", **KEY, project_id=PROJECT_ID)[0].access_key == ACCESS_KEY
        with pytest.raises(InvalidOptionError, match="password"):
            select_auth(AuthOptions(region=REGION, username="operator"))

    def test_missing_file(self, monkeypatch, tmp_path):
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(tmp_path / "nowhere"))
        assert "nowhere" in str(login_error("profile"))

    @pytest.mark.parametrize("auth_method", ["profile", "auto"])
    def test_identity_provider(self, cloud, profile, auth_method):
        profile("[basic]\nidp_id = theirs\nid_token_file = /nonexistent\n")
        error = login_error(auth_method, project_id=PROJECT_ID)
        assert "identity provider" in str(error)
        assert len(cloud.calls) == 0

    def test_invalid_project_id(self, cloud, profile):
        profile(f"{PROFILE}project_id = a/b\n")
        assert "project_id" in str(login_error("profile"))
        assert len(cloud.calls) == 0


@pytest.mark.parametrize(
    "line", ["ak = two\n words", "sk = two words", "security_token = abcdefSECRET\n ghi", "security_token = k\u00e9y"]
)
def test_invalid_characters_in_a_profile(profile, line):
    name = line.split()[0]
    profile("\n".join([*(text for text in PROFILE.splitlines() if not text.startswith(name)), line]))
    with pytest.raises(InvalidOptionError, match="characters"):
        select_auth(AuthOptions(region=REGION), "profile")


def test_empty_security_token_is_not_sent(cloud, profile):
    profile(f"{PROFILE}project_id = {PROJECT_ID}\nsecurity_token =\n")
    http = HttpClient(timeout=10, max_retries=0)
    auth = select_auth(AuthOptions(region=REGION), "profile")
    auth.authenticate(http)
    cloud.get(URL, json={})
    http.request("GET", URL, auth=auth)
    assert "X-Security-Token" not in cloud.calls[0].request.headers


def key_response(**more):
    return loopback.response(agency_key(**more))


class TestAgency:
    def test_key(self, cloud, serve, metadata):
        server = serve(loopback.response(b"metadata-token"), key_response())
        metadata(server.url)
        cloud.add_passthru(server.url)
        add_projects(cloud, REGION)
        auth, http = log_in("agency")
        assert isinstance(auth, AgencyAuth)
        assert [request.split()[1] for request in server.requests] == [
            b"/meta-data/latest/api/token",
            b"/openstack/latest/securitykey",
        ]
        assert (auth.project_id, http.secrets) == (
            PROJECT_ID,
            {ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, "metadata-token"},
        )
        check_signed(cloud.calls[-1].request)
        assert cloud.calls[-1].request.headers["X-Security-Token"] == SECURITY_TOKEN

    def test_auto_uses_it_last(self, serve, metadata):
        server = serve(loopback.response(b"metadata-token"), key_response())
        metadata(server.url)
        assert log_in("auto", project_id=PROJECT_ID)[0].secret_key == SECRET_KEY

    def test_options_are_checked_before_the_metadata_service_is_asked(self, serve, metadata):
        server = serve(loopback.response())
        metadata(server.url)
        assert "project_id" in str(login_error("agency", region=None))
        assert "iam_endpoint" in str(login_error("agency", iam_endpoint="x"))
        assert server.requests == []

    def test_timeout_is_three_seconds(self):
        assert _auth_access_key.METADATA_TIMEOUT == 3

    def test_time_is_bounded_while_the_server_keeps_sending(self, serve, metadata, monkeypatch):
        monkeypatch.setattr(_auth_access_key, "METADATA_TIMEOUT", 0.1)
        metadata(serve(loopback.drip_body).url)
        started = time.monotonic()
        error = login_error("agency", project_id=PROJECT_ID)
        assert 0.1 <= time.monotonic() - started < 10  # seconds, on a slow machine
        assert str(error).startswith("No credentials are set. The metadata service")
        assert AUTH_HELP in str(error)
        assert "TimeoutError" in str(error)

    @pytest.mark.parametrize("auth_method", ["agency", "auto"])
    def test_no_metadata_service(self, auth_method):
        error = login_error(auth_method, project_id=PROJECT_ID)
        assert AUTH_HELP in str(error)
        assert "metadata" in str(error)

    @pytest.mark.parametrize(
        "script",
        [
            loopback.response(f"secret {SECRET_KEY}".encode(), status=500),
            loopback.response(SECRET_KEY.encode()),
            loopback.response(b"{}"),
            loopback.response(b"null"),
            key_response(secret={"a": SECRET_KEY}, access=""),
            key_response(securitytoken=""),
            key_response(access="query"),
            key_response(securitytoken="x" * 40000),
            loopback.response(json.dumps({"credential": SECRET_KEY}).encode()),
            loopback.close_without_response,
        ],
    )
    def test_response_without_a_key(self, serve, metadata, script):
        metadata(serve(loopback.response(b"metadata-token"), script).url)
        error = login_error("agency", project_id=PROJECT_ID)
        assert AUTH_HELP in str(error)
        assert "metadata" in str(error)

    @pytest.mark.parametrize("token", [b"", b"query", b"a metadata-token", b"\xe4" * 20])
    def test_metadata_token_that_is_none(self, serve, metadata, token):
        """To mask it would take apart the results."""
        server = serve(loopback.response(token), key_response())
        metadata(server.url)
        assert "metadata" in str(login_error("agency", project_id=PROJECT_ID))
        assert len(server.requests) == 1

    @pytest.mark.parametrize("status, works", [(404, True), (405, True), (503, True), (400, False), (500, False)])
    def test_metadata_service_without_tokens(self, serve, metadata, status, works):
        server = serve(loopback.response(SECRET_KEY.encode(), status=status), key_response())
        metadata(server.url)
        if works:
            assert log_in("agency", project_id=PROJECT_ID)[0].secret_key == SECRET_KEY
            assert b"X-Metadata" not in server.requests[1]
        else:
            assert "metadata" in str(login_error("agency", project_id=PROJECT_ID))
            assert len(server.requests) == 1

    @pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
    def test_proxy_is_never_used(self, serve, metadata, monkeypatch, name):
        proxy = serve(loopback.response())
        metadata(serve(loopback.response(b"metadata-token"), key_response()).url)
        monkeypatch.setenv(name, proxy.url)
        assert log_in("agency", project_id=PROJECT_ID)[0].secret_key == SECRET_KEY
        assert proxy.requests == []


class TestRenewal:
    """Keys of the metadata service."""

    @pytest.fixture
    def keys(self, serve, metadata):
        """Serve keys with these values one after the other, and return the server."""

        def start(*values):
            scripts = [(loopback.response(b"metadata-token"), key_response(**value)) for value in values]
            server = serve(*itertools.chain(*scripts), loopback.response(status=500))
            metadata(server.url)
            return server

        return start

    @staticmethod
    def in_seconds(seconds):
        return time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + seconds))

    @staticmethod
    def session():
        auth, http = log_in("agency", project_id=PROJECT_ID)
        return auth, Session(http, auth)

    @staticmethod
    def keys_used(cloud):
        return [call.request.headers["Authorization"].split(",")[0].rpartition("=")[2] for call in cloud.calls]

    @pytest.fixture
    def cloud(self, cloud, metadata):
        cloud.add_passthru("http://127.0.0.1")
        return cloud

    def test_refused_key_is_renewed_once(self, cloud, keys):
        server = keys(
            {"access": "OLD-ACCESS-KEY"},
            {"access": "NEW-ACCESS-KEY", "secret": "new-secret", "securitytoken": "new-token"},
        )
        _auth, session = self.session()
        cloud.post(URL, status=401, json={"error_code": "APIGW.0301"})
        cloud.post(URL, json={"id": "1"})
        assert session.request("POST", URL).body == {"id": "1"}
        assert self.keys_used(cloud) == ["OLD-ACCESS-KEY", "NEW-ACCESS-KEY"]
        assert cloud.calls[1].request.headers["X-Security-Token"] == "new-token"
        assert len(server.requests) == 4
        assert session.sanitize("the new-secret, new-token") == "the ********, ********"

    def test_key_that_another_thread_renewed(self, cloud, keys):
        """A request is on its way with the old key, while another thread renews it because it expires."""
        server = keys({"access": "OLD-ACCESS-KEY", "expires_at": self.in_seconds(10)}, {"access": "NEW-ACCESS-KEY"})
        auth, session = self.session()

        def refuse(_request):
            auth._renew_at = 0
            other = threading.Thread(target=session.request, args=("GET", URL))
            other.start()
            other.join()
            return 401, {}, json.dumps({"error_code": "APIGW.0301"})

        cloud.get(URL, json={})
        cloud.add_callback("POST", URL, refuse)
        cloud.post(URL, json={"id": "1"})
        assert session.request("POST", URL).body == {"id": "1"}
        assert sorted(self.keys_used(cloud)) == ["NEW-ACCESS-KEY"] * 2 + ["OLD-ACCESS-KEY"]
        assert len(server.requests) == 4

    def test_new_key_is_refused_as_well(self, cloud, keys):
        keys({"access": "OLD-ACCESS-KEY"}, {"access": "NEW-ACCESS-KEY"}, {"access": "NEWER-ACCESS-KEY"})
        _auth, session = self.session()
        cloud.post(URL, status=401, json={"error_code": "APIGW.0301"})
        for _request in range(2):
            with pytest.raises(HuaweiCloudError, match=r"APIGW\.0301"):
                session.request("POST", URL)
        assert self.keys_used(cloud) == ["OLD-ACCESS-KEY", "NEW-ACCESS-KEY"]

    def test_same_key_is_not_used_again(self, cloud, keys):
        """More signatures with it could lock it."""
        keys({}, {})
        _auth, session = self.session()
        cloud.post(URL, status=401, json={"error_code": "APIGW.0301"})
        with pytest.raises(ApiError, match=r"APIGW\.0301"):
            session.request("POST", URL)
        assert len(cloud.calls) == 1

    def test_no_new_key_after_a_refusal(self, cloud, keys):
        keys({})
        _auth, session = self.session()
        cloud.post(URL, status=401, json={"error_code": "APIGW.0301"})
        with pytest.raises(HuaweiCloudError, match="metadata service") as caught:
            session.request("POST", URL)
        assert (caught.value.credentials_refused, caught.value.maybe_accepted) == (True, False)

    @pytest.mark.parametrize(
        "seconds, used",
        [
            (299, ["OLD-ACCESS-KEY", "NEW-ACCESS-KEY"]),
            (-1, ["OLD-ACCESS-KEY", "NEW-ACCESS-KEY"]),
            (400, ["OLD-ACCESS-KEY", "OLD-ACCESS-KEY"]),
        ],
    )
    def test_renewed_before_it_expires(self, cloud, keys, monkeypatch, seconds, used):
        monkeypatch.setattr(_auth_access_key, "RENEW_AGAIN", 0.0)
        keys({"access": "OLD-ACCESS-KEY", "expires_at": "2099-01-01T00:00:00.000000Z"}, {"access": "NEW-ACCESS-KEY"})
        auth, session = self.session()
        cloud.get(URL, json={})
        session.request("GET", URL)
        monkeypatch.setattr(_auth_access_key.time, "time", lambda: EXPIRY - seconds)
        session.request("GET", URL)
        assert self.keys_used(cloud) == used
        assert auth.access_key == used[-1]

    def test_old_key_is_used_while_there_is_no_new_one(self, cloud, keys):
        server = keys({"access": "OLD-ACCESS-KEY", "expires_at": self.in_seconds(10)})
        auth, session = self.session()
        cloud.get(URL, json={})
        auth._renew_at = 0
        for _request in range(3):
            session.request("GET", URL)
        assert self.keys_used(cloud) == ["OLD-ACCESS-KEY"] * 3
        # The service is asked again after a minute.
        assert len(server.requests) == 3
        assert 0 < auth._renew_at - time.time() <= 60

    def test_key_that_expires_soon_is_not_fetched_for_each_request(self, keys):
        keys({"expires_at": self.in_seconds(10)})
        auth, _session = self.session()
        assert 0 < auth._renew_at - time.time() <= 60

    @pytest.mark.parametrize("expires_at", [f"x {SECRET_KEY}", None, 7, ""])
    def test_unreadable_expiry(self, keys, expires_at):
        keys({"expires_at": expires_at})
        assert self.session()[0]._renew_at == float("inf")


def test_line_break_in_the_security_token_is_not_shown(serve, metadata):
    server = serve(
        loopback.response(b"metadata-token"), loopback.response(agency_key(securitytoken="abcdefSECRET\nghi"))
    )
    metadata(server.url)
    with pytest.raises(HuaweiCloudError) as caught:
        http = HttpClient(timeout=10, max_retries=0)
        auth = select_auth(AuthOptions(region=REGION, project_id=PROJECT_ID), "agency")
        auth.authenticate(http)
        http.request("GET", serve(loopback.response()).url, auth=auth)
    assert "abcdefSECRET" not in shown(caught.value)
