"""Names made findable, after the commit that brought them: nobody waits for it."""

from __future__ import annotations

from array import array
from collections.abc import AsyncIterator
from itertools import groupby
from operator import itemgetter

from libs.shared import database
from libs.shared.catalogue import terms
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection, Pool
from services.ingest import store


async def add_due_names(pool: Pool) -> bool:
    """Makes the names of one row of what is due findable; False if nothing was due."""
    async with database.transaction(pool) as conn:
        due = await store.names.take_names_due(conn)
        if due is None:
            return False
        await store.sessions.allow_long_statements(conn)
        adding = _Adding(conn, due, await store.names.lock_bundle_count(conn, due.tenant_id))
        async for folder_id, names in _by_folder(conn, due):
            await adding.add(folder_id, names)
        await adding.finish()
        crashpoint("ingest.in_add_names")
    return True


async def _by_folder(
    conn: Connection, due: store.names.NamesDue
) -> AsyncIterator[tuple[int, list[bytes]]]:
    """A folder's names as they come; those of a large one in several parts."""
    async for rows in store.names.list_new_names(conn, due):
        for folder_id, group in groupby(rows, itemgetter(0)):
            yield folder_id, [name for _, name in group]


class _Adding:
    """Bundles on their way to their shelves."""

    def __init__(self, conn: Connection, due: store.names.NamesDue, next_no: int) -> None:
        self._conn = conn
        self._due = due
        self._next_no = next_no
        self._above: dict[int, list[int]] = {}
        self._bundles: list[store.names.Bundle] = []
        self._places: dict[bytes, array[int]] = {}

    async def add(self, folder_id: int, names: list[bytes]) -> None:
        """Bundles new names of one folder."""
        if not self._above:
            self._above = await store.names.find_above(
                self._conn, self._due.tenant_id, self._due.folder_ids
            )
        above = self._above[folder_id]
        for at in range(0, len(names), terms.BUNDLE_NAMES):
            part = names[at : at + terms.BUNDLE_NAMES]
            place = self._next_no % terms.SHELF_BUNDLES
            for term in terms.list_terms(part, above):
                places = self._places.get(term)
                if places is None:
                    places = self._places[term] = array("H")
                places.append(place)
            self._bundles.append(store.names.Bundle(self._next_no, folder_id, part))
            self._next_no += 1
            # A shelf at a time: each time that a term gets places it is written anew.
            if place == terms.SHELF_BUNDLES - 1:
                await self._flush()

    async def finish(self) -> None:
        """Writes what is left, and how many there are now."""
        await self._flush()
        await store.names.set_bundle_count(self._conn, self._due.tenant_id, self._next_no)

    async def _flush(self) -> None:
        if not self._bundles:
            return
        tenant_id = self._due.tenant_id
        shelf = self._bundles[0].bundle_no // terms.SHELF_BUNDLES
        await store.names.add_bundles(self._conn, tenant_id, self._due.plan_id, self._bundles)
        await store.names.add_places(self._conn, tenant_id, shelf, self._places)
        self._bundles, self._places = [], {}
