"""Entries: batches survive the wire, and nothing hostile gets in."""

from __future__ import annotations

import contextlib
import os

import msgspec
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.shared import attributes, batches, entries
from libs.shared.entries import Entry, FolderDelta

ID = bytes(range(32))


def a_file(name: bytes = b"report.odt", size: int = 10, chunks: bytes = ID) -> Entry:
    return Entry(name, "f", 0o644, 1_700_000_000_123_456_789, 1000, 100, size, b"", chunks)


def a_folder(name: bytes = b"sub") -> Entry:
    return Entry(name, "d", 0o755, -1, 0, 0, 0, b"", b"")


def a_symlink(name: bytes = b"link", target: bytes = b"../gone") -> Entry:
    return Entry(name, "l", 0o777, 0, 0, 0, 0, target, b"")


def a_device(name: bytes = b"disk") -> Entry:
    return Entry(name, "b", 0o660, 0, 0, 6, 0, b"8:1", b"")


def check(entry: Entry, folder: bytes = b"srv/data") -> int:
    return batches.check_batch([FolderDelta(folder, [entry], [])])


names = st.binary(min_size=1, max_size=255).filter(
    lambda name: b"/" not in name and b"\0" not in name and name not in {b".", b".."}
)
numbers = st.integers(0, 2**63 - 1)
file_entries = st.builds(
    lambda name, mode, mtime, uid, gid, size, ids: Entry(
        # Of more than one chunk only if it is large enough for so many.
        name,
        "f",
        mode,
        mtime,
        uid,
        gid,
        size + (len(ids) > 1) * 786_432,
        b"",
        b"".join(ids),
    ),
    names,
    st.integers(0, 0o7777),
    st.integers(-(2**63) + 1, 2**63 - 1),
    numbers,
    numbers,
    st.integers(1, 2**62),
    st.lists(st.binary(min_size=32, max_size=32), min_size=1, max_size=3),
)
symlinks = st.builds(
    a_symlink,
    names,
    st.binary(min_size=1, max_size=4096).filter(lambda target: b"\0" not in target),
)
deltas = st.builds(
    FolderDelta,
    st.lists(names, max_size=5).map(b"/".join),
    st.lists(
        st.builds(
            lambda entry, found: msgspec.structs.replace(entry, attributes=attributes.write(found)),
            st.one_of(
                file_entries, symlinks, st.builds(a_folder, names), st.builds(a_device, names)
            ),
            st.dictionaries(st.sampled_from([b"user.a", b"security.x"]), st.binary(max_size=9)),
        ),
        max_size=4,
        unique_by=lambda entry: entry.name,
    ),
    st.just([]),
)


@settings(max_examples=80, deadline=None)
@given(st.lists(deltas, max_size=4))
def test_a_batch_arrives_as_it_was_sent(batch: list[FolderDelta]) -> None:
    arrived = batches.decode_batch(batches.encode_batch(batch))
    assert arrived == batch
    assert batches.check_batch(arrived) == sum(len(delta.upserts) for delta in batch)


def test_a_batch_has_exactly_this_form() -> None:
    batch = [FolderDelta(b"srv", [a_file(b"a", 1)], [b"old"])]
    plain = zstandard.decompress(batches.encode_batch(batch))
    assert plain.hex() == (
        "9193c4037372769199c40161a166cd01a4cf17979cfe3d85cd15cd03e86401c400c420"
        f"{ID.hex()}91c4036f6c64"
    )


def test_attributes_cost_only_entries_that_have_some() -> None:
    """Whoever has none is on the wire what it was before there were any."""
    with_some = msgspec.structs.replace(
        a_file(b"b", 1), attributes=attributes.write({b"user.x": b"1"})
    )
    batch = [FolderDelta(b"srv", [a_file(b"a", 1), with_some], [])]
    ((_, (plain, more), _),) = msgspec.msgpack.decode(
        zstandard.decompress(batches.encode_batch(batch))
    )
    assert len(plain) == 9
    assert more[9:] == [msgspec.msgpack.encode([[b"user.x", b"1"]])]


def test_times_from_year_1_to_year_30828_keep_each_nanosecond() -> None:
    """What the wire's 64 bits can't hold is told beside them."""
    for time_ns in (-62_135_596_800 * 10**9, 910_692_730_085 * 10**9 + 999_999_999, -(2**63) - 1):
        kept = attributes.write({attributes.TIME: attributes.write_time(time_ns)})
        assert check(msgspec.structs.replace(a_file(), attributes=kept)) == 1
        assert attributes.time_of(entries.MAX_TIME_NS, kept) == time_ns
    far = attributes.write({attributes.TIME: attributes.write_time(10**30)})
    assert attributes.time_of(0, far) == 910_692_730_085 * 10**9


@pytest.mark.parametrize(
    "entry",
    [
        a_file(),
        a_file(size=0, chunks=b""),
        a_file(b"\xff\xfe not UTF-8 \n"),
        a_file(b"-rf"),
        a_file(b"..."),
        a_file(b"x" * 255),
        a_file(size=2**40, chunks=ID * 1000),
        a_folder(),
        a_symlink(),
        a_symlink(target=b"/etc/passwd"),
        a_symlink(target=b"t" * 4096),
        a_device(),
        msgspec.structs.replace(a_device(), kind="p", target=b""),
        msgspec.structs.replace(a_file(), target=b"srv/first name"),
        msgspec.structs.replace(a_file(), attributes=attributes.write({b"user.x": b""})),
        msgspec.structs.replace(
            a_file(), attributes=attributes.write({b"time": attributes.write_time(10**22)})
        ),
    ],
)
def test_what_a_file_system_can_hold_is_accepted(entry: Entry) -> None:
    assert check(entry) == 1
    assert check(entry, b"") == 1
    assert check(entry, b"/".join([b"d" * 255] * 16)) == 1


@pytest.mark.parametrize("name", [b"", b".", b"..", b"a/b", b"/", b"/etc", b"a\0b", b"x" * 256])
def test_a_name_that_is_none_is_refused(name: bytes) -> None:
    for batch in (
        [FolderDelta(b"srv", [a_file(name)], [])],
        [FolderDelta(b"srv", [a_folder(name)], [])],
        [FolderDelta(b"srv", [], [name])],
    ):
        with pytest.raises(entries.EntryRejected) as refused:
            batches.check_batch(batch)
        assert refused.value.problem()["status"] == 422
        assert refused.value.code == "entry-invalid"


@pytest.mark.parametrize(
    "folder",
    [
        *(b"/", b"/srv", b"srv/", b"srv//x", b"..", b"srv/../etc", b"./srv", b"a\0", b"x" * 256),
        b"/".join([b"d" * 255] * 17),
    ],
)
def test_a_folder_outside_the_root_is_refused(folder: bytes) -> None:
    with pytest.raises(entries.EntryRejected):
        check(a_file(), folder)


@pytest.mark.parametrize(
    "entry",
    [
        a_file(size=0),
        a_file(chunks=b""),
        a_file(chunks=ID[:31]),
        a_file(chunks=ID + b"x"),
        a_file(size=-1),
        a_file(size=2**63),
        msgspec.structs.replace(a_file(), target=b"/x"),
        msgspec.structs.replace(a_file(), target=b"a/../x"),
        msgspec.structs.replace(a_file(), attributes=b"x"),
        msgspec.structs.replace(a_file(), attributes=attributes.write({b"": b"x"})),
        msgspec.structs.replace(a_file(), attributes=attributes.write({b"time": b"1"})),
        msgspec.structs.replace(
            a_file(), attributes=attributes.write({b"system.posix_acl_access": b"x"})
        ),
        msgspec.structs.replace(
            a_file(), attributes=attributes.write({b"user.x": bytes(attributes.MAX_BYTES)})
        ),
        msgspec.structs.replace(
            a_file(), attributes=b"\x92\x92\xc4\x01b\xc4\x00\x92\xc4\x01a\xc4\x00"
        ),
        msgspec.structs.replace(a_device(), target=b""),
        msgspec.structs.replace(a_device(), target=b"8"),
        msgspec.structs.replace(a_device(), size=1),
        msgspec.structs.replace(a_device(), kind="p"),
        msgspec.structs.replace(a_file(), mode=0o10000),
        msgspec.structs.replace(a_file(), mode=-1),
        msgspec.structs.replace(a_file(), uid=-1),
        msgspec.structs.replace(a_file(), gid=2**63),
        msgspec.structs.replace(a_file(), mtime_ns=2**63),
        msgspec.structs.replace(a_folder(), size=1),
        msgspec.structs.replace(a_folder(), chunks=ID),
        msgspec.structs.replace(a_folder(), target=b"x"),
        a_symlink(target=b""),
        a_symlink(target=b"a\0b"),
        a_symlink(target=b"t" * 4097),
        msgspec.structs.replace(a_symlink(), size=1),
        msgspec.structs.replace(a_symlink(), chunks=ID),
    ],
)
def test_an_impossible_entry_is_refused_by_name(entry: Entry) -> None:
    with pytest.raises(entries.EntryRejected) as refused:
        check(entry)
    assert "srv/data/" in refused.value.detail


def test_one_name_twice_in_a_folder_is_refused() -> None:
    for delta in (
        FolderDelta(b"srv", [a_file(b"a"), a_folder(b"a")], []),
        FolderDelta(b"srv", [a_file(b"a")], [b"a"]),
        FolderDelta(b"srv", [], [b"a", b"a"]),
    ):
        with pytest.raises(entries.EntryRejected):
            batches.check_batch([delta])


def test_a_hostile_name_is_shown_harmlessly() -> None:
    with pytest.raises(entries.EntryRejected) as refused:
        check(a_file(b"\x1b[31m\xff\n/"))
    assert refused.value.detail.isprintable()


def test_more_than_fifty_thousand_entries_are_refused() -> None:
    batch = [FolderDelta(b"", [], [b"%d" % number for number in range(50_000)])]
    assert batches.check_batch(batch) == 50_000
    batch.append(FolderDelta(b"srv", [], [b"one more"]))
    with pytest.raises(batches.BatchRejected):
        batches.check_batch(batch)


def pack(value: object) -> bytes:
    return zstandard.compress(msgspec.msgpack.encode(value))


GOOD = [b"a", "f", 420, 1, 0, 0, 1, b"", ID]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not zstd",
        zstandard.compress(b""),
        zstandard.compress(b"\xc1"),
        zstandard.compress(b"\x91" * 100_000),
        zstandard.compress(b"\xdd\xff\xff\xff\xff"),
        pack({}),
        pack([{}]),
        pack([[b"srv", [], []], 1]),
        pack([["srv", [], []]]),
        pack([[b"srv", [GOOD[:-1]], []]]),
        pack([[b"srv", [[*GOOD, 1]], []]]),
        pack([[b"srv", [], [], 1]]),
        pack([[b"srv", [[b"a", "s", *GOOD[2:]]], []]]),
        pack([[b"srv", [[b"a", "f", 2**64 - 1.5, *GOOD[3:]]], []]]),
        pack([[b"srv", [], []]]) + b"tail",
        pack([[b"srv", [], []]])[:-1],
        zstandard.compress(bytes(64 * 1024 * 1024 + 1)),
        zstandard.ZstdCompressor(write_content_size=False).compress(bytes(64 * 1024 * 1024 + 1)),
        b"\x28\xb5\x2f\xfd\xe0" + (3 * 1024**3).to_bytes(8, "little") + b"\x03\0\0",
        os.urandom(8 * 1024 * 1024 + 1),
    ],
)
def test_a_body_that_is_no_batch_is_refused(body: bytes) -> None:
    with pytest.raises(batches.BatchRejected) as refused:
        batches.decode_batch(body)
    assert refused.value.problem()["type"] == "urn:coffre:problem:batch-malformed"


def test_of_a_foreign_batch_an_entry_may_be_unreadable() -> None:
    body = pack([[b"srv", [[b"a", "s", *GOOD[2:]], GOOD], [b"gone"]]])
    deltas = batches.decode_foreign_batch(body)
    assert deltas[0].upserts[0] is batches.UNREADABLE
    faults = batches.find_faults(deltas)
    assert list(faults) == [(0, 0)]
    (kept,) = batches.without(deltas, faults)
    assert ([one.name for one in kept.upserts], kept.removed) == ([b"a"], [b"gone"])
    with pytest.raises(batches.BatchRejected):
        batches.decode_foreign_batch(pack([["srv", [], []]]))


def test_a_good_batch_by_hand_is_accepted() -> None:
    assert batches.decode_batch(pack([[b"srv", [GOOD], []]]))[0].upserts[0].name == b"a"


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_refused_and_nothing_else_happens(noise: bytes) -> None:
    for body in (noise, zstandard.compress(noise)):
        with contextlib.suppress(batches.BatchRejected, entries.EntryRejected):
            batches.check_batch(batches.decode_batch(body))


def test_fifty_thousand_entries_are_one_batch() -> None:
    batch = [
        FolderDelta(
            b"srv/f%d" % folder, [a_file(b"n%d" % n, 1, os.urandom(32)) for n in range(50)], []
        )
        for folder in range(1000)
    ]
    assert batches.check_batch(batches.decode_batch(batches.encode_batch(batch))) == 50_000
