# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from urllib.parse import urlsplit

import pytest
import requests
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ansible_collections.huaweicloud.drs.plugins.module_utils._endpoint_url import check_endpoint
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import InvalidOptionError
from ansible_collections.huaweicloud.drs.tests.unit.utils import texts


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
