"""The mails of runs, and of those that never came."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.reporting import rules
from services.reporting.mail import letters
from services.reporting.mail.letters import Kind
from services.reporting.mail.letters.hotline import HotlineFacts
from services.reporting.mail.letters.missed import MissedFacts
from services.reporting.mail.letters.morning import MorningFacts
from services.reporting.mail.letters.recovered import RecoveredFacts
from services.reporting.mail.letters.silent import SilentFacts
from services.reporting.rules.incidents import Shown
from services.reporting.rules.runs import Row
from tests.reporting.specimens.facts import (
    HOTLINE,
    NIGHT,
    NIGHTS,
    PORTAL,
    ZONE,
    a_plan,
    a_report,
    a_run,
    a_tenant,
    an_expectation,
    an_incident,
    warned_run,
)


def list_all() -> Mapping[str, tuple[Kind[Any], Any]]:
    """The mails of runs, and of those that never came."""
    failed = a_report(a_run(failed=True, log_tail="23:05:01 Copying documents\n23:05:02 Failed"))
    thrice = a_report(failed.run, (*NIGHTS[:-2], "failed", "failed"))
    recovered = a_report(a_run(), (*NIGHTS[:-2], "failed", "failed"))
    hotline = HotlineFacts(failed, an_incident(), "opened", [a_run(213), a_run(212)], HOTLINE)
    missed = MissedFacts(
        a_tenant(), a_plan(), rules.plans.Audience(), an_expectation(), NIGHT, a_run(211), PORTAL
    )
    silent = SilentFacts(missed, an_incident("missed"), "opened", [a_run(211)], HOTLINE)
    report, alarm = letters.report.KIND, letters.hotline.KIND
    return {
        "report-succeeded": (report, a_report(a_run())),
        "report-first": (
            report,
            a_report(a_run(1), (), history=[], before=None, past=[], row=Row()),
        ),
        "report-warnings": (report, a_report(warned_run())),
        "report-failed": (report, thrice),
        "report-recovered": (report, recovered),
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
                    Shown(replace(an_incident("missed", 4), note="machine en panne"),
                          "Étude Lefèvre", "Vidéos", "pc-accueil"),
                    Shown(replace(an_incident(times=2), acknowledged_by="Paul"),
                          "Boulangerie Martin", "documents", "srv-bureau"),
                ],
                NIGHT + timedelta(hours=8), ZONE, PORTAL, HOTLINE,
            ),
        ),
    }  # fmt: skip
