"""A plan's manifests fetched from the bucket, checked, and laid out on disk to be replayed.

Nothing is written to the catalogue here; its chunks must be there already.
"""

from __future__ import annotations

import tempfile
from array import array
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO
from uuid import UUID

import msgspec

from libs.shared import batches, bucket, database, sealing
from libs.shared.batches import BatchRejected
from libs.shared.bucket import RunObjects, Unreadable
from libs.shared.entries import FolderDelta
from libs.shared.keys import TenantKeys
from services.ingest import rules
from services.ingest.actions.commits.applying import Delta
from services.ingest.actions.intake.deltas import find_facts, unmask
from services.ingest.actions.rebuild import fetching
from services.ingest.actions.resources import Resources

_encoder = msgspec.msgpack.Encoder()
_delta_decoder = msgspec.msgpack.Decoder(tuple[list[FolderDelta], bytes])
_list_decoder = msgspec.msgpack.Decoder(
    list[tuple[bytes, list[rules.manifests.content.ListedVersion]]]
)


@dataclass(frozen=True)
class Step:
    """What one run brought, or a whole list where `listed`; `slots` are its parts on disk.

    is_whole: whether the tree is what the run had, once this is applied.
    """

    number: int
    parent: int | None
    full: bool
    slots: list[tuple[int, int]]
    is_whole: bool = True
    point: bucket.Point | None = None
    head_key: str = ""
    end: bucket.End | None = None
    listed: bucket.ListHead | None = None


@dataclass
class Gathered:
    """All of a plan that could be read; close the file when it is done with."""

    plan_id: UUID
    last_number: int
    file: BinaryIO
    newest: bucket.Head | None = None
    undecided: int | None = None
    expired_before: int = 0
    steps: list[Step] = field(default_factory=list)
    gone: rules.rebuild.Gone = field(default_factory=rules.rebuild.Gone)
    troubles: list[str] = field(default_factory=list)

    @property
    def is_whole(self) -> bool:
        """Whether the newest restore point comes back as it was."""
        return bool(self.steps) and self.steps[-1].is_whole and not self.gone.current

    def _keep(self, body: bytes) -> tuple[int, int]:
        start = self.file.seek(0, 2)
        self.file.write(body)
        return start, len(body)

    def _read(self, slot: tuple[int, int]) -> bytes:
        self.file.seek(slot[0])
        return self.file.read(slot[1])

    def keep_delta(self, deltas: list[FolderDelta], crc32s: list[int]) -> tuple[int, int]:
        """Writes a part of a delta to disk."""
        return self._keep(_encoder.encode((deltas, array("I", crc32s).tobytes())))

    def keep_list(
        self, folders: list[tuple[bytes, list[rules.manifests.content.ListedVersion]]]
    ) -> tuple[int, int]:
        """Writes a part of a whole list to disk."""
        return self._keep(_encoder.encode(folders))

    async def read_deltas(self, resources: Resources, step: Step) -> AsyncIterator[Delta]:
        """Reads a step's delta back, part by part."""
        for slot in step.slots:
            deltas, crc32s = await resources.in_thread(
                None, _delta_decoder.decode, self._read(slot)
            )
            yield deltas, array("I", crc32s)

    async def read_lists(
        self, resources: Resources, step: Step
    ) -> AsyncIterator[list[tuple[bytes, list[rules.manifests.content.ListedVersion]]]]:
        """Reads a whole list back, part by part."""
        for slot in step.slots:
            yield await resources.in_thread(None, _list_decoder.decode, self._read(slot))


async def gather(
    resources: Resources, tenant_id: UUID, keys: TenantKeys, found: RunObjects
) -> Gathered:
    """Fetches what is needed of a plan: its newest whole list and the deltas since."""
    gathered = Gathered(found.plan_id, found.last_number, tempfile.TemporaryFile())  # noqa: SIM115 - closed by the caller
    source = _Source(resources, tenant_id, keys, gathered)
    base = 0
    for number in sorted(found.lists, reverse=True):
        try:
            gathered.steps.append(await source.fetch_list(found.lists[number], number))
        except Unreadable as trouble:
            gathered.troubles.append(str(trouble))
            gathered.gone = rules.rebuild.Gone()
        else:
            base = number
            break
    await _gather_runs(source, found, base)
    return gathered


async def _gather_runs(source: _Source, found: RunObjects, base: int) -> None:
    gathered = source.gathered
    heads = [key for number, some in found.heads.items() if number >= base for key in some]
    ends = [key for number, key in found.ends.items() if number >= base]
    history = rules.manifests.history.decide_history(
        await source.read_all(heads, bucket.Head),
        (await source.read_all(ends, bucket.End)).values(),
        [found.last_number],
        [base] if base else [],
    )
    gathered.undecided = history.undecided
    gathered.expired_before = rules.manifests.history.find_expired_before(history)
    before = base or None
    is_whole = True
    for number in history.committed:
        if number in history.heads:
            gathered.newest = history.heads[number][1]
        if number <= base:
            continue
        if number not in history.heads:
            gathered.troubles.append(f"run {number} of plan {found.plan_id} has no readable head")
            is_whole = False
            continue
        key, head = history.heads[number]
        is_whole = head.full or (is_whole and head.parent == before)
        gone = gathered.gone.count
        step = await source.fetch_delta(key, head, history.ends.get(number), is_whole=is_whole)
        if number == history.undecided and (not step.is_whole or gathered.gone.count > gone):
            break  # a commit would have refused it; the agent brings it again
        is_whole = step.is_whole
        gathered.steps.append(step)
        before = number
    if history.committed and history.committed[-1] not in (*history.heads, base):
        # The newest run is lost altogether: what is there is an older state.
        gathered.steps.append(Step(history.committed[-1], before, False, [], is_whole=False))


class _Source:
    """Fetches one plan's objects, and notes what can't be read."""

    def __init__(
        self, resources: Resources, tenant_id: UUID, keys: TenantKeys, gathered: Gathered
    ) -> None:
        self.gathered = gathered
        self._resources = resources
        self._tenant_id = tenant_id
        self._keys = keys

    async def read_all(self, names: list[str], kind: type[Any]) -> dict[str, Any]:
        readable = {}
        async for key, one in fetching.read_all(self._resources, self._keys, names, kind):
            if isinstance(one, Unreadable):
                self.gathered.troubles.append(str(one))
            else:
                readable[key] = one
        return readable

    async def _read_parts(
        self, parts: list[bucket.StoredPart]
    ) -> AsyncIterator[bytes | Unreadable]:
        async def one(part: bucket.StoredPart) -> bytes | Unreadable:
            try:
                return await fetching.read_part(self._resources, self._keys, part)
            except Unreadable as trouble:
                return trouble

        async for body in fetching.each(fetching.several(parts), one):
            yield body

    async def _find(self, decode: Callable[[bytes], Any], body: bytes) -> tuple[Any, Any]:
        """What a part holds, and what is known of its chunks."""
        decoded, ids = await self._resources.in_thread(None, _decode, decode, body)
        async with database.acquire(self._resources.pool) as conn:
            facts = await find_facts(conn, self._tenant_id, ids)
        return decoded, unmask(facts, self._keys)

    def _mask(self, ids: bytes, crc32: int) -> int:
        return sealing.mask_crc32(self._keys, ids, crc32)

    async def fetch_delta(
        self, key: str, head: bucket.Head, end: bucket.End | None, *, is_whole: bool
    ) -> Step:
        """Puts a run's delta on disk, without what can't be read."""
        slots = []
        if head.full:
            self.gathered.gone.supersede_all(head.number)
        async for body in self._read_parts(head.parts):
            try:
                if isinstance(body, Unreadable):
                    raise body
                deltas, facts = await self._find(batches.decode_batch, body)
            except (Unreadable, BatchRejected) as trouble:
                self.gathered.troubles.append(str(trouble))
                is_whole = False
                continue
            settled, crc32s, gone = await self._resources.in_thread(
                None, rules.rebuild.settle_delta, deltas, facts, self._mask
            )
            self.gathered.gone.supersede(head.number, settled)
            for path in gone:
                self.gathered.gone.add(path, head.number, None)
            slots.append(self.gathered.keep_delta(settled, crc32s))
        return Step(
            head.number,
            head.parent,
            head.full,
            slots,
            is_whole,
            _point(head, end),
            key,
            end,
        )

    async def fetch_list(self, key: str, number: int) -> Step:
        """Puts a whole list on disk; Unreadable unless all of it is there and right."""
        head = await fetching.read_as(self._resources, self._keys, key, bucket.ListHead)
        content = rules.manifests.content.Content()
        slots = []
        async for body in self._read_parts(head.parts):
            if isinstance(body, Unreadable):
                raise body
            try:
                folders, facts = await self._find(bucket.decode_folders, body)
            except ValueError as error:
                raise Unreadable(f"a part of {key} can't be understood: {error}") from None
            settled, gone = await self._resources.in_thread(
                None, rules.rebuild.settle_list, folders, facts, self._mask
            )
            for path, first, last in gone:
                self.gathered.gone.add(path, first, last)
            for folder, versions in settled:
                content.add(folder, versions)
            slots.append(self.gathered.keep_list(settled))
        if not self.gathered.gone.count and content.digest != head.digest:
            raise Unreadable(f"{key} is not what its parts hold")
        return Step(number, None, True, slots, listed=head)


def _decode(decode: Callable[[bytes], Any], body: bytes) -> tuple[Any, list[bytes]]:
    decoded = decode(body)
    return decoded, rules.intake.list_chunk_ids(
        FolderDelta(folder.folder, folder.entries, [])
        if isinstance(folder, bucket.ListedFolder)
        else folder
        for folder in decoded
    )


def _point(head: bucket.Head, end: bucket.End | None) -> bucket.Point:
    """A restore point as its end tells it, or as its head asked for it."""
    committed_at: datetime = end.finished_at if end else head.asked_at
    outcome = end.outcome if end else head.outcome
    return bucket.Point(
        number=head.number,
        run_id=head.run_id,
        parent=head.parent,
        started_at=head.started_at,
        committed_at=committed_at,
        outcome=outcome,
        reason=end.reason if end else head.reason,
        files_total=-1 if end is None or end.files_total is None else end.files_total,
        bytes_protected=-1 if end is None or end.bytes_protected is None else end.bytes_protected,
        root=end.root if end else None,
        chain=end.chain if end else None,
    )
