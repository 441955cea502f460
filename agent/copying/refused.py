"""Entries that the server keeps out of a run: named as not copied, and all else is copied."""

from __future__ import annotations

from agent.copying.job import Job
from agent.copying.sending import BATCH_ENTRIES, Sender
from agent.server.ingest import RefusedEntry, StartedRun
from agent.telling.counters import Missed
from libs.shared.batches import encode_batch
from libs.shared.entries import Entry, FolderDelta, join

# What a folder is copied as that can't be kept as it is: only its owner may enter it.
_BARE_MODE = 0o700


def name(job: Job, started: StartedRun, sender: Sender) -> int:
    """Name what was refused, with the folders kept bare; returns how many batches there are."""
    bare: list[FolderDelta] = []
    for one in sender.refused:
        if one.entry is None:
            continue
        job.was_refused = True
        job.miss(join(one.folder, one.entry.name), Missed(one.reason))
        if one.entry.kind == "d":
            bare.append(FolderDelta(one.folder, [_bare(one)], []))
        elif one.entry.kind == "f":
            job.counters.files_total -= 1
            job.counters.bytes_protected -= one.entry.size
    batches = sender.batches
    for at in range(0, len(bare), BATCH_ENTRIES):
        body = encode_batch(bare[at : at + BATCH_ENTRIES])
        job.ingest.put_entries(started.run_id, batches, body)
        batches += 1
    return batches


def _bare(one: RefusedEntry) -> Entry:
    """The folder alone, so that what lies in it has its place."""
    assert one.entry is not None
    return Entry(one.entry.name, "d", _BARE_MODE, 0, 0, 0, 0, b"", b"")
