"""Webhooks: told of each step of an incident, beside the mails and never before them.

What is to be said is a row of the transaction that causes it, and goes once it was taken: who dies
between the two says it again.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from concurrent.futures import Executor
from uuid import UUID, uuid4

import prometheus_client

from libs.shared import clock, database, logs
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection, Pool
from services.reporting import rules, store
from services.reporting.actions.resources import Resources
from services.reporting.rules.webhooks import Failing, Webhook
from services.reporting.store.webhooks import Call

AT_ONCE = 50
FAILED_AT_ONCE = 2

OUTCOMES = prometheus_client.Counter(
    "coffre_webhook_outcomes", "Calls of webhooks by outcome", ["kind", "outcome"]
)
UNFINISHED = prometheus_client.Gauge(
    "coffre_webhook_calls_unfinished", "Calls of webhooks that wait", ["kind"]
)


async def queue(
    conn: Connection,
    resources: Resources,
    tenant_id: UUID,
    cause: str,
    title: str,
    body: str,
    *,
    is_over: bool,
) -> None:
    """Has every webhook called that wants to hear of a cause."""
    now = clock.now()
    for webhook in resources.webhooks:
        if webhook.wants(cause):
            give_up_at = now + rules.webhooks.KEPT_TRYING
            call = Call(uuid4(), tenant_id, webhook.name, title, body, is_over, give_up_at, tries=0)
            await store.webhooks.add(conn, tenant_id, call, now)


async def call_all(pool: Pool, resources: Resources, threads: Executor) -> int:
    """Says what is due at each webhook, all at once; returns how much was taken."""
    names = [webhook.name for webhook in resources.webhooks]
    async with database.transaction(pool) as conn:
        if gone := await store.webhooks.remove_others(conn, names):
            logs.get().warning("webhook.gone", calls=gone)
    done = await asyncio.gather(*(_call(pool, one, threads) for one in resources.webhooks))
    return sum(done)


async def _call(pool: Pool, webhook: Webhook, threads: Executor) -> int:
    async with database.acquire(pool) as conn:
        due = await store.webhooks.list_due(conn, webhook.name, clock.now(), AT_ONCE)
    outcomes: Counter[bool] = Counter()
    for call in due:
        if outcomes[False] == FAILED_AT_ONCE:
            break
        crashpoint("reporting.before_webhook")
        loop = asyncio.get_running_loop()
        error = await loop.run_in_executor(threads, say, webhook, call)
        crashpoint("reporting.after_webhook")
        await _keep(pool, webhook, call, error)
        outcomes[error is None] += 1
    return outcomes[True]


async def _keep(pool: Pool, webhook: Webhook, call: Call, error: str | None) -> None:
    """Writes down what became of a call."""
    now = clock.now()
    log = logs.get().bind(webhook=webhook.kind, tenant_id=str(call.tenant_id))
    async with database.transaction(pool) as conn:
        if error is None:
            outcome = "taken"
            await store.webhooks.remove(conn, call.call_id)
        elif now >= call.give_up_at:
            outcome = "given-up"
            await store.webhooks.remove(conn, call.call_id)
            log.error("webhook.given-up", error=error, tries=call.tries + 1)
        else:
            outcome = "postponed"
            due_at = rules.webhooks.find_next_try(call.tries + 1, now)
            await store.webhooks.postpone(conn, call.call_id, due_at, error)
            log.warning("webhook.postponed", error=error, tries=call.tries + 1)
    OUTCOMES.labels(webhook.kind, outcome).inc()


def say(webhook: Webhook, call: Call) -> str | None:
    """Says something to a webhook; returns why it wasn't taken. Takes seconds where it is away.

    Of what went wrong only a number is kept: the rest may hold the address, which is a secret.
    """
    import apprise  # noqa: PLC0415 - takes a while, and most installations have no webhook

    with apprise.LogCapture(level=apprise.logging.WARNING) as captured:  # type: ignore[no-untyped-call]
        teller = apprise.Apprise()
        if not teller.add(webhook.url):
            return "no such service"
        notify_type = apprise.NotifyType.SUCCESS if call.is_over else apprise.NotifyType.FAILURE
        if teller.notify(
            title=call.title,
            body=call.body,
            notify_type=notify_type,
            body_format=apprise.NotifyFormat.TEXT,
        ):
            return None
        found = re.search(r"error=(\d{3})\b", captured.getvalue())
    return f"answered {found[1]}" if found else "no answer"


async def list_failing(conn: Connection, resources: Resources) -> list[Failing]:
    """The webhooks that took nothing when they were called last."""
    kinds = {webhook.name: webhook.kind for webhook in resources.webhooks}
    return [
        Failing(kinds[name], calls, since, error)
        for name, calls, since, error in await store.webhooks.list_failing(conn)
        if name in kinds
    ]


async def measure(pool: Pool, resources: Resources) -> None:
    """Tells how many calls wait."""
    async with database.acquire(pool) as conn:
        counted = await store.webhooks.count(conn)
    waiting = Counter({webhook.kind: 0 for webhook in resources.webhooks})
    for webhook in resources.webhooks:
        waiting[webhook.kind] += counted.get(webhook.name, 0)
    for kind, calls in waiting.items():
        UNFINISHED.labels(kind).set(calls)
