"""Who gets which mail, what is usual, when to try again: pure decisions of reporting."""

from __future__ import annotations

import base64
import hashlib
import re
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.errors import MessageError
from email.headerregistry import Address
from typing import Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from libs.shared.events import Locale, Outcome, Recipient

Kind = Literal["report", "hotline", "password", "undeliverable", "damage"]
Stage = Literal["sender", "recipient", "text"]
Judgement = Literal["later", "refused"]

REPORT_KEPT_TRYING = timedelta(days=5)  # RFC 5321, 4.5.4.1: give up after four or five days
LONGEST_PAUSE = timedelta(minutes=15)
HOTLINE_LOCALE: Locale = "fr"
HISTORY_LENGTH = 10
USUAL_FROM_RUNS = 3


@dataclass(frozen=True, slots=True)
class Tenant:
    """What reporting knows of a client."""

    tenant_id: UUID
    name: str
    locale: Locale
    timezone: str
    administrators: tuple[Recipient, ...]
    contracted_bytes: int


@dataclass(frozen=True, slots=True)
class Plan:
    """What reporting knows of a plan."""

    plan_id: UUID
    name: str
    hostname: str
    schedule: str
    timezone: str
    recipients: tuple[str, ...]
    reports: bool


@dataclass(frozen=True, slots=True)
class Addressee:
    """One person who gets one mail of one kind."""

    kind: Kind
    email: str
    name: str
    locale: Locale


def choose_addressees(
    tenant: Tenant, plan: Plan, outcome: Outcome, hotline: Sequence[str]
) -> list[Addressee]:
    """Says who is written to after a run.

    The plan's recipients, or the administrators where it names none, unless the client declined
    reports; and each address of the hotline when the run failed, declined or not.
    A person named twice, in whatever case, gets one mail of a kind.
    """
    chosen: dict[tuple[Kind, str], Addressee] = {}
    known = {person.email.lower(): person for person in tenant.administrators}
    emails: Iterable[str] = plan.recipients or [p.email for p in tenant.administrators]
    for email in emails if plan.reports else ():
        person = known.get(email.lower())
        addressee = Addressee(
            "report",
            email,
            person.name if person else "",
            person.locale if person else tenant.locale,
        )
        chosen.setdefault(("report", email.lower()), addressee)
    for email in hotline if outcome == "failed" else ():
        chosen.setdefault(
            ("hotline", email.lower()), Addressee("hotline", email, "", HOTLINE_LOCALE)
        )
    return list(chosen.values())


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
    tenant_id: UUID, kind: Kind, subject_id: UUID, recipient: str, domain: str
) -> str:
    """Returns the Message-ID of a mail: the same for the same kind, subject and person.

    It is short, so that its header needs no folding.
    """
    key = f"{tenant_id}/{kind}/{subject_id}/{recipient.lower()}"
    digest = hashlib.sha256(key.encode()).digest()[:15]
    return f"<{kind}.{base64.b32encode(digest).decode().lower()}@{domain}>"


def name_damage(concerned_id: UUID, found_at: datetime) -> UUID:
    """Returns the subject of a mail about damage: one for all that is found on a day."""
    return uuid5(concerned_id, f"damage {found_at.astimezone(UTC):%Y-%m-%d}")


@dataclass(frozen=True, slots=True)
class Usual:
    """The middle of a plan's last runs and how far they commonly lie from it."""

    median: int
    spread: int


def find_usual(history: Sequence[int]) -> Usual | None:
    """Says what is usual from the figures of earlier runs; None when they are too few.

    Spread is the median distance from the median: one strange run doesn't move it.
    """
    if len(history) < USUAL_FROM_RUNS:
        return None
    median = statistics.median(history)
    spread = statistics.median(abs(figure - median) for figure in history)
    return Usual(round(median), round(spread))


def find_next_report(schedule: str, timezone: str, after: datetime) -> datetime | None:
    """Returns when the plan runs next, in its own time zone; None if its rhythm can't be read."""
    try:
        return next(CronSim(schedule, after.astimezone(ZoneInfo(timezone))), None)
    except (CronSimError, LookupError, OSError, ValueError):
        return None


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
