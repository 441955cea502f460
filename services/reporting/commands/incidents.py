"""Argv in: what an operator asks about incidents, or does with one or with a plan, by hand."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import UUID

from libs.shared import clock, database
from libs.shared.database import Connection
from libs.shared.errors import NotFound
from libs.shared.runtime import Command, Commands
from libs.shared.settings import load
from services.reporting import store
from services.reporting.rules.incidents import Shown
from services.reporting.settings import OperatorSettings


def describe_list(parser: ArgumentParser) -> None:
    """How the list is written."""
    parser.add_argument("--json", action="store_true", help="one object a line")


async def list_incidents(arguments: Namespace) -> None:
    """Prints the open incidents, longest first; those that are put off aren't among them."""
    now = clock.now()
    async with _transaction() as conn:
        shown = await store.incidents.list_open(conn, now, now)
    for one in shown:
        print(json.dumps(_facts(one)) if arguments.json else _line(one))
    if not shown and not arguments.json:
        print("No incident is open.")


def describe_acknowledge(parser: ArgumentParser) -> None:
    """Which incident, and who has it in hand."""
    _describe_one(parser)
    parser.add_argument("--by", required=True, help="who has it in hand")
    parser.add_argument("--note", default="", help="what is known; in the morning's mail")


async def acknowledge(arguments: Namespace) -> None:
    """Says that somebody has it in hand: nobody is told again, but in the morning's mail."""
    async with _transaction() as conn:
        _check(
            await store.incidents.acknowledge(
                conn, arguments.incident, arguments.by, arguments.note
            )
        )
    print(f"{arguments.incident}: {arguments.by} has it in hand.")


def describe_snooze(parser: ArgumentParser) -> None:
    """Which incident, until when, and why."""
    _describe_one(parser)
    parser.add_argument("--until", required=True, type=_day, help="a date or a time, as 2026-12-24")
    parser.add_argument("--reason", required=True)


async def snooze(arguments: Namespace) -> None:
    """Puts it off: nobody is told of it before that day."""
    async with _transaction() as conn:
        _check(
            await store.incidents.snooze(
                conn, arguments.incident, arguments.until, arguments.reason
            )
        )
    print(f"{arguments.incident} is put off until {arguments.until:%Y-%m-%d %H:%M} UTC.")


def describe_close(parser: ArgumentParser) -> None:
    """Which incident, who closes it, and why."""
    _describe_one(parser)
    parser.add_argument("--by", required=True, help="who closes it")
    parser.add_argument("--reason", required=True)


async def close(arguments: Namespace) -> None:
    """Closes it; the next failed run opens another."""
    async with _transaction() as conn:
        _check(
            await store.incidents.close(
                conn, arguments.incident, arguments.by, arguments.reason, clock.now()
            )
        )
    print(f"{arguments.incident} is closed.")


def describe_pause(parser: ArgumentParser) -> None:
    """Which plan, until when, who says so, and why."""
    parser.add_argument("plan", metavar="PLAN_ID", type=UUID)
    parser.add_argument("--until", required=True, type=_day, help="a date or a time, as 2026-12-24")
    parser.add_argument("--by", required=True, help="who pauses it")
    parser.add_argument("--reason", required=True)


async def pause(arguments: Namespace) -> None:
    """Expects no run of a plan before that day, unless one comes; closes the incident about it."""
    note = f"{arguments.by}: {arguments.reason}"
    async with _transaction() as conn:
        tenant_id = await store.missed.pause(conn, arguments.plan, arguments.until, note)
        if tenant_id is None:
            raise NotFound("plan")
        incident = await store.incidents.find_open(conn, tenant_id, arguments.plan, "missed")
        if incident is not None:
            await store.incidents.close(
                conn, incident.incident_id, arguments.by, arguments.reason, clock.now()
            )
    print(f"{arguments.plan} is paused until {arguments.until:%Y-%m-%d %H:%M} UTC.")


def _describe_one(parser: ArgumentParser) -> None:
    parser.add_argument("incident", metavar="INCIDENT", type=UUID)


def _check(is_open: bool) -> None:
    if not is_open:
        raise NotFound("open incident")


def _day(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError("must be a date or a time, as 2026-12-24") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _facts(one: Shown) -> dict[str, object]:
    incident = one.incident
    return {
        "incident_id": str(incident.incident_id),
        "tenant_id": str(incident.tenant_id),
        "plan_id": str(incident.plan_id),
        "client": one.client,
        "plan": one.plan,
        "machine": one.machine,
        "cause": incident.cause,
        "times": incident.times,
        "opened_at": incident.opened_at.isoformat(),
        "last_at": incident.last_at.isoformat(),
        "acknowledged_by": incident.acknowledged_by,
        "note": incident.note,
    }


def _line(one: Shown) -> str:
    incident = one.incident
    in_hand = f", in hand: {incident.acknowledged_by}" if incident.acknowledged_by else ""
    return (
        f"{incident.incident_id}  {one.client}: {one.plan} on {one.machine}, {incident.cause}"
        f" {incident.times}x since {incident.opened_at:%Y-%m-%d %H:%M} UTC{in_hand}"
    )


@asynccontextmanager
async def _transaction() -> AsyncIterator[Connection]:
    dsn = load(OperatorSettings).database_url.get_secret_value()
    async with (
        await database.create_pool(dsn, "reporting", max_size=1) as pool,
        database.transaction(pool) as conn,
    ):
        yield conn


COMMANDS: Commands = [
    Command("incidents", "list what the hotline has open", list_incidents, describe_list),
    Command("acknowledge", "say who has an incident in hand", acknowledge, describe_acknowledge),
    Command("snooze", "put an incident off until a day", snooze, describe_snooze),
    Command("close", "close an incident by hand", close, describe_close),
    Command("pause", "expect no run of a plan before a day", pause, describe_pause),
]
