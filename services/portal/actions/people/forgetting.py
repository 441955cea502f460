"""Who forgot a password gets one answer; who can have a new one sent is told."""

from __future__ import annotations

from uuid import uuid4

from libs.shared import clock, outbox
from libs.shared.database import Pool, transaction
from libs.shared.events import PasswordForgotten
from services.portal import store
from services.portal.actions import guesses, log
from services.portal.rules.guesses import FORGETFUL, FORGOTTEN, Lane, Visitor
from services.portal.rules.log import acts, chain
from services.portal.rules.log.chain import Actor


async def tell_forgotten(pool: Pool, email: str, visitor: Visitor) -> None:
    """Tells a client's administrators, or the hotline of one of those.

    Nothing comes back from it: whoever asks learns neither whether there is such an account nor
    whether too many asked."""
    email = email.strip().replace("\0", "\ufffd")  # PostgreSQL knows no NUL
    address = Lane(FORGETFUL, FORGETFUL.subject(visitor.network))
    of_account = Lane(FORGOTTEN, FORGOTTEN.subject(email.lower()))
    async with transaction(pool) as conn:
        if not await guesses.is_admitted(conn, address, of_account):
            return
        account = await store.people.find_account(conn, email)
        person = account.person if account else None
        actor = Actor(chain.NOBODY, None, "", visitor.address)
        if person is not None:
            actor = Actor(person.tenant_id or chain.NOBODY, None, person.name, visitor.address)
        # Operators ask each other: no client's administrator may send them a password.
        if person is not None and person.tenant_id is not None:
            event = PasswordForgotten(
                tenant_id=person.tenant_id,
                asked_id=uuid4(),
                name=person.name,
                email=person.email,
                is_administrator=person.role == "administrator",
                asked_at=clock.now(),
            )
            await outbox.add(conn, event)
        await log.note(conn, actor, acts.PasswordForgotten())
