"""Writing the access log, and proving that nobody rewrote it.

Whatever reads or changes something on behalf of a person notes it itself, in its own transaction
where it has one; before anything is handed over, so that what is in nobody's log was seen by
nobody. A download that then breaks off is in the log all the same.
"""

from __future__ import annotations

import secrets
from contextlib import aclosing
from uuid import UUID

from libs.shared import clock
from libs.shared.database import Connection, Pool, transaction
from services.portal import store
from services.portal.rules.log import chain
from services.portal.rules.log.acts import Act
from services.portal.rules.log.chain import Actor, Chain, Line, Link, Verdict

_SALT_BYTES = 16


async def note(conn: Connection, actor: Actor, act: Act, tenant_id: UUID | None = None) -> None:
    """Writes down what somebody did to a client, their own if no other is named.

    The client's log stays locked until the transaction ends: call it last.
    """
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
    async with transaction(pool) as conn:
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
