"""The agent on Windows' own Python: by Wine, on the machine that has the servers.

COFFRE_WINDOWS_PYTHON is the command that starts it; docs/agent.md says how to come by one.
"""

from __future__ import annotations

import os
import shlex
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.agent import wires
from tests.trees import HOSTILE_NAMES, build_hostile_tree, compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.machines import Machine

PYTHON = shlex.split(os.environ.get("COFFRE_WINDOWS_PYTHON", ""))
pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not PYTHON, reason="COFFRE_WINDOWS_PYTHON names no Python for Windows"),
]


def windows(path: Path) -> str:
    """A path as Windows programs see it: Wine has our root as drive Z."""
    return f"Z:{path}".replace("/", "\\")


@dataclass
class WindowsMachine(Machine):
    """A client's machine with Windows."""

    def command(self, *arguments: str) -> list[str]:
        """The command line for the agent."""
        return [*PYTHON, "-m", "agent", "--config", windows(self.config), *arguments]


@pytest.fixture
def pc(client: Client, tmp_path: Path, papers: Path) -> WindowsMachine:
    """An enrolled PC with the plan `papers`."""
    folder = tmp_path / "pc"
    folder.mkdir()
    plans = {"papers": {"folders": [windows(papers)]}}
    machine = WindowsMachine(folder, plans, client.house.url("ingest"))
    code = client.enrolment_code()
    enrolled = machine.agent("enrol", "--server", machine.server, "--code", code)
    assert enrolled.returncode == 0, enrolled.stderr
    return machine


def round_times(folder: Path) -> None:
    """Gives all below a folder times that Windows can tell, which counts in steps of 100 ns."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, ns=(path.stat().st_mtime_ns // 100 * 100,) * 2)


def below(folder: Path, copied: Path) -> Path:
    """Where a folder of drive Z comes to lie below the one restored into."""
    return Path(f"{folder}/Z{copied}")


def differences(folder: Path, back: Path) -> list[str]:
    """What came back otherwise; modes aside, which Wine makes of rights by its own rules."""
    return [one for one in compare_trees(folder, back) if " has mode " not in one]


def rights(*paths: Path) -> list[str]:
    """Owner, group and access list of each path, as Windows tells them."""
    names = [windows(path) for path in paths]
    text = (
        f"from agent.platforms import extended\nfor each in {names!r}: print(extended.read(each))"
    )
    # Windows' Python wants pipes from Wine, all three.
    told = subprocess.run(
        [*PYTHON, "-c", text], input="", capture_output=True, check=True, text=True
    )
    return told.stdout.splitlines()


def restore(
    client: Client, pc: WindowsMachine, to: Path, *arguments: str, expect: int = 0
) -> dict[str, Any]:
    """Restores the plan on the PC; gives the summary."""
    return client.restore(pc, Path(windows(to)), *arguments, expect=expect)


def test_a_pc_copies_what_changed_and_brings_it_back(
    client: Client, pc: WindowsMachine, papers: Path, tmp_path: Path
) -> None:
    (papers / "Été à Zürich.txt").write_text("accents")
    (papers / "large.bin").write_bytes(os.urandom(9_000_000))
    (papers / ("n" * 120) / ("m" * 120) / ("o" * 120)).mkdir(parents=True)
    (papers / ("n" * 120) / ("m" * 120) / ("o" * 120) / "deep.txt").write_text("far down")
    round_times(papers)
    assert pc.run()["files_new"] == 6
    again = pc.run()
    assert (again["bytes_read"], again["files_changed"]) == (0, 0)
    (papers / "letter.txt").write_text("changed")
    round_times(papers)
    assert pc.run()["files_changed"] == 1

    back = tmp_path / "back"
    told = restore(client, pc, back, "--dry-run")
    assert (told["files_to_restore"], told["entries_to_rename"]) == (6, 0)
    assert not back.exists()
    done = restore(client, pc, back)
    assert (done["files_restored"], done["entries_renamed"]) == (6, 0)
    assert differences(papers, below(back, papers)) == []
    there = restore(client, pc, back)
    assert (there["files_already_there"], there["bytes_fetched"]) == (6, 0)
    assert [path.name for path in back.iterdir()] == ["Z"]

    letter = below(back, papers) / "letter.txt"
    letter.write_text("mine")
    letter.chmod(0o444)  # what Windows calls read-only
    refused = restore(client, pc, back, expect=3)
    assert [one["path"] for one in refused["not_restored"]] == [f"/Z{papers}/letter.txt"]
    assert restore(client, pc, back, "--overwrite")["files_restored"] == 1
    assert letter.read_text() == "changed"
    one = restore(client, pc, tmp_path / "one", "--path", windows(papers / "2026"))
    assert one["files_restored"] == 2


def test_rights_come_back_and_a_change_of_them_alone_is_seen(
    client: Client, pc: WindowsMachine, machine: Machine, papers: Path, tmp_path: Path
) -> None:
    round_times(papers)
    pc.run()
    letter = papers / "letter.txt"
    letter.chmod(0o600)  # Wine makes an access list of it
    again = pc.run()
    assert (again["files_changed"], again["bytes_read"]) == (1, 0)
    restore(client, pc, tmp_path / "back")
    back = below(tmp_path / "back", papers)
    wanted = [letter, papers / "2026" / "invoice.txt", papers / "2026"]
    found = rights(*wanted, *(back / path.relative_to(papers) for path in wanted))
    assert found[:3] == found[3:]
    assert found[0] != found[1]
    assert all("windows.security" in one for one in found)

    # Linux can't be given them, and says so once.
    asked = client.ask_restore(machine, "--to", str(tmp_path / "linux"))
    assert asked.returncode == 3
    assert "could not be given owners and access lists of Windows" in asked.stderr
    assert len(asked.stderr.splitlines()) == 1
    assert (tmp_path / "linux" / f"Z:{papers}" / "letter.txt").read_text() == letter.read_text()


def test_a_pc_brings_back_what_only_linux_can_hold(
    client: Client, pc: WindowsMachine, machine: Machine, papers: Path, tmp_path: Path
) -> None:
    build_hostile_tree(papers / "hostile")
    machine.run()
    back = tmp_path / "in" / "back"
    summary = restore(client, pc, back, expect=3)
    assert summary["error"] is None
    assert summary["entries_renamed"] > 10
    landed = Path(f"{back}{papers}") / "hostile"
    assert (landed / "plain.txt").exists()
    assert (landed / "_CON").exists()
    assert (landed / "C_").exists()
    assert (landed / "back_slash_.._x").exists()
    assert (landed / "latin-1 été.txt").exists()
    # Nothing came to lie outside.
    assert [path.name for path in (tmp_path / "in").iterdir()] == ["back"]
    names = {os.fsencode(path.name) for path in landed.iterdir() if path.is_file()}
    reasons = {one["path"]: one["reason"] for one in summary["not_restored"]}
    assert len(names) + len(reasons) >= len(HOSTILE_NAMES)


def test_a_restore_on_a_pc_that_is_killed_goes_on(
    client: Client, pc: WindowsMachine, papers: Path, tmp_path: Path
) -> None:
    (papers / "disk.img").write_bytes(os.urandom(24_000_000))
    round_times(papers)
    pc.run()
    with wires.wire_to(client.house.url("portal"), budget=12_000_000) as wire:
        cut = subprocess.Popen(
            pc.command(
                "restore", "papers", "--portal", wire.url, "--email", client.email,
                "--to", windows(tmp_path / "back"),
            ),
            env={**os.environ, "COFFRE_PASSWORD": PASSWORD}, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )  # fmt: skip
        assert wire.is_dead.wait(60)
        cut.kill()
        cut.communicate()
        again = restore(client, pc, tmp_path / "back")
    assert differences(papers, below(tmp_path / "back", papers)) == []
    assert again["bytes_already_there"] > 3_000_000
    assert again["bytes_fetched"] < 20_000_000


def test_dumps_and_hooks_of_a_pc(client: Client, pc: WindowsMachine, tmp_path: Path) -> None:
    database = tmp_path / "accounts.db"
    with sqlite3.connect(database) as connection:
        connection.execute("CREATE TABLE entries (amount)")
        connection.execute("INSERT INTO entries VALUES (1204)")
    connection.close()
    pc.plans["papers"] |= {
        "dump": [
            {"name": "accounts", "type": "sqlite", "path": windows(database)},
            {"name": "hello", "type": "command", "command": ["cmd", "/c", "echo hello"]},
        ],
        "hooks": {"before": ["cmd", "/c", f"echo before > {windows(tmp_path / 'before.txt')}"]},
    }
    summary = pc.run()
    assert [dump["succeeded"] for dump in summary["dumps"]] == [True, True]
    assert (tmp_path / "before.txt").read_text().startswith("before")
    restore(client, pc, tmp_path / "back", "--path", "/@dumps")
    kept = {path.name: path for path in (tmp_path / "back" / "@dumps").iterdir()}
    assert len(kept) == 2


@contextmanager
def program(text: str) -> Iterator[None]:
    """A program on the PC that does something, and holds it until this ends."""
    text += "\nprint('ready', flush=True); input()"
    running = subprocess.Popen(
        [*PYTHON, "-c", text],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert running.stdout is not None
    assert "ready" in running.stdout.readline()
    try:
        yield
    finally:
        running.communicate("\n")


def test_a_file_that_a_program_keeps_to_itself_is_named(pc: WindowsMachine, papers: Path) -> None:
    path = windows(papers / "letter.txt")
    hold = (
        f"import ctypes\nctypes.windll.kernel32.CreateFileW({path!r}, 1 << 31, 0, None, 3, 0, None)"
    )
    with program(hold):
        summary = pc.run(expect=3)
    (missed,) = summary["not_copied"]
    assert missed["path"] == f"/Z:{papers}/letter.txt"
    assert missed["reason"]["code"] == "in-use"
    assert pc.run()["files_new"] == 1


def test_one_run_of_a_plan_at_a_time_on_a_pc(pc: WindowsMachine) -> None:
    pc.run()
    lock = windows(pc.folder / "state" / "plans" / "papers.lock")
    with program(f"import msvcrt\nf = open({lock!r}, 'r+b')\nmsvcrt.locking(f.fileno(), 2, 1)"):
        refused = pc.run(expect=23)
    assert "Another run" in refused["error"]["sentence"]
    pc.run()
