"""How catalogue and bucket disagree, in words, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal
from uuid import UUID

Kind = Literal[
    "object-without-row",
    "row-without-object",
    "object-of-another-size",
    "object-that-is-no-pack",
    "chunk-outside-its-pack",
    "chunk-without-pack",
    "chunk-that-nobody-has",
    "needed-but-condemned",
    "volume-not-the-sum",
    "protected-not-the-sum",
    "restore-point-not-the-sum",
    "restore-point-unproven",
    "restore-point-missing",
    "run-object-missing",
    "removal-not-ended",
    "part-that-nothing-needs",
    "damaged",
]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """One thing that is not as it should be: which tenant, what, and a sentence about it.

    pack_id: the pack concerned, where it is one.
    repaired: what was done about it; empty where nothing was, or can be.
    """

    kind: Kind
    tenant_id: UUID
    sentence: str
    pack_id: bytes = b""
    repaired: str = ""


def compare_object(
    tenant_id: UUID, pack_id: bytes, in_catalogue: int | None, in_bucket: int | None
) -> Disagreement | None:
    """Compares the bytes that the catalogue and the bucket say a pack has; None: not there."""
    pack = f"Pack {pack_id.hex()[:16]}…"
    if in_catalogue is None and in_bucket is not None:
        return Disagreement(
            "object-without-row",
            tenant_id,
            f"{pack}: {in_bucket} bytes in the bucket, unknown to the catalogue.",
            pack_id,
        )
    if in_catalogue is not None and in_bucket is None:
        return Disagreement(
            "row-without-object",
            tenant_id,
            f"{pack}: {in_catalogue} bytes in the catalogue, not in the bucket.",
            pack_id,
        )
    if in_catalogue != in_bucket:
        return Disagreement(
            "object-of-another-size",
            tenant_id,
            f"{pack}: {in_catalogue} bytes in the catalogue, {in_bucket} in the bucket.",
            pack_id,
        )
    return None
