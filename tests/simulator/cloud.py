# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state and behaviour of the simulated cloud, without HTTP."""

from __future__ import annotations

import base64
import os
import secrets
import string
import time
import uuid
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import yaml

START_DATA = Path(__file__).with_name("cloud.yaml")
ENGINE = "mysql-to-dws"
EXTRA_JOBS_PROJECT = "eu-west-101"
AGENCY = "drs-operator"
USER_FAILURES = 5  # in a row lock a user
KEY_FAILURES = 6  # "more than 5" lock an access key
TOKEN_BYTES = 6900  # about 9,200 characters, like real tokens
SECURITY_TOKEN_BYTES = 600
KEY_CHARACTERS = string.ascii_uppercase + string.digits
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# At this time, the binlog had the position of the examples on the API pages.
ANCHOR = datetime(2023, 9, 19, 7, 0, 0, tzinfo=timezone.utc)
ANCHOR_FILE, ANCHOR_OFFSET = 277, 805
STALE_POSITION = "mysql-bin.000001:4"
FIRST_CREATED = 1_694_400_000_000  # milliseconds; each job was created a minute after the one before it
ENDED = "RELEASE_RESOURCE_COMPLETE"
OVER = {"RELEASE_RESOURCE_STARTED", ENDED, "DELETED"}


@dataclass(frozen=True)
class Action:
    """An action on a job."""

    shown: str  # its name in the lists of available actions
    states: frozenset[str]


# The states are those from which the Terraform provider allows the action. That failed jobs can be retried and paused
# jobs can be reset is inferred from the API pages and the user guide.
ACTIONS = {
    "start": Action("START", frozenset({"WAITING_FOR_START"})),
    "stop": Action("PAUSE", frozenset({"FULL_TRANSFER_STARTED", "FULL_TRANSFER_COMPLETE", "INCRE_TRANSFER_STARTED"})),
    "restart": Action("RETRY", frozenset({"PAUSING", "FULL_TRANSFER_FAILED", "INCRE_TRANSFER_FAILED"})),
    "reset": Action("RESET", frozenset({"PAUSING", "FULL_TRANSFER_FAILED", "INCRE_TRANSFER_FAILED"})),
}
# The state to which a failed job returns when DRS resumes it by itself.
RESUMED = {"FULL_TRANSFER_FAILED": "FULL_TRANSFER_STARTED", "INCRE_TRANSFER_FAILED": "INCRE_TRANSFER_STARTED"}
REPLICATING = "INCRE_TRANSFER_STARTED"


@dataclass
class Settings:
    """The settings that a test can change."""

    collect_seconds: float = 0.3
    token_lifetime: float = 24 * 3600.0
    lock_seconds: float = 15 * 60.0
    clock_offset: float = 0.0
    unpublished: list[str] = field(default_factory=list)
    extra_jobs: int = 0
    duplicate_projects: list[str] = field(default_factory=list)
    agency: str | None = AGENCY
    action_seconds: float = 0.3
    action_status: int = 202
    refuse_v5_reads: bool = False
    unknown_jobs_v3: str = "refused"
    v3_default_engine: str | None = None


@dataclass
class Lockout:
    """Counts consecutive failures. Too many of them lock."""

    limit: int
    failures: int = 0
    until: float = 0.0

    @property
    def locked(self) -> bool:
        return time.time() < self.until

    def failed(self, seconds: float) -> None:
        self.failures += 1
        if self.failures >= self.limit:
            self.failures = 0
            self.until = time.time() + seconds

    def succeeded(self) -> None:
        self.failures = 0


@dataclass(frozen=True)
class Project:
    id: str
    name: str


@dataclass
class User:
    id: str
    name: str
    password: str
    drs: bool
    list_projects: bool = True
    enabled: bool = True
    locked: bool = False
    lockout: Lockout = field(default_factory=lambda: Lockout(USER_FAILURES))


@dataclass
class AccessKey:
    access_key: str
    secret_key: str
    user: str
    security_token: str | None = None
    expires: float | None = None
    lockout: Lockout = field(default_factory=lambda: Lockout(KEY_FAILURES))


@dataclass(frozen=True)
class Transition:
    """An action in progress, and the state in which it ends."""

    action: str
    until: float
    status: str


@dataclass
class Job:
    id: str
    name: str
    project: str
    engine_type: str
    status: str
    task_type: str
    description: str = ""
    collect: str = "success"
    offset: int = 0  # added to its positions, so that each job has different ones
    job_type: str = "sync"
    parent: str | None = None
    tags: dict[str, str] = field(default_factory=dict)
    action: str = "success"
    precheck: int = 100
    delay: int = 0
    create_time: int = FIRST_CREATED
    start_position: str | None = None
    gtid_set: str | None = None
    pause_mode: str | None = None  # of the last pause, until the job continues
    resumes_after: int | None = None
    pausable_when_failed: bool = False
    known_to_v5: bool = True
    conflict_policy: str | None = "overwrite"
    failed_reason: str | None = None
    is_open_fast_clean: bool = False
    transition: Transition | None = None

    def settle(self) -> None:
        """End an action whose time is over. Called whenever the job is read."""
        if self.transition and time.time() >= self.transition.until:
            self.status, self.transition = self.transition.status, None

    def look(self) -> None:
        """Count a look at the status of a failed job, or resume the job when it was seen often enough."""
        if self.resumes_after is None or self.status not in RESUMED:
            return
        if self.resumes_after:
            self.resumes_after -= 1
        else:
            self.status, self.resumes_after = RESUMED[self.status], None

    @property
    def available_actions(self) -> list[str]:
        """The names of the available actions. A failed pre-check does not remove RESET from the list (inferred)."""
        if self.transition:
            return []
        if self.status in OVER:
            return ["DELETE"]
        return [*(action.shown for name, action in ACTIONS.items() if self._has_state_for(name)), "FREE_RESOURCE"]

    def allows(self, name: str) -> bool:
        if name == "terminate":
            return self.status not in OVER
        return name in ACTIONS and self._has_state_for(name) and (name != "reset" or self.precheck == 100)

    def _has_state_for(self, name: str) -> bool:
        failed = name == "stop" and self.pausable_when_failed and self.status in RESUMED
        return failed or self.status in ACTIONS[name].states

    def outcome(self, name: str) -> str:
        """Return the state in which an action ends."""
        if self.action == "stuck":
            return self.status
        if self.action == "fails_later":
            return "INCRE_TRANSFER_FAILED"
        if name == "stop":
            return "PAUSING"
        full = self.status == "FULL_TRANSFER_FAILED" if name == "restart" else self.task_type != "INCR_TRANS"
        return "FULL_TRANSFER_STARTED" if full else "INCRE_TRANSFER_STARTED"


@dataclass
class Token:
    value: str
    user: User
    project: Project | None
    issued: float
    expires: float
    refusal: str | None = None  # the error code with which it is rejected after it was revoked


@dataclass
class Query:
    """A query for a position, which is pending until its time is over."""

    id: str
    job: Job
    position: str
    ready: float

    @property
    def status(self) -> str:
        return "pending" if time.time() < self.ready else self.job.collect


def position_at(moment: datetime, offset: int = 0) -> str:
    """Return the position at a time: a file per hour and a kilobyte per second, so that all times differ."""
    hours, seconds = divmod(int((moment - ANCHOR).total_seconds()), 3600)
    return f"mysql-bin.{(ANCHOR_FILE + hours) % 1_000_000:06d}:{ANCHOR_OFFSET + 1000 * seconds + offset}"


def parse_time(text: str) -> datetime:
    """Parse a time in the only format that the API documents.

    :raises ValueError: if it has another format
    """
    moment = datetime.strptime(text, TIME_FORMAT).replace(tzinfo=timezone.utc)
    if moment.strftime(TIME_FORMAT) != text:  # strptime also accepts "2023-9-19"
        raise ValueError(text)
    return moment


def created(number: int) -> int:
    return FIRST_CREATED + 60_000 * number


def extra_job(number: int, create_time: int) -> Job:
    """Return the n-th generated job (from 1)."""
    return Job(
        id=f"{number:08d}-feed-4bee-8dad-{number:07d}jb20r",
        name=f"fleet-{number:05d}",
        project=EXTRA_JOBS_PROJECT,
        engine_type=ENGINE,
        status="INCRE_TRANSFER_STARTED",
        task_type="INCR_TRANS",
        offset=number,
        tags={"fleet": "true", "shard": str(number % 10)},
        create_time=create_time,
    )


def _random_text(size: int) -> str:
    return base64.urlsafe_b64encode(os.urandom(size)).decode("ascii").rstrip("=").replace("_", "+")


class Cloud:
    """Everything in one account, in all regions."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        data = yaml.load(START_DATA.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
        self.account = Project(**data["account"])
        self.start_projects = [Project(**item) for item in data["projects"]]
        self.users = {item["name"]: User(**item) for item in data["users"]}
        self.access_keys = {item["access_key"]: AccessKey(**item) for item in data["access_keys"]}
        self.start_jobs = [Job(**item, create_time=created(number)) for number, item in enumerate(data["jobs"])]
        self.jobs: dict[str, Job] = {}
        self.settings = Settings()
        self.tokens: dict[str, Token] = {}
        self.metadata_tokens: dict[str, float] = {}
        self.queries: dict[str, Query] = {}
        self.change_settings({})

    def change_settings(self, changes: dict[str, Any]) -> None:
        self.settings = replace(self.settings, **changes)
        duplicates = [
            Project(uuid.uuid5(uuid.NAMESPACE_URL, name).hex, name) for name in self.settings.duplicate_projects
        ]
        self.projects = [*self.start_projects, *duplicates]
        extra = [
            extra_job(number, created(len(self.start_jobs) + number))
            for number in range(1, self.settings.extra_jobs + 1)
        ]
        known = self.jobs
        self.jobs = {job.id: known.get(job.id, job) for job in [*self.start_jobs, *extra]}

    def now(self) -> float:
        """Return the time of the cloud's clock."""
        return time.time() + self.settings.clock_offset

    def find_project(self, *, id: str | None = None, name: str | None = None) -> Project | None:
        return next((p for p in self.projects if (p.id == id if id else p.name == name)), None)

    def find_job(self, project_id: str, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        project = job and self.find_project(name=job.project)
        if job is None or project is None or project.id != project_id:
            return None
        job.settle()
        return job

    def find_jobs(self, project_id: str, job_type: str) -> list[Job]:
        """Return the jobs in the order of their creation."""
        names = {project.name for project in self.start_projects if project.id == project_id}
        found = [job for job in self.jobs.values() if job.project in names and job.job_type == job_type]
        for job in found:
            job.settle()
        return found

    def act(self, job: Job, name: str, pause_mode: str | None = None) -> None:
        """Start an action that the job allows."""
        if name == "terminate":
            job.status, job.transition = ENDED, None
            return
        job.pause_mode = pause_mode
        job.transition = Transition(ACTIONS[name].shown, time.time() + self.settings.action_seconds, job.outcome(name))
        if name != "stop" and job.action != "stuck":
            job.status = "STARTJOBING"

    def change_job(self, job: Job, changes: dict[str, Any]) -> None:
        """Change a job, even in ways that are impossible for a real job."""
        if "status" in changes:
            job.transition = None
        for name, value in changes.items():
            setattr(job, name, value)

    def issue_token(self, user: User, project: Project | None) -> Token:
        now = self.now()
        value = "MII" + _random_text(TOKEN_BYTES)
        token = Token(value, user, project, now, now + self.settings.token_lifetime)
        self.tokens[value] = token
        return token

    def revoke_tokens(self, refusal: str) -> None:
        for token in self.tokens.values():
            token.refusal = refusal

    def issue_access_key(self, user: User) -> AccessKey:
        """Issue a temporary access key."""
        name, secret = (
            "".join(secrets.choice(characters) for _position in range(length))
            for characters, length in ((KEY_CHARACTERS, 20), (string.ascii_letters, 40))
        )
        expires = self.now() + self.settings.token_lifetime
        key = AccessKey(name, secret, user.name, "gQ" + _random_text(SECURITY_TOKEN_BYTES), expires)
        self.access_keys[name] = key
        return key

    def issue_metadata_token(self, seconds: int) -> str:
        value = _random_text(40)
        self.metadata_tokens[value] = self.now() + seconds
        return value

    def collect(self, job: Job, moment: datetime) -> Query:
        query = Query(
            str(uuid.uuid4()), job, position_at(moment, job.offset), time.time() + self.settings.collect_seconds
        )
        self.queries[query.id] = query
        return query

    def find_query(self, job: Job, query_id: str) -> Query | None:
        query = self.queries.get(query_id)
        return query if query and query.job is job else None

    def describe(self) -> dict[str, Any]:
        """Return the state of the cloud for a test."""
        return {
            "account": asdict(self.account),
            "projects": [asdict(project) for project in self.projects],
            "users": [asdict(user) for user in self.users.values()],
            "access_keys": [asdict(key) for key in self.access_keys.values()],
            "jobs": [self.describe_job(job) for job in self.jobs.values()],
            "settings": asdict(self.settings),
            "stale_position": STALE_POSITION,
        }

    def describe_job(self, job: Job) -> dict[str, Any]:
        job.settle()
        project_id = next(project.id for project in self.start_projects if project.name == job.project)
        return {**asdict(job), "project_id": project_id}
