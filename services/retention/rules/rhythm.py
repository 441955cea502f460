"""How often retention works, and how fast."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Rhythm:
    """How often versions expire and garbage is collected, and how stored bytes are read again.

    scrub_within: each of them within that time; scrub_rate_bytes: so many a second at most;
    destroy_rate_objects: so many objects of destroyed clients a second at most.
    """

    collect_every: timedelta = timedelta(days=1)
    scrub_within: timedelta = timedelta(days=30)
    scrub_rate_bytes: int = 20_000_000
    destroy_rate_objects: int = 5_000
