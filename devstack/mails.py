"""Reads what the SMTP sink keeps: the mails that an address got, and a password in one."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Collection, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any

_ONE_TIME_PASSWORD = re.compile(r"^ +([a-z0-9]{5}(?:-[a-z0-9]{5}){3})\s*$", re.MULTILINE)


def read(folder: Path, to: str | None = None, but: Collection[str] = ()) -> Iterator[EmailMessage]:
    """Gives the mails delivered to an address, or all, in the order of their delivery.

    `but` are names of files that are not wanted.
    """
    for path in sorted(path for path in folder.glob("[0-9]*.eml") if path.name not in but):
        content = path.read_bytes()
        if to is not None and to.encode() not in content:
            continue  # spares parsing thousands of mails to others
        mail: Any = email.message_from_bytes(content, policy=email.policy.default)
        if to is None or to in mail.get_all("X-Envelope-To", []):
            yield mail


def text(mail: EmailMessage, form: str = "plain") -> str:
    """Gives a mail's text, in the form `plain` or `html`; empty where it has none."""
    part = mail.get_body((form,))
    return "" if part is None else str(part.get_content())


def find_password(folder: Path, to: str) -> str | None:
    """Gives the newest one-time password that an address got."""
    for mail in reversed(list(read(folder, to))):
        found = _ONE_TIME_PASSWORD.search(text(mail))
        if found:
            return found[1]
    return None
