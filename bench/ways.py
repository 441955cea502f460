"""The ways to measure a copy: what is compared with what, and on which cores."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench import coffre, copy, measuring, restic

Name = Literal["shared", "apart", "beside"]


@dataclass(frozen=True)
class Way:
    """One comparison; goals: how many times as fast as restic each step is to be, at least."""

    name: Name
    store: coffre.Store
    goals: dict[str, float]

    @property
    def title(self) -> str:
        """As tables name it."""
        cores = "one core each" if self.name == "apart" else "shared cores"
        return f"{_STORES[self.store]}, {cores}, {_PEERS[self.name]}"


Measured = list[tuple[Way, copy.Compared]]

_STORES: dict[coffre.Store, str] = {"s3": "SeaweedFS", "file": "folder"}
_PEERS: dict[Name, str] = {
    "shared": "restic by rclone",
    "apart": "restic by rclone",
    "beside": "restic by S3 in the same SeaweedFS",
}
_ALL = {"again": 5.0, "restore": 1.5}

WAYS = (
    Way("shared", "s3", {"first": 1.2, **_ALL}),
    Way("beside", "s3", {"first": 2.0, **_ALL}),
    Way("apart", "s3", _ALL),
    Way("shared", "file", {"first": 1.6, **_ALL}),
    Way("apart", "file", {"first": 2.0, **_ALL}),
)


def measure(folder: Path, ways: Iterable[Way], plan: copy.Plan) -> Measured:
    """Each way with an installation of its own, where one of the same kind isn't running yet."""
    found: Measured = []
    for (store, is_apart), alike in _grouped(ways).items():
        cores = measuring.one_each() if is_apart else measuring.ANYWHERE
        with coffre.install(folder / "stack", store, cores) as installation:
            for way in alike:
                plan.say(way.title)
                peer = restic.in_bucket if way.name == "beside" else restic.behind_rclone
                found.append(
                    (way, copy.measure(installation, folder / "work" / way.name, peer, plan))
                )
        for name in ("stack", "work"):
            shutil.rmtree(folder / name, ignore_errors=True)
    return found


def _grouped(ways: Iterable[Way]) -> dict[tuple[coffre.Store, bool], list[Way]]:
    groups: dict[tuple[coffre.Store, bool], list[Way]] = {}
    for way in ways:
        groups.setdefault((way.store, way.name == "apart"), []).append(way)
    return groups
