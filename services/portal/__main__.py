"""Wires the portal: settings, then connections, then pages, API, consumers and jobs."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI

from libs.shared import keys, logs, runtime, settings, web
from libs.shared.settings import Network
from services.portal import api, commands, consumers, jobs, pages
from services.portal.actions import branding
from services.portal.actions.people import signing
from services.portal.actions.people.passwords import Passwords
from services.portal.actions.resources import Resources, Support
from services.portal.settings import Settings

STRICT_TRANSPORT = {"Strict-Transport-Security": "max-age=31536000"}
"""Whoever came over TLS comes over TLS for a year."""

_KEPT_BYTES = 32 << 20
"""What the contents of several downloads need again and again."""


def build(
    resources: Resources,
    ready: Sequence[web.Check] = (),
    trusted_proxies: Sequence[Network] = (),
) -> FastAPI:
    """The application: JSON API and pages over the same actions."""
    app = web.create_app(
        "portal",
        ready=ready,
        routers=[api.router, api.strays, pages.router],
        bodies=api.bodies.BODIES,
        agents_at="/api/v1/",
        headers=STRICT_TRANSPORT if resources.is_https else None,
        trusted_proxies=trusted_proxies,
    )
    app.state.resources = resources
    api.openapi.install(app)
    pages.install(app)
    return app


async def serve() -> None:
    """Serves until SIGTERM."""
    s = settings.load(Settings)
    runtime.give_memory_back(_KEPT_BYTES)
    mail_key = keys.read_key(s.mail_key_file)
    is_production = s.stage == "production"
    brand = branding.read(
        s.brand_name,
        s.brand_logo_file,
        s.brand_header,
        s.brand_accent,
        s.legal_folder,
        is_production=is_production,
    )
    async with (
        keys.open_bucket(s) as (objects, ring),
        runtime.Service("portal", s, pool_size=20, ask_store=objects.date) as service,
    ):
        resources = Resources(
            pool=service.pool,
            objects=objects,
            keys=ring,
            mail_key=mail_key,
            portal_url=s.portal_url,
            ingest_url=s.ingest_url,
            agent_folder=s.agent_folder,
            four_eyes=s.with_four_eyes,
            certificate_key=s.certificate_public_file.read_text(encoding="ascii"),
            passwords=Passwords(),
            brand=brand,
            is_production=is_production,
            support=Support(
                s.support_phone,
                s.support_email,
                {"fr": s.support_hours_fr, "en": s.support_hours_en},
            ),
        )
        if resources.is_https and not s.trusted_proxies:
            logs.get().warning("proxies.unknown", why="COFFRE_TRUSTED_PROXIES names none")
        await signing.bootstrap_operator(
            resources.pool,
            resources.passwords,
            email=s.operator_email,
            password_file=s.operator_password_file,
            token_file=s.operator_token_file,
        )
        await service.run(
            build(resources, service.checks(), s.trusted_proxies),
            jobs=jobs.JOBS,
            resources=resources,
            handlers=consumers.HANDLERS,
        )


if __name__ == "__main__":
    runtime.main("portal", serve, commands.COMMANDS)
