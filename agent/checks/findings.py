"""What was looked at, and how it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from agent.telling import failures

Level = Literal["fine", "warning", "wrong"]


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    level: `wrong` is what makes a run fail; `warning` what a person should know before.
    subject: what was looked at, such as a folder; plan: whose it is, None for the machine's.
    """

    level: Level
    subject: str
    sentence: str
    plan: str | None = None

    def as_line(self) -> dict[str, Any]:
        """A JSON line."""
        return {
            "message_type": "finding",
            "level": self.level,
            "plan": self.plan,
            "subject": self.subject,
            "message": self.sentence,
        }


def exit_code_of(findings: Iterable[Finding]) -> int:
    """1 if a run would fail, 3 if there are warnings, else 0."""
    levels = {finding.level for finding in findings}
    if "wrong" in levels:
        return failures.FAILED
    return failures.WARNINGS if "warning" in levels else failures.SUCCEEDED
