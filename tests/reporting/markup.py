"""What is wrong with a mail's HTML: structure, colours, and what readers refuse."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser

VOID = {"br", "hr", "img", "meta", "link", "input", "col", "wbr"}
LEAST_CONTRAST = 4.5  # WCAG 2.2, 1.4.3
MOST_BYTES = 100_000
_COLOUR = re.compile(r"(?<![-\w])(color|background-color):\s*(#[0-9a-f]{6})")
_RULE = re.compile(r"\.([\w-]+) \{([^}]*)\}")

Styles = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Element:
    """An open element, and the colours in which its text stands: by day, by night."""

    tag: str
    colours: tuple[tuple[str, str], tuple[str, str]]


def find_contrast(one: str, other: str) -> float:
    """The contrast ratio of two colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        )
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def invert(colour: str) -> str:
    """What readers make of a colour that turn all of them over."""
    return f"#{0xFFFFFF - int(colour[1:], 16):06x}"


class Reader(HTMLParser):
    """Reads a mail and notes each fault."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        dark = html.partition("(prefers-color-scheme: dark)")[2].partition("@media")[0]
        self._dark: Styles = {
            name: dict(_COLOUR.findall(body)) for name, body in _RULE.findall(dark)
        }
        self._open: list[Element] = []
        self.faults: list[str] = []
        self.tags: list[str] = []
        self.feed(html)
        self.close()
        self.faults += [f"<{one.tag}> is never closed" for one in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        given = {name: value or "" for name, value in attrs}
        self.faults += self._find_faults(tag, given)
        if len(given) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag in VOID:
            return
        self._open.append(Element(tag, self._paint(tag, given)))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1].tag != tag:
            inside = self._open[-1].tag if self._open else "nothing"
            self.faults.append(f"</{tag}> ends <{inside}>")
            return
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if not data.strip() or not self._open or self._open[-1].tag in {"style", "title"}:
            return
        by_day, by_night = self._open[-1].colours
        turned = tuple(map(invert, by_day))
        for when, (ink, ground) in (
            ("by day", by_day),
            ("by night", by_night),
            ("turned over", turned),
        ):
            if find_contrast(ink, ground) < LEAST_CONTRAST:
                self.faults.append(f"{data.strip()[:30]!r}: {ink} on {ground} {when}")

    def _paint(self, tag: str, given: Mapping[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
        above = self._open[-1].colours if self._open else (("#000000", "#ffffff"),) * 2
        own = dict(_COLOUR.findall(given.get("style", "")))
        if own.get("background-color") and tag != "a" and "bgcolor" not in given:
            self.faults.append(f"<{tag}> has a ground that old readers don't see")
        by_day = (own.get("color", above[0][0]), own.get("background-color", above[0][1]))
        night = dict(own)
        for name in given.get("class", "").split():
            night |= self._dark.get(name, {})
        by_night = (night.get("color", above[1][0]), night.get("background-color", above[1][1]))
        return by_day, by_night

    def _find_faults(self, tag: str, given: Mapping[str, str]) -> Iterator[str]:
        if tag in {"script", "iframe", "object", "embed", "form", "link", "svg", "video"}:
            yield f"<{tag}> has no place in a mail"
        if tag == "html" and not given.get("lang"):
            yield "nothing says which language it is"
        if tag == "img" and "alt" not in given:
            yield "a picture without words"
        if tag == "a" and not given.get("href", "").startswith("https://"):
            yield f"a link to {given.get('href')!r}"
        for name, value in given.items():
            if name in {"src", "background", "srcset"} or name.startswith("on"):
                yield f"<{tag} {name}={value!r}> would be fetched, or run"


def find_faults(html: str) -> list[str]:
    """All that is wrong with the HTML of a mail."""
    reader = Reader(html)
    faults = list(reader.faults)
    if re.search(r"url\(|@import|@font-face|http-equiv", html):
        faults.append("something would be fetched")
    tables = re.findall(r"<table\b[^>]*>(?:(?!</table>).)*", html, re.DOTALL)
    faults += [
        f"a table that is neither layout nor has headings: {table[:60]}"
        for table in tables
        if 'role="presentation"' not in table.partition(">")[0] and "<th" not in table
    ]
    if len(html.encode()) > MOST_BYTES:
        faults.append(f"{len(html.encode())} bytes are cut by some readers")
    return faults
