"""Retention: keeps in mind what is due for destruction."""

from __future__ import annotations

from libs.shared import runtime, web
from libs.shared.settings import load
from services.retention import consumers
from services.retention.settings import Settings


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(Settings)
    async with runtime.Service("retention", settings) as service:
        app = web.create_app("retention", ready=service.checks())
        await service.run(app, handlers=consumers.HANDLERS)


if __name__ == "__main__":
    runtime.main("retention", serve)
