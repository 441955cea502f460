"""Programs of others, each in a process group of its own, so that all of it can be ended."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, Any

from agent.platforms.places import neutral_folder, system_program

GRACE_SECONDS = 2.0
LINES_KEPT = 50
LINE_CHARACTERS = 500


class ProgramMissing(Exception):
    """A program that can't be started, and what the system says."""

    def __init__(self, program: str, words: str) -> None:
        super().__init__(program, words)
        self.program = program
        self.words = words


def start(
    argv: Sequence[str],
    more_environ: Mapping[str, str],
    *,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
) -> subprocess.Popen[bytes]:
    """Start a program without a shell, unbuffered, at the head of a new process group.

    It is started in a folder of the system, with the variables that we were started with but for
    our own: what the technician keeps there for it is there, and no password for Coffre.
    Raises ProgramMissing where there is none of that name, or it may not be run.
    """
    program = find(argv[0])
    if program is None:
        raise ProgramMissing(argv[0], os.strerror(errno.ENOENT))
    group: dict[str, Any] = {"start_new_session": True}
    if sys.platform == "win32":
        group = {"creationflags": subprocess.CREATE_NEW_PROCESS_GROUP}
    try:
        return subprocess.Popen(
            [program, *argv[1:]],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            bufsize=0,
            cwd=neutral_folder(),
            env={**_without_ours(os.environ), **more_environ},
            **group,
        )
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ProgramMissing(argv[0], words) from error


def find(program: str) -> str | None:
    """Where a program lies: as it is written, or by PATH; never in the current folder."""
    if os.path.isabs(program):
        return program
    if os.path.dirname(program):
        return None
    endings = [""] if os.name == "posix" else os.environ.get("PATHEXT", ".EXE").split(os.pathsep)
    for folder in filter(os.path.isabs, os.get_exec_path()):
        for ending in ("", *endings) if os.path.splitext(program)[1] else endings:
            found = os.path.join(folder, program + ending)
            if os.path.isfile(found) and os.access(found, os.X_OK):
                return found
    return None


def _without_ours(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if not name.startswith("COFFRE_")}


def end(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started: politely, then by force."""
    if sys.platform == "win32":
        with suppress(OSError):
            subprocess.run(
                [system_program("taskkill"), "/T", "/F", "/PID", str(process.pid)],
                check=False,
                capture_output=True,
                timeout=GRACE_SECONDS * 3,
            )
    else:
        _signal_group(process, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_SECONDS)
        # What the program itself had started may still be there.
        _signal_group(process, signal.SIGKILL)
    process.wait()


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    if sys.platform != "win32":
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, number)


class LastLines:
    """Reads a pipe to its end in a thread, and keeps its last lines."""

    def __init__(self, pipe: IO[bytes], secrets: Sequence[str] = ()) -> None:
        self._pipe = pipe
        self._secrets = [secret for secret in secrets if secret]
        self._lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def lines(self) -> list[str]:
        """The last lines, without secrets and control characters.

        Waits a moment for the end: a program's children may hold the pipe open for ever.
        """
        self._thread.join(1.0)
        return [_readable(line, self._secrets) for line in list(self._lines)]

    def _read(self) -> None:
        rest = b""
        with suppress(OSError, ValueError), self._pipe:
            while piece := self._pipe.read(64 * 1024):
                *whole, rest = (rest + piece).split(b"\n")
                self._keep(whole)
                rest = rest[-4 * LINE_CHARACTERS :]
        self._keep([rest])

    def _keep(self, lines: Sequence[bytes]) -> None:
        for line in lines[-LINES_KEPT:]:
            text = line.decode("utf-8", "replace").rstrip()
            if text:
                self._lines.append(text)


def _readable(line: str, secrets: Sequence[str]) -> str:
    for secret in secrets:
        line = line.replace(secret, "***")
    line = "".join(character if character.isprintable() else " " for character in line)
    return line if len(line) <= LINE_CHARACTERS else line[:LINE_CHARACTERS] + "…"
