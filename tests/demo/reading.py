"""What somebody reads on a page, where it leads, and what none may show."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from typing import Literal
from urllib.parse import urlencode, urljoin, urlsplit

from libs.shared import clock
from tests.phrases import SERVICES, WORDS, read_catalogue

Locale = Literal["fr", "en"]

_QUOTES = {"code", "pre", "script", "style", "textarea"}
_SPOKEN = ("aria-label", "alt", "placeholder", "title", "data-label")
_VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "wbr"}
_PLACE = re.compile(r"\{\w+\}")
_LEFT = re.compile(
    r"^None$|(?<=[^.!?] )None\b|\bUndefined\b|\bNaN\b|<[A-Z]\w+\.\w+|\{\w+\}|%\(\w+\)s"
    r"|\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"
)
"""What only a program says: nothing, placeholders that weren't filled, ids."""


@dataclass
class PageText(HTMLParser):
    """A page as its reader gets it: pieces of text, links, and forms that only ask."""

    html: str
    address: str
    language: str = ""
    pieces: list[str] = field(default_factory=list)
    links: list[str] = field(default_factory=list)
    headings: int = 0
    _open: list[str] = field(default_factory=list)
    _skipped: list[bool] = field(default_factory=list)
    _form: tuple[str, dict[str, str]] | None = None
    _select: str = ""

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.feed(self.html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = {name: value or "" for name, value in attrs}
        self.language = told.get("lang", "") if tag == "html" else self.language
        self.headings += tag == "h1"
        # What is quoted isn't ours, and what is marked as another language may be one.
        is_other = tag in _QUOTES or told.get("lang", self.language) != self.language
        if tag not in _VOID:
            self._open.append(tag)
            self._skipped.append(is_other)
        if not any(self._skipped):
            self.pieces += [told[name] for name in _SPOKEN if told.get(name, "").strip()]
        if tag == "a" and told.get("href"):
            self._lead(told["href"])
        elif tag == "form" and told.get("method", "get").lower() == "get":
            self._form = told.get("action") or self.address, {}
        elif self._form is not None:
            self._fill(self._form[1], tag, told)

    def _fill(self, fields: dict[str, str], tag: str, told: dict[str, str]) -> None:
        """A field of a form that asks, as it stands there, or with what could be meant."""
        kind, name, value = told.get("type"), told.get("name", ""), told.get("value", "")
        if tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            if self._select not in fields or "selected" in told:
                fields[self._select] = value
        elif tag == "input" and name and (kind not in {"checkbox", "radio"} or "checked" in told):
            if kind == "number":
                value = str(int(value) + 1) if value else "1000"
            elif kind == "date":
                value = value or f"{clock.now():%Y-%m-%d}"
            fields[name] = value

    def handle_endtag(self, tag: str) -> None:
        while tag in self._open:
            self._skipped.pop()
            if self._open.pop() == tag:
                break
        if tag == "select":
            self._select = ""
        elif tag == "form" and self._form is not None:
            action, fields = self._form
            self._lead(f"{action.partition('?')[0]}?{urlencode(fields)}")
            self._form = None

    def handle_data(self, data: str) -> None:
        if data.strip() and not any(self._skipped):
            self.pieces.append(data)

    def _lead(self, to: str) -> None:
        found = urlsplit(urljoin(self.address, to))
        if not found.scheme and not found.netloc:
            self.links.append(found._replace(fragment="").geturl())


def find_faults(page: PageText, locale: Locale) -> Iterator[str]:
    """What a page says that nobody should read, or not in this language."""
    if page.language != locale:
        yield f"its language is said to be {page.language!r}"
    if page.headings != 1:
        yield f"it has {page.headings} headings of the first level"
    foreign = _phrases_of("en" if locale == "fr" else "fr")
    for piece in page.pieces:
        said = _plain(piece)
        if left := _LEFT.search(said):
            yield f"{left.group()!r} in {said!r}"
        if any(phrase.fullmatch(said) for phrase in foreign[_start_of(said)]):
            yield f"not {locale}: {said!r}"


_START = 5


def _start_of(text: str) -> str:
    return text[:_START]


def _plain(text: str) -> str:
    return " ".join(text.split())


@cache
def _phrases_of(locale: Locale) -> dict[str, list[re.Pattern[str]]]:
    """What the house says in one language and not in the other, by how it begins."""
    ours: dict[Locale, set[str]] = {"en": set(), "fr": set()}
    for folder, name in ((WORDS, "common"), (SERVICES["portal"], "portal")):
        for english, french in read_catalogue(folder, name).items():
            ours["en"].update([english] if isinstance(english, str) else english)
            ours["fr"].update([french] if isinstance(french, str) else french)
    found = defaultdict(list)
    for phrase in map(_plain, ours[locale] - ours["fr" if locale == "en" else "en"]):
        start = _start_of(phrase)
        # What is as short as a name may be one, and what begins with a value could be anything.
        if len(_PLACE.sub("", phrase)) > _START and "{" not in start:
            pieces = map(re.escape, _PLACE.split(phrase))
            found[start].append(re.compile(".+?".join(pieces)))
    return found
