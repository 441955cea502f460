"""What fills a client's volume, and what its administrators or an operator drop of it."""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4, uuid5

from libs.shared import catalogue, clock, errors, outbox
from libs.shared.catalogue import volumes
from libs.shared.catalogue.volumes import Volume
from libs.shared.database import Connection, Pool, tenant_transaction
from libs.shared.events import ReductionOrdered, ReductionWithdrawn
from services.portal import store
from services.portal.actions import log, runs
from services.portal.actions.clients import subscription
from services.portal.rules import reductions
from services.portal.rules.files import moments, names
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.reductions import Reduction, ReductionWish
from services.portal.store.clients import Tenant
from services.portal.store.overages import Case
from services.portal.store.reductions import Fill, Preview
from services.portal.store.runs.shown import Plan
from services.portal.store.volume_days import Day

_SHOWN = 500
_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Filled:
    """What fills a volume: plans, or what lies in one folder of a plan.

    whole: what that folder itself holds; None for all plans, and where nothing was counted.
    days: what was held on each of the last year's, of all plans; reached_on, case: what is to come.
    """

    tenant: Tenant
    volume: Volume
    plans: list[Plan]
    plan: catalogue.CataloguePlan | None
    path: bytes
    whole: Fill | None
    fills: list[Fill]
    reductions: list[Reduction]
    days: list[Day]
    reached_on: date | None
    case: Case | None


@dataclass(frozen=True)
class Previewed:
    """A wish as it would be carried out now."""

    tenant: Tenant
    plan: catalogue.CataloguePlan
    wish: ReductionWish
    before: datetime | None
    preview: Preview


async def look_at(
    pool: Pool, actor: Actor, tenant_id: UUID, plan: str = "", path: bytes = b""
) -> Filled:
    """What fills a client's volume, as it was counted last, and what was dropped of it.

    Raises NotFound, PlanAmbiguous, RecoveryBlocked.
    """
    clean, last = names.clean_path(path), clock.now().date()
    async with tenant_transaction(pool, tenant_id) as conn:
        tenant = await _find_tenant(conn, tenant_id)
        found, whole, parent_id = None, None, 0
        if plan:
            found, parent_id = await _find_folder(conn, tenant_id, plan, clean)
            whole = await store.reductions.find_fill(conn, tenant_id, parent_id)
        filled = Filled(
            tenant,
            await volumes.read(conn, tenant_id),
            await store.runs.shown.list_plans(conn, tenant_id),
            found,
            clean,
            whole,
            await store.reductions.list_fills(conn, tenant_id, parent_id, _SHOWN),
            await store.reductions.list_newest(conn, tenant_id, _SHOWN),
            [] if plan else await store.volume_days.list_days(conn, tenant_id, last - _YEAR, last),
            await store.volume_days.find_forecast(conn, tenant_id),
            await store.overages.find_open(conn, tenant_id),
        )
        shown = names.display(clean)
        await log.note(
            conn, actor, acts.VolumeViewed(found.name if found else "", shown), tenant_id
        )
    return filled


async def preview(pool: Pool, actor: Actor, tenant_id: UUID, wish: ReductionWish) -> Previewed:
    """What dropping would free now; nothing is dropped.

    Raises NotFound, PlanAmbiguous, RecoveryBlocked, NothingToDrop, InvalidRequest.
    """
    async with tenant_transaction(pool, tenant_id) as conn:
        previewed = await _preview(conn, tenant_id, wish)
        what = _describe(previewed)
        await log.note(conn, actor, acts.ReductionPreviewed(*what), tenant_id)
    return previewed


async def order(
    pool: Pool, actor: Actor, tenant_id: UUID, wish: ReductionWish, key: str = ""
) -> Reduction:
    """Drops copies: retention carries it out at once, and deletes nothing for some days.

    key: the same twice makes one reduction. Raises as `preview` does.
    """
    reduction_id = uuid5(tenant_id, key) if key else uuid4()
    async with tenant_transaction(pool, tenant_id) as conn:
        if known := await store.reductions.find(conn, tenant_id, reduction_id):
            await log.note(conn, actor, acts.ReductionsListed(), tenant_id)
            return known
        previewed = await _preview(conn, tenant_id, wish)
        reduction = Reduction(
            reduction_id=reduction_id,
            plan_id=previewed.plan.plan_id,
            plan_name=previewed.plan.name,
            what=wish.what,
            folder=names.clean_path(wish.folder) if wish.what == "folder" else None,
            before=previewed.before,
            ordered_by=actor.name,
            ordered_at=clock.now(),
            state="ordered",
            freed_bytes=previewed.preview.freed_bytes,
            undo_until=None,
        )
        if await store.reductions.add(conn, tenant_id, reduction):
            await outbox.add(conn, _ordered(tenant_id, reduction))
        await log.note(conn, actor, acts.ReductionOrdered(*_describe(previewed)), tenant_id)
    return reduction


def _ordered(tenant_id: UUID, reduction: Reduction) -> ReductionOrdered:
    folder = reduction.folder
    return ReductionOrdered(
        tenant_id=tenant_id,
        reduction_id=reduction.reduction_id,
        version=1,
        what=reduction.what,
        plan_id=reduction.plan_id,
        folder=None if folder is None else base64.b64encode(folder).decode(),
        before=reduction.before,
        by=reduction.ordered_by,
        ordered_at=reduction.ordered_at,
    )


async def withdraw(pool: Pool, actor: Actor, tenant_id: UUID, reduction_id: UUID) -> None:
    """Takes a reduction back; once more is fine. Raises NotFound, TooLate."""
    async with tenant_transaction(pool, tenant_id) as conn:
        reduction = await store.reductions.find(conn, tenant_id, reduction_id)
        if reduction is None:
            raise errors.NotFound("reduction")
        if reduction.state not in ("withdrawing", "withdrawn"):
            reductions.check_withdrawal(reduction)
            await store.reductions.withdraw(conn, tenant_id, reduction_id)
            withdrawn = ReductionWithdrawn(
                tenant_id=tenant_id,
                reduction_id=reduction_id,
                by=actor.name,
                withdrawn_at=clock.now(),
            )
            await outbox.add(conn, withdrawn)
        act = acts.ReductionWithdrawn(reduction.plan_name, str(reduction_id))
        await log.note(conn, actor, act, tenant_id)


async def list_newest(pool: Pool, actor: Actor, tenant_id: UUID) -> list[Reduction]:
    """What was dropped of a client's copies, newest first; raises NotFound, RecoveryBlocked."""
    async with tenant_transaction(pool, tenant_id) as conn:
        await _find_tenant(conn, tenant_id)
        found = await store.reductions.list_newest(conn, tenant_id, _SHOWN)
        await log.note(conn, actor, acts.ReductionsListed(), tenant_id)
    return found


async def _find_tenant(conn: Connection, tenant_id: UUID) -> Tenant:
    """The client, if names of its folders may be shown; raises NotFound, RecoveryBlocked."""
    if await store.clients.find(conn, tenant_id) is None:
        raise errors.NotFound("client")
    return await subscription.check_recovery(conn, tenant_id)


async def _find_folder(
    conn: Connection, tenant_id: UUID, plan: str, path: bytes
) -> tuple[catalogue.CataloguePlan, int]:
    found = await runs.find_plan(conn, tenant_id, plan)
    folder_id = await catalogue.find_folder(conn, tenant_id, found.plan_id, path)
    if folder_id is None:
        raise errors.NotFound("folder of this plan")
    return found, folder_id


async def _preview(conn: Connection, tenant_id: UUID, wish: ReductionWish) -> Previewed:
    tenant = await _find_tenant(conn, tenant_id)
    path = names.clean_path(wish.folder) if wish.what == "folder" else b""
    plan, folder_id = await _find_folder(conn, tenant_id, wish.plan, path)
    before, oldest_kept = None, 0
    if wish.what == "older":
        before = moments.read_moment(wish.before, tenant.timezone)
        kept = await catalogue.find_oldest_kept(conn, tenant_id, plan.plan_id, before)
        oldest_kept = kept or 0
    await store.reductions.plan_by_hashes(conn)
    found = await store.reductions.preview(
        conn, tenant_id, plan.plan_id, wish.what, folder_id, oldest_kept
    )
    if not found.versions:
        raise reductions.NothingToDrop
    return Previewed(tenant, plan, wish, before, found)


def _describe(previewed: Previewed) -> tuple[str, str, str, int]:
    """What of which plan, and how much it frees, as the log keeps it."""
    wish = previewed.wish
    which = names.display(names.clean_path(wish.folder)) if wish.what == "folder" else wish.before
    return wish.what, previewed.plan.name, which, previewed.preview.freed_bytes
