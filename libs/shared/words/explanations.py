"""What a reason means and what to do about it, in English; `tongue` says it to other readers."""

from __future__ import annotations

import re
from typing import Literal

from libs.shared.reasons import CODES, Reason
from libs.shared.words.plain import duration_text, size_text, span_text
from libs.shared.words.sentences import Explanation
from libs.shared.words.sentences.destructions import DESTRUCTIONS
from libs.shared.words.sentences.dumps import DUMPS
from libs.shared.words.sentences.files import FILES
from libs.shared.words.sentences.holds import HOLDS
from libs.shared.words.sentences.restores import RESTORES
from libs.shared.words.sentences.runs import RUNS
from libs.shared.words.sentences.warnings import WARNINGS

EXPLANATIONS: dict[str, Explanation] = {
    **RUNS,
    **WARNINGS,
    **DUMPS,
    **FILES,
    **RESTORES,
    **HOLDS,
    **DESTRUCTIONS,
}

UNKNOWN = Explanation(
    "“{code}”, a reason that this version has no sentence for[ ({subject})][: {detail}]",
    "The agent or the server is newer.",
    "Call us: we tell you what it is.",
    "Read the end of the log; the agent is newer than this service.",
)
"""A code that is newer than this version."""

NO_MORE_KNOWN = Reason("failed")
"""For a run that failed without a word."""

ABOUT_DAYS = frozenset({"files-lost", "bytes-lost"})
"""Whose subject is a day, as `2026-11-22`."""

IN_FOLDER = "the folder can't be read: {reason}"
"""Why a whole folder was not copied."""

_OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
_PLACE = re.compile(r"\{(\w+)\}")
_LONG = frozenset({"clock-ahead", "clock-behind"})

Measure = Literal["size", "span", "duration", "number", "status"]


def find(reason: Reason) -> Explanation:
    """The sentences of a reason's code, places unfilled."""
    return EXPLANATIONS.get(reason.code, UNKNOWN)


def measure(reason: Reason) -> Measure:
    """How the amounts of a reason are said; span is a long time, roughly."""
    unit = CODES[reason.code].unit if reason.code in CODES else ""
    if unit == "seconds":
        return "span" if reason.code in _LONG else "duration"
    if unit == "bytes":
        return "size"
    return "status" if unit == "status" else "number"


def say(reason: Reason) -> str:
    """The cause, with the foreign words in it."""
    return _fill(reason, find(reason).cause)


def next_step(reason: Reason) -> str:
    """What the technician can do; empty where the cause says it all."""
    return _fill(reason, find(reason).technician)


def say_missed(reason: Reason, *, is_folder: bool) -> str:
    """Why a file, or a folder with all below it, was not copied."""
    return IN_FOLDER.format(reason=say(reason)) if is_folder else say(reason)


def without_detail(phrase: str) -> str:
    """A phrase without what {detail} stands in: that is for technicians, beside the sentence."""
    return _OPTIONAL.sub(lambda found: "" if "{detail}" in found[1] else found[0], phrase)


def fill(phrase: str, values: dict[str, str]) -> str:
    """A phrase with its places filled; what is in brackets only where its places are not empty."""

    def keep(optional: re.Match[str]) -> str:
        inner = optional[1]
        return inner if all(values.get(place) for place in _PLACE.findall(inner)) else ""

    # In one pass, so that braces and brackets in what is filled in are left alone.
    return _PLACE.sub(lambda place: values.get(place[1]) or "?", _OPTIONAL.sub(keep, phrase))


def _fill(reason: Reason, phrase: str) -> str:
    values = {
        "code": reason.code,
        "subject": reason.subject,
        "amount": _amount(reason.amount, measure(reason)),
        "limit": _amount(reason.limit, measure(reason)),
        "words": reason.detail,
        "detail": reason.detail,
    }
    return fill(phrase, values)


def _amount(amount: int | None, measured: Measure) -> str:
    if amount is None:
        return ""
    if measured == "size":
        return size_text(amount)
    if measured == "span":
        return span_text(abs(amount))
    return duration_text(amount) if measured == "duration" else str(amount)
