# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError


def test_hints_follow_the_message():
    error = HuaweiCloudError("It broke.")
    error.add_hint(None)
    error.add_hint("")
    assert str(error) == "It broke."
    error.add_hint("Fix it.")
    error.add_hint("Then test it.")
    assert str(error) == "It broke. Fix it. Then test it."
