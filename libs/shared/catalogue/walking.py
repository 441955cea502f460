"""Walking what lies at a path and below it: as one run saw it, or all versions there are.

Each batch is read in a transaction that the walker is told how to begin. They may be many short
ones, so that a slow reader holds none: what a run saw never changes, so the batches fit together.
What a reduction dropped is passed over by those that were in effect at the beginning.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar
from uuid import UUID

from libs.shared import errors
from libs.shared.catalogue.digests import find_digest
from libs.shared.catalogue.reading import find_folder, list_reductions
from libs.shared.catalogue.rows import (
    ENTRY_COLUMNS,
    LISTED_COLUMNS,
    PROVEN_COLUMNS,
    EntryRow,
    join_path,
    kept,
    split_path,
)
from libs.shared.entries import Entry
from libs.shared.proofs import ENTRY_FIELDS, MODULUS, Prover, Unproven

if TYPE_CHECKING:
    from asyncpg import Record

    from libs.shared.catalogue.rows import Link

T = TypeVar("T")

_FOLDERS_AT_ONCE = 128
VERSIONS_AT_ONCE = 2_000
# In order, what was read ahead waits: this much of it at most, however deep the tree is.
_VERSIONS_AHEAD = 20_000
_BEGINNING = (b"", 0)


class PointExpired(errors.Refusal):
    """The restore point expired while it was read: what was read may lack versions."""

    code = "restore-point-expired"
    status = 410
    title = "The restore point has expired"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def detail(self) -> str:
        return f"Run {self.number} expired while it was read; recover from a newer restore point."


@dataclass(frozen=True, slots=True)
class Tree:
    """What is walked: a path of a plan as a run saw it; `run_number` None for all versions."""

    tenant_id: UUID
    plan_id: UUID
    run_number: int | None
    path: bytes = b""


@dataclass(frozen=True, slots=True)
class PathProof:
    """What a path came to when its run was committed, to compare with what is walked.

    digest: of the root folder, or what the path's own entry adds to its folder's digest.
    """

    prover: Prover
    digest: int


@dataclass(frozen=True, slots=True)
class Columns(Generic[T]):
    """What is read of each version `v`, and what is made of it.

    To be proven, they begin with the fields that `Prover.entry` takes.
    """

    names: str
    make: Callable[..., T]


ROWS = Columns(ENTRY_COLUMNS, EntryRow)

LISTED = Columns(LISTED_COLUMNS, EntryRow)
"""Rows without the ids of their chunks: to be counted, not to be proven."""

ENTRIES = Columns(PROVEN_COLUMNS, Entry)
"""Entries as they travel."""


@dataclass(slots=True)
class _Folder(Generic[T]):
    """A folder on the way: `found` and `below` were read of it and are still to be passed on.

    entry: its own, where that comes only now; after: the (name, first run) where reading goes on.
    digest: what it should come to; sum: what it came to so far.
    """

    folder_id: int
    path: bytes
    entry: T | None = None
    after: tuple[bytes, int] = _BEGINNING
    is_read: bool = False
    is_whole: bool = False
    found: list[T] = field(default_factory=list)
    below: list[_Folder[T]] = field(default_factory=list)
    digest: int = 0
    sum: int = 0


async def walk(
    begin: Callable[[], AbstractAsyncContextManager[Link]],
    tree: Tree,
    columns: Columns[T],
    *,
    in_order: bool = False,
    at_once: int = VERSIONS_AT_ONCE,
    proof: PathProof | None = None,
) -> AsyncGenerator[list[tuple[bytes, list[T]]], None]:
    """Yields what lies at a path and below it, in batches: (folder's path, some of what it holds).

    A folder's own entry comes before what is in it; parts of a large folder follow each other by
    name, an empty one has none. `in_order` has the entry right before all that lies below it, which
    takes more requests. Holds some batches and the folders still to visit, never the tree.

    Raises PointExpired at the end where the restore point expired meanwhile: retention takes it
    away before any version that it shows, so where it is still there, nothing was missing.
    proof: raises Unproven once a folder was read that is not what it was; the end proves the rest.
    """
    walker = _Walker(tree, columns, in_order, at_once, proof)
    try:
        async with begin() as conn:
            await walker.start(conn)
        while walker.waiting:
            part = walker.next_folders()
            if not part[0].is_read:
                async with begin() as conn:
                    await walker.read(conn, part)
            if batch := walker.pass_on(part):
                yield batch
    except Unproven:
        await _check_there(begin, tree)
        raise
    if walker.batch:
        yield walker.batch
    await _check_there(begin, tree)


async def _check_there(begin: Callable[[], AbstractAsyncContextManager[Link]], tree: Tree) -> None:
    """That the restore point has not expired; one that a reduction hides by now is there still."""
    if tree.run_number is not None:
        async with begin() as conn:
            if not await conn.fetchval(
                """
                SELECT true FROM catalogue.runs
                WHERE tenant_id = $1 AND plan_id = $2 AND number = $3
                """,
                tree.tenant_id,
                tree.plan_id,
                tree.run_number,
            ):
                raise PointExpired(tree.run_number)


class _Walker(Generic[T]):
    """The folders still to visit, the next one last, and the batch that is being filled."""

    def __init__(
        self,
        tree: Tree,
        columns: Columns[T],
        in_order: bool,
        at_once: int,
        proof: PathProof | None,
    ) -> None:
        self.waiting: list[_Folder[T]] = []
        self.batch: list[tuple[bytes, list[T]]] = []
        self._tree = tree
        self._make = columns.make
        self._dropped: list[UUID] = []
        self._names = columns.names
        self._statement = ""
        self._proof = proof
        self._in_order = in_order
        self._at_once = at_once
        self._filled = 0
        self._ahead = 0

    async def start(self, conn: Link) -> None:
        """Finds the path: its own entry comes first."""
        tree = self._tree
        if tree.run_number is not None:
            self._dropped = await list_reductions(conn, tree.tenant_id, tree.plan_id)
        self._statement = _statement(
            self._names,
            tree.run_number,
            is_proven=self._proof is not None,
            is_reduced=bool(self._dropped),
        )
        *above, name = [b"", *split_path(tree.path)]
        path = b"/".join(above[1:])
        digest = self._proof.digest if self._proof else 0
        folder_id = await find_folder(conn, tree.tenant_id, tree.plan_id, path)
        if folder_id is None:
            if digest:
                raise Unproven(tree.run_number or 0)
            return
        if not name:
            self.waiting = [_Folder(folder_id, b"", digest=digest)]
            return
        parent: _Folder[T] = _Folder(folder_id, path, after=(name, 0))
        await self._fetch(conn, [parent], 1)
        if self._proof and parent.sum % MODULUS != digest:
            raise Unproven(tree.run_number or 0)
        if parent.after[0] == name:
            self.batch = [(path, parent.found)] if parent.found else []
            self.waiting = parent.below

    def next_folders(self) -> list[_Folder[T]]:
        """Those to be visited next, as many as are read at once."""
        if self._in_order and self._ahead > _VERSIONS_AHEAD:
            return self.waiting[-1:]
        return self.waiting[: -_FOLDERS_AT_ONCE - 1 : -1]

    async def read(self, conn: Link, part: list[_Folder[T]]) -> None:
        """Reads on in some folders, until they or a batch are at their end."""
        unread = [folder for folder in part if not folder.is_read]
        await self._fetch(conn, unread, self._at_once)
        if self._tree.run_number is None:
            ended = {folder.folder_id: folder for folder in unread if folder.is_whole}
            await self._find_below(conn, ended)
        self._ahead += sum(len(folder.found) + len(folder.below) for folder in unread)

    def pass_on(self, part: list[_Folder[T]]) -> list[tuple[bytes, list[T]]]:
        """What was read of the folders whose turn it is, once that fills a batch."""
        turn = part[:1] if self._in_order else [folder for folder in part if folder.is_read]
        del self.waiting[-len(turn) :]
        for folder in turn:
            if folder.entry is not None:
                self._add(folder.path.rpartition(b"/")[0], [folder.entry])
                folder.entry = None
            if folder.found:
                self._add(folder.path, folder.found)
        for folder in reversed(turn):
            below = folder.below
            self._ahead -= len(folder.found) + len(below)
            if not folder.is_whole:
                folder.is_read, folder.found, folder.below = False, [], []
                self.waiting.append(folder)
            self.waiting += reversed(below)
        if self._in_order and self._filled < self._at_once:
            return []
        batch, self.batch, self._filled = self.batch, [], 0
        return batch

    def _add(self, folder: bytes, entries: list[T]) -> None:
        self.batch.append((folder, entries))
        self._filled += len(entries)

    async def _fetch(self, conn: Link, folders: list[_Folder[T]], limit: int) -> None:
        """Reads so many versions of some folders; those behind the last one stay unread."""
        tree = self._tree
        pinned = () if tree.run_number is None else (tree.plan_id, tree.run_number)
        rows = await conn.fetch(
            self._statement,
            tree.tenant_id,
            [folder.folder_id for folder in folders],
            [folder.after[0] for folder in folders],
            [folder.after[1] for folder in folders],
            limit,
            *pinned,
            *([self._dropped] if self._dropped else []),
        )
        make, in_order = self._make, self._in_order
        prover = self._proof.prover if self._proof else None
        place = digest = 0
        for row in rows:
            if row[0] != place:
                place = row[0]
                folder = folders[place - 1]
                found, below, path = folder.found, folder.below, folder.path
            child_id = row[1]
            if prover is not None:
                digest = _count(prover, folder, row)
            if row[5]:
                continue
            entry = make(*row[6:])
            if child_id is None:
                found.append(entry)
            elif in_order:
                below.append(_Folder(child_id, join_path(path, row[2]), entry, digest=digest))
            else:
                found.append(entry)
                below.append(_Folder(child_id, join_path(path, row[2]), digest=digest))
        is_full = len(rows) == limit
        ended = place - 1 if is_full else len(folders)
        for folder in folders[:ended]:
            folder.is_read = folder.is_whole = True
            if prover is not None and folder.sum % MODULUS != folder.digest:
                raise Unproven(tree.run_number or 0)
        if is_full:
            folder = folders[place - 1]
            folder.is_read, folder.after = True, (rows[-1][2], rows[-1][3])

    async def _find_below(self, conn: Link, parents: dict[int, _Folder[T]]) -> None:
        """The folders directly in these, whether or not any version tells of them."""
        rows = await conn.fetch(
            """
            SELECT parent_id, folder_id, name FROM catalogue.folders
            WHERE tenant_id = $1 AND plan_id = $2 AND parent_id = ANY($3::bigint[])
            """,
            self._tree.tenant_id,
            self._tree.plan_id,
            list(parents),
        )
        for parent_id, folder_id, name in rows:
            parent = parents[parent_id]
            parent.below.append(_Folder(folder_id, join_path(parent.path, name)))


def _count(prover: Prover, folder: _Folder[T], row: Record) -> int:
    """Adds a row to what its folder comes to; returns what it itself should, if it is one."""
    folder.sum += prover.entry(row[6 : 6 + ENTRY_FIELDS])
    if row[1] is None:
        return 0
    digest = prover.show(row[4])
    folder.sum += prover.folder(row[2], digest)
    return digest


def _statement(columns: str, run_number: int | None, *, is_proven: bool, is_reduced: bool) -> str:
    child_id = digest = "NULL::bigint"
    seen, dropped = "", "false"
    if run_number is not None:
        # Not a join: that would hash all of the plan's folders for these few.
        child_id = (
            "CASE WHEN v.kind = 'd' THEN (SELECT f.folder_id FROM catalogue.folders f"
            " WHERE f.tenant_id = $1 AND f.plan_id = $6 AND f.parent_id = v.folder_id"
            " AND f.name = v.name) END"
        )
        seen = " AND first_run <= $7 AND (last_run IS NULL OR last_run >= $7)"
        if is_proven:
            digest = find_digest(child_id, "$7")
        if is_reduced:
            dropped = f"NOT {kept('v', '$8::uuid[]')}"
    # A look-up for each folder: as one condition it would be read in the order of the key,
    # through all of a tenant's rows, as long as the statistics don't know the tenant.
    return f"""SELECT k.place, {child_id}, v.name, v.first_run, {digest}, {dropped}, {columns}
        FROM unnest($2::bigint[], $3::bytea[], $4::integer[])
        WITH ORDINALITY AS k (folder_id, name, first_run, place) CROSS JOIN LATERAL (
          SELECT * FROM catalogue.versions WHERE tenant_id = $1 AND folder_id = k.folder_id
            AND (name, first_run) > (k.name, k.first_run){seen}
          ORDER BY name, first_run LIMIT $5) v
        ORDER BY k.place, v.name, v.first_run LIMIT $5"""  # noqa: S608 - columns and conditions of our own
