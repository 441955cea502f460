"""What the agent remembers of a plan between runs, and the lock that keeps runs apart.

A small JSON file, replaced as a whole, names the file of records that belongs to it; losing both
costs a comparison with the server's list, never a second upload.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
from blake3 import blake3

from agent.platforms.locks import try_lock
from agent.server import identity
from agent.server.ingest import Maintenance
from agent.telling.failures import AlreadyRunning, UsageError
from agent.walking import records
from agent.walking.sources import Source
from libs.shared.reasons import Reason

VERSION = 2

DAMAGED = Reason("state-damaged")
FOREIGN = Reason("state-foreign")


class Remembered(msgspec.Struct, kw_only=True):
    """What is known of a plan since its last run.

    run, run_id: the last restore point that the records describe; None before the first.
    sources: the plan's folders by path in hexadecimal.
    files_total, bytes_protected: of the last restore point.
    dump_sizes: of each dump that was good, how large it was the last time.
    missed: for each file that could not be read (path in hexadecimal), in how many runs in a row.
    last: the summary of the last run, for `status`.
    maintenance: what the server announced, as of the last run, to be said where it is away.
    """

    version: int = VERSION
    agent_id: str
    plan: str
    plan_id: str | None = None
    declaration: str = ""
    run: int | None = None
    run_id: str | None = None
    sources: dict[str, Source] = {}
    files_total: int = 0
    bytes_protected: int = 0
    records_name: str | None = None
    records_digest: str = ""
    missed: dict[str, int] = {}
    dump_sizes: dict[str, int] = {}
    last: dict[str, Any] | None = None
    maintenance: list[Maintenance] = []

    @property
    def names_records(self) -> bool:
        """Should the records of the last restore point be there?"""
        return self.run is not None and self.records_name is not None


class _Kept(msgspec.Struct):
    """The JSON file of a plan; one byte that changed makes it another's."""

    checksum: str
    remembered: Remembered


class _Version(msgspec.Struct):
    version: int


class _Dated(msgspec.Struct):
    """Of a plan's JSON file of whatever version, which one it is."""

    remembered: _Version


class PlanState:
    """One plan's files in the state folder."""

    def __init__(self, state_dir: Path, plan: str) -> None:
        self.folder = state_dir / "plans"
        self._plan = plan
        self._stem = quote(plan, safe=" ")[:180]
        self._json = self.folder / f"{self._stem}.json"

    def prepare(self) -> None:
        """Make the folder, readable by us alone."""
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise UsageError(f"state_dir {self.folder} can't be made: {error.strerror}.") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the plan; AlreadyRunning if another process does."""
        self.prepare()
        file = self.folder / f"{self._stem}.lock"
        try:
            opened = file.open("w")
        except OSError as error:
            raise UsageError(f"{file} can't be written: {error.strerror}.") from error
        with opened as held:
            if not try_lock(held):
                raise AlreadyRunning(Reason("already-running"))
            yield

    @contextmanager
    def private_folder(self) -> Iterator[Path]:
        """A folder for what must lie on disk for a moment, ours alone; emptied before and after."""
        folder = self.folder / f"{self._stem}.private"
        shutil.rmtree(folder, ignore_errors=True)
        # On a full disk it is not there, and whoever needs it says so.
        with suppress(OSError):
            folder.mkdir(mode=0o700)
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def is_locked(self) -> bool:
        """Is a run going on?"""
        try:
            with self.lock():
                return False
        except AlreadyRunning:
            return True

    def load(self, agent_id: str) -> Remembered:
        """What we remember, or nothing where that is missing, damaged or another agent's."""
        return self.examine(agent_id)[0]

    def examine(self, agent_id: str) -> tuple[Remembered, Reason | None]:
        """What is remembered of the plan, and what to warn of where that is of no use.

        A file of another version is of no use either, and nothing to warn of.
        """
        nothing = Remembered(agent_id=agent_id, plan=self._plan)
        try:
            kept = self._read()
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return nothing, DAMAGED
        if kept is None:
            return nothing, None
        remembered = kept.remembered
        if kept.checksum != _checksum(remembered):
            return nothing, DAMAGED
        if (remembered.agent_id, remembered.plan) != (agent_id, self._plan):
            return nothing, FOREIGN
        return remembered, None

    def _read(self) -> _Kept | None:
        """The JSON file; None where there is none, or one of another version."""
        try:
            content = self._json.read_bytes()
        except FileNotFoundError:
            return None
        if msgspec.json.decode(content, type=_Dated).remembered.version != VERSION:
            return None
        return msgspec.json.decode(content, type=_Kept)

    def records_file(self, remembered: Remembered) -> Path | None:
        """The records of the last restore point; None where they are missing or damaged."""
        name = remembered.records_name
        if remembered.run is None or name is None or os.sep in name:
            return None
        file = self.folder / name
        try:
            return file if records.digest_of(file) == remembered.records_digest else None
        except OSError:
            return None

    def new_records_file(self) -> Path:
        """A name for records to be written."""
        return self.folder / f"{self._stem}.{secrets.token_hex(4)}.records"

    def keep(self, remembered: Remembered) -> None:
        """Replace the JSON file, then drop records that no longer belong to it.

        OSError where the disk does not take it: then the file is as it was before.
        """
        kept = _Kept(_checksum(remembered), remembered)
        identity.write_private(self._json, msgspec.json.format(msgspec.json.encode(kept)).decode())
        for file in self.folder.glob("*.records"):
            stem, _, _ = file.name.removesuffix(".records").rpartition(".")
            if stem == self._stem and file.name != remembered.records_name:
                file.unlink(missing_ok=True)


def _checksum(remembered: Remembered) -> str:
    return blake3(msgspec.json.encode(remembered)).hexdigest()
