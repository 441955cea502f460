"""Database files known by their names: copied while they are open, they may not be restorable.

Only names are looked at, and only those that a run copies.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from agent.telling.names import shown_absolute
from libs.shared.entries import FolderDelta
from libs.shared.reasons import Reason

MAX_NAMED = 20
REASON = Reason("database-file")

_EXTENSIONS = frozenset(
    {
        *(b"ibd", b"myd", b"myi"),  # MySQL, MariaDB
        *(b"mdf", b"ndf", b"ldf"),  # SQL Server
        *(b"mdb", b"accdb"),  # Access
        *(b"edb", b"dit"),  # Exchange, Active Directory
        b"fdb",  # Firebird
        b"dbf",  # Oracle
        b"wt",  # MongoDB
        b"nsf",  # Notes
    }
)
_BEGINNINGS = (b"ibdata", b"ib_logfile", b"aria_log")
_POSTGRESQL = b"pg_control"
_SQLITE_LOG = b"-wal"


@dataclass
class HotFiles:
    """The database files that a run copied: their paths and sizes, 0 for a folder."""

    found: dict[bytes, int] = field(default_factory=dict)

    def look(self, delta: FolderDelta) -> None:
        """Look at the names of what is copied from one folder."""
        for entry in delta.upserts:
            name = entry.name
            if (
                name[name.rfind(b".") + 1 :].lower() in _EXTENSIONS
                or name.startswith(_BEGINNINGS)
                or name.endswith(_SQLITE_LOG)
                or name == _POSTGRESQL
            ) and entry.kind == "f":
                self._add(delta, name, entry.size)

    def _add(self, delta: FolderDelta, name: bytes, size: int) -> None:
        prefix = delta.folder + b"/" if delta.folder else b""
        if name == _POSTGRESQL:
            data, _, last = delta.folder.rpartition(b"/")
            if last == b"global":
                self.found[data] = 0
            return
        if name.endswith(_SQLITE_LOG):
            # The log of a database that is open; an empty one is of no account.
            database = name.removesuffix(_SQLITE_LOG)
            if size and database:
                sizes = {entry.name: entry.size for entry in delta.upserts}
                self.found[prefix + database] = sizes.get(database, 0)
            return
        if name.lower().endswith(b".dbf"):
            shapes = name[:-4].lower() + b".shp"
            if any(entry.name.lower() == shapes for entry in delta.upserts):
                return
        self.found[prefix + name] = size

    def named(self) -> list[tuple[str, int]]:
        """(path for people, size) of the first of them."""
        return [(shown_absolute(path), self.found[path]) for path in sorted(self.found)[:MAX_NAMED]]

    def as_results(self, room: int) -> list[dict[str, Any]]:
        """As the protocol tells them beside the dumps, `room` of them at most."""
        return [
            {
                "name": path,
                "succeeded": True,
                "guaranteed": False,
                "size_bytes": size,
                "reason": REASON.as_dict(),
            }
            for path, size in self.named()[: max(0, room)]
        ]
