"""The portal's API as a restore uses it: sign in, ask for the manifest, fetch chunks."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote_to_bytes

from agent.server.connection import Connection
from agent.telling.dropped import Dropped
from agent.telling.failures import AgentError, Problem
from libs.shared import restores
from libs.shared.reasons import Reason
from libs.shared.restores import ListInvalid, PlacedChunk, RestorePart

SIGN_OUT_SECONDS = 3.0
_READ_AHEAD_BYTES = 512 * 1024


@dataclass(frozen=True)
class Manifest:
    """What a restore point holds, read as it comes; `files` and `size_bytes` of all of it."""

    run: int
    run_at: datetime
    files: int
    size_bytes: int
    chunk_keys: tuple[bytes, ...]
    parts: Iterator[RestorePart]


class Portal:
    """A signed-in user's side of the API."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def sign_in(self, email: str, password: str, ask_code: Callable[[], str]) -> None:
        """Exchange the password for a token that this process alone holds.

        ask_code: asked for a code where the account has a second factor."""
        request = {"email": email, "password": password}
        try:
            answer = self.connection.call_json("POST", "/api/v1/tokens", request)
        except Problem as problem:
            if problem.code != "second-factor-required":
                raise
            request["totp"] = ask_code()
            answer = self.connection.call_json("POST", "/api/v1/tokens", request)
        self.connection.token = answer.json()["token"]

    @contextmanager
    def signed_in(self, email: str, password: str, ask_code: Callable[[], str]) -> Iterator[Portal]:
        """Signed in for as long as this lasts."""
        self.sign_in(email, password, ask_code)
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
                tuple(map(bytes.fromhex, headers["X-Coffre-Chunk-Keys"].split(","))),
                _parts(_buffered(response)),
            )

    def plans(self) -> list[tuple[str, str]]:
        """Name and id of each of the client's plans."""
        found = self.connection.call("GET", "/api/v1/plans").json()["plans"]
        return [(plan["name"], plan["plan_id"]) for plan in found]

    def runs(self, plan: str, before: int | None, limit: int) -> list[dict[str, Any]]:
        """Some of a plan's runs, newest first, before a number."""
        address = f"/api/v1/plans/{quote(plan, safe='')}/runs?limit={limit}"
        if before is not None:
            address += f"&before={before}"
        found: list[dict[str, Any]] = self.connection.call("GET", address).json()["runs"]
        return found

    def dropped(self, plan: str) -> list[Dropped]:
        """The folders that some of a plan's restore points come without."""
        address = f"/api/v1/plans/{quote(plan, safe='')}/runs?limit=1"
        answer = self.connection.call("GET", address).json()
        return [
            Dropped(
                unquote_to_bytes(one["folder"]),
                one["through_run"],
                one["by"],
                datetime.fromisoformat(one["ordered_at"]),
                _undo_until(one),
            )
            for one in answer.get("dropped", ())
        ]

    @contextmanager
    def chunks(
        self, plan: str, places: Sequence[PlacedChunk]
    ) -> Iterator[Iterator[tuple[int, bytes]]]:
        """(encoding, payload) of each chunk, in the order asked for; StreamCut when cut."""
        address = f"/api/v1/plans/{quote(plan, safe='')}/chunks"
        body = restores.encode_request(places)
        with self.connection.stream("POST", address, body) as response:
            yield restores.read_chunks(_buffered(response), len(places))


def _undo_until(dropped: dict[str, Any]) -> datetime | None:
    """As long as somebody still can, and nobody does."""
    until = dropped["undo_until"]
    return datetime.fromisoformat(until) if until and dropped["state"] == "applied" else None


def _buffered(response: Any) -> io.BufferedReader:
    return io.BufferedReader(response, _READ_AHEAD_BYTES)


def _parts(stream: io.BufferedReader) -> Iterator[RestorePart]:
    try:
        yield from restores.read_parts(stream)
    except ListInvalid as error:
        raise AgentError(Reason("portal-list-malformed", detail=str(error))) from error
