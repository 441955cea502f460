"""Bringing a restore point back: the manifest is read as it comes, chunks in the order of packs.

One thread plans, a few fetch; each chunk is verified before a byte of it is written.
"""

from __future__ import annotations

import errno
import os
import queue
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from blake3 import blake3

from agent import failures
from agent.connection import StreamCut
from agent.failures import AgentError
from agent.landing import Folder, InTheWay, Landing
from agent.names import shown_absolute, size_text
from agent.portal import ChunkPlace, Frame, Portal
from agent.results import MAX_NAMED_NOT_COPIED, Restored
from agent.telling import Teller
from libs.shared.entries import CHUNK_ID_BYTES, Entry
from libs.shared.packs import PayloadInvalid, unpack

WORKERS = 3
WINDOW_BYTES = 256 * 1024 * 1024
WINDOW_PIECES = 20_000
REQUEST_BYTES = 8 * 1024 * 1024
REQUEST_CHUNKS = 4_096
TRIES_WITHOUT_PROGRESS = 4
_FATAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE})


class _File:
    """A file on its way: pieces come in any order."""

    __slots__ = ("descriptor", "entry", "failed", "folder", "left", "lock", "path")

    def __init__(self, path: bytes, entry: Entry) -> None:
        self.path = path
        self.entry = entry
        self.left = len(entry.chunks) // CHUNK_ID_BYTES
        self.failed: str | None = None
        self.descriptor = -1
        self.folder: Folder | None = None
        self.lock = threading.Lock()


@dataclass
class _Wanted:
    """A chunk and all places of the window that need it."""

    place: ChunkPlace
    targets: list[tuple[_File, int]] = field(default_factory=list)


class Restore:
    """One restore point brought back below one folder."""

    def __init__(self, portal: Portal, plan: str, landing: Landing, teller: Teller) -> None:
        self._portal, self._plan = portal, plan
        self._landing, self._teller = landing, teller
        self.restored = Restored()
        self._key = b""
        self._lock = threading.Lock()
        self._window: dict[bytes, _Wanted] = {}
        self._window_bytes = 0
        self._window_pieces = 0
        self._folders: list[tuple[bytes, Entry]] = []
        self._requests: queue.Queue[list[_Wanted] | None] = queue.Queue(WORKERS)
        self._failure: BaseException | None = None
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]

    def perform(self, run: int | None, path: bytes | None) -> Restored:
        """Restore a run, the last one if none is named, or what lies at a path of it."""
        began = time.monotonic()
        for worker in self._workers:
            worker.start()
        try:
            self._read_manifest(run, path)
            self._close_window()
            for _ in self._workers:
                self._ask(None)
        except BaseException as error:
            self._stop(error)
            raise
        for worker in self._workers:
            worker.join()
        self._check()
        self._finish_folders()
        self.restored.duration_seconds = time.monotonic() - began
        if self.restored.not_restored:
            self.restored.exit_code = failures.WARNINGS
        return self.restored

    def snapshot(self) -> tuple[str, int, int | None]:
        """Progress, for the teller."""
        restored = self.restored
        words = f"{restored.files} files, {size_text(restored.bytes_written)} restored"
        return words, restored.bytes_written, None

    def _stop(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error
        self._portal.connection.stopping.set()
        for worker in self._workers:
            worker.join()

    def _read_manifest(self, run: int | None, path: bytes | None) -> None:
        with self._portal.manifest(self._plan, run, path) as manifest:
            self._key = manifest.chunk_key
            self.restored.run = manifest.run
            places: dict[bytes, ChunkPlace] = {}
            for deltas, new_places in manifest.frames:
                places.update((place.chunk_id, place) for place in new_places)
                if deltas:
                    self._plan_frame((deltas, new_places), places)
                    places = {}

    def _plan_frame(self, frame: Frame, places: dict[bytes, ChunkPlace]) -> None:
        for delta in frame[0]:
            for entry in delta.upserts:
                path = delta.folder + b"/" + entry.name if delta.folder else entry.name
                try:
                    self._plan_entry(delta.folder, path, entry, places)
                except (OSError, InTheWay) as error:
                    self._not_restored(path, error)

    def _plan_entry(
        self, folder: bytes, path: bytes, entry: Entry, places: dict[bytes, ChunkPlace]
    ) -> None:
        if entry.kind == "d":
            self._landing.make_folder(folder, entry.name)
            self._folders.append((path, entry))
            self.restored.folders += 1
            return
        parent = self._landing.folder(folder)
        if self._landing.is_there(parent, entry):
            self.restored.files_already_there += entry.kind == "f"
        elif entry.kind == "l":
            self._landing.make_symlink(parent, entry)
            self.restored.symlinks += 1
        elif entry.size == 0:
            self._landing.end_file(parent, self._landing.begin_file(parent, entry.name), entry)
            self._count_file()
        else:
            self._plan_file(_File(path, entry), places)

    def _plan_file(self, file: _File, places: dict[bytes, ChunkPlace]) -> None:
        chunks = file.entry.chunks
        ids = [chunks[at : at + CHUNK_ID_BYTES] for at in range(0, len(chunks), CHUNK_ID_BYTES)]
        try:
            found = [places[chunk_id] for chunk_id in ids]
        except KeyError:
            self._not_restored(file.path, "the server does not hold all of its content")
            return
        if sum(place.size for place in found) != file.entry.size:
            self._not_restored(file.path, "its chunks do not add up to its size")
            return
        offset = 0
        for place in found:
            wanted = self._window.get(place.chunk_id)
            if wanted is None:
                wanted = self._window[place.chunk_id] = _Wanted(place)
                self._window_bytes += place.size
            wanted.targets.append((file, offset))
            offset += place.size
            self._window_pieces += 1
            if self._window_bytes >= WINDOW_BYTES or self._window_pieces >= WINDOW_PIECES:
                self._close_window()

    def _close_window(self) -> None:
        """Ask for the window's chunks in the order in which they lie in packs."""
        in_order = sorted(
            self._window.values(), key=lambda wanted: (wanted.place.pack_no, wanted.place.offset)
        )
        self._window, self._window_bytes, self._window_pieces = {}, 0, 0
        request: list[_Wanted] = []
        size_bytes = 0
        for wanted in in_order:
            if request and (
                size_bytes + wanted.place.size > REQUEST_BYTES or len(request) >= REQUEST_CHUNKS
            ):
                self._ask(request)
                request, size_bytes = [], 0
            request.append(wanted)
            size_bytes += wanted.place.size
        if request:
            self._ask(request)

    def _ask(self, request: list[_Wanted] | None) -> None:
        while True:
            self._check()
            try:
                return self._requests.put(request, timeout=0.5)
            except queue.Full:
                continue

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _work(self) -> None:
        try:
            while self._failure is None:
                try:
                    request = self._requests.get(timeout=0.5)
                except queue.Empty:
                    continue
                if request is None:
                    return
                self._fetch(request)
        except BaseException as error:
            if self._failure is None:
                self._failure = error
            self._portal.connection.stopping.set()

    def _fetch(self, request: list[_Wanted]) -> None:
        """Fetch and place chunks; a stream that breaks off is asked for again from there."""
        done = 0
        stuck = 0
        while done < len(request):
            before = done
            try:
                places = [wanted.place for wanted in request[done:]]
                with self._portal.chunks(self._plan, places) as payloads:
                    for encoding, payload in payloads:
                        self._place(request[done], encoding, payload)
                        done += 1
            except StreamCut as error:
                stuck = stuck + 1 if done == before else 0
                if stuck >= TRIES_WITHOUT_PROGRESS:
                    self._give_up(request[done], f"its content can't be fetched: {error}")
                    done, stuck = done + 1, 0
                elif stuck:
                    self._portal.connection.stopping.wait(0.3 * 2**stuck)

    def _place(self, wanted: _Wanted, encoding: int, payload: bytes) -> None:
        try:
            content = unpack(payload, encoding, wanted.place.size)
        except PayloadInvalid as error:
            self._give_up(wanted, f"its content is damaged: {error}")
            return
        if blake3(content, key=self._key).digest() != wanted.place.chunk_id:
            self._give_up(wanted, "its content is not what its id says")
            return
        is_hole = not content.lstrip(b"\0")
        for file, offset in wanted.targets:
            try:
                if file.entry.size == len(content):
                    self._write_whole(file, content, is_hole)
                else:
                    self._write_piece(file, offset, content, is_hole)
            except (OSError, InTheWay) as error:
                self._fail(file, error)

    def _write_whole(self, file: _File, content: bytes, is_hole: bool) -> None:
        folder = self._landing.folder(file.path.rpartition(b"/")[0])
        descriptor = self._landing.begin_file(folder, file.entry.name)
        try:
            if is_hole:
                os.ftruncate(descriptor, len(content))
            else:
                _write_all(descriptor, content, 0)
        except OSError:
            self._landing.drop_file(folder, descriptor, file.entry.name)
            raise
        self._landing.end_file(folder, descriptor, file.entry)
        self._count_file(len(content))

    def _write_piece(self, file: _File, offset: int, content: bytes, is_hole: bool) -> None:
        with file.lock:
            if file.failed is None and file.descriptor < 0:
                file.folder = self._landing.folder(file.path.rpartition(b"/")[0])
                file.descriptor = self._landing.begin_file(file.folder, file.entry.name)
                os.ftruncate(file.descriptor, file.entry.size)
        if file.failed is None and not is_hole:
            _write_all(file.descriptor, content, offset)
        with self._lock:
            self.restored.bytes_written += len(content)
        self._piece_done(file)

    def _piece_done(self, file: _File) -> None:
        with file.lock:
            file.left -= 1
            if file.left or file.folder is None:
                return
            if file.failed is None:
                self._landing.end_file(file.folder, file.descriptor, file.entry)
                self._count_file()
            else:
                self._landing.drop_file(file.folder, file.descriptor, file.entry.name)
            file.folder = None

    def _count_file(self, size_bytes: int = 0) -> None:
        with self._lock:
            self.restored.files += 1
            self.restored.bytes_written += size_bytes

    def _give_up(self, wanted: _Wanted, reason: str) -> None:
        for file, _ in wanted.targets:
            self._fail(file, reason)

    def _fail(self, file: _File, reason: Exception | str) -> None:
        self._not_restored(file.path, reason)
        file.failed = str(reason)
        self._piece_done(file)

    def _not_restored(self, path: bytes, reason: Exception | str) -> None:
        if isinstance(reason, OSError):
            if reason.errno in _FATAL:
                raise AgentError(
                    f"{shown_absolute(path)} can't be written: {reason.strerror}. "
                    "Make room, then repeat the same command: it goes on from here."
                ) from reason
            reason = reason.strerror or str(reason)
        with self._lock:
            is_new = path not in self.restored.not_restored
            self.restored.not_restored.setdefault(path, str(reason))
            count = len(self.restored.not_restored)
        if is_new and count <= MAX_NAMED_NOT_COPIED:
            place = shown_absolute(path)
            self._teller.say(f"{place}: {reason}", "warning", path=place, reason=str(reason))

    def _finish_folders(self) -> None:
        """Deepest first, so that a folder's time and mode are the last thing that happens to it."""
        for path, entry in reversed(self._folders):
            try:
                self._landing.finish_folder(path, entry)
            except (OSError, InTheWay) as error:
                self._not_restored(path, error)


def _write_all(descriptor: int, content: bytes, offset: int) -> None:
    written = os.pwrite(descriptor, content, offset)
    while written < len(content):
        written += os.pwrite(descriptor, memoryview(content)[written:], offset + written)


def restore_plan(
    portal: Portal,
    plan: str,
    to: Path,
    teller: Teller,
    *,
    run: int | None,
    path: str | None,
    overwrite: bool,
) -> Restored:
    """Bring a plan back below a folder; whatever it comes to is in the result."""
    restore = Restore(portal, plan, Landing(to, overwrite), teller)
    teller.follow(restore.snapshot)
    wanted = None if path is None else os.fsencode(path).strip(b"/")
    try:
        return restore.perform(run, wanted)
    except StreamCut as cut:
        error: AgentError = failures.Unreachable(
            f"The portal's list broke off ({cut}). Repeat the command: it goes on from here."
        )
    except AgentError as failure:
        error = failures.final(failure, "Sign in again.")
    finally:
        portal.sign_out()
    restored = restore.restored
    restored.code, restored.error, restored.exit_code = error.code, str(error), error.exit_code
    return restored
