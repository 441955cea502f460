"""The backup of our own database: what PostgreSQL tells of it."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from libs.shared.database import Connection


class Archiving(NamedTuple):
    """How far PostgreSQL's WAL is archived, and when a base backup last ended, by its own clock.

    archived_at: since when nothing was archived; where nothing ever was, since it counts.
    failures: tries that failed since it counts.
    base_backup_at: None where it knows of none that was made of this very server, or was never
        asked to tell us (`bootstrap`).
    """

    archived_at: datetime
    failures: int
    base_backup_at: datetime | None


async def find_archiving(conn: Connection) -> Archiving | None:
    """Returns what PostgreSQL says of its archiving; None where it is to archive nothing."""
    row = await conn.fetchrow(
        """
        SELECT coalesce(last_archived_time, stats_reset), failed_count,
               has_function_privilege('pg_ls_archive_statusdir()', 'EXECUTE')
        FROM pg_stat_archiver WHERE current_setting('archive_mode') <> 'off'
        """
    )
    if row is None:
        return None
    archived_at, failures, may_look = row
    return Archiving(archived_at, failures, await _find_base_backup(conn) if may_look else None)


async def _find_base_backup(conn: Connection) -> datetime | None:
    """When the newest base backup ended: what it left among the WAL stays until the next does."""
    ended_at: datetime | None = await conn.fetchval(
        """
        SELECT max(modification) FROM pg_ls_archive_statusdir() WHERE name ~ '[.]backup[.]'
        """
    )
    return ended_at
