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
from typing import Any

import pytest
from awx.rules import PROJECT, load
from matrix.pairs import CORES


def definition(name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = load(PROJECT / name)
    return loaded


@pytest.mark.parametrize("name", ["execution-environment.yml", "execution-environment-aap.yml"])
def test_context(tarball: Path, tmp_path: Path, name: str) -> None:
    context = tmp_path / "context"
    command = [
        "ansible-builder",
        "create",
        "--file",
        name,
        "--context",
        str(context),
        "--output-filename",
        "Containerfile",
    ]
    subprocess.run(command, cwd=PROJECT, check=True, stdout=subprocess.DEVNULL)
    steps = (context / "Containerfile").read_text(encoding="utf-8")
    files = context / "_build"
    assert f'ARG EE_BASE_IMAGE="{definition(name)["images"]["base_image"]["name"]}"' in steps

    # It installs the collections that the project requires, and those that only some playbooks need.
    installed = load(files / "requirements.yml")["collections"]
    assert installed == [
        *load(PROJECT / "collections/requirements.yml")["collections"],
        *(
            item
            for item in load(PROJECT.parent / "collections/requirements.yml")["collections"]
            if item["name"] != "awx.awx"
        ),
    ]
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
    assert {
        ("requests", "huaweicloud.drs"),
        ("urllib3", "huaweicloud.drs"),
        ("huaweicloudsdkcore", "user"),
        ("PyMySQL", "user"),
    } <= set(found)


def test_both_images_have_the_same_contents() -> None:
    contents = [
        {key: definition(name)["dependencies"][key] for key in ("galaxy", "python")}
        for name in ("execution-environment.yml", "execution-environment-aap.yml")
    ]
    assert contents[0] == contents[1]
    # The image of Automation Platform has its own ansible-core and ansible-runner, and microdnf instead of dnf.
    assert set(definition("execution-environment-aap.yml")["dependencies"]) == {"galaxy", "python"}
    assert definition("execution-environment-aap.yml")["options"] == {"package_manager_path": "/usr/bin/microdnf"}


def test_ansible_core() -> None:
    """The image has an ansible-core that the collection supports, on a Python version that all of them support."""
    dependencies = definition("execution-environment.yml")["dependencies"]
    requires = load(PROJECT.parents[1] / "meta/runtime.yml")["requires_ansible"]
    assert dependencies["ansible_core"]["package_pip"] == "ansible-core" + requires.replace(".0", "")
    python = dependencies["python_interpreter"]["package_system"].replace("python", "")
    assert [core for core, pythons in CORES.items() if python not in pythons] == []
