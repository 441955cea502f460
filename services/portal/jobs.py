"""Time in: what the portal does every so often."""

from __future__ import annotations

from datetime import timedelta

from libs.shared import clock, timekeeping
from libs.shared.database import transaction
from libs.shared.events import MAIL_KEPT
from libs.shared.runtime import Job, Jobs
from services.portal import store
from services.portal.actions import notices, parked
from services.portal.actions.clients import maintenance, subscription
from services.portal.actions.files import selecting
from services.portal.actions.orders import effects, offers
from services.portal.actions.resources import Resources
from services.portal.rules import guesses, incidents, people
from services.portal.rules.log.chain import COFFRE

_MAILS_AT_ONCE = 2_000


async def end_subscriptions(resources: Resources) -> int:
    """Ends the subscriptions whose agreed last day has come; returns how many."""
    now = clock.now()
    async with transaction(resources.pool) as conn:
        due = await store.clients.find_due_ends(conn, now)
    if due:
        now = await timekeeping.check_time(resources.pool, resources.objects.date)
    ended = 0
    for tenant_id in due:
        async with transaction(resources.pool) as conn:
            tenant = await store.clients.lock(conn, tenant_id)
            # An operator may have moved the day, or taken it back, meanwhile.
            if tenant is None or tenant.subscription != "ending":
                continue
            if tenant.ends_at is None or tenant.ends_at > now:
                continue
            await subscription.move_subscription(
                conn, COFFRE, tenant_id, "end", tenant.subscription_reason
            )
            ended += 1
    return ended


async def prune_credentials(resources: Resources) -> None:
    """Removes what expired: credentials, guesses, old acquaintances, settled events, old mails."""
    now = await timekeeping.check_time(resources.pool)
    async with transaction(resources.pool) as conn:
        await store.credentials.prune(conn, now)
        await store.guesses.prune(conn, now - guesses.MEMORY, now - guesses.KNOWN_LIFE)
        await store.log.forget_restores(conn, now - people.TOKEN_LIFE)
        await store.parked.prune(conn, now - parked.KEPT)
        await store.incidents.prune_misses(conn, now - incidents.MISSES_KEPT)
        await store.files.prune_selected(conn, now - selecting.KEPT)
        await store.runs.received.forget_mails(conn, now - MAIL_KEPT, _MAILS_AT_ONCE)


async def note_last_runs(resources: Resources) -> int:
    """Keeps true how each plan's last run ended; returns of how many plans it was not."""
    async with transaction(resources.pool) as conn:
        return await store.runs.received.note_all_last_ended(conn)


async def take_orders_effect(resources: Resources) -> int:
    """Gives clients less where its month has begun; returns how often."""
    return await effects.take_due_effects(resources.pool)


async def tell_offers(resources: Resources) -> int:
    """Tells reporting of new prices, clients and months; returns of how many clients."""
    return await offers.tell_all(resources.pool)


async def send_notices(resources: Resources) -> int:
    """Tells clients of what was announced for them; returns how many."""
    return await notices.send_due(resources.pool)


JOBS: Jobs[Resources] = [
    Job("end_subscriptions", timedelta(seconds=30), end_subscriptions),
    Job("take_orders_effect", timedelta(seconds=30), take_orders_effect),
    Job("tell_offers", timedelta(minutes=1), tell_offers),
    Job(
        "send_notices",
        timedelta(seconds=30),
        send_notices,
        leader=True,
        wake=store.notices.PUBLISHED_CHANNEL,
    ),
    Job("watch_maintenance", timedelta(seconds=30), maintenance.watch),
    Job("prune_credentials", timedelta(seconds=30), prune_credentials),
    Job("note_last_runs", timedelta(minutes=15), note_last_runs, leader=True),
]
