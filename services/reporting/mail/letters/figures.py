"""What the mails of a run tell in figures, and the facts that these come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from libs.shared.events import Outcome, RunFinished
from libs.shared.words.tongue import NBSP, Tongue
from services.reporting import rules
from services.reporting.mail.rendering import Mark
from services.reporting.rules.runs import Past, Row

MARKS: dict[Outcome, Mark] = {
    "succeeded": "good",
    "succeeded_with_warnings": "warn",
    "failed": "bad",
}
NEARLY_FULL_PERCENT = 80


@dataclass(frozen=True, slots=True)
class RunFacts:
    """All that the mails of a run tell of.

    history: files and protected bytes of the last good runs. before: the run before. past: the last
    runs before, newest first. row: those of them that failed last. good: the last good run.
    has_recovered: it went well after others that failed or never came.
    """

    run: RunFinished
    tenant: rules.clients.Tenant
    plan: rules.plans.Plan
    audience: rules.plans.Audience
    history: list[tuple[int, int]]
    portal_url: str
    mail_key: bytes = field(repr=False)
    before: RunFinished | None = None
    past: Sequence[Past] = ()
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

    None of a run that left no restore point: it counted nothing.
    """
    run, before, say = facts.run, facts.before, tongue.say
    if not run.restore_point:
        return []
    if before is not None and not before.restore_point:
        before = None
    usual = _list_usual(facts, tongue)

    def row(
        label: str, tell: Callable[[RunFinished], str], mark: Mark | Literal[""] = ""
    ) -> Figure:
        others = (tell(before) if before else "",) if facts.before else ()
        return Figure(
            label, tell(run), (*others, *((usual.get(label, ""),) if usual else ())), mark
        )

    return [
        row(say("Duration"), lambda one: tongue.duration(one.finished_at - one.started_at)),
        row(say("Files, total"), lambda one: tongue.number(one.files_total)),
        row(say("New files"), lambda one: tongue.number(one.files_new)),
        row(say("Changed files"), lambda one: tongue.number(one.files_changed)),
        row(say("Removed files"), lambda one: tongue.number(one.files_removed)),
        row(
            say("Files not copied"),
            lambda one: tongue.number(one.files_not_copied),
            "warn" if run.files_not_copied else "",
        ),
        row(say("Protected volume"), lambda one: tongue.size(one.bytes_protected)),
        row(say("Sent volume"), lambda one: tongue.size(one.bytes_sent)),
    ]


def name_columns(facts: RunFacts, tongue: Tongue) -> list[str]:
    """What stands above each column of the figures."""
    before = [tongue.say("the run before")] if facts.before else []
    usual = [tongue.say("usually")] if _list_usual(facts, tongue) else []
    return ["", tongue.say("this run"), *before, *usual]


def _list_usual(facts: RunFacts, tongue: Tongue) -> dict[str, str]:
    """What is usual for the plan, by the label of its line; empty where nothing is yet."""
    files = rules.usual.find_usual([files for files, _ in facts.history])
    volume = rules.usual.find_usual([size_bytes for _, size_bytes in facts.history])
    if files is None or volume is None:
        return {}
    usual = f"{tongue.number(files.median)} ±{NBSP}{tongue.number(files.spread)}"
    return {
        tongue.say("Files, total"): usual,
        tongue.say("Protected volume"): tongue.size(volume.median),
    }


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
