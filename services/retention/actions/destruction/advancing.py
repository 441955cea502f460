"""One step further for each destruction whose time has come."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from datetime import datetime

from libs.shared import database
from libs.shared.reasons import Reason
from services.retention import store
from services.retention.actions.destruction import (
    beginning,
    deciding,
    destroying,
    ending,
    telling,
)
from services.retention.actions.resources import Resources
from services.retention.store.destruction.days import Due
from services.retention.store.destruction.inventories import Inventory, Step

_Doing = Callable[[Resources, Due, Inventory, datetime], Awaitable[int]]

_STEPS: Mapping[Step, _Doing] = {
    "inventory": beginning.take_inventory,
    "asking": beginning.ask,
    "ledger": destroying.write_ledger,
    "keys": destroying.destroy_keys,
    "objects": destroying.destroy_objects,
    "looking": destroying.look,
    "rows": ending.erase_rows,
    "certificate": ending.certify,
}
"""What is done at each step, some of it at a time; at its end it moves to the next."""

_DOUBTED = Reason("time-doubted")


async def advance(resources: Resources, due: Due, now: datetime) -> int:
    """Does some of a destruction that is due; returns how much: 0 where it waits.

    `now` was checked by `check_time`. Each step can be cut anywhere, and is then done again.
    """
    async with database.transaction(resources.pool) as conn:
        if await deciding.settle_hold(conn, due.tenant_id, now):
            return 0
        if [reason["code"] for reason in due.reasons] == [_DOUBTED.code]:
            await telling.move(conn, due.tenant_id, "running")
        work = await store.destruction.inventories.find(conn, due.tenant_id)
    if work is None:
        return await beginning.begin(resources, due, now)
    doing = _STEPS.get(work.step)
    return await doing(resources, due, work, now) if doing else 0


async def doubt_time(resources: Resources, objections: str, now: datetime) -> None:
    """Says of each destruction that would be due that the time can't be believed."""
    reason = replace(_DOUBTED, detail=objections)
    async with database.transaction(resources.pool) as conn:
        for due in await store.destruction.days.list_due(conn, now):
            if due.state in {"scheduled", "running"}:
                await telling.move(conn, due.tenant_id, "waiting", [reason])
