"""Overage cases: how a client stands, what it answers, what operators decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

from libs.shared import clock, errors, outbox, signed_links
from libs.shared.database import Connection, Pool, transaction
from libs.shared.events import OverageAnswered, OverageDecided, Recipient
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import telling
from services.portal.rules import overages
from services.portal.rules.log import acts
from services.portal.rules.log.acts import Act
from services.portal.rules.log.chain import Actor
from services.portal.rules.overages import Answer, Decision
from services.portal.store.clients import Tenant
from services.portal.store.overages import Case, Decided, Overdrawn
from services.portal.store.runs.shown import ClientVolume
from services.portal.store.volume_days import Day

_SHOWN = 20
_YEAR = timedelta(days=365)
_MOST_DAYS = timedelta(days=3_660)


@dataclass(frozen=True)
class Standing:
    """What a client stores of what it contracted, its open case, and what operators decided."""

    tenant: Tenant
    volume: ClientVolume
    case: Case | None
    decisions: list[Decided]


@dataclass(frozen=True)
class OverageQuestion:
    """What a link from a mail asks whom."""

    tenant: Tenant
    volume: ClientVolume
    case: Case
    administrator: Recipient


async def view(pool: Pool, actor: Actor, tenant_id: UUID) -> Standing:
    """How a client stands, for an operator or for its own administrator; raises NotFound."""
    async with transaction(pool) as conn:
        tenant = await store.clients.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("tenant")
        standing = Standing(
            tenant,
            await store.runs.shown.find_volume(conn, tenant_id),
            await store.overages.find_open(conn, tenant_id),
            await store.overages.list_decisions(conn, tenant_id, _SHOWN),
        )
        await log.note(conn, actor, acts.QuotaViewed(), tenant_id)
    return standing


async def list_open(pool: Pool, operator: Actor) -> list[Overdrawn]:
    """Every open case, the one that is due next first."""
    async with transaction(pool) as conn:
        found = await store.overages.list_open(conn)
        await log.note(conn, operator, acts.OveragesListed(len(found)))
    return found


async def list_days(
    pool: Pool, actor: Actor, tenant_id: UUID, first: date | None, last: date | None
) -> tuple[list[Day], date | None]:
    """What a client held on each of these days, a year unless told, and when it will be full.

    Raises NotFound, InvalidRequest.
    """
    last = last or clock.now().date()
    first = first or last - _YEAR
    if not timedelta(0) <= last - first <= _MOST_DAYS:
        raise errors.InvalidRequest(f"from comes before to, by {_MOST_DAYS.days} days at most.")
    async with transaction(pool) as conn:
        if await store.clients.find(conn, tenant_id) is None:
            raise errors.NotFound("tenant")
        days = await store.volume_days.list_days(conn, tenant_id, first, last)
        reached_on = await store.volume_days.find_forecast(conn, tenant_id)
        await log.note(conn, actor, acts.QuotaViewed(), tenant_id)
    return days, reached_on


async def decide(
    pool: Pool,
    operator: Actor,
    tenant_id: UUID,
    decision: Decision,
    reason: str,
    until: datetime | None = None,
) -> UUID:
    """Tells quota what an operator decided; it follows within a moment.

    Raises NotFound, and for an extension NoOpenCase, DeadlineTooEarly.
    """
    now = clock.now()
    async with transaction(pool) as conn:
        return await take_decision(conn, operator, tenant_id, decision, reason, until, now)


async def take_decision(
    conn: Connection,
    operator: Actor,
    tenant_id: UUID,
    decision: Decision,
    reason: str,
    until: datetime | None,
    now: datetime,
) -> UUID:
    """Decides within a transaction; raises as `decide`."""
    await telling.lock_tenant(conn, tenant_id)
    if until is not None:
        case = await store.overages.find_open(conn, tenant_id)
        if case is None:
            raise overages.NoOpenCase
        overages.check_extension(until, case.deadline_at, now)
    decided = OverageDecided(
        tenant_id=tenant_id,
        decision_id=uuid4(),
        version=await store.overages.next_version(conn, tenant_id),
        decision=decision,
        until=until,
        reason=reason,
        by=operator.name,
        decided_at=now,
    )
    await store.overages.add_decision(conn, decided)
    await outbox.add(conn, decided)
    await log.note(conn, operator, _find_act(decided), tenant_id)
    return decided.decision_id


def _find_act(decided: OverageDecided) -> Act:
    if decided.until is not None:
        return acts.DeadlineExtended(decided.until.isoformat(), decided.reason)
    if decided.decision == "block":
        return acts.GrowthBlocked(decided.reason)
    return acts.GrowthUnblocked(decided.reason)


async def answer(pool: Pool, administrator: Actor, given: Answer) -> None:
    """Keeps what a client's administrator answers to its open case; raises NoOpenCase."""
    async with transaction(pool) as conn:
        tenant = await telling.lock_tenant(conn, administrator.tenant_id)
        case = await store.overages.find_open(conn, tenant.tenant_id)
        if case is None:
            raise overages.NoOpenCase
        await _take_answer(conn, case, given, administrator)


async def find_question(
    pool: Pool, mail_key: bytes, token: str, address: str, given: Answer
) -> OverageQuestion:
    """What a link from a mail asks; raises NotFound, CaseOver. Nothing is answered by it."""
    async with transaction(pool) as conn:
        question = await _find_question(conn, mail_key, token)
        await log.note(conn, _asked(question, address), acts.OverageLinkOpened(given))
    return question


async def answer_by_link(
    pool: Pool, mail_key: bytes, token: str, address: str, given: Answer
) -> None:
    """Keeps the answer of the administrator whose link it is; raises NotFound, CaseOver."""
    async with transaction(pool) as conn:
        question = await _find_question(conn, mail_key, token)
        await _take_answer(conn, question.case, given, _asked(question, address))


async def _take_answer(conn: Connection, case: Case, given: Answer, actor: Actor) -> None:
    """Tells of an answer, unless it is the one that was given before."""
    if given != case.answer:
        now = clock.now()
        await store.overages.put_answer(conn, case.tenant_id, case.case_id, given, actor.name, now)
        answered = OverageAnswered(
            tenant_id=case.tenant_id,
            case_id=case.case_id,
            answer=given,
            by=actor.name,
            answered_at=now,
        )
        await outbox.add(conn, answered)
    await log.note(conn, actor, acts.OverageAnswered(given))


async def _find_question(conn: Connection, mail_key: bytes, token: str) -> OverageQuestion:
    case_id = signed_links.read_token(token)
    case = await store.overages.find(conn, case_id) if case_id else None
    if case is None:
        raise errors.NotFound("case")
    tenant = await telling.lock_tenant(conn, case.tenant_id)
    for one in await store.people.list_administrators(conn, case.tenant_id):
        if signed_links.is_genuine(
            mail_key, "overage", token, case.tenant_id, case.case_id, one.email
        ):
            administrator = one
            break
    else:
        raise errors.NotFound("case")
    if not case.is_open:
        raise overages.CaseOver
    volume = await store.runs.shown.find_volume(conn, case.tenant_id)
    return OverageQuestion(tenant, volume, case, administrator)


def _asked(question: OverageQuestion, address: str) -> Actor:
    return Actor(question.tenant.tenant_id, None, question.administrator.name, address)
