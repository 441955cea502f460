"""A mail, whom it can reach, and when it is tried again."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from typing import Literal
from uuid import UUID

from libs.shared.events import Locale, Recipient

Stage = Literal["sender", "recipient", "text"]
Judgement = Literal["later", "refused", "too-large"]

REPORT_KEPT_TRYING = timedelta(days=5)  # RFC 5321, 4.5.4.1: give up after four or five days
LATE_AFTER = timedelta(days=1)  # then the hotline is told, each day
TRUSTED_AFTER = timedelta(days=1)
"""How long a mail has stayed away that an address took, after one came back from there."""
MORNING_KEPT_TRYING = timedelta(days=1)  # then there is the next one
LONGEST_PAUSE = timedelta(minutes=15)
HOTLINE_LOCALE: Locale = "fr"
MOST_BYTES = 100_000
"""How large a mail is at most; the portal shows the rest of what it tells."""
HEAD_BYTES = 4_000
SHOWN = (100, 50, 25, 10, 0)
"""How many lines each list of a mail has: as many as fit."""
_OF_GREETING = re.compile(r"(?<![\w.<@+-])(HELO|EHLO)(?![\w.@+-])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Addressee:
    """One person who gets one mail; invitation_id: by whose link they stop such mails.

    choice_link: where they say which of them they get.
    """

    email: str
    name: str
    locale: Locale
    invitation_id: UUID | None = None
    choice_link: str = ""


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of the queue, of a kind in mail/letters.

    A secret body is sealed while it waits, and gone once it is sent. by_client: machines of the
    client cause such mails, as often as they like. shortened: it was refused for its size.
    """

    mail_id: UUID
    tenant_id: UUID
    kind: str
    subject_id: UUID
    plan_id: UUID | None
    recipient: str
    message_id: str
    subject: str
    body: bytes
    secret: bool
    give_up_at: datetime
    tries: int
    locale: Locale
    by_client: bool = False
    shortened: bool = False


@dataclass(frozen=True, slots=True)
class Late:
    """A mail that was tried for a day and more; answer: what the server said last."""

    recipient: str
    subject: str
    written_at: datetime
    give_up_at: datetime
    answer: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the queue knows of a mail, for those who ask whether it was sent.

    receipt: what the server said when it took it. body: None where it isn't kept.
    """

    mail_id: UUID
    tenant_id: UUID
    kind: str
    recipient: str
    subject: str
    message_id: str
    state: str
    created_at: datetime
    due_at: datetime
    sent_at: datetime | None
    bounced_at: datetime | None
    receipt: str
    last_answer: str
    tries: int
    possible_duplicates: int
    secret: bool
    body: bytes | None


@dataclass(frozen=True, slots=True)
class Withheld:
    """Mails of one subject that were held back from one person."""

    subject: str
    mails: int
    first_at: datetime
    last_at: datetime
    locale: Locale


def address_hotline(emails: Iterable[str]) -> list[Addressee]:
    """Returns each of the hotline's addresses, one that is named twice once."""
    each = {email.lower(): email for email in reversed(list(emails))}
    return [Addressee(email, "", HOTLINE_LOCALE) for email in reversed(each.values())]


def address_administrators(administrators: Iterable[Recipient]) -> list[Addressee]:
    """Returns whom a mail of the client's own affairs is for."""
    return [Addressee(one.email, one.name, one.locale) for one in administrators]


def parse_address(text: str) -> str | None:
    """Returns the mail address in the form that SMTP takes, or None if it is none.

    A domain of other letters is spelled in ASCII (IDNA); a local part has to be ASCII.
    """
    local, at, domain = text.strip().rpartition("@")
    if not (local and at and domain) or len(text) > 254:
        return None
    try:
        ascii_domain = domain.encode("idna").decode("ascii")
        address = Address(addr_spec=f"{local}@{ascii_domain}")
    except (MessageError, UnicodeError, ValueError, IndexError):
        return None
    if not address.addr_spec.isascii() or re.search(r"[\x00-\x20\x7f<>]", address.addr_spec):
        return None
    return address.addr_spec


def make_message_id(
    mail_key: bytes, tenant_id: UUID, kind: str, subject_id: UUID, recipient: str, domain: str
) -> str:
    """Returns the Message-ID of a mail: the same for the same kind, subject and person.

    It is short, so that its header needs no folding. Nobody can work out that of a mail that they
    haven't seen: bounces are matched by it.
    """
    named = f"message-id/{tenant_id}/{kind}/{subject_id}/{recipient.lower()}"
    digest = hmac.digest(mail_key, named.encode(), "sha256")[:15]
    return f"<{kind}.{base64.b32encode(digest).decode().lower()}@{domain}>"


def needs_encryption(host: str, *, signs_in: bool) -> bool:
    """Whether mail may go to that host by an encrypted connection only, unless it is said.

    It may go openly within the machine alone, and a password nowhere.
    """
    try:
        is_here = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        is_here = host.lower().rstrip(".") == "localhost"
    return signs_in or not is_here


def judge_refusal(stage: Stage, code: int, answer: str = "") -> Judgement:
    """Says whether an SMTP reply other than success is for good.

    5xx is, except where it speaks of us and not of this mail: 53x (sign in first, encrypt first)
    is mended by the operator, and no report may be lost over it; so is a name that we greet with,
    of which many servers speak only once they know for whom a mail is: 504 (RFC 5321, 4.2.2, and
    Postfix), or another reply that names EHLO. A size that is refused may pass
    when it is smaller; 552 says so, unless its extended code (RFC 3463) speaks of a full mailbox.
    """
    extended = re.match(r"5\.\d{1,3}\.\d{1,3}(?!\d)", answer.strip())
    if 500 <= code < 600 and extended and extended.group() in {"5.3.4", "5.2.3"}:
        return "too-large"
    if code == 552 and stage == "text" and not extended:
        return "too-large"
    if not 500 <= code < 600 or 530 <= code < 540 or code == 504 or _OF_GREETING.search(answer):
        return "later"
    return "later" if stage == "sender" and code in {500, 501, 502, 503} else "refused"


def asks_for_patience(code: int, answer: str = "") -> bool:
    """Whether a refusal asks for fewer mails to that domain: 421, or a policy's no for now.

    4.7.x is what greylists and limits of rate say (RFC 3463, 3.8).
    """
    return code == 421 or (400 <= code < 500 and answer.strip().startswith("4.7."))


def domain_of(address: str) -> str:
    """Returns the domain that an address belongs to, as the pace is kept by it."""
    return address.rpartition("@")[2].lower()


def find_next_try(tries: int, now: datetime, give_up_at: datetime) -> datetime | None:
    """Returns when a mail is tried again: 2 s later, then 4, 8, … 15 minutes; None: give up."""
    due_at = now + min(timedelta(seconds=2 ** min(tries, 10)), LONGEST_PAUSE)
    return due_at if due_at <= give_up_at else None


def find_pause(failures: int) -> float:
    """Returns for how many seconds a mail server that can't be reached is left alone."""
    return float(min(2 ** max(failures - 1, 0), 15))
