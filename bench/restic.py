"""The peer: restic over `rclone serve restic` on a local folder, or by S3 into a bucket of ours."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil

from bench import measuring
from bench.coffre import Installation
from libs.shared.objects import ObjectStore


class Restic:
    """A fresh repository (version 2, compression auto), wherever it lies.

    cpu_by_name: processor seconds used so far by each server that it needs.
    """

    def __init__(
        self,
        folder: Path,
        environ: Mapping[str, str],
        cores: frozenset[int] | None,
        cpu_by_name: Callable[[], dict[str, float]],
        stored_bytes: Callable[[], int],
    ) -> None:
        self.cpu_by_name = cpu_by_name
        self.stored_bytes = stored_bytes
        self._folder = folder
        self._cores = cores
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RESTIC_PASSWORD": "bench",
            "RESTIC_CACHE_DIR": str(folder / "cache"),
            **environ,
        }
        self._run("init", "--repository-version", "2")

    def _run(self, *arguments: str) -> measuring.Took:
        log = self._folder / "restic.log"
        return measuring.run(["restic", *arguments], self._environ, log, self._cores)

    def backup(self, tree: Path) -> measuring.Took:
        """Copy the tree: the first time everything, then what changed."""
        return self._run("backup", "--compression", "auto", "--quiet", str(tree))

    def restore(self, target: Path) -> measuring.Took:
        """Bring the latest copy back."""
        return self._run("restore", "latest", "--target", str(target))


@contextmanager
def behind_rclone(folder: Path, installation: Installation) -> Iterator[Restic]:
    """A new repository in `folder`, on the cores of this installation; removed afterwards."""
    repository = folder / "repository"
    shutil.rmtree(folder, ignore_errors=True)
    repository.mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = ["rclone", "serve", "restic", "--addr", address, str(repository)]
    with (
        open(folder / "rclone.log", "wb") as log,
        measuring.starting_on(installation.cores.servers),
    ):
        rclone = subprocess.Popen(command, stdout=log, stderr=log)
    server = psutil.Process(rclone.pid)

    def add_up() -> int:
        return sum(path.stat().st_size for path in repository.rglob("*") if path.is_file())

    try:
        _wait(f"http://{address}/")
        yield Restic(
            folder,
            {"RESTIC_REPOSITORY": f"rest:http://{address}/"},
            installation.cores.client,
            lambda: {"rclone": measuring.cpu_seconds([server])},
            add_up,
        )
    finally:
        rclone.terminate()
        rclone.wait()
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def in_bucket(folder: Path, installation: Installation) -> Iterator[Restic]:
    """A new repository in a bucket beside the installation's, in the same S3 server."""
    s3 = installation.described["s3"]
    bucket = f"restic-{uuid4().hex[:8]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)

    def open_bucket() -> ObjectStore:
        return ObjectStore.in_s3(s3["endpoint"], s3["access_key"], s3["secret_key"], bucket)

    async def make() -> None:
        store = open_bucket()
        await store.ensure_bucket()
        await store.close()

    async def add_up() -> int:
        store = open_bucket()
        sizes = [size async for _, size in store.list("")]
        await store.close()
        return sum(sizes)

    asyncio.run(make())
    try:
        yield Restic(
            folder,
            {
                "RESTIC_REPOSITORY": f"s3:{s3['endpoint']}/{bucket}",
                "AWS_ACCESS_KEY_ID": s3["access_key"],
                "AWS_SECRET_ACCESS_KEY": s3["secret_key"],
            },
            installation.cores.client,
            lambda: {"seaweedfs": installation.cpu_by_name()["seaweedfs"]},
            lambda: asyncio.run(add_up()),
        )
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _wait(url: str) -> None:
    for _ in range(100):
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise measuring.ProgramFailed("rclone did not start")
