"""The demonstration: a client company, its administrator, one agent and a copy of a real folder.

Each step looks whether it was done before, so that a start which was cut off goes on from there.
"""

from __future__ import annotations

import email
import email.policy
import html
import json
import os
import re
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

from devstack import say
from devstack import stack as stacks
from devstack.processes import Processes, StartFailed, Stopping, tail, write_atomically
from devstack.servers import ROOT, secret
from devstack.stack import Stack

COMPANY = "Boulangerie Martin"
ADMINISTRATOR = "claire.martin@boulangerie-martin.example"
PLAN = "documents"
CONTRACTED_BYTES = 5_000_000_000
LEAST_FILES, MOST_BYTES = 3_000, 300_000_000
PASSWORD_IN_MAIL = re.compile(r'class="password"[^>]*>([^<]+)<')
WAIT_SECONDS = 60
SUCCEEDED = (0, 3)
T = TypeVar("T")


@dataclass(frozen=True)
class _Demo:
    processes: Processes
    stack: Stack
    api: httpx2.Client
    operator: dict[str, str]

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
    token = secret(installation.folder, "operator-token")
    with httpx2.Client(base_url=f"{installation.url('portal')}/api/v1", timeout=30) as api:
        operator = {"Authorization": f"Bearer {token}"}
        demo = _Demo(processes, installation, api, operator)
        demo.folder.mkdir(exist_ok=True, mode=0o700)
        try:
            tenant_id = _open_tenant(demo)
            password = _choose_password(demo)
            copied_folder = _write_configuration(demo, copied_folder)
            if not (demo.folder / "token").exists():
                _enrol(demo, tenant_id)
            if not (demo.folder / "copied").exists():
                _copy(demo, copied_folder)
        except httpx2.HTTPError as error:
            raise StartFailed(f"the demonstration failed: {error}") from error
    return {
        "tenant_id": tenant_id,
        "admin": {"email": ADMINISTRATOR, "password": password},
        "agent_config": str(demo.folder / "agent.toml"),
        "plan": PLAN,
    }


def _checked(answer: httpx2.Response) -> Any:
    if answer.is_error:
        raise StartFailed(
            f"{answer.request.method} {answer.request.url} was answered "
            f"{answer.status_code}: {answer.text[:500]}"
        )
    return answer.json() if answer.content else None


def _open_tenant(demo: _Demo) -> str:
    listed = _checked(demo.api.get("/tenants", headers=demo.operator))["tenants"]
    for tenant in listed:
        if tenant["name"] == COMPANY:
            return str(tenant["tenant_id"])
    body = {
        "name": COMPANY,
        "locale": "fr",
        "contracted_bytes": CONTRACTED_BYTES,
        "seats": 3,
        "administrator": {"name": "Claire Martin", "email": ADMINISTRATOR},
    }
    opened = _checked(demo.api.post("/tenants", json=body, headers=demo.operator))
    say.done(f"Opened a demonstration client: {COMPANY}")
    return str(opened["tenant_id"])


def _choose_password(demo: _Demo) -> str:
    """Signs in with the mailed one-time password and replaces it; gives the chosen one."""
    chosen = stacks.readable_secret(demo.stack.folder, "demo-password")
    if _signs_in(demo, chosen):
        return chosen
    mailed = demo.wait("the mail with the first password", lambda: _mailed_password(demo))
    change = {"email": ADMINISTRATOR, "password": mailed, "new_password": chosen}
    if demo.api.post("/password", json=change).is_error:
        known = mailed
        reset = {"email": ADMINISTRATOR}
        _checked(demo.api.post("/administrators/reset", json=reset, headers=demo.operator))
        mailed = demo.wait("the mail with a new password", lambda: _mailed_password(demo, known))
        _checked(demo.api.post("/password", json=change | {"password": mailed}))
    say.done("Its administrator got a first password by mail and has chosen an own one")
    return chosen


def _signs_in(demo: _Demo, password: str) -> bool:
    body = {"email": ADMINISTRATOR, "password": password}
    if not (demo.folder / "agent.toml").exists():
        return False  # the very first start: a try would only count as a wrong password
    return demo.api.post("/tokens", json=body).is_success


def _mailed_password(demo: _Demo, other_than: str | None = None) -> str | None:
    mails = sorted(demo.stack.servers.mailbox.folder.glob("[0-9]*.eml"), reverse=True)
    for path in mails:
        message: Any = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        part = message.get_body(("html",))
        if ADMINISTRATOR not in message.get_all("X-Envelope-To", []) or part is None:
            continue
        found = PASSWORD_IN_MAIL.search(part.get_content())
        if found:
            password = html.unescape(found[1]).strip()
            return None if password == other_than else password
    return None


def _write_configuration(demo: _Demo, copied_folder: Path | None) -> Path:
    """Writes the agent's configuration anew, as addresses may have changed since."""
    chosen = demo.folder / "folder"
    if copied_folder is None and chosen.exists():
        copied_folder = Path(chosen.read_text())
    copied_folder = copied_folder or _find_folder()
    chosen.write_text(str(copied_folder))
    quote = json.dumps  # a JSON string of such text is a TOML string
    lines = [
        f"server = {quote(demo.stack.url('ingest'))}",
        f"token_file = {quote(str(demo.folder / 'token'))}",
        f"state_dir = {quote(str(demo.folder / 'state'))}",
        "",
        "[[plan]]",
        f"name = {quote(PLAN)}",
        f"folders = [{quote(str(copied_folder))}]",
        "exclude = []",
        'schedule = "0 2 * * *"',
        'timezone = "Europe/Paris"',
        f"recipients = [{quote(ADMINISTRATOR)}]",
    ]
    write_atomically(demo.folder / "agent.toml", "\n".join(lines) + "\n")
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
    label = {"label": socket.gethostname()}
    answer = demo.api.post(f"/tenants/{tenant_id}/enrolments", json=label, headers=demo.operator)
    code = _checked(answer)["code"]
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
    for path in sorted(demo.stack.servers.mailbox.folder.glob("[0-9]*.eml")):
        message: Any = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
        if ADMINISTRATOR in message.get_all("X-Envelope-To", []) and PLAN in message["Subject"]:
            return str(message["Subject"])
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
