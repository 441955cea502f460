"""What the hotline gets of a run that failed, whether the client wants reports or not."""

from __future__ import annotations

from collections.abc import Iterable

from services.reporting import rules
from services.reporting.mail.letters import report
from services.reporting.mail.letters.kinds import Kind, Letter
from services.reporting.mail.letters.report import RunFacts
from services.reporting.rules.mails import Addressee


def choose(facts: RunFacts) -> Iterable[Addressee]:
    """Each address of the hotline, once, where the run failed."""
    return rules.mails.address_hotline(facts.hotline if facts.run.outcome == "failed" else ())


def write(facts: RunFacts, addressee: Addressee, shown: int) -> Letter:
    """The report with the end of the log, and the steps of those who help."""
    return report.write(facts, addressee, shown, hotline=True)


KIND: Kind[RunFacts] = Kind(
    "hotline",
    choose,
    write,
    subject=report.KIND.subject,
    plan=report.KIND.plan,
    give_up_at=report.KIND.give_up_at,
    by_client=lambda _facts: True,
)
