"""Argv in: how far a client may grow, by an operator's word."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from libs.shared.runtime import Command, Commands
from libs.shared.settings import load
from services.quota import actions
from services.quota.settings import OperatorSettings


def describe(parser: ArgumentParser) -> None:
    """Both commands name a tenant and want a reason."""
    parser.add_argument("tenant", metavar="TENANT", type=UUID)
    parser.add_argument("--reason", required=True, help="kept, and shown to the client")


async def block(arguments: Namespace) -> None:
    """Stops a tenant's growth; the running service publishes it."""
    async with _transaction() as conn:
        held = await actions.block(conn, arguments.tenant, arguments.reason)
    print(f"{arguments.tenant} may not grow beyond {held} bytes.")


async def unblock(arguments: Namespace) -> None:
    """Lets a tenant grow again; the running service publishes it."""
    async with _transaction() as conn:
        await actions.unblock(conn, arguments.tenant, arguments.reason)
    print(f"{arguments.tenant} may grow.")


@asynccontextmanager
async def _transaction() -> AsyncIterator[Connection]:
    dsn = load(OperatorSettings).database_url.get_secret_value()
    async with (
        await database.create_pool(dsn, "quota", max_size=1) as pool,
        database.transaction(pool) as conn,
    ):
        yield conn


COMMANDS: Commands = [
    Command("block", "stop a tenant's growth at what it holds", block, describe),
    Command("unblock", "let a tenant grow again", unblock, describe),
]
