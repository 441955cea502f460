"""The shape of what a client's administrators are told of: what it is, what follows, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from libs.shared.words.tongue import Tongue
from services.reporting.mail.letters.kinds import Letter
from services.reporting.mail.rendering import lay_out


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is told, in its reader's tongue; what is empty is left out.

    about: whom and what it concerns, below the headline. listed: foreign words, a line each; more:
    how many of them are left out. leads_to, link: the button. is_bad: something has stopped.
    """

    headline: str
    what: str
    leads_to: str
    link: str
    about: Sequence[str] = ()
    reason: str = ""
    listed: Sequence[str] = ()
    more: int = 0
    stops: str = ""
    goes_on: str = ""
    to_do: str = ""
    is_bad: bool = False


def write(tongue: Tongue, subject: str, told: Announcement) -> Letter:
    """Returns the letter that says it."""
    content = lay_out(
        tongue,
        "announcement",
        told=told,
        more=tongue.count("… and {n} more", "… and {n} more", told.more) if told.more else "",
        in_short=[
            each for each in (told.what, told.stops, told.goes_on, told.to_do, told.link) if each
        ],
    )
    return Letter(subject, content)
