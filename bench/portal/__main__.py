"""A provider of a thousand clients with three years of runs: its portal asked as by browsers.

`python -m bench.portal` starts an installation of its own, fills it with some 10 GB, and writes its
part of docs/benchmarks.md; --small tries it in some minutes.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from bench import measuring
from bench.page import PAGE, replace
from bench.portal import asking, page


def main() -> int:
    """Fills, asks, prints, writes; 0 unless a page failed."""
    parser = argparse.ArgumentParser(prog="python -m bench.portal", description=__doc__)
    default = Path(tempfile.gettempdir()) / "coffre-bench"
    parser.add_argument("--dir", type=Path, default=default, help=f"where to work ({default})")
    parser.add_argument("--small", action="store_true", help="little of everything, to try it")
    parser.add_argument("--zip-gb", type=int, default=5, help="how large the archive is")
    parser.add_argument("--dry", action="store_true", help="leave docs/benchmarks.md as it is")
    options = parser.parse_args()
    wish = asking.SMALL if options.small else asking.Wish(zip_bytes=options.zip_gb * 10**9)

    when = measuring.describe_run(is_small=options.small)
    measured = asking.measure(options.dir.resolve() / "portal", wish, _say)
    lines = [when, "", *page.render(measured)]
    print("\n".join(lines))
    if not (options.dry or options.small):
        PAGE.write_text(replace(PAGE.read_text(), "portal", lines))
    print(json.dumps(measured))
    return 1 if page.count_failed(measured) else 0


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
