"""What builds the packages: kept beside our own environment, at the locked versions."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

LOCK = "requirements-package.lock"


def prepare(root: Path, python: Path) -> Path:
    """The folder of the tools' programs; they run on the Python that is to be bundled."""
    lock = root / LOCK
    told = subprocess.run([python, "-VV"], capture_output=True, check=True).stdout
    mark = hashlib.sha256(told + str(python).encode() + lock.read_bytes()).hexdigest()[:12]
    folder = root / ".coffre" / f"release-tools-{mark}"
    if not (folder / "complete").exists():
        subprocess.run([python, "-m", "venv", "--clear", folder], check=True)
        install(python, folder / "bin" / "python", "--require-hashes", "-r", lock)
        (folder / "complete").touch()
    return folder / "bin"


def install(python: Path, into: Path, *what: str | Path) -> None:
    """By one Python's pip into another's environment, and nothing that isn't named."""
    pip: list[str | Path] = [python, "-m", "pip", "--python", into]
    pip += ["--disable-pip-version-check", "--no-input"]
    subprocess.run([*pip, "install", "-qq", "--no-deps", *what], check=True)
