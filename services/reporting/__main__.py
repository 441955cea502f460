"""Reporting: writes the mails after events, and sends them."""

from __future__ import annotations

from libs.shared import runtime, web
from libs.shared.settings import load
from services.reporting import commands, consumers, jobs
from services.reporting.actions.sending import Sender
from services.reporting.commands import wiring
from services.reporting.settings import Settings


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(Settings)
    resources = wiring.make_resources(settings)
    async with runtime.Service("reporting", settings) as service:
        sender = Sender(
            service.pool,
            wiring.make_server(settings),
            resources,
            wiring.make_limits(settings),
            wiring.find_mailbox(settings),
        )
        # Shown, and not required: mails wait, and nothing else of reporting does.
        mail_check = web.Check("mail server", sender.check_server, required=False)
        await service.run(
            web.create_app("reporting", ready=[*service.checks(), mail_check]),
            jobs=[*jobs.JOBS, *(jobs.PER_TENANT if settings.metrics_per_tenant else ())],
            resources=sender,
            handlers=consumers.handlers(resources),
        )


if __name__ == "__main__":
    runtime.main("reporting", serve, commands.COMMANDS)
