"""The same tree copied, copied again and restored: coffre-agent against restic, in turn."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import median

from bench import coffre, measuring, restic
from bench.tree import Tree, count, warm

_MEMORY = Path("/dev/shm")
# In each round: the first waits for memory that a virtual machine's host has taken back.
_RESTORES = 3


@dataclass
class Side:
    """What one of the two took, in all rounds."""

    first: list[measuring.Took] = field(default_factory=list)
    again: list[measuring.Took] = field(default_factory=list)
    restore: list[measuring.Took] = field(default_factory=list)
    stored_bytes: list[int] = field(default_factory=list)
    ingest_bytes: list[int] = field(default_factory=list)
    rows_added: list[int] = field(default_factory=list)
    cpu: dict[str, dict[str, float]] = field(default_factory=dict)


def seconds(took: list[measuring.Took]) -> float:
    """The median time."""
    return median(each.seconds for each in took)


def peak_bytes(took: list[measuring.Took]) -> int:
    """The largest peak of all rounds."""
    return max(each.peak_bytes for each in took)


def measure(
    installation: coffre.Installation,
    folder: Path,
    tree: Tree,
    rounds: int,
    agains: int,
    say: Callable[[str], None],
) -> tuple[Side, Side]:
    """(ours, restic's) after `rounds` of all steps, whose order alternates."""
    ours, theirs = Side(), Side()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_place_for_restores(folder, tree)) as place:
        target = Path(place) / "restored"
        for number in range(rounds):
            client = folder / f"client-{number}"
            steps = [
                partial(_measure_ours, installation, client, target, tree, ours, agains, say),
                partial(_measure_restic, folder / "restic", target, tree, theirs, agains, say),
            ]
            for step in steps if number % 2 == 0 else reversed(steps):
                step()
    return ours, theirs


def _place_for_restores(folder: Path, tree: Tree) -> Path:
    """In memory where there is room: ext4 takes minutes to forget a tree that was deleted."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * tree.size_bytes
    return _MEMORY if has_room else folder


def _measure_ours(
    installation: coffre.Installation,
    folder: Path,
    target: Path,
    tree: Tree,
    side: Side,
    agains: int,
    say: Callable[[str], None],
) -> None:
    client = coffre.Client(installation, folder, tree.folder)
    client.choose_password()
    measuring.reset_peak(installation.ingest_pid)
    warm(tree.folder)
    before = installation.cpu_by_name()
    took, summary = client.run()
    side.cpu["first"] = _less(installation.cpu_by_name(), before)
    side.first.append(took)
    side.ingest_bytes.append(measuring.peak_bytes(installation.ingest_pid))
    say(_line("coffre", "first copy", took))
    if summary["files_total"] != tree.files:
        raise measuring.ProgramFailed(f"{summary['files_total']} of {tree.files} files copied")
    side.stored_bytes.append(client.stored_bytes())
    rows = installation.count_settled_rows()
    warm(tree.folder)
    for _ in range(agains):
        took, summary = client.run()
        side.again.append(took)
        say(_line("coffre", "unchanged", took))
        if summary["bytes_sent"] or summary["files_new"] or summary["files_changed"]:
            raise measuring.ProgramFailed(f"an unchanged tree seemed changed: {summary}")
    side.rows_added.append((installation.count_settled_rows() - rows) // agains)
    for _ in range(_RESTORES):
        with _restored(target, tree):
            before = installation.cpu_by_name()
            took = client.restore(target)
            side.cpu["restore"] = _less(installation.cpu_by_name(), before)
        side.restore.append(took)
        say(_line("coffre", "restore", took))


def _measure_restic(
    folder: Path,
    target: Path,
    tree: Tree,
    side: Side,
    agains: int,
    say: Callable[[str], None],
) -> None:
    with restic.serve(folder) as peer:
        warm(tree.folder)
        before = measuring.cpu_seconds([peer.server])
        took = peer.backup(tree.folder)
        side.cpu["first"] = {"rclone": measuring.cpu_seconds([peer.server]) - before}
        side.first.append(took)
        say(_line("restic", "first copy", took))
        side.stored_bytes.append(peer.stored_bytes())
        warm(tree.folder)
        for _ in range(agains):
            took = peer.backup(tree.folder)
            side.again.append(took)
            say(_line("restic", "unchanged", took))
        for _ in range(_RESTORES):
            with _restored(target, tree):
                before = measuring.cpu_seconds([peer.server])
                took = peer.restore(target)
                side.cpu["restore"] = {"rclone": measuring.cpu_seconds([peer.server]) - before}
            side.restore.append(took)
            say(_line("restic", "restore", took))


@contextmanager
def _restored(target: Path, tree: Tree) -> Iterator[None]:
    """What came while the block ran is counted, then removed."""
    if target.is_relative_to(_MEMORY):
        _use_memory(target.parent, tree.size_bytes)
    yield
    files, size_bytes = count(target)
    shutil.rmtree(target)
    if (files, size_bytes) != (tree.files, tree.size_bytes):
        raise measuring.ProgramFailed(f"{files} files of {size_bytes} bytes were restored")


def _use_memory(folder: Path, size_bytes: int) -> None:
    """Write so much and let it go.

    A virtual machine waits for its host when it uses memory for the first time, or after a while,
    and neither side shall be measured by that.
    """
    piece = bytes(1 << 20)
    with tempfile.TemporaryFile(dir=folder, buffering=0) as room:
        for _ in range(size_bytes // len(piece)):
            room.write(piece)


def _less(after: dict[str, float], before: dict[str, float]) -> dict[str, float]:
    return {name: after[name] - before.get(name, 0.0) for name in after}


def _line(who: str, what: str, took: measuring.Took) -> str:
    return (
        f"{who} {what}: {took.seconds:.1f} s, processor {took.cpu_seconds:.1f} s, "
        f"peak {took.peak_bytes / 1e6:.0f} MB"
    )
