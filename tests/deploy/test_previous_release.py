"""The release before works on the schema of this one, as it must while a new version is rolled out.

It is the last commit before this one that is called "Release" with a version.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STORIES = (
    "tests/journey/test_journey.py",
    "tests/contract/test_life.py",
    "tests/ingest/test_first_path.py",
    "tests/quota/test_cases.py",
    "tests/reporting/test_queue.py",
    "tests/retention/test_collection.py",
    "tests/portal/test_orders.py",
    "tests/portal/test_signing.py",
)
"""What goes through all services, and through each of them, as the release before had it."""


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, check=False)


def migrations(root: Path) -> list[Path]:
    """All migrations of a tree, relative to it."""
    found = [*root.glob("services/*/migrations/*.sql"), *root.glob("libs/shared/migrations/*/*")]
    return [file.relative_to(root) for file in found]


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_its_stories_hold_on_the_schema_of_this_version(tmp_path: Path) -> None:
    told = git(
        "log", "--format=%H", "-1", "-E", "--grep=^Release [0-9]+[.][0-9]+[.][0-9]+$", "HEAD~"
    )
    previous = told.stdout.decode().strip()
    if not previous:
        pytest.skip("the history lacks the release before: git fetch --unshallow")
    archive = git("archive", previous)
    assert archive.returncode == 0, archive.stderr
    release = tmp_path / "release"
    release.mkdir()
    subprocess.run(["tar", "-x", "-C", release], input=archive.stdout, check=True)
    theirs = migrations(release)
    for file in theirs:
        assert (release / file).read_bytes() == (ROOT / file).read_bytes(), f"{file} was changed"
    for file in migrations(ROOT):
        shutil.copyfile(ROOT / file, release / file)
    there = [story for story in STORIES if (release / story).exists()]
    options = ["-q", "-n", "0", "-p", "no:cacheprovider", "-m", "not long"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, f"--basetemp={tmp_path / 'base'}", *there],
        cwd=release,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout[-8000:]
