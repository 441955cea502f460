"""What a client's first page makes of runs: days of a strip, what is worst, what comes next."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from libs.shared.words.rhythms import tell_rhythm
from libs.shared.words.tongue import Tongue
from services.portal.rules import runs
from services.portal.rules.runs import STRIP_DAYS, DayRuns

TODAY = date(2026, 11, 29)
PARIS = ZoneInfo("Europe/Paris")


def test_a_strip_has_every_day_and_what_became_of_it() -> None:
    ran = [
        DayRuns(TODAY, 9, None, 1),
        DayRuns(TODAY - timedelta(days=1), 8, "failed", 3),
        DayRuns(TODAY - timedelta(days=4), 5, "succeeded", 1),
        DayRuns(TODAY - timedelta(days=STRIP_DAYS), 1, "succeeded", 1),
    ]
    strip = runs.lay_strip(TODAY, ran, [TODAY - timedelta(days=2), TODAY])
    assert [one.day for one in strip] == [
        TODAY - timedelta(days=back) for back in reversed(range(STRIP_DAYS))
    ]
    last = [(one.state, one.number, one.runs) for one in strip[-5:]]
    assert last == [
        ("succeeded", 5, 1), ("none", None, 0), ("missed", None, 0), ("failed", 8, 3),
        ("running", 9, 1),
    ]  # fmt: skip


def test_all_nights_of_a_silence_are_missed() -> None:
    first = datetime(2026, 11, 23, 1, 15, tzinfo=UTC)
    last = datetime(2026, 11, 27, 1, 15, tzinfo=UTC)
    missed = runs.find_missed_days("15 2 * * 1-5", "Europe/Paris", [(first, last)], PARIS)
    assert missed == {date(2026, 11, day) for day in range(23, 28)}
    assert runs.find_missed_days("nonsense", "Nowhere/At all", [(first, last)], PARIS) == {
        date(2026, 11, 23), date(2026, 11, 27),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("outcome", "late", "unusual", "mood"),
    [
        ("failed", True, False, "failed"),
        ("succeeded", True, False, "late"),
        (None, True, False, "late"),
        ("succeeded", False, True, "succeeded_with_warnings"),
        ("succeeded", False, False, "succeeded"),
        (None, False, False, "waiting"),
    ],
)
def test_a_plan_stands_as_the_worst_that_is_known(
    outcome: runs.Outcome | None, late: bool, unusual: bool, mood: runs.Mood
) -> None:
    assert runs.judge_plan(outcome, is_late=late, is_unusual=unusual) == mood


def test_the_worst_of_all_plans_is_told() -> None:
    assert runs.find_worst(["succeeded", "waiting", "succeeded_with_warnings"]) == (
        "succeeded_with_warnings"
    )
    assert runs.find_worst(["succeeded", "waiting"]) == "succeeded"
    assert runs.find_worst(["waiting", "waiting"]) == "waiting"
    assert runs.find_worst([]) == "waiting"


@pytest.mark.parametrize(
    ("schedule", "french", "english"),
    [
        ("15 2 * * 1-5", "Du lundi au vendredi à 02:15", "From Monday to Friday at 02:15"),
        ("15 2 * * *", "Tous les jours à 02:15", "Every day at 02:15"),
        ("0 2 * * 0", "Chaque dimanche à 02:00", "Each Sunday at 02:00"),
        ("0 */4 * * *", "Toutes les 4 heures", "Every 4 hours"),
        (
            "*/15 8-18 * * mon-fri",
            "Du lundi au vendredi, toutes les 15 minutes de 08:00 à 18:45",
            "From Monday to Friday, every 15 minutes from 08:00 to 18:45",
        ),
        (
            "0 3 1,15 * *",
            "Chaque mois, le 1er et 15, à 03:00",
            "Each month on the 1st and 15 at 03:00",
        ),
    ],
)
def test_a_rhythm_is_said_as_people_do(schedule: str, french: str, english: str) -> None:
    assert tell_rhythm(Tongue("fr"), schedule, "Europe/Paris") == f"{french} (heure de Paris)"
    assert tell_rhythm(Tongue("en"), schedule, "Europe/Paris") == f"{english} (Paris time)"


@pytest.mark.parametrize("schedule", ["0 3 L * *", "0 2 * * 1#1", "nonsense", ""])
def test_a_rhythm_without_words_stands_as_it_is(schedule: str) -> None:
    assert tell_rhythm(Tongue("fr"), schedule, "Europe/Paris") == schedule


def test_moments_are_said_as_people_do() -> None:
    tongue, now = Tongue("fr"), datetime(2026, 11, 29, 11, tzinfo=UTC)
    assert tongue.when(now.replace(hour=1, minute=14), now) == "aujourd’hui à 02:14"
    # Already the 29th in Paris.
    assert tongue.when(datetime(2026, 11, 28, 23, 30, tzinfo=UTC), now) == "aujourd’hui à 00:30"
    assert tongue.when(now - timedelta(days=1), now) == "hier à 12:00"
    assert tongue.when(now + timedelta(days=1), now) == "demain à 12:00"
    assert tongue.when(now - timedelta(days=7), now) == "le 22/11/2026 à 12:00"
