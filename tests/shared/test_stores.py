"""What every store does, a bucket on a real S3 server or a folder of this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from libs.shared.objects import ObjectMissing, ObjectStore, StoredVersion
from libs.shared.objects.folder import FolderStore

KEY = "t/6f0c/packs/ab/abcdef"


@pytest.fixture(params=["bucket", "folder"])
async def store(
    request: pytest.FixtureRequest, object_store: ObjectStore, tmp_path: Path
) -> AsyncIterator[ObjectStore]:
    """An empty store of each kind."""
    found = object_store
    if request.param == "folder":
        found = ObjectStore.in_folder(tmp_path / "store")
        await found.ensure_bucket()
    yield found
    await found.close()


def is_folder(store: ObjectStore) -> bool:
    """A folder takes thousands of objects at once; pages of a bucket have a test of their own."""
    return isinstance(store._backend, FolderStore)


async def keys_of(store: ObjectStore, prefix: str, after: str = "") -> list[str]:
    return [found.key async for found in store.list_dated(prefix, after)]


async def test_absent_stored_read_replaced_deleted(store: ObjectStore) -> None:
    assert not await store.exists(KEY)
    with pytest.raises(ObjectMissing):
        await store.get(KEY)
    with pytest.raises(ObjectMissing):
        await store.get_range(KEY, 0, 1)

    await store.put(KEY, b"first")
    assert await store.exists(KEY)
    assert await store.get(KEY) == b"first"
    assert await store.get_range(KEY, 1, 3) == b"irs"
    # What a key lies in is no object.
    assert not await store.exists("t/6f0c/packs")
    with pytest.raises(ObjectMissing):
        await store.get("t/6f0c/packs")
    await store.delete("t/6f0c/packs")

    await store.put(KEY, bytearray(b"second"))
    assert await store.get(KEY) == b"second"

    await store.delete(KEY)
    await store.delete(KEY)
    assert not await store.exists(KEY)
    assert await keys_of(store, "") == []


SIZES = [0, 1, 65_536, 1024 * 1024 + 4095, 20 * 1024 * 1024]


@pytest.mark.parametrize("size", SIZES)
async def test_any_size_is_one_object(store: ObjectStore, size: int) -> None:
    body = os.urandom(size)
    await store.put("big", memoryview(body))
    assert await store.get("big") == body
    assert [found async for found in store.list("")] == [("big", size)]
    if size:
        assert await store.get_range("big", size // 2, size - size // 2) == body[size // 2 :]


async def test_a_range_beyond_the_end_is_no_success(store: ObjectStore) -> None:
    await store.put(KEY, b"0123456789")
    assert await store.get_range(KEY, 9, 1) == b"9"
    for offset, length in [(9, 2), (10, 1), (100, 5)]:
        # An object cut short is lost, not away: asking again would not help.
        with pytest.raises(ObjectMissing):
            await store.get_range(KEY, offset, length)


async def test_listings_go_by_key_whatever_lies_beside_a_folder(store: ObjectStore) -> None:
    written = [f"t/a/{number:04}" for number in range(1100 if is_folder(store) else 20)]
    written += ["t/b/x", "t/b/x.1", "t/b0", "t/bx", "u", "v/x"]
    if is_folder(store):
        # "." and "-" come before "/", digits and letters after it. (SeaweedFS puts "t/b-x" behind
        # "t/b/x"; no key of ours lies so.)
        written += ["t/b-x", "t/b.x", "t/b/x-1/y", "u.1/x"]
    written.sort()
    await asyncio.gather(*(store.put(key, b"x") for key in written))
    assert await keys_of(store, "") == written
    for prefix in ("t/", "t/a/", "t/a/00", "t/b", "t/b/", "t/b/x", "u", "v/", "w/"):
        expected = [key for key in written if key.startswith(prefix)]
        assert await keys_of(store, prefix) == expected, prefix
        afters = ["t/a/0018", "t/a/", "t/b/x", "z"]
        if is_folder(store):
            afters += ["t/a/0998", "t/b/", "t/b.", "t/b/zz"]
        for after in afters:
            behind = [key for key in expected if key > after]
            assert await keys_of(store, prefix, after) == behind, (prefix, after)


async def test_ages_are_those_of_the_writing(store: ObjectStore) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    await store.put(KEY, b"x")
    [found] = [found async for found in store.list_dated("t/")]
    assert before < found.modified_at < datetime.now(UTC) + timedelta(seconds=2)
    assert abs(await store.date() - datetime.now(UTC)) < timedelta(seconds=5)


async def test_all_versions_are_listed_by_pages_and_deleted_for_good(store: ObjectStore) -> None:
    written = [f"t/a/{number:04}" for number in range(1002 if is_folder(store) else 3)]
    await asyncio.gather(*(store.put(key, b"x") for key in [*written, "t/b/kept"]))
    found: list[StoredVersion] = []
    behind: tuple[str, str] | None = ("", "")
    while behind:
        page = await store.list_versions("t/a/", behind)
        found += page.versions
        behind = page.goes_on_behind
    assert [one.key for one in found] == written
    assert await store.find_lock(found[0].key, found[0].version_id) is None
    for start in range(0, len(found), 1000):
        assert await store.delete_versions(found[start : start + 1000]) == []
    assert await store.delete_versions(found[:2]) == []  # gone already
    assert await keys_of(store, "") == ["t/b/kept"]
