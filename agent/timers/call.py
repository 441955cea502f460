"""The command line by which a timer starts a plan."""

from __future__ import annotations

import os
import re
import sys
import unicodedata
import zlib
from dataclasses import dataclass
from pathlib import Path

from agent.config import Config, Plan
from agent.programs import ours, processes


@dataclass(frozen=True)
class Call:
    """What a timer starts.

    argv: with absolute paths. stem: a name for files and units.
    folders: all that the run reads; state_dir: all that it writes.
    has_programs: it starts programs of which we don't know what they touch.
    """

    plan: str
    stem: str
    argv: tuple[str, ...]
    folders: tuple[str, ...]
    state_dir: str
    has_programs: bool
    writable: tuple[str, ...] = ()


def call_of(config: Config, plan: Plan) -> Call:
    """How this program is called for a plan."""
    return Call(
        plan=plan.name,
        stem=f"coffre-agent-{_plain(plan.name)}",
        argv=(*_program(), "--config", str(config.file.absolute()), "run", plan.name),
        folders=plan.folders,
        state_dir=str(config.state_dir.absolute()),
        has_programs=any(dump.kind == "command" for dump in plan.dumps)
        or bool(plan.hooks.before or plan.hooks.after or plan.hooks.on_error),
        # A database that is read while it is written has a file of shared memory beside it.
        writable=tuple(str(dump.path.parent) for dump in plan.dumps if dump.path is not None),
    )


def _program() -> tuple[str, ...]:
    if ours.IS_BUNDLED:
        return (_lasting(sys.executable),)
    beside = Path(sys.executable).with_name("coffre-agent" + (".exe" if os.name == "nt" else ""))
    if beside.is_file():
        return (str(beside),)
    found = processes.find("coffre-agent")
    return (found,) if found else (*ours.ISOLATED, "-m", "agent")


def _lasting(program: str) -> str:
    """The name under which an update keeps a bundle's program, where it has one."""
    found = processes.find("coffre-agent")
    folder = os.path.dirname(program)
    beside = os.path.join(os.path.dirname(folder), "current", os.path.basename(program))
    for name in (found, beside):
        if name is not None and os.path.realpath(name) == os.path.realpath(program):
            return name
    return program


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name.replace("œ", "oe").replace("Œ", "OE"))
    bare = "".join(letter for letter in letters if not unicodedata.combining(letter))
    plain = re.sub(r"[^A-Za-z0-9_.-]+", "-", bare).strip("-.")
    # Two plans must not share a name that lost its difference.
    return plain if plain == name else f"{plain or 'plan'}-{zlib.crc32(name.encode()):08x}"
