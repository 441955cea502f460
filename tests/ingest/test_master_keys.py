"""A new master key: every tenant's keys are wrapped anew, whatever happens in the middle."""

from __future__ import annotations

import subprocess
import uuid
from pathlib import Path
from typing import Any

from libs.shared.bucket import key_of_keys
from libs.shared.keys import KeyRing, KeysUnreadable
from libs.shared.objects import ObjectStore
from tests.world import forks
from tests.world.files import write_secret

OLD, NEW = bytes(range(32)), bytes(range(1, 33))


async def test_rotation_is_cut_short_and_goes_on(
    servers: Any, object_store: ObjectStore, bucket: str, tmp_path: Path
) -> None:
    before = KeyRing(object_store, OLD)
    tenants = {tenant: await before.create(tenant) for tenant in (uuid.uuid4() for _ in range(3))}
    for name, key in (("old", OLD), ("new", NEW), ("wrong", bytes(32))):
        write_secret(tmp_path / name, key.hex())

    def rotate(previous: str, **environ: str) -> subprocess.CompletedProcess[str]:
        return forks.run(
            "ingest",
            "rotate-master-key",
            env={
                "COFFRE_S3_ENDPOINT": servers.s3_endpoint,
                "COFFRE_S3_ACCESS_KEY": servers.s3_access_key,
                "COFFRE_S3_SECRET_KEY": servers.s3_secret_key,
                "COFFRE_S3_BUCKET": bucket,
                "COFFRE_MASTER_KEY_FILE": str(tmp_path / "new"),
                "COFFRE_MASTER_KEY_PREVIOUS_FILE": str(tmp_path / previous),
                **environ,
            },
        )

    async def opened_by(ring: KeyRing) -> int:
        count = 0
        for tenant, expected in tenants.items():
            try:
                assert await ring.get(tenant) == expected
                count += 1
            except KeysUnreadable:
                pass
        return count

    wrong = rotate("wrong")
    assert (wrong.returncode, "Keep the old key" in wrong.stdout) == (3, True)
    assert await opened_by(KeyRing(object_store, OLD)) == 3

    killed = rotate("old", COFFRE_CRASHPOINT="keys.after_rewrap:2")
    assert killed.returncode == 137
    assert await opened_by(KeyRing(object_store, OLD)) == 1
    assert await opened_by(KeyRing(object_store, NEW)) == 2
    assert await opened_by(KeyRing(object_store, NEW, OLD)) == 3

    damaged = key_of_keys(uuid.uuid4())
    await object_store.put(damaged, b"{}")
    incomplete = rotate("old")
    assert incomplete.returncode == 3
    assert damaged in incomplete.stdout
    assert await object_store.get(damaged) == b"{}"
    assert await opened_by(KeyRing(object_store, NEW)) == 3
    await object_store.delete(damaged)
    done = rotate("old")
    assert (done.returncode, "Nothing needs the old key" in done.stdout) == (0, True)
    assert "0 tenants' keys" in done.stdout
