"""A SQLite database copied while others write to it.

SQLite's online backup writes a database, not a stream, so that this is the one kind of dump that
passes through a temporary file (docs/decisions/0011).
"""

from __future__ import annotations

import io
import shutil
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import closing, contextmanager
from pathlib import Path

from agent.dumps.streams import Deadline, DumpFailed, Seen, private_file, unwritable
from agent.telling import oserrors
from libs.shared.reasons import Reason

PAGES_PER_STEP = 2_000
LOCK_SECONDS = 0.5
SPARE_BYTES = 64 * 1024 * 1024


class CopyOutput:
    """A finished copy, read by `readinto`."""

    def __init__(self, file: io.FileIO, deadline: Deadline) -> None:
        self.seen = Seen()
        self._file = file
        self._deadline = deadline

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """Fill a buffer, less only at the end; raises DumpFailed when the time is over."""
        self._deadline.check()
        view = memoryview(buffer)
        count = self._file.readinto(view) or 0
        self.seen.look(view[:count])
        return count


@contextmanager
def copy(database: Path, private_folder: Path, deadline: Deadline) -> Iterator[CopyOutput]:
    """A consistent, checked copy of a database; it is removed afterwards.

    Raises DumpFailed where the database can't be read or is damaged.
    """
    _check_room(database, private_folder)
    with private_file(private_folder, ".sqlite-") as name:
        try:
            with closing(_open(database)) as source, closing(_new(name)) as target:
                _back_up(source, target, deadline)
                _check(database, target, deadline)
        except sqlite3.Error as error:
            deadline.check()
            raise DumpFailed(
                Reason("database-not-copied", str(database), detail=str(error))
            ) from error
        with open(name, "rb", buffering=0) as file:
            yield CopyOutput(file, deadline)


def _check_room(database: Path, private_folder: Path) -> None:
    try:
        needed = database.stat().st_size
        wal = database.with_name(database.name + "-wal")
        needed += wal.stat().st_size if wal.exists() else 0
    except OSError as error:
        words = oserrors.words_of(error)
        raise DumpFailed(Reason("database-unreadable", str(database), detail=words)) from error
    try:
        free = shutil.disk_usage(private_folder).free
    except OSError as error:
        raise unwritable(private_folder, error) from error
    if free < needed + SPARE_BYTES:
        raise DumpFailed(Reason("dump-no-room", str(private_folder), free, needed + SPARE_BYTES))


def _open(database: Path) -> sqlite3.Connection:
    # "rw" makes no new database; it falls back to reading where we may only read.
    address = f"{database.absolute().as_uri()}?mode=rw"
    return sqlite3.connect(address, uri=True, timeout=LOCK_SECONDS, isolation_level=None)


def _new(name: str) -> sqlite3.Connection:
    return sqlite3.connect(name, isolation_level=None, check_same_thread=False)


def _back_up(source: sqlite3.Connection, target: sqlite3.Connection, deadline: Deadline) -> None:
    # One snapshot for all steps: a backup without it starts anew whenever another process writes,
    # and never ends beside one that writes all the time.
    source.execute("BEGIN")
    while not _can_read(source):
        deadline.check()
    target.execute("PRAGMA synchronous = OFF")

    def check(_status: int, _left: int, _all: int) -> None:
        deadline.check()

    source.backup(target, pages=PAGES_PER_STEP, progress=check, sleep=0.05)
    source.execute("ROLLBACK")


def _can_read(source: sqlite3.Connection) -> bool:
    """Take the lock of a reader; False where a writer has it to itself at this moment."""
    try:
        source.execute("SELECT count(*) FROM sqlite_master").fetchall()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
            raise
        return False
    return True


def _check(database: Path, copied: sqlite3.Connection, deadline: Deadline) -> None:
    """Raises DumpFailed where a page or a record of the copy can't be read."""
    # A copy in WAL mode would be read through files beside it, which do not travel.
    copied.execute("PRAGMA journal_mode = DELETE")
    # In a thread of its own, for signals are only heard between two steps of this one, and what
    # a progress handler raises is lost.
    with ThreadPoolExecutor(1) as one:
        checking = one.submit(_quick_check, copied)
        try:
            while not wait([checking], timeout=0.2).done:
                deadline.check()
        except BaseException:
            copied.interrupt()
            raise
    found = checking.result()
    if found != ["ok"]:
        raise DumpFailed(Reason("database-damaged", str(database), detail=" / ".join(found)))


def _quick_check(copied: sqlite3.Connection) -> list[str]:
    return [str(row[0]) for row in copied.execute("PRAGMA quick_check(3)")]
