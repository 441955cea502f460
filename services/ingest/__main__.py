"""Ingest: takes copies in from agents, stores them, and says what became of each run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from fastapi import FastAPI

from libs.shared import keys, own_bucket, passing_files, runtime, web
from libs.shared.settings import Network, load
from services.ingest import actions, api, commands, consumers, jobs
from services.ingest.settings import IngestSettings

_KEPT_BYTES = 8 << 20


def build(
    resources: actions.resources.Resources,
    max_file_bytes: int,
    ready: Sequence[web.Check] = (),
    trusted_proxies: Sequence[Network] = (),
) -> FastAPI:
    """The application: the agents' protocol over the actions."""
    app = web.create_app(
        "ingest",
        title="Coffre: agent protocol",
        ready=ready,
        routers=api.ROUTERS,
        bodies=api.limit_bodies(max_file_bytes),
        openapi_url="/v1/openapi.json",
        agents_at="/v1/",
        trusted_proxies=trusted_proxies,
    )
    app.state.resources = resources
    return app


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(IngestSettings)
    runtime.give_memory_back(_KEPT_BYTES)
    async with (
        keys.open_bucket(settings) as (objects, ring),
        own_bucket.begun(objects, ring) as own,
        runtime.Service("ingest", settings, pool_size=20, ask_store=objects.date) as service,
    ):
        resources = actions.resources.Resources(
            service.pool, objects, ring, timedelta(seconds=settings.lease_seconds)
        )
        passing = web.Check("passing_files", passing_files.check_room)
        ready = [*service.checks(), web.Check("storage", own.check), passing]
        app = build(resources, settings.max_file_bytes, ready, settings.trusted_proxies)
        try:
            await service.run(app, jobs=jobs.JOBS, resources=resources, handlers=consumers.HANDLERS)
        finally:
            resources.close()


if __name__ == "__main__":
    runtime.main("ingest", serve, commands.COMMANDS)
