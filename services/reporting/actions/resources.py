"""What the handlers of events and the sender work with."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Resources:
    """Who writes the mails, who is told of failures, where the links lead."""

    sender: str
    hotline: tuple[str, ...]
    portal_url: str
    mail_key: bytes = field(repr=False)
