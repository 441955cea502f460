"""How a service starts where something is missing: it waits and says so, or ends and says why."""

from __future__ import annotations

import signal
from typing import Any

import asyncpg

from tests.shared.conftest import Sides, until, volume
from tests.shared.gate import Gate


async def test_an_address_in_use_ends_the_process_with_1(start: Any) -> None:
    first = await start()
    await until(first.is_ready, 90)
    for taken in (
        {"COFFRE_LISTEN": first.url.removeprefix("http://")},
        {"COFFRE_MONITOR_LISTEN": first.monitor_url.removeprefix("http://")},
    ):
        second = await start(**taken)
        assert await second.ends() == 1
        assert await second.says("in use")


async def test_it_starts_without_a_broker_and_finds_it_later(
    start: Any, amqp_url: str, side: Sides
) -> None:
    quota = await side("quota")
    async with Gate(amqp_url) as gate:
        url = gate.url
        await gate.shut()
        service = await start(COFFRE_AMQP_URL=url)
        await until(service.is_unready, 90)  # for quota has no other work than events
        assert not await service.broker()
        await quota.say(volume(1))
        await gate.open()
        await until(service.broker, 80)
        await until(service.is_ready)
        await until(quota.all_published, 60)


async def test_it_waits_for_a_database_and_says_so(start: Any, database: Any) -> None:
    async with Gate(database.dsn("quota")) as gate:
        url = gate.url
        await gate.shut()
        service = await start(COFFRE_DATABASE_URL=url)
        await until(lambda: service.says("database.awaited"), 90)
        assert not await service.is_ready()
        assert service.running.poll() is None
        await gate.open()
        await until(service.is_ready, 90)
        assert not any("coffre_quota:coffre_quota" in line for line in service.log)


async def test_a_wait_for_migrations_keeps_no_connection(start: Any, database: Any) -> None:
    owner = await asyncpg.connect(database.owner_dsn)
    row = await owner.fetchrow("DELETE FROM quota.migrations RETURNING *")
    service = await start()
    tries, most = set(), 0

    async def tried_often() -> bool:
        seen = await owner.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = $1 AND usename = 'coffre_quota'",
            database.name,
        )
        nonlocal most
        most = max(most, len(seen))
        tries.update(each["pid"] for each in seen)
        return len(tries) >= 3

    await until(tried_often, 90)
    assert most == 1
    assert not await service.is_ready()
    assert row is not None
    await owner.close()


async def test_a_wait_for_the_database_can_be_ended(start: Any) -> None:
    service = await start(COFFRE_DATABASE_URL="postgresql://a:b@127.0.0.1:1/c")
    await until(lambda: service.says("database.awaited"), 90)
    service.running.send_signal(signal.SIGTERM)
    assert await service.ends() == 0


async def test_missing_settings_are_named_and_the_code_is_2(start: Any) -> None:
    service = await start(COFFRE_DATABASE_URL="", COFFRE_AMQP_URL="")
    assert await service.ends() == 2
    assert await service.says("COFFRE_DATABASE_URL, COFFRE_AMQP_URL")
