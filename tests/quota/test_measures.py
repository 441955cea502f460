"""What quota's gauges show of clients that grow."""

from __future__ import annotations

from uuid import uuid4

from prometheus_client import REGISTRY

from services.quota import jobs
from tests.quota.conftest import Calendar, Counter


def sample(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


async def test_contracts_volumes_and_days_left(counter: Counter, calendar: Calendar) -> None:
    over = counter.tenant_id
    calendar.day(0)
    await counter.handle(counter.contract())
    await counter.holds(1200)
    counter.tenant_id = growing = uuid4()
    await counter.handle(counter.contract(contracted_bytes=2000))
    for day in range(40):
        calendar.day(day)
        await counter.handle(counter.volume(100 + day, 1000 + 10 * day))
    await jobs.measure_volumes(counter.pool)
    assert sample("coffre_clients", subscription="active") == 2
    assert sample("coffre_stored_bytes") == 1200 + 1390
    assert sample("coffre_protected_bytes") == 2 * (1200 + 1390)
    assert sample("coffre_contracted_bytes") == 3000
    assert sample("coffre_clients_at_level", percent="100") == 1
    assert sample("coffre_clients_at_level", percent="0") == 1
    assert sample("coffre_overage_cases_open", days_left="over") == 1  # thirty days, and it is 39
    calendar.day(29.5)
    await jobs.measure_volumes(counter.pool)
    assert sample("coffre_overage_cases_open", days_left="1") == 1
    calendar.day(39)

    await jobs.measure_forecasts(counter.pool)
    assert sample("coffre_clients_full_in", days_left="90") == 1  # 610 bytes left, 10 a day
    assert sample("coffre_clients_full_in", days_left="none") == 1
    assert sample("coffre_tenant_stored_bytes", tenant=str(over)) is None  # not asked for

    await jobs.measure_tenants(counter.pool)
    assert sample("coffre_tenant_stored_bytes", tenant=str(over)) == 1200
    assert sample("coffre_tenant_contracted_bytes", tenant=str(growing)) == 2000
    assert sample("coffre_tenant_days_left", tenant=str(growing)) == 61
    await counter.fetch("DELETE FROM allowances WHERE tenant_id = $1", over)
    await jobs.measure_tenants(counter.pool)
    assert sample("coffre_tenant_stored_bytes", tenant=str(over)) is None  # gone with the client
