"""How a mail or a page speaks to one reader: phrases, figures and moments, in their language.

Sizes are decimal, with one digit after the point, as contracts are; no blank is ever a narrow one,
which old mail readers show as a box.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from zoneinfo import ZoneInfo

import babel
from babel.dates import format_date, format_timedelta
from babel.numbers import format_currency, format_decimal, format_percent

from libs.shared.events import Locale, Outcome
from libs.shared.reasons import Reason
from libs.shared.words import catalogues, explanations
from libs.shared.words.foreign import plain

DEFAULT_TIMEZONE = "Europe/Paris"
NBSP = "\u00a0"
NOTHING = "\u2013"

_BABEL: dict[Locale, babel.Locale] = {"fr": babel.Locale("fr"), "en": babel.Locale("en")}
_UNITS: dict[Locale, tuple[str, ...]] = {
    "fr": ("o", "ko", "Mo", "Go", "To", "Po"),
    "en": ("B", "kB", "MB", "GB", "TB", "PB"),
}
_BEFORE_TIME: dict[Locale, str] = {"fr": " ", "en": ", "}
_DAYS: dict[Locale, str] = {"fr": "dd/MM/yyyy", "en": "d MMM yyyy"}
_SHORT_DAYS: dict[Locale, str] = {"fr": "dd/MM", "en": "d MMM"}
_COUNTED_IN_DAYS = timedelta(days=60)  # weeks and months say less than people want to know
_LONGEST = timedelta(days=10**7)  # a machine may say anything; babel can write this one


def N_(phrase: str) -> str:  # noqa: N802 - gettext's customary name for "translate this later"
    """Marks a phrase for the catalogue; it is translated where its reader is known."""
    return phrase


OUTCOMES: dict[Outcome | None, str] = {
    "succeeded": N_("Succeeded"),
    "succeeded_with_warnings": N_("Succeeded with warnings"),
    "failed": N_("Failed"),
    None: N_("Under way"),
}


@dataclass(frozen=True, slots=True)
class Explained:
    """A reason in its reader's language: the cause, and the next step by who reads it.

    detail: foreign words that the cause does not tell, for a technician; they may be in any tongue.
    """

    cause: str
    client: str
    technician: str
    hotline: str
    detail: str


class Tongue:
    """One reader's language and time zone.

    own: the `locales` folder of the service that speaks, where it has phrases beside the common.
    timezone: its name; one that nobody knows costs no mail and no page, it is UTC.
    """

    def __init__(
        self, locale: Locale, timezone: str = DEFAULT_TIMEZONE, own: Path | None = None
    ) -> None:
        self.locale: Locale = locale
        self.zone = find_zone(timezone)
        self.colon = f"{NBSP}:" if locale == "fr" else ":"
        self._translations = catalogues.load(locale, *([own] if own else []))

    @property
    def timezone(self) -> str:
        """The name of the zone whose clock the reader has before them."""
        return self.zone.key

    def say(self, phrase: str, **values: object) -> str:
        """Translates an English phrase and fills in its `{name}` places."""
        return str(self._translations.gettext(phrase)).format(**values)

    def count(self, one: str, many: str, n: int, **values: object) -> str:
        """Translates a phrase that has a plural; its place `{n}` holds the number."""
        found = str(self._translations.ngettext(one, many, n))
        return found.format(n=self.number(n), **values)

    def outcome(self, outcome: Outcome | None) -> str:
        """Writes how a run ended: `Réussie avec réserves`; None is one under way."""
        return self.say(OUTCOMES[outcome])

    def explain(self, reason: Reason | None, *, is_folder: bool = False) -> Explained:
        """Says what a reason means and what to do; a code that nobody knows in general words.

        None: something failed, and no more is known. is_folder: a whole folder was not copied.
        """
        reason = reason or explanations.NO_MORE_KNOWN
        found = explanations.find(reason)
        values = {
            "code": reason.code,
            "subject": self._subject(reason),
            "amount": self._amount(reason.amount, explanations.measure(reason)),
            "limit": self._amount(reason.limit, explanations.measure(reason)),
            "words": plain(reason.detail),
        }

        def say(phrase: str) -> str:
            translated = self._translations.gettext(explanations.without_detail(phrase))
            return explanations.fill(str(translated), values) if phrase else ""

        cause = say(found.cause)
        return Explained(
            cause=self.say(explanations.IN_FOLDER, reason=cause) if is_folder else cause,
            client=say(found.client),
            technician=say(found.technician),
            hotline=say(found.hotline),
            detail="" if "{words}" in found.cause else values["words"],
        )

    def _subject(self, reason: Reason) -> str:
        if reason.code in explanations.ABOUT_DAYS:
            with suppress(ValueError):
                return self.calendar_day(date.fromisoformat(reason.subject))
        return plain(reason.subject)

    def _amount(self, amount: int | None, measured: explanations.Measure) -> str:
        if amount is None:
            return ""
        match measured:
            case "size":
                return self.size(amount)
            case "span":
                return self.span(amount)
            case "duration":
                return self.duration(timedelta(seconds=min(abs(amount), 1e12)))
            case "status":
                return str(amount)
            case "number":
                return self.number(amount)

    def number(self, figure: int) -> str:
        """Writes a whole number: `47 900`, `47,900`."""
        return _number(figure, self.locale)

    def size(self, size_bytes: float) -> str:
        """Writes a size in decimal units: `1,2 Go`, `1.2 GB`."""
        return _size(size_bytes, self.locale)

    def percent(self, part: int, whole: int) -> str:
        """Writes a share in whole percent: `19 %`, `19%`; `whole` is more than 0."""
        return _wide(format_percent(part / whole, locale=_BABEL[self.locale]))

    def money(self, amount: Decimal, currency: str) -> str:
        """Writes an amount to the cent: `12,00 €`, `€12.00`."""
        digits = format_currency(
            amount, currency, locale=_BABEL[self.locale], currency_digits=False
        )
        return _wide(digits)

    def month(self, day: date) -> str:
        """Writes the month of a day: `novembre 2026`, `November 2026`."""
        return _date(day, "MMMM y", self.locale)

    def short_month(self, day: date) -> str:
        """Writes the month of a day in short, without its year: `nov.`, `Nov`."""
        return _date(day, "LLL", self.locale)

    def of_month(self, day: date) -> str:
        """Writes the month of a day after a noun: `d’avril 2026`, `of April 2026`."""
        said = self.month(day)
        if self.locale == "en":
            return f"of {said}"
        return f"d’{said}" if said[0] in "ao" else f"de {said}"

    def moment(self, at: datetime | None) -> str:
        """Writes a date and time as read on the reader's clock: `22/11/2026 02:14`."""
        if at is None:
            return NOTHING
        local = self._local(at)
        day = _date(local.date(), _DAYS[self.locale], self.locale)
        return f"{day}{_BEFORE_TIME[self.locale]}{local:%H:%M}"

    def day(self, at: datetime | None) -> str:
        """Writes a date: `22/11/2026`."""
        return self._dated(at, _DAYS[self.locale])

    def short_day(self, at: datetime) -> str:
        """Writes a date without its year: `22/11`, `22 Nov`."""
        return self._dated(at, _SHORT_DAYS[self.locale])

    def clock(self, at: datetime) -> str:
        """Writes the time of the day: `02:14`."""
        return f"{at.astimezone(self.zone):%H:%M}"

    def dated(self, at: datetime) -> str:
        """Writes a moment as part of a name: `22/11/2026 à 02:14`, `22 Nov 2026 at 02:14`."""
        return self.say("{day} at {time}", day=self.day(at), time=self.clock(at))

    def when(self, at: datetime, now: datetime) -> str:
        """Writes a moment as people say it: `aujourd’hui à 02:14`, `le 22/11/2026 à 02:14`."""
        apart = (at.astimezone(self.zone).date() - now.astimezone(self.zone).date()).days
        match apart:
            case -1:
                return self.say("yesterday at {time}", time=self.clock(at))
            case 0:
                return self.say("today at {time}", time=self.clock(at))
            case 1:
                return self.say("tomorrow at {time}", time=self.clock(at))
            case _:
                return self.say("on {day} at {time}", day=self.day(at), time=self.clock(at))

    def calendar_day(self, day: date) -> str:
        """Writes a day of the calendar, which is the same on every clock: `22/11/2026`."""
        return _date(day, _DAYS[self.locale], self.locale)

    def _dated(self, at: datetime | None, form: str) -> str:
        if at is None:
            return NOTHING
        return _date(self._local(at).date(), form, self.locale)

    def _local(self, at: datetime) -> datetime:
        try:
            return at.astimezone(self.zone)
        except OverflowError:  # a file may be dated to the last hour of the year 9999
            return at

    def date_field(self, at: datetime) -> str:
        """Writes a date as a form's field wants it: `2026-11-22`."""
        return f"{at.astimezone(self.zone):%Y-%m-%d}"

    def ago(self, at: datetime, now: datetime) -> str:
        """Writes how long ago it was, roughly: `il y a 3 heures`, `11 days ago`."""
        return self._roughly(min(at - now, timedelta(seconds=-1)), add_direction=True)

    def span(self, seconds: float) -> str:
        """Writes a long span, roughly and whatever its sign: `10 ans`, `3 hours`."""
        return self._roughly(min(timedelta(seconds=min(abs(seconds), 1e12)), _LONGEST))

    def _roughly(self, length: timedelta, *, add_direction: bool = False) -> str:
        in_days = timedelta(days=1) <= abs(length) < _COUNTED_IN_DAYS
        return _wide(
            format_timedelta(
                length,
                granularity="day" if in_days else "second",
                threshold=_COUNTED_IN_DAYS.days if in_days else 0.85,
                add_direction=add_direction,
                locale=_BABEL[self.locale],
            )
        )

    def duration(self, length: timedelta | None) -> str:
        """Writes a span with its two largest units: `2 h 05 min`, `3 min 12 s`, `8 s`."""
        if length is None:
            return NOTHING
        minutes, seconds = divmod(max(int(length.total_seconds()), 0), 60)
        hours, minutes = divmod(minutes, 60)
        if hours:
            return f"{hours}{NBSP}h{NBSP}{minutes:02}{NBSP}min"
        if minutes:
            return f"{minutes}{NBSP}min{NBSP}{seconds:02}{NBSP}s"
        return f"{seconds}{NBSP}s"


def find_zone(timezone: str) -> ZoneInfo:
    """Returns the time zone of that name, or UTC where there is none."""
    try:
        zone = ZoneInfo(timezone)
    except (LookupError, OSError, ValueError):
        return ZoneInfo("UTC")
    return zone if zone.key else ZoneInfo("UTC")


def _wide(text: str) -> str:
    return text.replace("\u202f", NBSP)


# Pages write the same figures and days again and again, and babel takes its time for each.
@lru_cache(maxsize=16_384)
def _number(figure: int, locale: Locale) -> str:
    return _wide(format_decimal(figure, locale=_BABEL[locale]))


@lru_cache(maxsize=16_384)
def _size(size_bytes: float, locale: Locale) -> str:
    units, power, figure = _UNITS[locale], 0, float(size_bytes)
    while round(figure, 1) >= 1000 and power < len(units) - 1:
        power, figure = power + 1, figure / 1000
    digits = format_decimal(round(figure, 1), format="#,##0.#", locale=_BABEL[locale])
    return _wide(digits) + NBSP + units[power]


@lru_cache(maxsize=4_096)
def _date(day: date, form: str, locale: Locale) -> str:
    return _wide(format_date(day, form, locale=_BABEL[locale]))
