"""What the handlers of events and the sender work with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta

from services.reporting.mail.dkim import MailSigner
from services.reporting.mail.rendering import House
from services.reporting.rules.webhooks import Webhook


@dataclass(frozen=True, slots=True)
class Resources:
    """Who writes the mails, who is told of failures, where the links lead.

    house: whom readers call.
    missed_grace: how long a run is waited for; None: by what is usual for its plan.
    bounces_address: where bounces go, each with a mark of its mail; empty: to the sender's.
    signer: in whose name mails are signed, if they are.
    webhooks: who else is told of the hotline's incidents.
    """

    sender: str
    hotline: tuple[str, ...]
    portal_url: str
    mail_key: bytes = field(repr=False)
    missed_grace: timedelta | None = None
    house: House = field(default_factory=House)
    bounces_address: str = ""
    signer: MailSigner | None = None
    webhooks: tuple[Webhook, ...] = ()
