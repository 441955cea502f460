"""Machines of many clients that speak the agent protocol over HTTP; their files are made up."""

from __future__ import annotations

import asyncio
import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2

from bench.coffre import Installation, until
from bench.day.kinds import FIRST, LARGE, Kind
from bench.measuring import ProgramFailed
from devstack.portal import Portal
from libs.shared import packs, protocol
from libs.shared.batches import encode_batch
from libs.shared.entries import Entry, FolderDelta

OPENED_AT_ONCE = 4
TRIES = 30
TO_BE_REPEATED = (408, 429, 503)
"""As the protocol has it: what these answer comes again after a while."""
LOG_TAIL = "2026-11-29 02:00:01 documents: looked at 4,711 files\n" * 20
_ENTRY_NS = 1_700_000_000_000_000_000


@dataclass
class Machine:
    """An enrolled machine with one plan; `repeated` is how many calls had to come again."""

    number: int
    token: str
    chunk_key: bytes
    plan_id: str = ""
    files: int = 0
    runs: int = 0
    repeated: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def declare(self, http: httpx2.AsyncClient) -> None:
        """Tells of its plan."""
        plan = {
            "folders": ["/srv/documents"],
            "exclude": [],
            "schedule": f"{self.number % 60} {self.number % 5} * * *",
            "timezone": "Europe/Paris",
        }
        answer = await self._call(http, "PUT", "/v1/plans/documents", json=plan)
        self.plan_id = answer.json()["plan_id"]

    async def run(self, http: httpx2.AsyncClient, kind: Kind) -> None:
        """One run from its start to its end; those of one machine never overlap."""
        async with self.turn:
            self.runs += 1
            start = {
                "plan_id": self.plan_id,
                "run_key": str(uuid4()),
                "estimated_new_bytes": kind.sent_bytes,
            }
            started = await self._call(http, "POST", "/v1/runs", json=start)
            run = f"/v1/runs/{started.json()['run_id']}"
            if kind.fails:
                reason = {"code": "folder-missing", "subject": "/srv/documents"}
                end: dict[str, Any] = {"reason": reason, "log_tail": LOG_TAIL}
                await self._call(http, "POST", f"{run}/abort", json=end)
                return
            if kind.files:
                await self._send(http, run, kind)
            self.files += kind.files if kind.is_new else 0
            counters = {
                "files_total": self.files,
                "files_new": kind.files if kind.is_new else 0,
                "files_changed": 0 if kind.is_new else kind.files,
                "bytes_protected": self.files * FIRST.file_bytes,
                "bytes_sent": kind.sent_bytes,
            }
            end = {"batches": int(kind.files > 0), "counters": counters, "log_tail": LOG_TAIL}
            await self._call(http, "POST", f"{run}/commit", json=end)

    async def _send(self, http: httpx2.AsyncClient, run: str, kind: Kind) -> None:
        files = await asyncio.to_thread(_make_files, kind, self.runs, self.chunk_key)
        ids = b"".join(entry.chunks for entry, _ in files)
        await self._call(http, "POST", f"{run}/missing", content=ids)
        for pack in await asyncio.to_thread(_fill_packs, [one for _, cut in files for one in cut]):
            path = f"{run}/packs/{pack.id}"
            await self._call(http, "PUT", path, content=bytes(pack.body))
        deltas = [FolderDelta(b"", [entry for entry, _ in files], [])]
        await self._call(http, "POST", f"{run}/entries?batch=0", content=encode_batch(deltas))

    async def _call(
        self, http: httpx2.AsyncClient, method: str, path: str, **more: Any
    ) -> httpx2.Response:
        headers = {
            "Authorization": f"Bearer {self.token}",
            protocol.HEADER: protocol.VERSION,
        }
        for _ in range(TRIES):
            answer = await http.request(method, path, headers=headers, **more)
            if answer.status_code not in TO_BE_REPEATED:
                break
            self.repeated += 1
            await asyncio.sleep(float(answer.headers.get("Retry-After", 5)))
        if answer.is_error:
            raise ProgramFailed(f"{method} {path} was answered {answer.status_code}: {answer.text}")
        return answer


def enrol_all(
    installation: Installation, clients: int, each: int, contracted_bytes: int = 10**12
) -> list[Machine]:
    """So many clients, each with so many machines."""
    ingest = str(installation.described["ingest"]["url"])
    with ThreadPoolExecutor(OPENED_AT_ONCE) as threads:
        enrolled = threads.map(
            lambda number: _enrol(installation.portal, ingest, number, each, contracted_bytes),
            range(clients),
        )
        return [machine for machines in enrolled for machine in machines]


def _enrol(
    portal: Portal, ingest: str, number: int, each: int, contracted_bytes: int
) -> list[Machine]:
    email = f"admin@client-{number}.example"
    tenant_id = portal.open_client(
        f"Client {number}", "Anne Roche", email, contracted_bytes=contracted_bytes
    )
    machines = []
    for place in range(number * each, number * each + each):
        code = portal.open_enrolment(tenant_id)
        body = {
            "code": code,
            "hostname": f"srv-{place}",
            "platform": "Linux",
            "agent_version": "0.1.0",
        }

        def ask(body: dict[str, str] = body) -> httpx2.Response | None:
            answer = httpx2.post(f"{ingest}/v1/enrolments", json=body, trust_env=False)
            return answer if answer.is_success else None

        told = until(ask, "the enrolment code reaches ingest").json()
        machines.append(Machine(place, told["token"], bytes.fromhex(told["chunk_key"])))
    return machines


def _make_files(
    kind: Kind, run: int, chunk_key: bytes
) -> list[tuple[Entry, list[tuple[bytes, bytes]]]]:
    """Each file of a run as its entry, and its chunks with their ids; nothing repeats itself."""
    chunker = packs.Chunker(chunk_key)
    made = []
    for number in range(kind.files):
        # What is new has a name that no run had; what changes is what every first copy brought,
        # or a large file of its own: else much would seem lost when a small one took its place.
        name = b"%d-%06d.bin" % (run if kind.is_new else 1, number)
        if kind is LARGE:
            name = b"large.bin"
        content = os.urandom(kind.file_bytes)
        cut = [
            (packs.chunk_id(chunk, chunk_key), bytes(chunk))
            for chunk in chunker.cut(io.BytesIO(content))
        ]
        ids = b"".join(one for one, _ in cut)
        mtime_ns = _ENTRY_NS + run
        made.append((Entry(name, "f", 0o644, mtime_ns, 1000, 1000, len(content), b"", ids), cut))
    return made


def _fill_packs(chunks: Sequence[tuple[bytes, bytes]]) -> list[packs.Pack]:
    finished = []
    builder = packs.PackBuilder()
    for identity, content in chunks:
        builder.add(identity, content)
        if builder.is_full:
            finished.append(builder.finish())
            builder = packs.PackBuilder()
    if builder.chunk_ids:
        finished.append(builder.finish())
    return finished
