"""A sealed pack in the store: each payload and the index under AES-256-GCM (section 4).

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

from libs.shared.packs.codec import Bytes
from libs.shared.packs.wire import VerifiedChunk

SEAL_MAGIC = b"CFSEAL1\n"
SEAL_END_MAGIC = b"CFS1"
SEAL_OVERHEAD_BYTES = 28

_SEALED_RECORD = struct.Struct(">32sIIBI")
_TRAILER = struct.Struct(">II4s")
SEAL_TRAILER_BYTES = _TRAILER.size
_AAD_TAIL = struct.Struct(">IB")
_CHUNK_AAD = b"coffre/chunk/v1"
_INDEX_AAD = b"coffre/index/v1"
_NONCE_BYTES = 12


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
    """Where a sealed chunk lies in its object: length counts nonce and tag.

    crc32: of the content, masked.
    """

    chunk_id: bytes
    offset: int
    length: int
    size: int
    encoding: int
    crc32: int


class SealedPack(msgspec.Struct, frozen=True, gc=False):
    """The object to store, and where each chunk lies in it."""

    body: memoryview
    chunks: list[SealedChunk]


class ChunkIdentity(Protocol):
    """What opening a chunk needs to know of it."""

    @property
    def chunk_id(self) -> bytes: ...
    @property
    def size(self) -> int: ...
    @property
    def encoding(self) -> int: ...


def _allocate(size_bytes: int) -> memoryview:
    return memoryview(bytearray(size_bytes))


def seal(
    body: Bytes,
    chunks: Sequence[VerifiedChunk],
    keys: SealingKeys,
    tenant_id: UUID,
    pack_id: bytes,
    allocate: Callable[[int], memoryview] = _allocate,
) -> SealedPack:
    """Seal each chunk of a verified pack and its index; equal input gives equal bytes.

    pack_id: the 32 bytes of the SHA-256 of `body`.
    allocate: gives memory of that many bytes for the object.
    """
    view = memoryview(body)
    index_bytes = len(chunks) * _SEALED_RECORD.size + SEAL_OVERHEAD_BYTES
    total = len(SEAL_MAGIC) + index_bytes + _TRAILER.size
    total += sum(chunk.length for chunk in chunks) + SEAL_OVERHEAD_BYTES * len(chunks)
    out = allocate(total)
    out[: len(SEAL_MAGIC)] = SEAL_MAGIC
    offset = len(SEAL_MAGIC)
    places: list[SealedChunk] = []
    index = bytearray()
    nonce_key, encrypt_into = keys.nonce_key, keys.cipher.encrypt_into
    aad_head = _CHUNK_AAD + tenant_id.bytes
    for chunk in chunks:
        chunk_id, size, encoding = chunk.chunk_id, chunk.size, chunk.encoding
        payload = view[chunk.offset : chunk.offset + chunk.length]
        aad = aad_head + chunk_id + _AAD_TAIL.pack(size, encoding)
        nonce = _nonce(nonce_key, aad, payload)
        end = offset + chunk.length + SEAL_OVERHEAD_BYTES
        out[offset : offset + _NONCE_BYTES] = nonce
        encrypt_into(nonce, payload, aad, out[offset + _NONCE_BYTES : end])
        crc32 = mask_crc32(keys, chunk_id, chunk.crc32)
        index += _SEALED_RECORD.pack(chunk_id, end - offset, size, encoding, crc32)
        places.append(SealedChunk(chunk_id, offset, end - offset, size, encoding, crc32))
        offset = end
    aad = _INDEX_AAD + tenant_id.bytes + pack_id
    out[offset : offset + index_bytes] = seal_blob(index, keys, aad)
    out[offset + index_bytes :] = _TRAILER.pack(len(chunks), index_bytes, SEAL_END_MAGIC)
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


def open_chunk(sealed: Bytes, keys: SealingKeys, tenant_id: UUID, chunk: ChunkIdentity) -> bytes:
    """The payload of one sealed chunk (its bytes in the store), still compressed.

    SealBroken if a single bit, the tenant, the chunk id, the size or the encoding is another.
    """
    return _open(sealed, keys, _chunk_aad(tenant_id, chunk), f"chunk {chunk.chunk_id.hex()}")


def open_chunk_into(
    sealed: memoryview, keys: SealingKeys, tenant_id: UUID, chunk: ChunkIdentity, out: memoryview
) -> None:
    """Opens a sealed chunk into a buffer that is SEAL_OVERHEAD_BYTES shorter than `sealed`."""
    aad = _chunk_aad(tenant_id, chunk)
    for cipher in keys.ciphers:
        with suppress(InvalidTag):
            cipher.decrypt_into(sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:], aad, out)
            return
    raise SealBroken(f"The seal of chunk {chunk.chunk_id.hex()} does not open.")


def _chunk_aad(tenant_id: UUID, chunk: ChunkIdentity) -> bytes:
    tail = _AAD_TAIL.pack(chunk.size, chunk.encoding)
    return b"".join((_CHUNK_AAD, tenant_id.bytes, chunk.chunk_id, tail))


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
    if view[: len(SEAL_MAGIC)] != SEAL_MAGIC:
        raise SealBroken(f"The object of pack {pack_id.hex()} is no sealed pack.")
    tail_bytes = find_index(view[-SEAL_TRAILER_BYTES:], len(view), pack_id)
    return open_index_tail(view[-tail_bytes:], len(view), keys, tenant_id, pack_id)


def find_index(trailer: Bytes, object_bytes: int, pack_id: bytes) -> int:
    """How many bytes of an object's end are index and trailer.

    trailer: the last SEAL_TRAILER_BYTES of the object; SealBroken if they can't be that.
    """
    if len(trailer) != SEAL_TRAILER_BYTES:
        raise SealBroken(f"The object of pack {pack_id.hex()} is no sealed pack.")
    count, index_bytes, end = _TRAILER.unpack(trailer)
    tail_bytes = index_bytes + SEAL_TRAILER_BYTES
    is_whole = index_bytes == count * _SEALED_RECORD.size + SEAL_OVERHEAD_BYTES
    if end != SEAL_END_MAGIC or not is_whole or tail_bytes > object_bytes - len(SEAL_MAGIC):
        raise SealBroken(f"The object of pack {pack_id.hex()} is damaged or cut short.")
    return int(tail_bytes)


def open_index_tail(
    tail: Bytes, object_bytes: int, keys: SealingKeys, tenant_id: UUID, pack_id: bytes
) -> list[SealedChunk]:
    """The index of a stored object of which only the end was read, as `find_index` told."""
    aad = _INDEX_AAD + tenant_id.bytes + pack_id
    sealed = memoryview(tail)[:-SEAL_TRAILER_BYTES]
    index = _open(sealed, keys, aad, f"the index of pack {pack_id.hex()}")
    places: list[SealedChunk] = []
    offset = len(SEAL_MAGIC)
    for chunk_id, length, size, encoding, crc32 in _SEALED_RECORD.iter_unpack(index):
        places.append(SealedChunk(chunk_id, offset, length, size, encoding, crc32))
        offset += length
    if offset != object_bytes - len(tail):
        raise SealBroken(f"The index of pack {pack_id.hex()} is not that of its payloads.")
    return places
