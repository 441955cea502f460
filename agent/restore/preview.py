"""What a restore would do, without doing it: nothing is made, nothing of contents is fetched."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Any

from agent.platforms import folders
from agent.restore.collisions import NO_FOLDER, InTheWay
from agent.restore.folders import Folder, Folders
from agent.restore.naming import landed
from agent.restore.performing import Wish
from agent.restore.sameness import check_replaceable, is_same, is_unfinished
from agent.server.connection import StreamCut
from agent.server.portal import Portal
from agent.telling import failures
from agent.telling.dropped import Dropped
from agent.telling.names import shown_absolute
from agent.telling.results import MAX_NAMED_NOT_COPIED
from agent.telling.sentences import with_sentence
from libs.shared.entries import Entry
from libs.shared.reasons import Reason


@dataclass
class Previewed:
    """What a restore would come to."""

    run: int | None = None
    run_at: str | None = None
    files: int = 0
    size_bytes: int = 0
    folders: int = 0
    symlinks: int = 0
    specials: int = 0
    files_already_there: int = 0
    bytes_already_there: int = 0
    replaced: int = 0
    renamed: int = 0
    refused: dict[bytes, Reason] = field(default_factory=dict)
    dropped: list[Dropped] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """As the restore itself would end."""
        return failures.WARNINGS if self.refused or self.renamed else failures.SUCCEEDED

    def as_summary(self, plan: str) -> dict[str, Any]:
        """All members, in JSON types."""
        pairs = list(self.refused.items())[:MAX_NAMED_NOT_COPIED]
        return {
            "message_type": "dry_run",
            "plan": plan,
            "run_number": self.run,
            "run_at": self.run_at,
            "files_to_restore": self.files,
            "bytes_to_restore": self.size_bytes,
            "folders_to_make": self.folders,
            "symlinks_to_make": self.symlinks,
            "specials_to_make": self.specials,
            "files_already_there": self.files_already_there,
            "bytes_already_there": self.bytes_already_there,
            "entries_to_replace": self.replaced,
            "entries_to_rename": self.renamed,
            "entries_refused": len(self.refused),
            "refused": [
                {"path": shown_absolute(path), "reason": with_sentence(reason)}
                for path, reason in pairs
            ],
            "dropped": [dropped.as_dict() for dropped in self.dropped],
            "exit_code": self.exit_code,
        }


class _Preview:
    """Looks below a folder; None is one that isn't there yet."""

    def __init__(self, root: int | None, overwrite: bool) -> None:
        self._below = None if root is None else Folders(root, overwrite=False, makes_folders=False)
        self._overwrite = overwrite
        self._absent: set[bytes] = set()
        self._blocked: set[bytes] = set()
        self.found = Previewed()

    def look_at(self, parent: bytes, path: bytes, entry: Entry) -> None:
        """Count what a restore would do about one entry."""
        if parent in self._blocked:
            if entry.kind == "d":
                self._blocked.add(path)
            self.found.refused[path] = NO_FOLDER
            return
        try:
            folder = None if parent in self._absent else self._open(parent)
            status = None if folder is None else _status(folder, entry.name)
            if entry.kind == "d":
                self._look_at_folder(path, status)
            elif folder is None or not self._is_there(folder, entry, status):
                self._count(entry)
        except InTheWay as obstacle:
            self.found.refused[path] = obstacle.reason

    def _look_at_folder(self, path: bytes, status: os.stat_result | None) -> None:
        if status is not None and stat.S_ISDIR(status.st_mode):
            return
        if status is not None:
            if not self._overwrite:
                self._blocked.add(path)
                raise InTheWay(NO_FOLDER)
            self.found.replaced += 1
        self._absent.add(path)
        self.found.folders += 1

    def _is_there(self, folder: Folder, entry: Entry, status: os.stat_result | None) -> bool:
        if status is None or is_unfinished(status):
            return False
        if is_same(folder.number, entry, status, may_try=False):
            if entry.kind == "f":
                self.found.files_already_there += 1
                self.found.bytes_already_there += entry.size
            return True
        check_replaceable(status, self._overwrite)
        self.found.replaced += 1
        return False

    def _count(self, entry: Entry) -> None:
        if entry.kind == "l":
            self.found.symlinks += 1
        elif entry.kind != "f":
            self.found.specials += 1
        else:
            self.found.files += 1
            self.found.size_bytes += entry.size

    def _open(self, path: bytes) -> Folder | None:
        try:
            return None if self._below is None else self._below.open(path)
        except FileNotFoundError:
            return None


def _status(folder: Folder, name: bytes) -> os.stat_result | None:
    try:
        return folders.status_in(name, folder.number)
    except FileNotFoundError:
        return None


def preview(portal: Portal, wish: Wish) -> Previewed:
    """What restoring a wish would do; raises AgentError."""
    root = folders.open_target(str(wish.to)) if wish.to.exists() else None
    try:
        looking = _Preview(root, wish.overwrite)
        dropped = portal.dropped(wish.plan)
        with portal.manifest(wish.plan, wish.run, wish.at, wish.path) as manifest:
            looking.found.run = manifest.run
            looking.found.run_at = manifest.run_at.isoformat()
            looking.found.dropped = [
                one for one in dropped if one.concerns(manifest.run, wish.path)
            ]
            for deltas, _places in manifest.parts:
                for copied in deltas:
                    delta, renamed = landed(copied)
                    looking.found.renamed += len(renamed)
                    prefix = delta.folder + b"/" if delta.folder else b""
                    for entry in delta.upserts:
                        looking.look_at(delta.folder, prefix + entry.name, entry)
    except StreamCut as cut:
        reason = Reason("portal-list-cut", detail=str(cut))
        raise failures.Unreachable(reason) from cut
    finally:
        if root is not None:
            folders.close(root)
    return looking.found
