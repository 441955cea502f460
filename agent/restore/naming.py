"""Names that this system can't hold, and what their entries are called instead."""

from __future__ import annotations

import msgspec

from agent.platforms import land
from libs.shared.entries import FolderDelta


def landed(delta: FolderDelta) -> tuple[FolderDelta, dict[bytes, bytes]]:
    """What a folder holds, under names that can be restored here, and (path: its name) where new.

    A drive becomes a folder that is called by its letter, which is no new name.
    """
    if land is None:
        return delta, {}
    entries, renamed = [], {}
    for entry in delta.upserts:
        path = delta.folder + b"/" + entry.name if delta.folder else entry.name
        name = land(path).rpartition(b"/")[2]
        if name != entry.name:
            if name + b":" != entry.name:
                renamed[path] = name
            entry = msgspec.structs.replace(entry, name=name)  # noqa: PLW2901 - its new self
        entries.append(entry)
    return FolderDelta(land(delta.folder), entries, []), renamed
