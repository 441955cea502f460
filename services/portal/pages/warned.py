"""Why a run failed, what it warns of, what it did not copy, in words."""

from __future__ import annotations

from typing import Any

from libs.shared import reasons
from libs.shared.words import explanations


def say_reason(value: dict[str, Any] | None) -> str:
    """A reason as events have it; empty where there is none."""
    reason = reasons.read(value)
    return "" if reason is None else explanations.say(reason)


def say_missed(missed: dict[str, Any]) -> str:
    """Why a file or folder was not copied."""
    reason = reasons.read(missed["reason"])
    if reason is None:
        return ""
    return explanations.say_missed(reason, is_folder=missed["is_folder"])
