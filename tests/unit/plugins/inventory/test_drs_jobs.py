# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import re
from urllib.parse import urlsplit

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing import vault
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed, inventory_cache
from ansible.template import Templar
from ansible.utils.display import Display
from ansible.utils.unsafe_proxy import AnsibleUnsafe

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.plugins.inventory import drs_jobs
from ansible_collections.huaweicloud.drs.plugins.inventory.drs_jobs import InventoryModule
from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    DRS,
    LOGIN_URL,
    LOST,
    NEW_TOKEN,
    PASSWORD,
    PROJECT_ID,
    REGION,
    TOKEN,
    WITH_PASSWORD,
    WITH_TOKEN,
    add_login,
    add_projects,
    agency_key,
    check_nothing_shown,
    job_id,
    shown,
)

# From ansible-core 2.19 on, the imports above mark the process as one of the controller. The tests of modules need the
# opposite, so the mark is set only while a test of this file runs.
try:
    from ansible.module_utils import _internal
    from ansible.module_utils._internal._json import _profiles
    from ansible.template import is_trusted_as_template
except ImportError:  # before ansible-core 2.19
    CONTROLLER = {}
else:
    _TARGET = {
        "is_controller": False,
        "import_controller_module": lambda name: None,
        "get_controller_serialize_map": lambda: {},
    }
    CONTROLLER = {name: getattr(_internal, name) for name in _TARGET}
    for _name, _value in _TARGET.items():
        setattr(_internal, _name, _value)

NAME = "huaweicloud.drs.drs_jobs"
JOBS_URL = f"{DRS}/v5/{PROJECT_ID}/jobs"
TAGS_URL = f"{DRS}/v5/{PROJECT_ID}/sync/resource-instances/filter"
VAULT = [("default", vault.VaultSecret(b"of-the-vault"))]


def job(number, name, status="INCRE_TRANSFER_STARTED", engine_type="mysql-to-dws", **more):
    return {
        "id": job_id(number),
        "name": name,
        "status": status,
        "engine_type": engine_type,
        "task_type": "FULL_INCR_TRANS",
        **more,
    }


JOBS = [job(1, "shard1"), job(2, "shard2", status="PAUSING"), job(3, "other", engine_type="mysql-to-mysql")]
ONE, TWO, THREE, FOUR, FIVE = map(job_id, range(1, 6))
TAGS = {ONE: {"shard": "a"}, TWO: {"shard": "b", "empty": ""}}


def add_jobs(cloud, jobs=None, tags=None):
    jobs, tags = JOBS if jobs is None else jobs, TAGS if tags is None else tags
    cloud.get(JOBS_URL, json={"jobs": jobs, "total_count": len(jobs)})
    resources = [
        {"resource_id": job_id, "tags": [{"key": key, "value": value} for key, value in pairs.items()]}
        for job_id, pairs in tags.items()
    ]
    cloud.post(TAGS_URL, json={"resources": resources, "total_count": len(resources)})


def add_no_jobs(cloud):
    """Add empty lists of all projects."""
    cloud.get(re.compile(r".*/v5/[0-9a-f]+/jobs"), json={"jobs": [], "total_count": 0})
    cloud.post(re.compile(r".*/resource-instances/filter"), json={"resources": [], "total_count": 0})


def lists_read(cloud):
    """Return how often the list of jobs was read."""
    return sum(urlsplit(call.request.url).path.endswith("/jobs") for call in cloud.calls)


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


def variables(inventory, host):
    own = inventory.get_host(host).get_vars()
    return {name: value for name, value in own.items() if name.startswith(("drs_", "ansible_")) or name == "shard"}


def jobs_of(inventory):
    """The ID of the job of each host."""
    return {name: host.vars.get("drs_job_id") for name, host in inventory.hosts.items()}


def members(inventory, group):
    return sorted(host.name for host in inventory.groups[group].get_hosts())


@pytest.fixture
def warnings(monkeypatch):
    said = []
    monkeypatch.setattr(Display, "warning", lambda display, message, **more: said.append(message))
    return said


def is_exported_as_unsafe(value):
    if not CONTROLLER:
        return isinstance(value, AnsibleUnsafe)
    return isinstance(value, str) and not is_trusted_as_template(value)


def strings(value):
    """Yield all strings in a value except keys."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def failure(parse, *args, **kwargs):
    """Return the error message, which shows no secret."""
    with pytest.raises(AnsibleParserError) as caught:
        parse(*args, **kwargs)
    check_nothing_shown(shown(caught.value))
    return str(caught.value)


@pytest.mark.parametrize(
    "name, valid",
    [("drs_jobs.yml", True), ("shards.drs_jobs.yaml", True), ("drs_jobs.json", False), ("jobs.yml", False)],
)
def test_verify_file(tmp_path, name, valid):
    path = tmp_path / name
    assert not InventoryModule().verify_file(str(path))  # There is no file yet.
    for text in ("", "plugin: other", f"# plugin: {NAME}", f"a: b # plugin: {NAME}", f"plugin: {NAME}_2\n"):
        path.write_text(text)
        assert InventoryModule().verify_file(str(path)) is valid


@pytest.mark.parametrize(
    "text",
    [
        f"plugin: {NAME}",
        f"---\na: \u00e9\n'plugin':   '{NAME}' # text\nb: c\n",
        json.dumps({"plugin": NAME}),
        json.dumps({"plugin": NAME}, indent=2),
    ],
)
@pytest.mark.parametrize("name", ["jobs.yml", "drs_jobs.prod.yaml"])
def test_verify_file_of_another_name(tmp_path, name, text):
    """Ansible's message would only be that the file could not be verified."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AnsibleParserError, match=r"must end in drs_jobs\.yml or drs_jobs\.yaml") as caught:
        InventoryModule().verify_file(str(path))
    assert NAME in str(caught.value) and str(path) in str(caught.value)


class TestHosts:
    def test_all(self, cloud, parse):
        add_jobs(cloud)
        inventory = parse(WITH_TOKEN)
        assert sorted(inventory.hosts) == ["other", "shard1", "shard2"]
        assert variables(inventory, "shard2") == {
            "drs_job_id": TWO,
            "drs_job_name": "shard2",
            "drs_job_status": "PAUSING",
            "drs_engine_type": "mysql-to-dws",
            "drs_task_type": "FULL_INCR_TRANS",
            "drs_parent_id": None,
            "drs_subtask_ids": [],
            "drs_tags": {"shard": "b", "empty": ""},
            "ansible_connection": "local",
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
        }
        assert variables(inventory, "other")["drs_tags"] == {}
        assert [call.request.method for call in cloud.calls] == ["GET", "POST"]

    def test_names(self, cloud, parse):
        """Jobs without a name, and jobs that share one, are named by their ID."""
        add_jobs(cloud, [job(1, "same"), job(2, "single"), job(3, "same"), job(4, None), job(5, "")])
        assert sorted(parse(WITH_TOKEN).hosts) == [ONE, THREE, FOUR, FIVE, "single"]

    def test_names_that_differ_in_case(self, cloud, parse):
        """They share their variables on a control node whose file system does not tell them apart."""
        add_jobs(cloud, [job(1, "orders"), job(2, "Orders"), job(3, "single")])
        assert sorted(parse(WITH_TOKEN).hosts) == [ONE, TWO, "single"]

    @pytest.mark.parametrize(
        "name",
        [
            "a b",
            "a\n",
            "{{ 1 }}",
            "x" * 65,
            *"a.yml a.b A.YML a. LocalHost".split(),
            *"a[1:3] x,y a:b !a &a ~a a* -a 1a \u00e9t\u00e9 ../a all ungrouped localhost ::1".split(),
        ],
    )
    def test_name_with_another_meaning_in_ansible(self, cloud, parse, name):
        """The host is named by the ID of the job."""
        add_jobs(cloud, [job(1, name), job(2, "a-B_1"), job(3, "all2"), job(4, "w" * 64), job(5, "yml")])
        inventory = parse(WITH_TOKEN)
        assert sorted(inventory.hosts) == [ONE, "a-B_1", "all2", "w" * 64, "yml"]
        assert variables(inventory, ONE)["drs_job_name"] == name.replace("\n", " ")

    def test_names_do_not_depend_on_filters(self, cloud, parse):
        add_jobs(cloud, [job(1, "same"), job(2, "same", status="PAUSING")])
        assert sorted(parse({**WITH_TOKEN, "status": ["PAUSING"]}).hosts) == [TWO]

    @pytest.mark.parametrize(
        "options, hosts",
        [
            ({"engine_type": ["mysql-to-dws", "mysql-to-mysql"]}, ["other", "shard1", "shard2"]),
            ({"status": ["INCRE_TRANSFER_STARTED", "PAUSING"], "engine_type": "mysql-to-mysql"}, ["other"]),
            ({"status": "PAUSING,INCRE_TRANSFER_FAILED"}, ["shard2"]),
            ({"status": "{{ 'PAUS' ~ 'ING' }}"}, ["shard2"]),
            ({"engine_type": "{{ 'mysql-to-mysql' }}"}, ["other"]),
            ({"status": "", "engine_type": None}, ["other", "shard1", "shard2"]),
            ({"status": "{{ lookup('env', 'HW_NOT_SET') }}"}, ["other", "shard1", "shard2"]),
        ],
    )
    def test_filters(self, cloud, parse, options, hosts):
        add_jobs(cloud)
        assert sorted(parse({**WITH_TOKEN, **options}).hosts) == hosts


class TestSubtasks:
    def test_variables(self, cloud, parse):
        """Filters do not change them."""
        parts = [job(2, "part-1", status="PAUSING"), job(3, "part-2")]
        add_jobs(cloud, [job(1, "whole", children=parts), job(4, "single")])
        inventory = parse({**WITH_TOKEN, "status": "INCRE_TRANSFER_STARTED"})
        assert {
            host: (variables(inventory, host)["drs_parent_id"], variables(inventory, host)["drs_subtask_ids"])
            for host in inventory.hosts
        } == {"whole": (None, [TWO, THREE]), "part-2": (ONE, []), "single": (None, [])}


TAKEN = f"{NAME}: The host of job {ONE} is named by its ID, because another inventory has a group or host shard1."


class TestNameOfSomethingElse:
    """Whoever may name or tag a job cannot take the host of another job."""

    GROUPS = {"groups": {"paused": "drs_job_status == 'PAUSING'", "is-dws": "drs_engine_type is search('dws')"}}
    KEYED = {"keyed_groups": [{"prefix": "shard", "key": "drs_tags.shard | default('none')"}]}
    PARENT = {"keyed_groups": [{"prefix": "", "separator": "", "key": "'x'", "parent_group": "top"}]}
    TEMPLATE = {"keyed_groups": [{"key": "'x'", "parent_group": "{{ 'to' ~ 'p' }}"}]}
    DEFAULT = {
        "keyed_groups": [{"prefix": "", "separator": "_", "key": "drs_tags.none | default('')", "default_value": "no"}]
    }
    PREFIX = {"keyed_groups": [{"prefix": "of", "key": "drs_tags.none | default('')", "default_value": "no"}]}
    BY_STATUS = {
        "keyed_groups": [
            {"prefix": "status", "key": "drs_job_status"},
            {"key": "drs_tags.shard", "parent_group": "{{ 'st_' ~ drs_job_status }}"},
        ]
    }
    BY_NAME = {"keyed_groups": [{"prefix": "", "separator": "", "key": "drs_job_name"}]}
    BY_PARENT = {"keyed_groups": [{"key": "drs_job_id", "parent_group": "{{ drs_tags.shard | default('none') }}"}]}
    COMPOSED_KEY = {
        "compose": {"shard": "'of_' ~ drs_tags.shard"},
        "keyed_groups": [{"prefix": "", "separator": "", "key": "shard"}],
    }
    COMPOSED = {"compose": {"shard": "'of_' ~ drs_tags.shard"}, "groups": {"of_01": "shard == 'of_01'"}}

    def test_name_with_the_id_of_another_job(self, cloud, parse):
        """Hosts of jobs with the same name were once named this way."""
        add_jobs(cloud, [job(1, "orders"), job(2, "orders"), job(3, f"orders_{ONE}")])
        assert jobs_of(parse(WITH_TOKEN)) == {ONE: ONE, TWO: TWO, f"orders_{ONE}": THREE}

    def test_parent_group_that_depends_on_the_host(self, cloud, parse):
        add_jobs(cloud, [job(1, "a-1")], {ONE: {"shard": "top"}})
        keyed_groups = [{"key": "'x'", "prefix": "of", "parent_group": "{{ drs_tags.shard }}"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert [group.name for group in inventory.groups["top"].child_groups] == ["of_x"]

    @pytest.mark.parametrize("name", [TWO, FOUR, "a" * 36, "a-" * 18])
    def test_name_in_the_form_of_an_id(self, cloud, parse, name):
        add_jobs(cloud, [job(1, name), job(2, None), job(3, "single")])
        assert jobs_of(parse(WITH_TOKEN)) == {ONE: ONE, TWO: TWO, "single": THREE}

    @pytest.mark.parametrize(
        "options, name",
        [
            (GROUPS, "paused"),
            (GROUPS, "is_dws"),
            (PARENT, "top"),
            (PARENT, "x"),
            (TEMPLATE, "top"),
            ({**DEFAULT, "leading_separator": False}, "no"),
            (PREFIX, "of_no"),
            (BY_STATUS, "status_PAUSING"),
            (BY_STATUS, "st_PAUSING"),
            ({"keyed_groups": BY_STATUS["keyed_groups"][:1], "strict": True}, "status_PAUSING"),
            (COMPOSED, "of_01"),
            ({}, "all"),
            ({}, "ungrouped"),
        ],
    )
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_name_of_a_group(self, cloud, parse, warnings, options, name, place):
        """Ansible would set the variables of the group, and connect to the host by SSH."""
        jobs = [job(1, "a-1"), job(2, "a-2", status="PAUSING")]
        jobs.insert(place, job(3, name))
        add_jobs(cloud, jobs, {ONE: {"shard": "01"}, TWO: {"shard": "02"}})
        inventory = parse({**WITH_TOKEN, **options})
        assert jobs_of(inventory) == {"a-1": ONE, "a-2": TWO, THREE: THREE}
        assert variables(inventory, THREE)["ansible_connection"] == "local"
        assert "drs_job_id" not in inventory.groups.get(name, inventory.groups["all"]).vars
        assert not set(inventory.hosts) & set(inventory.groups)
        assert warnings == []

    @pytest.mark.parametrize(
        "options, name",
        [
            (KEYED, "shard_01"),
            (BY_PARENT, "01"),
            (BY_NAME, "any"),
            (COMPOSED_KEY, "of_01"),
        ],
    )
    @pytest.mark.parametrize("place", [0, 1, 2])
    def test_group_with_the_name_of_a_host(self, cloud, parse, warnings, options, name, place):
        """Otherwise, a play for the host would run on the jobs that are tagged so."""
        name = name.replace("01", "orders")
        jobs = [job(1, "a-1"), job(2, "a-2")]
        jobs.insert(place, job(3, name))
        add_jobs(cloud, jobs, {ONE: {"shard": "orders"}, TWO: {"shard": "other"}})
        inventory = parse({**WITH_TOKEN, **options})
        assert jobs_of(inventory) == {"a-1": ONE, "a-2": TWO, name: THREE}
        assert name not in inventory.groups
        by = THREE if name == "any" else ONE
        assert [said for said in warnings if f" {name} " in said] == [
            f"{NAME}: The group {name} was not created, because a host has this name. The first job that caused this is"
            f" {by}."
        ]

    @pytest.mark.parametrize("name", ["kind_parent", "kind_sub", "kind_one", f"job_{TWO.replace('-', '_')}"])
    def test_group_that_depends_on_subtasks(self, cloud, parse, warnings, name):
        """Otherwise, the pattern all:!kind_parent would exclude nothing."""
        family = {"children": [job(2, "part-1")]}
        add_jobs(cloud, [job(1, "whole", **family), job(3, name)], {ONE: {"shard": "a"}})
        kind = "'parent' if drs_subtask_ids else 'sub' if drs_parent_id else 'one'"
        keyed_groups = [{"prefix": "kind", "key": kind}, {"prefix": "job", "key": "drs_job_id"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert jobs_of(inventory) == {"whole": ONE, "part-1": TWO, THREE: THREE}
        assert (members(inventory, "kind_parent"), members(inventory, "kind_sub")) == (["whole"], ["part-1"])
        assert warnings == []

    def test_own_group(self, cloud, parse, warnings):
        add_jobs(cloud, [job(1, "shard_01")], {ONE: {"shard": "01"}})
        inventory = parse({**WITH_TOKEN, **self.KEYED})
        assert (jobs_of(inventory), "shard_01" in inventory.groups) == ({"shard_01": ONE}, False)
        assert len(warnings) == 1 and "The group shard_01 was not created" in warnings[0]

    def test_other_groups_of_a_job_whose_group_is_refused(self, cloud, parse):
        """Neither is the refused group or the host of its name added to the parent group."""
        add_jobs(cloud, [job(1, "one"), job(2, "orders")], {ONE: {"shard": "orders,b"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard.split(',')", "parent_group": "top"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert [group.name for group in inventory.groups["top"].child_groups] == ["b"]
        assert (members(inventory, "top"), members(inventory, "b")) == (["one"], ["one"])

    def test_group_with_the_name_of_a_job_that_a_filter_excludes(self, cloud, parse, warnings):
        add_jobs(cloud, [job(1, "orders"), job(2, "other", status="PAUSING")], {TWO: {"shard": "orders"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups, "status": "PAUSING"})
        assert (jobs_of(inventory), "orders" in inventory.groups) == ({"other": TWO}, False)
        assert len(warnings) == 1

    def test_job_that_was_renamed_between_two_files(self, cloud, parse, warnings):
        """As where one file uses its cache. Otherwise, a play would run on the job twice."""
        inventory = InventoryData()
        add_jobs(cloud, [job(1, "old"), job(2, "any")], {ONE: {"shard": "a"}})
        add_jobs(cloud, [job(1, "new"), job(2, "any")], {ONE: {"shard": "b"}})
        for _time in range(2):
            parse({**WITH_TOKEN, **self.KEYED}, inventory=inventory)
        assert jobs_of(inventory) == {"old": ONE, "any": TWO}
        assert members(inventory, "shard_b") == ["old"]
        assert warnings == []

    def test_group_with_the_name_of_a_host_of_another_inventory(self, cloud, parse, warnings):
        inventory = InventoryData()
        inventory.add_host("web")
        add_jobs(cloud, tags={ONE: {"shard": "web"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard"}]
        parse({**WITH_TOKEN, "keyed_groups": keyed_groups}, inventory=inventory)
        assert "web" not in inventory.groups
        assert f"The first job that caused this is {ONE}." in warnings[0]

    @pytest.mark.parametrize("options, name", [(GROUPS, "paused"), (BY_STATUS, "status_PAUSING")])
    @pytest.mark.parametrize("of_the_plugin", [True, False])
    def test_host_of_another_inventory_with_the_name_of_a_group(self, cloud, parse, options, name, of_the_plugin):
        """Ansible would run plays for the group on the host."""
        inventory = InventoryData()
        inventory.add_host(name)
        if of_the_plugin:
            for variable, value in {"drs_job_id": ONE, "drs_job_status": "x", "drs_tags": {}}.items():
                inventory.set_variable(name, variable, value)
        add_jobs(cloud, [job(1, name), job(2, "a-2", status="PAUSING")])
        with pytest.raises(AnsibleParserError, match=f"The group {name} cannot be created, because another inventory"):
            parse({**WITH_TOKEN, **options}, inventory=inventory)
        assert list(inventory.hosts) == [name]

    def test_group_that_a_filter_excludes(self, cloud, parse):
        add_jobs(cloud, [job(1, "shard_02"), job(2, "other", status="PAUSING")], {TWO: {"shard": "02"}})
        inventory = parse({**WITH_TOKEN, **self.KEYED, "status": "INCRE_TRANSFER_STARTED"})
        assert jobs_of(inventory) == {"shard_02": ONE}

    def test_group_of_another_inventory(self, cloud, parse, warnings):
        inventory = InventoryData()
        inventory.add_group("shard1")
        add_jobs(cloud)
        parse(WITH_TOKEN, inventory=inventory)
        assert jobs_of(inventory) == {ONE: ONE, "shard2": TWO, "other": THREE}
        assert warnings == [TAKEN]

    def test_host_of_another_inventory(self, cloud, parse, warnings):
        """Its plays would run on the control node."""
        inventory = InventoryData()
        inventory.add_host("shard1")
        add_jobs(cloud)
        parse(WITH_TOKEN, inventory=inventory)
        assert jobs_of(inventory) == {"shard1": None, ONE: ONE, "shard2": TWO, "other": THREE}
        assert "ansible_connection" not in inventory.hosts["shard1"].vars
        assert warnings == [TAKEN]

    def test_job_of_another_inventory(self, cloud, parse, warnings):
        """The first keeps its host."""
        add_jobs(cloud)
        inventory = parse(WITH_TOKEN)
        first = variables(inventory, "shard1")
        cloud.reset()
        add_jobs(cloud, [job(4, "shard1", status="PAUSING")], {FOUR: {"shard": "x"}})
        parse(WITH_TOKEN, inventory=inventory)
        assert jobs_of(inventory) == {"shard1": ONE, "shard2": TWO, "other": THREE, FOUR: FOUR}
        assert variables(inventory, "shard1") == first
        assert warnings == [TAKEN.replace(ONE, FOUR)]

    def test_same_job_in_another_inventory(self, cloud, parse):
        """Two files may select overlapping sets of jobs."""
        add_jobs(cloud)
        inventory = parse(WITH_TOKEN)
        parse({**WITH_TOKEN, "status": "PAUSING", **self.GROUPS}, inventory=inventory)
        assert jobs_of(inventory) == {"shard1": ONE, "shard2": TWO, "other": THREE}
        assert members(inventory, "paused") == ["shard2"]

    @pytest.mark.parametrize("taken_by", ["groups", "keyed_groups", "host", "group"])
    def test_id_of_a_job(self, cloud, parse, taken_by):
        """There is no other name for the host."""
        name = "a" * 36
        add_jobs(cloud, [{**job(1, None), "id": name}, job(2, "other")])
        inventory = InventoryData()
        if taken_by == "host":
            inventory.add_host(name)
        elif taken_by == "group":
            inventory.add_group(name)
        keyed_groups = [{"key": "'x'", "parent_group": name}]
        options = {"groups": {"groups": {name: "true"}}, "keyed_groups": {"keyed_groups": keyed_groups}}
        said = failure(parse, {**WITH_TOKEN, **options.get(taken_by, {})}, inventory=inventory)
        assert f"The ID of job {name} is also the name of a group or of another host." in said
        assert "other" not in inventory.hosts


class TestConstructed:
    def test_compose(self, cloud, parse):
        add_jobs(cloud)
        inventory = parse(
            {**WITH_TOKEN, "compose": {"shard": "drs_tags.shard | default('none')", "ansible_connection": "'ssh'"}}
        )
        assert [variables(inventory, host)["shard"] for host in ("shard1", "shard2", "other")] == ["a", "b", "none"]
        assert variables(inventory, "shard1")["ansible_connection"] == "ssh"

    def test_groups(self, cloud, parse):
        add_jobs(cloud)
        groups = {"paused": "drs_job_status == 'PAUSING'", "of_a": "shard == 'a'"}
        inventory = parse({**WITH_TOKEN, "compose": {"shard": "drs_tags.shard"}, "groups": groups})
        assert members(inventory, "paused") == ["shard2"]
        # Conditions may use composed variables.
        assert members(inventory, "of_a") == ["shard1"]

    def test_names_of_groups(self, cloud, parse):
        """Templates and paths in tags are replaced."""
        add_jobs(cloud, tags={ONE: {"shard": "{{ 1 + 1 }}"}, TWO: {"shard": "../b"}})
        keyed_groups = [{"prefix": "shard", "key": "drs_tags.shard"}]
        inventory = parse(
            {**WITH_TOKEN, "keyed_groups": keyed_groups, "groups": {"is-paused": "drs_job_status == 'PAUSING'"}}
        )
        assert sorted(inventory.groups) == ["all", "is_paused", "shard____1___1___", "shard____b", "ungrouped"]

    @pytest.mark.parametrize("name", ["all", "ungrouped", "localhost", "", "_meta"])
    def test_reserved_names_of_groups(self, cloud, parse, warnings, name):
        """Whoever tags one job could take away the hosts of the others, or have plays for localhost run on jobs."""
        add_jobs(cloud, tags={ONE: {"shard": f"{name},a"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard.split(',')", "parent_group": "shards"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert (members(inventory, f"_{name}"), members(inventory, "shards")) == (["shard1"], ["shard1"])
        assert sorted(inventory.groups) == sorted(["all", "ungrouped", "shards", "a", f"_{name}"])
        assert [group.name for group in inventory.groups["shards"].child_groups] == [f"_{name}", "a"]
        assert warnings == []

    def test_group_within_itself(self, cloud, parse, warnings):
        add_jobs(cloud, tags={ONE: {"shard": "shards"}, TWO: {"shard": "b"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard", "parent_group": "shards"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert (members(inventory, "shards"), members(inventory, "b")) == (["shard1", "shard2"], ["shard2"])
        assert warnings == [
            f"{NAME}: The group shards was not added to the group shards, which would then contain itself."
        ]

    def test_group_within_its_own_part(self, cloud, parse, warnings):
        """Part of the loop is in another inventory file."""
        inventory = InventoryData()
        for name in ("web", "shards"):
            inventory.add_group(name)
        inventory.add_child("web", "shards")
        add_jobs(cloud, tags={ONE: {"shard": "web"}, TWO: {"shard": "b"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard", "parent_group": "shards"}]
        parse({**WITH_TOKEN, "keyed_groups": keyed_groups}, inventory=inventory)
        assert (members(inventory, "shards"), members(inventory, "web")) == (["shard2"], ["shard1", "shard2"])
        assert warnings == [
            f"{NAME}: The group web was not added to the group shards, which would then contain itself."
        ]

    def test_templates_from_the_cloud_are_not_run(self, cloud, parse):
        """Before ansible-core 2.19, strings are run as templates unless they are marked as unsafe."""
        name, tag = "{{ 1 + 1 }}", "{{ 2 + 2 }}"
        add_jobs(cloud, [job(1, name)], {ONE: {"shard": tag, tag: ""}})
        compose = {
            "shard": "drs_tags.shard",
            "drs_name": "drs_job_name",
            "drs_keys": "drs_tags | list",
            "drs_both": "drs_job_name ~ drs_tags.shard",
        }
        inventory = parse({**WITH_TOKEN, "compose": compose, "groups": {"same": f"shard == '{tag[:1]}' ~ '{tag[1:]}'"}})
        found = variables(inventory, ONE)
        assert (found["shard"], found["drs_name"], found["drs_keys"], found["drs_both"]) == (
            tag,
            name,
            ["shard", tag],
            name + tag,
        )
        assert members(inventory, "same") == [ONE]

    @pytest.mark.parametrize("hidden", ["{{ 1 + 1 }}", "{% if true %}2{% endif %}", "{# text #}"])
    def test_composed_templates_are_not_run(self, cloud, parse, hidden):
        """Parts of a template may be in several tags, or encoded."""
        tags = {"first": hidden[:1], "rest": hidden[1:], "encoded": base64.b64encode(hidden.encode()).decode()}
        add_jobs(cloud, [job(1, "one")], {ONE: tags})
        compose = {
            "drs_joined": "drs_tags.first ~ drs_tags.rest",
            "drs_decoded": "drs_tags.encoded | b64decode",
            "drs_nested": "{'a': [drs_tags.encoded | b64decode]}",
        }
        inventory = parse({**WITH_TOKEN, "compose": compose, "strict": True})
        templar = Templar(loader=DataLoader(), variables=inventory.get_host("one").get_vars())
        for name, value in {"joined": hidden, "decoded": hidden, "nested": {"a": [hidden]}}.items():
            assert templar.template(variables(inventory, "one")[f"drs_{name}"]) == value

    def test_parts_of_templates_are_not_run(self, cloud, parse):
        """A play may join them."""
        add_jobs(cloud, [job(1, "one")], {ONE: {"first": "{", "rest": "{ 1 + 1 }}"}})
        templar = Templar(loader=DataLoader(), variables=parse(WITH_TOKEN).get_host("one").get_vars())
        joined = templar.template(drs_jobs.trust_as_template("{{ drs_tags.first ~ drs_tags.rest }}"))
        assert templar.template(joined) == "{{ 1 + 1 }}"

    TEXTS = {
        "match": "hostvars.victim.secret is match '^s3'",
        "power": "7 ** 999999999 > 1",
        "file": "'/etc/shadow' is file",
        "word": "deploy",
        "number": "1",
    }

    def test_nothing_from_drs_is_evaluated_as_a_condition(self, cloud, parse):
        """A play may use a tag as a condition."""
        add_jobs(cloud, [job(1, "one")], {ONE: self.TEXTS})
        compose = {
            "drs_same": "drs_tags",
            "drs_joined": "[drs_tags.word ~ '.' ~ drs_tags.word, 'x %s' | format(drs_tags.word), drs_tags.word]",
            "drs_key": "{'a': drs_tags.word}",
            "drs_json": "drs_tags | to_json | from_json",
        }
        found = variables(parse({**WITH_TOKEN, "compose": compose, "strict": True}), "one")
        own = {name: found.pop(name) for name in ("ansible_connection", "ansible_python_interpreter")}
        assert found["drs_joined"] == ["deploy.deploy", "x deploy", "deploy"]
        texts = [*strings(found)]
        assert len(texts) == 6 + 3 * len(self.TEXTS) + 4 - 1
        # Before ansible-core 2.19, Ansible refuses results of templates as conditions.
        assert not CONTROLLER or not any(map(is_trusted_as_template, texts))
        # AWX shows untrusted text in the form in which Ansible exports it.
        assert [name for name, value in own.items() if is_exported_as_unsafe(value)] == []

    def test_unsafe_before_2_19(self, cloud, parse, monkeypatch):
        """Only what could be a template is marked, because AWX would show the other strings as dictionaries as well."""
        monkeypatch.setattr(drs_jobs, "wrap_var", lambda text: f"unsafe {text}")
        tags = {"call": "lookup('pipe', 'id')", "filter": "x|upper", "open": "{", "close": "}", "other": "x"}
        add_jobs(cloud, [job(1, "one")], {ONE: tags})
        found = variables(parse(WITH_TOKEN), "one")["drs_tags"]
        assert [name for name, value in found.items() if value != tags[name]] == ["call", "filter", "open"]

    @pytest.mark.parametrize("nested", [False, True])
    def test_keys_with_a_meaning_in_exports(self, cloud, parse, warnings, nested):
        """AWX reads the inventory from the output of ansible-inventory."""
        tags = {"__ansible_type": "TrustedAsTemplate", "__ansible_vault": "x", "team": "a", "__payload__": "b"}
        key = {"key": "__ansible_unsafe", "team": "a", "__payload__": "b"}
        add_jobs(cloud, [job(1, "one"), job(2, "two")], {TWO: key if nested else tags})
        compose = {"drs_composed": "[{drs_tags.key | default('x'): 1}]" if nested else "drs_tags"}
        found = variables(parse({**WITH_TOKEN, "compose": compose}), "two")
        assert found["drs_composed"] == ([{}] if nested else {"team": "a", "__payload__": "b"})
        assert found["drs_tags"] == (key if nested else {"team": "a", "__payload__": "b"})
        assert warnings == [
            f"{NAME}: Keys that begin with __ansible were left out, because Ansible gives them a meaning. The first job"
            f" that caused this is {TWO}."
        ]

    LITERALS = ["True", "False", "None", "[1]", "{'a': 1}", "{1}", "{1: 2, 'a': 3}", "[b'x']", "[...]", "5", "[1e999]"]

    @pytest.mark.parametrize("strict", [False, True])
    @pytest.mark.parametrize("text", LITERALS)
    def test_text_that_looks_like_another_type(self, cloud, parse, text, strict):
        """Before ansible-core 2.19, Ansible makes it one, and gives up the inventory if it cannot be a group name."""
        add_jobs(cloud, [job(1, text), job(2, "two")], {ONE: {"shard": text, "a": text[:1], "b": text[1:]}})
        keyed_groups = [
            {"prefix": "shard", "key": "drs_tags.shard | default('none')"},
            {"prefix": "name", "key": "drs_job_name", "parent_group": "{{ drs_tags.shard | default('none') }}"},
            {"prefix": "joined", "key": "drs_tags.a | default('x') ~ drs_tags.b | default('y')"},
        ]
        compose = {"shard": "drs_tags.shard | default('none')"}
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups, "compose": compose, "strict": strict})
        name = re.sub(r"\W", "_", text)
        (host,) = (host for host, job_id in jobs_of(inventory).items() if job_id == ONE)
        assert variables(inventory, host)["shard"] == text
        for group in (f"shard_{name}", f"name_{name}", f"joined_{name}"):
            assert members(inventory, group) == [host]
        assert members(inventory, "shard_none") == ["two"]

    @pytest.mark.parametrize("key, group", [("1 + 1", "_2"), ("2 > 1", "_True"), ("1 > 2", "_False"), ("(7, 8)", "_8")])
    def test_key_that_is_no_text(self, cloud, parse, key, group):
        add_jobs(cloud)
        assert len(members(parse({**WITH_TOKEN, "keyed_groups": [{"key": key}], "strict": True}), group)) == 3

    @pytest.mark.parametrize("checks_trust", [False, drs_jobs.CHECKS_TRUST])
    def test_composed_types(self, cloud, parse, monkeypatch, checks_trust):
        """The way to evaluate expressions before ansible-core 2.19 leads to the same values."""
        monkeypatch.setattr(drs_jobs, "CHECKS_TRUST", checks_trust)
        add_jobs(cloud)
        compose = {"drs_a": "1 < 2", "drs_b": "[1, {'a': none}]", "drs_c": "now(fmt='%Y') | int", "drs_d": "1.5"}
        found = variables(parse({**WITH_TOKEN, "compose": compose, "strict": True}), "shard1")
        assert (found["drs_a"], found["drs_b"], found["drs_d"]) == (True, [1, {"a": None}], 1.5)
        assert found["drs_c"] > 2000

    def test_composed_value_that_is_not_simple(self, cloud, parse):
        add_jobs(cloud)
        found = variables(parse({**WITH_TOKEN, "compose": {"drs_time": "now()"}, "strict": True}), "shard1")
        assert re.match(r"\d{4}-\d\d-\d\d ", str(found["drs_time"]))

    def test_invalid_keyed_group(self, cloud, parse):
        add_jobs(cloud)
        assert "Invalid keyed group entry" in failure(parse, {**WITH_TOKEN, "keyed_groups": ["x"]})

    def test_interpreter(self, cloud, parse):
        """The Python of the machine that runs the play, not of the one that read the inventory."""
        add_jobs(cloud)
        interpreter = variables(parse(WITH_TOKEN), "shard1")["ansible_python_interpreter"]
        templar = Templar(loader=DataLoader(), variables={"ansible_playbook_python": "/opt/python"})
        assert templar.template(interpreter) == "/opt/python"

    INVALID = [
        {"compose": {"x": "drs_tags.absent"}},
        {"groups": {"x": "drs_tags.absent == 'a'"}},
        {"keyed_groups": [{"key": "drs_tags.absent"}]},
    ]

    @pytest.mark.parametrize("options", INVALID)
    def test_strict(self, cloud, parse, options):
        add_jobs(cloud)
        inventory = InventoryData()
        said = failure(parse, {**WITH_TOKEN, **options, "strict": True}, inventory=inventory)
        assert re.match(f"{NAME}: .*shard1", said)
        assert not inventory.hosts

    @pytest.mark.parametrize("options", INVALID)
    def test_not_strict(self, cloud, parse, options):
        add_jobs(cloud)
        assert len(parse({**WITH_TOKEN, **options}).hosts) == 3


def test_time_to_search_for_secrets(cloud, parse, monkeypatch):
    monkeypatch.setattr(drs_jobs, "MAX_SEARCH_TIME", -1)
    add_jobs(cloud)
    with pytest.raises(AnsibleParserError, match="seconds were not enough to search them for secrets"):
        parse(WITH_TOKEN)


class TestCache:
    @pytest.fixture
    def cached(self, tmp_path):
        return {
            **WITH_TOKEN,
            "cache": True,
            "cache_plugin": "jsonfile",
            "cache_connection": str(tmp_path / "cache"),
            "cache_timeout": 300,
        }

    def test_nothing_is_sent_the_second_time(self, cloud, parse, cached):
        add_jobs(cloud)
        first = parse(cached)
        second = parse(cached)
        assert len(cloud.calls) == 2
        assert sorted(second.hosts) == sorted(first.hosts)
        for host in first.hosts:
            assert variables(second, host) == variables(first, host)

    def test_other_filters(self, cloud, parse, cached):
        """The cache has all jobs."""
        add_jobs(cloud)
        assert sorted(parse({**cached, "status": "PAUSING"}).hosts) == ["shard2"]
        assert sorted(parse(cached).hosts) == ["other", "shard1", "shard2"]
        assert len(cloud.calls) == 2

    @pytest.mark.parametrize(
        "options, name",
        [
            *((WITH_TOKEN, name) for name in ("HW_DRS_ENDPOINT", "HW_DOMAIN_NAME", "HW_USER_NAME")),
            ({"region": REGION, "auth_token": TOKEN}, "HW_PROJECT_ID"),
            (WITH_PASSWORD, "HW_PROJECT_NAME"),
            ({"region": REGION}, "HUAWEICLOUD_SDK_PROJECT_ID"),
            ({"region": REGION, "project_id": PROJECT_ID}, "HUAWEICLOUD_SDK_AK"),
        ],
    )
    def test_other_project_or_account(self, cloud, parse, cached, monkeypatch, options, name):
        """It has other jobs."""
        add_no_jobs(cloud)
        if "password" in options:
            add_login(cloud)
        if "auth_token" not in options:
            for option in ("HUAWEICLOUD_SDK_AK", "HUAWEICLOUD_SDK_SK"):
                monkeypatch.setenv(option, ACCESS_KEY)
        for option in ("HUAWEICLOUD_SDK_PROJECT_ID", name if name == "HW_PROJECT_ID" else "UNUSED"):
            monkeypatch.setenv(option, PROJECT_ID)
        options = {**cached, **dict.fromkeys(WITH_TOKEN), **options}
        parse(options)
        parse(options)
        monkeypatch.setenv(name, DRS if name == "HW_DRS_ENDPOINT" else "0" * 32)
        parse(options)
        assert lists_read(cloud) == 2

    def test_other_credentials(self, cloud, parse, cached):
        add_jobs(cloud)
        parse(cached)
        parse({**cached, "auth_token": NEW_TOKEN})
        assert len(cloud.calls) == 2

    @pytest.mark.parametrize(
        "more",
        [
            {"HW_AUTH_METHOD": "profile", "HW_USER_NAME": "operator", "HW_DOMAIN_NAME": "d", "HW_USER_PASSWORD": "p"},
            {"HW_USER_NAME": "operator"},
        ],
    )
    def test_other_profile(self, cloud, parse, cached, tmp_path, monkeypatch, more):
        """Even if other variables are set, which are not used."""
        add_no_jobs(cloud)
        add_projects(cloud, REGION)
        options = {**cached, **dict.fromkeys(WITH_TOKEN), "region": REGION}
        for name, value in more.items():
            monkeypatch.setenv(name, value)
        for number, profile in enumerate(
            ["ak = AK\nproject_id = 01", "ak = AK\nproject_id = 02", "ak = BK\nproject_id = 02", "ak = BK"]
        ):
            path = tmp_path / f"credentials{number}"
            path.write_text(f"[basic]\nsk = SK\n{profile}\n", encoding="utf-8")
            monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(path))
            for _time in range(2):
                parse(options)
            assert lists_read(cloud) == number + 1

    @pytest.mark.parametrize("project, reads", [({}, 2), ({"project_id": PROJECT_ID}, 1)])
    def test_agency(self, cloud, parse, cached, serve, metadata, warnings, project, reads):
        """The account of an agency is not known, and another host may have an agency of another account."""
        add_no_jobs(cloud)
        if not project:
            add_projects(cloud, REGION)
        server = serve(*[loopback.response(body) for body in (b"metadata-token", agency_key())] * reads)
        metadata(server.url)
        cloud.add_passthru(server.url)
        for _time in range(2):
            parse({**cached, **dict.fromkeys(WITH_TOKEN), "region": REGION, "auth_method": "agency", **project})
        assert lists_read(cloud) == reads
        said = f"{NAME}: The cache is not used because an agency does not identify the account. Set project_id."
        assert set(warnings) == ({said} if reads == 2 else set())

    def test_no_jobs(self, cloud, parse, cached):
        add_jobs(cloud, [], {})
        assert not parse(cached).hosts
        assert not parse(cached).hosts
        assert len(cloud.calls) == 2

    def test_refreshed(self, cloud, parse, cached):
        add_jobs(cloud)
        parse(cached)
        add_jobs(cloud, [job(9, "new")], {})
        assert sorted(parse(cached, cache=False).hosts) == ["new"]
        assert sorted(parse(cached).hosts) == ["new"]
        assert len(cloud.calls) == 4

    def test_keys_with_a_meaning_in_ansible(self, cloud, parse, cached):
        """A tag with such a key would be decrypted, or be the reason that the cache cannot be read."""
        encrypted = vault.VaultLib(VAULT).encrypt("text").decode()
        keys = {"__ansible_vault": encrypted, "__ansible_unsafe": "a", "__ansible_type": "b", "__payload__": "c"}
        for tags in (*({key: value} for key, value in keys.items()), keys):
            add_jobs(cloud, [job(1, "one")], {ONE: tags})
            parse(cached, cache=False)
            kept = {key: value for key, value in tags.items() if key == "__payload__"}
            assert variables(parse(cached), "one")["drs_tags"] == kept
            assert len(cloud.calls) == 2
            cloud.reset()

    def test_two_projects_with_the_same_short_key(self, cloud, parse, cached, monkeypatch):
        """The hash that Ansible offers has so few digits that this happens by chance."""
        monkeypatch.setattr(InventoryModule, "_get_cache_prefix", lambda plugin, path: "same")
        add_no_jobs(cloud)
        parse(cached)
        parse({**cached, "project_id": "0" * 32})
        assert lists_read(cloud) == 2

    @pytest.mark.parametrize(
        "change",
        [
            lambda jobs: "",
            lambda jobs: "{",
            lambda jobs: "[" * 100000,
            lambda jobs: "5",
            lambda jobs: "[5]",
            lambda jobs: jobs,  # as an earlier version wrote it
            lambda jobs: json.dumps([{**jobs[0], "id": "{{ 1 + 1 }}"}]),
            lambda jobs: json.dumps([{**jobs[0], "id": "localhost"}]),
            lambda jobs: json.dumps([{**jobs[0], "id": "../../x"}]),
            lambda jobs: json.dumps([{**jobs[0], "id": f"\x1b[31m{ONE[5:]}"}]),
            lambda jobs: json.dumps([{**jobs[0], "parent_id": "{{ 1 + 1 }}"}]),
            lambda jobs: json.dumps([{**jobs[0], "parent_id": TWO}]),
            lambda jobs: json.dumps([{**jobs[0], "tags": 5}]),
            lambda jobs: json.dumps([{**jobs[0], "tags": {"shard": "x"}}]),
            lambda jobs: json.dumps([{key: value for key, value in jobs[0].items() if key != "tags"}]),
        ],
    )
    def test_cache_is_checked_like_a_response(self, cloud, parse, cached, tmp_path, change):
        """What cannot be from this plugin is not used."""
        add_jobs(cloud)
        parse(cached)
        (path,) = (tmp_path / "cache").iterdir()
        stored = json.loads(path.read_text())
        # From ansible-core 2.19 on, Ansible stores the JSON of the value.
        text = stored if isinstance(stored, str) else json.loads(stored["__payload__"])
        assert isinstance(text, str)
        changed = change(json.loads(text))
        path.write_text(json.dumps(changed if isinstance(stored, str) else {"__payload__": json.dumps(changed)}))
        assert sorted(parse(cached).hosts) == ["other", "shard1", "shard2"]
        assert len(cloud.calls) == 4
        parse(cached)
        assert len(cloud.calls) == 4

    @pytest.mark.parametrize("content", ["null", "[]", "true", "1e999", "5", '{"__payload__": 5}', "{", ""])
    def test_file_that_is_no_cache(self, cloud, parse, cached, tmp_path, content):
        """Some versions of Ansible cannot read such a file, and do not say so in a documented way."""
        add_jobs(cloud)
        parse(cached)
        (path,) = (tmp_path / "cache").iterdir()
        path.write_text(content)
        assert sorted(parse(cached).hosts) == ["other", "shard1", "shard2"]
        assert len(cloud.calls) == 4
        parse(cached)
        assert len(cloud.calls) == 4

    def test_subtasks(self, cloud, parse, cached):
        add_jobs(cloud, [job(1, "whole", children=[job(2, "part")])], {})
        first, second = parse(cached), parse(cached)
        assert len(cloud.calls) == 2
        assert variables(second, "part")["drs_parent_id"] == ONE
        assert {host: variables(second, host) for host in second.hosts} == {
            host: variables(first, host) for host in first.hosts
        }

    def test_no_secret_in_the_cache(self, cloud, parse, cached, tmp_path):
        add_jobs(cloud)
        parse(cached)
        files = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
        assert files
        check_nothing_shown(*(path.read_text() for path in files))


class TestOptions:
    def test_login(self, cloud, parse):
        add_login(cloud)
        add_jobs(cloud)
        assert len(parse(WITH_PASSWORD).hosts) == 3
        assert cloud.calls[0].request.url.startswith(LOGIN_URL)
        assert cloud.calls[1].request.headers["X-Auth-Token"] == TOKEN
        assert json.loads(cloud.calls[0].request.body)["auth"]["identity"]["password"]["user"]["domain"] == {
            "name": "example-account"
        }

    def test_file_wins_over_the_environment(self, cloud, parse, monkeypatch):
        for name, value in {"REGION_NAME": "x", "AUTH_TOKEN": "other", "PROJECT_ID": "other"}.items():
            monkeypatch.setenv(f"HW_{name}", value)
        add_jobs(cloud)
        parse(WITH_TOKEN)
        assert cloud.calls[0].request.headers["X-Auth-Token"] == TOKEN

    @pytest.mark.parametrize(
        "environment, in_file, verified",
        [("false", {}, False), ("false", {"validate_certs": True}, True), (None, {"validate_certs": False}, False)],
    )
    def test_validate_certs(self, cloud, parse, monkeypatch, environment, in_file, verified):
        if environment is not None:
            monkeypatch.setenv("HW_VALIDATE_CERTS", environment)
        add_jobs(cloud)
        parse({**WITH_TOKEN, **in_file})
        assert [call.request.req_kwargs["verify"] for call in cloud.calls] == [verified] * 2

    def test_empty_variables_are_unset(self, cloud, parse, monkeypatch):
        for name in ("HW_TIMEOUT", "HW_MAX_RETRIES", "HW_AUTH_METHOD", "HW_CA_CERT", "HW_DRS_ENDPOINT", "HW_USER_NAME"):
            monkeypatch.setenv(name, "")
        add_jobs(cloud)
        assert len(parse(WITH_TOKEN).hosts) == 3

    def test_empty_option_is_unset(self, cloud, parse, monkeypatch):
        monkeypatch.setenv("HW_REGION_NAME", REGION)
        add_jobs(cloud)
        empty = {
            "region": "",
            "password": "",
            "timeout": "",
            "auth_method": None,
            "language": "{{ '' }}",
            "ca_cert": "{{ lookup('env', 'HW_NOT_SET') }}",
        }
        assert len(parse({**WITH_TOKEN, **empty, "cache": "", "strict": None, "compose": ""}).hosts) == 3

    def test_templates(self, cloud, parse, monkeypatch):
        monkeypatch.setenv("MY_TOKEN", TOKEN)
        monkeypatch.setenv("MY_REGION", REGION)
        add_jobs(cloud)
        typed = {
            "timeout": "{{ 5 }}",
            "max_retries": "{{ '1' }}",
            "auth_method": "{{ 'token' }}",
            "language": "{{ 'zh-' }}cn",
            "validate_certs": "{{ false }}",
        }
        looked_up = {"auth_token": "{{ lookup('env', 'MY_TOKEN') }}", "region": "{{ lookup('env', 'MY_REGION') }}"}
        assert len(parse({**WITH_TOKEN, **looked_up, **typed}).hosts) == 3
        request = cloud.calls[0].request
        assert request.headers["X-Auth-Token"] == TOKEN
        assert request.headers["X-Language"] == "zh-cn"
        assert request.req_kwargs["verify"] is False

    @pytest.fixture
    def _open_vault(self, monkeypatch):
        """Open the vault as the command line does, from ansible-core 2.19 on."""
        if hasattr(vault, "VaultSecretsContext"):
            monkeypatch.setattr(vault.VaultSecretsContext, "_current", vault.VaultSecretsContext(VAULT))

    @pytest.mark.usefixtures("_open_vault")
    @pytest.mark.parametrize("password", [PASSWORD, "{{ 1 + 1 }}"])
    def test_vault(self, cloud, parse, password):
        """Encrypted text is not a template."""
        add_login(cloud)
        add_jobs(cloud)
        assert (
            len(
                parse(
                    {**WITH_PASSWORD, "password": {"__ansible_vault": vault.VaultLib(VAULT).encrypt(password).decode()}}
                ).hosts
            )
            == 3
        )
        assert json.loads(cloud.calls[0].request.body)["auth"]["identity"]["password"]["user"]["password"] == password

    @pytest.mark.usefixtures("_open_vault")
    def test_other_vault(self, cloud, parse):
        encrypted = vault.VaultLib([("default", vault.VaultSecret(b"of-another-vault"))]).encrypt(PASSWORD).decode()
        assert "Option password cannot be read" in failure(
            parse, {**WITH_PASSWORD, "password": {"__ansible_vault": encrypted}}
        )

    @pytest.mark.parametrize(
        "options, named",
        [
            ({"endpoint": "http://drs.example.com"}, "endpoint"),
            ({"auth_token": "", "username": "operator"}, "password"),
            ({"timeout": 0}, "timeout"),
            ({"plugin": "other"}, "plugin"),
            ({"timeout": "long"}, "timeout"),
            ({"auth_method": "{{ 'magic' }}"}, "auth_method"),
            ({"status": ["PAUSING", ""]}, "status"),
            ({"engine_type": {"a": "b"}}, "engine_type"),
            ({"compose": 3}, "compose"),
            ({"stauts": "PAUSING"}, "no option stauts"),
            ({"a": 1, "b": 2}, "no option a or b"),
            ({"password": "{{ absent }}"}, "Option password"),
            ({"account_name": "{{ "}, "Option account_name"),
        ],
    )
    def test_invalid(self, cloud, parse, options, named):
        said = failure(parse, {**WITH_TOKEN, **options})
        assert said.startswith(f"{NAME}: ")
        assert named in said
        assert len(cloud.calls) == 0


class TestSecrets:
    """A server may echo what it received."""

    HIDDEN = "(hidden because it contains a secret)"

    @pytest.mark.parametrize(
        "secret", [text[:200] for text in (TOKEN, TOKEN.upper(), base64.b64encode(TOKEN.encode()).decode())]
    )
    def test_text(self, cloud, parse, tmp_path, secret):
        jobs = [job(1, secret, children=[job(3, f"x{secret}")]), job(2, "two", status=secret, engine_type=f"{secret}.")]
        add_jobs(cloud, jobs, {TWO: {"auth": f"Bearer {secret}", secret: "x", "a": "b", "masked": "********"}})
        cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
        options = {**WITH_TOKEN, **cache, "compose": {"shard": "drs_tags.auth"}, "keyed_groups": [{"key": "drs_tags"}]}
        for _time in range(2):
            inventory = parse(options)
            assert jobs_of(inventory) == {ONE: ONE, "two": TWO, THREE: THREE}
            found = variables(inventory, "two")
            tags = {"auth": self.HIDDEN, self.HIDDEN: "x", "a": "b", "masked": "********"}
            assert (found["drs_tags"], found["shard"]) == (tags, self.HIDDEN)
            assert (found["drs_job_status"], found["drs_engine_type"]) == (self.HIDDEN, self.HIDDEN)
            assert variables(inventory, THREE)["drs_job_name"] == self.HIDDEN
            check_nothing_shown(str([host.vars for host in inventory.hosts.values()]), *inventory.groups)
        assert len(cloud.calls) == 2
        (path,) = (tmp_path / "cache").iterdir()
        check_nothing_shown(path.read_text())
        assert secret not in path.read_text()

    @pytest.mark.parametrize("text", [f"{TOKEN[:200]}********", "********" + TOKEN[:200]])
    def test_text_with_asterisks(self, cloud, parse, text):
        add_jobs(cloud, [job(1, "one", status=text)], {ONE: {"a": text}})
        found = variables(parse(WITH_TOKEN), "one")
        assert (found["drs_job_status"], found["drs_tags"]) == (self.HIDDEN, {"a": self.HIDDEN})

    def test_of_a_login(self, cloud, parse):
        """The token from the login counts as well."""
        add_login(cloud)
        add_jobs(cloud, [job(1, TOKEN[:200]), job(2, PASSWORD)], {})
        inventory = parse(WITH_PASSWORD)
        assert [variables(inventory, host)["drs_job_name"] for host in (ONE, TWO)] == [self.HIDDEN] * 2

    def test_id(self, cloud, parse):
        token = "a1b2c3d4-" * 4
        add_jobs(cloud, [job(1, "one"), {**job(2, "two"), "id": token}], {})
        inventory = InventoryData()
        said = failure(parse, {**WITH_TOKEN, "auth_token": token}, inventory=inventory)
        assert f"DRS listed a job with the invalid ID {self.HIDDEN}" in said
        assert token not in said
        assert not inventory.hosts


class TestErrors:
    def test_login_refused(self, cloud, parse):
        cloud.post(LOGIN_URL, status=401, json={"error": {"code": 401, "message": f"{PASSWORD} is wrong."}})
        message = failure(parse, WITH_PASSWORD)
        assert "******** is wrong" in message
        assert NAME in message
        assert len(cloud.calls) == 1

    @pytest.mark.parametrize(
        "fault, said",
        [
            (
                {"status": 403, "json": {"error_code": "DRS.M00102", "error_msg": f"no permission for {TOKEN}"}},
                "no permission for ********",
            ),
            ({"body": LOST}, "no complete response"),
        ],
    )
    def test_list_of_jobs(self, cloud, parse, fault, said):
        cloud.get(JOBS_URL, **fault)
        assert said in failure(parse, {**WITH_TOKEN, "max_retries": 0})

    @pytest.mark.parametrize(
        "invalid", ["{{ lookup('pipe', 'id > /tmp/x') }}x", "../../x", "localhost", f"\x1b[31m{ONE[5:]}"]
    )
    def test_invalid_id(self, cloud, parse, invalid):
        """It would become a host name, a template or a path."""
        cloud.get(JOBS_URL, json={"jobs": [job(1, "one"), {**job(2, None), "id": invalid}], "total_count": 2})
        inventory = InventoryData()
        said = failure(parse, WITH_TOKEN, inventory=inventory)
        assert said.startswith(f"{NAME}: DRS listed a job with the invalid ID ")
        assert "\x1b" not in said
        assert not inventory.hosts

    def test_tags_that_are_not_a_list(self, cloud, parse):
        cloud.get(JOBS_URL, json={"jobs": JOBS, "total_count": 3})
        cloud.post(TAGS_URL, json={"resources": [{"resource_id": ONE, "tags": 5}], "total_count": 1})
        assert "DRS returned tags that are not a list" in failure(parse, WITH_TOKEN)

    def test_region_without_tags(self, cloud, parse, monkeypatch):
        said = []
        monkeypatch.setattr(Display, "warning", lambda display, message, **more: said.append(message))
        cloud.get(JOBS_URL, json={"jobs": JOBS, "total_count": 3})
        cloud.post(TAGS_URL, status=404, json={"error_code": "APIGW.0101"})
        inventory = parse(WITH_TOKEN)
        assert [variables(inventory, host)["drs_tags"] for host in inventory.hosts] == [{}] * 3
        assert [NAME in message and "tags" in message for message in said] == [True]

    def test_missing_requests(self, parse, monkeypatch):
        monkeypatch.setattr(_http, "REQUESTS_IMPORT_ERROR", "Traceback")
        assert "Python library requests" in failure(parse, WITH_TOKEN)


def test_requests_are_shown_with_vvv(cloud, parse, monkeypatch):
    said = []
    monkeypatch.setattr(Display, "vvv", lambda display, message, **more: said.append(message))
    add_login(cloud)
    add_jobs(cloud)
    parse(WITH_PASSWORD)
    lines = [re.sub(r"[?:] ?.*", "", line.replace("https://", "")) for line in said if "request ID" in line]
    assert lines == [
        f"{method} {url.replace('https://', '')}"
        for method, url in (("POST", LOGIN_URL.partition("?")[0]), ("GET", JOBS_URL), ("POST", TAGS_URL))
    ]
    check_nothing_shown(*said)
