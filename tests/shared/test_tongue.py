"""Figures and moments as French and English readers write them, alike in mails and on pages."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from libs.shared.words.tongue import NBSP, Tongue
from tests.phrases import SERVICES

AT = datetime(2026, 11, 22, 1, 14, tzinfo=UTC)
FRENCH, ENGLISH = Tongue("fr"), Tongue("en")


def spaced(text: str) -> str:
    return text.replace(" ", NBSP)


@pytest.mark.parametrize(
    ("size_bytes", "french", "english"),
    [
        (0, "0 o", "0 B"),
        (999, "999 o", "999 B"),
        (1000, "1 ko", "1 kB"),
        (1_234_000_000, "1,2 Go", "1.2 GB"),
        (184_200_000_000, "184,2 Go", "184.2 GB"),
        (999_960, "1 Mo", "1 MB"),
        (5 * 10**12, "5 To", "5 TB"),
        (10**18, "1 000 Po", "1,000 PB"),
    ],
)
def test_sizes(size_bytes: int, french: str, english: str) -> None:
    assert FRENCH.size(size_bytes) == spaced(french)
    assert ENGLISH.size(size_bytes) == spaced(english)


@pytest.mark.parametrize(
    ("length", "text"),
    [
        (timedelta(seconds=8, milliseconds=900), "8 s"),
        (timedelta(minutes=3, seconds=5), "3 min 05 s"),
        (timedelta(minutes=67), "1 h 07 min"),
        (timedelta(hours=26, minutes=7), "26 h 07 min"),
        (timedelta(seconds=-5), "0 s"),
    ],
)
def test_durations(length: timedelta, text: str) -> None:
    assert FRENCH.duration(length) == ENGLISH.duration(length) == spaced(text)


@pytest.mark.parametrize(
    ("seconds", "french", "english"),
    [
        (0, "il y a 1 seconde", "1 second ago"),
        (3 * 3_600, "il y a 3 heures", "3 hours ago"),
        (11 * 86_400, "il y a 11 jours", "11 days ago"),
        (59 * 86_400, "il y a 59 jours", "59 days ago"),
        (90 * 86_400, "il y a 3 mois", "3 months ago"),
    ],
)
def test_how_long_ago_is_counted_in_days_for_two_months(
    seconds: int, french: str, english: str
) -> None:
    then = AT - timedelta(seconds=seconds)
    assert FRENCH.ago(then, AT).replace(NBSP, " ") == french
    assert ENGLISH.ago(then, AT).replace(NBSP, " ") == english


@pytest.mark.parametrize("sign", [1, -1])
def test_spans_are_rough_and_bear_any_number(sign: int) -> None:
    assert FRENCH.span(sign * 315_576_000).replace(NBSP, " ") == "10 ans"
    assert FRENCH.span(sign * 20 * 86_400).replace(NBSP, " ") == "20 jours"
    assert FRENCH.span(sign * 2**63).endswith("ans")


def test_moments_are_read_on_the_reader_s_clock() -> None:
    assert FRENCH.moment(AT) == "22/11/2026 02:14"
    assert FRENCH.day(datetime(2026, 11, 22, 23, 30, tzinfo=UTC)) == "23/11/2026"
    assert Tongue("en", "Europe/London").moment(AT) == "22 Nov 2026, 01:14"
    late = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
    assert (FRENCH.short_day(late), ENGLISH.short_day(late)) == ("23/11", "23 Nov")
    assert Tongue("fr", "America/New_York").date_field(AT) == "2026-11-21"
    assert FRENCH.moment(None) == FRENCH.day(None) == FRENCH.duration(None) == "\u2013"


@pytest.mark.parametrize("timezone", ["Mars/Olympus", "", "../etc/passwd", "a\0b"])
def test_an_unknown_time_zone_is_utc_and_says_so(timezone: str) -> None:
    tongue = Tongue("fr", timezone)
    assert (tongue.moment(AT), tongue.timezone) == ("22/11/2026 01:14", "UTC")


@pytest.mark.parametrize("year", [1, 9999])
def test_the_ends_of_time_can_be_written(year: int) -> None:
    edge = datetime(year, 1, 1, tzinfo=UTC) if year == 1 else datetime.max.replace(tzinfo=UTC)
    for timezone in ("Europe/Paris", "America/New_York"):
        assert Tongue("fr", timezone).moment(edge)[6:10] == f"{year:04}"


def test_numbers_shares_and_plurals() -> None:
    assert FRENCH.number(47_912) == spaced("47 912")
    assert ENGLISH.number(47_912) == "47,912"
    assert FRENCH.percent(96, 500) == spaced("19 %")
    french = Tongue("fr", own=SERVICES["portal"] / "locales")
    said = [french.count("{n} file", "{n} files", n) for n in (0, 1, 1234)]
    assert said == ["0 fichier", "1 fichier", f"1{NBSP}234 fichiers"]
    assert ENGLISH.count("{n} file", "{n} files", 0) == "0 files"


def test_outcomes_and_phrases() -> None:
    assert FRENCH.outcome("succeeded_with_warnings") == "Réussie avec réserves"
    assert ENGLISH.outcome(None) == "Under way"
    assert FRENCH.say("tomorrow at {time}", time="{x} %s") == "demain à {x} %s"
