"""Neighbours in a pack are read at once, and what comes next while the reader is busy."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared.restores import PlacedChunk
from services.portal.actions.files import spans

LARGEST_SPAN, LARGEST_GAP = 8 << 20, 128 << 10


def place(pack_no: int, offset: int, length: int) -> PlacedChunk:
    return PlacedChunk(bytes(32), pack_no, offset, length, length, 0, 0, length)


places = st.builds(place, st.integers(1, 2), st.integers(0, 12 << 20), st.integers(29, 4 << 20))


def is_near(before: PlacedChunk, after: PlacedChunk) -> bool:
    gap = after.offset - before.offset - before.length
    is_same = (before.offset, before.length) == (after.offset, after.length)
    return before.pack_no == after.pack_no and (is_same or 0 <= gap <= LARGEST_GAP)


def extent(first: PlacedChunk, last: PlacedChunk) -> int:
    return last.offset + last.length - first.offset


@given(st.lists(places, max_size=30), st.booleans())
def test_spans_are_neighbours_and_as_long_as_allowed(
    some: list[PlacedChunk], in_order: bool
) -> None:
    if in_order:
        some.sort(key=lambda one: (one.pack_no, one.offset))
    found = list(spans.find_spans(some))
    assert [one for span in found for one in span] == some
    for span in found:
        assert all(is_near(*pair) for pair in pairwise(span))
        assert len(span) == 1 or extent(span[0], span[-1]) <= LARGEST_SPAN
    for span, following in pairwise(found):
        assert not is_near(span[-1], following[0]) or extent(span[0], following[0]) > LARGEST_SPAN


def test_a_gap_costs_less_than_a_request_up_to_a_length() -> None:
    near = [place(1, 0, 1_000), place(1, 1_000 + LARGEST_GAP, 1_000)]
    far = [place(1, 0, 1_000), place(1, 1_001 + LARGEST_GAP, 1_000)]
    assert [len(span) for span in spans.find_spans(near)] == [2]
    assert [len(span) for span in spans.find_spans(far)] == [1, 1]
    assert list(spans.find_spans([])) == []


def test_chunks_of_one_frame_are_read_together() -> None:
    frame = [place(1, 1_000, 500), place(1, 1_000, 500), place(1, 1_500, 500)]
    assert list(spans.find_spans(frame)) == [frame]
    assert [len(one) for one in spans.find_spans([*frame, place(2, 1_500, 500)])] == [3, 1]


class Fetches:
    """Ten fetches, each of which waits until it is let go; counts those under way."""

    def __init__(self) -> None:
        self.under_way: set[int] = set()
        self.most = 0
        self.go = [asyncio.Event() for _ in range(10)]

    async def each(self) -> AsyncIterator[Coroutine[Any, Any, int]]:
        for number in range(10):
            yield self._fetch(number)

    async def _fetch(self, number: int) -> int:
        self.under_way.add(number)
        self.most = max(self.most, len(self.under_way))
        try:
            await asyncio.sleep(0)  # an event that is set lets nobody else go first
            await self.go[number].wait()
        finally:
            self.under_way.remove(number)
        if number == 7:
            raise ValueError(number)
        return number


async def test_what_comes_next_is_fetched_ahead_and_in_order() -> None:
    fetches = Fetches()
    for each in reversed(fetches.go):
        each.set()
    async with aclosing(spans.read_ahead(fetches.each(), 2)) as numbers:
        assert [await anext(numbers) for _ in range(7)] == list(range(7))
        with pytest.raises(ValueError, match="7"):
            await anext(numbers)
    assert fetches.most == 3
    assert not fetches.under_way


async def test_a_reader_who_goes_away_leaves_nothing_under_way() -> None:
    fetches = Fetches()
    fetches.go[0].set()
    async with aclosing(spans.read_ahead(fetches.each(), 2)) as numbers:
        assert await anext(numbers) == 0
        await asyncio.sleep(0)
        assert fetches.under_way == {1, 2}
    assert not fetches.under_way
