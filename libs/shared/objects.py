"""Objects in the S3 store, by the minio SDK in a bounded pool of threads.

The SDK is told little and believed less: one PUT per object with its checksum, short time-outs,
no retries of its own, and an answer counts only if it proves what was stored or sent.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, NamedTuple, TypeVar, cast
from urllib.parse import unquote_plus, urlsplit
from xml.etree import ElementTree

import certifi
import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError

from libs.shared import errors, logs

_Headers = dict[str, str | list[str] | tuple[str]]
T = TypeVar("T")
Bytes = bytes | bytearray | memoryview

CONNECT_SECONDS = 3.0
TRIES = 2
RETRY_AFTER_SECONDS = 10

_PAUSE_SECONDS = 0.3
_CHECKSUM = "x-amz-checksum-sha256"

log = logs.get()


class ObjectMissing(Exception):  # noqa: N818 - named after what happened
    """There is no object of that key."""


class StoreLied(Exception):  # noqa: N818 - named after what happened
    """The store said yes, but its answer does not prove what was asked."""


class Listed(NamedTuple):
    """An object in a listing; `modified_at` is by the store's clock."""

    key: str
    size_bytes: int
    modified_at: datetime


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
    ) -> None:
        address = urlsplit(endpoint)
        pool = urllib3.PoolManager(
            maxsize=threads,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        )
        self._client = _Client(
            address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.scheme == "https",
            region="us-east-1",
            http_client=pool,
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

    async def list_dated(self, prefix: str, after: str = "") -> AsyncIterator[Listed]:
        """Every object whose key starts with `prefix`, in key order, with its age.

        after: begin behind this key, be there such an object or not.
        """
        last = after
        while page := await self._ask(self._client.list_page, self._bucket, prefix, last):
            for found in page:
                yield found
            last = page[-1].key

    async def date(self) -> datetime:
        """What time the store says it is, to the second."""
        return await self._ask(_read_date, self._http, self._endpoint)

    async def ensure_bucket(self) -> None:
        """Create the bucket if it isn't there."""
        await self._ask(self._client.ensure_bucket, self._bucket)

    async def check(self) -> None:
        """Ask the store for the bucket: Unavailable unless it answers that it has it."""
        if not await self._ask(self._client.bucket_exists, self._bucket):
            raise errors.Unavailable("storage", RETRY_AFTER_SECONDS)

    async def close(self) -> None:
        """Let running requests end, then free threads and connections."""
        await asyncio.to_thread(self._threads.shutdown, wait=True, cancel_futures=True)
        self._http.clear()

    async def _ask(self, request: Callable[..., T], *args: Any) -> T:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, _try, request, args)


def _try(request: Callable[..., T], args: tuple[Any, ...]) -> T:
    """Make a request, a second time if the first fails; every one of ours can be repeated."""
    tries = 0
    while True:
        tries += 1
        try:
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
        log.warning("storage.failed", operation=request.__name__, tries=tries, error=repr(failure))
        answer = _find_refusal(failure)
        if answer and request.__name__ == "put":
            raise errors.StorageRefused(answer) from failure
        if tries == TRIES:
            raise errors.Unavailable("storage", RETRY_AFTER_SECONDS) from failure
        time.sleep(_PAUSE_SECONDS)


def _find_refusal(failure: Exception) -> str:
    """What a store says that is full or closed to us; empty for any other failure."""
    status, code = 0, ""
    if isinstance(failure, S3Error):
        status, code = failure.response.status, failure.code or ""
    elif isinstance(failure, ServerError):
        status = failure.status_code
    elif isinstance(failure, InvalidResponseError):
        status = failure._code  # the library tells it in no other way
    return f"{status} {code}".strip() if status in {403, 507} else ""


def _read_date(http: urllib3.PoolManager, endpoint: str) -> datetime:
    """The Date of an answer to a request that carries no signature, and so no time of ours."""
    answer = http.request("HEAD", endpoint, redirect=False)
    return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)


class _Client(Minio):
    """The SDK with plain PUT and GET of whole bodies, each hashed once, each answer checked."""

    def put(self, bucket: str, key: str, body: Bytes) -> None:
        """One PUT; StoreLied unless the answer names the body's checksum, or else its MD5."""
        sha256 = hashlib.sha256(body).digest()
        checksum = base64.b64encode(sha256).decode()
        headers: _Headers = {"Content-Type": "application/octet-stream", _CHECKSUM: checksum}
        response = self._execute("PUT", bucket, key, body=cast("bytes", body), headers=headers)
        etag = response.headers.get("etag", "").strip('"').lower()
        if response.status != 200 or response.data or not etag:
            raise StoreLied(f"PUT answered {response.status}, etag {etag!r}")
        proof = response.headers.get(_CHECKSUM)
        if proof is not None:
            if proof != checksum:
                raise StoreLied("PUT answered the checksum of another body")
            return
        is_encrypted = "x-amz-server-side-encryption" in response.headers
        if not is_encrypted and etag != hashlib.md5(body, usedforsecurity=False).hexdigest():
            raise StoreLied("PUT answered the ETag of another body")

    def read(self, bucket: str, key: str) -> bytes:
        """The whole object in one GET."""
        response = self._execute("GET", bucket, key)
        # A head that is cut passes for a whole one, without the length that urllib3 would check.
        is_measured = "content-length" in response.headers or response.chunked
        if response.status != 200 or not is_measured:
            raise StoreLied(f"GET answered {response.status}, of unknown length")
        return bytes(response.data)

    def read_range(self, bucket: str, key: str, offset: int, length: int) -> bytes:
        """Exactly the bytes that were asked for."""
        span = f"bytes {offset}-{offset + length - 1}/"
        headers: _Headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        response = self._execute("GET", bucket, key, headers=headers)
        answered = response.headers.get("content-range", "")
        total = answered.rpartition("/")[2]
        if response.status == 206 and total.isdigit() and int(total) < offset + length:
            raise ObjectMissing(key)
        if response.status != 206 or not answered.startswith(span) or len(response.data) != length:
            raise StoreLied(f"GET of {span} answered {response.status}, {answered!r}")
        return bytes(response.data)

    def delete(self, bucket: str, key: str) -> None:
        """One DELETE, of which an absent object is no failure."""
        response = self._execute("DELETE", bucket, key)
        if response.data:
            raise StoreLied(f"DELETE answered {response.status} and {response.data[:200]!r}")

    def list_page(self, bucket: str, prefix: str, after: str) -> list[Listed]:
        """The next thousand objects after the key `after`.

        The SDK's own listing takes an error inside a 200 for an empty bucket.
        """
        query: _Headers = {
            "list-type": "2",
            "encoding-type": "url",
            "delimiter": "",
            "max-keys": "1000",
            "prefix": prefix,
            "start-after": after,
        }
        response = self._execute("GET", bucket, query_params=query)
        root = ElementTree.fromstring(response.data)  # noqa: S314 - from our own store
        space = root.tag.removesuffix("ListBucketResult")
        if space == root.tag:
            raise StoreLied(f"a listing answered {response.data[:200]!r}")
        page = [
            Listed(
                unquote_plus(each.findtext(f"{space}Key", "")),
                int(each.findtext(f"{space}Size", "")),
                datetime.fromisoformat(each.findtext(f"{space}LastModified", "")),
            )
            for each in root.iter(f"{space}Contents")
        ]
        keys = [found.key for found in page]
        is_truncated = root.findtext(f"{space}IsTruncated") == "true"
        if (is_truncated and not page) or any(key <= after for key in keys):
            raise StoreLied("a listing does not go on")
        return page

    def ensure_bucket(self, bucket: str) -> None:
        """Create the bucket; fine if it is there already."""
        try:
            if not self.bucket_exists(bucket):
                self.make_bucket(bucket)
        except S3Error as error:
            if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                raise

    def _build_headers(
        self,
        host: str,
        headers: _Headers | None = None,
        body: bytes | None = None,
        creds: Credentials | None = None,
    ) -> tuple[_Headers, datetime]:
        """Sign a PUT by the SHA-256 that its checksum already is, rather than hashing again."""
        if body is None or headers is None or _CHECKSUM not in headers:
            return super()._build_headers(host, headers, body, creds)
        headers["Content-Length"] = str(len(body))
        headers, date = super()._build_headers(host, headers, None, creds)
        headers["x-amz-content-sha256"] = base64.b64decode(str(headers[_CHECKSUM])).hex()
        return headers, date
