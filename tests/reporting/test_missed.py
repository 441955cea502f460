"""A run that never came is told once a miss: to who would have read its report, to the hotline."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from libs.shared import clock, database, timekeeping
from libs.shared.database import Connection
from libs.shared.events import PlanPaused, RunFinished
from services.reporting import actions, rules, store
from services.reporting.rules.missed import Hearing
from tests.reporting.conftest import Client, Desk
from tests.reporting.test_incidents import incidents, text_of, told

PARIS = ZoneInfo("Europe/Paris")
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
NIGHTLY = "15 2 * * *"


def paris(text: str, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=PARIS, fold=fold).astimezone(UTC)


# --- rules ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        (NIGHTLY, paris("2026-11-23 02:16"), paris("2026-11-24 02:15")),
        # 02:15 isn't there in the night to summer, and is there twice in that to winter.
        (NIGHTLY, paris("2027-03-27 02:30"), paris("2027-03-28 03:00")),
        (NIGHTLY, paris("2027-03-28 03:10"), paris("2027-03-29 02:15")),
        (NIGHTLY, paris("2026-10-24 02:30"), paris("2026-10-25 02:15")),
        (NIGHTLY, paris("2026-10-25 02:16"), paris("2026-10-26 02:15")),
        ("0 * * * *", paris("2026-10-25 02:00"), paris("2026-10-25 02:00", fold=1)),
        ("every night", paris("2026-11-23 02:16"), paris("2026-11-30 02:16")),
        ("0 0 30 2 *", paris("2026-11-23 02:16"), paris("2026-11-30 02:16")),
    ],
)
def test_when_a_run_is_expected(schedule: str, after: datetime, expected: datetime) -> None:
    assert rules.missed.find_expected(schedule, "Europe/Paris", after) == expected


@pytest.mark.parametrize("night", ["2026-11-23", "2027-03-28", "2026-10-25"])
def test_the_grace_is_as_long_in_every_night(night: str) -> None:
    """Hours of the clock on the wall are none: in the night to winter two of them have one name."""
    at = rules.missed.find_expected(NIGHTLY, "Europe/Paris", paris(f"{night} 00:00"))
    assert at is not None
    find = rules.missed.find_missed
    assert find(NIGHTLY, "Europe/Paris", at, 2 * HOUR, at + 2 * HOUR - MINUTE) is None
    found = find(NIGHTLY, "Europe/Paris", at, 2 * HOUR, at + 2 * HOUR)
    assert found is not None
    assert (found.at, found.times) == (at, 1)
    assert found.next_at is not None
    assert found.next_at.astimezone(PARIS).strftime("%H:%M") == "02:15"


@pytest.mark.parametrize(
    ("schedule", "away", "times"),
    [
        (NIGHTLY, timedelta(days=14), 14),
        ("0 * * * *", timedelta(days=2), 47),
        ("* * * * *", timedelta(days=730), 1_001),  # no more are counted
    ],
)
def test_of_many_only_the_newest_is_missed(schedule: str, away: timedelta, times: int) -> None:
    at = paris("2026-11-23 02:15")
    first = rules.missed.find_expected(schedule, "Europe/Paris", at - MINUTE)
    assert first is not None
    now = at + away
    found = rules.missed.find_missed(schedule, "Europe/Paris", first, HOUR, now)
    assert found is not None
    assert found.times == times
    assert found.next_at is not None
    assert found.at <= now - HOUR < found.next_at <= now + timedelta(days=1)
    assert found.next_at - found.at <= timedelta(days=1)


def test_grace_is_twice_the_usual_duration_and_an_hour_at_least() -> None:
    find = rules.missed.find_grace
    assert find([], None) == HOUR
    assert find([timedelta(hours=9)] * 2, None) == HOUR, "two runs don't say what is usual"
    assert find([timedelta(minutes=16)] * 10, None) == HOUR
    assert find([3 * HOUR, 4 * HOUR, 30 * HOUR], None) == 8 * HOUR
    assert find([4 * HOUR] * 10, timedelta(minutes=10)) == timedelta(minutes=10)


def test_a_run_by_a_clock_that_is_ahead_puts_nothing_off() -> None:
    now = paris("2026-11-23 02:31")
    find = rules.missed.find_after_run
    tomorrow = paris("2026-11-24 02:15")
    assert find(NIGHTLY, "Europe/Paris", now, now) == tomorrow
    assert find(NIGHTLY, "Europe/Paris", now + timedelta(days=400), now) == tomorrow
    early = paris("2026-11-23 02:14")
    assert find(NIGHTLY, "Europe/Paris", early, early) == tomorrow, "its clock is a minute ahead"
    evening = paris("2026-11-22 22:00")
    assert find(NIGHTLY, "Europe/Paris", evening, evening) == paris("2026-11-23 02:15")


@pytest.mark.parametrize(
    ("days", "hours", "told_now"),
    [(1, 24, True), (1, 19, False), (8, 24, False), (20, 24 * 7, True)],
)
def test_readers_are_told_daily_then_weekly(days: int, hours: int, told_now: bool) -> None:
    now = paris("2026-11-23 03:15")
    since, told_at = now - timedelta(days=days), now - timedelta(hours=hours)
    assert rules.missed.is_due_again(since, told_at, now) is told_now
    assert rules.missed.is_due_again(since, None, now)


def test_who_was_away_listens_for_a_while_first() -> None:
    at = paris("2026-11-23 12:00")
    hearing = None
    for minutes in range(16):
        hearing = rules.missed.follow(hearing, at + minutes * MINUTE)
        settled = rules.missed.has_received_all(hearing, at + minutes * MINUTE)
        assert settled is (minutes >= 15)
    assert hearing is not None
    assert not rules.missed.has_received_all(hearing, hearing.heard_at + 6 * MINUTE), (
        "nothing since"
    )
    for gap in (2 * HOUR, -2 * HOUR):  # an outage, or a clock that was set back
        late = rules.missed.follow(hearing, hearing.heard_at + gap)
        assert late == Hearing(hearing.heard_at + gap, hearing.heard_at + gap)


# --- stories -------------------------------------------------------------------------------------


class Calendar:
    """The time, as a test lets it pass; reporting hears its own pings all along."""

    def __init__(self, desk: Desk, now: datetime) -> None:
        self.desk = desk
        self.now = now

    async def reach(self, now: datetime, *, silent: bool = False) -> int:
        """Lets time pass up to a moment, and takes the job's turn; says what it says."""
        if not silent:
            for ago in range(16, -1, -4):
                await self._ping(now - ago * MINUTE)
                self.now = now - ago * MINUTE
                if ago:
                    await self._turn_of_hearing()
        self.now = now
        return await actions.missed.tell_missed(self.desk.pool, self.desk.office)

    async def _turn_of_hearing(self) -> None:
        async with database.transaction(self.desk.pool) as conn:
            await actions.missed.note_hearing(conn, self.now)

    async def _ping(self, at: datetime) -> None:
        async with database.acquire(self.desk.pool) as conn:
            await conn.execute(
                "INSERT INTO inbox (event_id, source, type, received_at, state, next_at, done_at)"
                " VALUES ($1, 'reporting', 'service.pinged.v1', $2, 'done', $2, $2)",
                uuid4(),
                at,
            )


@pytest.fixture
def calendar(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> Iterator[Calendar]:
    """Sunday noon in Paris."""
    found = Calendar(desk, paris("2026-11-22 12:00"))
    monkeypatch.setattr(clock, "now", lambda: found.now)
    monkeypatch.setattr(clock, "offset", lambda: found.now - datetime.now(UTC))
    return found


@pytest.fixture
async def known(desk: Desk, client: Client, calendar: Calendar) -> Client:
    await desk.handle(client.tenant(), client.plan(), client.recipients("anne@martin.example"))
    return client


def run_at(client: Client, number: int, at: datetime, **changes: Any) -> RunFinished:
    return client.run(number, started_at=at, finished_at=at + 16 * MINUTE, **changes)


async def test_one_mail_a_miss_and_an_incident_until_a_good_run(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    calendar.now = paris("2026-11-23 02:31")
    await desk.handle(run_at(known, 1, paris("2026-11-23 02:15")))
    assert await calendar.reach(paris("2026-11-24 03:14")) == 0
    assert await told(desk, "missed", "silent") == [], "it has an hour"
    assert await calendar.reach(paris("2026-11-24 03:15")) == 1
    assert await calendar.reach(paris("2026-11-24 03:16")) == 0
    [mail] = await told(desk, "missed")
    assert mail["recipient"] == "anne@martin.example"
    assert mail["subject"].startswith("[MANQUEE] Boulangerie Martin · documents · 24/11/2026 02:15")
    text = text_of(mail)
    for words in (
        "attendue le 24/11/2026 02:15",
        "réussie s’est terminée le 23/11/2026 02:31",
        "coffre-agent check",
        "timer PLAN --remove",
        "La prochaine sauvegarde est attendue le 25/11/2026 02:15",
    ):
        assert words in text, words
    assert f"https://portal.example/plans/{known.plan_id}/pause" in text
    [missed] = await desk.published("run.missed.v1")
    assert json.loads(missed["payload"])["missed_at"] == "2026-11-24T01:15:00Z"
    [alarm] = await told(desk, "silent")
    [incident] = await incidents(desk)
    assert alarm["recipient"] == desk.office.hotline[0]
    assert alarm["subject"].startswith("[Hotline] [MANQUEE]")
    assert text_of(alarm).splitlines()[:6] == [
        "Client: Boulangerie Martin",
        "Plan: documents",
        "Machine: srv-bureau",
        "Cause: missed",
        "Since: 2026-11-24T01:15:00Z",
        f"Incident: {incident['incident_id']}",
    ]
    assert f"incidents pause {known.tenant_id} {known.plan_id}" in text_of(alarm)
    assert "23/11/2026 02:31" in text_of(alarm), "the runs before"

    for day in (25, 26, 27, 28):
        await calendar.reach(paris(f"2026-11-{day} 03:15"))
    assert len(await told(desk, "missed")) == 5, "one a miss"
    assert "5 sauvegardes ont manqué" in text_of((await told(desk, "missed"))[-1])
    [incident] = await incidents(desk)
    assert incident["times"] == 5
    first, again = await told(desk, "silent")
    assert "4 fois de suite" in again["subject"]
    async with database.acquire(desk.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM expected WHERE times = 5") == 1

    calendar.now = paris("2026-11-28 12:00")
    await desk.handle(known.failed_run(2, finished_at=calendar.now))
    assert len([one for one in await incidents(desk) if one["closed_at"] is None]) == 2
    await desk.handle(run_at(known, 3, paris("2026-11-28 12:10")))
    over = await told(desk, "recovered")
    assert len(over) == 2
    [of_miss] = [mail for mail in over if "Cause: missed" in text_of(mail)]
    assert "5 sauvegardes n’avaient pas eu lieu" in text_of(of_miss)
    assert first["message_id"].encode() in of_miss["body"], "in the thread that it ends"
    assert await calendar.reach(paris("2026-11-29 03:14")) == 0


async def test_any_finished_run_is_a_sign_of_life_and_late_events_are_none(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    calendar.now = paris("2026-11-24 02:40")
    failed = known.failed_run(5, finished_at=paris("2026-11-24 02:31"))
    older = run_at(known, 4, paris("2026-11-23 02:15"))
    await desk.handle(failed, older)
    assert await calendar.reach(paris("2026-11-24 12:00")) == 0
    assert await calendar.reach(paris("2026-11-25 03:15")) == 1
    assert (await incidents(desk))[-1]["cause"] == "missed"


async def test_a_plan_that_never_ran(desk: Desk, known: Client, calendar: Calendar) -> None:
    await calendar.reach(paris("2026-11-23 03:15"))
    [mail] = await told(desk, "missed")
    assert "n’a jamais eu lieu" in text_of(mail)
    assert "22/11/2026 12:00" in text_of(mail)
    # Declared anew without another rhythm it is waited for no less, with another by that.
    await desk.handle(known.plan(version=2, name="papiers"))
    await calendar.reach(paris("2026-11-24 03:15"))
    assert len(await told(desk, "missed")) == 2
    await desk.handle(known.plan(version=3, schedule="0 12 * * *"))
    assert await calendar.reach(paris("2026-11-25 12:59")) == 1
    assert "24/11/2026 12:00" in text_of((await told(desk, "missed"))[-1])
    await desk.handle(run_at(known, 1, paris("2026-11-25 12:59")))
    assert len(await told(desk, "recovered")) == 1


async def test_nothing_is_missed_of_who_is_suspended_or_over(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    await desk.handle(known.tenant(version=2, subscription="suspended"))
    for day in (23, 24, 25, 26):
        await calendar.reach(paris(f"2026-11-{day} 12:00"))
    await desk.handle(known.tenant(version=3, subscription="active"))
    await calendar.reach(paris("2026-11-26 12:20"))
    assert await told(desk, "missed", "silent") == [], "nothing of the days before"
    await calendar.reach(paris("2026-11-27 03:15"))
    assert len(await told(desk, "missed")) == 1
    await desk.handle(known.tenant(version=4, subscription="ended"))
    await calendar.reach(paris("2026-11-28 03:15"))
    assert len(await told(desk, "missed")) == 1


async def test_who_declined_reports_gets_none_and_the_hotline_does(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    await desk.handle(known.plan(version=2, reports=False))
    await calendar.reach(paris("2026-11-23 03:15"))
    assert await told(desk, "missed") == []
    assert len(await told(desk, "silent")) == 1


async def test_after_an_outage_of_its_own_reporting_listens_first(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    """Four nights away: what came meanwhile waits in the queue, and what didn't is one miss."""
    silent = Client(name="Étude Lefèvre")
    await desk.handle(silent.tenant(), silent.plan())
    await calendar.reach(paris("2026-11-22 12:30"))
    back = paris("2026-11-24 12:00")
    await calendar._ping(back)
    assert await calendar.reach(back, silent=True) == 0
    await desk.handle(run_at(known, 1, paris("2026-11-23 02:15")))
    await desk.handle(run_at(known, 2, paris("2026-11-24 02:15")))
    await calendar.reach(back + HOUR)
    [mail] = await told(desk, "missed")
    assert mail["tenant_id"] == silent.tenant_id
    assert "attendue le 24/11/2026 02:15" in text_of(mail)
    assert "2 sauvegardes ont manqué" in text_of(mail)
    assert (await incidents(desk))[0]["times"] == 2


async def test_a_run_that_is_heard_and_not_handled_is_not_missed(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    run = run_at(known, 1, paris("2026-11-23 02:15"))
    async with database.acquire(desk.pool) as conn:
        await conn.execute(
            "INSERT INTO inbox (event_id, source, type, tenant_id, received_at, state, next_at)"
            " VALUES ($1, 'ingest', 'run.finished.v1', $2, $3, 'pending', $3)",
            uuid4(),
            known.tenant_id,
            calendar.now,
        )
    assert await calendar.reach(paris("2026-11-23 03:20")) == 0
    await desk.handle(run)
    async with database.acquire(desk.pool) as conn:
        await conn.execute("UPDATE inbox SET state = 'done', done_at = $1", calendar.now)
    assert await calendar.reach(paris("2026-11-23 04:00")) == 0
    assert await told(desk, "missed") == []


async def test_a_clock_that_leaps_tells_nothing_until_somebody_believes_it(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    await calendar.reach(paris("2026-11-22 13:00"))
    with pytest.raises(timekeeping.TimeDoubtful):
        await calendar.reach(paris("2027-11-22 13:00"))
    assert await told(desk, "missed") == []


async def test_what_cant_be_read_is_missed_after_a_week_of_silence(
    desk: Desk, client: Client, calendar: Calendar
) -> None:
    await desk.handle(client.tenant(), client.plan(schedule="sometimes", timezone="Mars/Olympus"))
    await calendar.reach(paris("2026-11-28 12:30"))
    assert await told(desk, "missed", "silent") == []
    for day in (29, 30):
        await calendar.reach(paris(f"2026-11-{day} 13:30"))
    assert len(await told(desk, "silent")) == 1


async def test_a_plan_is_paused_and_the_newest_word_counts(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    await calendar.reach(paris("2026-11-23 03:15"))
    paused = PlanPaused(
        tenant_id=known.tenant_id,
        plan_id=known.plan_id,
        version=2,
        until=paris("2026-12-24 00:00"),
        reason="retired",
        by="Paul",
        paused_at=calendar.now,
    )
    await desk.handle(paused, paused.model_copy(update={"version": 1, "until": calendar.now}))
    [incident] = await incidents(desk)
    assert (incident["closed_by"], incident["note"]) == ("Paul", "retired")
    [over] = await told(desk, "closed")
    assert "Paul a fermé cet incident" in text_of(over)
    await calendar.reach(paris("2026-11-24 03:15"))
    assert len(await told(desk, "missed")) == 1
    calendar.now = paris("2026-11-25 12:00")
    await desk.handle(run_at(known, 1, paris("2026-11-25 11:00")))
    await calendar.reach(paris("2026-11-26 03:15"))
    assert len(await told(desk, "missed")) == 2, "it runs, so it is expected"
    with pytest.raises(LookupError):
        await desk.handle(paused.model_copy(update={"plan_id": uuid4()}))


async def test_a_turn_over_twenty_thousand_plans_looks_at_what_is_due(
    desk: Desk, known: Client, calendar: Calendar
) -> None:
    async with database.acquire(desk.pool) as conn:
        await conn.execute(
            "INSERT INTO expected (tenant_id, plan_id, schedule, timezone, watched_since,"
            " last_run, expected_at, due_at) SELECT gen_random_uuid(), gen_random_uuid(), $1,"
            " 'Europe/Paris', $2, 1, $3, $3 FROM generate_series(1, 20000)",
            NIGHTLY,
            calendar.now,
            paris("2026-11-30 03:15"),
        )
        explained = Explaining(conn)
        now = paris("2026-11-23 03:15")
        due = await store.missed.list_due(cast("Connection", explained), now, 200)
    assert [tenant_id for tenant_id, _ in due] == [known.tenant_id]
    [plan] = explained.plans
    assert "expected_due" in plan
    assert max(int(rows) for rows in re.findall(r"actual rows=(\d+)", plan)) == 1, plan
    assert "Rows Removed" not in plan
    assert await calendar.reach(now) == 1


class Explaining:
    """A connection that keeps how its queries were answered."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn
        self.plans: list[str] = []

    async def fetch(self, query: str, *arguments: object) -> list[Any]:
        explained = "EXPLAIN (ANALYZE, TIMING OFF, COSTS OFF) " + query
        rows = await self._conn.fetch(explained, *arguments)
        self.plans.append("\n".join(row[0] for row in rows))
        return await self._conn.fetch(query, *arguments)
