"""The demonstration: a client company, its administrator, one agent and a copy of a real folder.

Each step looks whether it was done before, so that a start which was cut off goes on from there.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx2

from devstack import agents, mails, say
from devstack import stack as stacks
from devstack.portal import Portal, Refused
from devstack.processes import Processes, StartFailed, Stopping, tail
from devstack.servers import ROOT
from devstack.stack import Stack

COMPANY = "Boulangerie Martin"
ADMINISTRATOR = "claire.martin@boulangerie-martin.example"
PLAN = "documents"
CONTRACTED_BYTES = 5_000_000_000
LEAST_FILES, MOST_BYTES = 3_000, 300_000_000
WAIT_SECONDS = 60
SUCCEEDED = (0, 3)
T = TypeVar("T")


@dataclass(frozen=True)
class _Demo:
    processes: Processes
    stack: Stack
    portal: Portal

    @property
    def folder(self) -> Path:
        return self.stack.folder / "demo"

    def wait(self, what: str, look: Callable[[], T | None]) -> T:
        """Looks again and again until there is something; StartFailed when it takes too long."""
        deadline = time.monotonic() + WAIT_SECONDS
        while (found := look()) is None:
            if time.monotonic() > deadline:
                logs = self.stack.folder / "logs"
                raise StartFailed(f"{what} didn't come within {WAIT_SECONDS} s; see {logs}")
            if self.processes.stopping.wait(0.1):
                raise Stopping
        return found


def prepare(
    processes: Processes, installation: Stack, copied_folder: Path | None
) -> dict[str, Any]:
    """Brings the demonstration to its end state; gives what `stack.json` says of it."""
    portal = Portal(installation.url("portal"), installation.operator_token)
    demo = _Demo(processes, installation, portal)
    demo.folder.mkdir(exist_ok=True, mode=0o700)
    try:
        tenant_id = _open_tenant(demo)
        password = _choose_password(demo)
        copied_folder = _write_configuration(demo, copied_folder)
        if not (demo.folder / "token").exists():
            _enrol(demo, tenant_id)
        if not (demo.folder / "copied").exists():
            _copy(demo, copied_folder)
    except (httpx2.HTTPError, Refused) as error:
        raise StartFailed(f"the demonstration failed: {error}") from error
    return {
        "tenant_id": tenant_id,
        "admin": {"email": ADMINISTRATOR, "password": password},
        "agent_config": str(demo.folder / "agent.toml"),
        "plan": PLAN,
    }


def _open_tenant(demo: _Demo) -> str:
    for tenant in demo.portal.ask("GET", "/tenants")["tenants"]:
        if tenant["name"] == COMPANY:
            return str(tenant["tenant_id"])
    tenant_id = demo.portal.open_client(
        COMPANY, "Claire Martin", ADMINISTRATOR, contracted_bytes=CONTRACTED_BYTES
    )
    say.done(f"Opened a demonstration client: {COMPANY}")
    return tenant_id


def _choose_password(demo: _Demo) -> str:
    """Signs in with the mailed one-time password and replaces it; gives the chosen one."""
    chosen = stacks.readable_secret(demo.stack.folder, "demo-password")
    if _signs_in(demo, chosen):
        return chosen
    mailed = demo.wait("the mail with the first password", lambda: _mailed_password(demo))
    try:
        demo.portal.change_password(ADMINISTRATOR, mailed, chosen)
    except Refused:
        known = mailed
        demo.portal.ask("POST", "/administrators/reset", {"email": ADMINISTRATOR})
        mailed = demo.wait("the mail with a new password", lambda: _mailed_password(demo, known))
        demo.portal.change_password(ADMINISTRATOR, mailed, chosen)
    say.done("Its administrator got a first password by mail and has chosen an own one")
    return chosen


def _signs_in(demo: _Demo, password: str) -> bool:
    if not (demo.folder / "agent.toml").exists():
        return False  # the very first start: a try would only count as a wrong password
    try:
        demo.portal.sign_in(ADMINISTRATOR, password)
    except Refused:
        return False
    return True


def _mailed_password(demo: _Demo, other_than: str | None = None) -> str | None:
    password = mails.find_password(demo.stack.servers.mailbox.folder, ADMINISTRATOR)
    return None if password == other_than else password


def _write_configuration(demo: _Demo, copied_folder: Path | None) -> Path:
    """Writes the agent's configuration anew, as addresses may have changed since."""
    chosen = demo.folder / "folder"
    if copied_folder is None and chosen.exists():
        copied_folder = Path(chosen.read_text())
    copied_folder = copied_folder or _find_folder()
    chosen.write_text(str(copied_folder))
    plan = {"folders": [str(copied_folder)], "exclude": [], "recipients": [ADMINISTRATOR]}
    agents.write_configuration(demo.folder, demo.stack.url("ingest"), {PLAN: plan})
    return copied_folder


def _find_folder() -> Path:
    """Gives a folder of this machine with enough files to look real and few enough bytes."""
    library = Path(os.__file__).parent
    packages = Path(httpx2.__file__).parents[1]
    candidates = [Path("/usr/share/doc"), Path("/usr/share"), library, *sorted(packages.iterdir())]
    for folder in candidates:
        files, size_bytes = _measure(folder)
        if files >= LEAST_FILES and size_bytes <= MOST_BYTES:
            return folder
    return library


def _measure(folder: Path) -> tuple[int, int]:
    files = size_bytes = 0
    for place, _folders, names in os.walk(folder):
        for name in names:
            try:
                found = Path(place, name).lstat()
            except OSError:
                continue
            if stat.S_ISREG(found.st_mode):
                files += 1
                size_bytes += found.st_size
        if size_bytes > MOST_BYTES:
            break
    return files, size_bytes


def _enrol(demo: _Demo, tenant_id: str) -> None:
    code = demo.portal.open_enrolment(tenant_id, socket.gethostname())
    arguments = ["enrol", "--server", demo.stack.url("ingest"), "--code", code]

    def enrol() -> bool | None:  # the code travels to ingest as an event, so it may take a moment
        return True if _agent(demo, arguments, log="enrol").returncode == 0 else None

    try:
        demo.wait("the agent's enrolment", enrol)
    except StartFailed as failed:
        raise StartFailed(f"{failed}\n{tail(demo.folder / 'enrol.log')}") from None
    say.done("Enrolled an agent on this machine")


def _copy(demo: _Demo, copied_folder: Path) -> None:
    files, size_bytes = _measure(copied_folder)
    say.line(f"  Copying {copied_folder} ({files:,} files, {size_bytes / 1e6:.0f} MB)…")
    if say.is_terminal():
        status, summary = _agent(demo, ["run", PLAN]).returncode, None
    else:
        ended = _agent(demo, ["run", PLAN, "--json"], log="run")
        status, summary = ended.returncode, _summary(demo.folder / "run.log")
    if status not in SUCCEEDED:
        raise StartFailed(f"the copy failed (status {status})\n{tail(demo.folder / 'run.log')}")
    if summary:
        say.done(
            f"Copied {summary['files_total']:,} files: sent "
            f"{summary['bytes_sent'] / 1e6:.0f} MB in {summary['duration_seconds']:.0f} s"
        )
    subject = demo.wait("the report of the copy", lambda: _report(demo))
    say.done(f"The report came by mail: {subject}")
    (demo.folder / "copied").touch()


def _summary(log: Path) -> dict[str, Any] | None:
    for line in reversed(log.read_text(errors="replace").splitlines()):
        if '"summary"' in line:
            found: dict[str, Any] = json.loads(line)
            return found
    return None


def _report(demo: _Demo) -> str | None:
    for mail in mails.read(demo.stack.servers.mailbox.folder, ADMINISTRATOR):
        if PLAN in mail["Subject"]:
            return str(mail["Subject"])
    return None


def _agent(
    demo: _Demo, arguments: list[str], log: str | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Runs the agent to its end, ending it first if somebody ends us meanwhile."""
    command = [sys.executable, "-m", "agent", "--config", str(demo.folder / "agent.toml")]
    output = open(demo.folder / f"{log}.log", "wb") if log else None  # noqa: SIM115 - closed below
    try:
        process = subprocess.Popen(
            [*command, *arguments],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        while process.poll() is None:
            if demo.processes.stopping.wait(0.1):
                process.terminate()
                process.wait()
                raise Stopping
        return subprocess.CompletedProcess(process.args, process.returncode)
    finally:
        if output:
            output.close()
