# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stub of the AWX API on loopback: objects in memory, with the errors that awx_setup can run into.

The modules of awx.awx, which call it, show whether it behaves like AWX.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from awx import rules

USER, PASSWORD = "admin", "the-p4ssw0rd-of-awx"
ENCRYPTED = "$encrypted$"
PAGE = 2  # small, so that lists have several pages

# Each kind of object: its type, its fields with their defaults, its references, and its unique keys.
TEXT: dict[str, Any] = {"name": "", "description": ""}
ASKS = dict.fromkeys(
    [
        "ask_variables_on_launch",
        "ask_job_type_on_launch",
        "ask_credential_on_launch",
        "ask_inventory_on_launch",
        "survey_enabled",
    ],
    False,
)
MODELS: dict[str, tuple[str, dict[str, Any], dict[str, str], tuple[str, ...]]] = {
    "organizations": ("organization", TEXT, {}, ("name",)),
    "credential_types": (
        "credential_type",
        {**TEXT, "kind": "", "inputs": {}, "injectors": {}, "managed": False},
        {},
        ("name", "kind"),
    ),
    "credentials": (
        "credential",
        {**TEXT, "inputs": {}},
        {"organization": "organizations", "credential_type": "credential_types"},
        ("organization", "name", "credential_type"),
    ),
    "inventories": (
        "inventory",
        {**TEXT, "kind": "", "host_filter": None, "variables": ""},
        {"organization": "organizations"},
        ("name", "organization"),
    ),
    "execution_environments": (
        "execution_environment",
        {**TEXT, "image": "", "pull": ""},
        {"organization": "organizations"},
        ("name",),
    ),
    "projects": (
        "project",
        {**TEXT, "scm_type": "", "scm_url": "", "scm_branch": ""},
        {"organization": "organizations", "credential": "credentials"},
        ("name", "organization"),
    ),
    "job_templates": (
        "job_template",
        {**TEXT, "job_type": "run", "playbook": "", "extra_vars": "", "allow_simultaneous": False, **ASKS},
        {"inventory": "inventories", "project": "projects", "execution_environment": "execution_environments"},
        ("name", "organization"),
    ),
    "workflow_job_templates": (
        "workflow_job_template",
        {**TEXT, "extra_vars": "", "allow_simultaneous": False, **ASKS},
        {"organization": "organizations"},
        ("name", "organization"),
    ),
    "workflow_job_template_nodes": (
        "workflow_job_template_node",
        {"identifier": "", "extra_data": {}},
        {"workflow_job_template": "workflow_job_templates", "unified_job_template": "unified_job_templates"},
        ("identifier", "workflow_job_template"),
    ),
    "workflow_approval_templates": ("workflow_approval_template", {**TEXT, "timeout": 0}, {}, ()),
}
UNIFIED = ("projects", "job_templates", "workflow_job_templates", "workflow_approval_templates")
GIT_ERROR = '{"msg": "Failed to download remote objects and refs: fatal: repository not found"}'
LINKS = ("success_nodes", "failure_nodes", "always_nodes")


class Refused(Exception):
    """An error response."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body)
        self.status, self.body = status, body


@dataclass
class Repository:
    """The Git repository of every project. Its updates end with `outcome`, or stay pending if there is none."""

    playbooks: set[str]
    revision: str = "0123456789abcdef0123456789abcdef01234567"
    outcome: str | None = "successful"
    explanation: str = ""

    @property
    def output(self) -> str:
        """The output of an update: tasks, in color."""
        lines = ["", "PLAY [Update source tree if necessary] ***", ""]
        if self.outcome == "failed":
            lines.append(f"\x1b[0;31mfatal: [localhost]: FAILED! => {GIT_ERROR}\x1b[0m")
            lines.append("ERROR: from the server \x1b[2K\x9b\u202e.")
        return "\r\n".join(lines)


@dataclass
class Awx:
    """The state of AWX."""

    repository: Repository
    url: str = ""
    objects: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in MODELS})
    surveys: dict[int, dict[str, Any]] = field(default_factory=dict)
    associated: dict[tuple[int, str], list[int]] = field(default_factory=dict)
    updates: dict[int, dict[str, Any]] = field(default_factory=dict)
    launched: dict[int, dict[str, Any]] = field(default_factory=dict)
    tokens: dict[int, str] = field(default_factory=dict)
    changes: list[str] = field(default_factory=list)
    reads: list[str] = field(default_factory=list)
    count: int = 0

    def number(self) -> int:
        self.count += 1
        return self.count

    def named(self, kind: str, name: str) -> dict[str, Any]:
        """Return the only object with a name."""
        (found,) = (item for item in self.objects[kind].values() if name in (item.get("name"), item.get("identifier")))
        return found

    # Reading

    def shown(self, kind: str, item: dict[str, Any]) -> dict[str, Any]:
        url = f"/api/v2/{kind}/{item['id']}/"
        related: dict[str, str] = {}
        summary: dict[str, Any] = {}
        shown = {**deepcopy(item), "type": MODELS[kind][0], "url": url}
        if kind in ("job_templates", "workflow_job_templates"):
            related["survey_spec"] = f"{url}survey_spec/"
        if kind == "job_templates":
            shown["organization"] = self.objects["projects"][item["project"]]["organization"]
        if kind == "projects":
            related["update"] = f"{url}update/"
            for update in self.active(item["id"])[:1]:
                summary["current_update"] = {"id": update["id"], "status": update["status"]}
        if kind == "credentials":
            fields = self.objects["credential_types"][item["credential_type"]]["inputs"]["fields"]
            shown["inputs"] |= {
                part["id"]: ENCRYPTED for part in fields if part.get("secret") and part["id"] in item["inputs"]
            }
        if item.get("unified_job_template"):
            other = next(name for name in UNIFIED if item["unified_job_template"] in self.objects[name])
            related["unified_job_template"] = f"/api/v2/{other}/{item['unified_job_template']}/"
        return {**shown, "related": related, "summary_fields": summary}

    def listed(self, kind: str, only: list[int] | None, query: dict[str, str], path: str) -> dict[str, Any]:
        # AWX does not list the templates of approvals.
        kinds = UNIFIED[:-1] if kind == "unified_job_templates" else (kind,)
        found = [
            self.shown(name, item)
            for name in kinds
            for item in self.objects[name].values()
            if only is None or item["id"] in only
        ]
        page = int(query.pop("page", 1))
        either = {key[4:]: value for key, value in query.items() if key.startswith("or__")}
        for key, value in query.items():
            if not key.startswith("or__"):
                found = [item for item in found if str(item[key]) == value]
        if either:
            found = [item for item in found if any(str(item[key]) == value for key, value in either.items())]
        after = f"{path}?{urlencode({**query, 'page': page + 1})}" if page * PAGE < len(found) else None
        return {"count": len(found), "next": after, "previous": None, "results": found[(page - 1) * PAGE : page * PAGE]}

    # Writing

    def save(self, kind: str, item: dict[str, Any], given: dict[str, Any]) -> dict[str, Any]:
        """Create or change an object. Unknown fields are ignored, and null instead of text is stored as empty text."""
        _type, fields, refers, unique = MODELS[kind]
        old = deepcopy(item)
        for name, default in fields.items():
            value = given.get(name, item.get(name, default))
            item[name] = default if value is None else deepcopy(value)
        for name, other in refers.items():
            item[name] = given.get(name, item.get(name))
            if item[name] is not None and not any(
                item[name] in self.objects[part] for part in (UNIFIED if other == "unified_job_templates" else (other,))
            ):
                raise Refused(400, {name: [f"Invalid pk {item[name]!r} - object does not exist."]})
        if kind == "projects":
            item.setdefault("scm_revision", "")
            item.setdefault("playbook_files", [])
        check = getattr(self, f"check_{kind}", None)
        if check:
            check(item, old)
        shown = self.shown(kind, {"id": 0, **item})
        for other in self.objects[kind].values():
            same = self.shown(kind, other)
            if unique and other["id"] != item.get("id") and all(same[name] == shown[name] for name in unique):
                raise Refused(400, {"__all__": [f"{kind} with this {', '.join(unique)} already exists."]})
        if "id" not in item:
            item["id"] = self.number()
            self.objects[kind][item["id"]] = item
        if kind == "projects" and any(item[name] != old.get(name) for name in ("scm_url", "scm_branch")):
            self.update(item["id"])
        return self.shown(kind, item)

    def check_execution_environments(self, item: dict[str, Any], old: dict[str, Any]) -> None:
        if old and item["organization"] not in (None, old["organization"]):
            raise Refused(400, {"organization": ["Cannot change the organization of an execution environment"]})

    def check_credential_types(self, item: dict[str, Any], old: dict[str, Any]) -> None:
        if wrong := rules.wrong_with_credential_type(item["kind"], item["inputs"], item["injectors"]):
            raise Refused(400, {"inputs": wrong})
        for part in item["inputs"]["fields"]:
            part.setdefault("type", "string")
        if (
            old
            and old["inputs"] != item["inputs"]
            and any(other["credential_type"] == item["id"] for other in self.objects["credentials"].values())
        ):
            raise Refused(
                403, {"detail": "Modifications to inputs are not allowed for credential types that are in use"}
            )

    def check_job_templates(self, item: dict[str, Any], _old: dict[str, Any]) -> None:
        project = self.objects["projects"].get(item["project"])
        if project is None or item["playbook"] not in project["playbook_files"]:
            raise Refused(400, {"playbook": ["Playbook not found for project."]})
        if item["inventory"] is None:
            raise Refused(400, {"inventory": ["Job Template must provide 'inventory' or allow prompting for it."]})

    def check_workflow_job_template_nodes(self, item: dict[str, Any], _old: dict[str, Any]) -> None:
        template = self.objects["job_templates"].get(item["unified_job_template"] or 0)
        survey = {"survey_spec": self.surveys.get(item["unified_job_template"] or 0) or {"spec": []}}
        given = item["extra_data"]
        if given and (template is None or rules.accepted({**template, **survey}, given) != given):
            raise Refused(400, {"extra_data": ["Variables are not allowed on launch."]})

    def survey(self, number: int, given: dict[str, Any]) -> None:
        if wrong := rules.wrong_with_survey(given):
            raise Refused(400, {"error": "; ".join(wrong)})
        self.surveys[number] = given

    def associate(self, kind: str, number: int, name: str, given: dict[str, Any]) -> None:
        ids = self.associated.setdefault((number, name), [])
        other = given["id"]
        if given.get("disassociate"):
            ids.remove(other)
            return
        if name == "credentials":
            types = [self.objects["credentials"][one]["credential_type"] for one in ids]
            if self.objects["credentials"][other]["credential_type"] in types:
                raise Refused(400, {"error": "Cannot assign multiple credentials of one type."})
        elif number in self.behind(other):
            raise Refused(400, {"Error": "Cycle detected."})
        ids.append(other)

    def behind(self, node: int) -> set[int]:
        """Return a node and all nodes that can follow it."""
        return {node}.union(*(self.behind(other) for link in LINKS for other in self.associated.get((node, link), [])))

    # Running

    def active(self, project: int) -> list[dict[str, Any]]:
        """Return the updates of a project that have not ended. They run one after another."""
        return [update for update in self.updates.values() if update["project"] == project and not update["finished"]]

    def update(self, project: int) -> dict[str, Any]:
        number = self.number()
        url = f"/api/v2/project_updates/{number}/"
        self.updates[number] = {
            "id": number,
            "type": "project_update",
            "url": url,
            "related": {"stdout": f"{url}stdout/"},
            "project": project,
            "status": "pending",
            "failed": False,
            "finished": None,
            "event_processing_finished": False,
            "job_explanation": "",
            "scm_revision": "",
        }
        return self.updates[number]

    def advance(self, looked_at: dict[str, Any]) -> None:
        """Let time pass between two looks at an update: it waits for earlier ones of its project, runs, and ends."""
        for update in self.active(looked_at["project"]) if self.repository.outcome else []:
            if update is looked_at and update["status"] == "pending":
                update["status"] = "running"
                return
            update["status"] = self.repository.outcome
            update["failed"] = update["status"] != "successful"
            update["finished"] = "2026-11-26T12:00:00Z"
            update["event_processing_finished"] = True
            if update["failed"]:
                update["job_explanation"] = self.repository.explanation
            else:
                update["scm_revision"] = self.repository.revision
                self.objects["projects"][update["project"]] |= {
                    "scm_revision": self.repository.revision,
                    "playbook_files": sorted(self.repository.playbooks),
                }

    def launch(self, workflow: int, given: dict[str, Any]) -> dict[str, Any]:
        """Start a workflow, which then waits for its approval."""
        answers = given.get("extra_vars", {})
        wrong = [
            reason
            for question in self.surveys[workflow]["spec"]
            for reason in rules.wrong_with_answer(question, answers)
        ]
        if wrong:
            raise Refused(400, {"variables_needed_to_start": wrong})
        blocked = not self.objects["workflow_job_templates"][workflow]["allow_simultaneous"] and any(
            job["workflow_job_template"] == workflow for job in self.launched.values()
        )
        number = self.number()
        self.launched[number] = {
            "id": number,
            "workflow_job_template": workflow,
            "status": "pending" if blocked else "running",
        }
        return self.launched[number]

    # Requests

    def handle(self, method: str, path: str, query: dict[str, str], given: dict[str, Any]) -> tuple[int, Any]:
        parts = path.strip("/").split("/")[2:]
        if method in ("POST", "PATCH") and parts[0] != "tokens":
            self.changes.append(f"{method} {path}")
        if method == "GET":
            self.reads.append(path)
        match [method, *parts]:
            case ["POST", "tokens"]:
                number = self.number()
                self.tokens[number] = f"token-of-awx-{number}"
                return 201, {
                    "id": number,
                    "type": "o_auth2_access_token",
                    "url": f"/api/v2/tokens/{number}/",
                    "token": self.tokens[number],
                }
            case ["DELETE", "tokens", number]:
                del self.tokens[int(number)]
                return 204, None
            case ["GET", "project_updates", number]:
                self.advance(self.updates[int(number)])
                return 200, self.updates[int(number)]
            case ["GET", "project_updates", number, "stdout"]:
                # Without the format, AWX sends HTML.
                if query != {"format": "json"}:
                    raise Refused(406, {"detail": "The stub sends only JSON."})
                # No one would expect AWX to show credentials, which is why the playbook has to look for them.
                echo = f"\r\nERROR: {PASSWORD} {' '.join(self.tokens.values())}"
                return 200, {"range": {"start": 0}, "content": self.repository.output + echo}
            case ["POST", "projects", number, "update"] if int(number) in self.objects["projects"]:
                return 202, {"project_update": (update := self.update(int(number)))["id"], **update}
            case ["POST", "workflow_job_templates", number, "launch"] if int(number) in self.surveys:
                return 201, self.launch(int(number), given)
            case ["GET", "unified_job_templates"]:
                return 200, self.listed("unified_job_templates", None, query, path)
            case [_, kind, *_] if kind not in MODELS:
                raise Refused(404, {"detail": "Not found."})
            case ["GET", kind]:
                return 200, self.listed(kind, None, query, path)
            case ["POST", kind] if kind not in ("workflow_approval_templates", "organizations"):
                return 201, self.save(kind, {}, given)
            case [_, kind, number, *_] if int(number) not in self.objects[kind]:
                raise Refused(404, {"detail": "Not found."})
            case ["GET", kind, number]:
                return 200, self.shown(kind, self.objects[kind][int(number)])
            case ["PATCH", kind, number]:
                changed = deepcopy(self.objects[kind][int(number)])
                shown = self.save(kind, changed, given)
                self.objects[kind][int(number)] = changed
                return 200, shown
            case ["GET", "job_templates" | "workflow_job_templates", number, "survey_spec"]:
                return 200, self.surveys.get(int(number), {})
            case ["POST", "job_templates" | "workflow_job_templates", number, "survey_spec"]:
                self.survey(int(number), given)
                return 200, None
            case ["POST", "workflow_job_template_nodes", number, "create_approval_template"]:
                made = self.save("workflow_approval_templates", {}, given)
                self.objects["workflow_job_template_nodes"][int(number)]["unified_job_template"] = made["id"]
                return 201, made
            case [_, ("job_templates" | "workflow_job_template_nodes") as kind, number, name] if (
                name == "credentials" or (name in LINKS and kind == "workflow_job_template_nodes")
            ):
                if method == "GET":
                    target = "credentials" if name == "credentials" else kind
                    return 200, self.listed(target, self.associated.get((int(number), name), []), query, path)
                self.associate(kind, int(number), name, given)
                return 204, None
        raise Refused(405, {"detail": f'Method "{method}" not allowed.'})

    def knows(self, authorization: str) -> bool:
        basic = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        return authorization == basic or authorization in {f"Bearer {token}" for token in self.tokens.values()}


class Server(ThreadingHTTPServer):
    daemon_threads = True
    awx: Awx
    lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    server: Server

    def respond(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            if not self.server.awx.knows(self.headers.get("Authorization", "")):
                raise Refused(401, {"detail": "Authentication credentials were not provided."})
            # The end of the path must be right: AWX redirects without it, and a redirected POST loses its body.
            if not address.path.startswith("/api/v2/") or not address.path.endswith("/"):
                raise Refused(404, {"detail": "Not found."})
            with self.server.lock:
                status, result = self.server.awx.handle(
                    str(self.command), address.path, dict(parse_qsl(address.query)), json.loads(body or b"{}")
                )
        except Refused as refused:
            status, result = refused.status, refused.body
        text = b"" if result is None else json.dumps(result).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PATCH = do_DELETE = respond

    def log_message(self, format: str, *args: object) -> None:
        """Do not log."""


@contextmanager
def stub(repository: Repository) -> Iterator[Awx]:
    """Run a newly installed AWX while the block runs."""
    with Server(("127.0.0.1", 0), Handler) as server:
        server.awx = Awx(repository, f"http://127.0.0.1:{server.server_port}")
        for name in ("Other", "Default"):
            server.awx.save("organizations", {}, {"name": name})
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server.awx
        finally:
            server.shutdown()
            thread.join()
