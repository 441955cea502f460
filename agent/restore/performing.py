"""Bringing a restore point back: the manifest is read as it comes, chunks in the order of packs.

This process plans, and makes folders, symlinks and what is empty; workers fetch and write.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from agent.platforms import attributes, folders
from agent.programs.stopping import stoppable
from agent.restore import roots
from agent.restore.collisions import NotRestored, reason_of
from agent.restore.crew import Crew
from agent.restore.folders import Folder
from agent.restore.landing import LINKS, Landing
from agent.restore.links import Links
from agent.restore.naming import landed
from agent.restore.orders import Report, Setup
from agent.restore.windows import Planned, Window
from agent.server.connection import StreamCut
from agent.server.portal import Portal
from agent.telling import failures
from agent.telling.failures import AgentError
from agent.telling.names import shown, shown_absolute
from agent.telling.progress import Totals, restoring
from agent.telling.results import MAX_NAMED_NOT_COPIED, Restored
from agent.telling.sentences import with_sentence
from agent.telling.teller import Teller
from libs.shared.entries import CHUNK_ID_BYTES, Entry, FolderDelta, split_ids
from libs.shared.reasons import Reason
from libs.shared.restores import PlacedChunk

SPECIALS = "FIFOs and devices"
_NOT_GIVEN = (
    "{count} of what was restored could not be given {kind}: the target can't hold them, or you "
    "may not set them."
)
_REFUSALS = {
    attributes.OWNERS: "{count} of what was restored could not be given its owner, as only root "
    "may; it belongs to you.",
    attributes.MODES: "{count} of what was restored could not be given its mode: the target's file "
    "system keeps none, or it is somebody else's.",
    attributes.TIMES: "{count} of what was restored could not be given its time: the target's file "
    "system has no such dates.",
    SPECIALS: "{count} FIFOs and devices were not made: only root may make devices, and not on "
    "each file system.",
    LINKS: "{count} further names of files came back as files of their own: the target's file "
    "system has no hard links.",
}


@dataclass(slots=True)
class _Growing:
    """A large file on its way: pieces come in any order."""

    folder: bytes
    entry: Entry
    left: int
    has_failed: bool = False


@dataclass(frozen=True)
class Wish:
    """What to bring back: a run of a plan, all of it or what lies at a path, and where to.

    proxy: its address, `none`, or None for the environment's.
    """

    plan: str
    run: int | None
    at: datetime | None
    path: bytes | None
    to: Path
    overwrite: bool
    ca_file: Path | None
    proxy: str | None


class Restore:
    """One restore point brought back below one folder."""

    def __init__(self, portal: Portal, wish: Wish, root: int, teller: Teller) -> None:
        self._portal, self._wish, self._teller = portal, wish, teller
        self._handle, inherited = folders.handed(root)
        self._landing = Landing(root, overwrite=wish.overwrite, on_replaced=self._note_replaced)
        self._links = Links(self._landing)
        self._chunk_keys: tuple[bytes, ...] = ()
        self.restored = Restored()
        self.progress = restoring(self.restored)
        self._window = Window()
        self._crew = Crew(inherited, self._on_report)
        self._growing: dict[int, _Growing] = {}
        self._large_files = 0
        self._folders: list[tuple[bytes, Entry]] = []

    def perform(self) -> Restored:
        """Do it; raises AgentError, StreamCut."""
        began = time.monotonic()
        try:
            self._crew.prepare()
            self._read_manifest()
            self._hand_out(is_last=True)
            self._crew.finish()
        except BaseException:
            self._crew.stop()
            raise
        self._link()
        self._finish_folders()
        self.restored.duration_seconds = time.monotonic() - began
        self._tell_refusals()
        if self.restored.has_warnings:
            self.restored.exit_code = failures.WARNINGS
        return self.restored

    def _read_manifest(self) -> None:
        wish = self._wish
        dropped = self._portal.dropped(wish.plan)
        with self._portal.manifest(wish.plan, wish.run, wish.at, wish.path) as manifest:
            self.restored.run = manifest.run
            self.restored.run_at = manifest.run_at.isoformat()
            self.restored.dropped = [
                one for one in dropped if one.concerns(manifest.run, wish.path)
            ]
            if not wish.path:
                self.progress.expect(Totals(manifest.files, manifest.size_bytes))
            connection = self._portal.connection
            setup = Setup(
                url=connection.url,
                token=connection.token or "",
                ca_file=str(wish.ca_file.absolute()) if wish.ca_file else None,
                proxy=wish.proxy,
                patience_seconds=connection.patience_seconds,
                plan=wish.plan,
                chunk_keys=manifest.chunk_keys,
                root=self._handle,
                overwrite=wish.overwrite,
            )
            self._crew.brief(setup)
            self._chunk_keys = manifest.chunk_keys
            places: dict[bytes, PlacedChunk] = {}
            for deltas, new_places in manifest.parts:
                places.update((place.chunk_id, place) for place in new_places)
                if deltas:
                    self._plan_deltas(deltas, places)
                    places = {}

    def _plan_deltas(self, deltas: Sequence[FolderDelta], places: dict[bytes, PlacedChunk]) -> None:
        for copied in deltas:
            delta, renamed = landed(copied)
            for path, name in renamed.items():
                self._note_renamed(path, name)
            for entry in delta.upserts:
                path = delta.folder + b"/" + entry.name if delta.folder else entry.name
                try:
                    self._plan_entry(delta.folder, path, entry, places)
                except (OSError, NotRestored) as error:
                    self._not_restored(path, error)

    def _plan_entry(
        self, parent: bytes, path: bytes, entry: Entry, places: dict[bytes, PlacedChunk]
    ) -> None:
        landing = self._landing
        is_fresh = landing.is_fresh(parent)
        if entry.kind == "d":
            landing.make_folder(path)
            self._folders.append((path, entry))
            self.restored.folders += 1
        elif self._links.is_further_name(path, entry):
            pass
        elif not is_fresh and self._is_there(parent, entry, places):
            if entry.kind == "f":
                self.restored.files_already_there += 1
                self.restored.bytes_already_there += entry.size
        elif entry.kind == "l":
            landing.make(landing.folder(parent), entry)
            self.restored.symlinks += 1
        elif entry.kind != "f":
            self._make_special(landing.folder(parent), entry)
        elif entry.size == 0:
            landing.write_whole(landing.folder(parent), entry, b"")
            self.restored.files += 1
        else:
            self._plan_file(Planned(parent, is_fresh, entry), _find(entry, places))

    def _is_there(self, parent: bytes, entry: Entry, places: dict[bytes, PlacedChunk]) -> bool:
        """Is the entry there already? Its content is compared only if others are replaced."""
        folder = self._landing.folder(parent)
        if not self._landing.is_there(folder, entry):
            return False
        if entry.size == 0 or not self._wish.overwrite:
            return True
        return self._landing.holds(folder, entry, _find(entry, places), self._chunk_keys)

    def _make_special(self, folder: Folder, entry: Entry) -> None:
        try:
            self._landing.make(folder, entry)
        except PermissionError:
            self._landing.refused[SPECIALS] += 1
        else:
            self.restored.specials += 1

    def _link(self) -> None:
        made, there = self._links.make_all(self.restored.not_restored, self._not_restored)
        self.restored.files += made
        self.restored.files_already_there += there

    def _plan_file(self, file: Planned, found: list[PlacedChunk]) -> None:
        if len(found) > 1:
            entry = file.entry
            file.is_kept = self._landing.begin_growing(self._landing.folder(file.folder), entry)
            self._large_files = file.number = self._large_files + 1
            self._growing[file.number] = _Growing(file.folder, entry, len(found))
        offset = 0
        for place in found:
            self._window.add(file, place, offset)
            offset += place.size
            if self._window.is_full:
                self._hand_out()

    def _hand_out(self, *, is_last: bool = False) -> None:
        for order in self._window.empty(is_last=is_last):
            self._crew.give(order)

    def _on_report(self, report: Report) -> None:
        """Count what a worker did, and finish large files that are whole now."""
        restored = self.restored
        restored.files += report.files
        restored.bytes_written += report.bytes_written
        restored.bytes_fetched += report.bytes_fetched
        restored.bytes_already_there += report.bytes_kept
        self._landing.refused.update(report.refused)
        for sentence in report.said:
            self._teller.say(sentence)
        for failed in report.failed:
            if failed.number:
                self._growing[failed.number].has_failed = True
            self._not_restored(failed.path, NotRestored(failed.reason))
        for number, count in report.pieces:
            file = self._growing[number]
            file.left -= count
            if not file.left:
                self._end_growing(self._growing.pop(number))

    def _end_growing(self, file: _Growing) -> None:
        name = file.entry.name
        try:
            folder = self._landing.folder(file.folder)
            if file.has_failed:
                self._landing.drop_growing(folder, name)
                return
            self._landing.end_growing(folder, file.entry)
            self.restored.files += 1
        except (OSError, NotRestored) as error:
            path = file.folder + b"/" + name if file.folder else name
            self._not_restored(path, error)

    def _not_restored(self, path: bytes, error: OSError | NotRestored) -> None:
        reason = reason_of(path, error)
        not_restored = self.restored.not_restored
        if path in not_restored:
            return
        not_restored[path] = reason
        if len(not_restored) <= MAX_NAMED_NOT_COPIED:
            place, told = shown_absolute(path), with_sentence(reason)
            self._teller.say(f"{place}: {told['sentence']}", "warning", path=place, reason=told)

    def _note_renamed(self, path: bytes, name: bytes) -> None:
        self.restored.renamed += 1
        if self.restored.renamed <= MAX_NAMED_NOT_COPIED:
            place = shown_absolute(path)
            self._teller.say(
                f"{place}: this system can't hold its name, so it is restored as {shown(name)}",
                "warning",
                path=place,
                restored_as=shown(name),
            )

    def _finish_folders(self) -> None:
        """Deepest first, so that a folder's time and mode are the last thing that happens to it."""
        for path, entry in reversed(self._folders):
            try:
                self._landing.finish_folder(path, entry)
            except (OSError, NotRestored) as error:
                self._not_restored(path, error)

    def _note_replaced(self, path: bytes, target: bytes) -> None:
        place = shown_absolute(path)
        was = f"a symlink to {shown(target)}" if target else "no folder"
        self._teller.say(f"{place}: what was there, {was}, is replaced by a folder.", path=place)

    def _tell_refusals(self) -> None:
        """Once for each kind of what the target can't hold, or we may not set."""
        self.restored.refused = dict(sorted(self._landing.refused.items()))
        for kind, count in self.restored.refused.items():
            sentence = _REFUSALS.get(kind, _NOT_GIVEN).format(kind=kind, count=count)
            self._teller.say(sentence, "warning", refused=kind, count=count)


def _find(entry: Entry, places: dict[bytes, PlacedChunk]) -> list[PlacedChunk]:
    """Where a file's chunks lie, in its order; raises NotRestored."""
    chunks = entry.chunks
    try:
        # Most files are one chunk.
        if len(chunks) == CHUNK_ID_BYTES:
            found = [places[chunks]]
            size = found[0].size
        else:
            found = [places[one] for one in split_ids(chunks)]
            size = sum([place.size for place in found])
    except KeyError:
        raise NotRestored(Reason("content-missing")) from None
    if size != entry.size:
        raise NotRestored(Reason("content-inconsistent"))
    return found


def restore_plan(portal: Portal, wish: Wish, teller: Teller) -> Restored:
    """Bring a plan back below a folder; whatever it comes to is in the result."""
    with roots.opened(wish.to) as root:
        restore = Restore(portal, wish, root, teller)
        teller.follow(restore.progress.snapshot)
        try:
            with stoppable():
                return restore.perform()
        except failures.Interrupted:
            error: AgentError = failures.Interrupted(Reason("restore-interrupted"))
        except StreamCut as cut:
            error = failures.Unreachable(Reason("portal-list-cut", detail=str(cut)))
        except AgentError as failure:
            error = failures.final(failure, "Sign in again.")
    restored = restore.restored
    restored.failure, restored.exit_code = error, error.exit_code
    return restored
