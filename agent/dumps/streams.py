"""The output of a program as a file to be cut into chunks, read under a deadline."""

from __future__ import annotations

import math
import os
import selectors
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Self

from agent.programs import processes
from agent.programs.processes import LastLines
from agent.telling import oserrors
from libs.shared.reasons import Reason

TAIL_BYTES = 8 * 1024
HEAD_BYTES = 64
LINES_IN_REASON = 5


class DumpFailed(Exception):
    """A dump that can't be trusted, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


def unwritable(folder: Path, error: OSError) -> DumpFailed:
    """What must lie on disk for a while can't."""
    words = oserrors.words_of(error)
    return DumpFailed(Reason("dump-folder-unwritable", str(folder), detail=words))


@contextmanager
def private_file(folder: Path, prefix: str) -> Iterator[str]:
    """The path of a new file for us alone, removed afterwards; DumpFailed where none can be."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=prefix, dir=folder)
    except OSError as error:
        raise unwritable(folder, error) from error
    os.close(descriptor)
    try:
        yield name
    finally:
        with suppress(OSError):
            os.unlink(name)


class Deadline:
    """The moment at which a dump has taken too long."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._moment = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that are left, 0 at the least."""
        return max(0.0, self._moment - time.monotonic())

    def check(self) -> None:
        """Raises DumpFailed where it has passed."""
        if self.left == 0:
            raise DumpFailed(Reason("dump-timed-out", limit=math.ceil(self._seconds)))


class Seen:
    """What went by of a stream: how much, how it began and how it ended."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self.head = b""
        self.tail = b""

    def look(self, piece: memoryview) -> None:
        """Take the next piece."""
        if len(self.head) < HEAD_BYTES:
            self.head += bytes(piece[: HEAD_BYTES - len(self.head)])
        self.size_bytes += len(piece)
        if len(piece) >= TAIL_BYTES:
            self.tail = bytes(piece[-TAIL_BYTES:])
        else:
            self.tail = (self.tail + bytes(piece))[-TAIL_BYTES:]


class ProgramOutput:
    """A running program whose standard output is read by `readinto`.

    Leaving the context ends the program and all it started; `finish` says whether it ended well.
    """

    def __init__(
        self,
        argv: Sequence[str],
        environ: dict[str, str],
        deadline: Deadline,
        *,
        secrets: Sequence[str] = (),
        check: Sequence[str] = (),
    ) -> None:
        self.seen = Seen()
        self._ended_well = False
        self._deadline = deadline
        self._checker = _Checker(check) if check else None
        try:
            self._process = processes.start(argv, environ)
        except processes.ProgramMissing:
            if self._checker is not None:
                self._checker.end()
            raise
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._output = self._process.stdout
        self._errors = LastLines(self._process.stderr, secrets)
        # Where pipes can't be waited for, and for what else may block: the end of its time.
        self._timer = threading.Timer(deadline.left + 1, self._end_all)
        self._timer.daemon = True
        self._timer.start()
        self._selector: selectors.BaseSelector | None = None
        if os.name == "posix":
            self._selector = selectors.DefaultSelector()
            self._selector.register(self._output, selectors.EVENT_READ)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()
        if not self._ended_well:
            self._end_all()
        if self._selector is not None:
            self._selector.close()
        self._output.close()

    def readinto(self, buffer: memoryview | bytearray) -> int:
        """Fill a buffer, less only at the end; raises DumpFailed when the time is over."""
        view = memoryview(buffer)
        filled = 0
        while filled < len(view):
            self._wait()
            count: int = self._output.readinto(view[filled:])  # type: ignore[attr-defined] # raw, as unbuffered
            if not count:
                break
            filled += count
        piece = view[:filled]
        self.seen.look(piece)
        if self._checker is not None:
            self._checker.take(piece)
        return filled

    def finish(self) -> None:
        """Wait for the program's end after its last output; raises DumpFailed if it was bad."""
        try:
            status = self._process.wait(self._deadline.left)
        except subprocess.TimeoutExpired:
            self._deadline.check()
            raise
        self._deadline.check()
        if status != 0:
            program = os.path.basename(str(self._process.args[0]))  # type: ignore[index] # a list
            lines = " / ".join(self._errors.lines()[-LINES_IN_REASON:])
            if status < 0:
                raise DumpFailed(Reason("dump-program-killed", program, -status, detail=lines))
            raise DumpFailed(Reason("dump-program-failed", program, status, detail=lines))
        if self._checker is not None:
            self._checker.finish(self._deadline)
        self._ended_well = True

    def _wait(self) -> None:
        while self._selector is not None and not self._selector.select(self._deadline.left):
            self._deadline.check()
        self._deadline.check()

    def _end_all(self) -> None:
        processes.end(self._process)
        if self._checker is not None:
            self._checker.end()


class _Checker:
    """A program that reads the dump as it goes by, and says at the end whether it is whole."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = processes.start(argv, {}, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
        assert self._process.stdin is not None
        assert self._process.stderr is not None
        self._input = self._process.stdin
        self._errors = LastLines(self._process.stderr)
        self._is_fed = True

    def take(self, piece: memoryview) -> None:
        """Give it the next piece; one that has ended early is asked why at the end."""
        while self._is_fed and len(piece):
            try:
                piece = piece[self._input.write(piece) or 0 :]
            except OSError:
                self._is_fed = False

    def finish(self, deadline: Deadline) -> None:
        """Raises DumpFailed where the dump can't be read."""
        self._input.close()
        try:
            status = self._process.wait(deadline.left)
        except subprocess.TimeoutExpired:
            deadline.check()
            raise
        if status != 0 or not self._is_fed:
            lines = " / ".join(self._errors.lines()[-LINES_IN_REASON:])
            raise DumpFailed(Reason("dump-unreadable", detail=lines))

    def end(self) -> None:
        """End it, whatever it does."""
        processes.end(self._process)
        self._input.close()
