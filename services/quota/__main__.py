"""Quota: counts what is kept, and says how far each tenant may grow."""

from __future__ import annotations

from libs.shared import runtime, web
from libs.shared.settings import load
from services.quota import commands, consumers, jobs
from services.quota.settings import Settings


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(Settings)
    async with runtime.Service("quota", settings) as service:
        app = web.create_app("quota", ready=service.checks())
        every = [*jobs.JOBS, *(jobs.PER_TENANT if settings.metrics_per_tenant else ())]
        await service.run(app, jobs=every, resources=service.pool, handlers=consumers.HANDLERS)


if __name__ == "__main__":
    runtime.main("quota", serve, commands.COMMANDS)
