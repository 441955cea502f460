"""Dumps streamed from programs, told from broken ones, and the folder that they make."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import pytest

from agent.config import Dump
from agent.dumps import folder
from agent.dumps.taking import TakenDump
from agent.telling.counters import Missed
from agent.walking.tree import FILE, FOLDER, Listing, Row
from libs.shared.reasons import Reason
from tests.agent.databases import KEY, Copied
from tests.world.waiting import wait_for


def command(script: str, **more: Any) -> Dump:
    """A dump by a program of the test's own."""
    settings: dict[str, Any] = {"timeout_seconds": 30, "end_mark": "-- the end", **more}
    return Dump("accounts", "command", command=(sys.executable, "-c", script), **settings)


# --- programs that behave, and programs that don't -----------------------------------------------


def test_a_dump_larger_than_many_chunks_comes_whole(copied: Copied) -> None:
    script = """
import random, sys
rows = random.Random(7).randbytes(9_000_000)
sys.stdout.buffer.write(rows)
sys.stdout.buffer.flush()
sys.stdout.buffer.write(b"-- the end\\n")
"""
    taken = copied.take(command(script))
    assert (taken.succeeded, taken.guaranteed, taken.reason) == (True, True, None)
    assert taken.size_bytes == 9_000_011
    assert len(taken.chunks) > 32 * 3
    assert copied.content(taken)[-20:].endswith(b"-- the end\n")
    assert copied.take(command(script)).chunks == taken.chunks


@pytest.mark.parametrize(
    ("script", "more", "code"),
    [
        ("pass", {}, "dump-empty"),
        ("print('rows')", {}, "dump-cut"),
        ("print('-- the end' + 'x' * 20000)", {}, "dump-cut"),
        ("print('-- the end')", {"min_size_bytes": 12}, "dump-too-small"),
        (
            "print('-- the end', flush=True); import sys; sys.exit('disk full')",
            {},
            "dump-program-failed",
        ),
        (
            "import os; print('-- the end', flush=True); os.kill(os.getpid(), 9)",
            {},
            "dump-program-killed",
        ),
        ("import time; time.sleep(60)", {"timeout_seconds": 0.5}, "dump-timed-out"),
        (
            "import os, time; print('-- the end', flush=True); os.close(1); time.sleep(60)",
            {"timeout_seconds": 0.5},
            "dump-timed-out",
        ),
        (
            "import sys\nwhile True: sys.stdout.write('rows ' * 1000 + '-- the end')",
            {"timeout_seconds": 0.5},
            "dump-timed-out",
        ),
        (
            "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)",
            {"timeout_seconds": 0.5},
            "dump-timed-out",
        ),
    ],
    ids=[
        "nothing",
        "unmarked",
        "mark-in-the-middle",
        "small",
        "status",
        "killed",
        "hangs",
        "hangs-at-its-end",
        "endless",
        "deaf",
    ],
)
def test_a_bad_dump_is_told_from_a_good_one(
    copied: Copied, script: str, more: dict[str, Any], code: str
) -> None:
    began = time.monotonic()
    taken = copied.take(command(script, **more))
    assert (taken.succeeded, taken.guaranteed, taken.size_bytes) == (False, False, 0)
    assert taken.reason is not None
    assert taken.reason.code == code
    assert time.monotonic() - began < 50, "none of them is waited for to its end"


def test_a_dump_that_hangs_leaves_no_process_behind(copied: Copied, tmp_path: Path) -> None:
    # A shell, which has begun its child long before the time is over.
    script = f"sleep 600 & echo $! > {tmp_path / 'pid'}"
    hangs = Dump("accounts", "command", command=("/bin/sh", "-c", script), timeout_seconds=3)
    taken = copied.take(hangs)
    assert taken.reason == Reason("dump-timed-out", limit=3), "its child holds the pipe"
    child = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/stat")
    wait_for("its end", lambda: not child.exists() or child.read_text().split()[2] == "Z")


def test_a_command_without_a_mark_is_kept_and_not_guaranteed(copied: Copied) -> None:
    taken = copied.take(command("print('rows')", end_mark=None))
    assert (taken.succeeded, taken.guaranteed) == (True, False)
    assert taken.reason == Reason("dump-unproven")


def test_a_dump_much_smaller_than_before_is_suspect(copied: Copied) -> None:
    script = "print('x' * 989 + '-- the end')"
    assert not copied.take(command(script), size_before=1999).is_suspect
    taken = copied.take(command(script), size_before=2001)
    assert (taken.succeeded, taken.guaranteed, taken.is_suspect) == (True, True, True)
    assert taken.reason == Reason("dump-much-smaller", amount=1000, limit=2001)


def test_a_program_that_is_not_there_says_so(copied: Copied) -> None:
    taken = copied.take(Dump("accounts", "command", command=("no-such-program",)))
    words = "No such file or directory"
    assert taken.reason == Reason("dump-not-started", "no-such-program", detail=words)


# --- the folder of dumps -------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["A", "srv", "+x"])
def test_the_folder_of_dumps_stands_at_its_place_in_the_walk(first: str) -> None:
    good = TakenDump("books", "books.sql", True, True, 5, 9, KEY)
    bad = TakenDump("shop", "shop.sql", False, False, 6)
    name = first.encode()
    row: Row = (name, FOLDER << 12 | 0o755, 1, 0, 1, 1, 0, 0)
    walk = [Listing(b"", rows=[row], pinned=True), Listing(name), Listing(name + b"/below")]
    listings = list(folder.with_dumps(walk, [bad, good], lambda *_: None))
    paths = [listing.path for listing in listings]
    assert paths == sorted([b"", name, name + b"/below", b"@dumps"])
    assert [row[0] for row in listings[0].rows] == sorted([name, b"@dumps"])
    dumps = listings[paths.index(b"@dumps")]
    assert [row[:5] for row in dumps.rows] == [(b"books.sql", FILE << 12 | 0o600, 0, 9, 5)]
    assert (dumps.contents, dumps.kept) == ({b"books.sql": KEY}, [b"shop.sql"])
    only = [listing.path for listing in folder.with_dumps([Listing(b"")], [good], lambda *_: None)]
    assert only == [b"", b"@dumps"]


def test_a_real_folder_of_that_name_is_left_out_and_named() -> None:
    missed: dict[bytes, Missed] = {}
    row: Row = (b"@dumps", FOLDER << 12 | 0o755, 77, 0, 1, 1, 0, 0)
    walk = [Listing(b"", rows=[row]), Listing(b"@dumps"), Listing(b"@dumps/x"), Listing(b"etc")]
    good = TakenDump("books", "books.sql", True, True, 5, 9, KEY)
    listings = list(folder.with_dumps(walk, [good], missed.__setitem__))
    assert [listing.path for listing in listings] == [b"", b"@dumps", b"etc"]
    assert listings[0].rows[0][2] == 0, "ours, not the machine's"
    assert listings[1].contents
    assert missed == {b"@dumps": Missed(Reason("name-of-dumps"))}
