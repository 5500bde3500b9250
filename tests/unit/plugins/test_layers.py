# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The architecture of plugins/: each file is in a layer, and imports from lower layers only."""

from __future__ import annotations

import ast

import pytest

from ansible_collections.huaweicloud.drs.tests.unit.utils import COLLECTION

LAYERS = [
    {"_connection", "_errors", "_throttle", "_timeout"},
    {"_endpoint_url", "_hints", "_redact"},
    {"_binlog", "_endpoints", "_http_errors"},
    {"_retry"},
    {"_http"},
    {"_auth", "_trace"},
    {"_auth_access_key", "_auth_password", "_drs"},
    {"_auth_token", "_jobs_v3", "_positions", "_start_position", "_wait"},
    {"_jobs", "_options", "_position_results"},
    {"_batch", "_job_actions", "_job_lists", "_module"},
    {"_reset"},
]
LAYER_OF = {name: number for number, names in enumerate(LAYERS) for name in names}
USES_ANSIBLE = {"_module", "_options"}
MAX_LINES = 360
PACKAGE = "ansible_collections.huaweicloud.drs.plugins.module_utils"
PLUGINS = COLLECTION / "plugins"
FILES = {path.stem: path for path in sorted((PLUGINS / "module_utils").glob("*.py"))}


def imports(path):
    """Return the full names of all modules that a file imports, anywhere in it."""
    levels = (0, 1) if path.parent.name == "module_utils" else (0,)
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level in levels, "Relative imports are for module_utils, and stay within it."
            module = ".".join(filter(None, [PACKAGE if node.level else "", node.module]))
            # Ansible looks for each imported name in a file of that name, before each run of a module.
            assert not module.startswith(f"{PACKAGE}."), "Files of module_utils are imported as a whole."
            found.update([f"{module}.{alias.name}" for alias in node.names] if module == PACKAGE else [module])
    return found


def packages(path):
    return {name.partition(".")[0] for name in imports(path)}


def test_each_file_has_a_layer():
    assert set(FILES) == set(LAYER_OF)


@pytest.mark.parametrize("name", FILES)
def test_layer(name):
    used = {module.rpartition(".")[2] for module in imports(FILES[name]) if module.startswith(f"{PACKAGE}.")}
    assert {other for other in used if LAYER_OF[other] >= LAYER_OF[name]} == set()
    assert ("ansible" in packages(FILES[name])) is (name in USES_ANSIBLE)


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("*/*.py")), ids=lambda path: path.stem)
def test_length(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= MAX_LINES


@pytest.mark.parametrize(
    "path",
    sorted(path for path in PLUGINS.glob("*/*.py") if path.parent.name != "module_utils"),
    ids=lambda path: path.stem,
)
def test_no_requests_in_plugins(path):
    assert not {"requests", "urllib3"} & packages(path)


@pytest.mark.parametrize("path", sorted(PLUGINS.glob("plugin_utils/*.py")), ids=lambda path: path.stem)
def test_plugin_utils_know_no_plugin(path):
    own = {name.split(".")[4] for name in imports(path) if name.startswith(PACKAGE.rpartition(".")[0])}
    assert own <= {"module_utils"}
