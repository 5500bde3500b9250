# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What odd files, environments and servers can do to several layers at once."""

from __future__ import annotations

import html
import json
import time
from urllib.parse import quote

import pytest
import requests

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    InvalidResponseError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._jobs import check_collectable
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import (
    collect_position_async,
    show_position_result,
)
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    COLLECT_URL,
    DRS,
    JOB_ID,
    JOB_URL,
    LOGIN_URL,
    PASSWORD,
    PROJECT_ID,
    PROJECTS_URL,
    QUERY_ID,
    REGION,
    RESULT_URL,
    SECRET_KEY,
    SECURITY_TOKEN,
    TIME,
    TOKEN,
    check_nothing_shown,
    failure,
    key_of_an_agency,
    readable,
    shown,
)

URL = "https://drs.example.com/v5/thing"
USER = {"username": "operator", "password": PASSWORD, "domain_name": "example-account"}
KEY = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
PROFILE = f"[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\nproject_id = {PROJECT_ID}\n"


def connect(**options):
    http = HttpClient(timeout=10, max_retries=0)
    who = select_auth(AuthOptions(**{"region": REGION, **options}))
    who.authenticate(http)
    return DrsClient(Session(http, who), DRS)


@pytest.mark.parametrize(
    "line", ["ak = two\n words", "sk = two words", "security_token = abcdefSECRET\n ghi", "security_token = k\u00e9y"]
)
def test_characters_of_a_profile(profile, line):
    name = line.split()[0]
    profile("\n".join([*(text for text in PROFILE.splitlines() if not text.startswith(name)), line]))
    with pytest.raises(InvalidOptionError, match="characters"):
        select_auth(AuthOptions(region=REGION), "profile")


def test_line_break_in_the_security_token_of_an_agency(serve, metadata):
    server = serve(
        loopback.answer(b"metadata-token"), loopback.answer(key_of_an_agency(securitytoken="abcdefSECRET\nghi"))
    )
    metadata(server.url)
    with pytest.raises(HuaweiCloudError) as caught:
        http = HttpClient(timeout=10, max_retries=0)
        who = select_auth(AuthOptions(region=REGION, project_id=PROJECT_ID), "agency")
        who.authenticate(http)
        http.request("GET", serve(loopback.answer()).url, auth=who)
    assert "abcdefSECRET" not in shown(caught.value)


def test_renewal_with_the_password_of_somebody_else(cloud):
    cloud.post(COLLECT_URL, status=401)
    given = AuthOptions(region=REGION, auth_token=TOKEN, project_id=PROJECT_ID, **USER)
    http = HttpClient(timeout=10, max_retries=0)
    who = select_auth(given, "auto", ["auth_token", "username"])
    who.authenticate(http)
    with pytest.raises(ApiError):
        collect_position_async(DrsClient(Session(http, who), DRS), JOB_ID, TIME)
    assert len(cloud.calls) == 1


@pytest.mark.parametrize("secret", ["p\U0001f600ss", "pa\nss", "pa\x07ss"])
def test_json_escapes(cloud, secret):
    cloud.get(URL, status=400, body="x" + json.dumps({"password": secret}))
    assert not readable(secret, shown(failure(http=HttpClient(max_retries=0, secrets={secret}))))


@pytest.mark.parametrize(
    "echo",
    [
        lambda secret: html.escape(json.dumps({"password": secret}, ensure_ascii=False)),
        lambda secret: "x" + json.dumps({"body": json.dumps({"password": secret})}),
        lambda secret: quote(json.dumps({"password": secret}), safe=""),
        lambda secret: html.escape(html.escape(secret)),
    ],
    ids=["json-in-html", "json-in-json", "json-in-url", "html-in-html"],
)
def test_two_escapes(cloud, echo):
    secret = "pa'ss&<>\"\\"
    cloud.get(URL, status=400, body=echo(secret))
    assert not readable(secret, shown(failure(http=HttpClient(max_retries=0, secrets={secret}))))


@pytest.mark.parametrize(
    "method, url, answer, call",
    [
        ("GET", RESULT_URL, {"status": TOKEN}, lambda drs: show_position_result(drs, JOB_ID, QUERY_ID)),
        ("POST", COLLECT_URL, {"id": TOKEN}, lambda drs: collect_position_async(drs, JOB_ID, TIME)),
        ("GET", JOB_URL, {"job": {"base_info": {"engine_type": TOKEN}}}, lambda drs: check_collectable(drs, JOB_ID)),
    ],
)
def test_token_in_place_of_a_fact(cloud, method, url, answer, call):
    cloud.add(method, url, json=answer)
    with pytest.raises(HuaweiCloudError) as caught:
        call(connect(auth_token=TOKEN, project_id=PROJECT_ID))
    check_nothing_shown(shown(caught.value))


def test_project_of_a_key(cloud):
    cloud.get(PROJECTS_URL, json={"projects": [{"name": REGION, "id": SECURITY_TOKEN}]})
    with pytest.raises(HuaweiCloudError) as caught:
        connect(**KEY, security_token=SECURITY_TOKEN)
    check_nothing_shown(shown(caught.value))
    # It is the answer that is wrong, not an option.
    assert isinstance(caught.value, InvalidResponseError)


def test_project_of_a_login(cloud):
    """Not even in the cause, which a traceback shows."""
    cloud.post(LOGIN_URL, status=201, headers={"X-Subject-Token": TOKEN}, json={"token": {"project": {"id": PASSWORD}}})
    with pytest.raises(InvalidResponseError) as caught:
        connect(**USER)
    check_nothing_shown(shown(caught.value))


def test_title(cloud):
    cloud.get(URL, status=400, body="<title" * 30000)
    started = time.monotonic()
    failure(http=HttpClient(max_retries=0))
    assert time.monotonic() - started < 5  # and not minutes


def test_empty_security_token(cloud, profile):
    profile(f"{PROFILE}security_token =\n")
    http = HttpClient(timeout=10, max_retries=0)
    who = select_auth(AuthOptions(region=REGION), "profile")
    who.authenticate(http)
    cloud.get(URL, json={})
    http.request("GET", URL, auth=who)
    assert "X-Security-Token" not in cloud.calls[0].request.headers


@pytest.mark.parametrize("error", [ConnectionResetError("reset"), BrokenPipeError("pipe")])
def test_bare_reset(cloud, error):
    cloud.post(URL, body=requests.ConnectionError(error))
    assert failure("POST", http=HttpClient(max_retries=0)).maybe_accepted


def test_cookie(serve):
    server = serve(loopback.answer(headers=["Set-Cookie: a=b"]))
    http = HttpClient(timeout=10, max_retries=0)
    for _request in range(2):
        http.request("GET", server.url, auth=lambda request: request)
    assert b"cookie" not in server.requests[1].lower()
