# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Collects a database position and resets a synchronization like a user, with a simulated cloud on this machine."""

from __future__ import annotations

import json
import os
import pathlib
import shlex
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent

# Without settings for a real cloud, and without a proxy.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("HW_")}
ENVIRONMENT.update(PATH=f"{BIN}{os.pathsep}{os.environ['PATH']}", no_proxy="127.0.0.1", NO_PROXY="127.0.0.1")


def show(command: list[str], **variables: str) -> int:
    """Run a command like in a shell, where exported variables stay set."""
    for name, value in variables.items():
        if ENVIRONMENT.get(name) != value:
            print(f"$ export {name}={'********' if 'PASSWORD' in name else shlex.quote(value)}")
    ENVIRONMENT.update(variables)
    print(f"$ {shlex.join(command)}", flush=True)
    return subprocess.run(command, cwd=ROOT, env=ENVIRONMENT, check=False).returncode


def play(cloud_url: str, folder: str) -> int:
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
        f"{cloud_url}/_simulator/cloud", timeout=10
    ) as response:
        cloud = json.load(response)
    user, job = cloud["users"][0], cloud["jobs"][0]
    given = ["-e", f"drs_job_id={job['id']}", "-e", "drs_reset_position_time=2023-09-19T07:00:00Z"]
    report = str(pathlib.Path(folder, "report.md"))
    code = show(
        ["ansible-playbook", "huaweicloud.drs.collect_db_position", *given],
        ANSIBLE_COLLECTIONS_PATH=folder,
        ANSIBLE_DISPLAY_SKIPPED_HOSTS="false",
        ANSIBLE_LOCALHOST_WARNING="false",
        ANSIBLE_INVENTORY_UNPARSED_WARNING="false",
        HW_REGION_NAME=job["project"],
        HW_AUTH_URL=f"{cloud_url}/v3",
        HW_DRS_ENDPOINT=cloud_url,
        HW_DOMAIN_NAME=cloud["account"]["name"],
        HW_USER_NAME=user["name"],
        HW_USER_PASSWORD=user["password"],
    )
    code = code or show(
        [
            "ansible-playbook",
            "huaweicloud.drs.reset_sync_position",
            *given,
            "-e",
            "drs_confirm=true",
            "-e",
            f"drs_report_path={report}",
        ]
    )
    return code or show(["cat", report])


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="drs-demo-") as folder:
        code = show(["ansible-galaxy", "collection", "build", "--output-path", folder])
        tarball = next(map(str, pathlib.Path(folder).glob("*.tar.gz")), "")
        code = code or show(
            ["ansible-galaxy", "collection", "install", "--offline", tarball], ANSIBLE_COLLECTIONS_PATH=folder
        )
        if code:
            return code
        info = pathlib.Path(folder, "simulator.json")
        log = pathlib.Path(folder, "simulator.log")
        with log.open("wb") as errors:
            simulator = subprocess.Popen(
                [sys.executable, "-m", "simulator", "--info-file", str(info)],
                env={**ENVIRONMENT, "PYTHONPATH": str(ROOT / "tests")},
                stderr=errors,
            )
        try:
            deadline = time.monotonic() + 30
            while not info.exists():
                if simulator.poll() is not None or time.monotonic() > deadline:
                    print(log.read_text(encoding="utf-8"), "The simulator did not start.", sep="\n", file=sys.stderr)
                    return 1
                time.sleep(0.1)
            return play(f"http://127.0.0.1:{json.loads(info.read_text(encoding='utf-8'))['port']}", folder)
        finally:
            simulator.terminate()
            simulator.wait(timeout=10)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main())
