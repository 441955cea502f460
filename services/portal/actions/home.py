"""A client's first page: is everything all right, and what waits for an answer?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

from libs.shared import clock
from libs.shared.database import Pool, tenant_transaction, transaction
from services.portal import store
from services.portal.actions import documents, log, runs
from services.portal.actions.runs import Overview
from services.portal.rules.log import acts
from services.portal.rules.people import Person
from services.portal.store.machines import Agent, Code
from services.portal.store.overages import Case
from services.portal.store.volume_days import Day

_YEAR = timedelta(days=365)


@dataclass(frozen=True)
class Home:
    """What a client sees first.

    days: what was held on each of the last year's; reached_on: when the contract will be reached.
    case: an open overage. pending: documents that wait for an administrator.
    codes: those with which a machine may join. pulse: another one when something has changed.
    """

    overview: Overview
    days: list[Day]
    reached_on: date | None
    case: Case | None
    pending: int
    machines: list[Agent]
    codes: list[Code]
    pulse: str


async def view(pool: Pool, person: Person, address: str, each: int) -> Home:
    """What one of a client's people sees first, with `each` runs, at most, of every plan."""
    actor = person.at(address)
    tenant_id, now = actor.tenant_id, clock.now()
    async with tenant_transaction(pool, tenant_id) as conn:
        found = Home(
            await runs.gather(conn, tenant_id, each),
            await store.volume_days.list_days(conn, tenant_id, now.date() - _YEAR, now.date()),
            await store.volume_days.find_forecast(conn, tenant_id),
            await store.overages.find_open(conn, tenant_id),
            await documents.count_pending(conn, person),
            await store.machines.list_agents(conn, tenant_id),
            await store.machines.list_open_codes(conn, tenant_id, now),
            await store.machines.find_pulse(conn, tenant_id),
        )
        await log.note(conn, actor, acts.PlansListed())
    return found


async def find_pulse(pool: Pool, person: Person, *, of_machines: bool = False) -> str:
    """Another word when a machine has joined, declared, begun or ended a run since; no more.

    of_machines: only when one has joined.
    """
    if person.tenant_id is None:
        return ""
    async with transaction(pool) as conn:
        if of_machines:
            return str(await store.machines.count_agents(conn, person.tenant_id))
        return await store.machines.find_pulse(conn, person.tenant_id)
