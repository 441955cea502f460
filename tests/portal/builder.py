"""Fills a client's catalogue and bucket with a restore point, as a run of an agent would."""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from libs.shared import packs, restores, sealing
from libs.shared.keys import TenantKeys
from libs.shared.restores import PlacedChunk

NOW = datetime(2026, 11, 22, 1, 14, tzinfo=UTC)
MTIME_NS = 1_700_000_000_123_456_789


@dataclass
class File:
    """A file's content in chunks, or a symlink's target, or (neither) a folder."""

    chunks: list[bytes] = field(default_factory=list)
    target: bytes | None = None
    is_folder: bool = False
    mode: int = 0o644
    mtime_ns: int = MTIME_NS
    uid: int = 1000
    gid: int = 1000

    @property
    def content(self) -> bytes:
        """All of it."""
        return b"".join(self.chunks)


def asked(places: Iterable[Iterable[Any]]) -> bytes:
    """What asks for chunks in bulk: id, pack, offset, sealed length, size, encoding of each."""
    return restores.encode_request([PlacedChunk(*place) for place in places])


def folder(mode: int = 0o755) -> File:
    """A folder."""
    return File(is_folder=True, mode=mode)


def link(target: bytes) -> File:
    """A symlink."""
    return File(target=target, mode=0o777)


def text(content: bytes, **more: Any) -> File:
    """A file of one chunk, or none."""
    return File([content] if content else [], **more)


@dataclass
class Client:
    """A client company with one agent and one plan."""

    portal: Any
    tenant_id: UUID
    email: str
    plan_id: UUID = field(default_factory=uuid4)
    agent_id: UUID = field(default_factory=uuid4)
    token: str = ""

    async def keys(self) -> TenantKeys:
        """The client's keys, made at the first need."""
        return await self.portal.parts.keys.create(self.tenant_id)

    async def add_plan(self, name: str = "documents", hostname: str = "srv-compta") -> None:
        """Declares the plan, to the catalogue and in the portal's own copy."""
        admin = self.portal.admin
        await admin.execute(
            "INSERT INTO catalogue.plans VALUES ($1, $2, $3, $4, $5)",
            self.tenant_id, self.plan_id, self.agent_id, name, NOW,
        )  # fmt: skip
        await admin.execute(
            """INSERT INTO portal.agents (agent_id, tenant_id, hostname, platform, agent_version,
               enrolled_at) VALUES ($1, $2, $3, 'linux', '0.1.0', $4) ON CONFLICT DO NOTHING""",
            self.agent_id, self.tenant_id, hostname, NOW,
        )  # fmt: skip
        await admin.execute(
            """INSERT INTO portal.plans (plan_id, tenant_id, version, agent_id, hostname, name,
               folders, schedule, timezone) VALUES ($1, $2, 1, $3, $4, $5, $6, '15 2 * * *',
               'Europe/Paris')""",
            self.plan_id, self.tenant_id, self.agent_id, hostname, name,
            json.dumps(["/srv/data"]),
        )  # fmt: skip

    async def commit(self, tree: dict[bytes, File], number: int = 1) -> None:
        """Stores a tree (path → file) as one restore point; folders above are made up."""
        for path in list(tree):
            parts = path.split(b"/")
            for depth in range(1, len(parts)):
                tree.setdefault(b"/".join(parts[:depth]), folder())
        await self._store_chunks([chunk for file in tree.values() for chunk in file.chunks])
        admin = self.portal.admin
        await admin.execute(
            "INSERT INTO catalogue.runs VALUES ($1, $2, $3, $4, $5, $6, $7)",
            self.tenant_id, self.plan_id, number, uuid4(), NOW + timedelta(days=number),
            len(tree), sum(len(file.content) for file in tree.values()),
        )  # fmt: skip
        await admin.execute(
            "UPDATE catalogue.plans SET last_run = $2 WHERE plan_id = $1", self.plan_id, number
        )
        folders = {b"": await self._add_folder(0, b"")}
        key = (await self.keys()).chunk_key
        rows = []
        for path in sorted(tree, key=lambda p: p.count(b"/")):
            file = tree[path]
            above, _, name = path.rpartition(b"/")
            if file.is_folder:
                folders[path] = await self._add_folder(folders[above], name)
            kind = "d" if file.is_folder else "f" if file.target is None else "l"
            rows.append(
                (
                    self.tenant_id, self.plan_id, folders[above], name, number, kind.encode(),
                    file.mode, file.mtime_ns, file.uid, file.gid, len(file.content),
                    zlib.crc32(file.content), file.target or b"",
                    b"".join(packs.chunk_id(chunk, key) for chunk in file.chunks), NOW,
                )
            )  # fmt: skip
        await admin.copy_records_to_table(
            "versions",
            schema_name="catalogue",
            records=rows,
            columns=[
                "tenant_id", "plan_id", "folder_id", "name", "first_run", "kind", "mode",
                "mtime_ns", "uid", "gid", "size", "crc32", "target", "chunk_ids", "received_at",
            ],
        )  # fmt: skip

    async def add_run(
        self, number: int, outcome: str | None = "succeeded", *, days_ago: int = 0, **more: Any
    ) -> None:
        """Adds a run to what the portal shows."""
        started = NOW - timedelta(days=days_ago)
        values: dict[str, Any] = {
            "run_id": uuid4(), "tenant_id": self.tenant_id, "plan_id": self.plan_id,
            "number": number, "outcome": outcome, "started_at": started,
            "finished_at": started + timedelta(minutes=7) if outcome else None,
            "restore_point": outcome not in (None, "failed"), "files_total": 47_912,
            "files_new": 18, "files_changed": 204, "files_removed": 3,
            "bytes_protected": 184_200_000_000, "bytes_sent": 1_200_000_000,
            "stored_bytes": 96_400_000_000, **more,
        }  # fmt: skip
        columns = ", ".join(values)
        places = ", ".join(f"${n}" for n in range(1, len(values) + 1))
        await self.portal.admin.execute(
            f"INSERT INTO portal.runs ({columns}) VALUES ({places})", *values.values()
        )

    async def _add_folder(self, parent_id: int, name: bytes) -> int:
        folder_id = await self.portal.admin.fetchval(
            """INSERT INTO catalogue.folders (tenant_id, plan_id, parent_id, name)
               VALUES ($1, $2, $3, $4) ON CONFLICT (tenant_id, plan_id, parent_id, name)
               DO UPDATE SET name = excluded.name RETURNING folder_id""",
            self.tenant_id, self.plan_id, parent_id, name,
        )  # fmt: skip
        return int(folder_id)

    async def _store_chunks(self, contents: list[bytes]) -> None:
        keys = await self.keys()
        builder = packs.PackBuilder()
        for content in contents:
            payload, encoding = packs.compress(content)
            builder.add(packs.chunk_id(content, keys.chunk_key), payload, len(content), encoding)
            if builder.is_full:
                await self._store_pack(builder, keys)
                builder = packs.PackBuilder()
        if builder.chunk_ids:
            await self._store_pack(builder, keys)

    async def _store_pack(self, builder: packs.PackBuilder, keys: TenantKeys) -> None:
        pack = builder.finish()
        pack_id = bytes.fromhex(pack.id)
        verified = packs.verify(pack.body, pack.id, keys.chunk_key)
        sealed = sealing.seal(pack.body, verified, keys, self.tenant_id, pack_id)
        await self.portal.parts.objects.put(
            f"t/{self.tenant_id}/packs/{pack.id[:2]}/{pack.id}", bytes(sealed.body)
        )
        admin = self.portal.admin
        number = await admin.fetchval(
            """INSERT INTO catalogue.packs (tenant_id, pack_id, object_bytes, chunk_count,
               stored_at, verified_at) VALUES ($1, $2, $3, $4, $5, $5)
               ON CONFLICT (tenant_id, pack_id) DO UPDATE SET verified_at = $5 RETURNING pack_no""",
            self.tenant_id, pack_id, len(sealed.body), len(sealed.chunks), NOW,
        )  # fmt: skip
        await admin.executemany(
            """INSERT INTO catalogue.chunks (tenant_id, pack_no, chunk_id, "offset", length, size,
               encoding, crc32) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING""",
            [
                (
                    self.tenant_id,
                    number,
                    c.chunk_id,
                    c.offset,
                    c.length,
                    c.size,
                    c.encoding,
                    c.crc32,
                )
                for c in sealed.chunks
            ],
        )


async def open_client(
    portal: Any, email: str = "camille@dupre.example", name: str = "Boulangerie Dupré",
    *, locale: str = "fr", plan: str = "documents",
) -> Client:  # fmt: skip
    """A client company whose administrator is signed in, with a plan that never ran."""
    tenant_id = await portal.open_tenant(name, email, locale=locale)
    client = Client(portal, UUID(tenant_id), email)
    client.token = await portal.sign_in(email)
    await client.add_plan(plan)
    return client
