"""What operators have before them: what waits, and one client with all that is known of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from libs.shared import clock, errors
from libs.shared.database import Pool, tenant_transaction, transaction
from libs.shared.words.tongue import find_zone
from services.portal import store
from services.portal.actions import log, runs
from services.portal.actions.resources import Resources
from services.portal.actions.runs import Overview
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.orders import ledger
from services.portal.rules.orders.ledger import LedgerLine
from services.portal.rules.orders.months import Month
from services.portal.rules.orders.ordering import Order
from services.portal.rules.people import Person
from services.portal.store.approvals import Approval
from services.portal.store.clients import Tenant
from services.portal.store.desk import Waiting
from services.portal.store.destruction import Destruction
from services.portal.store.documents import DocumentVersion
from services.portal.store.incidents import Incident
from services.portal.store.machines import Agent, Code
from services.portal.store.notes import Note
from services.portal.store.overages import Case, Decided, Overdrawn
from services.portal.store.runs.holds import Hold
from services.portal.store.runs.shown import ClientVolume
from services.portal.store.volume_days import Day

AT_ONCE = 20
"""Of those that wait, and of those in hand: more would weigh more than a first page may."""
_OF_A_CLIENT = 100
_MONTHS = 12
_YEAR = timedelta(days=365)
_DECISIONS = 20


@dataclass(frozen=True)
class Queue:
    """What nobody has in hand, the worst first, what somebody has, and what else has a deadline.

    counts: of all causes, what nobody has in hand; in_hand_count: of the chosen one, what somebody
    has. following: whether either has another page.
    """

    waiting: list[Waiting]
    in_hand: list[Waiting]
    counts: dict[str, int]
    in_hand_count: int
    following: bool
    overages: list[Overdrawn]
    approvals: list[Approval]


async def list_queue(
    resources: Resources, operator: Actor, cause: str | None, page: int = 1
) -> Queue:
    """What waits, of one cause or of all."""
    now = clock.now()
    async with transaction(resources.pool) as conn:
        counted = await store.desk.count_open(conn, now)
        waiting = await store.desk.list_waiting(
            conn, cause, now, in_hand=False, limit=AT_ONCE + 1, offset=(page - 1) * AT_ONCE
        )
        in_hand = await store.desk.list_waiting(
            conn, cause, now, in_hand=True, limit=AT_ONCE + 1, offset=(page - 1) * AT_ONCE
        )
        queue = Queue(
            waiting[:AT_ONCE],
            in_hand[:AT_ONCE],
            {kind: number for kind, is_taken, number in counted if not is_taken},
            sum(n for kind, is_taken, n in counted if is_taken and cause in {None, kind}),
            max(len(waiting), len(in_hand)) > AT_ONCE,
            await store.overages.list_open(conn),
            await store.approvals.list_waiting(conn, now),
        )
        await log.note(conn, operator, acts.QueueListed(len(queue.waiting)))
    return queue


@dataclass(frozen=True)
class ClientView(Overview):
    """A client as its operators see it: what it sees itself, and what they keep of it.

    days: what was held on each of the last year's; reached_on: when the contract will be reached.
    """

    people: list[Person]
    agents: list[Agent]
    codes: list[Code]
    days: list[Day]
    reached_on: date | None
    incidents: list[Incident]
    holds: list[Hold]
    case: Case | None
    destruction: Destruction | None
    documents: list[DocumentVersion]
    notes: list[Note]


async def view_client(pool: Pool, operator: Actor, tenant_id: UUID, each: int) -> ClientView:
    """One client with `each` runs of every plan, at most; raises NotFound."""
    now = clock.now()
    async with tenant_transaction(pool, tenant_id) as conn:
        view = ClientView(
            **vars(await runs.gather(conn, tenant_id, each)),
            people=await store.people.list_of_tenant(conn, tenant_id),
            agents=await store.machines.list_agents(conn, tenant_id),
            codes=await store.machines.list_open_codes(conn, tenant_id, now),
            days=await store.volume_days.list_days(conn, tenant_id, now.date() - _YEAR, now.date()),
            reached_on=await store.volume_days.find_forecast(conn, tenant_id),
            incidents=await store.incidents.list_some(conn, "open", tenant_id, None, _OF_A_CLIENT),
            holds=await store.runs.holds.list_of_tenant(conn, tenant_id),
            case=await store.overages.find_open(conn, tenant_id),
            destruction=await store.destruction.find(conn, tenant_id),
            documents=await store.documents.list_asked(conn, tenant_id),
            notes=await store.notes.list_of_tenant(conn, tenant_id),
        )
        await log.note(conn, operator, acts.TenantViewed(), tenant_id)
    return view


@dataclass(frozen=True)
class ContractView:
    """A client's contract: all orders, the newest first, and what is due month by month.

    pending: the ids of orders that have not taken effect. months: the newest first, each with its
    lines and whether it is closed.
    """

    tenant: Tenant
    volume: ClientVolume
    users: int
    orders: list[Order]
    pending: frozenset[UUID]
    may_order: bool
    months: list[tuple[Month, list[LedgerLine], bool]]
    case: Case | None
    decisions: list[Decided]
    destruction: Destruction | None


async def view_contract(pool: Pool, operator: Actor, tenant_id: UUID) -> ContractView:
    """A client's contract with its history; raises NotFound."""
    async with transaction(pool) as conn:
        tenant = await store.clients.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("client")
        orders = await store.orders.placed.list_of_tenant(conn, tenant_id)
        month = Month.of(clock.now(), find_zone(tenant.timezone))
        [payer] = await store.orders.ledger.list_payers(conn, [tenant_id])
        booked = (await store.orders.ledger.sum_booked(conn, [tenant_id]))[tenant_id]
        months: list[tuple[Month, list[LedgerLine], bool]] = []
        zone, expected = find_zone(tenant.timezone), list[LedgerLine]()
        if orders and ledger.find_first(orders, payer.closed, zone) <= month:
            expected = ledger.close(orders, booked, payer.closed, month, zone)
        while len(months) < _MONTHS and orders:
            is_closed = payer.closed is not None and month <= payer.closed
            lines = [line for line in expected if line.month == month]
            if is_closed:
                kept = await store.orders.ledger.list_lines(conn, [tenant_id], month)
                lines = kept[tenant_id]
            if not lines and month < Month.of(tenant.created_at, zone):
                break
            months.append((month, lines, is_closed))
            month = month.before
        view = ContractView(
            tenant=tenant,
            volume=await store.runs.shown.find_volume(conn, tenant_id),
            users=len(await store.people.list_of_tenant(conn, tenant_id)),
            orders=list(reversed(orders)),
            pending=await store.orders.placed.list_pending_ids(conn, tenant_id),
            may_order=await store.orders.placed.may_order(conn, tenant_id),
            months=months,
            case=await store.overages.find_open(conn, tenant_id),
            decisions=await store.overages.list_decisions(conn, tenant_id, _DECISIONS),
            destruction=await store.destruction.find(conn, tenant_id),
        )
        await log.note(conn, operator, acts.ContractViewed(), tenant_id)
    return view
