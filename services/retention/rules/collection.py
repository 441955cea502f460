"""What becomes of each pack after a mark: pure decisions of collection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

FRAME_BYTES = 48
RECORD_BYTES = 40
"""What a sealed pack has beside its frames, in all and for each chunk (docs/protocol.md).

Nine bytes a frame are left out: how many there are is in no row, and it doesn't matter here."""

MAX_GROUP_PLAIN_BYTES = 128 * 1024 * 1024
MAX_GROUP_CHUNKS = 32_768
"""Far enough below what a pack may hold that one more source never passes it."""

Verdict = Literal["keep", "condemn", "resurrect", "delete", "repack"]


@dataclass(frozen=True, slots=True)
class Limits:
    """How patient collection is.

    young: a pack is left alone that long, as its run may not have been committed.
    grace: a condemned pack is kept that long.
    sparse_share: a pack of which less is needed is repacked.
    """

    young: timedelta = timedelta(days=1)
    grace: timedelta = timedelta(days=7)
    sparse_share: float = 0.4


@dataclass(frozen=True, slots=True)
class Usage:
    """A pack, and how much of it a mark found to be needed.

    dropped_bytes: what only dropped versions need; undoable_bytes: what of that can be taken back;
    discount_bytes: how much the pack's row says is not counted for that.
    """

    pack_no: int
    pack_id: bytes
    state: str
    object_bytes: int
    chunk_count: int
    stored_at: datetime
    condemned_at: datetime | None
    needed_bytes: int
    discount_bytes: int = 0
    dropped_bytes: int = 0
    undoable_bytes: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether it stays, or comes back, and some of it counts no more, or did so until now."""
        return bool(self.needed_bytes and (self.dropped_bytes or self.discount_bytes))

    @property
    def payload_bytes(self) -> int:
        """How much of the object are chunks: a small one is mostly frame and index."""
        return self.object_bytes - FRAME_BYTES - RECORD_BYTES * self.chunk_count


@dataclass(frozen=True, slots=True)
class Need:
    """What a new pack would take over of a sparse one."""

    pack_no: int
    sealed_bytes: int
    plain_bytes: int
    chunks: int


def judge_pack(usage: Usage, now: datetime, limits: Limits) -> Verdict:
    """Says what becomes of a pack. Times in the future keep it: some clock was wrong."""
    if usage.condemned_at is not None:
        if usage.needed_bytes:
            return "resurrect"
        if usage.undoable_bytes:
            return "keep"
        return "delete" if usage.condemned_at + limits.grace <= now else "keep"
    is_young = usage.stored_at + limits.young > now
    # What was dropped goes at once: the run of its pack was committed.
    if not usage.needed_bytes and (usage.dropped_bytes or not is_young):
        return "condemn"
    if is_young or usage.undoable_bytes:
        return "keep"
    is_sparse = (
        usage.dropped_bytes or usage.needed_bytes < usage.payload_bytes * limits.sparse_share
    )
    # What is damaged waits for its chunks to come again; copying would stop at the broken one.
    return "repack" if is_sparse and usage.state == "live" else "keep"


def choose_groups(needs: Sequence[Need], target_bytes: int) -> list[list[Need]]:
    """Puts sparse packs together so that what is needed of each group fills about one new pack."""
    groups: list[list[Need]] = []
    sealed = plain = chunks = 0
    for need in sorted(needs, key=lambda one: one.pack_no):
        sealed, plain = sealed + need.sealed_bytes, plain + need.plain_bytes
        chunks += need.chunks
        is_full = (
            sealed > target_bytes or plain > MAX_GROUP_PLAIN_BYTES or chunks > MAX_GROUP_CHUNKS
        )
        if is_full or not groups:
            groups.append([])
            sealed, plain, chunks = need.sealed_bytes, need.plain_bytes, need.chunks
        groups[-1].append(need)
    return groups
