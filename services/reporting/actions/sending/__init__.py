"""The mail queue is emptied: who sends (`sender`), what goes out (`hatch`), how fast (`paces`),
and what follows from what mail servers say (`verdicts`)."""

from __future__ import annotations

from services.reporting.actions.sending import verdicts
from services.reporting.actions.sending.sender import Sender

__all__ = ["Sender", "verdicts"]
