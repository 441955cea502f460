"""Objects in the S3 store, by the minio SDK in a bounded pool of threads.

The SDK is told little and believed less: one PUT per object with its checksum, short time-outs,
no retries of its own, and an answer counts only if it proves what was stored or sent.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any, TypeVar
from xml.etree import ElementTree

import certifi
import urllib3
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from prometheus_client import Counter, Histogram

from libs.shared import errors, logs, tracing
from libs.shared.advice import advise
from libs.shared.s3 import (
    Addressing,
    Bytes,
    Client,
    ObjectMissing,
    StoredObject,
    StoredVersion,
    StoreLied,
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

CONNECT_SECONDS = 3.0
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
    """One bucket of an S3 store.

    Every method raises errors.Unavailable("storage") when the store is down, slow, refuses, or
    answers something else than was asked; what was written before that is unknown. For a store
    that is full or closed to us that is errors.StorageRefused.
    """

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        threads: int = 16,
        read_seconds: float = 30.0,
        region: str | None = None,
        addressing: Addressing = "auto",
    ) -> None:
        pool = urllib3.PoolManager(
            maxsize=threads,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        )
        self._client = Client(
            endpoint, access_key, secret_key, pool, region=region, addressing=addressing
        )
        self._http = pool
        self._endpoint = endpoint
        self._bucket = bucket
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="objects")

    async def put(self, key: str, body: Bytes) -> None:
        """Store an object whole, replacing an older one; returns once the store proved it."""
        await self._ask(self._client.put, self._bucket, key, body)

    async def get(self, key: str) -> bytes:
        """An object's bytes; ObjectMissing if there is none."""
        return await self._ask(self._client.read, self._bucket, key)

    async def get_range(self, key: str, offset: int, length: int) -> bytes:
        """Exactly `length` bytes from `offset`; ObjectMissing if no such object has so many."""
        return await self._ask(self._client.read_range, self._bucket, key, offset, length)

    async def delete(self, key: str) -> None:
        """Remove an object; fine if there is none."""
        await self._ask(self._client.delete, self._bucket, key)

    async def exists(self, key: str) -> bool:
        """Is there an object of that key?"""
        try:
            await self._ask(self._client.stat_object, self._bucket, key)
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
        while page := await self._ask(self._client.list_page, self._bucket, prefix, last):
            for found in page:
                yield found
            last = page[-1].key

    async def list_versions(self, prefix: str, behind: tuple[str, str] = ("", "")) -> VersionPage:
        """Up to a thousand versions of the objects whose key starts with `prefix`, in key order.

        behind: the key and version that the page before ended with. Markers of deletions are
        among them, and in a bucket that keeps no versions each object is one.
        """
        return await self._ask(self._client.list_versions_page, self._bucket, prefix, *behind)

    async def delete_versions(self, versions: Sequence[StoredVersion]) -> Sequence[Undeletable]:
        """Delete up to a thousand versions for good; returns those that the store won't delete."""
        return await self._ask(self._client.delete_versions, self._bucket, versions)

    async def find_lock(self, key: str, version_id: str) -> datetime | None:
        """Until when the store won't let a version go; None where it doesn't say."""
        return await self._ask(self._client.find_lock, self._bucket, key, version_id)

    async def date(self) -> datetime:
        """What time the store says it is, to the second."""
        return await self._ask(_read_date, self._http, self._endpoint)

    async def ensure_bucket(self) -> None:
        """Create the bucket if it isn't there."""
        await self._ask(self._client.ensure_bucket, self._bucket)

    async def check(self) -> None:
        """Ask the store for the bucket: Unavailable unless it answers that it has it.

        BucketClosed where a setting is wrong: for operators, as it tells where the store is.
        """
        try:
            await self._ask(self._client.look, self._bucket)
        except errors.Unavailable as trouble:
            advice = advise(trouble.__cause__, self._endpoint, self._bucket)
            if advice:
                raise BucketClosed(advice) from trouble.__cause__
            raise

    async def close(self) -> None:
        """Let running requests end, then free threads and connections."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        self._http.clear()

    async def _ask(self, request: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        advice = partial(advise, endpoint=self._endpoint, bucket=self._bucket)
        with tracing.span(f"S3 {request.__name__.lstrip('_')}", "client"):
            # With its context: what a thread logs belongs to the request or event as well.
            attempt = partial(copy_context().run, _try, request, args, advice)
            return await loop.run_in_executor(self._threads, attempt)


def _try(request: Callable[..., T], args: tuple[Any, ...], advice: Callable[[Exception], str]) -> T:
    """Make a request, a second time if the first fails; every one of ours can be repeated."""
    operation = request.__name__.lstrip("_")
    _FAILURES.labels(operation)
    tries = 0
    while True:
        tries += 1
        try:
            with _SECONDS.labels(operation).time():
                return request(*args)
        except S3Error as error:
            if error.code in {"NoSuchKey", "InvalidRange"}:
                raise ObjectMissing(args[1]) from None
            failure: Exception = error
        except (MinioException, urllib3.exceptions.HTTPError, OSError, StoreLied) as error:
            failure = error
        except (
            ElementTree.ParseError,
            UnicodeDecodeError,
            ValueError,
        ) as error:  # an answer of garbage
            failure = error
        _FAILURES.labels(operation).inc()
        log.warning(
            "storage.failed",
            operation=operation,
            tries=tries,
            error=repr(failure),
            **({"advice": told} if (told := advice(failure)) else {}),
        )
        status, answer = _find_answer(failure)
        # SeaweedFS without room has no better word than 500: only if it stays with that.
        is_refused = status in {403, 507} or (status == 500 and tries == TRIES)
        if is_refused and operation == "put":
            raise errors.StorageRefused(answer) from failure
        if tries == TRIES:
            raise errors.Unavailable("storage", RETRY_AFTER_SECONDS) from failure
        time.sleep(_PAUSE_SECONDS)


def _find_answer(failure: Exception) -> tuple[int, str]:
    """The status and the words of a store that answers, and doesn't do it; else (0, "")."""
    status, code = 0, ""
    if isinstance(failure, S3Error):
        status, code = failure.response.status, failure.code or ""
    elif isinstance(failure, ServerError):
        status = failure.status_code
    elif isinstance(failure, InvalidResponseError):
        status = failure._code  # the library tells it in no other way
    return status, f"{status} {code}".strip() if status else ""


def _read_date(http: urllib3.PoolManager, endpoint: str) -> datetime:
    """The Date of an answer to a request that carries no signature, and so no time of ours."""
    answer = http.request("HEAD", endpoint, redirect=False)
    return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)
