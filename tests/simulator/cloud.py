# Copyright (c) huaweicloud.drs contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The state of the simulated cloud, and how it behaves: it knows nothing of HTTP."""

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
TOKEN_BYTES = 6900  # about 9,200 characters: real tokens are that long
SECURITY_TOKEN_BYTES = 600
KEY_CHARACTERS = string.ascii_uppercase + string.digits
TIME_FORMAT = "%Y-%m-%dT%H:%M:%SZ"
# At this instant the binlog stood where the API pages' examples say it did.
ANCHOR = datetime(2023, 9, 19, 7, 0, 0, tzinfo=timezone.utc)
ANCHOR_FILE, ANCHOR_OFFSET = 277, 805
STALE_POSITION = "mysql-bin.000001:4"


@dataclass
class Settings:
    """What a test may change."""

    collect_seconds: float = 0.3
    token_lifetime: float = 24 * 3600.0
    lock_seconds: float = 15 * 60.0
    clock_offset: float = 0.0
    unpublished: list[str] = field(default_factory=list)
    extra_jobs: int = 0
    duplicate_projects: list[str] = field(default_factory=list)
    agency: str | None = AGENCY


@dataclass
class Lockout:
    """Counts refusals in a row; too many of them lock."""

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
    offset: int = 0  # added to its positions, so that those of many jobs differ


@dataclass
class Token:
    value: str
    user: User
    project: Project | None
    issued: float
    expires: float
    refusal: str | None = None  # the code of how it is refused, once it is revoked


@dataclass
class Query:
    """One collection of a position: pending until its time has come."""

    id: str
    job: Job
    position: str
    ready: float

    @property
    def status(self) -> str:
        return "pending" if time.time() < self.ready else self.job.collect


def position_at(moment: datetime, offset: int = 0) -> str:
    """Where the binlog stood: a file an hour, a kilobyte a second, so that different times have different positions."""
    hours, seconds = divmod(int((moment - ANCHOR).total_seconds()), 3600)
    return f"mysql-bin.{(ANCHOR_FILE + hours) % 1_000_000:06d}:{ANCHOR_OFFSET + 1000 * seconds + offset}"


def parse_time(text: str) -> datetime:
    """Read a time in the only form that the API documents; ValueError otherwise."""
    moment = datetime.strptime(text, TIME_FORMAT).replace(tzinfo=timezone.utc)
    if moment.strftime(TIME_FORMAT) != text:  # strptime takes "2023-9-19" as well
        raise ValueError(text)
    return moment


def extra_job_id(number: int) -> str:
    """The id of the n-th generated job (from 1)."""
    return f"{number:08d}-feed-4bee-8dad-{number:07d}jb20r"


def _random_text(size: int) -> str:
    return base64.urlsafe_b64encode(os.urandom(size)).decode("ascii").rstrip("=").replace("_", "+")


class Cloud:
    """Everything there is in one account, over all its regions."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        data = yaml.safe_load(START_DATA.read_text(encoding="utf-8"))
        self.account = Project(**data["account"])
        self.start_projects = [Project(**item) for item in data["projects"]]
        self.users = {item["name"]: User(**item) for item in data["users"]}
        self.access_keys = {item["access_key"]: AccessKey(**item) for item in data["access_keys"]}
        self.start_jobs = [Job(**item) for item in data["jobs"]]
        self.jobs: dict[str, Job] = {}
        self.settings = Settings()
        self.tokens: dict[str, Token] = {}
        self.metadata_tokens: dict[str, float] = {}
        self.queries: dict[str, Query] = {}
        self.change_settings({})

    def change_settings(self, changes: dict[str, Any]) -> None:
        self.settings = replace(self.settings, **changes)
        duplicates = [Project(uuid.uuid5(uuid.NAMESPACE_URL, name).hex, name) for name in self.settings.duplicate_projects]
        self.projects = [*self.start_projects, *duplicates]
        extra = [
            Job(extra_job_id(n), f"fleet-{n:05d}", EXTRA_JOBS_PROJECT, ENGINE, "INCRE_TRANSFER_STARTED", "FULL_INCR_TRANS", offset=n)
            for n in range(1, self.settings.extra_jobs + 1)
        ]
        known = self.jobs
        self.jobs = {job.id: known.get(job.id, job) for job in [*self.start_jobs, *extra]}

    def now(self) -> float:
        """What the cloud's clock says."""
        return time.time() + self.settings.clock_offset

    def find_project(self, *, id: str | None = None, name: str | None = None) -> Project | None:
        return next((p for p in self.projects if (p.id == id if id else p.name == name)), None)

    def find_job(self, project_id: str, job_id: str) -> Job | None:
        job = self.jobs.get(job_id)
        project = job and self.find_project(name=job.project)
        return job if project and project.id == project_id else None

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
        """A temporary one."""
        name, secret = (
            "".join(secrets.choice(characters) for _position in range(length)) for characters, length in ((KEY_CHARACTERS, 20), (string.ascii_letters, 40))
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
        query = Query(str(uuid.uuid4()), job, position_at(moment, job.offset), time.time() + self.settings.collect_seconds)
        self.queries[query.id] = query
        return query

    def find_query(self, job: Job, query_id: str) -> Query | None:
        query = self.queries.get(query_id)
        return query if query and query.job is job else None

    def describe(self) -> dict[str, Any]:
        """What a test needs to know."""
        project_ids = {project.name: project.id for project in self.start_projects}
        return {
            "account": asdict(self.account),
            "projects": [asdict(project) for project in self.projects],
            "users": [asdict(user) for user in self.users.values()],
            "access_keys": [asdict(key) for key in self.access_keys.values()],
            "jobs": [{**asdict(job), "project_id": project_ids[job.project]} for job in self.jobs.values()],
            "settings": asdict(self.settings),
            "stale_position": STALE_POSITION,
        }
