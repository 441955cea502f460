"""Time in: the sender, which empties the mail queue, and what measures the queue."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

from prometheus_client import Counter, Gauge

from libs.shared import clock, database, logs, timekeeping
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable
from libs.shared.keys import KeysUnreadable
from libs.shared.runtime import Job, Jobs
from services.reporting import actions, rules, store
from services.reporting.actions.resources import Resources
from services.reporting.mail.smtp import Line, MailServer, Unreachable, Verdict

LINES = 4
LOOK_SECONDS = 0.25
OUTAGE_SECONDS = 1.0
DRAIN_SECONDS = 20.0
KEEPING_TRIES = 20

OUTCOMES = Counter("coffre_mail_outcomes", "SMTP transactions by outcome", ["outcome"])
POSSIBLE_DUPLICATES = Counter(
    "coffre_mail_possible_duplicates", "Mails sent again after an uncertain outcome"
)
UNFINISHED = Gauge("coffre_mails_unfinished", "Mails queued or being sent", ["state"])


class Sender:
    """Hands the queue's mails over, on a few connections that last while there is work.

    One sender works in an installation: what is `sending` when its turn begins was left by one
    that died, or that lost PostgreSQL, and is sent again with the same Message-ID.
    """

    def __init__(self, pool: Pool, server: MailServer, resources: Resources) -> None:
        self.pool = pool
        self._server = server
        self.resources = resources
        self.threads = ThreadPoolExecutor(rules.webhooks.MOST, "webhook")
        self._failures = 0
        self._rest_until = 0.0
        self._stopping = False
        self._turn: UUID | None = None  # the client whose mail went last

    async def check_server(self) -> None:
        """Raises Unavailable while the mail server takes no connection."""
        if self._failures:
            raise Unavailable("mail server")

    async def send(self) -> None:
        """Hands over what is due, and what becomes so meanwhile; SMTP being away ends that."""
        await self._give_back()
        lines: set[asyncio.Task[None]] = set()
        try:
            while lines := lines | await self._open_lines(len(lines)):
                done, lines = await asyncio.wait(
                    lines, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED
                )
                for line in done:
                    line.result()
        finally:
            await self._hang_up(lines)

    async def _give_back(self) -> None:
        async with database.transaction(self.pool) as conn:
            interrupted = await store.mails.requeue_interrupted(conn, clock.now())
            await store.mails.bring_back(conn, clock.now(), 2 * rules.mails.LONGEST_PAUSE)
        if interrupted:
            POSSIBLE_DUPLICATES.inc(len(interrupted))
            logs.get().warning("mail.requeued", mails=len(interrupted))

    async def _open_lines(self, open_lines: int) -> set[asyncio.Task[None]]:
        """As many more connections as there are mails due, up to LINES in all."""
        async with database.acquire(self.pool) as conn:
            due = await store.mails.count_due(conn, clock.now(), LINES)
        if time.monotonic() < self._rest_until:
            return set()
        # A server that did not answer is asked by one line only.
        most = 1 if self._failures else LINES
        return {
            asyncio.create_task(self._work()) for _ in range(min(due, max(most - open_lines, 0)))
        }

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
            self._rest_until = time.monotonic() + OUTAGE_SECONDS
            logs.get().warning("sender.interrupted", why=str(trouble))

    def _rest(self, trouble: Unreachable) -> None:
        """Leaves the mail server alone, longer each time; lines that fail together count once."""
        if time.monotonic() < self._rest_until:
            return
        self._failures += 1
        self._rest_until = time.monotonic() + rules.mails.find_pause(self._failures)
        if self._failures in {1, 10} or self._failures % 100 == 0:
            logs.get().warning("smtp.unreachable", why=str(trouble), tries=self._failures)

    async def _send_next(self, line: Line) -> bool:
        """Sends the mail that is due first; returns whether there was one.

        "Sending" is committed before anything is said to the server.
        """
        async with database.transaction(self.pool) as conn:
            mail = await self._claim(conn)
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

    async def _claim(self, conn: Connection) -> rules.mails.Mail | None:
        """Takes the next client's oldest mail, in a circle of all; one-time passwords before all.

        So a client with a thousand mails in the queue is one mail before anybody else's next.
        """
        now = clock.now()
        for secret in (True, False):
            for after in dict.fromkeys((self._turn, None)):
                mail = await store.mails.claim(conn, now, after, secret=secret)
                if mail is not None:
                    self._turn = mail.tenant_id
                    return mail
        return None

    async def _hand_over(self, line: Line, mail: rules.mails.Mail) -> Verdict:
        # A report that was written while a clock was behind gets its try all the same.
        may_be_late = mail.secret or mail.tries > 1
        is_late = may_be_late and clock.now() >= mail.give_up_at
        if is_late and await self._is_time_believed():
            return Verdict("refused", "It was not accepted in time.")
        try:
            body = actions.mails.open_body(self.resources, mail)
        except KeysUnreadable:
            return Verdict("refused", "It was sealed with another key.")
        verdict = await line.deliver(mail.recipient, body)
        OUTCOMES.labels(verdict.outcome).inc()
        if verdict.outcome == "uncertain":
            POSSIBLE_DUPLICATES.inc()
        return verdict

    async def _is_time_believed(self) -> bool:
        """Whether it is really too late: what is given up for a wrong clock is lost."""
        try:
            await timekeeping.check_time(self.pool)
        except timekeeping.TimeDoubtful:
            return False
        return True

    async def _keep(self, mail: rules.mails.Mail, verdict: Verdict) -> None:
        """Writes the verdict down, again and again while PostgreSQL is away."""
        for attempt in range(1, KEEPING_TRIES + 1):
            try:
                async with database.transaction(self.pool) as conn:
                    await actions.mails.keep_verdict(conn, self.resources, mail, verdict)
            except Unavailable:
                # After a COMMIT of unknown outcome the second time changes nothing.
                if attempt == KEEPING_TRIES:
                    raise
                await asyncio.sleep(OUTAGE_SECONDS)
            else:
                return

    async def _hang_up(self, lines: set[asyncio.Task[None]]) -> None:
        """Lets what is under way end, for a while; the rest is sent again in the next turn.

        Where the process ends it is cancelled once more, and does not wait any longer.
        """
        self._stopping = True
        try:
            if lines:
                await asyncio.wait(lines, timeout=DRAIN_SECONDS)
        finally:
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)
            self._stopping = False


async def write_digests(sender: Sender) -> None:
    """Tells of the mails that were held back."""
    await actions.digests.write_digests(sender.pool, sender.resources)


async def write_morning(sender: Sender) -> None:
    """Tells the hotline each morning what is still open."""
    await actions.hotline.write_morning(sender.pool, sender.resources)


async def escalate_old(sender: Sender) -> None:
    """Tells the hotline once more of what nobody has in hand."""
    await actions.hotline.escalate_old(sender.pool, sender.resources)


async def forget_settled(sender: Sender) -> None:
    """Forgets what was over long ago."""
    await actions.hotline.forget_settled(sender.pool)


async def call_webhooks(sender: Sender) -> int:
    """Tells webhooks what they want to hear, on threads of their own."""
    return await actions.webhooks.call_all(sender.pool, sender.resources, sender.threads)


async def tell_missed(sender: Sender) -> int:
    """Tells of runs that never came."""
    return await actions.missed.tell_missed(sender.pool, sender.resources)


async def forget_farewells(sender: Sender) -> None:
    """Forgets the last of destroyed clients, once their certificate is mailed."""
    await actions.destructions.forget_farewells(sender.pool)


async def measure_queue(sender: Sender) -> None:
    """Tells how many mails are unfinished."""
    async with database.acquire(sender.pool) as conn:
        counted = await store.mails.count(conn)
    for state in ("queued", "sending"):
        UNFINISHED.labels(state).set(counted.get(state, 0))
    await actions.webhooks.measure(sender.pool, sender.resources)


JOBS: Jobs[Sender] = [
    # A commit that adds a mail wakes it; the clock serves the retries.
    Job(
        "send_mails",
        timedelta(seconds=1),
        Sender.send,
        leader=True,
        wake=store.mails.QUEUE_CHANNEL,
    ),
    Job("write_digests", timedelta(minutes=1), write_digests, leader=True),
    Job("write_morning", timedelta(minutes=1), write_morning, leader=True),
    Job("escalate_old", timedelta(minutes=1), escalate_old, leader=True),
    Job("forget_settled", timedelta(hours=1), forget_settled, leader=True),
    Job(
        "call_webhooks",
        timedelta(seconds=1),
        call_webhooks,
        leader=True,
        wake=store.webhooks.CHANNEL,
    ),
    Job("tell_missed", timedelta(minutes=1), tell_missed, leader=True),
    Job("forget_farewells", timedelta(minutes=1), forget_farewells, leader=True),
    Job("measure_queue", timedelta(seconds=15), measure_queue),
]
