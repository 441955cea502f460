"""A systemd service that may read everything and write nearly nothing, and its timer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime

from agent.timers import changes
from agent.timers.call import Call
from agent.timers.rhythm import Rhythm

_WEEKDAYS = ("", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_SERVICE = """\
# Written by `coffre-agent timer`.
[Unit]
Description=Coffre: copy the plan {plan}
Wants=network-online.target
After=network-online.target

[Service]
Type=oneshot
ExecStart={command}
WorkingDirectory=/
# 3: succeeded with warnings; the report tells them.
SuccessExitStatus=3
# Stopped politely, the next run goes on from there.
KillMode=mixed
TimeoutStopSec=2min
Nice=10
CPUSchedulingPolicy=batch
IOSchedulingClass=idle
UMask=0077
{walls}"""

_WALLS = """
# It reads everything, and writes only what it remembers.
CapabilityBoundingSet=CAP_DAC_READ_SEARCH CAP_FOWNER{more_capabilities}
NoNewPrivileges=yes
ProtectSystem=strict
ProtectHome=read-only
{places}
Environment={environment}
{private_tmp}PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
"""

_OPEN = """
# The plan starts programs of yours (hooks, commands), which would be shut in with it.
# If they need little, take walls from `coffre-agent timer` of a plan without them.
ProtectClock=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
RestrictRealtime=yes
LockPersonality=yes
"""

_TIMER = """\
# Written by `coffre-agent timer`.
[Unit]
Description=Coffre: when the plan {plan} is copied

[Timer]
{calendar}
# A turn that was missed while the machine was off is made up for.
Persistent=true
# Not all machines of the world at the same second.
RandomizedDelaySec={delay}
AccuracySec=1min

[Install]
WantedBy=timers.target
"""


def units(
    call: Call, schedule: str, rhythm: Rhythm, now: datetime, delay: str = "10min"
) -> dict[str, str]:
    """The two unit files by name."""
    plan = call.plan.replace("%", "%%")
    lines = "\n".join(f"OnCalendar={each}" for each in calendar(schedule, rhythm, now))
    return {
        f"{call.stem}.service": _SERVICE.format(
            plan=plan,
            command=" ".join(map(_quoted, call.argv)),
            walls=_OPEN if call.has_programs else _walls(call),
        ),
        f"{call.stem}.timer": _TIMER.format(plan=plan, calendar=lines, delay=delay),
    }


def calendar(schedule: str, rhythm: Rhythm, now: datetime) -> list[str]:
    """The OnCalendar expressions; they are alternatives, as systemd takes several lines.

    now: an aware time; the nights in which the clock is set are told for twenty years.
    """
    return [*_own(rhythm), *_odd(changes.missed_by_walls(schedule, rhythm, now))]


def _odd(moments: Sequence[datetime]) -> Iterator[str]:
    """Moments of single nights; in few lines, as the clock is set on one day of the week."""
    nights: dict[tuple[int, int], dict[int, list[date]]] = {}
    for moment in moments:
        of_hour = nights.setdefault((moment.month, moment.hour), {})
        of_hour.setdefault(moment.minute, []).append(moment.date())
    for (month, hour), by_minute in sorted(nights.items()):
        for dates in {tuple(dates): None for dates in by_minute.values()}:
            minutes = _numbers(each for each in by_minute if tuple(by_minute[each]) == dates)
            for days in _days_in(month, dates):
                yield f"{days} {hour:02d}:{minutes}:00 UTC"


def _days_in(month: int, dates: Sequence[date]) -> Iterator[str]:
    """Days of one month in several years: as the same day of the week each year, or one by one."""
    days, weekdays = [each.day for each in dates], {each.isoweekday() for each in dates}
    years = [each.year for each in dates]
    is_yearly = len(years) > 6 and years == list(range(years[0], years[-1] + 1))
    if is_yearly and len(weekdays) == 1 and max(days) - min(days) < 7:
        yield f"{_WEEKDAYS[weekdays.pop()]} *-{month:02d}-{min(days):02d}..{max(days):02d}"
        return
    for day in sorted(set(days)):
        listed = ",".join(str(each.year) for each in dates if each.day == day)
        yield f"{listed}-{month:02d}-{day:02d}"


def _own(rhythm: Rhythm) -> list[str]:
    """The schedule's times as the clock of its zone shows them."""
    if rhythm.is_either:
        return [*_dates(rhythm, None), _at(rhythm, rhythm.weekdays, "*")]
    return _dates(rhythm, rhythm.weekdays)


def _dates(rhythm: Rhythm, weekdays: frozenset[int] | None) -> list[str]:
    wanted = []
    if rhythm.days is None or rhythm.days:
        days = "*" if rhythm.days is None else _numbers(rhythm.days)
        wanted.append(_at(rhythm, weekdays, days))
    if rhythm.last_day:
        wanted.append(_at(rhythm, weekdays, "~01"))
    return wanted


def _at(rhythm: Rhythm, weekdays: frozenset[int] | None, days: str) -> str:
    months = "*" if rhythm.months is None else _numbers(rhythm.months)
    date = f"*-{months}{days}" if days.startswith("~") else f"*-{months}-{days}"
    hours = "*" if len(rhythm.hours) == 24 else _numbers(rhythm.hours)
    minutes = "*" if len(rhythm.minutes) == 60 else _numbers(rhythm.minutes)
    named = "" if weekdays is None else ",".join(_WEEKDAYS[day] for day in sorted(weekdays)) + " "
    return f"{named}{date} {hours}:{minutes}:00 {rhythm.timezone}"


def _numbers(numbers: Iterable[int]) -> str:
    return ",".join(f"{number:02d}" for number in sorted(numbers))


def _walls(call: Call) -> str:
    state = call.state_dir
    places = [f"ReadWritePaths={_quoted('-' + path)}" for path in call.writable]
    if state.startswith("/var/lib/"):
        places += [f"StateDirectory={_quoted(state[9:])}", "StateDirectoryMode=0700"]
    else:
        places.insert(0, f"ReadWritePaths={_quoted(state)}")
    return _WALLS.format(
        # Hidden from the service, /tmp can't be copied; what it writes for a moment goes elsewhere.
        private_tmp="" if any(map(_touches_tmp, call.folders)) else "PrivateTmp=yes\n",
        environment=_quoted(f"TMPDIR={state}"),
        places="\n".join(places),
        more_capabilities=" CAP_DAC_OVERRIDE" if call.writable else "",
    )


def _touches_tmp(folder: str) -> bool:
    return any(
        folder in ("/", "/var", tmp) or folder.startswith(tmp + "/")
        for tmp in ("/tmp", "/var/tmp")  # noqa: S108 - compared, not written
    )


def _quoted(text: str) -> str:
    """As systemd reads it: % and $ mean something there."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    is_plain = all(character.isalnum() or character in "-_./:=+@,~%" for character in escaped)
    return escaped if is_plain else f'"{escaped}"'


def unquoted(line: str) -> str:
    """A command of a unit, as a shell would have it."""
    return line.partition("=")[2].lstrip("-@:+!").replace("%%", "%").replace("$$", "$")
