"""Files with several names: the first is restored as any other file, the others link to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec
from blake3 import blake3

from agent.restore.collisions import NotRestored
from agent.restore.landing import Landing
from libs.shared.entries import Entry
from libs.shared.reasons import Reason

OnFailed = Callable[[bytes, OSError | NotRestored], None]


class Links:
    """Names that wait until all files are written; only names are held."""

    def __init__(self, landing: Landing) -> None:
        self._landing = landing
        self._first_names: dict[bytes, bytes] = {}
        self._waiting: list[tuple[bytes, bytes, Entry]] = []

    def is_further_name(self, path: bytes, entry: Entry) -> bool:
        """Is this a further name of a file that came before? Then it is made at the end."""
        if entry.kind != "f" or not entry.target:
            return False
        # All that one file has under each of its names: where folders were renamed between runs,
        # the name that came first may be another file's by now.
        members = msgspec.structs.replace(entry, name=b"")
        digest = blake3(msgspec.msgpack.encode(members)).digest()
        first = self._first_names.setdefault(digest, path)
        if first == path:
            return False
        self._waiting.append((first, path, msgspec.structs.replace(entry, chunks=b"")))
        return True

    def make_all(self, failed: Mapping[bytes, Reason], on_failed: OnFailed) -> tuple[int, int]:
        """Make the waiting names; returns (how many, how many were there already)."""
        made = there = 0
        for first, path, entry in self._waiting:
            if first in failed:
                on_failed(path, NotRestored(failed[first]))
                continue
            try:
                folder = self._landing.folder(path.rpartition(b"/")[0])
                if self._landing.link(first, folder, entry):
                    made += 1
                else:
                    there += 1
            except (OSError, NotRestored) as error:
                on_failed(path, error)
        return made, there
