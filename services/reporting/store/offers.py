"""SQL of the sizes of storage that clients could order next."""

from __future__ import annotations

from uuid import UUID

from pydantic import TypeAdapter

from libs.shared.database import Connection
from libs.shared.events import Offer, OffersChanged
from services.reporting.rules.offers import Offers

_OFFERS = TypeAdapter(tuple[Offer, ...])


async def put(conn: Connection, tenant_id: UUID, event: OffersChanged) -> None:
    """Keeps what is newer."""
    await conn.execute(
        """
        INSERT INTO offers AS o (tenant_id, version, currency, offers) VALUES ($1, $2, $3, $4)
        ON CONFLICT (tenant_id) DO UPDATE SET version = $2, currency = $3, offers = $4
        WHERE o.version < $2
        """,
        tenant_id,
        event.version,
        event.currency,
        _OFFERS.dump_json(event.offers).decode(),
    )


async def find(conn: Connection, tenant_id: UUID) -> Offers | None:
    """What a client could order next; None while portal has not told of it."""
    row = await conn.fetchrow(
        """
        SELECT currency, offers FROM offers WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return Offers(row["currency"], _OFFERS.validate_json(row["offers"])) if row else None
