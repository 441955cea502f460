"""`python -m services.<name>`: serve, migrate, or look after parked events."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from libs.shared import clock, database, logs
from libs.shared.errors import Refusal, Unavailable
from libs.shared.inbox import parked
from libs.shared.runtime.http import use_uvloop
from libs.shared.settings import Settings, load


class _Owner(Settings):
    owner_database_url: SecretStr


class _Reader(Settings):
    database_url: SecretStr


@dataclass(frozen=True, slots=True)
class Command:
    """A command of one service beside the common ones.

    `describe` adds its arguments to the parser; `run` gets them parsed, returns an exit code if it
    isn't 0, and may raise a Refusal.
    """

    name: str
    help: str
    describe: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace], Awaitable[int | None]]


def main(service: str, serve: Callable[[], Awaitable[None]], own: Sequence[Command] = ()) -> None:
    """Runs one command of a service and exits: 0 well, 1 failed, 2 wrong usage or settings."""
    style = "console" if os.environ.get("COFFRE_LOG_FORMAT") == "console" else "json"
    logs.configure(service, style)  # type: ignore[arg-type]  # one of the two literals
    arguments = _parser(service, own).parse_args()
    commands: dict[str, Callable[[], Coroutine[Any, Any, int]]] = {
        "serve": lambda: _serve(serve),
        "migrate": lambda: _migrate(service),
        "events": lambda: _events(service, arguments),
        **{command.name: partial(_run_own, command, arguments) for command in own},
    }
    with asyncio.Runner(loop_factory=use_uvloop()) as runner:
        code = runner.run(commands[arguments.command or "serve"]())
    raise SystemExit(code)


def _parser(service: str, own: Sequence[Command]) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service}",
        description=f"The {service} service of Coffre. Without a command it serves."
        " Settings come from COFFRE_… environment variables.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    commands.add_parser("serve", help="serve until SIGTERM (the default)")
    commands.add_parser("migrate", help="bring the schema up to date, as COFFRE_OWNER_DATABASE_URL")
    events = commands.add_parser(
        "events", help="look after events that failed too often or can't be read"
    ).add_subparsers(dest="action", metavar="ACTION", required=True)
    events.add_parser("list", help="list parked events, the oldest first")
    show = events.add_parser("show", help="show one event in full, with its error")
    show.add_argument("ids", metavar="ID", nargs=1, type=UUID)
    for action, text in (
        ("replay", "handle parked events again"),
        ("drop", "count parked events as done without handling them"),
    ):
        many = events.add_parser(action, help=text)
        many.add_argument("ids", metavar="ID", nargs="+", type=UUID)
    for command in own:
        command.describe(commands.add_parser(command.name, help=command.help))
    return parser


async def _serve(serve: Callable[[], Awaitable[None]]) -> int:
    # What is loaded by now stays, and rows by the thousand hold no cycles: looking through them
    # again and again costs a recovery some hundredths of its time.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    try:
        await serve()
    except Exception:
        logs.get().exception("service.failed")
        return 1
    return 0


async def _run_own(command: Command, arguments: argparse.Namespace) -> int:
    try:
        return await command.run(arguments) or 0
    except Refusal as refusal:
        return _failed(refusal.detail)


async def _migrate(service: str) -> int:
    dsn = load(_Owner).owner_database_url.get_secret_value()
    try:
        applied = await database.migrate(dsn, service)
    except database.MigrationRefused as refused:
        return _failed(str(refused))
    except Unavailable as outage:
        return _failed(database.reason(outage))
    print(f"{len(applied)} applied" + "".join(f"\n  {name}" for name in applied))
    return 0


async def _events(service: str, arguments: argparse.Namespace) -> int:
    dsn = load(_Reader).database_url.get_secret_value()
    try:
        conn = await database.connect(dsn, service, name=f"{service}-events")
    except Unavailable as outage:
        return _failed(database.reason(outage))
    try:
        async with conn.transaction():
            return await _act(conn, arguments)
    finally:
        await conn.close()


async def _act(conn: database.Connection, arguments: argparse.Namespace) -> int:
    if arguments.action == "list":
        rows = await parked.list_parked(conn)
        print("\n".join(map(parked.line, rows)) if rows else "No event is parked.")
        return 0
    if arguments.action == "show":
        row = await parked.find(conn, arguments.ids[0])
        if row is None:
            return _failed(f"There is no event {arguments.ids[0]} in the inbox.")
        print(parked.page(row))
        return 0
    if arguments.action == "replay":
        found, done = await parked.replay(conn, arguments.ids, clock.now()), "will be handled again"
    else:
        found, done = await parked.drop(conn, arguments.ids, clock.now()), "was dropped"
    for event_id in found:
        print(f"{event_id} {done}.")
    missing = [str(event_id) for event_id in arguments.ids if event_id not in found]
    if missing:
        return _failed("Not parked, or not readable as an event: " + ", ".join(missing) + ".")
    return 0


def _failed(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
