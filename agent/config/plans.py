"""The [[plan]] tables: each key checked, nothing unknown passed over."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import cast
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from agent.config import globs
from agent.config.settings import LABELS, Dump, DumpKind, Hooks, Plan, Profile, Snapshot
from agent.config.tables import Table
from agent.platforms import SYSTEM, paths

DUMPS_FOLDER = "@dumps"
PROFILES = ("linux", "windows", "macos", "none")
SNAPSHOTS = ("auto", "required", "off")
DUMP_KINDS = ("postgresql", "mysql", "sqlite", "command")
MOST_RECIPIENTS = 100
MOST_PATTERNS = 9_900  # with the shipped list, no more than the server takes
# What every mail server takes: no quotes, no comments, a domain of letters with dots.
_LABEL = r"(?!\d+$)[^\W_](?:(?:[^\W_]|-){0,61}[^\W_])?"
_ADDRESS = re.compile(
    r"(?!\.)(?!.*\.[.@])[^\s@<>()\[\],;:\"\\\x00-\x1f\x7f]{1,64}"
    rf"@(?:{_LABEL}\.)+{_LABEL}"
)
_DUMP_NAME = re.compile(r"[^\W_][\w .-]{0,99}")


def read_plans(table: Table) -> Iterator[Plan]:
    """The plans of a file; what is wrong is noted in the table's faults."""
    for plan in table.tables("plan"):
        yield _plan(plan)


def _plan(table: Table) -> Plan:
    exclude_files = tuple(table.resolve(text) for text in table.texts("exclude_files"))
    plan = Plan(
        name=_name(table),
        folders=_folders(table),
        exclude=_patterns(table, exclude_files),
        schedule=_schedule(table),
        timezone=_timezone(table),
        recipients=_recipients(table),
        reports=table.switch("reports", True),
        exclude_files=exclude_files,
        profile=cast("Profile", table.choice("profile", PROFILES) or SYSTEM),
        exclude_caches=table.switch("exclude_caches", True),
        exclude_if_present=_file_names(table, "exclude_if_present", (".nobackup",)),
        exclude_attributes=table.texts("exclude_attributes", LABELS),
        one_file_system=table.switch("one_file_system", False),
        snapshot=_snapshot(table),
        max_file_size_bytes=table.size("max_file_size"),
        min_files=table.number("min_files", 0, 10**12),
        min_size_bytes=table.size("min_size"),
        ping_url=table.url("ping_url"),
        dumps=_dumps(table),
        hooks=_hooks(table.table("hooks")),
        file=table.file,
    )
    table.check_nothing_left()
    if not plan.folders and not plan.dumps:
        table.fault(
            "folders", "is missing or empty. List the folders to copy, or add a [[plan.dump]]."
        )
    return plan


def _name(table: Table) -> str:
    name = table.required("name")
    if len(name) > 100 or not name.isprintable() or "/" in name or name in (".", ".."):
        table.fault("name", f"{name!r} must be at most 100 printable characters without /.")
    return name


def _folders(table: Table) -> tuple[str, ...]:
    cleaned = []
    for folder in table.texts("folders"):
        try:
            path = paths.plan_folder(os.path.expanduser(folder), SYSTEM)
        except ValueError as error:
            table.fault("folders", f"holds {folder!r}, {error}.")
            path = "/"
        if path.split("/")[1] == DUMPS_FOLDER:
            table.fault(
                "folders",
                f"holds {folder!r}, but {DUMPS_FOLDER} is where a plan's dumps are kept. "
                "Rename the folder.",
            )
        cleaned.append(path)
    return tuple(dict.fromkeys(cleaned))


def _patterns(table: Table, files: tuple[Path, ...]) -> tuple[str, ...]:
    patterns = list(table.texts("exclude"))
    for file in files:
        try:
            # As git takes lines apart: other ends of lines than these may be part of a name.
            lines = file.read_bytes().decode("utf-8-sig").replace("\r\n", "\n").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            table.fault("exclude_files", f"names {file}, which can't be read: {reason}.")
            continue
        patterns += [line for line in lines if line.strip() and not line.startswith("#")]
    if len(patterns) > MOST_PATTERNS:
        table.fault("exclude", f"has {len(patterns)} patterns; at most {MOST_PATTERNS} are taken.")
    for pattern in patterns:
        try:
            globs.glob_of(pattern.encode())
        except globs.MatchesNothing as error:
            table.fault("exclude", f"holds {pattern!r}, which would match nothing: {error}.")
    return tuple(patterns)


def _schedule(table: Table) -> str:
    schedule = table.text("schedule") or "0 2 * * *"
    try:
        CronSim(schedule, datetime(2026, 1, 1))  # noqa: DTZ001 - asks only if it can be read
        is_cron = len(schedule.split()) == 5
    except CronSimError:
        is_cron = False
    if not is_cron:
        table.fault(
            "schedule",
            f"must be a cron expression of five fields such as '30 1 * * *', and is {schedule!r}.",
        )
    return schedule


def _timezone(table: Table) -> str:
    name = table.text("timezone") or "Europe/Paris"
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        table.fault("timezone", f"{name!r} is no time zone. Write one like Europe/Paris.")
    return name


def _recipients(table: Table) -> tuple[str, ...]:
    recipients = table.texts("recipients")
    for recipient in recipients:
        if not _ADDRESS.fullmatch(recipient) or len(recipient) > 254:
            table.fault("recipients", f"holds {recipient!r}, which is no mail address.")
    if len(recipients) > MOST_RECIPIENTS:
        table.fault("recipients", f"holds more than {MOST_RECIPIENTS} addresses.")
    return recipients


def _snapshot(table: Table) -> Snapshot:
    chosen = table.choice("snapshot", SNAPSHOTS) or "auto"
    if chosen == "required" and SYSTEM == "macos":
        table.fault("snapshot", "can't be required here: none are taken on a Mac.")
    return cast("Snapshot", chosen)


def _file_names(table: Table, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
    names = table.texts(key, default)
    for name in names:
        if "/" in name or "\\" in name or name in (".", ".."):
            table.fault(key, f"holds {name!r}: write the name of a file, not a path.")
    return names


def _dumps(table: Table) -> tuple[Dump, ...]:
    dumps: list[Dump] = []
    for each in table.tables("dump"):
        dump = _dump(each)
        if any(dump.name.casefold() == other.name.casefold() for other in dumps):
            each.fault("name", "is there twice. Give each dump of a plan its own name.")
        dumps.append(dump)
    if len(dumps) > 100:
        table.fault("dump", "is there more than 100 times. Spread the dumps over several plans.")
    return tuple(dumps)


def _dump(table: Table) -> Dump:
    name = table.required("name")
    if name and not _DUMP_NAME.fullmatch(name):
        table.fault(
            "name", f"{name!r} must be a file's name of letters, digits, spaces, dots and dashes."
        )
    if not table.has("type"):
        table.fault("type", f"is missing. Write one of {', '.join(DUMP_KINDS)}.")
    kind = table.choice("type", DUMP_KINDS)
    timeout, size = table.duration("timeout", 7200), table.size("min_size")
    dump = Dump(
        name=name,
        kind=cast("DumpKind", kind or "command"),
        timeout_seconds=timeout,
        min_size_bytes=1 if size is None else size,
        **_of_kind(table, kind),  # type: ignore[arg-type]
    )
    if kind is not None:
        table.check_nothing_left()
    return dump


def _of_kind(table: Table, kind: str | None) -> dict[str, object]:
    """The keys that only some kinds of dump have."""
    if kind in ("postgresql", "mysql"):
        keys: dict[str, object] = {
            "database": table.required("database"),
            "host": table.text("host"),
            "port": table.number("port", 1, 65535),
            "user": table.text("user"),
            "password_file": table.path("password_file"),
        }
        if kind == "postgresql":
            keys["format"] = table.choice("format", ("plain", "custom")) or "plain"
        return keys
    if kind == "sqlite":
        return {"path": table.resolve(table.required("path"))}
    if kind == "command":
        command = table.program("command")
        if not command:
            table.fault("command", 'is missing. Write the program as in ["/usr/bin/dump", "all"].')
        return {"command": command, "end_mark": table.text("end_mark")}
    return {}


def _hooks(table: Table | None) -> Hooks:
    if table is None:
        return Hooks()
    hooks = Hooks(
        before=table.program("before"),
        after=table.program("after"),
        on_error=table.program("on_error"),
        timeout_seconds=table.duration("timeout", 600),
    )
    table.check_nothing_left()
    return hooks
