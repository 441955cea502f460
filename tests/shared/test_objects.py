"""The object store against a real S3 server, and behind a proxy that makes it fail and lie."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

import pytest

from libs.shared import errors
from libs.shared.objects import BucketClosed, ObjectStore
from tests.faults import Fault, answer_with, faulty_endpoint, read_message

KEY = "t/6f0c/packs/ab/abcdef"


async def keys_of(store: ObjectStore, prefix: str) -> list[str]:
    return [key async for key, _ in store.list(prefix)]


async def test_a_listing_of_several_pages_is_whole_and_in_order(object_store: ObjectStore) -> None:
    written = sorted([f"t/a/{number:04}" for number in range(2100)] + ["t/a/x é +%", "t/b/other"])
    await asyncio.gather(*(object_store.put(key, b"x") for key in written))
    assert await keys_of(object_store, "t/a/") == written[:-1]
    assert await keys_of(object_store, "t/") == written
    assert await keys_of(object_store, "u/") == []


async def test_the_bucket_is_made_once(
    object_store: ObjectStore, servers: Any, bucket: str
) -> None:
    await object_store.ensure_bucket()
    await object_store.check()
    absent = store_at(servers, servers.s3_endpoint, bucket + "-absent")
    with pytest.raises(errors.Unavailable):
        await absent.check()
    with pytest.raises(errors.Unavailable):
        await absent.get(KEY)
    await absent.ensure_bucket()
    await absent.check()


DENIED = b"<Error><Code>AccessDenied</Code><Message>no</Message></Error>"


@pytest.mark.parametrize(
    ("wrong", "advice"),
    [
        ({"bucket": "absent"}, "The bucket 'absent' does not exist at {0}: set COFFRE_S3_BUCKET,"),
        ({"access_key": "nobody"}, "The access key is not known at {0}: set COFFRE_S3_ACCESS_KEY."),
        (
            {"secret_key": "hush-hush"},
            "The secret key is not the access key's at {0}: set COFFRE_S3_SECRET_KEY.",
        ),
        ({}, "The access key may not do this in the bucket '{1}' at {0}: give it the right,"),
    ],
)
async def test_what_to_correct_is_said_to_operators(
    servers: Any,
    bucket: str,
    capsys: pytest.CaptureFixture[str],
    wrong: dict[str, str],
    advice: str,
) -> None:
    right = {
        "access_key": servers.s3_access_key,
        "secret_key": servers.s3_secret_key,
        "bucket": bucket,
    }
    deny = answer_with("403 Forbidden", DENIED)
    async with faulty_endpoint(servers.s3_endpoint, deny) as denying:
        endpoint = servers.s3_endpoint if wrong else denying
        store = ObjectStore.in_s3(endpoint, **{**right, **wrong})
        with pytest.raises(BucketClosed) as closed:
            await store.check()
        expected = advice.format(endpoint, bucket)
        assert closed.value.detail.startswith(expected)
        # Whoever called us is told that the storage is away, and not where it is.
        for operation in ("get", "put", "list", "delete"):
            with pytest.raises(errors.Unavailable) as refused:
                await OPERATIONS[operation](store)
            assert not isinstance(refused.value, BucketClosed)
            assert endpoint not in refused.value.detail
        await store.close()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) >= 5
    for line in lines:
        assert expected[1:-1] in line, line
        assert "hush-hush" not in line
        assert servers.s3_secret_key not in line


def store_at(servers: Any, endpoint: str, bucket: str, read_seconds: float = 30) -> ObjectStore:
    return ObjectStore.in_s3(
        endpoint, servers.s3_access_key, servers.s3_secret_key, bucket, read_seconds=read_seconds
    )


@asynccontextmanager
async def faulty(servers: Any, bucket: str, fault: Fault) -> AsyncIterator[ObjectStore]:
    """A store behind a proxy that passes every request on and answers what `fault` says."""
    async with faulty_endpoint(servers.s3_endpoint, fault) as endpoint:
        store = store_at(servers, endpoint, bucket)
        try:
            yield store
        finally:
            await store.close()


def replace_header(name: str, value: bytes | None) -> Fault:
    pattern = re.compile(rb"(?im)^" + name.encode() + rb":[^\r]*\r\n")

    def change(_request: bytes, answer: bytes) -> bytes:
        new = b"" if value is None else name.encode() + b": " + value + b"\r\n"
        changed, count = pattern.subn(new, answer, count=1)
        assert count
        return changed

    return change


S3_ERROR = b'<?xml version="1.0"?><Error><Code>InternalError</Code><Message>no</Message></Error>'
EMPTY_PAGE = b"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>"


def both(first: Fault, second: Fault) -> Fault:
    """One fault upon the other."""

    def fault(request: bytes, answer: bytes) -> bytes | None:
        damaged = first(request, answer)
        return None if damaged is None else second(request, damaged)

    return fault


OPERATIONS: dict[str, Callable[[ObjectStore], Awaitable[object]]] = {
    "put": lambda store: store.put(KEY, b"the bytes"),
    "get": lambda store: store.get("there"),
    "get_range": lambda store: store.get_range("there", 2, 4),
    "delete": lambda store: store.delete("there"),
    "exists": lambda store: store.exists("there"),
    "list": lambda store: keys_of(store, ""),
    "ensure_bucket": lambda store: store.ensure_bucket(),
    "check": lambda store: store.check(),
}
FAULTS: dict[str, Fault] = {
    "500": answer_with("500 Internal Server Error", S3_ERROR),
    "500 of a proxy": answer_with("502 Bad Gateway", b"<html>sorry</html>", "text/html"),
    "503 without words": answer_with("503 Service Unavailable", b""),
    "403": answer_with("403 Forbidden", S3_ERROR.replace(b"InternalError", b"AccessDenied")),
    "garbage": lambda _request, _answer: b"\x16\x03\x01 garbage\r\n\r\n",
    "cut at once": lambda _request, _answer: None,
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_failing_store_is_never_a_success(
    servers: Any, bucket: str, object_store: ObjectStore, fault: str
) -> None:
    await object_store.put("there", b"0123456789")
    async with faulty(servers, bucket, FAULTS[fault]) as store:
        answers = await asyncio.gather(
            *(operation(store) for operation in OPERATIONS.values()), return_exceptions=True
        )
    for operation, answer in zip(OPERATIONS, answers, strict=True):
        assert isinstance(answer, errors.Unavailable), operation
        assert answer.status == 503
        assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize(
    "fault",
    [
        answer_with("507 Insufficient Storage", b""),
        answer_with("507 Insufficient Storage", b"disk full", "text/plain"),
        answer_with("507 Insufficient Storage", S3_ERROR),
        answer_with("403 Forbidden", S3_ERROR.replace(b"InternalError", b"QuotaExceeded")),
        answer_with("500 Internal Server Error", S3_ERROR),
    ],
)
async def test_a_full_store_says_so(
    servers: Any, bucket: str, object_store: ObjectStore, fault: Fault
) -> None:
    async with faulty(servers, bucket, fault) as store:
        with pytest.raises(errors.StorageRefused, match=r"refuses to take more \((507|403|500)"):
            await store.put(KEY, b"the bytes")
        with pytest.raises(errors.Unavailable) as refused:
            await store.get(KEY)
        assert not isinstance(refused.value, errors.StorageRefused)


MD5_OF_X = hashlib.md5(b"x", usedforsecurity=False).hexdigest().encode()
SHA256_OF_X = base64.b64encode(hashlib.sha256(b"x").digest())
CUT_IN_THE_HEAD: Fault = lambda _request, answer: answer[:30]  # noqa: E731 - a table's row

LIES: dict[str, list[tuple[str, Fault]]] = {
    "put": [
        ("cut in the head", CUT_IN_THE_HEAD),
        ("an error inside a 200", answer_with("200 OK", S3_ERROR)),
        ("a bare 200", answer_with("200 OK", b"")),
        ("no ETag", replace_header("ETag", None)),
        ("an empty ETag", replace_header("ETag", b'""')),
        (
            "another body's ETag and no checksum",
            both(
                replace_header("X-Amz-Checksum-Sha256", None),
                replace_header("ETag", b'"' + MD5_OF_X + b'"'),
            ),
        ),
        ("another body's checksum", replace_header("X-Amz-Checksum-Sha256", SHA256_OF_X)),
    ],
    "get": [
        ("cut in the head", CUT_IN_THE_HEAD),
        ("a cut body", lambda _request, answer: answer[:-3]),
        ("a part of it", answer_with("206 Partial Content", b"0123")),
    ],
    "get_range": [
        ("cut in the head", CUT_IN_THE_HEAD),
        ("a cut body", lambda _request, answer: answer[:-1]),
        ("the whole object", answer_with("200 OK", b"0123456789")),
        ("another range", replace_header("Content-Range", b"bytes 3-6/10")),
        ("no word of the range", replace_header("Content-Range", None)),
    ],
    "list": [
        ("cut in the head", CUT_IN_THE_HEAD),
        ("an error inside a 200", answer_with("200 OK", S3_ERROR)),
        ("nothing", answer_with("200 OK", b"")),
        ("a page that never ends", answer_with("200 OK", EMPTY_PAGE)),
        ("half a page", lambda _request, answer: answer.partition(b"<Contents>")[0]),
    ],
    "delete": [("an error inside a 200", answer_with("200 OK", S3_ERROR))],
}


@pytest.mark.parametrize("operation", LIES)
async def test_a_lying_store_is_noticed(
    servers: Any, bucket: str, object_store: ObjectStore, operation: str
) -> None:
    await object_store.put("there", b"0123456789")

    async def is_noticed(fault: Fault) -> bool:
        async with faulty(servers, bucket, fault) as store:
            try:
                await OPERATIONS[operation](store)
            except errors.Unavailable:
                return True
            return False

    noticed = await asyncio.gather(*(is_noticed(fault) for _, fault in LIES[operation]))
    assert [lie for (lie, _), seen in zip(LIES[operation], noticed, strict=True) if not seen] == []


async def test_one_failure_is_bridged(servers: Any, bucket: str, object_store: ObjectStore) -> None:
    await object_store.put("there", b"0123456789")
    for operation in OPERATIONS.values():
        failures = [FAULTS["500"]]

        def first_fails(
            request: bytes, answer: bytes, failures: list[Fault] = failures
        ) -> bytes | None:
            return failures.pop()(request, answer) if failures else answer

        async with faulty(servers, bucket, first_fails) as store:
            await object_store.put("there", b"0123456789")
            await operation(store)
        assert not failures


async def test_a_body_changed_on_its_way_is_not_stored(
    servers: Any, bucket: str, object_store: ObjectStore
) -> None:
    address = urlsplit(servers.s3_endpoint)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = bytearray(await read_message(reader))
        request[-1] ^= 1
        upstream, sending = await asyncio.open_connection(address.hostname, address.port)
        sending.write(request)
        writer.write(await read_message(upstream))
        await writer.drain()
        sending.close()
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1")
    store = store_at(servers, f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", bucket)
    with pytest.raises(errors.Unavailable):
        await store.put(KEY, b"the bytes")
    await store.close()
    proxy.close()
    assert not await object_store.exists(KEY)


async def test_a_silent_store_is_given_up(servers: Any, bucket: str) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    proxy = await asyncio.start_server(serve, "127.0.0.1")
    store = store_at(servers, f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}", bucket, 1)
    started = asyncio.get_running_loop().time()
    for operation in ("put", "get"):
        with pytest.raises(errors.Unavailable):
            await OPERATIONS[operation](store)
    assert asyncio.get_running_loop().time() - started < 8
    await store.close()
    proxy.close()


async def test_an_absent_store_is_unavailable_at_once() -> None:
    store = ObjectStore.in_s3("http://127.0.0.1:1", "a", "b", "bucket")
    started = asyncio.get_running_loop().time()
    for operation in OPERATIONS.values():
        with pytest.raises(errors.Unavailable):
            await operation(store)
    assert asyncio.get_running_loop().time() - started < 10
    await store.close()


async def test_a_wrong_secret_is_unavailable(servers: Any, bucket: str) -> None:
    store = ObjectStore.in_s3(servers.s3_endpoint, servers.s3_access_key, "wrong", bucket)
    for operation in ("put", "get", "list"):
        with pytest.raises(errors.Unavailable):
            await OPERATIONS[operation](store)
    await store.close()
