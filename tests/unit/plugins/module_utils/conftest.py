# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest

from ansible_collections.huaweicloud.drs.tests.unit.utils import check_nothing_shown


@pytest.fixture
def failed(capsys):
    """Call a function that ends in a failed task, and return its result."""

    def run(function):
        with pytest.raises(SystemExit) as stop:
            function()
        out = capsys.readouterr().out
        result = json.loads(out)
        assert (stop.value.code, result["failed"]) == (1, True)
        check_nothing_shown(out)
        return result

    return run
