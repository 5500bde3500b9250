# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
import yaml
from ansible import constants as C
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed, inventory_cache
from ansible.utils.display import Display

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.plugins.inventory import drs_jobs
from ansible_collections.huaweicloud.drs.plugins.inventory.drs_jobs import InventoryModule
from ansible_collections.huaweicloud.drs.tests.unit.controller import CONTROLLER, _internal
from ansible_collections.huaweicloud.drs.tests.unit.inventory import NAME, VAULT

try:
    from ansible.module_utils._internal._json import _profiles
except ImportError:  # before ansible-core 2.19
    _profiles = None


@pytest.fixture(autouse=True)
def _controller(monkeypatch):
    with monkeypatch.context() as patch:
        for name, value in CONTROLLER.items():
            patch.setattr(_internal, name, value)
        yield
    if CONTROLLER:
        # The cached value is wrong for the next test.
        _profiles._string_encoding_check_enabled.cache_clear()


@pytest.fixture(autouse=True, scope="module")
def _options():
    """Define the options of the plugin and its fragments, as the plugin loader does."""
    options = {}
    fragments = (constructed.ModuleDocFragment, inventory_cache.ModuleDocFragment, ModuleDocFragment)
    for text in [*(fragment.DOCUMENTATION for fragment in fragments), drs_jobs.DOCUMENTATION]:
        options.update(yaml.safe_load(text)["options"])
    C.config.initialize_plugin_configuration_definitions("inventory", NAME, options)


@pytest.fixture
def parse(tmp_path):
    """Write an inventory file, and return the inventory."""

    def parse(options, cache=True, name="drs_jobs.yml", inventory=None):
        path = tmp_path / name
        path.write_text(json.dumps({"plugin": NAME, **options}))
        plugin = InventoryModule()
        plugin._load_name = plugin._original_path = NAME
        plugin.ansible_name = NAME
        plugin._redirected_names = [NAME]
        inventory = inventory or InventoryData()
        assert plugin.verify_file(str(path))
        loader = DataLoader()
        loader.set_vault_secrets(VAULT)
        plugin.parse(inventory, loader, str(path), cache)
        if hasattr(plugin, "_cache"):  # as the inventory manager does
            plugin.update_cache_if_changed()
        inventory.reconcile_inventory()
        return inventory

    return parse


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(Display, "warning", lambda display, message, **more: said.append(message))
    return said
