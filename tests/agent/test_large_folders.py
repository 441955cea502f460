"""Folders too large for one listing: they come in slices, and slices lose and invent nothing."""

from __future__ import annotations

import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from agent.copying.delta import REMOVED_AT_ONCE, Comparison
from agent.exclusions import Rules
from agent.telling.counters import Counters
from agent.walking import large, records
from agent.walking.beside import Beside
from agent.walking.large import SortedNames
from agent.walking.reading import FileReader
from agent.walking.records import Reader, Writer
from agent.walking.tree import FILE, Listing, Row, Tree
from libs.shared.entries import FolderDelta

NAMES = st.lists(
    st.binary(min_size=1, max_size=3).filter(lambda name: not {0, 47} & set(name)), unique=True
)
FOLDER = b"srv/large"


def row_of(name: bytes, mtime_ns: int) -> Row:
    """An empty file."""
    return name, FILE << 12 | 0o644, 7, 0, mtime_ns, mtime_ns, 0, 0


def slices(names: Sequence[bytes], cuts: Sequence[int]) -> Iterator[list[bytes]]:
    """Sorted names, cut at some places."""
    ordered = sorted(names)
    places = [0, *sorted({cut for cut in cuts if 0 < cut < len(ordered)}), len(ordered)]
    for start, end in itertools.pairwise(places):
        yield ordered[start:end]


def listings(times: dict[bytes, int], cuts: Sequence[int]) -> Iterator[Listing]:
    """The folder as the walk gives it, in slices."""
    parts = list(slices(list(times), cuts))
    for number, part in enumerate(parts):
        up_to = part[-1] if number < len(parts) - 1 else None
        rows = [row_of(name, times[name]) for name in part]
        read = dict.fromkeys(part, b"")
        yield Listing(FOLDER, rows=rows, part=number, up_to=up_to, contents=read)
    yield Listing(b"srv/next", rows=[row_of(b"after", 1)], contents={b"after": b""})


def compare(
    folder: Path, known: Path | None, times: dict[bytes, int], cuts: Sequence[int]
) -> tuple[Path, list[FolderDelta], Counters]:
    """Compares, and gives the new records, the changes and the counters."""
    writer = Writer(folder / f"{len(list(folder.iterdir()))}.records")
    deltas: list[FolderDelta] = []
    counters = Counters()
    files = FileReader(bytes(32), lambda chunk_id, content: None)
    reader = Reader(known)
    lost: list[object] = []
    comparison = Comparison(
        reader,
        writer,
        files,
        deltas.append,
        counters,
        lambda *missed: lost.append(missed),
        Beside((), lambda *missed: lost.append(missed)),
    )
    comparison.compare(listings(times, cuts))
    reader.close()
    writer.finish()
    return (writer.file if writer.has_begun else known or writer.file), deltas, counters


def names_in(file: Path) -> list[bytes]:
    """All names that records have of the folder, in their order."""
    with closing(Reader(file)) as reader:
        return [
            row[0]
            for record in reader
            if record.path == FOLDER
            for row, _ in records.unpack_record(record)
        ]


@settings(deadline=None, max_examples=150)
@given(NAMES, NAMES, st.sets(st.integers(0, 50)), st.lists(st.integers(0, 60), max_size=6),
       st.lists(st.integers(0, 60), max_size=6))  # fmt: skip
def test_however_two_listings_are_cut_their_difference_is_the_same(
    before: list[bytes],
    after: list[bytes],
    touched: set[int],
    cuts_before: list[int],
    cuts_after: list[int],
) -> None:
    old = dict.fromkeys(before, 1)
    new = {name: 2 if place in touched else 1 for place, name in enumerate(after)}
    with tempfile.TemporaryDirectory() as folder:
        known, _, _ = compare(Path(folder), None, old, cuts_before)
        file, deltas, counters = compare(Path(folder), known, new, cuts_after)
        assert names_in(file) == sorted(after)
        again, none, _ = compare(Path(folder), file, new, cuts_after)
        assert (names_in(again), none) == (sorted(after), [])
    upserts = [entry.name for delta in deltas for entry in delta.upserts]
    removed = [name for delta in deltas for name in delta.removed]
    assert sorted(upserts) == sorted(name for name in new if old.get(name) != new[name])
    assert sorted(removed) == sorted(set(old) - set(new))
    assert counters.files_total == len(new) + 1
    assert counters.files_removed == len(set(old) - set(new))
    assert counters.files_new == len(set(new) - set(old))


def test_a_folder_that_shrank_to_its_first_slice_has_lost_the_others() -> None:
    whole = {b"%02d" % number: 1 for number in range(20)}
    first = {name: 1 for name in whole if name < b"07"}
    with tempfile.TemporaryDirectory() as folder:
        known, _, _ = compare(Path(folder), None, whole, [7, 12])
        small, deltas, counters = compare(Path(folder), known, first, [])
        assert names_in(small) == sorted(first)
        assert sorted(name for delta in deltas for name in delta.removed) == sorted(
            whole.keys() - first.keys()
        )
        assert counters.files_removed == 13
        grown, deltas, counters = compare(Path(folder), small, whole, [7, 12])
        assert names_in(grown) == sorted(whole)
        assert counters.files_new == 13


def test_a_folder_that_lost_nearly_all_is_told_in_small_messages() -> None:
    old = {b"%06d" % number: 1 for number in range(40_000)}
    with tempfile.TemporaryDirectory() as folder:
        known, _, _ = compare(Path(folder), None, old, range(0, 40_000, 3_000))
        file, deltas, counters = compare(Path(folder), known, {b"000007": 1}, [])
        assert names_in(file) == [b"000007"]
    assert counters.files_removed == 39_999
    assert max(len(delta.removed) for delta in deltas) <= REMOVED_AT_ONCE
    assert sum(len(delta.removed) for delta in deltas) == 39_999


def test_names_are_given_back_in_order_and_cut_by_their_content() -> None:
    names = [os.urandom(9).replace(b"\0", b"-").replace(b"/", b"-") for _ in range(120_000)]
    before = list(SortedNames(names).slices())
    assert [name for part, _ in before for name in part] == sorted(names)
    assert [is_last for _, is_last in before] == [False] * (len(before) - 1) + [True]
    assert len(before) > 10
    after = list(SortedNames([*names, b"one more"]).slices())
    same = {part[0] for part, _ in before} & {part[0] for part, _ in after}
    assert len(same) >= len(before) - 1


def test_the_walk_gives_a_large_folder_in_slices(tmp_path: Path) -> None:
    wide = tmp_path / "wide"
    (wide / "a folder" / "below").mkdir(parents=True)
    for number in range(large.LARGE_FOLDER_ENTRIES):
        os.close(os.open(wide / f"é{number:x}", os.O_CREAT | os.O_WRONLY))
    tree = Tree([str(wide)], Rules(patterns=("*1f",)), [])
    seen = [part for part in tree.walk() if part.path == os.fsencode(wide)[1:]]
    rows = [row for part in seen for row in part.rows]
    names = [row[0] for row in rows]
    assert names == sorted(
        os.fsencode(entry.name) for entry in wide.iterdir() if not entry.name.endswith("1f")
    )
    assert len(seen) > 5
    assert [part.up_to for part in seen[:-1]] == [part.rows[-1][0] for part in seen[:-1]]
    assert seen[-1].up_to is None
    below = [part.path for part in tree.walk()][-1]
    assert below == os.fsencode(wide / "a folder" / "below")[1:]
