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
    prefix = delta.folder + b"/" if delta.folder else b""
    names = {one.name: land(prefix + one.name).rpartition(b"/")[2] for one in delta.upserts}
    renamed = {prefix + name: new for name, new in names.items() if name not in (new, new + b":")}
    entries = [msgspec.structs.replace(one, name=names[one.name]) for one in delta.upserts]
    return msgspec.structs.replace(delta, folder=land(delta.folder), upserts=entries), renamed
