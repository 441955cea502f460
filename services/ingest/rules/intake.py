"""What ingest decides: who may copy, whether a tenant may grow, what became of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set

from isal import isal_zlib

from libs.shared.batches import BatchPlace, Faults
from libs.shared.entries import (
    CHUNK_ID_BYTES,
    Entry,
    EntryFault,
    EntryRejected,
    FolderDelta,
    join,
    split_ids,
)
from services.ingest.rules.refusals import ChunkUnknown

MAX_FOLDER_BYTES = 64 * 1024 * 1024


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


def weigh_growth(added_bytes: int, sizes: Mapping[bytes, int], damaged: Set[bytes]) -> int:
    """Returns how much of what a pack adds to the store is growth.

    sizes: of its chunks' content. damaged: those that the store had and broke; what brings them
    again is no growth, by their part of the content.
    """
    if not damaged:
        return added_bytes
    new = sum(size for chunk_id, size in sizes.items() if chunk_id not in damaged)
    return -(-added_bytes * new // sum(sizes.values()))


def check_chunks(
    deltas: Iterable[FolderDelta], facts: Mapping[bytes, tuple[int, int, int, int]], faults: Faults
) -> list[int]:
    """Returns the CRC-32 of each entry (0 where it has no content), in the delta's order.

    facts: (size, CRC-32, pack number, packed size) of each chunk that the tenant has.
    faults: entries that are passed over; those whose sizes differ are added.
    Raises ChunkUnknown for chunks that it doesn't have.
    """
    unknown: set[bytes] = set()
    crc32s: list[int] = []
    for folder, delta in enumerate(deltas):
        if BatchPlace(folder, None) in faults:
            continue
        for number, entry in enumerate(delta.upserts):
            if faults and BatchPlace(folder, number) in faults:
                continue
            ids = split_ids(entry.chunks)
            missing = [chunk_id for chunk_id in ids if chunk_id not in facts]
            if missing:
                unknown.update(missing)
                continue
            try:
                crc32s.append(combine_crc32s(delta.folder, entry, ids, facts))
            except EntryRejected as refusal:
                faults[BatchPlace(folder, number)] = refusal.fault
    if unknown:
        raise ChunkUnknown(unknown)
    return crc32s


def combine_crc32s(
    folder: bytes, entry: Entry, ids: list[bytes], facts: Mapping[bytes, tuple[int, int, int, int]]
) -> int:
    """The CRC-32 of a file from those of its chunks; EntryRejected where the sizes differ."""
    size_bytes = 0
    crc32 = 0
    for chunk_id in ids:
        chunk_bytes, chunk_crc32, *_ = facts[chunk_id]
        crc32 = (
            isal_zlib.crc32_combine(crc32, chunk_crc32, chunk_bytes) if size_bytes else chunk_crc32
        )
        size_bytes += chunk_bytes
    if size_bytes != entry.size:
        raise EntryRejected(
            join(folder, entry.name),
            EntryFault(f"its chunks have {size_bytes} bytes, not {entry.size}"),
        )
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
                    path, EntryFault("this batch has too many deep folders; send fewer at once")
                )
            folder = folder.rpartition(b"/")[0]
    return sorted(listed, key=lambda folder: folder.count(b"/"))
