"""Timers start a plan when its cron expression says, whatever starts them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import islice, takewhile
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from agent.config import Plan
from agent.telling.failures import UsageError
from agent.timers import Call, cron, rhythm_of, systemd, windows
from agent.timers.changes import is_due
from tests.world.machines import ROOT

TWO_DAYS = timedelta(days=2)
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
CALL = Call(
    plan='café "50 %"', stem="coffre-agent-caf-1", argv=("/opt/a b/coffre-agent", "run", "x$y%z"),
    folders=("/srv/data", "/home"), state_dir="/var/lib/coffre-agent", has_programs=False,
)  # fmt: skip
SCHEDULES = [
    "15 2 * * *",
    "*/20 8-18 * * mon-fri",
    "0 0 1,15 * *",
    "30 4 1 * 1",
    "0 6 * * 0,6",
    "5 3 L * *",
    "5 3 L,10 * 5",
    "0 12 * jan,jul 7",
    "0 1 */10 * *",
    "10 1 */2 * 2",
]
needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="this machine has no systemd-analyze"
)


def plan(schedule: str, timezone: str = "Europe/Paris") -> Plan:
    return Plan("x", ("/srv",), (), schedule, timezone, (), True)


def turns(schedule: str, timezone: str, count: int) -> list[datetime]:
    """When the plan is due, by the library that the server goes by."""
    start = NOW.astimezone(ZoneInfo(timezone))
    return [each.astimezone(UTC) for each in islice(CronSim(schedule, start), count)]


def elapses(expressions: list[str], start: datetime, count: int) -> list[datetime]:
    """When systemd would start what has these lines, the first of them."""
    base = f"--base-time={start.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"
    told = subprocess.run(
        ["systemd-analyze", "calendar", f"--iterations={count}", base, *expressions],
        capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    moments = re.findall(r": \w{3} (\d{4}-\S+ \S+) UTC$", told.stdout, re.MULTILINE)
    return sorted(
        {datetime.strptime(each, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC) for each in moments}
    )


@needs_systemd
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_systemd_reads_our_calendar_as_cron_reads_the_plans(schedule: str) -> None:
    expressions = systemd.calendar(schedule, rhythm_of(plan(schedule)), NOW)
    assert elapses(expressions, NOW, 6)[:6] == turns(schedule, "Europe/Paris", 6)


# A night of spring and one of autumn of each zone, the noon before.
NIGHTS = [
    ("Europe/Paris", "2027-03-27", "2027-10-30"),
    ("America/New_York", "2027-03-13", "2027-11-06"),
    ("Australia/Lord_Howe", "2027-10-02", "2027-04-03"),
    ("America/Santiago", "2027-09-04", "2027-04-03"),
    ("Africa/Casablanca", "2027-03-13", "2027-02-06"),
    ("Asia/Kolkata", "2027-03-27", "2027-10-30"),
]
ODD = ["0 2 * * *", "30 2 * * *", "0,30 2 * * *", "15 1 * * *", "30 0 * * *", "0 1-4 * * *",
       "0 2 * * 0", "0 2 * * 1-5", "45 * * * *", "0 */2 * * *", "0 3 L * *",
       "59 1 28,31 * *"]  # fmt: skip
# cronsim loses turns of wildcards where the clock is set by half an hour; systemd 252 those of the
# day's rest where summer time is told as the lack of winter time.
BEYOND_US = {
    ("45 * * * *", "Australia/Lord_Howe"),
    ("0 */2 * * *", "Africa/Casablanca"),
    ("0 */2 * * *", "Australia/Lord_Howe"),
}


def nights() -> list[tuple[str, str, datetime]]:
    return [
        (schedule, zone, datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=ZoneInfo(zone)))
        for zone, *days in NIGHTS
        for day in days
        for schedule in ODD
        if (schedule, zone) not in BEYOND_US
    ]


def due_within_two_days(schedule: str, start: datetime) -> list[datetime]:
    """When the service expects it, from a noon to the second next."""
    found = (turn.astimezone(UTC) for turn in CronSim(schedule, start))
    return list(takewhile(lambda turn: turn <= start.astimezone(UTC) + TWO_DAYS, found))


@needs_systemd
@pytest.mark.parametrize("zone", [zone for zone, *_ in NIGHTS])
def test_systemd_starts_once_in_the_nights_in_which_the_clock_is_set(zone: str) -> None:
    for schedule, own, start in nights():
        if own == zone:
            expressions = systemd.calendar(schedule, rhythm_of(plan(schedule, zone)), NOW)
            due = due_within_two_days(schedule, start)
            found = elapses(expressions, start, len(due) + 1)
            until = start.astimezone(UTC) + TWO_DAYS
            assert [each for each in found if each <= until] == due, (schedule, start)


@pytest.mark.parametrize("local", ["UTC", "Europe/Paris", "America/New_York", "Asia/Kathmandu"])
def test_cron_starts_once_in_the_nights_in_which_the_clock_is_set(local: str) -> None:
    machine = ZoneInfo(local)
    for schedule, zone, start in nights():
        text = cron.cron_file(CALL, schedule, rhythm_of(plan(schedule, zone)), machine, NOW)
        found = starts(text.splitlines()[-1], plan(schedule, zone), machine, start)
        assert found == due_within_two_days(schedule, start), (schedule, zone, start)


def test_a_start_that_cron_makes_late_is_none_too_many_and_none_too_few() -> None:
    schedule = "0,30 2 * * *"
    for late in (timedelta(seconds=1), timedelta(minutes=9, seconds=59)):
        for zone, start in dict.fromkeys((zone, start) for _, zone, start in nights()):
            mine = plan(schedule, zone)
            text = cron.cron_file(CALL, schedule, rhythm_of(mine), UTC, NOW)
            found = starts(text.splitlines()[-1], mine, ZoneInfo("UTC"), start, late)
            assert found == due_within_two_days(schedule, start), (zone, start)


@needs_systemd
def test_nights_of_twenty_years_are_told_in_few_lines() -> None:
    for zone, most in (("Europe/Paris", 2), ("America/New_York", 2), ("Asia/Kolkata", 1)):
        assert len(systemd.calendar("0 2 * * *", rhythm_of(plan("0 2 * * *", zone)), NOW)) <= most
    every_minute = systemd.calendar("* * * * *", rhythm_of(plan("* * * * *")), NOW)
    assert len(every_minute) == 2


@needs_systemd
@pytest.mark.parametrize("has_programs", [False, True])
def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path, has_programs: bool) -> None:
    program = tmp_path / "a b" / "coffre-agent"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    call = Call(
        CALL.plan, CALL.stem, (str(program), "run", "x$y%z"), CALL.folders, str(tmp_path / "state"),
        has_programs, writable=("/srv/register",),
    )  # fmt: skip
    for name, text in systemd.units(call, "15 2 * * *", rhythm_of(plan("15 2 * * *")), NOW).items():
        (tmp_path / name).write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"./{call.stem}.service", f"./{call.stem}.timer"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in verified.stderr.splitlines() if call.stem in line]
    assert (verified.returncode, ours) == (0, [])


def test_the_service_writes_only_its_state_and_hides_nothing_it_copies() -> None:
    service = systemd.units(CALL, "15 2 * * *", rhythm_of(plan("15 2 * * *")), NOW)[
        "coffre-agent-caf-1.service"
    ]
    assert 'ExecStart="/opt/a b/coffre-agent" run "x$$y%%z"' in service
    assert "ProtectSystem=strict" in service
    assert "StateDirectory=coffre-agent\n" in service
    assert "PrivateTmp=yes" in service
    in_tmp = Call(*[*vars(CALL).values()][:3], ("/var/tmp/x",), "/data/state", False)
    service = "".join(
        systemd.units(in_tmp, "15 2 * * *", rhythm_of(plan("15 2 * * *")), NOW).values()
    )
    assert "PrivateTmp" not in service
    assert "ReadWritePaths=/data/state" in service


@pytest.mark.parametrize("schedule", ["0 2 * * 5#2", "0 2 * * 5L", "0 2 LW * *"])
def test_what_timers_cannot_express_is_refused(schedule: str) -> None:
    with pytest.raises(UsageError, match="which timers can't express"):
        rhythm_of(plan(schedule))


def starts(
    line: str, mine: Plan, local: ZoneInfo, start: datetime, late: timedelta = timedelta(0)
) -> list[datetime]:
    """The moments at which cron's line would start the agent in two days.

    cron as simple as can be: at each minute that passes it looks at the machine's clock.
    """
    fields, command = line.split(" root ")
    guard = re.search(r"--due (\d+) && nice", command)
    begun = []
    first = start.astimezone(UTC)
    shown = start.astimezone(local).replace(tzinfo=None) - timedelta(hours=3)
    meant = set(takewhile(lambda at: at < shown + 2 * TWO_DAYS, CronSim(fields, shown)))
    for number in range(1, int(TWO_DAYS / timedelta(minutes=1)) + 1):
        moment = first + timedelta(minutes=number)
        naive = moment.astimezone(local).replace(tzinfo=None)
        if naive not in meant:
            continue
        if guard is not None:
            assert fields.split()[1:] == ["*"] * 4
            if not is_due(mine, moment + late, int(guard[1])):
                continue
        begun.append(moment)
    return begun


def test_cron_goes_on_only_when_the_plan_is_due(tmp_path: Path) -> None:
    """The line itself, by a real shell: what it asks is a command of ours."""
    due, beside = datetime.now(UTC), datetime.now(UTC) - timedelta(hours=3)
    for moment, expected in ((due, 0), (beside, 1)):
        schedule = f"{moment.minute} {moment.hour} * * *"
        config = tmp_path / f"{expected}.toml"
        config.write_text(
            'token_file = "token"\nstate_dir = "state"\n[[plan]]\nname = "x y"\n'
            f'folders = ["/srv"]\nschedule = "{schedule}"\ntimezone = "UTC"\n'
        )
        program = (sys.executable, "-m", "agent", "--config", str(config), "run", "x y")
        call = Call("x y", "x", program, ("/srv",), "/var/lib/x", False)
        mine = plan(schedule, "UTC")
        text = cron.cron_file(call, schedule, rhythm_of(mine), ZoneInfo("Asia/Tokyo"), NOW)
        command = text.splitlines()[-1].split(" root ")[1].replace("nice ", "true ", 1)
        ended = subprocess.run(
            ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert (ended.returncode, ended.stderr) == (expected, "")


def test_cron_takes_the_expression_as_it_is_where_the_clocks_agree() -> None:
    schedule = "*/20 8-18 1 * mon-fri"
    paris = ZoneInfo("Europe/Brussels")
    text = cron.cron_file(CALL, schedule, rhythm_of(plan(schedule)), paris, NOW)
    assert text.splitlines()[-1].startswith("*/20 8-18 1 * mon-fri root cd / && nice")
    assert r"'x$y\%z'" in text


def test_a_windows_task_has_the_plans_days_and_times() -> None:
    space = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
    for schedule, starts_at, days in (
        ("15 2 * * *", ["02:15"], {"DaysInterval"}),
        ("0 6,18 * * mon,sun", ["06:00", "18:00"], {"Monday", "Sunday"}),
        ("0 3 1,L 6 *", ["03:00"], {"Day", "June"}),
    ):
        text = windows.task(CALL, rhythm_of(plan(schedule)), date(2026, 11, 23))
        root = ElementTree.fromstring(text.partition("?>")[2])
        found = [each.text or "" for each in root.iter(f"{space}StartBoundary")]
        assert found == [f"2026-11-23T{time}:00" for time in starts_at]
        assert days <= {each.tag.removeprefix(space) for each in root.iter()}
        assert root.findtext(f"{space}Actions/{space}Exec/{space}Arguments") == "run x$y%z"
    assert "<Day>1</Day><Day>Last</Day>" in text
    for schedule in ("0 3 * 6 mon", "* * * * *"):
        with pytest.raises(UsageError, match="Windows task"):
            windows.task(CALL, rhythm_of(plan(schedule)), date(2026, 11, 23))


def test_timer_writes_files_and_leaves_those_of_others_alone(tmp_path: Path) -> None:
    config = tmp_path / "agent.toml"
    config.write_text(
        'token_file = "token"\nstate_dir = "state"\n'
        '[[plan]]\nname = "papers"\nfolders = ["/srv"]\nschedule = "15 2 * * *"\n'
    )

    def timer(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "agent", "--config", str(config), "timer", "papers"]
        return subprocess.run(
            [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
        )

    printed = timer("--systemd")
    assert "OnCalendar=*-*-* 02:15:00 Europe/Paris" in printed.stdout
    assert f"ReadWritePaths={tmp_path}/state" in printed.stdout
    out = tmp_path / "units"
    for kind in ("--systemd", "--cron", "--windows", "--systemd"):
        assert timer(kind, "--output", str(out)).returncode == 0
    assert len(list(out.iterdir())) == 4
    assert (out / "coffre-agent-papers.xml").read_text("utf-16").startswith("<?xml")
    (out / "coffre-agent-papers.timer").write_text("[Timer]\n")
    refused = timer("--systemd", "--output", str(out))
    assert refused.returncode == 2
    assert "stays as it is" in refused.stderr
