"""`python -m services.<name>`: serve, migrate, look after parked events, and a service's own."""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeAlias
from uuid import UUID

from pydantic import SecretStr

from libs.shared import clock, database, logs, signatures, timekeeping
from libs.shared.errors import Conflict, Refusal, Unavailable
from libs.shared.inbox import parked
from libs.shared.runtime.http import use_uvloop
from libs.shared.secret_files import SecretFileInvalid
from libs.shared.settings import CommonSettings, InvalidSettings, load

NOBODY_READS = 141
"""What shells give for a program whose reader has gone, as after `… | head -1`."""


class _Owner(CommonSettings):
    owner_database_url: SecretStr


class _Reader(CommonSettings):
    database_url: SecretStr


class _Senders(CommonSettings):
    event_senders_dir: Path


class _Sender(CommonSettings):
    event_key_file: Path


def _describe_nothing(_parser: argparse.ArgumentParser) -> None:
    """A command without arguments."""


@dataclass(frozen=True, slots=True)
class Command:
    """What an operator runs by hand: one line of the table in a service's commands.py.

    `run` gets the arguments that `describe` added to the parser, returns an exit code if it
    isn't 0, and may raise a Refusal.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace], Awaitable[int | None]]
    describe: Callable[[argparse.ArgumentParser], None] = _describe_nothing


Commands: TypeAlias = Sequence[Command]


def main(service: str, serve: Callable[[], Awaitable[None]], own: Commands = ()) -> None:
    """Runs one command of a service and exits: 0 well, 1 failed, 2 wrong usage or settings."""
    try:
        try:
            code = _run(service, serve, own)
        finally:
            sys.stdout.flush()
    except BrokenPipeError:
        # What is still to be written must not fail once more at the very end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = NOBODY_READS
    raise SystemExit(code)


def _run(service: str, serve: Callable[[], Awaitable[None]], own: Commands) -> int:
    style = "console" if os.environ.get("COFFRE_LOG_FORMAT") == "console" else "json"
    logs.configure(service, style)  # type: ignore[arg-type]  # one of the two literals
    # A service's own takes the place of the common one.
    every = list({one.name: one for one in [*_common(service, serve), *own]}.values())
    arguments = _parser(service, every).parse_args()
    [command] = [one for one in every if one.name == (arguments.command or "serve")]
    with asyncio.Runner(loop_factory=use_uvloop()) as runner:
        return runner.run(_perform(command, arguments))


def _common(service: str, serve: Callable[[], Awaitable[None]]) -> Commands:
    """What every service has."""
    return [
        Command("serve", "serve until SIGTERM (the default)", partial(_serve, serve)),
        Command(
            "migrate",
            "bring the schema up to date, as COFFRE_OWNER_DATABASE_URL",
            partial(_migrate, service),
        ),
        Command(
            "events",
            "look after events that failed too often or can't be read",
            partial(_events, service),
            _describe_events,
        ),
        Command(
            "event-key",
            "print the public key that belongs to COFFRE_EVENT_KEY_FILE",
            partial(_print_event_key, service),
        ),
        Command(
            "clock",
            "is the time believed, by which is decided?",
            partial(_clock, service),
            describe_clock,
        ),
    ]


def _parser(service: str, commands: Commands) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=f"python -m services.{service}",
        description=f"The {service} service of Coffre. Without a command it serves."
        " Settings come from COFFRE_… environment variables.",
    )
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for command in commands:
        command.describe(parsers.add_parser(command.name, help=command.help))
    return parser


async def _perform(command: Command, arguments: argparse.Namespace) -> int:
    try:
        return await command.run(arguments) or 0
    except Refusal as refusal:
        return _failed(refusal.detail)
    except database.NotReady as waiting:
        return _failed(str(waiting))
    except (SecretFileInvalid, InvalidSettings) as invalid:
        print(invalid, file=sys.stderr)
        return 2


async def _serve(serve: Callable[[], Awaitable[None]], _arguments: argparse.Namespace) -> int:
    # What is loaded by now stays, and rows by the thousand hold no cycles: looking through them
    # again and again costs a recovery some hundredths of its time.
    gc.freeze()
    gc.set_threshold(10_000, 10, 10)
    try:
        await serve()
    except (SecretFileInvalid, InvalidSettings):
        raise
    except Exception:
        logs.get().exception("service.failed")
        return 1
    return 0


async def _migrate(service: str, _arguments: argparse.Namespace) -> int:
    dsn = load(_Owner).owner_database_url.get_secret_value()
    try:
        applied = await database.migrate(dsn, service)
    except database.MigrationRefused as refused:
        return _failed(str(refused))
    except Unavailable as outage:
        return _failed(database.reason(outage))
    print(f"{len(applied)} applied" + "".join(f"\n  {name}" for name in applied))
    return 0


async def _print_event_key(service: str, _arguments: argparse.Namespace) -> int:
    print(signatures.read_signer(service, load(_Sender).event_key_file).public_key.hex())
    return 0


def describe_clock(parser: argparse.ArgumentParser) -> None:
    """Believing a time wants a reason."""
    parser.add_argument("--accept", action="store_true", help="the time is right, go on")
    parser.add_argument("--reason", default="", help="kept")


async def _clock(service: str, arguments: argparse.Namespace) -> None:
    dsn = load(_Reader).database_url.get_secret_value()
    async with await database.create_pool(dsn, service, max_size=1) as pool:
        await tell_clock(pool, arguments)


async def tell_clock(
    pool: database.Pool,
    arguments: argparse.Namespace,
    ask_store: timekeeping.AskStore | None = None,
) -> None:
    """Says whether the time is believed, or believes it; raises TimeDoubtful, Unavailable."""
    if not arguments.accept:
        now = await timekeeping.check_time(pool, ask_store)
        print(f"{now:%Y-%m-%d %H:%M} UTC is believed.")
        return
    if not arguments.reason:
        raise Conflict("Say why the time is right: --reason …")
    now = await timekeeping.accept_time(pool, arguments.reason, ask_store)
    print(f"{now:%Y-%m-%d %H:%M} UTC is believed from now on.")


def _describe_events(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    actions.add_parser("list", help="list parked events, the oldest first")
    show = actions.add_parser("show", help="show one event in full, with its error")
    show.add_argument("ids", metavar="ID", nargs=1, type=UUID)
    for action, text in (
        ("replay", "handle parked events again; what was refused is checked once more"),
        ("drop", "count parked events as done without handling them"),
    ):
        many = actions.add_parser(action, help=text)
        many.add_argument("ids", metavar="ID", nargs="+", type=UUID)


async def _events(service: str, arguments: argparse.Namespace) -> int:
    dsn = load(_Reader).database_url.get_secret_value()
    try:
        conn = await database.connect(dsn, service, name=f"{service}-events")
    except Unavailable as outage:
        return _failed(database.reason(outage))
    try:
        async with conn.transaction():
            return await _act(conn, service, arguments)
    finally:
        await conn.close()


async def _act(conn: database.Connection, service: str, arguments: argparse.Namespace) -> int:
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
        senders = signatures.read_senders(load(_Senders).event_senders_dir)
        found = await parked.replay(conn, service, senders, arguments.ids, clock.now())
        done = "will be handled again"
    else:
        found = await parked.drop(conn, service, arguments.ids, clock.now())
        done = "was dropped"
    for event_id in found:
        print(f"{event_id} {done}.")
    missing = [str(event_id) for event_id in arguments.ids if event_id not in found]
    if missing:
        return _failed("Not parked, or no event that can be believed: " + ", ".join(missing) + ".")
    return 0


def _failed(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
