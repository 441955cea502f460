"""A file for /etc/cron.d that starts a plan at its own time zone's time."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from agent.telling.failures import UsageError
from agent.timers.call import Call
from agent.timers.rhythm import Rhythm

_MOST_TIMES = 24
_FILE = """\
# Written by `coffre-agent timer`: the plan {plan}.
# To be put into /etc/cron.d/{stem}; for a user's own crontab take away the word root.
SHELL=/bin/sh
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
{line}
"""


def cron_file(
    call: Call, schedule: str, rhythm: Rhythm, local: tzinfo | None, now: datetime
) -> str:
    """The file's text.

    local: the machine's time zone by which cron goes, None for the one set now.
    now: an aware time; the two zones are compared for the year that follows.
    """
    if rhythm.last_day or rhythm.days == frozenset():
        raise UsageError("cron knows no last day of the month: use --systemd, or name a day.")
    command = "nice -n 10 ionice -c 3 " + shlex.join(call.argv) + " >/dev/null"
    differences = _differences(ZoneInfo(rhythm.timezone), local, now)
    if differences == {0}:
        line = f"{schedule} root {_escaped(command)}"
    else:
        line = _guarded(rhythm, command, differences)
    return _FILE.format(plan=call.plan, stem=call.stem.replace(".", "_"), line=line)


def _differences(wanted: ZoneInfo, local: tzinfo | None, now: datetime) -> set[int]:
    """By how many minutes the two zones differ in the course of a year."""
    found = set()
    for hours in range(0, 366 * 24, 6):
        moment = now + timedelta(hours=hours)
        theirs, ours = moment.astimezone(wanted).utcoffset(), moment.astimezone(local).utcoffset()
        found.add(round(((theirs or timedelta()) - (ours or timedelta())).total_seconds() / 60))
    return found


def _guarded(rhythm: Rhythm, command: str, differences: set[int]) -> str:
    """cron starts it each hour, and it goes on where it is the right time in the plan's zone."""
    if len(rhythm.times) > _MOST_TIMES or rhythm.days is not None or rhythm.months is not None:
        raise UsageError(
            f"This machine's clock does not show the time of {rhythm.timezone}, and cron can't "
            "express this schedule for another zone. Set the machine's time zone, or use --systemd."
        )
    days = sorted(rhythm.weekdays or range(1, 8))
    day = f"[{''.join(map(str, days))}]" if len(days) < 7 else "?"
    cases = "|".join(f"{day}-{hour:02d}:{minute:02d}" for hour, minute in rhythm.times)
    when = f'case "$(TZ={rhythm.timezone} date +%u-%H:%M)" in {cases})'
    minutes = {(minute - by) % 60 for minute in rhythm.minutes for by in differences}
    return f"{_listed(minutes)} * * * * root {_escaped(f'{when} {command} ;; esac')}"


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _escaped(command: str) -> str:
    """cron makes a line end of each % that has no backslash before it."""
    return command.replace("%", "\\%")
