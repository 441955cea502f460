"""What differs between systems: paths, names, places, and folders reached without descriptors."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import unicodedata
from pathlib import Path

import pytest

from agent.exclusions import Exclusions, Rules
from agent.platforms import by_descriptor, by_path, paths, places_of
from agent.platforms.attributes import Marks
from agent.platforms.locks import try_lock
from agent.restore.naming import landed
from agent.walking.reading import TICK_NS
from libs.shared.entries import Entry, FolderDelta
from tests.trees import compare_trees
from tests.world.clients import PASSWORD, Client
from tests.world.machines import ROOT, Machine


@pytest.mark.parametrize(
    ("written", "known", "to_the_system"),
    [
        ("C:\\Users\\anne", "/C:/Users/anne", "\\\\?\\C:\\Users\\anne"),
        ("c:/Users//anne/", "/C:/Users/anne", "\\\\?\\C:\\Users\\anne"),
        ("D:\\", "/D:", "\\\\?\\D:\\"),
        ("D:/a/../b", "/D:/b", "\\\\?\\D:\\b"),
        ("\\\\nas\\share", "/UNC/nas/share", "\\\\?\\UNC\\nas\\share"),
        ("//nas/share/été/x", "/UNC/nas/share/été/x", "\\\\?\\UNC\\nas\\share\\été\\x"),
        ("\\\\?\\C:\\long", "/C:/long", "\\\\?\\C:\\long"),
        ("\\\\?\\UNC\\nas\\share\\x", "/UNC/nas/share/x", "\\\\?\\UNC\\nas\\share\\x"),
    ],
)
def test_windows_paths_and_back(written: str, known: str, to_the_system: str) -> None:
    assert paths.plan_folder(written, "windows") == known
    assert paths.system_path(known[1:], "windows") == to_the_system
    # The path as the agent shows it is understood again, but for the slash before it.
    if not known.startswith("/UNC"):
        assert paths.plan_folder(known[1:] + "/", "windows") == known


@pytest.mark.parametrize(
    "written", ["Users", "\\Users", "/srv", "C:Users", "..", "\\\\nas", "", "1:\\"]
)
def test_windows_paths_that_lead_nowhere_in_particular(written: str) -> None:
    with pytest.raises(ValueError, match="no absolute path"):
        paths.plan_folder(written, "windows")


def test_posix_paths_stay_as_they_are() -> None:
    for system in ("linux", "macos"):
        assert paths.plan_folder("//srv/./a//b/", system) == "/srv/a/b"
        assert paths.system_path("srv/C:/x", system) == "/srv/C:/x"
        with pytest.raises(ValueError, match="no absolute path"):
            paths.plan_folder("C:\\Users", system)


@pytest.mark.parametrize(
    ("name", "landed"),
    [
        (b"C:", b"C_"),
        (b"..\\..\\Windows", b".._.._Windows"),
        (b"com\xc2\xb9.log", b"_com\xc2\xb9.log"),
        (b"con .txt", b"_con .txt"),
        (b"CONIN$", b"_CONIN$"),
        (b"\xe9t\xe9", "été".encode()),
        (b"...", b".._"),
        (b'a?b<c>:d|*"\\\n', b"a_b_c__d_____"),
        (b"note.", b"note_"),
        (b"CON", b"_CON"),
        (b"nul.txt", b"_nul.txt"),
        (b"console.txt", b"console.txt"),
        ("été".encode(), "été".encode()),
    ],
)
def test_names_that_windows_does_not_know(name: bytes, landed: bytes) -> None:
    land = paths.landing_of("windows")
    assert land is not None
    assert land(b"C:/" + name) == b"C/" + landed
    assert land(b"srv/" + name + b"/inside") == b"srv/" + landed + b"/inside"
    assert paths.landing_of("linux") is paths.landing_of("macos") is None


def test_a_path_to_restore_is_understood_as_written_on_either_system() -> None:
    for written in ("c:\\Users\\anne", "C:/Users/anne/", "/C:/Users/anne", "C:/Users/./anne"):
        assert paths.wanted_path(written, "windows") == b"C:/Users/anne"
    assert paths.wanted_path("\\\\nas\\share\\x", "windows") == b"UNC/nas/share/x"
    for written in ("/srv/papers", "/srv/papers/", "srv/papers"):
        assert paths.wanted_path(written, "windows") == b"srv/papers"
        assert paths.wanted_path(written, "linux") == b"srv/papers"


def test_patterns_match_names_as_the_system_compares_them() -> None:
    composed = "été.tmp".encode()
    taken_apart = unicodedata.normalize("NFD", "été.tmp").encode()
    rules = Rules(patterns=("É*.TMP", "été.tmp"))
    for system, matched in (
        ("linux", {composed}),
        ("macos", {composed, taken_apart}),
        ("windows", {composed, "ÉTÉ.Tmp".encode()}),
    ):
        exclusions = Exclusions(b"x", rules, [], paths.fold_of(system))
        names = [composed, taken_apart, "ÉTÉ.Tmp".encode()]
        found = {
            name
            for name in names
            if exclusions.any_in(b"x", [name]) and exclusions.match(b"x", name, False)
        }
        assert found == matched, system


def test_each_system_has_its_places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROGRAMDATA", r"D:\ProgramData")
    assert str(places_of("linux").config_file) == "/etc/coffre-agent/config.toml"
    assert str(places_of("windows").config_file) == r"D:\ProgramData\coffre-agent\config.toml"
    assert "Application Support" in str(places_of("macos").state)


def test_a_junction_is_a_symlink_and_other_marks_are_not() -> None:
    class Status:
        st_mode = 0o040777
        st_reparse_tag = 0xA0000003

    junction = Status()
    assert by_path.mode_of(junction) == 0o120777  # type: ignore[arg-type]
    junction.st_reparse_tag = 0x80000013  # deduplicated
    assert by_path.mode_of(junction) == 0o040777  # type: ignore[arg-type]


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    with (tmp_path / "lock").open("w") as one, (tmp_path / "lock").open("w") as other:
        assert try_lock(one)
        assert not try_lock(other)
        one.close()
        assert try_lock(other)


@pytest.mark.parametrize("folders", [by_descriptor, by_path])
def test_folders_are_reached_without_following_symlinks(tmp_path: Path, folders: object) -> None:
    reach = by_descriptor if folders is by_descriptor else by_path
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a").write_bytes(b"content")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "real" / "pipe").symlink_to("a")
    base = os.fsencode(tmp_path).lstrip(b"/")
    with pytest.raises(OSError, match=r"symbolic links|Not a directory"):
        reach.open_absolute(base + b"/link")
    named = reach.open_named(base + b"/link")
    real = reach.open_absolute(base + b"/real")
    assert reach.status(named).st_ino == reach.status(real).st_ino
    with reach.scan(real) as entries:
        assert sorted(entry.name for entry in entries) == ["a", "pipe"]
    with pytest.raises(OSError, match="symbolic links"):
        reach.open_file(b"pipe", real)
    descriptor = reach.open_file(b"a", real)
    assert os.read(descriptor, 100) == b"content"
    os.close(descriptor)
    assert reach.read_link(b"pipe", real) == b"a"
    assert reach.fields(reach.status_in(b"a", real))[2] == 7

    mine = (os.geteuid(), os.getegid())
    reach.make_folder(b"new", real)
    new = reach.open_in(b"new", real)
    descriptor = reach.new_file(b".b", new)
    assert reach.write_at(descriptor, b"yz", 1) == 2
    assert reach.write_at(descriptor, b"x", 0) == 1
    assert not reach.finish_file(descriptor, b".b", new, Marks(0o640, 10**18, mine))
    descriptor = reach.open_unfinished(b".b", new)
    assert reach.read_at(descriptor, 10, 1) == b"yz"
    os.close(descriptor)
    reach.rename(b".b", b"b", new)
    assert not reach.make_link(b"b", b"c", new, Marks(0o777, 10**18, mine))
    assert not reach.finish_folder(new, Marks(0o750, 10**18, mine))
    made = tmp_path / "real" / "new"
    assert (made / "c").read_bytes() == b"xyz"
    assert [path.lstat().st_mtime_ns for path in (made, made / "b", made / "c")] == [10**18] * 3
    assert (made.stat().st_mode & 0o777, (made / "b").stat().st_mode & 0o777) == (0o750, 0o640)
    reach.remove(b"c", new)
    assert not reach.may_read(b"c", new)
    target = reach.open_target(str(tmp_path / "real"))
    other = reach.open_target(str(tmp_path / "real"))
    assert reach.try_lock(target)
    assert not reach.try_lock(other)
    reach.close(target)
    assert reach.try_lock(other)
    reach.close(other)
    assert sorted(path.name for path in (tmp_path / "real").iterdir()) == ["a", "new", "pipe"]
    handle, inherited = reach.handed(new)
    assert reach.status(reach.again(reach.taken(handle))).st_ino == made.stat().st_ino
    assert set(inherited) <= {new}
    for each in (named, real, new):
        reach.close(each)


def test_a_machine_without_descriptors_copies_and_restores(
    client: Client, machine: Machine, papers: Path, tmp_path: Path
) -> None:
    (papers / "link").symlink_to("letter.txt")
    (papers / os.fsdecode(b"\xe9t\xe9")).write_text("not UTF-8")
    by_paths = {"COFFRE_AGENT_FOLDERS": "paths"}
    time.sleep(TICK_NS / 1e9)  # what is younger is read once more
    first = machine.agent("run", "papers", "--json", **by_paths)
    assert first.returncode == 0, first.stdout + first.stderr
    assert '"files_not_copied": 0' in first.stdout
    # What one way of walking has seen is the same to the other.
    assert machine.run()["bytes_read"] == 0
    (papers / "letter.txt").write_text("changed")
    second = machine.agent("run", "papers", "--json", **by_paths)
    assert '"files_changed": 1' in second.stdout
    (papers / "large.bin").write_bytes(os.urandom(5_000_000))
    machine.run()
    restored = machine.agent(
        "restore", "papers", "--portal", client.house.url("portal"), "--email", client.email,
        "--to", str(tmp_path / "back"), COFFRE_PASSWORD=PASSWORD, **by_paths,
    )  # fmt: skip
    assert restored.returncode == 0, restored.stderr
    assert compare_trees(papers, Path(f"{tmp_path}/back{papers}")) == []
    assert [path.name for path in (tmp_path / "back").iterdir()] == [papers.parts[1]]


def test_what_gets_another_name_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("agent.restore.naming.land", paths.landing_of("windows"))
    names = [b"C:", b"plain", b"a?b", b"a:"]
    entries = [Entry(name, "f", 0o644, 0, 0, 0, 0, b"", b"") for name in names]
    delta, renamed = landed(FolderDelta(b"", entries, []))
    assert [entry.name for entry in delta.upserts] == [b"C", b"plain", b"a_b", b"a"]
    assert renamed == {b"a?b": b"a_b"}
    delta, renamed = landed(FolderDelta(b"srv/nul", [entries[3]], []))
    assert (delta.folder, [entry.name for entry in delta.upserts]) == (b"srv/_nul", [b"a_"])
    assert renamed == {b"srv/nul/a:": b"a_"}


# What Python has not on Windows; a module that needs it on import would not start there.
WITHOUT = """
import importlib, os, pkgutil, sys
for name in ("O_NOFOLLOW", "O_DIRECTORY", "O_CLOEXEC", "O_NONBLOCK", "O_PATH", "O_NOATIME",
             "geteuid", "getuid", "fchmod", "fchown", "chown", "pread", "pwrite", "killpg",
             "mkfifo"):
    delattr(os, name)
os.supports_dir_fd.clear()
sys.modules["fcntl"] = sys.modules["pwd"] = sys.modules["grp"] = None
import agent
modules = [each.name for each in pkgutil.walk_packages(agent.__path__, "agent.")
           if each.name not in ("agent.__main__", "agent.platforms.by_descriptor",
                                "agent.platforms.calls")]  # that one is for Windows alone
failed = []
for name in modules:
    try:
        importlib.import_module(name)
    except Exception as error:
        failed.append(f"{name}: {error!r}")
print(len(modules), *failed, sep="\\n")
"""


def test_no_module_needs_on_import_what_windows_has_not() -> None:
    told = subprocess.run(
        [sys.executable, "-c", WITHOUT], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stderr
    count, *failed = told.stdout.splitlines()
    assert int(count) > 50
    assert failed == []
