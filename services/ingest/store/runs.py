"""Runs, and the deltas of open ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection, Record
from libs.shared.reasons import Reason
from services.ingest import rules

_RUN = (
    "r.run_id, r.tenant_id, r.plan_id, r.agent_id, r.number, r.parent, r.state, r.started_at,"
    " r.outcome, r.reason, r.answer"
)


@dataclass(frozen=True, slots=True)
class Batch:
    """What is kept of a batch beside its body."""

    batch: int
    entries: int
    object_key: str
    sha256: bytes
    pack_nos: list[int]


def _run(row: Record) -> rules.Run:
    return rules.Run(**{**row, "reason": reasons.read(row["reason"])})


async def add_run(
    conn: Connection,
    tenant_id: UUID,
    run: rules.Run,
    run_key: UUID,
    lease_until: datetime,
) -> None:
    """Writes a run down, open or refused."""
    await conn.execute(
        "INSERT INTO runs (run_id, tenant_id, plan_id, agent_id, run_key, number, parent, state,"
        " started_at, lease_until, finished_at, outcome, reason)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text, $9::timestamptz, $10,"
        " CASE WHEN $8 = 'open' THEN NULL ELSE $9 END, $11, $12)",
        run.run_id,
        tenant_id,
        run.plan_id,
        run.agent_id,
        run_key,
        run.number,
        run.parent,
        run.state,
        run.started_at,
        lease_until,
        run.outcome,
        reasons.write(run.reason),
    )


async def find_run_by_key(
    conn: Connection, tenant_id: UUID, agent_id: UUID, run_key: UUID
) -> rules.Run | None:
    """Returns the run that an agent started under this key."""
    row = await conn.fetchrow(
        f"SELECT {_RUN} FROM runs r"  # noqa: S608 - a constant
        " WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.run_key = $3",
        tenant_id,
        agent_id,
        run_key,
    )
    return _run(row) if row else None


async def find_open_run(conn: Connection, tenant_id: UUID, plan_id: UUID) -> rules.Run | None:
    """Returns the plan's open run."""
    row = await conn.fetchrow(
        f"SELECT {_RUN} FROM runs r"  # noqa: S608 - a constant
        " WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.state = 'open'",
        tenant_id,
        plan_id,
    )
    return _run(row) if row else None


async def find_run(
    conn: Connection, tenant_id: UUID, agent_id: UUID, run_id: UUID
) -> rules.Run | None:
    """Returns an agent's run, None if it has no such run."""
    row = await conn.fetchrow(
        f"SELECT {_RUN} FROM runs r"  # noqa: S608 - a constant
        " WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.run_id = $3",
        tenant_id,
        agent_id,
        run_id,
    )
    return _run(row) if row else None


async def use_run(
    conn: Connection,
    tenant_id: UUID,
    agent_id: UUID,
    run_id: UUID,
    lease_until: datetime,
    unless_after: datetime,
) -> rules.Run | None:
    """The same, and moves the lease of an open run on; spares that where it was done just now."""
    row = await conn.fetchrow(
        "WITH renewed AS (UPDATE runs SET lease_until = $4"  # noqa: S608 - a constant
        "  WHERE tenant_id = $1 AND agent_id = $2 AND run_id = $3"
        "  AND state = 'open' AND lease_until < $5)"
        f" SELECT {_RUN} FROM runs r"
        " WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.run_id = $3",
        tenant_id,
        agent_id,
        run_id,
        lease_until,
        unless_after,
    )
    return _run(row) if row else None


async def list_open_runs_of(conn: Connection, tenant_id: UUID, agent_id: UUID) -> list[rules.Run]:
    """Returns an agent's open runs."""
    rows = await conn.fetch(
        f"SELECT {_RUN} FROM runs r"  # noqa: S608 - a constant
        " WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.state = 'open'",
        tenant_id,
        agent_id,
    )
    return [_run(row) for row in rows]


async def list_abandoned(conn: Connection, now: datetime, limit: int) -> list[rules.Run]:
    """Returns open runs of all tenants whose lease ran out."""
    rows = await conn.fetch(
        f"SELECT {_RUN} FROM runs r"  # noqa: S608 - a constant
        " WHERE r.state = 'open' AND r.lease_until < $1 ORDER BY r.lease_until LIMIT $2",
        now,
        limit,
    )
    return [_run(row) for row in rows]


async def finish_run(
    conn: Connection,
    tenant_id: UUID,
    run_id: UUID,
    *,
    state: str,
    outcome: str,
    reason: Reason | None,
    answer: dict[str, Any] | None,
    now: datetime,
    if_lease_before: datetime | None = None,
    head_key: str | None = None,
) -> bool:
    """Closes an open run and drops its batches and files; False if it isn't open any more."""
    status = await conn.execute(
        "UPDATE runs SET state = $3, outcome = $4, reason = $5, answer = $6,"
        " finished_at = $7, head_key = $9 WHERE tenant_id = $1 AND run_id = $2 AND state = 'open'"
        " AND ($8::timestamptz IS NULL OR lease_until < $8)",
        tenant_id,
        run_id,
        state,
        outcome,
        reasons.write(reason),
        answer,
        now,
        if_lease_before,
        head_key,
    )
    if status != "UPDATE 1":
        return False
    await conn.execute("DELETE FROM run_batches WHERE run_id = $1", run_id)
    await conn.execute("DELETE FROM run_files WHERE run_id = $1", run_id)
    return True


async def put_batch(
    conn: Connection, tenant_id: UUID, run_id: UUID, batch: Batch, crc32s: bytes, body: bytes
) -> bool:
    """Keeps a batch of an open run, in place of an earlier one; False if the run isn't open."""
    status = await conn.execute(
        "INSERT INTO run_batches (run_id, batch, entries, object_key, sha256, pack_nos, crc32s,"
        " body) SELECT $2, $3, $4, $5, $6, $7, $8, $9 FROM"
        " (SELECT FROM runs WHERE tenant_id = $1 AND run_id = $2 AND state = 'open' FOR SHARE) r"
        " ON CONFLICT (run_id, batch) DO UPDATE SET entries = $4, object_key = $5, sha256 = $6,"
        " pack_nos = $7, crc32s = $8, body = $9",
        tenant_id,
        run_id,
        batch.batch,
        batch.entries,
        batch.object_key,
        batch.sha256,
        batch.pack_nos,
        crc32s,
        body,
    )
    return status == "INSERT 0 1"


async def list_batches(conn: Connection, run_id: UUID, count: int) -> list[Batch]:
    """Returns the first `count` batches of a run, without their bodies."""
    rows: list[Record] = await conn.fetch(
        "SELECT batch, entries, object_key, sha256, pack_nos FROM run_batches"
        " WHERE run_id = $1 AND batch < $2 ORDER BY batch",
        run_id,
        count,
    )
    return [Batch(**row) for row in rows]


async def read_batch(conn: Connection, run_id: UUID, batch: int) -> tuple[bytes, bytes]:
    """Returns (body, CRC-32s) of a batch that is known to be there."""
    row = await conn.fetchrow(
        "SELECT body, crc32s FROM run_batches WHERE run_id = $1 AND batch = $2", run_id, batch
    )
    if row is None:
        raise LookupError(f"batch {batch} of run {run_id} went away")
    return row["body"], row["crc32s"]
