"""How a command tells what it does: a bar on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, Self

from agent.telling import output

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BAR_SECONDS = 0.2
LINE_SECONDS = 10.0
JSON_SECONDS = 2.0
MAX_LOG_TAIL_BYTES = 60 * 1024


class Shown(Protocol):
    """How far a command is."""

    @property
    def share_done(self) -> float | None:
        """From 0 to 1, None where that can't be told."""

    def words(self) -> str:
        """In a few words."""

    def as_status(self) -> dict[str, Any]:
        """As a line of `--json`."""


class StepDone(NamedTuple):
    """What is done in a few words, bytes done, bytes in all or None."""

    sentence: str
    bytes_done: int
    bytes_total: int | None

    @property
    def share_done(self) -> float | None:
        """From 0 to 1, None where that can't be told."""
        return min(self.bytes_done / self.bytes_total, 1.0) if self.bytes_total else None

    def words(self) -> str:
        """In a few words."""
        return self.sentence

    def as_status(self) -> dict[str, Any]:
        """As a line of `--json`."""
        members = {"bytes_done": self.bytes_done, "bytes_total": self.bytes_total}
        return {"message_type": "status", "message": self.sentence, **members}


Snapshot = Callable[[], "Shown | tuple[str, int, int | None]"]


class Teller:
    """Tells of one command while it runs."""

    def __init__(self, as_json: bool, title: str) -> None:
        self.as_json = as_json
        self._title = title
        self._on_terminal = not as_json and sys.stderr.isatty()
        self._snapshot: Snapshot | None = None
        self._bar: Progress | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._log: deque[str] = deque()
        self._log_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def follow(self, snapshot: Snapshot) -> None:
        """Show progress from now on; `snapshot` is asked by a thread of ours, at any time."""
        self._snapshot = snapshot
        if self._thread is not None:
            return
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show no more progress."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def pause(self) -> None:
        """Show no progress until somebody is followed again: a question is asked meanwhile."""
        self.stop()
        self._ended.clear()

    def say(self, sentence: str, kind: str = "message", **members: Any) -> None:
        """A line for the reader and for the log that goes with the report."""
        stamp = time.strftime("%H:%M:%S")
        line = f"{stamp} {sentence}"
        with self._lock:
            self._log.append(line)
            self._log_bytes += len(line.encode("utf-8", "replace")) + 1
            while self._log_bytes > MAX_LOG_TAIL_BYTES:
                self._log_bytes -= len(self._log.popleft().encode("utf-8", "replace")) + 1
        if self.as_json:
            self.emit({"message_type": kind, "message": sentence, **members})
        elif self._bar is not None:
            self._bar.console.print(sentence, markup=False, highlight=False, soft_wrap=True)
        else:
            print(sentence, file=sys.stderr, flush=True)

    def emit(self, document: dict[str, Any]) -> None:
        """One JSON line on standard output; where that is full, the command goes on without."""
        with self._lock:
            try:
                print(json.dumps(document), flush=True)
            except BrokenPipeError:
                raise
            except OSError as error:
                output.give_up(error)

    def log_tail(self) -> str:
        """The last lines that were said."""
        with self._lock:
            return "\n".join(self._log)

    def _seen(self) -> Shown | None:
        if self._snapshot is None:
            return None
        shown = self._snapshot()
        return StepDone(*shown) if isinstance(shown, tuple) else shown

    def _show(self) -> None:
        if self._on_terminal:
            self._show_bar()
        else:
            self._show_lines()

    def _show_bar(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - costs start-up time
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn  # noqa: PLC0415 - the same

        columns = (
            TextColumn("{task.fields[title]}", markup=False),
            # Red, which the library would take for the first and the last, is for what is wrong.
            BarColumn(20, complete_style="cyan", finished_style="green", pulse_style="cyan"),
            TaskProgressColumn(),
            TextColumn("{task.description}", markup=False),
        )
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True) as bar:
            task = bar.add_task("", total=None, title=self._title)
            self._bar = bar
            while not self._ended.wait(BAR_SECONDS):
                self._advance(bar, task)
            self._bar = None

    def _advance(self, bar: Progress, task: TaskID) -> None:
        if (shown := self._seen()) is not None:
            share = shown.share_done
            total = None if share is None else 1.0
            bar.update(task, completed=share or 0.0, total=total, description=shown.words())

    def _show_lines(self) -> None:
        while not self._ended.wait(JSON_SECONDS if self.as_json else LINE_SECONDS):
            if (shown := self._seen()) is None:
                continue
            if self.as_json:
                self.emit(shown.as_status())
            else:
                print(f"{self._title}: {shown.words()}", file=sys.stderr, flush=True)
