# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import re

import pytest
import yaml

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.tests.unit.utils import COLLECTION, SECRETS, check_nothing_shown, execute, patch_args

# What Ansible adds to the result of any module.
OF_ANSIBLE = {"changed", "failed", "msg", "exception", "invocation", "warnings", "deprecations"}
SHARED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]


def _tasks(items):
    for item in items:
        yield item
        yield from _tasks(item.get("block", []))


@functools.lru_cache(maxsize=None)
def _documentation(path):
    source = execute(path, path.stem)
    return tuple(map(yaml.safe_load, (source.DOCUMENTATION, source.RETURN, source.EXAMPLES)))


class ModuleFile:
    """A module, by its file name: its documentation, and how to run it as Ansible does."""

    def __init__(self, name, capsys):
        self._capsys = capsys
        self._path = COLLECTION / "plugins" / "modules" / f"{name}.py"
        documentation, self.returns, examples = _documentation(self._path)
        self.fqcn = f"huaweicloud.drs.{documentation['module']}"
        self.own_options = documentation.get("options", {})
        self.options = {**SHARED, **self.own_options}
        self.tasks = list(_tasks(examples))

    def run(self, args, check_mode=False, meant_to_be_seen="", fault_of_ours=False):
        """Return the result, without what Ansible adds to a success."""
        with patch_args(args, check_mode), pytest.raises(SystemExit) as stop:
            execute(self._path, "__main__")
        out, err = self._capsys.readouterr()
        check_nothing_shown(out, err, secrets=[secret for secret in SECRETS if secret != meant_to_be_seen])
        result = json.loads(out)
        assert stop.value.code == (1 if result.get("failed") else 0)
        assert set(result) <= OF_ANSIBLE | set(self.returns)
        assert ("Unexpected" in result.get("msg", "")) is fault_of_ours
        return {name: value for name, value in result.items() if name != "invocation"}

    def check_documentation(self):
        """Every example uses options that exist and gives those that must be given, and every returned key has a sample of its type."""
        assert any(self.fqcn in task for task in self.tasks)
        for task in self.tasks:
            assert task["name"]
            for name, args in task.items():
                if name.startswith("huaweicloud.drs."):
                    options = self if name == self.fqcn else ModuleFile(name.rpartition(".")[2], self._capsys)
                    options = options.options
                    known = set(options) | {alias for option in options.values() for alias in option.get("aliases", [])}
                    assert set(args) <= known
                    assert {option for option, spec in options.items() if spec.get("required")} <= set(args)
            for defaults in task.get("module_defaults", {}).values():
                assert set(defaults) <= set(SHARED)
        types = {"str": str, "int": int, "dict": dict}
        for name, value in self.returns.items():
            assert set(value) == {"description", "type", "returned", "sample"}, name
            assert isinstance(value["sample"], types[value["type"]]), name

    def check_secrets(self):
        assert not [name for name in self.own_options if re.search("password|token|secret|key", name)]


@pytest.fixture
def module_file(capsys):
    return lambda name: ModuleFile(name, capsys)
