"""Objects in a store, in a bounded pool of threads: a bucket by S3, or a folder of this machine.

The store is believed little: an answer counts only if it proves what was stored or sent.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Self, TypeVar

from prometheus_client import Counter, Histogram

from libs.shared import errors, heartbeats, logs, tracing
from libs.shared.objects.folder import FolderStore
from libs.shared.objects.s3 import Bucket
from libs.shared.objects.stored import (
    Backend,
    Bytes,
    ObjectMissing,
    StoredObject,
    StoredVersion,
    Undeletable,
    VersionPage,
)

__all__ = [
    "BucketClosed",
    "Bytes",
    "ObjectMissing",
    "ObjectStore",
    "StoredObject",
    "StoredVersion",
    "Undeletable",
    "VersionPage",
]

T = TypeVar("T")

TRIES = 2
RETRY_AFTER_SECONDS = 10

_PAUSE_SECONDS = 0.3

_SECONDS = Histogram(
    "coffre_storage_request_seconds",
    "Duration of requests to the store, well or not",
    ["operation"],
    buckets=(0.01, 0.05, 0.25, 1, 5, 30),
)
_FAILURES = Counter(
    "coffre_storage_failures", "Requests that the store did not answer as asked", ["operation"]
)

log = logs.get()


class BucketClosed(errors.Unavailable):
    """The store answers, and won't have us: `detail` says which setting to correct."""

    def __init__(self, advice: str) -> None:
        super().__init__("storage", RETRY_AFTER_SECONDS)
        self.advice = advice

    @property
    def detail(self) -> str:
        return f"{self.advice[0].upper()}{self.advice[1:]}."


class ObjectStore:
    """One bucket of an S3 store, or one folder.

    Every method raises errors.Unavailable("storage") when the store is down, slow, refuses, or
    answers something else than was asked; what was written before that is unknown. For a store
    that is full or closed to us that is errors.StorageRefused.
    """

    def __init__(self, backend: Backend, threads: int = 16) -> None:
        self._backend = backend
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="objects")

    @classmethod
    def in_s3(
        cls,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        *,
        threads: int = 16,
        **more: Any,
    ) -> Self:
        """A bucket; `more` is what s3.Bucket takes."""
        made = Bucket(endpoint, access_key, secret_key, bucket, threads=threads, **more)
        return cls(made, threads)

    @classmethod
    def in_folder(cls, folder: Path, master_keys: Sequence[bytes] = ()) -> Self:
        """A folder of this machine, of the installation with these master keys."""
        return cls(FolderStore(folder, master_keys))

    async def put(self, key: str, body: Bytes) -> None:
        """Store an object whole, replacing an older one; returns once the store proved it."""
        await self._ask(self._backend.put, key, body)

    async def get(self, key: str) -> bytes:
        """An object's bytes; ObjectMissing if there is none."""
        return await self._ask(self._backend.read, key)

    async def get_range(self, key: str, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; ObjectMissing if no such object has so many."""
        return await self._ask(self._backend.read_range, key, offset, length)

    async def delete(self, key: str) -> None:
        """Remove an object; fine if there is none."""
        await self._ask(self._backend.delete, key)

    async def exists(self, key: str) -> bool:
        """Is there an object of that key?"""
        try:
            await self._ask(self._backend.stat, key)
        except ObjectMissing:
            return False
        return True

    async def list(self, prefix: str) -> AsyncIterator[tuple[str, int]]:
        """(key, size in bytes) of every object whose key starts with `prefix`, in key order."""
        async for found in self.list_dated(prefix):
            yield found.key, found.size_bytes

    async def list_dated(self, prefix: str, after: str = "") -> AsyncIterator[StoredObject]:
        """Every object whose key starts with `prefix`, in key order, with its age.

        after: begin behind this key, be there such an object or not.
        """
        last = after
        while page := await self._ask(self._backend.list_page, prefix, last):
            for found in page:
                yield found
            last = page[-1].key

    async def list_versions(self, prefix: str, behind: tuple[str, str] = ("", "")) -> VersionPage:
        """Up to a thousand versions of the objects whose key starts with `prefix`, in key order.

        behind: the key and version that the page before ended with. Markers of deletions are
        among them, and in a bucket that keeps no versions each object is one.
        """
        return await self._ask(self._backend.list_versions_page, prefix, *behind)

    async def delete_versions(self, versions: Sequence[StoredVersion]) -> Sequence[Undeletable]:
        """Delete up to a thousand versions for good; returns those that the store won't delete."""
        return await self._ask(self._backend.delete_versions, versions)

    async def find_lock(self, key: str, version_id: str) -> datetime | None:
        """Until when the store won't let a version go; None where it doesn't say."""
        return await self._ask(self._backend.find_lock, key, version_id)

    async def date(self) -> datetime:
        """What time the store says it is, to the second."""
        return await self._ask(self._backend.read_date)

    async def ensure_bucket(self) -> None:
        """Create the bucket if it isn't there."""
        await self._ask(self._backend.ensure)

    async def check(self) -> None:
        """Ask the store for the bucket: Unavailable unless it answers that it has it.

        BucketClosed where a setting is wrong: for operators, as it tells where the store is.
        """
        try:
            await self._ask(self._backend.look)
        except errors.Unavailable as trouble:
            advice = self._backend.advise(trouble.__cause__)
            if advice:
                raise BucketClosed(advice) from trouble.__cause__
            raise

    async def close(self) -> None:
        """Let running requests end, then free threads and connections."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        self._backend.close()

    async def _ask(self, request: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        with tracing.span(f"{self._backend.kind} {request.__name__}", "client"):
            # With its context: what a thread logs belongs to the request or event as well.
            attempt = partial(copy_context().run, _try, self._backend, request, args)
            try:
                return await loop.run_in_executor(self._threads, attempt)
            finally:
                heartbeats.beat()


def _try(backend: Backend, request: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Make a request, a second time if the first fails; every one of ours can be repeated."""
    operation = request.__name__
    _FAILURES.labels(operation)
    tries = 0
    while True:
        tries += 1
        try:
            with _SECONDS.labels(operation).time():
                return request(*args)
        except backend.failures as error:
            failure: Exception = error
        _FAILURES.labels(operation).inc()
        log.warning(
            "storage.failed",
            operation=operation,
            tries=tries,
            error=repr(failure),
            **({"advice": told} if (told := backend.advise(failure)) else {}),
        )
        refusal = backend.find_refusal(failure, is_lasting=tries == TRIES)
        if refusal and operation == "put":
            raise errors.StorageRefused(refusal) from failure
        if tries == TRIES:
            raise errors.Unavailable("storage", RETRY_AFTER_SECONDS) from failure
        time.sleep(_PAUSE_SECONDS)
