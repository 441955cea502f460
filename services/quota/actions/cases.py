"""Overage cases: what follows from a tenant's volume, its contract, and the time."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any, Literal

from libs.shared import clock, logs, outbox, timekeeping
from libs.shared.database import Connection, Pool, acquire, transaction
from libs.shared.events import (
    AllowanceChanged,
    Event,
    OverageAnswered,
    OverageBlocked,
    OverageClosed,
    OverageExtended,
    OverageOpened,
    OverageReminded,
    VolumeApproached,
)
from libs.shared.words import volumes
from libs.shared.words.tongue import Tongue
from services.quota import rules, store
from services.quota.actions import days, plans
from services.quota.rules.accounts import Account, Block
from services.quota.rules.cases import Case

_FILLS = 10

What = Literal["opened", "reminded", "extended", "blocked", "closed"]


async def settle(
    conn: Connection, account: Account, now: datetime, *, by_clock: bool = False
) -> None:
    """Takes the step that is due of a tenant's case, and publishes what that changes.

    by_clock: also what the date alone makes due. The account is locked by the transaction, as it
    is now. Nothing is decided, and nothing said, before the contract is known.
    """
    if account.contracted_bytes is None:
        return
    case = await find_newest(conn, account)
    if account.is_over and (case is None or not case.is_open):
        now = await timekeeping.tell_time(conn)
    step = rules.cases.find_turn(
        case, account.tenant_id, account.stored_bytes, now, is_over=account.is_over
    )
    if step is None and case is not None and by_clock:
        step = rules.cases.find_due(case, account.stored_bytes, now)
    if step is not None:
        await change(conn, account, step.case, step.what, now)
    else:
        await _conclude(conn, account, case, now)
    await _tell_level(conn, account, account.contracted_bytes, now)


async def find_newest(conn: Connection, account: Account) -> Case | None:
    """The tenant's newest case, open or closed."""
    if account.case_id is None:
        return None
    return await store.cases.find(conn, account.tenant_id, account.case_id)


async def change(
    conn: Connection, account: Account, case: Case, what: What | None, now: datetime
) -> None:
    """Keeps a case as it is from now on, and publishes it as `what`."""
    case = replace(case, version=case.version + 1)
    await store.cases.put(conn, account.tenant_id, case)
    if account.block and not case.is_open and account.block.case_id == case.case_id:
        account = replace(account, block=None)
        await store.accounts.put_block(conn, account.tenant_id, None)
    ceiling_bytes = await _conclude(conn, account, case, now)
    if what is not None:
        await _say(conn, account, case, what, ceiling_bytes, now)


async def take_answer(conn: Connection, event: OverageAnswered) -> None:
    """Keeps what a client answered to its newest case, which may go on if it is closed now."""
    now = clock.now()
    account = await store.accounts.lock(conn, event.tenant_id)
    if account is None or account.case_id != event.case_id:
        return
    case = await find_newest(conn, account)
    if case is None:
        return
    answered = rules.cases.take_answer(case, event.answer, event.answered_at)
    if answered != case:
        is_lifted = case.ceiling_bytes is not None and answered.ceiling_bytes is None
        await change(conn, account, answered, "extended" if is_lifted else None, now)


async def settle_due(pool: Pool) -> None:
    """Takes the steps that are due by the date: reminders, and blocks at deadlines."""
    async with acquire(pool) as conn:
        due = await store.cases.list_due(conn, clock.now())
    if not due:
        return
    now = await timekeeping.check_time(pool)
    for tenant_id in due:
        async with transaction(pool) as conn:
            account = await store.accounts.lock(conn, tenant_id)
            if account is not None:
                await settle(conn, account, now, by_clock=True)


async def _tell_level(
    conn: Connection, account: Account, contracted_bytes: int, now: datetime
) -> None:
    before = account.level_percent
    level = rules.levels.find_level(
        before, account.stored_bytes, contracted_bytes, is_over=account.is_over
    )
    if level == before:
        return
    await store.accounts.put_level(conn, account.tenant_id, level)
    notice = rules.levels.find_notice(before, level)
    if notice is None or account.subscription in {"ended", "destroyed"}:
        return
    forecast = await days.foresee(conn, account.tenant_id, contracted_bytes, now)
    await outbox.add(
        conn,
        VolumeApproached(
            tenant_id=account.tenant_id,
            level_percent=notice.level_percent,
            rising=notice.rising,
            stored_bytes=account.stored_bytes,
            contracted_bytes=contracted_bytes,
            reached_on=forecast.reached_on if forecast else None,
            at=now,
        ),
    )


async def _conclude(
    conn: Connection, account: Account, case: Case | None, now: datetime
) -> int | None:
    """Publishes the allowance if it is another one, and writes the day's row.

    Returns the ceiling while growth is blocked.
    """
    assert account.contracted_bytes is not None  # nothing is decided before
    deadline = None
    if case is not None and case.ceiling_bytes is not None:
        tongue = Tongue(account.locale, account.timezone)
        why = volumes.tell_deadline(tongue, case.blocks_at)
        deadline = Block(why, case.ceiling_bytes)
    allowance = rules.accounts.decide_allowance(account.contracted_bytes, account.block, deadline)
    if allowance != account.allowance:
        version = await store.accounts.put_allowance(conn, account.tenant_id, allowance)
        await outbox.add(
            conn,
            AllowanceChanged(
                tenant_id=account.tenant_id,
                version=version,
                ceiling_bytes=allowance.ceiling_bytes,
                blocked=allowance.blocked,
                reason=allowance.reason,
                ended_at=case.blocks_at if case and deadline and not account.block else None,
            ),
        )
        logs.get().info(
            "allowance.changed",
            tenant_id=str(account.tenant_id),
            ceiling_bytes=allowance.ceiling_bytes,
            blocked=allowance.blocked,
        )
    await store.days.put(conn, account.tenant_id, now.date())
    return allowance.ceiling_bytes if allowance.blocked else None


async def _say(
    conn: Connection,
    account: Account,
    case: Case,
    what: What,
    ceiling_bytes: int | None,
    now: datetime,
) -> None:
    """Publishes a case with all that its readers tell of it."""
    told = await _describe(conn, account, case, ceiling_bytes, now)
    event: Event
    match what:
        case "opened":
            event = OverageOpened(**told)
        case "reminded":
            event = OverageReminded(**told, day=case.reminded_day)
        case "extended":
            event = OverageExtended(**told)
        case "blocked":
            event = OverageBlocked(**told)
        case "closed":
            event = OverageClosed(**told)
    await outbox.add(conn, event)
    logs.get().info(f"overage.{what}", tenant_id=str(account.tenant_id), case_id=str(case.case_id))


async def _describe(
    conn: Connection, account: Account, case: Case, ceiling_bytes: int | None, now: datetime
) -> dict[str, Any]:
    tenant_id = account.tenant_id
    contracted_bytes = account.contracted_bytes or 0
    forecast = await days.foresee(conn, tenant_id, contracted_bytes, now)
    fills = await store.plans.list_fullest(conn, tenant_id, now - plans.SENT_WITHIN, _FILLS)
    return {
        "tenant_id": tenant_id,
        "case_id": case.case_id,
        "version": case.version,
        "opened_at": case.opened_at,
        "passed_at": case.passed_at,
        "deadline_at": case.deadline_at,
        "final_at": case.final_at,
        "stored_bytes": account.stored_bytes,
        "contracted_bytes": contracted_bytes,
        "ceiling_bytes": ceiling_bytes,
        "reached_on": forecast.reached_on if forecast else None,
        "weekly_bytes": forecast.weekly_bytes if forecast else None,
        "answer": case.answer,
        "reason": case.reason,
        "fills": tuple(fills),
    }
