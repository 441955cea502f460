"""The calls of the agent protocol (docs/protocol.md), one function each."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple
from urllib.parse import quote

import msgspec

from agent.config import Plan
from agent.server.connection import Connection
from agent.telling.failures import Problem
from libs.shared import frames, protocol, reasons
from libs.shared.batches import MAX_BATCH_BYTES, decode_batch
from libs.shared.entries import Entry, FolderDelta
from libs.shared.reasons import Reason

MAX_IDS_ASKED = 16_384
COMMIT_SECONDS = 1800.0


@dataclass(frozen=True)
class DeclaredPlan:
    """A plan as the server knows it; last_run is its last restore point."""

    plan_id: str
    last_run: int | None


class Maintenance(msgspec.Struct, frozen=True):
    """An announced time in which the service may be away."""

    begins_at: datetime
    ends_at: datetime
    title_en: str


@dataclass(frozen=True)
class StartedRun:
    """An open run; parent is the restore point that its delta starts from.

    lease_seconds: without any call for that long the server closes the run.
    run_key: names the start, so that it can be repeated with a better estimate.
    growth_left_bytes: how much more the tenant may store; None where nothing limits it.
    parent_run_id: the id of the parent; None where the server does not tell.
    clock_ahead_seconds: how far our clock is before the server's; None where it does not tell.
    list_anew: some of the parent was dropped by its client, and is to be sent again.
    has_chunks: False where the tenant has none yet, so that none need be asked for.
    chunk_key: the tenant's present one in hexadecimal, where ours is another; else None.
    maintenance: announced times in which the service may be away.
    wanted_chunks: chunks that were damaged in the store; whoever has some sends them again.
    """

    run_id: str
    number: int
    parent: int | None
    lease_seconds: float = 900
    run_key: str = ""
    growth_left_bytes: int | None = None
    parent_run_id: str | None = None
    clock_ahead_seconds: float | None = None
    wanted_chunks: tuple[bytes, ...] = ()
    chunk_key: str | None = None
    list_anew: bool = False
    has_chunks: bool = True
    maintenance: tuple[Maintenance, ...] = ()


class RefusedEntry(NamedTuple):
    """An entry that the server does not keep; None for a name that would have gone."""

    folder: bytes
    entry: Entry | None
    reason: Reason


class Ingest:
    """An enrolled agent's side of the protocol."""

    def __init__(self, connection: Connection, chunk_key: bytes) -> None:
        self.connection = connection
        self.chunk_key = chunk_key

    def declare_plan(self, plan: Plan) -> DeclaredPlan:
        """Tell the server what the plan copies, how often, and who reads the reports."""
        path = f"/v1/plans/{quote(plan.name, safe='')}"
        answer = self.connection.call_json("PUT", path, plan.declaration()).json()
        return DeclaredPlan(answer["plan_id"], answer["last_run"])

    def find_plan(self, name: str) -> DeclaredPlan | None:
        """A plan of this agent as the server knows it, None where it was never declared."""
        try:
            answer = self.connection.call("GET", f"/v1/plans/{quote(name, safe='')}").json()
        except Problem as problem:
            if problem.status == 404:
                return None
            raise
        return DeclaredPlan(answer["plan_id"], answer["last_run"])

    def start_run(
        self,
        plan_id: str,
        parent: int | None,
        estimated_new_bytes: int = 0,
        run_key: str | None = None,
    ) -> StartedRun:
        """Open a run; refused with 403 or 507 when nothing may be added.

        The same `run_key` again tells an estimate for the open run, which may be refused then.
        """
        request: dict[str, Any] = {
            "plan_id": plan_id,
            "parent": parent,
            "estimated_new_bytes": estimated_new_bytes,
            "run_key": run_key or str(uuid.uuid4()),
            "chunk_key_id": protocol.chunk_key_id(self.chunk_key),
        }
        answer = self.connection.call_json("POST", "/v1/runs", request)
        told = answer.json()
        return StartedRun(
            told["run_id"],
            told["number"],
            told["parent"],
            told["lease_seconds"],
            request["run_key"],
            told.get("growth_left_bytes"),
            told.get("parent_run_id"),
            _clock_ahead_seconds(answer.headers.get("Date")),
            tuple(map(bytes.fromhex, told.get("wanted_chunks", ()))),
            told.get("chunk_key"),
            told.get("list_anew", False),
            told.get("has_chunks", True),
            tuple(msgspec.convert(told.get("maintenance", []), list[Maintenance])),
        )

    def missing(self, run_id: str, chunk_ids: list[bytes]) -> list[bool]:
        """Which of up to 16,384 chunks the tenant does not have."""
        path = f"/v1/runs/{run_id}/missing"
        bitmap = self.connection.call("POST", path, b"".join(chunk_ids)).body
        return [bool(bitmap[i >> 3] >> (i & 7) & 1) for i in range(len(chunk_ids))]

    def put_pack(self, run_id: str, pack_id: str, body: bytes | memoryview) -> None:
        """Send a pack; once this returns, it is stored."""
        self.connection.call("PUT", f"/v1/runs/{run_id}/packs/{pack_id}", body)

    def put_entries(self, run_id: str, batch: int, body: bytes) -> list[RefusedEntry]:
        """Send one batch of the delta; the same number again replaces it.

        Returns what of it the server keeps out; all else is taken.
        """
        path = f"/v1/runs/{run_id}/entries?batch={batch}"
        answer = self.connection.call("POST", path, body)
        return [] if answer.status == 204 else _refused(body, answer.json()["refused"])

    def commit(self, run_id: str, summary: dict[str, Any]) -> dict[str, Any]:
        """Make the run a restore point; 409 where chunks or batches are missing."""
        answer = self.connection.call_json(
            "POST", f"/v1/runs/{run_id}/commit", summary, read_seconds=COMMIT_SECONDS
        )
        return answer.json()

    def abort(self, run_id: str, summary: dict[str, Any]) -> None:
        """End the run as failed; what was stored of it stays for the next one."""
        self.connection.call_json("POST", f"/v1/runs/{run_id}/abort", summary)

    @contextmanager
    def entries(self, plan_id: str) -> Iterator[tuple[int, Iterator[list[FolderDelta]]]]:
        """The number of the last restore point and all its entries, in batches."""
        with self.connection.stream("GET", f"/v1/plans/{plan_id}/entries") as response:
            number = int(response.headers["X-Coffre-Run"])
            yield number, map(decode_batch, frames.read_frames(response, MAX_BATCH_BYTES))


def _refused(body: bytes, told: list[dict[str, Any]]) -> list[RefusedEntry]:
    """What the places mean that the server names in a batch of ours."""
    deltas = decode_batch(body)
    refused: list[RefusedEntry] = []
    for one in told:
        delta, numbers = deltas[one["folder"]], one["entries"]
        reason = reasons.read(one["reason"]) or Reason("entry-over-limit")
        upserts: list[Entry | None] = [*delta.upserts, *[None] * len(delta.removed)]
        found = upserts if numbers is None else [upserts[number] for number in numbers]
        refused += [RefusedEntry(delta.folder, entry, reason) for entry in found]
    return refused


def _clock_ahead_seconds(date: str | None) -> float | None:
    """How far our clock is ahead of an answer's Date."""
    try:
        return time.time() - parsedate_to_datetime(date or "").timestamp()
    except ValueError:
        return None
