"""What a plan leaves out, and nothing else: on real folders, and patterns against git itself."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import shipped
from agent.config.globs import MatchesNothing, glob_of
from agent.exclusions import Exclusions, Rules
from agent.exclusions.rules import CACHE_SIGNATURE
from agent.walking.tree import FILE, Tree
from tests.world.machines import Machine

# What every office has, on each system: a shipped list that touches one of these is wrong.
KEPT = {
    "linux": """
        /etc/passwd /srv/data/tmp/letter.odt /home/anne/Documents/cache/note.txt ~root/run/notes
        /home/anne/.config/app.conf /home/anne/.local/share/keyrings/login.keyring /opt/dev/a.c
        /home/anne/.thunderbird/p/Mail/Inbox /home/anne/tmp/draft /home/anne/snap/app/common/a
        /var/lib/mysql/ibdata1 /var/tmp/kept /var/spool/mail/anne /var/cache/ours/a /mnt/nas/a
        /media/disk/photo.jpg /var/lib/docker/volumes/v/_data/a /usr/local/bin/a /swapfiles/a
        /var/lib/snapd/snaps/core.snap /home/anne/.mozilla/firefox/p/places.sqlite /data/proc/a
    """,
    "windows": """
        /C:/Users/anne/Documents/a.docx /C:/Users/anne/AppData/Roaming/Thunderbird/Mail/Inbox
        /C:/Users/anne/NTUSER.DAT /C:/ProgramData/app/data.mdf /D:/Temp/a /D:/data/pagefile.sys
        /C:/Users/anne/AppData/Local/Microsoft/Outlook/anne.ost /C:/Windows/System32/config/SAM
        /C:/Users/anne/AppData/Local/Google/Chrome/User_Data/Bookmarks
    """,
    "macos": """
        /Users/anne/Documents/a.pages /Users/anne/Library/Mail/V10/a /Volumes/Disk/photo.jpg
        /Users/anne/Library/Keychains/login.keychain-db /private/etc/hosts /Users/Shared/a
        /Users/anne/Pictures/Library.photoslibrary/database/Photos.sqlite /Users/anne/dev/a.c
    """,
}
LEFT_OUT = {
    "linux": """
        /proc/1/maps /sys/kernel /dev/sda /run/user /tmp/x /swapfile /home/anne/.cache/app
        ~root/.cache/pip /home/anne/.local/share/Trash/files /var/cache/apt/archives/a.deb
    """,
    "windows": """
        /C:/pagefile.sys /C:/HIBERFIL.SYS /D:/$RECYCLE.BIN/S-1 /D:/System_Volume_Information/a
        /C:/Users/Anne/AppData/Local/Temp/a /c:/windows/temp/a
    """,
    "macos": """
        /Volumes/Disk/.Trashes /.Spotlight-V100 /Users/anne/.Trash/a /private/var/vm/sleepimage
        /Users/anne/Library/Caches/com.apple.Safari
    """,
}
FOLDERS = (".Trashes", ".Spotlight-V100")


def paths(text: str) -> list[bytes]:
    return [str(Path(path.replace("_", " ")).expanduser()).encode()[1:] for path in text.split()]


def is_left_out(exclusions: Exclusions, path: bytes) -> bool:
    """As the walk would find out: from above, each name looked at as it is."""
    parts = path.split(b"/")
    for depth, name in enumerate(parts):
        folder = b"/".join(parts[:depth])
        is_folder = depth < len(parts) - 1 or name.decode() in FOLDERS
        if exclusions.any_in(folder, [name]) and exclusions.match(folder, name, is_folder):
            return True
    return False


@pytest.mark.parametrize("profile", ["linux", "windows", "macos"])
def test_a_shipped_list_leaves_out_what_no_one_misses(profile: str) -> None:
    fold = str.casefold if profile == "windows" else None
    exclusions = Exclusions(b"", Rules(profile=profile), [], fold)
    for path in paths(LEFT_OUT[profile]):
        assert is_left_out(exclusions, path), path
    for path in paths(KEPT[profile]):
        assert not is_left_out(exclusions, path), path


def test_a_folder_that_a_plan_names_is_copied_whatever_a_list_says() -> None:
    rules = Rules(profile="linux")
    for root in (b"tmp", b"tmp/export", b"home/anne/.cache/export", b"run/export"):
        exclusions = Exclusions(root, rules, [])
        assert not exclusions.match(root, b"letter.txt", False)
    anne = Exclusions(b"home/anne", rules, [])
    assert anne.match(b"home/anne/.cache", b"app", True)
    assert not anne.match(b"home/anne/dev/.cache", b"app", True)
    homes = Exclusions(b"home", Rules(profile="linux", patterns=("!/home/anne/.cache/*",)), [])
    assert homes.match(b"home/paul/.cache", b"app", True)
    assert not homes.match(b"home/anne/.cache", b"app", True)


def test_lists_explain_themselves() -> None:
    for file in sorted(shipped.FOLDER.glob("*.txt")):
        lines = shipped.lines_of(file.stem)
        assert file.read_text().count("\n# ") >= 5
        assert len(set(lines)) == len(lines)
        assert not any("**" in line or "\\" in line or line != line.strip() for line in lines)


NAMES = st.sampled_from(
    ["a", "b", "ab", ".a", "a.b", " a", "cache", "é", "A", "a ", "#a", "!a", "a]", "[a", "-", "\\"]
)
SETS = ["[ab]", "[!a]", "[^b]*", "[a-c]", "[]a]*", "[[:upper:]]", "[[:alpha:].]*", "[!a-]", "[a/]",
        "[\\]]*", "[[a]", "[a-]*", "[[:punct:]]*"]  # fmt: skip


@st.composite
def patterns_about(draw: st.DrawFn, path: list[str]) -> str:
    """A pattern that has something to do with a path: often it matches a part of it."""

    def glob_of(name: str) -> str:
        return draw(
            st.sampled_from(
                [name, name, "*", "**", "?" * len(name), f"{name[0]}*", f"*{name[-1]}", f"*{name}*",
                 f"[{name[0]}]*", f"[!z]{name[1:]}", f"\\{name}", f"{name[:-1]}\\{name[-1]}", "z",
                 f"{name[0]}**", f"**{name[-1]}", *SETS]
            )
        )  # fmt: skip

    end = draw(st.integers(1, len(path)))
    start = draw(st.sampled_from([0, end - 1]))
    parts = "/".join(map(glob_of, path[start:end]))
    before = draw(st.sampled_from(["", "", "/", "**/", "!", "!", "!/", "!**/"]))
    return before + parts + draw(st.sampled_from(["", "", "/", "/*", "/**", "/**/", " "]))


PATHS = st.lists(NAMES, min_size=1, max_size=4)


def left_by_git(root: Path, patterns: list[str], beside: Path) -> set[str]:
    """The files that git would not ignore with these patterns in its list."""
    (beside / "patterns").write_bytes("".join(f"{line}\n" for line in patterns).encode())
    command = ["git", f"--git-dir={beside / 'git'}", f"--work-tree={root}"]
    if not (beside / "git").exists():
        subprocess.run([*command, "init", "--quiet"], check=True)
    listing = [*command, "ls-files", "-z", "--others", f"--exclude-from={beside / 'patterns'}"]
    found = subprocess.run(listing, check=True, capture_output=True, cwd=root).stdout
    return {os.fsdecode(path) for path in found.split(b"\0") if path}


@pytest.fixture(scope="module")
def beside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("git")


def tree_of(paths: list[list[str]], folder: Path) -> Path:
    """A folder with these files; where a file and a folder want one name, the first has it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path in paths:
        with contextlib.suppress(FileExistsError, NotADirectoryError, IsADirectoryError):
            folder.joinpath(*path[:-1]).mkdir(parents=True, exist_ok=True)
            folder.joinpath(*path).touch()
    return folder


@given(st.data(), st.lists(PATHS, min_size=1, max_size=6))
@settings(max_examples=250, deadline=None)
def test_patterns_leave_out_what_git_leaves_out(
    beside: Path, data: st.DataObject, paths: list[list[str]]
) -> None:
    about = st.sampled_from(paths).flatmap(patterns_about)
    patterns = data.draw(st.lists(about, min_size=1, max_size=5))
    root = tree_of(paths, beside / "tree")
    with contextlib.suppress(MatchesNothing):
        found, _ = files_of(root, Rules(tuple(patterns)))
        assert found == left_by_git(root, patterns, beside)


@pytest.mark.parametrize(
    ("patterns", "kept"),
    [
        (["*", "!*/", "!*.xlsx"], {"a.xlsx", "d/b.xlsx", "d/e/c.xlsx"}),
        (["d/**", "!d/**/", "!d/**/*.txt"], {"a.xlsx", "Top", "d/b.txt", "d/e/c.txt"}),
        (["[[:upper:]]*", "*.xlsx"], {"d/b.txt", "d/e/c.txt"}),
        (["/d/", "!/d/e"], {"a.xlsx", "Top"}),
    ],
)
def test_lists_of_what_is_wanted_mean_what_they_mean_to_git(
    tmp_path: Path, patterns: list[str], kept: set[str]
) -> None:
    names = ["a.xlsx", "Top", "d/b.xlsx", "d/b.txt", "d/e/c.xlsx", "d/e/c.txt", "d/Top"]
    root = tree_of([name.split("/") for name in names], tmp_path / "tree")
    assert files_of(root, Rules(tuple(patterns)))[0] == kept
    assert left_by_git(root, patterns, tmp_path) == kept


@pytest.mark.parametrize("pattern", ["a[b", "[[:capital:]]", "a\\", "!", "/", "[é]", "[!é]x"])
def test_a_pattern_that_can_match_nothing_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(MatchesNothing):
        glob_of(pattern.encode())


@given(st.data(), PATHS)
@settings(max_examples=400)
def test_the_quick_look_misses_no_pattern(data: st.DataObject, path: list[str]) -> None:
    patterns = data.draw(st.lists(patterns_about(path), min_size=1, max_size=3))
    try:
        exclusions = Exclusions(b"srv/x", Rules(patterns=tuple(patterns)), [])
    except MatchesNothing:
        return
    folder, name = os.fsencode("/".join(["srv/x", *path[:-1]])), os.fsencode(path[-1])
    if exclusions.match(folder, name, False) or exclusions.match(folder, name, True):
        assert exclusions.any_in(folder, [b"other", name])


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("d/x[/b]", "d/xb"),
        ("a**/b", "ab"),
        ("d/x**", "d/xa/b"),
        ("a\\/b", "a/b"),
        ("**/[a/]b", "ab"),
    ],
)
def test_the_quick_look_knows_the_odd_ones(pattern: str, path: str, beside: Path) -> None:
    exclusions = Exclusions(b"r", Rules(patterns=(pattern,)), [])
    folder, _, name = f"r/{path}".rpartition("/")
    root = tree_of([path.split("/")], beside / "tree")
    is_ignored = not left_by_git(root, [pattern], beside)
    assert exclusions.match(folder.encode(), name.encode(), False) == is_ignored
    assert exclusions.any_in(folder.encode(), [name.encode()]) >= is_ignored


def test_a_pattern_with_the_folders_own_path_is_that_folders_alone() -> None:
    rules = Rules(patterns=("/srv/data/old", "/srv/data/logs/*.gz"))
    data = Exclusions(b"srv/data", rules, [])
    assert data.match(b"srv/data", b"old", True)
    assert data.match(b"srv/data/logs", b"a.gz", False)
    # The other way round: what is left out of /srv/database has no say in /srv/data.
    others = Rules(patterns=("/srv/database/old", "/srv/database", "/srv/data.old/x"))
    data = Exclusions(b"srv/data", others, [])
    for name in (b"old", b"base", b"base/old", b".old", b"x"):
        assert not data.match(b"srv/data", name, True)
        assert not data.match(b"srv/data/base", name, True)
    database = Exclusions(b"srv/database", rules, [])
    assert not database.match(b"srv/database", b"old", True)
    assert not database.match(b"srv/database/logs", b"a.gz", False)
    whole = Exclusions(b"srv/data", Rules(patterns=("/srv/data/", "!/srv/data/kept")), [])
    assert whole.match(b"srv/data", b"a", False)
    assert not whole.match(b"srv/data", b"kept", False)


def test_a_folder_that_is_spelled_otherwise_has_its_patterns() -> None:
    """Where the system takes both for one folder, lists and patterns do as well."""
    rules = Rules(patterns=("/C:/Users/anne/Old", "!/C:/USERS/Anne/old/kept"), profile="windows")
    anne = Exclusions(b"c:/users/Anne", rules, [], str.casefold)
    assert anne.match(b"c:/users/Anne", b"OLD", True)
    assert anne.match(b"c:/users/Anne/AppData/Local/Temp", b"x", False)
    assert not anne.match(b"c:/users/Anne/old", b"kept", True)
    assert not anne.match(b"c:/users/Anne", b"Documents", True)
    told_apart = Exclusions(b"c:/users/Anne", rules, [])
    assert not told_apart.match(b"c:/users/Anne", b"Old", True)


def files_of(root: Path, rules: Rules) -> tuple[set[str], list[bytes]]:
    """The files that a walk finds, and those that are too large."""
    tree = Tree([str(root)], rules, [])
    found, too_large = set(), []
    for listing in tree.walk():
        too_large += [row[0] for row in listing.too_large]
        found |= {
            "/" + os.fsdecode(listing.path + b"/" + row[0])
            for row in listing.rows
            if row[1] >> 12 == FILE
        }
    return {path.removeprefix(f"{root}/") for path in found}, too_large


def test_folders_that_ask_for_it_keep_only_the_file_that_says_so(tmp_path: Path) -> None:
    for folder in ("keep", "cache", "liar", "private"):
        (tmp_path / folder / "below").mkdir(parents=True)
        (tmp_path / folder / "below" / "a").touch()
    (tmp_path / "cache" / "CACHEDIR.TAG").write_bytes(CACHE_SIGNATURE + b"\n# made by us\n")
    (tmp_path / "liar" / "CACHEDIR.TAG").write_bytes(b"Signature: none")
    (tmp_path / "private" / ".nobackup").touch()
    # In the plan's own folder a mark has no say: the plan names it.
    (tmp_path / ".nobackup").touch()
    found, _ = files_of(tmp_path, Rules(markers=(b".nobackup",), exclude_caches=True))
    assert found == {
        ".nobackup",
        "keep/below/a",
        "cache/CACHEDIR.TAG",
        "liar/CACHEDIR.TAG",
        "liar/below/a",
        "private/.nobackup",
    }
    assert "private/below/a" in files_of(tmp_path, Rules())[0]


def test_another_file_system_is_left_out_when_asked(tmp_path: Path) -> None:
    if Path("/dev").stat().st_dev == Path("/dev/shm").stat().st_dev:
        pytest.skip("this machine has no file system mounted below /dev")
    mine = Path("/dev/shm") / f"coffre-{os.getpid()}"
    mine.mkdir()
    try:
        (mine / "a").touch()
        only_mine = ("/*", "!/shm/", "/shm/*", f"!/shm/{mine.name}/")
        assert files_of(Path("/dev"), Rules(only_mine))[0] == {f"shm/{mine.name}/a"}
        assert files_of(Path("/dev"), Rules(only_mine, one_file_system=True))[0] == set()
        assert files_of(mine, Rules(one_file_system=True))[0] == {"a"}
    finally:
        (mine / "a").unlink()
        mine.rmdir()


def test_files_beyond_the_size_limit_are_told_and_counted(machine: Machine, papers: Path) -> None:
    (papers / "disk.img").write_bytes(b"\0" * 50_001)
    (papers / "node_modules").mkdir()
    (papers / "node_modules" / "index.js").touch()
    machine.plans["papers"] |= {"max_file_size": "50 kB", "exclude": ["node_modules/"]}
    ended = machine.agent("run", "papers", "--json")
    assert ended.returncode == 0, ended.stderr
    assert '"files_too_large": 1' in ended.stdout
    assert '"files_total": 3' in ended.stdout
    assert '"files_not_copied": 0' in ended.stdout
    assert "disk.img: left out: its 50.0 kB are more than max_file_size, 50.0 kB" in ended.stdout
