"""Client companies as ingest knows them, and agents that speak its protocol call by call."""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx2

from libs.shared import clock, database, packs
from libs.shared.entries import Entry, FolderDelta, encode_batch
from libs.shared.events import AllowanceChanged, EnrolmentOpened, SubscriptionState
from services.ingest import consumers
from tests.ingest.service import Service
from tests.tenants import tenant_changed


def codes_of(events: list[dict[str, Any]]) -> list[str | None]:
    """The codes of the reasons with which runs ended."""
    return [event["reason"] and event["reason"]["code"] for event in events]


@dataclass
class Tenant:
    """A client company as ingest knows it."""

    service: Service
    tenant_id: uuid.UUID = field(default_factory=uuid.uuid4)
    version: int = 0

    async def deliver(self, event: Any) -> None:
        """Hands an event to ingest's handler, as a worker of the inbox does."""
        dsn = self.service.environ["COFFRE_DATABASE_URL"]
        pool = await database.create_pool(dsn, "ingest", max_size=1)
        try:
            async with database.transaction(pool) as conn:
                await consumers.HANDLERS[type(event)](conn, event)
        finally:
            await pool.close()

    async def becomes(self, subscription: SubscriptionState, reason: str = "") -> None:
        self.version += 1
        await self.deliver(
            tenant_changed(
                self.tenant_id,
                self.version,
                subscription=subscription,
                subscription_reason=reason,
            )
        )

    async def may_store(self, ceiling_bytes: int, *, blocked: bool) -> None:
        self.version += 1
        await self.deliver(
            AllowanceChanged(
                tenant_id=self.tenant_id,
                version=self.version,
                ceiling_bytes=ceiling_bytes,
                blocked=blocked,
                reason="the deadline has passed",
            )
        )

    async def open_enrolment(self, code: str, *, valid_for: timedelta) -> None:
        await self.deliver(
            EnrolmentOpened(
                tenant_id=self.tenant_id,
                enrolment_id=uuid.uuid4(),
                code_sha256=hashlib.sha256(code.encode()).hexdigest(),
                label="",
                expires_at=clock.now() + valid_for,
            )
        )

    async def enrol(self) -> Agent:
        code = uuid.uuid4().hex
        await self.open_enrolment(code, valid_for=timedelta(hours=1))
        client = httpx2.AsyncClient(base_url=self.service.url, timeout=60, trust_env=False)
        answer = await client.post(
            "/v1/enrolments", json={"code": code, "hostname": "caisse", "platform": "linux"}
        )
        assert answer.status_code == 201, answer.text
        enrolled = answer.json()
        client.headers["Authorization"] = f"Bearer {enrolled['token']}"
        return Agent(
            client,
            self,
            uuid.UUID(enrolled["agent_id"]),
            bytes.fromhex(enrolled["chunk_key"]),
            enrolled["token"],
        )


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
        answer = await self.client.put(f"/v1/plans/{name}", json=declaration)
        assert answer.status_code == 200, answer.text
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
        answer = await self.ask_start(plan_id, **changes)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["run_id"])

    def id_of(self, content: bytes) -> bytes:
        return packs.chunk_id(content, self.chunk_key)

    def pack(self, *contents: bytes) -> packs.Pack:
        builder = packs.PackBuilder()
        for content in contents:
            payload, encoding = packs.compress(content)
            builder.add(self.id_of(content), payload, len(content), encoding)
        return builder.finish()

    async def upload(self, run: str, pack: packs.Pack) -> httpx2.Response:
        return await self.client.put(f"/v1/runs/{run}/packs/{pack.id}", content=bytes(pack.body))

    async def missing(self, run: str, *contents: bytes) -> list[bool]:
        ids = b"".join(self.id_of(content) for content in contents)
        answer = await self.client.post(f"/v1/runs/{run}/missing", content=ids)
        assert answer.status_code == 200, answer.text
        bitmap = answer.content
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
            uploaded = await self.upload(run, self.pack(*contents))
            assert uploaded.status_code in (200, 201), uploaded.text
        if deltas:
            sent = await self.send(run, *deltas)
            assert sent.status_code == 204, sent.text
        answer = await self.commit(run, batches=1 if deltas else 0)
        assert answer.status_code == 200, answer.text
        return int(answer.json()["number"])


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
