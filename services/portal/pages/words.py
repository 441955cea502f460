"""How pages speak: translations, dates, numbers and sizes of one reader."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

from babel.dates import format_datetime, format_timedelta
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal
from babel.support import Translations

from libs.shared.events import Locale

_LOCALES = Path(__file__).parents[1] / "locales"
_NBSP = "\u00a0"
_NOTHING = "\u2013"
_UNITS = {"fr": ["o", "ko", "Mo", "Go", "To", "Po"], "en": ["B", "kB", "MB", "GB", "TB", "PB"]}
_MOMENTS = {"fr": "dd/MM/yyyy HH:mm", "en": "d MMM y, HH:mm"}
_DAYS = {"fr": "dd/MM/yyyy", "en": "d MMM y"}


def N_(phrase: str) -> str:  # noqa: N802 - gettext's customary name for "translated later"
    """Marks a phrase for translation where its reader isn't known yet."""
    return phrase


@lru_cache
def load_translations(locale: Locale) -> Translations:
    """The catalogue of a language, compiled once; English is what the templates say."""
    source = _LOCALES / locale / "LC_MESSAGES" / "portal.po"
    if not source.exists():
        return Translations()
    compiled = BytesIO()
    with source.open("rb") as catalogue:
        write_mo(compiled, read_po(catalogue, locale=locale))
    compiled.seek(0)
    return Translations(compiled)


class Words:
    """What a page says to one reader, in their language and time zone."""

    def __init__(self, locale: Locale, timezone: str = "Europe/Paris") -> None:
        self.locale: Locale = locale
        self.zone = ZoneInfo(timezone)
        self._translations = load_translations(locale)

    def say(self, phrase: str, **values: object) -> str:
        """A phrase in the reader's language."""
        return (
            str(self._translations.gettext(phrase)) % values
            if values
            else str(self._translations.gettext(phrase))
        )

    def count(self, one: str, many: str, n: int) -> str:
        """A phrase with a number, `%(n)s`."""
        return str(self._translations.ngettext(one, many, n)) % {"n": self.number(n)}

    def moment(self, at: datetime | None) -> str:
        """`22/11/2026 02:14`."""
        if at is None:
            return _NOTHING
        return format_datetime(at, _MOMENTS[self.locale], self.zone, locale=self.locale)

    def day(self, at: datetime | None) -> str:
        """`22/11/2026`."""
        if at is None:
            return _NOTHING
        return format_datetime(at, _DAYS[self.locale], self.zone, locale=self.locale)

    def date_field(self, at: datetime) -> str:
        """The day as a form's field wants it, in the reader's time zone."""
        return f"{at.astimezone(self.zone):%Y-%m-%d}"

    def ago(self, at: datetime, now: datetime) -> str:
        """`il y a 3 heures`."""
        return format_timedelta(min(at - now, timedelta()), add_direction=True, locale=self.locale)

    def span(self, seconds: int) -> str:
        """`10 ans`; roughly, whatever the sign."""
        # A machine may say anything; more than that is no span that babel can write.
        length = timedelta(seconds=min(abs(seconds), 10**13))
        return str(format_timedelta(length, locale=self.locale))

    def duration(self, begun: datetime, ended: datetime | None) -> str:
        """`7 minutes`; nothing while it lasts."""
        if ended is None:
            return ""
        seconds = max(0, int((ended - begun).total_seconds()))
        if seconds < 60:
            return f"{seconds}{_NBSP}s"
        hours, minutes = divmod(seconds // 60, 60)
        return f"{hours}{_NBSP}h{_NBSP}{minutes:02d}" if hours else f"{minutes}{_NBSP}min"

    def number(self, value: int) -> str:
        """`47 912`; with the no-break space that every font has."""
        return str(format_decimal(value, locale=self.locale)).replace("\u202f", _NBSP)

    def size(self, size_bytes: int) -> str:
        """`1,2 Go`: decimal, as contracts are."""
        value, unit = float(size_bytes), 0
        while value >= 999.5 and unit < len(_UNITS[self.locale]) - 1:
            value /= 1000
            unit += 1
        pattern = "0.#" if unit and value < 99.95 else "0"
        shown = format_decimal(value, pattern, locale=self.locale)
        return f"{shown}{_NBSP}{_UNITS[self.locale][unit]}"
