"""`run up`: one process that starts an installation, keeps it alive and ends it in order."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import structlog

from devstack import clock, demo, resting, say, servers, stack
from devstack.ports import Ports
from devstack.processes import (
    Processes,
    StartFailed,
    Stopping,
    end_leftovers,
    end_with_parent,
    start_time,
    write_atomically,
)
from devstack.stack import SERVICES, Stack

STATE = "supervisor.json"
STACK = "stack.json"
LOOK_SECONDS = 0.3
CALM_SECONDS = 60
PAUSES = (0.5, 1, 2, 4, 8, 15, 30)


@dataclass(frozen=True)
class Options:
    """How to run: where, with or without a demonstration, and of which folder."""

    folder: Path
    with_demo: bool = True
    demo_folder: Path | None = None
    ends_with_parent: bool = False
    store: Literal["s3", "file"] = "s3"


def run(options: Options) -> int:
    """Runs the installation until somebody ends it; gives the exit status."""
    folder = options.folder
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)  # PostgreSQL's own user must pass through
    with open(folder / "lock", "a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return tell_where(folder)
        (folder / STACK).unlink(missing_ok=True)
        ended = end_leftovers(folder)
        if ended:
            say.warning(f"The last run was cut off; ended what it had left: {', '.join(ended)}.")
        return _run(options)


def _run(options: Options) -> int:
    folder = options.folder
    _write_state(folder, "starting")
    if options.ends_with_parent:
        end_with_parent()
    # Migrations and the like log every step; here only what goes wrong is of interest.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    free = Ports(folder)
    processes = Processes(folder)
    signals = _Signals(processes)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signals.receive)
    status = 0
    try:
        installation = start(processes, options, free)
        _write_state(folder, "ready")
        _keep_alive(processes, installation)
    except Stopping:
        pass
    except StartFailed as failed:
        say.failure(str(failed))
        status = 1
    finally:
        stop(processes, folder)
        free.close()
        # Python itself ends with the system's own handlers, which would make a failure of it.
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
    return status


class _Signals:
    """The first request to end ends; further ones are told that it is under way."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes

    def receive(self, _number: int, _frame: object) -> None:
        again = self._processes.stopping.is_set()
        self._processes.stopping.set()
        text = "Already stopping, a moment more…" if again else "\nStopping…"
        os.write(sys.stdout.fileno(), f"{text}\n".encode())


def tell_where(folder: Path) -> int:
    """Says where the installation that already runs can be found."""
    try:
        described = json.loads((folder / STACK).read_text())
    except (OSError, ValueError):
        say.line("Coffre is already starting; `./run status` says how far it is.")
        return 0
    say.line("Coffre is already running.")
    print_summary(described)
    return 0


@dataclass
class Installation:
    """A running stack and what its demonstration is, for `stack.json`."""

    stack: Stack
    demo: dict[str, Any] | None
    restarts: dict[str, list[float]] = field(default_factory=dict)
    offset_seconds: int = 0
    confirmed: list[str] = field(default_factory=list)
    is_resting: bool = False

    def write(self, processes: Processes) -> dict[str, Any]:
        """Writes `stack.json` anew and gives what it says."""
        described = self.stack.describe(processes, self.demo)
        described["is_resting"] = self.is_resting
        described["clock"] = {"offset_seconds": self.offset_seconds, "confirmed": self.confirmed}
        write_atomically(self.stack.folder / STACK, json.dumps(described, indent=2) + "\n")
        return described


def start(processes: Processes, options: Options, free: Ports) -> Installation:
    """Starts servers, services and the demonstration, saying what it does."""
    began = time.monotonic()
    folder = options.folder
    listens, monitors = stack.choose_listens(free), stack.choose_monitors(free)
    say.line(f"Starting Coffre; its files are in {folder}")
    ready = servers.start(processes, folder, free, store=options.store)
    say.done(f"RabbitMQ, PostgreSQL, {ready.store.name} and the mailbox are ready")
    installation = Stack(folder, ready, listens, monitors)
    installation.prepare()
    _check(processes)
    say.done("The database is up to date")
    _start_services(processes, installation)
    say.done(f"The services are ready: {', '.join(SERVICES)}")
    shown = None
    if options.with_demo:
        shown = demo.prepare(processes, installation, options.demo_folder)
    result = Installation(installation, shown, offset_seconds=stack.read_offset(folder))
    described = result.write(processes)
    say.line(f"\nCoffre runs ({time.monotonic() - began:.0f} s).")
    print_summary(described)
    return result


def _check(processes: Processes) -> None:
    if processes.stopping.is_set():
        raise Stopping


def _start_services(processes: Processes, installation: Stack) -> None:
    for service in SERVICES:
        processes.start(installation.program(service))
    for service in SERVICES:
        processes.wait_ready(service, _readiness(installation.url(service)))


def _readiness(url: str) -> Callable[[], bool]:
    return lambda: stack.is_ready(url)


def _keep_alive(processes: Processes, installation: Installation) -> None:
    """Starts again whatever dies, with growing pauses, until somebody ends us."""
    due: dict[str, float] = {}
    while not processes.stopping.wait(LOOK_SECONDS):
        if stack.read_offset(installation.stack.folder) != installation.offset_seconds:
            _move_clock(processes, installation)
        if resting.is_wished(installation.stack.folder):
            _rest(processes, installation)
        now = time.monotonic()
        for name, status in processes.dead():
            if name not in due:
                recent = [
                    at for at in installation.restarts.get(name, []) if now - at < CALM_SECONDS
                ]
                pause = PAUSES[min(len(recent), len(PAUSES) - 1)]
                installation.restarts[name] = [*recent, now]
                due[name] = now + pause
                say.warning(f"{name} ended ({_reason(status)}); starting it again in {pause:g} s.")
            elif now >= due[name]:
                del due[name]
                process = processes.restart(name)
                say.done(f"{name} runs again (process {process.pid})")
                installation.write(processes)


def _move_clock(processes: Processes, installation: Installation) -> None:
    """Ends all services, has each believe the new time, and starts them together."""
    offset_seconds = stack.read_offset(installation.stack.folder)
    say.line(f"Moving the clock to {clock.describe(offset_seconds)}…")
    if not clock.settle(installation.stack):
        say.warning("Not all events are handled; those of long ago will be parked.")
    processes.stop(*SERVICES)
    installation.confirmed = clock.confirm(installation.stack)
    _start_services(processes, installation.stack)
    installation.offset_seconds = offset_seconds
    installation.write(processes)
    say.done(f"The services run again, at {clock.describe(offset_seconds)}")


def _rest(processes: Processes, installation: Installation) -> None:
    """Ends the services as long as somebody does their work, who may have moved their time."""
    say.line("The services rest, while somebody else does their work…")
    clock.settle(installation.stack)
    processes.stop(*SERVICES)
    installation.is_resting = True
    installation.write(processes)
    while resting.is_wished(installation.stack.folder):
        if processes.stopping.wait(LOOK_SECONDS):
            return
    clock.confirm(installation.stack)
    _start_services(processes, installation.stack)
    installation.is_resting = False
    installation.write(processes)
    say.done("The services run again")


def _reason(status: int) -> str:
    return f"killed by {signal.Signals(-status).name}" if status < 0 else f"status {status}"


def stop(processes: Processes, folder: Path) -> None:
    """Ends services, then servers, and takes away what says that we run."""
    (folder / STACK).unlink(missing_ok=True)
    processes.stopping.set()
    processes.stop("agent")
    processes.stop(*SERVICES)
    processes.close()
    (folder / STATE).unlink(missing_ok=True)
    say.line("Coffre has stopped; nothing of it is left running.")


def _write_state(folder: Path, state: str) -> None:
    pid = os.getpid()
    text = json.dumps({"pid": pid, "start_time": start_time(pid), "state": state})
    write_atomically(folder / STATE, text)


def print_summary(described: dict[str, Any]) -> None:
    """Prints where everything is, then a tour of it in numbered steps."""
    say.line()
    for name, text in _places(described):
        say.line(f"  {name:<8} {text}")
    say.line()
    for number, (what, how) in enumerate(_tour(described), 1):
        say.line(f"  {number}. {what}")
        for line in how:
            say.line(f"     {line}")
    say.line()


def _places(described: dict[str, Any]) -> list[tuple[str, str]]:
    rows = [
        ("Portal", described["portal"]["url"]),
        ("Mailbox", described["mailbox"]["url"]),
        ("Ingest", described["ingest"]["url"]),
    ]
    if offset_seconds := described["clock"]["offset_seconds"]:
        rows.append(("Clock", f"{clock.describe(offset_seconds)} (./run clock reset)"))
    return rows


def _tour(described: dict[str, Any]) -> list[tuple[str, list[str]]]:
    """What to do one after the other: (what, lines to type or to use)."""
    portal, mailbox = described["portal"]["url"], described["mailbox"]["url"]
    operator, shown = described["operator"], described["demo"]
    steps = []
    if shown:
        admin, plan, agent = shown["admin"], shown["plan"], ".venv/bin/coffre-agent"
        back = f"--portal {portal} --email {admin['email']} --to /tmp/back"
        steps = [
            ("Read the report of the first copy, as the client got it:", [mailbox]),
            (
                "Sign in as the client, browse the files, download one:",
                [portal, f"{admin['email']}  password {admin['password']}"],
            ),
            (
                "Copy again; nothing changed, so nothing is sent:",
                [f"{agent} --config {shown['agent_config']} run {plan}"],
            ),
            ("Bring everything back, with the same password:", [f"{agent} restore {plan} {back}"]),
        ]
    return [
        *steps,
        (
            "Sign in as the provider, there or in a terminal:",
            [
                f"{operator['email']}  password {operator['password']}",
                f".venv/bin/coffre login --portal {portal} --email {operator['email']}",
            ],
        ),
        ("Let a month pass, and see what becomes of it:", ["./run clock +31d"]),
        ("Stop it; all data stays for the next start:", ["./run down"]),
    ]
