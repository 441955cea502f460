"""A Python for systems that are older than the one that builds, kept until its recipe changes."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

from release import tools

_RECIPE = Path(__file__).with_suffix(".sh")
_LOCK = Path(__file__).with_name("zig.lock")


def prepare(root: Path, glibc: str, sources: Path) -> Path:
    """That Python, built within half an hour where there is none yet; it needs no newer glibc.

    sources: the folder with its sources, as the recipe says.
    """
    named = "".join(sorted(file.name for file in sources.iterdir()))
    told = _RECIPE.read_bytes() + _LOCK.read_bytes() + named.encode()
    mark = hashlib.sha256(told).hexdigest()[:12]
    place = root / ".coffre" / f"python-for-glibc-{glibc}-{mark}"
    if not (place / "complete").exists():
        zig = root / ".coffre" / f"zig-{mark}"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", "--clear", zig], check=True)
        python = zig / "bin" / "python"
        tools.install(Path(sys.executable), python, "--require-hashes", "-r", _LOCK)
        log = place.with_suffix(".log")
        with log.open("wb") as output:
            done = subprocess.run(
                [_RECIPE, python, glibc, sources, place],
                stdout=output,
                stderr=subprocess.STDOUT,
                check=False,
            )
        if done.returncode:
            raise SystemExit(f"No Python for glibc {glibc} could be built: see {log}")
        (place / "complete").touch()
    return place / "bin" / "python3"
