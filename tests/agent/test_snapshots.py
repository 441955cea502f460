"""Files in use: a plan's folders are read from a snapshot of their file system, of one moment."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent.config import Plan
from agent.config.settings import Snapshot
from agent.exclusions import Rules
from agent.platforms import folders
from agent.snapshots import kinds, mounts, taking
from agent.snapshots.programs import NotTaken
from agent.telling.failures import AgentError
from agent.walking.tree import FILE, Tree
from libs.shared.reasons import Reason
from tests.world.clients import Client
from tests.world.machines import Machine


def run(*argv: object) -> None:
    subprocess.run([str(word) for word in argv], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of btrfs of its own, on a loop device."""
    if os.geteuid() != 0 or not shutil.which("mkfs.btrfs"):
        pytest.skip("needs root and btrfs-progs")
    image, place = tmp_path / "disk.img", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(256 << 20)
    place.mkdir()
    run("mkfs.btrfs", "-q", image)
    try:
        run("mount", "-o", "loop", image, place)
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this machine mounts no loop device of btrfs: {error.stderr!r}")
    try:
        yield place
    finally:
        run("umount", place)


@pytest.fixture
def books(disk: Path) -> Path:
    """An application's folder; `open` is a subvolume in it, and has one inside."""
    folder = disk / "books"
    folder.mkdir()
    (folder / "a-index").write_text("1")
    run("btrfs", "subvolume", "create", folder / "open")
    (folder / "open" / "ledger").write_text("1")
    (folder / "open" / "plain").mkdir()
    run("btrfs", "subvolume", "create", folder / "open" / "plain" / "inner")
    (folder / "open" / "plain" / "inner" / "deep").write_text("1")
    return folder


def dump_that_runs(machine: Machine, script: str) -> None:
    """A dump is taken after the snapshot and before the walk: a program at just that moment."""
    file = machine.folder / "meanwhile.sh"
    file.write_text(f"#!/bin/sh\n{script}\necho done\n")
    file.chmod(0o755)
    dump = {"name": "meanwhile", "type": "command", "command": [str(file)], "end_mark": "done"}
    machine.plans["books"]["dump"] = [dump]


def plan_of(folder: Path, choice: Snapshot = "auto") -> Plan:
    return Plan("p", (str(folder),), (), "0 2 * * *", "UTC", (), True, snapshot=choice)


def leftovers(disk: Path) -> list[str]:
    return [
        str(found)
        for folder, _, _ in os.walk(disk)
        if folder.endswith(os.fsdecode(kinds.FOLDER))
        for found in Path(folder).iterdir()
    ]


@pytest.fixture
def machine(client: Client, tmp_path: Path, books: Path) -> Machine:
    """An enrolled machine that copies the books."""
    return client.machine(tmp_path / "machine", {"books": {"folders": [str(books)]}})


def contents(folder: Path) -> dict[str, str]:
    return {
        str(file.relative_to(folder)): file.read_text()
        for file in sorted(folder.rglob("*"))
        if file.is_file()
    }


def test_all_is_of_one_moment(
    machine: Machine, client: Client, disk: Path, books: Path, tmp_path: Path
) -> None:
    before = contents(books)
    assert set(before) == {"a-index", "open/ledger", "open/plain/inner/deep"}
    machine.plans["books"]["snapshot"] = "required"
    dump_that_runs(machine, f"echo 2 > {books}/a-index; echo > {books}/new")
    assert machine.run()["files_total"] == 4  # the dump as well
    client.restore(machine, tmp_path / "back")
    assert contents(Path(f"{tmp_path}/back{books}")) == before
    assert leftovers(disk) == []
    machine.plans["books"].pop("dump")
    again = machine.run()
    assert (again["files_new"], again["files_changed"], again["files_removed"]) == (1, 1, 1)
    assert machine.run()["files_changed"] == 0


def test_a_subvolume_inside_is_held_from_when_the_walk_comes_to_it(
    disk: Path, books: Path, tmp_path: Path
) -> None:
    plan = plan_of(books)
    seen: dict[str, str] = {}
    told: list[str] = []
    with taking.snapshots(plan, tmp_path, told.append, print) as taken:
        for listing in Tree(plan.folders, Rules(()), taken.own_folders, taken.views).walk():
            for name, mode, *_ in listing.rows:
                if mode >> 12 == FILE:
                    # Whatever becomes of the file now, this is what is copied.
                    Path(os.fsdecode(b"/" + listing.path + b"/" + name)).unlink()
                    with os.fdopen(folders.open_file(name, listing.descriptor)) as file:
                        seen[os.fsdecode(name)] = file.read()
    assert seen == {"a-index": "1", "ledger": "1", "deep": "1"}
    assert len(told) == 3
    assert leftovers(disk) == []


def test_what_is_mounted_inside_is_copied_too(
    machine: Machine, client: Client, books: Path, tmp_path: Path
) -> None:
    inside = books / "ram"
    inside.mkdir()
    run("mount", "-t", "tmpfs", "tmpfs", inside)
    try:
        (inside / "note").write_text("kept")
        machine.run()
        client.restore(machine, tmp_path / "back")
        assert contents(Path(f"{tmp_path}/back{books}"))["ram/note"] == "kept"
        machine.plans["books"]["one_file_system"] = True
        assert machine.run()["files_removed"] == 3  # those of the subvolumes as well
    finally:
        run("umount", inside)


def test_a_whole_disk_is_copied_without_what_snapshots_leave(
    machine: Machine, disk: Path, books: Path
) -> None:
    machine.plans["books"]["folders"] = [str(disk)]
    first = machine.run()
    assert (first["files_total"], first["outcome"]) == (3, "succeeded")
    again = machine.run()
    assert (again["files_total"], again["files_changed"]) == (3, 0)


def test_a_symlink_that_the_plan_names_is_seen_through(
    machine: Machine, client: Client, books: Path, tmp_path: Path
) -> None:
    link = tmp_path / "link"
    link.symlink_to(books)
    machine.plans["books"]["folders"] = [str(link)]
    dump_that_runs(machine, f"echo 2 > {books}/a-index")
    machine.run()
    client.restore(machine, tmp_path / "back")
    assert contents(Path(f"{tmp_path}/back{link}"))["a-index"] == "1"


def test_a_run_that_was_killed_leaves_a_snapshot_which_the_next_removes(
    machine: Machine, disk: Path, books: Path
) -> None:
    dump_that_runs(machine, "kill -9 $PPID")
    assert machine.agent("run", "books").returncode == -9
    assert len(leftovers(disk)) == 1
    machine.plans["books"].pop("dump")
    (books / "a-index").write_text("later")
    assert machine.run()["files_total"] == 3
    assert leftovers(disk) == []


def test_off_reads_the_files_as_they_are(machine: Machine, disk: Path, books: Path) -> None:
    machine.plans["books"]["snapshot"] = "off"
    dump_that_runs(machine, f"rm {books}/open/ledger")
    assert machine.run()["files_total"] == 3
    assert leftovers(disk) == []


def test_where_there_are_no_snapshots_auto_reads_in_place_and_required_fails(
    client: Client, tmp_path: Path
) -> None:
    shm = Path("/dev/shm") / f"coffre-{os.getpid()}"
    shm.mkdir()
    try:
        (shm / "file").write_text("1")
        machine = client.machine(tmp_path / "machine", {"ram": {"folders": [str(shm)]}})
        assert machine.run()["files_total"] == 1
        machine.plans["ram"]["snapshot"] = "required"
        failed = machine.run(expect=1)
        assert failed["error"]["code"] == "snapshot-not-taken"
        assert failed["error"]["detail"] == "tmpfs has no snapshots"
    finally:
        shutil.rmtree(shm)


def test_a_mere_user_without_the_right_reads_in_place(machine: Machine, books: Path) -> None:
    books.parent.chmod(0o555)
    summary = machine.run(mere_user=True)
    assert (summary["files_total"], summary["outcome"]) == (3, "succeeded")


# --- kinds that this machine can't make: the commands that would run


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs that write down how they are called, and answer what `answers/NAME` says."""
    folder = tmp_path / "bin"
    folder.mkdir()
    log = tmp_path / "called"
    for name in ("lvs", "lvcreate", "lvremove", "mount", "umount", "zfs"):
        file = folder / name
        file.write_text(
            f'#!/bin/sh\necho {name} "$@" >> {log}\n'
            f"[ -e {folder}/fails-$1-{name} ] && {{ echo no room >&2; exit 5; }}\n"
            f"cat {folder}/answer-{name} 2>/dev/null\nexit 0\n"
        )
        file.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def called(programs: Path) -> list[str]:
    return (programs.parent / "called").read_text().splitlines()


def test_a_logical_volume_is_held_mounted_and_let_go(programs: Path, tmp_path: Path) -> None:
    (programs / "answer-lvs").write_text("  vg0 data\n")
    volume = mounts.Mount(b"/srv", "xfs", b"/dev/mapper/vg0-data")
    snapshot = kinds.snapshot_of(b"/srv/books", volume, "coffre-1", tmp_path)
    assert not snapshot.is_cheap
    (programs / "fails-vg0/coffre-1-data-lvs").parent.mkdir(parents=True)
    (programs / "fails-vg0/coffre-1-data-lvs").touch()  # it isn't there yet
    snapshot.take()
    shown = os.fsdecode(snapshot.shows)
    assert called(programs)[1:] == [
        "lvs vg0/coffre-1-data",
        "lvcreate --snapshot --name coffre-1-data --extents 10%ORIGIN vg0/data",
        f"mount -t xfs -o ro,nodev,nosuid,noexec,nouuid /dev/vg0/coffre-1-data {shown}",
    ]
    (programs / "fails-vg0/coffre-1-data-lvs").unlink()
    snapshot.remove()
    assert called(programs)[-1] == "lvremove --force vg0/coffre-1-data"
    assert not Path(shown).exists()


def test_a_thin_volume_takes_no_room_beforehand(programs: Path, tmp_path: Path) -> None:
    (programs / "answer-lvs").write_text("  vg0 data pool\n")
    volume = mounts.Mount(b"/srv", "ext4", b"/dev/mapper/vg0-data")
    snapshot = kinds.snapshot_of(b"/srv", volume, "coffre-1", tmp_path)
    assert snapshot.is_cheap
    snapshot.take()
    assert "--setactivationskip n vg0/data" in called(programs)[-2]
    assert "--extents" not in called(programs)[-2]


def test_a_volume_that_can_not_be_mounted_is_removed_again(programs: Path, tmp_path: Path) -> None:
    (programs / "answer-lvs").write_text("  vg0 data\n")
    (programs / "fails--t-mount").touch()
    volume = mounts.Mount(b"/srv", "ext4", b"/dev/mapper/vg0-data")
    snapshot = kinds.snapshot_of(b"/srv", volume, "coffre-1", tmp_path)
    with pytest.raises(NotTaken, match="no room"):
        snapshot.take()
    assert called(programs)[-1].startswith("lvremove --force")


def test_a_dataset_is_read_where_zfs_shows_it(programs: Path, tmp_path: Path) -> None:
    dataset = mounts.Mount(b"/tank/srv", "zfs", b"tank/srv")
    snapshot = kinds.snapshot_of(b"/tank/srv/books", dataset, "coffre-1", tmp_path)
    (programs / "fails-list-zfs").touch()  # it isn't there yet
    snapshot.take()
    assert (snapshot.covers, snapshot.shows) == (b"/tank/srv", b"/tank/srv/.zfs/snapshot/coffre-1")
    assert called(programs) == [
        "zfs list -H -t snapshot tank/srv@coffre-1",
        "zfs snapshot tank/srv@coffre-1",
    ]
    (programs / "fails-list-zfs").unlink()
    snapshot.remove()
    assert called(programs)[-1] == "zfs destroy tank/srv@coffre-1"


def test_a_thick_volume_is_left_alone_unless_the_plan_requires_it(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "srv"
    folder.mkdir()
    table = tmp_path / "mountinfo"
    table.write_text(f"1 0 253:0 / {folder} rw shared:1 - ext4 /dev/mapper/vg0-data rw\n")
    monkeypatch.setattr(mounts, "TABLE", table)
    (programs / "answer-lvs").write_text("  vg0 data\n")
    (programs / "fails---snapshot-lvcreate").touch()
    told: list[str] = []
    warned: list[Reason] = []

    def take(choice: Snapshot) -> None:
        plan = plan_of(folder, choice)
        with taking.snapshots(plan, tmp_path, told.append, warned.append) as taken:
            assert taken.views.actual(b"x") == b"x"

    take("auto")
    assert (told, warned) == ([], [])
    assert not any(line.startswith("lvcreate") for line in called(programs))
    with pytest.raises(AgentError) as failed:
        take("required")
    assert failed.value.reason == Reason("snapshot-not-taken", str(folder), detail="no room")
