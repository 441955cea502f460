"""Reporting: writes the mails after events, and sends them."""

from __future__ import annotations

from libs.shared import keys, runtime, web
from libs.shared.settings import load
from services.reporting import consumers, jobs
from services.reporting.actions.resources import Resources
from services.reporting.mail.rendering import House
from services.reporting.mail.smtp import MailServer
from services.reporting.settings import Settings


async def serve() -> None:
    """Runs until SIGTERM."""
    settings = load(Settings)
    resources = Resources(
        sender=settings.mail_from,
        hotline=settings.hotline,
        portal_url=settings.portal_url,
        mail_key=keys.read_key(settings.mail_key_file),
        missed_grace=settings.missed_grace,
        house=House(
            settings.support_name,
            settings.support_phone,
            settings.support_email,
            {"fr": settings.support_hours_fr, "en": settings.support_hours_en},
        ),
        webhooks=settings.read_webhooks(),
    )
    server = MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.sender_address,
        settings.smtp_security,
        settings.smtp_username,
        settings.read_smtp_password(),
        settings.smtp_greeting,
    )
    async with runtime.Service("reporting", settings) as service:
        sender = jobs.Sender(service.pool, server, resources)
        # Shown, and not required: mails wait, and nothing else of reporting does.
        mail_check = web.Check("mail server", sender.check_server, required=False)
        await service.run(
            web.create_app("reporting", ready=[*service.checks(), mail_check]),
            jobs=jobs.JOBS,
            resources=sender,
            handlers=consumers.handlers(resources),
        )


if __name__ == "__main__":
    runtime.main("reporting", serve)
