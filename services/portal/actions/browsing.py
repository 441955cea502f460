"""Finding a path in a restore point, and walking what lies below it."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Any, ClassVar
from uuid import UUID

from libs.shared import catalogue, errors
from libs.shared.catalogue import EntryRow, RestorePoint
from libs.shared.database import Connection, Pool, tenant_transaction
from services.portal import store
from services.portal.rules import names, subscriptions
from services.portal.store.entries import NamedPlan

_FOLDERS_AT_ONCE = 64
_ENTRIES_AT_ONCE = 2_000


class PlanAmbiguous(errors.Refusal):
    """Several machines have a plan of that name."""

    code: ClassVar[str] = "plan-ambiguous"
    status: ClassVar[int] = 409
    title: ClassVar[str] = "Several plans have this name"

    def __init__(self, name: str, plans: list[NamedPlan]) -> None:
        super().__init__()
        self.name = name
        self.plans = plans

    @property
    def detail(self) -> str:
        listed = ", ".join(f"{plan.plan_id} ({plan.hostname})" for plan in self.plans)
        return f"Several plans are called {self.name}; give the id of one: {listed}."

    def extra(self) -> dict[str, Any]:
        return {"plans": [{"plan_id": str(p.plan_id), "agent": p.hostname} for p in self.plans]}


@dataclass(frozen=True)
class Place:
    """A path that a restore point holds."""

    tenant_id: UUID
    plan: catalogue.Plan
    run: RestorePoint
    path: bytes
    entry: EntryRow

    @property
    def identity(self) -> str:
        """Names this version and no other, for ETag."""
        entry = self.entry
        return f"{self.plan.plan_id.hex[:16]}-{entry.first_run}-{entry.size:x}-{entry.crc32:08x}"


async def find_plan(conn: Connection, tenant_id: UUID, reference: str) -> catalogue.Plan:
    """A tenant's plan by id or name; raises NotFound, PlanAmbiguous."""
    try:
        plan_id = UUID(reference)
    except ValueError:
        named = await store.entries.find_plans_by_name(
            conn, tenant_id, reference.replace("\0", "\ufffd")
        )
        if len(named) > 1:
            raise PlanAmbiguous(reference, named) from None
        if not named:
            raise errors.NotFound("plan") from None
        plan_id = named[0].plan_id
    plan = await catalogue.find_plan(conn, tenant_id, plan_id)
    if plan is None:
        raise errors.NotFound("plan")
    return plan


async def check_recovery(conn: Connection, tenant_id: UUID) -> None:
    """Raises RecoveryBlocked unless the tenant's files may be read now."""
    tenant = await store.tenants.find(conn, tenant_id)
    if tenant is None:
        raise errors.NotFound("plan")
    subscriptions.check_recovery(tenant.subscription, tenant.subscription_reason)


async def find_place(
    pool: Pool, tenant_id: UUID, reference: str, run: int | None, path: bytes
) -> Place:
    """Finds a path as a run saw it, the newest restore point without a number.

    Raises NotFound, PlanAmbiguous, RecoveryBlocked."""
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await find_plan(conn, tenant_id, reference)
        await check_recovery(conn, tenant_id)
        # Numbers are 32 bits; no run has one beyond them.
        point = None
        if run is None or 0 <= run < 2**31:
            point = await catalogue.resolve_run(conn, tenant_id, plan.plan_id, run)
        if point is None:
            raise errors.NotFound("restore point")
        clean = names.clean_path(path)
        entry = await catalogue.find_entry(conn, tenant_id, plan.plan_id, point.number, clean)
        if entry is None:
            raise errors.NotFound("file or folder in this restore point")
    return Place(tenant_id, plan, point, clean, entry)


async def list_folder(pool: Pool, place: Place) -> list[EntryRow]:
    """What a folder holds, folders first; raises NotFound for anything else."""
    if place.entry.kind != "d":
        raise errors.NotFound("folder in this restore point")
    async with tenant_transaction(pool, place.tenant_id) as conn:
        return await catalogue.list_folder(
            conn, place.tenant_id, place.plan.plan_id, place.run.number, place.path
        )


async def walk(pool: Pool, place: Place) -> AsyncGenerator[tuple[bytes, list[EntryRow]], None]:
    """Yields what lies below a folder: (folder path, some of its entries), parents first.

    Each slice is read in a short transaction of its own, so that a slow reader holds none; what
    a run saw never changes, so the slices fit together."""
    tenant_id, plan_id, number = place.tenant_id, place.plan.plan_id, place.run.number
    async with tenant_transaction(pool, tenant_id) as conn:
        start = await catalogue.find_folder(conn, tenant_id, plan_id, place.path)
    if start is None:
        return
    waiting = [(start, place.path)]
    while waiting:
        # The newest first: the list of what is left grows with the tree's depth, not its size.
        batch = dict(waiting.pop() for _ in range(min(_FOLDERS_AT_ONCE, len(waiting))))
        after = (0, b"")
        while True:
            async with tenant_transaction(pool, tenant_id) as conn:
                slice_ = await store.entries.list_slice(
                    conn, tenant_id, plan_id, number, sorted(batch), after, _ENTRIES_AT_ONCE
                )
            by_folder: dict[int, list[EntryRow]] = {}
            for child in slice_:
                by_folder.setdefault(child.folder_id, []).append(child.entry)
                if child.child_id is not None:
                    waiting.append((child.child_id, join(batch[child.folder_id], child.entry.name)))
            for folder_id, entries in by_folder.items():
                yield batch[folder_id], entries
            if len(slice_) < _ENTRIES_AT_ONCE:
                break
            after = (slice_[-1].folder_id, slice_[-1].entry.name)


def join(folder: bytes, name: bytes) -> bytes:
    """The path of a name in a folder."""
    return folder + b"/" + name if folder else name
