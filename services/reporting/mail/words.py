"""Languages of the mails: translations, numbers, sizes, dates, and the templates that use them."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import css_inline
from babel.dates import format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import Translations
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from libs.shared.events import Locale
from services.reporting import rules

_ROOM = Path(__file__).parent.parent
_UNITS: dict[Locale, tuple[str, ...]] = {
    "fr": ("octets", "ko", "Mo", "Go", "To", "Po"),
    "en": ("bytes", "kB", "MB", "GB", "TB", "PB"),
}
_MOMENTS: dict[Locale, str] = {"fr": "dd/MM/yyyy HH:mm", "en": "d MMM yyyy, HH:mm"}
NBSP = "\u00a0"


@dataclass(frozen=True, slots=True)
class Rendered:
    """One text in its two forms."""

    text: str
    html: str


class Tongue:
    """One language: translates, formats, and renders the templates in it."""

    def __init__(self, locale: Locale) -> None:
        self.locale = locale
        self._translations = load_translations(locale)
        self._environment = Environment(
            loader=FileSystemLoader(_ROOM / "templates"),
            extensions=["jinja2.ext.i18n"],
            autoescape=select_autoescape(["html"], default=False),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        self._environment.install_gettext_translations(  # type: ignore[attr-defined] # by i18n
            self._translations, newstyle=True
        )
        self._environment.filters["plain"] = rules.plain
        self._environment.globals.update(
            locale=locale,
            colon=f"{NBSP}:" if locale == "fr" else ":",
            number=self.number,
            size=self.size,
        )

    def translate(self, message: str, **values: str) -> str:
        """Translates an English phrase and fills in its `{name}` places."""
        return str(self._translations.gettext(message)).format(**values)

    def number(self, figure: int) -> str:
        """Writes a whole number: `47 900`, `47,900`; never with a narrow space."""
        return format_decimal(figure, locale=self.locale).replace("\u202f", NBSP)

    def size(self, size_bytes: int) -> str:
        """Writes a size in decimal units: `1,2 Go`, `1.2 GB`."""
        units = _UNITS[self.locale]
        power, figure = 0, float(size_bytes)
        while round(figure, 1) >= 1000 and power < len(units) - 1:
            power, figure = power + 1, figure / 1000
        digits = format_decimal(round(figure, 1), format="#,##0.#", locale=self.locale)
        return digits.replace("\u202f", NBSP) + NBSP + units[power]

    def percent(self, part: int, whole: int) -> str:
        """Writes a share in whole percent: `19 %`, `19%`."""
        share = format_percent(part / whole, format=None, locale=self.locale)
        return share.replace("\u202f", NBSP)

    def moment(self, when: datetime, timezone: str) -> str:
        """Writes a date and time as read on a clock of that time zone."""
        zone = ZoneInfo(timezone)
        text = format_datetime(when.astimezone(zone), _MOMENTS[self.locale], locale=self.locale)
        return text.replace("\u202f", NBSP)

    def duration(self, span: timedelta) -> str:
        """Writes a span with its two largest units: `2 h 05 min`, `3 min 12 s`, `8 s`."""
        seconds = max(int(span.total_seconds()), 0)
        hours, minutes = divmod(seconds // 60, 60)
        if hours:
            return f"{hours}{NBSP}h{NBSP}{minutes:02}{NBSP}min"
        if minutes:
            return f"{minutes}{NBSP}min{NBSP}{seconds % 60:02}{NBSP}s"
        return f"{seconds}{NBSP}s"

    def span(self, seconds: int) -> str:
        """Writes a long span, roughly: `10 ans`, `3 hours`."""
        # A machine may say anything; more than that is no span that babel can write.
        text = format_timedelta(timedelta(seconds=min(abs(seconds), 10**13)), locale=self.locale)
        return text.replace("\u202f", NBSP)

    def render(self, template: str, **facts: object) -> Rendered:
        """Renders `<template>.txt` and `<template>.html`, styles inlined."""
        text = self._environment.get_template(f"{template}.txt").render(**facts)
        html = self._environment.get_template(f"{template}.html").render(**facts)
        return Rendered(text, _inliner().inline(html))


@functools.cache
def speak(locale: Locale) -> Tongue:
    """Returns the tongue of a locale, made once."""
    return Tongue(locale)


def load_translations(locale: Locale) -> Translations:
    """Reads the catalogue of a locale; English is the language of the phrases themselves."""
    path = _ROOM / "locales" / locale / "LC_MESSAGES" / "reporting.po"
    if not path.exists():
        return Translations()
    compiled = io.BytesIO()
    with path.open("rb") as catalogue:
        write_mo(compiled, read_po(catalogue, locale=locale))
    compiled.seek(0)
    return Translations(compiled)


@functools.cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_style_tags=False)
