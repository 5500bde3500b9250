# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings

from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import (
    check_job_id,
    check_project_id,
    iam_endpoint,
    service_endpoint,
)
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import InvalidOptionError
from ansible_collections.huaweicloud.drs.tests.unit.utils import JOB_ID, PROJECT_ID, REGION, texts


class TestServiceEndpoint:
    @pytest.mark.parametrize(
        "service, region, endpoint",
        [
            ("drs", "cn-north-4", "https://drs.cn-north-4.myhuaweicloud.com"),
            ("iam", "cn-north-4", "https://iam.cn-north-4.myhuaweicloud.com"),
            ("iam", "eu-west-101", "https://iam.eu-west-101.myhuaweicloud.eu"),
            ("iam", "eu-west-102", "https://iam.eu-west-102.myhuaweicloud.eu"),
            ("drs", "eu-west-199", "https://drs.eu-west-199.myhuaweicloud.eu"),
            ("drs", "eu-west-0", "https://drs.eu-west-0.myhuaweicloud.com"),
            ("drs", "af-north-1", "https://drs.af-north-1.myhuaweicloud.com"),
            ("drs", "eu-" + "a" * 47, f"https://drs.eu-{'a' * 47}.myhuaweicloud.com"),
            *(
                ("iam", region, "https://iam.myhuaweicloud.com")
                for region in (
                    "af-north-1",
                    "ap-southeast-5",
                    "cn-north-11",
                    "cn-south-4",
                    "cn-southwest-3",
                    "ru-northwest-2",
                )
            ),
        ],
    )
    def test_default_of_a_region(self, service, region, endpoint):
        assert service_endpoint(service, region, "endpoint", "") == endpoint

    @pytest.mark.parametrize("region", [REGION, "not/a region", None])
    def test_option_wins_over_the_region(self, region):
        assert service_endpoint("drs", region, "endpoint", "https://drs.example.com/") == "https://drs.example.com"

    @pytest.mark.parametrize(
        "region",
        [
            "eu",
            "EU-WEST-101",
            "eu-west-101/",
            "eu-west-101.evil.com",
            "eu west",
            "eu-west-101\n",
            "-eu",
            "eu-",
            "eu-w\u00e9st",
            "eu-" + "a" * 48,
        ],
    )
    def test_malformed_region_is_rejected(self, region):
        with pytest.raises(InvalidOptionError, match="region"):
            service_endpoint("drs", region, "endpoint", None)

    def test_region_or_option_is_needed(self):
        with pytest.raises(InvalidOptionError, match="region.* endpoint"):
            service_endpoint("drs", "", "endpoint", None)


class TestIamEndpoint:
    def test_error_names_the_option(self):
        with pytest.raises(InvalidOptionError, match="iam_endpoint"):
            iam_endpoint(REGION, "http://iam.example.com/v3")

    @pytest.mark.parametrize("tail", ["", "/", "/v3", "/v3/"])
    def test_api_version_is_removed(self, tail):
        assert iam_endpoint(None, f"https://iam.example.com:5000{tail}") == "https://iam.example.com:5000"

    @pytest.mark.parametrize("tail", ["/v3/auth", "/v3/v3", "/v3\n", "v3"])
    def test_other_paths_are_rejected(self, tail):
        with pytest.raises(InvalidOptionError, match="iam_endpoint"):
            iam_endpoint(REGION, f"https://iam.example.com:5000{tail}")


class TestCheckProjectId:
    @pytest.mark.parametrize("value", [PROJECT_ID, "a", "A-Z_9" * 12])
    def test_accepted(self, value):
        assert check_project_id(value) == value

    @pytest.mark.parametrize("value", ["", "a/b", "..", "a%2fb", "a\n", "é", "x" * 65])
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="project_id"):
            check_project_id(value)


class TestCheckJobId:
    @pytest.mark.parametrize("value", [JOB_ID, "c7debc9c-8e09-4a5d-8dd6-cc44f78JB20R", "x" * 36])
    def test_accepted(self, value):
        assert check_job_id(value) == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            JOB_ID[:-1],
            f"{JOB_ID}0",
            f"{JOB_ID}\n",
            *(f"{JOB_ID[:-1]}{char}" for char in "/?#% _.\u00e9\N{ARABIC-INDIC DIGIT TWO}"),
        ],
    )
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError, match="job_id"):
            check_job_id(value)

    @settings(max_examples=50)
    @given(texts() | texts(min_size=36, max_size=36) | texts("aZ0-", min_size=36, max_size=36))
    def test_any_text(self, value):
        valid = re.fullmatch("[0-9A-Za-z-]{36}", value) is not None
        try:
            assert check_job_id(value) == value
            assert valid
        except InvalidOptionError as error:
            assert not valid
            assert str(error).isprintable()
