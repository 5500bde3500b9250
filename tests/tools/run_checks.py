# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run every nox session and count them: one that was skipped, or that skipped a part of its work, has failed."""

from __future__ import annotations

import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading

REPORT = pathlib.Path(".nox/report.json")
# Seconds after which something hangs.
LIMIT = 3000

REPORT.parent.mkdir(exist_ok=True)
REPORT.unlink(missing_ok=True)
nox = subprocess.Popen(
    [sys.executable, "-m", "nox", "--parallel", "3", "--allow-parallel", "--report", str(REPORT), *sys.argv[1:]],
    # With CI set, formatters tell what is wrong and change nothing.
    env={**os.environ, "CI": "true"},
    stdin=subprocess.DEVNULL,
    stdout=subprocess.PIPE,
    stderr=subprocess.STDOUT,
    encoding="utf-8",
    errors="replace",
    start_new_session=True,
)
# What would end this ends them all.
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, lambda got, _: os.killpg(nox.pid, got))
watchdog = threading.Timer(LIMIT, os.killpg, (nox.pid, signal.SIGKILL))
watchdog.daemon = True
watchdog.start()
running = set()
skipped = []
notes = []
for line in nox.stdout or ():
    print(line, end="", flush=True)
    if started := re.match(r"Starting session (\S+)\.\.\.$", line):
        running.add(started[1])
    if ended := re.match(r"=+ \S+ (\S+): .* =+$", line):
        running.discard(ended[1])
    # antsibull-nox says so about a check that does not apply, too: then there are no files for it.
    if line.startswith("nox > Skip") and "(no files to process)" not in line:
        skipped.append(line.strip())
    if line.startswith("nox > There is no "):
        notes.append(line.removeprefix("nox > ").strip())
code = nox.wait()
watchdog.cancel()
if code == -signal.SIGKILL:
    print(f"This took longer than {LIMIT} seconds. Still running were: {', '.join(sorted(running)) or 'none'}")

sessions = json.loads(REPORT.read_text(encoding="utf-8"))["sessions"] if REPORT.exists() else []
passed = [session["signatures"][0] for session in sessions if session["result"] == "success"]
failed = [session["signatures"][0] for session in sessions if session["result"] != "success"] + skipped
print("", *(f"passed  {name}" for name in passed), *(f"FAILED  {name}" for name in failed), *notes, sep="\n")
print(f"{len(passed)} passed, {len(failed)} failed")
sys.exit(code or bool(failed) or not passed)
