"""The bundle in one file: a script that unpacks what hangs on its end, once, and starts it."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import tarfile
from pathlib import Path

from release import wheel

_HEAD = Path(__file__).with_name("onefile.sh")


def write(output: Path, folder: Path, glibc: tuple[int, int]) -> None:
    """The file for any Linux; the agent knows by it how it came here."""
    packed = gzip.compress(_tar(folder), 9, mtime=0)
    head = _HEAD.read_text()
    for key, value in {
        "version": wheel.VERSION,
        "build": hashlib.sha256(packed).hexdigest()[:8],
        "glibc": ".".join(map(str, glibc)),
        "line": str(head.count("\n") + 1),
    }.items():
        head = head.replace(f"@{key}@", value)
    file = output / f"coffre-agent-{wheel.VERSION}-linux-x86_64"
    file.write_bytes(head.encode() + packed)
    file.chmod(0o755)


def _tar(folder: Path) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(folder.rglob("*")):
            told = archive.gettarinfo(file, str(file.relative_to(folder)))
            told.uid = told.gid = 0
            told.uname = told.gname = "root"
            told.mtime = int(os.environ["SOURCE_DATE_EPOCH"])
            if told.isreg():
                with file.open("rb") as opened:
                    archive.addfile(told, opened)
            else:
                archive.addfile(told)
        by = b"file\n"
        told = tarfile.TarInfo("_internal/installed-by")
        told.size, told.mtime, told.mode = len(by), int(os.environ["SOURCE_DATE_EPOCH"]), 0o644
        archive.addfile(told, io.BytesIO(by))
    return packed.getvalue()
