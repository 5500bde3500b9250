# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoints import (
    check_endpoint,
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


class TestCheckEndpoint:
    @pytest.mark.parametrize(
        "value",
        [
            "https://drs.eu-west-101.myhuaweicloud.eu",
            "https://DRS.example.com:8443",
            "https://10.0.0.1",
            "https://[2001:db8::1]:443",
            "http://127.0.0.1:8080",
            "http://127.8.8.8",
            "http://localhost:1",
            "http://LOCALHOST",
            "http://[::1]:65535",
        ],
    )
    def test_accepted(self, value):
        assert check_endpoint("endpoint", value) == value
        assert check_endpoint("endpoint", value + "/") == value

    @pytest.mark.parametrize(
        "value",
        [
            "",
            "drs.example.com",
            "ftp://drs.example.com",
            "https://",
            "https://drs.example.com/path",
            "https://drs.example.com//",
            "https://drs.example.com?query",
            "https://drs.example.com#fragment",
            "https://drs.example.com:",
            "https://drs.example.com:65536",
            "https://drs.example.com:\N{ARABIC-INDIC DIGIT EIGHT}0",
            "https://drs example.com",
            "https://drs.example.com\n",
            " https://drs.example.com",
            "https://drs..example.com",
            "https://drs.example.com%2fevil",
            "https://drs.exämple.com",
            "https://[::1",
            "https://::1",
            "https://[:::]",
            "https://[127.0.0.1]",
            "http://[127.0.0.1]:80",
            "https://[abc]",
        ],
    )
    def test_rejected(self, value):
        with pytest.raises(InvalidOptionError) as caught:
            check_endpoint("iam_endpoint", value)
        assert "iam_endpoint" in str(caught.value)

    @pytest.mark.parametrize(
        "value", ["https://them:theirs@drs.example.com", "https://127.0.0.1@example.com", "theirs@https://x"]
    )
    def test_userinfo_is_not_shown(self, value):
        with pytest.raises(InvalidOptionError) as caught:
            check_endpoint("endpoint", value)
        assert "theirs" not in str(caught.value)
        assert "127.0.0.1" not in str(caught.value)

    @pytest.mark.parametrize(
        "host",
        [
            "drs.example.com",
            "10.0.0.1",
            "128.0.0.1",
            "127.0.0.1.example.com",
            "localhost.example.com",
            "[2001:db8::1]",
            "0x7f",
        ],
    )
    def test_plain_http_is_for_loopback_only(self, host):
        with pytest.raises(InvalidOptionError, match="https"):
            check_endpoint("endpoint", f"http://{host}")

    pieces = st.sampled_from(
        [
            "https://",
            "http://",
            "drs",
            "127.0.0.1",
            "localhost",
            ".",
            ":",
            "80",
            "/",
            "//",
            "@",
            "\\",
            "?",
            "#",
            "%",
            "[",
            "::1",
            "]",
            "\n",
        ]
    )

    @settings(max_examples=50)
    @given(
        st.lists(pieces | texts(max_size=3)).map("".join)
        | st.lists(pieces).map(lambda rest: "https://drs" + "".join(rest))
    )
    @example("https://drs.example.com:443/")
    def test_accepted_value_is_scheme_host_and_port_only(self, value):
        try:
            accepted = check_endpoint("endpoint", value)
        except InvalidOptionError:
            return
        parts = urlsplit(accepted + "/v5/path")
        assert parts.scheme == "https" or (
            parts.scheme == "http" and parts.hostname in ("localhost", "127.0.0.1", "::1")
        )
        assert parts.hostname
        assert (parts.path, parts.query, parts.fragment, parts.username, parts.password) == (
            "/v5/path",
            "",
            "",
            None,
            None,
        )
        assert parts.port is None or 0 <= parts.port < 65536
        assert requests.Request("GET", accepted + "/v5/path").prepare().path_url == "/v5/path"


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
