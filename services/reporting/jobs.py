"""Time in: the sender, which empties the mail queue."""

from __future__ import annotations

import asyncio
import contextlib
import time

from prometheus_client import Counter, Gauge

from libs.shared import clock, database, logs
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable
from services.reporting import actions, rules, store
from services.reporting.actions import Office
from services.reporting.mail.smtp import Line, MailServer, Unreachable, Verdict

LINES = 4
POLL_SECONDS = 1.0
STANDBY_SECONDS = 1.0
DRAIN_SECONDS = 2.0
OUTAGE_DRAIN_SECONDS = 20.0
KEEPING_TRIES = 20

OUTCOMES = Counter("coffre_mail_outcomes", "SMTP transactions by outcome", ["outcome"])
POSSIBLE_DUPLICATES = Counter(
    "coffre_mail_possible_duplicates", "Mails sent again after an uncertain outcome"
)
UNFINISHED = Gauge("coffre_mails_unfinished", "Mails queued or being sent", ["state"])


class Sender:
    """Hands the queue's mails over, on a few connections that last while there is work.

    One sender works in an installation, by an advisory lock on a session of its own: what is
    `sending` when it begins was left by one that died, and is sent again with the same Message-ID.
    A commit that adds a mail wakes it at once (NOTIFY); polling serves the retries.
    """

    def __init__(self, pool: Pool, dsn: str, server: MailServer, office: Office) -> None:
        self._pool = pool
        self._dsn = dsn
        self._server = server
        self._office = office
        self._wake = asyncio.Event()
        self._lines: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._rest_until = 0.0
        self._stopping = False

    async def run(self) -> None:
        """Sends until cancelled; PostgreSQL or SMTP being away means a pause and another try."""
        while True:
            try:
                await self._lead()
            except Unavailable as trouble:
                logs.get().warning("sender.interrupted", why=str(trouble))
                await asyncio.sleep(STANDBY_SECONDS)

    async def check_server(self) -> None:
        """Raises Unavailable while the mail server takes no connection."""
        if self._failures:
            raise Unavailable("mail server")

    async def _lead(self) -> None:
        session = await database.connect(self._dsn, "reporting", name="reporting-sender")
        try:
            with database.outages_translated():
                await _become_leader(session)
                await session.add_listener(store.QUEUE_CHANNEL, lambda *_: self._wake.set())
                interrupted = await store.requeue_interrupted(session, clock.now())
                await store.bring_back(session, clock.now(), 2 * rules.LONGEST_PAUSE)
                if interrupted:
                    POSSIBLE_DUPLICATES.inc(len(interrupted))
                    logs.get().warning("mail.requeued", mails=len(interrupted))
                await self._send_for_ever(session)
        except Unavailable:
            await self._hang_up(OUTAGE_DRAIN_SECONDS)
            raise
        finally:
            await self._hang_up(DRAIN_SECONDS)
            with contextlib.suppress(Exception):
                await session.close(timeout=2)
            session.terminate()

    async def _send_for_ever(self, session: Connection) -> None:
        while True:
            self._wake.clear()
            await self._open_lines(session)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()

    async def _open_lines(self, session: Connection) -> None:
        """Opens as many connections as there are mails due, up to LINES.

        Asking on the session that holds the lock shows at once if that is lost.
        """
        due = await store.count_due(session, clock.now(), LINES)
        if time.monotonic() < self._rest_until:
            return
        # A server that did not answer is asked by one line only.
        most = 1 if self._failures else LINES
        for _ in range(min(due, most - len(self._lines))):
            task = asyncio.create_task(self._work())
            self._lines.add(task)
            task.add_done_callback(self._line_ended)

    def _line_ended(self, task: asyncio.Task[None]) -> None:
        self._lines.discard(task)
        if task.cancelled():
            return
        if (trouble := task.exception()) is not None:
            logs.get().error("mail.line_failed", exc_info=trouble)
        self._wake.set()

    async def _work(self) -> None:
        """Hands over mails on one connection until none is due, or the connection ends."""
        try:
            async with self._server.connect() as line:
                self._failures = 0
                while line.is_usable and not self._stopping:
                    if not await self._send_next(line):
                        break
        except Unreachable as trouble:
            self._rest(trouble)
        except Unavailable as trouble:
            self._rest_until = time.monotonic() + STANDBY_SECONDS
            logs.get().warning("sender.interrupted", why=str(trouble))

    def _rest(self, trouble: Unreachable) -> None:
        """Leaves the mail server alone, longer each time; lines that fail together count once."""
        if time.monotonic() < self._rest_until:
            return
        self._failures += 1
        self._rest_until = time.monotonic() + rules.find_pause(self._failures)
        if self._failures in {1, 10} or self._failures % 100 == 0:
            logs.get().warning("smtp.unreachable", why=str(trouble), tries=self._failures)

    async def _send_next(self, line: Line) -> bool:
        """Sends the mail that is due first; returns whether there was one.

        "Sending" is committed before anything is said to the server.
        """
        async with database.transaction(self._pool) as conn:
            mail = await store.claim_mail(conn, clock.now())
        if mail is None:
            return False
        try:
            await self._keep(mail, await self._hand_over(line, mail))
        except Unavailable:
            raise
        except Exception:  # a bug: the mail must not stay "sending", and is tried again
            logs.get().exception("mail.failed", mail_id=str(mail.mail_id))
            await self._keep(mail, Verdict("uncertain", "internal error"))
        return True

    async def _hand_over(self, line: Line, mail: store.Mail) -> Verdict:
        if clock.now() >= mail.give_up_at:
            return Verdict("refused", "It was not accepted in time.")
        verdict = await line.deliver(mail.recipient, mail.body)
        OUTCOMES.labels(verdict.outcome).inc()
        if verdict.outcome == "uncertain":
            POSSIBLE_DUPLICATES.inc()
        return verdict

    async def _keep(self, mail: store.Mail, verdict: Verdict) -> None:
        """Writes the verdict down, again and again while PostgreSQL is away."""
        for attempt in range(1, KEEPING_TRIES + 1):
            try:
                async with database.transaction(self._pool) as conn:
                    await actions.keep_verdict(conn, self._office, mail, verdict)
            except Unavailable:
                # After a COMMIT of unknown outcome the second time changes nothing.
                if attempt == KEEPING_TRIES:
                    raise
                await asyncio.sleep(STANDBY_SECONDS)
            else:
                return

    async def _hang_up(self, patience_seconds: float) -> None:
        """Lets what is under way end, for a while; the rest is sent again by the next sender."""
        self._stopping = True
        if self._lines:
            await asyncio.wait(self._lines, timeout=patience_seconds)
        lines = list(self._lines)
        for task in lines:
            task.cancel()
        await asyncio.gather(*lines, return_exceptions=True)
        self._stopping = False


async def _become_leader(session: Connection) -> None:
    """Waits until no other sender works."""
    while True:
        if await store.try_lead(session):
            return
        await asyncio.sleep(STANDBY_SECONDS)


async def watch_queue(pool: Pool) -> None:
    """Measures the queue every few seconds."""
    while True:
        with contextlib.suppress(Unavailable):
            async with database.acquire(pool) as conn:
                counted = await store.count_mails(conn)
            for state in ("queued", "sending"):
                UNFINISHED.labels(state).set(counted.get(state, 0))
        await asyncio.sleep(15)
