"""Documents that clients accept: operators publish, the clients' administrators answer."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Response
from pydantic import BaseModel, ConfigDict, Field

from libs.shared import web
from services.portal.actions import documents
from services.portal.api.access import (
    Administrator,
    Operator,
    OperatorFirst,
    ResourcesOf,
    admit_administrator,
)
from services.portal.api.clients import Line
from services.portal.rules.documents import Name
from services.portal.store.documents import Acceptance, DocumentVersion, Published

operators = APIRouter(tags=["operators"], route_class=OperatorFirst)
clients = APIRouter(tags=["documents"], route_class=web.behind(admit_administrator))
router = APIRouter()


class DocumentRequest(BaseModel):
    """A version, which is never changed: its text as it is shown, plain."""

    model_config = ConfigDict(extra="forbid")

    document: Name
    version: Annotated[Line, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$")]
    title: Line
    text: Annotated[str, Field(min_length=1, max_length=300_000, pattern=r"^[^\x00]*$")]
    in_force_on: date


class VersionPublished(BaseModel):
    """A version, by its names."""

    document: Name
    version: str


class PublishedList(BaseModel):
    """Every version, the newest first."""

    documents: list[Published]


class AcceptanceList(BaseModel):
    """Who accepted a version."""

    acceptances: list[Acceptance]


class DocumentsAsked(BaseModel):
    """What waits for an answer, and what was accepted."""

    pending: list[DocumentVersion]
    accepted: list[DocumentVersion]


@operators.post("/documents", status_code=201)
async def publish(
    body: DocumentRequest, operator: Operator, resources: ResourcesOf
) -> VersionPublished:
    """Publishes a version; the administrators of every client are mailed."""
    await documents.publish(
        resources.pool,
        operator,
        body.document,
        body.version,
        body.title,
        body.text,
        body.in_force_on,
    )
    return VersionPublished(document=body.document, version=body.version)


@operators.get("/documents")
async def list_published(operator: Operator, resources: ResourcesOf) -> PublishedList:
    """Every version, the newest first, and how many clients have accepted it."""
    return PublishedList(documents=await documents.list_published(resources.pool, operator))


@operators.get("/documents/{document}/{version}/acceptances")
async def list_acceptances(
    document: str, version: str, operator: Operator, resources: ResourcesOf
) -> AcceptanceList:
    """Who accepted a version, when and from where."""
    found = await documents.list_acceptances(resources.pool, operator, document, version)
    return AcceptanceList(acceptances=found)


@clients.get("/documents/asked")
async def list_asked(administrator: Administrator, resources: ResourcesOf) -> DocumentsAsked:
    """What waits for the client's answer, with its text, and what they accepted."""
    shown = await documents.show_documents(resources.pool, administrator)
    return DocumentsAsked(pending=shown.pending, accepted=shown.accepted)


@clients.post("/documents/{document}/{version}/accept", status_code=204)
async def accept(
    document: str, version: str, administrator: Administrator, resources: ResourcesOf
) -> Response:
    """Accepts a version for the client, by the name of who asks; once more, the same answer."""
    await documents.accept(resources.pool, administrator, document, version)
    return Response(status_code=204)


router.include_router(operators)
router.include_router(clients)
