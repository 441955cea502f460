"""Sending what a run found: windows of chunks in, packs and batches of entries out.

The caller reads and hashes; one thread compresses and packs what the server lacks; others ask it,
upload, and send the entries: none of them waits for a round trip of another.
A batch of entries leaves only once every pack with its chunks is acknowledged.
"""

from __future__ import annotations

import mmap
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from agent.server.ingest import MAX_IDS_ASKED, Ingest, RefusedEntry
from agent.telling.counters import Counters
from libs.shared.batches import encode_batch, weight_of
from libs.shared.entries import Entry, FolderDelta
from libs.shared.packs import MAX_CUT_BYTES, Pack, PackBuilder

WINDOW_BYTES = 3 * 1024 * 1024
WINDOWS_AHEAD = 1
STOP_SECONDS = 20.0
UPLOADS_IN_FLIGHT = 2
BATCHES_IN_FLIGHT = 6
BATCHES_FOR_A_PACK = 3
MAX_REMEMBERED_IDS = 100_000
BATCH_ENTRIES = 10_000
BATCH_BYTES = 6 * 1024 * 1024

T = TypeVar("T")


class SendingStopped(Exception):
    """Another thread failed; its error is the one that counts."""


@dataclass
class _Batch:
    number: int
    body: bytes
    after_pack: int


class _Window:
    """Chunks that are asked for together; used again, for new memory costs the system much."""

    def __init__(self) -> None:
        self.chunks: list[tuple[bytes, bytes | memoryview]] = []
        self.size_bytes = 0
        self._borrowed = memoryview(b"")
        self._filled = 0

    def has_room(self, size_bytes: int) -> bool:
        """May so many bytes come in? Into an empty one any chunk may."""
        room = WINDOW_BYTES - self.size_bytes
        return not self.chunks or (size_bytes <= room and len(self.chunks) < MAX_IDS_ASKED)

    def add(self, chunk_id: bytes, content: bytes | memoryview) -> None:
        """Keep a chunk; of a memoryview, which is only borrowed, a copy."""
        size = len(content)
        if isinstance(content, memoryview):
            if not self._borrowed:
                self._borrowed = memoryview(mmap.mmap(-1, max(WINDOW_BYTES, MAX_CUT_BYTES)))
            start, self._filled = self._filled, self._filled + size
            self._borrowed[start : self._filled] = content
            content = self._borrowed[start : self._filled]
        self.chunks.append((chunk_id, content))
        self.size_bytes += size

    def clear(self) -> None:
        self.chunks.clear()
        self.size_bytes = self._filled = 0


@dataclass
class _Asked:
    """A window, and for each of its chunks whether the tenant lacks it, once that is known."""

    window: _Window
    missing: Future[list[bool]]


@dataclass
class _Progress:
    """Which packs are acknowledged, and which batches wait for them."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    packs_made: int = 0
    unacknowledged: set[int] = field(default_factory=set)
    waiting: deque[_Batch] = field(default_factory=deque)


class Sender:
    """Sends one run; `offer` and `emit` are called by one thread.

    asks: whether the tenant may have chunks already. Where it had none when the run began, all
    are sent: another machine that begins meanwhile sends some twice, which harms nothing.
    """

    def __init__(
        self, ingest: Ingest, run_id: str, counters: Counters, *, asks: bool = True
    ) -> None:
        self._asks = asks
        self._ingest = ingest
        self._run_id = run_id
        self._counters = counters
        self._seen: set[bytes] = set()
        self._window = _Window()
        self._windows: list[_Window] = []
        self._buffers: list[bytearray] = []
        self._deltas: list[FolderDelta] = []
        self._deltas_entries = 0
        self._deltas_bytes = 0
        self.batches = 0
        self.refused: list[RefusedEntry] = []
        self._failure: BaseException | None = None
        self._stopping = threading.Event()
        self._progress = _Progress()
        self._steps: queue.Queue[_Asked | _Batch | None] = queue.Queue(WINDOWS_AHEAD)
        self._packs: queue.Queue[tuple[int, Pack] | None] = queue.Queue(UPLOADS_IN_FLIGHT)
        self._room = threading.Semaphore(UPLOADS_IN_FLIGHT)
        self._room_for_batches = threading.Semaphore(BATCHES_IN_FLIGHT)
        self._calls = ThreadPoolExecutor(WINDOWS_AHEAD + 2)
        self._ends: list[threading.Event] = []
        for work in (self._pack_all, *[self._upload_all] * UPLOADS_IN_FLIGHT):
            ended = threading.Event()
            self._ends.append(ended)
            threading.Thread(target=self._work, args=(work, ended), daemon=True).start()

    def offer(self, chunk_id: bytes, content: bytes | memoryview) -> None:
        """Take a chunk; sent unless the tenant has it."""
        self._counters.bytes_in_hand += len(content)
        if chunk_id in self._seen:
            return
        if len(self._seen) >= MAX_REMEMBERED_IDS:
            self._seen.clear()
        self._seen.add(chunk_id)
        if not self._window.has_room(len(content)):
            self._hand_over_window()
        self._window.add(chunk_id, content)

    def emit(self, delta: FolderDelta) -> None:
        """Take what changed in one folder; its chunks were offered before."""
        if not delta.upserts:
            self._add_part(delta)
        for start in range(0, len(delta.upserts), BATCH_ENTRIES):
            part = delta.upserts[start : start + BATCH_ENTRIES]
            self._add_in_sizes(delta.folder, part, delta.removed if start == 0 else [])

    def finish(self) -> None:
        """Wait until all is acknowledged."""
        self._hand_over_batch()
        self._hand_over_window()
        self._put(self._steps, None)
        # Not join(): interrupted by a signal, it takes a thread that runs for one that ended.
        for ended in self._ends:
            ended.wait()
        self._calls.shutdown()
        self._check()

    def stop(self) -> None:
        """End the threads without sending what is left.

        What is on its way may arrive, so that it is not sent a second time; on a slow line it
        is cut off in the end.
        """
        connection = self._ingest.connection
        self._stopping.set()
        connection.stopping.set()
        end = time.monotonic() + STOP_SECONDS
        for ended in self._ends:
            ended.wait(max(end - time.monotonic(), 0))
        connection.cut()
        for ended in self._ends:
            ended.wait()
        self._calls.shutdown(cancel_futures=True)
        connection.stopping.clear()

    def _add_in_sizes(self, folder: bytes, entries: list[Entry], removed: list[bytes]) -> None:
        part: list[Entry] = []
        part_bytes = 0
        for entry in entries:
            weight = len(entry.chunks) + len(entry.attributes)
            if part and part_bytes + weight > BATCH_BYTES:
                self._add_part(FolderDelta(folder, part, removed))
                part, part_bytes, removed = [], 0, []
            part.append(entry)
            part_bytes += weight
        self._add_part(FolderDelta(folder, part, removed))

    def _add_part(self, delta: FolderDelta) -> None:
        count = len(delta.upserts) + len(delta.removed)
        # With all folders above it, of which the server keeps so many bytes for a batch.
        weight = len(delta.folder) * (1 + delta.folder.count(b"/") // 2)
        weight += sum(weight_of(entry) for entry in delta.upserts)
        if self._deltas and (
            self._deltas_entries + count > BATCH_ENTRIES
            or self._deltas_bytes + weight > BATCH_BYTES
        ):
            self._hand_over_batch()
        self._deltas.append(delta)
        self._deltas_entries += count
        self._deltas_bytes += weight

    def _hand_over_batch(self) -> None:
        if not self._deltas:
            return
        self._hand_over_window()
        self._wait_for(self._room_for_batches)
        self._put(self._steps, _Batch(self.batches, encode_batch(self._deltas), 0))
        self.batches += 1
        self._deltas, self._deltas_entries, self._deltas_bytes = [], 0, 0

    def _hand_over_window(self) -> None:
        if not self._window.chunks:
            return
        ids = [chunk_id for chunk_id, _ in self._window.chunks]
        missing: Future[list[bool]] = Future()
        if self._asks:
            missing = self._calls.submit(self._ingest.missing, self._run_id, ids)
        else:
            missing.set_result([True] * len(ids))
        self._put(self._steps, _Asked(self._window, missing))
        self._window = self._windows.pop() if self._windows else _Window()

    def _wait_for(self, room: threading.Semaphore) -> None:
        while not room.acquire(timeout=0.5):
            self._check()

    def _put(self, target: queue.Queue[T], value: T) -> None:
        while True:
            self._check()
            try:
                return target.put(value, timeout=0.5)
            except queue.Full:
                continue

    def _take(self, source: queue.Queue[T]) -> T:
        while True:
            if self._stopping.is_set():
                raise SendingStopped
            try:
                return source.get(timeout=0.5)
            except queue.Empty:
                continue

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._stopping.is_set():
            raise SendingStopped

    def _work(self, work: Callable[[], None], ended: threading.Event) -> None:
        try:
            self._guarded(work)
        finally:
            ended.set()

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except SendingStopped:
            pass
        except BaseException as error:
            if self._failure is None:
                self._failure = error
            self._stopping.set()
            self._ingest.connection.stopping.set()

    def _pack_all(self) -> None:
        builder = PackBuilder()
        while (step := self._take(self._steps)) is not None:
            if isinstance(step, _Batch):
                if self._hold(step, builder) >= BATCHES_FOR_A_PACK:
                    builder = self._send(builder)
                continue
            answers = step.missing.result()
            for (chunk_id, content), is_missing in zip(step.window.chunks, answers, strict=True):
                if is_missing:
                    builder.add(chunk_id, content)
                    if builder.is_full:
                        builder = self._send(builder)
            step.window.clear()
            self._windows.append(step.window)
        if builder.chunk_ids:
            self._send(builder)
        for _ in range(UPLOADS_IN_FLIGHT):
            self._put(self._packs, None)

    def _send(self, builder: PackBuilder) -> PackBuilder:
        """Have a pack uploaded; returns where the next one is built."""
        self._wait_for(self._room)
        with self._progress.lock:
            self._progress.packs_made += 1
            number = self._progress.packs_made
            self._progress.unacknowledged.add(number)
        self._put(self._packs, (number, builder.finish()))
        return PackBuilder(self._buffers.pop() if self._buffers else None)

    def _hold(self, batch: _Batch, builder: PackBuilder) -> int:
        """Let a batch wait for the packs with its chunks; how many wait for the one being built."""
        with self._progress.lock:
            made = self._progress.packs_made
            batch.after_pack = made + bool(builder.chunk_ids)
            self._progress.waiting.append(batch)
            held = sum(one.after_pack > made for one in self._progress.waiting)
        self._release()
        return held

    def _release(self) -> None:
        """Send the batches whose packs are all acknowledged."""
        while True:
            progress = self._progress
            with progress.lock:
                done = min(progress.unacknowledged, default=progress.packs_made + 1) - 1
                if not progress.waiting or progress.waiting[0].after_pack > done:
                    return
                batch = progress.waiting.popleft()
            self._calls.submit(self._guarded, partial(self._put_entries, batch))

    def _put_entries(self, batch: _Batch) -> None:
        refused = self._ingest.put_entries(self._run_id, batch.number, batch.body)
        with self._progress.lock:
            self.refused += refused
        self._room_for_batches.release()

    def _upload_all(self) -> None:
        while (step := self._take(self._packs)) is not None:
            number, pack = step
            self._ingest.put_pack(self._run_id, pack.id, pack.body)
            with self._progress.lock:
                self._progress.unacknowledged.discard(number)
                self._counters.bytes_sent += len(pack.body)
            self._buffers.append(pack.reclaim())
            self._room.release()
            self._release()
