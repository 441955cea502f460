"""What the mails of a run tell in figures, and the facts that these come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal, NamedTuple

from libs.shared.events import FigureName, JudgedFigure, Outcome, RunFinished
from libs.shared.words.tongue import N_, NBSP, Tongue
from services.reporting import rules
from services.reporting.mail.rendering import Mark
from services.reporting.rules.runs import EndedRun, Row
from services.reporting.rules.usual.judging import Judgement

MARKS: dict[Outcome, Mark] = {
    "succeeded": "good",
    "succeeded_with_warnings": "warn",
    "failed": "bad",
}
JUDGED: dict[FigureName, str] = {
    "seconds": N_("Duration"),
    "files": N_("Files, total"),
    "size_bytes": N_("Protected volume"),
    "new_bytes": N_("New volume"),
    "changed": N_("Share of files changed"),
    "removed": N_("Share of files removed"),
    "packed": N_("New volume, compressed to"),
}
"""What the figures are called of which it is known what is usual."""
NEARLY_FULL_PERCENT = 80


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that the mails of a run tell of.

    judged: what is usual, and what is unusual of it. before: the run before. past: the last runs
    before, newest first. row: those of them that failed last. good: the last good run.
    has_recovered: it went well after others that failed or never came.
    """

    run: RunFinished
    tenant: rules.clients.Tenant
    plan: rules.plans.Plan
    audience: rules.plans.Audience
    judged: Judgement
    portal_url: str
    mail_key: bytes = field(repr=False)
    before: RunFinished | None = None
    past: Sequence[EndedRun] = ()
    row: Row = field(default_factory=Row)
    good: RunFinished | None = None
    has_recovered: bool = False


class Figure(NamedTuple):
    """One line of the table: what, how much now, then before and usually; mark: where to look."""

    label: str
    now: str
    others: tuple[str, ...]
    mark: Mark | Literal[""] = ""


def list_figures(facts: RunFacts, tongue: Tongue) -> list[Figure]:
    """The run's figures beside those of the run before and the usual ones.

    Those of which only the usual is known are there where they are unusual.
    None of a run that left no restore point: it counted nothing.
    """
    run, before, say = facts.run, facts.before, tongue.say
    if not run.restore_point:
        return []
    if before is not None and not before.restore_point:
        before = None
    usual = _list_usual(facts, tongue)
    strange = {say(JUDGED[one.name]) for one in facts.judged.figures if one.is_unusual}

    def row(
        label: str, tell: Callable[[RunFinished], str], mark: Mark | Literal[""] = ""
    ) -> Figure:
        others = (tell(before) if before else "",) if facts.before else ()
        found = (*others, *((usual.get(label, ""),) if usual else ()))
        return Figure(label, tell(run), found, "bad" if label in strange else mark)

    rows = [
        row(say("Duration"), lambda one: tongue.duration(one.finished_at - one.started_at)),
        row(say("Files, total"), lambda one: tongue.number(one.files_total)),
        row(say("New files"), lambda one: tongue.number(one.files_new)),
        row(say("Changed files"), lambda one: tongue.number(one.files_changed)),
        row(say("Removed files"), lambda one: tongue.number(one.files_removed)),
        row(
            say("Files not backed up"),
            lambda one: tongue.number(one.files_not_copied),
            "warn" if run.files_not_copied else "",
        ),
        row(say("Protected volume"), lambda one: tongue.size(one.bytes_protected)),
        row(say("Sent volume"), lambda one: tongue.size(one.bytes_sent)),
    ]
    told = {row.label for row in rows}
    before_told = ("",) if facts.before else ()
    return rows + [
        Figure(
            label,
            _amount(one.name, one.now, tongue),
            (*before_told, usual[label]),
            "bad" if one.is_unusual else "",
        )
        for one in facts.judged.figures
        if (label := say(JUDGED[one.name])) in usual and label not in told and one.is_unusual
    ]


def list_judged(facts: RunFacts, tongue: Tongue) -> list[tuple[str, str]]:
    """The run's figures, each with what is usual for its plan where that is known."""
    usual = _list_usual(facts, tongue)
    told = []
    for one in facts.judged.figures:
        label, now = tongue.say(JUDGED[one.name]), _amount(one.name, one.now, tongue)
        if label in usual:
            now = tongue.say("{now} (usually {usual})", now=now, usual=usual[label])
        told.append((label, now))
    return told


def name_columns(facts: RunFacts, tongue: Tongue) -> list[str]:
    """What stands above each column of the figures."""
    before = [tongue.say("the run before")] if facts.before else []
    usual = [tongue.say("usually")] if _list_usual(facts, tongue) else []
    return ["", tongue.say("this run"), *before, *usual]


def _list_usual(facts: RunFacts, tongue: Tongue) -> dict[str, str]:
    """What is usual for the plan, by the label of its line; empty where nothing is yet."""
    return {
        tongue.say(JUDGED[one.name]): _tell_usual(one, one.usual, one.spread, tongue)
        for one in facts.judged.figures
        if one.usual is not None and one.spread is not None
    }


def _tell_usual(one: JudgedFigure, usual: int, spread: int, tongue: Tongue) -> str:
    told = _amount(one.name, usual, tongue)
    return f"{told} ±{NBSP}{tongue.number(spread)}" if one.name == "files" else told


def _amount(name: FigureName, figure: int, tongue: Tongue) -> str:
    if name in ("size_bytes", "new_bytes"):
        return tongue.size(figure)
    if name == "seconds":
        return tongue.duration(timedelta(seconds=figure))
    return tongue.number(figure) if name == "files" else tongue.percent(figure, 1_000)


def measure(facts: RunFacts, tongue: Tongue) -> dict[str, object] | None:
    """The stored volume of all plans against the contract; None where nothing is contracted."""
    stored, contracted = facts.run.stored_bytes, facts.tenant.contracted_bytes
    if contracted <= 0:
        return None
    percent = 100 * stored // contracted
    mark: Mark = "bad" if stored > contracted else "good"
    if mark == "good" and percent >= NEARLY_FULL_PERCENT:
        mark = "warn"
    told = tongue.say(
        "Stored volume, all plans: {stored} of {contracted} contracted ({share}).",
        stored=tongue.size(stored),
        contracted=tongue.size(contracted),
        share=tongue.percent(stored, contracted),
    )
    return {"percent": percent, "mark": mark, "told": told}


def draw_strip(facts: RunFacts, tongue: Tongue) -> list[tuple[Mark, str]]:
    """A cell for each of the last runs, the newest last; nothing where there is but one."""
    if not facts.past:
        return []
    run = facts.run
    seen = [(one.outcome, one.at) for one in reversed(facts.past[: rules.runs.SHOWN - 1])]
    return [
        (MARKS[outcome], f"{tongue.moment(at)}{tongue.colon} {tongue.outcome(outcome)}")
        for outcome, at in [*seen, (run.outcome, run.finished_at)]
    ]


def count_strip(facts: RunFacts, tongue: Tongue) -> str:
    """How many of the last runs ended how."""
    past = facts.past[: rules.runs.SHOWN - 1]
    outcomes = [facts.run.outcome, *(one.outcome for one in past)]
    good, warned, failed = (outcomes.count(outcome) for outcome in MARKS)
    told = [
        "✓ " + tongue.count("{n} succeeded", "{n} succeeded", good),
        "! " + tongue.count("{n} with warnings", "{n} with warnings", warned) if warned else "",
        "✕ " + tongue.count("{n} that failed", "{n} that failed", failed) if failed else "",
    ]
    return tongue.say(
        "{told}; the newest stands at the end.", told=", ".join(each for each in told if each)
    )
