"""Programs of the system that take snapshots and remove them, and what it means that they fail."""

from __future__ import annotations

import os
import subprocess

from agent.programs import processes
from agent.programs.processes import LastLines, ProgramMissing

PROGRAM_SECONDS = 120


class NotTaken(Exception):
    """A snapshot that could not be taken. `words`: what the program or the system said."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class NotPossible(NotTaken):
    """Nothing went wrong: this file system has no snapshots, or we have no right to them."""


def run(program: str, *arguments: str | bytes) -> str:
    """What a program of the system writes; raises NotTaken where it fails."""
    argv = [program, *(os.fsdecode(argument) for argument in arguments)]
    try:
        process = processes.start(argv, {"LC_ALL": "C.UTF-8"})
    except ProgramMissing as error:
        raise NotPossible(f"{program}: {error.words}") from error
    assert process.stdout is not None
    assert process.stderr is not None
    said = LastLines(process.stderr)
    written = LastLines(process.stdout)
    try:
        status = process.wait(PROGRAM_SECONDS)
    except subprocess.TimeoutExpired as error:
        processes.end(process)
        raise NotTaken(f"{program} took longer than {PROGRAM_SECONDS} s") from error
    except BaseException:
        processes.end(process)
        raise
    if status != 0:
        last = said.lines()[-1:] or [f"{program} ended with status {status}"]
        raise NotTaken(last[0])
    return "\n".join(written.lines())
