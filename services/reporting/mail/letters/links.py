"""Where mails lead to."""

from __future__ import annotations

from uuid import UUID

from libs.shared import signed_links
from libs.shared.events import Answer
from services.reporting.rules.incidents import NOBODY


def link_plan(portal_url: str, plan_id: UUID) -> str:
    """Returns where a plan is seen in the portal."""
    return f"{portal_url.rstrip('/')}/plans/{plan_id}"


def link_pause(portal_url: str, plan_id: UUID) -> str:
    """Returns where an administrator pauses a plan whose machine is retired."""
    return f"{link_plan(portal_url, plan_id)}/pause"


def link_client(portal_url: str, tenant_id: UUID) -> str:
    """Returns where operators see a client; for none, what waits for them."""
    if tenant_id == NOBODY:
        return f"{portal_url.rstrip('/')}/queue"
    return f"{portal_url.rstrip('/')}/clients/{tenant_id}"


def link_certificate(portal_url: str, token: str) -> str:
    """Returns where a certificate of destruction is read and printed, also without an account."""
    return f"{portal_url.rstrip('/')}/certificates/{token}"


def link_recipients(portal_url: str, plan_id: UUID) -> str:
    """Returns where an administrator decides who gets a plan's reports."""
    return f"{link_plan(portal_url, plan_id)}/recipients"


def link_people(portal_url: str) -> str:
    """Returns where an administrator sees who has an account."""
    return f"{portal_url.rstrip('/')}/people"


def link_documents(portal_url: str) -> str:
    """Returns where an administrator reads and accepts documents."""
    return f"{portal_url.rstrip('/')}/documents"


def link_invitation(portal_url: str, token: str) -> str:
    """Returns where somebody accepts a client's reports, or declines them."""
    return f"{portal_url.rstrip('/')}/invitations/{token}"


def link_choice(portal_url: str, mail_key: bytes, tenant_id: UUID, email: str) -> str:
    """Returns where a reader says which reports they get, by one button."""
    token = signed_links.make_token(mail_key, "reports", tenant_id, tenant_id, email)
    return f"{portal_url.rstrip('/')}/reports/{token}"


def link_orders(portal_url: str) -> str:
    """Returns where an administrator sees the contract, and orders."""
    return f"{portal_url.rstrip('/')}/orders"


def link_answer(portal_url: str, token: str, answer: Answer) -> str:
    """Returns where an administrator gives an answer to an overage case, by one button."""
    return f"{portal_url.rstrip('/')}/overage/{token}/{answer}"
