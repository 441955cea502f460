"""A user's one-time password, tried until it expires."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from libs.shared.events import PasswordIssued
from libs.shared.words.tongue import N_
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import lay_out, speak
from services.reporting.rules.mails import Addressee


@dataclass(frozen=True, slots=True)
class PasswordFacts:
    """Who gets which password."""

    event: PasswordIssued
    password: str = field(repr=False)
    timezone: str
    portal_url: str


def choose(facts: PasswordFacts) -> Iterable[Addressee]:
    """The user alone."""
    event = facts.event
    return [Addressee(event.email, event.name, event.locale)]


def write(facts: PasswordFacts, addressee: Addressee, _shown: int) -> Letter:
    """The password, and how long it is good for."""
    event = facts.event
    tongue = speak(addressee.locale, facts.timezone)
    subject = tongue.say(
        N_("Your access to the backup portal") if event.first else N_("Your new password")
    )
    content = lay_out(
        tongue,
        "password",
        in_short=[
            addressee.email,
            facts.password,
            tongue.moment(event.expires_at),
            facts.portal_url,
        ],
        headline=subject,
        person=addressee.name,
        email=addressee.email,
        first=event.first,
        password=facts.password,
        expires=tongue.moment(event.expires_at),
        link=facts.portal_url,
    )
    return Letter(subject, content)


KIND: Kind[PasswordFacts] = Kind(
    "password",
    choose,
    write,
    subject=lambda facts: facts.event.password_id,
    plan=lambda _facts: None,
    give_up_at=lambda facts, _now: facts.event.expires_at,
    is_secret=True,
)
