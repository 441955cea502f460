"""A mail, whom it can reach, and when it is tried again."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from typing import Literal
from uuid import UUID

from libs.shared.events import Locale

Stage = Literal["sender", "recipient", "text"]
Judgement = Literal["later", "refused"]

REPORT_KEPT_TRYING = timedelta(days=5)  # RFC 5321, 4.5.4.1: give up after four or five days
LONGEST_PAUSE = timedelta(minutes=15)
HOTLINE_LOCALE: Locale = "fr"


@dataclass(frozen=True, slots=True)
class Addressee:
    """One person who gets one mail."""

    email: str
    name: str
    locale: Locale


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of the queue, of a kind in mail/letters; a secret body is gone once it is sent."""

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


def address_hotline(emails: Iterable[str]) -> list[Addressee]:
    """Returns each of the hotline's addresses, one that is named twice once."""
    each = {email.lower(): email for email in reversed(list(emails))}
    return [Addressee(email, "", HOTLINE_LOCALE) for email in reversed(each.values())]


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
    tenant_id: UUID, kind: str, subject_id: UUID, recipient: str, domain: str
) -> str:
    """Returns the Message-ID of a mail: the same for the same kind, subject and person.

    It is short, so that its header needs no folding.
    """
    key = f"{tenant_id}/{kind}/{subject_id}/{recipient.lower()}"
    digest = hashlib.sha256(key.encode()).digest()[:15]
    return f"<{kind}.{base64.b32encode(digest).decode().lower()}@{domain}>"


def judge_refusal(stage: Stage, code: int) -> Judgement:
    """Says whether an SMTP reply other than success is for good.

    5xx is, except where it speaks of us and not of this mail: 53x (sign in first, encrypt first)
    is mended by the operator, and no report may be lost over it.
    """
    if not 500 <= code < 600 or 530 <= code < 540:
        return "later"
    return "later" if stage == "sender" and code in {500, 501, 502, 503, 504} else "refused"


def find_next_try(tries: int, now: datetime, give_up_at: datetime) -> datetime | None:
    """Returns when a mail is tried again: 2 s later, then 4, 8, … 15 minutes; None: give up."""
    due_at = now + min(timedelta(seconds=2 ** min(tries, 10)), LONGEST_PAUSE)
    return due_at if due_at <= give_up_at else None


def find_pause(failures: int) -> float:
    """Returns for how many seconds a mail server that can't be reached is left alone."""
    return float(min(2 ** max(failures - 1, 0), 15))
