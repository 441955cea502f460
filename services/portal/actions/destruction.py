"""Destructions: what operators decide, the word by which one can't be taken back, the end."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID, uuid4

from libs.shared import certificates, clock, erasure, errors, logs, outbox, timekeeping
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import (
    DestructionAsked,
    DestructionCompleted,
    DestructionDecided,
    DestructionPermitted,
    DestructionStarted,
)
from services.portal import store
from services.portal.actions import log, operators
from services.portal.actions.clients import telling
from services.portal.rules import destruction
from services.portal.rules.log import acts
from services.portal.rules.log.acts import Act
from services.portal.rules.log.chain import COFFRE, Actor
from services.portal.store.clients import Tenant
from services.portal.store.destruction import Destruction

# --- what operators see and decide ---------------------------------------------------------------


async def list_destructions(pool: Pool, operator: Actor) -> list[tuple[str, Destruction]]:
    """Every destruction with its client's name, the next first."""
    async with transaction(pool) as conn:
        found = await store.destruction.list_all(conn)
        await log.note(conn, operator, acts.DestructionsListed(len(found)))
    return found


async def view_destruction(pool: Pool, operator: Actor, tenant_id: UUID) -> Destruction:
    """How a client's destruction stands; raises NotFound where nothing was ever due."""
    async with transaction(pool) as conn:
        found = await _find(conn, tenant_id)
        await log.note(conn, operator, acts.DestructionViewed(), tenant_id)
    return found


async def confirm(pool: Pool, operator: Actor, tenant_id: UUID, reason: str) -> Destruction:
    """Lets a destruction go on that waits for a second look.

    Raises NotFound, NothingToConfirm, SecondOperatorNeeded, UnsettledOperator.
    """
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        found = await _find(conn, tenant_id)
        codes = [reason["code"] for reason in found.reasons]
        ended_by = await store.destruction.find_who_ended(conn, tenant_id)
        destruction.check_confirmation(found.state, codes, operator.user_id, ended_by)
        await operators.check_settled(conn, operator, clock.now())
        await _decide(conn, operator, tenant, "confirm", reason, acts.DestructionConfirmed(reason))
    return found


async def hold(
    pool: Pool, operator: Actor, tenant_id: UUID, reason: str, until: datetime | None
) -> Destruction:
    """Stops a destruction before it begins, to an end or without one; raises NotFound,
    DestructionBegun.
    """
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        await _check_not_begun(conn, tenant_id)
        await _decide(
            conn, operator, tenant, "hold", reason, acts.DestructionHeld(reason), until=until
        )
        return await _find(conn, tenant_id)


async def release(pool: Pool, operator: Actor, tenant_id: UUID, reason: str) -> Destruction:
    """Ends a legal hold: what is due is due; raises NotFound, NotHeld."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        if not (await _find(conn, tenant_id)).held:
            raise destruction.NotHeld
        await _decide(conn, operator, tenant, "release", reason, acts.DestructionReleased(reason))
        return await _find(conn, tenant_id)


async def read_certificate(pool: Pool, operator: Actor, tenant_id: UUID) -> str:
    """A client's certificate, as it was signed; raises NotFound."""
    async with transaction(pool) as conn:
        found = await store.destruction.find_certificate(conn, tenant_id)
        if found is None:
            raise errors.NotFound("certificate")
        await log.note(conn, operator, acts.CertificateRead(), tenant_id)
    return found[1]


async def read_by_link(pool: Pool, mail_key: bytes, token: str) -> str:
    """The certificate that a mail's link leads to: whoever has it needs no account any more.

    Raises NotFound. Nobody's address is noted: of this client no such thing is kept.
    """
    tenant_id = certificates.find_tenant(token)
    async with transaction(pool) as conn:
        if tenant_id is None:
            raise errors.NotFound("certificate")
        found = await store.destruction.find_certificate(conn, tenant_id)
        if found is None or not certificates.is_genuine(mail_key, token, found[0]):
            raise errors.NotFound("certificate")
        await log.note(conn, Actor(tenant_id, None, "", ""), acts.CertificateRead())
    return found[1]


async def _find(conn: Connection, tenant_id: UUID) -> Destruction:
    found = await store.destruction.find(conn, tenant_id)
    if found is None:
        raise errors.NotFound("destruction")
    return found


async def _check_not_begun(conn: Connection, tenant_id: UUID) -> None:
    if await store.destruction.is_permitted(conn, tenant_id):
        raise destruction.DestructionBegun


async def _decide(
    conn: Connection,
    operator: Actor,
    tenant: Tenant,
    decision: Literal["confirm", "hold", "release"],
    reason: str,
    act: Act,
    until: datetime | None = None,
) -> None:
    """Writes a decision down and tells retention of it."""
    tenant_id = tenant.tenant_id
    version = await store.destruction.count_decision(conn, tenant_id)
    if decision != "confirm":
        held = decision == "hold"
        await store.destruction.set_hold(conn, tenant_id, until, reason if held else "", held=held)
    await outbox.add(
        conn,
        DestructionDecided(
            tenant_id=tenant_id,
            decision_id=uuid4(),
            version=version,
            decision=decision,
            by=operator.name,
            ended_at=tenant.ended_at,
            until=until,
            reason=reason,
            decided_at=await timekeeping.tell_time(conn),
        ),
    )
    await log.note(conn, operator, act, tenant_id)


# --- what retention asks and says ----------------------------------------------------------------


async def permit(conn: Connection, event: DestructionAsked) -> None:
    """Answers that the end still stands, and from now on always will.

    This is the one place where that is decided: the client's row is locked, as it is by whoever
    reinstates or holds. Where the end was taken back, or is held, there is no answer: retention
    hears of that anyhow.
    """
    tenant = await store.clients.lock(conn, event.tenant_id)
    if tenant is None or tenant.subscription != "ended" or tenant.ended_at != event.ended_at:
        return
    now = clock.now()
    found = await store.destruction.find(conn, event.tenant_id)
    if found and found.held and (found.held_until is None or found.held_until > now):
        return
    permitted_at = await store.destruction.permit(conn, event.tenant_id, event.destruction_id, now)
    await outbox.add(
        conn,
        DestructionPermitted(
            tenant_id=event.tenant_id,
            destruction_id=event.destruction_id,
            version=event.version,
            client=tenant.name,
            locale=tenant.locale,
            reason=tenant.subscription_reason,
            permitted_at=permitted_at,
        ),
    )
    logs.get().warning("destruction.permitted", tenant_id=str(event.tenant_id))


async def erase_tenant(conn: Connection, event: DestructionStarted) -> None:
    """Deletes what the portal has of a client, and blanks what it keeps."""
    now = clock.now()
    await erasure.lock(conn, event.tenant_id)
    is_known = await store.erasure.end_tenant(conn, event.tenant_id, now)
    await store.destruction.permit(conn, event.tenant_id, event.destruction_id, now)
    await erasure.forget(conn, "portal", store.erasure.PLAN, event, now)
    await store.erasure.blank_log(conn, event.tenant_id)
    if is_known:
        await log.note(conn, COFFRE, acts.ClientErased(), event.tenant_id)


async def keep_certificate(conn: Connection, event: DestructionCompleted) -> None:
    """Keeps the certificate, to be read and printed."""
    await store.destruction.complete(
        conn, event.tenant_id, event.destruction_id, event.certificate, clock.now()
    )
