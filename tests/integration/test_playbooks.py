# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks in this folder use each module like a user, and assert the results."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from integration.conftest import Ansible


@pytest.mark.smoke
def test_playbooks(request: pytest.FixtureRequest, ansible: Ansible) -> None:
    # In one run, because the start of Ansible takes as long as two tasks.
    playbooks = [Path(__file__).with_name(f"{name}.yml") for name in ("authentication", "positions", "jobs")]
    output = ansible(
        "ansible-playbook", *playbooks, *(["--tags", "smoke"] if request.config.getoption("--smoke") else [])
    )
    assert re.search(r"^localhost .* failed=0 +skipped=0 +rescued=0 +ignored=0", output, re.MULTILINE), output


@pytest.mark.parametrize(
    ("option", "code", "reason"),
    [
        (["--tags", "other"], 2, "Copy the folder playbooks/awx"),
        (["--limit", "web"], 4, "--limit leaves out localhost"),
        (["--skip-tags", "always"], 4, "--skip-tags always would leave out tasks"),
    ],
)
def test_awx_setup_runs_as_a_whole(ansible: Ansible, option: list[str], code: int, reason: str) -> None:
    """Otherwise, it would do nothing, and succeed."""
    assert reason in ansible("ansible-playbook", "huaweicloud.drs.awx_setup", *option, code=code)
