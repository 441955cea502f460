"""Answers that several subjects give."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from pydantic import BaseModel

from libs.shared.events import Locale
from services.portal.rules.people import Role


class DecisionTaken(BaseModel):
    """What was decided, by its id."""

    decision_id: UUID


class ApprovalAsked(BaseModel):
    """What waits for a second operator; null where nothing does."""

    approval_id: UUID | None


class EnrolmentCode(BaseModel):
    """A one-time code, shown this once, and the address that a machine joins at."""

    enrolment_id: UUID
    code: str
    expires_at: datetime
    ingest_url: str


class MachineRevoked(BaseModel):
    """Since when a machine may send no more."""

    agent_id: UUID
    effective_since: datetime


class UserShown(BaseModel):
    """Somebody with an account."""

    user_id: UUID
    name: str
    email: str
    role: Role
    locale: Locale
