"""The restore stream: these bytes and no others, whole or refused."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from libs.shared import batches, errors, frames, packs, restores
from libs.shared.entries import Entry, FolderDelta
from libs.shared.frames import FrameBroken
from libs.shared.restores import ListInvalid, PlacedChunk, RestorePart
from tests.shared.test_entries import deltas

ID = bytes(range(32))
PLACE = PlacedChunk(ID, 2**33 + 1, 0x01020304, 60, 57, 1, 5, 99)

places = st.builds(
    PlacedChunk,
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**63 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2 * packs.MAX_CHUNK_BYTES),
    st.integers(0, 2**32 - 1),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
)
parts = st.builds(RestorePart, st.lists(deltas, max_size=3), st.lists(places, max_size=3))


def read_list(content: bytes) -> list[RestorePart]:
    return list(restores.read_parts(io.BytesIO(content)))


def a_list(*some: Any) -> bytes:
    """A list of whatever parts, one frame each."""
    return b"".join(map(as_frame, some)) + frames.END


def as_frame(part: Any) -> bytes:
    return frames.frame(zstandard.compress(msgspec.msgpack.encode(part)))


def test_a_part_has_exactly_this_form() -> None:
    entry = Entry(b"a", "f", 0o644, -5, 1000, 100, 57, b"", ID)
    encoded = restores.encode_part(RestorePart([FolderDelta(b"srv", [entry], [])], [PLACE]))
    assert int.from_bytes(encoded[:4], "big") == len(encoded) - 4
    assert zstandard.decompress(encoded[4:]) == (
        b"\x92"
        b"\x91\x93\xc4\x03srv"
        b"\x91\x99\xc4\x01a\xa1f\xcd\x01\xa4\xfb\xcd\x03\xe8\x64\x39\xc4\x00\xc4\x20" + ID + b"\x90"
        b"\x91\x98\xc4\x20" + ID + b"\xcf\0\0\0\2\0\0\0\1\xce\1\2\3\4\x3c\x39\x01\x05\x63"
    )


def test_a_request_and_its_answer_have_exactly_this_form() -> None:
    record = ID + b"\0\0\0\2\0\0\0\1" + b"\1\2\3\4" + b"\0\0\0\x3c" + b"\0\0\0\x39" + b"\1"
    record += b"\0\0\0\5" + b"\0\0\0\x63"
    assert restores.encode_request([PLACE, PLACE]) == 2 * record
    assert restores.MAX_REQUEST_BYTES == 16_384 * 61 == 16_384 * len(record)
    answer = memoryview(bytearray(7))
    restores.put_head(answer, 1, 0x102, 1)
    assert bytes(answer) == b"\0" + b"\0\0\1\2\1" + b"\0"
    assert restores.HEAD_BYTES == 5
    assert (bytes(5), b"\0\0\0\0\1") == (restores.LOST, restores.AGAIN)
    assert restores.alone(b"ab") == b"\0\0\0\2\2ab"


@given(st.lists(parts, max_size=3))
def test_a_list_arrives_as_it_was_sent(some: list[RestorePart]) -> None:
    assert read_list(b"".join(map(restores.encode_part, some)) + frames.END) == some


@given(st.lists(parts, max_size=2), st.data())
def test_a_list_that_was_cut_is_none(some: list[RestorePart], data: st.DataObject) -> None:
    whole = b"".join(map(restores.encode_part, some)) + frames.END
    with pytest.raises(FrameBroken):
        read_list(whole[: data.draw(st.integers(0, len(whole) - 1))])


@pytest.mark.parametrize(
    "part",
    [
        "nothing",
        [[]],
        [[], [], []],
        [[[b"srv", [], []]], [[ID, 1, 8, 60, 57, 1]]],
        [[[b"srv", [[b"a/b", "d", 0, 0, 0, 0, 0, b"", b""]], []]], []],
        [[[b"../srv", [], []]], []],
    ],
    ids=["text", "short", "long", "place", "name", "path"],
)
def test_a_part_that_is_none_is_refused(part: Any) -> None:
    with pytest.raises(ListInvalid):
        read_list(a_list([[], []], part))


def test_a_part_that_unpacks_to_more_than_allowed_is_not_unpacked() -> None:
    size = restores.MAX_PART_PLAIN_BYTES + 1
    bomb = zstandard.ZstdCompressor().compressobj(size=size)
    body = b"".join([bomb.compress(bytes(1 << 20)) for _ in range(size >> 20)])
    body += bomb.compress(bytes(size & 0xFFFFF)) + bomb.flush()
    with pytest.raises(ListInvalid, match=str(size)):
        read_list(frames.frame(body) + frames.END)


@given(st.lists(places, min_size=1, max_size=5))
def test_a_request_is_read_as_it_was_made(some: list[PlacedChunk]) -> None:
    assert restores.decode_request(restores.encode_request(some)) == some


def a_request(count: int, **changes: int) -> bytes:
    return restores.encode_request(count * [msgspec.structs.replace(PLACE, **changes)])


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "61 bytes"),
        (bytes(60), "61 bytes"),
        (bytes(62), "61 bytes"),
        (a_request(16_385), "1 to 16384"),
        (a_request(1, length=(8 << 20) + 1), "length"),
        (b"".join(a_request(1, length=8 << 20, offset=n) for n in range(9)), "bytes at most"),
        (b"".join(a_request(1, length=8 << 20, offset=n % 2) for n in range(9)), "bytes at most"),
        (a_request(1, pack_no=2**63), "number"),
    ],
    ids=["empty", "short", "long", "many", "large", "much", "in turn", "pack"],
)
def test_a_request_that_asks_too_much_is_refused(body: bytes, why: str) -> None:
    with pytest.raises(errors.InvalidRequest, match=why):
        restores.decode_request(body)


def a_chunk(payload_bytes: int, encoding: int) -> bytes:
    head = bytearray(restores.HEAD_BYTES)
    restores.put_head(head, 0, payload_bytes, encoding)
    return bytes(head)


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=40)), max_size=4), st.data())
def test_an_answer_is_whole_or_was_cut(
    chunks: list[tuple[int, bytes]], data: st.DataObject
) -> None:
    body = b"".join(a_chunk(len(one), number) + one for number, one in chunks)
    assert list(restores.read_chunks(io.BytesIO(body), len(chunks))) == chunks
    with pytest.raises(FrameBroken):
        list(restores.read_chunks(io.BytesIO(body), len(chunks) + 1))
    with pytest.raises(FrameBroken):
        list(restores.read_chunks(io.BytesIO(body + b"\0"), len(chunks)))
    if body:
        cut = body[: data.draw(st.integers(0, len(body) - 1))]
        with pytest.raises(FrameBroken):
            list(restores.read_chunks(io.BytesIO(cut), len(chunks)))


def test_a_payload_longer_than_any_chunk_is_not_read() -> None:
    source = io.BytesIO(a_chunk(2**32 - 1, 0))
    with pytest.raises(FrameBroken, match="payload"):
        list(restores.read_chunks(source, 1))


@given(st.lists(deltas.filter(lambda one: bool(one.upserts)), max_size=5), st.integers(1, 9_000))
def test_entries_are_cut_into_parts_that_fit_together(
    some: list[FolderDelta], most_bytes: int
) -> None:
    folders = [(delta.folder, delta.upserts) for delta in some]
    cut = list(batches.cut_deltas(folders, most_bytes))
    together = [(delta.folder, entry) for part in cut for delta in part for entry in delta.upserts]
    assert together == [(folder, entry) for folder, found in folders for entry in found]
    for part in cut:
        count = sum(len(delta.upserts) for delta in part)
        assert count
        assert count == 1 or len(msgspec.msgpack.encode(part)) <= most_bytes + 30 * len(part)
