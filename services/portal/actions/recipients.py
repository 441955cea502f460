"""Who gets a plan's reports: an administrator's word, a stranger's answer, what reporting hears.

A machine's declaration is judged here and never believed: it makes nobody be written to.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from libs.shared import clock, errors, outbox, signed_links
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import Locale, Recipient, RecipientInvited, RecipientsChanged
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import telling
from services.portal.rules import recipients
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.recipients import (
    EVERY_PLAN,
    Audience,
    Decision,
    PlanAddress,
    Preference,
)
from services.portal.store.clients import Tenant
from services.portal.store.recipients import DeclaredPlan, Invitation

ALL = "all"
"""In the place of a plan's reference: the recipients of every plan."""
_NEWS = 20
"""How many addresses a mail to the administrators names; the page has all."""


@dataclass(frozen=True)
class PlanAddresses:
    """A plan and all addresses that have to do with its reports."""

    tenant: Tenant
    plan: DeclaredPlan
    entries: tuple[PlanAddress, ...]


@dataclass(frozen=True)
class InvitationQuestion:
    """What a link asks whom."""

    tenant: Tenant
    invitation: Invitation


async def list_recipients(pool: Pool, administrator: Actor, reference: str) -> PlanAddresses:
    """All addresses of a plan, with what counts for each; raises NotFound."""
    async with transaction(pool) as conn:
        tenant, plan = await _find(conn, administrator.tenant_id, reference)
        audience, _ = await _judge(conn, tenant, plan)
        await log.note(conn, administrator, acts.RecipientsListed(plan.name))
    return PlanAddresses(tenant, plan, audience.entries)


async def add_recipient(
    pool: Pool, administrator: Actor, reference: str, text: str, locale: Locale | None = None
) -> None:
    """Sends a plan's reports to an address from now on: the administrator answers for it.

    locale: in which language, where not in the client's.
    Raises NotFound, NotAnAddress, RecipientsFull, RecipientDeclined.
    """
    email, now = recipients.read_address(text), clock.now()
    async with transaction(pool) as conn:
        tenant, plan = await _find(conn, administrator.tenant_id, reference)
        audience, decisions = await _judge(conn, tenant, plan)
        recipients.check_can_be_written_to(email, audience, decisions)
        await store.recipients.decide(conn, tenant.tenant_id, plan.plan_id, email, "set", now)
        await _put_locale(conn, administrator, email, locale, now)
        await tell(conn, tenant.tenant_id)
        await log.note(conn, administrator, acts.RecipientAdded(plan.name, email))


async def ask_recipient(
    pool: Pool, administrator: Actor, reference: str, text: str, locale: Locale | None = None
) -> None:
    """Mails an address a link by which it can accept; until then nothing else goes there.

    Who gets the reports already is asked nothing. Raises NotFound, NotAnAddress, RecipientsFull,
    RecipientDeclined, AlreadyAsked, InvitationsSpent.
    """
    email, now = recipients.read_address(text), clock.now()
    invitation_id = uuid4()
    async with transaction(pool) as conn:
        tenant, plan = await _find(conn, administrator.tenant_id, reference)
        audience, decisions = await _judge(conn, tenant, plan)
        if email in audience.readers:
            return
        recipients.check_can_be_written_to(email, audience, decisions)
        asked = await store.recipients.list_asked(
            conn, tenant.tenant_id, now - recipients.INVITATION_LIFE
        )
        recipients.check_invitations(asked, email, now)
        await store.recipients.ask(conn, tenant.tenant_id, plan.plan_id, email, invitation_id, now)
        await _put_locale(conn, administrator, email, locale, now)
        await outbox.add(
            conn,
            RecipientInvited(
                tenant_id=tenant.tenant_id,
                invitation_id=invitation_id,
                email=email,
                locale=locale or tenant.locale,
                invited_by=administrator.name,
                expires_at=now + recipients.INVITATION_LIFE,
            ),
        )
        await tell(conn, tenant.tenant_id)
        await log.note(conn, administrator, acts.RecipientAsked(plan.name, email))


async def remove_recipient(pool: Pool, administrator: Actor, reference: str, text: str) -> None:
    """Sends a plan's reports there no more, whatever its machine declares; raises NotFound."""
    email = text.strip().lower()
    async with transaction(pool) as conn:
        tenant, plan = await _find(conn, administrator.tenant_id, reference)
        audience, _ = await _judge(conn, tenant, plan)
        if email not in {entry.email for entry in audience.entries}:
            raise errors.NotFound("recipient")
        await store.recipients.decide(
            conn, tenant.tenant_id, plan.plan_id, email, "removed", clock.now()
        )
        await tell(conn, tenant.tenant_id)
        await log.note(conn, administrator, acts.RecipientRemoved(plan.name, email))


async def find_question(
    pool: Pool, mail_key: bytes, token: str, address: str
) -> InvitationQuestion:
    """What a link from a mail asks; raises NotFound, InvitationOver. Nothing is answered by it."""
    async with transaction(pool) as conn:
        question = await _find_question(conn, mail_key, token)
        await log.note(conn, _invited(question, address), acts.InvitationOpened())
    return question


async def answer(pool: Pool, mail_key: bytes, token: str, address: str, *, accept: bool) -> None:
    """Lets the reports come, or never again; raises NotFound, InvitationOver.

    Who changed their mind may answer again as long as the link is good.
    """
    async with transaction(pool) as conn:
        question = await _find_question(conn, mail_key, token)
        asked = question.invitation
        await store.recipients.decide(
            conn,
            asked.tenant_id,
            asked.plan_id,
            asked.email,
            "accepted" if accept else "declined",
            clock.now(),
        )
        await tell(conn, asked.tenant_id)
        await log.note(conn, _invited(question, address), acts.InvitationAnswered(accept))


async def tell(conn: Connection, tenant_id: UUID, plan_id: UUID | None = None) -> None:
    """Tells reporting of a plan, or of all, if its recipients differ from what it was told.

    To be called after whatever changes declarations, decisions or accounts, in its transaction.
    """
    tenant = await store.clients.lock(conn, tenant_id)
    if tenant is None:
        return
    decisions, accounts, preferences = await _known(conn, tenant)
    if plan_id is None:
        plans = await store.recipients.list_plans(conn, tenant_id)
    else:
        found = await store.recipients.find_plan(conn, tenant_id, plan_id)
        plans = [found] if found else []
    told = await store.recipients.list_published(conn, tenant_id, [plan.plan_id for plan in plans])
    for plan in plans:
        audience = recipients.judge(
            plan.plan_id, plan.recipients, accounts, decisions, tenant.locale, preferences
        )
        await _tell_plan(conn, tenant_id, plan, audience, *told.get(plan.plan_id, (0, {})))


async def _tell_plan(
    conn: Connection,
    tenant_id: UUID,
    plan: DeclaredPlan,
    audience: Audience,
    version: int,
    before: dict[str, Any],
) -> None:
    """Says how it is now, unless that is how it was: `before`, in that version."""
    told = {
        "recipients": [person.model_dump(mode="json") for person in audience.recipients],
        "pending": audience.pending,
    }
    if told == before:
        return
    unknown = {entry.email for entry in audience.entries if entry.state == "unknown"}
    news = sorted(unknown - set(before.get("pending", ())))
    await store.recipients.put_published(conn, tenant_id, plan.plan_id, version + 1, told)
    await outbox.add(
        conn,
        RecipientsChanged(
            tenant_id=tenant_id,
            plan_id=plan.plan_id,
            version=version + 1,
            plan_name=plan.name,
            hostname=plan.hostname,
            recipients=audience.recipients,
            pending=len(audience.pending),
            news=tuple(news[:_NEWS]),
        ),
    )


async def _put_locale(
    conn: Connection, administrator: Actor, email: str, locale: Locale | None, now: datetime
) -> None:
    if locale is not None:
        await store.choices.put_locale(
            conn, administrator.tenant_id, email, locale, administrator.name, now
        )


async def _find(conn: Connection, tenant_id: UUID, reference: str) -> tuple[Tenant, DeclaredPlan]:
    tenant = await telling.lock_tenant(conn, tenant_id)
    if reference == ALL:
        return tenant, DeclaredPlan(EVERY_PLAN, "*", "", [], reports=True)
    try:
        plan = await store.recipients.find_plan(conn, tenant_id, UUID(reference))
    except ValueError:
        plan = None
    if plan is None:
        raise errors.NotFound("plan")
    return tenant, plan


async def _known(
    conn: Connection, tenant: Tenant
) -> tuple[list[Decision], list[Recipient], dict[str, Preference]]:
    people = await store.people.list_of_tenant(conn, tenant.tenant_id)
    return (
        await store.recipients.list_decisions(conn, tenant.tenant_id),
        [Recipient(name=one.name, email=one.email, locale=one.locale) for one in people],
        await store.choices.list_preferences(conn, tenant.tenant_id),
    )


async def _judge(
    conn: Connection, tenant: Tenant, plan: DeclaredPlan
) -> tuple[Audience, list[Decision]]:
    decisions, accounts, preferences = await _known(conn, tenant)
    audience = recipients.judge(
        plan.plan_id, plan.recipients, accounts, decisions, tenant.locale, preferences
    )
    return audience, decisions


async def _find_question(conn: Connection, mail_key: bytes, token: str) -> InvitationQuestion:
    invitation_id = signed_links.read_token(token)
    if invitation_id is None:
        raise errors.NotFound("invitation")
    found = await store.recipients.find_invitation(conn, invitation_id)
    if found is None or not signed_links.is_genuine(
        mail_key, "invitation", token, found.tenant_id, invitation_id, found.email
    ):
        raise errors.NotFound("invitation")
    recipients.check_invitation(found.state, found.asked_at, clock.now())
    return InvitationQuestion(await telling.lock_tenant(conn, found.tenant_id), found)


def _invited(question: InvitationQuestion, address: str) -> Actor:
    return Actor(question.tenant.tenant_id, None, question.invitation.email, address)
