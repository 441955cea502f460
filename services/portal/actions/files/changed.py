"""The list that an archive has of names that it holds under others, and of what it can't hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator

from services.portal.actions.files.passing import Passing
from services.portal.rules.files import names

MOST_UNHELD = 1_000
_INTRODUCTION = (
    "Names that this archive can't safely hold were changed. Each line: the name in this archive, "
    "a tab, the original bytes percent-encoded.\r\n"
    "Les noms que cette archive ne peut pas contenir sans risque ont été modifiés. Chaque ligne : "
    "le nom dans cette archive, une tabulation, les octets d'origine encodés en pourcent.\r\n\r\n"
)
UNHELD = {
    "left out": (
        "FIFOs and devices, which a zip can't hold, were left out",
        "Les tubes nommés et périphériques, qu'un zip ne peut pas contenir, ont été omis",
    ),
    "names": (
        "Files with several names are in this archive once for each name",
        "Les fichiers à plusieurs noms figurent dans cette archive une fois par nom",
    ),
    "attributes": (
        "Extended attributes and ACLs, which a zip can't hold, were left out of",
        "Les attributs étendus et ACL, qu'un zip ne peut pas contenir, ont été omis pour",
    ),
    "windows": (
        "Owners, access lists and alternate streams of Windows were left out of",
        "Les propriétaires, listes d'accès et flux alternatifs de Windows ont été omis pour",
    ),
}
"""What an archive may be unable to hold, in both languages."""


class ChangedNames:
    """A file that grows with each such name; none while there is none."""

    def __init__(self) -> None:
        self._spool = Passing()
        self._unheld: dict[str, list[bytes]] = {}
        self._counts: dict[str, int] = {}
        self.size = 0
        self.crc32 = 0

    def note(self, name: str, path: bytes) -> None:
        """Adds a name that was changed."""
        if not self.size:
            self._write(_INTRODUCTION)
        self._write(f"{name}\t{names.quoted(path)}\r\n")

    def note_unheld(self, kind: str, path: bytes) -> None:
        """Adds a path that lacks something of UNHELD in the archive."""
        self._counts[kind] = self._counts.get(kind, 0) + 1
        kept = self._unheld.setdefault(kind, [])
        if len(kept) < MOST_UNHELD:
            kept.append(path)

    def end(self) -> None:
        """Adds what the archive can't hold: of each kind how many, and the first of them."""
        for kind, count in self._counts.items():
            english, french = UNHELD[kind]
            self._write(f"\r\n{english}: {count}.\r\n{french} : {count}.\r\n")
            for path in self._unheld[kind]:
                self._write(f"{names.quoted(path)}\r\n")

    def read(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        return self._spool.read()

    def close(self) -> None:
        """Removes the file."""
        self._spool.close()

    def _write(self, text: str) -> None:
        line = text.encode("utf-8", "backslashreplace")
        self.size += len(line)
        self.crc32 = zlib.crc32(line, self.crc32)
        self._spool.write(line)
