"""A file for /etc/cron.d that starts a plan at its own time zone's time."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from datetime import datetime, timedelta, tzinfo
from itertools import pairwise
from zoneinfo import ZoneInfo

from agent.timers import changes
from agent.timers.call import Call
from agent.timers.rhythm import Rhythm

# cron may be late on a busy machine.
_MOST_LATE_MINUTES = 10
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
    command = "nice -n 10 ionice -c 3 " + shlex.join(call.argv) + " >/dev/null"
    differences = _differences(ZoneInfo(rhythm.timezone), local, now)
    is_hourly = len(rhythm.hours) == 24 and rhythm.has_every_day
    if differences != {0} or rhythm.last_day:
        is_plain = False
    else:
        is_plain = is_hourly or not changes.meets_a_change(schedule, rhythm.timezone, now)
    if is_plain:
        line = f"{schedule} root cd / && {_escaped(command)}"
    else:
        minutes = {(minute - by) % 60 for minute in rhythm.minutes for by in differences}
        odd = changes.missed_by_walls(schedule, rhythm, now)
        minutes |= {moment.astimezone(local).minute for moment in odd}
        line = _guarded(call, command, minutes)
    return _FILE.format(plan=call.plan, stem=call.stem.replace(".", "_"), line=line)


def _differences(wanted: ZoneInfo, local: tzinfo | None, now: datetime) -> set[int]:
    """By how many minutes the two zones differ in the course of a year."""
    found = set()
    for hours in range(0, 366 * 24, 6):
        moment = now + timedelta(hours=hours)
        theirs, ours = moment.astimezone(wanted).utcoffset(), moment.astimezone(local).utcoffset()
        found.add(round(((theirs or timedelta()) - (ours or timedelta())).total_seconds() / 60))
    return found


def _guarded(call: Call, command: str, minutes: set[int]) -> str:
    """cron starts it each hour, and it goes on where the plan is due in its own zone."""
    ordered = sorted(minutes)
    apart = min(later - earlier for earlier, later in pairwise([*ordered, ordered[0] + 60]))
    late = str(min(apart, _MOST_LATE_MINUTES))
    asked = shlex.join([*call.argv[:-2], "timer", call.argv[-1], "--due", late])
    return f"{_listed(ordered)} * * * * root cd / && {_escaped(f'{asked} && {command}')}"


def _listed(numbers: Iterable[int]) -> str:
    return ",".join(map(str, numbers))


def _escaped(command: str) -> str:
    """cron makes a line end of each % that has no backslash before it."""
    return command.replace("%", "\\%")
