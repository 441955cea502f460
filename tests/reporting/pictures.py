"""Pictures of mails in docs/images/mails, as a browser shows them.

`python -m tests.reporting.pictures` takes them anew; it needs the system's Chromium.
"""

from __future__ import annotations

import struct
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

from libs.shared.events import Locale
from tests.reporting import specimens
from tests.reporting.conftest import lay_out

FOLDER = Path(__file__).parents[2] / "docs" / "images" / "mails"
SHOWN = {
    "success": "report-succeeded",
    "warnings": "report-warnings",
    "failure": "report-failed",
    "missed": "missed",
    "overage": "overage",
    "digest": "digest",
}
WIDTHS = (600, 375)


def take(browser: Browser, html: str, width: int, scheme: str) -> bytes:
    """A picture of a mail at that width, as PNG; scheme: `light` or `dark`."""
    page = browser.new_page(viewport={"width": width, "height": 400}, color_scheme=scheme)  # type: ignore[arg-type]
    try:
        page.set_content(html)
        return page.screenshot(full_page=True)
    finally:
        page.close()


def _read_rows(png: bytes) -> tuple[int, int, list[bytes]]:
    """Width, bytes a pixel, and the rows of a PNG as Chromium writes them: 8 bits, no interlace."""
    width, _, depth, colours, *_ = struct.unpack(">IIBBBBB", png[16:29])
    assert depth == 8
    size = {2: 3, 6: 4}[colours]
    packed, at = b"", 8
    while at < len(png):
        length, kind = struct.unpack(">I4s", png[at : at + 8])
        packed += png[at + 8 : at + 8 + length] if kind == b"IDAT" else b""
        at += length + 12
    return width, size, list(_unfilter(zlib.decompress(packed), width * size, size))


def _unfilter(raw: bytes, stride: int, size: int) -> Iterator[bytes]:
    """Undoes the filters of PNG (RFC 2083, 6)."""
    above = bytes(stride)
    for start in range(0, len(raw), stride + 1):
        kind, row = raw[start], bytearray(raw[start + 1 : start + 1 + stride])
        for i in range(stride) if kind else ():
            left = row[i - size] if i >= size else 0
            corner = above[i - size] if i >= size else 0
            if kind == 1:
                guess = left
            elif kind == 2:
                guess = above[i]
            elif kind == 3:
                guess = (left + above[i]) // 2
            else:
                to = [abs(above[i] - corner), abs(left - corner), abs(left + above[i] - 2 * corner)]
                guess = (left, above[i], corner)[to.index(min(to))]
            row[i] = (row[i] + guess) & 255
        above = bytes(row)
        yield above


def shrink(png: bytes) -> bytes:
    """The same picture with its 256 commonest colours, packed as tightly as zlib can."""
    width, size, rows = _read_rows(png)
    painted = [[row[i : i + 3] for i in range(0, width * size, size)] for row in rows]
    found = Counter(colour for row in painted for colour in row)
    palette = [colour for colour, _ in found.most_common(256)]
    number = {colour: n for n, colour in enumerate(palette)}
    for colour in found.keys() - number.keys():  # edges of letters, which nobody tells apart
        near = min(
            palette, key=lambda one: sum((a - b) ** 2 for a, b in zip(one, colour, strict=True))
        )
        number[colour] = number[near]
    body = b"".join(b"\0" + bytes(number[colour] for colour in row) for row in painted)
    head = struct.pack(">IIBBBBB", width, len(rows), 8, 3, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"PLTE", b"".join(palette)), (b"IDAT", zlib.compress(body, 9)))
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(*chunk) for chunk in (*chunks, (b"IEND", b"")))


def _chunk(kind: bytes, content: bytes) -> bytes:
    return (
        struct.pack(">I", len(content))
        + kind
        + content
        + struct.pack(">I", zlib.crc32(kind + content))
    )


def main(folder: Path, locales: tuple[Locale, ...], schemes: tuple[str, ...]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        for name, specimen in SHOWN.items():
            for locale in locales:
                html = lay_out(specimens.write(specimen, locale)).content.html
                for width in WIDTHS:
                    for scheme in schemes:
                        dark = "-dark" if scheme == "dark" else ""
                        file = folder / f"{name}-{width}{dark}.{locale}.png"
                        file.write_bytes(shrink(take(browser, html, width, scheme)))
        browser.close()


if __name__ == "__main__":
    if sys.argv[1:]:  # to look at all of them: in both languages, also in the dark
        main(Path(sys.argv[1]), ("fr", "en"), ("light", "dark"))
    else:
        main(FOLDER, ("fr",), ("light",))
