# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the collection costs, as ratios within one run: `make bench`. Its one argument is the folder of a user's python and ansible-playbook.

What this runs with is not in there: the simulator and the official SDK bring libraries that requests would load as well, and a user need not have.

All of it runs against the simulator, whose every answer takes LATENCY longer. Nothing here fails because of a number; it says whether a goal was reached.
"""

from __future__ import annotations

import json
import os
import pathlib
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulator.client import Simulator, simulator  # noqa: E402
from simulator.cloud import extra_job  # noqa: E402

LATENCY = 0.03
ROUNDS = 21
FLEET = 300
SIZES = (10, 100, 1000, 5000)
MOMENT = "2023-09-19T07:00:00Z"
PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
JOBS = [extra_job(number, 0).id for number in range(1, SIZES[-1] + 1)]
BATCH = "ansible_collections.huaweicloud.drs.plugins.modules.drs_batch_collect_db_position"
RESULT = ROOT / "tests" / "output" / "bench.md"

# The official SDK as its examples use it, with an access key, which needs no login.
SDK = """
import json, sys
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdrs import v5
given = json.load(sys.stdin)
client = v5.DrsClient.new_builder().with_credentials(BasicCredentials(given["ak"], given["sk"], given["project_id"])).with_endpoints([given["url"]]).build()
for job_id in given["job_ids"]:
    assert client.collect_position_async(v5.CollectPositionAsyncRequest(job_id, body=v5.QueryDbPositionReq(given["moment"]))).id
"""


class Bench:
    """A simulated cloud, the collection in a folder, and what is measured there."""

    def __init__(self, sim: Simulator, folder: pathlib.Path) -> None:
        self.sim = sim
        self.folder = folder
        self.user = sim.cloud["users"][0]
        self.lines: list[str] = []
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("HW_") and not name.lower().endswith("_proxy")},
            "PATH": f"{pathlib.Path(sys.argv[1]).absolute()}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            "HW_REGION_NAME": "eu-west-101",
            "HW_AUTH_URL": f"{sim.url}/v3",
            "HW_DRS_ENDPOINT": sim.url,
            "HW_DOMAIN_NAME": sim.cloud["account"]["name"],
            "HW_USER_NAME": self.user["name"],
            "HW_USER_PASSWORD": self.user["password"],
        }

    def reset(self, jobs: int) -> None:
        """A cloud with so many jobs, each of whose answers takes longer."""
        self.sim.reset(faults=[{"match": {}, "kind": "latency", "seconds": LATENCY, "times": None}], extra_jobs=jobs)

    def run(self, command: list[str], given: str = "") -> tuple[float, float, float]:
        """Run a command that has to succeed: seconds, MiB at most, and the part of a core that the simulator needed meanwhile."""
        before, begun = cpu_seconds(self.sim.pid), time.monotonic()
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as text:
            text.write(given)
            text.seek(0)
            process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdin=text, stdout=output, stderr=subprocess.STDOUT)
            _pid, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            took = time.monotonic() - begun
            if process.returncode:
                output.seek(0)
                sys.exit(f"{command} failed:\n{output.read()[-5000:]}")
        return took, usage.ru_maxrss / 1024, (cpu_seconds(self.sim.pid) - before) / took

    def play(self, name: str, tasks: list[dict[str, Any]], **variables: Any) -> tuple[float, float, float]:
        """Run tasks as a whole playbook."""
        playbook = self.folder / f"{name}.yml"
        playbook.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks}]), encoding="utf-8")
        return self.run(["ansible-playbook", str(playbook)])

    def posts(self) -> int:
        return sum(request["path"].endswith("/collect-db-position") for request in self.sim.requests())

    def say(self, *lines: str) -> None:
        for line in lines:
            print(line, flush=True)
            self.lines.append(line)


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def verdict(reached: bool) -> str:
    return "reached" if reached else "**missed**"


def uri_login(bench: Bench) -> dict[str, Any]:
    user = {"name": bench.user["name"], "password": bench.user["password"], "domain": {"name": bench.sim.cloud["account"]["name"]}}
    auth = {"identity": {"methods": ["password"], "password": {"user": user}}, "scope": {"project": {"name": "eu-west-101"}}}
    call = {"url": f"{bench.sim.url}/v3/auth/tokens?nocatalog=true", "method": "POST", "body_format": "json", "body": {"auth": auth}, "status_code": 201}
    return {"ansible.builtin.uri": call, "register": "login"}


def uri_post(bench: Bench, job: str, token: str) -> dict[str, Any]:
    call = {
        "url": f"{bench.sim.url}/v5/{PROJECT}/jobs/{job}/collect-db-position",
        "method": "POST",
        "headers": {"X-Auth-Token": token},
        "body_format": "json",
        "body": {"reset_position_time": MOMENT},
        "status_code": 202,
    }
    return {"ansible.builtin.uri": call}


def single(bench: Bench) -> None:
    """One task with its login."""
    collect = {"huaweicloud.drs.drs_collect_db_position": {"job_id": JOBS[0], "reset_position_time": MOMENT}}
    ways: dict[str, list[dict[str, Any]]] = {
        "`ansible.builtin.ping`": [{"ansible.builtin.ping": {}}],
        "`drs_collect_db_position`": [collect],
        "two `ansible.builtin.uri`": [uri_login(bench), uri_post(bench, JOBS[0], "{{ login.x_subject_token }}")],
    }
    bench.reset(1)
    times: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(ROUNDS):
        for way, tasks in ways.items():
            times[way].append(bench.play(f"single{number}", tasks)[0])
    # What else a machine does changes within seconds. The runs of one round meet the same of it, so they are compared with each other.
    ping, module, uri = times.values()
    ratios = [[own / other for own, other in zip(module, others)] for others in (ping, module, uri)]
    to_ping, _to_itself, to_uri = map(statistics.median, ratios)
    bench.say(
        "",
        f"### One task, login included (whole playbooks, {ROUNDS} rounds of one each)",
        "",
        "| | seconds, median | ratio to it, median | middle half of the rounds |",
        "| --- | ---: | ---: | ---: |",
    )
    for way, ratio in zip(times, ratios):
        low, middle, high = statistics.quantiles(ratio, n=4)
        bench.say(f"| {way} | {statistics.median(times[way]):.2f} | {middle:.2f} | {low:.2f} to {high:.2f} |")
    bench.say(
        "",
        f"Goals: at most 1.35 of ping, {verdict(to_ping <= 1.35)}; at most 0.75 of the two `uri` tasks, {verdict(to_uri <= 0.75)}.",
    )


def fleet(bench: Bench) -> None:
    """Many jobs at one time."""
    jobs = JOBS[:FLEET]
    bench.reset(FLEET)
    token, key = bench.sim.token(), bench.sim.key()
    module = {"job_id": "{{ item }}", "reset_position_time": MOMENT, "auth_token": token, "project_id": PROJECT}
    sdk = {"ak": key["access_key"], "sk": key["secret_key"], "project_id": PROJECT, "url": bench.sim.url, "job_ids": jobs, "moment": MOMENT}
    batch = [{"huaweicloud.drs.drs_batch_collect_db_position": {"job_ids": jobs, "reset_position_time": MOMENT}}]
    ways: dict[str, tuple[int, Callable[[], tuple[float, float, float]]]] = {
        "`drs_batch_collect_db_position`": (5, lambda: bench.play("batch", batch)),
        "loop of `drs_collect_db_position`, one token": (
            1,
            lambda: bench.play("loop", [{"huaweicloud.drs.drs_collect_db_position": module, "loop": jobs}]),
        ),
        "loop of `ansible.builtin.uri`, one token": (1, lambda: bench.play("uri", [{**uri_post(bench, "{{ item }}", token), "loop": jobs}])),
        "official SDK, a plain loop": (3, lambda: bench.run([sys.executable, "-c", SDK], json.dumps(sdk))),
    }
    rows = {}
    for way, (rounds, run) in ways.items():
        bench.sim.forget_requests()
        measured = [run() for _round in range(rounds)]
        assert bench.posts() == rounds * FLEET, way
        rows[way] = statistics.median(seconds for seconds, _memory, _load in measured), max(load for _seconds, _memory, load in measured)
    (best, load), loop, uri, sdk_seconds = list(rows.values())[0], *(seconds for seconds, _load in list(rows.values())[1:])
    bench.say(
        "",
        f"### {FLEET} jobs",
        "",
        "| | seconds | times as long | load of the simulator |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {way} | {seconds:.2f} | {seconds / best:.1f} | {part:.0%} of a core |" for way, (seconds, part) in rows.items()),
        "",
        f"Goals: at most 2.5 s, {verdict(best <= 2.5)}; at least 40 times as fast as either loop of tasks, {verdict(min(loop, uri) / best >= 40)};"
        f" faster than the SDK, {verdict(best < sdk_seconds)}.",
        "",
        f"The batch sends 10 requests at a time, so {FLEET} of them take {FLEET / 10 * LATENCY:.1f} s for their latency alone. A simulator that were the"
        f" bottleneck would be at 100 % of a core; it was at {load:.0%} at most.",
    )


def growth(bench: Bench) -> None:
    """How cost grows with the number of jobs: the module alone, as a process."""
    rows = []
    for size in SIZES:
        bench.reset(size)
        given = json.dumps({"ANSIBLE_MODULE_ARGS": {"job_ids": JOBS[:size], "reset_position_time": MOMENT}})
        seconds, memory, load = min(bench.run(["python", "-m", BATCH], given) for _round in range(3 if size < 1000 else 1))
        log = bench.sim.requests()
        logins = sum(request["path"].endswith("/auth/tokens") for request in log)
        runs = 3 if size < 1000 else 1
        rows.append((size, seconds, memory, len(log) // runs, logins // runs, load))
    start = rows[0][1]
    costs = [(seconds - start) / (size - SIZES[0]) for size, seconds, *_rest in rows[1:]]
    bench.say(
        "",
        "### How cost grows (the module's process, Python's start included)",
        "",
        "| jobs | seconds | ms a job, start taken off | peak memory | requests | logins | load of the simulator |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {size} | {seconds:.2f} | {'' if size == SIZES[0] else f'{(seconds - start) / (size - SIZES[0]) * 1000:.2f}'} | {memory:.0f} MiB"
            f" | {requests} | {logins} | {load:.0%} of a core |"
            for size, seconds, memory, requests, logins, load in rows
        ),
        "",
        f"Goals: cost a job flat within 25 % from 100 on, {verdict(max(costs) <= 1.25 * min(costs))} ({max(costs) / min(costs) - 1:.0%});"
        f" under 150 MB at {SIZES[-1]}, {verdict(rows[-1][2] * 1.048576 < 150)}; one login, {verdict(all(row[4] == 1 for row in rows))}.",
    )


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="drs-bench-") as name, simulator() as sim:
        place = pathlib.Path(name, "ansible_collections", "huaweicloud", "drs")
        for part in ("plugins", "meta"):
            shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        bench = Bench(sim, pathlib.Path(name))
        versions = subprocess.run(["ansible-playbook", "--version"], env=bench.environment, capture_output=True, text=True, check=True).stdout.splitlines()[0]
        bench.say(
            f"Measured with Python {platform.python_version()}, {versions.strip()}, on {os.cpu_count()} cores, every answer of the simulator"
            f" {LATENCY * 1000:.0f} ms late."
        )
        for part in (single, fleet, growth):
            part(bench)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(bench.lines) + "\n", encoding="utf-8")
    print(f"\nWritten to {RESULT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
