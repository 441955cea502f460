"""Timers start a plan when its cron expression says, whatever starts them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest
from cronsim import CronSim

from agent.config import Plan
from agent.telling.failures import UsageError
from agent.timers import Call, cron, rhythm_of, systemd, windows
from tests.world.machines import ROOT

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


@needs_systemd
@pytest.mark.parametrize("schedule", SCHEDULES)
def test_systemd_reads_our_calendar_as_cron_reads_the_plans(schedule: str) -> None:
    expressions = systemd.calendar(rhythm_of(plan(schedule)))
    told = subprocess.run(
        ["systemd-analyze", "calendar", "--iterations=6", "--base-time=2026-11-23 10:00:00 UTC",
         *expressions],
        capture_output=True, text=True, check=True, env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    found = {
        datetime.strptime(moment, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
        for moment in re.findall(r": \w{3} (\d{4}-\S+ \S+) UTC$", told.stdout, re.MULTILINE)
    }
    assert sorted(found)[:6] == turns(schedule, "Europe/Paris", 6)


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
    for name, text in systemd.units(call, rhythm_of(plan("15 2 * * *"))).items():
        (tmp_path / name).write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", f"./{call.stem}.service", f"./{call.stem}.timer"],
        cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    ours = [line for line in verified.stderr.splitlines() if call.stem in line]
    assert (verified.returncode, ours) == (0, [])


def test_the_service_writes_only_its_state_and_hides_nothing_it_copies() -> None:
    service = systemd.units(CALL, rhythm_of(plan("15 2 * * *")))["coffre-agent-caf-1.service"]
    assert 'ExecStart="/opt/a b/coffre-agent" run "x$$y%%z"' in service
    assert "ProtectSystem=strict" in service
    assert "StateDirectory=coffre-agent\n" in service
    assert "PrivateTmp=yes" in service
    in_tmp = Call(*[*vars(CALL).values()][:3], ("/var/tmp/x",), "/data/state", False)
    service = "".join(systemd.units(in_tmp, rhythm_of(plan("15 2 * * *"))).values())
    assert "PrivateTmp" not in service
    assert "ReadWritePaths=/data/state" in service


@pytest.mark.parametrize("schedule", ["0 2 * * 5#2", "0 2 * * 5L", "0 2 LW * *"])
def test_what_timers_cannot_express_is_refused(schedule: str) -> None:
    with pytest.raises(UsageError, match="which timers can't express"):
        rhythm_of(plan(schedule))


def starts(line: str, local: ZoneInfo, moments: list[datetime]) -> list[datetime]:
    """The moments at which cron's line would start the agent, asked from a real shell."""
    fields, command = line.split(" root ")
    minutes = {int(minute) for minute in fields.split()[0].split(",")}
    guard = command.replace("\\%", "%").replace("nice ", "echo started; : nice ", 1)
    begun = []
    for moment in moments:
        if moment.astimezone(local).minute not in minutes:
            continue
        fake = f'date() {{ command date -d @{int(moment.timestamp())} "$@"; }}; '
        told = subprocess.run(
            ["sh", "-c", fake + guard], capture_output=True, text=True, check=True
        )
        if "started" in told.stdout:
            begun.append(moment)
    return begun


@pytest.mark.parametrize("local", ["UTC", "Asia/Kathmandu"])
def test_cron_starts_at_the_plans_time_on_a_machine_of_another_zone(local: str) -> None:
    schedule = "15 2 * * 1-5"
    text = cron.cron_file(CALL, schedule, rhythm_of(plan(schedule)), ZoneInfo(local), NOW)
    line = text.splitlines()[-1]
    for due in (turns(schedule, "Europe/Paris", 3)[-1], datetime(2027, 7, 5, 0, 15, tzinfo=UTC)):
        around = [due + timedelta(hours=hours) for hours in (-24, -2, -1, 0, 1, 2)]
        expected = [each for each in around if each.astimezone(ZoneInfo("Europe/Paris")).hour == 2
                    and each.astimezone(ZoneInfo("Europe/Paris")).isoweekday() < 6]  # fmt: skip
        assert starts(line, ZoneInfo(local), around) == expected
        assert due in expected


def test_cron_takes_the_expression_as_it_is_where_the_clocks_agree() -> None:
    schedule = "*/20 8-18 1 * mon-fri"
    paris = ZoneInfo("Europe/Brussels")
    text = cron.cron_file(CALL, schedule, rhythm_of(plan(schedule)), paris, NOW)
    assert text.splitlines()[-1].startswith("*/20 8-18 1 * mon-fri root nice")
    assert r"'x$y\%z'" in text
    with pytest.raises(UsageError, match="does not show the time of Europe/Paris"):
        cron.cron_file(CALL, schedule, rhythm_of(plan(schedule)), ZoneInfo("UTC"), NOW)
    with pytest.raises(UsageError, match="no last day"):
        cron.cron_file(CALL, "0 1 L * *", rhythm_of(plan("0 1 L * *")), paris, NOW)


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
