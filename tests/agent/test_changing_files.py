"""Files that change while they are read, or right after, and files whose size says nothing."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agent.copying.delta import Comparison
from agent.exclusions import Rules
from agent.telling.counters import Counters, Missed
from agent.walking import reading
from agent.walking.beside import Beside
from agent.walking.reading import COARSE_TICK_NS, READ_AGAIN, TICK_NS, FileReader, settled
from agent.walking.records import (
    Reader,
    Record,
    Writer,
    record_of,
    unpack_record,
    write_sorted,
)
from agent.walking.tree import Row, Tree, row_of
from libs.shared.entries import Entry

KEY = b"k" * 32
Read = Callable[[bytes | memoryview], None]


@dataclass
class Copied:
    """What a copy emitted and what it could not copy as it should."""

    entries: dict[str, Entry] = field(default_factory=dict)
    contents: dict[bytes, bytes] = field(default_factory=dict)
    missed: dict[str, Missed] = field(default_factory=dict)
    lost: dict[bytes, object] = field(default_factory=dict)
    bytes_read: int = 0

    def content(self, name: str) -> bytes:
        chunks = self.entries[name].chunks
        return b"".join(self.contents[chunks[at : at + 32]] for at in range(0, len(chunks), 32))


class Copies:
    """Copies of one folder, each compared with the one before it."""

    def __init__(self, root: Path, records: Path) -> None:
        self._root, self._records = root, records
        self._runs = 0

    def run(self, on_read: Read | None = None) -> Copied:
        """Copy what changed; on_read is called with each chunk, before the next is read."""
        copied, counters = Copied(), Counters()

        def offer(chunk_id: bytes, content: bytes | memoryview) -> None:
            copied.contents[chunk_id] = bytes(content)
            if on_read is not None:
                on_read(content)

        known = Reader(self._records / str(self._runs) if self._runs else None)
        self._runs += 1
        writer = Writer(self._records / str(self._runs))
        writer.begin(Reader(None))
        comparison = Comparison(
            known,
            writer,
            FileReader(KEY, offer),
            lambda delta: copied.entries.update({os.fsdecode(e.name): e for e in delta.upserts}),
            counters,
            lambda path, missed: copied.missed.__setitem__(Path(os.fsdecode(path)).name, missed),
            Beside((), copied.lost.__setitem__),
        )
        comparison.compare(Tree([str(self._root)], Rules(), []).walk())
        writer.finish()
        known.close()
        copied.bytes_read = counters.bytes_read
        return copied

    def records(self) -> list[Record]:
        """What was remembered of the last one."""
        reader = Reader(self._records / str(self._runs))
        with closing(reader):
            return list(reader)

    def remember(self, change: Callable[[Row], Row]) -> None:
        """Have the next one find other rows than the last one left."""
        changed = []
        for record in self.records():
            pairs = list(unpack_record(record))
            rows, contents = [change(row) for row, _ in pairs], [content for _, content in pairs]
            changed.append(record_of(record.path, rows, contents))
        write_sorted(self._records / str(self._runs), changed)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def copies(folder: Path, tmp_path: Path) -> Copies:
    (tmp_path / "records").mkdir()
    return Copies(folder, tmp_path / "records")


def times(file: Path) -> tuple[int, int, int]:
    status = file.stat()
    return status.st_mtime_ns, status.st_ctime_ns, status.st_size


@contextmanager
def coarse_clock(kind: str, place: Path) -> Iterator[Path]:
    """A folder on a file system whose clock can't tell two changes apart that follow at once."""
    mounted = place / "mounted"
    mounted.mkdir()
    command = ["mount", "-t", "ramfs", "none", str(mounted)]
    if kind == "ext4":
        # Inodes of the old size know whole seconds.
        image = place / "image"
        image.touch()
        os.truncate(image, 8_000_000)
        subprocess.run(["mkfs.ext4", "-q", "-I", "128", image], check=True, capture_output=True)
        command = ["mount", "-o", "loop", str(image), str(mounted)]
    if subprocess.run(command, capture_output=True, check=False).returncode != 0:
        pytest.skip("a disk can only be mounted by root, outside most containers")
    try:
        (mounted / "folder").mkdir()
        yield mounted / "folder"
    finally:
        subprocess.run(["umount", mounted], check=True)


def change_as_it_is_read(file: Path, copies: Copies) -> bool:
    """Have a copy read a file that changes right after; does it look as it did before?"""
    file.write_bytes(b"first")
    before = times(file)

    def change(_: bytes | memoryview) -> None:
        with file.open("r+b") as opened:
            opened.write(b"later")

    assert copies.run(change).content(file.name) == b"first"
    return times(file) == before


@pytest.mark.parametrize("kind", ["ramfs", "ext4"])
def test_a_change_in_the_tick_of_its_reading_is_copied_by_the_next_run(
    kind: str, tmp_path: Path
) -> None:
    (tmp_path / "records").mkdir()
    with coarse_clock(kind, tmp_path) as folder:
        copies = Copies(folder, tmp_path / "records")
        while not change_as_it_is_read(folder / "a", copies):
            (folder / "a").unlink()
            copies.run()
        assert copies.run().content("a") == b"later"
        # Once it has rested it is read no more.
        time.sleep(COARSE_TICK_NS / 1e9)
        copies.run()
        assert copies.run().bytes_read == 0


def test_a_symlink_that_was_made_just_before_is_read_again(folder: Path, copies: Copies) -> None:
    """Where numbers of inodes are given again at once, nothing but what it says may differ."""
    link = folder / "link"

    def find_row() -> Row:
        rows = [row for record in copies.records() for row, _ in unpack_record(record)]
        return next(row for row in rows if row[0] == b"link")

    for _ in range(50):  # on a busy machine it was long ago when it is read
        link.unlink(missing_ok=True)
        link.symlink_to("first")
        copies.run()
        if find_row()[5] == READ_AGAIN:
            break
    else:
        pytest.fail("it was never read again")
    time.sleep(TICK_NS / 1e9)
    assert copies.run().entries == {}
    assert find_row() == row_of(b"link", link.lstat())


@pytest.mark.parametrize(
    ("before", "fresh"),
    [(0, True), (50_000_001, True), (200_000_001, False), (-5_000_000_001, True),
     (10**18, False), (-(10**18), False)],
)  # fmt: skip
def test_what_changed_just_before_it_was_read_is_remembered_as_such(
    before: int, fresh: bool
) -> None:
    now = 1_795_901_763_123_456_789
    row: Row = (b"a", 0o100644, 7, 3, now - 10**17, now - before, 0, 0)
    assert (settled(row, now)[5] == READ_AGAIN) == fresh
    whole = 1_795_901_763_000_000_000
    row = (*row[:5], whole, *row[6:])
    assert settled(row, whole + 2_999_999_999)[5] == READ_AGAIN
    assert settled(row, whole + 3_000_000_000) == row


@pytest.mark.parametrize("size", [100, 20_000_000])
def test_a_file_that_grows_as_it_is_read_is_copied_up_to_its_size_and_named(
    folder: Path, copies: Copies, size: int
) -> None:
    file = folder / "log"
    file.write_bytes(os.urandom(size))
    read: list[int] = []

    def grow(chunk: bytes | memoryview) -> None:
        """As much as was read: whoever reads to the end comes to none."""
        read.append(len(chunk))
        if sum(read) > 20 * size:
            raise AssertionError("it is read without an end")
        with file.open("ab") as opened:
            opened.write(os.urandom(len(chunk) + 1))

    copied = copies.run(grow)
    assert size <= copied.entries["log"].size < file.stat().st_size
    held = file.read_bytes()[: copied.entries["log"].size]
    assert copied.content("log") == held
    if size > reading.WHOLE_BELOW_BYTES:
        assert copied.missed["log"].reason.code == "changed-while-read"
    assert copies.run().content("log") == file.read_bytes()


def test_a_file_that_says_it_is_empty_and_is_not_is_read(tmp_path: Path) -> None:
    (tmp_path / "records").mkdir()
    told = Path("/proc/sys/kernel")
    assert (told / "ostype").stat().st_size == 0
    copied = Copies(told, tmp_path / "records").run()
    assert copied.content("ostype") == (told / "ostype").read_bytes() == b"Linux\n"
    assert copied.entries["ostype"].size == 6
    # What may not be read is named, and is no empty file either.
    for name in copied.missed:
        assert name not in copied.entries or name == "random" or copied.entries[name].size


def test_a_file_without_size_and_end_is_cut_and_named(
    folder: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "MOST_UNTOLD_BYTES", 4)
    copied = Copies(Path("/proc/sys/kernel"), folder.parent / "records").run()
    assert copied.content("ostype") == b"Linu"
    assert copied.missed["ostype"].reason.code == "changed-while-read"


def test_an_empty_file_is_empty_and_rests(folder: Path, copies: Copies) -> None:
    (folder / "empty").touch()
    time.sleep(TICK_NS / 1e9)
    assert copies.run().content("empty") == b""
    assert copies.run().entries == {}


def test_a_file_that_changed_between_its_listing_and_its_reading_has_its_new_time(
    folder: Path, copies: Copies
) -> None:
    (folder / "a").write_bytes(b"read before b")
    (folder / "b").write_bytes(b"first")

    def change(chunk: bytes | memoryview) -> None:
        if chunk == b"read before b":
            (folder / "b").write_bytes(b"later")
            os.utime(folder / "b", ns=(1, 1_000_000_001))

    copied = copies.run(change)
    assert copied.content("b") == b"later"
    assert copied.entries["b"].mtime_ns == 1_000_000_001


def test_a_file_of_the_same_size_that_changes_while_it_is_read_is_read_again(
    folder: Path, copies: Copies
) -> None:
    """Its beginning is read before it changes, its end after."""
    file = folder / "a"
    file.write_bytes(os.urandom(20_000_000))
    later = os.urandom(20_000_000)
    changes = iter([later])

    def change(_: bytes | memoryview) -> None:
        if (content := next(changes, None)) is not None:
            file.write_bytes(content)

    copied = copies.run(change)
    assert copied.content("a") == later
    assert copied.missed == {}

    def keep_changing(_: bytes | memoryview) -> None:
        with file.open("r+b") as opened:
            opened.write(os.urandom(8))

    # One that doesn't rest is copied as it was read last, and named. On a busy machine it came to
    # rest before its second reading, and the next run would not look at it.
    file.write_bytes(os.urandom(20_000_000))
    assert copies.run(keep_changing).missed["a"].reason.code == "changed-while-read"


def rest(copies: Copies) -> None:
    time.sleep(TICK_NS / 1e9)
    copies.run()


def test_a_file_whose_times_and_size_were_set_back_is_read_again(
    folder: Path, copies: Copies
) -> None:
    file = folder / "a"
    file.write_bytes(b"first")
    copies.run()
    rest(copies)
    before = file.stat()
    with file.open("r+b") as opened:
        opened.write(b"later")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert copies.run().content("a") == b"later"
    rest(copies)
    (folder / "beside").write_bytes(b"third")
    os.utime(folder / "beside", ns=(before.st_atime_ns, before.st_mtime_ns))
    (folder / "beside").rename(file)
    assert copies.run().content("a") == b"third"


@pytest.mark.parametrize("member", [2, 5])
def test_a_file_whose_inode_or_ctime_alone_changed_is_read_again(
    folder: Path, copies: Copies, member: int
) -> None:
    (folder / "a").write_bytes(b"content")
    copies.run()
    rest(copies)
    assert copies.run().bytes_read == 0

    def other(row: Row) -> Row:
        return (*row[:member], row[member] - 1, *row[member + 1 :])  # type: ignore[return-value]

    copies.remember(lambda row: other(row) if row[0] == b"a" else row)
    assert copies.run().bytes_read == len(b"content")
    assert copies.run().bytes_read == 0


@pytest.mark.parametrize("kind", ["folder", "file"])
def test_what_is_swapped_for_a_symlink_after_its_listing_is_not_followed(
    folder: Path, copies: Copies, kind: str
) -> None:
    """Even one that leads to the very thing that was listed, elsewhere."""
    (folder / "a").write_bytes(b"read first")
    victim, elsewhere = folder / "b", folder.parent / "elsewhere"
    if kind == "folder":
        victim.mkdir()
        (victim / "secret").write_bytes(b"secret")
    else:
        victim.write_bytes(b"secret")

    def swap(chunk: bytes | memoryview) -> None:
        if chunk == b"read first":
            victim.rename(elsewhere)
            victim.symlink_to(elsewhere)

    copied = copies.run(swap)
    assert b"secret" not in copied.contents.values()
    assert copied.missed == {}
