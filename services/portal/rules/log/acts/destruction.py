"""Acts with the end of a client's data."""

from __future__ import annotations

from dataclasses import dataclass

from services.portal.rules.log.acts.base import Act
from services.portal.rules.log.acts.clients import OfSubscription


@dataclass(frozen=True)
class DestructionsListed(Act):
    """Which clients are due to be destroyed, or were; `count` of them."""

    code = "destructions-listed"
    count: int


@dataclass(frozen=True)
class DestructionViewed(Act):
    """How a client's destruction stands."""

    code = "destruction-viewed"


@dataclass(frozen=True)
class DestructionConfirmed(OfSubscription):
    """A second operator let a destruction go on."""

    code = "destruction-confirmed"


@dataclass(frozen=True)
class DestructionHeld(OfSubscription):
    """A legal hold stops a destruction."""

    code = "destruction-held"


@dataclass(frozen=True)
class DestructionReleased(OfSubscription):
    """A legal hold ended."""

    code = "destruction-released"


@dataclass(frozen=True)
class ClientErased(Act):
    """All of a client was destroyed; lines before this one are blank but for what was done when."""

    code = "client-erased"


@dataclass(frozen=True)
class CertificateRead(Act):
    """A certificate of destruction was read, by an operator or by the link of its mail."""

    code = "certificate-read"
