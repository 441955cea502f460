"""Ingest's share: packs through ingest into either store, against an SDK's put to SeaweedFS."""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import minio

from bench import coffre
from bench.coffre import Client, Installation, Store
from bench.measuring import ProgramFailed
from libs.shared import packs

IN_FLIGHT = 4
PACKS = 12


@dataclass
class Way:
    """One way to put packs: bytes a second of each round, and processor seconds for each MB.

    added_seconds: of ingest and its database, whose work is what ingest adds to a store's own.
    """

    bytes_per_second: list[float] = field(default_factory=list)
    added_seconds: list[float] = field(default_factory=list)
    store_seconds: list[float] = field(default_factory=list)


@dataclass
class Uploads:
    """Packs through ingest into each store, and put straight into SeaweedFS by the SDK."""

    ours: dict[Store, Way] = field(default_factory=lambda: {"s3": Way(), "file": Way()})
    direct: Way = field(default_factory=Way)


def measure(folder: Path, tree: Path, rounds: int, say: Callable[[str], None]) -> Uploads:
    """The same packs on all three ways in each round, whose order alternates."""
    found, work = Uploads(), folder / "work"
    with (
        coffre.install(folder / "stack", "s3") as bucket,
        coffre.install(folder / "stack-file", "file") as directory,
    ):
        for number in range(rounds):
            steps = [
                partial(_through, bucket, work / f"s3-{number}", tree, found.ours["s3"]),
                partial(_through, directory, work / f"file-{number}", tree, found.ours["file"]),
                partial(_straight, bucket, tree, found.direct),
            ]
            for step in steps if number % 2 == 0 else reversed(steps):
                say(step(number))
    return found


def _through(installation: Installation, folder: Path, tree: Path, way: Way, number: int) -> str:
    identity = Client(installation, folder, tree).identity()
    with httpx2.Client(
        base_url=installation.described["ingest"]["url"],
        headers={"Authorization": f"Bearer {identity['token']}"},
        timeout=120,
    ) as http:
        run_id = _start_run(http)
        built = list(_build_packs(tree, bytes.fromhex(identity["chunk_key"]), number))
        return _put_all(installation, built, partial(_put, http, run_id), way)


def _straight(installation: Installation, tree: Path, way: Way, number: int) -> str:
    built = list(_build_packs(tree, bytes(32), number))
    return _put_all(installation, built, _putter(installation), way)


def _put_all(
    installation: Installation,
    built: list[packs.Pack],
    put: Callable[[packs.Pack], None],
    way: Way,
) -> str:
    before = installation.cpu_by_name()
    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        list(threads.map(put, built))
    seconds = time.perf_counter() - started
    used = {name: now - before[name] for name, now in installation.cpu_by_name().items()}
    packed_bytes = sum(len(pack.body) for pack in built)
    way.bytes_per_second.append(packed_bytes / seconds)
    way.added_seconds.append((used["ingest"] + used["postgresql"]) / packed_bytes * 1e6)
    way.store_seconds.append(used.get("seaweedfs", 0.0) / packed_bytes * 1e6)
    shares = ", ".join(
        f"{name} {each / packed_bytes * 1e9:.2f}" for name, each in used.items() if each > 0.05
    )
    return f"{packed_bytes / 1e6:.0f} MB at {packed_bytes / seconds / 1e6:.0f} MB/s: {shares} ms/MB"


def _start_run(http: httpx2.Client) -> str:
    declared = http.put(
        "/v1/plans/uploads",
        json={"folders": ["/x"], "exclude": [], "schedule": "0 3 * * *", "timezone": "UTC"},
    )
    plan_id = declared.raise_for_status().json()["plan_id"]
    start = {"plan_id": plan_id, "parent": None, "run_key": str(uuid4())}
    return str(http.post("/v1/runs", json=start).raise_for_status().json()["run_id"])


def _build_packs(tree: Path, chunk_key: bytes, seed: int) -> Iterator[packs.Pack]:
    """Packs of real files in a random order, as an agent makes them: no chunk comes twice."""
    builder = packs.PackBuilder()
    made = 0
    seen: set[bytes] = set()
    for content in _read_chunks(tree, chunk_key, seed):
        chunk_id = packs.chunk_id(content, chunk_key)
        if chunk_id in seen:
            continue
        seen.add(chunk_id)
        builder.add(chunk_id, content)
        if builder.is_full:
            yield builder.finish()
            builder = packs.PackBuilder()
            made += 1
            if made == PACKS:
                return


def _read_chunks(tree: Path, chunk_key: bytes, seed: int) -> Iterator[memoryview]:
    paths = [Path(parent, name) for parent, _, names in os.walk(tree) for name in names]
    random.Random(seed).shuffle(paths)
    chunker = packs.Chunker(chunk_key)
    for path in paths:
        if not path.is_symlink():
            with open(path, "rb", buffering=0) as file:
                yield from chunker.cut(file)


def _put(http: httpx2.Client, run_id: str, pack: packs.Pack) -> None:
    answer = http.put(f"/v1/runs/{run_id}/packs/{pack.id}", content=bytes(pack.body))
    if answer.status_code != 201:
        raise ProgramFailed(f"a pack was answered {answer.status_code}: {answer.text}")


def _putter(installation: Installation) -> Callable[[packs.Pack], None]:
    s3 = installation.described["s3"]
    client = minio.Minio(
        urlsplit(s3["endpoint"]).netloc,
        s3["access_key"],
        s3["secret_key"],
        secure=False,
        region="us-east-1",
    )

    def put(pack: packs.Pack) -> None:
        size = len(pack.body)
        client.put_object(
            s3["bucket"], f"bench/{uuid4()}", io.BytesIO(pack.body), size, part_size=size
        )

    return put
