"""The sender: connections that last while there is work, in any number of processes.

Each process has a session whose lock says that its sender lives: what is `sending` under the
name of one whose lock is gone was left by it, and is sent again with the same Message-ID.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from email.utils import parseaddr
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter, Histogram

from libs.shared import clock, database, heartbeats, logs, timekeeping, tracing
from libs.shared.database import Pool
from libs.shared.errors import Unavailable
from libs.shared.keys import KeysUnreadable
from services.reporting import rules, store
from services.reporting.actions import composing
from services.reporting.actions.resources import Resources
from services.reporting.actions.sending.hatch import Hatch
from services.reporting.actions.sending.paces import Paces
from services.reporting.mail.compose import find_trace
from services.reporting.mail.mailboxes import Mailbox
from services.reporting.mail.smtp import Line, MailServer, Unreachable, Verdict
from services.reporting.rules.mails import Mail
from services.reporting.rules.pacing import Limits

LOCK = "coffre/reporting/jobs/send_mails/"
LOOK_SECONDS = 0.25
LINGER_SECONDS = 1.0
DRAIN_SECONDS = 20.0
ROLL_CALL_SECONDS = 1.0

SECONDS = Histogram(
    "coffre_smtp_transaction_seconds",
    "Duration of handing one mail over, whatever became of it",
    buckets=(0.05, 0.25, 1, 5, 30, 300),
)
UNREACHABLE = Counter("coffre_smtp_unreachable", "Connections that the mail server did not take")
OUTCOMES = Counter("coffre_mail_outcomes", "SMTP transactions by outcome", ["outcome"])
for _outcome in ("accepted", "refused", "too-large", "later", "uncertain"):
    OUTCOMES.labels(_outcome)
POSSIBLE_DUPLICATES = Counter(
    "coffre_mail_possible_duplicates", "Mails sent again after an uncertain outcome"
)


class Sender:
    """Hands the queue's mails over, beside those of other processes.

    mailbox: where what comes back of them is read. threads: webhooks are called from there.
    """

    def __init__(
        self,
        pool: Pool,
        server: MailServer,
        resources: Resources,
        limits: Limits | None = None,
        mailbox: Mailbox | None = None,
    ) -> None:
        self.pool = pool
        self.resources = resources
        self.mailbox = mailbox
        self.threads = ThreadPoolExecutor(rules.webhooks.MOST, "webhook")
        self.sender_id = uuid4()
        self._server = server
        self._limits = limits or Limits()
        self._paces = Paces(self._limits)
        self._hatch = Hatch(pool, resources, self.sender_id, self._paces)
        self._failures = 0
        self._rest_until = 0.0
        self._stopping = False
        self._due = asyncio.Event()
        self._missing: set[UUID] = set()
        self._called_at = 0.0

    @property
    def lock(self) -> str:
        """The name under which this sender leads its own work, after the service's."""
        return LOCK.removeprefix("coffre/reporting/") + str(self.sender_id)

    async def check_server(self) -> None:
        """Raises Unavailable while the mail server takes no connection."""
        if self._failures:
            raise Unavailable("mail server")

    async def send(self) -> None:
        """Hands over what is due, and what becomes so meanwhile; SMTP being away ends that.

        So does PostgreSQL, for what is in hand then is given back by the next turn.
        """
        await self._give_back_own()
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

    async def _give_back_own(self) -> None:
        """What an earlier turn of this sender left, as its session was lost."""
        async with database.transaction(self.pool) as conn:
            await store.sending.claims.requeue_unbegun(conn, self.sender_id, self._hatch.in_hand)
            own = await store.sending.claims.requeue_interrupted(
                conn, clock.now(), [self.sender_id]
            )
            await store.sending.claims.bring_back(conn, clock.now(), 2 * rules.mails.LONGEST_PAUSE)
        self._hatch.forget()
        _tell_requeued(own)

    async def _give_back_others(self) -> None:
        """What senders left that are gone; only at the second look, for one may just be ending."""
        if time.monotonic() < self._called_at + ROLL_CALL_SECONDS:
            return
        self._called_at = time.monotonic()
        async with database.transaction(self.pool) as conn:
            gone = await store.sending.claims.list_gone_senders(conn, LOCK)
            known, self._missing = gone & self._missing, gone
            if not known:
                return
            left = await store.sending.claims.requeue_interrupted(conn, clock.now(), known)
        _tell_requeued(left)

    async def _open_lines(self, open_lines: int) -> set[asyncio.Task[None]]:
        """As many more connections as there are mails due, up to the limit in all."""
        await self._give_back_others()
        most = self._limits.connections
        slots = self._paces.count_slots()
        async with database.acquire(self.pool) as conn:
            due = await store.sending.claims.count_due(
                conn, clock.now(), most, slots, self._limits.domain_connections
            )
        if due:
            self._due.set()
        if time.monotonic() < self._rest_until:
            return set()
        # A server that did not answer is asked by one line only.
        most = 1 if self._failures else most
        idle = open_lines - len(self._hatch.in_hand)  # they connect, or linger
        wanted = min(due - idle, most - open_lines)
        return {asyncio.create_task(self._work()) for _ in range(wanted)}

    async def _work(self) -> None:
        """Hands over mails on one connection until none is due, or the connection ends."""
        with heartbeats.part():
            try:
                async with self._server.connect() as line:
                    self._failures = 0
                    while mail := await self._find_next(line):
                        await self._send(line, mail)
            except Unreachable as trouble:
                self._rest(trouble)

    async def _find_next(self, line: Line) -> Mail | None:
        """The first mail of a connection, or after a while without any; None: it can end."""
        for _ in range(2):
            if not line.is_usable or self._stopping:
                return None
            self._due.clear()
            if mail := await self._hatch.swap(None, more=True):
                return mail
            try:
                async with asyncio.timeout(LINGER_SECONDS):
                    await self._due.wait()
            except TimeoutError:
                return None
        return None

    async def _send(self, line: Line, first: Mail) -> None:
        """Sends a mail, and those that it gets for what became of it."""
        mail: Mail | None = first
        while mail is not None:
            verdict = await self._hand_over(line, mail)
            heartbeats.beat()
            more = line.is_usable and not self._stopping
            mail = await self._hatch.swap((mail, verdict), more=more)

    def _rest(self, trouble: Unreachable) -> None:
        """Leaves the mail server alone, longer each time; lines that fail together count once."""
        UNREACHABLE.inc()
        if time.monotonic() < self._rest_until:
            return
        self._failures += 1
        self._rest_until = time.monotonic() + rules.mails.find_pause(self._failures)
        if self._failures in {1, 10} or self._failures % 100 == 0:
            logs.get().warning("smtp.unreachable", why=str(trouble), tries=self._failures)

    async def _hand_over(self, line: Line, mail: Mail) -> Verdict:
        """What the server made of a mail; a bug of ours leaves it for another try."""
        try:
            return await self._deliver(line, mail)
        except Unavailable:
            raise
        except Exception:
            logs.get().exception("mail.failed", mail_id=str(mail.mail_id))
            return Verdict("uncertain", "internal error")

    async def _deliver(self, line: Line, mail: Mail) -> Verdict:
        # A report that was written while a clock was behind gets its try all the same.
        may_be_late = mail.secret or mail.tries > 1
        is_late = may_be_late and clock.now() >= mail.give_up_at
        if is_late and await self._is_time_believed():
            return Verdict("refused", "It was not accepted in time.")
        try:
            body = composing.open_body(self.resources, mail)
        except KeysUnreadable:
            return Verdict("refused", "It was sealed with another key.")
        envelope = _find_envelope_sender(self.resources, mail)
        # What waits is signed by the key of the day that it goes.
        signer = self.resources.signer
        signed = signer.sign(body) if signer else body
        with _going_on(mail, body) as span, SECONDS.time():
            verdict = await line.deliver(envelope, mail.recipient, signed)
            span.say(coffre__outcome=verdict.outcome)
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

    async def _hang_up(self, lines: set[asyncio.Task[None]]) -> None:
        """Lets what is under way end, for a while; the rest is sent again in the next turn.

        Where the process ends it is cancelled once more, and does not wait any longer.
        """
        self._stopping = True
        self._due.set()
        try:
            if lines:
                await asyncio.wait(lines, timeout=DRAIN_SECONDS)
        finally:
            for line in lines:
                line.cancel()
            await asyncio.gather(*lines, return_exceptions=True)
            await self._hatch.close()
            self._stopping = False


@contextmanager
def _going_on(mail: Mail, body: bytes) -> Iterator[tracing.Span]:
    """The trace of what made the mail be written."""
    with (
        structlog.contextvars.bound_contextvars(
            mail_id=str(mail.mail_id), tenant_id=str(mail.tenant_id)
        ),
        tracing.trace(find_trace(body), "send mail", "client", coffre__kind=mail.kind) as span,
    ):
        yield span


def _tell_requeued(count: int) -> None:
    if count:
        POSSIBLE_DUPLICATES.inc(count)
        logs.get().warning("mail.requeued", mails=count)


def _find_envelope_sender(resources: Resources, mail: Mail) -> str:
    """Where a bounce of this mail goes."""
    if not resources.bounces_address:
        return parseaddr(resources.sender)[1]
    return rules.bounces.make_envelope_sender(
        resources.bounces_address, resources.mail_key, mail.tenant_id, mail.mail_id
    )
