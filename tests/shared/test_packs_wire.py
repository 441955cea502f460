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
RECORD = struct.Struct(">32sIIB")


def build(*contents: bytes, buffer: bytearray | None = None) -> packs.Pack:
    builder = packs.PackBuilder(buffer)
    for content in contents:
        payload, encoding = packs.compress(content)
        builder.add(packs.chunk_id(content, KEY), payload, len(content), encoding)
    return builder.finish()


def frame(records: list[tuple[bytes, int, int, int]], payloads: bytes) -> bytes:
    """A pack written by hand, whatever it says of itself."""
    index = b"".join(RECORD.pack(*record) for record in records)
    trailer = struct.pack(">II4s", len(records), len(index), b"CFP1")
    return b"CFPACK1\n" + payloads + index + trailer


def frame_one(
    content: bytes, payload: bytes, *, size: int | None = None, encoding: int = 1
) -> bytes:
    declared = len(content) if size is None else size
    return frame([(packs.chunk_id(content, KEY), len(payload), declared, encoding)], payload)


def verify(body: bytes) -> list[packs.VerifiedChunk]:
    return packs.verify(body, hashlib.sha256(body).hexdigest(), [KEY])


def refusal_of(body: bytes, sha256_hex: str | None = None) -> str:
    with pytest.raises(packs.PackRejected) as refused:
        packs.verify(body, sha256_hex or hashlib.sha256(body).hexdigest(), [KEY])
    problem = refused.value.problem()
    assert problem["status"] == 422
    assert len(problem["detail"]) > 20
    return refused.value.code


TEXT = b"all happy families are alike " * 40
NOISE = random.Random(7).randbytes(900)


def test_a_pack_has_exactly_these_bytes() -> None:
    builder = packs.PackBuilder()
    builder.add(packs.chunk_id(b"one", KEY), b"one", 3, packs.RAW)
    builder.add(packs.chunk_id(b"three", KEY), b"three", 5, packs.RAW)
    pack = builder.finish()
    assert pack.body.hex() == (
        "43465041434b310a"  # CFPACK1 and a line feed
        "6f6e65"
        "7468726565"
        f"{packs.chunk_id(b'one', KEY).hex()}000000030000000300"
        f"{packs.chunk_id(b'three', KEY).hex()}000000050000000500"
        "000000020000005243465031"
    )
    assert pack.id == hashlib.sha256(pack.body).hexdigest()
    assert packs.chunk_id(b"one", KEY).hex() == (
        "497007b2702cabed0dcb8c414bf92762bdea7a63a28060db71e7c2c8f048d0fb"
    )


@settings(max_examples=60, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=3000), min_size=1, max_size=20, unique=True))
def test_what_is_packed_is_what_is_verified(contents: list[bytes]) -> None:
    pack = build(*contents)
    verified = packs.verify(pack.body, pack.id, [KEY])
    assert [chunk.chunk_id for chunk in verified] == [packs.chunk_id(c, KEY) for c in contents]
    for chunk, content in zip(verified, contents, strict=True):
        payload = pack.body[chunk.offset : chunk.offset + chunk.length]
        assert packs.unpack(payload, chunk.encoding, chunk.size) == content
        assert chunk.crc32 == zlib.crc32(content)


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
    pack = build(TEXT, NOISE)
    for position in range(len(pack.body)):
        damaged = bytearray(pack.body)
        damaged[position] ^= 1 << position % 8
        assert refusal_of(bytes(damaged), pack.id) == "pack-hash-mismatch"


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
            chunks = verify(bytes(damaged))
        except packs.PackRejected as refused:
            codes.append(refused.code)
            continue
        assert len(chunks) == len(contents)
        for chunk, content in zip(chunks, contents, strict=True):
            payload = damaged[chunk.offset : chunk.offset + chunk.length]
            assert packs.unpack(payload, chunk.encoding, chunk.size) == content
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
        (frame_one(TEXT, b"\x50\x2a\x4d\x18\x03\0\0\0abc"), "chunk-size-mismatch"),
    ],
)
def test_a_pack_that_lies_about_itself_is_refused(body: bytes, code: str) -> None:
    assert refusal_of(body) == code


@pytest.mark.parametrize("count", [0, 2, 3, 65_537, 2**32 - 1])
def test_a_trailer_that_counts_wrong_is_refused(count: int) -> None:
    body = bytearray(build(TEXT).body)
    body[-12:-8] = struct.pack(">I", count)
    assert refusal_of(bytes(body)) == "pack-malformed"
    body[-8:-4] = struct.pack(">I", count * 41 % 2**32)
    assert refusal_of(bytes(body)) == "pack-malformed"


def test_a_pack_larger_than_32_mib_is_refused_unread() -> None:
    assert refusal_of(bytes(32 * 1024 * 1024 + 1)) == "pack-malformed"


def test_a_frame_without_its_content_size_is_accepted() -> None:
    """Encoders that stream don't know it beforehand."""
    for content in (TEXT, os.urandom(70_000) * 3):
        payload = zstandard.ZstdCompressor(write_content_size=False).compress(content)
        assert [chunk.size for chunk in verify(frame_one(content, payload))] == [len(content)]
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
        many.add(number.to_bytes(32, "big"), b"x", 1, packs.RAW)
    noise = random.Random(1).randbytes(packs.MAX_CHUNK_BYTES)
    while not big.is_full:
        big.add(os.urandom(32), noise, len(noise), packs.RAW)
    while not hollow.is_full:
        hollow.add(os.urandom(32), b"tiny", packs.MAX_CHUNK_BYTES, packs.ZSTD)
    assert len(packs.parse(many.finish().body)) == 32_768
    expected_bytes = big.length
    assert len(big.finish().body) == expected_bytes < packs.MAX_PACK_BYTES
    assert len(packs.parse(hollow.finish().body)) == 32
