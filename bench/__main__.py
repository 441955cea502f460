"""Measures Coffre against its peers, on this machine, and writes docs/benchmarks.md.

`./run bench` measures everything, `./run bench copies` one part; each part is written into the
page as soon as it is measured.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
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
    page,
    results,
    tree,
    uploads,
    ways,
)
from bench.portal import asking
from bench.portal import page as portal_page

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Bench:
    """Where to work, and how much of it."""

    folder: Path
    rounds: int
    repeats: int
    is_small: bool
    ways: list[ways.Way]

    def gather(self) -> tree.Tree:
        """The tree that is copied."""
        _say("gathering a tree of real files")
        name, share = ("tree-small", tree.SMALL) if self.is_small else ("tree", tree.WHOLE)
        gathered = tree.gather(self.folder / name, share=share)
        _say(gathered.describe())
        return gathered

    def make_room(self) -> None:
        """Removes what another part left."""
        for name in ("stack", "stack-file", "work"):
            shutil.rmtree(self.folder / name, ignore_errors=True)


def main() -> int:
    """Measures, prints, writes; 0 unless something failed."""
    options = _parser().parse_args()
    for program in ("restic", "rclone"):
        if shutil.which(program) is None:
            print(f"{program} isn't installed: it is what the copy is measured against.")
            return 1
    bench = _begin(options)
    try:
        for name in options.part or PARTS:
            when = measuring.describe_run(is_small=bench.is_small)
            lines = [when, "", *PARTS[name](bench)]
            print("\n".join(lines), flush=True)
            if not options.dry:
                page.PAGE.write_text(page.replace(page.PAGE.read_text(), name, lines))
    except measuring.ProgramFailed as failed:
        print(failed, file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="./run bench", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument(
        "part",
        nargs="*",
        type=_part,
        help=f"what to measure: {', '.join(PARTS)} (all, in this order)",
    )
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--rounds", type=int, default=3, help="how often each step is measured")
    parser.add_argument(
        "--repeats", type=int, default=2, help="unchanged copies and restores in each round"
    )
    parser.add_argument(
        "--small", action="store_true", help="copy a small tree: a quick look, and no figure"
    )
    parser.add_argument("--store", choices=("s3", "file"), help="copy into this one alone")
    parser.add_argument(
        "--way",
        choices=("shared", "apart", "beside"),
        help="compare copies in this way alone: on shared cores, with one core each for client and"
        " servers, or with restic in the same SeaweedFS",
    )
    parser.add_argument("--dry", action="store_true", help="leave docs/benchmarks.md as it is")
    return parser


def _part(name: str) -> str:
    if name not in PARTS:
        raise argparse.ArgumentTypeError(f"there is no part '{name}': {', '.join(PARTS)}")
    return name


def _begin(options: argparse.Namespace) -> Bench:
    folder: Path = options.dir.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o711)
    chosen = [
        way
        for way in ways.WAYS
        if options.store in (None, way.store) and options.way in (None, way.name)
    ]
    return Bench(folder, options.rounds, options.repeats, options.small, chosen)


def _measure_copies(bench: Bench) -> list[str]:
    gathered = bench.gather()
    bench.make_room()
    plan = copy.Plan(gathered, bench.rounds, bench.repeats, _say)
    measured = ways.measure(bench.folder, bench.ways, plan)
    return [
        (
            f"- Tree: {gathered.describe()}; in the page cache for both sides, and restored to"
            " memory where there is room for it, which was used just before."
        ),
        f"- Peer: {measuring.versions()}; a repository of version 2 with compression `auto`.",
        (
            f"- Times are medians of {bench.rounds} rounds, with {bench.repeats} unchanged copies"
            " and restores in each; peaks are the largest seen."
        ),
        "",
        *results.show_copies(measured, gathered.size_bytes),
    ]


def _measure_uploads(bench: Bench) -> list[str]:
    gathered = bench.gather()
    bench.make_room()
    found = uploads.measure(bench.folder, gathered.folder, bench.rounds, _say)
    bench.make_room()
    return results.show_uploads(found)


def _measure_agents(bench: Bench) -> list[str]:
    bench.make_room()
    work = bench.folder / "work"
    with coffre.install(bench.folder / "stack") as installation:
        _say("copying small files over a long line")
        distant = line.measure(installation, work, bench.rounds)
        _say("copying with fifty agents at once")
        crowded = crowd.measure(installation, work)
        _say("copying a file of 10 GB, and again after 1 % of it changed")
        changed = large.measure(installation, work)
    bench.make_room()
    return results.show_agents({"line": distant, "crowd": crowded, "large": changed})


def _measure_catalogue(bench: Bench) -> list[str]:
    _say("asking a catalogue of ten million versions")
    return results.show_catalogue(catalogue.measure(bench.folder, _say))


def _measure_services(bench: Bench) -> list[str]:
    _say("closing a month of a thousand clients")
    closed = months.measure(bench.folder)
    _say("publishing events")
    events = _measure_apart("bench.events")
    _say("handling a million events of volume")
    counted = _measure_apart("bench.volumes")
    _say("handing over mails")
    mails = _measure_apart("bench.mails")
    return results.show_services(
        {"months": closed, "events": events, "counted": counted, "mails": mails}
    )


def _measure_portal(bench: Bench) -> list[str]:
    _say("asking the portal of a thousand clients")
    wish = asking.SMALL if bench.is_small else asking.Wish()
    return portal_page.render(asking.measure(bench.folder / "portal", wish, _say))


PARTS: dict[str, Callable[[Bench], list[str]]] = {
    "copies": _measure_copies,
    "uploads": _measure_uploads,
    "agents": _measure_agents,
    "catalogue": _measure_catalogue,
    "services": _measure_services,
    "portal": _measure_portal,
}


def _measure_apart(module: str) -> dict[str, Any]:
    """What a program of its own measures, with servers of its own."""
    command = [sys.executable, "-m", module]
    answer = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return dict(json.loads(answer.stdout.decode().splitlines()[-1]))


def _say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    sys.exit(main())
