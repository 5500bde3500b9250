# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import functools
import json
import pathlib
import re
from unittest import mock

import pytest
import yaml

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.plugins.module_utils import _module
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    COLLECTION,
    SECRETS,
    check_nothing_shown,
    execute,
    patch_args,
)

# What Ansible adds to the result of any module.
OF_ANSIBLE = {"changed", "failed", "msg", "exception", "invocation", "warnings", "deprecations", "diff"}
TYPES = {"str": str, "int": int, "bool": bool, "dict": dict, "list": list}
SHARED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)["options"]


def _tasks(items):
    for item in items:
        yield item
        yield from _tasks(item.get("block", []))


@functools.lru_cache(maxsize=None)
def _documentation(path):
    source = execute(path, path.stem)
    return tuple(map(yaml.safe_load, (source.DOCUMENTATION, source.RETURN, source.EXAMPLES)))


def _check_sample(name, value, sample):
    """A result, or a part of one, has its type in the sample, and what is said of its parts is right there as well."""
    assert isinstance(sample, TYPES[value["type"]]), name
    assert ("elements" in value) is (value["type"] == "list"), name
    items = sample if "elements" in value else [sample]
    # An empty list would show nothing.
    assert items, name
    for item in items:
        assert isinstance(item, TYPES[value.get("elements", value["type"])]), name
        for key, part in value.get("contains", {}).items():
            assert set(part) - {"elements", "contains"} == {"description", "type", "returned"}, f"{name}.{key}"
            assert key in item, f"{name}.{key}"
            if item[key] is not None:
                _check_sample(f"{name}.{key}", part, item[key])
        if "contains" in value:
            assert set(item) == set(value["contains"]), name


class _SeenSpec(Exception):
    """What a module takes, in place of running it."""


def _see_spec(**kwargs):
    raise _SeenSpec(kwargs)


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
        self._check_parts(result)
        assert ("Unexpected" in result.get("msg", "")) is fault_of_ours
        return {name: value for name, value in result.items() if name != "invocation"}

    def fail(self, args, check_mode=False, **kwargs):
        """Run it with arguments that make it fail, and return its message and the rest of the result."""
        result = self.run(args, check_mode, **kwargs)
        assert result.pop("failed") is True
        result.pop("exception", None)
        return result.pop("msg"), result

    def check_refused(self, cloud, args, named, check_mode):
        """It does not take the arguments, says which one is wrong, and has done nothing."""
        message, result = self.fail(args, check_mode)
        assert named in message
        assert not result.get("changed")
        assert set(result) <= {"changed", *self.own_options}
        assert len(cloud.calls) == 0

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
        for name, value in self.returns.items():
            assert set(value) - {"elements", "contains"} == {"description", "type", "returned", "sample"}, name
            _check_sample(name, value, value["sample"])

    def check_options(self, **rules):
        """The module takes the options that are documented, of their types and with their defaults, and has these rules for them."""
        with mock.patch.object(_module, "DrsModule", _see_spec), pytest.raises(_SeenSpec) as seen:
            execute(self._path, "__main__")
        taken = dict(seen.value.args[0])
        spec = taken.pop("argument_spec")
        assert taken == rules
        assert list(spec) == list(self.own_options)
        for name, documented in self.own_options.items():
            assert documented["type"] == spec[name].get("type", "str"), name
            for key in ("elements", "default", "required"):
                assert documented.get(key) == spec[name].get(key), f"{name}: {key}"
            # A documentation that explains each choice has a dictionary.
            assert list(documented.get("choices", [])) == spec[name].get("choices", []), name
            assert set(documented) <= {"description", "type", "elements", "default", "choices", "required"}, name
            assert set(spec[name]) <= {"type", "elements", "default", "choices", "required"}, name
            # A secret would have to be masked.
            assert not re.search("password|token|secret|key", name)

    def _check_parts(self, result):
        for name, value in self.returns.items():
            found = result.get(name) if "contains" in value else None
            for item in found if isinstance(found, list) else filter(None, [found]):
                assert set(item) <= set(value["contains"])
                assert {key for key, part in value["contains"].items() if part["returned"] == "always"} <= set(item)


@pytest.fixture
def module_file(capsys):
    return lambda name: ModuleFile(name, capsys)


@pytest.fixture
def module(request, capsys):
    """The module whose name the file of the test has."""
    return ModuleFile(pathlib.Path(str(request.fspath)).stem[len("test_") :], capsys)


@pytest.fixture(params=[False, True], ids=["run", "check"])
def check_mode(request):
    return request.param
