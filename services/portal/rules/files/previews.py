"""What of a file may be shown in a page: told by its content, whatever it is called."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from typing import Literal

from libs.shared import errors

HEAD_BYTES = 64 << 10
"""So much of a file tells what it is."""

TEXT_MAX_BYTES = 256 << 10
"""So much of a text is shown; of everything else all or nothing."""

_LARGEST: dict[str, int] = {"image": 25_000_000, "pdf": 50_000_000}
_IMAGES = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
    b"BM": "image/bmp",
}
_MARKS = {
    codecs.BOM_UTF8: "utf-8",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_NO_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")

Kind = Literal["image", "pdf", "text"]


class NoPreview(errors.Refusal):
    """A file that is none of the few kinds that a page shows, or too large."""

    code = "no-preview"
    status = 415
    title = "This file can't be shown"

    @property
    def detail(self) -> str:
        return "Only plain images, PDFs and texts are shown, up to some size: download the file."


@dataclass(frozen=True)
class Shown:
    """How a file is shown; length: how much of it, from its beginning."""

    kind: Kind
    media_type: str
    length: int
    charset: str = ""


def choose(head: bytes, size: int) -> Shown | None:
    """How a file that begins so is shown; None for not at all.

    What a browser would run (HTML, SVG, XML) is text here."""
    if image := _find_image(head):
        return _if_small(Shown("image", image, size), size)
    if head[:1024].lstrip(b"\r\n\t \0").startswith(b"%PDF-"):
        return _if_small(Shown("pdf", "application/pdf", size), size)
    charset = _find_charset(head, is_whole=len(head) == size)
    if charset and size:
        return Shown("text", "text/plain", min(size, TEXT_MAX_BYTES), charset)
    return None


def _if_small(shown: Shown, size: int) -> Shown | None:
    return shown if size <= _LARGEST[shown.kind] else None


def _find_image(head: bytes) -> str:
    for mark, media_type in _IMAGES.items():
        # Two letters alone begin many a text.
        if head.startswith(mark) and (mark != b"BM" or head[6:10] == bytes(4)):
            return media_type
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return "image/avif" if head[4:12] in (b"ftypavif", b"ftypavis") else ""


def _find_charset(head: bytes, *, is_whole: bool) -> str:
    for mark, charset in _MARKS.items():
        if head.startswith(mark):
            return charset if _decodes(head, charset, is_whole=is_whole) else ""
    if _NO_TEXT.search(head):
        return ""
    if _decodes(head, "utf-8", is_whole=is_whole):
        return "utf-8"
    # What older programs of these clients write; some few of its bytes mean nothing.
    return "windows-1252" if _decodes(head, "windows-1252", is_whole=is_whole) else ""


def _decodes(head: bytes, charset: str, *, is_whole: bool) -> bool:
    try:
        codecs.getincrementaldecoder(charset)().decode(head, final=is_whole)
    except UnicodeDecodeError:
        return False
    return True


def read_text(content: bytes, shown: Shown, size: int) -> str:
    """The text to show; what can't be read stands as a mark of that."""
    decoder = codecs.getincrementaldecoder(shown.charset)("replace")
    return (
        decoder.decode(content, final=shown.length == size).lstrip("\ufeff").replace("\0", "\ufffd")
    )
