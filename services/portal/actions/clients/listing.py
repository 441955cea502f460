"""All clients, the worst first: by state, by name, some at a time; and how their days went."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from libs.shared import clock, errors
from libs.shared.database import Pool, transaction
from services.portal import store
from services.portal.actions import log
from services.portal.rules import clients
from services.portal.rules.clients import DayKind, Trouble
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.clients import Glance

AT_ONCE = 25
DAYS = 30


@dataclass(frozen=True)
class Listed:
    """Some clients with their trouble and their last days, and how many there are of each.

    counts: of all clients that match the search. days: oldest first.
    """

    clients: list[tuple[Glance, Trouble]]
    kinds: dict[UUID, dict[date, DayKind]]
    days: list[date]
    counts: Counter[Trouble]
    found: int
    pages: int


async def list_page(
    pool: Pool,
    operator: Actor,
    *,
    search: str,
    trouble: Trouble | None,
    page: int,
    by_days: bool = False,
) -> Listed:
    """One page of clients, the worst first; `by_days`: for the sake of their days."""
    today = clock.now().date()
    async with transaction(pool) as conn:
        glances = await store.clients.list_all(conn)
        wanted = _fold(search)
        matching = [(one, judge(one)) for one in glances if not wanted or wanted in _fold(one.name)]
        counts = Counter(found for _, found in matching)
        chosen = [pair for pair in matching if trouble in (None, pair[1])]
        chosen.sort(key=lambda pair: clients.TROUBLES.index(pair[1]))  # stable: by name within
        shown = chosen[(page - 1) * AT_ONCE : page * AT_ONCE]
        ids = [one.tenant_id for one, _ in shown]
        kinds = await store.clients.list_days(conn, ids, today - timedelta(days=DAYS - 1))
        act = acts.DaysListed if by_days else acts.TenantsListed
        await log.note(conn, operator, act(len(shown)))
    tomorrow = today + timedelta(days=1)
    if any(tomorrow in those for those in kinds.values()):  # where clients live it has begun
        today = tomorrow
    days = [today - timedelta(days=back) for back in reversed(range(DAYS))]
    pages = max(1, -(-len(chosen) // AT_ONCE))
    return Listed(shown, kinds, days, counts, len(chosen), pages)


def judge(one: Glance) -> Trouble:
    """The worst that is known of a client."""
    return clients.find_trouble(
        one.subscription,
        damaged=one.damaged,
        failing=one.failing_plans,
        late=one.late_plans,
        unusual=one.unusual,
        reserved=one.reserved_plans,
        plans=one.plans,
        silent=one.silent_plans,
        is_blocked=one.blocked,
        stored_bytes=one.stored_bytes,
        contracted_bytes=one.contracted_bytes,
    )


def _fold(text: str) -> str:
    """A name without capitals and accents."""
    apart = unicodedata.normalize("NFKD", text.strip().casefold())
    return "".join(one for one in apart if not unicodedata.combining(one))


class NameUnknown(errors.Refusal):
    """No client is called so, or several are."""

    code = "name-unknown"
    status = 422
    title = "No client, or several, are called so"

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


async def find_by_names(pool: Pool, names: Sequence[str]) -> list[UUID]:
    """The clients of these names, capitals and accents aside; raises NameUnknown."""
    async with transaction(pool) as conn:
        known = await store.clients.list_names(conn)
    folded: dict[str, list[UUID]] = {}
    for tenant_id, name in known:
        folded.setdefault(_fold(name), []).append(tenant_id)
    found = []
    for name in names:
        of_name = folded.get(_fold(name), [])
        if len(of_name) != 1:
            raise NameUnknown(name)
        found.append(of_name[0])
    return found
