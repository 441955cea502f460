"""`run up` and `run down` on a whole installation beside any other one."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest

from devstack import ports, rabbitmq
from devstack.stack import is_ready

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.xdist_group("devstack"), pytest.mark.timeout(400)]


class Machine:
    """A folder of data and the commands that a person would give about it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "devstack", command, f"--dir={self.folder}", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=200,
        )

    def up(self) -> dict[str, Any]:
        done = self.run("up", "--no-demo", "--detach")
        assert done.returncode == 0, done.stdout + done.stderr
        return self.stack()

    def stack(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads((self.folder / "stack.json").read_text())
        return told

    def wait_ready(self) -> None:
        """Waits until `status` says so, which is asked once it has reason to."""
        urls = [service["url"] for service in self.stack()["services"].values()]
        wait_for("all are ready", lambda: all(map(is_ready, urls)))
        wait_for("status says so", lambda: self.run("status").returncode == 0)

    def processes(self) -> list[str]:
        """Command lines and working folders of this machine's processes that name our folder."""
        found = []
        for place in Path("/proc").glob("[0-9]*"):
            try:
                line = (
                    (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                )
                variables = (place / "environ").read_bytes().decode(errors="replace")
                cwd = str((place / "cwd").readlink())
            except OSError:
                continue
            if str(self.folder) in line + variables + cwd and str(os.getpid()) != place.name:
                found.append(f"{place.name}: {line}")
        return found


def wait_for(what: str, holds: Callable[[], object], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > deadline:
            pytest.fail(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.2)


@pytest.fixture(scope="module")
def machine() -> Iterator[Machine]:
    folder = Path(tempfile.mkdtemp(prefix="coffre-devstack-"))
    machine = Machine(folder)
    yield machine
    machine.run("down")
    left = machine.processes()
    shutil.rmtree(folder, ignore_errors=True)
    assert not left


def test_the_life_of_an_installation(machine: Machine) -> None:
    # The usual port of the portal is taken, by us or by another program.
    with socket.socket() as other:
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)

        def is_taken() -> bool:
            """Another stack that starts only tries whether it could listen there."""
            try:
                other.bind(("127.0.0.1", 8000))
                other.listen()
            except OSError:
                return ports.answers(8000)
            return True

        wait_for("somebody listens on port 8000", is_taken)
        first = machine.up()
    assert first["portal"]["url"] != "http://127.0.0.1:8000"
    assert (machine.folder / "stack.json").stat().st_mode & 0o777 == 0o600
    for service in ("ingest", "quota", "reporting", "retention", "portal"):
        url = first["services"][service]["url"]
        assert httpx2.get(f"{url}/health/ready", timeout=60).status_code == 200, service
        monitor = first["services"][service]["monitor_url"]
        assert "coffre_http_requests_total" in httpx2.get(f"{monitor}/metrics", timeout=60).text, (
            service
        )

    # A second `up` says where the first one runs; `status` and `logs` work meanwhile.
    again = machine.run("up", "--no-demo")
    assert again.returncode == 0
    assert first["portal"]["url"] in again.stdout
    assert machine.run("status").returncode == 0
    assert machine.run("logs", "portal").returncode == 0
    unknown = machine.run("logs", "nonsense")
    assert unknown.returncode == 2
    assert "portal" in unknown.stderr

    # A service that is killed comes back by itself.
    killed = first["services"]["quota"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for("quota is back", lambda: machine.stack()["services"]["quota"]["pid"] != killed)
    machine.wait_ready()

    # Something that must be there tomorrow.
    authority = {"Authorization": f"Bearer {first['operator']['token']}"}
    client = {
        "name": "Menuiserie Petit",
        "locale": "fr",
        "contracted_bytes": 1_000_000_000,
        "seats": 2,
        "administrator": {"name": "Luc Petit", "email": "luc@petit.example"},
    }
    opened = httpx2.post(
        f"{first['portal']['url']}/api/v1/tenants", json=client, headers=authority, timeout=60
    )
    assert opened.status_code == 201, opened.text

    # A month passes for all services together, and stays passed when one dies.
    assert machine.run("clock", "next year").returncode == 2
    moved = machine.run("clock", "+31d")
    assert moved.returncode == 0, moved.stdout + moved.stderr
    assert moved.stdout.count("is believed from now on") == 5
    assert "31 days ahead" in machine.run("clock").stdout
    assert machine.run("status").returncode == 0
    killed = machine.stack()["services"]["portal"]["pid"]
    os.kill(killed, signal.SIGKILL)
    wait_for("the portal is back", lambda: machine.stack()["services"]["portal"]["pid"] != killed)
    machine.wait_ready()
    assert signed_in_until(first) - datetime.now(UTC) > timedelta(days=31)

    # The supervisor is killed: nothing of it stays for long, and the next start mends all.
    supervisor = json.loads((machine.folder / "supervisor.json").read_text())["pid"]
    os.kill(supervisor, signal.SIGKILL)
    second = machine.up()
    assert second["operator"] == first["operator"]
    listed = httpx2.get(
        f"{second['portal']['url']}/api/v1/tenants", headers=authority, timeout=60
    ).json()
    assert [tenant["name"] for tenant in listed["tenants"]] == ["Menuiserie Petit"]

    # So does the month, until somebody takes it back.
    assert signed_in_until(second) - datetime.now(UTC) > timedelta(days=31)
    assert machine.run("clock", "reset").returncode == 0
    assert signed_in_until(second) - datetime.now(UTC) < timedelta(days=1)

    # The end leaves no process behind.
    assert machine.run("down").returncode == 0
    assert not (machine.folder / "stack.json").exists()
    wait_for("no process is left", lambda: not machine.processes())
    assert machine.run("status").returncode == 3


def signed_in_until(told: dict[str, Any]) -> datetime:
    """When a sign-in would end that the portal lets in now."""
    operator = {name: told["operator"][name] for name in ("email", "password")}
    signed = httpx2.post(f"{told['portal']['url']}/api/v1/tokens", json=operator, timeout=60)
    assert signed.status_code == 201, signed.text
    return datetime.fromisoformat(signed.json()["expires_at"])


@pytest.mark.parametrize(
    "begun", ["its first word", pytest.param("rabbitmq", marks=pytest.mark.long), "ingest"]
)
def test_a_start_that_is_interrupted_leaves_nothing(
    machine: Machine, tmp_path: Path, begun: str
) -> None:
    command = [sys.executable, "-m", "devstack", "up", f"--dir={machine.folder}", "--no-demo"]
    record, said = machine.folder / "processes.json", tmp_path / "said"
    record.unlink(missing_ok=True)
    with said.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, stdout=output, stderr=output)

    def has_begun() -> bool:
        assert process.poll() is None, said.read_text()
        if begun == "its first word":
            return "Starting Coffre" in said.read_text()
        return record.exists() and f'"{begun}"' in record.read_text()

    wait_for(f"the start of {begun}", has_begun, 120)
    process.send_signal(signal.SIGINT)
    wait_for("the answer to it", lambda: "Stopping" in said.read_text())
    process.send_signal(signal.SIGINT)  # impatience changes nothing
    process.wait(120)
    assert process.returncode == 0, said.read_text()
    wait_for("no process is left", lambda: not machine.processes())


def test_no_erlang_program_starts_an_epmd_that_would_outlive_it(tmp_path: Path) -> None:
    # So does the broker while it boots, maybe just after its own epmd was asked to end.
    free = ports.Ports(tmp_path)
    try:
        variables = rabbitmq.environment(tmp_path, free.choose("dist"), free.choose("epmd"))
        starter = ["erl", "-sname", "starter", "-noinput", "-s", "erlang", "halt"]
        subprocess.run(starter, env=variables, cwd=tmp_path, timeout=60, check=False)
        assert not Machine(tmp_path).processes()
    finally:
        for line in Machine(tmp_path).processes():
            os.kill(int(line.split(":")[0]), signal.SIGKILL)
        free.close()


def test_a_reader_that_goes_away_ends_a_command_without_a_word(tmp_path: Path) -> None:
    """As after `./run logs | head -1`: shells give 141 for a program that is ended so."""
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "portal.log").write_text("a line\n" * 20)
    for words in (
        [sys.executable, "-m", "devstack", "status", f"--dir={tmp_path}"],
        [sys.executable, "-m", "devstack", "logs", f"--dir={tmp_path}"],
        [str(ROOT / "run"), "help"],
    ):
        read, write = os.pipe()
        os.close(read)
        ended = subprocess.run(
            words, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, check=False, timeout=60
        )
        os.close(write)
        assert (ended.returncode, ended.stderr) == (141, b""), words


def test_commands_are_told_apart() -> None:
    unknown = subprocess.run([ROOT / "run", "fly"], capture_output=True, text=True, check=False)
    assert unknown.returncode == 2
    assert "no command 'fly'" in unknown.stderr
    helped = subprocess.run([ROOT / "run", "--help"], capture_output=True, text=True, check=False)
    assert helped.returncode == 0
    for command in ("up", "down", "status", "logs", "clock", "test", "check", "bench"):
        assert f"\n  {command} " in helped.stdout
