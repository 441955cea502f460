"""Documents that clients accept, version by version, and which of them wait for an answer."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from libs.shared import errors
from libs.shared.events import SubscriptionState

Name = Literal["general-terms", "software-terms", "service-terms", "data-processing"]

ASKED_IN: frozenset[SubscriptionState] = frozenset({"active", "ending", "suspended"})
"""States in which a client is asked: whose subscription has ended has nothing to agree to."""


class DocumentKnown(errors.Refusal):
    """A version that somebody may have accepted is never changed."""

    code = "document-known"
    status = 409
    title = "This version is published"

    def __init__(self, document: str, version: str) -> None:
        super().__init__()
        self.document = document
        self.version = version

    @property
    def detail(self) -> str:
        return f"{self.document} has a version {self.version} already; give the text another one."


@dataclass(frozen=True)
class Document:
    """One version of a document, without its text."""

    document: str
    version: str
    title: str
    in_force_on: date
    published_at: datetime


def hash_text(text: str) -> bytes:
    """What tells which text was accepted."""
    return hashlib.sha256(text.encode()).digest()


def find_newest(published: Iterable[Document]) -> list[Document]:
    """Of each document the version that was published last: only that one is asked for."""
    newest: dict[str, Document] = {}
    for one in sorted(published, key=lambda one: one.published_at):
        newest[one.document] = one
    return [newest[name] for name in sorted(newest)]
