"""Files and folders that are taken together, of one folder or of many, and are kept until then."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import groupby
from uuid import UUID
from zoneinfo import ZoneInfo

from libs.shared import catalogue, clock, errors
from libs.shared.catalogue import join_path
from libs.shared.database import Connection, Pool, acquire, tenant_transaction, transaction
from services.portal import store
from services.portal.actions import runs
from services.portal.actions.clients import subscription
from services.portal.actions.files.browsing import (
    AskedPlace,
    Place,
    Root,
    find_point,
)
from services.portal.rules.files import names
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.store.files import SelectedPlace

SELECTED_MAX = 1_000
"""So many places are one selection; a page of a folder shows less."""
KEPT = timedelta(days=7)
_NOTED_CHARACTERS = 2_000
"""So much of the names of a selection stands in the log, beside their number."""


class SelectionTooLarge(errors.Refusal):
    """More places than one selection may have."""

    code = "selection-too-large"
    status = 422
    title = "Too much was selected"

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number

    @property
    def detail(self) -> str:
        return (
            f"{self.number} files and folders were selected, and {SELECTED_MAX} may be: take "
            "whole folders instead."
        )


@dataclass(frozen=True)
class Selection:
    """Places in the order of their paths, point by point, none of them below another one."""

    places: list[Place]

    @property
    def first(self) -> Place:
        """One of them; who looks at it, and in which time zone, is the same for all."""
        return self.places[0]

    @property
    def points(self) -> list[list[Place]]:
        """The places of each restore point."""
        return [list(of) for _, of in groupby(self.places, _point_of)]

    @property
    def roots(self) -> list[Root]:
        """What an archive holds.

        Paths begin in the folder that all are in, or, of several restore points, with a folder
        named by plan and moment."""
        points = self.points
        if len(points) == 1:
            cut = len(_folder_of(points[0]))
            return [Root(one, names.parent(one.path)[cut:].lstrip(b"/")) for one in points[0]]
        taken: set[bytes] = set()
        return [
            Root(one, join_path(name, names.parent(one.path)).rstrip(b"/"))
            for places in points
            for name in [_name_point(places[0], taken)]
            for one in places
        ]

    @property
    def name(self) -> bytes:
        """What an archive is called: as the folder that all are in, where there is one."""
        points = self.points
        if len(points) > 1:
            return b"selection"
        return names.last(_folder_of(points[0])) or self.first.plan.name.encode()

    @property
    def number(self) -> int | None:
        """The number of the only run they are of."""
        return self.first.run.number if len(self.points) == 1 else None

    @property
    def download_acts(self) -> list[acts.Act]:
        """That somebody has them all."""
        return [_note(places) for places in self.points]

    @property
    def view_acts(self) -> list[acts.Act]:
        """That somebody sees what they are, without what is in them."""
        return [
            acts.FolderViewed(one.plan.name, one.run.number, names.display(_folder_of(places)))
            for places in self.points
            for one in places[:1]
        ]


def _point_of(place: Place) -> tuple[str, UUID, int]:
    return place.plan.name, place.plan.plan_id, place.run.number


def _folder_of(places: Sequence[Place]) -> bytes:
    """The deepest folder that all of them are in."""
    parents = [catalogue.split_path(names.parent(one.path)) for one in places]
    low, high = min(parents), max(parents)
    shared = 0
    while shared < len(low) and shared < len(high) and low[shared] == high[shared]:
        shared += 1
    return b"/".join(low[:shared])


def _name_point(place: Place, taken: set[bytes]) -> bytes:
    """What the folder of a restore point is called in an archive; no two are the same."""
    at = place.run.committed_at.astimezone(ZoneInfo(place.timezone))
    plan = place.plan.name.replace("/", "_")
    name = plain = f"{plan} {at:%Y-%m-%d %H.%M}".encode()
    number = 1
    while name in taken:
        number += 1
        name = plain + b" (%d)" % number
    taken.add(name)
    return name


def _note(places: Sequence[Place]) -> acts.Act:
    first, folder = places[0], _folder_of(places)
    cut = len(folder) + 1 if folder else 0
    shown = names.display_some([one.path[cut:] for one in places], _NOTED_CHARACTERS)
    return acts.SelectionDownloaded(
        first.plan.name, first.run.number, names.display(folder), shown, len(places)
    )


def arrange(places: Collection[Place]) -> Selection:
    """Brings places in order, and leaves out what lies below another one; `places` has some.

    Of two that are one, what was asked for as the newest stays: whether it is that is looked at.
    """
    kept: list[Place] = []
    for one in sorted(
        places,
        key=lambda one: (_point_of(one), catalogue.split_path(one.path), one.is_chosen),
    ):
        if not kept or not _holds(kept[-1], one):
            kept.append(one)
    return Selection(kept)


def _holds(one: Place, other: Place) -> bool:
    if _point_of(one) != _point_of(other):
        return False
    return not one.path or (other.path + b"/").startswith(one.path + b"/")


async def select(pool: Pool, actor: Actor, asked: Collection[AskedPlace]) -> Selection:
    """Finds all of some places.

    Raises NotFound where one of them is not there, SelectionTooLarge, and what `find_place` does.
    """
    wanted = list(dict.fromkeys(asked))
    if not wanted:
        raise errors.InvalidRequest("Choose at least one file or folder.")
    if len(wanted) > SELECTED_MAX:
        raise SelectionTooLarge(len(wanted))
    async with tenant_transaction(pool, actor.tenant_id) as conn:
        found = await _find(conn, actor, wanted)
    if len(found) < len(wanted):
        raise errors.NotFound("file or folder in this restore point")
    return arrange(list(found.values()))


async def select_in(pool: Pool, folder: AskedPlace, chosen: Collection[bytes]) -> Selection:
    """Finds some names in a folder; raises what `select` does."""
    if not all(map(names.is_name, chosen)):
        raise errors.NotFound("file or folder in this restore point")
    asked = [replace(folder, path=join_path(folder.path, name)) for name in chosen]
    return await select(pool, folder.actor, asked)


async def _find(
    conn: Connection, actor: Actor, asked: Sequence[AskedPlace], *, lenient: bool = False
) -> dict[AskedPlace, Place]:
    """The places that are there; lenient: without those of restore points that are gone."""
    tenant = await subscription.check_recovery(conn, actor.tenant_id)
    points: dict[tuple[str, int | None, str], list[AskedPlace]] = defaultdict(list)
    for one in asked:
        points[one.plan, one.run, one.at].append(one)
    found: dict[AskedPlace, Place] = {}
    plans: dict[str, catalogue.CataloguePlan] = {}
    for (plan_name, run, at), wanted in points.items():
        try:
            if plan_name not in plans:
                plans[plan_name] = await runs.find_plan(conn, actor.tenant_id, plan_name)
            plan = plans[plan_name]
            point = await find_point(conn, tenant, plan.plan_id, run, at)
        except errors.NotFound:
            if lenient:
                continue
            raise
        where = actor.tenant_id, plan.plan_id, point.number
        folders: dict[bytes, dict[bytes, list[AskedPlace]]] = defaultdict(lambda: defaultdict(list))
        for one in wanted:
            path = names.clean_path(one.path)
            if path:
                folders[names.parent(path)][names.last(path)].append(one)
            else:
                root = Place(
                    actor, plan, point, b"", catalogue.ROOT, tenant.timezone, run is not None
                )
                found[one] = root
        for folder, named in folders.items():
            for entry in await catalogue.find_entries(conn, where, folder, sorted(named)):
                path = join_path(folder, entry.name)
                place = Place(actor, plan, point, path, entry, tenant.timezone, run is not None)
                found |= dict.fromkeys(named[entry.name], place)
    return found


@dataclass(frozen=True)
class KeptSelection:
    """What somebody ticked so far: by the id that a form names it by, and what is no more."""

    places: dict[UUID, Place]
    gone: list[SelectedPlace]
    timezone: str

    @property
    def selection(self) -> Selection:
        """What of it can be taken; raises InvalidRequest where that is nothing."""
        if not self.places:
            raise errors.InvalidRequest("Choose at least one file or folder.")
        return arrange(list(self.places.values()))


async def keep(pool: Pool, selection: Selection) -> None:
    """Adds places to what somebody ticked; raises SelectionTooLarge, and adds nothing then."""
    actor, now = selection.first.actor, clock.now()
    assert actor.user_id is not None  # people alone have pages
    added = [
        SelectedPlace(_id_of(one), one.plan.plan_id, one.run.number, one.path)
        for one in selection.places
    ]
    async with transaction(pool) as conn:
        await store.files.lock_selected(conn, actor.user_id)
        await store.files.add_selected(conn, actor.tenant_id, actor.user_id, added, now)
        number = await store.files.count_selected(conn, actor.user_id)
        if number > SELECTED_MAX:
            raise SelectionTooLarge(number)


def _id_of(place: Place) -> UUID:
    told = place.plan.plan_id.bytes + place.run.number.to_bytes(4) + place.path
    return UUID(bytes=hashlib.sha256(told).digest()[:16])


async def drop(pool: Pool, actor: Actor, chosen: Collection[UUID] | None) -> None:
    """Takes some of what somebody ticked away again, None for all of it."""
    assert actor.user_id is not None  # people alone have pages
    async with transaction(pool) as conn:
        await store.files.drop_selected(conn, actor.user_id, chosen)


async def count_kept(pool: Pool, actor: Actor) -> int:
    """How many files and folders somebody ticked so far."""
    if actor.user_id is None:
        return 0
    async with acquire(pool) as conn:
        return await store.files.count_selected(conn, actor.user_id)


async def open_kept(pool: Pool, actor: Actor) -> KeptSelection:
    """What somebody ticked so far, as it is by now; raises RecoveryBlocked."""
    assert actor.user_id is not None  # people alone have pages
    async with tenant_transaction(pool, actor.tenant_id) as conn:
        rows = await store.files.list_selected(conn, actor.user_id)
        asked = {AskedPlace(actor, str(one.plan_id), one.path, one.number): one for one in rows}
        found = await _find(conn, actor, list(asked), lenient=True)
        tenant = await subscription.check_recovery(conn, actor.tenant_id)
        kept = {asked[one].place_id: place for one, place in found.items()}
    gone = [one for one in rows if one.place_id not in kept]
    return KeptSelection(kept, gone, tenant.timezone)
