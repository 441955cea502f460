"""Events of notices: what operators announce (portal), and whose mail of it came (reporting)."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events.base import Event, Part, event

NoticeKind = Literal["maintenance", "location", "text"]
"""Maintenance with a window, a change of where data is stored, or free text."""


class Texts(Part):
    """The same text in both languages."""

    fr: str
    en: str


@event("notice.published.v1")
class NoticePublished(Event):
    """A client is told of something; once more, where the mail is sent once more.

    mailing_id: of the mails that are written by this. version: of what is known of the notice; the
    newer wins. begins_at, ends_at: of a maintenance's window; begins_at alone: from when it counts.
    """

    notice_id: UUID
    mailing_id: UUID
    version: int
    kind: NoticeKind
    title: Texts
    text: Texts
    begins_at: datetime | None
    ends_at: datetime | None


@event("notice.withdrawn.v1")
class NoticeWithdrawn(Event):
    """What a client was told does not happen."""

    notice_id: UUID
    mailing_id: UUID
    version: int
    title: Texts
    reason: Texts


@event("notice.delivered.v1")
class NoticeDelivered(Event):
    """A person's mail of a notice was accepted by the mail server, or refused for good.

    answer: the server's, of a refusal; at: when it was accepted. What was may still come back.
    """

    mailing_id: UUID
    recipient: str
    outcome: Literal["accepted", "refused"]
    answer: str = ""
    at: datetime | None = None
