# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the simulated cloud until Ctrl-C, and prints how to use the collection of this checkout with it."""

from __future__ import annotations

import pathlib
import shlex
import signal
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(sys.executable).parent
sys.path.insert(0, str(ROOT / "tests"))

from simulator.client import simulator  # noqa: E402


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="drs-simulator-") as folder:
        # Ansible finds a collection by its name. Changes of the checkout take effect at once.
        place = pathlib.Path(folder, "ansible_collections", "huaweicloud", "drs")
        place.parent.mkdir(parents=True)
        place.symlink_to(ROOT)
        with simulator() as sim:
            job_id = sim.cloud["jobs"][0]["id"]
            arguments = f"job_id={job_id} reset_position_time=2023-09-19T07:00:00Z wait=true"
            print(f"The simulated cloud runs at {sim.url}. Ctrl-C ends it. A new one begins again. In another shell:\n")
            quiet = ("LOCALHOST_WARNING", "INVENTORY_UNPARSED_WARNING", "DISPLAY_SKIPPED_HOSTS")
            variables = {"ANSIBLE_COLLECTIONS_PATH": folder, "NO_PROXY": "127.0.0.1", **sim.user}
            variables.update({f"ANSIBLE_{name}": "false" for name in quiet})
            for name, value in variables.items():
                print(f"export {name}={shlex.quote(value)}")
            print(f"export PATH={shlex.quote(str(BIN))}:$PATH")
            command = ["ansible", "localhost", "-m", "huaweicloud.drs.drs_collect_db_position", "-a", arguments]
            print(shlex.join(command))
            print("ansible localhost -m huaweicloud.drs.drs_job_info")
            reset = ["-e", f"drs_job_id={job_id}", "-e", "drs_reset_position_time=2023-09-19T07:00:00Z", "--check"]
            print(shlex.join(["ansible-playbook", "huaweicloud.drs.reset_sync_position", *reset]), flush=True)
            signal.pause()


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main()
    except KeyboardInterrupt:
        print("\nThe simulated cloud has ended.")
