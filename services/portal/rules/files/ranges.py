"""Which part of a file a request wants (RFC 9110, section 14)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from libs.shared import errors

_RANGE = re.compile(r"^bytes=(\d*)-(\d*)$")


class RangeUnsatisfiable(errors.Refusal):
    """A range that begins behind the file's end."""

    code = "range-unsatisfiable"
    status = 416
    title = "No such part of the file"

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size

    @property
    def detail(self) -> str:
        return f"The file has {self.size} bytes; ask for a part that begins before its end."

    @property
    def headers(self) -> dict[str, str]:
        return {"Content-Range": f"bytes */{self.size}"}


@dataclass(frozen=True)
class ByteRange:
    """Some bytes of a file."""

    start: int
    length: int
    is_whole: bool


def choose_part(size: int, wanted: str | None, if_range: str | None, etag: str) -> ByteRange:
    """The part to send; the whole where the range is absent, unusable, or of another version.

    Raises RangeUnsatisfiable."""
    whole = ByteRange(0, size, is_whole=True)
    match = _RANGE.match((wanted or "").strip().replace(" ", ""))
    if match is None or match.group() == "bytes=-":
        return whole
    if if_range is not None and if_range.strip() != etag:
        return whole
    first, last = match.groups()
    # Numbers of absurd length are beyond any file, and cost nothing that way.
    if max(len(first), len(last)) > 19:
        first, last = first[:19], last[:19]
    if not first:
        length = min(int(last), size)
        if not length:
            raise RangeUnsatisfiable(size)
        return ByteRange(size - length, length, is_whole=False)
    start = int(first)
    if last and int(last) < start:
        return whole
    if start >= size:
        raise RangeUnsatisfiable(size)
    end = min(int(last), size - 1) if last else size - 1
    return ByteRange(start, end - start + 1, is_whole=False)
