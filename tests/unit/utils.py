# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import collections
import functools
import html
import itertools
import json
import pathlib
import re
import traceback
import types
from unittest import mock
from urllib.parse import parse_qsl, unquote, unquote_plus, urlsplit

import pytest
import requests
import responses
from ansible.module_utils import basic
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from hypothesis import strategies as st
from urllib3.exceptions import ConnectTimeoutError, MaxRetryError, ProtocolError

from ansible_collections.huaweicloud.drs.plugins.module_utils._auth import AuthOptions, Session
from ansible_collections.huaweicloud.drs.plugins.module_utils._auth_token import TokenAuth
from ansible_collections.huaweicloud.drs.plugins.module_utils._drs import DrsClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._errors import HuaweiCloudError
from ansible_collections.huaweicloud.drs.plugins.module_utils._http import HttpClient
from ansible_collections.huaweicloud.drs.plugins.module_utils._module import DrsModule

COLLECTION = pathlib.Path(__file__).parents[2]
REGION = "eu-west-101"
IAM = "https://iam.eu-west-101.myhuaweicloud.eu"
DRS = "https://drs.eu-west-101.myhuaweicloud.eu"
PROJECT_ID = "054ba152d480d55b2f5dc0069e7ddef0"
JOB_ID = "c7debc9c-8e09-4a5d-8dd6-cc44f78jb20r"
QUERY_ID = "0eacda0b-9422-4535-8b62-537d1833638b"
TIME = "2023-09-19T07:00:00Z"
POSITION = "mysql-bin.000277:805"
GTID_SET = "4350aee0-56b5-11ee-8c99-0242ac120002:1-77"
REQUEST_ID = "4b9d2ac1fb3d3bb0a3ec1b0ac5bba7b2"
PASSWORD = 'pa"ss<wörd> %/&'
TOKEN = "MIIa" + "0123456789abcdefGHIJ+/-_" * 380
NEW_TOKEN = "MIIb" + "abcdefGHIJ0123456789+/-_" * 380
ACCESS_KEY = "HPUAEXAMPLEACCESSKEY"
SECRET_KEY = "8vExampleSecretKey+0123456789/abcdefghij"
SECURITY_TOKEN = "hQpjbExample" + "zyxwvutsrq9876543210/+==" * 20
PROXY_PASSWORD = "pro/xy'&word"
SECRETS = (PASSWORD, TOKEN, NEW_TOKEN, ACCESS_KEY, SECRET_KEY, SECURITY_TOKEN, PROXY_PASSWORD)

# Options of each authentication method, and the credentials file of the official SDK.
PROJECT_TOKEN = {"auth_token": TOKEN, "project_id": PROJECT_ID}
USER = {"username": "operator", "password": PASSWORD, "domain_name": "example-account"}
KEY = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
TEMPORARY_KEY = {**KEY, "security_token": SECURITY_TOKEN}
PROFILE = f"[basic]\nak = {ACCESS_KEY}\nsk = {SECRET_KEY}\n"
# All options that a module needs to log in.
WITH_TOKEN = {"region": REGION, **PROJECT_TOKEN}
WITH_PASSWORD = {"region": REGION, "username": "operator", "password": PASSWORD, "account_name": "example-account"}
# As requests raises them: the response is lost, and the connection cannot be made.
LOST = requests.ConnectionError(ProtocolError("Connection aborted.", ConnectionResetError("Connection reset by peer")))
NO_CONNECTION = requests.ConnectTimeout(MaxRetryError(None, "/", ConnectTimeoutError("timed out")))
# For any text: ASCII, and one character of each other kind.
CHARACTERS = (
    "".join(map(chr, range(128)))
    + "\x85\x9b\xa0\xad\xe9\u0130\u0301\u0662\u2028\u202e\u3000\u4e2d\ud800\ufeff\uff15\uffff\U0001f600"
)

# Of no service.
URL = "https://drs.example.com/v5/thing"
LOGIN_URL = f"{IAM}/v3/auth/tokens"
PROJECTS_URL = f"{IAM}/v3/projects"
OWN_PROJECTS_URL = f"{IAM}/v3/auth/projects"
JOB_URL = f"{DRS}/v5/{PROJECT_ID}/jobs/{JOB_ID}"
COLLECT_URL = f"{JOB_URL}/collect-db-position"
RESULT_URL = f"{JOB_URL}/db-position"
JOBS_URL = f"{DRS}/v5/{PROJECT_ID}/jobs"
ACTIONS_URL = f"{JOB_URL}/actions"
ACTION_URL = f"{JOB_URL}/action"
START_URL = f"{JOB_URL}/start-position"
JOBS_V3_URL = f"{DRS}/v3/{PROJECT_ID}/jobs"
DETAILS_V3_URL = f"{JOBS_V3_URL}/batch-detail"
PROGRESS_V3_URL = f"{JOBS_V3_URL}/batch-progress"
STATUS_V3_URL = f"{JOBS_V3_URL}/batch-status"


def add_login(cloud, token=TOKEN, **more):
    cloud.post(
        LOGIN_URL,
        status=201,
        headers={"X-Subject-Token": token},
        json={"token": {"project": {"id": PROJECT_ID}, "catalog": [], **more}},
    )


def add_projects(cloud, *names, url=PROJECTS_URL):
    """A list of projects with these names. The first has the ID that all other responses are for."""
    cloud.get(
        url,
        json={
            "links": {},
            "projects": [
                {"name": name, "id": PROJECT_ID if not number else f"other{number}"}
                for number, name in enumerate(names)
            ],
        },
    )


def add_collect(cloud, **body):
    cloud.post(
        COLLECT_URL,
        status=202,
        json={"id": QUERY_ID, "job_id": JOB_ID, "status": "pending", **body},
        headers={"X-Request-Id": REQUEST_ID},
    )


def add_result(cloud, status, position=POSITION):
    cloud.get(
        RESULT_URL,
        json={"job_id": JOB_ID, "status": status, "position": position},
        headers={"X-Request-Id": f"result-{status}"},
    )


def add_job(cloud, engine_type="mysql-to-dws"):
    cloud.get(JOB_URL, json={"job": {"id": JOB_ID, "base_info": {"engine_type": engine_type}}})


def add_status(cloud, *statuses, **base_info):
    """The details of the job, in one status after the other."""
    base_info = {"name": "orders-to-dws", "engine_type": "mysql-to-dws", "task_type": "INCR_TRANS", **base_info}
    for status in statuses:
        cloud.get(JOB_URL, json={"job": {"id": JOB_ID, "status": status, "base_info": base_info}})


def add_details_v3(cloud, **facts):
    """The details of the job in v3 of the API."""
    job = {"id": JOB_ID, "name": "orders-to-dws", "status": "PAUSING", "task_type": "INCR_TRANS"}
    job = {**job, "inst_info": {"engine_type": "mysql-to-dws"}, **facts}
    cloud.post(DETAILS_V3_URL, json={"count": 1, "results": [job]}, headers={"X-Request-Id": "v3"})


def add_actions(cloud, *available, **more):
    others = [name for name in ("START", "PAUSE", "RETRY", "RESET") if name not in available]
    cloud.get(
        ACTIONS_URL, json={"job_action": {"available_actions": list(available), "unavailable_actions": others, **more}}
    )


def add_action(cloud, **body):
    """DRS accepts an action."""
    cloud.post(
        ACTION_URL,
        status=202,
        json=body or {"query_id": "3f5e0a9c-1c5b-4e0a-9f0e-6a5c1d2b3e4f"},
        headers={"X-Request-Id": REQUEST_ID},
    )


def add_start(cloud):
    """DRS sets the start position. The response has no body."""
    cloud.put(START_URL, headers={"X-Request-Id": REQUEST_ID})


def agency_key(**more):
    """The body of a response of the metadata service."""
    key = {
        "access": ACCESS_KEY,
        "secret": SECRET_KEY,
        "securitytoken": SECURITY_TOKEN,
        "expires_at": "2099-01-01T00:00:00.000000Z",
    }
    return json.dumps({"credential": {**key, **more}}).encode()


def job_id(number):
    """The ID of one of many jobs."""
    return f"{number:08d}-8e09-4a5d-8dd6-cc44f78jb20r"


def position_url(number, tail="/collect-db-position"):
    return f"{JOBS_URL}/{job_id(number)}{tail}"


def add_collect_of(cloud, *numbers, **body):
    """DRS accepts the queries of many jobs."""
    for number in numbers:
        response = {"id": f"query-{number}", "status": "pending", **body}
        cloud.post(position_url(number), status=202, json=response, headers={"X-Request-Id": f"request-{number}"})


def add_result_of(cloud, number, status="success"):
    cloud.get(position_url(number, "/db-position"), json={"status": status, "position": f"mysql-bin.000001:{number}"})


def add_job_of(cloud, *numbers, engine_type="mysql-to-dws"):
    for number in numbers:
        cloud.get(position_url(number, ""), json={"job": {"base_info": {"engine_type": engine_type}}})


def started(number, **more):
    """The entry of a batch for a job whose query was accepted."""
    return {
        "job_id": job_id(number),
        "outcome": "pending",
        "status": "pending",
        "id": f"query-{number}",
        "request_id": f"request-{number}",
        **more,
    }


def listed(number=0, **facts):
    """A job as the list of jobs has it."""
    return {
        "id": job_id(number),
        "name": f"job-{number}",
        "status": "INCRE_TRANSFER_STARTED",
        "engine_type": "mysql-to-dws",
        "task_type": "INCR_TRANS",
        "net_type": "vpc",
        "children": [],
        **facts,
    }


def add_jobs(cloud, *jobs, page=50, total=None, **more):
    """A list of jobs.

    :param page: how many DRS returns at most in one response.
    :param total: the total number that it reports; default: the right one.
    """

    def respond(request):
        query = dict(parse_qsl(urlsplit(request.url).query))
        first = int(query["offset"])
        found = [job for job in jobs if query.get("name", "") in (job.get("name") or "")]
        body = {
            "total_count": len(found) if total is None else total,
            "jobs": found[first : first + min(page, int(query["limit"]))],
            **more,
        }
        return 200, {}, json.dumps(body)

    cloud.add_callback("GET", JOBS_URL, callback=respond)


def sent(cloud):
    """The methods and URLs of all requests, without queries."""
    return [(call.request.method, call.request.url.partition("?")[0]) for call in cloud.calls]


def bodies(cloud, method="POST"):
    """The JSON bodies of all requests with a method."""
    return [json.loads(call.request.body) for call in cloud.calls if call.request.method == method]


def check_signature(method, url, headers, body, secret_key=SECRET_KEY):
    """Sign the request that was sent again, with the official signer and the headers that it lists, and compare."""
    headers = {name.lower(): value for name, value in headers.items()}
    names = re.fullmatch(
        rf"SDK-HMAC-SHA256 Access={ACCESS_KEY}, SignedHeaders=([a-z;-]+), Signature=[0-9a-f]{{64}}",
        headers["authorization"],
    )[1].split(";")
    assert {"content-type", "host", "x-sdk-date"} <= set(names)
    # The other headers of the credentials have to be signed as well.
    assert {"x-project-id", "x-security-token"} & set(headers) <= set(names)
    parts = urlsplit(url)
    assert headers["host"] == parts.netloc
    again = SdkRequest(
        method=method,
        schema=parts.scheme,
        host=parts.netloc,
        resource_path=parts.path,
        query_params=parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)),
        header_params={name: headers[name] for name in names},
        body=body or b"",
    )
    Signer(BasicCredentials(ACCESS_KEY, secret_key)).sign(again)
    assert headers["authorization"] == again.header_params["Authorization"]


def check_signed(request):
    """Check the signature of a request that was sent."""
    check_signature(request.method, request.url, request.headers, request.body)
    assert "X-Auth-Token" not in request.headers
    assert not readable(SECRET_KEY, str(dict(request.headers)), request.url, (request.body or b"").decode())


def _readings(text, depth):
    yield text
    if depth:
        for reading in {html.unescape(text), unquote(text), unquote_plus(text), _from_json(text)} - {text}:
            yield from _readings(reading, depth - 1)


def _from_json(text):
    """Undo the escapes of JSON, wherever they are."""
    pairs = re.sub(r"\\u([dD][89abAB]..)\\u([dD][c-fC-F]..)", lambda pair: _character(pair[1], pair[2]), text)
    letters = {"n": "\n", "t": "\t", "r": "\r", "b": "\b", "f": "\f"}
    return re.sub(
        r"\\(?:u([0-9A-Fa-f]{4})|(.))",
        lambda match: _character(match[1]) if match[1] else letters.get(match[2], match[2]),
        pairs,
    )


def _character(*units):
    return b"".join(int(unit, 16).to_bytes(2, "big") for unit in units).decode("utf-16-be", "surrogatepass")


def readable(secret, *texts, depth=2):
    """Return whether a secret, or the start of a long one, can be read once JSON, HTML and URL escapes are undone."""
    return any(secret[:20] in reading for text in texts for reading in _readings(text, depth))


def shown(error):
    """Everything that can be seen of an error, including its traceback and causes."""
    facts = (error.error_code, error.error_msg, error.request_id) if hasattr(error, "error_code") else ()
    return "\n".join(
        [repr(error), *map(str, (error, *facts)), *traceback.format_exception(type(error), error, error.__traceback__)]
    )


def texts(characters=CHARACTERS, **sizes):
    """A strategy. The one of Hypothesis reads all of Unicode first, which takes seconds, even with an alphabet."""
    return st.lists(st.sampled_from(characters), **sizes).map("".join)


def pairs(*values):
    """Return combinations of the values so that each pair of values occurs in one of them."""
    in_row = {row: set(itertools.combinations(enumerate(row), 2)) for row in itertools.product(*values)}
    missing = {row: len(found) for row, found in in_row.items()}
    rows_with = collections.defaultdict(list)
    for row, found in in_row.items():
        for pair in found:
            rows_with[pair].append(row)
    chosen = []
    while rows_with:
        chosen.append(max(missing, key=missing.get))
        for pair in in_row[chosen[-1]]:
            for row in rows_with.pop(pair, ()):
                missing[row] -= 1
    return chosen


def check_nothing_shown(*texts, secrets=SECRETS):
    assert [secret for secret in secrets if readable(secret, *texts)] == []
    for text in texts:
        for reading in _readings(text, 2):
            assert not re.search(r"signature=\w", reading, re.IGNORECASE)


def patch_args(args, check_mode=False):
    """Set the arguments of the modules that are created within. Only ansible-core from 2.19 on has a helper for it."""
    return mock.patch.object(
        basic,
        "_ANSIBLE_ARGS",
        json.dumps({"ANSIBLE_MODULE_ARGS": {**args, "_ansible_check_mode": check_mode}}).encode(),
    )


def make_module(args, rules=None, **spec):
    """Return a module with these arguments and its own options."""
    with patch_args(args):
        return DrsModule(argument_spec=spec, **(rules or {}))


@functools.lru_cache(maxsize=None)
def _compiled(path):
    return compile(path.read_bytes(), str(path), "exec", dont_inherit=True)


def execute(path, name):
    """Execute a Python file under a name, and return what it defines."""
    module = types.ModuleType(name)
    module.__package__ = name.rpartition(".")[0]
    exec(_compiled(pathlib.Path(path)), module.__dict__)
    return module


def with_token(request):
    request.headers["X-Auth-Token"] = TOKEN
    return request


def send(method="GET", url=URL, http=None, **kwargs):
    """Send a request. Without a mock of its URL, it fails."""
    return (http or HttpClient(timeout=10, max_retries=2)).request(method, url, auth=with_token, **kwargs)


def failure(*args, **kwargs):
    with pytest.raises(HuaweiCloudError) as caught:
        send(*args, **kwargs)
    return caught.value


def error_from(body, status=400, http=None, **kwargs):
    """Return the error that a response causes."""
    with responses.RequestsMock() as cloud:
        cloud.get(URL, body=body, status=status, **kwargs)
        return failure(http=http or HttpClient(max_retries=0))


def client(endpoint=DRS, language="en-us", max_retries=0, secrets=(), **more):
    http = HttpClient(timeout=10, max_retries=max_retries, secrets={TOKEN, *secrets})
    auth = TokenAuth(AuthOptions(auth_token=TOKEN, project_id=PROJECT_ID))
    return DrsClient(Session(http, auth), endpoint, language, **more)
