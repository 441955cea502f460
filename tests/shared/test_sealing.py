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
        builder.add(packs.chunk_id(content, KEYS.chunk_key), content)
    return builder.finish()


def seal(
    pack: packs.Pack, keys: TenantKeys = KEYS, tenant_id: uuid.UUID = TENANT
) -> sealing.SealedPack:
    frames = packs.verify(pack.body, pack.id, keys.chunk_keys)
    return sealing.seal(pack.body, frames, keys, tenant_id, bytes.fromhex(pack.id))


def open_all(
    body: bytes | bytearray | memoryview, chunks: list[sealing.SealedChunk], pack_id: bytes
) -> list[bytes]:
    opened = []
    for chunk in chunks:
        sealed = memoryview(body)[chunk.offset : chunk.offset + chunk.length]
        payload = sealing.open_frame(sealed, KEYS, TENANT, pack_id, chunk)
        opened.append(bytes(packs.cut_out(packs.unpack_frame(payload, chunk), chunk)))
    return opened


@settings(max_examples=50, deadline=None)
@given(st.lists(st.binary(min_size=1, max_size=2000), min_size=1, max_size=12, unique=True))
def test_what_is_sealed_opens_to_what_it_was(contents: list[bytes]) -> None:
    pack = build(contents)
    sealed = seal(pack)
    pack_id = bytes.fromhex(pack.id)
    assert open_all(sealed.body, sealed.chunks, pack_id) == contents
    assert sealing.open_index(sealed.body, KEYS, TENANT, pack_id) == sealed.chunks


def test_a_sealed_pack_has_exactly_these_bytes() -> None:
    """The format outlives the code: whoever changes this loses what is stored."""
    pack = build([b"one", b"three"])
    sealed = seal(pack)
    assert pack.id == "cf6c50c24dcd8752fd62a5e74ed4eb8d15b4cbab6e00806ae941463f15c1689a"
    assert sealed.body.hex() == (
        "43465345414c320a3bca7ff668f983275964c09fdc0adaa0e2a9d801acbd2c198b47a558aaa77002"
        "ef05f658319179e3ff9b2eca11d051ae4755f5144d98015ca266673f64db73c6f2c342223838bfbd"
        "ceb2cef312e0ba5ba66c1c9fc3d4ef1b31c55475fdf585ba6a5abd54d54a2a0b083ad9d8310c92c7"
        "cb154f12b5503bcfcbe48b26f45af320aaf777183e5d14f6dfae0ca0e366e30779df1063b17b45d3"
        "c3000000010000000243465332"
    )


def test_a_pack_that_was_stored_before_frames_held_several_chunks_opens_still() -> None:
    """As release 0.2 wrote it: sealed by the chunk's own name, in an index of another form."""
    body = bytes.fromhex(
        "43465345414c310aa3ab7168f98cb6b14c67dbe48395df76039cbd22b70785acbf80a5359d10cbf4"
        "24182da365ad82c6f98492e5cad93039c7d0e403606b5fe86cb68ab38442efc4d365266a3718f4e9"
        "451f1b965a453ca7225ac494d8de7504c446e1dfe98c02f93d400eeb01b23a500000000100000049"
        "43465331"
    )
    pack_id = bytes.fromhex("56c93535dd883025096751cae15225cb00e2fd6bf3f218f76963dfc5c32bfb89")
    (chunk,) = sealing.open_index(body, KEYS, TENANT, pack_id)
    assert (chunk.offset, chunk.size, chunk.start, chunk.frame_size) == (8, 3, 0, 0)
    assert open_all(body, [chunk], pack_id) == [b"one"]
    for length in range(len(body)):
        with pytest.raises(sealing.SealBroken):
            sealing.open_index(body[:length], KEYS, TENANT, pack_id)


def test_sealing_twice_gives_the_same_bytes() -> None:
    assert seal(build(CONTENTS)).body == seal(build(CONTENTS)).body
    assert seal(build(CONTENTS)).body != seal(build(CONTENTS), tenant_id=STRANGER).body


def test_a_pack_written_over_one_with_its_index_opens_by_the_same_rows() -> None:
    content = b"said in two ways"
    block = (len(content) << 3 | 1).to_bytes(3, "little") + content
    stored = []
    for head in (b"\x20" + bytes([len(content)]), b"\x00\x00"):  # its size, or a window
        builder = packs.PackBuilder()
        chunk = packs.PackedChunk(packs.chunk_id(content, KEYS.chunk_key), len(content))
        builder.add_frame(b"\x28\xb5\x2f\xfd" + head + block, packs.ZSTD, [chunk])
        pack = builder.finish()
        stored.append((pack, seal(pack)))
    (one, before), (other, after) = stored
    assert one.id == other.id
    assert one.body != other.body
    assert before.chunks == after.chunks
    assert open_all(after.body, before.chunks, bytes.fromhex(one.id)) == [content]
    at, nonce = before.chunks[0].offset, 12
    assert before.body[at : at + nonce] != after.body[at : at + nonce]


def test_nothing_of_the_content_can_be_seen() -> None:
    body = seal(build([b"a very secret sentence"])).body
    assert b"secret" not in body
    assert packs.chunk_id(b"a very secret sentence", KEYS.chunk_key) not in body


def test_only_the_right_keys_tenant_pack_and_place_open_it() -> None:
    pack = build(CONTENTS)
    sealed, pack_id = seal(pack), bytes.fromhex(pack.id)
    first = sealed.chunks[0]
    blob = sealed.body[first.offset : first.offset + first.length]
    others = TenantKeys(bytes(32), KEYS.chunk_key)
    change = msgspec.structs.replace
    for keys, tenant, name, chunk in [
        (others, TENANT, pack_id, first),
        (KEYS, STRANGER, pack_id, first),
        (KEYS, TENANT, bytes(32), first),
        (KEYS, TENANT, pack_id, change(first, offset=first.offset + 1)),
        (KEYS, TENANT, pack_id, change(first, frame_size=first.frame_size + 1)),
        (KEYS, TENANT, pack_id, change(first, frame_size=0)),
        (KEYS, TENANT, pack_id, change(first, encoding=1 - first.encoding)),
    ]:
        with pytest.raises(sealing.SealBroken):
            sealing.open_frame(blob, keys, tenant, name, chunk)
    assert sealing.open_frame(blob, KEYS, TENANT, pack_id, first)


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
                open_all(damaged, sealed.chunks, pack_id)
        else:
            with pytest.raises(sealing.SealBroken):
                sealing.open_index(damaged, KEYS, TENANT, pack_id)
    for length in range(len(body)):
        with pytest.raises(sealing.SealBroken):
            sealing.open_index(body[:length], KEYS, TENANT, pack_id)
    assert trailing > index_start
    for length in range(sealed.chunks[0].length):
        with pytest.raises(sealing.SealBroken):
            sealing.open_frame(body[8 : 8 + length], KEYS, TENANT, pack_id, sealed.chunks[0])


def test_equal_content_in_two_tenants_has_unequal_ids() -> None:
    assert packs.chunk_id(b"same", bytes(32)) != packs.chunk_id(b"same", bytes([1] * 32))


def test_no_two_seals_that_differ_in_anything_share_a_nonce() -> None:
    """The same payload under another size, encoding, pack or tenant is another message."""
    body = b"payload of some bytes"
    pack = build([body])
    frame = packs.verify(pack.body, pack.id, KEYS.chunk_keys)[0]
    others = [
        (frame, TENANT, bytes(32)),
        (msgspec.structs.replace(frame, size=frame.size + 1), TENANT, bytes(32)),
        (msgspec.structs.replace(frame, encoding=frame.encoding ^ 1), TENANT, bytes(32)),
        (frame, TENANT, bytes(31) + b"1"),
        (frame, STRANGER, bytes(32)),
    ]
    nonces = set()
    for one, tenant, pack_id in others:
        sealed = sealing.seal(pack.body, [one], KEYS, tenant, pack_id)
        first = sealed.chunks[0]
        nonces.add(bytes(sealed.body[first.offset : first.offset + 12]))
    twice = sealing.seal(pack.body, [frame, frame], KEYS, TENANT, bytes(32))
    nonces.add(bytes(twice.body[twice.chunks[1].offset :][:12]))
    assert len(nonces) == len(others) + 1
    blobs = {sealing.seal_blob(b"plain", KEYS, aad)[:12] for aad in (b"one", b"two", b"onep")}
    assert len(blobs) == 3
