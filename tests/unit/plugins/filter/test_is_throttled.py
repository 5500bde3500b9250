# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.plugins.filter.is_throttled import FilterModule

is_throttled = FilterModule().filters()["is_throttled"]


@pytest.mark.parametrize("result", [{"http_status": 429}, {"http_status": 503}, {"error_code": "DRS.M01503"}])
def test_throttled(result):
    assert is_throttled({"failed": True, **result})


@pytest.mark.parametrize(
    "result", [{}, {"http_status": 400, "error_code": "DRS.M00304"}, {"http_status": 403}, {"status": "success"}]
)
def test_not_throttled(result):
    assert not is_throttled(result)
