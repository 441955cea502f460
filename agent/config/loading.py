"""Finding and reading the configuration: one file, and the plans in conf.d beside it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from agent.config import texts
from agent.config.addresses import proxy_of, server_of
from agent.config.plans import read_plans
from agent.config.settings import Bandwidth, BandwidthHours, Config, Plan
from agent.config.tables import Table
from agent.platforms import places
from agent.platforms.places import user_places
from agent.telling.failures import UsageError

PLANS_FOLDER = "conf.d"
_ALL_DAYS = frozenset(range(7))


class ConfigurationWrong(UsageError):
    """All that is wrong with a configuration, one sentence a fault."""

    def __init__(self, faults: list[str]) -> None:
        self.faults = faults
        super().__init__("\n".join(faults))


def find_file(given: Path | None) -> Path:
    """The configuration to read: the one given, else the system's, else the user's."""
    if given is not None:
        return given
    machines_own = Path(places().config_file)
    if machines_own.is_file():
        return machines_own
    users_own = Path(user_places().config_file)
    if users_own.is_file():
        return users_own
    raise UsageError(
        f"No configuration was found at {machines_own} or {users_own}. "
        "Write one there (`coffre-agent config generate` helps), or name it with --config FILE."
    )


def load(file: Path) -> Config:
    """Read and check a configuration; ConfigurationWrong tells all faults, each with its cure."""
    faults: list[str] = []
    document = _read(file, faults)
    if document is None:
        raise ConfigurationWrong(faults)
    table = Table(file, document, "", faults)
    token_file, state_dir = table.required("token_file"), table.required("state_dir")
    config = Config(
        file=file,
        server=table.url("server", server_of),
        token_file=table.resolve(token_file),
        state_dir=table.resolve(state_dir),
        portal=table.url("portal", server_of),
        email=table.text("email"),
        ca_file=table.path("ca_file"),
        proxy=_proxy(table),
        patience_seconds=table.duration("patience", 900),
        ping_url=table.url("ping_url"),
        bandwidth=_bandwidth(table.table("bandwidth")),
        plans=tuple(_all_plans(table, faults)),
    )
    table.check_nothing_left()
    if faults:
        raise ConfigurationWrong(faults)
    return config


def _proxy(table: Table) -> str | None:
    text = table.text("proxy")
    if text is None or text == "none":
        return text
    try:
        proxy_of(text)
    except ValueError as error:
        # It may hold a password.
        table.fault("proxy", f"{error}, or none.")
    return text


def _read(file: Path, faults: list[str]) -> dict[str, Any] | None:
    try:
        # Some editors of Windows begin a file with a mark that is no part of it.
        return tomllib.loads(file.read_bytes().decode("utf-8-sig"))
    except OSError as error:
        faults.append(f"{file} can't be read: {error.strerror}.")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        faults.append(f"{file} is not valid TOML: {error}.")
    return None


def _all_plans(table: Table, faults: list[str]) -> list[Plan]:
    plans = list(read_plans(table))
    for file in _plan_files(table.file):
        document = _read(file, faults)
        if document is None:
            continue
        others = Table(file, document, "", faults)
        plans += read_plans(others)
        for key in document:
            if key != "plan":
                others.fault(
                    key,
                    f"can't stand here: files in {PLANS_FOLDER} hold [[plan]] tables only. "
                    f"Move it to {table.file}.",
                )
    seen: dict[str, Plan] = {}
    for plan in plans:
        first = seen.setdefault(plan.name.casefold(), plan)
        if first is not plan and plan.name:
            elsewhere = f" (also in {first.file})" if first.file != plan.file else ""
            faults.append(
                f"{plan.file}: [[plan]] {plan.name!r} is there twice{elsewhere}. "
                "Give each its own name."
            )
    return plans


def _plan_files(file: Path) -> Iterator[Path]:
    for found in sorted((file.absolute().parent / PLANS_FOLDER).glob("*.toml")):
        if not found.name.startswith("."):
            yield found


def _bandwidth(table: Table | None) -> Bandwidth:
    if table is None:
        return Bandwidth()
    bandwidth = Bandwidth(
        limit_bytes=table.written("limit", texts.rate_of),
        hours=tuple(_hours(hours) for hours in table.tables("hours")),
    )
    table.check_nothing_left()
    return bandwidth


def _hours(table: Table) -> BandwidthHours:
    for key in ("from", "to", "limit"):
        if not table.has(key):
            table.fault(key, "is missing. Add it.")
    start, end = table.written("from", texts.minute_of), table.written("to", texts.minute_of)
    if start is not None and start == end:
        table.fault("to", "is the same as from. For the whole day, write 00:00 and 24:00.")
    days = table.written("days", texts.days_of)
    limit = table.written("limit", texts.rate_of)
    table.check_nothing_left()
    return BandwidthHours(start or 0, end or 0, _ALL_DAYS if days is None else days, limit)
