"""What somebody gets in place of all the mails that went beyond a client's allowance."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from services.reporting import rules
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.rendering import lay_out, speak, title
from services.reporting.rules.mails import Addressee, Withheld


@dataclass(frozen=True, slots=True)
class DigestFacts:
    """What was held back from whom, one line a subject, newest first."""

    digest_id: UUID
    client: str
    timezone: str
    recipient: str
    withheld: Sequence[Withheld]
    portal_url: str


def choose(facts: DigestFacts) -> Iterable[Addressee]:
    """Who would have got all of them."""
    return [Addressee(facts.recipient, "", facts.withheld[0].locale)]


def write(facts: DigestFacts, addressee: Addressee, shown: int) -> Letter:
    """How many there were of each, and where all of it is."""
    tongue = speak(addressee.locale, facts.timezone)
    mails = sum(line.mails for line in facts.withheld)
    client = title(facts.client)
    subject = tongue.count(
        "{n} mail in one: {client}", "{n} mails in one: {client}", mails, client=client
    )
    listed = facts.withheld[: min(shown, rules.allowances.DIGEST_LINES)]
    content = lay_out(
        tongue,
        "digest",
        headline=subject,
        client=client,
        mails=mails,
        lines=[
            (line.subject, line.mails, tongue.moment(line.first_at), tongue.moment(line.last_at))
            for line in listed
        ],
        more=sum(line.mails for line in facts.withheld[len(listed) :]),
        link=facts.portal_url,
    )
    return Letter(subject, content)


KIND: Kind[DigestFacts] = Kind(
    "digest",
    choose,
    write,
    subject=lambda facts: facts.digest_id,
    plan=lambda _facts: None,
    give_up_at=lambda _facts, now: now + rules.mails.REPORT_KEPT_TRYING,
)
