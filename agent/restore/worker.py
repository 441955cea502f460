"""A worker process of a restore: fetches chunks, verifies each, and writes it where it is needed.

Started by `agent.programs.ours`, with orders on its input and reports on its output.
"""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from agent.platforms import folders, memory
from agent.restore.collisions import FATAL, InTheWay, NotRestored, reason_of
from agent.restore.landing import Landing
from agent.restore.orders import Chunk, Failed, Fatal, Order, Report, Setup, Target, receive, send
from agent.restore.writing import write_all, write_data
from agent.server.connection import Connection, StreamCut
from agent.server.portal import Portal
from agent.telling import failures
from agent.telling.failures import AgentError
from libs.shared.packs import ZSTD, PayloadInvalid, cut_out, is_named, unpack_frame
from libs.shared.reasons import Reason
from libs.shared.restores import ALONE, PlacedChunk

TRIES_WITHOUT_PROGRESS = 4
REPORT_SECONDS = 0.5
# A chunk may be a piece of thousands of large files, each open while it is written.
MOST_OPEN_FILES = 16


class Worker:
    """Carries out orders, one after the other."""

    def __init__(self, setup: Setup) -> None:
        self._setup = setup
        connection = Connection(
            setup.url,
            setup.token,
            ca_file=Path(setup.ca_file) if setup.ca_file else None,
            proxy=setup.proxy,
            patience_seconds=setup.patience_seconds,
            on_wait=self._say,
        )
        self._portal = Portal(connection)
        root = folders.taken(setup.root)
        self._landing = Landing(root, overwrite=setup.overwrite, makes_folders=False)
        self._report = Report(pieces=[], failed=[], said=[])
        self._reported = time.monotonic()
        self._pieces: dict[int, int] = {}
        self._growing: dict[int, int] = {}
        self._order = Order([], [], [])
        self._frame = memoryview(b"")

    def carry_out(self, order: Order) -> None:
        """Do all of an order, whatever becomes of single files; reports are sent on the way."""
        self._order = order
        with self._fatal_told():
            chunks = [one for one in order.chunks if not self._is_kept(one)]
            self._fetch(chunks)
        self._send_report(is_last=True)

    @contextmanager
    def _fatal_told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if error.errno not in FATAL:
                raise
            reason = Reason("restore-failed", detail=str(error))
            self._report.fatal = Fatal(reason, failures.FAILED, "")
        except AgentError as error:
            final = failures.final(error, "Sign in again.")
            self._report.fatal = Fatal(final.reason, final.exit_code, str(final))

    def _fetch(self, chunks: list[Chunk]) -> None:
        """Fetch and place chunks; a stream that breaks off is asked for again from there."""
        done = 0
        stuck = 0
        while done < len(chunks):
            before = done
            try:
                places = [one.place for one in chunks[done:]]
                with self._portal.chunks(self._setup.plan, places) as payloads:
                    for encoding, payload in payloads:
                        self._place(chunks[done], encoding, payload)
                        done += 1
            except StreamCut as error:
                stuck = stuck + 1 if done == before else 0
                if stuck >= TRIES_WITHOUT_PROGRESS:
                    reason = Reason("content-unfetched", detail=str(error))
                    self._give_up(chunks[done], reason)
                    done, stuck = done + 1, 0
                elif stuck:
                    time.sleep(0.3 * 2**stuck)

    def _place(self, chunk: Chunk, encoding: int, payload: bytes) -> None:
        """Verify a chunk, then write it wherever it is needed."""
        self._tell()
        place = chunk.place
        self._report.bytes_fetched += len(payload)
        content = self._take_content(place, encoding, payload)
        if not is_named(content, place.chunk_id, self._setup.chunk_keys):
            self._give_up(chunk, Reason("content-damaged"))
            return
        for index, offset in chunk.uses:
            file = self._order.files[index]
            try:
                if file.number:
                    self._write_piece(file, offset, content)
                else:
                    path, is_fresh = self._order.folders[file.folder]
                    folder = self._landing.folder(path, is_fresh=is_fresh)
                    self._landing.write_whole(folder, file.entry, content)
                    self._report.files += 1
                self._report.bytes_written += len(content)
            except (OSError, InTheWay) as error:
                self._fail(file, error)

    def _take_content(self, place: PlacedChunk, encoding: int, payload: bytes) -> bytes:
        """A chunk's content: by itself, or out of its frame, which came now or before; else b""."""
        if encoding == ALONE:
            return payload
        if payload:
            try:
                self._frame = unpack_frame(payload, place)
            except PayloadInvalid:
                self._frame = memoryview(b"")
        elif encoding != ZSTD:
            return b""
        return bytes(cut_out(self._frame, place))

    def _write_piece(self, file: Target, offset: int, content: bytes) -> None:
        if file.is_kept:
            write_all(self._descriptor(file), content, offset)
        elif content.lstrip(b"\0"):
            write_data(self._descriptor(file), content, offset)
        self._count_piece(file)

    def _count_piece(self, file: Target) -> None:
        self._pieces[file.number] = self._pieces.get(file.number, 0) + 1

    def _descriptor(self, file: Target) -> int:
        found = self._growing.get(file.number)
        if found is None:
            folder = self._landing.folder(self._order.folders[file.folder][0])
            if len(self._growing) >= MOST_OPEN_FILES:
                os.close(self._growing.pop(next(iter(self._growing))))
            found = self._landing.open_growing(folder, file.entry.name)
            self._growing[file.number] = found
        return found

    def _is_kept(self, chunk: Chunk) -> bool:
        """Is the chunk in place already, from a try that was cut? All its uses must have it."""
        files = [(self._order.files[index], offset) for index, offset in chunk.uses]
        if not all(file.is_kept and self._has(file, offset, chunk.place) for file, offset in files):
            return False
        for file, _ in files:
            self._count_piece(file)
            self._report.bytes_kept += chunk.place.size
        return True

    def _has(self, file: Target, offset: int, place: PlacedChunk) -> bool:
        self._tell()
        try:
            content = folders.read_at(self._descriptor(file), place.size, offset)
        except OSError:
            return False
        return is_named(content, place.chunk_id, self._setup.chunk_keys)

    def _give_up(self, chunk: Chunk, reason: Reason) -> None:
        for index, _ in chunk.uses:
            self._fail(self._order.files[index], NotRestored(reason))

    def _fail(self, file: Target, error: OSError | NotRestored) -> None:
        folder = self._order.folders[file.folder][0]
        path = folder + b"/" + file.entry.name if folder else file.entry.name
        self._report.failed.append(Failed(path, file.number, reason_of(path, error)))
        if file.number:
            self._count_piece(file)

    def _say(self, sentence: str) -> None:
        self._report.said.append(sentence)
        self._send_report()

    def _tell(self) -> None:
        """Now and then, tell how far this is."""
        if time.monotonic() - self._reported > REPORT_SECONDS:
            self._send_report()

    def _send_report(self, is_last: bool = False) -> None:
        # A file that is whole is renamed as soon as that is told, which Windows refuses while any
        # process has it open.
        for descriptor in self._growing.values():
            os.close(descriptor)
        self._growing.clear()
        report = self._report
        report.is_last = is_last
        report.pieces = list(self._pieces.items())
        report.refused = dict(self._landing.refused)
        self._landing.refused.clear()
        send(sys.stdout.buffer, msgspec.msgpack.encode(report))
        self._pieces.clear()
        self._report = Report(pieces=[], failed=[], said=[])
        self._reported = time.monotonic()


def _hear(orders: queue.SimpleQueue[Order]) -> None:
    """Take orders until the one who gives them is gone or has no more; then end this process.

    Whatever it is waiting for: unfinished files are known as such, and nobody is left to be told.
    """
    while (order := receive(sys.stdin.buffer, Order)) is not None:
        orders.put(order)
    os._exit(0)


def main() -> None:
    """Carry out orders until there are no more."""
    memory.keep_warm()
    setup = receive(sys.stdin.buffer, Setup)
    if setup is None:
        return
    worker = Worker(setup)
    # All that lives long is made; what an order makes dies with its references.
    memory.collect_rarely()
    orders: queue.SimpleQueue[Order] = queue.SimpleQueue()
    threading.Thread(target=_hear, args=(orders,), daemon=True).start()
    try:
        while True:
            worker.carry_out(orders.get())
    except BaseException:
        traceback.print_exc()
        # Not in order: that would wait for the thread that reads.
        os._exit(1)
