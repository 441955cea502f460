"""Acts that take two operators where the installation wants it: asked by one, confirmed by another.

Each is done at once where it doesn't."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from uuid import UUID, uuid4

from libs.shared import clock, errors
from libs.shared.database import Connection, transaction
from libs.shared.events import Locale
from services.portal import store
from services.portal.actions import log, overages, users
from services.portal.actions.clients import maintenance, opening, subscription, telling
from services.portal.actions.resources import Resources
from services.portal.rules import approvals, clients, operators, people
from services.portal.rules.approvals import Asked
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Person, Role
from services.portal.rules.users import ClientOpens
from services.portal.store.approvals import Approval
from services.portal.store.clients import Tenant


async def unblock(
    resources: Resources, operator: Actor, tenant_id: UUID, reason: str
) -> UUID | Approval:
    """Lets a client grow again, or asks for it; raises NotFound."""
    if "unblock" in resources.four_eyes:
        return await _ask(resources, operator, "unblock", tenant_id, "", reason)
    return await overages.decide(resources.pool, operator, tenant_id, "unblock", reason)


async def end(
    resources: Resources, operator: Actor, tenant_id: UUID, reason: str
) -> Tenant | Approval:
    """Ends a subscription now, or asks for it; raises NotFound, StepRefused."""
    if "end" in resources.four_eyes:
        return await _ask(resources, operator, "end", tenant_id, "", reason)
    return await subscription.step_subscription(resources.pool, operator, tenant_id, "end", reason)


async def announce_end(
    resources: Resources, operator: Actor, tenant_id: UUID, reason: str, ends_at: datetime
) -> Tenant:
    """Announces when a subscription ends; raises NotFound, StepRefused, EndTooNear."""
    if "end" in resources.four_eyes:
        approvals.check_notice(ends_at, clock.now())
    return await subscription.step_subscription(
        resources.pool, operator, tenant_id, "announce_end", reason, ends_at
    )


async def set_maintenance(
    resources: Resources, operator: Actor, tenant_id: UUID, until: date | None, reason: str
) -> Tenant:
    """Sets until when the maintenance runs, with which the subscription ends.

    Raises NotFound, InvalidRequest, EndTooNear.
    """
    if "end" in resources.four_eyes and until is not None:
        approvals.check_notice(datetime.combine(until, time(), UTC), clock.now())
    return await maintenance.set_maintenance(resources.pool, operator, tenant_id, until, reason)


async def reset_password(
    resources: Resources,
    operator: Actor,
    email: str,
    reason: str = "",
    tenant_id: UUID | None = None,
    *,
    forget_factors: bool = False,
) -> Approval | None:
    """Mails a client's administrator a new one-time password, or asks for it; raises NotFound.

    tenant_id: the client that they are to belong to, where one is meant. forget_factors: takes
    second factors away as well, which were lost."""
    async with transaction(resources.pool) as conn:
        account = await store.people.find_account(conn, email)
    if account is None or account.person.role != "administrator":
        raise errors.NotFound("administrator")
    person = account.person
    if person.tenant_id is None or tenant_id not in (None, person.tenant_id):
        raise errors.NotFound("administrator")
    if "reset" in resources.four_eyes:
        kind: Asked = "reset-factors" if forget_factors else "reset"
        return await _ask(resources, operator, kind, person.tenant_id, person.email, reason)
    await opening.reset_password(
        resources.pool,
        resources.passwords,
        resources.mail_key,
        operator,
        email,
        forget_factors=forget_factors,
    )
    return None


async def open_user(
    resources: Resources,
    operator: Actor,
    tenant_id: UUID,
    *,
    name: str,
    email: str,
    locale: Locale,
    role: Role,
) -> Person:
    """Gives somebody of a client an account, as its administrators can.

    Raises ClientOpens where a reset takes two operators: an account of one's own is the same way
    to the files; and what users.open_user raises.
    """
    if "reset" in resources.four_eyes:
        raise ClientOpens
    return await users.open_user(
        resources.pool,
        resources.passwords,
        resources.mail_key,
        operator.within(tenant_id),
        name=name,
        email=email,
        locale=locale,
        role=role,
    )


async def list_waiting(resources: Resources, operator: Actor) -> list[Approval]:
    """What waits for a second operator, the oldest first."""
    async with transaction(resources.pool) as conn:
        found = await store.approvals.list_waiting(conn, clock.now())
        await log.note(conn, operator, acts.ApprovalsListed())
    return found


async def confirm(resources: Resources, operator: Actor, approval_id: UUID) -> Approval:
    """Does what another operator asked for, in their name.

    Raises NotFound, ApprovalOver, OwnApproval, and what doing it raises."""
    now = clock.now()
    password = people.new_code()
    hashed = await resources.passwords.hash(password)
    async with transaction(resources.pool) as conn:
        found = await _find(conn, approval_id)
        approvals.check_answer(
            found.asked_by, operator.user_id, found.answer, found.expires_at, now
        )
        operators.check(operator.duty, approvals.LEAVES[found.kind])
        asker = await _find_asker(conn, found, operator)
        await store.approvals.answer(conn, approval_id, "confirmed", operator.name, now)
        match found.kind:
            case "unblock":
                await overages.take_decision(
                    conn, asker, found.tenant_id, "unblock", found.reason, None, now
                )
            case "end":
                await subscription.move_subscription(
                    conn, asker, found.tenant_id, "end", found.reason
                )
            case "reset" | "reset-factors":
                await opening.issue_reset(
                    conn,
                    resources.mail_key,
                    asker,
                    found.subject,
                    password,
                    hashed,
                    tenant_id=found.tenant_id,
                    forget_factors=found.kind == "reset-factors",
                )
        act = acts.ApprovalConfirmed(found.kind, found.reason, found.asker)
        await log.note(conn, operator, act, found.tenant_id)
    return replace(found, answer="confirmed", answered_by=operator.name, answered_at=now)


async def decline(resources: Resources, operator: Actor, approval_id: UUID) -> None:
    """Leaves it undone, for whoever asked as well; raises NotFound, ApprovalOver."""
    now = clock.now()
    async with transaction(resources.pool) as conn:
        found = await _find(conn, approval_id)
        if found.answer is not None or found.expires_at <= now:
            raise approvals.ApprovalOver
        await store.approvals.answer(conn, approval_id, "declined", operator.name, now)
        act = acts.ApprovalDeclined(found.kind, found.reason, found.asker)
        await log.note(conn, operator, act, found.tenant_id)


async def _ask(
    resources: Resources, operator: Actor, kind: Asked, tenant_id: UUID, subject: str, reason: str
) -> Approval:
    operators.check(operator.duty, approvals.LEAVES[kind])
    if operator.user_id is None:
        raise RuntimeError("what takes two operators is asked for by a person")
    now = clock.now()
    async with transaction(resources.pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        if kind == "end":
            clients.next_state("end", tenant.subscription)
        asked = Approval(
            approval_id=uuid4(),
            tenant_id=tenant_id,
            client=tenant.name,
            kind=kind,
            subject=subject,
            reason=reason,
            asked_by=operator.user_id,
            asker=operator.name,
            asked_at=now,
            expires_at=now + approvals.LIFE,
            answer=None,
            answered_by="",
            answered_at=None,
        )
        await store.approvals.add(conn, asked)
        await log.note(conn, operator, acts.ApprovalAsked(kind, reason), tenant_id)
    return asked


async def _find(conn: Connection, approval_id: UUID) -> Approval:
    found = await store.approvals.lock(conn, approval_id)
    if found is None:
        raise errors.NotFound("approval")
    return found


async def _find_asker(conn: Connection, found: Approval, operator: Actor) -> Actor:
    """Whoever asked, as far as they are an operator still."""
    for one in await store.people.list_operators(conn):
        if one.user_id == found.asked_by:
            return one.at(operator.address)
    raise approvals.ApprovalOver
