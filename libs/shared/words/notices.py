"""How an announcement to clients is said, in mails and where operators read it beforehand."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from libs.shared.events import NoticeKind
from libs.shared.words.tongue import Tongue


@dataclass(frozen=True)
class NoticeWords:
    """A subject, the sentence about its time and what it means, and what its author wrote."""

    subject: str
    lead: str
    paragraphs: tuple[str, ...]


def tell_notice(
    tongue: Tongue,
    kind: NoticeKind,
    title: str,
    text: str,
    begins_at: datetime | None,
    ends_at: datetime | None,
) -> NoticeWords:
    """The notice in a reader's language and time zone."""
    begins, ends = tongue.moment(begins_at), tongue.moment(ends_at)
    if kind == "maintenance":
        subject = tongue.say("Maintenance on {begins}: {title}", begins=begins, title=title)
        lead = tongue.say(
            "From {begins} to {ends} the backup service may be away. Runs that are due in that "
            "time need not come, and nobody is warned of them; nothing of what is stored is lost.",
            begins=begins,
            ends=ends,
        )
    elif kind == "location":
        subject = tongue.say("Where your backups are stored changes: {title}", title=title)
        lead = tongue.say(
            "From {begins} on your backups may be stored elsewhere. Until then nothing changes.",
            begins=begins,
        )
    else:
        subject = title
        lead = tongue.say("It counts from {begins} on.", begins=begins) if begins_at else ""
    paragraphs = tuple(" ".join(each.split()) for each in text.split("\n\n") if each.strip())
    return NoticeWords(subject, lead, paragraphs)


def tell_window(tongue: Tongue, title: str, begins_at: datetime, ends_at: datetime) -> str:
    """A maintenance in one sentence."""
    return tongue.say(
        "Maintenance from {begins} to {ends}: {title}. The service may be away then.",
        begins=tongue.moment(begins_at),
        ends=tongue.moment(ends_at),
        title=title,
    )
