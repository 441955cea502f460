"""Stores of other regions, behind other addresses and with other clocks, and what is said of it."""

from __future__ import annotations

import base64
import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from libs.shared.objects import BucketClosed, ObjectStore
from tests.faults import Fault, answer_with, faulty_endpoint
from tests.shared.test_objects import KEY, OPERATIONS

REGION = "eu-west-3"
REFUSALS: dict[str, bytes] = {
    "in an element": b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region"
    b" is wrong</Message><Region>eu-west-3</Region></Error>",
    "without the name": b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>Authorization"
    b" header malformed, unexpected scope: 20261129/us-east-1/s3/aws4_request</Message></Error>",
    "in a sentence": b"<Error><Code>AuthorizationHeaderMalformed</Code><Message>the region"
    b" 'us-east-1' is wrong; expecting 'eu-west-3'</Message></Error>",
    "in a header": b"<Error><Code>BadRequest</Code><Message>no</Message></Error>",
}


class Elsewhere:
    """What a store of another region does with requests that are signed for none of its own."""

    def __init__(self, refusal: str) -> None:
        self.refused = 0
        self._says = answer_with("400 Bad Request", REFUSALS[refusal])
        self._header = f"x-amz-bucket-region: {REGION}\r\n" if "header" in refusal else ""

    def __call__(self, request: bytes, answer: bytes) -> bytes | None:
        scope = re.search(rb"Credential=[^/]+/\d{8}/([^/]+)/s3/", request)
        assert scope is not None
        if scope[1].decode() == REGION:
            return answer
        self.refused += 1
        told = self._says(request, answer)
        assert told is not None
        return told.replace(b"\r\n", f"\r\n{self._header}".encode(), 1)


def open_store(servers: Any, endpoint: str, bucket: str, **more: Any) -> ObjectStore:
    return ObjectStore.in_s3(endpoint, servers.s3_access_key, servers.s3_secret_key, bucket, **more)


@pytest.mark.parametrize("refusal", [name for name in REFUSALS if name != "without the name"])
async def test_the_region_that_the_store_names_is_taken(
    servers: Any, bucket: str, object_store: ObjectStore, refusal: str
) -> None:
    elsewhere = Elsewhere(refusal)
    async with faulty_endpoint(servers.s3_endpoint, elsewhere) as endpoint:
        store = open_store(servers, endpoint, bucket)
        await object_store.put("there", b"0123456789")
        for operation in OPERATIONS.values():
            await operation(store)
        assert elsewhere.refused == 1
        assert await object_store.get(KEY) == b"the bytes"
        await store.close()


@pytest.mark.parametrize("refusal", REFUSALS)
async def test_a_region_that_is_set_is_used_and_one_that_is_wrong_is_said(
    servers: Any, bucket: str, refusal: str
) -> None:
    elsewhere = Elsewhere(refusal)
    async with faulty_endpoint(servers.s3_endpoint, elsewhere) as endpoint:
        store = open_store(servers, endpoint, bucket, region=REGION)
        await store.check()
        await store.put(KEY, b"the bytes")
        assert elsewhere.refused == 0
        await store.close()
        wrong = open_store(servers, endpoint, bucket, region="us-east-1")
        with pytest.raises(BucketClosed) as closed:
            await wrong.check()
        await wrong.close()
    wanted = "another region" if refusal == "without the name" else f"the region '{REGION}'"
    assert closed.value.detail == (
        f"The store at {endpoint} wants requests for {wanted}: set COFFRE_S3_REGION."
    )


async def test_a_clock_that_is_wrong_is_named(servers: Any, bucket: str) -> None:
    store = open_store(servers, servers.s3_endpoint, bucket)
    now = datetime.now(UTC)
    with time_machine.travel(now + timedelta(hours=1)), pytest.raises(BucketClosed) as closed:
        await store.check()
    await store.close()
    assert "clock of this machine is not that of the store" in closed.value.detail
    assert f"{now:%d %b %Y %H:}" in closed.value.detail


MOVED = (
    b"<Error><Code>PermanentRedirect</Code><Message>elsewhere</Message>"
    b"<Endpoint>s3.eu-west-3.example</Endpoint></Error>"
)
REDIRECTS: dict[str, tuple[Fault, str]] = {
    "of a store": (
        answer_with("301 Moved Permanently", MOVED),
        "is to be asked for at s3.eu-west-3.example, not at",
    ),
    "of a store, for now": (
        answer_with("307 Temporary Redirect", MOVED.replace(b"Permanent", b"Temporary")),
        "is to be asked for at s3.eu-west-3.example, not at",
    ),
    "of a proxy": (
        answer_with("301 Moved Permanently", b"<html>moved</html>", "text/html"),
        "sends elsewhere (301) and is no S3 store: set COFFRE_S3_ENDPOINT",
    ),
    "of a proxy, without words": (
        answer_with("308 Permanent Redirect", b"", "text/html"),
        "sends elsewhere (308) and is no S3 store: set COFFRE_S3_ENDPOINT",
    ),
}


@pytest.mark.parametrize("redirect", REDIRECTS)
async def test_a_redirect_is_named(servers: Any, bucket: str, redirect: str) -> None:
    fault, says = REDIRECTS[redirect]
    async with faulty_endpoint(servers.s3_endpoint, fault) as endpoint:
        store = open_store(servers, endpoint, bucket)
        with pytest.raises(BucketClosed) as closed:
            await store.check()
        await store.close()
    assert says in closed.value.detail
    assert endpoint in closed.value.detail


class Host:
    """A store that knows a bucket by the host alone."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def __call__(self, request: bytes, _answer: bytes) -> bytes | None:
        head, _, body = request.partition(b"\r\n\r\n")
        host = re.search(rb"(?im)^host: ([^\r]+)", head)
        assert host is not None
        self.asked.append((host[1].decode().partition(":")[0], head.split(b" ")[1].decode()))
        if head.startswith(b"GET"):
            return answer_with("200 OK", b"<ListBucketResult></ListBucketResult>")(b"", b"")
        sha256 = base64.b64encode(hashlib.sha256(body).digest()).decode()
        told = f'HTTP/1.1 200 OK\r\nETag: "x"\r\nx-amz-checksum-sha256: {sha256}\r\n'
        return f"{told}Content-Length: 0\r\nConnection: close\r\n\r\n".encode()


@contextmanager
def resolving(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Names below `store.example` are this machine."""
    true = socket.getaddrinfo

    def find(host: Any, *rest: Any, **more: Any) -> Any:
        return true("127.0.0.1" if str(host).endswith("store.example") else host, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", find)
        yield


@pytest.mark.parametrize(
    ("addressing", "host", "begin"),
    [
        ("virtual", "{0}.store.example", "/"),
        ("path", "store.example", "/{0}"),
        ("auto", "store.example", "/{0}"),
    ],
)
async def test_the_bucket_stands_where_the_store_wants_it(
    servers: Any,
    bucket: str,
    monkeypatch: pytest.MonkeyPatch,
    addressing: Any,
    host: str,
    begin: str,
) -> None:
    asked = Host()
    async with faulty_endpoint(servers.s3_endpoint, asked) as endpoint:
        with resolving(monkeypatch):
            at = endpoint.replace("127.0.0.1", "store.example")
            store = open_store(servers, at, bucket, addressing=addressing)
            await store.put(KEY, b"the bytes")
            await store.check()
            await store.close()
    (put_host, put_path), (_, list_path) = asked.asked
    assert put_host == host.format(bucket)
    assert put_path == f"{begin.format(bucket).rstrip('/')}/{KEY}"
    assert list_path.partition("?")[0] == begin.format(bucket)
