"""Frames: what was written is read, and nothing that was cut looks whole."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.shared import frames
from libs.shared.frames import FrameBroken

bodies = st.lists(st.binary(min_size=1, max_size=50), max_size=5)


def written(some: list[bytes]) -> bytes:
    return b"".join(map(frames.frame, some)) + frames.END


def read(content: bytes, max_bytes: int = 50) -> list[bytes]:
    return list(frames.read_frames(io.BytesIO(content), max_bytes))


def test_frames_have_exactly_this_form() -> None:
    assert written([b"one", bytes(258)]) == (
        b"\0\0\0\3one" + b"\0\0\1\2" + bytes(258) + b"\0\0\0\0"
    )


@given(bodies)
def test_frames_arrive_as_they_were_written(some: list[bytes]) -> None:
    assert read(written(some)) == some


@given(bodies, st.data())
def test_what_was_cut_or_goes_on_is_noticed(some: list[bytes], data: st.DataObject) -> None:
    whole = written(some)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(FrameBroken, match="before its end"):
        read(whole[:cut])
    with pytest.raises(FrameBroken, match="follows"):
        read(whole + b"\0")


def test_a_frame_that_is_too_long_is_not_read() -> None:
    source = io.BytesIO(written([bytes(51)]))
    with pytest.raises(FrameBroken, match="51 bytes"):
        frames.read_frame(source, 50)
    assert source.tell() == frames.HEAD_BYTES
