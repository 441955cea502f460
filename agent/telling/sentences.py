"""Reasons as the technician reads them: in English, with the next step."""

from __future__ import annotations

from typing import Any

from libs.shared import reasons
from libs.shared.reasons import Reason
from libs.shared.words.explanations import next_step, say


def in_full(reason: Reason) -> str:
    """What happened and what to do."""
    return f"{say(reason)} {next_step(reason)}".rstrip()


def with_sentence(reason: Reason, sentence: str | None = None) -> dict[str, Any]:
    """A reason for the agent's JSON; sentence: where it has another one than its code."""
    return {**reason.as_dict(), "sentence": say(reason) if sentence is None else sentence}


def dump_shown(told: dict[str, Any]) -> dict[str, Any]:
    """What became of a dump, as the protocol tells it, for the agent's JSON."""
    reason = reasons.read(told["reason"])
    return {**told, "reason": None if reason is None else with_sentence(reason)}
