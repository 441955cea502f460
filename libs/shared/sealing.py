"""A sealed pack in the store: each frame and the index under AES-256-GCM (section 4).

The nonce is synthetic, so sealing twice gives the same bytes (docs/decisions/0005).
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Protocol
from uuid import UUID

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from libs.shared.packs import Bytes, InFrame, VerifiedFrame

SEAL_MAGIC = b"CFSEAL2\n"
SEAL_END_MAGIC = b"CFS2"
SEAL_OVERHEAD_BYTES = 28

_FRAME = struct.Struct(">IIB")
_CHUNK = struct.Struct(">32sII")
_TRAILER = struct.Struct(">II4s")
SEAL_TRAILER_BYTES = _TRAILER.size
_PLACE = struct.Struct(">IIB")
_FRAME_AAD = b"coffre/frame/v1"
_INDEX_AAD = b"coffre/index/v2"
_NONCE_BYTES = 12

# What was stored before a frame held several chunks: each chunk sealed alone, by its own name.
_ALONE_MAGIC = b"CFSEAL1\n"
_ALONE_END_MAGIC = b"CFS1"
_ALONE_RECORD = struct.Struct(">32sIIBI")
_ALONE_TAIL = struct.Struct(">IB")
_ALONE_AAD = b"coffre/chunk/v1"
_ALONE_INDEX_AAD = b"coffre/index/v1"


class SealBroken(Exception):  # noqa: N818 - named after what happened
    """Sealed bytes that do not open: damaged, of another tenant, or under another key."""


class SealingKeys(Protocol):
    """What sealing needs of a tenant's keys (libs.shared.keys.TenantKeys)."""

    @property
    def cipher(self) -> AESGCM: ...
    @property
    def ciphers(self) -> tuple[AESGCM, ...]: ...
    @property
    def nonce_key(self) -> bytes: ...
    @property
    def sum_key(self) -> bytes: ...


class SealedChunk(msgspec.Struct, frozen=True, gc=False):
    """Where a chunk lies: `length` sealed bytes at `offset` of its object are its frame.

    start: of the frame's content, which has `frame_size` bytes; 0 for a chunk sealed alone.
    crc32: of the chunk's content, masked.
    """

    chunk_id: bytes
    offset: int
    length: int
    size: int
    encoding: int
    crc32: int
    start: int = 0
    frame_size: int = 0


class SealedPack(msgspec.Struct, frozen=True, gc=False):
    """The object to store, and where each chunk lies in it."""

    body: memoryview
    chunks: list[SealedChunk]


class SealedFrame(InFrame, Protocol):
    """What opening a chunk's frame needs to know of its place."""

    @property
    def chunk_id(self) -> bytes: ...


def _allocate(size_bytes: int) -> memoryview:
    return memoryview(bytearray(size_bytes))


def seal(
    body: Bytes,
    frames: Sequence[VerifiedFrame],
    keys: SealingKeys,
    tenant_id: UUID,
    pack_id: bytes,
    allocate: Callable[[int], memoryview] = _allocate,
) -> SealedPack:
    """Seal each frame of a verified pack and its index; equal input gives equal bytes.

    allocate: gives memory of that many bytes for the object.
    """
    view = memoryview(body)
    count = sum([len(frame.chunks) for frame in frames])
    index_bytes = len(frames) * _FRAME.size + count * _CHUNK.size + SEAL_OVERHEAD_BYTES
    total = len(SEAL_MAGIC) + index_bytes + _TRAILER.size
    total += sum([frame.length + SEAL_OVERHEAD_BYTES for frame in frames])
    out = allocate(total)
    out[: len(SEAL_MAGIC)] = SEAL_MAGIC
    offset = len(SEAL_MAGIC)
    places: list[SealedChunk] = []
    frame_records, chunk_records = bytearray(), bytearray()
    nonce_key, encrypt_into = keys.nonce_key, keys.cipher.encrypt_into
    aad_head = _FRAME_AAD + tenant_id.bytes + pack_id
    for frame in frames:
        payload = view[frame.offset : frame.offset + frame.length]
        aad = aad_head + _PLACE.pack(offset, frame.size, frame.encoding)
        nonce = _nonce(nonce_key, aad, payload)
        length = frame.length + SEAL_OVERHEAD_BYTES
        out[offset : offset + _NONCE_BYTES] = nonce
        encrypt_into(nonce, payload, aad, out[offset + _NONCE_BYTES : offset + length])
        frame_records += _FRAME.pack(length, len(frame.chunks), frame.encoding)
        start = 0
        for chunk_id, size, plain_crc32 in frame.chunks:
            crc32 = mask_crc32(keys, chunk_id, plain_crc32)
            chunk_records += _CHUNK.pack(chunk_id, size, crc32)
            places.append(
                SealedChunk(
                    chunk_id, offset, length, size, frame.encoding, crc32, start, frame.size
                )
            )
            start += size
        offset += length
    aad = _INDEX_AAD + tenant_id.bytes + pack_id
    index = seal_blob(frame_records + chunk_records, keys, aad)
    out[offset : offset + index_bytes] = index
    out[offset + index_bytes :] = _TRAILER.pack(len(frames), count, SEAL_END_MAGIC)
    return SealedPack(out, places)


def mask_crc32(keys: SealingKeys, ids: bytes, crc32: int) -> int:
    """The CRC-32 of these chunks' content as the catalogue keeps it, and back again.

    In clear it would tell a reader of the database whether a small file holds what they guess.
    """
    if not ids:
        return crc32
    return crc32 ^ int.from_bytes(blake3(ids, key=keys.sum_key).digest(4), "big")


def seal_blob(plain: Bytes, keys: SealingKeys, aad: bytes) -> bytes:
    """Any bytes under the data key; `aad` says what they are and must be given to open them."""
    nonce = _nonce(keys.nonce_key, aad, plain)
    return nonce + keys.cipher.encrypt(nonce, plain, aad)


def open_blob(sealed: Bytes, keys: SealingKeys, aad: bytes) -> bytes:
    """What `seal_blob` sealed; SealBroken if a single bit or the `aad` is another."""
    return _open(sealed, keys, aad, aad.decode("utf-8", "backslashreplace"))


def _nonce(nonce_key: bytes, aad: bytes, plain: Bytes) -> bytes:
    """Of all that is sealed: what differs in anything never meets under one nonce."""
    length = len(aad).to_bytes(4, "big")
    return blake3(length + aad, key=nonce_key).update(plain).digest(_NONCE_BYTES)


def open_frame(
    sealed: Bytes, keys: SealingKeys, tenant_id: UUID, pack_id: bytes, place: SealedFrame
) -> bytes:
    """The payload of a chunk's frame (its bytes in the store), still compressed.

    SealBroken if a single bit, the tenant, the pack, the place in it, the size or the encoding is
    another.
    """
    aad = _frame_aad(tenant_id, pack_id, place)
    return _open(sealed, keys, aad, f"the frame of chunk {place.chunk_id.hex()}")


def open_frame_into(
    sealed: memoryview,
    keys: SealingKeys,
    tenant_id: UUID,
    pack_id: bytes,
    place: SealedFrame,
    out: memoryview,
) -> None:
    """Opens a sealed frame into a buffer that is SEAL_OVERHEAD_BYTES shorter than `sealed`."""
    aad = _frame_aad(tenant_id, pack_id, place)
    for cipher in keys.ciphers:
        with suppress(InvalidTag):
            cipher.decrypt_into(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad, out)
            return
    raise SealBroken(f"The seal of the frame of chunk {place.chunk_id.hex()} does not open.")


def _frame_aad(tenant_id: UUID, pack_id: bytes, place: SealedFrame) -> bytes:
    if not place.frame_size:
        tail = _ALONE_TAIL.pack(place.size, place.encoding)
        return b"".join((_ALONE_AAD, tenant_id.bytes, place.chunk_id, tail))
    tail = _PLACE.pack(place.offset, place.frame_size, place.encoding)
    return b"".join((_FRAME_AAD, tenant_id.bytes, pack_id, tail))


def _open(sealed: Bytes, keys: SealingKeys, aad: bytes, what: str) -> bytes:
    view = memoryview(sealed)
    if len(view) <= SEAL_OVERHEAD_BYTES:
        raise SealBroken(f"The seal of {what} is cut short.")
    for cipher in keys.ciphers:
        with suppress(InvalidTag):
            return cipher.decrypt(view[:_NONCE_BYTES], view[_NONCE_BYTES:], aad)
    raise SealBroken(f"The seal of {what} does not open.")


def open_index(
    body: Bytes, keys: SealingKeys, tenant_id: UUID, pack_id: bytes
) -> list[SealedChunk]:
    """The index of a whole stored object, to rebuild a catalogue from the store alone."""
    view = memoryview(body)
    if view[: len(SEAL_MAGIC)] not in (SEAL_MAGIC, _ALONE_MAGIC):
        raise SealBroken(f"The object of pack {pack_id.hex()} is no sealed pack.")
    tail_bytes = find_index(view[-SEAL_TRAILER_BYTES:], len(view), pack_id)
    return open_index_tail(view[-tail_bytes:], len(view), keys, tenant_id, pack_id)


def find_index(trailer: Bytes, object_bytes: int, pack_id: bytes) -> int:
    """How many bytes of an object's end are index and trailer.

    trailer: the last SEAL_TRAILER_BYTES of the object; SealBroken if they can't be that.
    """
    if len(trailer) != SEAL_TRAILER_BYTES:
        raise SealBroken(f"The object of pack {pack_id.hex()} is no sealed pack.")
    frames, count, end = _TRAILER.unpack(trailer)
    index_bytes = frames * _FRAME.size + count * _CHUNK.size + SEAL_OVERHEAD_BYTES
    if end == _ALONE_END_MAGIC:
        index_bytes = frames * _ALONE_RECORD.size + SEAL_OVERHEAD_BYTES
    tail_bytes = index_bytes + SEAL_TRAILER_BYTES
    is_known = end == SEAL_END_MAGIC or (end == _ALONE_END_MAGIC and count == index_bytes)
    if not is_known or tail_bytes > object_bytes - len(SEAL_MAGIC):
        raise SealBroken(f"The object of pack {pack_id.hex()} is damaged or cut short.")
    return int(tail_bytes)


def open_index_tail(
    tail: Bytes, object_bytes: int, keys: SealingKeys, tenant_id: UUID, pack_id: bytes
) -> list[SealedChunk]:
    """The index of a stored object of which only the end was read, as `find_index` told."""
    view = memoryview(tail)
    frames, count, end = _TRAILER.unpack(view[-SEAL_TRAILER_BYTES:])
    is_alone = end == _ALONE_END_MAGIC
    aad = (_ALONE_INDEX_AAD if is_alone else _INDEX_AAD) + tenant_id.bytes + pack_id
    what = f"the index of pack {pack_id.hex()}"
    index = memoryview(_open(view[:-SEAL_TRAILER_BYTES], keys, aad, what))
    places = _read_alone(index) if is_alone else _read_frames(index, frames)
    end_of_last = places[-1].offset + places[-1].length if places else 0
    if len(places) != (frames if is_alone else count) or end_of_last != object_bytes - len(tail):
        raise SealBroken(f"The index of pack {pack_id.hex()} is not that of its payloads.")
    return places


def _read_frames(index: memoryview, frames: int) -> list[SealedChunk]:
    places: list[SealedChunk] = []
    offset = len(SEAL_MAGIC)
    chunks = [*_CHUNK.iter_unpack(index[frames * _FRAME.size :])]
    for length, members, encoding in _FRAME.iter_unpack(index[: frames * _FRAME.size]):
        held = chunks[len(places) : len(places) + members]
        frame_size, start = sum([size for _, size, _ in held]), 0
        for chunk_id, size, crc32 in held:
            places.append(
                SealedChunk(chunk_id, offset, length, size, encoding, crc32, start, frame_size)
            )
            start += size
        offset += length
    return places


def _read_alone(index: memoryview) -> list[SealedChunk]:
    places: list[SealedChunk] = []
    offset = len(_ALONE_MAGIC)
    for chunk_id, length, size, encoding, crc32 in _ALONE_RECORD.iter_unpack(index):
        places.append(SealedChunk(chunk_id, offset, length, size, encoding, crc32))
        offset += length
    return places
