"""Argv in: what an operator asks quota by hand."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from uuid import UUID

from libs.shared import database
from libs.shared.runtime import Command, Commands
from libs.shared.settings import load
from services.quota import actions
from services.quota.settings import CommandSettings


def describe_tell_days(parser: ArgumentParser) -> None:
    """Of which tenants."""
    parser.add_argument("--tenant", metavar="TENANT", type=UUID, help="this client only")


async def tell_days(arguments: Namespace) -> int:
    """Has the portal told of all days once more."""
    dsn = load(CommandSettings).database_url.get_secret_value()
    async with await database.create_pool(dsn, "quota", max_size=1) as pool:
        count = await actions.days.tell_all_again(pool, arguments.tenant)
    print(f"{count} days are told to the portal once more, within an hour.")
    return 0


COMMANDS: Commands = [
    Command(
        "tell-days",
        "tell the portal of every day's volume once more",
        tell_days,
        describe_tell_days,
    ),
]
