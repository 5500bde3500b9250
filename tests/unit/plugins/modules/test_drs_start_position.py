# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest

from ansible_collections.huaweicloud.drs.tests.unit.utils import (
    ACTIONS_URL,
    DETAILS_V3_URL,
    GTID_SET,
    JOB_ID,
    JOB_URL,
    LOST,
    POSITION,
    REQUEST_ID,
    START_URL,
    WITH_TOKEN,
    add_actions,
    add_details_v3,
    add_start,
    add_status,
    bodies,
    sent,
)

TARGET = {"job_id": JOB_ID, "position": POSITION}
ARGS = {**WITH_TOKEN, **TARGET}
# As MySQL prints it, and as it is sent.
PRINTED_SET = f"{GTID_SET},\n{GTID_SET}\n"
SENT_SET = f"{GTID_SET},{GTID_SET}"
READ = [("GET", JOB_URL), ("GET", ACTIONS_URL)]


def test_documentation(module):
    module.check_documentation()
    module.check_options()


@pytest.mark.parametrize(
    "invalid, named",
    [
        ({"job_id": f"{JOB_ID[:-3]}/.."}, "job_id"),
        ({"position": "mysql-bin.000277"}, "position must be"),
        ({"gtid_set": f"{GTID_SET}'"}, "gtid_set"),
        ({"position": f"{POSITION};{GTID_SET}", "gtid_set": GTID_SET.replace("77", "78")}, "gtid_set"),
        ({"endpoint": "http://drs.example.com"}, "endpoint"),
        ({"wait": True}, "wait"),
    ],
)
def test_nothing_is_sent_before_the_options_are_valid(cloud, module, invalid, named, check_mode):
    module.check_refused(cloud, {**ARGS, **invalid}, named, check_mode)


# Further options, and what is returned and sent.
GTID_SETS = [
    ({}, {}),
    ({"gtid_set": ""}, {}),
    ({"gtid_set": PRINTED_SET}, {"gtid_set": SENT_SET}),
    ({"position": f"{POSITION};{GTID_SET}"}, {"gtid_set": GTID_SET}),
    ({"position": f"{POSITION};{GTID_SET}", "gtid_set": f"{GTID_SET.upper()} "}, {"gtid_set": GTID_SET.upper()}),
]


@pytest.mark.parametrize("options, target", GTID_SETS)
class TestSet:
    def test_result(self, cloud, module, options, target):
        add_start(cloud)
        diff = {"before": {}, "after": {"position": POSITION, "gtid_set": None, **target}}
        assert module.run({**ARGS, **options}) == {
            **TARGET,
            **target,
            "changed": True,
            "request_id": REQUEST_ID,
            "diff": diff,
        }
        assert sent(cloud) == [("PUT", START_URL)]
        assert bodies(cloud, "PUT") == [{"file_and_position": POSITION, **target}]

    def test_error(self, cloud, module, options, target):
        body = {"error_code": "DRS.M00304", "error_msg": "It went wrong."}
        cloud.put(START_URL, status=400, json=body, headers={"X-Request-Id": REQUEST_ID})
        message, result = module.fail({**ARGS, **options})
        assert "Check which actions it allows" in message
        assert result == {**TARGET, **target, "http_status": 400, "request_id": REQUEST_ID, **body}

    def test_lost_response(self, cloud, module, options, target):
        cloud.put(START_URL, body=LOST)
        message, result = module.fail({**ARGS, **options})
        assert "DRS may have accepted" in message
        assert result == {**TARGET, **target, "changed": True}


class TestDiff:
    ARGS = {**ARGS, "_ansible_diff": True}

    @pytest.mark.parametrize(
        "facts, before",
        [
            (
                {"incre_start_position": "mysql-bin.000001:4", "gtid": GTID_SET},
                {"position": "mysql-bin.000001:4", "gtid_set": GTID_SET},
            ),
            ({"incre_start_position": POSITION, "gtid": ""}, {"position": POSITION, "gtid_set": None}),
            ({}, {"position": None, "gtid_set": None}),
        ],
    )
    def test_old_position_is_shown_but_decides_nothing(self, cloud, module, check_mode, facts, before):
        add_details_v3(cloud, **facts)
        if check_mode:
            add_status(cloud, "PAUSING")
            add_actions(cloud, "RETRY")
        else:
            add_start(cloud)
        result = module.run(self.ARGS, check_mode)
        assert (result["changed"], result["diff"]) == (
            True,
            {"before": before, "after": {"position": POSITION, "gtid_set": None}},
        )
        assert (("PUT", START_URL) in sent(cloud)) is not check_mode

    @pytest.mark.parametrize(
        "response",
        [
            {"status": 400, "json": {"error_code": "DRS.M99999"}},
            {"status": 403, "json": {"error_code": "DRS.M00102"}},
            {"body": LOST},
            {"json": {"results": []}},
            {"json": []},
        ],
    )
    def test_position_is_set_although_the_old_one_is_not_known(self, cloud, module, response):
        cloud.post(DETAILS_V3_URL, **response)
        add_start(cloud)
        result = module.run(self.ARGS)
        assert result["diff"]["after"] == {"position": POSITION, "gtid_set": None}
        assert not any(result["diff"]["before"].values())
        assert "not known" in str(result["warnings"])
        assert sent(cloud)[-1] == ("PUT", START_URL)


class TestCheckMode:
    @staticmethod
    def expected(task_type="INCR_TRANS", **target):
        job = {
            "id": JOB_ID,
            "name": "orders-to-dws",
            "status": "PAUSING",
            "engine_type": "mysql-to-dws",
            "task_type": task_type,
        }
        actions = {
            "available_actions": ["RETRY"],
            "unavailable_actions": ["START", "PAUSE", "RESET"],
            "current_action": None,
        }
        return {
            **TARGET,
            **target,
            "changed": True,
            "request_id": None,
            "job": {**job, "parent_id": None, "actions": actions},
            "request": {"method": "PUT", "url": START_URL, "body": {"file_and_position": POSITION, **target}},
            "diff": {"before": {}, "after": {"position": POSITION, "gtid_set": None, **target}},
        }

    @pytest.mark.parametrize("options, target", GTID_SETS)
    def test_result(self, cloud, module, options, target):
        add_status(cloud, "PAUSING")
        add_actions(cloud, "RETRY")
        assert module.run({**ARGS, **options}, check_mode=True) == self.expected(**target)
        assert sent(cloud) == READ

    def test_other_task_type(self, cloud, module):
        add_status(cloud, "PAUSING", task_type="FULL_INCR_TRANS")
        add_actions(cloud, "RETRY")
        result = module.run(ARGS, check_mode=True)
        (warning,) = result.pop("warnings")
        for part in (JOB_ID, "FULL_INCR_TRANS", "only for INCR_TRANS jobs"):
            assert part in str(warning)
        assert result == self.expected(task_type="FULL_INCR_TRANS")

    def test_unknown_task_type(self, cloud, module):
        add_status(cloud, "PAUSING", task_type=None)
        add_actions(cloud, "RETRY")
        assert module.run(ARGS, check_mode=True) == self.expected(task_type=None)

    def test_terminal_escapes_in_the_task_type(self, cloud, module):
        add_status(cloud, "PAUSING", task_type=f"\x1b]0;owned\x07{'x' * 9999}")
        add_actions(cloud, "RETRY")
        (warning,) = module.run(ARGS, check_mode=True)["warnings"]
        text = warning if isinstance(warning, str) else warning["event"]["msg"]
        assert text.isprintable()
        assert len(text) < 1000

    def test_unknown_job(self, cloud, module):
        body = {"error_code": "DRS.M00289", "error_msg": "The job does not exist."}
        cloud.get(JOB_URL, status=404, json=body)
        add_details_v3(cloud, id="another")
        assert module.fail(ARGS, check_mode=True)[1] == {**TARGET, "http_status": 404, **body}
        assert sent(cloud) == [*READ[:1], ("POST", DETAILS_V3_URL)]

    def test_no_list_of_actions(self, cloud, module):
        add_status(cloud, "PAUSING")
        cloud.get(ACTIONS_URL, status=404, json={"error_code": "APIGW.0101", "error_msg": "Not published."})
        result = module.run(ARGS, check_mode=True)
        assert result["job"]["actions"] is None
        assert "unknown which actions" in str(result["warnings"])
