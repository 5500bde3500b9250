# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible import context

from ansible_collections.huaweicloud.drs.plugins.filter.refuse_partial_run import FilterModule

refuse_partial_run = FilterModule().filters()["refuse_partial_run"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"subset": None, "skip_tags": [], "step": None, "start_at_task": None},
        {"subset": "localhost", "skip_tags": ["confirm", "retry,wait"]},
        {"subset": "web*,localhost"},
        {"subset": "web:localhost"},
        {"subset": "~web.*, localhost"},
    ],
)
def test_whole(monkeypatch, options):
    monkeypatch.setattr(context, "CLIARGS", options)
    assert refuse_partial_run("localhost") == "localhost"


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"subset": "web"}, "--limit leaves out localhost"),
        ({"subset": "web,db"}, "--limit leaves out localhost"),
        ({"subset": "localhost:&web"}, "--limit &web may leave out localhost"),
        ({"subset": "localhost,!localhost"}, "--limit !localhost may leave out localhost"),
        ({"subset": "localhost,!~.*,@hosts.retry"}, "--limit !~[.][*],@hosts.retry may leave out localhost"),
        ({"subset": "@hosts.retry"}, "--limit leaves out localhost"),
        ({"subset": "localhost[1]"}, "--limit leaves out localhost"),
        ({"subset": "web[1:localhost:2]"}, "--limit leaves out localhost"),
        ({"skip_tags": ["always"]}, "--skip-tags always would"),
        ({"skip_tags": ("x,tagged", "always")}, "--skip-tags always,tagged would"),
        ({"step": True}, "--step would"),
        ({"start_at_task": "Confirm the reset"}, "--start-at-task would"),
        ({"start_at_task": ""}, "--start-at-task would"),
    ],
)
def test_part(monkeypatch, options, problem):
    monkeypatch.setattr(context, "CLIARGS", options)
    with pytest.raises(ValueError, match=f"^{problem}.*Nothing was changed by this play[.]$"):
        refuse_partial_run("localhost")
