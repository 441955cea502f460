"""Chunks: where files are cut, and how chunks are compressed."""

from __future__ import annotations

import io
import os
import random
import threading
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.shared import packs

KEY = bytes(range(32))
MIB = 1024 * 1024


def lengths(content: bytes, key: bytes = KEY) -> list[int]:
    return [len(chunk) for chunk in packs.Chunker(key).cut(io.BytesIO(content))]


def repeatable(size: int) -> bytes:
    return random.Random(20261122).randbytes(size)


def test_golden_boundaries() -> None:
    """Other boundaries would store every large file of every client a second time."""
    assert lengths(repeatable(12 * MIB)) == [
        1382675,
        1411015,
        1036785,
        2192239,
        692510,
        1569600,
        1254204,
        1269447,
        1256783,
        517654,
    ]
    assert lengths(repeatable(12 * MIB), bytes(32)) == [
        1202902,
        2539454,
        901953,
        1886995,
        1199777,
        1045355,
        1231672,
        1376835,
        1197969,
    ]
    assert lengths(bytes(9 * MIB)) == [4 * MIB, 4 * MIB, MIB]
    assert packs.cut_seed(KEY) == 6076589794532195408
    assert packs.cut_seed(KEY) < 2**63


@pytest.mark.parametrize(
    ("size", "expected"),
    [(0, []), (1, [1]), (512 * 1024 - 1, [512 * 1024 - 1]), (512 * 1024, [524288])],
)
def test_small_files_are_one_chunk(size: int, expected: list[int]) -> None:
    assert lengths(repeatable(size)) == expected


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 9 * MIB), st.integers(0, 255), st.booleans())
def test_the_chunks_of_a_file_are_the_file(size: int, seed: int, is_dull: bool) -> None:
    content = bytes([seed]) * size if is_dull else random.Random(seed).randbytes(size)
    chunks = [bytes(chunk) for chunk in packs.Chunker(KEY).cut(io.BytesIO(content))]
    assert b"".join(chunks) == content
    assert all(len(chunk) <= packs.MAX_CHUNK_BYTES for chunk in chunks)
    assert all(len(chunk) >= 256 * 1024 for chunk in chunks[:-1])


class Trickle(io.RawIOBase):
    """A file that gives a few bytes at a time, as a pipe does."""

    def __init__(self, content: bytes) -> None:
        self._file = io.BytesIO(content)

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._file.readinto(buffer[:7919])


def test_the_boundaries_do_not_depend_on_how_the_file_is_read() -> None:
    content = repeatable(6 * MIB)
    cut = packs.Chunker(KEY).cut(Trickle(content))
    assert [len(chunk) for chunk in cut] == lengths(content)


def test_an_insertion_moves_few_boundaries() -> None:
    content = repeatable(24 * MIB)
    changed = content[: 5 * MIB] + b"inserted" + content[5 * MIB :]

    def ids(of: bytes) -> set[bytes]:
        return {packs.chunk_id(c, KEY) for c in packs.Chunker(KEY).cut(io.BytesIO(of))}

    assert len(ids(changed) - ids(content)) <= 2


def test_a_large_file_is_cut_in_bounded_memory() -> None:
    class Zeros(io.RawIOBase):
        left = 200 * MIB

        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            count = min(len(buffer), self.left)
            self.left -= count
            return count

    tracemalloc.start()
    assert sum(len(chunk) for chunk in packs.Chunker(KEY).cut(Zeros())) == 200 * MIB
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 * MIB


def test_a_chunker_serves_several_threads() -> None:
    chunker = packs.Chunker(KEY)
    contents = [os.urandom(3 * MIB) for _ in range(4)]
    results: dict[int, list[int]] = {}

    def cut(number: int) -> None:
        results[number] = [len(c) for c in chunker.cut(io.BytesIO(contents[number]))]

    threads = [threading.Thread(target=cut, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {number: lengths(contents[number]) for number in range(4)}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=5000))
def test_what_is_compressed_unpacks_to_what_it_was(content: bytes) -> None:
    payload, encoding = packs.compress(content)
    assert len(payload) <= len(content)
    assert packs.unpack(payload, encoding, len(content)) == content


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"a", packs.RAW),
        (b"abc" * 100, packs.ZSTD),
        (repeatable(3000), packs.RAW),
        (repeatable(MIB), packs.RAW),
        (b"abc" * MIB, packs.ZSTD),
        (repeatable(MIB) + bytes(MIB), packs.ZSTD),  # a dull half after a wild start
    ],
)
def test_compression_is_used_where_it_pays(content: bytes, encoding: int) -> None:
    payload, chosen = packs.compress(memoryview(content))
    assert chosen == encoding
    assert packs.unpack(payload, chosen, len(content)) == content


@pytest.mark.parametrize(
    ("payload", "encoding"), [(b"abc", 0), (b"abcde", 0), (b"abcd", 2), (b"abcd", 1)]
)
def test_a_payload_that_is_not_what_was_said_is_refused(payload: bytes, encoding: int) -> None:
    with pytest.raises(packs.PayloadInvalid):
        packs.unpack(payload, encoding, 4)
