"""Packages for Debian and Ubuntu, and for the family of Red Hat."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from datetime import UTC, datetime
from pathlib import Path

from release import wheel

UNITS = Path(__file__).with_name("units")
_PLACE = "/usr/lib/coffre-agent"


def write(work: Path, output: Path, at_hand: Path, folder: Path, glibc: tuple[int, int]) -> None:
    """One package of each kind, with the same folder in it."""
    oldest = ".".join(map(str, glibc))
    units = shutil.copytree(UNITS, work / "units", copy_function=shutil.copyfile)
    for built in (folder, units):
        _date(built)
    for kind, needs in (
        ("deb", [f"libc6 (>= {oldest})", "libgcc-s1 | libgcc1"]),
        ("rpm", [f"glibc >= {oldest}", "libgcc"]),
    ):
        by = work / f"installed-by-{kind}"
        by.write_text(f"{kind}\n")
        _date(by)
        recipe = work / f"{kind}.json"
        recipe.write_text(json.dumps(_recipe(folder, by, units, needs)))  # JSON is YAML
        subprocess.run(
            [at_hand / "nfpm", "package", "--config", recipe, "--packager", kind, "-t", output],
            check=True,
            stdout=subprocess.DEVNULL,
        )


def _recipe(folder: Path, by: Path, units: Path, needs: list[str]) -> dict[str, object]:
    made = datetime.fromtimestamp(int(os.environ["SOURCE_DATE_EPOCH"]), UTC)
    return {
        "name": "coffre-agent",
        "version": wheel.VERSION,
        "arch": "amd64",
        "platform": "linux",
        "section": "admin",
        "maintainer": "The provider of Coffre <support@coffre.example>",
        "description": "Copies chosen folders to Coffre, and brings them back.\n"
        "It brings its own Python. `coffre-agent setup` makes it work.",
        "depends": needs,
        "mtime": made.isoformat(),
        "rpm": {"buildhost": "coffre"},
        "contents": [
            {"src": f"{folder}/", "dst": _PLACE, "type": "tree"},
            {"src": str(by), "dst": f"{_PLACE}/_internal/installed-by"},
            {"src": f"{_PLACE}/coffre-agent", "dst": "/usr/bin/coffre-agent", "type": "symlink"},
            {"src": f"{units}/", "dst": "/usr/lib/systemd/system", "type": "tree"},
        ],
    }


def _date(built: Path) -> None:
    """Give all of it one time, so that the same is packed when it is built again."""
    made = int(os.environ["SOURCE_DATE_EPOCH"])
    for each in (built, *built.rglob("*")):
        os.utime(each, (made, made), follow_symlinks=False)
