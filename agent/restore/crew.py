"""The worker processes of a restore: started as work comes, ended with it.

Processes, not threads: fetching, verifying and writing small files is mostly Python, of which one
process runs on one core only (docs/decisions/0014).
"""

from __future__ import annotations

import queue
import subprocess
import threading
from collections.abc import Callable
from typing import BinaryIO, cast

import msgspec

from agent.programs import ours
from agent.restore.orders import Report, Setup, receive, send
from agent.telling.failures import AgentError
from libs.shared.reasons import Reason

MOST_WORKERS = 3
EARLY_WORKERS = 2
_WAITING_ORDERS = 2
_LOOK_SECONDS = 0.5


class _Died(AgentError):
    """A worker ended in the middle of an order."""


class Crew:
    """Some workers, each with a thread here that hands it orders and takes its reports.

    `inherited` are the descriptors that they need to find the folder restored into.
    `on_report` is called in the thread that gives orders and waits for their end, and nowhere else.
    """

    def __init__(self, inherited: tuple[int, ...], on_report: Callable[[Report], None]) -> None:
        self._inherited = inherited
        self._on_report = on_report
        self._setup = b""
        self._orders: queue.Queue[bytes | None] = queue.Queue(_WAITING_ORDERS)
        self._reports: queue.SimpleQueue[Report] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._processes: list[subprocess.Popen[bytes]] = []
        self._failure: BaseException | None = None
        self._open_orders = 0

    def prepare(self) -> None:
        """Start processes: that takes about as long as the portal's first answer."""
        for _ in range(EARLY_WORKERS):
            self._start()

    def brief(self, setup: Setup) -> None:
        """Say what workers need to know, before the first order."""
        self._setup = msgspec.msgpack.encode(setup)

    def give(self, order: bytes) -> None:
        """Hand out an order; waits while all are busy, raises what ended a worker."""
        if self._open_orders >= len(self._threads) < MOST_WORKERS:
            self._hire()
        self._open_orders += 1
        self._put(order)
        self.hear()

    def finish(self) -> None:
        """Wait until all orders are carried out."""
        while self._open_orders:
            self.hear(_LOOK_SECONDS)
        for _ in self._threads:
            self._put(None)
        self._end()

    def stop(self) -> None:
        """End all workers at once; unfinished files are known as such."""
        if self._failure is None:
            self._failure = AgentError(Reason("restore-interrupted"))
        for process in self._processes:
            process.kill()
        self._end()

    def hear(self, seconds: float = 0.0) -> None:
        """Take the reports that have come; raises what ended a worker."""
        while True:
            if self._failure is not None:
                raise self._failure
            try:
                report = self._reports.get(seconds > 0, seconds)
            except queue.Empty:
                return
            seconds = 0.0
            self._open_orders -= report.is_last
            self._on_report(report)

    def _put(self, order: bytes | None) -> None:
        while True:
            try:
                return self._orders.put(order, timeout=_LOOK_SECONDS)
            except queue.Full:
                self.hear()

    def _end(self) -> None:
        for process in self._processes[len(self._threads) :]:
            # It was given nothing to do.
            process.kill()
            process.communicate()
        for thread in self._threads:
            thread.join()
        for process in self._processes:
            process.wait()

    def _start(self) -> None:
        self._processes.append(ours.start("agent.restore.worker", self._inherited))

    def _hire(self) -> None:
        if len(self._processes) == len(self._threads):
            self._start()
        process = self._processes[len(self._threads)]
        thread = threading.Thread(target=self._lead, args=(process,), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _lead(self, process: subprocess.Popen[bytes]) -> None:
        try:
            stdin, stdout = cast("BinaryIO", process.stdin), cast("BinaryIO", process.stdout)
            with stdin, stdout:
                send(stdin, self._setup)
                while (order := self._next()) is not None:
                    send(stdin, order)
                    self._listen(stdout)
        except BrokenPipeError:
            self._fail(_died(process))
        except BaseException as error:
            self._fail(error)

    def _next(self) -> bytes | None:
        while self._failure is None:
            try:
                return self._orders.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                continue
        return None

    def _listen(self, stdout: BinaryIO) -> None:
        is_last = False
        while not is_last:
            report = receive(stdout, Report)
            if report is None:
                raise BrokenPipeError
            if report.fatal is not None:
                error = AgentError(report.fatal.reason, report.fatal.sentence)
                error.exit_code = report.fatal.exit_code
                raise error
            is_last = report.is_last
            self._reports.put(report)

    def _fail(self, error: BaseException) -> None:
        if self._failure is None:
            self._failure = error


def _died(process: subprocess.Popen[bytes]) -> AgentError:
    status = process.wait()
    return _Died(Reason("worker-died", amount=status))
