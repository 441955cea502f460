"""Settings become what the service works with, and some commands."""

from __future__ import annotations

from libs.shared import keys
from libs.shared.secret_files import SecretFileInvalid
from services.reporting.actions.resources import Resources
from services.reporting.mail import dkim
from services.reporting.mail.mailboxes import Imap, Mailbox, Maildir
from services.reporting.mail.rendering import House
from services.reporting.mail.smtp import MailServer
from services.reporting.rules.pacing import Limits
from services.reporting.settings import Settings


def make_resources(settings: Settings) -> Resources:
    """Who writes, and where links and bounces lead."""
    return Resources(
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
        bounces_address=settings.bounces_address,
        signer=find_signer(settings),
        webhooks=settings.read_webhooks(),
    )


def find_signer(settings: Settings) -> dkim.MailSigner | None:
    """What mails are signed with, if they are; raises SecretFileInvalid."""
    pem = settings.read_dkim_key()
    if pem is None:
        return None
    try:
        key = dkim.read_key(pem)
    except dkim.KeyInvalidError as trouble:
        raise SecretFileInvalid(f"{settings.dkim_key_file}: {trouble}") from trouble
    return dkim.MailSigner(settings.sender_domain, settings.dkim_selector, key)


def make_server(settings: Settings) -> MailServer:
    """The mail server, and how mail is handed over to it."""
    return MailServer(
        settings.smtp_host,
        settings.smtp_port,
        settings.smtp_security,
        settings.smtp_username,
        settings.read_smtp_password(),
        settings.smtp_greeting,
    )


def make_limits(settings: Settings) -> Limits:
    """How fast."""
    return Limits(
        connections=settings.smtp_connections,
        domain_connections=settings.smtp_domain_connections,
        domain_per_second=settings.smtp_domain_rate / 60,
    )


def find_mailbox(settings: Settings) -> Mailbox | None:
    """Where bounces are read, if they are."""
    if settings.bounces_maildir:
        return Maildir(settings.bounces_maildir)
    if settings.bounces_imap_host:
        return Imap(
            settings.bounces_imap_host,
            settings.bounces_imap_port,
            settings.bounces_imap_username,
            settings.read_bounces_password(),
            settings.bounces_imap_mailbox,
        )
    return None
