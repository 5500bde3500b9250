# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json
import pathlib
import types
from importlib import machinery
from unittest import mock

from ansible.module_utils import basic

COLLECTION = pathlib.Path(__file__).parents[2]
REGION = "eu-west-101"
IAM = "https://iam.eu-west-101.myhuaweicloud.eu"
DRS = "https://drs.eu-west-101.myhuaweicloud.eu"
PROJECT_ID = "054ba152d480d55b2f5dc0069e7ddef0"
JOB_ID = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
QUERY_ID = "0eacda0b-9422-4535-8b62-537d1833638b"
TIME = "2023-09-19T07:00:00Z"
POSITION = "mysql-bin.000277:805"
REQUEST_ID = "4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2"
PASSWORD = 'pa"ss<wörd> %/&'
TOKEN = "MIIa" + "0123456789abcdefGHIJ+/-_" * 380

LOGIN_URL = f"{IAM}/v3/auth/tokens"
JOB_URL = f"{DRS}/v5/{PROJECT_ID}/jobs/{JOB_ID}"
COLLECT_URL = f"{JOB_URL}/collect-db-position"
RESULT_URL = f"{JOB_URL}/db-position"


def add_login(cloud, token=TOKEN, project_id=PROJECT_ID):
    cloud.post(LOGIN_URL, status=201, headers={"X-Subject-Token": token}, json={"token": {"project": {"id": project_id}, "catalog": []}})


def add_collect(cloud, **body):
    cloud.post(COLLECT_URL, status=202, json={"id": QUERY_ID, "job_id": JOB_ID, "status": "pending", **body}, headers={"X-Request-Id": REQUEST_ID})


def add_result(cloud, status, position=POSITION):
    cloud.get(RESULT_URL, json={"job_id": JOB_ID, "status": status, "position": position}, headers={"X-Request-Id": f"result-{status}"})


def add_job(cloud, engine_type="mysql-to-dws"):
    cloud.get(JOB_URL, json={"job": {"id": JOB_ID, "base_info": {"engine_type": engine_type}}})


def bodies(cloud, method="POST"):
    """What was sent with a method, read from JSON."""
    return [json.loads(call.request.body) for call in cloud.calls if call.request.method == method]


def patch_args(args, check_mode=False):
    """Give arguments to the modules that are made meanwhile. Newer versions of ansible-core have a helper for it, 2.17 and 2.18 have not."""
    return mock.patch.object(basic, "_ANSIBLE_ARGS", json.dumps({"ANSIBLE_MODULE_ARGS": {**args, "_ansible_check_mode": check_mode}}).encode())


def execute(path, name):
    """Execute a Python file under a name, and return what it defines."""
    module = types.ModuleType(name)
    machinery.SourceFileLoader(name, str(path)).exec_module(module)
    return module
