"""Trees that change at random: the delta leads from one to the other, and no byte is read twice."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agent.copying import fetched
from agent.copying.delta import Comparison
from agent.exclusions import Rules
from agent.telling.counters import Counters
from agent.walking import reading, records
from agent.walking.beside import Beside
from agent.walking.reading import FileReader
from agent.walking.records import Reader, Writer
from agent.walking.tree import Tree
from libs.shared.batches import check_batch
from libs.shared.entries import Entry, FolderDelta

KEY = b"k" * 32
NAMES = st.sampled_from([b"a", b"a!", b"a-b", b"b", b"\xff", b"A", b"a\n", b"z" * 255])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map(b"/".join)
CONTENTS = st.one_of(st.none(), st.binary(max_size=20), st.just("symlink"))
TREES = st.dictionaries(PATHS, CONTENTS, max_size=12)

Model = dict[bytes, Entry]


@pytest.fixture(scope="module", autouse=True)
def nothing_is_fresh() -> Iterator[None]:
    """Trees are compared right after they were made, and nobody changes them meanwhile."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "TICK_NS", 0)
        yield


@contextmanager
def folder() -> Iterator[Path]:
    place = Path(tempfile.mkdtemp())
    try:
        yield place
    finally:
        shutil.rmtree(place)


def build(root: Path, tree: dict[bytes, bytes | str | None]) -> None:
    """Brings a folder to a state; what does not fit into what is there already is left out."""
    for path, content in tree.items():
        full = root / os.fsdecode(path)
        try:
            full.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                full.mkdir(exist_ok=True)
            elif isinstance(content, str):
                full.symlink_to("../somewhere")
            else:
                full.write_bytes(content)
        except (FileExistsError, NotADirectoryError, IsADirectoryError, FileNotFoundError):
            continue


def wait_for_a_tick(place: Path) -> None:
    """Returns once what changes gets another time than what was there."""
    probe = place / "probe"
    probe.touch()
    begun = probe.stat().st_mtime_ns
    while probe.stat().st_mtime_ns == begun:
        probe.touch()


def compare(root: Path, known: Path | None, new: Path) -> tuple[list[FolderDelta], Counters, bool]:
    """Runs a comparison; gives what it emitted and whether it wrote new records."""
    emitted: list[FolderDelta] = []
    counters = Counters()
    writer = Writer(new)
    reader = Reader(known)
    files = FileReader(KEY, lambda _id, _content: None)
    missed: list[bytes] = []
    comparison = Comparison(
        reader,
        writer,
        files,
        emitted.append,
        counters,
        lambda path, _: missed.append(path),
        Beside((), lambda path, _: missed.append(path), known),
    )
    comparison.compare(Tree([str(root)], Rules(), []).walk())
    writer.finish()
    reader.close()
    assert missed == []
    return emitted, counters, writer.has_begun


def apply(model: Model, deltas: list[FolderDelta]) -> Model:
    """What the server makes of a delta."""
    model = dict(model)

    def drop(path: bytes) -> None:
        for held in [held for held in model if held == path or held.startswith(path + b"/")]:
            del model[held]

    check_batch(deltas)
    for delta in deltas:
        for name in delta.removed:
            drop(delta.folder + b"/" + name)
        for entry in delta.upserts:
            path = delta.folder + b"/" + entry.name
            if entry.kind != "d":
                drop(path)
            model[path] = entry
    return model


def below(root: Path, model: Model) -> Model:
    """Without the folders that only lead to the plan's: their times are not followed."""
    start = os.fsencode(root) + b"/"
    return {path: entry for path, entry in model.items() if (b"/" + path).startswith(start)}


def rows_below(root: Path, file: Path) -> list[tuple[bytes, bytes]]:
    """What records say of the plan's folder and all below it."""
    reader = Reader(file)
    start = os.fsencode(root).lstrip(b"/")
    rows = [(record.path, record.rows) for record in reader if record.path.startswith(start)]
    reader.close()
    return rows


def as_batches(model: Model) -> list[list[FolderDelta]]:
    """What the server lists, in an order of its own."""
    return [
        [FolderDelta(path.rpartition(b"/")[0].lstrip(b"/"), [entry], [])]
        for path, entry in sorted(model.items(), reverse=True)
    ]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(TREES, TREES, st.sets(PATHS, max_size=4))
def test_a_delta_leads_from_one_tree_to_the_next(
    first: dict[bytes, bytes | str | None],
    second: dict[bytes, bytes | str | None],
    removed: set[bytes],
) -> None:
    with folder() as place:
        root = place / "root"
        root.mkdir()
        build(root, first)
        deltas, counters, _ = compare(root, None, place / "one")
        wait_for_a_tick(place)
        model = apply({}, deltas)

        same, _, has_begun = compare(root, place / "one", place / "unused")
        assert (same, has_begun) == ([], False)

        for path in removed:
            victim = root / os.fsdecode(path)
            if victim.is_dir() and not victim.is_symlink():
                shutil.rmtree(victim)
            elif victim.is_symlink() or victim.exists():
                victim.unlink()
        build(root, second)
        deltas, changed, has_begun = compare(root, place / "one", place / "two")
        model = apply(model, deltas)
        known = place / "two" if has_begun else place / "one"
        afresh, total, _ = compare(root, None, place / "three")
        assert below(root, model) == below(root, apply({}, afresh))
        assert changed.files_total == total.files_total
        assert changed.bytes_protected == total.bytes_protected
        assert counters.files_total + changed.files_new - changed.files_removed == total.files_total
        assert rows_below(root, known) == rows_below(root, place / "three")

        fetched.write_records(as_batches(model), place / "fetched")
        again, counted, _ = compare(root, place / "fetched", place / "four")
        assert again == []
        assert counted.bytes_read == 0


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(PATHS, unique=True))
def test_paths_sort_as_they_are_walked(paths: list[bytes]) -> None:
    by_components = sorted(paths, key=lambda path: path.split(b"/"))
    assert sorted(paths, key=records.order_of) == by_components


def test_a_wide_tree_fills_many_frames_and_a_change_rewrites_only_what_follows(
    tmp_path: Path,
) -> None:
    root = tmp_path / "root"
    for number in range(60):
        (root / f"{number:03}").mkdir(parents=True)
        for file in range(60):
            (root / f"{number:03}" / f"{file}{'x' * 150}").write_text(str(file))
    compare(root, None, tmp_path / "one")
    (root / "040" / "new").write_text("new")
    deltas, counters, _ = compare(root, tmp_path / "one", tmp_path / "two")
    assert [entry.name for delta in deltas for entry in delta.upserts] == [b"040", b"new"]
    assert (counters.files_total, counters.files_new) == (3601, 1)
    compare(root, None, tmp_path / "three")
    assert rows_below(root, tmp_path / "two") == rows_below(root, tmp_path / "three")
    same, _, _ = compare(root, tmp_path / "two", tmp_path / "four")
    assert same == []


def test_what_others_do_in_a_folder_above_a_plan_rewrites_no_record(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (root / "file").write_text("ours")
    compare(root, None, tmp_path / "one")
    os.utime(tmp_path, ns=(1, 1))  # as if something had come or gone
    same, _, has_begun = compare(root, tmp_path / "one", tmp_path / "two")
    assert (same, has_begun) == ([], False)
    tmp_path.chmod(0o711)
    deltas, _, has_begun = compare(root, tmp_path / "one", tmp_path / "two")
    assert [entry.name for delta in deltas for entry in delta.upserts] == [
        os.fsencode(tmp_path.name)
    ]
    assert has_begun


def test_names_of_one_file_stay_so_where_the_folder_of_the_first_is_renamed(
    tmp_path: Path,
) -> None:
    """The name that stayed is not looked at; the other tells its first name from the records."""
    root = tmp_path / "root"
    (root / "a").mkdir(parents=True)
    (root / "a" / "first").write_bytes(b"shared")
    os.link(root / "a" / "first", root / "b")
    time.sleep(2 * reading.TICK_NS / 1e9)
    emitted, _, _ = compare(root, None, tmp_path / "1")
    model = apply({}, emitted)
    (root / "a").rename(root / "c")
    emitted, counters, _ = compare(root, tmp_path / "1", tmp_path / "2")
    model = below(root, apply(model, emitted))
    assert counters.files_changed == 0, "b is not touched"
    by_name = {path.removeprefix(os.fsencode(root)[1:] + b"/"): one for path, one in model.items()}
    assert set(by_name) == {b"b", b"c", b"c/first"}
    assert by_name[b"b"].target == by_name[b"c/first"].target != b""
