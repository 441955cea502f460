"""The same tree copied, copied again and restored: coffre-agent against restic, in turn."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench import coffre, measuring, restic
from bench.tree import Tree, count, warm

_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class Step:
    """One step of a client, and the processor seconds of each server meanwhile."""

    took: measuring.Took
    servers: dict[str, float]


@dataclass
class Side:
    """What one of the two took, in all rounds."""

    first: list[Step] = field(default_factory=list)
    again: list[Step] = field(default_factory=list)
    restore: list[Step] = field(default_factory=list)
    stored_bytes: list[int] = field(default_factory=list)
    ingest_bytes: list[int] = field(default_factory=list)
    rows_added: list[int] = field(default_factory=list)


@dataclass
class Compared:
    """Both sides of one way to measure, and what 1 GiB of fresh memory cost before each round."""

    ours: Side = field(default_factory=Side)
    theirs: Side = field(default_factory=Side)
    memory_seconds: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Plan:
    """What is copied, how often each step is done, and who is told of it."""

    tree: Tree
    rounds: int
    repeats: int
    say: Callable[[str], None]


Peer = Callable[[Path, coffre.Installation], AbstractContextManager[restic.Restic]]


def measure(
    installation: coffre.Installation, folder: Path, open_peer: Peer, plan: Plan
) -> Compared:
    """All steps of both sides in each round, whose order alternates."""
    compared = Compared()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_place_for_restores(folder, plan.tree)) as place:
        target = Path(place) / "restored"
        for number in range(plan.rounds):
            compared.memory_seconds.append(measuring.touch_memory())
            client = folder / f"client-{number}"
            steps = [
                partial(_measure_ours, installation, client, target, plan, compared.ours),
                partial(
                    _measure_restic,
                    partial(open_peer, folder / "restic", installation),
                    target,
                    plan,
                    compared.theirs,
                ),
            ]
            for step in steps if number % 2 == 0 else reversed(steps):
                step()
    return compared


def _place_for_restores(folder: Path, tree: Tree) -> Path:
    """In memory where there is room: ext4 takes minutes to forget a tree that was deleted."""
    has_room = _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * tree.size_bytes
    return _MEMORY if has_room else folder


def _measure_ours(
    installation: coffre.Installation, folder: Path, target: Path, plan: Plan, side: Side
) -> None:
    tree, note = plan.tree, partial(_note, plan.say, "coffre", installation.cpu_by_name)
    client = coffre.Client(installation, folder, tree.folder)
    client.choose_password()
    measuring.reset_peak(installation.ingest_pid)
    warm(tree.folder)
    summary = note("first copy", side.first, client.run)
    side.ingest_bytes.append(measuring.peak_bytes(installation.ingest_pid))
    if summary["files_total"] != tree.files:
        raise measuring.ProgramFailed(f"{summary['files_total']} of {tree.files} files copied")
    side.stored_bytes.append(client.stored_bytes())
    rows = installation.count_settled_rows()
    warm(tree.folder)
    for _ in range(plan.repeats):
        summary = note("unchanged", side.again, client.run)
        if summary["bytes_sent"] or summary["files_new"] or summary["files_changed"]:
            raise measuring.ProgramFailed(f"an unchanged tree seemed changed: {summary}")
    side.rows_added.append((installation.count_settled_rows() - rows) // plan.repeats)
    for _ in range(plan.repeats):
        with _restored(target, tree):
            note("restore", side.restore, lambda: (client.restore(target), {}))


def _measure_restic(
    open_peer: Callable[[], AbstractContextManager[restic.Restic]],
    target: Path,
    plan: Plan,
    side: Side,
) -> None:
    tree = plan.tree
    with open_peer() as peer:
        note = partial(_note, plan.say, "restic", peer.cpu_by_name)
        warm(tree.folder)
        note("first copy", side.first, lambda: (peer.backup(tree.folder), {}))
        side.stored_bytes.append(peer.stored_bytes())
        warm(tree.folder)
        for _ in range(plan.repeats):
            note("unchanged", side.again, lambda: (peer.backup(tree.folder), {}))
        for _ in range(plan.repeats):
            with _restored(target, tree):
                note("restore", side.restore, lambda: (peer.restore(target), {}))


def _note(
    say: Callable[[str], None],
    who: str,
    cpu_by_name: Callable[[], dict[str, float]],
    what: str,
    steps: list[Step],
    do: Callable[[], tuple[measuring.Took, dict[str, Any]]],
) -> dict[str, Any]:
    """Does one step and keeps what it took; returns what the client says of it."""
    before = cpu_by_name()
    took, summary = do()
    servers = {name: used - before.get(name, 0.0) for name, used in cpu_by_name().items()}
    steps.append(Step(took, servers))
    say(
        f"{who} {what}: {took.seconds:.1f} s, processor {took.cpu_seconds:.1f} s"
        f" and servers {sum(servers.values()):.1f} s, peak {took.peak_bytes / 1e6:.0f} MB"
    )
    return summary


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
