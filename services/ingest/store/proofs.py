"""What proves restore points: digests of folders, seals, and the count of a tenant's."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any, NamedTuple
from uuid import UUID

from libs.shared import catalogue
from libs.shared.database import Connection
from services.ingest.store.plans import CommitPlace
from services.ingest.store.sessions import LONG_SECONDS

_ROWS_AT_ONCE = 5_000


class HiddenFolder(NamedTuple):
    """A folder and what it came to last, hidden; None for nothing."""

    folder_id: int
    parent_id: int
    name: bytes
    digest: bytes | None


class KeptPoint(NamedTuple):
    """A restore point as its row tells it."""

    files_total: int
    bytes_protected: int
    sealed: bytes | None


class CountedPlan(NamedTuple):
    """A plan's newest restore point."""

    plan_id: UUID
    number: int
    sealed: bytes | None


class PendingTally(NamedTuple):
    """What the bucket is to be told of a tenant: the count, and each plan's newest point."""

    sequence: int
    plans: list[CountedPlan]


async def list_above(
    conn: Connection, place: CommitPlace, folder_ids: Sequence[int]
) -> list[HiddenFolder]:
    """Returns these folders and all above them, up to the root."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE up (folder_id, parent_id, name) AS (
        SELECT t.folder_id, f.parent_id, f.name FROM unnest($2::bigint[]) AS t (folder_id)
        CROSS JOIN LATERAL (SELECT parent_id, name FROM catalogue.folders
            WHERE tenant_id = $1 AND folder_id = t.folder_id LIMIT 1) f
        UNION
        SELECT up.parent_id, f.parent_id, f.name FROM up
        CROSS JOIN LATERAL (SELECT parent_id, name FROM catalogue.folders
            WHERE tenant_id = $1 AND folder_id = up.parent_id LIMIT 1) f
            ) SELECT folder_id, parent_id, name, (SELECT d.digest FROM catalogue.folder_digests d
        WHERE d.tenant_id = $1 AND d.folder_id = up.folder_id
        ORDER BY d.first_run DESC LIMIT 1) FROM up
        """,
        place.tenant_id,
        folder_ids,
        timeout=LONG_SECONDS,
    )
    return [HiddenFolder(*row) for row in rows]


async def list_closed(
    conn: Connection, place: CommitPlace
) -> AsyncIterator[tuple[int, tuple[Any, ...]]]:
    """Yields (folder, what is proven of an entry) of the versions that this run closed."""
    rows = conn.cursor(
        f"""
        SELECT {catalogue.PROVEN_COLUMNS}, v.folder_id
        FROM catalogue.versions v WHERE tenant_id = $1 AND plan_id = $2 AND last_run = $3
        """,
        place.tenant_id,
        place.plan_id,
        place.number - 1,
        prefetch=_ROWS_AT_ONCE,
        timeout=LONG_SECONDS,
    )
    async for row in rows:
        yield row[-1], row[:-1]


async def put_digests(
    conn: Connection, tenant_id: UUID, rows: Sequence[tuple[int, int, bytes]]
) -> None:
    """Writes down (folder, run, hidden digest) of what folders came to."""
    await conn.execute(
        """
        INSERT INTO catalogue.folder_digests (tenant_id, folder_id, first_run, digest)
        SELECT $1, * FROM unnest($2::bigint[], $3::integer[], $4::bytea[])
        """,
        tenant_id,
        [row[0] for row in rows],
        [row[1] for row in rows],
        [row[2] for row in rows],
        timeout=LONG_SECONDS,
    )


async def find_root(conn: Connection, place: CommitPlace) -> bytes | None:
    """Returns what the plan's root folder came to last, hidden; None for nothing."""
    digest: bytes | None = await conn.fetchval(
        """
        SELECT d.digest FROM catalogue.folder_digests d WHERE d.tenant_id = $1
        AND d.folder_id = (SELECT f.folder_id FROM catalogue.folders f WHERE f.tenant_id = $1
            AND f.plan_id = $2 AND f.parent_id = 0 AND f.name = '')
        ORDER BY d.first_run DESC LIMIT 1
        """,
        place.tenant_id,
        place.plan_id,
    )
    return digest


async def find_point(conn: Connection, place: CommitPlace, number: int | None) -> KeptPoint:
    """Returns a restore point of the plan; nothing for none."""
    row = await conn.fetchrow(
        """
        SELECT files_total, bytes_protected, sealed FROM catalogue.runs
        WHERE tenant_id = $1 AND plan_id = $2 AND number = $3
        """,
        place.tenant_id,
        place.plan_id,
        number,
    )
    return KeptPoint(*row) if row else KeptPoint(0, 0, None)


async def find_sealed(conn: Connection, run_id: UUID) -> bytes | None:
    """Returns the seal of the restore point that a run became."""
    sealed: bytes | None = await conn.fetchval(
        """
        SELECT sealed FROM catalogue.runs WHERE run_id = $1
        """,
        run_id,
    )
    return sealed


async def count_point(conn: Connection, tenant_id: UUID) -> None:
    """Counts a restore point of a tenant; its commits meet here, at the very last lock."""
    await conn.execute(
        """
        INSERT INTO tallies AS t (tenant_id, sequence) VALUES ($1, 1)
        ON CONFLICT (tenant_id) DO UPDATE SET sequence = t.sequence + 1
        """,
        tenant_id,
    )


async def begin_tally(conn: Connection, tenant_id: UUID, sequence: int, written: int) -> None:
    """Counts on from a number after a rebuild; written: of the tally that the next one replaces."""
    await conn.execute(
        """
        INSERT INTO tallies (tenant_id, sequence, written) VALUES ($1, $2, $3)
        ON CONFLICT (tenant_id) DO UPDATE SET sequence = $2, written = $3
        """,
        tenant_id,
        sequence,
        written,
    )


async def list_newest(conn: Connection, tenant_id: UUID) -> dict[UUID, CountedPlan]:
    """Returns the newest restore points of a tenant's plans."""
    rows = await conn.fetch(
        """
        SELECT p.plan_id, p.last_run, r.sealed FROM catalogue.plans p JOIN catalogue.runs r
        ON r.tenant_id = p.tenant_id AND r.plan_id = p.plan_id AND r.number = p.last_run
        WHERE p.tenant_id = $1
        """,
        tenant_id,
    )
    return {row[0]: CountedPlan(*row) for row in rows}


async def read_tally(conn: Connection, tenant_id: UUID) -> PendingTally | None:
    """Returns what there is to tell of a tenant, seen at one moment; None for nothing."""
    rows = await conn.fetch(
        """
        SELECT t.sequence, p.plan_id, p.last_run, r.sealed FROM tallies t
        LEFT JOIN catalogue.plans p ON p.tenant_id = t.tenant_id AND p.last_run IS NOT NULL
        LEFT JOIN catalogue.runs r ON r.tenant_id = t.tenant_id AND r.plan_id = p.plan_id
            AND r.number = p.last_run WHERE t.tenant_id = $1 ORDER BY p.plan_id
        """,
        tenant_id,
    )
    if not rows:
        return None
    plans = [CountedPlan(row[1], row[2], row[3]) for row in rows if row[1] is not None]
    return PendingTally(rows[0][0], plans)


async def mark_tallied(conn: Connection, tenant_id: UUID, sequence: int) -> int:
    """Writes down that a tally was stored; returns the one that need not be any more.

    That is the one before, or this one where a later one was stored meanwhile; 0 for none.
    """
    before: int = await conn.fetchval(
        """
        UPDATE tallies t SET written = greatest(t.written, $2) FROM (SELECT written FROM tallies
        WHERE tenant_id = $1 FOR UPDATE) b WHERE t.tenant_id = $1 RETURNING b.written
        """,
        tenant_id,
        sequence,
    )
    return 0 if before == sequence else min(before, sequence)


async def list_seals(conn: Connection, tenant_id: UUID, plan_id: UUID) -> dict[int, bytes]:
    """Returns the seals of a plan's restore points by number."""
    rows = await conn.fetch(
        """
        SELECT number, sealed FROM catalogue.runs
        WHERE tenant_id = $1 AND plan_id = $2 AND sealed IS NOT NULL
        """,
        tenant_id,
        plan_id,
    )
    return {row[0]: row[1] for row in rows}
