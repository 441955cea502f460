"""What retention's actions work with."""

from __future__ import annotations

from dataclasses import dataclass, field

from libs.shared.certificates import Notary
from libs.shared.database import Pool
from libs.shared.keys import KeyRing
from libs.shared.objects import ObjectStore
from services.retention import rules


@dataclass(frozen=True)
class Resources:
    """Pool, store, keys, patience and pace of one process.

    notary: signs certificates; commands have none, as they destroy nobody.
    """

    pool: Pool
    objects: ObjectStore
    keys: KeyRing
    limits: rules.collection.Limits = field(default_factory=rules.collection.Limits)
    rhythm: rules.rhythm.Rhythm = field(default_factory=rules.rhythm.Rhythm)
    guards: rules.destruction.Guards = field(default_factory=rules.destruction.Guards)
    notary: Notary | None = None

    @property
    def signer(self) -> Notary:
        """What signs certificates."""
        if self.notary is None:
            raise RuntimeError("commands sign no certificates")
        return self.notary
