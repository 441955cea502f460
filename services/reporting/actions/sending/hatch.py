"""Where connections get mails and bring back what became of them, many in one transaction."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, field
from uuid import UUID

from libs.shared import clock, database, logs
from libs.shared.crashpoints import crashpoint
from libs.shared.database import Connection, Pool
from libs.shared.errors import Unavailable
from services.reporting import store
from services.reporting.actions.resources import Resources
from services.reporting.actions.sending import verdicts
from services.reporting.actions.sending.paces import Paces
from services.reporting.mail.smtp import Verdict
from services.reporting.rules.mails import Mail, domain_of

OUTAGE_SECONDS = 1.0
KEEPING_TRIES = 20

Done = tuple[Mail, Verdict]


@dataclass(slots=True)
class _Visit:
    """A connection at the hatch: what it brings, whether it takes another mail, what it gets."""

    done: Done | None
    more: bool
    got: asyncio.Future[Mail | None] = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )


class Hatch:
    """Hands out the mails that are due, and writes verdicts down.

    Whoever comes while a transaction is under way shares the next one: a commit for each mail
    would be what bounds the queue. A mail is with one connection at a time, and "sending" is
    committed before the connection gets it.
    """

    def __init__(self, pool: Pool, resources: Resources, sender_id: UUID, paces: Paces) -> None:
        self._pool = pool
        self._resources = resources
        self._sender_id = sender_id
        self._paces = paces
        self._visits: list[_Visit] = []
        self._service: asyncio.Task[None] | None = None
        self._turn: UUID | None = None  # the client whose mail went last
        self._is_doubtful = False  # whether a claim may have been committed that nobody heard of
        self._in_hand: dict[UUID, Mail] = {}
        self._unkept: set[UUID] = set()  # brought back, and not written down yet

    @property
    def in_hand(self) -> list[UUID]:
        """What connections got and brought no verdict on, or none that was written down."""
        return [*self._in_hand, *self._unkept]

    async def swap(self, done: Done | None, *, more: bool) -> Mail | None:
        """Takes a verdict, and gives the next mail if one is wanted and due.

        Raises Unavailable where PostgreSQL is away for longer than verdicts wait.
        """
        visit = _Visit(done, more)
        self._visits.append(visit)
        if self._service is None:
            self._service = asyncio.create_task(self._serve())
        return await visit.got

    async def close(self) -> None:
        """Ends what is under way; what was not written down is `in_hand` until `forget`."""
        if self._service is not None:
            self._service.cancel()
            await asyncio.gather(self._service, return_exceptions=True)

    def forget(self) -> None:
        """Begins anew, once what was in hand has been given back."""
        for mail in self._in_hand.values():
            self._paces.end(mail, None)
        self._in_hand.clear()
        self._unkept.clear()

    async def _serve(self) -> None:
        try:
            while self._visits:
                visits, self._visits = self._visits, []
                try:
                    claimed = await self._exchange(visits)
                except Exception as failure:
                    _fail(visits, failure)
                except asyncio.CancelledError:
                    _fail(visits, Unavailable("the sender ends"))
                    raise
                else:
                    self._hand_out(visits, claimed)
        finally:
            self._service = None

    def _hand_out(self, visits: list[_Visit], claimed: list[Mail]) -> None:
        for visit in visits:
            if visit.got.done():
                continue  # its connection was cut while it waited
            mail = claimed.pop(0) if visit.more and claimed else None
            if mail is not None:
                self._in_hand[mail.mail_id] = mail
                self._paces.begin(mail)
            visit.got.set_result(mail)
        self._is_doubtful = self._is_doubtful or bool(claimed)

    async def _exchange(self, visits: list[_Visit]) -> list[Mail]:
        """One transaction for all of them; again and again while PostgreSQL is away."""
        done = [visit.done for visit in visits if visit.done is not None]
        for mail, verdict in done:  # first, so that their domains have room for what is claimed
            self._paces.end(self._in_hand.pop(mail.mail_id), verdict)
            self._unkept.add(mail.mail_id)
        wanted = sum(visit.more for visit in visits)
        for attempt in range(1, KEEPING_TRIES + 1):
            try:
                async with database.transaction(self._pool) as conn:
                    await verdicts.keep_verdicts(conn, self._resources, done)
                    claimed = await self._claim(conn, wanted) if wanted else []
            except Unavailable:
                # After a COMMIT of unknown outcome the second time keeps nothing anew.
                self._is_doubtful = True
                if not done or attempt == KEEPING_TRIES:
                    raise
                await asyncio.sleep(OUTAGE_SECONDS)
            except Exception:
                if not done:
                    raise
                await self._keep_apart(done)
                claimed = []
                break
            else:
                self._is_doubtful = False
                break
        if claimed:
            crashpoint("reporting.claimed")
        self._unkept -= {mail.mail_id for mail, _ in done}
        return claimed

    async def _keep_apart(self, done: list[Done]) -> None:
        """A bug in what follows from one verdict: that mail is tried again, the others are kept."""
        for mail, verdict in done:
            try:
                async with database.transaction(self._pool) as conn:
                    await verdicts.keep_verdicts(conn, self._resources, [(mail, verdict)])
            except Unavailable:
                raise
            except Exception:
                logs.get().exception("mail.failed", mail_id=str(mail.mail_id))
                failed = Verdict("uncertain", "internal error")
                async with database.transaction(self._pool) as conn:
                    await verdicts.keep_verdicts(conn, self._resources, [(mail, failed)])

    async def _claim(self, conn: Connection, wanted: int) -> list[Mail]:
        """Takes the oldest mails of the next clients, in a circle; one-time passwords before all.

        So a client with a thousand mails in the queue is a few mails before anybody else's next.
        """
        if self._is_doubtful:
            await store.sending.claims.requeue_unbegun(conn, self._sender_id, self.in_hand)
        slots = self._paces.count_slots()
        most = self._paces.limits.domain_connections
        claimed: list[Mail] = []
        for secret in (True, False):
            if len(claimed) == wanted:
                break
            full = [domain for domain, free in slots.items() if free <= 0]
            left = wanted - len(claimed)
            turns = await self._list_turns(conn, left, full, secret=secret)
            if not turns:
                continue
            each = math.ceil(left / len(turns))
            mails_ = await store.sending.claims.claim(
                conn, clock.now(), self._sender_id, turns, each, left, slots, most, secret=secret
            )
            for mail in mails_:
                domain = domain_of(mail.recipient)
                slots[domain] = slots.get(domain, most) - 1
            if mails_:
                self._turn = turns[-1]
            claimed += mails_
        return claimed

    async def _list_turns(
        self, conn: Connection, limit: int, full: list[str], *, secret: bool
    ) -> list[UUID]:
        now = clock.now()
        turns = await store.sending.claims.list_turns(
            conn, now, self._turn, limit, full, secret=secret
        )
        if self._turn is not None and len(turns) < limit:
            first = await store.sending.claims.list_turns(
                conn, now, None, limit, full, secret=secret
            )
            turns = list(dict.fromkeys([*turns, *first]))[:limit]
        return turns


def _fail(visits: list[_Visit], failure: Exception) -> None:
    for visit in visits:
        if not visit.got.done():
            visit.got.set_exception(failure)
