"""What is particular to a kind of mail, as one value."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar
from uuid import UUID

from libs.shared.events import Event
from services.reporting.mail.rendering import Content
from services.reporting.rules.mails import Addressee, Mail

F = TypeVar("F")


@dataclass(frozen=True, slots=True)
class Letter:
    """A subject and what stands below it; headers: names and values that this mail has beside.

    log: the end of a run's, attached if it isn't empty.
    """

    subject: str
    content: Content
    headers: tuple[tuple[str, str], ...] = ()
    log: str = ""


@dataclass(frozen=True, slots=True)
class Kind(Generic[F]):
    """A kind of mail, made of facts F.

    name: as it stands in the queue; with subject and person it names a mail, so that none is
    written twice. subject: what the mail is about (a run, a password, a refused mail).
    plan: the plan concerned. choose: who gets it. write: what all of one language read, said to the
    first of them, with lists of so many lines at most; what each reads alone, where it is_personal,
    for it holds links of theirs. give_up_at: when it is not tried any more;
    it is given the time of writing. is_secret: its text is sealed, and forgotten once it is sent.
    by_client: a client's machines cause it as often as they like, so it has its allowances, and
    nobody gets it once the subscription has ended.
    accepted, refused: what is published then, for the moment or the server's answer.
    tells_hotline: the hotline is told where nobody will get it. thread: kind and subject of the
    mail that it answers, so that readers show them together.
    """

    name: str
    choose: Callable[[F], Iterable[Addressee]]
    write: Callable[[F, Addressee, int], Letter]
    subject: Callable[[F], UUID]
    plan: Callable[[F], UUID | None]
    give_up_at: Callable[[F, datetime], datetime]
    is_secret: bool = False
    is_personal: bool = False
    by_client: Callable[[F], bool] = lambda _facts: False
    accepted: Callable[[Mail, datetime], Event] | None = None
    refused: Callable[[Mail, str], Event] | None = None
    tells_hotline: bool = True
    thread: Callable[[F], tuple[str, UUID] | None] = lambda _facts: None
