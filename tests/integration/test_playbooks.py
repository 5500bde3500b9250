# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks beside this file use each module as a user would, and assert what comes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from conftest import Ansible


@pytest.mark.smoke
@pytest.mark.parametrize("name", ["positions", "jobs", "authentication"])
def test_playbook(request: pytest.FixtureRequest, ansible: Ansible, name: str) -> None:
    said = ansible("ansible-playbook", Path(__file__).with_name(f"{name}.yml"), *(["--tags", "smoke"] if request.config.getoption("--smoke") else []))
    assert re.search(r"^localhost .* failed=0 +skipped=0 +rescued=0 +ignored=0", said, re.MULTILINE), said
