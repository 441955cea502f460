"""Whether the bucket is this installation's, before anything is put there or deleted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from uuid import UUID

from libs.shared import bucket
from libs.shared.errors import Unavailable
from libs.shared.keys import KeyRing, KeysDestroyed, KeysUnreadable
from libs.shared.objects import BucketClosed, ObjectStore
from libs.shared.settings import InvalidSettings

START_SECONDS = 5.0
LOOKED_AT = 20
"""Of how many clients the keys are looked at: some may be damaged, all are another's."""


class BucketForeign(BucketClosed):
    """None of the keys in the bucket opens: it is another installation's, or the key is."""

    def __init__(self) -> None:
        super().__init__(
            "the master key opens no client's keys in the bucket: COFFRE_S3_BUCKET is another"
            " installation's, or COFFRE_MASTER_KEY_FILE is not the key that this one began with"
            " (while it is being changed, COFFRE_MASTER_KEY_PREVIOUS_FILE has the one before)"
        )


class OwnBucket:
    """A bucket, looked at until it is known to be ours; an empty one is."""

    def __init__(self, objects: ObjectStore, ring: KeyRing) -> None:
        self._objects = objects
        self._ring = ring
        self._is_known = False

    async def check(self) -> None:
        """For readiness: raises Unavailable, BucketClosed, BucketForeign."""
        await self._objects.check()
        await self.look()

    async def look(self) -> None:
        """Raises Unavailable, BucketForeign."""
        if not self._is_known:
            if await self._is_foreign():
                raise BucketForeign
            self._is_known = True

    async def _is_foreign(self) -> bool:
        looked_at = 0
        async for key, _ in self._objects.list(bucket.KEYS_PREFIX):
            looked_at += 1
            with suppress(KeysUnreadable, KeysDestroyed, ValueError):
                await self._ring.get(UUID(key.removeprefix(bucket.KEYS_PREFIX)))
                return False
            if looked_at == LOOKED_AT:
                break
        return looked_at > 0


@asynccontextmanager
async def begun(objects: ObjectStore, ring: KeyRing) -> AsyncIterator[OwnBucket]:
    """Raises InvalidSettings where the bucket is another's; a store that is away is asked later."""
    own = OwnBucket(objects, ring)
    try:
        async with asyncio.timeout(START_SECONDS):
            await own.look()
    except BucketForeign as foreign:
        raise InvalidSettings(foreign.detail) from None
    except (Unavailable, TimeoutError):
        pass
    yield own
