# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lets ansible-test install pip from the package index, for networks where its own source of get-pip is unreachable.

Run it with the Python that has ansible-core installed. It puts a script into the cache of ansible-test.
"""

from __future__ import annotations

import inspect
import os
import pathlib
import re
import subprocess
import sys

from ansible_test._internal import python_requirements

found = re.search(r"pip='([^']+)'", inspect.getsource(python_requirements.get_venv_packages))
assert found, "ansible-test names no version of pip"
version = found.group(1)
cache = pathlib.Path("~/.ansible/test/cache").expanduser()
cache.mkdir(parents=True, exist_ok=True)
script = cache / f"get_pip_{version.replace('.', '_')}.py"
wheels = cache / f"pip-{version}"
if not script.exists():
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "download",
            "-q",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-d",
            str(wheels),
            f"pip=={version}",
        ],
        check=True,
    )
    wheel = next(wheels.glob("*.whl"))
    draft = script.with_suffix(f".{os.getpid()}")
    draft.write_text(
        "import runpy, sys\n"
        f"sys.path.insert(0, {str(wheel)!r})\n"
        "sys.argv = ['pip', 'install', *[a for a in sys.argv[1:] if a not in ('--no-setuptools', '--no-wheel')]]\n"
        "runpy.run_module('pip', run_name='__main__', alter_sys=True)\n"
    )
    draft.replace(script)
