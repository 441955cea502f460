"""Search by a part of a name, newest first: by terms to bundles, by names to versions.

A search that finds little reads little more: what it may read for one page is bounded, and a
page that came to that bound tells where the next one goes on. One that has nothing to show by then
reads as much again, since people shouldn't have to ask again for a first result.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from libs.shared.catalogue import history, terms
from libs.shared.catalogue.reading import find_folder
from libs.shared.catalogue.rows import LISTED_COLUMNS, EntryRow, join_path, kept, split_path

if TYPE_CHECKING:
    from libs.shared.catalogue.rows import Link

_LAST_POINT = history.last_point("k.plan_id")
_SHELVES_AT_ONCE = 4
_BUNDLES_AT_ONCE = 16
_BUNDLES_READ = 1_000
_NAMES_READ = 500
_TIMES_READ = 2


@dataclass(frozen=True, slots=True)
class Search:
    """What is searched for: `text` is folded, and not empty.

    below: a path of the plan; deleted: only deleted entries, only others, or (None) both.
    """

    text: str
    plan_id: UUID | None = None
    below: bytes = b""
    deleted: bool | None = None


class Cursor(NamedTuple):
    """Where a search goes on: a bundle, and how many of its names are done with."""

    bundle_no: int
    done: int


class Found(NamedTuple):
    """The newest version of a path, and the last restore point that has it."""

    plan_id: UUID
    path: bytes
    entry: EntryRow
    last_point: int
    last_seen_at: datetime

    @property
    def is_deleted(self) -> bool:
        """Whether the plan's newest restore point has it no more."""
        return self.entry.last_run is not None


class _Bound:
    """What one page may still read."""

    def __init__(self) -> None:
        self.bundles, self.names = _BUNDLES_READ, _NAMES_READ
        self._times = 1

    def is_reached(self, *, has_found: bool) -> bool:
        """Whether the page ends here; one that has found nothing yet is given more."""
        if self.bundles > 0 and self.names > 0:
            return False
        if has_found or self._times == _TIMES_READ:
            return True
        self._times += 1
        self.bundles, self.names = _BUNDLES_READ, _NAMES_READ
        return False


class _Match(NamedTuple):
    """A name that fits, with the place right behind it."""

    plan_id: UUID
    folder_id: int
    name: bytes
    behind: Cursor


async def search(
    conn: Link, tenant_id: UUID, wanted: Search, after: Cursor | None = None, limit: int = 50
) -> tuple[list[Found], Cursor | None]:
    """Returns up to `limit` paths, those first that came last, and where to go on, if anywhere.

    A page may be short, even empty, though there is a next one; what expired and came back may
    stand on two pages. Raises ValueError for an empty text.
    """
    if not wanted.text:
        raise ValueError("there is nothing to search for")
    asked = terms.asked_terms(wanted.text)
    folder = b""
    if wanted.plan_id is not None:
        folder = b"/".join(split_path(wanted.below))
        above = await _find_indexed(conn, tenant_id, wanted.plan_id, folder)
        if above is None:
            return [], None
        asked.append(terms.below(above))
    bound = _Bound()
    reading = _Reading(conn, tenant_id, wanted.text, asked, after)
    found: list[Found] = []
    seen: set[tuple[int, bytes]] = set()
    async for matches, behind_all in reading.matches(bound):
        for at in range(0, len(matches), limit):
            part = matches[at : at + limit]
            fresh = _take_new(part, seen)
            bound.names -= len(part)
            for one, row in await _resolve(conn, tenant_id, fresh, folder, wanted.deleted):
                found.append(row)
                if len(found) == limit:
                    return found, one.behind
            if bound.names <= 0 and bound.is_reached(has_found=bool(found)):
                return found, part[-1].behind
        if bound.is_reached(has_found=bool(found)):
            return found, behind_all
    return found, None


def _take_new(matches: list[_Match], seen: set[tuple[int, bytes]]) -> list[_Match]:
    """Each name once: one that came back after its versions had all gone is in two bundles."""
    fresh = []
    for one in matches:
        if (one.folder_id, one.name) not in seen:
            seen.add((one.folder_id, one.name))
            fresh.append(one)
    return fresh


async def _find_indexed(conn: Link, tenant_id: UUID, plan_id: UUID, folder: bytes) -> int | None:
    """The id of a folder, or of the deepest one above it that is a term."""
    if await find_folder(conn, tenant_id, plan_id, folder) is None:
        return None
    parts = folder.split(b"/") if folder else []
    return await find_folder(conn, tenant_id, plan_id, b"/".join(parts[: terms.DEEPEST_TERM - 1]))


class _Reading:
    """Goes through a tenant's shelves from the newest bundle on."""

    def __init__(
        self, conn: Link, tenant_id: UUID, text: str, asked: list[bytes], after: Cursor | None
    ) -> None:
        self._conn = conn
        self._tenant_id = tenant_id
        self._text = text
        self._asked = asked
        self._after = after

    async def matches(self, bound: _Bound) -> AsyncIterator[tuple[list[_Match], Cursor | None]]:
        """Yields names that fit, of some bundles at a time, and the place right behind these."""
        step = _BUNDLES_AT_ONCE
        async for candidates in self._candidates():
            at = 0
            while at < len(candidates):
                part = candidates[at : at + min(step, bound.bundles)]
                at += len(part)
                bound.bundles -= len(part)
                step *= 2
                yield await self._read(part), Cursor(part[-1] - 1, 0) if part[-1] else None

    async def _candidates(self) -> AsyncIterator[list[int]]:
        """Bundles that have all the terms, newest first, some shelves at a time."""
        count = await self._conn.fetchval(
            """
            SELECT bundles FROM catalogue.bundle_counts WHERE tenant_id = $1
            """,
            self._tenant_id,
        )
        if not count:
            return
        newest = count - 1 if self._after is None else min(self._after.bundle_no, count - 1)
        high = newest // terms.SHELF_BUNDLES
        step = _SHELVES_AT_ONCE
        while high >= 0:
            low = max(0, high - step + 1)
            shelves = await self._read_shelves(low, high)
            candidates = [
                shelf * terms.SHELF_BUNDLES + place
                for shelf in sorted(shelves, reverse=True)
                for place in sorted(shelves[shelf], reverse=True)
            ]
            candidates = [number for number in candidates if number <= newest]
            if candidates:
                yield candidates
            high = low - 1
            step *= 4

    async def _read_shelves(self, low: int, high: int) -> dict[int, set[int]]:
        """The places that have all the terms, by shelf."""
        rows = await self._conn.fetch(
            """
            SELECT shelf, places FROM catalogue.terms WHERE tenant_id = $1
            AND term = ANY($2::bytea[]) AND shelf BETWEEN $3 AND $4
            """,
            self._tenant_id,
            self._asked,
            low,
            high,
        )
        shelves: dict[int, list[bytes]] = {}
        for shelf, places in rows:
            shelves.setdefault(shelf, []).append(places)
        found = {}
        for shelf, lists in shelves.items():
            if len(lists) == len(self._asked):
                # Parts of one word often stand in the same places.
                shortest, *others = sorted(set(lists), key=len)
                common = set(terms.unpack_places(shortest))
                for places in others:
                    if not common:
                        break
                    common.intersection_update(terms.unpack_places(places))
                if common:
                    found[shelf] = common
        return found

    async def _read(self, bundle_nos: list[int]) -> list[_Match]:
        """The names that fit in some bundles, newest first."""
        rows = await self._conn.fetch(
            """
            SELECT bundle_no, plan_id, folder_id, names FROM catalogue.bundles
            WHERE tenant_id = $1 AND bundle_no = ANY($2::bigint[]) ORDER BY bundle_no DESC
            """,
            self._tenant_id,
            bundle_nos,
        )
        found = []
        for bundle_no, plan_id, folder_id, packed in rows:
            done = 0
            if self._after is not None and self._after.bundle_no == bundle_no:
                done = self._after.done
            found += [
                _Match(plan_id, folder_id, name, Cursor(bundle_no, number + 1))
                for number, name in terms.find_names(packed, self._text)
                if number >= done
            ]
        return found


async def _resolve(
    conn: Link, tenant_id: UUID, matches: list[_Match], below: bytes, deleted: bool | None
) -> list[tuple[_Match, Found]]:
    """The newest versions of names below a folder; what is expired altogether is left out."""
    # LIMIT keeps the look-ups by key: no join can become of them.
    rows = await conn.fetch(
        f"""
        SELECT k.number, {LISTED_COLUMNS}, e.number, e.committed_at
        FROM unnest($2::uuid[], $3::bigint[], $4::bytea[]) WITH ORDINALITY
        AS k (plan_id, folder_id, name, number)
        CROSS JOIN LATERAL (SELECT * FROM catalogue.versions n WHERE n.tenant_id = $1
            AND n.folder_id = k.folder_id AND n.name = k.name AND {kept("n")}
            ORDER BY n.first_run DESC LIMIT 1) v
        CROSS JOIN LATERAL ({_LAST_POINT}) e
        WHERE $5::boolean IS NULL OR (v.last_run IS NOT NULL) = $5 ORDER BY k.number
        """,  # noqa: S608 - columns and conditions of our own
        tenant_id,
        [one.plan_id for one in matches],
        [one.folder_id for one in matches],
        [one.name for one in matches],
        deleted,
    )
    folders = await find_paths(
        conn, tenant_id, list({matches[row[0] - 1].folder_id for row in rows})
    )
    found = []
    for number, *columns, last_point, last_seen_at in rows:
        one = matches[number - 1]
        folder = folders[one.folder_id]
        path = join_path(folder, one.name)
        # Below the deepest term only the path itself tells.
        if below and not path.startswith(below + b"/"):
            continue
        row = Found(one.plan_id, path, EntryRow(*columns), last_point, last_seen_at)
        found.append((one, row))
    return found


async def find_paths(conn: Link, tenant_id: UUID, folder_ids: list[int]) -> dict[int, bytes]:
    """Returns the paths of folders by their ids."""
    rows = await conn.fetch(
        """
        WITH RECURSIVE up (folder_id, parent_id, depth, name) AS (
            SELECT t.folder_id, f.parent_id, 0, f.name FROM unnest($2::bigint[]) AS t (folder_id)
            CROSS JOIN LATERAL (SELECT parent_id, name FROM catalogue.folders
                WHERE tenant_id = $1 AND folder_id = t.folder_id LIMIT 1) f
            UNION ALL
            SELECT up.folder_id, f.parent_id, up.depth + 1, f.name FROM up
            CROSS JOIN LATERAL (SELECT parent_id, name FROM catalogue.folders
                WHERE tenant_id = $1 AND folder_id = up.parent_id LIMIT 1) f
        ) SELECT folder_id, array_agg(name ORDER BY depth DESC) FROM up GROUP BY folder_id
        """,
        tenant_id,
        folder_ids,
    )
    # The first name is the root's, which is empty.
    return {row[0]: b"/".join(row[1][1:]) for row in rows}
