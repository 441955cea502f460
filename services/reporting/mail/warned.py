"""What agents warn of, in sentences that say what it means and what to do."""

from __future__ import annotations

from dataclasses import dataclass

from libs.shared.events import RunFinished
from libs.shared.words.explanations import next_step, say


@dataclass(frozen=True, slots=True)
class Warned:
    """One warning: what it is, and the next step for the reader."""

    sentence: str
    step: str


def list_warned(run: RunFinished) -> list[Warned]:
    """Returns what the agent warned of in a run."""
    return [Warned(say(warning), next_step(warning)) for warning in run.warnings]
