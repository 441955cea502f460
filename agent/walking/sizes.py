"""Files that only their size leaves out: each is told and counted."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from agent.telling.names import shown_absolute
from agent.telling.teller import Teller
from agent.walking.tree import Listing
from libs.shared.words.plain import size_text

MAX_NAMED = 20


@dataclass
class TooLarge:
    """Counts the files of a walk that are larger than the plan's max_file_size."""

    teller: Teller
    most_bytes: int | None
    files: int = 0

    def watch(self, listings: Iterable[Listing]) -> Iterator[Listing]:
        """Pass the walk on, telling of the first files left out."""
        for listing in listings:
            for row in listing.too_large:
                self.files += 1
                if self.files <= MAX_NAMED:
                    self._tell(listing.path + b"/" + row[0], row[3])
            yield listing
        if self.files > MAX_NAMED:
            self.teller.say(f"{self.files} files in all are larger than max_file_size.", "excluded")

    def _tell(self, path: bytes, size_bytes: int) -> None:
        place = shown_absolute(path)
        sentence = (
            f"{place}: left out: its {size_text(size_bytes)} are more than max_file_size, "
            f"{size_text(self.most_bytes or 0)}"
        )
        self.teller.say(sentence, "excluded", path=place, size_bytes=size_bytes)
