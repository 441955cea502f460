"""What the hotline is mailed of incidents: each step in one thread, and all each morning."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from libs.shared import clock, database, logs
from libs.shared.database import Connection, Pool
from libs.shared.events import (
    EventParked,
    ExpiryCleared,
    ExpiryHeld,
    HelpAsked,
    IncidentDecided,
    ParkedSettled,
    RunFinished,
    StorageDamaged,
    StorageMended,
)
from libs.shared.words.tongue import DEFAULT_TIMEZONE
from services.reporting import rules, store
from services.reporting.actions import incidents, mails, webhooks
from services.reporting.actions.resources import Resources
from services.reporting.mail.letters import incident as letter
from services.reporting.mail.letters import morning, recovered
from services.reporting.mail.letters.figures import RunFacts
from services.reporting.mail.letters.incident import IncidentFacts
from services.reporting.mail.letters.matters import About, HelpWanted, Unusual
from services.reporting.mail.letters.morning import MorningFacts
from services.reporting.mail.letters.recovered import RecoveredFacts
from services.reporting.rules.incidents import Incident, Matter, sequence_of

EVERYBODY = UUID(int=0)
"""In the place of a client: what is of all of them, or of none."""
_ANY_RUN = 2**31 - 1


async def tell_matter(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    plan_id: UUID | None,
    matter: Matter,
    at: datetime,
    about: About,
) -> None:
    """Opens an incident, or counts what came to it, and writes to the hotline if it is to be told.

    The handler holds the client's lock.
    """
    noted = await incidents.note_matter(conn, resources, tenant_id, plan_id, matter, at)
    if noted is not None and noted[1] is not None:
        await _write(conn, resources, noted[0], noted[1], about)


async def _write(
    conn: Connection,
    resources: Resources,
    incident: Incident,
    step: incidents.ToldStep,
    about: About,
) -> None:
    tenant_id, plan_id = incident.tenant_id, incident.plan_id
    plan, before = None, list[RunFinished]()
    if plan_id is not None:
        plan = await store.plans.find(conn, tenant_id, plan_id)
        before = await store.runs.list_before(
            conn, tenant_id, plan_id, _ANY_RUN, rules.incidents.LISTED_BEFORE
        )
    facts = IncidentFacts(
        incident=incident,
        step=step,
        about=about,
        tenant=await store.clients.find(conn, tenant_id),
        plan=plan,
        before=before,
        portal_url=resources.portal_url,
        hotline=resources.hotline,
    )
    await mails.write(conn, resources, tenant_id, letter.KIND, facts)


async def tell_over(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    matter: Matter,
    *,
    plan_id: UUID | None = None,
) -> None:
    """Something is over: closes the incident that was about it alone, and writes that."""
    closed = await incidents.settle(conn, resources, tenant_id, matter, plan_id=plan_id)
    await mails.write_closed(conn, resources, closed)


async def note_success(
    conn: Connection,
    resources: Resources,
    tenant: rules.clients.Tenant,
    plan: rules.plans.Plan,
    run: RunFinished,
) -> None:
    """Closes what a good run ends, and writes that to the hotline."""
    for incident in await incidents.close_by_run(conn, resources, run):
        facts = RecoveredFacts(incident, run, tenant, plan, resources.portal_url, resources.hotline)
        await mails.write(conn, resources, tenant.tenant_id, recovered.KIND, facts)


async def follow_client(conn: Connection, resources: Resources, tenant_id: UUID) -> None:
    """Closes what is about runs of a client whose subscription is over: none will end it."""
    if await store.clients.is_over(conn, tenant_id):
        await incidents.close_all(conn, resources, tenant_id, rules.incidents.OF_RUNS)


async def report_damage(conn: Connection, resources: Resources, event: StorageDamaged) -> None:
    """Stored data is damaged: an incident until it was mended, or accepted by hand."""
    await tell_matter(
        conn,
        resources,
        event.tenant_id,
        event.plan_id,
        Matter("damage", event.pack_id, sequence_of(event.found_at)),
        event.found_at,
        event,
    )


async def report_mended(conn: Connection, resources: Resources, event: StorageMended) -> None:
    """A damaged pack is no more."""
    matter = Matter("damage", event.pack_id, sequence_of(event.mended_at))
    await tell_over(conn, resources, event.tenant_id, matter)


async def report_unusual(conn: Connection, resources: Resources, facts: RunFacts) -> None:
    """A run is unusual, however it ended: an incident until somebody clears that."""
    run = facts.run
    matter = Matter("unusual", str(run.plan_id), run.number)
    await tell_matter(
        conn, resources, run.tenant_id, run.plan_id, matter, run.finished_at, Unusual(facts)
    )


async def report_hold(conn: Connection, resources: Resources, event: ExpiryHeld) -> None:
    """Much of a plan is gone, by retention's own judgement: the same incident."""
    matter = Matter("unusual", str(event.plan_id), event.number)
    await tell_matter(conn, resources, event.tenant_id, event.plan_id, matter, event.held_at, event)


async def report_cleared(conn: Connection, resources: Resources, event: ExpiryCleared) -> None:
    """Somebody says that it was meant: it is usual from now on, and the incident is over."""
    tenant_id, plan_id, through = event.tenant_id, event.plan_id, max(event.numbers)
    await store.usual.accept(conn, tenant_id, plan_id, through, clock.now())
    matter = Matter("unusual", str(plan_id), through)
    closed = await incidents.settle(conn, resources, tenant_id, matter, note=event.reason)
    await mails.write_closed(conn, resources, closed)


async def report_parked(conn: Connection, resources: Resources, event: EventParked) -> None:
    """A service could not handle an event: an incident until somebody decided about it.

    Which client a settled one was about isn't told, so they follow each other.
    """
    await store.clients.lock(conn, EVERYBODY)
    await store.clients.lock(conn, event.tenant_id)
    matter = Matter("parked", f"{event.service}/{event.event_id}", sequence_of(event.parked_at))
    await tell_matter(conn, resources, event.tenant_id, None, matter, event.parked_at, event)


async def report_settled(conn: Connection, resources: Resources, event: ParkedSettled) -> None:
    """A parked event waits no longer."""
    await store.clients.lock(conn, EVERYBODY)
    matter = Matter("parked", f"{event.service}/{event.event_id}", sequence_of(event.settled_at))
    for tenant_id in await store.matters.list_tenants(conn, matter) or [EVERYBODY]:
        await store.clients.lock(conn, tenant_id)
        await tell_over(conn, resources, tenant_id, matter)


async def report_help(conn: Connection, resources: Resources, event: HelpAsked) -> None:
    """Somebody of a client wants help with a run: each is told, until somebody closes it."""
    run = await store.runs.find(conn, event.tenant_id, event.run_id)
    matter = Matter("help", str(event.help_id), sequence_of(event.asked_at))
    await tell_matter(
        conn,
        resources,
        event.tenant_id,
        event.plan_id,
        matter,
        event.asked_at,
        HelpWanted(event, run),
    )


async def decide(conn: Connection, resources: Resources, event: IncidentDecided) -> None:
    """Does what an operator decided, and writes that one is closed."""
    closed = await incidents.decide(conn, resources, event)
    if closed is not None:
        await mails.write_closed(conn, resources, [closed])


async def escalate_old(pool: Pool, resources: Resources) -> None:
    """Writes once more of what has been open for days and is in nobody's hand."""
    now = clock.now()
    async with database.acquire(pool) as conn:
        old = await store.incidents.list_old(conn, now, now - rules.incidents.ESCALATED_AFTER)
    for tenant_id, incident_id in old:
        async with database.transaction(pool) as conn:
            await store.clients.lock(conn, tenant_id)
            incident = await incidents.escalate(conn, resources, tenant_id, incident_id)
            if incident is not None:
                await _write(conn, resources, incident, "escalated", None)


async def write_morning(pool: Pool, resources: Resources) -> None:
    """Writes to the hotline, once a morning, what is still open, and which webhooks are away."""
    now, zone = clock.now(), ZoneInfo(DEFAULT_TIMEZONE)
    morning_at = rules.incidents.find_digest(now, zone)
    if morning_at is None:
        return
    digest_id = uuid5(EVERYBODY, f"morning {morning_at:%Y-%m-%d}")
    async with database.transaction(pool) as conn:
        await store.clients.lock(conn, EVERYBODY)
        if await store.mails.is_known(conn, EVERYBODY, morning.KIND.name, digest_id):
            return
        shown = await store.incidents.list_open(conn, now, morning_at)
        failing = await webhooks.list_failing(conn, resources)
        if shown or failing:
            facts = MorningFacts(
                digest_id,
                shown,
                failing,
                morning_at,
                DEFAULT_TIMEZONE,
                resources.portal_url,
                resources.hotline,
            )
            await mails.write(conn, resources, EVERYBODY, morning.KIND, facts)
            logs.get().info("morning.written", incidents=len(shown), webhooks=len(failing))


async def forget_settled(pool: Pool) -> None:
    """Forgets what was over long ago."""
    async with database.transaction(pool) as conn:
        await store.matters.prune(conn, clock.now() - rules.incidents.SETTLED_KEPT)
