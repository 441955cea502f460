"""What a certificate of destruction says; docs/certificate.md tells strangers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from libs.shared.certificates import FORMAT, Json

_KEPT_FOR: Mapping[str, timedelta | None] = {
    "accounting": timedelta(days=3653),
    "contract": timedelta(days=1827),
    "until-mailed": timedelta(days=5),
    "certificate": None,
    "never-again": None,
}
"""For how long something stays, by its ground: ten years, five, or as long as there is a ledger."""

METHODS: tuple[Mapping[str, str], ...] = (
    {
        "method": "Cryptographic Erase (CE)",
        "standard": "NIST SP 800-88",
        "what": "The keys under which all data of the client was sealed (AES-256-GCM) were"
        " destroyed in every version, so that recovery of the data is infeasible.",
    },
    {
        "method": "Clear",
        "standard": "NIST SP 800-88",
        "what": "Every version of every object of the client was deleted with the storage's own"
        " commands, and two later listings, at least an hour apart, found nothing.",
    },
)


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a destruction came to.

    rows: by service and table, how many were deleted; kept: by service and table, the ground.
    """

    destruction_id: UUID
    tenant_id: UUID
    client: str
    locale: str
    ended_at: datetime
    reason: str
    due_at: datetime
    begun_at: datetime
    keys_destroyed_at: datetime
    completed_at: datetime
    looked_at: tuple[datetime, datetime]
    objects: int
    size_bytes: int
    late_objects: int
    merkle_root: bytes
    rows: Mapping[str, Mapping[str, int]]
    kept: Mapping[str, Mapping[str, str]]


def write_certificate(facts: Facts) -> dict[str, Json]:
    """The content, to be signed."""
    return {
        "format": FORMAT,
        "certificate_id": str(facts.destruction_id),
        "client": {"tenant_id": str(facts.tenant_id), "name": facts.client},
        "locale": facts.locale,
        "subscription": {"ended_at": _moment(facts.ended_at), "reason": facts.reason},
        "due_at": _moment(facts.due_at),
        "begun_at": _moment(facts.begun_at),
        "keys_destroyed_at": _moment(facts.keys_destroyed_at),
        "found_empty_at": [_moment(one) for one in facts.looked_at],
        "completed_at": _moment(facts.completed_at),
        "destroyed": {
            "objects": facts.objects,
            "bytes": facts.size_bytes,
            "merkle_root": facts.merkle_root.hex(),
            "appeared_later": facts.late_objects,
        },
        "methods": [dict(one) for one in METHODS],
        "rows": {service: dict(rows) for service, rows in facts.rows.items()},
        "kept": [
            {
                "service": service,
                "what": table,
                "ground": ground,
                "until": _until(ground, facts.completed_at),
            }
            for service, tables in sorted(facts.kept.items())
            for table, ground in sorted(tables.items())
        ],
    }


def _until(ground: str, completed_at: datetime) -> str | None:
    kept_for = _KEPT_FOR.get(ground)
    return _moment(completed_at + kept_for) if kept_for else None


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
