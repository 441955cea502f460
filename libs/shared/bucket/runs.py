"""What is inside the objects of a plan's runs (docs/protocol.md, section 4)."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from libs.shared.entries import Entry
from libs.shared.events import Outcome


class StoredPart(msgspec.Struct, frozen=True):
    """One object of a delta or of a whole list; the hash is of what is sealed in it."""

    key: str
    sha256: str
    entries: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit asked for: with its parts, all that the run brought."""

    version: int = 1
    tenant_id: UUID
    plan_id: UUID
    plan: str
    plan_version: int
    plan_created_at: datetime
    agent_id: UUID
    hostname: str
    platform: str
    agent_version: str
    enrolled_at: datetime
    declaration: dict[str, Any]
    run_id: UUID
    number: int
    parent: int | None
    full: bool
    started_at: datetime
    asked_at: datetime
    outcome: Outcome
    reason: str
    counters: dict[str, int]
    parts: list[StoredPart]


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; totals only of a restore point.

    superseded_from: every version that ended before this run had expired by then; None where
    all that ended had.
    """

    version: int = 1
    tenant_id: UUID
    plan_id: UUID
    run_id: UUID
    number: int
    state: str
    head_key: str | None
    finished_at: datetime
    outcome: Outcome
    reason_code: str
    reason: str
    files_total: int | None
    bytes_protected: int | None
    superseded_from: int | None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A restore point as a whole list names it, or as it is brought back."""

    number: int
    run_id: UUID
    parent: int | None
    started_at: datetime
    committed_at: datetime
    outcome: Outcome
    reason_code: str
    reason: str
    files_total: int
    bytes_protected: int


class ListHead(msgspec.Struct, frozen=True, kw_only=True):
    """A whole list: every version that the plan had at this run, and its restore points.

    received: when each first run of these versions was committed. digest: see `Content`.
    """

    version: int = 1
    tenant_id: UUID
    plan_id: UUID
    number: int
    versions: int
    digest: str
    points: list[Point]
    received: dict[int, datetime]
    parts: list[StoredPart]


class ListedFolder(msgspec.Struct, array_like=True, frozen=True):
    """Versions that lie directly in one folder, with the runs that see them."""

    folder: bytes
    entries: list[Entry]
    first_runs: list[int]
    last_runs: list[int | None]
