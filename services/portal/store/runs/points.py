"""Runs beside the restore points that they made, by day; the first that is unusual."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from libs.shared import reasons
from libs.shared.database import Connection
from libs.shared.events import DumpResult, Outcome
from libs.shared.reasons import Reason

DAYS_RUNS_MAX = 2_000


@dataclass(frozen=True)
class RunOfDay:
    """A run that ended; is_unusual: and no operator said that it was meant."""

    number: int
    outcome: Outcome
    finished_at: datetime
    is_unusual: bool


@dataclass(frozen=True)
class Unusual:
    """A run that is unusual, and why."""

    number: int
    started_at: datetime
    verdicts: list[Reason]


@dataclass(frozen=True)
class KeptRange:
    """What is to be known of a restore point before it is chosen."""

    outcome: Outcome
    files_not_copied: int
    dumps: list[DumpResult]


async def list_between(
    conn: Connection, tenant_id: UUID, plan_id: UUID, since: datetime, until: datetime
) -> list[RunOfDay]:
    """The runs of a plan that ended from a moment up to before another, newest first."""
    rows = await conn.fetch(
        """
        SELECT r.number, r.outcome, r.finished_at,
               coalesce(j.verdicts <> '[]', false) AND NOT EXISTS (
                   SELECT FROM clears c WHERE c.tenant_id = $1 AND c.plan_id = $2
                   AND c.through >= r.number) AS is_unusual
        FROM runs r LEFT JOIN judgements j ON j.tenant_id = r.tenant_id AND j.run_id = r.run_id
        WHERE r.tenant_id = $1 AND r.plan_id = $2 AND r.finished_at >= $3 AND r.finished_at < $4
        ORDER BY r.number DESC LIMIT $5
        """,
        tenant_id,
        plan_id,
        since,
        until,
        DAYS_RUNS_MAX,
    )
    return [RunOfDay(**row) for row in rows]


async def find_first_unusual(
    conn: Connection, tenant_id: UUID, plan_id: UUID, since_number: int
) -> Unusual | None:
    """The first unusual run from a number on that no operator cleared."""
    row = await conn.fetchrow(
        """
        SELECT r.number, r.started_at, j.verdicts
        FROM judgements j JOIN runs r USING (tenant_id, run_id)
        WHERE j.tenant_id = $1 AND j.verdicts <> '[]' AND r.plan_id = $2 AND r.number >= $3
        AND NOT EXISTS (SELECT FROM clears c WHERE c.tenant_id = $1 AND c.plan_id = $2
            AND c.through >= r.number)
        ORDER BY r.number LIMIT 1
        """,
        tenant_id,
        plan_id,
        since_number,
    )
    if row is None:
        return None
    verdicts = [read for one in row["verdicts"] if (read := reasons.read(one))]
    return Unusual(row["number"], row["started_at"], verdicts)


async def find_kept(
    conn: Connection, tenant_id: UUID, plan_id: UUID, number: int
) -> KeptRange | None:
    """What a run told of its restore point; None as long as its event isn't there."""
    row = await conn.fetchrow(
        """
        SELECT outcome, files_not_copied, dumps FROM runs
        WHERE tenant_id = $1 AND plan_id = $2 AND number = $3 AND finished_at IS NOT NULL
        ORDER BY started_at DESC LIMIT 1
        """,
        tenant_id,
        plan_id,
        number,
    )
    if row is None:
        return None
    dumps = [DumpResult.model_validate(one) for one in row["dumps"]]
    return KeptRange(row["outcome"], row["files_not_copied"], dumps)
