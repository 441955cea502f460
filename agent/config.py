"""The configuration: one TOML file, checked as a whole before anything is done."""

from __future__ import annotations

import hashlib
import json
import os
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from agent.failures import UsageError

SYSTEM_FILE = Path("/etc/coffre-agent/config.toml")
T = TypeVar("T")


@dataclass(frozen=True)
class Plan:
    """What is copied, how often, and who reads the reports."""

    name: str
    folders: tuple[str, ...]
    exclude: tuple[str, ...]
    schedule: str
    timezone: str
    recipients: tuple[str, ...]
    reports: bool

    def declaration(self) -> dict[str, Any]:
        """The plan as the server is told of it."""
        return {
            "folders": list(self.folders),
            "exclude": list(self.exclude),
            "schedule": self.schedule,
            "timezone": self.timezone,
            "dumps": [],
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
    ca_file: Path | None = None
    patience_seconds: float = 900
    plans: tuple[Plan, ...] = field(default=())

    def plan(self, name: str) -> Plan:
        """The plan of that name; UsageError naming those that exist."""
        for plan in self.plans:
            if plan.name == name:
                return plan
        known = ", ".join(plan.name for plan in self.plans) or "none"
        raise UsageError(f"{self.file} has no plan {name!r}. Plans there: {known}.")


def find_file(given: Path | None) -> Path:
    """The configuration to read: the one given, else the system's, else the user's."""
    if given is not None:
        return given
    from platformdirs import user_config_path  # noqa: PLC0415 - costs start-up time

    places = (SYSTEM_FILE, user_config_path("coffre-agent") / "config.toml")
    for place in places:
        if place.is_file():
            return place
    raise UsageError(
        f"No configuration was found at {places[0]} or {places[1]}. "
        "Write one there, or name it with --config FILE."
    )


def load(file: Path) -> Config:
    """Read and check a configuration; UsageError says which file, which key, and what to do."""
    try:
        with file.open("rb") as opened:
            document = tomllib.load(opened)
    except OSError as error:
        raise UsageError(f"{file} can't be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error
    table = _Table(file, document, "")
    base = file.absolute().parent
    config = Config(
        file=file,
        server=table.optional("server", str),
        token_file=base / os.path.expanduser(table.required("token_file", str)),
        state_dir=base / os.path.expanduser(table.required("state_dir", str)),
        ca_file=_path(base, table.optional("ca_file", str)),
        patience_seconds=_patience(table),
        plans=tuple(_plans(table)),
    )
    table.check_nothing_left()
    return config


class _Table:
    """A table of the file whose keys are taken one by one."""

    def __init__(self, file: Path, values: dict[str, Any], place: str) -> None:
        self.file, self.place = file, place
        self._left = dict(values)

    def fault(self, key: str, sentence: str) -> UsageError:
        return UsageError(f"{self.file}: {self.place}{key} {sentence}")

    def required(self, key: str, kind: type[T]) -> T:
        value = self.optional(key, kind)
        if value is None or value == "":
            raise self.fault(key, "is missing. Add it.")
        return value

    def optional(self, key: str, kind: type[T]) -> T | None:
        value = self._left.pop(key, None)
        if value is None:
            return None
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise self.fault(key, f"must be {_KINDS[kind]}, and is {value!r}.")
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        values = self.optional(key, list) or []
        for value in values:
            if not isinstance(value, str) or not value.strip():
                raise self.fault(key, f"must be a list of texts, and holds {value!r}.")
        return tuple(values)

    def check_nothing_left(self) -> None:
        for key in self._left:
            raise self.fault(key, "is no key that coffre-agent knows. Correct or remove it.")


_KINDS: dict[type, str] = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    list: "a list",
}


def _path(base: Path, text: str | None) -> Path | None:
    return None if text is None else base / os.path.expanduser(text)


def _patience(table: _Table) -> float:
    seconds = table.optional("patience_seconds", int)
    if seconds is not None and seconds < 0:
        raise table.fault("patience_seconds", "must not be negative.")
    return 900 if seconds is None else seconds


def _plans(table: _Table) -> list[Plan]:
    plans: list[Plan] = []
    for number, values in enumerate(table.optional("plan", list) or [], start=1):
        if not isinstance(values, dict):
            raise table.fault("plan", "must be written as [[plan]] tables.")
        plan = _plan(_Table(table.file, values, f"[[plan]] number {number}: "))
        if any(other.name == plan.name for other in plans):
            raise table.fault("plan", f"{plan.name!r} is there twice. Give each its own name.")
        plans.append(plan)
    return plans


def _plan(table: _Table) -> Plan:
    plan = Plan(
        name=_name(table),
        folders=_folders(table),
        exclude=table.texts("exclude"),
        schedule=table.optional("schedule", str) or "0 2 * * *",
        timezone=_timezone(table),
        recipients=table.texts("recipients"),
        reports=table.optional("reports", bool) is not False,
    )
    fields = plan.schedule.split()
    if len(fields) != 5:
        raise table.fault(
            "schedule", f"must be a cron expression of five fields, and is {plan.schedule!r}."
        )
    for recipient in plan.recipients:
        if recipient.count("@") != 1 or recipient.strip() != recipient or " " in recipient:
            raise table.fault("recipients", f"holds {recipient!r}, which is no mail address.")
    table.check_nothing_left()
    return plan


def _name(table: _Table) -> str:
    name = table.required("name", str)
    if len(name) > 100 or not name.isprintable() or "/" in name or name in (".", ".."):
        raise table.fault("name", f"{name!r} must be at most 100 printable characters without /.")
    return name


def _folders(table: _Table) -> tuple[str, ...]:
    folders = table.texts("folders")
    if not folders:
        raise table.fault("folders", "is missing or empty. List the folders to copy.")
    cleaned = []
    for folder in folders:
        expanded = os.path.expanduser(folder)
        if not os.path.isabs(expanded):
            raise table.fault("folders", f"holds {folder!r}, which is no absolute path.")
        cleaned.append("/" + os.path.normpath(expanded).lstrip("/"))
    return tuple(dict.fromkeys(cleaned))


def _timezone(table: _Table) -> str:
    name = table.optional("timezone", str)
    if name is None:
        return "Europe/Paris"
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        sentence = f"{name!r} is no time zone. Write one like Europe/Paris."
        raise table.fault("timezone", sentence) from error
    return name
