"""How often something runs, as people say it: `Du lundi au vendredi à 02:15 (heure de Paris)`."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import get_day_names, get_timezone_location
from babel.lists import format_list
from cronsim import CronSim, CronSimError

from libs.shared.words.tongue import Tongue

_EVERY_DAY = set(range(1, 8))
_EVERY_DATE = set(range(1, 32))
_EVERY_MONTH = set(range(1, 13))
_MOST_TIMES = 4


def tell_rhythm(tongue: Tongue, schedule: str, timezone: str) -> str:
    """Says a cron expression and its zone; one that people have no words for, as it stands."""
    try:
        cron = CronSim(schedule, datetime(2026, 1, 1))  # noqa: DTZ001 - only its fields are read
        zone = ZoneInfo(timezone)
    except (CronSimError, LookupError, OSError, ValueError):
        return schedule
    days = _tell_days(tongue, cron)
    times = _tell_times(tongue, cron.minutes, cron.hours)
    if not days or not times:
        return schedule
    is_often = len(cron.minutes) * len(cron.hours) > _MOST_TIMES
    if is_often and {0, *_EVERY_DAY} <= {0, *cron.weekdays} and cron.days == _EVERY_DATE:
        said = times[0].upper() + times[1:]
    else:
        said = f"{days}, {times}" if is_often else f"{days} {times}"
    return f"{said} ({_clock(tongue, zone)})"


def _tell_days(tongue: Tongue, cron: CronSim) -> str:
    weekdays = {7 if day == 0 else day for day in cron.weekdays}
    if cron.months != _EVERY_MONTH:
        return ""
    if cron.days == _EVERY_DATE:
        return _tell_weekdays(tongue, weekdays)
    if weekdays != _EVERY_DAY or not all(isinstance(day, int) and day > 0 for day in cron.days):
        return ""
    dates = [tongue.say("the 1st") if day == 1 else str(day) for day in sorted(cron.days)]
    return tongue.say("Each month on {dates}", dates=_list(tongue, dates))


def _tell_weekdays(tongue: Tongue, weekdays: Collection[int | tuple[int, int]]) -> str:
    if weekdays == _EVERY_DAY:
        return tongue.say("Every day")
    names = get_day_names("wide", locale=tongue.locale)
    ordered = sorted(day for day in weekdays if isinstance(day, int))
    if len(ordered) < len(weekdays):
        return ""  # the first Monday of a month
    if len(ordered) > 2 and ordered[-1] - ordered[0] == len(ordered) - 1:
        first, last = names[ordered[0] - 1], names[ordered[-1] - 1]
        return tongue.say("From {first} to {last}", first=first, last=last)
    return tongue.say("Each {days}", days=_list(tongue, [names[day - 1] for day in ordered]))


def _tell_times(tongue: Tongue, minutes: Collection[int], hours: Collection[int]) -> str:
    if len(minutes) * len(hours) <= _MOST_TIMES:
        times = [f"{hour:02}:{minute:02}" for hour in sorted(hours) for minute in sorted(minutes)]
        return tongue.say("at {times}", times=_list(tongue, times))
    said = _tell_hourly(tongue, min(minutes), hours) if len(minutes) == 1 else ""
    said = said or _tell_often(tongue, sorted(minutes), hours)
    return said or tongue.say("{times} times a day", times=len(minutes) * len(hours))


def _tell_hourly(tongue: Tongue, minute: int, hours: Collection[int]) -> str:
    first, last, apart = min(hours), max(hours), 24 // len(hours)
    if len(hours) == 24:
        return tongue.say("every hour, {minute} minutes past", minute=minute)
    if apart > 1 and set(hours) == set(range(first, 24, apart)):
        return tongue.say("every {hours} hours", hours=apart)
    if last - first < len(hours):
        span = {"first": f"{first:02}:{minute:02}", "last": f"{last:02}:{minute:02}"}
        return tongue.say("every hour from {first} to {last}", **span)
    return ""


def _tell_often(tongue: Tongue, minutes: Sequence[int], hours: Collection[int]) -> str:
    step, first, last = 60 // len(minutes), min(hours), max(hours)
    if list(minutes) != list(range(minutes[0], 60, step)) or last - first >= len(hours):
        return ""
    if len(hours) == 24:
        return tongue.say("every {minutes} minutes", minutes=step)
    span = {"first": f"{first:02}:{minutes[0]:02}", "last": f"{last:02}:{minutes[-1]:02}"}
    return tongue.say("every {minutes} minutes from {first} to {last}", minutes=step, **span)


def _clock(tongue: Tongue, zone: ZoneInfo) -> str:
    """Whose clock it is: `heure de Paris`."""
    if "/" not in zone.key:
        return zone.key
    city = get_timezone_location(zone, locale=tongue.locale, return_city=True)
    if tongue.locale == "fr":
        elided = city[:1].lower() in "aàâeéèêiîoôuyh"
        return f"heure {'d’' if elided else 'de '}{city}"
    return f"{city} time"


def _list(tongue: Tongue, things: Sequence[str]) -> str:
    return format_list(things, locale=tongue.locale)
