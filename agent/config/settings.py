"""What a configuration says, once it was checked."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from agent.telling.failures import UsageError

DumpKind = Literal["postgresql", "mysql", "sqlite", "command"]
Profile = Literal["linux", "windows", "macos", "none"]
Snapshot = Literal["auto", "required", "off"]


@dataclass(frozen=True)
class Dump:
    """A database dump, or the output of any program, that a plan keeps as a file.

    kind: the key `type` of the file.
    command: the program and its arguments, for the kind `command`.
    path: the database file, for the kind `sqlite`.
    end_mark: text that must stand near the end of a command's output.
    min_size_bytes: less than that is no plausible dump.
    """

    name: str
    kind: DumpKind
    database: str | None = None
    host: str | None = None
    port: int | None = None
    user: str | None = None
    password_file: Path | None = None
    path: Path | None = None
    command: tuple[str, ...] = ()
    format: Literal["plain", "custom"] = "plain"
    timeout_seconds: float = 7200
    min_size_bytes: int = 1
    end_mark: str | None = None


@dataclass(frozen=True)
class Hooks:
    """Programs around a run, each with its arguments; empty where there is none."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    on_error: tuple[str, ...] = ()
    timeout_seconds: float = 600


@dataclass(frozen=True)
class BandwidthHours:
    """A limit of its own for some hours of some days, in the machine's local time.

    Minutes are counted from midnight; hours that end before they begin go on past midnight.
    days: 0 is Monday; the day on which the hours begin.
    limit_bytes: per second; None for no limit.
    """

    from_minute: int
    to_minute: int
    days: frozenset[int]
    limit_bytes: int | None

    def covers(self, moment: datetime) -> bool:
        """Is a local time within these hours?"""
        minute, day = moment.hour * 60 + moment.minute, moment.weekday()
        if self.from_minute < self.to_minute:
            return day in self.days and self.from_minute <= minute < self.to_minute
        if minute >= self.from_minute:
            return day in self.days
        return minute < self.to_minute and (day - 1) % 7 in self.days


@dataclass(frozen=True)
class Bandwidth:
    """How much may be sent per second, and when."""

    limit_bytes: int | None = None
    hours: tuple[BandwidthHours, ...] = ()

    def limit_at(self, moment: datetime) -> int | None:
        """Bytes per second at a local time, None for no limit; the first hours that cover it."""
        for hours in self.hours:
            if hours.covers(moment):
                return hours.limit_bytes
        return self.limit_bytes


LABELS = ("security.selinux",)
"""Attributes that a system gives by its own rules, and another by others."""


@dataclass(frozen=True)
class Plan:
    """What is copied, how often, and who reads the reports.

    exclude: gitignore patterns, those of the exclude files included, the shipped list not.
    exclude_attributes: patterns of extended attributes that are not copied.
    snapshot: are the folders read from a snapshot of their file system?
    min_files, min_size_bytes: less than that found makes the run fail; None for no such check.
    """

    name: str
    folders: tuple[str, ...]
    exclude: tuple[str, ...]
    schedule: str
    timezone: str
    recipients: tuple[str, ...]
    reports: bool
    exclude_files: tuple[Path, ...] = ()
    profile: Profile = "none"
    exclude_caches: bool = True
    exclude_if_present: tuple[str, ...] = (".nobackup",)
    exclude_attributes: tuple[str, ...] = LABELS
    one_file_system: bool = False
    snapshot: Snapshot = "auto"
    max_file_size_bytes: int | None = None
    min_files: int | None = None
    min_size_bytes: int | None = None
    ping_url: str | None = None
    dumps: tuple[Dump, ...] = ()
    hooks: Hooks = Hooks()
    file: Path | None = None

    def declaration(self) -> dict[str, Any]:
        """The plan as the server is told of it; the exclusions with the shipped list."""
        from agent.config.shipped import lines_of  # noqa: PLC0415 - imports us

        return {
            "folders": list(self.folders),
            "exclude": [*lines_of(self.profile), *self.exclude],
            "schedule": self.schedule,
            "timezone": self.timezone,
            "dumps": [dump.name for dump in self.dumps],
            "recipients": list(self.recipients),
            "reports": self.reports,
        }

    def declaration_sha256(self) -> str:
        """Changes whenever the server must be told again."""
        return hashlib.sha256(json.dumps(self.declaration(), sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True)
class Config:
    """Where the server is, where we keep our own things, and the plans."""

    file: Path
    server: str | None
    token_file: Path
    state_dir: Path
    portal: str | None = None
    email: str | None = None
    ca_file: Path | None = None
    proxy: str | None = None
    patience_seconds: float = 900
    ping_url: str | None = None
    bandwidth: Bandwidth = Bandwidth()
    plans: tuple[Plan, ...] = field(default=())

    def plan(self, name: str) -> Plan:
        """The plan of that name; UsageError naming those that exist."""
        for plan in self.plans:
            if plan.name == name:
                return plan
        known = ", ".join(plan.name for plan in self.plans) or "none"
        raise UsageError(f"{self.file} has no plan {name!r}. Plans there: {known}.")

    def ping_url_of(self, plan: Plan) -> str | None:
        """Where a plan's runs are told to a monitoring service: its own address, else ours."""
        return plan.ping_url or self.ping_url
