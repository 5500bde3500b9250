# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64
import json
import re
from datetime import date

import pytest
from ansible.errors import AnsibleParserError
from ansible.inventory.data import InventoryData
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.inventory import Constructable
from ansible.template import Templar

from ansible_collections.huaweicloud.drs.plugins.plugin_utils import _job_hosts
from ansible_collections.huaweicloud.drs.tests.unit.inventory import (
    CONTROLLER,
    FIVE,
    FOUR,
    NAME,
    ONE,
    THREE,
    TWO,
    add_jobs,
    as_text,
    failure,
    is_exported_as_unsafe,
    is_trusted_as_template,
    job,
    jobs_of,
    members,
    strings,
    variables,
)
from ansible_collections.huaweicloud.drs.tests.unit.utils import WITH_TOKEN


def check_not_evaluated_again(drs_tags, expression):
    """Check that Ansible does not evaluate what an expression makes of tags, even if it has lost its mark."""
    templar = Templar(loader=DataLoader(), variables={"drs_tags": drs_tags})
    once = templar.template(_job_hosts.trust_as_template(f"{{{{ {expression} }}}}"))
    if not _job_hosts.CHECKS_TRUST:
        once = once if isinstance(once, dict) else json.loads(json.dumps(once))  # without a mark
    assert templar.template(once) == once


class TestNames:
    def test_names(self, cloud, parse):
        """Jobs without a name, and jobs that share one, are named by their ID."""
        add_jobs(cloud, [job(1, "same"), job(2, "single"), job(3, "same"), job(4, None), job(5, "")])
        assert sorted(parse(WITH_TOKEN).hosts) == [ONE, THREE, FOUR, FIVE, "single"]

    def test_names_that_differ_in_case(self, cloud, parse):
        """They share their variables on a control node whose file system does not tell them apart."""
        add_jobs(cloud, [job(1, "orders"), job(2, "Orders"), job(3, "single")])
        assert sorted(parse(WITH_TOKEN).hosts) == [ONE, TWO, "single"]

    def test_host_of_another_inventory_that_differs_in_case(self, cloud, parse, warnings):
        """As above. The same job in two files is one host nevertheless."""
        inventory = InventoryData()
        inventory.add_host("web1")
        add_jobs(cloud, [job(1, "Web1"), job(2, "other")])
        add_jobs(cloud, [job(1, "Web1"), job(2, "Other"), job(3, "OTHER1")])
        for _time in range(2):
            parse(WITH_TOKEN, inventory=inventory)
        assert jobs_of(inventory) == {"web1": None, ONE: ONE, "other": TWO, "OTHER1": THREE}
        said = "is named by its ID, because another inventory has a group or host Web1, in upper or lower case."
        assert warnings == [f"{NAME}: The host of job {ONE} {said}"]

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
        assert variables(inventory, ONE)["drs_job_name"] == as_text(name.replace("\n", " "))

    def test_names_do_not_depend_on_filters(self, cloud, parse):
        add_jobs(cloud, [job(1, "same"), job(2, "same", status="PAUSING")])
        assert sorted(parse({**WITH_TOKEN, "status": ["PAUSING"]}).hosts) == [TWO]


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


ANY_NAME = (
    f"{NAME}: The hosts are named by the IDs of their jobs, because an entry of keyed_groups has no prefix, or a"
    " parent_group that begins with a template."
)
# Before ansible-core 2.19, the beginning of a text may choose the delimiters of its templates.
DELIMITERS = "#jinja2:variable_start_string:'[%',variable_end_string:'%]',x:[% 1 + 1 %]"
OTHER = "because another inventory has a group or host shard1, in upper or lower case"
TAKEN = f"{NAME}: The host of job {ONE} is named by its ID, {OTHER}."


class TestNameOfSomethingElse:
    """Whoever may name or tag a job cannot take the host of another job."""

    GROUPS = {"groups": {"paused": "drs_job_status == 'PAUSING'", "is-dws": "drs_engine_type is search('dws')"}}
    KEYED = {"keyed_groups": [{"prefix": "shard", "key": "drs_tags.shard | default('none')"}]}
    PARENT = {"keyed_groups": [{"prefix": "of", "key": "'x'", "parent_group": "top"}]}
    PREFIX = {"keyed_groups": [{"prefix": "of", "key": "drs_tags.none | default('')", "default_value": "no"}]}
    BY_STATUS = {
        "keyed_groups": [
            {"prefix": "status", "key": "drs_job_status"},
            {"key": "drs_tags.shard", "parent_group": "st_{{ drs_job_status }}"},
        ]
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

    @pytest.mark.parametrize("expression", ["(drs_tags.shard | from_json).team", "1 // (drs_tags.shard | length - 4)"])
    @pytest.mark.parametrize("strict", [False, True])
    def test_parent_group_that_cannot_be_determined(self, cloud, parse, expression, strict):
        """A tag cannot take away the hosts of the other jobs, unless the inventory is strict."""
        add_jobs(cloud, [job(1, "a-1"), job(2, "a-2")], {ONE: {"shard": "text"}, TWO: {"shard": '{"team": "x"}'}})
        keyed_groups = [{"key": "drs_job_status", "prefix": "is", "parent_group": f"in_{{{{ {expression} }}}}"}]
        keyed_groups.append({"key": "drs_tags.shard[:1]", "prefix": "of"})
        options = {**WITH_TOKEN, "keyed_groups": keyed_groups, "strict": strict}
        if strict:
            assert NAME in failure(parse, options)
            return
        inventory = parse(options)
        assert jobs_of(inventory) == {"a-1": ONE, "a-2": TWO}
        assert members(inventory, "of_t") == ["a-1"]

    @pytest.mark.parametrize("strict", [False, True])
    def test_template_that_raises_what_a_filter_raises(self, cloud, parse, monkeypatch, strict):
        """As before ansible-core 2.19."""
        add = Constructable._add_host_to_keyed_groups

        def raise_or_add(self, keys, *args, **kwargs):
            if "parent_group" in keys[0]:
                raise ValueError("Expecting value")
            add(self, keys, *args, **kwargs)

        monkeypatch.setattr(Constructable, "_add_host_to_keyed_groups", raise_or_add)
        add_jobs(cloud, [job(1, "a-1")], {ONE: {"shard": "x"}})
        keyed_groups = [{"key": "drs_job_status", "parent_group": "x"}, {"key": "drs_tags.shard", "prefix": "of"}]
        options = {**WITH_TOKEN, "keyed_groups": keyed_groups, "strict": strict}
        if strict:
            assert "A group of host a-1 cannot be determined: Expecting value" in failure(parse, options)
        else:
            assert members(parse(options), "of_x") == ["a-1"]

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
            (PARENT, "of_x"),
            (PREFIX, "of_no"),
            (BY_STATUS, "status_PAUSING"),
            (BY_STATUS, "st_PAUSING"),
            (BY_STATUS, "st_CREATING"),
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
        add_jobs(cloud, jobs, {ONE: {"shard": "01", "empty": ""}, TWO: {"shard": "02"}})
        inventory = parse({**WITH_TOKEN, **options})
        assert jobs_of(inventory) == {"a-1": ONE, "a-2": TWO, THREE: THREE}
        assert variables(inventory, THREE)["ansible_connection"] == "local"
        assert "drs_job_id" not in inventory.groups.get(name, inventory.groups["all"]).vars
        assert not set(inventory.hosts) & set(inventory.groups)
        assert warnings == []

    @pytest.mark.parametrize(
        "entry",
        [
            {"prefix": "", "separator": "", "key": "drs_tags.shard | default('none')"},
            {"prefix": "", "separator": "", "key": "drs_job_name"},
            {"prefix": "", "separator": "", "key": "drs_tags.none | default('')", "default_value": "orders"},
            {"prefix": "", "key": "drs_job_status"},
            {"key": "drs_job_status"},
            {"key": "{'env': drs_tags.empty}", "default_value": "no"},
            {"prefix": "of", "key": "'x'", "parent_group": "{{ 'ord' ~ 'ers' }}"},
            {"prefix": "of", "key": "'x'", "parent_group": " {{- 'ord' ~ 'ers' }}"},
            {"prefix": "of", "key": "drs_job_id", "parent_group": "{{ drs_tags.shard | default('none') }}"},
            {"prefix": "of", "key": "'x'", "parent_group": "{% if drs_tags.shard is defined %}orders{% endif %}"},
        ],
    )
    @pytest.mark.parametrize("name", ["orders", "PAUSING", "of_x", "env_no"])
    @pytest.mark.parametrize("place", [0, 1])
    def test_groups_that_may_have_any_name(self, cloud, parse, warnings, entry, name, place):
        """No host may have the name of a job: plays for a group that does not exist yet would run on it."""
        jobs = [job(1, "a-1")]
        jobs.insert(place, job(2, name))
        add_jobs(cloud, jobs, {ONE: {"shard": "orders", "empty": ""}})
        inventory = parse({**WITH_TOKEN, "keyed_groups": [entry], "leading_separator": False})
        assert jobs_of(inventory) == {ONE: ONE, TWO: TWO}
        assert len(inventory.groups) > 2
        assert warnings == [ANY_NAME]

    @pytest.mark.parametrize("entry", [{"key": "drs_job_status"}, {"key": "drs_job_status", "separator": "-"}])
    def test_leading_separator(self, cloud, parse, warnings, entry):
        """No name of a host begins like these groups."""
        add_jobs(cloud, [job(1, "INCRE_TRANSFER_STARTED")], {})
        inventory = parse({**WITH_TOKEN, "keyed_groups": [entry]})
        assert jobs_of(inventory) == {"INCRE_TRANSFER_STARTED": ONE}
        assert members(inventory, "_INCRE_TRANSFER_STARTED") == ["INCRE_TRANSFER_STARTED"]
        assert warnings == []

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

    @pytest.mark.parametrize(
        "entry, name",
        [
            ({"prefix": "status"}, "status_PAUSING"),
            ({"prefix": "my-shard"}, "my_shard_7"),
            ({"prefix": "my-shard"}, "my-shard_7"),
            ({"prefix": None}, "None_x"),
            ({"prefix": "s", "separator": "X"}, "sX1"),
            ({"separator": "of_"}, "of_1"),
            ({"prefix": "x", "parent_group": "in-{{ drs_tags.shard }}"}, "in_1"),
            ({"prefix": "x", "parent_group": "in-{{ drs_tags.shard }}"}, "in-1"),
            ({"prefix": "x", "parent_group": "all-shards"}, "all-shards"),
            ({"prefix": "x", "parent_group": "all-shards"}, "all_shards"),
        ],
    )
    def test_name_with_the_prefix_of_groups(self, cloud, parse, warnings, entry, name):
        """Now there is no such group. Once there is one, plays for it must run on its jobs, not on this one."""
        add_jobs(cloud, [job(1, name), job(2, "status"), job(3, "s_1")], {})
        inventory = parse({**WITH_TOKEN, "keyed_groups": [{**entry, "key": "drs_tags.shard"}]})
        assert jobs_of(inventory) == {ONE: ONE, "status": TWO, "s_1": THREE}
        assert warnings == []

    @pytest.mark.parametrize("name", ["in-sync", "in_sync"])
    def test_name_of_a_group_with_a_hyphen(self, cloud, parse, name):
        """A play for in-sync would run on the job, and none of in_sync."""
        add_jobs(cloud, [job(1, name), job(2, "in.sync")], {})
        inventory = parse({**WITH_TOKEN, "groups": {"in-sync": "drs_job_status == 'PAUSING'"}})
        assert jobs_of(inventory) == {ONE: ONE, TWO: TWO}
        assert members(inventory, "in_sync") == []

    def test_group_that_other_groups_belong_to(self, cloud, parse):
        """Otherwise, the pattern all:!protected would include the protected jobs."""
        add_jobs(cloud, [job(1, "one"), job(2, "protect_yes")], {ONE: {"protect": "yes"}})
        keyed_groups = [{"prefix": "protect", "key": "drs_tags.protect", "parent_group": "protected"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert (jobs_of(inventory), members(inventory, "protected")) == ({"one": ONE, TWO: TWO}, ["one"])

    @pytest.mark.parametrize("is_first", [True, False])
    def test_group_without_jobs(self, cloud, parse, warnings, is_first):
        """A job of another file cannot have its name."""
        inventory = InventoryData()
        add_jobs(cloud, [job(1, "paused")], {})
        if is_first:
            parse({**WITH_TOKEN, **self.GROUPS, "engine_type": "none"}, inventory=inventory)
            parse(WITH_TOKEN, inventory=inventory)
            assert (jobs_of(inventory), members(inventory, "paused")) == ({ONE: ONE}, [])
            assert "because another inventory has a group or host paused" in warnings[0]
        else:
            parse(WITH_TOKEN, inventory=inventory)
            said = failure(parse, {**WITH_TOKEN, **self.GROUPS, "engine_type": "none"}, inventory=inventory)
            assert "The group paused cannot be created" in said

    def test_other_groups_of_a_job_whose_group_is_refused(self, cloud, parse):
        """Neither is the refused group or the host of its name added to the parent group."""
        inventory = InventoryData()
        inventory.add_host("orders")
        add_jobs(cloud, [job(1, "one")], {ONE: {"shard": "orders,b"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard.split(',')", "parent_group": "top"}]
        parse({**WITH_TOKEN, "keyed_groups": keyed_groups}, inventory=inventory)
        assert [group.name for group in inventory.groups["top"].child_groups] == ["b"]
        assert (members(inventory, "top"), members(inventory, "b")) == ([ONE], [ONE])

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

    def test_group_that_is_defined_between_two_files(self, cloud, parse):
        """It has the name of a host of the first file. The hosts of this group get nothing from the job."""
        inventory = InventoryData()
        add_jobs(cloud, [job(1, "orders")], {ONE: {"shard": "a"}})
        parse(WITH_TOKEN, inventory=inventory)
        inventory.add_group("orders")
        inventory.add_host("web", "orders")
        parse({**WITH_TOKEN, **self.KEYED, "compose": {"shard": "drs_tags.shard"}}, inventory=inventory)
        assert jobs_of(inventory)["orders"] == ONE
        assert variables(inventory, "orders")["shard"] == "a"
        assert members(inventory, "shard_a") == ["orders"]
        assert (inventory.groups["orders"].vars, members(inventory, "orders")) == ({}, ["web"])
        assert inventory.groups["shard_a"].child_groups == []

    def test_group_with_the_name_of_a_host_of_another_inventory(self, cloud, parse, warnings):
        inventory = InventoryData()
        inventory.add_host("web")
        add_jobs(cloud, tags={ONE: {"shard": "web"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard"}]
        parse({**WITH_TOKEN, "keyed_groups": keyed_groups}, inventory=inventory)
        assert "web" not in inventory.groups
        assert warnings == [
            ANY_NAME,
            f"{NAME}: The group web was not created, because a host has this name. The first job that caused this is"
            f" {ONE}.",
        ]

    def test_tag_with_the_name_of_a_default_group_and_of_another_host(self, cloud, parse, warnings):
        """A tag does not end the inventory, even if the key has the same value without tags."""
        inventory = InventoryData()
        inventory.add_host("web")
        add_jobs(cloud, tags={ONE: {"shard": "web"}, TWO: {"shard": "x"}, THREE: {"shard": "y"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard or 'web'"}]
        parse({**WITH_TOKEN, "keyed_groups": keyed_groups}, inventory=inventory)
        assert (members(inventory, "x"), len(warnings)) == ([TWO], 2)

    @pytest.mark.parametrize("compose", [{}, {"shard": "drs_tags.shard | default('no')"}])
    @pytest.mark.parametrize("tags", [{ONE: {"shard": "no"}}, {}])
    def test_default_for_tags_with_the_name_of_another_host(self, cloud, parse, warnings, compose, tags):
        """Whoever may tag one job could end the inventory of all."""
        inventory = InventoryData()
        inventory.add_host("of_no")
        add_jobs(cloud, [job(1, "one")], tags)
        key = "shard" if compose else "drs_tags.shard | default('no')"
        keyed_groups = [{"prefix": "of", "key": key}]
        parse({**WITH_TOKEN, "compose": compose, "keyed_groups": keyed_groups}, inventory=inventory)
        assert jobs_of(inventory) == {"of_no": None, "one": ONE}
        assert len(warnings) == 1 and "The group of_no was not created" in warnings[0]

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

    @pytest.mark.parametrize("name", ["all", "ungrouped", "localhost", "", "_meta", "__ansible_vault"])
    def test_reserved_names_of_groups(self, cloud, parse, warnings, name):
        """Whoever tags one job could take away the hosts of the others, or have plays for localhost run on jobs."""
        add_jobs(cloud, tags={ONE: {"shard": f"{name},a"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard.split(',')", "parent_group": "shards"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert (members(inventory, f"_{name}"), members(inventory, "shards")) == ([ONE], [ONE])
        assert sorted(inventory.groups) == sorted(["all", "ungrouped", "shards", "a", f"_{name}"])
        assert [group.name for group in inventory.groups["shards"].child_groups] == [f"_{name}", "a"]
        assert warnings == [ANY_NAME]

    def test_group_within_itself(self, cloud, parse, warnings):
        add_jobs(cloud, tags={ONE: {"shard": "shards"}, TWO: {"shard": "b"}})
        keyed_groups = [{"prefix": "", "separator": "", "key": "drs_tags.shard", "parent_group": "shards"}]
        inventory = parse({**WITH_TOKEN, "keyed_groups": keyed_groups})
        assert (members(inventory, "shards"), members(inventory, "b")) == ([ONE, TWO], [TWO])
        assert warnings == [
            ANY_NAME,
            f"{NAME}: The group shards was not added to the group shards, which would then contain itself.",
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
        assert (members(inventory, "shards"), members(inventory, "web")) == ([TWO], [ONE, TWO])
        assert warnings == [
            ANY_NAME,
            f"{NAME}: The group web was not added to the group shards, which would then contain itself.",
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
        text = as_text(tag)
        same = f"shard == '{text[:1]}' ~ '{text[1:]}'"
        inventory = parse({**WITH_TOKEN, "compose": compose, "groups": {"same": same}})
        found = variables(inventory, ONE)
        assert (found["shard"], found["drs_name"], found["drs_keys"], found["drs_both"]) == (
            text,
            as_text(name),
            ["shard", text],
            as_text(name + tag),
        )
        assert members(inventory, "same") == [ONE]

    @pytest.mark.parametrize("hidden", ["{{ 1 + 1 }}", "{% if true %}2{% endif %}", "{# text #}", DELIMITERS])
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
        text = as_text(hidden)
        for name, value in {"joined": text, "decoded": text, "nested": {"a": [text]}}.items():
            assert templar.template(variables(inventory, "one")[f"drs_{name}"]) == value

    def test_parts_of_templates_are_not_run(self, cloud, parse):
        """A play may join them."""
        add_jobs(cloud, [job(1, "one")], {ONE: {"first": "{", "rest": "{ 1 + 1 }}"}})
        templar = Templar(loader=DataLoader(), variables=parse(WITH_TOKEN).get_host("one").get_vars())
        joined = templar.template(_job_hosts.trust_as_template("{{ drs_tags.first ~ drs_tags.rest }}"))
        assert templar.template(joined) == as_text("{{ 1 + 1 }}")

    @pytest.mark.parametrize(
        "expression",
        [
            "drs_tags | to_json",
            "drs_tags | list | join",
            "drs_tags | map('trim', ' ,') | join",
            "drs_tags.values() | join",
        ],
    )
    @pytest.mark.parametrize(
        "tags",
        [
            {"{{ 1 + 1 }}": "a"},
            {"{": "{ 1 + 1 }}", "{ 1 + 1 }}": "{"},
            {"{%": "", " if 1 %}2{% endif %}": "{"},
            {DELIMITERS: "a"},
            {"": DELIMITERS},
            *({DELIMITERS[:end]: "", DELIMITERS[end:]: ""} for end in range(1, 8)),
            # Ansible makes these lists.
            {r"['\x7b\x7b 1 + 1 }}']": ""},
            {r"['\173\x7b 1 + 1 }}'] # ": "", "a": ""},
            {r'["\u007b{ 1 + 1 }}"]': ""},
            {"['{' '{ 1 + 1 }}']": ""},
            {"[": "", r"'\x7b{ 1 + 1 }}']": ""},
            {"": r"['\x7b{ 1 + 1 }}']"},
            {" { ": "", "{ 1 + 1 }}": ""},
            {"{,": "", "{ 1 + 1 }}": ""},
        ],
    )
    def test_text_that_has_lost_its_mark(self, cloud, parse, expression, tags):
        """Before ansible-core 2.19, keys of dictionaries have none, and hostvars lose it."""
        add_jobs(cloud, [job(1, "one")], {ONE: tags})
        check_not_evaluated_again(variables(parse(WITH_TOKEN), "one")["drs_tags"], expression)

    @pytest.mark.parametrize(
        "expression", ["'{' ~ (drs_tags.values() | join) ~ '}'", "'#' ~ drs_tags.a", "'#' ~ drs_tags.a | lower"]
    )
    @pytest.mark.parametrize(
        "tags",
        [
            {"a": "% if 1 %}2{% endif %"},
            {"a": "% set b = undefined_one.two ", "b": "%"},
            {"a": DELIMITERS[1:].replace("%", "@")},
            {"a": DELIMITERS[1:].replace("%", "@").replace("jinja", "Jinja").replace("[", "<<").replace("]", ">>")},
        ],
    )
    def test_text_behind_a_character_of_the_play(self, cloud, parse, expression, tags):
        """It is not the rest of a delimiter either."""
        add_jobs(cloud, [job(1, "one")], {ONE: tags})
        check_not_evaluated_again(variables(parse(WITH_TOKEN), "one")["drs_tags"], expression)

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

    def test_values_that_cannot_be_exported(self, cloud, parse):
        """A tag in YAML could otherwise end the export of all jobs, which AWX reads."""
        tags = {"a": "!!binary aGk=", "b": "2020-01-01: !!binary aGk=", "c": "2020-01-01", "d": "- 1"}
        add_jobs(cloud, [job(1, "one")], {ONE: tags})
        compose = {f"drs_{name}": f"drs_tags.{name} | from_yaml" for name in tags}
        compose["drs_set"] = "'!!set {q}' | from_yaml"
        compose["drs_half"] = "['%c' | format(55296)]"  # of a character, which JSON may hold
        found = variables(parse({**WITH_TOKEN, "compose": compose, "strict": True}), "one")
        values = [found[name] for name in compose]
        # Ansible writes dates as text, but not as keys.
        text = json.dumps(values, default=date.isoformat, ensure_ascii=False)
        assert text.encode().count(b"hi") == 2
        assert text.endswith('"2020-01-01", [1], ["q"], ["?"]]')

    def test_unsafe_before_2_19(self, cloud, parse, monkeypatch):
        """Only single words are not marked, because AWX would show them as dictionaries as well."""
        monkeypatch.setattr(_job_hosts, "wrap_var", lambda text: f"unsafe {text}")
        texts = ["lookup('pipe', 'id')", "x|upper", "{", "}", "a is match '^s'", "hostvars.a.b", "7**9", "x==y", "a/b"]
        words = ["x", "INCRE_TRANSFER_STARTED", "mysql-to-dws", "01", "", "\u540d"]
        add_jobs(cloud, [job(1, "one")], {ONE: {str(number): text for number, text in enumerate([*texts, *words])}})
        found = variables(parse(WITH_TOKEN), "one")["drs_tags"]
        assert [*found.values()] == [*(f"unsafe {as_text(text)}" for text in texts), *words]

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
        assert variables(inventory, ONE)["shard"] == as_text(text)
        for group in (f"shard_{name}", f"name_{name}", f"joined_{name}"):
            assert members(inventory, group) == [ONE]
        assert members(inventory, "shard_none") == [TWO]

    @pytest.mark.parametrize("key, group", [("1 + 1", "_2"), ("2 > 1", "_True"), ("1 > 2", "_False"), ("(7, 8)", "_8")])
    def test_key_that_is_no_text(self, cloud, parse, key, group):
        add_jobs(cloud)
        assert len(members(parse({**WITH_TOKEN, "keyed_groups": [{"key": key}], "strict": True}), group)) == 3

    @pytest.mark.parametrize("checks_trust", [False, _job_hosts.CHECKS_TRUST])
    def test_composed_types(self, cloud, parse, monkeypatch, checks_trust):
        """The way to evaluate expressions before ansible-core 2.19 leads to the same values."""
        monkeypatch.setattr(_job_hosts, "CHECKS_TRUST", checks_trust)
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
