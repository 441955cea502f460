"""What the hotline gets of a mail that was refused for good."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee, Mail


@dataclass(frozen=True, slots=True)
class RefusedFacts:
    """Which mail nobody will get; answer: the server's, empty where there is no address to ask."""

    mail: Mail
    answer: str
    client: str
    hotline: tuple[str, ...]


def choose(facts: RefusedFacts) -> Iterable[Addressee]:
    """The hotline, but for the address that just refused a mail."""
    refusing = facts.mail.recipient.lower()
    return rules.mails.address_hotline(
        email for email in facts.hotline if email.lower() != refusing
    )


def write(facts: RefusedFacts, addressee: Addressee, _shown: int) -> Letter:
    """Who did not get what, and what the server said."""
    tongue = speak(addressee.locale)
    recipient = facts.mail.recipient
    subject = tongue.say(
        "[Hotline] Undeliverable: {recipient}, {client}",
        recipient=recipient,
        client=title(facts.client),
    )
    content = lay_out(
        tongue,
        "undeliverable",
        to_hotline=True,
        client=facts.client,
        recipient=recipient,
        refused_subject=facts.mail.subject,
        answer=facts.answer,
        password=facts.mail.kind == "password",
    )
    return Letter(subject, content)


KIND: Kind[RefusedFacts] = Kind(
    "undeliverable",
    choose,
    write,
    subject=lambda facts: facts.mail.mail_id,
    plan=lambda facts: facts.mail.plan_id,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
    by_client=lambda facts: facts.mail.by_client,
    tells_hotline=False,
)
