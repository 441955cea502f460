"""Keys: kept in the bucket alone, wrapped, bound to their tenant, forgotten after a minute."""

from __future__ import annotations

import json
import uuid
from pathlib import Path

import pytest

from libs.shared import bucket, errors, keys
from libs.shared.objects import ObjectStore
from libs.shared.secret_files import SecretFileInvalid
from tests.world.files import write_secret

MASTER = bytes(range(32))
TENANT = uuid.UUID("6f0c3a52-58a3-4a4e-9a0e-2f5a3c1b7d10")
STRANGER = uuid.UUID("22222222-58a3-4a4e-9a0e-2f5a3c1b7d10")


async def test_a_tenants_keys_are_made_once_and_found_again(object_store: ObjectStore) -> None:
    made = await keys.KeyRing(object_store, MASTER).create(TENANT)
    assert len(made.data_key) == len(made.chunk_key) == 32
    assert made.data_key != made.chunk_key
    again = keys.KeyRing(object_store, MASTER)
    assert await again.create(TENANT) == made
    assert await again.get(TENANT) == made
    assert await again.create(STRANGER) != made


async def test_a_tenant_without_keys_is_refused(object_store: ObjectStore) -> None:
    with pytest.raises(keys.KeysDestroyed) as refused:
        await keys.KeyRing(object_store, MASTER).get(TENANT)
    assert refused.value.problem()["status"] == 410


async def test_destroyed_keys_are_gone_at_once_or_within_a_minute(
    object_store: ObjectStore,
) -> None:
    ring = keys.KeyRing(object_store, MASTER)
    await ring.create(TENANT)
    await object_store.delete(bucket.key_of_keys(TENANT))
    assert await ring.get(TENANT)
    ring.forget(TENANT)
    with pytest.raises(keys.KeysDestroyed):
        await ring.get(TENANT)


async def test_keys_are_not_kept_in_memory_beyond_a_minute(object_store: ObjectStore) -> None:
    clock = [1000.0]
    ring = keys.KeyRing(object_store, MASTER, monotonic=lambda: clock[0])
    await ring.create(TENANT)
    await object_store.delete(bucket.key_of_keys(TENANT))
    clock[0] += 59
    assert await ring.get(TENANT)
    clock[0] += 2
    with pytest.raises(keys.KeysDestroyed):
        await ring.get(TENANT)


async def test_nothing_readable_is_in_the_bucket(object_store: ObjectStore) -> None:
    made = await keys.KeyRing(object_store, MASTER).create(TENANT)
    stored = await object_store.get(bucket.key_of_keys(TENANT))
    shown = json.loads(stored)
    assert sorted(shown) == ["tenant_id", "version", "wrapped"]
    assert shown["version"] == 1
    assert made.data_key not in stored
    assert made.data_key.hex().encode() not in stored
    assert made.data_key.hex() not in repr(made)


async def test_another_master_key_or_another_tenant_opens_nothing(
    object_store: ObjectStore,
) -> None:
    await keys.KeyRing(object_store, MASTER).create(TENANT)
    with pytest.raises(keys.KeysUnreadable):
        await keys.KeyRing(object_store, bytes(32)).get(TENANT)
    await object_store.put(
        bucket.key_of_keys(STRANGER), await object_store.get(bucket.key_of_keys(TENANT))
    )
    with pytest.raises(keys.KeysUnreadable):
        await keys.KeyRing(object_store, MASTER).get(STRANGER)


async def test_a_damaged_keys_object_is_noticed_and_never_replaced(
    object_store: ObjectStore,
) -> None:
    """New keys in its place would make all that is stored unreadable for ever."""
    await keys.KeyRing(object_store, MASTER).create(TENANT)
    good = await object_store.get(bucket.key_of_keys(TENANT))
    damaged = [b"", b"{}", good[:-2], good.replace(b'"wrapped":"', b'"wrapped":"AA'), b"\xff" * 50]
    for stored in damaged:
        await object_store.put(bucket.key_of_keys(TENANT), stored)
        with pytest.raises(keys.KeysUnreadable):
            await keys.KeyRing(object_store, MASTER).get(TENANT)
        with pytest.raises(keys.KeysUnreadable):
            await keys.KeyRing(object_store, MASTER).create(TENANT)
        assert await object_store.get(bucket.key_of_keys(TENANT)) == stored


async def test_an_unreachable_store_is_not_mistaken_for_destroyed_keys() -> None:
    ring = keys.KeyRing(ObjectStore.in_s3("http://127.0.0.1:1", "a", "b", "bucket"), MASTER)
    with pytest.raises(errors.Unavailable):
        await ring.create(TENANT)


def test_a_key_file_holds_64_digits(tmp_path: Path) -> None:
    path = write_secret(tmp_path / "master.key", MASTER.hex() + "\n")
    assert keys.read_key(path) == MASTER
    for content in ("", "00" * 31, "00" * 33, "zz" * 32, "é" * 64):
        path.write_text(content)
        with pytest.raises(keys.KeyFileInvalid):
            keys.read_key(path)
    with pytest.raises(SecretFileInvalid):
        keys.read_key(tmp_path / "missing")


def test_a_sealed_text_opens_for_its_purpose_only() -> None:
    sealed = keys.seal_text(MASTER, "un mot de passe à usage unique", "password 1")
    assert keys.open_text(MASTER, sealed, "password 1") == "un mot de passe à usage unique"
    assert keys.seal_text(MASTER, "the same", "x") != keys.seal_text(MASTER, "the same", "x")
    for key, text, aad in [
        (bytes(32), sealed, "password 1"),
        (MASTER, sealed, "password 2"),
        (MASTER, sealed[:-4], "password 1"),
        (MASTER, "A" + sealed[1:] if sealed[0] != "A" else "B" + sealed[1:], "password 1"),
        (MASTER, "", "password 1"),
        (MASTER, "not base64!", "password 1"),
    ]:
        with pytest.raises(keys.KeysUnreadable):
            keys.open_text(key, text, aad)


NEW = bytes(range(1, 33))


async def test_a_half_rotated_bucket_is_read_with_both_master_keys(
    object_store: ObjectStore,
) -> None:
    old = keys.KeyRing(object_store, MASTER)
    made = {tenant: await old.create(tenant) for tenant in (TENANT, STRANGER)}
    both = keys.KeyRing(object_store, NEW, MASTER)
    assert await both.rewrap(TENANT)
    assert not await both.rewrap(TENANT)
    for tenant, expected in made.items():
        assert await keys.KeyRing(object_store, NEW, MASTER).get(tenant) == expected
    assert await keys.KeyRing(object_store, NEW).get(TENANT) == made[TENANT]
    with pytest.raises(keys.KeysUnreadable):
        await keys.KeyRing(object_store, NEW).get(STRANGER)
    with pytest.raises(keys.KeysUnreadable):
        await keys.KeyRing(object_store, MASTER).get(TENANT)


async def test_keys_that_neither_master_key_opens_stay_as_they_are(
    object_store: ObjectStore,
) -> None:
    await keys.KeyRing(object_store, MASTER).create(TENANT)
    stored = await object_store.get(bucket.key_of_keys(TENANT))
    with pytest.raises(keys.KeysUnreadable):
        await keys.KeyRing(object_store, NEW, bytes(32)).rewrap(TENANT)
    assert await object_store.get(bucket.key_of_keys(TENANT)) == stored
    with pytest.raises(keys.KeysDestroyed):
        await keys.KeyRing(object_store, NEW, MASTER).rewrap(STRANGER)
