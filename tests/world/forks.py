"""Processes of programs that are forked from one that has imported what they are made of.

That takes a tenth of what `python -m services.NAME` does and a fifth of `python -m agent`: imports,
for the most part. The same `__main__` runs, with its own variables, arguments and output; it ends,
dies and is killed as any other. What begins with Python itself is tested by `tests/devstack`, all
of `installation`, and `tests/agent/test_surroundings.py`.

A service is called by its own name, all else by that of its package or module.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
_READ_AT_IMPORT = ("libs.shared.clock", "libs.shared.crashpoints")
_LONGEST = 1 << 18
_IMPORTED_LATE = {
    "agent": ("copying.run", "restore.performing", "restore.preview", "checks.rhythm"),
    "operators": ("portal",),
}
"""What a program's commands import when they are called, so that its others start at once."""

_sources: dict[str, tuple[socket.socket, subprocess.Popen[bytes]]] = {}


@dataclass
class Forked:
    """What `subprocess.Popen` is of a process that it started itself."""

    pid: int
    _told: socket.socket
    returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended; None: not yet."""
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float | None = None) -> int:
        """How it ended, once it has; raises TimeoutExpired."""
        if self.returncode is None:
            self._told.settimeout(timeout)
            try:
                self.returncode = int(self._told.recv(16))
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(str(self.pid), timeout or 0) from None
            self._told.close()
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Sends a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to end."""
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends it as a power cut would."""
        self.send_signal(signal.SIGKILL)


def start(name: str, *words: str, env: Mapping[str, str], out: IO[Any], err: IO[Any]) -> Forked:
    """Starts `python -m NAME WORDS` with these variables alone."""
    if name not in _sources:
        _sources[name] = _start_source(name)
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        told = json.dumps([words, dict(env)]).encode()
        files = [out.fileno(), err.fileno(), theirs.fileno()]
        socket.send_fds(_sources[name][0], [told], files)
    return Forked(int(ours.recv(16)), ours)


def run(
    name: str, *words: str, env: Mapping[str, str], seconds: float = 60
) -> subprocess.CompletedProcess[str]:
    """Runs `python -m NAME WORDS` to its end, with these variables alone."""
    with _open_output() as out, _open_output() as err:
        code = start(name, *words, env=env, out=out, err=err).wait(seconds)
        told = [file.seek(0) or file.read() for file in (out, err)]
        return subprocess.CompletedProcess([name, *words], code, *told)


def _open_output() -> IO[str]:
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def _program(name: str) -> str:
    return f"services.{name}" if (ROOT / "services" / name).is_dir() else name


def _is_module(program: str) -> bool:
    return (ROOT / f"{program.replace('.', '/')}.py").exists()


def _start_source(name: str) -> tuple[socket.socket, subprocess.Popen[bytes]]:
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)
    with theirs:
        source = subprocess.Popen(
            [sys.executable, "-m", "tests.world.forks", name, str(theirs.fileno())],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
    atexit.register(source.wait, 30)
    atexit.register(ours.close)
    return ours, source


def _fork_on_demand(name: str, control: socket.socket) -> None:
    """Forks until nobody asks any more; returns as well in what is a new process of the program."""
    program = _program(name)
    for late in _IMPORTED_LATE.get(name, ()):
        importlib.import_module(f"{program}.{late}")
    begins = program if _is_module(program) else f"{program}.__main__"
    importlib.import_module(begins)
    del sys.modules[begins]
    gc.freeze()
    assert len(list(Path("/proc/self/task").iterdir())) == threading.active_count() == 1
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    while True:
        told, files, _, _ = socket.recv_fds(control, _LONGEST, 3)
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if not told:
            os._exit(0)
        if os.fork() == 0 and _is_program(control, *files):
            return _become(*json.loads(told), *files[:2])
        for file in files:
            os.close(file)


def _is_program(control: socket.socket, out: int, err: int, end: int) -> bool:
    """Forks once more: the parent tells the number of its child, and then how that ended."""
    control.close()
    with socket.socket(fileno=end) as tells:
        if (pid := os.fork()) == 0:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            return True
        os.close(out)
        os.close(err)
        tells.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        tells.send(str(os.waitstatus_to_exitcode(status)).encode())
        os._exit(0)


def _become(words: list[str], environ: dict[str, str], out: int, err: int) -> None:
    for file, standard in ((out, 1), (err, 2)):
        os.dup2(file, standard)
        os.close(file)
    os.environ.clear()
    os.environ.update(environ)
    for name in _READ_AT_IMPORT:
        if name in sys.modules:
            importlib.reload(sys.modules[name])
    sys.argv[1:] = words


if __name__ == "__main__":
    _, name, control = sys.argv
    _fork_on_demand(name, socket.socket(fileno=int(control)))
    runpy.run_module(_program(name), run_name="__main__", alter_sys=True)
