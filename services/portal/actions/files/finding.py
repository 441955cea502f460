"""Finding files whatever became of them: the versions of a path, and search by name."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from libs.shared import catalogue, errors
from libs.shared.catalogue import Cursor, Found, Search, Version
from libs.shared.database import Pool, tenant_transaction
from services.portal import store
from services.portal.actions import log, runs
from services.portal.actions.clients import subscription
from services.portal.actions.files.browsing import AskedPlace
from services.portal.rules.files import names
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.clients import Tenant
from services.portal.store.runs.shown import Plan

TEXT_MAX = 255


class NoText(errors.InvalidRequest):
    """A text that is empty or too long to search for."""


@dataclass(frozen=True)
class History:
    """Versions of a path, newest first; `older` goes on where there are more."""

    plan: catalogue.CataloguePlan
    path: bytes
    versions: list[Version]
    older: int | None
    timezone: str


@dataclass(frozen=True)
class Wanted:
    """What somebody searches for, as it was asked: `text` and `below` are bytes as they came."""

    text: bytes
    plan: str = ""
    below: bytes = b""
    deleted: bool | None = None
    after: str = ""


@dataclass(frozen=True)
class Ground:
    """Where somebody is about to search: a plan, or all that there are."""

    plan: catalogue.CataloguePlan | None
    plans: list[Plan]
    tenant: Tenant


@dataclass(frozen=True)
class Results:
    """What was found, the plans it lies in, and where the search goes on ("" for nowhere)."""

    found: list[Found]
    plans: dict[UUID, Plan]
    plan: catalogue.CataloguePlan | None
    after: str


async def list_versions(pool: Pool, asked: AskedPlace, before: int, limit: int) -> History:
    """The versions of a path, whichever run has them; raises NotFound, PlanAmbiguous,
    RecoveryBlocked."""
    clean = names.clean_path(asked.path)
    tenant_id = asked.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        plan = await runs.find_plan(conn, tenant_id, asked.plan)
        tenant = await subscription.check_recovery(conn, tenant_id)
        versions = await catalogue.list_versions(
            conn, tenant_id, plan.plan_id, clean, before, limit + 1
        )
        if not versions:
            raise errors.NotFound("file or folder in any restore point")
        await log.note(conn, asked.actor, acts.HistoryListed(plan.name, names.display(clean)))
    older = versions[limit - 1].entry.first_run if len(versions) > limit else None
    return History(plan, clean, versions[:limit], older, tenant.timezone)


async def open_search(pool: Pool, actor: Actor, reference: str, text: bytes) -> Ground:
    """Where to search, for the form: no file is looked at yet.

    That an operator saw it is noted all the same, unless a search of `text` will be.
    reference: a plan, or "". Raises NotFound, PlanAmbiguous, RecoveryBlocked."""
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        tenant = await subscription.check_recovery(conn, tenant_id)
        plan = await runs.find_plan(conn, tenant_id, reference) if reference else None
        plans = await store.runs.shown.list_plans(conn, tenant_id)
        if actor.duty is not None and not _is_text(text):
            await log.note(conn, actor, acts.PlansListed())
    return Ground(plan, plans, tenant)


def _is_text(text: bytes) -> bool:
    return len(text) <= TEXT_MAX and _fold(text) != ""


def _fold(text: bytes) -> str:
    return names.fold(text.replace(b"\0", b"")[: TEXT_MAX + 1].strip())


async def search(pool: Pool, actor: Actor, wanted: Wanted, limit: int) -> Results:
    """Paths by a part of their name; raises NotFound, PlanAmbiguous, RecoveryBlocked.

    And InvalidRequest for a text that is empty or too long, or a folder without its plan."""
    if not _is_text(wanted.text):
        raise NoText(f"Give 1 to {TEXT_MAX} bytes of a name to search for.")
    text = _fold(wanted.text)
    if wanted.below and not wanted.plan:
        raise errors.InvalidRequest("Give the plan that the folder belongs to.")
    tenant_id = actor.tenant_id
    async with tenant_transaction(pool, tenant_id) as conn:
        await subscription.check_recovery(conn, tenant_id)
        plan = await runs.find_plan(conn, tenant_id, wanted.plan) if wanted.plan else None
        known = await store.runs.shown.list_plans(conn, tenant_id)
    asked = Search(
        text, plan.plan_id if plan else None, names.clean_path(wanted.below), wanted.deleted
    )
    after = _read_cursor(wanted.after)
    async with tenant_transaction(pool, tenant_id) as conn:
        found, after = await catalogue.search(conn, tenant_id, asked, after, limit)
    text_shown, below = names.display(wanted.text), names.display(wanted.below)
    await log.note_alone(
        pool, actor, acts.Searched(text_shown, plan.name if plan else "", below, len(found))
    )
    onward = f"{after.bundle_no}.{after.done}" if after else ""
    return Results(found, {one.plan_id: one for one in known}, plan, onward)


def _read_cursor(text: str) -> Cursor | None:
    bundle_no, _, done = text.partition(".")
    if not text:
        return None
    if not (bundle_no.isdecimal() and done.isdecimal() and len(text) < 19):
        raise errors.InvalidRequest("A search goes on by the `next` of its last answer.")
    return Cursor(int(bundle_no), int(done))
