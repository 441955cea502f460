"""Time in: mails go out, bounces come back, and what was held back or missed is told."""

from __future__ import annotations

from datetime import timedelta

from prometheus_client import Gauge

from libs.shared import database
from libs.shared.runtime import Job, Jobs
from services.reporting import actions, store
from services.reporting.actions.sending import Sender

UNFINISHED = Gauge("coffre_mails_unfinished", "Mails queued or being sent", ["state"])


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
    await actions.mails.tell_late(sender.pool, sender.resources)


async def trust_again(sender: Sender) -> None:
    """Closes what is about addresses from which no mail comes back any more."""
    await actions.mails.trust_again(sender.pool, sender.resources)


async def take_bounces(sender: Sender) -> int:
    """Reads what mail servers sent back."""
    if sender.mailbox is None:
        return 0
    return await actions.bounces.take_bounces(sender.pool, sender.resources, sender.mailbox)


async def measure_queue(sender: Sender) -> None:
    """Tells how many mails are unfinished."""
    async with database.acquire(sender.pool) as conn:
        counted = await store.mails.count(conn)
    for state in ("queued", "sending"):
        UNFINISHED.labels(state).set(counted.get(state, 0))
    await actions.webhooks.measure(sender.pool, sender.resources)


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
]
