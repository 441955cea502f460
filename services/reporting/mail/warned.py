"""What agents warn of, in sentences that say what it means and what to do."""

from __future__ import annotations

import re
from dataclasses import dataclass

from libs.shared.events import RunFinished, RunWarning
from libs.shared.words.tongue import Tongue
from services.reporting.mail.advice import N_, Advice
from services.reporting.mail.databases import explain


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning: what it is, and the next step for the reader."""

    sentence: str
    step: str


CLOCK_AHEAD, CLOCK_BEHIND = "clock-ahead", "clock-behind"

_COMPARED = N_("Nothing is lost: the copy was compared with our list. If it comes again, call us.")

# By code, as docs/protocol.md lists them; the clock's has two sentences.
WARNINGS: dict[str, Advice] = {
    CLOCK_AHEAD: Advice(
        N_("The machine's clock is ahead by about {span}."),
        N_("We date copies ourselves, but they begin at wrong times: have the clock set."),
        N_("Have the clock set by the network; if it is wrong again, the battery may be empty."),
    ),
    CLOCK_BEHIND: Advice(
        N_("The machine's clock is behind by about {span}."),
        N_("We date copies ourselves, but they begin at wrong times: have the clock set."),
        N_("Have the clock set by the network; if it is wrong again, the battery may be empty."),
    ),
    "state-not-kept": Advice(
        N_("The machine could not write down what it copied ({detail})."),
        N_("Nothing is lost, but the next copy may fail: have room made on the machine's disk."),
        N_("Check room and rights of the agent's state folder: without it the next run may fail."),
    ),
    "state-damaged": Advice(
        N_("What the machine had written down of its last copy was damaged."),
        _COMPARED,
        N_("If it comes again, check disk and memory of the machine."),
    ),
    "state-foreign": Advice(
        N_("What the machine had written down of its last copy was of another machine or server."),
        N_("Nothing is lost. After a machine was enrolled again that is normal; else call us."),
        N_("Normal once after an enrolment; else see whether two machines share a configuration."),
    ),
    "hook-failed": Advice(
        N_("The program that is to run after the copy failed: {detail}."),
        N_("Check that what was stopped for the copy works again; have the program looked at."),
        N_("Read the end of the log for what the program said; see that no service stands still."),
    ),
    "ping-failed": Advice(
        N_("The monitoring service could not be told of the copy ({detail})."),
        N_("Your files are not concerned. Have the service looked at, or its address in the plan."),
        N_("Check the monitoring service, and its address in the plan."),
    ),
}
_UNKNOWN = Advice(
    N_("The machine warns of something that this report has no sentence for: {detail}."),
    N_("Call us: we tell you what it is."),
    N_("Read the end of the log; the agent is newer than this service."),
)

# As systems and agent/hooks.py say it; anything else is shown as it is.
_DETAILS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), phrase)
    for pattern, phrase in (
        (r"No space left on device", N_("the disk is full")),
        (r"Disk quota exceeded", N_("the disk is full")),
        (r"Read-only file system", N_("the disk can't be written to")),
        (r"Permission denied", N_("permission denied")),
        (r"Input/output error", N_("the disk reports an error")),
        (r"(?P<program>.+) ended with status (?P<status>-?\d+)", N_("{program}, error {status}")),
        (
            r"(?P<program>.+) took longer than (?P<time>.+) and was stopped",
            N_("{program} took longer than {time} and was stopped"),
        ),
        (
            r"(?P<program>.+) can't be started: (?P<words>.+)",
            N_("{program} can't be started ({words})"),
        ),
    )
)


def list_warned(run: RunFinished, tongue: Tongue, *, hotline: bool) -> list[Warned]:
    """Returns what the agent warned of in a run, for its client or for the hotline."""
    return [_say(warning, tongue, hotline=hotline) for warning in run.warnings]


def _say(warning: RunWarning, tongue: Tongue, *, hotline: bool) -> Warned:
    code, seconds = warning.code, warning.amount
    if code == "clock-wrong" and seconds is not None:
        code = CLOCK_AHEAD if seconds > 0 else CLOCK_BEHIND
    advice = WARNINGS.get(code)
    detail = explain(warning.detail, _DETAILS, tongue)
    if advice is None:
        advice = _UNKNOWN
        detail = " ".join([warning.code, detail]).strip()
    sentence = tongue.say(advice.cause, detail=detail or "?", span=tongue.span(seconds or 0))
    return Warned(sentence, tongue.say(advice.hotline if hotline else advice.client))
