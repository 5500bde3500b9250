# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The official SDK tests the simulated IAM and the simulated metadata service of an ECS host."""

from __future__ import annotations

import time
from typing import Any

import pytest
from huaweicloudsdkcore.auth.credentials import BasicCredentials, Credentials, GlobalCredentials
from huaweicloudsdkcore.auth.internal import MetadataAccessor
from huaweicloudsdkcore.auth.provider import MetadataCredentialProvider
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, SdkException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkdrs import v5
from huaweicloudsdkiam import v3
from simulator.client import Simulator

PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
FINANCE = "0b7e6c1f94a24f5d8f0c2f3a9d1e4b76"
ACCOUNT = "5a1c70b2f1e84d0c9e7d2b8f6a3c4d10"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
TEMPORARY_KEY = "SIMULATEDKEYTEMPORAR"
DRS_ONLY_KEY = "SIMULATEDKEYDRSONLY1"


def credentials(
    sim: Simulator, access_key: str = "SIMULATEDKEYOPERATOR", kind: Any = GlobalCredentials, **changes: str
) -> Any:
    given = {**sim.key(access_key), **changes}
    chosen = kind(given["access_key"], given["secret_key"])
    return chosen.with_security_token(given["security_token"]) if given["security_token"] else chosen


def iam(sim: Simulator, *args: Any, **options: Any) -> Any:
    return (
        v3.IamClient.new_builder()
        .with_credentials(credentials(sim, *args, **options))
        .with_endpoints([sim.url])
        .build()
    )


def detail(drs: Any) -> Any:
    return drs.show_job_detail(v5.ShowJobDetailRequest(job_id=JOB, type="detail")).job


# IAM


@pytest.mark.parametrize("kind", [GlobalCredentials, BasicCredentials])
@pytest.mark.parametrize("access_key", ["SIMULATEDKEYOPERATOR", TEMPORARY_KEY])
def test_lists_projects_by_name(sim: Simulator, kind: Any, access_key: str) -> None:
    client = iam(sim, access_key, kind)
    (project,) = client.keystone_list_projects(v3.KeystoneListProjectsRequest(name="eu-west-101_finance")).projects
    assert (project.id, project.name, project.enabled, project.is_domain) == (
        FINANCE,
        "eu-west-101_finance",
        True,
        False,
    )
    assert (project.domain_id, project.parent_id) == (ACCOUNT, PROJECT)
    assert project.links._self.endswith(f"/v3/projects/{FINANCE}")
    (project,) = client.keystone_list_projects(v3.KeystoneListProjectsRequest(name="eu-west-101")).projects
    assert (project.id, project.parent_id) == (PROJECT, ACCOUNT)
    assert client.keystone_list_projects(v3.KeystoneListProjectsRequest(name="eu-west-102")).projects == []


def test_lists_projects_by_other_criteria(sim: Simulator) -> None:
    client = iam(sim)
    for criteria, names in (
        ({}, {"eu-west-101", "eu-west-101_finance", "ap-southeast-3"}),
        ({"parent_id": PROJECT}, {"eu-west-101_finance"}),
        ({"parent_id": ACCOUNT, "domain_id": ACCOUNT, "enabled": True}, {"eu-west-101", "ap-southeast-3"}),
        ({"enabled": False}, set()),
        ({"page": 2, "per_page": 2}, {"ap-southeast-3"}),
    ):
        assert {
            project.name
            for project in client.keystone_list_projects(v3.KeystoneListProjectsRequest(**criteria)).projects
        } == names


@pytest.mark.parametrize("access_key", ["SIMULATEDKEYOPERATOR", DRS_ONLY_KEY, "SIMULATEDKEYNOTHINGS"])
def test_lists_the_projects_of_a_user(sim: Simulator, access_key: str) -> None:
    response = iam(sim, access_key).keystone_list_auth_projects(v3.KeystoneListAuthProjectsRequest())
    assert response.links._self
    assert [project.id for project in response.projects if project.name == "eu-west-101"] == [PROJECT]
    assert len(response.projects) == len(sim.cloud["projects"])


@pytest.mark.parametrize(
    ("options", "status", "code"),
    [
        ({"access_key": DRS_ONLY_KEY}, 403, 403),
        ({"access_key": "SIMULATEDKEYNOTHINGS"}, 403, 403),
        ({"secret_key": "wrong"}, 401, "APIGW.0301"),
        ({"access_key": TEMPORARY_KEY, "security_token": "wrong"}, 401, "APIGW.0301"),
    ],
)
def test_refusals_of_iam_are_errors_to_the_sdk(sim: Simulator, options: Any, status: int, code: str) -> None:
    access_key = options.get("access_key", "SIMULATEDKEYOPERATOR")
    with pytest.raises(ClientRequestException) as caught:
        iam(sim, **{**options, "access_key": access_key}).keystone_list_projects(
            v3.KeystoneListProjectsRequest(name="eu-west-101")
        )
    assert (caught.value.status_code, caught.value.error_code) == (status, code)
    assert caught.value.error_msg
    assert caught.value.request_id == sim.requests()[-1]["request_id"]


def password_request(password: str) -> Any:
    user = v3.PwdPasswordUser(
        name="drs-operator", password=password, domain=v3.PwdPasswordUserDomain(name="example-account")
    )
    identity = v3.PwdIdentity(methods=["password"], password=v3.PwdPassword(user=user))
    auth = v3.PwdAuth(identity=identity, scope=v3.AuthScope(project=v3.AuthScopeProject(name="eu-west-101")))
    body = v3.KeystoneCreateUserTokenByPasswordRequestBody(auth=auth)
    return v3.KeystoneCreateUserTokenByPasswordRequest(nocatalog="true", body=body)


def test_logs_in_by_password(sim: Simulator) -> None:
    response = iam(sim).keystone_create_user_token_by_password(password_request("Operator-Passw0rd!"))
    assert (response.status_code, response.token.project.id, response.token.user.name) == (201, PROJECT, "drs-operator")
    headers = {"X-Auth-Token": response.x_subject_token}
    assert sim.session.get(f"{sim.url}/v5/{PROJECT}/jobs/{JOB}?type=detail", headers=headers, timeout=10).ok
    with pytest.raises(ClientRequestException) as caught:
        iam(sim).keystone_create_user_token_by_password(password_request("wrong"))
    assert (caught.value.status_code, caught.value.error_msg) == (401, "The username or password is wrong.")


# How the SDK itself finds a project ID


def drs_of_region(
    sim: Simulator,
    monkeypatch: pytest.MonkeyPatch,
    region: str = "eu-west-101",
    access_key: str = "SIMULATEDKEYOPERATOR",
) -> Any:
    monkeypatch.setattr(Credentials, "_CACHE", {})
    basic = credentials(sim, access_key, BasicCredentials).with_iam_endpoint(sim.url)
    return v5.DrsClient.new_builder().with_credentials(basic).with_region(Region(region, sim.url)).build()


def test_the_sdk_finds_the_project_of_a_region(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    assert detail(drs_of_region(sim, monkeypatch)).id == JOB
    first, second = sim.requests()
    assert (first["path"], first["query"], second["path"]) == (
        "/v3/projects",
        "name=eu-west-101",
        f"/v5/{PROJECT}/jobs/{JOB}",
    )


def test_the_sdk_does_not_find_the_project_of_a_region(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SdkException, match="Failed to get project id of region 'eu-west-999'"):
        drs_of_region(sim, monkeypatch, region="eu-west-999")
    with pytest.raises(SdkException, match="403.*You are not authorized"):
        drs_of_region(sim, monkeypatch, access_key=DRS_ONLY_KEY)
    sim.settings(duplicate_projects=["eu-west-101"])
    with pytest.raises(SdkException, match=rf"Multiple project ids found: \[{PROJECT},[0-9a-f]{{32}}\]"):
        drs_of_region(sim, monkeypatch)


# The metadata service


@pytest.fixture
def ecs(sim: Simulator, monkeypatch: pytest.MonkeyPatch) -> Simulator:
    monkeypatch.setattr(MetadataAccessor, "_METADATA_ENDPOINT", sim.url)
    monkeypatch.setattr(Credentials, "_CACHE", {})
    return sim


def drs_of_agency(sim: Simulator) -> Any:
    agency = MetadataCredentialProvider.get_basic().get_credentials().with_project_id(PROJECT)
    return v5.DrsClient.new_builder().with_credentials(agency).with_endpoints([sim.url]).build()


def test_the_keys_of_an_agency_sign_requests(ecs: Simulator) -> None:
    agency = MetadataCredentialProvider.get_basic().get_credentials().with_iam_endpoint(ecs.url)
    given = ecs.key(agency.ak)
    assert (given["secret_key"], given["security_token"], given["user"]) == (
        agency.sk,
        agency.security_token,
        "drs-operator",
    )
    assert given["expires"] == pytest.approx(time.time() + 24 * 3600, abs=60)
    drs = v5.DrsClient.new_builder().with_credentials(agency).with_region(Region("eu-west-101", ecs.url)).build()
    assert detail(drs).id == JOB
    asked = [(seen["method"], seen["path"], seen["status"]) for seen in ecs.requests()]
    assert asked[:2] == [("PUT", "/meta-data/latest/api/token", 200), ("GET", "/openstack/latest/securitykey", 200)]
    assert asked[2:] == [("GET", "/v3/projects", 200), ("GET", f"/v5/{PROJECT}/jobs/{JOB}", 200)]
    assert ecs.requests()[-1]["headers"]["x-security-token"] == agency.security_token


def test_an_agency_has_the_permissions_it_was_given(ecs: Simulator) -> None:
    ecs.settings(agency="no-permission")
    with pytest.raises(ClientRequestException, match="DRS.M00102"):
        detail(drs_of_agency(ecs))


def test_without_an_agency_there_are_no_keys(ecs: Simulator) -> None:
    ecs.settings(agency=None)
    with pytest.raises(ClientRequestException, match="Please configure Cloud Service Agency first") as caught:
        MetadataCredentialProvider.get_basic().get_credentials()
    assert caught.value.status_code == 401
    assert len(ecs.requests()) == 2


def test_a_metadata_service_without_tokens(ecs: Simulator) -> None:
    ecs.settings(unpublished=["create_metadata_token"])
    assert detail(drs_of_agency(ecs)).id == JOB
    ecs.settings(unpublished=["create_metadata_token", "show_security_key"])
    with pytest.raises(ClientRequestException) as caught:
        drs_of_agency(ecs)
    assert caught.value.status_code == 404


def test_the_sdk_renews_a_metadata_token(ecs: Simulator) -> None:
    agency = MetadataCredentialProvider.get_basic().get_credentials()
    first = agency.ak
    ecs.reset(token_lifetime=0)  # forgets the metadata token as well
    agency._expired_at = 0
    agency.process_sts(None)
    assert agency.ak != first
    assert [seen["status"] for seen in ecs.requests()] == [401, 200, 200]


def test_the_sdk_renews_keys_that_have_expired(ecs: Simulator) -> None:
    ecs.settings(token_lifetime=0)
    drs = drs_of_agency(ecs)
    ecs.settings(token_lifetime=3600)
    assert detail(drs).id == JOB
