"""What the catalogue's queries return.

Paths are bytes relative to the plan's root, components joined by `/`, `b""` for the root.
A run N sees a version when first_run <= N and last_run is null or >= N.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias
from uuid import UUID

if TYPE_CHECKING:
    from asyncpg import Connection, Record
    from asyncpg.pool import PoolConnectionProxy

    Link: TypeAlias = Connection[Record] | PoolConnectionProxy[Record]

Kind = Literal["f", "d", "l", "p", "b", "c"]


@dataclass(frozen=True, slots=True)
class CataloguePlan:
    """A plan as the catalogue knows it; `last_run` is its newest restore point's number."""

    plan_id: UUID
    agent_id: UUID
    name: str
    created_at: datetime
    last_run: int | None


@dataclass(frozen=True, slots=True)
class RestorePoint:
    """A committed run; `sealed` is what proves it (libs.shared.proofs), None for nothing."""

    plan_id: UUID
    number: int
    run_id: UUID
    committed_at: datetime
    files_total: int
    bytes_protected: int
    sealed: bytes | None = None


class EntryRow(NamedTuple):
    """One version of one path; `chunk_ids` is 32 bytes a chunk, in the file's order.

    Listings leave them out (b""): those of a large file are longer than all the rest.
    """

    name: bytes
    kind: Kind
    mode: int
    mtime_ns: int
    uid: int
    gid: int
    size: int
    target: bytes
    chunk_ids: bytes
    attributes: bytes
    crc32: int
    first_run: int
    last_run: int | None


class ChunkPlace(NamedTuple):
    """Where a chunk lies: `length` sealed bytes at `offset` of its pack's object are its frame.

    start: of the frame's content, which has `frame_size` bytes; 0 for a chunk sealed alone.
    """

    chunk_id: bytes
    pack_id: bytes
    pack_no: int
    offset: int
    length: int
    size: int
    encoding: int
    crc32: int
    start: int
    frame_size: int


ROOT = EntryRow(b"", "d", 0o755, 0, 0, 0, 0, b"", b"", b"", 0, 0, None)
"""The plan's root, which no run records."""

ATTRIBUTES = (
    "CASE WHEN v.attributes_id IS NULL THEN ''::bytea ELSE coalesce((SELECT a.content"
    " FROM catalogue.attribute_sets a WHERE a.tenant_id = $1"
    " AND a.attributes_id = v.attributes_id), v.attributes_id) END AS attributes"
)
"""SQL for the attributes of a version `v`; tenant is $1.

A set that is gone reads as what proves nothing, never as none.
"""
PROVEN_COLUMNS = (
    "v.name, v.kind::text, v.mode, v.mtime_ns, v.uid, v.gid, v.size, v.target, v.chunk_ids,"
    f" {ATTRIBUTES}"
)
"""What of a version `v` makes an entry, and is proven."""
ENTRY_COLUMNS = f"{PROVEN_COLUMNS}, v.crc32, v.first_run, v.last_run"
ROW_FIELDS = 13
"""How many columns ENTRY_COLUMNS are."""
LISTED_COLUMNS = ENTRY_COLUMNS.replace("v.chunk_ids", "''::bytea AS chunk_ids")


def kept(version: str, only: str = "") -> str:
    """SQL for whether no reduction in effect dropped a version, by its alias.

    only: an array of reductions; others don't count then.
    """
    among = f" AND x.reduction_id = ANY({only})" if only else ""
    return (
        "NOT EXISTS (SELECT FROM catalogue.dropped x"
        f" WHERE x.tenant_id = {version}.tenant_id AND x.folder_id = {version}.folder_id"
        f" AND ({version}.first_run <= x.begun_by OR {version}.last_run <= x.ended_by){among})"
    )


def shown(point: str) -> str:
    """SQL for whether no reduction in effect hides a restore point, by its alias."""
    return (
        "NOT EXISTS (SELECT FROM catalogue.reductions y"
        f" WHERE y.tenant_id = {point}.tenant_id AND y.plan_id = {point}.plan_id"
        f" AND y.hides_through >= {point}.number AND y.state <> 'withdrawn')"
    )


def stored(chunk: str) -> str:
    """SQL for a chunk's part of its frame's stored bytes, by its alias.

    Rounded up: a sum of 0 says that there is no chunk, and its pack goes.
    """
    content = f"greatest({chunk}.frame_size, {chunk}.size)"
    return f"(({chunk}.length::bigint * {chunk}.size + {content} - 1) / {content})"


def join_path(folder: bytes, name: bytes) -> bytes:
    """Returns the path of a name in a folder."""
    return folder + b"/" + name if folder else name


def split_path(path: bytes) -> list[bytes]:
    """Returns the components of a path; leading, trailing and double slashes are tolerated."""
    return [component for component in path.split(b"/") if component]
