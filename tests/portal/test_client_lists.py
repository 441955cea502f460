"""Clients as operators list them: the worst first, under its worst, day by day."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine

from libs.shared import clock
from libs.shared.words.tongue import Tongue
from services.portal.actions.clients import listing
from services.portal.pages.desk import drawings
from services.portal.rules import clients
from services.portal.rules.log.chain import NOBODY, Actor
from tests.portal import builder

OPERATOR = Actor(NOBODY, uuid4(), "Anne", "", duty="administrator")


async def test_clients_are_listed_worst_first_and_found_without_accents(portal: Any) -> None:
    names = ("Étude Lefèvre", "Smith & Co", "Zinguerie Ébène", "agence Ôdyssée")
    made = {
        name: await builder.open_client(portal, f"a{n}@c.example", name)
        for n, name in enumerate(names)
    }
    for name in ("Smith & Co", "Zinguerie Ébène", "Étude Lefèvre"):
        await made[name].add_run(1)
    await made["Smith & Co"].add_run(2, "failed", started_at=clock.now(), finished_at=clock.now())

    async def names_of(**asked: Any) -> list[str]:
        chosen = {"search": "", "trouble": None, "page": 1, **asked}
        found = await listing.list_page(portal.parts.pool, OPERATOR, **chosen)
        return [one.name for one, _ in found.clients]

    assert await names_of() == ["Smith & Co", "agence Ôdyssée", "Étude Lefèvre", "Zinguerie Ébène"]
    assert await names_of(search="ETUDE lefevre") == ["Étude Lefèvre"]
    assert await names_of(trouble="waiting") == ["agence Ôdyssée"]
    assert await names_of(search="%") == []
    found = await listing.list_page(
        portal.parts.pool, OPERATOR, search="smith", trouble=None, page=1
    )
    assert "failed" in found.kinds[made["Smith & Co"].tenant_id].values()
    assert found.counts == {"failed": 1}


@pytest.mark.parametrize(
    ("at", "day"),
    [
        (datetime(2026, 11, 30, 22, 30, tzinfo=UTC), date(2026, 11, 30)),
        (datetime(2026, 11, 30, 23, 30, tzinfo=UTC), date(2026, 12, 1)),  # past midnight in Paris
    ],
)
async def test_the_last_day_of_the_list_is_that_of_clients(
    portal: Any, at: datetime, day: date
) -> None:
    client = await builder.open_client(portal)
    with time_machine.travel(at, tick=True):
        await client.add_run(1, "failed", started_at=at, finished_at=at)
        found = await listing.list_page(
            portal.parts.pool, OPERATOR, search="", trouble=None, page=1
        )
    assert (found.days[-1], len(found.days)) == (day, listing.DAYS)
    assert found.kinds[client.tenant_id] == {day: "failed"}


@pytest.mark.parametrize(
    ("change", "trouble"),
    [
        ({}, "fine"),
        ({"subscription": "ended", "failing": 1}, "closed"),
        ({"failing": 1, "late": 1, "damaged": 1}, "damaged"),
        ({"failing": 1, "late": 1}, "failed"),
        ({"late": 1, "is_blocked": True}, "late"),
        ({"is_blocked": True, "stored_bytes": 2}, "blocked"),
        ({"stored_bytes": 2, "reserved": 1}, "over"),
        ({"reserved": 1}, "warnings"),
        ({"subscription": "suspended", "silent": 1}, "suspended"),
        ({"subscription": "suspended", "damaged": 1}, "damaged"),
        ({"silent": 1}, "waiting"),
        ({"plans": 2, "silent": 1}, "fine"),
    ],
)
def test_a_client_is_listed_under_its_worst(change: dict[str, Any], trouble: str) -> None:
    known = {
        "subscription": "active", "damaged": 0, "failing": 0, "late": 0, "unusual": 0,
        "reserved": 0, "plans": 1, "silent": 0, "is_blocked": False, "stored_bytes": 1,
        "contracted_bytes": 1,
    }  # fmt: skip
    known.update(change)
    assert clients.find_trouble(known.pop("subscription"), **known) == trouble


def test_a_bar_that_goes_on_beyond_the_axis_has_a_tip() -> None:
    now, days = clock.now(), timedelta(days=1)

    def tips(opened: int, due: int) -> int:
        case = ("Dupré", now + opened * days, now + due * days, False)
        return str(drawings.draw_deadlines([case], now, Tongue("fr"))).count("v14")

    assert [tips(-20, 10), tips(-31, 10), tips(-20, 31), tips(-90, 90)] == [0, 1, 1, 2]
