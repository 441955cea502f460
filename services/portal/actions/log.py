"""Writing the access log, and proving that nobody rewrote it.

Whatever reads or changes something on behalf of a person notes it itself, in its own transaction
where it has one; before anything is handed over, so that what is in nobody's log was seen by
nobody. A download that then breaks off is in the log all the same.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from uuid import UUID

from libs.shared import clock, errors
from libs.shared.database import Connection, Pool, acquire, transaction
from services.portal import store
from services.portal.rules import operators
from services.portal.rules.log import chain, reading
from services.portal.rules.log.acts import Act, LogExported, LogViewed
from services.portal.rules.log.chain import Actor, Chain, Line, Link, Verdict
from services.portal.rules.log.reading import LogWish, SeenLine
from services.portal.store.clients import Tenant

_SALT_BYTES = 16


async def note(conn: Connection, actor: Actor, act: Act, tenant_id: UUID | None = None) -> None:
    """Writes down what somebody did to a client, their own if no other is named.

    The client's log stays locked until the transaction ends: call it last. Raises NotOfDuty where
    an operator isn't there for such acts; what the transaction did is undone with it.
    """
    operators.check(actor.duty, type(act))
    line = Line(
        tenant_id or actor.tenant_id,
        clock.now(),
        actor.user_id,
        actor.name,
        act.code,
        actor.address,
        act.fields,
    )
    line = chain.bind(line, secrets.token_bytes(_SALT_BYTES))
    await store.log.append(conn, line, chain.encode(line))


async def note_alone(pool: Pool, actor: Actor, act: Act) -> None:
    """Writes down what somebody reads that takes no transaction of its own."""
    await note_all(pool, actor, [act])


async def note_all(pool: Pool, actor: Actor, acts: Sequence[Act]) -> None:
    """Writes down what somebody reads by several acts at once, all of them or none."""
    async with transaction(pool, actor.tenant_id) as conn:
        for act in acts:
            await note(conn, actor, act)


async def verify(conn: Connection, tenant_id: UUID | None, kept: dict[UUID, Link]) -> list[Verdict]:
    """Follows the chain of a client, or all chains, and says of each whether it is whole.

    kept: heads that were printed earlier and kept where nobody of here can write.
    Raises nothing but Unavailable; lines that are added meanwhile are not looked at.
    """
    wanted = {one: link for one, link in kept.items() if tenant_id in (None, one)}
    async with conn.transaction(isolation="repeatable_read", readonly=True):
        heads = await store.log.list_heads(conn, tenant_id)
        blank = await store.erasure.list_destroyed(conn)
        chains = {
            one: Chain(one, wanted.get(one), may_be_blank=one in blank)
            for one in sorted({*heads, *wanted})
        }
        async with aclosing(store.log.read(conn, tenant_id)) as lines:
            async for link, line in lines:
                if line.tenant_id not in chains:
                    chains[line.tenant_id] = Chain(
                        line.tenant_id, may_be_blank=line.tenant_id in blank
                    )
                chains[line.tenant_id].follow(link, line)
    return [one.end(heads.get(one.tenant_id)) for one in chains.values()]


@dataclass(frozen=True)
class LogPage:
    """Some lines, the newest first; older: whether there are more. verdict: of the whole chain.

    people: who has an account, by their id.
    """

    lines: Sequence[SeenLine]
    older: bool
    verdict: Verdict | None
    people: Mapping[UUID, str]
    tenant: Tenant


async def view(pool: Pool, administrator: Actor, wish: LogWish, *, verify_all: bool) -> LogPage:
    """A page of a client's log, with what became of its chain where that is short or wanted.

    That somebody looked is noted as well, after the lines were read."""
    tenant_id = administrator.tenant_id
    codes = reading.codes_of(wish.kind)
    verdict = None
    async with acquire(pool) as conn:
        found = await store.log.list_newest(conn, tenant_id, wish, codes, reading.PAGE + 1)
        heads = await store.log.list_heads(conn, tenant_id)
        length = heads[tenant_id].number if tenant_id in heads else 0
        if verify_all or length <= reading.VERIFIED_AT_ONCE:
            [verdict, *_] = [*await verify(conn, tenant_id, {}), None]
        people = await store.people.list_of_tenant(conn, tenant_id)
        tenant = await store.clients.find(conn, tenant_id)
        if tenant is None:
            raise errors.NotFound("client")
    await note_alone(pool, administrator, LogViewed())
    return LogPage(
        found[: reading.PAGE],
        len(found) > reading.PAGE,
        verdict,
        {one.user_id: one.name for one in people},
        tenant,
    )


async def export(pool: Pool, administrator: Actor, wish: LogWish) -> list[SeenLine]:
    """The lines that are wanted, the newest first, as many as an export holds; raises NotFound."""
    codes = reading.codes_of(wish.kind)
    async with transaction(pool) as conn:
        if await store.clients.find(conn, administrator.tenant_id) is None:
            raise errors.NotFound("client")
        found = await store.log.list_newest(
            conn, administrator.tenant_id, wish, codes, reading.MOST_EXPORTED
        )
        await note(conn, administrator, LogExported(len(found)))
    return found
