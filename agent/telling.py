"""How a command tells what it does: a bar on a terminal, plain lines elsewhere, or JSON lines."""

from __future__ import annotations

import json
import sys
import threading
import time
from collections import deque
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from agent.names import size_text

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

BAR_SECONDS = 0.2
LINE_SECONDS = 10.0
JSON_SECONDS = 2.0
MAX_LOG_TAIL_BYTES = 60 * 1024


class Teller:
    """Tells of one command while it runs.

    `snapshot` gives (what is done in a few words, bytes done, bytes in all or None) at any time.
    """

    def __init__(self, as_json: bool, title: str) -> None:
        self.as_json = as_json
        self._title = title
        self._on_terminal = not as_json and sys.stderr.isatty()
        self._snapshot: Callable[[], tuple[str, int, int | None]] | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()
        self._log: deque[str] = deque()
        self._log_bytes = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def follow(self, snapshot: Callable[[], tuple[str, int, int | None]]) -> None:
        """Show progress from now on."""
        self._snapshot = snapshot
        self._thread = threading.Thread(target=self._show, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Show no more progress."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

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
        else:
            print(sentence, file=sys.stderr, flush=True)

    def emit(self, document: dict[str, Any]) -> None:
        """One JSON line on standard output."""
        with self._lock:
            print(json.dumps(document), flush=True)

    def log_tail(self) -> str:
        """The last lines that were said."""
        with self._lock:
            return "\n".join(self._log)

    def _show(self) -> None:
        if self._on_terminal:
            self._show_bar()
        else:
            self._show_lines()

    def _show_bar(self) -> None:
        from rich.console import Console  # noqa: PLC0415 - costs start-up time
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415 - the same

        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True) as progress:
            task = progress.add_task(self._title, total=None)
            while not self._ended.wait(BAR_SECONDS):
                self._advance(progress, task)

    def _advance(self, progress: Progress, task: TaskID) -> None:
        if self._snapshot is not None:
            words, done, total = self._snapshot()
            progress.update(
                task, completed=done, total=total, description=f"{self._title}: {words}"
            )

    def _show_lines(self) -> None:
        while not self._ended.wait(JSON_SECONDS if self.as_json else LINE_SECONDS):
            if self._snapshot is None:
                continue
            words, done, total = self._snapshot()
            if self.as_json:
                self.emit(
                    {
                        "message_type": "status",
                        "message": words,
                        "bytes_done": done,
                        "bytes_total": total,
                    }
                )
            else:
                print(f"{self._title}: {words}", file=sys.stderr, flush=True)


def progress_words(files: int, size_bytes: int, sent_bytes: int) -> str:
    """A run's progress in a few words."""
    return f"{files} files, {size_text(size_bytes)} seen, {size_text(sent_bytes)} sent"
