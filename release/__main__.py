"""`python -m release`: the agent's packages, their sums, and the provider's signature."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from release import bundle, glibc, old_python, onefile, packages, sbom, signing, tools, wheel
from release.signing import Key

ROOT = Path(__file__).parents[1]
DIST = ROOT / "dist"
KEY_FILE = ROOT / ".coffre" / "release-key.pem"
OLDEST_GLIBC = (2, 28)
"""That of RHEL 8 and Debian 10: what the agent should run on."""


def main() -> None:
    """Build all, or only sum up and sign what is there."""
    given = _arguments()
    key = signing.open_key(given.key, make=given.key == KEY_FILE)
    if not given.sign_only:
        python = Path(given.python)
        if given.glibc is not None:
            python = old_python.prepare(ROOT, given.glibc, given.sources)
        build(given.output, python, key, given.glibc)
    signing.sign(given.output, key)
    for line in (given.output / signing.SUMS).read_text().splitlines():
        size = (given.output / line.split("  ")[1]).stat().st_size
        print(f"  {size / 1e6:7.1f} MB  {line}")
    print(f"Signed with {given.key}, in {given.output}.")


def build(output: Path, python: Path, key: Key, promised: str | None = None) -> None:
    """All that can be built on this machine; replaces what was in the folder.

    promised: the newest glibc that the result may need; SystemExit where it needs a newer one.
    """
    os.environ["SOURCE_DATE_EPOCH"] = str(_epoch())
    os.umask(0o022)
    output.mkdir(parents=True, exist_ok=True)
    for old in output.iterdir():
        old.unlink()
    with tempfile.TemporaryDirectory(prefix="coffre-release-") as scratch:
        work = Path(scratch)
        at_hand = tools.prepare(ROOT, python)
        built = wheel.build(ROOT, work, output)
        lock = output / f"coffre-agent-{wheel.VERSION}-requirements.txt"
        shutil.copyfile(ROOT / "requirements-agent.lock", lock)
        environment = bundle.environment(work, python, lock, built)
        folder = bundle.build(work, at_hand, environment, key.public_hex)
        needed = glibc.needed(folder)
        if promised is not None and needed > _version(promised):
            told = ", ".join(glibc.asking_for(folder, needed))
            raise SystemExit(f"Needs glibc {needed[0]}.{needed[1]}, for {told}")
        sbom.write(output, at_hand, environment, folder)
        onefile.write(output, folder, needed)
        packages.write(work, output, at_hand, folder, needed)
    signing.describe(output, ".".join(map(str, needed)))
    print(f"The agent's bundle needs glibc {needed[0]}.{needed[1]} or newer.")
    if needed > OLDEST_GLIBC:
        print(
            "  For older systems: ./run package --glibc 2.28 --sources FOLDER, as "
            "docs/operations.md says."
        )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="./run package", description=__doc__)
    parser.add_argument("--output", type=Path, default=DIST, help="the folder; else dist")
    parser.add_argument(
        "--key",
        type=Path,
        default=KEY_FILE,
        help="the provider's private key (Ed25519, PEM); else .coffre/release-key.pem, which is "
        "made the first time",
    )
    parser.add_argument(
        "--python",
        default=sys.executable,
        help="the Python to bundle; the result runs where this one does",
    )
    parser.add_argument(
        "--glibc",
        type=_glibc,
        help="bundle a Python built here for systems with this glibc, such as 2.28",
    )
    parser.add_argument(
        "--sources",
        type=Path,
        help="the folder with the sources of that Python and its libraries",
    )
    parser.add_argument(
        "--sign-only",
        action="store_true",
        help="build nothing: sum up and sign what lies in the folder, such as Windows' archive",
    )
    given = parser.parse_args()
    if (given.glibc is None) != (given.sources is None):
        parser.error("--glibc needs --sources, and the other way round")
    return given


def _glibc(text: str) -> str:
    if not re.fullmatch(r"2\.[0-9]{1,2}", text):
        raise argparse.ArgumentTypeError("write it as 2.28")
    return text


def _version(text: str) -> tuple[int, int]:
    major, minor = text.split(".")
    return int(major), int(minor)


def _epoch() -> int:
    """The time that all files bear: that of the commit, so that a build can be repeated."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return int(given)
    told = subprocess.run(
        ["git", "log", "-1", "--format=%ct"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return int(told.stdout)


if __name__ == "__main__":
    main()
