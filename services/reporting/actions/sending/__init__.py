"""The mail queue is emptied: who sends (`sender`), what goes out (`hatch`), how fast (`paces`)."""

from __future__ import annotations

from services.reporting.actions.sending.sender import Sender

__all__ = ["Sender"]
