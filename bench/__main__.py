"""Measures Coffre against its peers, in one run on this machine, and writes docs/benchmarks.md.

`./run bench` measures everything; see --help for less.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench import (
    catalogue,
    coffre,
    copy,
    crowd,
    large,
    line,
    measuring,
    months,
    results,
    tree,
    uploads,
)

ROOT = Path(__file__).parents[1]


def main() -> int:
    """Measures, prints, writes; 0 unless something failed."""
    options = _parser().parse_args()
    for program in ("restic", "rclone"):
        if shutil.which(program) is None:
            print(f"{program} isn't installed: it is what the copy is measured against.")
            return 1
    folder: Path = options.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    try:
        measured = _measure(folder, options)
    except measuring.ProgramFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    text = results.render(measured)
    print(text)
    if not options.dry:
        (ROOT / "docs" / "benchmarks.md").write_text(text)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--rounds", type=int, default=3, help="how often each step is measured")
    parser.add_argument("--dry", action="store_true", help="leave docs/benchmarks.md as it is")
    return parser


def _measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    _say("gathering a tree of real files")
    gathered = tree.gather(folder / "tree")
    _say(gathered.describe())
    _make_room(folder)
    work = folder / "work"
    with coffre.install(folder / "stack") as installation:
        ours, theirs = copy.measure(installation, work, gathered, options.rounds, 3, _say)
        _say("uploading packs")
        share = uploads.measure(installation, work, gathered.folder, options.rounds)
        _say("copying small files over a long line")
        distant = line.measure(installation, work, options.rounds)
        _say("copying with fifty agents at once")
        crowded = crowd.measure(installation, work)
        _say("copying a file of 10 GB, and again after 1 % of it changed")
        changed = large.measure(installation, work)
    _make_room(folder)
    _say("asking a catalogue of ten million versions")
    asked = catalogue.measure(folder, _say)
    _say("closing a month of a thousand clients")
    closed = months.measure(folder)
    _say("publishing events")
    events = _measure_apart("bench.events")
    _say("handling a million events of volume")
    counted = _measure_apart("bench.volumes")
    _say("handing over mails")
    mails = _measure_apart("bench.mails")
    _make_room(folder)
    return {
        "machine": measuring.describe_machine(),
        "tree": gathered.describe(),
        "rounds": options.rounds,
        "versions": measuring.versions(),
        "ours": ours,
        "theirs": theirs,
        "uploads": share,
        "line": distant,
        "crowd": crowded,
        "large": changed,
        "catalogue": asked,
        "months": closed,
        "events": events,
        "counted": counted,
        "mails": mails,
    }


def _make_room(folder: Path) -> None:
    for name in ("stack", "work"):
        shutil.rmtree(folder / name, ignore_errors=True)


def _measure_apart(module: str) -> dict[str, Any]:
    """What a program of its own measures, with servers of its own."""
    command = [sys.executable, "-m", module]
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(answer.stdout.decode().splitlines()[-1]))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
