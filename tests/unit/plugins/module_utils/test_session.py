# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Requests with an identity of module_utils/_auth.py, whose credentials are renewed once when a server finds them invalid."""

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session, TokenAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    TransportError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import (
    collect_position_async,
    wait_for_position,
)
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    COLLECT_URL,
    DRS,
    JOB_ID,
    LOGIN_URL,
    NEW_TOKEN,
    PASSWORD,
    PROJECT_ID,
    QUERY_ID,
    REGION,
    RESULT_URL,
    SECRET_KEY,
    SECURITY_TOKEN,
    TIME,
    TOKEN,
    add_collect,
    add_login,
    add_result,
    bodies,
    check_nothing_shown,
    check_signed,
    shown,
)

USER = {"username": "operator", "password": PASSWORD, "domain_name": "example-account"}
WITH_TOKEN = {"auth_token": TOKEN, "project_id": PROJECT_ID}
WITH_BOTH = {**WITH_TOKEN, **USER}
WITH_KEY = {
    "access_key": ACCESS_KEY,
    "secret_key": SECRET_KEY,
    "security_token": SECURITY_TOKEN,
    "project_id": PROJECT_ID,
}

# How a server says that a token is not valid: HTTP status and code.
REFUSALS = [
    (401, None),
    (401, "APIGW.0301"),
    (401, "APIGW.0307"),
    (401, "APIG.0301"),
    (401, "APIG.0307"),
    (403, "DRS.M00100"),
    (401, "DRS.M00103"),
    *((403, code) for code in ("APIGW.0301", "APIGW.0307", "APIG.0301", "APIG.0307")),
]
# What it does not say with that.
OTHER_REFUSALS = [
    (403, None),
    (403, "DRS.M00102"),
    (403, "APIGW.0302"),
    (400, "DRS.M00105"),
    (404, "APIGW.0101"),
    (400, "XAPIGW.0301"),
]


def connect(max_retries=0, endpoint=DRS, **options):
    """Log in, and return DRS and what is masked."""
    http = HttpClient(timeout=10, max_retries=max_retries)
    who = select_auth(AuthOptions(**{"region": REGION, **options}))
    who.authenticate(http)
    return DrsClient(Session(http, who), endpoint), http.secrets


def add_refusal(
    cloud, status=401, code="APIGW.0301", method="POST", url=COLLECT_URL, message="The token is not valid."
):
    cloud.add(method, url, status=status, json={"error_code": code, "error_msg": message})


def sent(cloud):
    """What was sent: the last part of its path, and the token that it had."""
    return [
        (call.request.url.partition("?")[0].rpartition("/")[2], call.request.headers.get("X-Auth-Token"))
        for call in cloud.calls
    ]


OLD, LOGIN, NEW = ("collect-db-position", TOKEN), ("tokens", None), ("collect-db-position", NEW_TOKEN)


class TestRenewal:
    @pytest.mark.parametrize("status, code", REFUSALS)
    def test_token_with_a_password_beside(self, cloud, status, code):
        drs, secrets = connect(**WITH_BOTH)
        add_refusal(cloud, status, code)
        add_login(cloud, NEW_TOKEN)
        add_collect(cloud)
        assert collect_position_async(drs, JOB_ID, TIME).id == QUERY_ID
        assert sent(cloud) == [OLD, LOGIN, NEW]
        first, login, last = bodies(cloud)
        assert first == last == {"reset_position_time": TIME}
        assert login["auth"]["identity"]["password"]["user"] == {
            "name": "operator",
            "password": PASSWORD,
            "domain": {"name": "example-account"},
        }
        # It has to be a token for the same project.
        assert login["auth"]["scope"] == {"project": {"id": PROJECT_ID}}
        assert secrets == {TOKEN, PASSWORD, NEW_TOKEN}

    def test_password(self, cloud):
        add_login(cloud)
        drs, secrets = connect(**USER)
        add_refusal(cloud)
        add_login(cloud, NEW_TOKEN)
        add_collect(cloud)
        assert collect_position_async(drs, JOB_ID, TIME).id == QUERY_ID
        assert sent(cloud) == [LOGIN, OLD, LOGIN, NEW]
        assert secrets == {TOKEN, PASSWORD, NEW_TOKEN}

    def test_while_waiting(self, cloud, clock):
        """The same is asked for again, at once, and the new token is kept."""
        drs, _secrets = connect(**WITH_BOTH)
        add_refusal(cloud, method="GET", url=RESULT_URL)
        add_login(cloud, NEW_TOKEN)
        add_result(cloud, "pending")
        add_result(cloud, "success")
        assert wait_for_position(drs, JOB_ID, QUERY_ID, 300, 2).status == "success"
        assert clock.pauses == [2]
        reads = [call.request for call in cloud.calls if call.request.method == "GET"]
        assert {request.url for request in reads} == {f"{RESULT_URL}?query_id={QUERY_ID}"}
        assert [request.headers["X-Auth-Token"] for request in reads] == [TOKEN, NEW_TOKEN, NEW_TOKEN]
        assert {request.headers["X-Language"] for request in reads} == {"en-us"}

    @pytest.mark.parametrize("status, code", [(401, "APIGW.0301"), (400, "DRS.M00304")])
    def test_refused_again(self, cloud, status, code):
        drs, _secrets = connect(max_retries=4, **WITH_BOTH)
        add_refusal(cloud)
        add_login(cloud, NEW_TOKEN)
        add_refusal(cloud, status, code, message=f"It is {NEW_TOKEN}.")
        with pytest.raises(ApiError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        error = caught.value
        assert (error.http_status, error.error_code, error.error_msg, error.maybe_accepted) == (
            status,
            code,
            "It is ********.",
            False,
        )
        assert sent(cloud) == [OLD, LOGIN, NEW]

    def test_answer_lost_the_second_time(self, serve, cloud):
        server = serve(loopback.answer(b'{"error_code": "APIGW.0301"}', 401), loopback.reset_after_request)
        cloud.add_passthru(server.url)
        drs, _secrets = connect(max_retries=4, endpoint=server.url, **WITH_BOTH)
        add_login(cloud, NEW_TOKEN)
        with pytest.raises(TransportError, match="DRS may have accepted") as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert caught.value.maybe_accepted
        assert len(server.requests) == 2


class TestNoRenewal:
    @pytest.mark.parametrize("beside", [{}, {"username": "operator"}, {**USER, "iam_endpoint": "x"}])
    def test_token_alone(self, cloud, beside):
        drs, _secrets = connect(max_retries=4, **WITH_TOKEN, **beside)
        add_refusal(cloud)
        with pytest.raises(ApiError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert (caught.value.http_status, caught.value.error_code, caught.value.maybe_accepted) == (
            401,
            "APIGW.0301",
            False,
        )
        assert sent(cloud) == [OLD]

    @pytest.mark.parametrize("beside", [{}, USER])
    def test_access_key(self, cloud, beside):
        """Bad signatures in a row lock a key."""
        drs, _secrets = connect(max_retries=4, **WITH_KEY, **beside)
        add_refusal(cloud)
        with pytest.raises(ApiError):
            collect_position_async(drs, JOB_ID, TIME)
        assert len(cloud.calls) == 1
        check_signed(cloud.calls[0].request)

    @pytest.mark.parametrize("status, code", OTHER_REFUSALS)
    def test_another_refusal(self, cloud, status, code):
        drs, _secrets = connect(**WITH_BOTH)
        add_refusal(cloud, status, code)
        with pytest.raises(ApiError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert (caught.value.http_status, caught.value.error_code) == (status, code)
        assert sent(cloud) == [OLD]


class TestLoginRefused:
    """It locks users, so it is never tried again."""

    @pytest.mark.parametrize("options, status", [(WITH_BOTH, 401), (USER, 404)], ids=["token", "password"])
    def test_at_the_renewal(self, cloud, status, options):
        if options is USER:
            add_login(cloud)
        drs, _secrets = connect(max_retries=4, **options)
        before = len(cloud.calls)
        add_refusal(cloud)
        cloud.post(
            LOGIN_URL,
            status=status,
            json={"error": {"code": status, "message": f"Wrong: {PASSWORD}", "title": "Unauthorized"}},
        )
        with pytest.raises(ApiError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert sent(cloud)[before:] == [OLD, LOGIN]
        assert (caught.value.http_status, caught.value.error_msg) == (status, "Wrong: ********")
        assert "operator" in str(caught.value)
        check_nothing_shown(shown(caught.value))


@pytest.mark.parametrize("project_id", [None, "a/b"])
def test_project_id_has_to_stand_in_a_path(project_id):
    with pytest.raises(InvalidOptionError, match="project_id"):
        Session(HttpClient(), TokenAuth(AuthOptions(auth_token=TOKEN, project_id=project_id)))


@pytest.mark.parametrize("error", [HuaweiCloudError("x"), TransportError("x"), ValueError("x")])
def test_other_errors_go_through(monkeypatch, error):
    def request(*args, **kwargs):
        raise error

    http = HttpClient()
    monkeypatch.setattr(http, "request", request)
    with pytest.raises(type(error)) as caught:
        Session(http, TokenAuth(AuthOptions(**WITH_BOTH))).request("GET", DRS)
    assert caught.value is error
