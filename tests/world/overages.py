"""Overage cases as quota tells of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4, uuid5

from libs.shared import clock
from libs.shared.events import OverageOpened, OverageReported, PlanVolume

T = TypeVar("T", bound=OverageReported)


def told(
    tenant_id: UUID,
    kind: type[T] = OverageOpened,  # type: ignore[assignment]  # mypy knows no default of a TypeVar
    **changes: Any,
) -> T:
    """A word on a client's one case: 104 GB of 100 since today, with one large plan."""
    now = clock.now()
    fields: dict[str, Any] = {
        "case_id": uuid5(tenant_id, "case"),
        "version": 1,
        "opened_at": now,
        "passed_at": now,
        "deadline_at": now + timedelta(days=30),
        "final_at": now + timedelta(days=60),
        "stored_bytes": 104 * 10**9,
        "contracted_bytes": 100 * 10**9,
        "ceiling_bytes": None,
        "reached_on": None,
        "weekly_bytes": 1_200_000_000,
        "answer": None,
        "reason": "",
        "fills": (
            PlanVolume(
                plan_id=uuid4(),
                plan_name="documents",
                hostname="srv-bureau",
                protected_bytes=182_340_000_000,
                sent_bytes=9_100_000_000,
            ),
        ),
    }
    return kind(tenant_id=tenant_id, **(fields | changes))
