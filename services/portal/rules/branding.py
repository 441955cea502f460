"""The provider's own name, logo, colours and legal pages, and what must not stand in them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from libs.shared.events import Locale

Page = Literal["legal-notice", "terms", "data-processing", "locations"]
PAGES: tuple[Page, ...] = get_args(Page)
LEAST_CONTRAST = 4.5
"""WCAG 2.2 AA, for text of any size."""

_HEX = re.compile(r"#[0-9a-fA-F]{6}")
_GROUNDS = ("#ffffff", "#f3f6f7")
"""What accents stand on as text, in the light theme."""
_PLACEHOLDER = re.compile(
    r"\[\s*(à compléter|to complete)\b[^\]]*\]|example\.(com|org|net)", re.IGNORECASE
)
_MOST_BYTES = 200_000


class BrandInvalid(ValueError):  # noqa: N818 - read by the operator as a sentence
    """What an installation says of itself can't be shown; the sentence says why."""


@dataclass(frozen=True)
class Logo:
    """A picture, and what it is."""

    content: bytes = field(repr=False)
    media_type: str


@dataclass(frozen=True)
class Brand:
    """How an installation calls and shows itself; colours are `#rrggbb`, "" for ours.

    header: the ground of the top of each page. accent: of buttons, and of links in the light theme.
    texts: the legal pages, by page and language.
    """

    name: str = "Coffre"
    logo: Logo | None = None
    header: str = ""
    accent: str = ""
    texts: Mapping[tuple[Page, Locale], str] = field(default_factory=dict)

    @property
    def stylesheet(self) -> str:
        """What differs from our own colours; of the dark theme the header alone."""
        rules = []
        if self.header:
            rules.append(f":root {{ --deep: {self.header}; --on-deep-soft: #fff; }}")
        if self.accent:
            rules.append(
                "@media (prefers-color-scheme: light) { :root {"
                f" --brand: {self.accent}; --brand-dark: {self.accent}; --link: {self.accent};"
                " --on-brand: #fff; } }"
            )
        return "\n".join(rules)


def contrast(one: str, other: str) -> float:
    """How well two colours are told apart, from 1 to 21 (WCAG 2.2, relative luminance)."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    parts = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def check_colour(name: str, colour: str, *, on: tuple[str, ...] = _GROUNDS) -> None:
    """Raises BrandInvalid for a colour that people can't read; `on`: what it is read on."""
    if not colour:
        return
    if not _HEX.fullmatch(colour):
        raise BrandInvalid(f"{name}: {colour!r} is no colour: write it like #0b3b45.")
    for ground in on:
        found = contrast(colour, ground)
        if found < LEAST_CONTRAST:
            raise BrandInvalid(
                f"{name}: {colour} on {ground} has a contrast of {found:.1f}:1, and people need"
                f" {LEAST_CONTRAST}:1 to read: choose a darker one."
            )


def check_brand(brand: Brand) -> None:
    """Raises BrandInvalid where something of it can't be read, or is too long."""
    if not brand.name.strip() or len(brand.name) > 60:
        raise BrandInvalid("The name has 1 to 60 characters.")
    check_colour("The header's colour", brand.header, on=("#ffffff",))
    check_colour("The accent", brand.accent)


def read_logo(name: str, content: bytes) -> Logo:
    """A logo by its file's name; raises BrandInvalid for another kind of file."""
    kinds = {"svg": "image/svg+xml", "png": "image/png"}
    kind = kinds.get(name.rpartition(".")[2].lower())
    if kind is None or len(content) > _MOST_BYTES:
        raise BrandInvalid(f"{name}: a logo is an .svg or a .png of at most 200 kB.")
    return Logo(content, kind)


def find_gaps(brand: Brand) -> list[str]:
    """What an installation in production still lacks: pages that are missing, or half written."""
    gaps = []
    for page in PAGES:
        for locale in get_args(Locale):
            name, text = f"{page}.{locale}.txt", brand.texts.get((page, locale), "")
            if not text.strip():
                gaps.append(f"{name} is missing")
            elif found := _PLACEHOLDER.search(text):
                gaps.append(f"{name} still says {found.group(0)!r}")
    return gaps
