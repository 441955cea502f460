"""The certificate of destruction: the last that a client's administrators get."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from libs.shared import certificates
from libs.shared.events import DestructionCompleted
from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.links import link_certificate
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.clients import Tenant
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """Which certificate, and to whom."""

    event: DestructionCompleted
    tenant: Tenant
    portal_url: str
    mail_key: bytes = field(repr=False)


def choose(facts: CertificateFacts) -> Iterable[Addressee]:
    """The administrators of the client that was."""
    return rules.mails.address_administrators(facts.tenant.administrators)


def write(facts: CertificateFacts, addressee: Addressee, _shown: int) -> Letter:
    """What was destroyed and when, the document itself, and where it can be had."""
    tongue = speak(addressee.locale, facts.tenant.timezone)
    told = json.loads(facts.event.certificate)["certificate"]
    subject = tongue.say("Certificate of destruction: {client}", client=title(facts.tenant.name))
    token = certificates.make_token(
        facts.mail_key, facts.event.tenant_id, facts.event.destruction_id
    )
    content = lay_out(
        tongue,
        "certificate",
        client=facts.tenant.name,
        objects=tongue.number(told["destroyed"]["objects"]),
        size=tongue.size(told["destroyed"]["bytes"]),
        ended_at=tongue.moment(_read(told["subscription"]["ended_at"])),
        completed_at=tongue.moment(_read(told["completed_at"])),
        certificate=facts.event.certificate,
        link=link_certificate(facts.portal_url, token),
    )
    return Letter(subject, content)


def _read(moment: str) -> datetime:
    return datetime.fromisoformat(moment)


KIND: Kind[CertificateFacts] = Kind(
    "certificate",
    choose,
    write,
    subject=lambda facts: facts.event.destruction_id,
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)
