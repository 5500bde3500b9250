# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""answer.py ANSWER COMMAND...: run a command at a terminal, and type the answer when it asks."""

from __future__ import annotations

import os
import pty
import sys


def main() -> int:
    answer, *command = sys.argv[1:]
    child, terminal = pty.fork()
    if child == 0:
        os.execvp(command[0], command)
    output, asked = b"", False
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # the terminal is closed
            break
        if not part:
            break
        output += part
        if not asked and b"Type yes to go on" in output and output.rstrip(b"\r\n ").endswith(b":"):
            asked = True
            os.write(terminal, answer.encode() + b"\r")
    sys.stdout.write(output.decode("utf-8", "replace"))
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) if asked else 99


if __name__ == "__main__":
    sys.exit(main())
