"""Restore points that came on another day: dated as ingest would have, sealed again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.shared import proofs
from libs.shared.keys import TenantKeys


async def date_point(
    fetch: Callable[..., Awaitable[list[Any]]],
    keys: TenantKeys,
    tenant_id: UUID,
    plan_id: UUID,
    number: int,
    at: datetime,
) -> None:
    """Says when a run was received."""
    rows = await fetch(
        "SELECT sealed FROM catalogue.runs WHERE tenant_id = $1 AND plan_id = $2 AND number = $3",
        tenant_id,
        plan_id,
        number,
    )
    seal = proofs.open_point(rows[0][0], keys, tenant_id, plan_id, number)
    seal = msgspec.structs.replace(seal, committed_at=at)
    await fetch(
        "UPDATE catalogue.runs SET committed_at = $4, sealed = $5"
        " WHERE tenant_id = $1 AND plan_id = $2 AND number = $3",
        tenant_id,
        plan_id,
        number,
        at,
        proofs.seal_point(seal, keys, tenant_id, plan_id),
    )
