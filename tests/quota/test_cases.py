"""Overage cases: what is published of them, from the first heads-up to the end."""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from libs.shared.timekeeping import TimeDoubtful
from services.quota.actions import cases
from tests.quota.conftest import Calendar, Counter


@pytest.fixture
async def over(counter: Counter, calendar: Calendar) -> Counter:
    """A tenant that passed its contract of 1000 bytes on day 0, and holds 1200."""
    calendar.day(0)
    await counter.handle(counter.contract())
    await counter.holds(1200)
    return counter


async def case_of(counter: Counter) -> str:
    [*_, last] = await counter.events("overage.")
    return str(last["case_id"])


async def test_a_year_without_an_answer(counter: Counter, calendar: Calendar) -> None:
    calendar.day(0)
    await counter.handle(counter.contract())
    for stored in (700, 810, 790, 805, 960, 940, 1000, 1001, 1200):
        await counter.holds(stored)
    assert await counter.story() == ["up 80", "up 95", "opened"]
    for day in range(40):
        calendar.day(day + 0.1)
        await counter.look()
        await counter.look()
    reminded = [f"reminded {day}" for day in (7, 14, 21, 27, 29)]
    assert await counter.story() == ["up 80", "up 95", "opened", *reminded, "blocked"]
    [*_, blocked] = await counter.events("overage.")
    assert (blocked["stored_bytes"], blocked["ceiling_bytes"]) == (1200, 1200)
    [first, last] = await counter.said()
    assert first == (1, 1000, False, "")
    assert last[:3] == (2, 1200, True)
    assert last[3].startswith("le volume conservé dépasse le volume au contrat, et l’échéance du ")
    [*_, told] = await counter.events("allowance.changed")
    assert told["ended_at"] == blocked["deadline_at"], "for who reads another language"
    await counter.holds(1100)
    assert (await counter.row())["ceiling_bytes"] == 1200, "room that was freed may be used again"
    await counter.handle(counter.contract(2, 1500))
    assert (await counter.story())[-1] == "closed"
    assert (await counter.said())[-1] == (3, 1500, False, "")
    versions = [told["version"] for told in await counter.events("overage.")]
    assert versions == list(range(1, len(versions) + 1))


async def test_what_is_said_of_a_case(over: Counter, calendar: Calendar) -> None:
    large, small = uuid4(), uuid4()
    calendar.day(1)
    first = over.run(small, 1, plan_name="paie", bytes_protected=300, bytes_sent=40)
    await over.handle(first, first)
    await over.handle(
        over.run(large, 2, bytes_protected=2000, bytes_sent=70),
        over.run(large, 1, bytes_protected=9000, bytes_sent=50),
        over.run(large, 3, bytes_protected=0, bytes_sent=5, restore_point=False, outcome="failed"),
    )
    calendar.day(7)
    await over.look()
    [opened, reminded] = await over.events("overage.")
    assert reminded["fills"] == [
        {
            "plan_id": str(large),
            "plan_name": "documents",
            "hostname": "srv-bureau",
            "protected_bytes": 2000,
            "sent_bytes": 125,
        },
        {
            "plan_id": str(small),
            "plan_name": "paie",
            "hostname": "srv-bureau",
            "protected_bytes": 300,
            "sent_bytes": 40,
        },
    ]
    assert opened["fills"] == []
    assert (reminded["stored_bytes"], reminded["contracted_bytes"]) == (1200, 1000)
    assert reminded["opened_at"] == opened["opened_at"] == reminded["passed_at"]
    opened_at = datetime.fromisoformat(opened["opened_at"])
    assert datetime.fromisoformat(opened["deadline_at"]) == opened_at + timedelta(days=30)
    assert datetime.fromisoformat(opened["final_at"]) == opened_at + timedelta(days=60)
    assert (reminded["ceiling_bytes"], reminded["answer"], reminded["reason"]) == (None, None, "")
    assert (reminded["reached_on"], reminded["weekly_bytes"]) == (None, None)


async def test_a_forecast_comes_from_the_days_that_were_written(
    counter: Counter, calendar: Calendar
) -> None:
    calendar.day(0)
    await counter.handle(counter.contract(1, 1000))
    for day in range(45):
        calendar.day(day)
        await counter.holds(365 + 10 * day)
        await counter.fill_days()
    [told] = await counter.events("volume.approached")
    assert told["level_percent"] == 80
    ahead = datetime.fromisoformat(told["reached_on"]).date() - calendar.day(44).date()
    assert ahead.days == 20
    calendar.day(45)
    await counter.holds(1100)
    [opened] = await counter.events("overage.opened")
    assert (opened["reached_on"], opened["weekly_bytes"]) == (None, 70)


async def test_an_answer_keeps_growth_until_the_second_deadline(
    over: Counter, calendar: Calendar
) -> None:
    answer = over.answer(await case_of(over), "order")
    calendar.day(2)
    await over.handle(answer, answer)
    for day in range(2, 65):
        calendar.day(day)
        await over.look()
        if (await over.row())["blocked"]:
            break
    assert day == 60
    assert (await over.story())[-4:] == ["reminded 51", "reminded 57", "reminded 59", "blocked"]
    [*_, last, blocked] = await over.events("overage.")
    assert (last["answer"], last["final_at"]) == ("order", blocked["final_at"])
    assert (blocked["type"], blocked["answer"]) == ("overage.blocked.v1", "order")


async def test_an_answer_to_another_case_changes_nothing(over: Counter) -> None:
    case_id = await case_of(over)
    stranger = Counter(over.pool)
    await stranger.handle(stranger.contract(1, 10))
    await stranger.holds(20)
    await stranger.handle(stranger.answer(case_id, "order"))
    await over.handle(over.answer(str(uuid4()), "order"))
    rows = await over.fetch("SELECT answer FROM cases")
    assert [row["answer"] for row in rows] == [None, None]
    assert await over.story() == ["opened"]


async def test_an_answer_that_crossed_a_closing_counts_if_the_case_goes_on(
    over: Counter, calendar: Calendar
) -> None:
    await over.holds(900)
    await over.handle(over.answer(await case_of(over), "reduce"))
    assert await over.story() == ["opened", "closed"]
    calendar.day(2)
    await over.holds(1300)
    [*_, opened] = await over.events("overage.")
    assert (opened["type"], opened["answer"]) == ("overage.opened.v1", "reduce")
    calendar.day(31)
    await over.look()
    assert not (await over.row())["blocked"]


async def test_an_answer_that_was_late_on_its_way_lifts_the_block(
    over: Counter, calendar: Calendar
) -> None:
    calendar.day(29)
    answer = over.answer(await case_of(over), "call")
    calendar.day(30)
    await over.look()
    assert (await over.row())["blocked"]
    await over.handle(answer)
    assert not (await over.row())["blocked"]
    [*_, told] = await over.events("overage.")
    assert (told["type"], told["ceiling_bytes"]) == ("overage.extended.v1", None)


async def test_an_operator_extends(over: Counter, calendar: Calendar) -> None:
    until = calendar.day(50)
    calendar.day(31)
    await over.look()
    extension = over.decision("extend", until=until, reason="leur commande attend")
    shorter = over.decision("extend", until=calendar.day(40), reason="shorter")
    calendar.day(31)
    await over.handle(extension, extension)
    [*_, told] = await over.events("overage.")
    assert (told["type"], told["reason"]) == ("overage.extended.v1", "leur commande attend")
    assert datetime.fromisoformat(told["deadline_at"]) == until
    assert (await over.said())[-1] == (3, 1000, False, "")
    await over.handle(shorter)
    assert (await over.events("overage."))[-1] == told, "an extension makes nothing shorter"
    calendar.day(49)
    await over.look()
    calendar.day(50)
    await over.look()
    assert (await over.story())[-2:] == ["reminded 29", "blocked"]


async def test_an_operators_block_ends_with_its_case(over: Counter) -> None:
    await over.handle(over.decision("block", reason="as they asked"))
    await over.holds(1150)
    assert (await over.said())[-1] == (2, 1200, True, "as they asked")
    [*_, told] = await over.events("overage.")
    assert (told["type"], told["ceiling_bytes"], told["reason"]) == (
        "overage.blocked.v1", 1200, "as they asked",
    )  # fmt: skip
    await over.handle(over.contract(2, 2000))
    assert (await over.said())[-1] == (3, 2000, False, "")
    assert (await over.row())["block_reason"] is None


async def test_a_block_for_another_reason_outlives_a_case(counter: Counter) -> None:
    await counter.handle(counter.contract(), counter.decision("block", reason="unpaid"))
    await counter.holds(1200)
    await counter.holds(900)
    assert await counter.story() == ["opened", "closed"]
    assert (await counter.said())[-1] == (2, 0, True, "unpaid")


async def test_an_operator_unblocks_what_a_deadline_blocked(
    over: Counter, calendar: Calendar
) -> None:
    calendar.day(30)
    await over.look()
    calendar.day(33)
    await over.handle(over.decision("unblock", reason="la commande est signée"))
    assert (await over.said())[-1] == (3, 1000, False, "")
    [*_, told] = await over.events("overage.")
    assert (told["type"], told["reason"]) == ("overage.extended.v1", "la commande est signée")
    calendar.day(62.9)
    await over.look()
    assert not (await over.row())["blocked"]
    calendar.day(63.01)
    await over.look()
    assert (await over.row())["blocked"]


async def test_a_case_sleeps_while_the_subscription_has_ended(
    over: Counter, calendar: Calendar
) -> None:
    await over.handle(over.contract(2, subscription="ended"))
    [*_, closed] = await over.events("overage.")
    assert closed["type"] == "overage.closed.v1"
    assert closed["stored_bytes"] > closed["contracted_bytes"]
    calendar.day(9)
    await over.look()
    await over.holds(1500)
    await over.handle(over.contract(3, subscription="destroyed"))
    await over.holds(0)
    assert await over.story() == ["opened", "closed"]
    await over.holds(1500)
    calendar.day(10)
    await over.handle(over.contract(4, subscription="active"))
    [*_, opened] = await over.events("overage.")
    assert datetime.fromisoformat(opened["deadline_at"]) > calendar.day(39)


async def test_a_contract_of_nothing_is_passed_by_the_first_byte(counter: Counter) -> None:
    await counter.handle(counter.contract(1, 0), counter.volume(1, 0))
    assert await counter.story() == []
    await counter.handle(counter.volume(2, 1))
    assert await counter.story() == ["opened"]


async def test_a_clock_that_made_a_leap_blocks_and_reminds_nobody(
    over: Counter, calendar: Calendar
) -> None:
    await over.look()
    calendar.day(400)
    with pytest.raises(TimeDoubtful):
        await cases.settle_due(over.pool)
    await over.holds(1300)
    assert await over.story() == ["opened"]
    assert not (await over.row())["blocked"]


async def test_two_jobs_at_once_say_each_thing_once(over: Counter, calendar: Calendar) -> None:
    calendar.day(7)
    await over.look()
    calendar.day(14)
    await asyncio.gather(*(over.look() for _ in range(5)))
    assert await over.story() == ["opened", "reminded 7", "reminded 14"]


async def test_what_was_sent_is_forgotten_after_its_time(over: Counter, calendar: Calendar) -> None:
    await over.handle(over.run(uuid4(), 1))
    calendar.day(20)
    await over.handle(over.run(uuid4(), 1))
    calendar.day(31)
    await over.forget_sent()
    assert len(await over.fetch("SELECT FROM sent")) == 1
