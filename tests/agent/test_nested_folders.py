"""Folders of a plan inside one another: each is a starting point of its own, copied once."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from agent.exclusions import Rules
from agent.walking import large, tree
from agent.walking.tree import FILE, Tree
from tests.trees import compare_trees
from tests.world.clients import Client


def found_by(folders: list[Path], rules: Rules) -> set[str]:
    """The files of a walk, each found once."""
    walked: Counter[str] = Counter()
    for listing in Tree([str(folder) for folder in folders], rules, []).walk():
        assert listing.rows == sorted(listing.rows)
        path = os.fsdecode(listing.path)
        walked.update(f"/{path}/{os.fsdecode(r[0])}" for r in listing.rows if r[1] >> 12 == FILE)
    assert set(walked.values()) <= {1}
    return set(walked)


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_named_folder_of_another_file_system_is_copied() -> None:
    if Path("/dev").stat().st_dev == Path("/dev/shm").stat().st_dev:
        pytest.skip("this machine has no file system mounted below /dev")
    mine = touch(Path("/dev/shm") / f"coffre-{os.getpid()}", "a", "b/c")
    everything_of_dev = Rules(("/dev/*",), one_file_system=True)
    try:
        for folders in ([Path("/dev"), mine], [mine / "b", Path("/dev"), mine]):
            assert found_by(folders, everything_of_dev) == {f"{mine}/a", f"{mine}/b/c"}
        # What lies beside it on that other file system is left out as before.
        assert found_by([Path("/dev"), mine / "b"], everything_of_dev) == {f"{mine}/b/c"}
        only_its_own = Rules(("/dev/*", "!/dev/shm/"), one_file_system=True)
        assert found_by([Path("/dev"), mine / "b"], only_its_own) == {f"{mine}/b/c"}
    finally:
        (mine / "a").unlink()
        (mine / "b" / "c").unlink()
        (mine / "b").rmdir()
        mine.rmdir()


def test_a_named_folder_is_copied_from_wherever_it_lies(tmp_path: Path) -> None:
    s = touch(tmp_path / "s", "a", "cache/x", "cache/wanted/y", "marked/.nobackup", "marked/z")
    touch(s, "marked/deep/wanted/w", "marked/deep/other/v")
    wanted = [s, s / "cache" / "wanted", s / "marked" / "deep" / "wanted"]
    rules = Rules(("cache",), markers=(b".nobackup",))
    names = ("a", "cache/wanted/y", "marked/.nobackup", "marked/deep/wanted/w")
    assert found_by(wanted, rules) == {f"{s}/{name}" for name in names}
    # In its own folder a mark has no say, and patterns are the folder's own.
    touch(s, "cache/wanted/.nobackup", "cache/wanted/log/a", "log/a")
    found = found_by(wanted, Rules(("cache", "/log"), markers=(b".nobackup",)))
    assert f"{s}/cache/wanted/y" in found
    assert not {each for each in found if "/log/" in each}
    from_outside = Rules((f"{s}/log",))
    assert f"{s}/log/a" not in found_by(wanted, from_outside)
    assert f"{s}/cache/wanted/log/a" in found_by(wanted, from_outside)


def test_a_named_folder_behind_a_symlink_is_copied(tmp_path: Path) -> None:
    disk = touch(tmp_path / "disk", "a", "home/b")
    s = touch(tmp_path / "s", "c")
    (s / "all").symlink_to(disk)
    assert found_by([s], Rules()) == {f"{s}/c"}
    assert found_by([s, s / "all"], Rules()) == {f"{s}/c", f"{s}/all/a", f"{s}/all/home/b"}
    assert found_by([s, s / "all" / "home"], Rules()) == {f"{s}/c", f"{s}/all/home/b"}


def test_a_named_folder_in_a_large_one_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tree, "LARGE_FOLDER_ENTRIES", 50)
    monkeypatch.setattr(large, "_SLICE_ENTRIES", 7)
    names = [f"{number:03}" for number in range(200)]
    s = touch(tmp_path / "s", *names, "0505/x", "1001/deep/y", "1001/z")
    rules = Rules(("05*", "1001"))
    kept = {f"{s}/{name}" for name in names if not name.startswith("05")}
    wanted = [s, s / "0505", s / "1001" / "deep"]
    assert found_by(wanted, rules) == kept | {f"{s}/0505/x", f"{s}/1001/deep/y"}


def test_folders_in_folders_come_back_and_an_empty_one_is_seen(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    inner = touch(papers / "left out" / "inner", "a", "b")
    plan = {"folders": [str(papers), str(inner)], "exclude": ["left out/"]}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    assert machine.run()["files_total"] == 5
    assert machine.run()["files_new"] == 0
    client.restore(machine, tmp_path / "back")
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    # Another, empty folder in its place is no success, however much the outer one holds.
    inner.rename(tmp_path / "elsewhere")
    inner.mkdir()
    failed = machine.run(expect=1)["error"]
    assert (failed["code"], failed["subject"]) == ("folder-swapped", str(inner))
