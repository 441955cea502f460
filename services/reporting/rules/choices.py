"""Which reader hears of what, when: at once, once a day, once a week, or never."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal

from libs.shared.events import Outcome, Reader, ReportChoice
from services.reporting.rules.clients import Tenant
from services.reporting.rules.plans import Audience, Plan

News = Literal["succeeded", "warned", "failed", "missed", "recovered"]
"""What a run, or its absence, is to a reader; recovered: the first good one after others."""
When = Literal["at-once", "daily", "weekly", "never"]

TOLD: Mapping[tuple[ReportChoice, News], When] = {
    ("every", "succeeded"): "at-once",
    ("every", "warned"): "at-once",
    ("every", "failed"): "at-once",
    ("every", "missed"): "at-once",
    ("every", "recovered"): "at-once",
    ("failures", "succeeded"): "never",
    ("failures", "warned"): "never",
    ("failures", "failed"): "at-once",
    ("failures", "missed"): "at-once",
    ("failures", "recovered"): "at-once",
    ("weekly", "succeeded"): "weekly",
    ("weekly", "warned"): "weekly",
    ("weekly", "failed"): "daily",
    ("weekly", "missed"): "daily",
    ("weekly", "recovered"): "daily",
}

_OF_RUNS: Mapping[Outcome, News] = {
    "succeeded": "succeeded",
    "succeeded_with_warnings": "warned",
    "failed": "failed",
}


def find_news(outcome: Outcome, *, recovers: bool) -> News:
    """What a run is to its readers."""
    return "recovered" if recovers and outcome != "failed" else _OF_RUNS[outcome]


def find_readers(tenant: Tenant, plan: Plan, audience: Audience) -> list[Reader]:
    """Who reads of a plan at all: nobody where the machine or the client declined reports."""
    if tenant.reports_declined or not plan.reports:
        return []
    return audience.find_readers(tenant.administrators)


def find_notified(tenant: Tenant, plan: Plan, audience: Audience, news: News) -> list[Reader]:
    """Who is told of it at once."""
    readers = find_readers(tenant, plan, audience)
    return [one for one in readers if TOLD[one.choice, news] == "at-once"]


def is_daily(news: Iterable[News]) -> bool:
    """Does any of it belong into the day's mail of who gets one a week?"""
    return any(TOLD["weekly", one] == "daily" for one in news)
