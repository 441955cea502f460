"""A clock that is wrong decides nothing that can't be undone, and keeps no copy out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import httpx2
import pytest
import time_machine

from libs.shared import clock, database, timekeeping
from libs.shared.timekeeping import TimeDoubtful
from services.ingest import actions as ingest
from services.portal import jobs as portal_jobs
from services.retention import actions, store
from tests.hostile.counting import Campaign
from tests.portal.conftest import Portal, open_portal
from tests.reporting import conftest as reporting
from tests.reporting.conftest import Desk
from tests.reporting.faulty_smtp import FaultySMTP
from tests.retention import conftest as retention
from tests.retention.house import Client, House
from tests.world.house import open_house
from tests.world.waiting import wait_for

make_house, house, client = retention.make_house, retention.house, retention.client
desk = reporting.desk
DAY = 86_400


@pytest.fixture
async def portal(database: Any, servers: Any, bucket: str, tmp_path: Path) -> AsyncIterator[Portal]:
    async with open_portal(database, servers, bucket, tmp_path) as served:
        yield served


@contextmanager
def leap(days: float, campaign: Campaign) -> Iterator[None]:
    """This machine's clock is wrong for a while; those of the database and the store are right."""
    campaign.tried("leaps of a clock")
    with time_machine.travel(clock.now() + timedelta(days=days), tick=True):
        yield


async def test_a_portal_a_month_ahead_ends_no_subscription(
    portal: Portal, campaign: Campaign
) -> None:
    tenant_id = await portal.open_tenant("Dupré", "camille@dupre.example")
    at = (clock.now() + timedelta(days=20)).isoformat()
    async with portal.operator() as api:
        ending = {"reason": "as agreed", "at": at}
        answer = await api.post(f"/api/v1/tenants/{tenant_id}/end", json=ending)
        assert answer.status_code == 200
    with leap(31, campaign):
        with pytest.raises(TimeDoubtful, match=r"3[01] days ahead of the database"):
            await portal_jobs.end_subscriptions(portal.parts)
        with pytest.raises(TimeDoubtful):
            await portal_jobs.prune_credentials(portal.parts)
    assert await portal.events("subscription.ended.v1") == []
    assert await portal_jobs.end_subscriptions(portal.parts) == 0


async def test_an_end_is_never_dated_into_the_past(portal: Portal, campaign: Campaign) -> None:
    """Thirty days after it everything is destroyed."""
    tenant_id = await portal.open_tenant("Dupré", "camille@dupre.example")
    await timekeeping.check_time(portal.parts.pool)
    before = clock.now()
    with leap(-31, campaign):
        async with portal.operator() as api:
            now = {"reason": "today"}
            answer = await api.post(f"/api/v1/tenants/{tenant_id}/end", json=now)
            assert answer.status_code == 200
    [ended] = await portal.events("subscription.ended.v1")
    assert ended["ended_at"] >= before.isoformat()[:19]


async def test_reporting_gives_no_mail_up_for_a_clock(desk: Desk, campaign: Campaign) -> None:
    client = reporting.Client()
    await desk.handle(client.tenant(), client.plan(), client.run())
    async with FaultySMTP(lambda _to, nth: "person-later" if nth == 1 else "none") as smtp:
        with leap(31, campaign):
            async with desk.sending(smtp.port):
                await desk.wait(lambda mails: [mail["tries"] for mail in mails] == [1])
                await desk.wait(lambda mails: [mail["state"] for mail in mails] == ["queued"])
        async with desk.sending(smtp.port):
            await desk.wait(reporting.is_finished)
    assert [mail["state"] for mail in await desk.mails()] == ["sent"]
    assert await desk.published("report.undeliverable.v1") == []


@pytest.mark.parametrize("years", [-10, 10])
async def test_under_an_ingest_years_off_nothing_fresh_expires(
    house: House, client: Client, campaign: Campaign, years: int
) -> None:
    campaign.tried("leaps of a clock")
    began = await timekeeping.check_time(house.ingest.pool)
    plan = await client.plan()
    tree = {b"keep%d" % n: [b"keep%d" % n] for n in range(3)}
    await client.copy(plan, {**tree, b"a": [b"one"]})
    await house.fetch(
        "UPDATE catalogue.runs SET committed_at = $2 WHERE tenant_id = $1",
        client.tenant_id,
        began - timedelta(days=40),
    )
    house.processes.start("ingest", COFFRE_CLOCK_OFFSET_SECONDS=str(years * 365 * DAY))
    try:
        headers = client.agent.client.headers
        async with httpx2.AsyncClient(
            base_url=house.processes.url("ingest"), headers=headers, timeout=60
        ) as http:
            far = replace(client, agent=replace(client.agent, client=http))
            for content in (b"two", b"three"):
                assert await far.copy(plan, {b"a": [content]}), "copies go on"
    finally:
        house.processes.stop("ingest")
    rows = await house.fetch(
        "SELECT committed_at FROM catalogue.runs WHERE tenant_id = $1 ORDER BY number",
        client.tenant_id,
    )
    assert all(committed_at >= began - timedelta(minutes=1) for [committed_at] in rows[1:])
    async with database.acquire(house.keeper.pool) as conn:
        tenant = await store.tenants.find(conn, client.tenant_id)
    assert tenant is not None
    assert await actions.expiry.expire_tenant(house.keeper, tenant, clock.now()) == 0
    await client.read([b"one", b"two", b"three"])


async def test_no_restore_point_is_older_than_the_one_before(house: House, client: Client) -> None:
    plan = await client.plan()
    await client.copy(plan, {b"a": [b"one"]})
    later = clock.now() + timedelta(hours=7)
    await house.fetch(
        "UPDATE catalogue.runs SET committed_at = $2 WHERE tenant_id = $1", client.tenant_id, later
    )
    await client.copy(plan, {b"a": [b"two"]})
    rows = await house.fetch(
        "SELECT committed_at FROM catalogue.runs WHERE tenant_id = $1", client.tenant_id
    )
    assert [committed_at for [committed_at] in rows] == [later, later]


async def test_a_leap_closes_no_run(house: House, client: Client, campaign: Campaign) -> None:
    plan = await client.plan()
    run = await client.start(plan)
    with leap(1, campaign), pytest.raises(TimeDoubtful):
        await ingest.runs.ending.fail_abandoned(house.ingest)
    await client.batch(run, {b"a": []})
    assert await client.commit(run)


async def test_a_leap_forgets_nothing(house: House, client: Client, campaign: Campaign) -> None:
    pool, ask_store = house.keeper.pool, house.objects.date
    await timekeeping.check_time(pool, ask_store)
    for years in (10, -10):
        with leap(365 * years, campaign):
            with pytest.raises(TimeDoubtful, match="database"):
                await timekeeping.check_time(pool, ask_store)
            with pytest.raises(TimeDoubtful, match="store"):
                await timekeeping.accept_time(pool, "trust me", ask_store)
    await timekeeping.check_time(pool, ask_store)


async def test_a_service_tells_that_the_time_is_doubtful_until_somebody_believes_it(
    servers: Any, database_template: str, tmp_path: Path, campaign: Campaign
) -> None:
    """An installation can still be run at another date: that is said once."""
    campaign.tried("leaps of a clock")
    with open_house(servers, database_template, tmp_path / "house") as house:
        await house.fetch("INSERT INTO quota.seen_time (seen_at) VALUES ($1)", clock.now())
        there = {"COFFRE_CLOCK_OFFSET_SECONDS": str(60 * DAY)}
        house.start("quota", **there)
        house.wait_ready("quota")

        def told(*, doubtful: bool) -> bool:
            get = partial(httpx2.get, trust_env=False, verify=False, timeout=60)
            url = house.place.monitor_url("quota")
            checks = get(f"{url}/health/ready").json()["checks"]
            line = f'coffre_time_doubtful{{service="quota"}} {float(doubtful)}'
            is_shown = line in get(f"{url}/metrics").text
            return is_shown and ("60 days ahead" in checks["time"]) == doubtful

        wait_for("doubt", partial(told, doubtful=True))
        assert house.log("quota").read_text().count("job.late") == 1
        refused = house.command("quota", "clock", **there)
        assert (refused.returncode, "60 days ahead" in refused.stderr) == (1, True)
        reason = ("--reason", "moved to next year")
        accepted = house.command("quota", "clock", "--accept", *reason, **there)
        assert accepted.returncode == 0, accepted.stderr
        wait_for("belief", partial(told, doubtful=False))
        [[kept]] = await house.fetch("SELECT reason FROM quota.time_acceptances")
        assert kept == "moved to next year"
