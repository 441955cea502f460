"""How each kind of file system takes a snapshot, shows it, and removes it: by its own programs."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from agent.snapshots.mounts import Mount, list_mounts
from agent.snapshots.programs import NotPossible, NotTaken, run
from agent.snapshots.shadows import VOLUME, Shadow

FOLDER = b".coffre-snapshots"
"""At the top of a subvolume of btrfs: what is in it is never copied."""
_SUBVOLUME_INODE = 256
_LEAST_ROOM = 10  # of a hundred: what a snapshot of LVM may take while the plan is copied


class Snapshot(Protocol):
    """One of one file system."""

    covers: bytes
    """The absolute path of what it shows."""
    shows: bytes
    """Where that is to be read, absolute."""
    is_cheap: bool
    """Can it last as long as the copy does, whatever is written beside it?"""

    def take(self) -> None:
        """Takes it, after one of that name is removed; raises NotTaken."""

    def remove(self) -> None:
        """Removes it, if it is there; raises NotTaken."""


class Btrfs:
    """A read-only snapshot of the subvolume that a path lies in, kept in a folder at its top."""

    is_cheap = True

    def __init__(self, path: bytes, name: str) -> None:
        self.covers = subvolume_of(path)
        self.shows = os.path.join(self.covers, FOLDER, name.encode())

    def take(self) -> None:
        """Takes it."""
        try:
            os.makedirs(os.path.dirname(self.shows), mode=0o700, exist_ok=True)
        except OSError as error:
            raise NotPossible(os.strerror(error.errno or 0)) from error
        self.remove()
        run("btrfs", "subvolume", "snapshot", "-r", self.covers, self.shows)

    def remove(self) -> None:
        """Removes it."""
        if os.path.lexists(self.shows):
            run("btrfs", "subvolume", "delete", self.shows)


class Zfs:
    """A snapshot of a dataset, shown by the file system itself below .zfs."""

    is_cheap = True

    def __init__(self, mount: Mount, name: str) -> None:
        self.covers = mount.place
        self.shows = os.path.join(mount.place, b".zfs/snapshot", name.encode())
        self._name = f"{os.fsdecode(mount.source)}@{name}"

    def take(self) -> None:
        """Takes it."""
        self.remove()
        run("zfs", "snapshot", self._name)

    def remove(self) -> None:
        """Removes it."""
        if _is_known("zfs", "list", "-H", "-t", "snapshot", self._name):
            run("zfs", "destroy", self._name)


class Lvm:
    """A snapshot of a logical volume, mounted read-only in a folder of ours."""

    def __init__(self, mount: Mount, name: str, folder: Path) -> None:
        self.covers = mount.place
        self.shows = os.fsencode(folder / name / os.fsencode(mount.source).hex()[-40:])
        self._kind = mount.kind
        self._source = mount.source
        told = run("lvs", "--noheadings", "-o", "vg_name,lv_name,pool_lv", mount.source).split()
        self._group, self._volume = told[0], told[1]
        self.is_cheap = self._is_thin = len(told) > 2
        self._name = f"{name}-{self._volume}"

    def take(self) -> None:
        """Takes it, and mounts it."""
        self.remove()
        origin = f"{self._group}/{self._volume}"
        room = () if self._is_thin else ("--extents", f"{_LEAST_ROOM}%ORIGIN")
        # A thin one is left inactive by itself: -kn lets it be mounted.
        active = ("--setactivationskip", "n") if self._is_thin else ()
        run("lvcreate", "--snapshot", "--name", self._name, *room, *active, origin)
        # xfs refuses to be there twice under one identifier.
        options = "ro,nodev,nosuid,noexec" + (",nouuid" if self._kind == "xfs" else "")
        device = f"/dev/{self._group}/{self._name}"
        try:
            os.makedirs(self.shows, mode=0o700, exist_ok=True)
            run("mount", "-t", self._kind, "-o", options, device, self.shows)
        except (NotTaken, OSError) as error:
            with suppress(NotTaken):
                self.remove()
            raise NotTaken(str(error)) from error

    def remove(self) -> None:
        """Unmounts and removes it."""
        if any(mount.place == self.shows for mount in list_mounts()):
            run("umount", self.shows)
        with suppress(OSError):
            os.rmdir(self.shows)
            os.rmdir(os.path.dirname(self.shows))
        if _is_known("lvs", f"{self._group}/{self._name}"):
            run("lvremove", "--force", f"{self._group}/{self._name}")


def subvolume_of(path: bytes) -> bytes:
    """The top of the subvolume of btrfs that a folder lies in; raises NotPossible."""
    try:
        while os.stat(path).st_ino != _SUBVOLUME_INODE:
            if path == b"/":
                raise NotPossible("its subvolume is not to be reached")
            path = os.path.dirname(path)
    except OSError as error:
        raise NotPossible(os.strerror(error.errno or 0)) from error
    return path


def snapshot_of(path: bytes, mount: Mount, name: str, folder: Path) -> Snapshot:
    """The snapshot that a path could be read from, not yet taken.

    Raises NotPossible where its file system has none."""
    if mount.kind == "btrfs":
        return Btrfs(path, name)
    if mount.kind == "zfs":
        return Zfs(mount, name)
    if mount.kind == VOLUME:
        return Shadow(mount, name, folder)
    if mount.source.startswith(b"/dev/"):
        try:
            return Lvm(mount, name, folder)
        except NotTaken as error:
            raise NotPossible(f"{mount.kind} on no logical volume has no snapshots") from error
    raise NotPossible(f"{mount.kind} has no snapshots")


def _is_known(*argv: str) -> bool:
    try:
        run(*argv)
    except NotPossible:
        raise
    except NotTaken:
        return False
    return True
