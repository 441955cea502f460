"""How entries are shown, and the addresses that lead from one view of files to the next."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Annotated, Any

from fastapi import Depends, Request

from libs.shared import attributes
from libs.shared.catalogue import EntryRow, FolderOrder
from libs.shared.words.tongue import Tongue
from services.portal.actions.files.browsing import AskedPlace, Place
from services.portal.api.access import Address
from services.portal.api.places import At, RunNumber, path_of
from services.portal.pages.navigation import pages_of
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
    """The address of a view of files, from which others differ; pages: that of its plan."""

    pages: str
    run: int
    path: bytes
    order: FolderOrder
    deleted: bool

    @classmethod
    def at(cls, pages: str, run: int, path: bytes) -> Here:
        """A folder, in the order of its names."""
        return cls(pages, run, path, FolderOrder(), deleted=False)

    @classmethod
    def of(cls, place: Place) -> Here:
        """The folder that a place is in."""
        pages = pages_of(place.actor, place.plan.plan_id)
        return cls.at(pages, place.run.number, names.parent(place.path))

    @property
    def api(self) -> str:
        """Where the API has the plan."""
        return "/api/v1" + self.pages.replace("/clients/", "/tenants/", 1)

    def crumbs(self, path: bytes) -> list[tuple[str, str]]:
        """(name, address) of each folder on the way to one."""
        parts = path.split(b"/") if path else []
        return [
            (names.display(part), self.folder(b"/".join(parts[: depth + 1])))
            for depth, part in enumerate(parts)
        ]

    def entry(self, entry: EntryRow, path: bytes, run: int | None = None) -> str:
        """The address of a folder, or of a file's own page; empty for what has none."""
        match entry.kind:
            case "d":
                return self.folder(path, run)
            case "f":
                return self.file(path, run)
            case _:
                return ""

    def file(self, path: bytes, run: int | None = None) -> str:
        """The address of a file's own page."""
        return f"{self.pages}/file?path={names.quoted(path)}&run={run or self.run}"

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

    @property
    def itself(self) -> str:
        """This view again."""
        return self._address(self)

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
        parts = [f"{here.pages}/files?path={names.quoted(here.path) or '/'}"]
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


def lay_row(
    tongue: Tongue,
    here: Here,
    entry: EntryRow,
    path: bytes,
    run: int,
    *,
    is_open: bool = True,
    **more: Any,
) -> SimpleNamespace:
    """An entry as a row of a table, with all that is said of it: each word costs a template a call.

    is_open: whether its contents may be read. more: what else the table shows of it.
    """
    shown = show(entry, path)
    name, quoted = shown["name"], shown["path"]
    row = SimpleNamespace(
        kind=entry.kind,
        name=name,
        target=shown["target"],
        beyond=(),
        tick=tongue.say("Tick {name}", name=name),
        size="",
        changed=tongue.moment(shown["mtime"]),
        versions="",
        versions_label="",
        download="",
        download_label="",
        **more,
    )
    if entry.kind == "f":
        row.size = tongue.size(entry.size)
        row.versions = f"{here.pages}/versions?path={quoted}"
        row.versions_label = tongue.say("Versions of {name}", name=name)
    if not is_open:
        return row
    if entry.kind == "f":
        row.download = f"{here.api}/file?run={run}&path={quoted}"
        row.download_label = tongue.say("Download {name}", name=name)
    elif entry.kind == "d":
        row.download = f"{here.api}/archive?run={run}&path={quoted}&format=zip"
        row.download_label = tongue.say("Download {name} as zip", name=name)
    return row


def moment(mtime_ns: int) -> datetime | None:
    """When a file was changed; None outside the years that a date can have."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=mtime_ns // 10**9)
    except OverflowError:
        return None
