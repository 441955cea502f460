"""Restore points are proven: what their folders come to, and their seals (docs/decisions/0037)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from uuid import UUID

from msgspec.structs import astuple

from libs.shared import catalogue, proofs
from libs.shared.catalogue import digests
from libs.shared.database import Connection
from libs.shared.entries import Entry
from libs.shared.keys import TenantKeys
from libs.shared.proofs import PointSeal, Prover, Unproven
from services.ingest import rules, store
from services.ingest.store.sessions import LONG_SECONDS

_IDS_AT_ONCE = 16_384


class Changes:
    """What a run changes in its folders' digests."""

    def __init__(self, prover: Prover) -> None:
        self._prover = prover
        self._sums: dict[int, int] = {}

    def measure(self, entries: Sequence[Entry]) -> list[int]:
        """What each entry adds to its folder's digest."""
        return [self._prover.entry(astuple(entry)) for entry in entries]

    def add(
        self,
        folder_ids: Sequence[int],
        entries: Sequence[Entry],
        measures: Sequence[int],
        only: Iterable[tuple[int, bytes]] | None,
    ) -> None:
        """Counts entries that came; `only` those of these (folder, name), where it says some."""
        wanted = None if only is None else set(only)
        sums = self._sums
        for folder_id, entry, measure in zip(folder_ids, entries, measures, strict=True):
            if wanted is None or (folder_id, entry.name) in wanted:
                sums[folder_id] = sums.get(folder_id, 0) + measure

    async def subtract_closed(self, conn: Connection, place: store.plans.CommitPlace) -> None:
        """Counts the versions that the run closed."""
        sums, make = self._sums, self._prover.entry
        async for folder_id, fields in store.proofs.list_closed(conn, place):
            sums[folder_id] = sums.get(folder_id, 0) - make(fields)

    async def settle(self, conn: Connection, place: store.plans.CommitPlace) -> None:
        """Writes down what the changed folders come to."""
        touched = list(self._sums)
        folders: dict[int, rules.proofs.Folder] = {}
        for at in range(0, len(touched), _IDS_AT_ONCE):
            for found in await store.proofs.list_above(
                conn, place, touched[at : at + _IDS_AT_ONCE]
            ):
                digest = self._prover.show(found.digest)
                folders[found.folder_id] = rules.proofs.Folder(found.parent_id, found.name, digest)
        settled = rules.proofs.settle(self._sums, folders, self._prover)
        hide = self._prover.hide
        rows = [(folder_id, place.number, hide(digest)) for folder_id, digest in settled.items()]
        for at in range(0, len(rows), _IDS_AT_ONCE):
            await store.proofs.put_digests(conn, place.tenant_id, rows[at : at + _IDS_AT_ONCE])
        self._sums.clear()


async def digest_points(
    conn: Connection, place: store.plans.CommitPlace, numbers: Sequence[int], prover: Prover
) -> dict[int, int]:
    """Writes down what a plan's folders came to at restore points; returns their roots' digests.

    numbers: ascending. From all versions that there are: what was written down before is not asked.
    """
    await digests.forget(conn, place.tenant_id, place.plan_id, LONG_SECONDS)
    found = await catalogue.read_folders(conn, place.tenant_id, place.plan_id, numbers, prover)
    rows = [
        (folder_id, number, prover.hide(digest))
        for folder_id, steps in found.steps.items()
        for number, digest in steps
    ]
    for at in range(0, len(rows), _IDS_AT_ONCE):
        await store.proofs.put_digests(conn, place.tenant_id, rows[at : at + _IDS_AT_ONCE])
    return {number: catalogue.digest_at(found.root, number) for number in numbers}


async def find_root(conn: Connection, place: store.plans.CommitPlace, prover: Prover) -> int:
    """Returns the digest of the plan's root folder as it is now."""
    return prover.show(await store.proofs.find_root(conn, place))


def seal(
    keys: TenantKeys,
    prover: Prover,
    place: store.plans.CommitPlace,
    link: tuple[UUID, int | None, bytes | None],
    totals: tuple[int, int],
    root: int,
    now: datetime,
) -> bytes:
    """The seal of a new restore point; link: its run, and number and seal of its parent."""
    run_id, parent, sealed_parent = link
    point = PointSeal(
        run_id=run_id,
        number=place.number,
        parent=parent,
        committed_at=now,
        files_total=totals[0],
        bytes_protected=totals[1],
        root=proofs.write_root(root),
    )
    before = open_seal(keys, place.tenant_id, place.plan_id, parent, sealed_parent)
    linked = prover.link(point, before.chain if before else "")
    return proofs.seal_point(linked, keys, place.tenant_id, place.plan_id)


def open_seal(
    keys: TenantKeys, tenant_id: UUID, plan_id: UUID, number: int | None, sealed: bytes | None
) -> PointSeal | None:
    """The seal of a restore point; None for none, and where it is not what it was."""
    if number is None:
        return None
    try:
        return proofs.open_point(sealed, keys, tenant_id, plan_id, number)
    except Unproven:
        return None


def is_as_sealed(
    keys: TenantKeys,
    place: store.plans.CommitPlace,
    parent: int | None,
    sealed_parent: bytes | None,
    root: int,
) -> bool:
    """Whether the plan's root folder still comes to what its newest restore point was sealed as."""
    before = open_seal(keys, place.tenant_id, place.plan_id, parent, sealed_parent)
    if before is None:
        return parent is None
    return before.root == proofs.write_root(root)
