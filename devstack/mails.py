"""Reads what the SMTP sink keeps: the mails that an address got, and a password in one."""

from __future__ import annotations

import email
import email.policy
import os
import re
from collections.abc import Collection, Iterator
from email.message import EmailMessage
from functools import cache
from pathlib import Path
from typing import Any

_ONE_TIME_PASSWORD = re.compile(r"^ +([a-z0-9]{5}(?:-[a-z0-9]{5}){3})\s*$", re.MULTILINE)

_NAME = re.compile(r"[0-9].*\.eml")


def read(folder: Path, to: str | None = None, but: Collection[str] = ()) -> Iterator[EmailMessage]:
    """Gives the mails delivered to an address, or all, in the order of their delivery.

    `but` are names of files that are not wanted.
    """
    with os.scandir(folder) as entries:
        names = sorted(entry.name for entry in entries if _NAME.fullmatch(entry.name))
    for name in names:
        if name in but or (to is not None and to not in _recipients(f"{folder}/{name}")):
            continue  # spares reading thousands of mails to others at each look
        content = (folder / name).read_bytes()
        mail: Any = email.message_from_bytes(content, policy=email.policy.default)
        yield mail


@cache
def _recipients(path: str) -> frozenset[str]:
    """Whom a mail was delivered to, of its first lines: a file never changes."""
    found = set()
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for line in lines:
            name, _, value = line.partition(": ")
            if not name.startswith("X-Envelope-"):
                break
            if name == "X-Envelope-To":
                found.add(value.rstrip("\n"))
    return frozenset(found)


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
