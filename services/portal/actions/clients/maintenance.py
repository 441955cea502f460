"""Until when a client's backup software is maintained: its subscription ends with that day."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from uuid import UUID

from libs.shared import clock, errors, outbox, timekeeping
from libs.shared.database import Pool, transaction
from libs.shared.events import MaintenanceNearing, SubscriptionMoved
from libs.shared.words.tongue import Tongue
from services.portal import store
from services.portal.actions import log
from services.portal.actions.clients import subscription, telling
from services.portal.actions.resources import Resources
from services.portal.rules import clients
from services.portal.rules.log import acts
from services.portal.rules.log.chain import COFFRE, Actor
from services.portal.store.clients import Maintained, Tenant

_LOCALES = Path(__file__).parents[2] / "locales"
_AHEAD = timedelta(days=clients.MAINTENANCE_WARNINGS[0] + 2)


async def set_maintenance(
    pool: Pool, operator: Actor, tenant_id: UUID, until: date | None, reason: str
) -> Tenant:
    """Sets the last day of the maintenance, or that nothing depends on it; tells administrators.

    Raises NotFound, InvalidRequest for a day that is over."""
    async with transaction(pool) as conn:
        now = await timekeeping.tell_time(conn)
        before = await telling.lock_tenant(conn, tenant_id)
        if until is not None and clients.count_days_left(until, before.timezone, now) < 0:
            raise errors.InvalidRequest("The last day of the maintenance must not be over.")
        version = await store.clients.set_maintenance(conn, tenant_id, until)
        after = replace(before, maintenance_until=until, version=version)
        await telling.publish_tenant(conn, after)
        await outbox.add(
            conn,
            SubscriptionMoved(
                tenant_id=tenant_id,
                version=version,
                step="maintain",
                state=after.subscription,
                reason=reason,
                at=now,
                ends_at=after.ends_at,
                destruction_due_at=after.destruction_due_at,
                maintenance_until=until,
            ),
        )
        said = str(until) if until else ""
        await log.note(conn, operator, acts.MaintenanceSet(said, reason), tenant_id)
    return after


async def watch(resources: Resources) -> int:
    """Warns ahead of the end of maintenances, and ends what depended on them; returns how many."""
    now = clock.now()
    async with transaction(resources.pool) as conn:
        found = await store.clients.find_maintained(conn, (now + _AHEAD).date())
    due = [one for one in found if _is_due(one, now)]
    if not due:
        return 0
    now = await timekeeping.check_time(resources.pool, resources.objects.date)
    return sum([await _act(resources.pool, one, now) for one in due])


def _is_due(one: Maintained, now: datetime) -> bool:
    days_left = clients.count_days_left(one.until, one.timezone, now)
    return days_left < 0 or clients.find_warning(days_left, one.told) is not None


async def _act(pool: Pool, one: Maintained, now: datetime) -> bool:
    """Warns of one maintenance or ends its subscription, unless an operator was there before."""
    days_left = clients.count_days_left(one.until, one.timezone, now)
    warning = clients.find_warning(days_left, one.told)
    async with transaction(pool) as conn:
        tenant = await store.clients.lock(conn, one.tenant_id)
        if tenant is None or tenant.maintenance_until != one.until:
            return False
        if days_left >= 0:
            if warning is None or not await store.clients.note_warning(
                conn, one.tenant_id, one.until, warning
            ):
                return False
            nearing = MaintenanceNearing(
                tenant_id=one.tenant_id, until=one.until, days_left=days_left
            )
            await outbox.add(conn, nearing)
            return True
        if tenant.subscription not in clients.STEPS["lapse"][0]:
            return False
        await subscription.move_subscription(conn, COFFRE, one.tenant_id, "lapse", _why(tenant))
        return True


def _why(tenant: Tenant) -> str:
    """The reason that the client's people read, and its machines are told."""
    tongue = Tongue(tenant.locale, tenant.timezone, _LOCALES)
    assert tenant.maintenance_until is not None
    return tongue.say(
        "The maintenance of the backup software ended on {day}",
        day=tongue.calendar_day(tenant.maintenance_until),
    )
