"""What the provider's operators do by program."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Literal
from uuid import UUID
from zoneinfo import available_timezones

from fastapi import APIRouter, Response
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

from libs.shared import clock, errors
from libs.shared.events import Locale, SubscriptionState
from services.portal.actions import approvals, machines
from services.portal.actions.clients import opening, subscription
from services.portal.api.access import Operator, OperatorFirst, ResourcesOf
from services.portal.api.answers import ApprovalAsked, EnrolmentCode, MachineRevoked, UserShown
from services.portal.store.approvals import Approval
from services.portal.store.clients import Glance, Tenant
from services.portal.store.machines import Agent

router = APIRouter(tags=["operators"], route_class=OperatorFirst)


class TenantOpened(BaseModel):
    """The new client, by its id."""

    tenant_id: UUID


class TenantList(BaseModel):
    """Every client at a glance."""

    tenants: list[Glance]


class TenantShown(BaseModel):
    """A client: its contract, its volume, its people, its machines."""

    tenant_id: UUID
    name: str
    locale: Locale
    timezone: str
    contracted_bytes: int
    seats: int
    retention_days: int
    subscription: SubscriptionState
    subscription_reason: str
    effective_since: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    destruction_due_at: datetime | None
    maintenance_until: date | None
    version: int
    created_at: datetime
    stored_bytes: int
    protected_bytes: int
    ceiling_bytes: int | None
    blocked: bool
    blocked_reason: str
    deadline_at: datetime | None
    people: list[UserShown]
    agents: list[Agent]


class SubscriptionShown(BaseModel):
    """Where a subscription stands."""

    tenant_id: UUID
    subscription: SubscriptionState
    effective_since: datetime | None
    ends_at: datetime | None
    ended_at: datetime | None
    destruction_due_at: datetime | None
    maintenance_until: date | None


def _check_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no time zone of the IANA database, such as Europe/Paris")
    return name


def _check_line(text: str) -> str:
    text = text.strip()
    if not text.isprintable():
        raise ValueError("must be one line of text")
    return text


def _check_filled(text: str) -> str:
    if not text:
        raise ValueError("must not be empty")
    return text


MaybeLine = Annotated[str, Field(max_length=200), AfterValidator(_check_line)]
Line = Annotated[MaybeLine, AfterValidator(_check_filled)]
_WORD = r"[^\s@<>()\[\],;:\\\"]+"
Email = Annotated[
    str,
    Field(max_length=320, pattern=rf"^{_WORD}@{_WORD}\.[^\s@.<>()\[\],;:\\\"]+$"),
    AfterValidator(_check_line),
]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Administrator(_Body):
    """The first person of a client company who can sign in."""

    name: Line
    email: Email


class TenantRequest(_Body):
    """The terms of a new subscription."""

    name: Line
    locale: Literal["fr", "en"] = "fr"
    timezone: Annotated[str, AfterValidator(_check_zone)] = "Europe/Paris"
    contracted_bytes: Annotated[int, Field(ge=0, le=2**62)]
    seats: Annotated[int, Field(ge=1, le=100_000)] = 1
    retention_days: Annotated[int, Field(ge=1, le=36_500)] = 30
    administrator: Administrator
    tenant_id: UUID | None = None
    maintenance_until: date | None = None

    @property
    def terms(self) -> opening.Contract:
        """What it asks for."""
        return opening.Contract(
            name=self.name,
            locale=self.locale,
            timezone=self.timezone,
            contracted_bytes=self.contracted_bytes,
            seats=self.seats,
            retention_days=self.retention_days,
            administrator_name=self.administrator.name,
            administrator_email=self.administrator.email,
            tenant_id=self.tenant_id,
            maintenance_until=self.maintenance_until,
        )


class TermsRequest(_Body):
    """What a contract shall say from now on; what is left out stays."""

    name: Line | None = None
    locale: Literal["fr", "en"] | None = None
    timezone: Annotated[str, AfterValidator(_check_zone)] | None = None
    retention_days: Annotated[int, Field(ge=1, le=36_500)] | None = None


class NoteRequest(_Body):
    """What operators note of a client for each other."""

    text: Annotated[str, Field(min_length=1, max_length=2_000, pattern=r"^[^\x00]*$")]


class EnrolmentRequest(_Body):
    """A code for one machine; the label tells which."""

    label: MaybeLine = ""


class ReasonRequest(_Body):
    """Why a subscription is moved: shown to the client."""

    reason: Line


class EndRequest(_Body):
    """Without `at` the subscription ends now."""

    reason: MaybeLine = ""
    at: AwareDatetime | None = None


class MaintenanceRequest(_Body):
    """The last day that the backup software is maintained; null: nothing depends on it."""

    until: date | None
    reason: Line


class ResetRequest(_Body):
    """Whose one-time password is mailed; reason: for a second operator, where one confirms it."""

    email: Email
    forget_second_factors: bool = False
    reason: MaybeLine = ""


@router.post("/tenants", status_code=201)
async def open_tenant(
    body: TenantRequest, operator: Operator, resources: ResourcesOf
) -> TenantOpened:
    """Creates a client company; its administrator gets a first password by mail."""
    tenant_id = await opening.open_tenant(
        resources.pool, resources.passwords, resources.mail_key, operator, body.terms
    )
    return TenantOpened(tenant_id=tenant_id)


@router.get("/tenants")
async def list_tenants(operator: Operator, resources: ResourcesOf) -> TenantList:
    """Every client with its state at a glance."""
    return TenantList(tenants=await opening.list_tenants(resources.pool, operator))


@router.get("/tenants/{tenant_id}")
async def view_tenant(tenant_id: UUID, operator: Operator, resources: ResourcesOf) -> TenantShown:
    """One client: its subscription, its people, its machines."""
    found = await opening.view_tenant(resources.pool, operator, tenant_id)
    tenant = asdict(found.tenant)
    effective_since = tenant.pop("subscription_since")
    volume = asdict(found.volume)
    del volume["ended_at"]  # of its growth, which `quota` tells; here it is the subscription's
    return TenantShown(
        **tenant,
        **volume,
        effective_since=effective_since,
        people=[
            UserShown(
                user_id=one.user_id,
                name=one.name,
                email=one.email,
                role=one.role,
                locale=one.locale,
            )
            for one in found.people
        ],
        agents=found.agents,
    )


@router.post("/tenants/{tenant_id}/enrolments", status_code=201)
async def open_enrolment(
    tenant_id: UUID,
    operator: Operator,
    resources: ResourcesOf,
    body: EnrolmentRequest | None = None,
) -> EnrolmentCode:
    """Hands out a one-time code with which one machine may join."""
    label = body.label if body else ""
    enrolment = await machines.open_enrolment(resources.pool, operator, tenant_id, label)
    return EnrolmentCode(
        enrolment_id=enrolment.enrolment_id,
        code=enrolment.code,
        expires_at=enrolment.expires_at,
        ingest_url=resources.ingest_url,
    )


@router.post("/tenants/{tenant_id}/end")
async def end(
    tenant_id: UUID,
    operator: Operator,
    resources: ResourcesOf,
    response: Response,
    body: EndRequest | None = None,
) -> ApprovalAsked | SubscriptionShown:
    """Ends a subscription now, or announces the day of its end.

    202 with `approval_id` where a second operator has to confirm it."""
    body = body or EndRequest()
    if body.at is not None and body.at <= clock.now():
        raise errors.InvalidRequest("The day of the end must lie ahead; leave it out to end now.")
    if body.at is None:
        ended = await approvals.end(resources, operator, tenant_id, body.reason)
        if isinstance(ended, Approval):
            response.status_code = 202
            return ApprovalAsked(approval_id=ended.approval_id)
        return _state(ended)
    return _state(
        await approvals.announce_end(resources, operator, tenant_id, body.reason, body.at)
    )


@router.post("/tenants/{tenant_id}/suspend")
async def suspend(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> SubscriptionShown:
    """Stops backups and recovery; nothing is destroyed."""
    return _state(
        await subscription.step_subscription(
            resources.pool, operator, tenant_id, "suspend", body.reason
        )
    )


@router.post("/tenants/{tenant_id}/resume")
async def resume(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> SubscriptionShown:
    """Takes back a suspension or an announced end."""
    return _state(
        await subscription.step_subscription(
            resources.pool, operator, tenant_id, "resume", body.reason
        )
    )


@router.post("/tenants/{tenant_id}/reinstate")
async def reinstate(
    tenant_id: UUID, body: ReasonRequest, operator: Operator, resources: ResourcesOf
) -> SubscriptionShown:
    """Takes back an end, until destruction begins."""
    return _state(
        await subscription.step_subscription(
            resources.pool, operator, tenant_id, "reinstate", body.reason
        )
    )


@router.post("/tenants/{tenant_id}/maintenance")
async def set_maintenance(
    tenant_id: UUID, body: MaintenanceRequest, operator: Operator, resources: ResourcesOf
) -> SubscriptionShown:
    """Says until when the backup software is maintained: the subscription ends with that day."""
    return _state(
        await approvals.set_maintenance(resources, operator, tenant_id, body.until, body.reason)
    )


@router.post("/administrators/reset", status_code=202)
async def reset_password(
    body: ResetRequest, operator: Operator, resources: ResourcesOf
) -> ApprovalAsked:
    """Mails an administrator or a user of a client a new one-time password.

    `approval_id`: where a second operator has to confirm it, and nothing is mailed before."""
    asked = await approvals.reset_password(
        resources,
        operator,
        body.email,
        body.reason,
        forget_factors=body.forget_second_factors,
    )
    return ApprovalAsked(approval_id=asked.approval_id if asked else None)


@router.post("/agents/{agent_id}/revoke")
async def revoke_agent(
    agent_id: UUID, operator: Operator, resources: ResourcesOf
) -> MachineRevoked:
    """Withdraws a machine's token; once more, the same answer."""
    since = await machines.revoke_agent(resources.pool, operator, agent_id)
    return MachineRevoked(agent_id=agent_id, effective_since=since)


def _state(tenant: Tenant) -> SubscriptionShown:
    return SubscriptionShown(
        tenant_id=tenant.tenant_id,
        subscription=tenant.subscription,
        effective_since=tenant.subscription_since,
        ends_at=tenant.ends_at,
        ended_at=tenant.ended_at,
        destruction_due_at=tenant.destruction_due_at,
        maintenance_until=tenant.maintenance_until,
    )
