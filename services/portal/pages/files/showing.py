"""How entries are shown, and the addresses that lead from one view of files to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from fastapi import Depends, Request

from libs.shared import attributes
from libs.shared.catalogue import EntryRow, FolderOrder
from services.portal.actions.files.browsing import AskedPlace, Place
from services.portal.api.access import Address
from services.portal.api.places import At, RunNumber, path_of
from services.portal.pages.sessions import Client
from services.portal.rules.files import names


async def ask_at_point(
    plan: str,
    request: Request,
    person: Client,
    address: Address,
    run: RunNumber = None,
    at: At = "",
) -> AskedPlace:
    """A path in one restore point, the newest if none is named."""
    return AskedPlace(person.at(address), plan, path_of(request), run, at)


async def ask_in_plan(plan: str, request: Request, person: Client, address: Address) -> AskedPlace:
    """A path in all restore points of a plan."""
    return AskedPlace(person.at(address), plan, path_of(request))


AtPoint = Annotated[AskedPlace, Depends(ask_at_point)]
InPlan = Annotated[AskedPlace, Depends(ask_in_plan)]


@dataclass(frozen=True)
class Here:
    """The address of a view of files, from which others differ."""

    plan: str
    run: int
    path: bytes
    order: FolderOrder
    deleted: bool

    @classmethod
    def at(cls, plan: str, run: int, path: bytes) -> Here:
        """A folder, in the order of its names."""
        return cls(plan, run, path, FolderOrder(), deleted=False)

    @classmethod
    def of(cls, place: Place) -> Here:
        """The folder that a place is in."""
        return cls.at(str(place.plan.plan_id), place.run.number, names.parent(place.path))

    def crumbs(self, path: bytes) -> list[tuple[str, str]]:
        """(name, address) of each folder on the way to one."""
        parts = path.split(b"/") if path else []
        return [
            (names.display(part), self.folder(b"/".join(parts[: depth + 1])))
            for depth, part in enumerate(parts)
        ]

    def file(self, path: bytes, run: int | None = None) -> str:
        """The address of a file's own page."""
        return f"/plans/{self.plan}/file?path={names.quoted(path)}&run={run or self.run}"

    def folder(self, path: bytes, run: int | None = None) -> str:
        """The address of another folder; the root is told from no path at all."""
        return self._address(replace(self, path=path, run=run or self.run, order=self._from_start))

    @property
    def root(self) -> str:
        """All folders of the plan."""
        return self.folder(b"")

    def at_run(self, run: int) -> str:
        """This folder in another restore point."""
        return self._address(replace(self, run=run, order=self._from_start))

    def at_day(self, day: str) -> str:
        """This folder as it was on a day."""
        return self.in_now + f"&at={day}"

    @property
    def in_now(self) -> str:
        """This folder as it is in the newest restore point."""
        return self._address(replace(self, run=0, order=self._from_start))

    def in_month(self, month: str) -> str:
        """This view with another month in its calendar."""
        return self._address(self) + f"&month={month}#when"

    @property
    def with_deleted(self) -> str:
        """This folder with what was deleted from it, or without."""
        return self._address(replace(self, deleted=not self.deleted, order=self._from_start))

    def sorted_by(self, by: str) -> str:
        """This folder in another order, or the other way round."""
        descending = by == self.order.by and not self.order.descending
        return self._address(replace(self, order=FolderOrder(by, descending)))  # type: ignore[arg-type]  # the template's own words

    def page(self, after: bytes | None) -> str:
        """The page behind a name, or the first one."""
        order = replace(self.order, after=after)
        return self._address(replace(self, order=order)) + "#list"

    @property
    def _from_start(self) -> FolderOrder:
        return replace(self.order, after=None)

    @staticmethod
    def _address(here: Here) -> str:
        parts = [f"/plans/{here.plan}/files?path={names.quoted(here.path) or '/'}"]
        parts += [f"run={here.run}"] if here.run else []
        parts += ["deleted=1"] if here.deleted else []
        parts += [f"sort={here.order.by}"] if here.order.by != "name" else []
        parts += ["descending=1"] if here.order.descending else []
        parts += [f"after={names.quoted(here.order.after)}"] if here.order.after else []
        return "&".join(parts)


def as_field(path: bytes) -> str | None:
    """A path that a form can carry as text; None where it has bytes that a form would change."""
    try:
        text = path.decode()
    except UnicodeDecodeError:
        return None
    return text if text.isprintable() else None


def show(entry: EntryRow, path: bytes) -> dict[str, Any]:
    """What templates show of an entry."""
    return {
        "name": names.display(entry.name),
        "path": names.quoted(path),
        "kind": entry.kind,
        "size": entry.size,
        "mtime": moment(attributes.time_of(entry.mtime_ns, entry.attributes)),
        "target": names.display(entry.target),
    }


def moment(mtime_ns: int) -> datetime | None:
    """When a file was changed; None outside the years that a date can have."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=mtime_ns // 10**9)
    except OverflowError:
        return None
