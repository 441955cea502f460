"""Argv in: proving that nobody rewrote the access log, and letting another operator in."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.errors import InvalidRequest, NotFound
from libs.shared.runtime import Command, Commands
from libs.shared.settings import load
from services.portal import store
from services.portal.actions import log, operators
from services.portal.actions.people.passwords import Passwords
from services.portal.rules.log.chain import COFFRE, ChainFault, Link, Verdict
from services.portal.rules.operators import DUTIES
from services.portal.settings import CommandSettings

BROKEN = 3
"""The exit code of a log that is not whole; 1 is for one that could not be read."""

_WHY = {
    "missing": "is missing: what follows bears a later number",
    "altered": "does not fit: it was altered, exchanged or put in, or what is before it rewritten",
    "cut-off": "is missing: the chain's end was cut off",
    "beyond-head": "stands beyond the chain's end: it was put in by another hand",
    "head-altered": "is the last, and the chain's end says another hash for it",
    "not-as-kept": "fits the lines before it, but not the head that was kept: all was rewritten",
}


def describe_log(parser: ArgumentParser) -> None:
    """Two things to do with the log: prove it, and print where it ends."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = actions.add_parser("verify", help="follow the chains; 3 if one is broken")
    verify.add_argument(
        "--heads", type=Path, metavar="FILE", help="lines of `log head` that were kept elsewhere"
    )
    head = actions.add_parser("head", help="print where each chain ends, to be kept elsewhere")
    for action in (verify, head):
        action.add_argument("--tenant", type=UUID, help="this client only; zeros: of no client")


async def look_after_log(arguments: Namespace) -> int:
    """Verifies the access log, or prints its heads."""
    if arguments.action == "head":
        return await _print_heads(arguments.tenant)
    kept = _read_heads(arguments.heads) if arguments.heads else {}
    async with _connect() as conn:
        verdicts = await log.verify(conn, arguments.tenant, kept)
    if arguments.tenant is not None and not verdicts:
        raise NotFound("log")
    for verdict in verdicts:
        print(_sentence(verdict))
    return BROKEN if any(verdict.fault for verdict in verdicts) else 0


async def _print_heads(tenant_id: UUID | None) -> int:
    async with _connect() as conn:
        heads = await store.log.list_heads(conn, tenant_id)
    for one, head in heads.items():
        print(f"{one} {head.number} {head.hash.hex()}")
    return 0


@asynccontextmanager
async def _connect() -> AsyncIterator[Connection]:
    dsn = load(CommandSettings).database_url.get_secret_value()
    conn = await database.connect(dsn, "portal", name="portal-log")
    try:
        with database.outages_translated():
            yield conn
    finally:
        await conn.close()


def _read_heads(file: Path) -> dict[UUID, Link]:
    """The newest head of each chain in a file of them; raises InvalidRequest."""
    heads: dict[UUID, Link] = {}
    try:
        lines = file.read_text(encoding="ascii").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"{file} can't be read: {error}.") from error
    for number, text in enumerate(lines, 1):
        try:
            tenant, length, digest = text.split()
            head = Link(int(length), bytes.fromhex(digest))
            known = heads.setdefault(UUID(tenant), head)
        except ValueError:
            raise InvalidRequest(f"Line {number} of {file} is no head of a chain.") from None
        if head.number > known.number:
            heads[UUID(tenant)] = head
    return heads


def _sentence(verdict: Verdict) -> str:
    last = verdict.last
    if verdict.fault is None:
        return f"{verdict.tenant_id} whole: {last.number} lines, {last.hash.hex()}"
    return f"{verdict.tenant_id} BROKEN: {_say(verdict.fault)}; {last.number} lines fit."


def _say(fault: ChainFault) -> str:
    return f"line {fault.number} {_WHY[fault.why]}"


def describe_operator(parser: ArgumentParser) -> None:
    """Who the new operator is."""
    parser.add_argument("--name", required=True)
    parser.add_argument("--email", required=True)
    parser.add_argument("--locale", choices=("fr", "en"), default="fr")
    parser.add_argument("--duty", choices=DUTIES, default="administrator")


async def add_operator(arguments: Namespace) -> None:
    """Lets another operator in, by a one-time password that is printed once."""
    async with _connect() as conn, conn.transaction():
        issued = await operators.add_operator(
            conn,
            Passwords(),
            COFFRE,
            name=arguments.name,
            email=arguments.email,
            locale=arguments.locale,
            duty=arguments.duty,
        )
    print(f"{arguments.email} chooses a password with this one, within a day: {issued.password}")


def describe_factors(parser: ArgumentParser) -> None:
    """Whose factors."""
    parser.add_argument("email")


async def forget_factors(arguments: Namespace) -> None:
    """Takes all second factors of an operator away who lost them; their sign-ins end."""
    async with _connect() as conn, conn.transaction():
        await operators.forget_factors(conn, arguments.email)
    print(f"{arguments.email} sets up another second factor at the next sign-in.")


COMMANDS: Commands = [
    Command(
        "forget-factors",
        "take the second factors of an operator away, who lost them",
        forget_factors,
        describe_factors,
    ),
    Command("operator", "let another operator in", add_operator, describe_operator),
    Command("log", "prove that nobody rewrote the access log", look_after_log, describe_log),
]
