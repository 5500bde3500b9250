# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import re

import pytest
import yaml
from ansible import constants as C
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing import vault
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.doc_fragments import constructed, inventory_cache
from ansible.utils.display import Display

from ansible_collections.huaweicloud.drs.plugins.doc_fragments.drs import ModuleDocFragment
from ansible_collections.huaweicloud.drs.plugins.inventory import drs_jobs
from ansible_collections.huaweicloud.drs.plugins.inventory.drs_jobs import InventoryModule
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
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
    check_nothing_shown,
    job_id,
    shown,
)

# From ansible-core 2.19 on, the imports above mark the process as one of the controller. The tests of modules need the
# opposite, so the mark is set only while a test of this file runs.
try:
    from ansible.module_utils import _internal
    from ansible.module_utils._internal._json import _profiles
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

    def parse(options, cache=True, name="drs_jobs.yml"):
        path = tmp_path / name
        path.write_text(json.dumps({"plugin": NAME, **options}))
        plugin = InventoryModule()
        plugin._load_name = plugin._original_path = NAME
        plugin.ansible_name = NAME
        plugin._redirected_names = [NAME]
        inventory = InventoryData()
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


def members(inventory, group):
    return sorted(host.name for host in inventory.groups[group].get_hosts())


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
    path.write_text("")
    assert InventoryModule().verify_file(str(path)) is valid


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

    @pytest.mark.parametrize(
        "name",
        [
            "a b",
            "a\n",
            "{{ 1 }}",
            *"a[1:3] x,y a:b !a &a ~a a* -a 1a \u00e9t\u00e9 ../a all ungrouped localhost ::1".split(),
        ],
    )
    def test_name_with_another_meaning_in_ansible(self, cloud, parse, name):
        """The host is named by the ID of the job."""
        add_jobs(cloud, [job(1, name), job(2, "a-B_1.c"), job(3, "all2")])
        inventory = parse(WITH_TOKEN)
        assert sorted(inventory.hosts) == [ONE, "a-B_1.c", "all2"]
        assert variables(inventory, ONE)["drs_job_name"] == name

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

    INVALID = [
        {"compose": {"x": "drs_tags.absent"}},
        {"groups": {"x": "drs_tags.absent == 'a'"}},
        {"keyed_groups": [{"key": "drs_tags.absent"}]},
    ]

    @pytest.mark.parametrize("options", INVALID)
    def test_strict(self, cloud, parse, options):
        add_jobs(cloud)
        assert re.match(f"{NAME}: .*shard1", failure(parse, {**WITH_TOKEN, **options, "strict": True}))

    @pytest.mark.parametrize("options", INVALID)
    def test_not_strict(self, cloud, parse, options):
        add_jobs(cloud)
        assert len(parse({**WITH_TOKEN, **options}).hosts) == 3


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
        "name", ["HW_DRS_ENDPOINT", "HW_PROJECT_NAME", "HW_DOMAIN_NAME", "HW_USER_NAME", "HW_ACCESS_KEY"]
    )
    def test_other_project_or_account(self, cloud, parse, cached, monkeypatch, name):
        """It has other jobs."""
        add_jobs(cloud)
        parse(cached)
        monkeypatch.setenv(name, DRS)
        parse(cached)
        assert len(cloud.calls) == 4

    def test_other_credentials(self, cloud, parse, cached):
        add_jobs(cloud)
        parse(cached)
        parse({**cached, "auth_token": NEW_TOKEN})
        assert len(cloud.calls) == 2

    def test_unknown_account(self, cloud, parse, cached, tmp_path, monkeypatch):
        """The account of a profile is not known, and another profile may be of another account."""
        profile = tmp_path / "credentials"
        profile.write_text(f"[basic]\nak = AK\nsk = SK\nproject_id = {PROJECT_ID}\n", encoding="utf-8")
        monkeypatch.setenv("HUAWEICLOUD_SDK_CREDENTIALS_FILE", str(profile))
        options = {
            **{name: value for name, value in cached.items() if name not in WITH_TOKEN},
            "region": REGION,
            "auth_method": "profile",
        }
        said = []
        monkeypatch.setattr(Display, "warning", lambda display, message, **more: said.append(message))
        add_jobs(cloud)
        for _time in range(2):
            parse(options)
        assert len(cloud.calls) == 4
        assert "The cache is not used because a profile or an agency does not identify the account" in said[0]

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

    def test_region_without_tags(self, cloud, parse, monkeypatch):
        said = []
        monkeypatch.setattr(Display, "warning", lambda display, message, **more: said.append(message))
        cloud.get(JOBS_URL, json={"jobs": JOBS, "total_count": 3})
        cloud.post(TAGS_URL, status=404, json={"error_code": "APIGW.0101"})
        inventory = parse(WITH_TOKEN)
        assert [variables(inventory, host)["drs_tags"] for host in inventory.hosts] == [{}] * 3
        assert [NAME in message and "tags" in message for message in said] == [True]

    def test_missing_requests(self, parse, monkeypatch):
        monkeypatch.setattr(drs_jobs, "REQUESTS_IMPORT_ERROR", "Traceback")
        assert "Python library requests" in failure(parse, WITH_TOKEN)
