# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook reset_sync_position: what it refuses, asks, does, reports and advises."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import termios
import textwrap
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.conftest import Ansible, changes, make_unusable, on_request
from simulator.client import Simulator

RESET = ("ansible-playbook", "huaweicloud.drs.reset_sync_position")
SITE = ("ansible-playbook", Path(__file__).with_name("site.yml"))
PLAYBOOKS = Path(__file__).parents[2] / "playbooks"
JOB = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
OTHER_JOB = "00000010-feed-4bee-8dad-0000010jb20r"
TIME, OTHER_TIME = "2023-09-19T07:00:00Z", "2023-09-19T08:00:00Z"
POSITION = "mysql-bin.000277:805"
QUERY = "0eacda0b-9422-4535-8b62-537d1833638b"
GTID_SET = "3e11fa47-71ca-11e1-9e33-c80aa9429562:1-5"
VARIABLES = {"drs_job_id": JOB, "drs_use_position": POSITION, "drs_confirm": True, "drs_wait_sleep": 1}
QUESTION = b"Type yes to continue"
RESET_CALLS = ["stop", "start-position", "restart"]


def read_report(path: Path) -> Any:
    return json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))


def run_in_a_terminal(answer: bytes, before: Callable[[], Any] = lambda: None) -> Any:
    """Return a replacement for subprocess.run that answers the prompt in a terminal.

    :param before: what to do when the prompt is shown.
    """

    def run(
        command: list[str], timeout: float, check: bool, encoding: str, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        controller, terminal_fd = pty.openpty()
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), terminal_fd)
        process = subprocess.Popen(
            command,
            **{**more, **streams},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(terminal_fd)
        watch = threading.Timer(timeout, process.kill)
        watch.start()
        output = b""
        with open(controller, "r+b", buffering=0) as terminal, suppress(OSError):  # raised when the other side closes
            while part := terminal.read(65536):
                output += part
                # Ansible discards input from before it starts to read, so the answer is sent until something happens.
                if QUESTION in part:
                    before()
                while QUESTION in output.rpartition(b"TASK [")[2] and not select.select([terminal], [], [], 0.5)[0]:
                    terminal.write(answer + b"\r")
        watch.cancel()
        return subprocess.CompletedProcess(command, process.wait(), output.decode(encoding))

    return run


def section_of_the_guide(heading: str) -> str:
    guide = (PLAYBOOKS.parent / "docs/docsite/rst/guide_migration_runbook.rst").read_text(encoding="utf-8")
    return re.split(r"\n.+\n-+\n", guide.partition(f"\n{heading}\n-")[2].partition("\n")[2])[0]


def commands_of_the_guide(heading: str) -> list[list[str]]:
    return [
        shlex.split(line) for line in re.findall(r"^  \$ (ansible.*)$", section_of_the_guide(heading), re.MULTILINE)
    ]


def test_every_result_that_is_handed_on_starts_unset() -> None:
    """Otherwise, a variable from outside, or an earlier play, could take its place."""
    registered: set[str] = set()
    for path in PLAYBOOKS.glob("tasks/*.yml"):
        if path.name == "awx_setup.yml":
            continue
        text = path.read_text(encoding="utf-8")
        registered |= set(re.findall(r"register: (\w+)", text))
        registered |= set(re.findall(r"(?<![\w.])_drs_\w+", text))
    (start,) = yaml.safe_load((PLAYBOOKS / "tasks/start.yml").read_text(encoding="utf-8"))
    unset = start["ansible.builtin.set_fact"]
    # The variables of an include take precedence over facts.
    assert registered - set(unset) == {"_drs_spec"}
    assert {name for name, value in unset.items() if value != {"skipped": True}} == {"_drs_passed_on"}


def test_limits_do_not_depend_on_the_time_zone(ansible: Ansible) -> None:
    """Otherwise, the end of daylight saving time would end a wait one hour early."""
    texts = [path.read_text(encoding="utf-8") for path in PLAYBOOKS.glob("tasks/*.yml")]
    clocks = sorted({clock for text in texts for clock in re.findall(r"now\([^()]*\)\.timestamp\(\)", text)})
    assert clocks
    shown = ansible(
        "ansible",
        "localhost",
        "-m",
        "debug",
        "-a",
        f"msg={{{{ [{', '.join(clocks)}] }}}}",
        TZ="AAA5",
        ANSIBLE_VERBOSITY="0",
    )
    seen = json.loads(shown.partition("=> ")[2])["msg"]
    assert seen == [pytest.approx(time.time(), abs=600)] * len(clocks)


def test_hashes_that_are_merged(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    said = ansible(*RESET, "--check", variables=VARIABLES, ANSIBLE_HASH_BEHAVIOUR="merge", **token)
    assert "can be reset." in said


def test_group_with_the_name_localhost(cloud: Simulator, ansible: Ansible, tmp_path: Path) -> None:
    """Each of its hosts would reset the job."""
    inventory = tmp_path / "inventory"
    inventory.write_text("[localhost]\none\nanother\n", encoding="utf-8")
    said = ansible(*RESET, "-i", inventory, variables=VARIABLES, code=2)
    assert "The inventory has a group localhost with several hosts" in said
    assert cloud.requests() == []


@pytest.mark.slow
def test_condition_of_an_import_does_not_hide_a_failure(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    """Ansible applies the condition to each task, so it is no longer met once the result is passed on."""
    results = {"collect_db_position": "drs_collected", "reset_sync_position": "drs_report"}
    plays = [
        {"import_playbook": f"huaweicloud.drs.{name}", "when": f"{result} is not defined"}
        for name, result in results.items()
    ]
    playbook = tmp_path / "site.yml"
    playbook.write_text(yaml.safe_dump(plays), encoding="utf-8")
    cloud.faults([{"kind": "status", "status": 400, "times": None, "match": {"path": "/start-position"}}])
    variables = {"drs_job_id": JOB, "drs_reset_position_time": TIME, "drs_confirm": True, "drs_wait_sleep": 1}
    output = ansible("ansible-playbook", playbook, variables=variables, code=2, ANSIBLE_VERBOSITY="0", **token)
    assert changes(cloud) == ["collect-db-position", "stop", "start-position"]
    passed_on = output.partition("CUSTOM STATS")[2]
    assert [name for name in results.values() if f'"{name}"' in passed_on] == list(results.values())


def test_runs_at_the_same_time_do_not_share_a_report(tmp_path: Path) -> None:
    """Each gets a name of its own, and no earlier file is taken."""
    (task,) = (
        task
        for task in yaml.safe_load((PLAYBOOKS / "tasks/reset_check.yml").read_text(encoding="utf-8"))
        if task["name"] == "Reserve a name for the report"
    )
    stem = tmp_path / "a report"
    command = [*task["ansible.builtin.command"]["argv"][:-1], str(stem)]
    (tmp_path / "a report-2.json").write_text("An earlier report.", encoding="utf-8")

    def reserve(_run: int) -> str:
        return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout

    with ThreadPoolExecutor(8) as pool:
        reserved = list(pool.map(reserve, range(20)))
    numbers = [number for number in range(1, 21) if number != 2]
    assert sorted(reserved) == sorted([str(stem), *(f"{stem}-{number}" for number in numbers)])
    assert sorted(f"{name}.md" for name in reserved) == sorted(map(str, tmp_path.glob("*.md")))
    command[-1] = str(tmp_path / "no-such-folder/report")
    assert subprocess.run(command, stderr=subprocess.DEVNULL, check=False).returncode == 1


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ("drs_use_position=mysql-bin.000277", "it is 'mysql-bin.000277'"),
        (f"drs_use_position={POSITION} drs_confirm=maybe", "The value 'maybe' is not a valid boolean"),
        (f"drs_use_position={POSITION} drs_use_gtid_set=a:1-5, b:1-77", "the values must not contain white space"),
        (
            f"drs_reset_positon_time={TIME} drs_gtidset=a:1 drs_region_2=x _drs_failure={{{{_drs_started}}}}",
            "The variable _drs_failure is reserved for the playbooks of this collection. The variable drs_gtidset is"
            " unknown; drs_use_gtid_set was probably meant. The variable drs_reset_positon_time is unknown;"
            " drs_reset_position_time was probably meant.",
        ),
        (f"drs_use_position={POSITION} drs_report_path=no-such-folder/report.md", "no-such-folder of drs_report_path"),
    ],
    ids=["position", "confirmation", "white space", "names", "folder of the report"],
)
def test_refused_before_any_request(cloud: Simulator, ansible: Ansible, variables: str, reason: str) -> None:
    said = ansible(*RESET, "-e", f"drs_confirm=true drs_job_id={JOB} {variables}", code=2)
    assert reason in said
    assert cloud.requests() == []


HOSTILE = {
    "_drs_answer": {"user_input": "yes"},
    "_drs_confirmed": {"job_id": OTHER_JOB, "position": "mysql-bin.000999:4", "gtid_set": ""},
    "_drs_problems": [],
    "_drs_started": {"skipped": True},
    "_drs_verified": {"position": POSITION},
    "ansible_failed_result": {"msg": "Another reason."},
}


@pytest.mark.parametrize(
    "hidden",
    [
        HOSTILE,
        # A function that returns what the lookup plugins varnames and vars would.
        {
            "query": "{{ {'ansible.builtin.varnames': ['_drs_started'], 'ansible.builtin.vars': [_drs_reset]}.get }}",
            "_drs_answer": {"user_input": "yes"},
        },
    ],
    ids=["variables", "function"],
)
def test_extra_variable_takes_the_place_of_no_check(cloud: Simulator, ansible: Ansible, hidden: dict[str, Any]) -> None:
    said = ansible(*RESET, variables={**VARIABLES, "drs_confirm": "", **hidden}, code=2)
    for name in hidden:
        assert f"The variable {name} is reserved for " in said
    assert cloud.requests() == []


@pytest.mark.parametrize(
    ("sources", "merge"),
    [
        # A value from any of them would have the same effect.
        ({"import", "inventory", "include_vars", "set_fact"}, False),
        # Each is refused. A fact replaces an earlier one in any case.
        *(({source}, True) for source in ("import", "inventory", "include_vars")),
    ],
    ids=lambda value: {False: "replace", True: "merge"}[value] if isinstance(value, bool) else "+".join(sorted(value)),
)
def test_no_other_variable_takes_the_place_of_a_result(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path, sources: set[str], merge: bool
) -> None:
    """Only extra variables have more weight than the results of tasks. What Ansible merges with these is refused."""
    # No task sets it.
    hostile = {name: value for name, value in HOSTILE.items() if name != "_drs_problems"}
    (tmp_path / "hosts").write_text("[web]\n", encoding="utf-8")
    (tmp_path / "hostile.yml").write_text(yaml.safe_dump(hostile), encoding="utf-8")
    if "inventory" in sources:
        for folder, name in (("group_vars", "all"), ("host_vars", "localhost")):
            (tmp_path / folder).mkdir()
            shutil.copy(tmp_path / "hostile.yml", tmp_path / folder / f"{name}.yml")
    tasks = {"include_vars": "hostile.yml", "set_fact": hostile}
    before = {
        "hosts": "localhost",
        "gather_facts": False,
        "tasks": [{name: value} for name, value in tasks.items() if name in sources],
    }
    reset = {"import_playbook": RESET[1], "vars": hostile if "import" in sources else {}}
    (tmp_path / "site.yml").write_text(yaml.safe_dump([before, reset]), encoding="utf-8")
    variables = {**VARIABLES, "drs_confirm": "", "drs_report_path": "report.md"}
    more = {"ANSIBLE_HASH_BEHAVIOUR": "merge"} if merge else {}
    said = ansible("ansible-playbook", "-i", "hosts", "site.yml", variables=variables, code=2, **more, **token)
    assert changes(cloud) == []
    if merge:
        assert "The variable _drs_answer is reserved for the playbooks of this collection." in said
    else:
        report = read_report(tmp_path / "report.md")
        assert (report["result"], report["state"], report["source_verified"]) == ("failed", "unchanged", False)
        assert "The reset was not confirmed." in report["msg"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "written", "shown"),
    [
        (
            "a|b _c_ `d` *e* <img src=x> [f](http://g) &lt; \\| {{ 7 * 7 }}",
            "a|b _c_ `d` *e* <img src=x> [f](http://g) &lt; \\| {{ 7 * 7 }}",
            r"a\|b \_c\_ \`d\` \*e\* \<img src=x\> \[f\](http://g) \&lt; \\\| {{ 7 \* 7 }}",
        ),
        # Before ansible-core 2.19, it would be a list that cannot be written as JSON.
        ("[...]", " [...]", r" \[...\]"),
    ],
    ids=["markup", "list"],
)
def test_hostile_names_in_the_report(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path, name: str, written: str, shown: str
) -> None:
    """They stay in their cell, and are shown as they are: without markup, and not as templates.

    A semicolon in the name of a binlog does not begin a GTID set.
    """
    cloud.job(JOB, name=name)
    variables = {"drs_use_position": "my;sql-bin.000277:805", "drs_report_path": str(tmp_path / "report.md")}
    output = ansible(*RESET, variables={**VARIABLES, **variables}, **token)
    assert read_report(tmp_path / "report.md")["job_name"] == written
    assert "was reset to" in output
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert f"\n| Job | {shown}, {JOB} |\n" in text
    assert text.startswith(f"# Reset of {shown} to a position: done\n\n| | |\n")
    assert "| Status after | INCRE_TRANSFER_STARTED, 0 s behind |" in text


@pytest.mark.parametrize(
    ("options", "code", "reason"),
    [
        (["--tags", "retry,wait"], 2, "This playbook runs as a whole, and has no tags."),
        (["--skip-tags", "always"], 4, "--skip-tags always would leave out tasks."),
        (["--limit", "localhost:!localhost"], 4, "--limit !localhost may leave out localhost"),
        (["--step"], 4, "--step would leave out tasks."),
        (["--start-at-task", "Reset the job"], 4, "--start-at-task would leave out tasks."),
        (["--start-at-task", ""], 4, "--start-at-task would leave out tasks."),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_refuses_to_run_in_parts(
    cloud: Simulator, ansible: Ansible, tmp_path: Path, options: list[str], code: int, reason: str
) -> None:
    """An earlier report of the same path stays as it is."""
    path = tmp_path / "report.md"
    path.write_text("An earlier report.", encoding="utf-8")
    said = ansible(*RESET, *options, variables={**VARIABLES, "drs_report_path": str(path)}, code=code)
    assert reason in said
    assert cloud.requests() == []
    assert [file.name for file in tmp_path.glob("report*")] == ["report.md"]
    assert path.read_text(encoding="utf-8") == "An earlier report."


def test_no_tag_and_no_strategy_takes_away_the_confirmation(
    cloud: Simulator, ansible: Ansible, token: dict[str, str]
) -> None:
    options = ["--skip-tags", "confirm,collect,pause,apply,retry"]
    output = ansible(
        *RESET, *options, variables={**VARIABLES, "drs_confirm": ""}, code=2, ANSIBLE_STRATEGY="free", **token
    )
    assert "The reset was not confirmed" in output
    assert "This reset did not change the job" in output
    assert changes(cloud) == []


def test_answer_no_in_a_terminal(cloud: Simulator, ansible: Ansible) -> None:
    """The question names the job, the project, the endpoint and the position."""
    output = ansible(*RESET, variables={**VARIABLES, "drs_confirm": "no"}, code=2, execute=run_in_a_terminal(b"no"))
    project = "054ba152d480d55b2f5dc0069e7ddef0"
    question = f"Reset job orders-to-dws ({JOB}) in project {project}, endpoint {cloud.url}, to {POSITION}?"
    assert question in re.sub(r"\s+", " ", output)
    assert "The reset was not confirmed" in output
    assert changes(cloud) == []


def test_job_that_changes_before_the_answer(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    """Nobody was asked about the job as it is now."""
    run = run_in_a_terminal(b"yes", lambda: cloud.job(JOB, start_position="mysql-bin.000300:900"))
    output = ansible(*RESET, variables={**VARIABLES, "drs_confirm": False}, code=2, execute=run, **token)
    said = "the status INCRE_TRANSFER_STARTED, and the start position mysql-bin.000300:900. This reset did not change"
    assert said in re.sub(r"\s+", " ", output)
    assert changes(cloud) == []


@pytest.mark.parametrize("unread", ["before", "after"])
def test_start_position_that_cannot_be_read(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], unread: str
) -> None:
    """Nobody may have changed it, and the message does not claim that somebody has."""
    cloud.job(JOB, start_position="mysql-bin.000300:900")
    refused = {"match": {"path": "batch-detail"}, "kind": "status", "status": 403, "body": {}, "times": 1}
    if unread == "before":
        cloud.faults([refused])
    run = run_in_a_terminal(b"yes", lambda: cloud.faults([refused] if unread == "after" else []))
    output = ansible(*RESET, variables={**VARIABLES, "drs_confirm": False}, code=2, execute=run, **token)
    said = "The job changed, or its start position could not be read, before the reset was confirmed."
    assert said in re.sub(r"\s+", " ", output)
    assert changes(cloud) == []


@pytest.mark.parametrize("password", ["not-the-password-9261", 31415926535])
def test_wrong_password(cloud: Simulator, ansible: Ansible, tmp_path: Path, password: str | int) -> None:
    """YAML takes a password of digits for a number."""
    text = f"drs_password: {password}\ndrs_username: drs-operator\n"
    (tmp_path / "secrets.yml").write_text(text, encoding="utf-8")
    said = ansible(*RESET, "-e", "@secrets.yml", variables=VARIABLES, code=2)
    assert "user drs-operator of account (domain) example-account" in said
    assert str(password) not in said
    assert changes(cloud) == []


@pytest.mark.parametrize(
    ("job", "variables", "reason"),
    [
        ({}, {"drs_job_name": "stock-to-dws", "drs_job_id": None}, "Several jobs have the name stock-to-dws"),
        # For YAML, the text no is one, too. It must not select any job.
        ({}, {"drs_job_name": False, "drs_job_id": None}, "This project has no job with the name False."),
        (
            {"status": "WAITING_FOR_START"},
            {"drs_use_position": "", "drs_reset_position_time": TIME},
            "is in status WAITING_FOR_START",
        ),
        (
            {},
            {
                "drs_use_position": "",
                "drs_collected": {
                    "job_id": OTHER_JOB,
                    "time": TIME,
                    "id": "1",
                    "status": "success",
                    "position": POSITION,
                },
            },
            f"drs_collected is for job {OTHER_JOB}, not for {JOB}.",
        ),
    ],
    ids=["several", "name that is no text", "status", "artifact of another job"],
)
def test_job_refused_before_collecting(
    cloud: Simulator,
    ansible: Ansible,
    token: dict[str, str],
    job: dict[str, str],
    variables: dict[str, Any],
    reason: str,
) -> None:
    cloud.job(JOB, **job)
    assert reason in ansible(*RESET, variables={**VARIABLES, **variables}, code=2, **token)
    assert changes(cloud) == []


def test_check_mode(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """The command of the guide goes through all steps, and writes no report, nor does it show one as a difference.

    It shows the project and the endpoint that are used, though other variables, which are ignored, name others.
    """
    command, _reset, _look = commands_of_the_guide("Reset one job from the command line")
    ignored = {"drs_region": "eu-ignored-1", "drs_project_name": "ignored", "drs_project_id": token["HW_PROJECT_ID"]}
    output = ansible(*command, "--diff", variables={"drs_report_path": "report.md", **ignored}, **token)
    assert "The end of this run is not recorded" not in output
    assert f'Project: {token["HW_PROJECT_ID"]}, endpoint {cloud.url}"' in output
    assert f"New position: the one at {TIME}" in output
    assert f"Job orders-to-dws ({JOB}) can be reset." in output
    assert changes(cloud) == []
    assert list(tmp_path.glob("report*")) == []


def test_position_of_another_job_is_never_set(cloud: Simulator, ansible: Ansible, tmp_path: Path) -> None:
    """After two plays collected positions of another job, the reset logs in, and collects its own position.

    The artifacts of an earlier node of a workflow, which are extra variables, do not take the place of what these plays
    collect and report. Artifacts of the earlier plays are not added up.
    """
    stale = {"job_id": OTHER_JOB, "time": OTHER_TIME, "id": "5", "status": "success", "position": "mysql-bin.000001:4"}
    output = ansible(
        *SITE,
        variables={
            "job": JOB,
            "times": [TIME, OTHER_TIME],
            "other_job": OTHER_JOB,
            "report": str(tmp_path / "report.md"),
            "drs_collected": stale,
            "drs_report": {"result": "done"},
        },
    )
    assert output.count("is set as an extra variable, which hides the result of this play from your own later") == 2
    assert "drs_report is set as an extra variable, which hides the report of this play from later plays." in output
    assert changes(cloud) == ["collect-db-position"] * 3 + RESET_CALLS
    assert cloud.job(OTHER_JOB)["start_position"] == "mysql-bin.000278:815"
    assert cloud.job(JOB)["start_position"] is None
    report = read_report(tmp_path / "report.md")
    assert (report["job_id"], report["reset_position_time"], report["position"]) == (
        OTHER_JOB,
        OTHER_TIME,
        "mysql-bin.000278:815",
    )
    stats = output.partition("CUSTOM STATS")[2]
    assert re.search(r'"drs_position_status"?: "success"', stats)
    assert re.search(r'"drs_collected": \{[^}]*"position": "mysql-bin.000278:805"', stats)


@pytest.mark.smoke
def test_collected_position_is_used_and_the_rest_of_an_earlier_night_is_not(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    """The old position in group_vars is ignored, an empty port counts as unset, and no query is started.

    The relative report lies in the folder in which the playbook is started, and an earlier one is kept.
    """
    (tmp_path / "group_vars").mkdir()
    (tmp_path / "group_vars/all.yml").write_text("drs_position: mysql-bin.000001:4\n", encoding="utf-8")
    (tmp_path / "hosts").write_text("[web]\n", encoding="utf-8")
    (tmp_path / "report.md").write_text("An earlier report.", encoding="utf-8")
    collected = {"job_id": JOB, "time": TIME, "id": "5", "status": "success", "position": POSITION}
    variables = {
        **VARIABLES,
        "drs_use_position": "",
        "drs_source_port": None,
        "drs_wait_timeout": "",
        "drs_reset_position_time": "2023-09-19T15:00:00+08:00",
        "drs_collected": collected,
        "drs_report_path": "report.md",
        "drs_report": {"result": "of an earlier node"},
    }
    # Ansible would replace variables in a command by those of the environment.
    output = ansible(*RESET, "-i", "hosts", variables=variables, **token, stem="elsewhere", number="9")
    assert changes(cloud) == RESET_CALLS
    assert cloud.job(JOB)["start_position"] == POSITION
    assert f"Job orders-to-dws ({JOB}) is running, 0 seconds behind." in output
    assert (tmp_path / "report.md").read_text(encoding="utf-8") == "An earlier report."
    report, text = read_report(tmp_path / "report-1.md"), (tmp_path / "report-1.md").read_text(encoding="utf-8")
    assert (report["result"], report["state"], report["query_id"], report["reset_position_time"]) == (
        "done",
        "running",
        "5",
        TIME,
    )
    assert [step["step"] for step in report["steps"]] == ["pause", "set_position", "retry"]
    times = [report["begun"], *(step["at"] for step in report["steps"]), report["ended"]]
    assert times == sorted(times)
    assert re.search(rf"\| set_position \| .* \| yes \| {report['steps'][1]['request_id']} \|", text)
    assert f"| Endpoint | {cloud.url} |" in text
    assert "| Project | 054ba152d480d55b2f5dc0069e7ddef0 |" in text


@pytest.mark.slow
def test_refused_position(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """The message names the state, and the variables with which a second run sets the same position.

    A limit for tasks in the configuration cuts off nothing, though collecting waits for longer.
    """
    path = tmp_path / "report.md"
    variables = {"drs_job_name": "orders-to-dws", "drs_wait_sleep": 1, "drs_report_path": str(path)}
    refusal = {"kind": "status", "status": 400, "body": {"error_code": "DRS.M00304", "error_msg": "Not now."}}
    cloud.faults([{"match": {"path": "/start-position"}, **refusal}])
    # The report has the position that the reset found.
    with on_request(cloud, "collect-db-position", lambda: cloud.job(JOB, start_position="mysql-bin.000300:900")):
        output = ansible(
            *RESET,
            variables={**variables, "drs_reset_position_time": TIME, "drs_confirm": True},
            code=2,
            **token,
            ANSIBLE_TASK_TIMEOUT="1",
        )
    assert "The job is paused, and this reset did not set the position." in output
    assert (
        f"is in status PAUSING. To run the reset again with the same position, set drs_use_position to {POSITION}, and"
        in output
    )
    report = read_report(path)
    assert (report["result"], report["state"], report["status_after"]) == ("failed", "paused", "PAUSING")
    assert report["position_before"] == "mysql-bin.000300:900"
    assert [(step["step"], step["accepted"]) for step in report["steps"]] == [("pause", True), ("set_position", False)]
    assert changes(cloud) == ["collect-db-position", "stop", "start-position"]

    cloud.forget_requests()
    ansible(
        *RESET,
        variables={**variables, "drs_use_position": POSITION, "drs_use_gtid_set": GTID_SET},
        execute=run_in_a_terminal(b"yes"),
    )
    assert changes(cloud) == ["start-position", "restart"]
    job = cloud.job(JOB)
    assert (job["status"], job["start_position"], job["gtid_set"]) == ("INCRE_TRANSFER_STARTED", POSITION, GTID_SET)
    assert read_report(path) == report
    second = read_report(tmp_path / "report-1.md")
    assert (second["account"], second["status_before"]) == ("example-account", "PAUSING")
    assert (second["reset_position_time"], second["query_id"]) == ("", "")
    assert [step["step"] for step in second["steps"]] == ["set_position", "retry"]


def kill_processes(home: Path, part: bytes = b"") -> None:
    """Kill Ansible and its children, which may be in groups of their own.

    :param part: what their command line contains.
    """
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            is_own = f"HOME={home}\0".encode() in process.joinpath("environ").read_bytes()
            if is_own and part in process.joinpath("cmdline").read_bytes():
                os.kill(int(process.name), signal.SIGKILL)


def wait_for_steps(report: Path) -> None:
    """Wait until a report has all steps of the reset, which now waits for the job."""
    deadline = time.monotonic() + 60
    while not report.is_file() or "| retry |" not in report.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


@pytest.mark.slow
def test_killed_run_leaves_a_report(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    cloud.faults([{"match": {"path": "/start-position"}, "kind": "hang"}])

    def run(command: list[str], check: bool, **more: Any) -> subprocess.CompletedProcess[str]:
        with on_request(cloud, "start-position", lambda: kill_processes(tmp_path)):
            return subprocess.run(command, check=check, **more)

    path = tmp_path / "report.md"
    ansible(*RESET, variables={**VARIABLES, "drs_report_path": str(path)}, code=-9, execute=run, **token)
    text = path.read_text(encoding="utf-8")
    assert "to a position: under way" in text
    assert re.search(r"the state of the job is\s+unknown", text)
    assert re.search(
        r"for 1800 seconds per step, or longer.*no process named AnsiballZ_drs_reset_position is .*with pipelining",
        text,
        re.DOTALL,
    )
    assert f"| Position | {POSITION} |" in text


@pytest.mark.slow
def test_run_that_is_interrupted_while_it_waits(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    """The report has what was sent, and says not to send it again."""
    path = tmp_path / "report.md"
    cloud.job(JOB, status="PAUSING")
    cloud.settings(action_seconds=600)

    def run(command: list[str], timeout: float, check: bool, **more: Any) -> subprocess.CompletedProcess[str]:
        with open(tmp_path / "output", "w+", encoding="utf-8") as output:
            process = subprocess.Popen(command, **{**more, "stdout": output})
            # A request of the wait shows that Ansible itself is idle. While it starts a process, Ctrl-C may be lost.
            wait_for_steps(path)
            sent, deadline = len(cloud.requests()), time.monotonic() + 60
            while len(cloud.requests()) == sent:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            process.wait(timeout)
            output.seek(0)
            return subprocess.CompletedProcess(command, process.poll(), output.read())

    output = ansible(*RESET, variables={**VARIABLES, "drs_report_path": str(path)}, code=99, execute=run, **token)
    assert "User interrupted execution" in output
    text = path.read_text(encoding="utf-8")
    assert "to a position: under way" in text
    assert "the run was about to wait for the job" in text
    assert "Do not run the reset again" in text
    assert "| State | start_unknown |" in text
    assert [step in text for step in ("| pause |", "| set_position |", "| retry |")] == [False, True, True]
    assert changes(cloud) == ["start-position", "restart"]


@pytest.mark.slow
def test_module_that_is_killed(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """It is unknown what it has sent."""
    cloud.faults([{"match": {"path": "/start-position"}, "kind": "hang"}])

    path = tmp_path / "report.md"
    with on_request(cloud, "start-position", lambda: kill_processes(tmp_path, b"/AnsiballZ_drs_reset_position")):
        output = ansible(*RESET, variables={**VARIABLES, "drs_report_path": str(path)}, code=2, **token)
    assert "The task was cut off, so it is unknown whether the job was paused" in output
    text = path.read_text(encoding="utf-8")
    assert "| State | unknown |" in text
    assert "It is unknown which requests this run sent." in text
    assert "This run sent no request" not in text


@pytest.mark.slow
@pytest.mark.parametrize(
    "request_, said",
    [
        ("collect-db-position", "This reset did not change the job."),
        ("stop", "Do not run the reset again"),
    ],
)
def test_temporary_folder_that_disappears(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path, request_: str, said: str
) -> None:
    """Ansible would end without a message, because it takes the host for unreachable."""
    folder = tmp_path / "temporary"

    path = tmp_path / "report.md"
    variables = {**VARIABLES, "drs_use_position": "", "drs_reset_position_time": TIME, "drs_report_path": str(path)}
    folder.mkdir()
    with on_request(cloud, request_, lambda: make_unusable(folder)):
        output = ansible(*RESET, variables=variables, code=2, ANSIBLE_REMOTE_TMP=str(folder), **token)
    message = re.sub(r"\s+", " ", output)
    assert "Failed to create temporary directory" in message
    assert said in message
    assert f"The report {tmp_path}/report.md could not be completed" in message
    assert changes(cloud) == ["collect-db-position", *(RESET_CALLS if request_ == "stop" else [])]


@pytest.mark.slow
def test_temporary_folder_that_disappears_before_the_answer(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    """What cannot be looked at again is not reset."""
    folder = tmp_path / "temporary"
    folder.mkdir()

    run = run_in_a_terminal(b"yes", lambda: make_unusable(folder))
    output = ansible(
        *RESET,
        variables={**VARIABLES, "drs_confirm": False},
        code=2,
        execute=run,
        ANSIBLE_REMOTE_TMP=str(folder),
        **token,
    )
    message = re.sub(r"\s+", " ", output)
    assert "Make sure that the job is still as it was shown: " in message
    assert "This reset did not change the job." in message
    assert changes(cloud) == []


@pytest.mark.parametrize(
    "number, step, said",
    [
        (1, "Make sure that exactly one job was found", "This reset did not change the job."),
        (2, "Make sure that the job was read", "This reset did not change the job."),
        (3, "Make sure that the module was run", "This reset did not change the job."),
        (4, "Show the status of the job", "Do not run the reset again"),
        (5, "Make sure that the running job was read", "Before you run the reset again, check which position"),
    ],
)
def test_module_that_cannot_be_run(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path, number: int, step: str, said: str
) -> None:
    """The step that needs its result fails, and nothing is sent after it. Ansible takes the host for unreachable."""
    shell = tmp_path / "shell"
    shell.write_text(
        '#!/bin/sh\ncase "$2" in "( umask"*ansible-tmp*)\n'
        f'echo >> "$HOME/folders"; [ "$(wc -l < "$HOME/folders")" -lt {number} ] || exit 1;;\nesac\nexec /bin/sh "$@"\n'
    )
    shell.chmod(0o755)
    output = ansible(*RESET, variables=VARIABLES, code=2, ANSIBLE_EXECUTABLE=str(shell), **token)
    message = re.sub(r"\s+", " ", output)
    # With "Task failed" from ansible-core 2.19 on.
    assert re.search(f'"msg": "{step}: (Task failed: )?Failed to create temporary directory', message)
    assert said in message
    assert changes(cloud) == (RESET_CALLS if number > 3 else [])


@pytest.mark.slow
def test_collection_that_is_removed_while_the_job_starts(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    """The message still tells the state of the job."""
    collection = tmp_path / "collections/ansible_collections/huaweicloud/drs"
    for name in ("plugins", "meta", "playbooks"):
        shutil.copytree(PLAYBOOKS.parent / name, collection / name)
    shutil.copy(PLAYBOOKS.parent / "galaxy.yml", collection)
    path = tmp_path / "report.md"
    cloud.job(JOB, status="PAUSING", action="fails_later")

    def remove() -> None:
        wait_for_steps(path)
        shutil.rmtree(collection)

    with on_request(cloud, "restart", remove):
        output = ansible(
            *RESET,
            variables={**VARIABLES, "drs_report_path": str(path)},
            code=2,
            ANSIBLE_COLLECTIONS_PATH=str(tmp_path / "collections"),
            **token,
        )
    said = (
        'The state of the job is start_unknown. Before you run the reset again, see \\"If a run fails\\" in the guide'
    )
    assert said in re.sub(r"\s+", " ", output)
    assert changes(cloud) == ["start-position", "restart"]


@pytest.mark.slow
def test_report_that_cannot_be_completed(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    """It fails the run, and the message says that the reset succeeded."""
    folder = tmp_path / "reports"
    folder.mkdir()
    with on_request(cloud, "restart", lambda: shutil.rmtree(folder)):
        output = ansible(*RESET, variables={**VARIABLES, "drs_report_path": str(folder / "report.md")}, code=2, **token)
    assert f"The reset succeeded: job {JOB} runs from {POSITION}. The report {folder}/report.md could not be" in output
    assert changes(cloud) == RESET_CALLS


@pytest.mark.slow
def test_failed_job_is_not_a_success(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """The wait shows each status, and ends with advice that sets nothing twice."""
    path = tmp_path / "report.md"
    cloud.job(JOB, status="PAUSING", action="fails_later")
    output = ansible(
        *RESET,
        variables={**VARIABLES, "drs_wait_timeout": 4, "drs_wait_sleep": 600, "drs_report_path": str(path)},
        code=2,
        **token,
    )
    assert "Job orders-to-dws is in status INCRE_TRANSFER_FAILED, ? seconds behind." in output
    assert "did not reach its incremental phase" in output
    assert "Do not run the reset again" in output
    assert "set drs_use_position to" not in output
    report = read_report(path)
    assert (report["result"], report["state"]) == ("failed", "start_unknown")
    assert [step["step"] for step in report["steps"]] == ["set_position", "retry"]


def test_job_that_fails_after_the_wait(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    """The last look at the job shows it, so the run is no success."""
    cloud.job(JOB, status="PAUSING")

    def fail() -> None:
        job = cloud.job(JOB)
        body = {"job": {"id": JOB, "name": job["name"], "status": "INCRE_TRANSFER_FAILED"}}
        match = {"method": "GET", "path": f"/jobs/{JOB}"}
        cloud.faults([{"match": match, "kind": "status", "status": 200, "body": body, "skip": 1, "times": None}])

    with on_request(cloud, "restart", fail):
        output = ansible(*RESET, variables=VARIABLES, code=2, **token)
    said = f"Job orders-to-dws ({JOB}) was in its incremental phase, and left it again. The position was set"
    assert said in re.sub(r"\s+", " ", output)
    assert "is in status INCRE_TRANSFER_FAILED." in output


@pytest.mark.slow
def test_job_that_recovers_is_waited_for(cloud: Simulator, ansible: Ansible, token: dict[str, str]) -> None:
    """If DRS then shows a position that this run has not set, the run says so.

    Before, the result of the query is waited for, although a request for it is throttled.
    """
    read = {"match": {"method": "GET", "path": "/db-position"}, "kind": "status"}
    found = {"job_id": JOB, "status": "success", "position": POSITION}
    cloud.faults(
        [
            {**read, "status": 429, "body": {"error_code": "APIGW.0308"}, "times": 1},
            {**read, "status": 200, "body": {**found, "status": "pending", "position": ""}, "times": 1},
            {**read, "status": 200, "body": found, "times": None},
        ]
    )
    variables = {**VARIABLES, "drs_use_position": "", "drs_use_query_id": QUERY, "drs_max_retries": 0}
    cloud.job(JOB, status="PAUSING", action="fails_later", resumes_after=2, start_position="mysql-bin.000001:4")
    with on_request(cloud, "restart", lambda: cloud.job(JOB, start_position="mysql-bin.000999:4")):
        output = ansible(*RESET, variables=variables, code=2, **token)
    assert "Job orders-to-dws is in status INCRE_TRANSFER_FAILED" in output
    assert f"DRS shows the start position mysql-bin.000999:4 for job {JOB}, not {POSITION}." in output
    assert "Before you run the reset again, check which position it started from" in output


@pytest.mark.slow
def test_commands_of_the_guide(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """They reset a job from the command line, and resume one that was left paused."""
    _check, reset, look = commands_of_the_guide("Reset one job from the command line")
    assert "Report: " in ansible(*reset, execute=run_in_a_terminal(b"yes"), **token)
    assert changes(cloud) == ["collect-db-position", *RESET_CALLS]
    assert read_report(tmp_path / "report.md")["state"] == "running"
    output = ansible(*look, **token)
    assert f'"start_position": "{POSITION}"' in output
    assert '"incr_trans_delay": 0' in output
    cloud.job(JOB, status="PAUSING")
    (resume,) = commands_of_the_guide("If a run fails")
    ansible(*resume, **token)
    assert cloud.job(JOB)["status"] == "INCRE_TRANSFER_STARTED"


@pytest.mark.slow
def test_runbook_of_the_guide(cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path) -> None:
    """The reset uses the position that the play before has collected."""
    block = section_of_the_guide("A runbook of your own").partition(".. code-block:: yaml\n")[2]
    (tmp_path / "runbook.yml").write_text(textwrap.dedent(block.partition(".. code-block::")[0]), encoding="utf-8")
    (command,) = commands_of_the_guide("A runbook of your own")
    ansible(*command, execute=run_in_a_terminal(b"yes"), **token)
    assert changes(cloud) == ["collect-db-position", *RESET_CALLS]
    report = read_report(tmp_path / "changes/CHG0042/reset.md")
    assert (report["state"], report["position"], report["reset_position_time"]) == ("running", POSITION, TIME)
    status = json.loads((tmp_path / "changes/CHG0042/status.json").read_text(encoding="utf-8"))
    assert status["jobs"][0]["id"] == JOB
    assert not (tmp_path / "changes/readers-stopped").exists()


def test_loop_of_the_guide_does_not_take_a_failed_job_for_one_without_delay(
    cloud: Simulator, ansible: Ansible, token: dict[str, str], tmp_path: Path
) -> None:
    task = section_of_the_guide("If a run fails").partition(".. code-block:: yaml\n")[2]
    tasks = yaml.safe_load(task)
    assert tasks[0].pop("retries") * tasks[0].pop("delay") >= 1800
    tasks[0].update(retries=1, delay=1)
    play = {"hosts": "localhost", "gather_facts": False, "tasks": tasks}
    (tmp_path / "loop.yml").write_text(yaml.safe_dump([play]), encoding="utf-8")
    job = {"id": JOB, "status": "INCRE_TRANSFER_FAILED", "create_time": TIME}
    parts = {
        "base_info": {"name": "orders-to-dws", "engine_type": "mysql-to-dws", "task_type": "INCR_TRANS"},
        "progress_info": {"transfer_status": "INCRE_TRANSFER_FAILED", "incr_trans_delay": "0"},
    }
    body = {"job": {**job, **parts}}
    cloud.faults(
        [{"match": {"method": "GET", "path": f"/jobs/{JOB}$"}, "kind": "replace", "body": body, "times": None}]
    )
    assert '"incr_trans_delay": 0' in ansible("ansible-playbook", "loop.yml", code=2, **token)
