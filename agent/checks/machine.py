"""Whether this machine is ready: the token, the state folder, programs, folders and their files."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from agent.checks.findings import Finding, Level
from agent.config import Config, Dump, Plan
from agent.exclusions import rules_of
from agent.platforms import folders
from agent.programs import processes
from agent.server import identity
from agent.telling.failures import AgentError
from agent.telling.names import shown_absolute
from agent.walking.tree import FILE, Tree
from libs.shared.reasons import Reason
from libs.shared.words.explanations import say
from libs.shared.words.plain import count_text, size_text

LITTLE_BYTES, TOO_LITTLE_BYTES = 500_000_000, 20_000_000
MOST_SECONDS = 60.0
MOST_NAMED = 5
FORBIDDEN = Reason("permission-denied")
_PROGRAMS = {"postgresql": ("pg_dump",), "mysql": ("mariadb-dump", "mysqldump")}


def check_token(config: Config) -> tuple[Finding, identity.Identity | None]:
    """Is this machine enrolled?"""
    told: list[str] = []
    try:
        known = identity.load(config, told.append)
    except AgentError as error:
        return Finding("wrong", "token", str(error)), None
    if told:
        return Finding("warning", "token", told[0]), known
    return Finding("fine", "token", "This machine is enrolled."), known


def check_state_folder(config: Config) -> Finding:
    """Can we keep what we must remember?"""
    folder = config.state_dir.absolute()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        probe = folder / f".probe-{os.getpid()}"
        probe.write_bytes(b"coffre")
        probe.unlink()
        free = shutil.disk_usage(folder).free
    except OSError as error:
        sentence = f"{folder} can't be written: {error.strerror}. Correct state_dir or its owner."
        return Finding("wrong", "state_dir", sentence)
    sentence = f"{folder} can be written, {size_text(free)} are free."
    if free < TOO_LITTLE_BYTES:
        return Finding("wrong", "state_dir", f"{sentence} Make room.")
    return Finding("warning" if free < LITTLE_BYTES else "fine", "state_dir", sentence)


def check_programs(plan: Plan) -> Iterator[Finding]:
    """Are the programs there that dumps and hooks call?"""
    for dump in plan.dumps:
        subject = f"dump {dump.name}"
        wrong = _dump_fault(dump)
        if wrong is None:
            yield Finding("fine", subject, "What it needs is there.", plan.name)
        else:
            yield Finding("wrong", subject, wrong, plan.name)
    for name in ("before", "after", "on_error"):
        command = getattr(plan.hooks, name)
        if command and not _can_be_run(command[0]):
            sentence = f"{command[0]} is no program that can be run here."
            level: Level = "wrong" if name == "before" else "warning"
            yield Finding(level, f"hook {name}", sentence, plan.name)


def _can_be_run(program: str) -> bool:
    found = processes.find(program)
    return found is not None and os.path.isfile(found) and os.access(found, os.X_OK)


def _dump_fault(dump: Dump) -> str | None:
    if dump.kind == "sqlite":
        path = dump.path or Path()
        return None if os.access(path, os.R_OK) else f"{path} can't be read."
    if dump.password_file is not None and not os.access(dump.password_file, os.R_OK):
        return f"{dump.password_file} can't be read."
    programs = _PROGRAMS.get(dump.kind, dump.command[:1])
    if any(map(_can_be_run, programs)):
        return None
    return f"{' or '.join(programs)} is not found. Install it, or correct PATH."


def check_folders(config: Config, plan: Plan) -> Iterator[Finding]:
    """Can every file be opened that a run would read? Looked at for a minute at most."""
    if not plan.folders:
        return
    try:
        tree = Tree(plan.folders, rules_of(plan), [str(config.state_dir.absolute())])
        found = _Found()
        ended = found.walk(tree)
    except AgentError as error:
        yield Finding("wrong", "folders", str(error), plan.name)
        return
    verb = "is" if found.files == 1 else "are"
    seen = f"{count_text(found.files, 'file')} with {size_text(found.size_bytes)} {verb} there"
    if not ended:
        seen = f"At least {seen} (not all were looked at)"
    if found.files_too_large:
        seen += f", and {found.files_too_large} larger than max_file_size"
    if found.unreadable:
        yield Finding("warning", "folders", f"{seen}; {found.told()}", plan.name)
    elif ended and (sentence := _less_than_promised(plan, found)):
        yield Finding("wrong", "folders", f"{seen}; {sentence}", plan.name)
    elif ended and found.files == 0:
        yield Finding("warning", "folders", f"{seen}: is that so?", plan.name)
    else:
        yield Finding("fine", "folders", f"{seen}; all can be read.", plan.name)


def _less_than_promised(plan: Plan, found: _Found) -> str | None:
    if plan.min_files is not None and found.files < plan.min_files:
        return f"min_files asks for {plan.min_files}."
    if plan.min_size_bytes is not None and found.size_bytes < plan.min_size_bytes:
        return f"min_size asks for {size_text(plan.min_size_bytes)}."
    return None


class _Found:
    """What a walk came upon."""

    def __init__(self) -> None:
        self.files = self.size_bytes = self.files_too_large = 0
        self.unreadable: list[str] = []

    def walk(self, tree: Tree) -> bool:
        """Look at all there is; False when time was up before."""
        deadline = time.monotonic() + MOST_SECONDS
        for listing in tree.walk():
            self.files_too_large += len(listing.too_large)
            if listing.unreadable is not None:
                self._add(listing.path, listing.unreadable)
            for name, reason in listing.unseen.items():
                self._add(listing.path + b"/" + name, reason)
            for row in listing.rows:
                if row[1] >> 12 == FILE:
                    self.files += 1
                    self.size_bytes += row[3]
                    if not folders.may_read(row[0], listing.descriptor):
                        self._add(listing.path + b"/" + row[0], FORBIDDEN)
            if time.monotonic() > deadline:
                return False
        return True

    def _add(self, path: bytes, reason: Reason) -> None:
        self.unreadable.append(f"{shown_absolute(path)} ({say(reason)})")

    def told(self) -> str:
        """The first that can't be read, and how many there are."""
        named = ", ".join(self.unreadable[:MOST_NAMED])
        more = len(self.unreadable) - MOST_NAMED
        also = f" and {more} more" if more > 0 else ""
        return (
            f"can't be read: {named}{also}. All else is backed up; the third night without them "
            "fails. Run as another user, or exclude them."
        )
