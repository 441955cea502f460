"""Digests of folders: found, proven up to the root, and computed anew from all versions."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from libs.shared.catalogue.rows import ENTRY_COLUMNS, EntryRow, split_path
from libs.shared.proofs import ENTRY_FIELDS, MODULUS, Prover, Unproven

if TYPE_CHECKING:
    from libs.shared.catalogue.rows import Link

_ROWS_AT_ONCE = 2_000

_DIGEST = (
    "(SELECT g.digest FROM catalogue.folder_digests g WHERE g.tenant_id = $1"
    " AND g.folder_id = {} AND g.first_run <= {} ORDER BY g.first_run DESC LIMIT 1)"
)

Steps = list[tuple[int, int]]
"""(restore point, digest) wherever the digest becomes another one, in order; before it is 0."""


class Folders(NamedTuple):
    """All folders of a plan by id: (parent's id, name), and what each came to."""

    places: dict[int, tuple[int, bytes]]
    steps: dict[int, Steps]

    @property
    def root(self) -> Steps:
        """What the root folder came to."""
        roots = [one for one, place in self.places.items() if place == (0, b"")]
        return self.steps[roots[0]] if roots else []


def find_digest(folder_id: str, run_number: str) -> str:
    """SQL for the hidden digest of a folder at a run; tenant is $1."""
    return _DIGEST.format(folder_id, run_number)


_OF_SUBFOLDER = find_digest(
    "(SELECT f.folder_id FROM catalogue.folders f WHERE f.tenant_id = $1"
    " AND f.plan_id = $2 AND f.parent_id = v.folder_id AND f.name = v.name)",
    "$4",
)


async def prove_entries(
    conn: Link,
    place: tuple[UUID, UUID, int],
    folder: bytes,
    names: Collection[bytes],
    prover: Prover,
    root: int,
) -> dict[bytes, tuple[EntryRow, int]]:
    """Returns (entry, what it adds to the folder's digest) of some names in a folder, by name.

    place: tenant, plan and run. Reads the folder and those above it whole, each once. Raises
    Unproven where one of them is not what it was, and where a name is not in it. Needs an open
    transaction.
    """
    digest = root
    folder_id = await _find_child(conn, *place[:2], 0, b"")
    for name in split_path(folder):
        found = await _prove_folder(conn, place, folder_id, [name], prover, digest)
        digest = found[name][2]
        folder_id = await _find_child(conn, *place[:2], folder_id, name)
    found = await _prove_folder(conn, place, folder_id, names, prover, digest)
    return {name: (entry, added) for name, (entry, added, _) in found.items()}


async def _prove_folder(
    conn: Link,
    place: tuple[UUID, UUID, int],
    folder_id: int | None,
    names: Collection[bytes],
    prover: Prover,
    digest: int,
) -> dict[bytes, tuple[EntryRow, int, int]]:
    """(entry, what it adds, its own digest as a folder) of names in a folder, by name."""
    tenant_id, plan_id, number = place
    wanted = set(names)
    found: dict[bytes, tuple[EntryRow, int, int]] = {}
    total = 0
    rows = conn.cursor(
        f"""
        SELECT {ENTRY_COLUMNS}, CASE WHEN v.kind = 'd' THEN {_OF_SUBFOLDER} END
        FROM catalogue.versions v WHERE v.tenant_id = $1 AND v.folder_id = $3
            AND v.first_run <= $4 AND (v.last_run IS NULL OR v.last_run >= $4)
        """,  # noqa: S608 - columns and conditions of our own
        tenant_id,
        plan_id,
        folder_id,
        number,
        prefetch=_ROWS_AT_ONCE,
    )
    async for row in rows:
        content = prover.show(row[-1])
        adds = prover.entry(row[:ENTRY_FIELDS]) + prover.folder(row[0], content)
        total += adds
        if row[0] in wanted:
            found[row[0]] = EntryRow(*row[:-1]), adds % MODULUS, content
    if len(found) < len(wanted) or total % MODULUS != digest:
        raise Unproven(number)
    return found


async def _find_child(
    conn: Link, tenant_id: UUID, plan_id: UUID, parent_id: int | None, name: bytes
) -> int | None:
    folder_id: int | None = await conn.fetchval(
        """
        SELECT folder_id FROM catalogue.folders WHERE tenant_id = $1 AND plan_id = $2
        AND parent_id = $3 AND name = $4
        """,
        tenant_id,
        plan_id,
        parent_id,
        name,
    )
    return folder_id


async def read_folders(
    conn: Link, tenant_id: UUID, plan_id: UUID, numbers: Sequence[int], prover: Prover
) -> Folders:
    """Computes what all folders of a plan came to at its restore points, from all versions.

    numbers: of the restore points, ascending. Needs an open transaction that sees one moment;
    holds the folders, never the versions.
    """
    places = {
        row[0]: (row[1], row[2])
        for row in await conn.fetch(
            """
            SELECT folder_id, parent_id, name FROM catalogue.folders
            WHERE tenant_id = $1 AND plan_id = $2
            """,
            tenant_id,
            plan_id,
        )
    }
    own: dict[int, dict[int, int]] = {}
    shown: dict[int, dict[bytes, list[tuple[int, int]]]] = {}
    rows = conn.cursor(
        f"""
        SELECT {ENTRY_COLUMNS}, v.folder_id FROM catalogue.versions v
        WHERE v.tenant_id = $1 AND v.plan_id = $2
        """,  # noqa: S608 - columns and conditions of our own
        tenant_id,
        plan_id,
        prefetch=_ROWS_AT_ONCE,
    )
    async for row in rows:
        first, last, folder_id = row[-3:]
        begin = bisect_left(numbers, first)
        end = len(numbers) if last is None else bisect_left(numbers, last + 1)
        if begin == end:
            continue
        adds = prover.entry(row[:ENTRY_FIELDS])
        changes = own.setdefault(folder_id, {})
        _change(changes, numbers, begin, end, adds)
        if row[1] == "d":
            shown.setdefault(folder_id, {}).setdefault(row[0], []).append((begin, end))
    return Folders(places, _sum_up(places, own, shown, numbers, prover))


def _change(
    changes: dict[int, int], numbers: Sequence[int], begin: int, end: int, adds: int
) -> None:
    changes[numbers[begin]] = changes.get(numbers[begin], 0) + adds
    if end < len(numbers):
        changes[numbers[end]] = changes.get(numbers[end], 0) - adds


def _sum_up(
    places: Mapping[int, tuple[int, bytes]],
    own: Mapping[int, dict[int, int]],
    shown: Mapping[int, Mapping[bytes, list[tuple[int, int]]]],
    numbers: Sequence[int],
    prover: Prover,
) -> dict[int, Steps]:
    """Folders' digests, the deepest first; a folder counts where a version says that it is one."""
    steps: dict[int, Steps] = {}
    for folder_id in _deepest_first(places):
        changes = own.get(folder_id, {})
        steps[folder_id] = mine = _steps(changes)
        parent_id, name = places[folder_id]
        if not mine or parent_id not in places:
            continue
        above = own.get(parent_id)
        if above is None:
            continue
        ends = [number for number, _ in mine[1:]] + [None]
        for (number, digest), until in zip(mine, ends, strict=True):
            adds = prover.folder(name, digest)
            first = bisect_left(numbers, number)
            last = len(numbers) if until is None else bisect_left(numbers, until)
            for begin, end in shown.get(parent_id, {}).get(name, []):
                if max(begin, first) < min(end, last):
                    _change(above, numbers, max(begin, first), min(end, last), adds)
    return steps


def _steps(changes: Mapping[int, int]) -> Steps:
    steps: Steps = []
    digest = 0
    for number in sorted(changes):
        after = (digest + changes[number]) % MODULUS
        if after != digest:
            steps.append((number, after))
        digest = after
    return steps


def _deepest_first(places: Mapping[int, tuple[int, bytes]]) -> Iterable[int]:
    depths: dict[int, int] = {0: -1}
    for start in places:
        way: list[int] = []
        folder_id = start
        while folder_id not in depths and folder_id in places and len(way) <= len(places):
            way.append(folder_id)
            folder_id = places[folder_id][0]
        depth = depths.get(folder_id, -1)
        for one in reversed(way):
            depth += 1
            depths[one] = depth
    return sorted(places, key=lambda one: depths[one], reverse=True)


def digest_at(steps: Steps, number: int) -> int:
    """What a folder came to at a restore point."""
    digest = 0
    for begin, after in steps:
        if begin > number:
            break
        digest = after
    return digest


async def forget(conn: Link, tenant_id: UUID, plan_id: UUID, seconds: float) -> None:
    """Takes away all that was written down of a plan's folders, which may take that long."""
    await conn.execute(
        """
        DELETE FROM catalogue.folder_digests d USING catalogue.folders f
        WHERE f.tenant_id = $1 AND f.plan_id = $2 AND d.tenant_id = $1
        AND d.folder_id = f.folder_id
        """,
        tenant_id,
        plan_id,
        timeout=seconds,
    )
