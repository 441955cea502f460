"""Sealed packs: deterministic, and opened by nothing but the right keys, tenant and chunk."""

from __future__ import annotations

import random
import uuid

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.shared import packs, sealing
from libs.shared.keys import TenantKeys

TENANT = uuid.UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d10")
STRANGER = uuid.UUID("11111111-58a3-4a4e-9a0e-2f5a3c1b7d10")
KEYS = TenantKeys(bytes(range(32)), bytes(range(32, 64)))
CONTENTS = [b"letters " * 200, random.Random(3).randbytes(500), b"x"]


def build(contents: list[bytes]) -> packs.Pack:
    builder = packs.PackBuilder()
    for content in contents:
        payload, encoding = packs.compress(content)
        builder.add(packs.chunk_id(content, KEYS.chunk_key), payload, len(content), encoding)
    return builder.finish()


def seal(
    pack: packs.Pack, keys: TenantKeys = KEYS, tenant_id: uuid.UUID = TENANT
) -> sealing.SealedPack:
    chunks = packs.verify(pack.body, pack.id, keys.chunk_keys)
    return sealing.seal(pack.body, chunks, keys, tenant_id, bytes.fromhex(pack.id))


def open_all(
    body: bytes | bytearray,
    chunks: list[sealing.SealedChunk],
    keys: TenantKeys = KEYS,
    tenant_id: uuid.UUID = TENANT,
) -> list[bytes]:
    opened = []
    for chunk in chunks:
        sealed = memoryview(body)[chunk.offset : chunk.offset + chunk.length]
        payload = sealing.open_chunk(sealed, keys, tenant_id, chunk)
        opened.append(packs.unpack(payload, chunk.encoding, chunk.size))
    return opened


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=12, unique=True))
def test_what_is_sealed_opens_to_what_it_was(contents: list[bytes]) -> None:
    pack = build(contents)
    sealed = seal(pack)
    assert open_all(sealed.body, sealed.chunks) == contents
    assert sealing.open_index(sealed.body, KEYS, TENANT, bytes.fromhex(pack.id)) == sealed.chunks


def test_a_sealed_pack_has_exactly_these_bytes() -> None:
    """The format outlives the code: whoever changes this loses what is stored."""
    pack = build([b"one"])
    sealed = seal(pack)
    assert pack.id == ("56c93535dd883025096751cae15225cb00e2fd6bf3f218f76963dfc5c32bfb89")
    assert sealed.body.hex() == (
        "43465345414c310aa3ab7168f98cb6b14c67dbe48395df76039cbd22b70785acbf80a5359d10cbf4"
        "24182da365ad82c6f98492e5cad93039c7d0e403606b5fe86cb68ab38442efc4d365266a3718f4e9"
        "451f1b965a453ca7225ac494d8de7504c446e1dfe98c02f93d400eeb01b23a500000000100000049"
        "43465331"
    )


def test_sealing_twice_gives_the_same_bytes() -> None:
    assert seal(build(CONTENTS)).body == seal(build(CONTENTS)).body
    assert seal(build(CONTENTS)).body != seal(build(CONTENTS), tenant_id=STRANGER).body


def test_a_chunk_is_sealed_alike_in_whichever_pack_it_lies() -> None:
    alone, among = seal(build(CONTENTS[:1])), seal(build(CONTENTS[::-1]))
    chunk, same = alone.chunks[0], among.chunks[-1]
    assert (
        alone.body[chunk.offset : chunk.offset + chunk.length]
        == among.body[same.offset : same.offset + same.length]
    )


def test_nothing_of_the_content_can_be_seen() -> None:
    body = seal(build([b"a very secret sentence"])).body
    assert b"secret" not in body
    assert packs.chunk_id(b"a very secret sentence", KEYS.chunk_key) not in body


def test_only_the_right_keys_tenant_and_chunk_open_it() -> None:
    sealed = seal(build(CONTENTS))
    first, second, _ = sealed.chunks
    blob = sealed.body[first.offset : first.offset + first.length]
    others = TenantKeys(bytes(32), KEYS.chunk_key)
    wrong_size = msgspec.structs.replace(first, size=first.size + 1)
    wrong_encoding = msgspec.structs.replace(first, encoding=1 - first.encoding)
    for keys, tenant, chunk in [
        (others, TENANT, first),
        (KEYS, STRANGER, first),
        (KEYS, TENANT, second),
        (KEYS, TENANT, wrong_size),
        (KEYS, TENANT, wrong_encoding),
    ]:
        with pytest.raises(sealing.SealBroken):
            sealing.open_chunk(blob, keys, tenant, chunk)
    assert sealing.open_chunk(blob, KEYS, TENANT, first)


def test_the_index_opens_for_its_own_pack_and_tenant_only() -> None:
    pack = build(CONTENTS)
    sealed = seal(pack)
    pack_id = bytes.fromhex(pack.id)
    for keys, tenant, name in [
        (TenantKeys(bytes(32), KEYS.chunk_key), TENANT, pack_id),
        (KEYS, STRANGER, pack_id),
        (KEYS, TENANT, bytes(32)),
    ]:
        with pytest.raises(sealing.SealBroken):
            sealing.open_index(sealed.body, keys, tenant, name)


def test_every_flipped_bit_and_every_cut_of_a_sealed_pack_is_noticed() -> None:
    pack = build(CONTENTS)
    sealed = seal(pack)
    body, pack_id = bytes(sealed.body), bytes.fromhex(pack.id)
    trailing = len(body) - 12
    index_start = sealed.chunks[-1].offset + sealed.chunks[-1].length
    for position in range(len(body)):
        damaged = bytearray(body)
        damaged[position] ^= 1 << position % 8
        if 8 <= position < index_start:
            with pytest.raises(sealing.SealBroken):
                open_all(damaged, sealed.chunks)
        else:
            with pytest.raises(sealing.SealBroken):
                sealing.open_index(damaged, KEYS, TENANT, pack_id)
    for length in range(len(body)):
        with pytest.raises(sealing.SealBroken):
            sealing.open_index(body[:length], KEYS, TENANT, pack_id)
    assert trailing > index_start
    for length in range(sealed.chunks[0].length):
        with pytest.raises(sealing.SealBroken):
            sealing.open_chunk(body[8 : 8 + length], KEYS, TENANT, sealed.chunks[0])


def test_equal_content_in_two_tenants_has_unequal_ids() -> None:
    assert packs.chunk_id(b"same", bytes(32)) != packs.chunk_id(b"same", bytes([1] * 32))


def test_no_two_seals_that_differ_in_anything_share_a_nonce() -> None:
    """The same payload under another size, encoding, id or tenant is another message."""
    body = b"payload of some bytes"
    chunk = packs.verify(build([body]).body, build([body]).id, KEYS.chunk_keys)[0]
    others = [
        (chunk, TENANT),
        (msgspec.structs.replace(chunk, size=chunk.size + 1), TENANT),
        (msgspec.structs.replace(chunk, encoding=chunk.encoding ^ 1), TENANT),
        (msgspec.structs.replace(chunk, chunk_id=bytes(32)), TENANT),
        (chunk, STRANGER),
    ]
    nonces = set()
    for one, tenant in others:
        sealed = sealing.seal(build([body]).body, [one], KEYS, tenant, bytes(32))
        first = sealed.chunks[0]
        nonces.add(bytes(sealed.body[first.offset : first.offset + 12]))
    assert len(nonces) == len(others)
    blobs = {sealing.seal_blob(b"plain", KEYS, aad)[:12] for aad in (b"one", b"two", b"onep")}
    assert len(blobs) == 3
