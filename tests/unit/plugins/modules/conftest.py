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

# Keys that Ansible adds to the result of any module.
ANSIBLE_KEYS = {"changed", "failed", "msg", "exception", "invocation", "warnings", "deprecations", "diff"}
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
    """Compare a sample, and all that it contains, with the documented types."""
    assert isinstance(sample, TYPES[value["type"]]), name
    assert ("elements" in value) is (value["type"] == "list"), name
    items = sample if "elements" in value else [sample]
    # An empty list would be no example.
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


class _SpecSeen(Exception):
    """Ends a module, with the arguments of `DrsModule`."""


def _see_spec(**kwargs):
    raise _SpecSeen(kwargs)


class ModuleFile:
    """A module: its documentation, and how to run it as Ansible does.

    :param name: the name of its file.
    """

    def __init__(self, name, capsys):
        self._capsys = capsys
        self._path = COLLECTION / "plugins" / "modules" / f"{name}.py"
        documentation, self.returns, examples = _documentation(self._path)
        self.fqcn = f"huaweicloud.drs.{documentation['module']}"
        self.own_options = documentation.get("options", {})
        self.options = {**SHARED, **self.own_options}
        self.tasks = list(_tasks(examples))

    def run(self, args, check_mode=False, shown_secret="", unexpected=False):
        """Run the module, and return its result without the invocation.

        :param shown_secret: one that the result may show.
        :param unexpected: whether the module ends with an unexpected exception.
        """
        with patch_args(args, check_mode), pytest.raises(SystemExit) as stop:
            execute(self._path, "__main__")
        out, err = self._capsys.readouterr()
        check_nothing_shown(out, err, secrets=[secret for secret in SECRETS if secret != shown_secret])
        result = json.loads(out)
        assert stop.value.code == (1 if result.get("failed") else 0)
        assert set(result) <= ANSIBLE_KEYS | set(self.returns)
        self._check_parts(result)
        assert ("Unexpected" in result.get("msg", "")) is unexpected
        return {name: value for name, value in result.items() if name != "invocation"}

    def fail(self, args, check_mode=False, **kwargs):
        """Run the module, which fails, and return its message and the rest of the result."""
        result = self.run(args, check_mode, **kwargs)
        assert result.pop("failed") is True
        result.pop("exception", None)
        return result.pop("msg"), result

    def check_refused(self, cloud, args, named, check_mode):
        """Check that the module rejects the arguments, names the invalid one, and does nothing."""
        message, result = self.fail(args, check_mode)
        assert named in message
        assert not result.get("changed")
        # Ansible's own refusals have no state.
        expected = {"state": "unchanged", "steps": []} if "steps" in self.returns and "state" in result else {}
        assert {name: result.pop(name) for name in expected} == expected
        assert set(result) <= {"changed", *self.own_options}
        assert len(cloud.calls) == 0

    def check_documentation(self):
        """Check that examples use existing options and all required ones, and that samples have their types."""
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
        """Compare the options with their documentation: names, types, defaults and choices.

        :param rules: `mutually_exclusive` and so on, as the module must have them.
        """
        with mock.patch.object(_module, "DrsModule", _see_spec), pytest.raises(_SpecSeen) as seen:
            execute(self._path, "__main__")
        arguments = dict(seen.value.args[0])
        spec = arguments.pop("argument_spec")
        assert arguments == rules
        assert list(spec) == list(self.own_options)
        for name, documented in self.own_options.items():
            assert documented["type"] == spec[name].get("type", "str"), name
            for key in ("elements", "default", "required"):
                assert documented.get(key) == spec[name].get(key), f"{name}: {key}"
            assert documented.get("choices", []) == spec[name].get("choices", []), name
            assert set(documented) <= {"description", "type", "elements", "default", "choices", "required"}, name
            assert set(spec[name]) <= {"type", "elements", "default", "choices", "required"}, name
            # An option with a secret would need no_log.
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
    """The module that the test file is named after."""
    return ModuleFile(pathlib.Path(str(request.fspath)).stem[len("test_") :], capsys)


@pytest.fixture(params=[False, True], ids=["run", "check"])
def check_mode(request):
    return request.param
