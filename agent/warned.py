"""What an agent warns of, for its log and for the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RunWarning:
    """What went wrong without making a run fail: a sentence for the log, the rest for the report.

    code, detail, amount: as docs/protocol.md lists them.
    """

    code: str
    sentence: str
    detail: str = ""
    amount: int | None = None

    def as_told(self) -> dict[str, Any]:
        """As the protocol has it."""
        return {"code": self.code, "detail": self.detail, "amount": self.amount}
