"""Ingest's share: packs through ingest, against the same bytes put straight to the store."""

from __future__ import annotations

import io
import os
import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import minio

from bench.coffre import Client, Installation
from bench.measuring import ProgramFailed
from libs.shared import packs

IN_FLIGHT = 4
PACKS = 12


def measure(installation: Installation, folder: Path, tree: Path, rounds: int) -> dict[str, float]:
    """Bytes a second on both ways, medians of `rounds` in turn."""
    ours: list[float] = []
    direct: list[float] = []
    for number in range(rounds):
        client = Client(installation, folder / f"uploads-{number}", tree)
        identity = client.identity()
        with httpx2.Client(
            base_url=installation.described["ingest"]["url"],
            headers={"Authorization": f"Bearer {identity['token']}"},
            timeout=120,
        ) as http:
            run_id = _start_run(http)
            built = list(_build_packs(tree, bytes.fromhex(identity["chunk_key"]), number))
            ways: list[tuple[list[float], Callable[[packs.Pack], None]]]
            ways = [(ours, partial(_put, http, run_id)), (direct, _putter(installation))]
            for rates, put in ways if number % 2 else reversed(ways):
                rates.append(_rate(built, put))
    return {
        "ingest_bytes_per_second": median(ours),
        "direct_bytes_per_second": median(direct),
        "ratio": median(ours) / median(direct),
    }


def _start_run(http: httpx2.Client) -> str:
    declared = http.put(
        "/v1/plans/uploads",
        json={"folders": ["/x"], "exclude": [], "schedule": "0 3 * * *", "timezone": "UTC"},
    )
    plan_id = declared.raise_for_status().json()["plan_id"]
    start = {"plan_id": plan_id, "parent": None, "run_key": str(uuid4())}
    return str(http.post("/v1/runs", json=start).raise_for_status().json()["run_id"])


def _build_packs(tree: Path, chunk_key: bytes, seed: int) -> Iterator[packs.Pack]:
    """Packs of real files in a random order, as an agent makes them."""
    builder = packs.PackBuilder()
    made = 0
    for content in _read_chunks(tree, chunk_key, seed):
        payload, encoding = packs.compress(content)
        builder.add(packs.chunk_id(content, chunk_key), payload, len(content), encoding)
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


def _rate(built: list[packs.Pack], put: Callable[[packs.Pack], None]) -> float:
    started = time.perf_counter()
    with ThreadPoolExecutor(IN_FLIGHT) as threads:
        list(threads.map(put, built))
    return sum(len(pack.body) for pack in built) / (time.perf_counter() - started)


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
