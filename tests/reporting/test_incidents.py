"""The hotline is told once of what goes on, and once more when it is over: no mail a run."""

from __future__ import annotations

import email
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import default
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest

from libs.shared import clock, database
from libs.shared.events import IncidentDecided, RunFinished
from libs.shared.reasons import Reason
from services.reporting import actions, rules
from services.reporting.rules.incidents import Incident
from tests.reporting.conftest import Client, Desk

PARIS = ZoneInfo("Europe/Paris")
MONDAY = datetime(2026, 11, 23, 6, 0, tzinfo=UTC)  # 07:00 in Paris


def parsed(mail: dict[str, Any]) -> EmailMessage:
    message = email.message_from_bytes(mail["body"], policy=default)
    assert isinstance(message, EmailMessage)
    return message


def text_of(mail: dict[str, Any]) -> str:
    part = parsed(mail).get_body(("plain",))
    assert part is not None
    return str(part.get_content())


async def told(desk: Desk, *kinds: str) -> list[dict[str, Any]]:
    return [mail for mail in await desk.mails() if mail["kind"] in kinds]


async def incidents(desk: Desk) -> list[dict[str, Any]]:
    async with database.acquire(desk.pool) as conn:
        rows = await conn.fetch("SELECT * FROM incidents ORDER BY opened_at, cause")
    return [dict(row) for row in rows]


def failed(client: Client, number: int, code: str = "folder-missing") -> RunFinished:
    """A run that failed just now."""
    return client.failed_run(number, reason=Reason(code), finished_at=clock.now())


def decided(incident: dict[str, Any], decision: Any, **changes: Any) -> IncidentDecided:
    """What an operator decides at the portal."""
    fields: dict[str, Any] = {
        "tenant_id": incident["tenant_id"],
        "decision_id": uuid4(),
        "incident_id": incident["incident_id"],
        "decision": decision,
        "until": None,
        "note": "closed for the holidays",
        "by": "Paul",
        "decided_at": clock.now(),
    }
    return IncidentDecided(**(fields | changes))


@pytest.fixture
async def known(desk: Desk, client: Client) -> Client:
    await desk.handle(client.tenant(), client.plan())
    return client


async def test_a_plan_that_fails_each_night_is_told_twice_and_its_recovery_once(
    desk: Desk, known: Client
) -> None:
    await desk.handle(*(failed(known, number) for number in range(1, 8)))
    first, again = await told(desk, "hotline")
    [incident] = await incidents(desk)
    assert (incident["times"], incident["last_run"]) == (7, 7)
    assert len(await told(desk, "report")) == 7, "the client reads each"
    assert text_of(first).splitlines()[:6] == [
        "Client: Boulangerie Martin",
        "Plan: documents",
        "Machine: srv-bureau",
        "Cause: failed",
        f"Since: {incident['opened_at']:%Y-%m-%dT%H:%M:%SZ}",
        f"Incident: {incident['incident_id']}",
    ]
    assert "4 fois de suite" in again["subject"]
    assert text_of(again).count("Échec") == 4, "of this run, and of the three before"

    await desk.handle(known.run(8))
    [over] = await told(desk, "recovered")
    assert over["subject"].startswith("[Hotline] [RETABLIE] - Boulangerie Martin")
    assert "7 sauvegardes avaient échoué" in text_of(over)
    for mail in (again, over):
        message = parsed(mail)
        assert message["References"] == message["In-Reply-To"] == first["message_id"]
    assert parsed(first)["References"] is None
    assert [one["closed_at"] is None for one in await incidents(desk)] == [False]

    await desk.handle(known.run(9), failed(known, 10))
    assert len(await told(desk, "recovered")) == 1
    assert len(await told(desk, "hotline")) == 3, "another incident"


async def test_each_cause_is_an_incident_of_its_own_and_a_good_run_closes_all(
    desk: Desk, known: Client
) -> None:
    await desk.handle(
        failed(known, 1),
        failed(known, 2, "abandoned"),
        failed(known, 3, "growth-blocked"),
        failed(known, 4, "overtaken"),
    )
    assert {one["cause"]: one["times"] for one in await incidents(desk)} == {
        "abandoned": 2,
        "failed": 1,
        "refused": 1,
    }
    assert len(await told(desk, "hotline")) == 3
    await desk.handle(known.run(5, outcome="succeeded_with_warnings"))
    assert len(await told(desk, "recovered")) == 3


async def test_events_that_come_late_change_nothing_of_what_is_over(
    desk: Desk, known: Client
) -> None:
    await desk.handle(known.failed_run(1), known.run(5))
    late = known.failed_run(4)
    await desk.handle(late, late)
    assert len(await told(desk, "hotline")) == 1
    assert [one["closed_at"] is None for one in await incidents(desk)] == [False]
    await desk.handle(known.failed_run(7), known.run(6))
    assert [one["closed_at"] is None for one in await incidents(desk)].count(True) == 1
    assert len(await told(desk, "recovered")) == 1, "run 6 is older than what failed since"


async def test_who_has_it_in_hand_or_puts_it_off_isnt_told_again(desk: Desk, known: Client) -> None:
    await desk.handle(known.failed_run(1))
    [incident] = await incidents(desk)
    await desk.handle(decided(incident, "acknowledge", note="disk ordered"))
    await desk.handle(*(known.failed_run(number) for number in range(2, 9)))
    assert len(await told(desk, "hotline")) == 1
    assert (await incidents(desk))[0]["times"] == 8


def an_incident(**changes: Any) -> Incident:
    fields: dict[str, Any] = {
        "tenant_id": uuid4(),
        "incident_id": uuid4(),
        "plan_id": uuid4(),
        "cause": "failed",
        "opened_at": MONDAY,
        "last_at": MONDAY,
        "last_run": 1,
        "times": 1,
    }
    return Incident(**(fields | changes))


@pytest.mark.parametrize(
    ("changes", "days", "due"),
    [
        ({"times": 3}, 0, False),
        ({"times": 4}, 0, True),
        ({"times": 2}, 2.9, False),
        ({"times": 2}, 3, True),
        ({"times": 2, "last_at": MONDAY + timedelta(days=2)}, 3, True),
        ({"times": 9, "escalated_at": MONDAY}, 9, False),
        ({"times": 9, "acknowledged_by": "Paul"}, 9, False),
        ({"times": 9, "snoozed_until": MONDAY + timedelta(days=9)}, 8, False),
        ({"times": 9, "snoozed_until": MONDAY + timedelta(days=9)}, 9, True),
    ],
)
def test_when_the_hotline_is_told_again(changes: dict[str, Any], days: float, due: bool) -> None:
    now = MONDAY + timedelta(days=days)
    assert rules.incidents.is_due_again(an_incident(**changes), now) is due


def test_mornings_begin_at_seven_in_winter_and_in_summer() -> None:
    find = rules.incidents.find_digest
    assert find(MONDAY - timedelta(seconds=1), PARIS) is None
    assert find(MONDAY, PARIS) == MONDAY
    assert find(MONDAY + timedelta(hours=4, minutes=59), PARIS) == MONDAY
    assert find(MONDAY + timedelta(hours=5), PARIS) is None
    summer = datetime(2027, 3, 28, 5, 0, tzinfo=UTC)
    assert find(summer, PARIS) == summer
    assert find(summer - timedelta(seconds=1), PARIS) is None


async def test_the_morning_mail_lists_what_is_open_once(
    desk: Desk, known: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = Client(name="Étude <Lefèvre>")
    ended = Client(name="Ancien")
    await desk.handle(other.tenant(), other.plan(), ended.tenant(), ended.plan())
    earlier = MONDAY - timedelta(hours=8)
    await desk.handle(other.failed_run(1, finished_at=earlier))
    await desk.handle(known.failed_run(1), known.failed_run(2))
    await desk.handle(ended.failed_run(1), ended.tenant(version=2, subscription="ended"))
    now = MONDAY
    monkeypatch.setattr(clock, "now", lambda: now)

    async def morning() -> list[dict[str, Any]]:
        await actions.hotline.write_morning(desk.pool, desk.office)
        return await told(desk, "morning")

    [mail] = await morning()
    assert mail["recipient"] == desk.office.hotline[0]
    assert mail["subject"] == "[Hotline] 2 incidents sont ouverts"
    text = text_of(mail)
    assert text.index("Étude <Lefèvre>") < text.index("Boulangerie Martin")
    assert "2 fois depuis le 23/11/2026 02:31" in text
    assert "Ancien" not in text
    now += timedelta(hours=2)
    assert len(await morning()) == 1, "once a morning"

    [holiday] = [one for one in await incidents(desk) if one["times"] == 2]
    await desk.handle(decided(holiday, "snooze", until=MONDAY + timedelta(days=2)))
    now = MONDAY + timedelta(days=1)
    assert (await morning())[-1]["subject"] == "[Hotline] 1 incident est ouvert"
    now = MONDAY + timedelta(days=2)
    assert (await morning())[-1]["subject"] == "[Hotline] 2 incidents sont ouverts"
    await desk.handle(known.run(3), other.run(2))
    now = MONDAY + timedelta(days=3)
    assert len(await morning()) == 3, "nothing is open, so nothing is written"


async def test_what_opens_after_seven_waits_for_the_next_morning(
    desk: Desk, known: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_eight = MONDAY + timedelta(hours=1)
    await desk.handle(known.failed_run(1, finished_at=at_eight))
    monkeypatch.setattr(clock, "now", lambda: at_eight + timedelta(minutes=1))
    await actions.hotline.write_morning(desk.pool, desk.office)
    assert await told(desk, "morning") == []
    assert UUID(str((await incidents(desk))[0]["incident_id"]))
