"""One-time passwords, on their way to whoever they are for."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from libs.shared import keys, outbox
from libs.shared.database import Connection
from libs.shared.events import PasswordIssued
from services.portal.rules.people import Person


async def issue_password(
    conn: Connection,
    mail_key: bytes,
    person: Person,
    password: str,
    expires_at: datetime,
    *,
    first: bool,
) -> None:
    """Sends a one-time password to reporting, sealed; the outbox forgets it once delivered."""
    if person.tenant_id is None:
        raise RuntimeError("operators get no password by mail")
    issued = PasswordIssued(
        tenant_id=person.tenant_id,
        password_id=uuid4(),
        user_id=person.user_id,
        name=person.name,
        email=person.email,
        locale=person.locale,
        sealed_password="",
        expires_at=expires_at,
        first=first,
    )
    sealed = keys.seal_text(mail_key, password, issued.beside)
    await outbox.add(conn, issued.model_copy(update={"sealed_password": sealed}))
