"""Restores that are killed, run out of room, lack rights, or meet damage: what they leave."""

from __future__ import annotations

import os
import random
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec
import pytest
from blake3 import blake3

from agent.restore.collisions import InTheWay, is_folded
from agent.restore.crew import Crew
from agent.restore.landing import Landing
from agent.restore.orders import Report, Setup
from agent.restore.windows import Planned, Window
from libs.shared import restores
from libs.shared.entries import Entry
from libs.shared.reasons import Reason
from libs.shared.restores import PlacedChunk
from tests.agent import wires
from tests.agent.test_damage import damage_all
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.machines import ROOT, Machine
from tests.world.serving import serving

BIG_BYTES = 24_000_000


@pytest.fixture
def heavy(papers: Path) -> int:
    """Much that can't be compressed, in a large file and many small ones; its size."""
    noise = random.Random(4)
    (papers / "disk.img").write_bytes(noise.randbytes(BIG_BYTES))
    for number in range(100):
        (papers / "2026" / f"{number:03d}").write_bytes(noise.randbytes(80_000))
    return BIG_BYTES + 100 * 80_000


@pytest.mark.usefixtures("either_way")
def test_a_restore_that_is_killed_goes_on(
    machine: Machine, client: Client, papers: Path, heavy: int, tmp_path: Path
) -> None:
    machine.run()
    back = Path(f"{tmp_path}/back{papers}")
    with wires.wire_to(client.house.url("portal"), budget=heavy // 2) as wire:
        restore = subprocess.Popen(
            machine.command(
                "restore", "papers", "--portal", wire.url, "--email", client.email,
                "--to", str(tmp_path / "back"),
            ),
            cwd=ROOT, env={**os.environ, "COFFRE_PASSWORD": PASSWORD}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert wire.is_dead.wait(60)
        restore.kill()
        restore.wait()
        # Its workers still wait for bytes that never come; they must notice by themselves.
        again = client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, back) == []
    # At most what three workers had fetched and not written yet is fetched once more.
    assert again["bytes_fetched"] < heavy * 0.75
    assert again["bytes_already_there"] > heavy * 0.25
    assert not list((tmp_path / "back").rglob(".coffre-restore-*"))


def test_a_half_written_file_never_looks_finished(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    client.restore(machine, tmp_path / "back")
    back = Path(f"{tmp_path}/back{papers}")
    letter = back / "letter.txt"
    os.truncate(letter, 20)
    letter.chmod(0o200)
    invoice = back / "2026" / "invoice.txt"
    kept = invoice.stat()
    invoice.chmod(0o200)  # all of it but the very last step
    assert invoice.stat().st_mtime_ns == kept.st_mtime_ns
    again = client.restore(machine, tmp_path / "back")
    assert (again["files_restored"], again["files_already_there"]) == (2, 1)
    assert compare_trees(papers, back) == []


def test_a_full_disk_is_told_and_waited_out(
    machine: Machine, client: Client, papers: Path, heavy: int, tmp_path: Path
) -> None:
    machine.run()
    small = tmp_path / "small"
    with disk(small, f"{heavy // 2}"):
        full = client.restore(machine, small, expect=1)
        assert full["error"]["code"] == "restore-unwritable"
        assert "No space left" in full["error"]["detail"]
        assert "epeat the same command" in full["error"]["sentence"]
        subprocess.run(["mount", "-o", f"remount,size={heavy * 2}", small], check=True)
        again = client.restore(machine, small)
        assert again["bytes_already_there"] > 0
        assert compare_trees(papers, Path(f"{small}{papers}")) == []


def test_a_mere_user_gets_the_files_as_theirs(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give files to others")
    for name in ("letter.txt", "2026/invoice.txt"):
        os.chown(papers / name, 12_345, 12_345)
    (papers / "letter.txt").chmod(0o4755)
    machine.run()
    mere = machine.agent(
        "restore", "papers", "--portal", client.house.url("portal"), "--email", client.email,
        "--to", str(tmp_path / "mere"), COFFRE_PASSWORD=PASSWORD, mere_user=True,
    )  # fmt: skip
    assert mere.returncode == 3
    assert mere.stderr.count("could not be given its owner") == 1
    letter = Path(f"{tmp_path}/mere{papers}/letter.txt").stat()
    assert (letter.st_uid, stat.S_IMODE(letter.st_mode)) == (0, 0o755)
    client.restore(machine, tmp_path / "back")
    letter = Path(f"{tmp_path}/back{papers}/letter.txt").stat()
    assert (letter.st_uid, stat.S_IMODE(letter.st_mode)) == (12_345, 0o4755)


@pytest.mark.usefixtures("either_way")
def test_damage_costs_the_files_that_it_hits(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    damage_all(client.house, client.tenant_id)
    (papers / "new.txt").write_text("sent after the damage")
    client.house.query(
        "UPDATE catalogue.packs SET state = 'live', damaged_at = NULL"
        " WHERE tenant_id = $1::text::uuid",
        client.tenant_id,
    )
    machine.run()
    summary = client.restore(machine, tmp_path / "back", expect=3)
    assert {Path(one["path"]).name for one in summary["not_restored"]} == {
        "letter.txt", "invoice.txt"
    }  # fmt: skip
    back = Path(f"{tmp_path}/back{papers}")
    left = {path.name for path in back.rglob("*") if path.is_file()}
    assert left == {"new.txt", "empty"}


def test_one_restore_at_a_time_writes_below_a_folder(
    machine: Machine, client: Client, tmp_path: Path
) -> None:
    import fcntl

    machine.run()
    (tmp_path / "back").mkdir()
    holder = os.open(tmp_path / "back", os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    refused = client.restore(machine, tmp_path / "back", expect=23)
    assert "Another restore" in refused["error"]["sentence"]
    os.close(holder)
    client.restore(machine, tmp_path / "back")


def test_two_names_that_are_one_here_are_never_merged(tmp_path: Path) -> None:
    # No file system that folds case is at hand: a name that answers for another one's file is.
    (tmp_path / "README").write_text("upper")
    root = os.open(tmp_path, os.O_RDONLY)
    found = (tmp_path / "README").stat()
    assert is_folded(root, b"readme", found)
    assert not is_folded(root, b"README", found)
    os.link(tmp_path / "README", tmp_path / "readme")
    assert not is_folded(root, b"readme", found)
    (tmp_path / "e\u0301t\u0065\u0301").touch()
    accented = (tmp_path / "e\u0301t\u0065\u0301").stat()
    assert is_folded(root, "été".encode(), accented)
    landing = Landing(root, overwrite=True)
    folder = landing.folder(b"fresh")
    (tmp_path / "fresh" / "readme").write_text("restored before, as README")
    entry = Entry(b"readme", "f", 0o644, 0, os.getuid(), os.getgid(), 5, b"", b"i" * 32)
    with pytest.raises(InTheWay, match="name-clash"):
        landing.write_whole(folder, entry, b"lower")
    (tmp_path / "fresh" / "docs").mkdir()
    with pytest.raises(InTheWay, match="name-clash"):
        landing.folder(b"fresh/docs")
    os.close(root)


@contextmanager
def disk(folder: Path, size: str) -> Iterator[None]:
    """A small disk, where it can be had."""
    folder.mkdir()
    mounted: Any = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=700", "none", folder],
        check=False, capture_output=True,
    )  # fmt: skip
    if mounted.returncode != 0:
        pytest.skip("a small disk can only be mounted by root, outside most containers")
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def test_a_file_that_another_try_finished_meanwhile_is_fine(tmp_path: Path) -> None:
    """Where no lock outlives a killed restore, its last worker may still end a file."""
    (tmp_path / "letter.txt").write_bytes(b"Dear Sir")
    os.utime(tmp_path / "letter.txt", ns=(10**18, 10**18))
    root = os.open(tmp_path, os.O_RDONLY)
    landing = Landing(root, overwrite=False)
    same = Entry(b"letter.txt", "f", 0o644, 10**18, os.getuid(), os.getgid(), 8, b"", bytes(32))
    later = msgspec.structs.replace(same, mtime_ns=2 * 10**18)
    landing.write_whole(landing.folder(b""), same, b"Dear Sir")
    with pytest.raises(InTheWay):
        landing.write_whole(landing.folder(b""), later, b"Dear Jim")
    os.close(root)
    assert list(tmp_path.iterdir()) == [tmp_path / "letter.txt"]
    assert (tmp_path / "letter.txt").read_bytes() == b"Dear Sir"


def test_a_restore_that_is_stopped_says_how_to_go_on(
    machine: Machine, client: Client, papers: Path, heavy: int, tmp_path: Path
) -> None:
    machine.run()
    with wires.wire_to(client.house.url("portal"), budget=heavy // 2) as wire:
        restore = subprocess.Popen(
            machine.command(
                "restore", "papers", "--portal", wire.url, "--email", client.email,
                "--to", str(tmp_path / "back"),
            ),
            cwd=ROOT, env={**os.environ, "COFFRE_PASSWORD": PASSWORD}, stderr=subprocess.PIPE,
            text=True,
        )  # fmt: skip
        assert wire.is_dead.wait(60)
        restore.terminate()
        _, said = restore.communicate(timeout=60)
    assert restore.returncode == 24
    assert "goes on from here" in said


class Liar(BaseHTTPRequestHandler):
    """A portal that gives other bytes than were asked for, of the right size."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = bytearray(restores.HEAD_BYTES) + b"wrong"
        restores.put_head(body, 0, 5, 0)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


def test_what_is_not_what_its_id_says_is_never_written(tmp_path: Path) -> None:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Liar)
    root = os.open(tmp_path, os.O_RDONLY)
    reports: list[Report] = []
    setup = Setup(
        url=f"http://127.0.0.1:{server.server_port}", token="t", ca_file=None, proxy=None,
        patience_seconds=1, plan="papers", chunk_keys=(bytes(32),), root=root, overwrite=False,
    )  # fmt: skip
    window = Window()
    chunk_id = blake3(b"right", key=bytes(32)).digest()
    entry = Entry(b"letter.txt", "f", 0o644, 0, os.getuid(), os.getgid(), 5, b"", chunk_id)
    window.add(Planned(b"", False, entry), PlacedChunk(chunk_id, 1, 8, 33, 5, 0, 0, 5), 0)
    crew = Crew((root,), reports.append)
    crew.brief(setup)
    try:
        with serving(server):
            for order in window.empty():
                crew.give(order)
            crew.finish()
    finally:
        crew.stop()
        os.close(root)
    failed = [one for report in reports for one in report.failed]
    assert [(one.path, one.reason) for one in failed] == [
        (b"letter.txt", Reason("content-damaged"))
    ]
    assert list(tmp_path.iterdir()) == []
