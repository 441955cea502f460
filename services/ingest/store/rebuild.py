"""Rows of a catalogue that is rebuilt from the bucket."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from libs.shared import bucket, database, reasons
from libs.shared.database import Connection
from services.ingest import rules
from services.ingest.store.commits import name_set
from services.ingest.store.plans import CommitPlace
from services.ingest.store.sessions import LONG_SECONDS

_FOLDERS_A_ROW = 1_000


async def lock_rebuild(conn: Connection) -> bool:
    """Keeps other rebuilds away until the session ends; False if there is one."""
    return bool(
        await conn.fetchval("""
            SELECT pg_try_advisory_lock(hashtextextended('ingest.rebuild', 0))
            """)
    )


async def list_occupied(conn: Connection) -> list[UUID]:
    """Returns tenants of which the catalogue has something that no rebuild brought."""
    rows = await conn.fetch(
        """
        SELECT tenant_id FROM (SELECT tenant_id FROM catalogue.plans
        UNION SELECT tenant_id FROM catalogue.volumes) c
        WHERE NOT EXISTS (SELECT FROM rebuilds r WHERE r.tenant_id = c.tenant_id)
        ORDER BY tenant_id
        """
    )
    return [row[0] for row in rows]


async def start_rebuild(conn: Connection, tenant_id: UUID, now: datetime) -> bool:
    """Writes down that a tenant is being rebuilt; False if that was finished before."""
    finished = await conn.fetchval(
        """
        INSERT INTO rebuilds AS r (tenant_id, started_at) VALUES ($1, $2)
        ON CONFLICT (tenant_id) DO UPDATE SET started_at = r.started_at
        RETURNING finished_at IS NOT NULL
        """,
        tenant_id,
        now,
    )
    return not finished


async def finish_rebuild(conn: Connection, tenant_id: UUID, now: datetime) -> None:
    """Writes down that all of a tenant that could be read is there again."""
    await conn.execute(
        """
        UPDATE rebuilds SET finished_at = $2 WHERE tenant_id = $1
        """,
        tenant_id,
        now,
    )


async def put_stored_pack(
    conn: Connection,
    tenant_id: UUID,
    pack_id: bytes,
    object_bytes: int,
    chunk_count: int,
    stored_at: datetime,
    verified_at: datetime,
    damaged_at: datetime | None,
) -> int | None:
    """Returns the number of a pack that was found in the bucket; None if it is known."""
    number: int | None = await conn.fetchval(
        """
        INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count, state,
            stored_at, verified_at, damaged_at) VALUES ($1, $2, $3, $4,
            CASE WHEN $7::timestamptz IS NULL THEN 'live' ELSE 'damaged' END, $5, $6, $7)
        ON CONFLICT (tenant_id, pack_id) DO NOTHING RETURNING pack_no
        """,
        tenant_id,
        pack_id,
        object_bytes,
        chunk_count,
        stored_at,
        verified_at,
        damaged_at,
    )
    return number


async def put_vacant_agent(conn: Connection, head: bucket.Head, now: datetime) -> bool:
    """Makes an agent known whose token nobody has; False if it is known."""
    status = await conn.execute(
        """
        INSERT INTO agents (agent_id, tenant_id, token_sha256, hostname, platform, agent_version,
            enrolled_at, vacant_since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (agent_id) DO NOTHING
        """,
        head.agent_id,
        head.tenant_id,
        secrets.token_bytes(32),
        head.hostname,
        head.platform,
        head.agent_version,
        head.enrolled_at,
        now,
    )
    return database.changed(status) == 1


async def put_rebuilt_plan(
    conn: Connection, head: bucket.Head, version: int, last_number: int
) -> bool:
    """Makes a plan and its root folder known under its old id; False if it is known."""
    known = await conn.fetchval(
        """
        INSERT INTO plans (plan_id, tenant_id, agent_id, name, version, declaration, last_number)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING RETURNING true
        """,
        head.plan_id,
        head.tenant_id,
        head.agent_id,
        head.plan,
        version,
        head.declaration,
        last_number,
    )
    if not known:
        return False
    await conn.execute(
        """
        INSERT INTO catalogue.plans (tenant_id, plan_id, agent_id, name, created_at)
        VALUES ($1, $2, $3, $4, $5)
        """,
        head.tenant_id,
        head.plan_id,
        head.agent_id,
        head.plan,
        head.plan_created_at,
    )
    await conn.execute(
        """
        INSERT INTO catalogue.folders (tenant_id, plan_id, parent_id, name)
        VALUES ($1, $2, 0, '')
        """,
        head.tenant_id,
        head.plan_id,
    )
    return True


async def add_listed(
    conn: Connection,
    place: CommitPlace,
    folder_ids: Sequence[int],
    versions: Sequence[rules.manifests.content.ListedVersion],
    received: Mapping[int, datetime],
) -> None:
    """Adds versions with the runs that see them."""
    await conn.execute(
        """
        INSERT INTO catalogue.versions (tenant_id, plan_id, folder_id, name, kind, mode, mtime_ns,
            uid, gid, size, target, chunk_ids, crc32, first_run, last_run, attributes_id,
            received_at)
        SELECT $1, $2, d.folder_id, d.name, d.kind::"char", d.mode, d.mtime_ns, d.uid, d.gid,
            d.size, d.target, d.chunk_ids, d.crc32, d.first_run, d.last_run, d.attributes_id,
            d.received_at
        FROM unnest($3::bigint[], $4::bytea[], $5::text[], $6::integer[], $7::bigint[],
            $8::bigint[], $9::bigint[], $10::bigint[], $11::bytea[], $12::bytea[], $13::bigint[],
            $14::integer[], $15::integer[], $16::bytea[], $17::timestamptz[]) AS d (folder_id, name,
            kind, mode, mtime_ns, uid, gid, size, target, chunk_ids, crc32, first_run, last_run,
            attributes_id, received_at)
        """,
        place.tenant_id,
        place.plan_id,
        folder_ids,
        *([version[column] for version in versions] for column in range(12)),
        [name_set(version.attributes) for version in versions],
        [received[version.first_run] for version in versions],
    )


async def list_broken_points(
    conn: Connection, place: CommitPlace, numbers: Sequence[int], expired_before: int
) -> list[int]:
    """Returns the runs that see a version which had expired when the catalogue was lost."""
    rows = await conn.fetch(
        """
        SELECT number FROM unnest($3::integer[]) AS r (number) WHERE EXISTS (SELECT
        FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.plan_id = $2
        AND v.last_run < $4 AND v.last_run >= r.number AND v.first_run <= r.number)
        """,
        place.tenant_id,
        place.plan_id,
        numbers,
        expired_before,
    )
    return [row[0] for row in rows]


async def add_points(
    conn: Connection,
    head: bucket.Head,
    points: Sequence[bucket.Point],
    heads: Mapping[int, str],
    seals: Mapping[int, bytes],
) -> None:
    """Adds restore points, and the runs that made them.

    heads: the key of the head of runs whose end the bucket must still be told. seals: by number.
    """
    await conn.executemany(
        """
        INSERT INTO catalogue.runs (tenant_id, plan_id, number, run_id, committed_at,
            files_total, bytes_protected, sealed) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        """,
        [
            (head.tenant_id, head.plan_id, p.number, p.run_id, p.committed_at, p.files_total,
             p.bytes_protected, seals.get(p.number))
            for p in points
        ],
    )  # fmt: skip
    await conn.executemany(
        """
        INSERT INTO runs (run_id, tenant_id, plan_id, agent_id, run_key, number, parent, state,
            started_at, lease_until, finished_at, outcome, reason, answer, tried_at,
            head_key, end_written) VALUES ($1, $2, $3, $4, $5, $6, $7, 'committed', $8, $9, $9, $10,
            $11, $12, $9, $13, $14)
        """,
        [
            (p.run_id, head.tenant_id, head.plan_id, head.agent_id, uuid4(), p.number, p.parent,
             p.started_at, p.committed_at, p.outcome,
             reasons.write(p.reason), _answer(p),
             heads.get(p.number), p.number not in heads)
            for p in points
        ],
    )  # fmt: skip
    await conn.execute(
        """
        UPDATE catalogue.plans SET last_run = $3 WHERE tenant_id = $1 AND plan_id = $2
        """,
        head.tenant_id,
        head.plan_id,
        max((point.number for point in points), default=None),
    )


def _answer(point: bucket.Point) -> dict[str, Any]:
    return {
        "outcome": point.outcome,
        "reason": reasons.write(point.reason),
        "run_id": str(point.run_id),
        "number": point.number,
        "restore_point": True,
        "stored_bytes": 0,
        "protected_bytes": point.bytes_protected,
    }


async def count_current(conn: Connection, place: CommitPlace) -> tuple[int, int]:
    """Returns (files, bytes) of the plan's newest state."""
    row = await conn.fetchrow(
        """
        SELECT count(*), coalesce(sum(size), 0)::bigint FROM catalogue.versions
        WHERE tenant_id = $1 AND plan_id = $2 AND last_run IS NULL AND kind = 'f'
        """,
        place.tenant_id,
        place.plan_id,
        timeout=LONG_SECONDS,
    )
    assert row is not None
    return row[0], row[1]


async def close_orphans(conn: Connection, place: CommitPlace) -> None:
    """Closes what lies in folders that the plan does not have any more."""
    await conn.execute(
        """
        WITH RECURSIVE there (folder_id) AS (
        SELECT f.folder_id FROM catalogue.folders f WHERE f.tenant_id = $1 AND f.plan_id = $2
        AND f.parent_id = 0 AND f.name = ''
        UNION ALL
        SELECT f.folder_id FROM there JOIN catalogue.folders f ON f.tenant_id = $1
        AND f.plan_id = $2 AND f.parent_id = there.folder_id
        JOIN catalogue.versions d ON d.tenant_id = $1 AND d.folder_id = f.parent_id
        AND d.name = f.name AND d.kind = 'd' AND d.last_run IS NULL
            ) UPDATE catalogue.versions v SET last_run = $3 - 1 WHERE v.tenant_id = $1
        AND v.plan_id = $2 AND v.last_run IS NULL AND v.first_run < $3
        AND v.folder_id NOT IN (SELECT folder_id FROM there)
        """,
        place.tenant_id,
        place.plan_id,
        place.number,
        timeout=LONG_SECONDS,
    )


async def note_all_names(conn: Connection, place: CommitPlace) -> None:
    """Has all names of a plan made findable, whichever run brought them."""
    await conn.execute(
        """
        DELETE FROM names_due WHERE tenant_id = $1 AND plan_id = $2
        """,
        place.tenant_id,
        place.plan_id,
    )
    await conn.execute(
        """
        INSERT INTO names_due (tenant_id, plan_id, folder_ids)
        SELECT $1, $2, array_agg(folder_id ORDER BY folder_id) FROM (
        SELECT folder_id, row_number() OVER (ORDER BY folder_id) / $3 AS part
        FROM catalogue.folders WHERE tenant_id = $1 AND plan_id = $2
            ) f GROUP BY part ORDER BY part
        """,
        place.tenant_id,
        place.plan_id,
        _FOLDERS_A_ROW,
        timeout=LONG_SECONDS,
    )


async def is_plan_known(conn: Connection, tenant_id: UUID, plan_id: UUID) -> bool:
    """Whether a plan was brought back before."""
    return bool(
        await conn.fetchval(
            """
            SELECT true FROM plans WHERE tenant_id = $1 AND plan_id = $2
            """,
            tenant_id,
            plan_id,
        )
    )


async def want_list(conn: Connection, tenant_id: UUID, plan_id: UUID, runs: int) -> None:
    """Has a whole list of a plan written soon."""
    await conn.execute(
        """
        UPDATE plans SET unlisted_runs = $3 WHERE tenant_id = $1 AND plan_id = $2
        """,
        tenant_id,
        plan_id,
        runs,
    )
