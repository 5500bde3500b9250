# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import re

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing import vault
from ansible.utils.display import Display

from ansible_collections.huaweicloud.drs.plugins.inventory import drs_jobs
from ansible_collections.huaweicloud.drs.plugins.inventory.drs_jobs import InventoryModule
from ansible_collections.huaweicloud.drs.plugins.module_utils import _http
from ansible_collections.huaweicloud.drs.tests.unit import loopback
from ansible_collections.huaweicloud.drs.tests.unit.inventory import (
    JOBS,
    JOBS_URL,
    NAME,
    ONE,
    TAGS_URL,
    THREE,
    TWO,
    VAULT,
    add_jobs,
    add_no_jobs,
    failure,
    job,
    jobs_of,
    lists_read,
    variables,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACCESS_KEY,
    DRS,
    KEY,
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
)


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


class TestJobs:
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


def test_time_to_search_for_secrets(cloud, parse, monkeypatch):
    monkeypatch.setattr(drs_jobs, "MAX_SEARCH_TIME", -1)
    add_jobs(cloud)
    with pytest.raises(AnsibleParserError, match="seconds were not enough to search them for secrets"):
        parse(WITH_TOKEN)


def dumps(jobs, warnings=()):
    return json.dumps({"jobs": jobs, "warnings": warnings})


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

    def test_other_token(self, cloud, parse, cached):
        """It may be of another user, who can see other jobs."""
        add_no_jobs(cloud)
        for token in (TOKEN, NEW_TOKEN, NEW_TOKEN):
            parse({**cached, "auth_token": token})
        assert lists_read(cloud) == 2

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

    def test_warnings(self, cloud, parse, cached, warnings):
        """An incomplete list remains incomplete."""
        cloud.get(JOBS_URL, json={"jobs": [job(1, "one")], "total_count": 2})
        cloud.get(JOBS_URL, json={"jobs": [], "total_count": 2})
        cloud.post(TAGS_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "The API does not exist."})
        for times in (1, 2):
            assert jobs_of(parse(cached)) == {"one": ONE}
            assert warnings == times * [
                f"{NAME}: DRS counts 2 entries in the list of jobs, and returned 1. Some jobs may be missing.",
                f"{NAME}: The API call that reads tags is not available in this region, so drs_tags is empty.",
            ]
        assert len(cloud.calls) == 3

    def test_warnings_with_a_secret(self, cloud, parse, cached, monkeypatch, warnings):
        cloud.get(JOBS_URL, json={"jobs": [], "total_count": 98765432})
        cloud.post(TAGS_URL, json={"resources": [], "total_count": 0})
        parse(cached)
        monkeypatch.setenv("HW_USER_PASSWORD", "98765432")
        parse(cached)
        said = f"{NAME}: DRS counts %s entries in the list of jobs, and returned 0. Some jobs may be missing."
        assert warnings == [said % "98765432", said % "********"]

    @pytest.mark.parametrize("text, said", [("A\nB", ["A B"]), ("\x1b[31mA", 1), ("A" * 300, 1), (5, []), ("", [])])
    def test_warnings_from_the_cache(self, text, said):
        jobs, warnings = drs_jobs._load(lambda: dumps([], [text]))
        assert jobs == []
        if said == 1:
            assert warnings[0].startswith("(omitted because it")
        else:
            assert warnings == said

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
            lambda jobs: {"jobs": jobs, "warnings": []},  # as an earlier version wrote it
            lambda jobs: dumps(jobs, 5),
            lambda jobs: json.dumps({"jobs": jobs}),
            json.dumps,
            lambda jobs: dumps([{**jobs[0], "id": "{{ 1 + 1 }}"}]),
            lambda jobs: dumps([{**jobs[0], "id": "localhost"}]),
            lambda jobs: dumps([{**jobs[0], "id": "../../x"}]),
            lambda jobs: dumps([{**jobs[0], "id": f"\x1b[31m{ONE[5:]}"}]),
            lambda jobs: dumps([{**jobs[0], "parent_id": "{{ 1 + 1 }}"}]),
            lambda jobs: dumps([{**jobs[0], "parent_id": TWO}]),
            lambda jobs: dumps([{**jobs[0], "tags": 5}]),
            lambda jobs: dumps([{**jobs[0], "tags": {"shard": "x"}}]),
            lambda jobs: dumps([{key: value for key, value in jobs[0].items() if key != "tags"}]),
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
        changed = change(json.loads(text)["jobs"])
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

    def test_secret_that_the_run_before_did_not_have(self, cloud, parse, cached, monkeypatch):
        """The password has been changed, or is set in the environment beside the token that is used."""
        other = "Second-Passw0rd"
        add_jobs(cloud, [job(1, other), job(2, "two")], {TWO: {"a": f"p={other}", "b": "x"}})
        assert jobs_of(parse(cached)) == {other: ONE, "two": TWO}
        monkeypatch.setenv("HW_USER_PASSWORD", other)
        inventory = parse(cached)
        assert jobs_of(inventory) == {ONE: ONE, "two": TWO}
        hidden = "(hidden because it contains a secret)"
        assert variables(inventory, "two")["drs_tags"] == {"a": hidden, "b": "x"}
        assert other not in str([host.vars for host in inventory.hosts.values()])
        monkeypatch.setenv("HW_USER_PASSWORD", "mysql")
        assert "whose ID, status or type contains a password" in failure(parse, cached)
        assert len(cloud.calls) == 2


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

    @pytest.mark.parametrize("name", ["password", "auth_token", "secret_key", "security_token"])
    @pytest.mark.parametrize(
        "value",
        [
            *("Pa5s{{word", "Pa5s{{ word", "Pa5s{{ w o }}rd", "{{ Pa5s }}word", "Pa5s{% word", "{{Pa5s}}a{{word}}"),
            *("{{ x }}{% include 'Pa5s' %}", "{{ 'Pa5s' | to_datetime }}word", ["{{ Pa5s"], {"Pa5s": "{{ word"}),
        ],
        ids=str,
    )
    def test_secret_that_is_no_template(self, cloud, parse, name, value):
        """Ansible's own reason contains the value or words of it. A file that is encrypted as a whole is as plain."""
        message = failure(parse, {**WITH_PASSWORD, name: value})
        assert f"Option {name} cannot be read: It contains {{{{, {{% or {{#, and cannot be evaluated" in message
        assert not re.search("Pa5s|word|w o", message.replace("password", ""))

    @pytest.mark.parametrize(
        "option",
        [
            {"password": "{{ no_such_variable }}"},
            {"password": "\n{{\nno_such_variable\n}}\n"},
            {"region": "eu-{{ no_such_variable }}"},
        ],
        ids=str,
    )
    def test_template_that_fails(self, cloud, parse, option):
        message = failure(parse, {**WITH_PASSWORD, **option})
        assert "no_such_variable" in message
        assert "Correct the template" not in message

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
            ({1: "x"}, "no option 1"),
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

    @pytest.mark.parametrize(
        "options",
        [
            {**WITH_TOKEN, "project_id": TOKEN},
            {**WITH_TOKEN, "region": TOKEN},
            *(
                {**WITH_PASSWORD, name: PASSWORD}
                for name in ("region", "endpoint", "project_id", "auth_method", "timeout", "validate_certs", "status")
            ),
        ],
    )
    def test_secret_in_another_option(self, cloud, parse, options):
        said = failure(parse, options)
        check_nothing_shown(said)
        assert len(cloud.calls) == 0

    def test_secret_in_another_option_that_is_quoted_with_escapes(self, cloud, parse):
        said = failure(parse, {**WITH_PASSWORD, "password": "pass\\'word", "region": "pass\\'word"})
        assert said.endswith("An option is invalid. Its value is hidden because it contains a secret.")
        assert len(cloud.calls) == 0

    def test_secret_in_the_user_name(self, cloud, parse):
        cloud.post(LOGIN_URL, status=401, json={})
        said = failure(parse, {**WITH_PASSWORD, "username": f"operator:{PASSWORD}"})
        assert "The login request was for user operator:********" in said
        check_nothing_shown(said)

    HIDDEN = "(hidden because it contains a secret)"

    @pytest.mark.parametrize(
        "secret", [text[:200] for text in (TOKEN, TOKEN.upper(), base64.b64encode(TOKEN.encode()).decode())]
    )
    def test_text(self, cloud, parse, tmp_path, secret):
        jobs = [job(1, secret, children=[job(3, f"x{secret}")]), job(2, "two")]
        add_jobs(cloud, jobs, {TWO: {"auth": f"Bearer {secret}", secret: "x", "a": "b", "masked": "********"}})
        cache = {"cache": True, "cache_plugin": "jsonfile", "cache_connection": str(tmp_path / "cache")}
        options = {**WITH_TOKEN, **cache, "compose": {"shard": "drs_tags.auth"}, "keyed_groups": [{"key": "drs_tags"}]}
        for _time in range(2):
            inventory = parse(options)
            assert jobs_of(inventory) == {ONE: ONE, "two": TWO, THREE: THREE}
            found = variables(inventory, "two")
            tags = {"auth": self.HIDDEN, self.HIDDEN: "x", "a": "b", "masked": "********"}
            assert (found["drs_tags"], found["shard"]) == (tags, self.HIDDEN)
            assert variables(inventory, THREE)["drs_job_name"] == self.HIDDEN
            check_nothing_shown(str([host.vars for host in inventory.hosts.values()]), *inventory.groups)
        assert len(cloud.calls) == 2
        (path,) = (tmp_path / "cache").iterdir()
        check_nothing_shown(path.read_text())
        assert secret not in path.read_text()

    @pytest.mark.parametrize("text", [f"{TOKEN[:200]}********", "********" + TOKEN[:200]])
    def test_text_with_asterisks(self, cloud, parse, text):
        add_jobs(cloud, [job(1, "one")], {ONE: {"a": text}})
        assert variables(parse(WITH_TOKEN), "one")["drs_tags"] == {"a": self.HIDDEN}

    @pytest.mark.parametrize("name", ["status", "engine_type", "task_type"])
    @pytest.mark.parametrize(
        "password, text", [("pausing", "PAUSING"), ("mysql", "mysql-to-dws"), (PASSWORD, PASSWORD)]
    )
    def test_password_that_is_a_word_of_a_status_or_type(self, cloud, parse, name, password, text):
        """If it were hidden, the job would be in other groups."""
        add_login(cloud)
        add_jobs(
            cloud, [{**job(number, None, engine_type="x"), name: text if number > 1 else "x"} for number in (1, 2)]
        )
        options = {**WITH_PASSWORD, "password": password, "groups": {"paused": "drs_job_status == 'PAUSING'"}}
        inventory = InventoryData()
        said = failure(parse, options, inventory=inventory)
        assert "whose ID, status or type contains a password, token or key of this inventory. If a password" in said
        assert not inventory.hosts

    def test_of_a_login(self, cloud, parse):
        """The token from the login counts as well."""
        add_login(cloud)
        add_jobs(cloud, [job(1, TOKEN[:200]), job(2, PASSWORD)], {})
        inventory = parse(WITH_PASSWORD)
        assert [variables(inventory, host)["drs_job_name"] for host in (ONE, TWO)] == [self.HIDDEN] * 2

    @pytest.mark.parametrize("text", ["fedcba9876543210" * 4, "signature=0a1b2c3d"])
    @pytest.mark.parametrize(
        "options, shown", [(WITH_TOKEN, True), ({"region": REGION, "project_id": PROJECT_ID, **KEY}, False)]
    )
    def test_text_like_a_signature(self, cloud, parse, text, options, shown):
        """Only requests with an access key have signatures. Without one, it may be the checksum of something."""
        add_jobs(cloud, [job(1, "one")], {ONE: {"version": text}})
        expected = text if shown else self.HIDDEN
        assert variables(parse(options), "one")["drs_tags"] == {"version": expected}

    def test_id(self, cloud, parse):
        token = "a1b2c3d4-" * 4
        cloud.get(JOBS_URL, json={"jobs": [job(1, "one"), {**job(2, "two"), "id": token}]})
        inventory = InventoryData()
        said = failure(parse, {**WITH_TOKEN, "auth_token": token}, inventory=inventory)
        assert "DRS listed a job whose ID contains a password, token or key of this task." in said
        assert token not in said
        assert not inventory.hosts

    def test_id_in_the_token_of_a_later_login(self, cloud, parse):
        """Otherwise, the jobs would be one host."""
        add_login(cloud)
        add_login(cloud, token=f"{ONE}{TWO}")
        cloud.get(JOBS_URL, json={"jobs": [job(1, None), job(2, None)], "total_count": 2})
        cloud.post(TAGS_URL, status=401, json={"error_code": "APIGW.0301", "error_msg": "Incorrect token."})
        cloud.post(TAGS_URL, json={"resources": [], "total_count": 0})
        inventory = InventoryData()
        said = failure(parse, WITH_PASSWORD, inventory=inventory)
        assert "DRS listed a job whose ID, status or type contains a password, token or key of this inventory." in said
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
