"""Who gets which report: by what each reader chose, at once, in a day's mail or in a week's."""

from __future__ import annotations

from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from itertools import pairwise, product
from typing import Any, get_args
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from libs.shared import signed_links
from libs.shared.events import Locale, Outcome, Reader, ReportChoice
from libs.shared.words.tongue import NBSP
from services.reporting import actions, rules
from services.reporting.mail import compose
from services.reporting.mail.rendering import Rendered
from services.reporting.rules.choices import News
from services.reporting.rules.clients import Tenant
from services.reporting.rules.plans import Audience, Plan
from services.reporting.rules.reviews import Review, ReviewedUntil
from tests.reporting.conftest import Client, Desk, is_finished
from tests.reporting.faulty_smtp import FaultySMTP
from tests.reporting.test_incidents import text_of
from tests.reporting.test_missed import PARIS, Calendar, calendar, paris, run_at  # noqa: F401

CHOICES: tuple[ReportChoice, ...] = get_args(ReportChoice)
EVERY, FAILURES, WEEKLY = (f"{one}@martin.example" for one in CHOICES)
DAY = timedelta(days=1)


def readers(**changes: Any) -> tuple[Reader, ...]:
    locale: Locale = changes.get("locale", "fr")
    return tuple(
        Reader(name="", email=f"{one}@martin.example", locale=locale, choice=one) for one in CHOICES
    )


# --- rules ---------------------------------------------------------------------------------------


def test_each_choice_and_each_piece_of_news() -> None:
    """All combinations, once more in other words."""
    at_once = {
        "succeeded": {"every"},
        "warned": {"every"},
        "failed": {"every", "failures"},
        "missed": {"every", "failures"},
        "recovered": {"every", "failures"},
    }
    daily = {"failed", "missed", "recovered"}
    assert set(rules.choices.TOLD) == set(product(CHOICES, get_args(News)))
    plan = Plan(uuid4(), "documents", "srv", "15 2 * * *", "Europe/Paris", reports=True)
    silent = Plan(uuid4(), "documents", "srv", "15 2 * * *", "Europe/Paris", reports=False)
    for news, declined, is_pending in product(get_args(News), (False, True), (0, 1)):
        administrator = Reader(name="J", email="j@martin.example", locale="fr", choice="failures")
        tenant = Tenant(uuid4(), "M", "fr", "Europe/Paris", (administrator,), 1, "active", declined)
        audience = Audience(readers(), is_pending)
        told = rules.choices.find_notified(tenant, plan, audience, news)
        expected = {f"{one}@martin.example" for one in at_once[news]}
        if is_pending and "failures" in at_once[news]:
            expected.add("j@martin.example")
        assert {one.email for one in told} == (set() if declined else expected), news
        assert not rules.choices.find_notified(tenant, silent, audience, news)
        assert rules.choices.is_daily([news]) is (news in daily)
    outcomes: tuple[Outcome, ...] = get_args(Outcome)
    found = {one: rules.choices.find_news(one, recovers=False) for one in outcomes}
    assert list(found.values()) == ["succeeded", "warned", "failed"]
    assert {rules.choices.find_news(one, recovers=True) for one in outcomes} == {
        "recovered", "failed",
    }  # fmt: skip


def test_mornings_are_at_seven_also_where_the_clocks_change() -> None:
    """From 2026-10-19 to 2027-04-05 hour by hour: each day and each week once, without a gap."""
    now = paris("2026-10-18 12:00")
    told = ReviewedUntil(uuid4(), now, now)
    written: list[Review] = []
    while now < paris("2027-04-05 08:00"):
        for due in rules.reviews.find_due(told, now, PARIS):
            written.append(due)
            told = ReviewedUntil(
                told.tenant_id,
                max(told.day_until, due.until),
                due.until if due.period == "week" else told.week_until,
            )
        now += timedelta(hours=1)
    weeks = [one for one in written if one.period == "week"]
    days = [one for one in written if one.period == "day"]
    assert {one.until.astimezone(PARIS).strftime("%H:%M") for one in written} == {"07:00"}
    assert {one.until.astimezone(PARIS).weekday() for one in weeks} == {0}
    assert len(weeks) == 25
    assert all(after.since == before.until for before, after in pairwise(weeks))
    assert weeks[0].until - weeks[0].since == 7 * DAY
    lengths = [one.until - one.since for one in weeks]
    assert lengths[1] == 7 * DAY + timedelta(hours=1), "the week to winter"
    assert 7 * DAY - timedelta(hours=1) in lengths, "the week to summer"
    assert len(days) == 6 * 24, "none on Mondays"
    assert not [one for one in days if one.until.astimezone(PARIS).weekday() == 0]


def test_who_was_away_for_weeks_tells_of_all_of_it_and_once() -> None:
    told = ReviewedUntil(uuid4(), paris("2026-11-02 07:00"), paris("2026-11-02 07:00"))
    due = rules.reviews.find_due(told, paris("2026-11-24 09:00"), PARIS)
    assert due == [
        Review("week", paris("2026-11-02 07:00"), paris("2026-11-23 07:00")),
        Review("day", paris("2026-11-23 07:00"), paris("2026-11-24 07:00")),
    ]
    assert rules.reviews.find_next_morning(paris("2026-10-24 12:00"), PARIS) == paris(
        "2026-10-25 07:00"
    )
    tokyo = ZoneInfo("Asia/Tokyo")
    assert rules.reviews.find_morning(paris("2026-11-24 00:00"), tokyo) == datetime(
        2026, 11, 24, 7, tzinfo=tokyo
    )


def plain(text: str) -> str:
    """With the blanks that anybody types."""
    return text.replace(NBSP, " ").replace("\u202f", " ")


def test_a_readers_own_link_takes_its_place_wherever_lines_break() -> None:
    place, own = "READER".ljust(43, "0"), "abcDEF-_123" * 3 + "Z123456789"
    for length in range(90):
        address = "x" * length + "https://portal.example/reports/"
        encoded = compose.encode(Rendered(f"{address}{place}\né", f'<a href="{address}{place}">'))
        filled = compose.fill_in(encoded, place, own)
        message = message_from_bytes(b"Subject: x\r\n" + filled, policy=default)
        for kind in ("plain", "html"):
            part = message.get_body((kind,))
            assert part is not None
            assert address + own in part.get_content(), (length, kind)


# --- stories -------------------------------------------------------------------------------------


async def got(desk: Desk, email: str) -> list[tuple[str, str]]:
    """(kind, first word of the subject) of what a reader was written."""
    found = await desk.mails(recipient=email)
    found.sort(key=lambda mail: mail["created_at"])
    return [(mail["kind"], mail["subject"].split("]")[0].removeprefix("[")) for mail in found]


async def reviews(desk: Desk) -> list[dict[str, Any]]:
    found = await desk.mails(kind="review")
    return sorted(found, key=lambda mail: mail["created_at"])


@pytest.fixture
async def office(desk: Desk, client: Client, calendar: Calendar) -> Client:  # noqa: F811
    """A client of whom three read the reports of a plan; it is Sunday noon."""
    audience = client.recipients(recipients=readers())
    await desk.handle(client.tenant(), client.plan(), audience)
    return client


async def turn(desk: Desk) -> int:
    return await actions.reviews.write_reviews(desk.pool, desk.office)


async def test_a_week_of_a_plan_by_each_choice(
    desk: Desk,
    office: Client,
    calendar: Calendar,  # noqa: F811
) -> None:
    """Well, with warnings, failed, missed, well again: three readers get what they chose."""
    steps: list[tuple[str, dict[str, Any] | None]] = [
        ("2026-11-23", {}),
        ("2026-11-24", {"outcome": "succeeded_with_warnings"}),
        ("2026-11-25", {"failed": True}),
        ("2026-11-26", None),
        ("2026-11-27", {}),
        ("2026-11-28", {}),
        ("2026-11-29", {}),
    ]
    for number, (day, changes) in enumerate(steps, 1):
        if changes is None:
            assert await calendar.reach(paris(f"{day} 03:20")) == 1
        else:
            calendar.now = paris(f"{day} 02:31")
            at = calendar.now - timedelta(minutes=16)
            failed = changes.pop("failed", False)
            make = office.failed_run if failed else office.run
            await desk.handle(make(number, started_at=at, finished_at=calendar.now, **changes))
        for hour in ("06:59", "07:00", "07:01", "12:00"):
            calendar.now = paris(f"{day} {hour}")
            await turn(desk)
    assert [kind for kind, _ in await got(desk, EVERY)] == [
        "report", "report", "report", "missed", "report", "report", "report",
    ]  # fmt: skip
    assert await got(desk, FAILURES) == [
        ("report", "ECHEC"), ("missed", "MANQUEE"), ("report", "RETABLIE"),
    ]  # fmt: skip
    known = await reviews(desk)
    assert {mail["recipient"] for mail in known} == {WEEKLY}
    assert plain(known[0]["subject"]) == "Les sauvegardes de la semaine : Boulangerie Martin"
    daily = known[1:]
    assert [mail["created_at"].astimezone(PARIS).strftime("%d %H:%M") for mail in daily] == [
        "25 07:00", "26 07:00", "27 07:00",
    ]  # fmt: skip
    assert plain(daily[0]["subject"]) == "1 échec en un jour : sauvegardes de Boulangerie Martin"
    assert plain(daily[2]["subject"]) == "Retour à la normale : sauvegardes de Boulangerie Martin"
    assert "La machine srv-bureau est-elle allumée" in text_of(daily[1])

    calendar.now = paris("2026-11-30 02:31")
    await desk.handle(run_at(office, 8, paris("2026-11-30 02:15")))
    for hour in ("06:59", "07:00", "07:01", "23:00"):
        calendar.now = paris(f"2026-11-30 {hour}")
        await turn(desk)
    [week] = [mail for mail in await reviews(desk) if mail not in known]
    assert week["created_at"] == paris("2026-11-30 07:00")
    assert plain(week["subject"]) == (
        "Les sauvegardes de la semaine, 2 échecs : Boulangerie Martin"
    )
    text = plain(text_of(week))
    for words in (
        "documents · srv-bureau", "6 sauvegardes, 1 en échec, 1 jamais venue",
        "! ✕ \N{EN DASH} ✓ ✓ ✓ ✓",
        "Dernière sauvegarde : 30/11/2026 02:31", "47 912", "Volume stocké",
    ):  # fmt: skip
        assert words in text, words
    assert [kind for kind, _ in await got(desk, WEEKLY)] == ["review"] * 5


async def test_nobody_gets_anything_where_the_client_declined_but_the_hotline(
    desk: Desk,
    office: Client,
    calendar: Calendar,  # noqa: F811
) -> None:
    await desk.handle(office.tenant(version=2, reports_declined=True))
    calendar.now = paris("2026-11-23 02:31")
    await desk.handle(office.failed_run(1, finished_at=calendar.now))
    assert await calendar.reach(paris("2026-11-24 03:20")) == 1
    calendar.now = paris("2026-11-30 08:00")
    await turn(desk)
    kinds = {(mail["kind"], mail["recipient"]) for mail in await desk.mails()}
    assert kinds == {("hotline", desk.office.hotline[0]), ("silent", desk.office.hotline[0])}
    await desk.handle(office.tenant(version=3))
    await desk.handle(run_at(office, 2, paris("2026-11-30 09:00")))
    assert await got(desk, EVERY) == [("report", "RETABLIE")]


async def test_a_week_without_plans_is_not_told_and_each_reader_has_their_own(
    desk: Desk,
    client: Client,
    calendar: Calendar,  # noqa: F811
) -> None:
    """An administrator gets one mail a week of what nobody else reads; none where there is none."""
    [owner] = client.tenant().administrators
    weekly = owner.model_copy(update={"choice": "weekly"})
    await desk.handle(client.tenant(administrators=(weekly,)))
    calendar.now = paris("2026-11-23 07:00")
    assert await turn(desk) == 1
    assert await turn(desk) == 0
    assert await desk.mails() == []
    other = uuid4()
    await desk.handle(client.plan(), client.plan(plan_id=other, name="photos"))
    await desk.handle(client.recipients(recipients=readers(), plan_id=other, plan_name="photos"))
    calendar.now = paris("2026-11-30 07:00")
    await turn(desk)
    bodies = {mail["recipient"]: text_of(mail) for mail in await reviews(desk)}
    assert set(bodies) == {client.email, WEEKLY}
    assert "documents · srv-bureau" in bodies[client.email]
    assert "photos" not in bodies[client.email]
    assert "photos · srv-bureau" in bodies[WEEKLY]
    assert "Aucune sauvegarde pendant ce temps." in bodies[WEEKLY]
    await desk.handle(client.tenant(version=2), client.recipients(plan_id=other, version=2))
    calendar.now = paris("2026-12-07 08:00")
    assert await turn(desk) == 0, "nobody wants it any more"


async def test_each_mail_has_the_readers_own_link_to_what_they_get(
    desk: Desk,
    office: Client,
    calendar: Calendar,  # noqa: F811
) -> None:
    calendar.now = paris("2026-11-23 02:31")
    await desk.handle(office.failed_run(1, finished_at=calendar.now))
    calendar.now = paris("2026-11-23 12:00")
    await desk.handle(office.recipients(recipients=readers(locale="en"), version=2))
    calendar.now = paris("2026-11-24 07:00")
    await turn(desk)
    links = {
        one: "https://portal.example/reports/"
        + signed_links.make_token(
            desk.office.mail_key, "reports", office.tenant_id, office.tenant_id, one
        )
        for one in (EVERY, FAILURES, WEEKLY)
    }
    bodies = {mail["recipient"]: mail for mail in await desk.mails() if mail["kind"] != "hotline"}
    assert set(bodies) == set(links)
    for email, mail in bodies.items():
        others = [link for one, link in links.items() if one != email]
        text = text_of(mail)
        assert links[email] in text
        assert not any(link in text for link in others), "nobody changes what another gets"
    [hotline] = await desk.mails(kind="hotline")
    assert "/reports/" not in text_of(hotline)
    assert "Which reports you get, and how often:" in text_of(bodies[WEEKLY])
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    for taken in smtp.taken:
        if taken.recipient in links:
            assert taken.message["List-Unsubscribe"].strip() == f"<{links[taken.recipient]}>"
            assert taken.message["List-Unsubscribe-Post"] is None, "it takes a button"
