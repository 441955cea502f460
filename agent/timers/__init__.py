"""What starts a plan by itself: a systemd timer, a cron line or a Windows task."""

from __future__ import annotations

from agent.timers.call import Call, call_of
from agent.timers.rhythm import Rhythm, rhythm_of

__all__ = ["Call", "Rhythm", "call_of", "rhythm_of"]
