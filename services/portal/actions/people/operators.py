"""How another operator is let in: what is unusual wants two of them."""

from __future__ import annotations

from uuid import uuid4

import asyncpg

from libs.shared import clock, errors
from libs.shared.database import Connection
from libs.shared.events import Locale
from services.portal import store
from services.portal.actions import log
from services.portal.rules import people
from services.portal.rules.log import acts
from services.portal.rules.log.chain import COFFRE
from services.portal.rules.people import Person


async def add_operator(
    conn: Connection, name: str, email: str, locale: Locale, password_hash: str
) -> None:
    """Writes a new operator, who has a one-time password; raises Conflict for a known address."""
    now = clock.now()
    person = Person(uuid4(), None, "operator", name, email, locale)
    try:
        await store.people.add(
            conn, person, password_hash, password_expires_at=now + people.ONE_TIME_LIFE, now=now
        )
    except asyncpg.UniqueViolationError:
        raise errors.Conflict(f"{email} already has an account; give another address.") from None
    await log.note(conn, COFFRE, acts.OperatorAdded(email))


async def forget_factors(conn: Connection, email: str) -> None:
    """Takes all second factors of an operator away; raises NotFound for anybody else."""
    account = await store.people.find_account(conn, email)
    if account is None or not account.person.is_operator:
        raise errors.NotFound("operator")
    await store.factors.forget(conn, account.person.user_id)
    await store.credentials.drop_all(conn, account.person.user_id)
    await log.note(conn, COFFRE, acts.SecondFactorsForgotten(account.person.email))
