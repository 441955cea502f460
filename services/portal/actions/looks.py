"""Looks of operators into a client's files: names, and once a look is open, contents.

The client reads in its log who looked at what, and why."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from libs.shared import clock
from libs.shared.database import transaction
from services.portal import store
from services.portal.actions import approvals, log
from services.portal.actions.clients import telling
from services.portal.actions.resources import Resources
from services.portal.rules import operators as duties
from services.portal.rules.approvals import LIFE
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.looks import Look
from services.portal.store.approvals import Approval


async def open_look(
    resources: Resources, operator: Actor, tenant_id: UUID, reason: str
) -> Approval:
    """Opens a client's files to an operator for a while, or asks another one to confirm it.

    Raises NotFound, NotOfDuty."""
    if "look" in resources.four_eyes:
        return await approvals.ask(resources, operator, "look", tenant_id, "", reason)
    async with transaction(resources.pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        opened = approvals.draft(operator, "look", tenant, "", reason)
        await store.approvals.add(conn, opened)
        await store.approvals.answer(conn, opened.approval_id, "confirmed", "", opened.asked_at)
        await log.note(conn, operator, acts.LookOpened(reason), tenant_id)
    return replace(opened, answer="confirmed", answered_at=opened.asked_at)


async def find(resources: Resources, operator: Actor, tenant_id: UUID) -> Look:
    """How far a client's files are open to an operator; raises NotOfDuty."""
    duties.check(operator.duty, acts.FolderListed)
    return await _find(resources, operator, tenant_id)


async def shows_names(resources: Resources, operator: Actor, tenant_id: UUID) -> bool:
    """Whether paths stand in what operators of every duty read of a client, such as its runs."""
    look = await _find(resources, operator, tenant_id)
    return look.until is not None or not look.takes_two


async def _find(resources: Resources, operator: Actor, tenant_id: UUID) -> Look:
    takes_two = "look" in resources.four_eyes
    async with transaction(resources.pool) as conn:
        found = await store.approvals.find_look(
            conn, tenant_id, operator.user_id, clock.now() - LIFE, by_another=takes_two
        )
    if found is None or found.answered_at is None:
        return Look(takes_two, None, "")
    return Look(takes_two, found.answered_at + LIFE, found.reason)


async def check_names(resources: Resources, operator: Actor, tenant_id: UUID) -> None:
    """Raises LookNotConfirmed where names of a client's files take two, and NotOfDuty."""
    (await find(resources, operator, tenant_id)).check_names()


async def check_contents(resources: Resources, operator: Actor, tenant_id: UUID) -> None:
    """Raises LookNotConfirmed, LookNotOpened, NotOfDuty."""
    (await find(resources, operator, tenant_id)).check_contents()
