"""A store that is a folder of this machine, for who runs all services on one (docs/decisions/0066).

Each object is a file whose path is its key. What is acknowledged is on the disk: the file was
written aside, flushed, renamed, and its folder flushed.
"""

from __future__ import annotations

import errno
import mmap
import os
import re
import stat
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from io import FileIO
from itertools import islice
from operator import itemgetter
from pathlib import Path

from blake3 import blake3

from libs.shared import clock
from libs.shared.objects.stored import (
    Bytes,
    ObjectMissing,
    StoredObject,
    StoredVersion,
    StoreLied,
    Undeletable,
    VersionPage,
)

PAGE = 1000
ONLY_VERSION = "null"
DRAFT_SECONDS = 3600.0
"""How old a draft is that nobody writes any more."""

_KEY = re.compile(r"[0-9a-z][0-9a-z.-]*(/[0-9a-z][0-9a-z.-]*)*")
_NAME = re.compile(r"[0-9a-z][0-9a-z.-]*")
_BLOCK_BYTES = 4096
_BUFFER_BYTES = 1 << 20
_DIRECT_FROM_BYTES = 64 << 10
_PLACING_TRIES = 20
_REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM})
_ABSENT = (FileNotFoundError, IsADirectoryError, NotADirectoryError)


class FolderUnfit(StoreLied):
    """The folder can't be used as it is; the text says what to do."""


class FolderStore:
    """A folder with `objects`, `drafts` and the mark of whose it is.

    root: belongs to the user of the services alone (0700), on a local file system.
    master_keys: the installation's, the present one first; the folder is marked as theirs.
    """

    kind = "folder"
    failures: tuple[type[Exception], ...] = (OSError, StoreLied)

    def __init__(self, root: Path, master_keys: Sequence[bytes] = ()) -> None:
        self._root = root
        self._marks = [_mark(key) for key in master_keys]
        self._is_known = False
        self._objects = root / "objects"
        self._drafts = root / "drafts"
        self._owner = root / "owner"
        self._buffers = threading.local()

    def put(self, key: str, body: Bytes) -> None:
        """Writes aside, flushes, renames, flushes the folder."""
        path = self._path(key)
        draft = self._drafts / uuid.uuid4().hex
        try:
            self._write(draft, body)
            self._place(draft, path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def read(self, key: str) -> bytes:
        """The whole file."""
        with self._open(key) as file:
            return self._read(key, file, 0, os.fstat(file.fileno()).st_size)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Exactly the bytes that were asked for."""
        with self._open(key) as file:
            if os.fstat(file.fileno()).st_size < offset + length:
                raise ObjectMissing(key)
            return self._read(key, file, offset, length)

    def stat(self, key: str) -> None:
        """Raises ObjectMissing where there is no file of that key."""
        self._open(key).close()

    def delete(self, key: str) -> None:
        """Removes the file, and the folders that it leaves empty."""
        path = self._path(key)
        with suppress(*_ABSENT):
            path.unlink()
        self._prune(path.parent)

    def list_page(self, prefix: str, after: str) -> list[StoredObject]:
        """The next thousand objects after the key `after`."""
        return list(islice(self._list(prefix, after), PAGE))

    def list_versions_page(self, prefix: str, key_marker: str, version_marker: str) -> VersionPage:
        """The next thousand: of each object there is one version."""
        del version_marker
        found = list(islice(self._list(prefix, key_marker), PAGE + 1))
        page = [StoredVersion(one.key, ONLY_VERSION, one.size_bytes) for one in found[:PAGE]]
        return VersionPage(page, (page[-1].key, ONLY_VERSION) if len(found) > PAGE else None)

    def delete_versions(self, versions: Sequence[StoredVersion]) -> list[Undeletable]:
        """Removes the files; those of another version than the only one are gone already."""
        refused = []
        folders: dict[Path, None] = {}
        for one in versions:
            if one.version_id != ONLY_VERSION:
                continue
            path = self._path(one.key)
            try:
                path.unlink()
            except _ABSENT:
                pass
            except OSError as error:
                code = errno.errorcode.get(error.errno or 0, "EIO")
                refused.append(Undeletable(one.key, one.version_id, code))
            folders[path.parent] = None
        for folder in folders:
            self._prune(folder)
        return refused

    def find_lock(self, key: str, version_id: str) -> datetime | None:
        """None: nothing in a folder is locked."""
        del key, version_id
        return None

    def read_date(self) -> datetime:
        """This machine's own clock: a folder has none, so only the database's is a second one."""
        return (clock.now() - clock.offset()).replace(microsecond=0)

    def ensure(self) -> None:
        """Makes the folder where there is none, and sweeps what a crash left half written."""
        for folder in (self._root, self._objects, self._drafts):
            if not folder.is_dir():
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
                _flush(folder.parent)
        self.look()
        self.sweep()

    def look(self) -> None:
        """Raises FolderUnfit, OSError."""
        self._see()
        found = self._root.stat()
        if found.st_uid != os.geteuid() or found.st_mode & 0o077:
            raise FolderUnfit(
                f"'{self._root}' must belong to the user of the services, and to nobody else:"
                f" chown it to {os.geteuid()}, and chmod 700"
            )
        if self._marks:
            self._claim()
        self._is_known = True

    def _see(self) -> None:
        """Raises FolderUnfit where the folder is gone, so that nothing in it passes for lost."""
        if not (self._objects.is_dir() and self._drafts.is_dir()):
            raise FolderUnfit(self._advise_absent())

    def _claim(self) -> None:
        """Marks the folder as ours; FolderUnfit where it is another installation's."""
        try:
            found = self._owner.read_text()
        except FileNotFoundError:
            found = self._mark_first()
        if found not in self._marks:
            raise FolderUnfit(
                f"'{self._root}' is another installation's: set COFFRE_STORE to a folder of its"
                " own, or COFFRE_MASTER_KEY_FILE to the key that the folder began with (while it"
                " is being changed, COFFRE_MASTER_KEY_PREVIOUS_FILE has the one before)"
            )
        if found != self._marks[0]:
            self._drafted_mark().rename(self._owner)
            _flush(self._root)

    def _mark_first(self) -> str:
        draft = self._drafted_mark()
        try:
            # Of two that begin at once, one is first: a link replaces nothing.
            os.link(draft, self._owner)
        except FileExistsError:
            return self._owner.read_text()
        finally:
            draft.unlink()
        _flush(self._root)
        return self._marks[0]

    def _drafted_mark(self) -> Path:
        draft = self._drafts / uuid.uuid4().hex
        self._write(draft, self._marks[0].encode())
        return draft

    def sweep(self) -> None:
        """Removes what a crash left half written: no object, and nothing that was acknowledged."""
        now = self.read_date().timestamp()
        with os.scandir(self._drafts) as entries:
            for entry in entries:
                with suppress(FileNotFoundError):
                    if now - entry.stat().st_mtime > DRAFT_SECONDS:
                        Path(entry.path).unlink()

    def advise(self, failure: BaseException | None) -> str:
        """Says what is wrong with the folder; empty where nothing of it is."""
        if isinstance(failure, FolderUnfit):
            return str(failure)
        if not isinstance(failure, OSError):
            return ""
        if failure.errno in {errno.ENOSPC, errno.EDQUOT}:
            return f"there is no room in '{self._root}': give its disk some"
        if failure.errno in _REFUSALS:
            return f"'{self._root}' can't be written: give the user of the services the right"
        return self._advise_absent() if failure.errno == errno.ENOENT else ""

    def find_refusal(self, failure: Exception, *, is_lasting: bool) -> str:
        """Says why the disk takes nothing more; empty where it does."""
        del is_lasting
        if isinstance(failure, OSError) and failure.errno in _REFUSALS:
            return os.strerror(failure.errno)
        return ""

    def close(self) -> None:
        """Nothing is kept open."""

    def _advise_absent(self) -> str:
        return (
            f"there is no store in '{self._root}': see that its disk is mounted; a new one is made"
            f" by `python -m installing store {self._root}`"
        )

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ValueError(f"{key!r} can't be an object in a folder")
        if not self._is_known:
            self.look()
        return self._objects / key

    def _open(self, key: str) -> FileIO:
        try:
            file = FileIO(self._path(key), opener=_open_only_files)
        except _ABSENT:
            self._see()
            raise ObjectMissing(key) from None
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            file.close()
            raise ObjectMissing(key)
        return file

    def _read(self, key: str, file: FileIO, offset: int, length: int) -> bytes:
        """So many bytes of a file; ObjectMissing where it is cut short, or its disk can't read it.

        A sector that fails is damage of this object, and no store that is away.
        """
        parts = []
        while length:
            try:
                part = os.pread(file.fileno(), length, offset)
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
                self._see()
                raise ObjectMissing(key) from error
            if not part:
                raise ObjectMissing(key)
            parts.append(part)
            offset, length = offset + len(part), length - len(part)
        return b"".join(parts)

    def _write(self, draft: Path, body: Bytes) -> None:
        """A new file, on the disk on return; past the page cache where it is large and that works.

        What is kept is seldom read soon, and would push out what is.
        """
        with memoryview(body).cast("B") as view:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            is_direct = len(view) >= _DIRECT_FROM_BYTES
            try:
                self._write_by(draft, view, flags | (os.O_DIRECT if is_direct else 0))
            except OSError as error:
                if not is_direct or error.errno != errno.EINVAL:
                    raise
                draft.unlink(missing_ok=True)
                self._write_by(draft, view, flags)

    def _write_by(self, draft: Path, view: memoryview, flags: int) -> None:
        fd = os.open(draft, flags, 0o600)
        try:
            if flags & os.O_DIRECT:
                self._write_blocks(fd, view)
            else:
                _write_all(fd, view)
            os.fsync(fd)
            if os.fstat(fd).st_size != len(view):
                raise StoreLied("a file has another size than was written")
        finally:
            os.close(fd)

    def _write_blocks(self, fd: int, view: memoryview) -> None:
        """Whole blocks from aligned memory, the last one cut to size afterwards."""
        if not hasattr(self._buffers, "mapped"):
            self._buffers.mapped = mmap.mmap(-1, _BUFFER_BYTES)
        buffer = memoryview(self._buffers.mapped)
        for start in range(0, len(view), _BUFFER_BYTES):
            part = view[start : start + _BUFFER_BYTES]
            buffer[: len(part)] = part
            _write_all(fd, buffer[: -(-len(part) // _BLOCK_BYTES) * _BLOCK_BYTES])
        os.ftruncate(fd, len(view))

    def _place(self, draft: Path, path: Path) -> None:
        """Renames the draft; whoever removes an object may take its empty folder away meanwhile."""
        for _ in range(_PLACING_TRIES):
            self._make_folder(path.parent)
            try:
                draft.rename(path)
            except FileNotFoundError:
                continue
            with suppress(FileNotFoundError):
                _flush(path.parent)
            return
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))

    def _make_folder(self, folder: Path) -> None:
        if folder == self._objects or folder.is_dir():
            return
        self._make_folder(folder.parent)
        with suppress(FileNotFoundError, FileExistsError):
            folder.mkdir(mode=0o700)
            _flush(folder.parent)

    def _prune(self, folder: Path) -> None:
        """Removes folders that are empty, upward, and flushes the one that stays."""
        while folder != self._objects:
            try:
                folder.rmdir()
            except FileNotFoundError:
                pass
            except OSError:
                break
            folder = folder.parent
        with suppress(FileNotFoundError, NotADirectoryError):
            _flush(folder)

    def _list(self, prefix: str, after: str) -> Iterator[StoredObject]:
        self.look()
        inside = prefix[: prefix.rfind("/") + 1]
        if inside and not _KEY.fullmatch(inside[:-1]):
            return
        for key, entry in self._walk(inside, prefix, after):
            with suppress(FileNotFoundError):
                told = entry.stat(follow_symlinks=False)
                modified_at = datetime.fromtimestamp(told.st_mtime, UTC)
                yield StoredObject(key, told.st_size, modified_at)

    def _walk(self, inside: str, prefix: str, after: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        """Files in the order of their keys: a folder stands where its name with the slash does."""
        try:
            with os.scandir(self._objects / inside) as entries:
                named = sorted(
                    (
                        (entry.name + "/" * entry.is_dir(follow_symlinks=False), entry)
                        for entry in entries
                    ),
                    key=itemgetter(0),
                )
        except (FileNotFoundError, NotADirectoryError):
            return
        for name, entry in named:
            key = inside + name
            if not _NAME.fullmatch(entry.name) or entry.is_symlink():
                raise FolderUnfit(f"'{entry.path}' is no object of this store: move it elsewhere")
            if not name.endswith("/"):
                if key.startswith(prefix) and key > after:
                    yield key, entry
            # Where all that a folder holds lies before `after`, it isn't read.
            elif (key.startswith(prefix) or prefix.startswith(key)) and after[: len(key)] <= key:
                yield from self._walk(key, prefix, after)


def _open_only_files(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _write_all(fd: int, view: memoryview) -> None:
    while view:
        view = view[os.write(fd, view) :]


def _flush(folder: Path) -> None:
    """Puts on the disk what was made, renamed and removed in a folder."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _mark(master_key: bytes) -> str:
    """Whose a folder is, without saying anything of the key."""
    return blake3(master_key, derive_key_context="coffre 2026-11-29 owner of a folder").hexdigest()
