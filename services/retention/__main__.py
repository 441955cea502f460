"""Retention: forgets what may be forgotten, and sees to it that the rest can be read."""

from __future__ import annotations

from libs.shared import certificates, keys, own_bucket, runtime, web
from libs.shared.settings import load
from services.retention import commands, consumers, jobs
from services.retention.actions.resources import Resources
from services.retention.settings import RetentionSettings


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(RetentionSettings)
    notary = certificates.read_notary(settings.certificate_key_file)
    async with (
        keys.open_bucket(settings) as (objects, ring),
        own_bucket.begun(objects, ring) as own,
        runtime.Service("retention", settings, ask_store=objects.date) as service,
    ):
        resources = Resources(
            service.pool,
            objects,
            ring,
            settings.limits,
            settings.rhythm,
            settings.guards,
            notary,
        )
        app = web.create_app(
            "retention", ready=[*service.checks(), web.Check("storage", own.check)]
        )
        await service.run(app, jobs=jobs.JOBS, resources=resources, handlers=consumers.HANDLERS)


if __name__ == "__main__":
    runtime.main("retention", serve, commands.COMMANDS)
