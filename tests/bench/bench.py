# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Measures the cost of the collection, as ratios within one run: `make bench`.

The only argument is the folder with the python and ansible-playbook of a user. The environment of this script is
separate: the simulator and the official SDK bring libraries that requests would load too, and that users may not have.

Everything runs against the simulator, which responds LATENCY after each request. A missed goal does not make the run
fail. It is only reported.
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
from collections import Counter
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
from matplotlib.figure import Figure

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from simulator.client import Simulator, simulator  # noqa: E402
from simulator.cloud import extra_job  # noqa: E402

LATENCY = 0.03
ROUNDS = 41
FLEET = 300
# How often each number of jobs is measured in a round: a small difference between short runs needs many of them.
SIZES = {10: 5, 100: 5, 1000: 2, 5000: 1}
SIZE_ROUNDS = 3
MOMENT = "2023-09-19T07:00:00Z"
PROJECT = "054ba152d480d55b2f5dc0069e7ddef0"
JOBS = [extra_job(number, 0).id for number in range(1, max(SIZES) + 1)]
# In the process that Ansible forks for a task, Python collects the garbage of all generations after a certain number of
# objects, which costs about 5 % of ping. In the smallest playbook, ping ends just before, and every larger module pays.
# With some variables, as playbooks and inventories have, all do.
VARIABLES = {"jobs": [{"id": job} for job in JOBS[:600]]}
BATCH = "ansible_collections.huaweicloud.drs.plugins.modules.drs_batch_collect_db_position"
RESULT = ROOT / "tests" / "output" / "bench.md"
PLOT = RESULT.with_suffix(".svg")

# What a module that uses requests costs at least: the import, and two requests like those of a login and a query.
FLOOR = """
import requests
from ansible.module_utils.basic import AnsibleModule
module = AnsibleModule({"url": {}})
with requests.Session() as session:
    session.trust_env = False
    for _number in range(2):
        session.get(module.params["url"])
module.exit_json()
"""

# A small process that runs the command. Linux counts the memory of a process from before it executed another program,
# so the memory of this script would be counted otherwise.
STOPWATCH = """
import json, resource, subprocess, sys, time
started = time.monotonic()
code = subprocess.call(sys.argv[2:])
seconds = time.monotonic() - started
with open(sys.argv[1], "w", encoding="utf-8") as report:
    json.dump([code, seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss], report)
"""

# The official SDK as its examples use it, with an access key, which needs no login.
SDK = """
import json, sys
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkdrs import v5
given = json.load(sys.stdin)
credentials = BasicCredentials(given["ak"], given["sk"], given["project_id"])
client = v5.DrsClient.new_builder().with_credentials(credentials).with_endpoints([given["url"]]).build()
for job_id in given["job_ids"]:
    body = v5.QueryDbPositionReq(given["moment"])
    assert client.collect_position_async(v5.CollectPositionAsyncRequest(job_id, body=body)).id
"""


class Bench:
    """A simulated cloud, a folder with the collection, and the measurements."""

    def __init__(self, sim: Simulator, folder: pathlib.Path) -> None:
        self.sim = sim
        self.folder = folder
        self.user = sim.cloud["users"][0]
        self.lines: list[str] = []
        # What the plot shows: the seconds of a batch by its number of jobs, and of everything else for FLEET jobs.
        self.batches: dict[int, float] = {}
        self.others: dict[str, float] = {}
        self.environment = {
            **{
                name: value
                for name, value in os.environ.items()
                if not name.startswith("HW_") and not name.lower().endswith("_proxy")
            },
            "PATH": f"{pathlib.Path(sys.argv[1]).absolute()}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "ANSIBLE_COLLECTIONS_PATH": str(folder),
            "ANSIBLE_LOCALHOST_WARNING": "false",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
            **sim.user,
        }

    def reset(self, jobs: int) -> None:
        """Reset the cloud to a number of jobs, with latency for every response."""
        self.sim.reset(faults=[{"match": {}, "kind": "latency", "seconds": LATENCY, "times": None}], extra_jobs=jobs)

    def run(self, command: list[str], given: str = "", **environment: str) -> tuple[float, float, float]:
        """Run a command that must succeed.

        :returns: Its duration in seconds, its peak memory in MiB, and the load of the simulator, 1 for a whole core.
        """
        report = self.folder / "report.json"
        before = cpu_seconds(self.sim.pid)
        done = subprocess.run(
            [sys.executable, "-c", STOPWATCH, str(report), *command],
            cwd=self.folder,
            env={**self.environment, **environment},
            input=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        code, seconds, kilobytes = json.loads(report.read_text(encoding="utf-8"))
        if code:
            sys.exit(f"{command} failed:\n{done.stdout[-5000:]}")
        return seconds, kilobytes / 1024, (cpu_seconds(self.sim.pid) - before) / seconds

    def play(self, name: str, tasks: list[dict[str, Any]], **environment: str) -> tuple[float, float, float]:
        """Run tasks as a whole playbook."""
        playbook = self.folder / f"{name}.yml"
        play = {"hosts": "localhost", "gather_facts": False, "vars": VARIABLES, "tasks": tasks}
        playbook.write_text(json.dumps([play]), encoding="utf-8")
        return self.run(["ansible-playbook", str(playbook)], **environment)

    def task(self, name: str, tasks: list[dict[str, Any]]) -> tuple[float, float, float]:
        """Run a task as a whole playbook.

        :returns: The duration in seconds of the playbook and of the task alone, as reported by Ansible's own callback,
            and the load of the simulator, 1 for a whole core.
        """
        with tempfile.TemporaryDirectory() as reports:
            settings = {"ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit", "JUNIT_OUTPUT_DIR": reports}
            seconds, _memory, load = self.play(name, tasks, **settings)
            (report,) = pathlib.Path(reports).iterdir()
            return seconds, float(ElementTree.parse(report).getroot().get("time", "")), load

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
    user = {
        "name": bench.user["name"],
        "password": bench.user["password"],
        "domain": {"name": bench.sim.cloud["account"]["name"]},
    }
    auth = {
        "identity": {"methods": ["password"], "password": {"user": user}},
        "scope": {"project": {"name": "eu-west-101"}},
    }
    call = {
        "url": f"{bench.sim.url}/v3/auth/tokens?nocatalog=true",
        "method": "POST",
        "body_format": "json",
        "body": {"auth": auth},
        "status_code": 201,
    }
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
    """Measure one task with its login."""
    collect = {"huaweicloud.drs.drs_collect_db_position": {"job_id": JOBS[0], "reset_position_time": MOMENT}}
    variants: dict[str, list[dict[str, Any]]] = {
        "`ansible.builtin.ping`": [{"ansible.builtin.ping": {}}],
        "`drs_collect_db_position`": [collect],
        "a module that only sends two requests": [{"huaweicloud.drs.floor": {"url": f"{bench.sim.url}/"}}],
        "two `ansible.builtin.uri`": [uri_login(bench), uri_post(bench, JOBS[0], "{{ login.x_subject_token }}")],
    }
    bench.reset(1)
    times: dict[str, list[float]] = {variant: [] for variant in variants}
    for number in range(ROUNDS):
        # Each variant comes first as often as any other.
        for variant in (*list(variants)[number % 4 :], *list(variants)[: number % 4]):
            times[variant].append(bench.play(f"single{number}", variants[variant])[0])
    # The load of a machine changes within seconds. The runs of one round have about the same load, so only they are
    # compared with each other.
    module = times["`drs_collect_db_position`"]
    ratios = [[own / other for own, other in zip(module, others, strict=True)] for others in times.values()]
    to_ping, _to_itself, _to_floor, to_uri = map(statistics.median, ratios)
    bench.say(
        "",
        f"### One task, login included (whole playbooks, {ROUNDS} rounds of one each)",
        "",
        "| | seconds, median | ratio, median | ratio in the middle half of the rounds |",
        "| --- | ---: | ---: | ---: |",
    )
    for variant, ratio in zip(times, ratios, strict=True):
        low, middle, high = statistics.quantiles(ratio, n=4)
        bench.say(f"| {variant} | {statistics.median(times[variant]):.2f} | {middle:.2f} | {low:.2f} to {high:.2f} |")
    bench.say(
        "",
        f"Goals: at most 1.18 of ping, {verdict(to_ping <= 1.18)};"
        f" at most 0.75 of the two `uri` tasks, {verdict(to_uri <= 0.75)}.",
    )


def fleet(bench: Bench) -> None:
    """Measure a fleet of jobs."""
    jobs = JOBS[:FLEET]
    bench.reset(FLEET)
    token, key = bench.sim.token(), bench.sim.key()
    module = {"job_id": "{{ item }}", "reset_position_time": MOMENT, "auth_token": token, "project_id": PROJECT}
    sdk = {
        "ak": key["access_key"],
        "sk": key["secret_key"],
        "project_id": PROJECT,
        "url": bench.sim.url,
        "job_ids": jobs,
        "moment": MOMENT,
    }
    batch = [{"huaweicloud.drs.drs_batch_collect_db_position": {"job_ids": jobs, "reset_position_time": MOMENT}}]
    loop = [{"huaweicloud.drs.drs_collect_db_position": module, "loop": jobs}]
    uris = [{**uri_post(bench, "{{ item }}", token), "loop": jobs}]

    def script() -> tuple[float, float, float]:
        seconds, _memory, load = bench.run([sys.executable, "-c", SDK], json.dumps(sdk))
        return seconds, seconds, load

    variants: dict[str, tuple[int, Callable[[], tuple[float, float, float]]]] = {
        "`drs_batch_collect_db_position`": (9, lambda: bench.task("batch", batch)),
        "loop of `drs_collect_db_position`, one token": (1, lambda: bench.task("loop", loop)),
        "loop of `ansible.builtin.uri`, one token": (1, lambda: bench.task("uri", uris)),
        "official SDK, a plain loop": (3, script),
    }
    rows: dict[str, tuple[float, float, float]] = {}
    for variant, (rounds, run) in variants.items():
        bench.sim.forget_requests()
        measured = [run() for _round in range(rounds)]
        assert bench.posts() == rounds * FLEET, variant
        seconds, of_task, load = zip(*measured, strict=True)
        rows[variant] = statistics.median(seconds), statistics.median(of_task), max(load)
    (batch_play, batch_task, load), *others = list(rows.values())
    bench.others = {variant: seconds for variant, (seconds, _of_task, _load) in list(rows.items())[1:]}
    loop_play, uri_play, sdk_process = (seconds for seconds, _of_task, _load in others)
    bench.say(
        "",
        f"### {FLEET} jobs",
        "",
        "| | total seconds | of which task or script | total, as a ratio | load of the simulator |",
        "| --- | ---: | ---: | ---: | ---: |",
        *(
            f"| {variant} | {seconds:.2f} | {of_task:.2f} | {seconds / batch_play:.1f} | {part:.0%} of a core |"
            for variant, (seconds, of_task, part) in rows.items()
        ),
        "",
        f"Goals: at most 2.5 s, as a whole playbook {verdict(batch_play <= 2.5)},"
        f" as a task {verdict(batch_task <= 2.5)};"
        f" at least 40 times as fast as either loop, as whole playbooks,"
        f" {verdict(min(loop_play, uri_play) / batch_play >= 40)};"
        f" faster than the SDK, {verdict(batch_play < sdk_process)}.",
        "",
        f"The batch sends 10 requests at a time, so the latency of {FLEET} requests alone is"
        f" {FLEET / 10 * LATENCY:.1f} s."
        f" If the simulator were the bottleneck, its load would be 100 % of a core. It was {load:.0%} at most.",
    )


def growth(bench: Bench) -> None:
    """Measure how the cost grows with the number of jobs: the module alone, as a process."""
    runs: dict[int, list[tuple[float, float, float]]] = {size: [] for size in SIZES}
    requests, logins = Counter[int](), Counter[int]()
    for _round in range(SIZE_ROUNDS):
        for size, times in SIZES.items():
            bench.reset(size)
            given = json.dumps({"ANSIBLE_MODULE_ARGS": {"job_ids": JOBS[:size], "reset_position_time": MOMENT}})
            runs[size] += [bench.run(["python", "-m", BATCH], given) for _time in range(times)]
            log = bench.sim.requests()
            requests[size] += len(log)
            logins[size] += sum(request["path"].endswith("/auth/tokens") for request in log)
    rows = []
    for size, measured in runs.items():
        seconds, memory, load = zip(*measured, strict=True)
        rows.append(
            (
                size,
                statistics.median(seconds),
                max(memory),
                requests[size] / len(measured),
                logins[size] / len(measured),
                max(load),
            )
        )
    bench.batches = {size: seconds for size, seconds, *_rest in rows}
    least, start, *_rest = rows[0]
    costs = {size: (seconds - start) / (size - least) for size, seconds, *_rest in rows[1:]}
    spread = max(costs.values()) / min(costs.values()) - 1
    bench.say(
        "",
        f"### Growth (the process of the module, including the start of Python; medians of {SIZE_ROUNDS} rounds)",
        "",
        "| jobs | seconds | ms per job, without the start | peak memory | requests | logins | load of the simulator |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        *(
            f"| {size} | {seconds:.2f} | {f'{costs[size] * 1000:.2f}' if size in costs else ''} | {memory:.0f} MiB"
            f" | {sent:g} | {logged_in:g} | {load:.0%} of a core |"
            for size, seconds, memory, sent, logged_in, load in rows
        ),
        "",
        f"Goals: cost per job constant within 25 % from 100 jobs on, {verdict(spread <= 0.25)} ({spread:.0%});"
        f" under 150 MB at {max(SIZES)}, {verdict(rows[-1][2] * 1.048576 < 150)};"
        f" one login, {verdict(all(row[4] == 1 for row in rows))}.",
    )


def plot(bench: Bench) -> None:
    """Plot the seconds against the number of jobs. The file changes only if the numbers do."""
    mpl.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none", "font.family": "sans-serif"})
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.add_subplot(xscale="log", yscale="log", xlabel="jobs", ylabel="seconds")
    axes.plot(list(bench.batches), list(bench.batches.values()), marker="o", label="drs_batch_collect_db_position")
    for (variant, seconds), marker in zip(bench.others.items(), "sD^", strict=True):
        axes.plot([FLEET], [seconds], marker, label=variant.replace("`", ""))
    axes.set_xticks(list(SIZES), [f"{size:,}" for size in SIZES])
    axes.yaxis.set_major_formatter("{x:g}")
    axes.grid(which="major", alpha=0.3)
    axes.legend(frameon=False, loc="upper left")
    figure.savefig(PLOT, metadata={"Date": None})


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="drs-bench-") as name, simulator() as sim:
        place = pathlib.Path(name, "ansible_collections", "huaweicloud", "drs")
        for part in ("plugins", "meta"):
            shutil.copytree(ROOT / part, place / part, ignore=shutil.ignore_patterns("__pycache__"))
        (place / "plugins" / "modules" / "floor.py").write_text(FLOOR, encoding="utf-8")
        bench = Bench(sim, pathlib.Path(name))
        versions = subprocess.run(
            ["ansible-playbook", "--version"], env=bench.environment, capture_output=True, text=True, check=True
        ).stdout.splitlines()[0]
        bench.say(
            f"Measured with Python {platform.python_version()}, {versions.strip()}, on {os.cpu_count()} cores."
            f" The simulator responds {LATENCY * 1000:.0f} ms after each request."
        )
        for part in (single, fleet, growth):
            part(bench)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text("\n".join(bench.lines) + "\n", encoding="utf-8")
    plot(bench)
    print(f"\nWritten to {RESULT.relative_to(ROOT)} and {PLOT.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
