"""What agents say of dumps and database files, in the reader's language."""

from __future__ import annotations

import re

from libs.shared.words.tongue import Tongue
from services.reporting.mail.advice import N_

# As agent/dumps and agent/hot.py say it; the rest of a sentence, such as a program's own words,
# stays as it is.
_DETAILS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), phrase)
    for pattern, phrase in (
        (r"a database file: use a dump", N_("a database file: have a dump made of it")),
        (r"it wrote nothing", N_("it wrote nothing")),
        (
            r"its end mark is missing, so it isn't whole",
            N_("its end is missing, so that it is not whole"),
        ),
        (
            r"it took longer than (?P<time>.+) and was stopped",
            N_("it took longer than {time} and was stopped"),
        ),
        (
            r"it has (?P<size>.+) and should have (?P<least>.+) at least",
            N_("it has {size} and should have {least} at least"),
        ),
        (
            r"much smaller than last time, when it had (?P<size>.+)",
            N_("much smaller than last time, when it had {size}: please check"),
        ),
        (
            r"it has no end mark that could be checked",
            N_("nothing tells whether it is whole"),
        ),
        (r"the database is damaged: (?P<words>.+)", N_("the database is damaged: {words}")),
        (
            r"the program (?P<program>\S+) is not installed",
            N_("the program {program} is not installed"),
        ),
        (
            r"(?P<program>\S+) ended with status (?P<status>\d+)(?:: )?(?P<words>.*)",
            N_("{program} ended with an error ({status}) {words}"),
        ),
    )
)
_REASONS: tuple[tuple[re.Pattern[str], str], ...] = (
    # As ingest says it, in services/ingest/rules/decisions.py.
    (
        re.compile(r"These database dumps failed or are missing: (?P<names>.+)\."),
        N_("Databases without a good dump: {names}"),
    ),
    (
        re.compile(r"The agent could not copy all that was contracted\."),
        N_("Not all that was contracted could be copied"),
    ),
)
_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?) (?P<unit>B|kB|MB|GB|TB)")
_UNITS = {"B": 1, "kB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}


def explain_dump(detail: str, tongue: Tongue) -> str:
    """Translates what agents say of a dump; anything else is shown as it is."""
    return explain(detail, _DETAILS, tongue)


def explain_reason(reason: str, tongue: Tongue) -> str:
    """Translates why a run that copied something failed; anything else is shown as it is."""
    return explain(reason, _REASONS, tongue)


def explain(text: str, known: tuple[tuple[re.Pattern[str], str], ...], tongue: Tongue) -> str:
    """Translates a text by the first of the known patterns; anything else is shown as it is."""
    for pattern, phrase in known:
        if found := pattern.fullmatch(text):
            values = {name: _sized(value, tongue) for name, value in found.groupdict().items()}
            return tongue.say(phrase, **values).strip()
    return text


def _sized(text: str, tongue: Tongue) -> str:
    found = _SIZE.fullmatch(text)
    if found is None:
        return text
    return tongue.size(round(float(found["number"]) * _UNITS[found["unit"]]))
