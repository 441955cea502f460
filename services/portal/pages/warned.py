"""What agents warn of, in sentences that say what it means and what to do."""

from __future__ import annotations

from typing import Any

from libs.shared.words.tongue import N_, Tongue

# By code, as docs/protocol.md lists them; the clock's has two sentences.
_CLOCK_AHEAD = N_("The machine's clock is ahead by about {span}: have it set.")
_CLOCK_BEHIND = N_("The machine's clock is behind by about {span}: have it set.")
_SENTENCES = {
    "state-not-kept": N_(
        "The machine could not write down what it copied ({detail}): have room made on its disk."
    ),
    "state-damaged": N_(
        "What the machine had written down of its last copy was damaged; nothing is lost."
    ),
    "state-foreign": N_(
        "What the machine had written down of its last copy was of another machine or server:"
        " normal once after it was enrolled again."
    ),
    "hook-failed": N_(
        "The program that is to run after the copy failed ({detail}): check that what was stopped"
        " for the copy works again."
    ),
    "ping-failed": N_("The monitoring service could not be told of the copy ({detail})."),
}
_UNKNOWN = N_("The machine warns of something that has no sentence here yet: {detail}.")


def say_warned(warning: dict[str, Any], tongue: Tongue) -> str:
    """One warning of a run, in the reader's language."""
    code, detail, seconds = warning["code"], warning["detail"], warning["amount"]
    if code == "clock-wrong" and seconds is not None:
        phrase = _CLOCK_AHEAD if seconds > 0 else _CLOCK_BEHIND
        return tongue.say(phrase, span=tongue.span(seconds))
    if code not in _SENTENCES:
        return tongue.say(_UNKNOWN, detail=f"{code} {detail}".strip())
    return tongue.say(_SENTENCES[code], detail=detail or "?")
