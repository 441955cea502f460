"""A task for `schtasks /Create /XML`."""

from __future__ import annotations

import calendar
import subprocess
from datetime import date
from xml.sax.saxutils import escape

from agent.platforms.places import system_folder
from agent.telling.failures import UsageError
from agent.timers.call import Call
from agent.timers.rhythm import Rhythm

_MOST_TRIGGERS = 48
_WEEKDAYS = ("", *calendar.day_name)
_TASK = """\
<?xml version="1.0" encoding="UTF-16"?>
<!-- Written by `coffre-agent timer`. It goes by this machine's clock, which should show the time of
     {timezone}. To add it: schtasks /Create /TN "{stem}" /XML "{stem}.xml" -->
<Task version="1.2" xmlns="http://schemas.microsoft.com/windows/2004/02/mit/task">
  <RegistrationInfo>
    <Description>Coffre: copy the plan {plan}</Description>
  </RegistrationInfo>
  <Triggers>
{triggers}
  </Triggers>
  <Principals>
    <Principal id="Author">
      <UserId>S-1-5-18</UserId>
      <RunLevel>HighestAvailable</RunLevel>
    </Principal>
  </Principals>
  <Settings>
    <MultipleInstancesPolicy>IgnoreNew</MultipleInstancesPolicy>
    <DisallowStartIfOnBatteries>false</DisallowStartIfOnBatteries>
    <StopIfGoingOnBatteries>false</StopIfGoingOnBatteries>
    <StartWhenAvailable>true</StartWhenAvailable>
    <RunOnlyIfNetworkAvailable>true</RunOnlyIfNetworkAvailable>
    <ExecutionTimeLimit>PT0S</ExecutionTimeLimit>
    <Priority>7</Priority>
  </Settings>
  <Actions Context="Author">
    <Exec>
      <Command>{command}</Command>
      <Arguments>{arguments}</Arguments>
      <WorkingDirectory>{folder}</WorkingDirectory>
    </Exec>
  </Actions>
</Task>
"""
_TRIGGER = """\
    <CalendarTrigger>
      <StartBoundary>{start}</StartBoundary>
      <Enabled>true</Enabled>
      <RandomDelay>PT10M</RandomDelay>
{days}
    </CalendarTrigger>"""


def task(call: Call, rhythm: Rhythm, today: date) -> str:
    """The XML of a task; it is written in UTF-16."""
    triggers = [
        _TRIGGER.format(start=f"{today.isoformat()}T{hour:02d}:{minute:02d}:00", days=days)
        for days in _days(rhythm)
        for hour, minute in rhythm.times
    ]
    if len(triggers) > _MOST_TRIGGERS:
        raise UsageError(
            f"A Windows task takes {_MOST_TRIGGERS} starts at most, and this schedule has "
            f"{len(triggers)}. Let the plan run less often."
        )
    return _TASK.format(
        timezone=escape(rhythm.timezone),
        stem=escape(call.stem),
        plan=escape(call.plan),
        triggers="\n".join(triggers),
        command=escape(call.argv[0]),
        folder=escape(system_folder()),
        arguments=escape(subprocess.list2cmdline(call.argv[1:])),
    )


def _days(rhythm: Rhythm) -> list[str]:
    """On which days, as one schedule or as two alternatives."""
    dated = rhythm.days is not None or rhythm.months is not None or rhythm.last_day
    if dated and rhythm.weekdays is not None and not rhythm.is_either:
        raise UsageError(
            "A Windows task can't ask for a day of the month or a month and a day of the week at "
            "once. Leave one of them open."
        )
    if rhythm.is_either:
        return [_monthly(rhythm), _weekly(rhythm)]
    if dated:
        return [_monthly(rhythm)]
    return [_weekly(rhythm)]


def _weekly(rhythm: Rhythm) -> str:
    if rhythm.weekdays is None:
        return "      <ScheduleByDay><DaysInterval>1</DaysInterval></ScheduleByDay>"
    if rhythm.months is not None:
        raise UsageError("A Windows task can't ask for months and days of the week at once.")
    named = "".join(f"<{_WEEKDAYS[day]} />" for day in sorted(rhythm.weekdays))
    return (
        "      <ScheduleByWeek><WeeksInterval>1</WeeksInterval>"
        f"<DaysOfWeek>{named}</DaysOfWeek></ScheduleByWeek>"
    )


def _monthly(rhythm: Rhythm) -> str:
    days = range(1, 32) if rhythm.days is None else sorted(rhythm.days)
    listed = "".join(f"<Day>{day}</Day>" for day in days) + "<Day>Last</Day>" * rhythm.last_day
    wanted = range(1, 13) if rhythm.months is None else sorted(rhythm.months)
    months = "".join(f"<{calendar.month_name[month]} />" for month in wanted)
    return (
        f"      <ScheduleByMonth><DaysOfMonth>{listed}</DaysOfMonth>"
        f"<Months>{months}</Months></ScheduleByMonth>"
    )
