"""A service's pulse: pings through its own outbox, broker and queue show that they live."""

from __future__ import annotations

import asyncio
import time
from uuid import UUID, uuid4

from libs.shared import clock, database, inbox, logs, outbox
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.events import ServicePinged
from libs.shared.heartbeats import SHORT_SILENCE, Heartbeat

PING_SECONDS = 20.0
DEAD_SECONDS = 60.0
NOBODY = UUID(int=0)


class PulseLost(Exception):  # noqa: N818 - the reason in the log
    """Publishing or consuming stands still though everything says that it is connected."""


class Pulse:
    """Pings now and then, and raises PulseLost where no answer comes for DEAD_SECONDS.

    Only silence while database, relay and consumer all believe themselves well counts:
    a broker that is down is an outage, and restarting would not help.
    """

    def __init__(
        self, service: str, pool: Pool, relay: outbox.Relay, consumer: inbox.Consumer
    ) -> None:
        self._service = service
        self._pool = pool
        self._relay = relay
        self._consumer = consumer
        self.heartbeat = Heartbeat("pulse", SHORT_SILENCE)

    async def run(self) -> None:
        """Pings until cancelled."""
        while True:
            try:
                with self.heartbeat.working():
                    await self._ping_and_listen()
            except Unavailable:
                await asyncio.sleep(PING_SECONDS / 4)

    async def _ping_and_listen(self) -> None:
        async with database.transaction(self._pool) as conn:
            ping = ServicePinged(
                tenant_id=NOBODY, service=self._service, ping_id=uuid4(), sent_at=clock.now()
            )
            event_id = await outbox.add(conn, ping)
        silent_since = time.monotonic()
        while True:
            await asyncio.sleep(PING_SECONDS / 4)
            if await inbox.has_arrived(self._pool, event_id):
                await asyncio.sleep(PING_SECONDS)
                return
            if not self._consumer.connected:
                silent_since = time.monotonic()
                continue
            # A long backlog delays the ping; what moves is alive.
            published = await outbox.is_published(self._pool, event_id)
            sign = self._consumer.arrived_at if published else self._relay.progress_at
            silent_since = max(silent_since, sign)
            if time.monotonic() - silent_since > DEAD_SECONDS:
                where = "consumer" if published else "relay"
                logs.get().error("pulse.lost", where=where)
                raise PulseLost(f"no answer to a ping for {DEAD_SECONDS:g} seconds: {where}")
