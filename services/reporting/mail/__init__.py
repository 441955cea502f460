"""Mails: words and looks (`words`, `letters`), their form (`compose`), the way out (`smtp`, signed
by `dkim`), and what comes back (`mailboxes`)."""

from __future__ import annotations

from services.reporting.mail import (
    causes,
    compose,
    dialogue,
    dkim,
    letters,
    mailboxes,
    rendering,
    smtp,
)

__all__ = [
    "causes",
    "compose",
    "dialogue",
    "dkim",
    "letters",
    "mailboxes",
    "rendering",
    "smtp",
]
