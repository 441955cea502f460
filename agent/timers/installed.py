"""Timers where the machine looks for them: put there, taken away, and found again."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from agent.config import Config, Plan
from agent.platforms import SYSTEM
from agent.platforms.places import is_administrator, system_program
from agent.programs import processes
from agent.telling.failures import UsageError
from agent.timers import cron, crontab, systemd, windows
from agent.timers.call import Call, call_of
from agent.timers.rhythm import rhythm_of

MARK = "Written by `coffre-agent timer`"
_SECONDS = 60.0


@dataclass(frozen=True)
class Machine:
    """Where a machine keeps what it starts by itself; root: of its files, another one in tests."""

    root: Path = Path("/")

    @property
    def units(self) -> Path:
        """The folder for systemd's units of the machine's own."""
        return self.root / "etc/systemd/system"

    @property
    def cron(self) -> Path:
        """The folder for cron's files."""
        return self.root / "etc/cron.d"

    @property
    def has_systemd(self) -> bool:
        """Was it started by systemd?"""
        return (self.root / "run/systemd/system").is_dir()

    @property
    def has_cron(self) -> bool:
        """Is there a cron that reads files?"""
        return self.cron.is_dir() and any(map(processes.find, ("cron", "crond")))


MACHINE = Machine()


def kind_here(machine: Machine = MACHINE) -> str:
    """What starts plans here; UsageError where there is nothing that could."""
    if SYSTEM == "windows":
        return "windows"
    if is_administrator() and machine.has_systemd:
        return "systemd"
    if is_administrator() and machine.has_cron:
        return "cron"
    if processes.find("crontab"):
        return "crontab"
    raise UsageError(
        "Nothing on this machine starts programs by the clock. Install cron, or have the plan "
        "started by something of yours: coffre-agent run PLAN"
    )


def install(config: Config, plan: Plan, kind: str, machine: Machine = MACHINE) -> str:
    """Let the machine start the plan by its schedule; gives what does that now."""
    call, rhythm, now = call_of(config, plan), rhythm_of(plan), datetime.now(UTC)
    if kind == "windows":
        return _install_task(call, windows.task(call, rhythm, now.date()))
    if kind == "systemd":
        write(systemd.units(call, plan.schedule, rhythm, now), machine.units)
        _run(["systemctl", "daemon-reload"])
        _run(["systemctl", "enable", "--now", f"{call.stem}.timer"])
        return f"{machine.units / call.stem}.timer"
    text = cron.cron_file(call, plan.schedule, rhythm, None, now)
    if kind == "crontab":
        crontab.write(crontab.without(crontab.read(), plan.name) + crontab.block(text))
        return "your crontab"
    file = machine.cron / call.stem.replace(".", "_")
    write({file.name: text}, machine.cron)
    return str(file)


def remove(config: Config, plan: Plan, machine: Machine = MACHINE) -> list[str]:
    """Take away what we installed for the plan, in whatever way; gives what that was."""
    call = call_of(config, plan)
    if SYSTEM == "windows":
        if not _has_task(call):
            return []
        _run([system_program("schtasks"), "/Delete", "/TN", call.stem, "/F"])
        return [f"the task {call.stem}"]
    gone = []
    for service in _services(call, machine):
        if not _is_ours(service):
            continue
        timer = service.with_suffix(".timer")
        _run(["systemctl", "disable", "--now", timer.name])
        for file in (timer, service):
            file.unlink(missing_ok=True)
            gone.append(str(file))
    if gone:
        _run(["systemctl", "daemon-reload"])
    for file in _cron_files(call, machine):
        if _is_ours(file):
            file.unlink()
            gone.append(str(file))
    lines = crontab.read()
    if (left := crontab.without(lines, plan.name)) != lines:
        crontab.write(left)
        gone.append("what stood in your crontab")
    return gone


def starter_of(config: Config, plan: Plan, machine: Machine = MACHINE) -> str | None:
    """What starts the plan by the clock here, None where nothing does."""
    call = call_of(config, plan)
    if SYSTEM == "windows":
        return f"the task {call.stem}" if _has_task(call) else None
    for service in _services(call, machine):
        timer = service.with_suffix(".timer").name
        # What `systemctl is-enabled` looks at.
        if machine.has_systemd and any(machine.units.glob(f"*.wants/{timer}")):
            return timer
    for file in _cron_files(call, machine):
        return str(file)
    if _starts(call, crontab.read()):
        return "your crontab"
    return "coffre-agent loop" if _is_looping(call, machine) else None


def write(files: dict[str, str], folder: Path) -> None:
    """Write files of ours; UsageError where one of that name is somebody else's."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            file = folder / name
            encoding = "utf-16" if name.endswith(".xml") else "utf-8"
            if file.exists() and MARK not in file.read_text(encoding)[:200]:
                raise UsageError(f"{file} is there already and is not ours: it stays as it is.")
            file.write_text(text, encoding)
            file.chmod(0o644)
    except (OSError, UnicodeError) as error:
        raise UsageError(f"Nothing could be written to {folder}: {error}.") from error


def _services(call: Call, machine: Machine) -> Iterator[Path]:
    """Units that start the plan, whatever they are called."""
    for file in sorted(machine.units.glob("*.service")):
        lines = _lines(file)
        started = [systemd.unquoted(line) for line in lines if line.startswith("ExecStart=")]
        if _starts(call, started):
            yield file


def _cron_files(call: Call, machine: Machine) -> Iterator[Path]:
    found = sorted(machine.cron.glob("*")) if machine.cron.is_dir() else []
    for file in [machine.root / "etc/crontab", *found]:
        # cron passes over names with other characters, such as those of editors' copies.
        if file.name.replace("-", "").replace("_", "").isalnum() and _starts(call, _lines(file)):
            yield file


def _starts(call: Call, lines: Iterable[str]) -> bool:
    """Does one of these command lines run the plan, with our configuration?"""
    for line in lines:
        if line.lstrip().startswith("#") or "run" not in line:
            continue
        try:
            words = shlex.split(line.replace("\\%", "%"))
        except ValueError:
            continue
        if _is_ours_to_read(call, words) and ("run", call.plan) in pairwise(words):
            return True
    return False


def _is_looping(call: Call, machine: Machine) -> bool:
    """Is `loop` what this machine was started for, as containers are?"""
    try:
        told = (machine.root / "proc/1/cmdline").read_text("utf-8", "replace")
    except OSError:
        return False
    words = told.rstrip("\0").split("\0")
    is_agent = any(Path(word).name in ("coffre-agent", "agent") for word in words)
    return is_agent and words[-1] == "loop" and _is_ours_to_read(call, words)


def _is_ours_to_read(call: Call, words: list[str]) -> bool:
    """Does a command line name our configuration, or none?"""
    named = words[words.index("--config") + 1 :][:1] if "--config" in words else []
    return not named or named[0] == call.argv[call.argv.index("--config") + 1]


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return []


def _is_ours(file: Path) -> bool:
    return MARK in "\n".join(_lines(file)[:3])


def _install_task(call: Call, text: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "task.xml"
        file.write_text(text, "utf-16")
        schtasks = system_program("schtasks")
        _run([schtasks, "/Create", "/TN", call.stem, "/XML", str(file), "/F"])
    return f"the task {call.stem}"


def _has_task(call: Call) -> bool:
    command = [system_program("schtasks"), "/Query", "/TN", call.stem]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _run(command: list[str]) -> None:
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=_SECONDS)
    except FileNotFoundError as error:
        raise UsageError(f"{command[0]} is not found, and a timer needs it.") from error
    except subprocess.SubprocessError as error:
        told = getattr(error, "stderr", b"") or b""
        words = told.decode(errors="replace").strip() or str(error)
        raise UsageError(f"{shlex.join(command)} failed: {words}") from error
