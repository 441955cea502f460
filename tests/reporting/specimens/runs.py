"""The mails of runs, and of those that never came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from libs.shared.events import Reader
from services.reporting import rules
from services.reporting.mail import letters
from services.reporting.mail.letters import Kind
from services.reporting.mail.letters.hotline import HotlineFacts
from services.reporting.mail.letters.missed import MissedFacts
from services.reporting.mail.letters.morning import MorningFacts
from services.reporting.mail.letters.recovered import RecoveredFacts
from services.reporting.mail.letters.review import PlanReview, ReviewFacts
from services.reporting.mail.letters.silent import SilentFacts
from services.reporting.rules.choices import News
from services.reporting.rules.incidents import NamedIncident
from services.reporting.rules.reviews import Happened, Period, Review
from services.reporting.rules.runs import Row
from services.reporting.rules.usual.judging import Judgement
from services.reporting.rules.webhooks import Failing
from tests.reporting.conftest import MAIL_KEY
from tests.reporting.specimens.facts import (
    HOTLINE,
    NIGHT,
    NIGHTS,
    PLAN,
    PORTAL,
    ZONE,
    a_judgement,
    a_plan,
    a_report,
    a_run,
    a_tenant,
    an_expectation,
    an_incident,
    warned_run,
)

OTHER = UUID(int=5)


def a_strip(news: Sequence[News]) -> list[Happened]:
    """What happened to the plan, a day after the other, up to now."""
    first = NIGHT - timedelta(days=len(news) - 1)
    return [Happened(PLAN, first + timedelta(days=n), one) for n, one in enumerate(news)]


def a_review(period: Period, plans: Sequence[PlanReview]) -> ReviewFacts:
    """The mail of a day or a week that ends on Monday at seven."""
    until = datetime(2026, 11, 23, 6, tzinfo=UTC)
    since = until - timedelta(days=7 if period == "week" else 1)
    reader = Reader(name="Jeanne Martin", email="jeanne@martin.example", locale="fr")
    return ReviewFacts(a_tenant(), Review(period, since, until), reader, plans, PORTAL, MAIL_KEY)


def list_all() -> Mapping[str, tuple[Kind[Any], Any]]:
    """The mails of runs, and of those that never came."""
    failed = a_report(a_run(failed=True, log_tail="23:05:01 Copying documents\n23:05:02 Failed"))
    thrice = a_report(failed.run, (*NIGHTS[:-2], "failed", "failed"))
    recovered = a_report(a_run(), (*NIGHTS[:-2], "failed", "failed"))
    hotline = HotlineFacts(failed, an_incident(), "opened", [a_run(213), a_run(212)], HOTLINE)
    missed = MissedFacts(
        a_tenant(),
        a_plan(),
        rules.plans.Audience(),
        an_expectation(),
        NIGHT,
        a_run(211),
        PORTAL,
        MAIL_KEY,
    )
    silent = SilentFacts(missed, an_incident("missed"), "opened", [a_run(211)], HOTLINE)
    week: tuple[News, ...] = ("succeeded", "warned", "failed", "missed", "recovered", "succeeded")
    well = PlanReview(replace(a_plan(), plan_id=OTHER, name="photos"), [], None)
    weekly = a_review("week", [PlanReview(a_plan(), a_strip(week), a_run()), well])
    daily = a_review("day", [PlanReview(a_plan(), a_strip(week[2:3]), failed.run)])
    report, alarm = letters.report.KIND, letters.hotline.KIND
    return {
        "report-succeeded": (report, a_report(a_run())),
        "report-first": (
            report,
            a_report(a_run(1), (), judged=Judgement(), before=None, past=[], row=Row()),
        ),
        "report-unusual": (report, a_report(a_run(), judged=a_judgement())),
        "report-warnings": (report, a_report(warned_run())),
        "report-failed": (report, thrice),
        "report-recovered": (report, recovered),
        "review-week": (letters.review.KIND, weekly),
        "review-day": (letters.review.KIND, daily),
        "hotline": (alarm, hotline),
        "hotline-again": (
            alarm,
            replace(hotline, step="escalated", incident=an_incident("failed", 4)),
        ),
        "recovered": (
            letters.recovered.KIND,
            RecoveredFacts(
                an_incident(times=3), a_run(), a_tenant(), a_plan(), PORTAL, HOTLINE
            ),
        ),
        "missed": (letters.missed.KIND, missed),
        "silent": (letters.silent.KIND, silent),
        "morning": (
            letters.morning.KIND,
            MorningFacts(
                UUID(int=8),
                [
                    NamedIncident(replace(an_incident("missed", 4), note="machine en panne"),
                          "Étude Lefèvre", "Vidéos", "pc-accueil"),
                    NamedIncident(replace(an_incident(times=2), acknowledged_by="Paul"),
                          "Boulangerie Martin", "documents", "srv-bureau"),
                    NamedIncident(replace(an_incident("undeliverable"), plan_id=None),
                          "Boulangerie Martin", "", ""),
                ],
                [Failing("ntfy", 3, NIGHT, "503 Service Unavailable")],
                NIGHT + timedelta(hours=8), ZONE, PORTAL, HOTLINE,
            ),
        ),
    }  # fmt: skip
