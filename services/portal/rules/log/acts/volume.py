"""Acts with the volume: what fills it, what is dropped, how a case is answered."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act


@dataclass(frozen=True)
class VolumeViewed(Act):
    """What fills a client's volume: by plan, or the folders of a plan below a path."""

    code = "volume-viewed"
    plan: str
    path: str


@dataclass(frozen=True)
class _OfReduction(Act):
    """Copies to be dropped: what of which plan, which path or moment, and the bytes it frees."""

    what: str
    plan: str
    which: str
    freed_bytes: int


@dataclass(frozen=True)
class ReductionPreviewed(_OfReduction):
    """Somebody asked what dropping would free."""

    code = "reduction-previewed"


@dataclass(frozen=True)
class ReductionOrdered(_OfReduction):
    """Copies were dropped; nothing of them is deleted for some days."""

    code = "reduction-ordered"


@dataclass(frozen=True)
class ReductionWithdrawn(Act):
    """What was dropped is taken back."""

    code = "reduction-withdrawn"
    plan: str
    reduction_id: str


@dataclass(frozen=True)
class ReductionsListed(Act):
    """What was dropped of a client's copies."""

    code = "reductions-listed"


@dataclass(frozen=True)
class QuotaViewed(Act):
    """What is stored of what is contracted, with the overage case."""

    code = "quota-viewed"


@dataclass(frozen=True)
class OverageLinkOpened(Act):
    """An administrator followed the link of an overage mail, or a program that looks at mails."""

    code = "overage-link-opened"
    answer: str


@dataclass(frozen=True)
class OverageAnswered(Act):
    """An administrator answered an overage case."""

    code = "overage-answered"
    answer: str


@dataclass(frozen=True)
class DeadlineExtended(Act):
    """An operator gave an overage case a later deadline."""

    code = "deadline-extended"
    until: str
    reason: str


@dataclass(frozen=True)
class GrowthBlocked(Act):
    """An operator stopped a client's growth."""

    code = "growth-blocked"
    reason: str


@dataclass(frozen=True)
class GrowthUnblocked(Act):
    """An operator let a client grow again."""

    code = "growth-unblocked"
    reason: str
