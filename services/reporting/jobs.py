"""Time in: mails go out, bounces come back, and what was held back or missed is told."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import MappingProxyType

from prometheus_client import Gauge

from libs.shared import clock, database, timekeeping
from libs.shared.events import MAIL_KEPT
from libs.shared.runtime import Job, Jobs
from services.reporting import actions, rules, store
from services.reporting.actions.sending import Sender

_TEXTS_AT_ONCE = 2_000
_AGES = MappingProxyType(
    {"1d": timedelta(days=1), "2d": timedelta(days=2), "7d": timedelta(days=7)}
)
_OLDER, _NEVER, _NEW = "older", "never", "new"
_NEW_FOR = timedelta(days=2)
"""How long a plan is new that never ran well."""

UNFINISHED = Gauge("coffre_mails_unfinished", "Mails queued or being sent", ["state"])
OLDEST = Gauge("coffre_mail_oldest_seconds", "Age of the oldest mail that is not sent yet")
PLANS = Gauge(
    "coffre_plans",
    "Plans of clients with a subscription by the age of their last good run, each counted once",
    ["last_good"],
)
OVERDUE = Gauge("coffre_plans_overdue", "Plans of which a run is missed at the moment")
NEWEST = Gauge(
    "coffre_last_good_run_timestamp_seconds", "When the newest good run of all was heard of"
)
INCIDENTS = Gauge("coffre_incidents_open", "Incidents that the hotline has open", ["cause"])
TENANTS = Gauge(
    "coffre_tenant_last_good_run_timestamp_seconds",
    "When the newest good run of the client's plan that waits for one the longest was heard of",
    ["tenant"],
)


async def write_digests(sender: Sender) -> None:
    """Tells of the mails that were held back."""
    await actions.digests.write_digests(sender.pool, sender.resources)


async def write_morning(sender: Sender) -> None:
    """Tells the hotline each morning what is still open."""
    await actions.hotline.write_morning(sender.pool, sender.resources)


async def escalate_old(sender: Sender) -> None:
    """Tells the hotline once more of what nobody has in hand."""
    await actions.hotline.escalate_old(sender.pool, sender.resources)


async def forget_settled(sender: Sender) -> None:
    """Forgets what was over long ago."""
    await actions.hotline.forget_settled(sender.pool)


async def forget_texts(sender: Sender) -> None:
    """Forgets what mails about runs said, once they are old; not that they were sent."""
    now = await timekeeping.check_time(sender.pool)
    async with database.transaction(sender.pool) as conn:
        await store.mails.forget_texts(conn, now - MAIL_KEPT, _TEXTS_AT_ONCE)


async def call_webhooks(sender: Sender) -> int:
    """Tells webhooks what they want to hear, on threads of their own."""
    return await actions.webhooks.call_all(sender.pool, sender.resources, sender.threads)


async def write_reviews(sender: Sender) -> int:
    """Writes the mails of days and weeks to who gets no other."""
    return await actions.reviews.write_reviews(sender.pool, sender.resources)


async def tell_missed(sender: Sender) -> int:
    """Tells of runs that never came."""
    return await actions.missed.tell_missed(sender.pool, sender.resources)


async def forget_farewells(sender: Sender) -> None:
    """Forgets the last of destroyed clients, once their certificate is mailed."""
    await actions.destructions.forget_farewells(sender.pool)


async def tell_late(sender: Sender) -> None:
    """Tells the hotline each day of mails that no server takes."""
    await actions.delays.tell_late(sender.pool, sender.resources)


async def trust_again(sender: Sender) -> None:
    """Closes what is about addresses from which no mail comes back any more."""
    await actions.sending.verdicts.trust_again(sender.pool, sender.resources)


async def take_bounces(sender: Sender) -> int:
    """Reads what mail servers sent back."""
    if sender.mailbox is None:
        return 0
    return await actions.bounces.take_bounces(sender.pool, sender.resources, sender.mailbox)


async def measure_queue(sender: Sender) -> None:
    """Tells how many mails are unfinished, and since when."""
    async with database.acquire(sender.pool) as conn:
        counted = await store.sending.claims.count(conn)
        oldest = await store.sending.claims.find_oldest(conn)
    for state in ("queued", "sending"):
        UNFINISHED.labels(state).set(counted.get(state, 0))
    OLDEST.set(max((clock.now() - oldest).total_seconds(), 0) if oldest else 0)
    await actions.webhooks.measure(sender.pool, sender.resources)


async def measure_plans(sender: Sender) -> None:
    """Tells how old the last good runs are, and what the hotline has open."""
    async with database.acquire(sender.pool) as conn:
        plans = await store.plans.list_watched(conn)
        OVERDUE.set(await store.missed.count_overdue(conn))
        incidents = await store.incidents.count_open(conn)
    now = clock.now()
    ages = [_find_age(plan, now) for plan in plans]
    for age in (*_AGES, _OLDER, _NEVER, _NEW):
        PLANS.labels(age).set(ages.count(age))
    NEWEST.set(max((plan.good_at.timestamp() for plan in plans if plan.good_at), default=0))
    for cause in rules.incidents.CAUSES:
        INCIDENTS.labels(cause).set(incidents.get(cause, 0))


async def measure_tenants(sender: Sender) -> None:
    """Tells of each client when its plan that waits the longest last ran well; 0: never."""
    async with database.acquire(sender.pool) as conn:
        plans = await store.plans.list_watched(conn)
    oldest: dict[str, float] = {}
    for plan in plans:
        tenant, moment = str(plan.tenant_id), plan.good_at.timestamp() if plan.good_at else 0.0
        oldest[tenant] = min(oldest.get(tenant, moment), moment)
    TENANTS.clear()
    for tenant, moment in oldest.items():
        TENANTS.labels(tenant).set(moment)


def _find_age(plan: store.plans.Watched, now: datetime) -> str:
    """The first of the ages that a plan's last good run is within."""
    if plan.good_at is None:
        return _NEW if now - plan.watched_since < _NEW_FOR else _NEVER
    age = now - plan.good_at
    return next((name for name, within in _AGES.items() if age <= within), _OLDER)


JOBS: Jobs[Sender] = [
    # A commit that adds a mail wakes it; the clock serves the retries.
    Job(
        "send_mails",
        timedelta(seconds=1),
        Sender.send,
        each=lambda sender: sender.lock,
        wake=store.mails.QUEUE_CHANNEL,
    ),
    Job("take_bounces", timedelta(minutes=1), take_bounces, leader=True),
    Job("trust_again", timedelta(minutes=10), trust_again, leader=True),
    Job("tell_late", timedelta(minutes=10), tell_late, leader=True),
    Job("write_digests", timedelta(minutes=1), write_digests, leader=True),
    Job("write_morning", timedelta(minutes=1), write_morning, leader=True),
    Job("write_reviews", timedelta(minutes=1), write_reviews, leader=True),
    Job("escalate_old", timedelta(minutes=1), escalate_old, leader=True),
    Job("forget_settled", timedelta(hours=1), forget_settled, leader=True),
    Job("forget_texts", timedelta(minutes=10), forget_texts, leader=True),
    Job(
        "call_webhooks",
        timedelta(seconds=1),
        call_webhooks,
        leader=True,
        wake=store.webhooks.CHANNEL,
    ),
    Job("tell_missed", timedelta(minutes=1), tell_missed, leader=True),
    Job("forget_farewells", timedelta(minutes=1), forget_farewells, leader=True),
    Job("measure_queue", timedelta(seconds=15), measure_queue),
    Job("measure_plans", timedelta(minutes=5), measure_plans),
]

PER_TENANT: Jobs[Sender] = [
    Job("measure_tenants", timedelta(minutes=5), measure_tenants),
]
"""What is done as well where an operator asked for figures of each client."""
