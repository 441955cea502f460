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
from services.portal.actions import log, operators, overages, recipients, users
from services.portal.actions.clients import maintenance, opening, subscription, telling
from services.portal.actions.resources import Resources
from services.portal.rules import approvals, clients, people
from services.portal.rules import operators as duties
from services.portal.rules.approvals import Asked
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Person, Role
from services.portal.rules.recipients import ClientAdds
from services.portal.rules.users import ClientOpens, WhyMissing
from services.portal.store.approvals import Approval
from services.portal.store.clients import Tenant


async def unblock(
    resources: Resources, operator: Actor, tenant_id: UUID, reason: str
) -> UUID | Approval:
    """Lets a client grow again, or asks for it; raises NotFound."""
    if "unblock" in resources.four_eyes:
        return await ask(resources, operator, "unblock", tenant_id, "", reason)
    return await overages.decide(resources.pool, operator, tenant_id, "unblock", reason)


async def end(
    resources: Resources, operator: Actor, tenant_id: UUID, reason: str
) -> Tenant | Approval:
    """Ends a subscription now, or asks for it; raises NotFound, StepRefused."""
    if "end" in resources.four_eyes:
        return await ask(resources, operator, "end", tenant_id, "", reason)
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
    """Mails somebody of a client a new one-time password, or asks for it; raises NotFound.

    tenant_id: the client that they are to belong to, where one is meant. forget_factors: takes
    second factors away as well, which were lost."""
    async with transaction(resources.pool) as conn:
        account = await store.people.find_account(conn, email)
    if account is None or account.person.tenant_id is None:
        raise errors.NotFound("account")
    person, its_tenant_id = account.person, account.person.tenant_id
    if tenant_id not in (None, its_tenant_id):
        raise errors.NotFound("account")
    if "reset" in resources.four_eyes:
        kind: Asked = "reset-factors" if forget_factors else "reset"
        return await ask(resources, operator, kind, its_tenant_id, person.email, reason)
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

    Raises ClientOpens where a reset or a look takes two operators: an account of one's own is the
    same way to the files; and what users.open_user raises.
    """
    if guards_people(resources):
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


async def add_recipient(
    resources: Resources,
    operator: Actor,
    tenant_id: UUID,
    email: str,
    locale: Locale | None = None,
) -> None:
    """Sends a client's reports to an address, those of all plans.

    Raises ClientAdds where a reset or a look takes two operators: reports name files; and what
    recipients.add_recipient raises.
    """
    if guards_people(resources):
        raise ClientAdds
    await recipients.add_recipient(
        resources.pool, operator.within(tenant_id), recipients.ALL, email, locale
    )


def guards_people(resources: Resources) -> bool:
    """Whether a client's accounts are shut to one operator alone: they lead to its files."""
    return bool(resources.four_eyes & {"reset", "look"})


async def change_user(
    resources: Resources,
    operator: Actor,
    tenant_id: UUID,
    user_id: UUID,
    reason: str,
    *,
    name: str | None = None,
    role: Role | None = None,
    locale: Locale | None = None,
) -> Person | Approval:
    """Sets name, role or language of somebody of a client, or asks for the role.

    The role alone waits for another operator. Raises NotFound, LastAdministrator, WhyMissing.
    """
    actor = operator.within(tenant_id)
    if role is not None and guards_people(resources):
        before = await _find_person(resources, tenant_id, user_id)
        if before.role != role:
            asked: Asked = "promote" if role == "administrator" else "demote"
            waiting = await _ask_about(resources, operator, asked, before, reason)
            if name is not None or locale is not None:
                await users.change_user(resources.pool, actor, user_id, name, None, locale)
            return waiting
        role = None
    return await users.change_user(resources.pool, actor, user_id, name, role, locale)


async def close_user(
    resources: Resources, operator: Actor, tenant_id: UUID, user_id: UUID, reason: str
) -> Approval | None:
    """Takes an account of a client away, or asks for it.

    Raises NotFound, LastAdministrator, WhyMissing."""
    if guards_people(resources):
        person = await _find_person(resources, tenant_id, user_id)
        return await _ask_about(resources, operator, "close", person, reason)
    await users.close_user(resources.pool, operator.within(tenant_id), user_id)
    return None


async def _find_person(resources: Resources, tenant_id: UUID, user_id: UUID) -> Person:
    async with transaction(resources.pool) as conn:
        person = await store.people.lock(conn, tenant_id, user_id)
    if person is None:
        raise errors.NotFound("user")
    return person


async def _ask_about(
    resources: Resources, operator: Actor, kind: Asked, person: Person, reason: str
) -> Approval:
    assert person.tenant_id is not None  # it was found among a client's
    if not reason:
        raise WhyMissing
    return await ask(resources, operator, kind, person.tenant_id, person.email, reason)


async def list_waiting(resources: Resources, operator: Actor) -> list[Approval]:
    """What waits for a second operator, the oldest first."""
    async with transaction(resources.pool) as conn:
        found = await store.approvals.list_waiting(conn, clock.now())
        await log.note(conn, operator, acts.ApprovalsListed())
    return found


async def confirm(resources: Resources, operator: Actor, approval_id: UUID) -> Approval:
    """Does what another operator asked for, in their name.

    Raises NotFound, ApprovalOver, OwnApproval, UnsettledOperator, and what doing it raises."""
    now = clock.now()
    password = people.new_code()
    hashed = await resources.passwords.hash(password)
    async with transaction(resources.pool) as conn:
        found = await _find(conn, approval_id)
        approvals.check_answer(
            found.asked_by, operator.user_id, found.answer, found.expires_at, now
        )
        duties.check(operator.duty, approvals.LEAVES[found.kind])
        await operators.check_settled(conn, operator, now)
        asker = await _find_asker(conn, found, operator)
        await store.approvals.answer(conn, approval_id, "confirmed", operator.name, now)
        match found.kind:
            case "unblock":
                await overages.take_decision(
                    conn, asker, found.tenant_id, "unblock", found.reason, None, now
                )
            case "look":
                pass  # it opens something to who asked, for a while
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
            case "close":
                user_id = await _find_subject(conn, found)
                await users.close(conn, asker.within(found.tenant_id), user_id)
            case "promote" | "demote":
                user_id = await _find_subject(conn, found)
                role: Role = "administrator" if found.kind == "promote" else "user"
                await users.change(conn, asker.within(found.tenant_id), user_id, None, role)
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


async def ask(
    resources: Resources, operator: Actor, kind: Asked, tenant_id: UUID, subject: str, reason: str
) -> Approval:
    """Asks another operator to confirm an act; raises NotFound, NotOfDuty, StepRefused."""
    duties.check(operator.duty, approvals.LEAVES[kind])
    async with transaction(resources.pool) as conn:
        tenant = await telling.lock_tenant(conn, tenant_id)
        if kind == "end":
            clients.next_state("end", tenant.subscription)
        asked = draft(operator, kind, tenant, subject, reason)
        await store.approvals.add(conn, asked)
        await log.note(conn, operator, acts.ApprovalAsked(kind, reason), tenant_id)
    return asked


def draft(operator: Actor, kind: Asked, tenant: Tenant, subject: str, reason: str) -> Approval:
    """What an operator asks for, as it is before anybody answered."""
    if operator.user_id is None:
        raise RuntimeError("what takes two operators is asked for by a person")
    now = clock.now()
    return Approval(
        approval_id=uuid4(),
        tenant_id=tenant.tenant_id,
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


async def _find(conn: Connection, approval_id: UUID) -> Approval:
    found = await store.approvals.lock(conn, approval_id)
    if found is None:
        raise errors.NotFound("approval")
    return found


async def _find_subject(conn: Connection, found: Approval) -> UUID:
    """Whom it is about, as far as they are of the client still."""
    account = await store.people.find_account(conn, found.subject)
    if account is None or account.person.tenant_id != found.tenant_id:
        raise errors.NotFound("user")
    return account.person.user_id


async def _find_asker(conn: Connection, found: Approval, operator: Actor) -> Actor:
    """Whoever asked, as far as they are an operator still."""
    for one in await store.people.list_operators(conn):
        if one.user_id == found.asked_by:
            return one.at(operator.address)
    raise approvals.ApprovalOver
