"""A pack on the wire: what is accepted, and that nothing else is."""

from __future__ import annotations

import hashlib
import itertools
import os
import random
import resource
import struct
import zlib

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.shared import packs

KEY = bytes(range(32))
SMALL = 128 * 1024  # what is smaller shares a frame


def build(*contents: bytes, buffer: bytearray | None = None) -> packs.Pack:
    builder = packs.PackBuilder(buffer)
    for content in contents:
        builder.add(packs.chunk_id(content, KEY), content)
    return builder.finish()


def by_hand(
    frames: list[tuple[int, int, int]], chunks: list[tuple[bytes, int]], payloads: bytes
) -> bytes:
    """A pack of (length, chunks, encoding) and (id, size), whatever it says of itself."""
    index = b"".join(struct.pack(">IIB", *one) for one in frames)
    index += b"".join(struct.pack(">32sI", *one) for one in chunks)
    return b"CFPACK2\n" + payloads + index + struct.pack(">II4s", len(frames), len(chunks), b"CFP2")


def frame(records: list[tuple[bytes, int, int, int]], payloads: bytes) -> bytes:
    """A pack of (id, length, size, encoding): frames of one chunk each."""
    frames = [(length, 1, encoding) for _, length, _, encoding in records]
    return by_hand(frames, [(one[0], one[2]) for one in records], payloads)


def group(*sizes: int, content: bytes, payload: bytes = b"", encoding: int = 1) -> bytes:
    """A pack of one frame, in which contents of these sizes follow each other."""
    ids, at = [], 0
    for size in sizes:
        ids.append((packs.chunk_id(content[at : at + size], KEY), size))
        at += size
    payload = payload or zstandard.compress(content)
    return by_hand([(len(payload), len(ids), encoding)], ids, payload)


def frame_one(
    content: bytes, payload: bytes, *, size: int | None = None, encoding: int = 1
) -> bytes:
    declared = len(content) if size is None else size
    return frame([(packs.chunk_id(content, KEY), len(payload), declared, encoding)], payload)


def name_of(body: bytes) -> str:
    """The name of a pack by its index, where that can be found."""
    try:
        index_at = packs.wire.find_index(memoryview(body))[1]
    except packs.PackMalformed:
        index_at = 0
    return hashlib.sha256(body[index_at:]).hexdigest()


def verify(body: bytes) -> list[packs.VerifiedFrame]:
    return packs.verify(body, name_of(body), [KEY])


def contents_of(
    body: bytes | memoryview, frames: list[packs.VerifiedFrame]
) -> list[tuple[bytes, bytes, int]]:
    """(id, content, CRC-32) of each chunk of a verified pack, unpacked by hand."""
    found = []
    for one in frames:
        plain = packs.unpack(body[one.offset : one.offset + one.length], one.encoding, one.size)
        for chunk in one.chunks:
            found.append((chunk.chunk_id, plain[: chunk.size], chunk.crc32))
            plain = plain[chunk.size :]
        assert not plain
    return found


def as_found(contents: tuple[bytes, ...] | list[bytes]) -> list[tuple[bytes, bytes, int]]:
    return [(packs.chunk_id(one, KEY), one, zlib.crc32(one)) for one in contents]


def refusal_of(body: bytes, sha256_hex: str | None = None) -> str:
    with pytest.raises(packs.PackRejected) as refused:
        packs.verify(body, sha256_hex or name_of(body), [KEY])
    problem = refused.value.problem()
    assert problem["status"] == 422
    assert len(problem["detail"]) > 20
    return refused.value.code


TEXT = b"all happy families are alike " * 40
NOISE = random.Random(7).randbytes(900)


def test_a_pack_has_exactly_these_bytes() -> None:
    builder = packs.PackBuilder()
    builder.add(packs.chunk_id(b"one", KEY), b"one")
    builder.add(packs.chunk_id(b"three", KEY), b"three")
    pack = builder.finish()
    index = (
        "000000080000000200"
        f"{packs.chunk_id(b'one', KEY).hex()}00000003"
        f"{packs.chunk_id(b'three', KEY).hex()}00000005"
        "000000010000000243465032"
    )
    # CFPACK2 and a line feed, the frame of both, the index
    assert pack.body.hex() == "43465041434b320a" + "6f6e657468726565" + index
    assert pack.id == hashlib.sha256(bytes.fromhex(index)).hexdigest()
    assert packs.chunk_id(b"one", KEY).hex() == (
        "497007b2702cabed0dcb8c414bf92762bdea7a63a28060db71e7c2c8f048d0fb"
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=20, unique=True))
def test_what_is_packed_is_what_is_verified(contents: list[bytes]) -> None:
    pack = build(*contents)
    frames = packs.verify(pack.body, pack.id, [KEY])
    assert contents_of(pack.body, frames) == as_found(contents)


def test_small_chunks_that_come_together_lie_together_and_large_ones_alone() -> None:
    dice = random.Random(5)
    small = [dice.randbytes(90_000) for _ in range(5)]
    large = [dice.randbytes(SMALL), dice.randbytes(400_000)]
    pack = build(small[0], large[0], small[1], small[2], large[1], *small[3:])
    frames = packs.verify(pack.body, pack.id, [KEY])
    assert [[chunk.size for chunk in one.chunks] for one in frames] == [
        [SMALL],
        [90_000, 90_000],
        [400_000],
        [90_000, 90_000],
        [90_000],
    ]
    found = contents_of(pack.body, frames)
    in_order = [large[0], *small[:2], large[1], *small[2:]]
    assert found == as_found(in_order)


def test_a_chunk_given_twice_is_packed_once() -> None:
    assert build(TEXT, NOISE, TEXT).body == build(TEXT, NOISE).body


def test_memory_of_an_earlier_pack_leaves_no_trace_in_the_next_one() -> None:
    for before in ((NOISE, TEXT), (TEXT,)):
        buffer = build(*before).reclaim()
        for after in ((TEXT,), (NOISE,), (TEXT, NOISE)):
            fresh = build(*after)
            again = build(*after, buffer=buffer)
            assert (again.id, bytes(again.body)) == (fresh.id, bytes(fresh.body))
            assert packs.verify(again.body, again.id, [KEY])
            buffer = again.reclaim()
            with pytest.raises(ValueError, match="released"):
                bytes(again.body)


def test_a_pack_cut_at_any_byte_is_refused() -> None:
    body = bytes(build(TEXT, NOISE).body)
    codes = {refusal_of(body[:length]) for length in range(len(body))}
    assert codes == {"pack-malformed"}
    assert refusal_of(body + b"\0") == "pack-malformed"


def test_a_pack_with_any_byte_changed_is_not_the_pack_it_was() -> None:
    """An index is named by the address, a content by its id."""
    contents = (TEXT, NOISE)
    pack = build(*contents)
    codes = set()
    for position in range(len(pack.body)):
        damaged = bytearray(pack.body)
        damaged[position] ^= 1 << position % 8
        try:
            frames = packs.verify(damaged, pack.id, [KEY])
        except packs.PackRejected as refused:
            codes.add(refused.code)
        else:  # a bit that means nothing to zstd
            assert contents_of(bytes(damaged), frames) == as_found(contents)
    assert codes == {
        "pack-hash-mismatch",
        "pack-malformed",
        "chunk-undecodable",
        "chunk-bomb",
        "chunk-hash-mismatch",
    }


def test_a_thousand_damaged_packs_with_a_true_hash_are_refused() -> None:
    """As an agent with bad memory would send them: damaged first, hashed afterwards.

    A handful of bits in a zstd header mean nothing: such a pack may pass, its content is intact.
    """
    contents = (TEXT, NOISE, b"x")
    body = build(*contents).body
    codes: list[str] = []
    for position, bit in itertools.product(range(len(body)), (0, 7)):
        damaged = bytearray(body)
        damaged[position] ^= 1 << bit
        try:
            frames = verify(bytes(damaged))
        except packs.PackRejected as refused:
            codes.append(refused.code)
            continue
        assert contents_of(bytes(damaged), frames) == as_found(contents)
    assert len(codes) > 1000
    assert len(codes) >= 2 * len(body) - 8
    assert set(codes) == {
        "pack-malformed",
        "chunk-bomb",
        "chunk-size-mismatch",
        "chunk-undecodable",
        "chunk-hash-mismatch",
    }


ONE = packs.chunk_id(b"one", KEY)
TWO = packs.chunk_id(b"two", KEY)


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "pack-malformed"),
        (b"CFPACK1\n", "pack-malformed"),
        (frame([], b""), "pack-malformed"),
        (frame([], b"unclaimed"), "pack-malformed"),
        (frame([(ONE, 3, 3, 0)], b"oneX"), "pack-malformed"),
        (frame([(ONE, 4, 4, 0)], b"one"), "pack-malformed"),
        (frame([(ONE, 2**32 - 1, 3, 1)], b"one"), "pack-malformed"),
        (frame([(ONE, 0, 3, 1), (TWO, 3, 3, 0)], b"two"), "pack-malformed"),
        (frame([(ONE, 3, 0, 1)], b"one"), "pack-malformed"),
        (frame([(ONE, 3, 4, 0)], b"one"), "pack-malformed"),
        (frame([(ONE, 3, 4 * 1024 * 1024 + 1, 1)], b"one"), "pack-malformed"),
        (frame([(ONE, 3, 2**32 - 1, 1)], b"one"), "pack-malformed"),
        (frame([(ONE, 3, 3, 2)], b"one"), "pack-malformed"),
        (frame([(ONE, 3, 3, 0), (ONE, 3, 3, 0)], b"oneone"), "pack-malformed"),
        (frame([(ONE, 3, 3, 0)], b"two"), "chunk-hash-mismatch"),
        (frame([(TWO, 3, 3, 0), (ONE, 3, 3, 0)], b"onetwo"), "chunk-hash-mismatch"),
        (frame([(ONE, 3, 3, 1)], b"one"), "chunk-undecodable"),
        (frame_one(TEXT, zstandard.compress(TEXT) + b"!"), "chunk-undecodable"),
        (frame_one(TEXT, zstandard.compress(TEXT)[:-1]), "chunk-undecodable"),
        (frame_one(TEXT * 2, zstandard.compress(TEXT) * 2), "chunk-size-mismatch"),
        (frame_one(TEXT, zstandard.compress(TEXT) * 2), "chunk-undecodable"),
        (frame_one(TEXT, zstandard.compress(TEXT), size=len(TEXT) + 1), "chunk-size-mismatch"),
        (frame_one(TEXT, zstandard.compress(TEXT), size=len(TEXT) - 1), "chunk-bomb"),
        # In groups: the order of chunks says where each lies, so that none can overlap or leave a
        # gap; what is said of their sizes and their number can still be wrong.
        (group(400, 600, content=TEXT[:1000])[:-20] + b"\0" * 20, "pack-malformed"),
        (group(400, 600, content=TEXT[:1001]), "chunk-bomb"),
        (group(400, 600, content=TEXT[:999]), "chunk-size-mismatch"),
        (group(400, 600, content=TEXT[:1000], payload=TEXT[:999], encoding=0), "pack-malformed"),
        (group(400, 600, content=TEXT[:1000], payload=TEXT[:1000]), "chunk-undecodable"),
        (group(400, 0, 600, content=TEXT[:1000]), "pack-malformed"),
        (group(87, 87, content=TEXT[:87] * 2), "pack-malformed"),
        (by_hand([(6, 2, 0)], [(TWO, 3), (ONE, 3)], b"onetwo"), "chunk-hash-mismatch"),
        (by_hand([(6, 2, 0)], [(ONE, 2), (TWO, 4)], b"onetwo"), "chunk-hash-mismatch"),
        (by_hand([(6, 2, 0)], [(ONE, 4), (TWO, 2)], b"onetwo"), "chunk-hash-mismatch"),
        (by_hand([(3, 1, 0), (3, 0, 0)], [(ONE, 3), (TWO, 3)], b"onetwo"), "pack-malformed"),
        (by_hand([(3, 1, 0)], [(ONE, 3), (TWO, 3)], b"one"), "pack-malformed"),
        (by_hand([(6, 3, 0)], [(ONE, 3), (TWO, 3)], b"onetwo"), "pack-malformed"),
        (by_hand([(6, 2**32 - 1, 0)], [(ONE, 3), (TWO, 3)], b"onetwo"), "pack-malformed"),
        (by_hand([(3, 1, 0)] * 2, [(ONE, 3)], b"oneone"), "pack-malformed"),
        (by_hand([(6, 2, 0)], [(ONE, 3), (TWO, 2**32 - 1)], b"onetwo"), "pack-malformed"),
        (group(*[2**17] * 2, 1, content=bytes(2**18) + b"x"), "pack-malformed"),
        (frame_one(TEXT, b"\x50\x2a\x4d\x18\x03\0\0\0abc"), "chunk-size-mismatch"),
    ],
)
def test_a_pack_that_lies_about_itself_is_refused(body: bytes, code: str) -> None:
    assert refusal_of(body) == code


@pytest.mark.parametrize("count", [0, 2, 3, 65_537, 2**32 - 1])
def test_a_trailer_that_counts_wrong_is_refused(count: int) -> None:
    for at in (-12, -8):
        body = bytearray(build(TEXT).body)
        body[at : at + 4] = struct.pack(">I", count)
        assert refusal_of(bytes(body)) == "pack-malformed"


def test_thousands_of_groups_are_a_pack_like_any_other() -> None:
    ids = [(packs.chunk_id(b"%d" % number, KEY), len(b"%d" % number)) for number in range(40_000)]
    body = b"".join(b"%d" % number for number in range(40_000))
    pairs = [(len(b"%d%d" % (n, n + 1)), 2, 0) for n in range(0, 40_000, 2)]
    frames = verify(by_hand(pairs, ids, body))
    assert sum(len(one.chunks) for one in frames) == 40_000
    assert refusal_of(by_hand(pairs[1:], ids, body)) == "pack-malformed"
    most = [(n.to_bytes(32, "big"), 1) for n in range(65_537)]
    assert refusal_of(by_hand([(65_537, 65_537, 0)], most, bytes(65_537))) == "pack-malformed"


def test_a_pack_larger_than_32_mib_is_refused_unread() -> None:
    assert refusal_of(bytes(32 * 1024 * 1024 + 1)) == "pack-malformed"


def test_a_frame_without_its_content_size_is_accepted() -> None:
    """Encoders that stream don't know it beforehand."""
    for content in (TEXT, os.urandom(70_000) * 3):
        payload = zstandard.ZstdCompressor(write_content_size=False).compress(content)
        assert [one.size for one in verify(frame_one(content, payload))] == [len(content)]
        assert (
            refusal_of(frame_one(content, payload, size=len(content) + 1)) == "chunk-size-mismatch"
        )
        assert refusal_of(frame_one(content, payload, size=len(content) - 1)) == "chunk-undecodable"


def test_a_bomb_is_refused_before_it_takes_memory() -> None:
    zeros = zstandard.ZstdCompressor(level=19)
    gigabytes = 3 * 1024**3
    # A frame header that promises three gigabytes, then one that promises nothing and a window
    # of 128 MiB: neither may be believed.
    promised = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", gigabytes) + b"\x03\0\0"
    silent = b"".join(
        zstandard.ZstdCompressor(
            compression_params=zstandard.ZstdCompressionParameters(
                window_log=27, write_content_size=False
            )
        ).read_to_iter(bytes(64 * 1024 * 1024))
    )
    exact = zeros.compress(bytes(512 * 1024 * 1024 // 8))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert refusal_of(frame_one(b"x", promised, size=4 * 1024 * 1024)) == "chunk-bomb"
    assert refusal_of(frame_one(b"x", silent, size=4 * 1024 * 1024)) == "chunk-undecodable"
    assert refusal_of(frame_one(b"x", exact, size=4 * 1024 * 1024)) == "chunk-bomb"
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 40 * 1024


def test_a_pack_of_very_many_chunks_that_unpack_to_very_much_is_refused_undecompressed() -> None:
    payload = zstandard.compress(bytes(4 * 1024 * 1024))
    records = [
        (number.to_bytes(32, "big"), len(payload), 4 * 1024 * 1024, 1) for number in range(34)
    ]
    assert refusal_of(frame(records, payload * 34)) == "pack-malformed"
    assert refusal_of(frame(records[:33], payload * 33)) == "chunk-hash-mismatch"


def test_a_full_builder_says_so_and_stays_within_the_limits() -> None:
    many, big, hollow = packs.PackBuilder(), packs.PackBuilder(), packs.PackBuilder()
    for number in itertools.count():
        if many.is_full:
            break
        many.add(number.to_bytes(32, "big"), b"x")
    noise = random.Random(1).randbytes(packs.MAX_CHUNK_BYTES)
    while not big.is_full:
        big.add(os.urandom(32), noise)
    while not hollow.is_full:
        chunk = packs.PackedChunk(os.urandom(32), packs.MAX_CHUNK_BYTES)
        hollow.add_frame(b"tiny", packs.ZSTD, [chunk])
    assert sum(len(one.chunks) for one in packs.parse(many.finish().body)) == 32_768
    assert packs.TARGET_PACK_BYTES <= len(big.finish().body) < packs.MAX_PACK_BYTES
    assert len(packs.parse(hollow.finish().body)) == 32
