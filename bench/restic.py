"""The peer: restic over `rclone serve restic` on a local folder."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench import measuring


class Restic:
    """A fresh repository (version 2, compression auto) behind a running rclone."""

    def __init__(self, folder: Path, url: str, server: psutil.Process) -> None:
        self.folder = folder
        self.server = server
        self.repository = folder / "repository"
        self._environ = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder),
            "RESTIC_REPOSITORY": f"rest:{url}",
            "RESTIC_PASSWORD": "bench",
            "RESTIC_CACHE_DIR": str(folder / "cache"),
        }

    def _run(self, *arguments: str) -> measuring.Took:
        return measuring.run(["restic", *arguments], self._environ, self.folder / "restic.log")

    def init(self) -> None:
        """Make the repository."""
        self._run("init", "--repository-version", "2")

    def backup(self, tree: Path) -> measuring.Took:
        """Copy the tree: the first time everything, then what changed."""
        return self._run("backup", "--compression", "auto", "--quiet", str(tree))

    def restore(self, target: Path) -> measuring.Took:
        """Bring the latest copy back."""
        return self._run("restore", "latest", "--target", str(target))

    def stored_bytes(self) -> int:
        """The size of all files of the repository."""
        return sum(path.stat().st_size for path in self.repository.rglob("*") if path.is_file())


@contextmanager
def serve(folder: Path) -> Iterator[Restic]:
    """A new repository in `folder`, removed afterwards."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "repository").mkdir(parents=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = ["rclone", "serve", "restic", "--addr", address, str(folder / "repository")]
    with open(folder / "rclone.log", "wb") as log:
        rclone = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        _wait(f"http://{address}/")
        restic = Restic(folder, f"http://{address}/", psutil.Process(rclone.pid))
        restic.init()
        yield restic
    finally:
        rclone.terminate()
        rclone.wait()
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
