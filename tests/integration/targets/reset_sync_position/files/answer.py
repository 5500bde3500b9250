# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""answer.py ANSWER COMMAND...: run a command at a terminal, and type the answer when it asks."""

from __future__ import annotations

import os
import pty
import select
import signal
import sys
import time

# Seconds that the command may take.
LIMIT = 240
QUESTION = b"Type yes to go on"


def main() -> int:
    answer, *command = sys.argv[1:]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    output, deadline = b"", time.monotonic() + LIMIT
    while True:
        if time.monotonic() > deadline:
            os.killpg(child, signal.SIGKILL)
            sys.exit(f"Nothing came of it within {LIMIT} seconds:\n{output.decode('utf-8', 'replace')}")
        # Ansible shows the question, and then throws away what has been typed before it reads: so type it until something happens.
        if not select.select([terminal], [], [], 1)[0]:
            if QUESTION in output and b"TASK [" not in output.rpartition(QUESTION)[2]:
                os.write(terminal, answer.encode() + b"\r")
            continue
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the terminal is closed
            break
        if not part:
            break
        output += part
    sys.stdout.write(output.decode("utf-8", "replace"))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if QUESTION in output else 99


if __name__ == "__main__":
    sys.exit(main())
