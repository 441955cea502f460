"""An agent that speaks ingest's protocol call by call."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import httpx2

from libs.shared import packs
from libs.shared.batches import encode_batch
from libs.shared.entries import Entry, FolderDelta
from tests.world.files import File, deltas

if TYPE_CHECKING:
    from tests.world.tenants import Tenant


@dataclass
class Agent:
    """An enrolled machine that speaks the protocol call by call."""

    client: httpx2.AsyncClient
    tenant: Tenant
    agent_id: uuid.UUID
    chunk_key: bytes
    token: str

    async def declare(self, name: str = "docs", **changes: Any) -> str:
        declaration = {
            "folders": ["/srv/docs"],
            "exclude": [],
            "schedule": "30 1 * * *",
            "timezone": "Europe/Paris",
            "dumps": [],
            "recipients": ["chef@martin.example"],
            "reports": True,
            **changes,
        }
        answer = taken(await self.client.put(f"/v1/plans/{name}", json=declaration))
        return str(answer.json()["plan_id"])

    async def ask_start(self, plan_id: str, **changes: Any) -> httpx2.Response:
        start = {
            "plan_id": plan_id,
            "parent": None,
            "estimated_new_bytes": 1,
            "run_key": str(uuid.uuid4()),
            **changes,
        }
        return await self.client.post("/v1/runs", json=start)

    async def start(self, plan_id: str, **changes: Any) -> str:
        return str(taken(await self.ask_start(plan_id, **changes)).json()["run_id"])

    def id_of(self, content: bytes) -> bytes:
        return packs.chunk_id(content, self.chunk_key)

    def pack(self, *contents: bytes) -> packs.Pack:
        builder = packs.PackBuilder()
        for content in contents:
            builder.add(self.id_of(content), content)
        return builder.finish()

    async def upload(self, run: str, pack: packs.Pack) -> httpx2.Response:
        return await self.client.put(f"/v1/runs/{run}/packs/{pack.id}", content=bytes(pack.body))

    async def missing(self, run: str, *contents: bytes) -> list[bool]:
        ids = b"".join(self.id_of(content) for content in contents)
        bitmap = taken(await self.client.post(f"/v1/runs/{run}/missing", content=ids)).content
        return [bool(bitmap[i // 8] >> i % 8 & 1) for i in range(len(contents))]

    async def send(self, run: str, *deltas: FolderDelta, batch: int = 0) -> httpx2.Response:
        return await self.client.post(
            f"/v1/runs/{run}/entries", params={"batch": batch}, content=encode_batch(deltas)
        )

    async def commit(self, run: str, batches: int = 1, **changes: Any) -> httpx2.Response:
        commit = {"batches": batches, "counters": {"files_total": 1}, **changes}
        return await self.client.post(f"/v1/runs/{run}/commit", json=commit)

    async def abort(self, run: str, **changes: Any) -> httpx2.Response:
        return await self.client.post(f"/v1/runs/{run}/abort", json=changes)

    def file(self, name: bytes, *contents: bytes, mtime_ns: int = 1) -> Entry:
        chunks = b"".join(self.id_of(content) for content in contents)
        size = sum(map(len, contents))
        return Entry(name, "f", 0o644, mtime_ns, 1000, 1000, size, b"", chunks)

    async def copy(self, plan_id: str, *deltas: FolderDelta, contents: list[bytes]) -> int:
        """A whole run that must work; returns its number."""
        run = await self.start(plan_id)
        if contents:
            taken(await self.upload(run, self.pack(*contents)))
        if deltas:
            taken(await self.send(run, *deltas))
        answer = taken(await self.commit(run, batches=1 if deltas else 0))
        return int(answer.json()["number"])

    async def store(
        self, plan_id: str, tree: Mapping[bytes, File], removed: Collection[bytes] = ()
    ) -> int:
        """A whole run that brings these paths and drops those; returns its number."""
        run = await self.start(plan_id)
        await self.upload_missing(run, [chunk for file in tree.values() for chunk in file.chunks])
        taken(await self.send(run, *deltas(tree, removed, self.chunk_key)))
        return int(taken(await self.commit(run)).json()["number"])

    async def upload_missing(self, run: str, contents: Collection[bytes]) -> None:
        """Sends what the tenant lacks of these chunks, each once."""
        each = list(dict.fromkeys(contents))
        lacks = await self.missing(run, *each) if each else []
        builder = packs.PackBuilder()
        for content, is_missing in zip(each, lacks, strict=True):
            if not is_missing:
                continue
            builder.add(self.id_of(content), content)
            if builder.is_full:
                taken(await self.upload(run, builder.finish()))
                builder = packs.PackBuilder()
        if builder.chunk_ids:
            taken(await self.upload(run, builder.finish()))


class Refused(Exception):  # noqa: N818 - named after what happened
    """Ingest refused a call that had to work; `code` says why."""

    def __init__(self, answer: httpx2.Response) -> None:
        status, self.code = problem_of(answer)
        super().__init__(f"{status} {self.code}: {answer.text}")


def taken(answer: httpx2.Response) -> httpx2.Response:
    """The answer itself, unless it is a problem: then Refused."""
    if answer.is_success:
        return answer
    raise Refused(answer)


def codes_of(events: list[dict[str, Any]]) -> list[str | None]:
    """The codes of the reasons with which runs ended."""
    return [event["reason"] and event["reason"]["code"] for event in events]


def folder(name: bytes) -> Entry:
    return Entry(name, "d", 0o755, 1, 1000, 1000, 0, b"", b"")


def link(name: bytes, target: bytes) -> Entry:
    return Entry(name, "l", 0o777, 1, 1000, 1000, 0, target, b"")


def problem_of(answer: httpx2.Response) -> tuple[int, str]:
    """(status, code) of a problem, after checking its form."""
    assert answer.headers["content-type"] == "application/problem+json", answer.text
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert len(problem["detail"]) > 10
    return answer.status_code, problem["type"].removeprefix("urn:coffre:problem:")
