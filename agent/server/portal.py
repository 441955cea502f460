"""The portal's API as a restore uses it: sign in, ask for the manifest, fetch chunks."""

from __future__ import annotations

import io
import struct
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, cast
from urllib.parse import quote

import msgspec
import zstandard

from agent.server.connection import Connection, StreamCut
from agent.telling.failures import AgentError
from libs.shared.entries import FolderDelta, check_batch
from libs.shared.reasons import Reason

SIGN_OUT_SECONDS = 3.0
MAX_FRAME_BYTES = 256 * 1024 * 1024
_LENGTH = struct.Struct(">I")
_CHUNK_HEAD = struct.Struct(">IB")
_WANTED = struct.Struct(">32sQIIIB")
_READ_AHEAD_BYTES = 512 * 1024


class ChunkPlace(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Where a chunk lies: fetching in the order of (pack_no, offset) reads each pack once."""

    chunk_id: bytes
    pack_no: int
    offset: int
    length: int
    size: int
    encoding: int


Frame = tuple[list[FolderDelta], list[ChunkPlace]]
_decoder = msgspec.msgpack.Decoder(Frame)


@dataclass(frozen=True)
class Manifest:
    """What a restore point holds, read as it comes; `files` and `size_bytes` of all of it."""

    run: int
    run_at: datetime
    files: int
    size_bytes: int
    chunk_key: bytes
    frames: Iterator[Frame]


class Portal:
    """A signed-in user's side of the API."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def sign_in(self, email: str, password: str, totp: str | None = None) -> None:
        """Exchange the password for a token that this process alone holds."""
        request = {"email": email, "password": password}
        if totp:
            request["totp"] = totp
        answer = self.connection.call_json("POST", "/api/v1/tokens", request)
        self.connection.token = answer.json()["token"]

    @contextmanager
    def signed_in(self, email: str, password: str, totp: str | None = None) -> Iterator[Portal]:
        """Signed in for as long as this lasts."""
        self.sign_in(email, password, totp)
        try:
            yield self
        finally:
            self.sign_out()

    def sign_out(self) -> None:
        """End the token; it would end by itself, so nothing is said if that can't be done now."""
        connection = self.connection
        connection.stopping.clear()
        connection.patience_seconds = 0
        with suppress(AgentError):
            connection.call("DELETE", "/api/v1/tokens", read_seconds=SIGN_OUT_SECONDS, retry=False)

    @contextmanager
    def manifest(
        self, plan: str, run: int | None, at: datetime | None, path: bytes | None
    ) -> Iterator[Manifest]:
        """The folders, entries and chunk places of a run, or of the last not later than a moment.

        StreamCut when it breaks off: nothing is taken for whole that isn't.
        """
        query = [f"run={run}"] if run is not None else []
        if at is not None:
            query.append(f"at={at.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%fZ}")
        if path:
            query.append(f"path={quote(path, safe='/')}")
        address = f"/api/v1/plans/{quote(plan, safe='')}/manifest"
        if query:
            address += "?" + "&".join(query)
        with self.connection.stream("GET", address) as response:
            headers = response.headers
            yield Manifest(
                int(headers["X-Coffre-Run"]),
                datetime.fromisoformat(headers["X-Coffre-Run-At"]),
                int(headers["X-Coffre-Files"]),
                int(headers["X-Coffre-Bytes"]),
                bytes.fromhex(headers["X-Coffre-Chunk-Key"]),
                _frames(_buffered(response)),
            )

    def runs(self, plan: str, before: int | None, limit: int) -> list[dict[str, Any]]:
        """Some of a plan's runs, newest first, before a number."""
        address = f"/api/v1/plans/{quote(plan, safe='')}/runs?limit={limit}"
        if before is not None:
            address += f"&before={before}"
        found: list[dict[str, Any]] = self.connection.call("GET", address).json()["runs"]
        return found

    @contextmanager
    def chunks(
        self, plan: str, places: Sequence[ChunkPlace]
    ) -> Iterator[Iterator[tuple[int, bytes]]]:
        """(encoding, payload) of each chunk, in the order asked for; StreamCut when cut."""
        address = f"/api/v1/plans/{quote(plan, safe='')}/chunks"
        body = b"".join(
            [
                _WANTED.pack(
                    one.chunk_id, one.pack_no, one.offset, one.length, one.size, one.encoding
                )
                for one in places
            ]
        )
        with self.connection.stream("POST", address, body) as response:
            yield _payloads(_buffered(response), len(places))


def _buffered(response: Any) -> io.BufferedReader:
    return io.BufferedReader(response, _READ_AHEAD_BYTES)


def _exactly(stream: io.BufferedReader, length: int) -> bytes:
    content = stream.read(length)
    if len(content) < length:
        raise StreamCut("the answer ended before its end")
    return content


class _Codecs(threading.local):
    def __init__(self) -> None:
        self.decompressor = zstandard.ZstdDecompressor()


_codecs = _Codecs()


def _frames(stream: io.BufferedReader) -> Iterator[Frame]:
    while True:
        (length,) = _LENGTH.unpack(_exactly(stream, _LENGTH.size))
        if length == 0:
            stream.read(1)
            return
        body = _exactly(stream, length)
        try:
            plain = _codecs.decompressor.decompress(body, max_output_size=MAX_FRAME_BYTES)
            frame = cast("Frame", _decoder.decode(plain))
        except (zstandard.ZstdError, msgspec.MsgspecError) as error:
            raise AgentError(Reason("portal-list-malformed", detail=str(error))) from error
        check_batch(frame[0])
        yield frame


def _payloads(stream: io.BufferedReader, count: int) -> Iterator[tuple[int, bytes]]:
    for _ in range(count):
        length, encoding = _CHUNK_HEAD.unpack(_exactly(stream, _CHUNK_HEAD.size))
        yield encoding, _exactly(stream, length)
    stream.read(1)
