"""SQL of what reporting knows of overage cases."""

from __future__ import annotations

from uuid import UUID

from libs.shared.database import Connection
from libs.shared.events import OverageReported


async def put(conn: Connection, tenant_id: UUID, event: OverageReported, *, is_open: bool) -> bool:
    """Keeps a case as it is told, unless a newer word is known; returns whether it is open now."""
    found: bool = await conn.fetchval(
        """
        INSERT INTO overages AS o (tenant_id, case_id, version, is_open, told)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (case_id) DO UPDATE SET
            version = greatest(o.version, $3),
            is_open = CASE WHEN o.version < $3 THEN $4 ELSE o.is_open END,
            told = CASE WHEN o.version < $3 THEN $5 ELSE o.told END
        RETURNING is_open
        """,
        tenant_id,
        event.case_id,
        event.version,
        is_open,
        event.model_dump_json(),
    )
    return found


async def find(conn: Connection, tenant_id: UUID, case_id: UUID) -> OverageReported | None:
    """Returns a case as it was told last."""
    told = await conn.fetchval(
        """
        SELECT told FROM overages WHERE tenant_id = $1 AND case_id = $2
        """,
        tenant_id,
        case_id,
    )
    return OverageReported.model_validate_json(told) if told is not None else None
