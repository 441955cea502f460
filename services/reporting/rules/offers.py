"""What a client could order."""

from __future__ import annotations

from dataclasses import dataclass

from libs.shared.events import Offer


@dataclass(frozen=True, slots=True)
class Offers:
    """The next sizes that a client could order, the smallest first; prices are before tax."""

    currency: str
    offers: tuple[Offer, ...]
