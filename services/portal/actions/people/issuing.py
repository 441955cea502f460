"""One-time passwords, on their way to whoever they are for."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from libs.shared import clock, errors, keys, outbox
from libs.shared.database import Connection
from libs.shared.events import PasswordIssued
from services.portal import store
from services.portal.rules.people import Person
from services.portal.store.people import Account


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


async def renew_password(
    conn: Connection,
    mail_key: bytes,
    account: Account,
    password: str,
    password_hash: str,
    expires_at: datetime,
) -> None:
    """Ends somebody's password and sign-ins at once, and mails them a one-time password.

    Raises Conflict where the password was changed meanwhile."""
    person = account.person
    if not await store.people.replace_password(
        conn,
        person.user_id,
        password_hash,
        replaces_hash=account.password_hash,
        expires_at=expires_at,
        now=clock.now(),
    ):
        raise errors.Conflict("The password was changed at this moment; try again.")
    await store.credentials.drop_all(conn, person.user_id)
    await issue_password(conn, mail_key, person, password, expires_at, first=False)
