"""Runs, and the deltas of open ones."""

from __future__ import annotations

from collections.abc import Sequence
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
_RENEWED = """
        renewed AS (UPDATE runs SET lease_until = $4
        WHERE tenant_id = $1 AND agent_id = $2 AND run_id = $3
        AND state = 'open' AND lease_until < $5)
"""


def _run(row: Record) -> rules.runs.Run:
    return rules.runs.Run(**{**row, "reason": reasons.read(row["reason"])})


async def add(
    conn: Connection,
    tenant_id: UUID,
    run: rules.runs.Run,
    run_key: UUID,
    lease_until: datetime,
) -> None:
    """Writes a run down, open or refused."""
    await conn.execute(
        """
        INSERT INTO runs (run_id, tenant_id, plan_id, agent_id, run_key, number, parent, state,
            started_at, lease_until, finished_at, outcome, reason)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text, $9::timestamptz, $10,
            CASE WHEN $8 = 'open' THEN NULL ELSE $9 END, $11, $12)
        """,
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


async def find_by_key(
    conn: Connection, tenant_id: UUID, agent_id: UUID, run_key: UUID
) -> rules.runs.Run | None:
    """Returns the run that an agent started under this key."""
    row = await conn.fetchrow(
        f"""
        SELECT {_RUN} FROM runs r
        WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.run_key = $3
        """,
        tenant_id,
        agent_id,
        run_key,
    )
    return _run(row) if row else None


async def find_open(conn: Connection, tenant_id: UUID, plan_id: UUID) -> rules.runs.Run | None:
    """Returns the plan's open run."""
    row = await conn.fetchrow(
        f"""
        SELECT {_RUN} FROM runs r
        WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.state = 'open'
        """,
        tenant_id,
        plan_id,
    )
    return _run(row) if row else None


async def find(
    conn: Connection, tenant_id: UUID, agent_id: UUID, run_id: UUID
) -> rules.runs.Run | None:
    """Returns an agent's run, None if it has no such run."""
    row = await conn.fetchrow(
        f"""
        SELECT {_RUN} FROM runs r
        WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.run_id = $3
        """,
        tenant_id,
        agent_id,
        run_id,
    )
    return _run(row) if row else None


async def use(
    conn: Connection,
    tenant_id: UUID,
    agent_id: UUID,
    run_id: UUID,
    lease_until: datetime,
    unless_after: datetime,
) -> rules.runs.Run | None:
    """Returns an agent's run, its lease moved on where it is open and was not just now."""
    row = await conn.fetchrow(
        f"""
        WITH {_RENEWED}
        SELECT {_RUN} FROM runs r
        WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.run_id = $3
        """,
        tenant_id,
        agent_id,
        run_id,
        lease_until,
        unless_after,
    )
    return _run(row) if row else None


async def use_and_look(
    conn: Connection,
    tenant_id: UUID,
    agent_id: UUID,
    run_id: UUID,
    lease_until: datetime,
    unless_after: datetime,
    chunk_ids: Sequence[bytes],
) -> tuple[rules.runs.Run, list[int]] | None:
    """As `use`, and which of these chunks the tenant lacks, by their places from 0.

    No request is more frequent, and each round trip costs more than what it asks.
    """
    row = await conn.fetchrow(
        # A look-up each: a join would read whole tables while the statistics are not yet there.
        f"""
        WITH {_RENEWED}, asked AS MATERIALIZED (SELECT k.place, (SELECT c.pack_no
            FROM catalogue.chunks c WHERE c.tenant_id = $1 AND c.chunk_id = k.chunk_id) AS pack_no
            FROM unnest($6::bytea[]) WITH ORDINALITY AS k (chunk_id, place))
        SELECT {_RUN}, ARRAY(SELECT place::integer - 1 FROM asked
            WHERE pack_no IS NULL OR pack_no IN (SELECT p.pack_no FROM catalogue.packs p
                WHERE p.tenant_id = $1 AND p.state <> 'live')) AS missing
        FROM runs r WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.run_id = $3
        """,
        tenant_id,
        agent_id,
        run_id,
        lease_until,
        unless_after,
        chunk_ids,
    )
    if row is None:
        return None
    found = dict(row)
    missing: list[int] = found.pop("missing")
    return rules.runs.Run(**{**found, "reason": reasons.read(found["reason"])}), missing


async def list_open_of(conn: Connection, tenant_id: UUID, agent_id: UUID) -> list[rules.runs.Run]:
    """Returns an agent's open runs."""
    rows = await conn.fetch(
        f"""
        SELECT {_RUN} FROM runs r
        WHERE r.tenant_id = $1 AND r.agent_id = $2 AND r.state = 'open'
        """,
        tenant_id,
        agent_id,
    )
    return [_run(row) for row in rows]


async def list_abandoned(conn: Connection, now: datetime, limit: int) -> list[rules.runs.Run]:
    """Returns open runs of all tenants whose lease ran out."""
    rows = await conn.fetch(
        f"""
        SELECT {_RUN} FROM runs r
        WHERE r.state = 'open' AND r.lease_until < $1 ORDER BY r.lease_until LIMIT $2
        """,
        now,
        limit,
    )
    return [_run(row) for row in rows]


async def finish(
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
        """
        UPDATE runs SET state = $3, outcome = $4, reason = $5, answer = $6,
            finished_at = $7, head_key = $9 WHERE tenant_id = $1 AND run_id = $2 AND state = 'open'
        AND ($8::timestamptz IS NULL OR lease_until < $8)
        """,
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
    await conn.execute(
        """
        DELETE FROM run_batches WHERE run_id = $1
        """,
        run_id,
    )
    await conn.execute(
        """
        DELETE FROM run_files WHERE run_id = $1
        """,
        run_id,
    )
    return True
