"""A run as ingest knows it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from libs.shared.events import Outcome
from libs.shared.reasons import Reason


@dataclass(frozen=True, slots=True)
class Run:
    """A run as ingest knows it; `parent` is the plan's newest restore point at its start.

    reason: why it failed, or why it is no copy of an agent's.
    """

    run_id: UUID
    tenant_id: UUID
    plan_id: UUID
    agent_id: UUID
    number: int
    parent: int | None
    state: Literal["open", "committed", "failed"]
    started_at: datetime
    outcome: Outcome | None
    reason: Reason | None
    answer: dict[str, object] | None
