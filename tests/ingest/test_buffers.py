"""Memory of packs that is used again."""

from __future__ import annotations

import pytest

from services.ingest.actions.memory import LARGEST_SPARE_BYTES, SPARE_BUFFERS, Buffers


def test_what_is_given_back_is_taken_again_for_packs_of_about_that_size() -> None:
    buffers = Buffers()
    first = buffers.take(1_000)
    owner = first.obj
    first[:] = b"x" * 1_000
    buffers.give(first)
    with pytest.raises(ValueError, match="released"):
        len(first)
    for size in (600, 1_000, 1_050):
        again = buffers.take(size)
        assert (again.obj is owner, len(again)) == (True, size)
        assert buffers.take(size).obj is not owner  # two at once never share
        buffers.give(again)
    for size in (100, 2_000):
        assert buffers.take(size).obj is not owner


def test_only_a_few_are_kept_and_no_large_ones() -> None:
    buffers = Buffers()
    taken = [buffers.take(10) for _ in range(SPARE_BUFFERS + 3)]
    owners = {id(one.obj): one.obj for one in taken}
    for one in taken:
        buffers.give(one)
    again = [buffers.take(10) for _ in taken]
    assert sum(id(one.obj) in owners for one in again) == SPARE_BUFFERS
    large = buffers.take(LARGEST_SPARE_BYTES + 1)
    owner = large.obj
    buffers.give(large)
    assert buffers.take(LARGEST_SPARE_BYTES + 1).obj is not owner
