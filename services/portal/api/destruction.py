"""Destructions, for operators' programs: how they stand, what is decided, the certificates."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Response
from pydantic import AwareDatetime, BaseModel

from libs.shared import clock, errors, reasons
from services.portal.actions import destruction
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.clients import ReasonRequest
from services.portal.store.destruction import Destruction

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


class HoldRequest(ReasonRequest):
    """A legal hold; without `until` it lasts until it is released."""

    until: AwareDatetime | None = None


class HoldShown(BaseModel):
    """A legal hold; until: null until it is released."""

    reason: str
    until: datetime | None


class DestructionShown(BaseModel):
    """How a destruction stands; reasons: why it waits."""

    state: str
    due_at: datetime | None
    objects_left: int | None
    certificate: bool
    reasons: list[reasons.Reason]
    hold: HoldShown | None
    begun_at: datetime | None
    completed_at: datetime | None


class DestructionOfClient(DestructionShown):
    """A destruction with its client."""

    tenant_id: UUID
    name: str


class DestructionList(BaseModel):
    """Every destruction, the next first."""

    destructions: list[DestructionOfClient]


class CertificateClient(BaseModel):
    """Whose data it was."""

    tenant_id: str
    name: str


class CertificateSubscription(BaseModel):
    """When the subscription ended, and why."""

    ended_at: datetime
    reason: str


class CertificateDestroyed(BaseModel):
    """The inventory, and what appeared after it and was destroyed as well."""

    objects: int
    bytes: int
    merkle_root: str
    appeared_later: int


class CertificateKept(BaseModel):
    """What stays, on which ground, until when."""

    service: str
    what: str
    ground: str
    until: datetime | None


class Certificate(BaseModel):
    """What is stated, as docs/certificate.md tells each member."""

    format: str
    certificate_id: str
    client: CertificateClient
    locale: str
    subscription: CertificateSubscription
    due_at: datetime
    begun_at: datetime
    keys_destroyed_at: datetime
    found_empty_at: list[datetime]
    completed_at: datetime
    destroyed: CertificateDestroyed
    methods: list[dict[str, str]]
    rows: dict[str, dict[str, int]]
    kept: list[CertificateKept]
    key_id: str


class SignedCertificate(BaseModel):
    """A certificate; signature: base64 of Ed25519 over its canonical form."""

    certificate: Certificate
    signature: str


@router.get("/destructions")
async def list_destructions(operator: Operator, resources: ResourcesOf) -> DestructionList:
    """Every destruction with its client's name, the next first."""
    found = await destruction.list_destructions(resources.pool, operator)
    return DestructionList(
        destructions=[
            DestructionOfClient(tenant_id=one.tenant_id, name=name, **_tell(one).model_dump())
            for name, one in found
        ]
    )


@router.get("/tenants/{tenant_id}/destruction")
async def view_destruction(
    tenant_id: UUID, operator: Operator, resources: ResourcesOf
) -> DestructionShown:
    """How a client's destruction stands."""
    return _tell(await destruction.view_destruction(resources.pool, operator, tenant_id))


@router.post("/tenants/{tenant_id}/destruction/confirm", status_code=202)
async def confirm(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> DestructionShown:
    """Lets a destruction go on that waits for a second operator."""
    return _tell(await destruction.confirm(resources.pool, operator, tenant_id, body.reason))


@router.post("/tenants/{tenant_id}/destruction/hold", status_code=202)
async def hold(
    tenant_id: UUID, body: HoldRequest, operator: Operator, resources: ResourcesOf
) -> DestructionShown:
    """Stops a destruction before it begins: a legal hold."""
    if body.until is not None and body.until <= clock.now():
        raise errors.InvalidRequest("The end of a hold must lie ahead; leave it out for none.")
    return _tell(
        await destruction.hold(resources.pool, operator, tenant_id, body.reason, body.until)
    )


@router.post("/tenants/{tenant_id}/destruction/release", status_code=202)
async def release(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> DestructionShown:
    """Ends a legal hold."""
    return _tell(await destruction.release(resources.pool, operator, tenant_id, body.reason))


@router.get("/tenants/{tenant_id}/certificate", responses={200: {"model": SignedCertificate}})
async def read_certificate(tenant_id: UUID, operator: Operator, resources: ResourcesOf) -> Response:
    """A client's certificate of destruction, byte by byte as it was signed."""
    certificate = await destruction.read_certificate(resources.pool, operator, tenant_id)
    return Response(certificate, media_type="application/json")


def _tell(one: Destruction) -> DestructionShown:
    """state: an operator's hold shows at once, whether or not retention has heard of it."""
    is_held = one.held and one.state in {"scheduled", "waiting", "running"}
    return DestructionShown(
        state="held" if is_held and one.permitted_at is None else one.state,
        due_at=one.due_at,
        objects_left=one.objects_left,
        certificate=one.certificate,
        reasons=[why for reason in one.reasons if (why := reasons.read(reason))],
        hold=HoldShown(reason=one.hold_reason, until=one.held_until) if one.held else None,
        begun_at=one.permitted_at,
        completed_at=one.completed_at,
    )
