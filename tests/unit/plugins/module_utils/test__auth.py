# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthMethod, AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_token import TokenAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import (
    ApiError,
    HuaweiCloudError,
    InvalidOptionError,
    TransportError,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._options import select_auth
from ansible_collections.huaweicloud.drs.plugins.module_utils._position_results import wait_for_position
from ansible_collections.huaweicloud.drs.plugins.module_utils._positions import collect_position_async
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
    PROJECT_TOKEN,
    QUERY_ID,
    REGION,
    RESULT_URL,
    SECRET_KEY,
    SECURITY_TOKEN,
    TIME,
    TOKEN,
    USER,
    add_collect,
    add_login,
    add_result,
    bodies,
    check_nothing_shown,
    check_signed,
    job_id,
    position_url,
    shown,
)

TOKEN_AND_USER = {**PROJECT_TOKEN, **USER}
WITH_KEY = {
    "access_key": ACCESS_KEY,
    "secret_key": SECRET_KEY,
    "security_token": SECURITY_TOKEN,
    "project_id": PROJECT_ID,
}


def test_base_class_authenticates_nobody():
    auth = AuthMethod(AuthOptions(**PROJECT_TOKEN))
    auth.validate()
    assert auth.renew(HttpClient(), None) is False
    for call in (auth.authenticate, auth):
        with pytest.raises(NotImplementedError):
            call(None)


# HTTP status and error code of a response to an invalid token.
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
# HTTP status and error code of other refusals.
OTHER_REFUSALS = [
    (403, None),
    (403, "DRS.M00102"),
    (403, "APIGW.0302"),
    (400, "DRS.M00105"),
    (404, "APIGW.0101"),
    (400, "XAPIGW.0301"),
    (303, "APIGW.0301"),
    (500, "APIGW.0301"),
    (503, "DRS.M00100"),
]


def connect(max_retries=0, endpoint=DRS, **options):
    """Log in, and return DRS and the secrets that are masked."""
    http = HttpClient(timeout=10, max_retries=max_retries)
    auth = select_auth(AuthOptions(**{"region": REGION, **options}))
    auth.authenticate(http)
    return DrsClient(Session(http, auth), endpoint), http.secrets


def add_refusal(
    cloud, status=401, code="APIGW.0301", method="POST", url=COLLECT_URL, message="The token is not valid."
):
    cloud.add(method, url, status=status, json={"error_code": code, "error_msg": message})


def sent(cloud):
    """The end of the path and the token of each request."""
    return [
        (call.request.url.partition("?")[0].rpartition("/")[2], call.request.headers.get("X-Auth-Token"))
        for call in cloud.calls
    ]


OLD_TOKEN, LOGIN, NEWER_TOKEN = ("collect-db-position", TOKEN), ("tokens", None), ("collect-db-position", NEW_TOKEN)


class TestRenewal:
    @pytest.mark.parametrize("status, code", REFUSALS)
    def test_token_is_renewed_with_the_password(self, cloud, status, code):
        drs, secrets = connect(**TOKEN_AND_USER)
        add_refusal(cloud, status, code)
        add_login(cloud, NEW_TOKEN)
        add_collect(cloud)
        assert collect_position_async(drs, JOB_ID, TIME).id == QUERY_ID
        assert sent(cloud) == [OLD_TOKEN, LOGIN, NEWER_TOKEN]
        first, login, last = bodies(cloud)
        assert first == last == {"reset_position_time": TIME}
        assert login["auth"]["identity"]["password"]["user"] == {
            "name": "operator",
            "password": PASSWORD,
            "domain": {"name": "example-account"},
        }
        # The new token has to be for the same project.
        assert login["auth"]["scope"] == {"project": {"id": PROJECT_ID}}
        assert secrets == {TOKEN, PASSWORD, NEW_TOKEN}

    def test_login_is_repeated(self, cloud):
        add_login(cloud)
        drs, secrets = connect(**USER)
        add_refusal(cloud)
        add_login(cloud, NEW_TOKEN)
        add_collect(cloud)
        assert collect_position_async(drs, JOB_ID, TIME).id == QUERY_ID
        assert sent(cloud) == [LOGIN, OLD_TOKEN, LOGIN, NEWER_TOKEN]
        assert secrets == {TOKEN, PASSWORD, NEW_TOKEN}

    def test_while_waiting(self, cloud, clock):
        """The same request is sent again without a pause, and later requests have the new token."""
        drs, _secrets = connect(**TOKEN_AND_USER)
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

    def test_login_does_not_outlast_the_wait(self, cloud, clock):
        drs, _secrets = connect(max_retries=4, **TOKEN_AND_USER)
        add_refusal(cloud, method="GET", url=RESULT_URL)
        cloud.post(LOGIN_URL, status=429, headers={"Retry-After": "20"})
        with pytest.raises(HuaweiCloudError, match="auth/tokens returned HTTP 429"):
            wait_for_position(drs, JOB_ID, QUERY_ID, 30, 2)
        assert clock.now <= 1030

    def test_each_token_is_accepted_only_once(self, cloud):
        """There is an end to the logins."""
        drs, _secrets = connect(**TOKEN_AND_USER)
        for _number in range(4):
            add_collect(cloud)
            add_refusal(cloud)
        for _number in range(3):
            add_login(cloud, NEW_TOKEN)
        for _number in range(4):
            assert collect_position_async(drs, JOB_ID, TIME).id == QUERY_ID
        for _number in range(2):
            with pytest.raises(ApiError, match="APIGW.0301"):
                collect_position_async(drs, JOB_ID, TIME)
        assert [entry for entry in sent(cloud) if entry == LOGIN] == [LOGIN] * 3

    @pytest.mark.parametrize("status, code", [(401, "APIGW.0301"), (400, "DRS.M00304")])
    def test_new_token_is_refused_as_well(self, cloud, status, code):
        drs, _secrets = connect(max_retries=4, **TOKEN_AND_USER)
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
        assert sent(cloud) == [OLD_TOKEN, LOGIN, NEWER_TOKEN]

    def test_response_lost_after_the_renewal(self, serve, cloud):
        server = serve(loopback.response(b'{"error_code": "APIGW.0301"}', 401), loopback.reset_after_request)
        cloud.add_passthru(server.url)
        drs, _secrets = connect(max_retries=4, endpoint=server.url, **TOKEN_AND_USER)
        add_login(cloud, NEW_TOKEN)
        with pytest.raises(TransportError, match="DRS may have accepted") as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert caught.value.maybe_accepted
        assert len(server.requests) == 2


class TestNoRenewal:
    @pytest.mark.parametrize("more", [{}, {"username": "operator"}, {**USER, "iam_endpoint": "x"}])
    def test_token_without_a_usable_password(self, cloud, more):
        drs, _secrets = connect(max_retries=4, **PROJECT_TOKEN, **more)
        add_refusal(cloud)
        with pytest.raises(ApiError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert (caught.value.http_status, caught.value.error_code, caught.value.maybe_accepted) == (
            401,
            "APIGW.0301",
            False,
        )
        assert sent(cloud) == [OLD_TOKEN]

    @pytest.mark.parametrize("more", [{}, USER])
    def test_access_key(self, cloud, more):
        """Several invalid signatures lock a key."""
        drs, _secrets = connect(max_retries=4, **WITH_KEY, **more)
        add_refusal(cloud)
        with pytest.raises(ApiError):
            collect_position_async(drs, JOB_ID, TIME)
        assert len(cloud.calls) == 1
        check_signed(cloud.calls[0].request)

    @pytest.mark.parametrize("status, code", OTHER_REFUSALS)
    def test_refused_for_another_reason(self, cloud, status, code):
        drs, _secrets = connect(**TOKEN_AND_USER)
        add_refusal(cloud, status, code)
        with pytest.raises(ApiError) as caught:
            collect_position_async(drs, JOB_ID, TIME)
        assert (caught.value.http_status, caught.value.error_code) == (status, code)
        assert sent(cloud) == [OLD_TOKEN]


def test_token_is_not_renewed_with_another_users_password(cloud):
    """The user name is from the task, the password from the environment."""
    cloud.post(COLLECT_URL, status=401)
    options = AuthOptions(region=REGION, auth_token=TOKEN, project_id=PROJECT_ID, **USER)
    http = HttpClient(timeout=10, max_retries=0)
    auth = select_auth(options, "auto", ["auth_token", "username"])
    auth.authenticate(http)
    with pytest.raises(ApiError):
        collect_position_async(DrsClient(Session(http, auth), DRS), JOB_ID, TIME)
    assert len(cloud.calls) == 1


class TestRenewalRefused:
    """Another attempt could lock the user."""

    @pytest.mark.parametrize("options, status", [(TOKEN_AND_USER, 401), (USER, 404)], ids=["token", "password"])
    def test_one_attempt_only(self, cloud, status, options):
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
        assert sent(cloud)[before:] == [OLD_TOKEN, LOGIN]
        assert (caught.value.http_status, caught.value.error_msg) == (status, "Wrong: ********")
        assert "operator" in str(caught.value)
        check_nothing_shown(shown(caught.value))


def test_hints_are_added_to_each_error_separately(cloud):
    cloud.post(position_url(0), status=401, json={"error_code": "APIGW.0301"})
    cloud.post(LOGIN_URL, status=401)
    drs, _secrets = connect(**TOKEN_AND_USER)
    errors = []
    for number in range(3):
        with pytest.raises(HuaweiCloudError) as caught:
            collect_position_async(drs, job_id(number), TIME)
        caught.value.add_hint(f"Hint {number}.")
        errors.append(caught.value)
    assert [[f"Hint {number}." in str(error) for number in range(3)] for error in errors] == [
        [True, False, False],
        [False, True, False],
        [False, False, True],
    ]


@pytest.mark.parametrize("project_id", [None, "a/b"])
def test_session_needs_a_usable_project_id(project_id):
    with pytest.raises(InvalidOptionError, match="project_id"):
        Session(HttpClient(), TokenAuth(AuthOptions(auth_token=TOKEN, project_id=project_id)))


@pytest.mark.parametrize("error", [HuaweiCloudError("x"), TransportError("x"), ValueError("x")])
def test_session_raises_other_errors_unchanged(monkeypatch, error):
    def request(*args, **kwargs):
        raise error

    http = HttpClient()
    monkeypatch.setattr(http, "request", request)
    with pytest.raises(type(error)) as caught:
        Session(http, TokenAuth(AuthOptions(**TOKEN_AND_USER))).request("GET", DRS)
    assert caught.value is error


def test_url_of_a_request_that_is_not_sent(cloud):
    """An ID in it may be from a response, and contain a secret."""
    cloud.get(DRS, status=401)
    session = Session(HttpClient(secrets={TOKEN}), TokenAuth(AuthOptions(auth_token=TOKEN, project_id=PROJECT_ID)))
    for url in (DRS, f"{DRS}/{TOKEN[:40]}"):
        with pytest.raises(HuaweiCloudError) as caught:
            session.request("GET", url)
    assert "was not sent because the credentials were rejected" in str(caught.value)
    check_nothing_shown(str(caught.value))
