"""Quota: counts what is kept, and says how far each tenant may grow."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from uuid import UUID

from libs.shared import database, runtime, web
from libs.shared.settings import load
from services.quota import actions, consumers
from services.quota.settings import OperatorSettings, Settings


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(Settings)
    async with runtime.Service("quota", settings) as service:
        app = web.create_app("quota", ready=service.checks())
        await service.run(app, handlers=consumers.HANDLERS)


async def decide(arguments: Namespace) -> None:
    """Blocks or unblocks one tenant; the running service publishes it."""
    settings = load(OperatorSettings)
    pool = await database.create_pool(settings.database_url.get_secret_value(), "quota")
    try:
        async with database.transaction(pool) as conn:
            if arguments.command == "block":
                held = await actions.block(conn, arguments.tenant, arguments.reason)
                print(f"{arguments.tenant} may not grow beyond {held} bytes.")
            else:
                await actions.unblock(conn, arguments.tenant, arguments.reason)
                print(f"{arguments.tenant} may grow.")
    finally:
        await pool.close()


def describe(parser: ArgumentParser) -> None:
    """Both commands name a tenant and want a reason."""
    parser.add_argument("tenant", metavar="TENANT", type=UUID)
    parser.add_argument("--reason", required=True, help="kept, and shown to the client")


if __name__ == "__main__":
    runtime.main(
        "quota",
        serve,
        [
            runtime.Command("block", "stop a tenant's growth at what it holds", describe, decide),
            runtime.Command("unblock", "let a tenant grow again", describe, decide),
        ],
    )
