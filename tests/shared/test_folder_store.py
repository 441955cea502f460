"""A store that is a folder: what is on the disk, whose it is, and what is wrong with it."""

from __future__ import annotations

import asyncio
import errno
import os
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from libs.shared import errors, settings
from libs.shared.objects import BucketClosed, ObjectMissing, ObjectStore
from libs.shared.settings import BucketSettings

KEY = "t/6f0c/packs/ab/abcdef"
OURS, THEIRS = b"o" * 32, b"t" * 32


@pytest.fixture
async def root(tmp_path: Path) -> Path:
    """The folder of an empty store."""
    await ObjectStore.in_folder(tmp_path / "store").ensure_bucket()
    return tmp_path / "store"


def files_of(root: Path) -> list[str]:
    return sorted(str(found.relative_to(root)) for found in root.rglob("*") if found.is_file())


async def told_of(store: ObjectStore) -> str:
    with pytest.raises(BucketClosed) as closed:
        await store.check()
    return closed.value.detail


async def test_an_object_is_a_file_of_its_key_that_only_the_services_read(root: Path) -> None:
    store = ObjectStore.in_folder(root)
    await store.check()
    await store.put(KEY, b"sealed")
    assert files_of(root) == [f"objects/{KEY}"]
    for found in [root, *root.rglob("*")]:
        assert not found.stat().st_mode & 0o077, found
    # Nothing of a client is left, not even the name of its folder.
    await store.delete(KEY)
    assert sorted(root.rglob("*")) == [root / "drafts", root / "objects"]


@pytest.mark.parametrize(
    "key",
    ["", "/", "/etc/passwd", "../x", "t/../x", "t//x", "t/", ".x", "t/.x", "T/x", "t/x\n", "t/\0"],
)
async def test_a_name_that_is_no_key_reaches_nothing(root: Path, key: str) -> None:
    store = ObjectStore.in_folder(root)
    for asked in (store.put(key, b"x"), store.get(key), store.delete(key), store.exists(key)):
        with pytest.raises(ValueError, match="can't be an object"):
            await asked
    assert files_of(root) == []


async def test_what_is_no_object_of_ours_is_named_and_left_alone(root: Path) -> None:
    store = ObjectStore.in_folder(root)
    await store.put(KEY, b"sealed")
    secret = root.parent / "secret"
    secret.write_text("of another")
    place = root / "objects/t/6f0c"
    for name in ("Thumbs.db", "link"):
        if name == "link":
            (place / name).symlink_to(secret)
        else:
            (place / name).write_text("x")
        with pytest.raises(errors.Unavailable):
            assert [found async for found in store.list("t/")]
        (place / name).unlink()
    (place / "link").symlink_to(secret)
    with pytest.raises(errors.Unavailable):
        await store.get("t/6f0c/link")
    os.mkfifo(place / "queue")
    with pytest.raises(ObjectMissing):
        await store.get("t/6f0c/queue")
    assert secret.read_text() == "of another"


async def test_a_crash_while_writing_leaves_the_old_and_no_half(root: Path) -> None:
    store = ObjectStore.in_folder(root)
    await store.put(KEY, b"old" * 1000)
    program = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from libs.shared.objects.folder import FolderStore\n"
        "folder = FolderStore(Path(sys.argv[1]))\n"
        "folder._place = lambda *_: os._exit(9)\n"
        "folder.put(sys.argv[2], bytes(3_000_000))\n"
    )
    done = subprocess.run([sys.executable, "-c", program, root, KEY], check=False)
    assert done.returncode == 9
    assert await store.get(KEY) == b"old" * 1000
    [draft] = [found for found in files_of(root) if found.startswith("drafts/")]
    assert [found.key async for found in store.list_dated("")] == [KEY]
    # Who writes just now keeps its draft; what is old goes at the next start.
    await store.ensure_bucket()
    assert draft in files_of(root)
    os.utime(root / draft, (1, 1))
    await store.ensure_bucket()
    assert files_of(root) == [f"objects/{KEY}"]


async def test_puts_and_deletes_beside_each_other_lose_nothing(root: Path) -> None:
    """Deleting the last object of a folder takes the folder, which a put has just seen."""
    store = ObjectStore.in_folder(root)
    chosen = random.Random(7)

    async def write(number: int) -> None:
        for turn in range(40):
            await store.put(f"t/a/{number}/{turn}", b"x")
            await store.put(f"t/a/{number}/passing", b"x")
            await store.delete(f"t/a/{number}/passing")
            if chosen.random() < 0.5:
                await store.delete(f"t/a/{number}/{turn}")
                await store.put(f"t/a/{number}/{turn}", b"x")

    await asyncio.gather(*(write(number % 2) for number in range(8)))
    found = [found.key async for found in store.list_dated("t/")]
    assert found == sorted(f"t/a/{number}/{turn}" for number in range(2) for turn in range(40))


async def test_a_folder_of_another_installation_is_refused(root: Path) -> None:
    ours = ObjectStore.in_folder(root, [OURS])
    theirs = ObjectStore.in_folder(root, [THEIRS])
    await ours.put(KEY, b"sealed")
    assert "is another installation's" in await told_of(theirs)
    for asked in (theirs.put(KEY, b"x"), theirs.delete(KEY), theirs.get(KEY)):
        with pytest.raises(errors.Unavailable):
            await asked
    assert await ours.get(KEY) == b"sealed"
    # A master key that is changed: first beside the one before, then alone.
    assert "is another" in await told_of(ObjectStore.in_folder(root, [b"n" * 32]))
    await ObjectStore.in_folder(root, [b"n" * 32, OURS]).check()
    await ObjectStore.in_folder(root, [b"n" * 32]).check()
    assert OURS.hex() not in (root / "owner").read_text()


async def test_of_two_installations_that_begin_at_once_one_has_it(root: Path) -> None:
    stores = [ObjectStore.in_folder(root, [bytes([number]) * 32]) for number in range(8)]
    found = await asyncio.gather(*(store.check() for store in stores), return_exceptions=True)
    assert [type(one) for one in found].count(BucketClosed) == 7


async def test_a_disk_that_is_not_mounted_is_said_and_nothing_passes_for_lost(root: Path) -> None:
    store = ObjectStore.in_folder(root)
    await store.put(KEY, b"sealed")
    root.rename(root.with_name("away"))
    root.mkdir(mode=0o700)
    for asked in (store.get(KEY), store.exists(KEY), store.put(KEY, b"x"), store.date()):
        if asked.__name__ == "date":
            await asked
            continue
        with pytest.raises(errors.Unavailable):
            await asked
    with pytest.raises(errors.Unavailable):
        assert [found async for found in store.list("")]
    assert "see that its disk is mounted" in await told_of(store)
    root.rmdir()
    root.with_name("away").rename(root)
    assert await store.get(KEY) == b"sealed"


async def test_a_sector_that_fails_is_damage_of_its_object_and_no_store_that_is_away(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = ObjectStore.in_folder(root)
    await store.put(KEY, b"sealed")

    def fail(_fd: int, _length: int, _offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fail)
    for asked in (store.get(KEY), store.get_range(KEY, 1, 2)):
        with pytest.raises(ObjectMissing):
            await asked


async def test_a_folder_that_others_may_read_is_refused(root: Path) -> None:
    root.chmod(0o750)
    assert "chmod 700" in await told_of(ObjectStore.in_folder(root))


@contextmanager
def small_disk(place: Path) -> Iterator[Path]:
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4m,mode=700", "tmpfs", place], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts a disk")
async def test_a_full_disk_takes_nothing_more_and_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as place:
        store = ObjectStore.in_folder(place / "store")
        await store.ensure_bucket()
        await store.put(KEY, bytes(1_000_000))
        with pytest.raises(errors.StorageRefused) as refused:
            await store.put("t/large", bytes(5_000_000))
        assert "No space left" in refused.value.detail
        assert files_of(place / "store") == [f"store/objects/{KEY}".removeprefix("store/")]
        await store.delete(KEY)
        await store.put("t/large", bytes(3_000_000))
        assert await store.get("t/large") == bytes(3_000_000)
        await store.close()


def test_a_folder_needs_no_settings_of_s3() -> None:
    environ = {"COFFRE_MASTER_KEY_FILE": "/key", "COFFRE_STORE": "file:///srv/coffre"}
    read = settings.read(BucketSettings, environ)
    assert (read.folder, read.s3_bucket) == (Path("/srv/coffre"), "")
    with pytest.raises(settings.InvalidSettings, match="COFFRE_S3_ENDPOINT"):
        settings.read(BucketSettings, environ | {"COFFRE_STORE": ""})
    for wrong in ("file://srv/coffre", "folder", "file:///srv?x"):
        with pytest.raises(settings.InvalidSettings, match="COFFRE_STORE is not valid"):
            settings.read(BucketSettings, environ | {"COFFRE_STORE": wrong})
