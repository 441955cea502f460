"""One mail, step by step, with what the mail server says to each."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from email.utils import parseaddr

import aiosmtplib

from libs.shared import clock
from libs.shared.words.foreign import plain
from services.reporting.actions.resources import Resources
from services.reporting.mail import compose
from services.reporting.mail.rendering import Rendered
from services.reporting.mail.smtp import NO_ENCRYPTION, MailServer

SECONDS = 60.0
TEXT = Rendered(
    "This mail was asked for with `mail test`: the way from Coffre to this address works.\n",
    "<p>This mail was asked for with <code>mail test</code>: the way from Coffre to this address"
    " works.</p>\n",
)

Tell = Callable[[str], object]


class _StepError(Exception):
    """A step that ends the test."""


async def probe(server: MailServer, resources: Resources, recipient: str, tell: Tell) -> int:
    """Tells each step; returns 0 where the mail was accepted, 1 where a step failed.

    The password is said to the mail server alone.
    """
    client = aiosmtplib.SMTP(
        hostname=server.host,
        port=server.port,
        local_hostname=server.own_name,
        timeout=SECONDS,
        use_tls=server.begins_encrypted,
        start_tls=False,
    )
    try:
        await _greet(client, server, tell)
        await _encrypt(client, server, tell)
        await _sign_in(client, server, tell)
        await _send(client, resources, recipient, tell)
    except _StepError as failed:
        tell(str(failed))
        return 1
    finally:
        client.close()
    return 0


async def _step(
    tell: Tell, what: str, doing: Awaitable[aiosmtplib.SMTPResponse]
) -> aiosmtplib.SMTPResponse:
    try:
        answer = await doing
    except aiosmtplib.SMTPResponseException as refusal:
        text = plain(f"{refusal.code} {refusal.message}")[:500]
        raise _StepError(f"{what}: refused: {text}") from None
    except (aiosmtplib.SMTPException, OSError, ValueError) as trouble:
        raise _StepError(f"{what}: failed: {plain(_explain(trouble))[:500]}") from None
    tell(f"{what}: {plain(f'{answer.code} {answer.message}')[:500]}")
    return answer


def _explain(trouble: BaseException) -> str:
    """Where a certificate is wrong, that is what there is to know."""
    cause: BaseException | None = trouble
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return f"the certificate isn't valid for this name: {cause.verify_message}"
        cause = cause.__cause__
    return f"{type(trouble).__name__}: {trouble}"


async def _greet(client: aiosmtplib.SMTP, server: MailServer, tell: Tell) -> None:
    how = ", encrypted from the first byte" if server.begins_encrypted else ""
    await _step(tell, f"Connect to {server.host}:{server.port}{how}, greeting", client.connect())
    if server.begins_encrypted:
        _tell_certificate(client, tell)
    await _hello(client, server, tell)


async def _hello(client: aiosmtplib.SMTP, server: MailServer, tell: Tell) -> None:
    await _step(tell, f"EHLO {server.own_name}", client.ehlo())
    offers = ", ".join(sorted(name.upper() for name in client.esmtp_extensions))
    tell(f"  it offers: {plain(offers) or 'nothing'}")


async def _encrypt(client: aiosmtplib.SMTP, server: MailServer, tell: Tell) -> None:
    offered = client.supports_extension("starttls")
    if server.begins_encrypted:
        return
    if server.starts_tls is False or (server.starts_tls is None and not offered):
        why = "COFFRE_SMTP_SECURITY=none" if server.security == "none" else "not offered"
        tell(f"STARTTLS: not used ({why}); what follows goes openly")
        return
    if not offered:
        raise _StepError(f"STARTTLS: not offered. {NO_ENCRYPTION}")
    await _step(tell, "STARTTLS", client.starttls())
    _tell_certificate(client, tell)
    await _hello(client, server, tell)


def _tell_certificate(client: aiosmtplib.SMTP, tell: Tell) -> None:
    found = client.get_transport_info("peercert") or {}
    names = ", ".join(name for _, name in found.get("subjectAltName", ()))
    cipher = client.get_transport_info("cipher")
    protocol = cipher[1] if cipher else "TLS"
    tell(f"  {protocol}; certificate valid for {plain(names)}, until {found.get('notAfter', '?')}")


async def _sign_in(client: aiosmtplib.SMTP, server: MailServer, tell: Tell) -> None:
    if server.username is None:
        tell("AUTH: not used (COFFRE_SMTP_USERNAME isn't set)")
        return
    signing_in = client.login(server.username, server.password or "")
    await _step(tell, f"AUTH as {plain(server.username)}, password ****", signing_in)


async def _send(client: aiosmtplib.SMTP, resources: Resources, recipient: str, tell: Tell) -> None:
    sender = resources.bounces_address or parseaddr(resources.sender)[1]
    now = clock.now()
    message = compose.compose(
        resources.sender,
        recipient,
        "",
        "Coffre: test",
        compose.encode(TEXT),
        message_id=f"<test.{now:%Y%m%d%H%M%S%f}@{compose.sender_domain(resources.sender)}>",
        written_at=now,
    )
    if resources.signer is not None:
        message = resources.signer.sign(message)
        tell(f"DKIM: signed, the key is at {resources.signer.record_name}")
    await _step(tell, f"MAIL FROM {sender}", client.mail(sender))
    await _step(tell, f"RCPT TO {recipient}", client.rcpt(recipient))
    await _step(tell, f"DATA, {len(message)} bytes", client.data(message))
    tell("The mail server has taken it. Whether it arrives, it says by a bounce if at all.")
