"""SQL of documents and of who accepted them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from libs.shared import database
from libs.shared.database import Connection
from services.portal.rules.documents import Document


@dataclass(frozen=True)
class Acceptance:
    """Who of which client accepted one version, when, from where."""

    tenant_id: UUID
    tenant: str
    name: str
    accepted_at: datetime
    address: str


@dataclass(frozen=True)
class Published(Document):
    """A version, and how many clients have accepted it."""

    published_by: str
    acceptances: int


@dataclass(frozen=True)
class DocumentVersion(Document):
    """A version as a client sees it: its text, and who of theirs accepted it when, if anybody."""

    text: str
    accepted_by: str | None
    accepted_at: datetime | None


async def add(
    conn: Connection,
    document: str,
    version: str,
    title: str,
    text: str,
    text_sha256: bytes,
    in_force_on: date,
    published_at: datetime,
    published_by: str,
) -> bool:
    """Writes a new version; False where there is one of that name."""
    status = await conn.execute(
        """
        INSERT INTO documents (document, version, title, text, text_sha256, in_force_on,
            published_at, published_by)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (document, version) DO NOTHING
        """,
        document,
        version,
        title,
        text,
        text_sha256,
        in_force_on,
        published_at,
        published_by,
    )
    return database.changed(status) == 1


async def list_published(conn: Connection) -> list[Published]:
    """Every version, the newest first."""
    rows = await conn.fetch(
        """
        SELECT document, version, title, in_force_on, published_at, published_by,
               (SELECT count(*) FROM acceptances a
                WHERE a.document = d.document AND a.version = d.version) AS acceptances
        FROM documents d ORDER BY published_at DESC, document
        """
    )
    return [Published(**row) for row in rows]


async def list_asked(conn: Connection, tenant_id: UUID) -> list[DocumentVersion]:
    """Every version, with what a client said to it."""
    rows = await conn.fetch(
        """
        SELECT d.document, d.version, d.title, d.in_force_on, d.published_at, d.text,
               a.name AS accepted_by, a.accepted_at
        FROM documents d LEFT JOIN acceptances a
          ON a.tenant_id = $1 AND a.document = d.document AND a.version = d.version
        """,
        tenant_id,
    )
    return [DocumentVersion(**row) for row in rows]


async def list_acceptances(conn: Connection, document: str, version: str) -> list[Acceptance]:
    """Who accepted a version, the first first."""
    rows = await conn.fetch(
        """
        SELECT a.tenant_id, t.name AS tenant, a.name, a.accepted_at, a.address
        FROM acceptances a JOIN tenants t USING (tenant_id)
        WHERE a.document = $1 AND a.version = $2 ORDER BY a.accepted_at, a.tenant_id
        """,
        document,
        version,
    )
    return [Acceptance(**row) for row in rows]


async def accept(
    conn: Connection,
    tenant_id: UUID,
    user_id: UUID,
    name: str,
    document: str,
    version: str,
    accepted_at: datetime,
    address: str,
) -> bool:
    """Notes an acceptance; False where the client has accepted it, or there is no such version."""
    status = await conn.execute(
        """
        INSERT INTO acceptances (tenant_id, user_id, name, document, version, text_sha256,
            accepted_at, address)
        SELECT $1, $2, $3, document, version, text_sha256, $6, $7 FROM documents
        WHERE document = $4 AND version = $5
        ON CONFLICT (tenant_id, document, version) DO NOTHING
        """,
        tenant_id,
        user_id,
        name,
        document,
        version,
        accepted_at,
        address,
    )
    return database.changed(status) == 1
