"""How the agent is started: without HOME, in other locales, onto full disks, by odd editors."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from agent import config
from agent.config.plans import _ADDRESS
from libs.shared.words.plain import count_text, span_text
from tests.agent.databases import Copied, postgresql
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.machines import ROOT, Machine

NOBODY = ["setpriv", "--reuid=54321", "--clear-groups", "--inh-caps=+dac_read_search",
          "--ambient-caps=+dac_read_search"]  # fmt: skip
PLAN = '[[plan]]\nname = "papers"\nfolders = ["/srv"]\n'
BARE = 'token_file = "token"\nstate_dir = "state"\n'


def agent(*arguments: str, before: tuple[str, ...] = (), **environ: str) -> Any:
    """The agent in an environment that has nothing but these."""
    command = [*before, sys.executable, "-m", "agent", *arguments]
    own = {"PATH": os.environ["PATH"], **environ}
    return subprocess.run(command, cwd=ROOT, env=own, capture_output=True, check=False)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes somebody whom nobody knows")
@pytest.mark.parametrize("command", [("plans",), ("config", "generate"), ("status",)])
def test_a_user_whom_the_system_does_not_know_gets_no_traceback(command: tuple[str, ...]) -> None:
    ended = agent(*command, before=tuple(NOBODY))
    assert b"Traceback" not in ended.stderr
    assert ended.returncode == (0 if command[0] == "config" else 2), ended.stderr


def test_programs_find_the_home_of_the_agents_user(machine: Machine, tmp_path: Path) -> None:
    told = tmp_path / "home"
    machine.plans["papers"]["hooks"] = {"before": ["/bin/sh", "-c", f'echo "$HOME" > {told}']}
    ended = agent("--config", str(machine.config), "run", "papers")
    assert ended.returncode == 0, ended.stderr
    assert told.read_text().strip() == pwd.getpwuid(os.geteuid()).pw_dir


def test_names_are_the_bytes_of_the_configuration_whatever_the_locale(
    client: Client, tmp_path: Path
) -> None:
    folder = tmp_path / "café"
    (folder / "été").mkdir(parents=True)
    (folder / "été" / "ça").write_text("kept")
    (folder / "été" / "où").write_text("left out")
    plan = {"folders": [str(folder)], "exclude": ["/été/où"]}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    odd = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    ended = agent("--config", str(machine.config), "run", "papers", **odd)
    assert ended.returncode == 0, ended.stderr
    assert b"1 file, 4 B protected: 1 new" in ended.stdout
    (folder / "été" / "où").unlink()
    machine.run()
    client.restore(machine, tmp_path / "back")
    assert compare_trees(folder, Path(f"{tmp_path}/back{folder}")) == []


def test_a_configuration_with_a_mark_of_its_editor_is_read(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_bytes(b"\xef\xbb\xbf" + (BARE + PLAN).replace("\n", "\r\n").encode())
    assert config.load(file).plan("papers").folders == ("/srv",)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_a_full_standard_output_is_told_and_the_copy_made(
    options: tuple[str, ...], machine: Machine
) -> None:
    command = machine.command("run", "papers", *options)
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert ended.returncode == (0 if options else 1)
    assert b"standard output can't be written (No space left on device)" in ended.stderr
    assert b"Traceback" not in ended.stderr
    assert machine.run()["files_new"] == 0
    with Path("/dev/full").open("w") as full:
        command = machine.command("plans")
        ended = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (ended.returncode, b"Traceback" in ended.stderr) == (1, False)


@pytest.mark.parametrize(
    "address",
    ["anne@", "@b.example", "anne@localhost", "a b@c.example", "anne@menuiserie", "anne@-a.example",
     "anne@a..example", "anne@.example", ".anne@a.example", "an..ne@a.example", "anne@a.example.",
     "anne.@a.example", "x" * 65 + "@a.example", "anne@1.2.3.4", "anne@[1.2.3.4]",
     "a\x07@b.example", "Anne <anne@a.example>", "anne@a_b.example",
     "anne@" + "a" * 64 + ".example"],
)  # fmt: skip
def test_a_recipient_that_can_be_no_address_is_refused(address: str, tmp_path: Path) -> None:
    assert not _ADDRESS.fullmatch(address)


@pytest.mark.parametrize(
    "address",
    ["anne@menuiserie.example", "anne.durand+copies@a-b.c1.example", "hélène@société.example",
     "o'neil@x.example", "a@1a.example", "_x@3m.example"],
)  # fmt: skip
def test_a_recipient_that_can_be_an_address_is_taken(address: str) -> None:
    assert _ADDRESS.fullmatch(address)


def test_numbers_go_with_what_they_count() -> None:
    assert [count_text(n, "file") for n in (0, 1, 2)] == ["0 files", "1 file", "2 files"]
    assert [span_text(60 * n) for n in (1, 2)] == ["1 minute", "2 minutes"]


def writes_a_key() -> bool:
    if shutil.which("pg_dump") is None:
        return False
    told = subprocess.run(["pg_dump", "--help"], capture_output=True, check=False)
    return b"--restrict-key" in told.stdout


@pytest.mark.skipif(not writes_a_key(), reason="this pg_dump writes no key")
def test_the_dump_of_an_unchanged_database_is_the_same_the_next_night(
    servers: Any, accounting: Any, copied: Copied, tmp_path: Path
) -> None:
    dump = postgresql(servers, accounting.names["books"], tmp_path)
    first, second = copied.take(dump), copied.take(dump)
    assert first.chunks == second.chunks
    content = copied.content(first)
    key = (tmp_path / "restrict-key").read_text().strip()
    assert f"\\restrict {key}\n".encode() in content
    assert (tmp_path / "restrict-key").stat().st_mode & 0o077 == 0


def test_a_repeated_restore_opens_read_only_folders_and_shuts_them_again(
    client: Client, machine: Machine, papers: Path, tmp_path: Path
) -> None:
    (papers / "2026").chmod(0o555)
    (papers / "2026" / "more").mkdir() if os.geteuid() == 0 else None
    machine.run()
    back = tmp_path / "back"
    client.restore(machine, back)
    restored = Path(f"{back}{papers}")
    (restored / "2026").chmod(0o755)
    (restored / "2026" / "invoice.txt").unlink()
    (restored / "2026").chmod(0o555)
    ended = machine.agent(
        "restore", "papers", "--portal", client.house.url("portal"), "--email", client.email,
        "--to", str(back), COFFRE_PASSWORD=PASSWORD, mere_user=True,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert compare_trees(papers, restored) == []
    assert (restored / "2026").stat().st_mode & 0o777 == 0o555
