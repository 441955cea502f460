"""Memory of packs that is used again."""

from __future__ import annotations

import asyncio

import pytest

from services.ingest.actions.memory import LARGEST_SPARE_BYTES, SPARE_BUFFERS, Buffers


def owners(buffers: Buffers, *sizes: int) -> list[object]:
    """Whose memory comes for these sizes, taken together; it goes back."""
    with buffers.lend() as take:
        return [take(size).obj for size in sizes]


def test_what_is_given_back_is_taken_again_for_packs_of_about_that_size() -> None:
    buffers = Buffers()
    with buffers.lend() as take:
        first = take(1_000)
        owner = first.obj
        first[:] = b"x" * 1_000
    with pytest.raises(ValueError, match="released"):
        len(first)
    for size in (100, 2_000):
        assert owners(buffers, size)[0] is not owner
    for size in (600, 1_000, 1_050):
        with buffers.lend() as take:
            again = [take(size), take(size)]
            assert [len(memory) for memory in again] == [size, size]
            assert sum(memory.obj is owner for memory in again) == 1  # two at once never share


def test_only_a_few_are_kept_and_no_large_ones() -> None:
    buffers = Buffers()
    sizes = [10] * (SPARE_BUFFERS + 3)
    first = owners(buffers, *sizes)
    again = owners(buffers, *sizes)
    assert sum(any(one is other for other in first) for one in again) == SPARE_BUFFERS
    large = owners(buffers, LARGEST_SPARE_BYTES + 1)
    assert owners(buffers, LARGEST_SPARE_BYTES + 1)[0] is not large[0]


def test_memory_comes_back_from_a_failure_and_not_from_a_block_that_was_cancelled() -> None:
    buffers = Buffers()
    taken: list[object] = []

    def fail_with(error: BaseException) -> None:
        with buffers.lend() as take:
            taken[:] = [take(1_000).obj]
            raise error

    with pytest.raises(ZeroDivisionError):
        fail_with(ZeroDivisionError())
    assert owners(buffers, 1_000)[0] is taken[0]
    # A thread of the block may still be writing there.
    with pytest.raises(asyncio.CancelledError):
        fail_with(asyncio.CancelledError())
    assert owners(buffers, 1_000)[0] is not taken[0]
