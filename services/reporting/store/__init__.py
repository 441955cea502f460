"""All SQL of reporting: what it knows, and its mail queue."""

from __future__ import annotations

from services.reporting.store.known import (
    add_run,
    find_plan,
    find_tenant,
    list_history,
    list_waiting_runs,
    lock_tenant,
    mark_reported,
    put_plan,
    put_tenant,
)
from services.reporting.store.queue import (
    QUEUE_CHANNEL,
    Mail,
    add_mail,
    bring_back,
    claim_mail,
    count_due,
    count_mails,
    has_mails,
    mark_later,
    mark_sent,
    mark_undeliverable,
    requeue_interrupted,
)

__all__ = [
    "QUEUE_CHANNEL",
    "Mail",
    "add_mail",
    "add_run",
    "bring_back",
    "claim_mail",
    "count_due",
    "count_mails",
    "find_plan",
    "find_tenant",
    "has_mails",
    "list_history",
    "list_waiting_runs",
    "lock_tenant",
    "mark_later",
    "mark_reported",
    "mark_sent",
    "mark_undeliverable",
    "put_plan",
    "put_tenant",
    "requeue_interrupted",
]
