"""A subscription's steps as its administrators hear of them, and the maintenance that ends it."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared import clock
from services.portal import jobs
from services.portal.rules import clients
from tests.quota.conftest import Calendar, calendar

__all__ = ["calendar"]

EMAIL = "camille@dupre.example"


async def test_each_step_is_told_with_what_counts_then(portal: Any) -> None:
    tenant_id = await portal.open_tenant("Dupré", EMAIL)
    ends_at = clock.now() + timedelta(days=40)
    async with portal.operator() as api:
        for step, body in (
            ("suspend", {"reason": "unpaid"}),
            ("resume", {"reason": "paid"}),
            ("end", {"reason": "moves", "at": ends_at.isoformat()}),
            ("resume", {"reason": "stays"}),
            ("end", {"reason": "closes"}),
            ("reinstate", {"reason": "opens"}),
        ):
            answer = await api.post(f"/api/v1/tenants/{tenant_id}/{step}", json=body)
            assert answer.status_code == 200, answer.text
    told = await portal.events("subscription.moved.v1")
    assert [(one["step"], one["state"], one["reason"]) for one in told] == [
        ("suspend", "suspended", "unpaid"),
        ("resume", "active", "paid"),
        ("announce_end", "ending", "moves"),
        ("resume", "active", "stays"),
        ("end", "ended", "closes"),
        ("reinstate", "active", "opens"),
    ]
    assert datetime.fromisoformat(told[2]["ends_at"]) == ends_at
    end = told[4]
    due = datetime.fromisoformat(end["destruction_due_at"])
    assert due - datetime.fromisoformat(end["at"]) == timedelta(days=30)
    assert [one["destruction_due_at"] for one in told if one is not end] == [None] * 5
    assert len({one["version"] for one in told}) == 6
    assert len(await portal.events("subscription.ended.v1")) == 1


async def test_the_end_of_the_maintenance_is_told_thrice_and_then_ends_it(
    portal: Any, calendar: Calendar
) -> None:
    tenant_id = await portal.open_tenant("Dupré", EMAIL)
    today = clock.today("Europe/Paris")
    until = today + timedelta(days=61)

    async def pass_days(days: int) -> None:
        moved = portal.parts.pool  # the same installation, at another date
        calendar.day(days)
        await moved.execute("UPDATE seen_time SET seen_at = $1", clock.now())
        for _ in range(2):
            await jobs.maintenance.watch(portal.parts)

    async with portal.operator() as api:
        over = {"until": str(today - timedelta(days=1)), "reason": "typing error"}
        refused = await api.post(f"/api/v1/tenants/{tenant_id}/maintenance", json=over)
        assert refused.status_code == 422
        body = {"until": str(until), "reason": "bought for a while"}
        answer = await api.post(f"/api/v1/tenants/{tenant_id}/maintenance", json=body)
        assert answer.json()["maintenance_until"] == str(until)
    await pass_days(0)
    assert await portal.events("maintenance.nearing.v1") == []
    for days in (1, 10, 31, 54, 61):
        await pass_days(days)
    told = await portal.events("maintenance.nearing.v1")
    assert [one["days_left"] for one in told] == [60, 30, 7]
    assert await portal.events("subscription.ended.v1") == []

    await pass_days(62)
    [ended] = await portal.events("subscription.ended.v1")
    day = f"{until:%d/%m/%Y}"
    assert ended["reason"] == f"La maintenance du logiciel de sauvegarde a pris fin le {day}"
    assert (await portal.events("subscription.moved.v1"))[-1]["step"] == "lapse"
    line = await portal.admin.fetchrow(
        "SELECT actor, act FROM portal.access_log WHERE tenant_id = $1::uuid"
        " ORDER BY number DESC LIMIT 1",
        tenant_id,
    )
    assert tuple(line) == ("Coffre", "subscription-ended")
    # Reinstated only with another maintenance: it would end again at once.
    path = f"/api/v1/tenants/{tenant_id}"
    async with portal.client(portal.operator_token) as api:
        refused = await api.post(f"{path}/reinstate", json={"reason": "stays"})
        assert refused.json()["type"] == "urn:coffre:problem:maintenance-over"
        later = {"until": str(until + timedelta(days=365)), "reason": "renewed"}
        assert (await api.post(f"{path}/maintenance", json=later)).status_code == 200
        assert (await api.post(f"{path}/reinstate", json={"reason": "stays"})).status_code == 200
    await pass_days(63)
    assert len(await portal.events("subscription.ended.v1")) == 1


async def test_a_doubtful_clock_ends_nothing(portal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from libs.shared.timekeeping import TimeDoubtful

    tenant_id = await portal.open_tenant("Dupré", EMAIL)
    until = str(clock.today("Europe/Paris") + timedelta(days=90))
    async with portal.operator() as api:
        body = {"until": until, "reason": "bought"}
        await api.post(f"/api/v1/tenants/{tenant_id}/maintenance", json=body)
    await portal.parts.pool.execute(
        "INSERT INTO seen_time (seen_at) VALUES ($1) ON CONFLICT (one) DO UPDATE SET seen_at = $1",
        clock.now(),
    )
    monkeypatch.setattr(clock, "_offset", timedelta(days=400))
    with pytest.raises(TimeDoubtful):
        await jobs.maintenance.watch(portal.parts)
    assert await portal.events("subscription.ended.v1") == []


@given(
    st.integers(0, 400),
    st.lists(st.integers(1, 90), max_size=30),
)
def test_whatever_days_are_missed_each_warning_is_given_once_in_order(
    start: int, pauses: list[int]
) -> None:
    told: int | None = None
    given_warnings = []
    left = start
    for pause in [0, *pauses]:
        left -= pause
        warning = clients.find_warning(left, told)
        if warning is not None:
            assert 0 <= left <= warning
            given_warnings.append(warning)
            told = warning
        if left >= 0:
            # Whoever is that near has heard of it.
            due = [days for days in clients.MAINTENANCE_WARNINGS if left <= days]
            assert not due or told == min(due)
    assert given_warnings == sorted(set(given_warnings), reverse=True)


def test_the_last_day_is_the_clients_own() -> None:
    until = date(2026, 12, 31)
    in_paris = datetime(2026, 12, 31, 22, 59, tzinfo=UTC)
    assert clients.count_days_left(until, "Europe/Paris", in_paris) == 0
    after = in_paris + timedelta(minutes=1)
    assert clients.count_days_left(until, "Europe/Paris", after) == -1
    assert clients.count_days_left(until, "America/Martinique", after) == 0
