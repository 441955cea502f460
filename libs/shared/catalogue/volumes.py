"""A tenant's volume: the one row of it, its changes with their event, and what it comes to.

Stored are the bytes of all packs that are not condemned, but what only dropped versions need of
them; protected the sizes of the files in the
newest restore points.
"""

from __future__ import annotations

from typing import NamedTuple
from uuid import UUID

from libs.shared import outbox
from libs.shared.database import Connection
from libs.shared.events import VolumeChanged

_LONG_SECONDS = 3_600.0
"""The driver's time-out for sums over all rows; the server's is the transaction's to choose."""


class Volume(NamedTuple):
    """A tenant's bytes, and the number of their last change."""

    stored_bytes: int
    protected_bytes: int
    sequence: int


class Sums(NamedTuple):
    """What a tenant's volume is said to be, and what the rows behind it come to."""

    volume: Volume
    packs_bytes: int
    files_bytes: int


async def read(conn: Connection, tenant_id: UUID) -> Volume:
    """Returns a tenant's volume; zeros before the first pack."""
    row = await conn.fetchrow(
        """
        SELECT stored_bytes, protected_bytes, sequence FROM catalogue.volumes
        WHERE tenant_id = $1
        """,
        tenant_id,
    )
    return Volume(*row) if row else Volume(0, 0, 0)


async def change(
    conn: Connection, tenant_id: UUID, stored_delta_bytes: int, protected_delta_bytes: int
) -> Volume:
    """Adds to a tenant's volume, publishes the new one and returns it; nothing for nothing.

    The row stays locked. It must be the last lock that a transaction takes: all uploads of a
    tenant meet here.
    """
    if not stored_delta_bytes and not protected_delta_bytes:
        return await read(conn, tenant_id)
    add = """
        UPDATE catalogue.volumes
        SET stored_bytes = stored_bytes + $2, protected_bytes = protected_bytes + $3,
            sequence = sequence + 1
        WHERE tenant_id = $1 RETURNING stored_bytes, protected_bytes, sequence
        """
    deltas = (stored_delta_bytes, protected_delta_bytes)
    while (row := await conn.fetchrow(add, tenant_id, *deltas)) is None:
        await _begin(conn, tenant_id)
    volume = Volume(*row)
    await _publish(conn, tenant_id, volume)
    return volume


async def read_sums(conn: Connection, tenant_id: UUID) -> Sums | None:
    """Returns a tenant's volume beside its sums, in one look; None if there is no row of it."""
    row = await conn.fetchrow(
        """
        SELECT v.stored_bytes, v.protected_bytes, v.sequence,
               (SELECT coalesce(sum(p.object_bytes - p.dropped_bytes), 0) FROM catalogue.packs p
                WHERE p.tenant_id = $1 AND p.state <> 'condemned')::bigint,
               (SELECT coalesce(sum(f.size), 0) FROM catalogue.versions f
                WHERE f.tenant_id = $1 AND f.last_run IS NULL AND f.kind = 'f')::bigint
        FROM catalogue.volumes v WHERE v.tenant_id = $1
        """,
        tenant_id,
        timeout=_LONG_SECONDS,
    )
    return Sums(Volume(*row[:3]), *row[3:]) if row else None


async def sum_anew(
    conn: Connection, tenant_id: UUID, least_sequence: int = 0
) -> tuple[Volume, bool]:
    """Sets a tenant's volume to its sums and publishes it; returns (it, whether it was another).

    Sums under the lock at which all changes of a tenant's bytes meet.
    least_sequence: the change gets at least this number, and is published for its sake alone: a
    rebuild's must be later than any that the lost database gave.
    """
    lock = "SELECT FROM catalogue.volumes WHERE tenant_id = $1 FOR NO KEY UPDATE"
    while not await conn.fetch(lock, tenant_id):
        await _begin(conn, tenant_id)
    sums = await read_sums(conn, tenant_id)
    assert sums is not None
    volume, packs_bytes, files_bytes = sums
    is_right = (volume.stored_bytes, volume.protected_bytes) == (packs_bytes, files_bytes)
    if is_right and volume.sequence >= least_sequence:
        return volume, False
    volume = Volume(packs_bytes, files_bytes, max(volume.sequence + 1, least_sequence))
    await conn.execute(
        """
        UPDATE catalogue.volumes SET stored_bytes = $2, protected_bytes = $3, sequence = $4
        WHERE tenant_id = $1
        """,
        tenant_id,
        *volume,
    )
    await _publish(conn, tenant_id, volume)
    return volume, True


async def _begin(conn: Connection, tenant_id: UUID) -> None:
    await conn.execute(
        """
        INSERT INTO catalogue.volumes (tenant_id, stored_bytes, protected_bytes, sequence)
        VALUES ($1, 0, 0, 0) ON CONFLICT DO NOTHING
        """,
        tenant_id,
    )


async def _publish(conn: Connection, tenant_id: UUID, volume: Volume) -> None:
    await outbox.add(
        conn,
        VolumeChanged(
            tenant_id=tenant_id,
            stored_bytes=volume.stored_bytes,
            protected_bytes=volume.protected_bytes,
            sequence=volume.sequence,
        ),
    )
