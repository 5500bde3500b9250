# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The build context of the execution environment.

No image is built, because there is no container engine. Whether the base image has the packages, and whether they can
be downloaded, is therefore not tested.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from awx.rules import PROJECT, load


def test_context(tarball: Path, tmp_path: Path) -> None:
    context = tmp_path / "context"
    command = [
        "ansible-builder",
        "create",
        "--file",
        "execution-environment.yml",
        "--context",
        str(context),
        "--output-filename",
        "Containerfile",
    ]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    steps = (context / "Containerfile").read_text(encoding="utf-8")
    files = context / "_build"

    # It installs the same collections as the project.
    assert load(files / "requirements.yml") == load(PROJECT / "collections/requirements.yml")
    assert re.search(
        r"^RUN .*ansible-galaxy collection install .*-r requirements\.yml"
        r" --collections-path \"?/usr/share/ansible/collections",
        steps,
        re.MULTILINE,
    )
    assert "COPY --from=galaxy /usr/share/ansible /usr/share/ansible" in steps

    # This command and script collect the requirements of the installed collections. Here, the collection is installed
    # from the tarball.
    (introspect,) = re.findall(r"^RUN \$PYCMD /output/scripts/introspect\.py (introspect .*)$", steps, re.MULTILINE)
    assert "--user-pip=requirements.txt" in introspect
    assert steps.index("introspect.py") < steps.index("RUN /output/scripts/assemble")
    place = tmp_path / "collections"
    subprocess.run(
        ["ansible-galaxy", "collection", "install", "--offline", "--force", "-p", str(place), str(tarball)],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    given = introspect.replace("/tmp/src", str(tmp_path)).split()
    subprocess.run(
        [sys.executable, str(files / "scripts/introspect.py"), *given, str(place)],
        cwd=files,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    found = re.findall(
        r"^([\w-]+)\S* *# from collection (\S+)$",
        (tmp_path / "requirements.txt").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert {("requests", "huaweicloud.drs"), ("urllib3", "huaweicloud.drs"), ("huaweicloudsdkcore", "user")} <= set(
        found
    )

    # It has an ansible-core that the collection supports.
    core = load(PROJECT / "execution-environment.yml")["dependencies"]["ansible_core"]["package_pip"]
    assert core == "ansible-core" + load(PROJECT.parents[1] / "meta/runtime.yml")["requires_ansible"].replace(".0", "")
    assert core in steps
