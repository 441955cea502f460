"""What operators decide: a later deadline, a block, its end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from libs.shared import clock
from libs.shared.database import Connection
from libs.shared.events import OverageDecided
from services.quota import rules, store
from services.quota.actions import cases
from services.quota.rules.accounts import Account, Block
from services.quota.rules.cases import Case


async def take(conn: Connection, event: OverageDecided) -> None:
    """Carries out a decision, once, unless a newer one is known.

    Raises LookupError where it came before the client's contract: it comes again.
    """
    account = await store.accounts.lock(conn, event.tenant_id)
    if account is None or account.contracted_bytes is None:
        raise LookupError(f"client {event.tenant_id} is not known yet")
    is_new = await store.decisions.add(conn, event.tenant_id, event)
    if not is_new or await store.decisions.is_outdated(conn, event.tenant_id, event):
        return
    now = clock.now()
    case = await cases.find_newest(conn, account)
    case = case if case and case.is_open else None
    match event.decision:
        case "extend":
            await _extend(conn, account, case, event, now)
        case "block":
            await _block(conn, account, case, event.reason, now)
        case "unblock":
            await _unblock(conn, account, case, event.reason, now)


async def _extend(
    conn: Connection, account: Account, case: Case | None, event: OverageDecided, now: datetime
) -> None:
    if case is None or event.until is None:
        return
    extended = rules.cases.extend(case, event.until, event.reason, now)
    if extended != case:
        await cases.change(conn, account, extended, "extended", now)


async def _block(
    conn: Connection, account: Account, case: Case | None, reason: str, now: datetime
) -> None:
    """Stops growth at what is held now; once more, at what was held the first time."""
    at_bytes = account.block.at_bytes if account.block else account.stored_bytes
    block = Block(reason, at_bytes, case.case_id if case else None)
    await store.accounts.put_block(conn, account.tenant_id, block)
    account = replace(account, block=block)
    if case is None:
        await cases.settle(conn, account, now)
    else:
        await cases.change(conn, account, replace(case, reason=reason), "blocked", now)


async def _unblock(
    conn: Connection, account: Account, case: Case | None, reason: str, now: datetime
) -> None:
    was_blocked = account.allowance is not None and account.allowance.blocked
    await store.accounts.put_block(conn, account.tenant_id, None)
    account = replace(account, block=None)
    if case is None:
        await cases.settle(conn, account, now)
    else:
        released = rules.cases.release(case, reason, now)
        await cases.change(conn, account, released, "extended" if was_blocked else None, now)
