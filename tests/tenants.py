"""What the portal says of client companies."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from libs.shared.events import TenantChanged


def tenant_changed(tenant_id: UUID, version: int, **changes: Any) -> TenantChanged:
    """An event that tells of a small French company, but for what is given."""
    told: dict[str, Any] = {
        "name": "Boulangerie Martin",
        "locale": "fr",
        "timezone": "Europe/Paris",
        "administrators": (),
        "contracted_bytes": 10**10,
        "seats": 1,
        "subscription": "active",
        "retention_days": 30,
    }
    return TenantChanged(tenant_id=tenant_id, version=version, **(told | changes))
