"""The provider's half year that `./run demo` plays: all that was told is there."""

from __future__ import annotations

import collections
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import pytest

from devstack.provider import command, contents, filling
from devstack.provider.cast import COMPANIES, DAYS, Company
from devstack.provider.people import OPERATORS
from devstack.provider.rhythm import PARIS, each_turn
from devstack.stack import Stack
from tests.demo.conftest import FORTNIGHT, HALF_YEAR, PASSWORD, Demo, find_company
from tests.world.house import House

pytestmark = pytest.mark.timeout(1800)
"""Whoever comes first waits until it is filled, beside whatever else runs."""


def _ask(house: House, path: str, email: str = "") -> Any:
    """What a portal that was started afterwards answers an operator, or somebody."""
    token = house.portal.sign_in(email, PASSWORD) if email else None
    return house.portal.ask("GET", path, token=token)


def test_the_cast_is_a_believable_provider() -> None:
    plans = [plan for one in COMPANIES for machine in one.machines for plan in machine.plans]
    assert (len(COMPANIES), len(plans)) == (24, 62)
    emails = [person.email for one in COMPANIES for person in one.people]
    assert len(set(emails)) == len(emails)
    assert {person.locale for one in COMPANIES for person in one.people} == {"fr", "en"}
    assert str(COMPANIES[0].tenant_id) == "47b00e7c-0f9c-5d79-952b-57e703548345"


def test_what_happens_is_the_same_each_time() -> None:
    now = datetime(2026, 11, 29, 15, 0, tzinfo=UTC)
    first = now - timedelta(days=DAYS)

    def tell() -> list[tuple[Any, ...]]:
        turns = [turn for one in COMPANIES for turn in each_turn(one, first, now, now)]
        return [(t.at, t.company.slug, t.plan.name, t.fate, t.chance.random()) for t in turns]

    told = tell()
    assert told == tell()
    fates = collections.Counter(one[3] for one in told)
    assert fates["well"] / len(told) > 0.9
    assert set(fates) == {"well", "warned", "failed", "encrypted", "emptied", "blocked"}


@pytest.mark.parametrize("hour", range(24))
def test_at_whatever_hour_the_newest_run_of_results_is_the_encrypted_one(hour: int) -> None:
    now = datetime(2026, 12, 1, hour, 5, tzinfo=PARIS)
    first = now - timedelta(days=15)
    turns = [
        turn
        for turn in each_turn(find_company("encrypted"), first, now, now)
        if turn.plan.name == "résultats"
    ]
    fates = [turn.fate == "encrypted" for turn in sorted(turns, key=attrgetter("at"))]
    assert fates == [False] * (len(turns) - 1) + [True]


def test_nothing_runs_nothing_is_filled(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(tmp_path) == 3
    assert "./run up" in capsys.readouterr().err


@pytest.mark.parametrize("demo", [FORTNIGHT], indirect=True)
def test_a_fortnight(demo: Demo) -> None:
    _is_filled(demo)
    _is_recovered(demo.house, demo.companies[0])
    _is_refused_now(demo.stack)


def _is_filled(demo: Demo) -> None:
    """Each run is there that the rhythm names, and what becomes of each client."""
    house, play, played = demo.house, demo.play, demo.companies
    told = house.query("SELECT outcome, count(*) FROM portal.runs GROUP BY 1")
    counted = dict(told)
    assert sum(counted.values()) == play.runs
    opened = play.at(demo.days, filling.OPENING + 1)
    turns = [t for one in played for t in each_turn(one, opened, play.now, play.now)]
    assert play.runs == len(turns)
    assert counted.get("failed", 0) == sum(turn.fate == "failed" for turn in turns)
    [case] = _ask(house, "/overages")["overages"]
    assert (case["tenant_id"], case["answer"]) == (
        str(find_company("reminded").tenant_id),
        "reduce",
    )
    [due] = _ask(house, "/destructions")["destructions"]
    assert due["tenant_id"] == str(find_company("ended").tenant_id)
    causes = {one["cause"] for one in _ask(house, "/incidents")["incidents"]}
    assert {"unusual", "parked"} <= causes
    assert len(_ask(house, "/operators")["operators"]) == 1 + len(OPERATORS)
    assert len(_ask(house, "/notices")["notices"]) == 1
    for company in played:
        assert house.mails(company.administrator.email), company.name


def _is_recovered(house: House, company: Company) -> None:
    """A file comes back as it was made, its newest version and its first."""
    reader = company.people[-1].email
    plan = next(
        one["plan_id"]
        for one in _ask(house, "/plans", reader)["plans"]
        if one["name"] == "comptabilité et devis"
    )
    token = house.portal.sign_in(reader, PASSWORD)
    path = "D/Bureau/Comptabilité/banque.csv"
    url = f"{house.url('portal')}/api/v1/plans/{plan}/file?run=1&path={quote(path)}"
    headers = {"Authorization": f"Bearer {token}"}
    got = httpx2.get(url, headers=headers, trust_env=False, timeout=60)
    assert got.content == contents.make("Comptabilité/banque.csv", 1), got.text[:300]


def _is_refused_now(stack: Stack) -> None:
    described: dict[str, Any] = {
        "portal": {"url": stack.url("portal")},
        "operator": {"token": stack.operator_token},
        "demo": None,
        "clock": {"offset_seconds": 0},
    }
    assert "has clients already" in str(command.find_objection(described))
    described["clock"]["offset_seconds"] = 60
    assert "clock" in str(command.find_objection(described))


@pytest.mark.long
@pytest.mark.parametrize("demo", [HALF_YEAR], indirect=True)
def test_the_whole_half_year(demo: Demo) -> None:
    house = demo.house
    states = {one["subscription"] for one in _ask(house, "/tenants")["tenants"]}
    assert states == {"active", "ending", "ended", "suspended", "destroyed"}
    stages = {(one["answer"], one["blocked"]) for one in _ask(house, "/overages")["overages"]}
    assert {(None, False), ("reduce", False), ("call", False), (None, True)} <= stages
    destroyed = find_company("destroyed").tenant_id
    assert _ask(house, f"/tenants/{destroyed}/destruction")["certificate"] is True
    assert _ask(house, f"/billing/{datetime.now(UTC):%Y-%m}?format=json")
