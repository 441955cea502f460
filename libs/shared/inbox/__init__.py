"""The inbox: what arrives is stored, then acknowledged; workers handle it from the table.

Parked events, those that failed too often or can't be read, wait for a person (`parked`).
"""

from __future__ import annotations

from libs.shared.inbox.consumer import Consumer
from libs.shared.inbox.table import backlog, has_arrived, prune
from libs.shared.inbox.worker import Handler, Handlers, Workers

__all__ = ["Consumer", "Handler", "Handlers", "Workers", "backlog", "has_arrived", "prune"]
