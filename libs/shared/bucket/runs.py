"""What is inside the objects of a plan's runs, and how it is sealed and opened.

The formats are those of docs/protocol.md, section 4. A seal binds its key, and so tenant, plan,
run and kind: what was moved to another place doesn't open there.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

import msgspec
import zstandard

from libs.shared import sealing
from libs.shared.batches import list_members
from libs.shared.bucket.places import key_of_end, key_of_head, key_of_list, key_of_tally
from libs.shared.entries import Entry
from libs.shared.events import Outcome
from libs.shared.reasons import Reason
from libs.shared.sealing import SealingKeys

_MAX_FOLDERS_BYTES = 256 * 1024 * 1024

S = TypeVar("S", bound=msgspec.Struct)


class Unreadable(Exception):  # noqa: N818 - named after what happened
    """An object that is missing, damaged or not what its key says."""


class StoredPart(msgspec.Struct, frozen=True):
    """One object of a delta or of a whole list; the hash is of what is sealed in it."""

    key: str
    sha256: str
    entries: int


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """What a commit asked for: with its parts, all that the run brought."""

    version: int = 1
    tenant_id: UUID
    plan_id: UUID
    plan: str
    plan_version: int
    plan_created_at: datetime
    agent_id: UUID
    hostname: str
    platform: str
    agent_version: str
    enrolled_at: datetime
    declaration: dict[str, Any]
    run_id: UUID
    number: int
    parent: int | None
    full: bool
    started_at: datetime
    asked_at: datetime
    outcome: Outcome
    reason: Reason | None
    counters: dict[str, int]
    parts: list[StoredPart]


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How a run ended; totals only of a restore point.

    superseded_from: every version that ended before this run had expired by then; None where
    all that ended had. root, chain: of a restore point's seal (libs.shared.proofs).
    """

    version: int = 1
    tenant_id: UUID
    plan_id: UUID
    run_id: UUID
    number: int
    state: str
    head_key: str | None
    finished_at: datetime
    outcome: Outcome
    reason: Reason | None
    files_total: int | None
    bytes_protected: int | None
    superseded_from: int | None
    root: str | None = None
    chain: str | None = None


class Point(msgspec.Struct, frozen=True, kw_only=True):
    """A restore point as a whole list names it, or as it is brought back.

    root, chain: as sealed; None where it can't be proven.
    """

    number: int
    run_id: UUID
    parent: int | None
    started_at: datetime
    committed_at: datetime
    outcome: Outcome
    reason: Reason | None
    files_total: int
    bytes_protected: int
    root: str | None = None
    chain: str | None = None


class TallyPoint(msgspec.Struct, frozen=True):
    """A plan's newest restore point in a tally."""

    plan_id: UUID
    number: int
    chain: str | None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """What a tenant had at so many restore points: whoever takes one away takes it from here too.

    sequence: how many restore points it ever got; after a rebuild, more.
    """

    version: int = 1
    tenant_id: UUID
    sequence: int
    plans: list[TallyPoint]


class ListHead(msgspec.Struct, frozen=True, kw_only=True):
    """A whole list: every version that the plan had at this run, and its restore points.

    received: when each first run of these versions was committed. digest: over all versions,
    as docs/protocol.md tells.
    """

    version: int = 1
    tenant_id: UUID
    plan_id: UUID
    number: int
    versions: int
    digest: str
    points: list[Point]
    received: dict[int, datetime]
    parts: list[StoredPart]


class ListedFolder(msgspec.Struct, array_like=True, frozen=True):
    """Versions that lie directly in one folder, with the runs that see them."""

    folder: bytes
    entries: list[Entry]
    first_runs: list[int]
    last_runs: list[int | None]


class SealedObject(NamedTuple):
    """An object as it is stored, and where."""

    key: str
    body: bytes


_folders_encoder = msgspec.msgpack.Encoder()
_folders_decoder = msgspec.msgpack.Decoder(list[ListedFolder])


def seal_head(head: Head, keys: SealingKeys) -> SealedObject:
    """A head as it is stored, under a key that no other head has."""
    plain = msgspec.json.encode(head)
    sha256 = hashlib.sha256(plain).hexdigest()
    key = key_of_head(head.tenant_id, head.plan_id, head.number, sha256)
    return SealedObject(key, seal_object(plain, keys, key))


def seal_end(end: End, keys: SealingKeys) -> SealedObject:
    """A run's end as it is stored."""
    key = key_of_end(end.tenant_id, end.plan_id, end.number)
    return SealedObject(key, seal_object(msgspec.json.encode(end), keys, key))


def seal_list(head: ListHead, keys: SealingKeys) -> SealedObject:
    """The head of a whole list as it is stored."""
    key = key_of_list(head.tenant_id, head.plan_id, head.number)
    return SealedObject(key, seal_object(msgspec.json.encode(head), keys, key))


def seal_tally(tally: Tally, keys: SealingKeys) -> SealedObject:
    """A tally as it is stored."""
    key = key_of_tally(tally.tenant_id, tally.sequence)
    return SealedObject(key, seal_object(msgspec.json.encode(tally), keys, key))


def seal_object(plain: bytes | bytearray, keys: SealingKeys, key: str) -> bytes:
    """Any object of a run as it is stored under this key."""
    return sealing.seal_blob(plain, keys, _bind(key))


def open_object(sealed: bytes, keys: SealingKeys, key: str) -> bytes:
    """What `seal_object` sealed; Unreadable if it is damaged or lies under another key."""
    try:
        return sealing.open_blob(sealed, keys, _bind(key))
    except sealing.SealBroken as broken:
        raise Unreadable(f"{key} is damaged: {broken}") from None


def open_as(sealed: bytes, keys: SealingKeys, key: str, kind: type[S]) -> S:
    """The head, end or list's head that was sealed; Unreadable if it is none."""
    plain = open_object(sealed, keys, key)
    try:
        return msgspec.json.decode(plain, type=kind)
    except msgspec.MsgspecError as error:
        raise Unreadable(f"{key} can't be understood: {error}") from None


def open_part(sealed: bytes, keys: SealingKeys, part: StoredPart) -> bytes:
    """A part of a delta or of a whole list; Unreadable if it isn't the one that its head names."""
    plain = open_object(sealed, keys, part.key)
    if hashlib.sha256(plain).hexdigest() != part.sha256:
        raise Unreadable(f"{part.key} is not the part that its run named")
    return plain


def encode_folders(folders: Sequence[ListedFolder]) -> bytes:
    """The content of a whole list's part."""
    plain = [
        (one.folder, list_members(one.entries), one.first_runs, one.last_runs) for one in folders
    ]
    return zstandard.ZstdCompressor(level=3).compress(_folders_encoder.encode(plain))


def decode_folders(body: bytes) -> list[ListedFolder]:
    """The folders in a whole list's part; ValueError if it is none."""
    try:
        plain = zstandard.ZstdDecompressor().decompress(body, max_output_size=_MAX_FOLDERS_BYTES)
        return _folders_decoder.decode(plain)
    except (zstandard.ZstdError, msgspec.MsgspecError) as error:
        raise ValueError(str(error)) from error


def _bind(key: str) -> bytes:
    return f"coffre/run/v1 {key}".encode()
