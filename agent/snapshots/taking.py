"""The snapshots of one run: taken before the walk, removed after it, also those of a run cut off.

Their names come from the plan alone, so that the next run of it finds what a crash left behind.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from agent.config import Plan
from agent.platforms import SYSTEM
from agent.snapshots.kinds import FOLDER, Snapshot, snapshot_of, subvolume_of
from agent.snapshots.mounts import Mount, lies_in, list_mounts, mount_of, relative
from agent.snapshots.programs import NotPossible, NotTaken
from agent.snapshots.shadows import real_path, volume_of
from agent.telling.failures import AgentError
from agent.walking.views import Views
from libs.shared.reasons import Reason


@dataclass
class TakenViews:
    """What the walk has to know. own_folders: where snapshots lie; they are not copied."""

    views: Views
    own_folders: list[str] = field(default_factory=list)


@contextmanager
def snapshots(
    plan: Plan, state_dir: Path, say: Callable[[str], None], warn: Callable[[Reason], None]
) -> Iterator[TakenViews]:
    """The plan's folders as they are at this moment, where their file systems can hold them so.

    Where one can't: raises AgentError if the plan requires it; else that one is read in place.
    `say` is told of each snapshot, and of what was tried in vain.
    """
    if plan.snapshot == "off":
        yield TakenViews(Views())
        return
    session = _Session(plan, state_dir, say, warn)
    try:
        yield session.begin()
    finally:
        session.end()


class _Session:
    def __init__(
        self,
        plan: Plan,
        state_dir: Path,
        say: Callable[[str], None],
        warn: Callable[[Reason], None],
    ) -> None:
        self._plan = plan
        self._is_required = plan.snapshot == "required"
        self._folder = state_dir.absolute() / "snapshots"
        told = f"{state_dir.absolute()}\0{plan.name}".encode()
        self._name = f"coffre-{hashlib.sha256(told).hexdigest()[:12]}"
        self._say, self._warn = say, warn
        self._taken: dict[bytes, Snapshot | None] = {}

    def begin(self) -> TakenViews:
        mounts = list_mounts()
        places: dict[bytes, bytes] = {}
        for folder in self._plan.folders:
            logical = os.fsencode(folder).strip(b"/")
            real = real_path(logical)
            places[logical] = self._seen(real, _mount(real, mounts))
            if self._plan.one_file_system:
                continue
            for mount in mounts:
                if mount.place != real and lies_in(mount.place, real):
                    inner = b"/".join(filter(None, (logical, relative(mount.place, real))))
                    places[inner] = self._seen(mount.place, mount)
        if not any(self._taken.values()):
            return TakenViews(Views())
        own = [
            os.fsdecode(os.path.join(top, FOLDER))
            for logical in places
            for top in self._tops_of(b"/" + logical)
        ]
        return TakenViews(Views(places, self._enter), own)

    def _tops_of(self, place: bytes) -> Iterator[bytes]:
        """Where folders of snapshots may lie, in the plan's own words."""
        for snapshot in self._taken.values():
            if snapshot is not None and os.path.lexists(os.path.join(snapshot.covers, FOLDER)):
                real = real_path(place.lstrip(b"/"))
                if lies_in(snapshot.covers, real):
                    yield posixpath.normpath(posixpath.join(place, relative(snapshot.covers, real)))

    def _enter(self, path: bytes) -> bytes:
        """A subvolume inside another, met on the way."""
        real = real_path(path)
        return self._seen(real, _mount(real, list_mounts()))

    def _seen(self, real: bytes, mount: Mount | None) -> bytes:
        """From where a folder is read, without the leading slash."""
        snapshot = self._snapshot(real, mount)
        if snapshot is None:
            return real.lstrip(b"/")
        return posixpath.join(snapshot.shows, relative(real, snapshot.covers)).strip(b"/")

    def _snapshot(self, real: bytes, mount: Mount | None) -> Snapshot | None:
        place = real
        try:
            if mount is None:
                raise NotPossible("what is mounted there is not to be seen")
            place = subvolume_of(real) if mount.kind == "btrfs" else mount.place
            if place not in self._taken:
                self._taken[place] = None
                snapshot = snapshot_of(real, mount, self._name, self._folder)
                if not (snapshot.is_cheap or self._is_required):
                    raise NotPossible("it takes room that the copy may need")
                # What was taken in part is removed as well.
                self._taken[place] = snapshot
                snapshot.take()
                self._say(f"Reading {os.fsdecode(place)} as a snapshot holds it.")
        except NotTaken as error:
            self._taken[place] = None
            told = os.fsdecode(place)
            if self._is_required:
                raise AgentError(Reason("snapshot-not-taken", told, detail=error.words)) from error
            if not isinstance(error, NotPossible):
                self._say(
                    f"No snapshot of {told} could be taken: {error.words}. Reading it as it is."
                )
        return self._taken[place]

    def end(self) -> None:
        """Removes them; a fault is a warning, and the next run tries again."""
        for snapshot in reversed([one for one in self._taken.values() if one is not None]):
            try:
                snapshot.remove()
            except NotTaken as error:
                place = os.fsdecode(snapshot.covers)
                self._warn(Reason("snapshot-not-removed", place, detail=error.words))


def _mount(real: bytes, mounts: list[Mount]) -> Mount | None:
    return volume_of(real) if SYSTEM == "windows" else mount_of(real, mounts)
