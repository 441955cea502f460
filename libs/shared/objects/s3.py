"""The S3 store's requests by the minio SDK: plain, whole, and each answer checked."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, cast
from urllib.parse import unquote_plus, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

import certifi
import urllib3
from minio import Minio
from minio.credentials.credentials import Credentials
from minio.error import MinioException, S3Error

from libs.shared.objects import advice
from libs.shared.objects.stored import (
    Bytes,
    ObjectMissing,
    StoredObject,
    StoredVersion,
    StoreLied,
    Undeletable,
    VersionPage,
)

_Headers = dict[str, str | list[str] | tuple[str]]
Addressing = Literal["auto", "path", "virtual"]

CONNECT_SECONDS = 3.0

_CHECKSUM = "x-amz-checksum-sha256"
_USUAL_REGION = "us-east-1"
_REFUSAL = ("Key", "VersionId", "Code")


class Bucket(Minio):
    """A bucket by the SDK: plain requests of whole bodies, hashed once, each answer checked.

    The SDK is told little and believed less: short time-outs, no retries of its own.
    region: for which requests are signed; None: the usual one, until the store names another.
    addressing: whether the bucket stands in the path or before the host; `auto` puts it before
    the host at AWS, and into the path elsewhere.
    """

    kind = "S3"
    failures: tuple[type[Exception], ...] = (
        MinioException,
        urllib3.exceptions.HTTPError,
        OSError,
        StoreLied,
        ElementTree.ParseError,
        ValueError,  # an answer of garbage
    )

    def __init__(
        self,
        endpoint: str,
        access_key: str,
        secret_key: str,
        bucket: str,
        *,
        threads: int = 16,
        read_seconds: float = 30.0,
        region: str | None = None,
        addressing: Addressing = "auto",
    ) -> None:
        http = urllib3.PoolManager(
            maxsize=threads,
            timeout=urllib3.Timeout(connect=CONNECT_SECONDS, read=read_seconds),
            retries=False,
            cert_reqs="CERT_REQUIRED",
            ca_certs=os.environ.get("SSL_CERT_FILE") or certifi.where(),
        )
        address = urlsplit(endpoint)
        super().__init__(
            address.netloc,
            access_key=access_key,
            secret_key=secret_key,
            secure=address.scheme == "https",
            region=region,
            http_client=http,
        )
        self._pool = http
        self._endpoint = endpoint
        self._bucket = bucket
        if addressing != "auto":
            self._base_url.virtual_style_flag = addressing == "virtual"
        self._is_region_set = region is not None
        self._region: str = self._base_url.region or _USUAL_REGION

    def put(self, key: str, body: Bytes) -> None:
        """One PUT; StoreLied unless the answer names the body's checksum, or else its MD5."""
        sha256 = hashlib.sha256(body).digest()
        checksum = base64.b64encode(sha256).decode()
        headers: _Headers = {"Content-Type": "application/octet-stream", _CHECKSUM: checksum}
        response = self._execute(
            "PUT", self._bucket, key, body=cast("bytes", body), headers=headers
        )
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

    def read(self, key: str) -> bytes:
        """The whole object in one GET."""
        response = self._execute("GET", self._bucket, key)
        # A head that is cut passes for a whole one, without the length that urllib3 would check.
        is_measured = "content-length" in response.headers or response.chunked
        if response.status != 200 or not is_measured:
            raise StoreLied(f"GET answered {response.status}, of unknown length")
        return bytes(response.data)

    def read_range(self, key: str, offset: int, length: int) -> bytes:
        """Exactly the bytes that were asked for."""
        span = f"bytes {offset}-{offset + length - 1}/"
        headers: _Headers = {"Range": f"bytes={offset}-{offset + length - 1}"}
        response = self._execute("GET", self._bucket, key, headers=headers)
        answered = response.headers.get("content-range", "")
        total = answered.rpartition("/")[2]
        if response.status == 206 and total.isdigit() and int(total) < offset + length:
            raise ObjectMissing(key)
        if response.status != 206 or not answered.startswith(span) or len(response.data) != length:
            raise StoreLied(f"GET of {span} answered {response.status}, {answered!r}")
        return bytes(response.data)

    def stat(self, key: str) -> None:
        """One HEAD; ObjectMissing where there is no object of that key."""
        self.stat_object(self._bucket, key)

    def delete(self, key: str) -> None:
        """One DELETE, of which an absent object is no failure."""
        response = self._execute("DELETE", self._bucket, key)
        if response.data:
            raise StoreLied(f"DELETE answered {response.status} and {response.data[:200]!r}")

    def look(self) -> None:
        """Ask for one key of a listing: a HEAD of the bucket says no words of why it fails."""
        query: _Headers = {"list-type": "2", "max-keys": "1"}
        response = self._execute("GET", self._bucket, query_params=query)
        if b"<ListBucketResult" not in response.data:
            raise StoreLied(f"a listing answered {response.data[:200]!r}")

    def list_page(self, prefix: str, after: str) -> list[StoredObject]:
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
        response = self._execute("GET", self._bucket, query_params=query)
        root = ElementTree.fromstring(response.data)  # noqa: S314 - from our own store
        space = root.tag.removesuffix("ListBucketResult")
        if space == root.tag:
            raise StoreLied(f"a listing answered {response.data[:200]!r}")
        page = [
            StoredObject(
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

    def list_versions_page(self, prefix: str, key_marker: str, version_marker: str) -> VersionPage:
        """The next thousand versions, of all objects whose key starts with `prefix`."""
        query: _Headers = {
            "versions": "",
            "encoding-type": "url",
            "max-keys": "1000",
            "prefix": prefix,
        }
        if key_marker:
            query |= {"key-marker": key_marker, "version-id-marker": version_marker}
        response = self._execute("GET", self._bucket, query_params=query)
        root = ElementTree.fromstring(response.data)  # noqa: S314 - from our own store
        space = root.tag.removesuffix("ListVersionsResult")
        if space == root.tag:
            raise StoreLied(f"a listing of versions answered {response.data[:200]!r}")
        is_encoded = root.findtext(f"{space}EncodingType") == "url"

        def read(element: ElementTree.Element, name: str) -> str:
            text = element.findtext(f"{space}{name}") or ""
            return unquote_plus(text) if is_encoded and "Key" in name else text

        page = [
            StoredVersion(
                read(each, "Key"), read(each, "VersionId") or "null", int(read(each, "Size") or 0)
            )
            for each in root
            if each.tag in {f"{space}Version", f"{space}DeleteMarker"}
        ]
        if any(not found.key.startswith(prefix) for found in page):
            raise StoreLied("a listing names what was not asked for")
        if root.findtext(f"{space}IsTruncated") != "true":
            return VersionPage(page, None)
        behind = read(root, "NextKeyMarker"), read(root, "NextVersionIdMarker")
        if not page or not behind[0] or behind == (key_marker, version_marker):
            raise StoreLied("a listing of versions does not go on")
        return VersionPage(page, behind)

    def delete_versions(self, versions: Sequence[StoredVersion]) -> list[Undeletable]:
        """Delete up to a thousand versions by one request; returns those that it refused.

        One that is gone already is no failure.
        """
        named = "".join(
            f"<Object><Key>{escape(one.key)}</Key><VersionId>{escape(one.version_id)}</VersionId>"
            "</Object>"
            for one in versions
        )
        body = f"<Delete><Quiet>true</Quiet>{named}</Delete>".encode()
        md5 = hashlib.md5(body, usedforsecurity=False).digest()
        headers: _Headers = {"Content-MD5": base64.b64encode(md5).decode()}
        response = self._execute(
            "POST", self._bucket, query_params={"delete": ""}, body=body, headers=headers
        )
        root = ElementTree.fromstring(response.data)  # noqa: S314 - from our own store
        space = root.tag.removesuffix("DeleteResult")
        if space == root.tag:
            raise StoreLied(f"a deletion answered {response.data[:200]!r}")
        refused = [
            Undeletable(*(each.findtext(f"{space}{name}", "") for name in _REFUSAL))
            for each in root.iter(f"{space}Error")
        ]
        return [one for one in refused if one.code not in {"NoSuchKey", "NoSuchVersion"}]

    def find_lock(self, key: str, version_id: str) -> datetime | None:
        """Until when a version is locked; None where no date is known, as for a legal hold."""
        try:
            retention = self.get_object_retention(self._bucket, key, version_id)
        except (S3Error, ValueError):
            return None
        return retention.retain_until_date if retention else None

    def ensure(self) -> None:
        """Create the bucket; fine if it is there already."""
        try:
            self.look()
        except S3Error as absent:
            if absent.code != "NoSuchBucket":
                raise
            try:
                self.make_bucket(self._bucket, self._region)
            except S3Error as error:
                if error.code not in {"BucketAlreadyOwnedByYou", "BucketAlreadyExists"}:
                    raise

    def read_date(self) -> datetime:
        """The Date of an answer to a request that carries no signature, and so no time of ours."""
        answer = self._pool.request("HEAD", self._endpoint, redirect=False)
        return parsedate_to_datetime(answer.headers.get("date", "")).astimezone(UTC)

    def advise(self, failure: BaseException | None) -> str:
        """Says what is wrong with the settings of the bucket; empty where nothing of them is."""
        return advice.advise(failure, self._endpoint, self._bucket)

    def find_refusal(self, failure: Exception, *, is_lasting: bool) -> str:
        """Says in what words the store refuses to take anything; empty where it doesn't."""
        return advice.find_refusal(failure, is_lasting=is_lasting)

    def close(self) -> None:
        """Frees the connections."""
        self._pool.clear()

    def _execute(self, *args: Any, **more: Any) -> urllib3.BaseHTTPResponse:
        """Ask again, for the region that the store named, where ours was a guess."""
        headers: _Headers = more.get("headers") or {}
        try:
            return super()._execute(*args, **{**more, "headers": dict(headers)})
        except S3Error as error:
            if error.code in {"NoSuchKey", "InvalidRange"}:
                raise ObjectMissing(args[2]) from None
            region = advice.find_region(error)
            if self._is_region_set or region is None or region == self._region:
                raise
            self._region = region
        return super()._execute(*args, **{**more, "headers": dict(headers)})

    def _get_region(self, bucket_name: str | None = None) -> str:
        return self._region

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
