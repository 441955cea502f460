"""Acts with what clients are told."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class NoticesListed(Act):
    """Every notice there is."""

    code = "notices-listed"


@dataclass(frozen=True)
class _OfNotice(Act):
    """Something about one notice, by its English title."""

    notice: str


@dataclass(frozen=True)
class NoticeViewed(_OfNotice):
    """A notice as clients read it, and whose mail came."""

    code = "notice-viewed"


@dataclass(frozen=True)
class NoticeDrafted(_OfNotice):
    """A notice was written that nobody is told of yet."""

    code = "notice-drafted"


@dataclass(frozen=True)
class NoticePublished(_OfNotice):
    """Clients are told as soon as it is time."""

    code = "notice-published"


@dataclass(frozen=True)
class NoticeWithdrawn(_OfNotice):
    """What clients were told does not happen."""

    code = "notice-withdrawn"


@dataclass(frozen=True)
class NoticeSentAgain(_OfNotice):
    """A client's people are written to once more."""

    code = "notice-sent-again"


@dataclass(frozen=True)
class NoticeCarriedOut(_OfNotice):
    """The change of location that was announced was made."""

    code = "notice-carried-out"
