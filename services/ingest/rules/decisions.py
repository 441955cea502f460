"""What ingest decides: who may copy, whether a tenant may grow, what became of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from uuid import UUID

from isal import isal_zlib

from libs.shared.entries import CHUNK_ID_BYTES, Entry, EntryRejected, FolderDelta
from libs.shared.errors import Unavailable
from libs.shared.events import DumpResult, Outcome
from libs.shared.reasons import Reason
from services.ingest.rules.refusals import (
    ChunkUnknown,
    GrowthBlocked,
    SubscriptionEnded,
    SubscriptionSuspended,
)
from services.ingest.rules.said import Counters

MAX_FOLDER_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Agent:
    """Who calls: an agent whose token is good, and how its tenant stands."""

    agent_id: UUID
    tenant_id: UUID
    hostname: str
    subscription: str | None
    subscription_reason: str
    ceiling_bytes: int | None
    ceiling_reason: str


@dataclass(frozen=True, slots=True)
class Run:
    """A run as ingest knows it; `parent` is the plan's newest restore point at its start.

    reason: why it failed, or why it is no copy of an agent's.
    """

    run_id: UUID
    tenant_id: UUID
    plan_id: UUID
    agent_id: UUID
    number: int
    parent: int | None
    state: Literal["open", "committed", "failed"]
    started_at: datetime
    outcome: Outcome | None
    reason: Reason | None
    answer: dict[str, object] | None


def is_growth_blocked(ceiling_bytes: int | None, stored_bytes: int, growth_bytes: int) -> bool:
    """Whether that many more bytes would go over a tenant's ceiling; None is no ceiling."""
    return (
        ceiling_bytes is not None
        and growth_bytes > 0
        and stored_bytes + growth_bytes > ceiling_bytes
    )


def growth_left(ceiling_bytes: int | None, stored_bytes: int) -> int | None:
    """How many more bytes a tenant may store; None is no limit."""
    return None if ceiling_bytes is None else max(0, ceiling_bytes - stored_bytes)


def decide_ceiling(
    blocked: bool, ceiling_bytes: int, stored_bytes: int, held_bytes: int | None
) -> int | None:
    """The ceiling to keep: what was held when growth was blocked, and never more than allowed.

    held_bytes: the ceiling that was in force before, None if there was none.
    """
    if not blocked:
        return None
    return min(ceiling_bytes, stored_bytes if held_bytes is None else held_bytes)


def decide_outcome(
    hint: Outcome,
    counters: Counters,
    dumps: Sequence[DumpResult],
    expected: Sequence[str],
    warnings: Sequence[Reason] = (),
    reason: Reason | None = None,
) -> tuple[Outcome, Reason | None]:
    """What became of a run that wants to commit, and why if it failed.

    A dump that was expected and is not there, or failed, makes the run failed.
    reason: what the agent says where its hint is that the run failed.
    """
    told = {dump.name for dump in dumps}
    lost = sorted(told.union(expected) - {dump.name for dump in dumps if dump.succeeded})
    if lost:
        names = ", ".join(lost)
        if told.isdisjoint(lost):
            return "failed", Reason("dump-missing", names, len(lost))
        return "failed", Reason("dump-failed", names, len(lost))
    if hint == "failed":
        return "failed", reason or Reason("incomplete")
    if hint == "succeeded_with_warnings" or counters.files_not_copied > 0 or warnings:
        return "succeeded_with_warnings", None
    return "succeeded", None


def check_subscription(subscription: str | None, reason: str) -> None:
    """Raises the refusal of a tenant whose subscription lets nothing in.

    None is a tenant that the portal has not told us about yet: that is a matter of seconds.
    """
    if subscription is None:
        raise Unavailable("news of this subscription", 2)
    if subscription == "suspended":
        raise SubscriptionSuspended(reason)
    if subscription not in ("active", "ending"):
        raise SubscriptionEnded(reason)


def check_growth(
    ceiling_bytes: int | None, ceiling_reason: str, stored_bytes: int, growth_bytes: int
) -> None:
    """Raises GrowthBlocked where that many more bytes would go over the tenant's ceiling."""
    if ceiling_bytes is not None and is_growth_blocked(ceiling_bytes, stored_bytes, growth_bytes):
        raise GrowthBlocked(ceiling_reason, ceiling_bytes, stored_bytes)


def check_admission(agent: Agent, stored_bytes: int, growth_bytes: int) -> None:
    """Raises what keeps an agent from starting a run that is expected to add that much."""
    check_subscription(agent.subscription, agent.subscription_reason)
    check_growth(agent.ceiling_bytes, agent.ceiling_reason, stored_bytes, growth_bytes)


def list_chunk_ids(deltas: Iterable[FolderDelta]) -> list[bytes]:
    """Returns the ids of all chunks that a delta names, each once."""
    ids: set[bytes] = set()
    for delta in deltas:
        for entry in delta.upserts:
            chunks = entry.chunks
            if len(chunks) == CHUNK_ID_BYTES:
                ids.add(chunks)
            elif chunks:
                ids.update(split_ids(chunks))
    return list(ids)


def split_ids(chunks: bytes) -> list[bytes]:
    """Cuts ids that were written one after the other."""
    return [chunks[at : at + CHUNK_ID_BYTES] for at in range(0, len(chunks), CHUNK_ID_BYTES)]


def check_chunks(
    deltas: Iterable[FolderDelta], facts: Mapping[bytes, tuple[int, int, int]]
) -> list[int]:
    """Returns the CRC-32 of each entry (0 where it has no content), in the delta's order.

    facts: (size, CRC-32, pack number) of each chunk that the tenant has.
    Raises ChunkUnknown for chunks that it doesn't have, EntryRejected where the sizes differ.
    """
    unknown: set[bytes] = set()
    crc32s: list[int] = []
    for delta in deltas:
        for entry in delta.upserts:
            ids = split_ids(entry.chunks)
            missing = [chunk_id for chunk_id in ids if chunk_id not in facts]
            unknown.update(missing)
            crc32s.append(0 if missing else combine_crc32s(delta.folder, entry, ids, facts))
    if unknown:
        raise ChunkUnknown(unknown)
    return crc32s


def combine_crc32s(
    folder: bytes, entry: Entry, ids: list[bytes], facts: Mapping[bytes, tuple[int, int, int]]
) -> int:
    """The CRC-32 of a file from those of its chunks; EntryRejected where the sizes differ."""
    size_bytes = 0
    crc32 = 0
    for chunk_id in ids:
        chunk_bytes, chunk_crc32, _ = facts[chunk_id]
        crc32 = (
            isal_zlib.crc32_combine(crc32, chunk_crc32, chunk_bytes) if size_bytes else chunk_crc32
        )
        size_bytes += chunk_bytes
    if size_bytes != entry.size:
        path = folder + b"/" + entry.name if folder else entry.name
        raise EntryRejected(path, f"its chunks have {size_bytes} bytes, not {entry.size}")
    return crc32


def list_folders(paths: Iterable[bytes], known: Iterable[bytes] = ()) -> list[bytes]:
    """Returns these folders and all above them but the root, parents first.

    known: folders that need not be listed, nor what is above them.
    Raises EntryRejected where so many and so deep ones come together that they can't be held.
    """
    listed: set[bytes] = set()
    seen = set(known)
    total_bytes = 0
    for path in paths:
        folder = path
        while folder and folder not in listed and folder not in seen:
            listed.add(folder)
            total_bytes += len(folder)
            if total_bytes > MAX_FOLDER_BYTES:
                raise EntryRejected(
                    path, "this batch has too many deep folders; send fewer at once"
                )
            folder = folder.rpartition(b"/")[0]
    return sorted(listed, key=lambda folder: folder.count(b"/"))
