# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects a database position and resets a synchronization like a user, with a simulated cloud on this machine."""

from __future__ import annotations

import json
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests"))

from simulator.client import Simulator, simulator  # noqa: E402

# Of the output of a play: text in quotation marks, on one line or in a list.
MESSAGES = r'^    (?:"msg": |    )"(.*)",?$'
# Without settings for a real cloud, and without a proxy.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("HW_")}
ENVIRONMENT.update(PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}", no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")


def show(command: list[str], pattern: str = "", **variables: str) -> None:
    """Run a command like in a shell, where exported variables stay set. End the demo if it fails.

    :param pattern: the lines of the output to show, or the group in them; default: all. All lines are shown if the
        command fails.
    """
    for name, value in variables.items():
        print(f"$ export {name}={'********' if 'PASSWORD' in name else shlex.quote(value)}")
    ENVIRONMENT.update(variables)
    print(f"$ {shlex.join(command)}", flush=True)
    output = []
    with subprocess.Popen(
        command, cwd=ROOT, env=ENVIRONMENT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8"
    ) as process:
        for line in process.stdout or ():
            output.append(line)
            found = re.search(pattern, line)
            if found:
                print(found.group(found.lastindex or 0) if pattern else line.rstrip("\n"), flush=True)
    if process.returncode:
        print("", "The command failed. This is all of its output:", *output, sep="\n")
        sys.exit(process.returncode)


def play(sim: Simulator, folder: str) -> None:
    """Run the two playbooks, and show what they report."""
    job = sim.cloud["jobs"][0]
    given = ["-e", f"drs_job_id={job['id']}", "-e", "drs_reset_position_time=2023-09-19T07:00:00Z"]
    report = pathlib.Path(folder, "report.md")
    show(["ansible-playbook", "huaweicloud.drs.collect_db_position", *given], MESSAGES, **sim.user)
    confirmed = ["-e", "drs_confirm=true", "-e", f"drs_report_path={report}"]
    show(["ansible-playbook", "huaweicloud.drs.reset_sync_position", *given, *confirmed], MESSAGES)
    show(["cat", str(report)])


def main() -> None:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="drs-demo-") as folder:
        show(["ansible-galaxy", "collection", "build", "--output-path", folder])
        (tarball,) = map(str, pathlib.Path(folder).glob("*.tar.gz"))
        show(
            ["ansible-galaxy", "collection", "install", "--offline", tarball],
            "^.* was installed .*",
            ANSIBLE_COLLECTIONS_PATH=folder,
            ANSIBLE_DISPLAY_SKIPPED_HOSTS="false",
            ANSIBLE_LOCALHOST_WARNING="false",
            ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
        )
        with simulator() as sim:
            sim.settings(collect_seconds=0, action_seconds=0)
            play(sim, folder)
        report = json.loads(pathlib.Path(folder, "report.json").read_text(encoding="utf-8"))
    print(
        f"\nDone in {time.monotonic() - started:.0f} seconds, with a simulated cloud:"
        f" position {report['position']} was collected, and job {report['job_name']} was reset to it."
    )


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    main()
