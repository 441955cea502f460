"""What people are signed in with: told apart, ended one by one or all; tokens for programs."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from libs.shared import clock, errors
from libs.shared.database import Pool, transaction
from services.portal import store
from services.portal.actions import log
from services.portal.rules import people
from services.portal.rules.log import acts
from services.portal.rules.log.chain import Actor
from services.portal.rules.people import Credential, Person, Scope

SESSIONS = ["session", "enrolling", "token"]
TOKENS = ["personal"]


async def list_held(pool: Pool, person: Person, kinds: list[str], this: bytes) -> list[Credential]:
    """What somebody holds of some kinds; this: the hash of what they use at this moment."""
    async with transaction(pool) as conn:
        return await store.credentials.list_of_user(conn, person.user_id, kinds, this, clock.now())


async def end_session(pool: Pool, person: Person, address: str, credential_id: UUID) -> bool:
    """Ends one of somebody's sign-ins; False where it had ended."""
    async with transaction(pool) as conn:
        ended = await store.credentials.drop_one(conn, person.user_id, credential_id, SESSIONS)
        if ended is not None:
            await log.note(conn, person.at(address), acts.SessionEnded())
    return ended is not None


async def sign_out_everywhere(pool: Pool, person: Person, address: str) -> None:
    """Ends all of somebody's sign-ins, this one too; tokens of programs go on."""
    async with transaction(pool) as conn:
        kinds = [*SESSIONS, "pending"]
        ended = await store.credentials.drop_kinds(conn, person.user_id, kinds)
        await log.note(conn, person.at(address), acts.SignedOutEverywhere(ended))


async def make_token(
    pool: Pool, actor: Actor, label: str, scope: Scope, days: int
) -> tuple[str, Credential]:
    """Makes a token for a program, shown this once; raises TooManyTokens."""
    if actor.user_id is None:
        raise RuntimeError("tokens are a person's")
    token, now = people.new_token(), clock.now()
    digest = people.token_sha256(token)
    expires_at = now + timedelta(days=days)
    async with transaction(pool) as conn:
        if not await store.people.lock_self(conn, actor.user_id):
            raise errors.Unauthenticated
        held = await store.credentials.list_of_user(conn, actor.user_id, TOKENS, digest, now)
        if len(held) >= people.MOST_TOKENS:
            raise people.TooManyTokens
        await store.credentials.add(
            conn,
            actor.user_id,
            digest,
            "personal",
            now,
            expires_at,
            address=actor.address,
            label=label,
            scope=scope,
        )
        [made, *_] = await store.credentials.list_of_user(conn, actor.user_id, TOKENS, digest, now)
        await log.note(conn, actor, acts.TokenMade(label, scope, f"{expires_at:%Y-%m-%d}"))
    return token, made


async def revoke_token(pool: Pool, actor: Actor, credential_id: UUID) -> None:
    """Ends one of somebody's tokens at once; raises NotFound."""
    if actor.user_id is None:
        raise RuntimeError("tokens are a person's")
    async with transaction(pool) as conn:
        label = await store.credentials.drop_one(conn, actor.user_id, credential_id, TOKENS)
        if label is None:
            raise errors.NotFound("token")
        await log.note(conn, actor, acts.TokenRevoked(label))
