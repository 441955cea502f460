"""Owner, mode, attributes, dates: seen when they change, mended, told where they can't be."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from agent import config
from agent.exclusions import Rules
from agent.platforms import folders
from agent.walking.beside import Beside
from agent.walking.reading import FileReader
from agent.walking.records import More
from agent.walking.tree import Tree, row_of
from libs.shared import attributes
from libs.shared.reasons import Reason
from tests.agent.proxies import spoiling
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.machines import Machine

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and give owners")

YEAR_1600, YEAR_2300, YEAR_30828 = -11_676_096_000, 10_413_792_000, 910_670_515_199


@contextmanager
def mounted(place: Path, *options: str, image: Path | None = None) -> Iterator[Path]:
    """A file system of the test's own; the test is skipped where the kernel has none such."""
    place.mkdir()
    source = "none" if image is None else str(image)
    done = subprocess.run(["mount", *options, source, str(place)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"can't be mounted here: {done.stderr.decode().strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def mounts(tmp_path: Path) -> Iterator[Any]:
    """Makes file systems: `mounts("tmpfs")`, or `mounts("ext4", "-I", "128")`."""
    with ExitStack() as stack:

        def mount(kind: str, *making: str) -> Path:
            place = tmp_path / f"on {kind}"
            if kind in ("tmpfs", "ramfs"):
                return stack.enter_context(mounted(place, "-t", kind))
            image = tmp_path / f"{kind}.img"
            with image.open("wb") as file:
                file.truncate(32_000_000)
            command = [f"mkfs.{kind}", "-q", *making, str(image)]
            subprocess.run(command, check=True, capture_output=True)
            return stack.enter_context(mounted(place, "-o", "loop", "-t", kind, image=image))

        yield mount


def acl(path: Path, text: str) -> None:
    subprocess.run(["setfacl", "--set", text, str(path)], check=True)


def back_of(papers: Path, folder: Path) -> Path:
    return Path(f"{folder}{papers}")


@pytest.mark.usefixtures("either_way")
def test_what_changed_beside_the_content_is_copied_without_reading_it(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    letter, invoice = papers / "letter.txt", papers / "2026" / "invoice.txt"
    large = papers / "large"
    large.write_bytes(os.urandom(3_000_000))
    for path in (letter, invoice, large):
        os.utime(path, (10**9, 10**9))
    time.sleep(0.2)  # what changed within a tick of being read is read once more
    machine.run()
    os.setxattr(letter, "user.colour", b"green")
    os.chown(invoice, 5678, 2001)
    os.link(large, papers / "large too")
    os.setxattr(papers / "nothing", "user.of_a_folder", b"1")
    time.sleep(0.2)
    again = machine.run()
    assert again["files_changed"] == 3
    assert again["bytes_read"] == 3_000_000, "the new name, and nothing else"
    assert machine.run()["files_changed"] == 0
    client.restore(machine, tmp_path / "back")
    back = back_of(papers, tmp_path / "back")
    assert compare_trees(papers, back) == []
    assert os.getxattr(back / "letter.txt", "user.colour") == b"green"
    assert os.getxattr(back / "nothing", "user.of_a_folder") == b"1"


def test_a_ctime_that_nothing_explains_has_the_file_read(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    letter = papers / "letter.txt"
    os.utime(letter, (10**9, 10**9))
    time.sleep(0.2)
    machine.run()
    letter.write_bytes(letter.read_bytes().swapcase())
    os.utime(letter, (10**9, 10**9))
    assert machine.run()["files_changed"] == 1
    client.restore(machine, tmp_path / "back")
    assert back_of(papers, tmp_path / "back").joinpath("letter.txt").read_bytes().isascii()
    assert compare_trees(papers, back_of(papers, tmp_path / "back")) == []


def test_excluded_attributes_stay_behind_and_acls_never_do(
    client: Client, papers: Path, tmp_path: Path
) -> None:
    plan = {"folders": [str(papers)], "exclude_attributes": ["user.xdg.*", "system.*"]}
    machine = client.machine(tmp_path / "machine", {"papers": plan})
    letter = papers / "letter.txt"
    os.setxattr(letter, "user.xdg.origin.url", b"https://example.com/")
    os.setxattr(letter, "user.kept", b"1")
    acl(letter, "u::rw-,u:5678:r--,g::r--,m::r--,o::---")
    machine.run()
    client.restore(machine, tmp_path / "back")
    back = back_of(papers, tmp_path / "back") / "letter.txt"
    assert sorted(os.listxattr(back)) == ["system.posix_acl_access", "user.kept"]


def test_selinux_labels_stay_behind_unless_they_are_wanted(tmp_path: Path) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(
        'token_file = "token"\nstate_dir = "state"\n[[plan]]\nname = "papers"\nfolders = ["/srv"]\n'
    )
    usual = config.load(file).plan("papers").exclude_attributes
    listing = next(one for one in Tree([str(tmp_path)], Rules(), []).walk() if one.rows)
    row = listing.rows[0]
    label, own = b"security.selinux", b"security.NTACL"
    lost: list[tuple[bytes, Reason]] = []
    for excluded, kept in ((usual, {own}), ((), {own, label})):
        beside = Beside(excluded, lambda path, reason: lost.append((path, reason)))
        held = beside.hold(listing, row, b"", {label: b"system_u", own: b"1"})
        assert isinstance(held, More)
        assert set(attributes.read(held.attributes)) == kept
    assert lost == []


def test_what_the_target_can_not_hold_is_told_once_by_kind(
    machine: Machine, client: Client, papers: Path, mounts: Any
) -> None:
    """Without its ACL no file may be read by whom the ACL kept out."""
    secret = papers / "letter.txt"
    acl(secret, "u::rw-,u:5678:rw-,g::---,m::rw-,o::---")
    for name in ("2026/invoice.txt", "2026/empty", "2026"):
        os.setxattr(papers / name, "user.x", b"1")
    machine.run()
    bare = mounts("ramfs")
    asked = client.ask_restore(machine, "--to", str(bare))
    assert asked.returncode == 3
    assert asked.stderr.count("1 of what was restored could not be given ACLs") == 1
    assert asked.stderr.count("3 of what was restored could not be given extended attributes") == 1
    assert len(asked.stderr.splitlines()) == 2
    assert stat.S_IMODE(secret.stat().st_mode) == 0o660
    assert stat.S_IMODE(back_of(papers, bare).joinpath("letter.txt").stat().st_mode) == 0o600


def test_a_folder_that_hands_down_acls_does_not_widen_what_comes_back(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    to = tmp_path / "back"
    to.mkdir()
    subprocess.run(["setfacl", "-d", "-m", "u:5678:rwx", str(to)], check=True)
    client.restore(machine, to)
    found = [path for path in back_of(papers, to).rglob("*") if os.listxattr(path)]
    assert found == []


def test_a_mere_user_is_told_once_what_only_root_may_give(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    os.setxattr(papers / "letter.txt", "trusted.of_root", b"1")
    os.setxattr(papers / "letter.txt", "user.mine", b"1")
    os.mkfifo(papers / "pipe")
    os.mknod(papers / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    machine.run()
    asked = machine.agent(
        "restore", "papers", "--portal", client.house.url("portal"), "--email", client.email,
        "--to", str(tmp_path / "mere"), COFFRE_PASSWORD=PASSWORD, mere_user=True,
    )  # fmt: skip
    assert asked.returncode == 3
    assert asked.stderr.count("could not be given extended attributes") == 1
    assert asked.stderr.count("FIFOs and devices were not made") == 1
    back = back_of(papers, tmp_path / "mere")
    assert os.listxattr(back / "letter.txt") == ["user.mine"]
    assert stat.S_ISFIFO((back / "pipe").stat().st_mode)


def test_dates_that_the_wire_can_not_hold_come_back_to_the_nanosecond(
    client: Client, tmp_path: Path, mounts: Any
) -> None:
    """A file of year 30828 must not be what keeps all others from being copied."""
    papers = mounts("tmpfs") / "papers"
    papers.mkdir()
    (papers / "today").write_text("now")
    for year, seconds in (("1600", YEAR_1600), ("2300", YEAR_2300), ("30828", YEAR_30828)):
        (papers / year).mkdir()
        (papers / year / "file").write_text(year)
        (papers / year / "link").symlink_to("file")
        for path in (papers / year / "file", papers / year / "link", papers / year):
            os.utime(path, ns=(0, seconds * 10**9 + 123_456_789), follow_symlinks=False)
    machine = client.machine(tmp_path / "machine", {"papers": {"folders": [str(papers)]}})
    machine.run()
    assert machine.run()["files_changed"] == 0
    back = papers.parent / "back"
    client.restore(machine, back)
    assert compare_trees(papers, back_of(papers, back)) == []
    again = client.restore(machine, back)
    assert (again["files_restored"], again["files_already_there"]) == (0, 4)
    # Here not all of them can be held: the files come, and that is told.
    cut = client.restore(machine, tmp_path / "here", expect=3)
    assert cut["refused"]["times"] > 0
    assert cut["files_restored"] == 4
    assert client.restore(machine, tmp_path / "here", expect=3)["files_already_there"] == 4


def test_a_path_that_the_service_can_not_keep_costs_only_itself(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    """Named, with exit code 3; all else is copied, run after run."""
    place = os.open(papers, os.O_RDONLY)
    for _ in range(17):
        os.mkdir(b"d" * 250, dir_fd=place)
        below = os.open(b"d" * 250, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(os.open(b"unreachable", os.O_CREAT | os.O_WRONLY, dir_fd=place))
    os.close(place)
    summary = machine.run(expect=3)
    (missed,) = summary["not_copied"]
    assert missed["reason"]["code"] == "name-over-limit"
    assert summary["files_new"] == 3
    assert machine.run(expect=3)["files_total"] == 3
    subprocess.run(["rm", "-r", str(papers / ("d" * 250))], check=True)


def test_what_the_server_refuses_costs_only_itself(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    """By a rule that the agent doesn't know: named, reported, all else copied, and tried again."""
    (papers / "odd folder").mkdir()
    (papers / "odd folder" / "inside").write_text("in it")
    (papers / "odd file").write_text("odd")
    with spoiling(machine.server, b"odd file", b"odd folder") as address:
        machine.server, server = address, machine.server
        summary = machine.run(expect=3)
        again = machine.run(expect=3)
    machine.server = server
    for one in (summary, again):
        assert {Path(missed["path"]).name for missed in one["not_copied"]} == {
            *("odd file", "odd folder")
        }
        assert {missed["reason"]["code"] for missed in one["not_copied"]} == {"entry-over-limit"}
    assert (summary["files_total"], summary["files_not_copied"]) == (
        4,
        2,
    )  # letter, invoice, empty, inside
    for _, report in client.reports(1):
        assert "odd file" in report
        assert "odd folder" in report
    back = tmp_path / "back"
    client.restore(machine, back)
    found = back_of(papers, back)
    assert (found / "odd folder" / "inside").read_text() == "in it"
    assert (found / "letter.txt").exists()
    assert not (found / "odd file").exists()
    # Once the server takes it, it is copied: nothing remembers it as there.
    assert machine.run()["files_new"] == 1


def test_equal_is_what_the_target_makes_of_our_time(
    machine: Machine, client: Client, papers: Path, mounts: Any
) -> None:
    """On a file system with whole seconds, a repeated restore finds all that it restored."""
    os.utime(papers / "letter.txt", ns=(0, 1_700_000_000_999_999_999))
    machine.run()
    coarse = mounts("ext4", "-I", "128")
    client.restore(machine, coarse)
    back = back_of(papers, coarse) / "letter.txt"
    assert back.stat().st_mtime_ns == 1_700_000_000_000_000_000
    again = client.restore(machine, coarse)
    assert (again["files_restored"], again["files_already_there"]) == (0, 3)
    os.utime(back, (1_699_999_999, 1_699_999_999))
    assert client.restore(machine, coarse, expect=3)["files_not_restored"] == 1


@pytest.mark.usefixtures("either_way")
def test_what_is_there_gets_its_mode_owner_and_attributes_again(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    letter = papers / "letter.txt"
    os.setxattr(letter, "user.kept", b"1")
    acl(papers / "2026", "u::rwx,u:5678:r-x,g::r-x,m::r-x,o::---")
    (papers / "link").symlink_to("letter.txt")
    machine.run()
    client.restore(machine, tmp_path / "back")
    back = back_of(papers, tmp_path / "back")
    for path in (back / "letter.txt", back / "2026" / "empty", back / "2026"):
        path.chmod(0o777)
        os.chown(path, 7, 7)
    os.lchown(back / "link", 7, 7)
    os.removexattr(back / "letter.txt", "user.kept")
    acl(back / "2026" / "invoice.txt", "u::rwx,u:5678:rwx,g::rwx,m::rwx,o::rwx")
    again = client.restore(machine, tmp_path / "back")
    assert again["files_restored"] == 0
    assert compare_trees(papers, back) == []
    assert os.listxattr(back / "letter.txt") == ["user.kept"]
    assert os.listxattr(back / "2026" / "invoice.txt") == []


@pytest.mark.usefixtures("either_way")
def test_contents_are_compared_where_others_may_be_replaced(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    (papers / "large").write_bytes(os.urandom(3_000_000))
    machine.run()
    client.restore(machine, tmp_path / "back")
    back = back_of(papers, tmp_path / "back")
    for name in ("letter.txt", "large"):
        times = (back / name).stat()
        with (back / name).open("r+b") as file:
            file.seek(-3, os.SEEK_END)
            file.write(b"bad")
        os.utime(back / name, ns=(times.st_atime_ns, times.st_mtime_ns))
    told = client.ask_restore(machine, "--to", str(tmp_path / "back"))
    assert told.returncode == 0
    assert "were not compared" in told.stdout
    assert (back / "large").read_bytes().endswith(b"bad")
    again = client.restore(machine, tmp_path / "back", "--overwrite")
    assert (again["files_restored"], again["files_already_there"]) == (2, 2)
    assert compare_trees(papers, back) == []
    told = client.ask_restore(machine, "--to", str(tmp_path / "back"), "--overwrite")
    assert "were not compared" not in told.stdout


def test_a_symlink_in_the_place_of_a_folder_is_told_before_it_goes(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    machine.run()
    back = back_of(papers, tmp_path / "back")
    back.mkdir(parents=True)
    (back / "2026").symlink_to("elsewhere")
    told = client.ask_restore(machine, "--to", str(tmp_path / "back"), "--overwrite")
    assert told.returncode == 0
    assert "a symlink to elsewhere, is replaced by a folder" in told.stdout + told.stderr


@pytest.mark.parametrize("with_names", [True, False])
def test_a_further_name_that_comes_alone_has_the_content(
    machine: Machine, client: Client, papers: Path, tmp_path: Path, with_names: bool
) -> None:
    """Restoring one folder of two brings its names, whichever came first; both bring one file."""
    os.link(papers / "letter.txt", papers / "nothing" / "also")
    machine.run()
    where = papers if with_names else papers / "nothing"
    client.restore(machine, tmp_path / "back", "--path", str(where))
    back = back_of(papers, tmp_path / "back")
    assert (back / "nothing" / "also").read_bytes() == (papers / "letter.txt").read_bytes()
    assert (back / "nothing" / "also").stat().st_nlink == 1 + with_names


def test_a_name_that_belongs_to_another_file_by_now_is_no_name_of_it(
    machine: Machine, client: Client, papers: Path, tmp_path: Path
) -> None:
    """The folder of the first name was renamed, and something else with two names has its path."""
    first = papers / "2026" / "a"
    first.write_text("shared")
    os.link(first, papers / "nothing" / "z")
    time.sleep(0.2)
    machine.run()
    (papers / "2026").rename(papers / "2027")
    (papers / "2026").mkdir()
    first.write_text("others")
    os.link(first, papers / "2026" / "b")
    machine.run()
    client.restore(machine, tmp_path / "back")
    back = back_of(papers, tmp_path / "back")
    assert (back / "nothing" / "z").read_text() == (back / "2027" / "a").read_text() == "shared"
    # What was one file still is, by whatever path its names knew each other.
    assert (back / "nothing" / "z").stat().st_ino == (back / "2027" / "a").stat().st_ino
    assert (back / "2026" / "b").stat().st_ino == (back / "2026" / "a").stat().st_ino
    assert (back / "2026" / "a").read_text() == "others"
    assert (back / "2026" / "a").stat().st_ino != (back / "nothing" / "z").stat().st_ino


def test_a_set_of_attributes_that_is_too_long_costs_only_the_longest(
    machine: Machine, client: Client, papers: Path, tmp_path: Path, mounts: Any
) -> None:
    large = mounts("tmpfs") / "large"
    large.mkdir()
    (large / "file").write_text("content")
    for number in range(5):
        try:
            os.setxattr(large / "file", f"user.{number}", bytes([number]) * 65_000)
        except OSError as error:
            pytest.skip(f"no such attributes here: {error}")
    machine.plans["papers"]["folders"] = [str(large)]
    summary = machine.run(expect=3)
    (missed,) = summary["not_copied"]
    assert missed["reason"]["code"] == "attributes-too-long"
    assert summary["files_new"] == 1


def test_nothing_of_a_long_hole_is_read(tmp_path: Path) -> None:
    """A hundred gigabytes of it take no time: reading them as zeros would take a minute."""
    with (tmp_path / "image").open("wb") as image:
        image.write(b"boot" * 100_000)
        image.seek(50_000_000_000)
        image.write(b"island" * 100_000)
        image.truncate(100_000_000_000)
    offered: list[int] = []
    reader = FileReader(b"k" * 32, lambda _, content: offered.append(len(content)))
    folder = folders.open_named(os.fsencode(tmp_path).lstrip(b"/"))
    begun = time.process_time()
    read = reader.read(folder, row_of(b"image", folders.status_in(b"image", folder)))
    assert time.process_time() - begun < 5
    folders.close(folder)
    assert read.row[3] == 100_000_000_000
    assert len(read.chunks) // 32 < 30_000
    assert sum(offered) < 20_000_000


def test_the_chunks_of_a_sparse_file_are_as_many_as_the_wire_allows(tmp_path: Path) -> None:
    from libs.shared.entries import most_chunks

    size = 400_000_000
    with (tmp_path / "comb").open("wb") as comb:
        for at in range(0, size, 9_000_000):
            comb.seek(at)
            comb.write(b"tooth")
        comb.truncate(size)
    reader = FileReader(b"k" * 32, lambda _id, _content: None)
    folder = folders.open_named(os.fsencode(tmp_path).lstrip(b"/"))
    read = reader.read(folder, row_of(b"comb", folders.status_in(b"comb", folder)))
    folders.close(folder)
    assert len(read.chunks) // 32 <= most_chunks(size)
