"""Who sends what, how fast: several senders, domains that want fewer mails, hanging servers."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from libs.shared import clock, database, outbox
from libs.shared.errors import Unavailable
from services.reporting import actions, store
from services.reporting.actions.sending import Sender
from services.reporting.jobs import JOBS
from services.reporting.mail import letters
from services.reporting.mail.smtp import MailServer, Patience, Unreachable, Verdict
from services.reporting.rules import pacing
from services.reporting.rules.pacing import Limits
from tests.agent.wires import self_signed
from tests.reporting.conftest import Client, Desk, is_finished
from tests.reporting.faulty_smtp import Fault, FaultySMTP

SHORT = Patience(connect=0.4, command=0.4, final=0.4)
SILENCE = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("fault", "doubtful"),
    [("hang-at-person", False), ("hang-at-text", False), ("hang-after-dot", True)],
)
async def test_a_server_that_hangs_holds_up_one_mail_alone(
    desk: Desk, client: Client, fault: Fault, doubtful: bool
) -> None:
    other = f"paul@{uuid4().hex[:8]}.example"
    desk.patience = SHORT

    def choose(to: str, nth: int) -> Fault:
        return fault if to == client.email and nth == 1 else "none"

    await desk.handle(client.tenant(), client.plan(), client.recipients(client.email, other))
    await desk.handle(client.run())
    async with FaultySMTP(choose) as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    states = {mail["recipient"]: mail for mail in await desk.mails()}
    assert [taken.recipient for taken in smtp.taken] == [other, client.email]
    assert states[client.email]["possible_duplicates"] == int(doubtful)
    assert (states[client.email]["tries"], states[other]["tries"]) == (2, 1)


async def test_a_server_that_hangs_before_its_greeting_costs_no_try(
    desk: Desk, client: Client
) -> None:
    desk.patience = SHORT
    await desk.handle(client.tenant(), client.plan(), client.run())
    faults: list[Fault] = ["hang-at-greeting", "none"]
    async with (
        FaultySMTP(lambda to, nth: faults[min(nth, 2) - 1] if not to else "none") as smtp,
        desk.sending(smtp.port),
    ):
        await desk.wait(is_finished)
    [mail] = await desk.mails()
    assert (mail["state"], mail["tries"]) == ("sent", 1)


async def test_many_senders_never_take_the_same_mail(desk: Desk) -> None:
    clients = [Client() for _ in range(5)]
    for one in clients:
        await desk.handle(one.tenant(), one.plan())
        await desk.handle(*(one.run(number) for number in range(1, 13)))
    desk.limits = Limits(connections=4, domain_connections=4)
    async with FaultySMTP() as smtp, AsyncExitStack() as senders:
        for _ in range(4):
            await senders.enter_async_context(desk.sending(smtp.port))
        await desk.wait(is_finished)
    assert len(smtp.taken) == 60
    assert Counter(taken.message_id for taken in smtp.taken).most_common(1)[0][1] == 1
    assert {mail["possible_duplicates"] for mail in await desk.mails()} == {0}
    assert {mail["receipt"] for mail in await desk.mails()} == {"250 2.0.0 taken"}
    assert smtp.connections > 4, "one sender alone had done it all"


async def test_senders_wait_for_clients_in_one_order(desk: Desk) -> None:
    """Whoever waits for a client has none that comes after it: two senders never deadlock."""
    clients = sorted([Client(), Client(), Client()], key=lambda one: one.tenant_id)
    for one in clients:
        await desk.handle(one.tenant(), one.plan(), one.run())
    turns = [one.tenant_id for one in clients]
    async with database.transaction(desk.pool) as conn:
        claimed = await store.sending.claims.claim(
            conn, clock.now(), uuid4(), turns, 1, 9, {}, 9, secret=False
        )
        of = {mail.tenant_id: mail for mail in claimed}
        first, second, third = (of[tenant_id] for tenant_id in turns)
        await actions.mails.give_up(conn, desk.office, third, "550 5.1.1 no such user")
    refused = Verdict("refused", "550 5.1.1 no such user")
    done = [(third, Verdict("accepted", "250 taken")), (second, refused), (first, refused)]

    async def keep() -> None:
        async with database.transaction(desk.pool) as conn:
            await actions.sending.verdicts.keep_verdicts(conn, desk.office, done)

    async with database.transaction(desk.pool) as conn:
        await store.clients.lock(conn, turns[1])
        keeping = asyncio.create_task(keep())
        while not await conn.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
        ):
            await asyncio.sleep(0.01)
        free = await conn.fetchval(
            "SELECT pg_try_advisory_xact_lock(hashtextextended('reporting.' || $1::text, 0))",
            str(turns[2]),
        )
    await keeping
    assert free
    by_client = {mail["tenant_id"]: mail for mail in await desk.mails(kind="report")}
    states = [by_client[tenant_id]["state"] for tenant_id in turns]
    assert states == ["undeliverable", "undeliverable", "sent"]
    assert len(await desk.mails(kind="closed")) == 1


async def test_what_one_sender_left_another_sends(desk: Desk, client: Client) -> None:
    """What a sender has in hand that is alive stays its own."""
    await desk.handle(client.tenant(), client.plan(), client.run(1), client.run(2))
    alive, gone = uuid4(), uuid4()
    reports = await desk.mails()
    async with (
        FaultySMTP() as smtp,
        database.leading(desk.dsn, "reporting", f"jobs/send_mails/{alive}"),
    ):
        for mail, sender in zip(reports, (alive, gone), strict=True):
            await desk.pool.execute(
                "UPDATE mails SET state = 'sending', tries = 1, sender = $2 WHERE mail_id = $1",
                mail["mail_id"],
                sender,
            )
        async with desk.sending(smtp.port):
            await smtp.wait_taken(1)
            await desk.wait(lambda mails: any(mail["state"] == "sent" for mail in mails))
            by_id = {mail["mail_id"]: mail for mail in await desk.mails()}
    assert by_id[reports[0]["mail_id"]]["state"] == "sending"
    assert by_id[reports[1]["mail_id"]]["state"] == "sent"
    assert by_id[reports[1]["mail_id"]]["possible_duplicates"] == 1


async def test_a_claim_that_nobody_heard_of_is_given_back_uncounted(
    desk: Desk, client: Client
) -> None:
    await desk.handle(client.tenant(), client.plan(), client.run())
    sender, now = uuid4(), clock.now()
    async with database.transaction(desk.pool) as conn:
        [turn] = await store.sending.claims.list_turns(conn, now, None, 9, [], secret=False)
        [mail] = await store.sending.claims.claim(
            conn, now, sender, [turn], 1, 9, {}, 5, secret=False
        )
        await store.sending.claims.requeue_unbegun(conn, sender, [mail.mail_id])
    assert (await desk.mails())[0]["state"] == "sending", "it is in hand"
    async with database.transaction(desk.pool) as conn:
        await store.sending.claims.requeue_unbegun(conn, sender, [])
    [kept] = await desk.mails()
    assert (kept["state"], kept["tries"], kept["possible_duplicates"]) == ("queued", 0, 0)


async def test_a_domain_that_asks_for_fewer_mails_gets_fewer_and_no_other_does(
    desk: Desk, client: Client
) -> None:
    """It says 421 4.7.0 to the first; its others wait untried, those of other domains go on."""
    busy = [f"user{number}@busy.example" for number in range(6)]
    free = [f"user{number}@free.example" for number in range(6)]
    desk.limits = Limits(domain_connections=1, first_pause=3600)
    await desk.handle(client.tenant(), client.plan(), client.recipients(*busy, *free))
    await desk.handle(client.run())
    async with (
        FaultySMTP(lambda to, _: "slow-down" if "@busy" in to else "none") as smtp,
        desk.sending(smtp.port),
    ):
        await desk.wait(lambda mails: Counter(mail["state"] for mail in mails)["sent"] == 6)
        await desk.wait(lambda mails: sum(mail["tries"] for mail in mails) == 7)
        await desk.make_due()
        await desk.handle(client.run(2))
        await desk.wait(lambda mails: Counter(mail["state"] for mail in mails)["sent"] == 12)
    tries = Counter((mail["recipient"] in free, mail["tries"]) for mail in await desk.mails())
    assert tries == {(True, 1): 12, (False, 1): 1, (False, 0): 11}


async def test_so_many_connections_carry_mails_to_one_domain_at_once(
    desk: Desk, client: Client
) -> None:
    people = [f"user{number}@one.example" for number in range(20)]
    desk.limits = Limits(connections=6, domain_connections=2)
    await desk.handle(client.tenant(), client.plan(), client.recipients(*people), client.run())
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    assert smtp.most_at_once["one.example"] <= 2
    assert len(smtp.taken) == 20


def test_the_pace_of_a_domain() -> None:
    limits = Limits(
        domain_connections=3, domain_per_second=2, first_pause=10, longest_pause=35
    )  # a burst of 20
    pace = pacing.start(limits, 0)
    for expected in (3, 2, 1, 0):
        assert pacing.count_slots(pace, limits, 0) == expected
        pace = pacing.begin(pace, limits, 0)
    for _ in range(4):
        pace = pacing.end(pace, limits, 0, accepted=True, slows=False)
    for _ in range(16):
        pace = pacing.begin(pace, limits, 0)
        pace = pacing.end(pace, limits, 0, accepted=True, slows=False)
    assert pacing.count_slots(pace, limits, 0) == 0, "the rate is spent"
    assert pacing.count_slots(pace, limits, 1) == 2
    assert not pacing.is_idle(pace, limits, 9.9)
    assert pacing.is_idle(pace, limits, 10)

    pauses = []
    now = 100.0
    for _ in range(4):
        pace = pacing.begin(pacing.begin(pace, limits, now), limits, now)
        for _ in range(2):  # two that fail together count once
            pace = pacing.end(pace, limits, now, accepted=False, slows=True)
        pauses.append(pace.rests_until - now)
        assert pacing.count_slots(pace, limits, pace.rests_until - 0.1) == 0
        now = pace.rests_until
        assert pacing.count_slots(pace, limits, now) == 1, "one finds out"
    assert pauses == [10, 20, 35, 35]
    pace = pacing.end(pacing.begin(pace, limits, now), limits, now, accepted=True, slows=False)
    assert pacing.count_slots(pace, limits, now) == 3


@pytest.mark.parametrize("pipelining", [True, False])
async def test_after_a_refusal_the_connection_carries_the_next_mail(pipelining: bool) -> None:
    faults: dict[str, Fault] = {"b@x.example": "person-unknown", "c@x.example": "text-refused"}
    async with FaultySMTP(lambda to, _: faults.get(to, "none"), pipelining=pipelining) as smtp:
        server = MailServer("127.0.0.1", smtp.port, "none")
        async with server.connect() as line:
            for to, outcome in {
                "a@x.example": "accepted",
                "b@x.example": "refused",
                "c@x.example": "refused",
                "d@x.example": "accepted",
            }.items():
                body = b"Message-ID: <1@x>\r\n\r\n.begins with a dot\r\n..\r\nends without line end"
                verdict = await line.deliver("coffre@p.example", to, body)
                assert verdict.outcome == outcome
    assert smtp.connections == 1
    assert [taken.recipient for taken in smtp.taken] == ["a@x.example", "d@x.example"]
    assert all(taken.raw == body + b"\r\n" for taken in smtp.taken)
    assert {taken.sender for taken in smtp.taken} == {"coffre@p.example"}


async def test_an_address_with_a_line_end_is_said_to_no_server() -> None:
    async with FaultySMTP() as smtp:
        async with MailServer("127.0.0.1", smtp.port, "none").connect() as line:
            verdict = await line.deliver("coffre@p.example", "a@x>\r\nRCPT TO:<b@x", b"\r\nx\r\n")
        assert verdict.outcome == "later"
        assert not smtp.tries


@pytest.mark.parametrize("security", ["starttls", "opportunistic"])
async def test_a_wrong_certificate_ends_it_before_anything_is_said(
    security: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = self_signed(tmp_path)
    async with FaultySMTP(tls=context, password="Zk3") as smtp:
        server = MailServer("127.0.0.1", smtp.port, security, "coffre", "Zk3")
        with pytest.raises(Unreachable, match="CERTIFICATE_VERIFY_FAILED"):
            async with server.connect():
                pass
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        async with server.connect() as line:
            verdict = await line.deliver("coffre@p.example", "a@x.example", b"\r\nx\r\n")
        assert verdict.outcome == "accepted"


async def test_what_is_opportunistic_goes_openly_where_nothing_else_is_offered() -> None:
    async with FaultySMTP() as smtp:
        server = MailServer("127.0.0.1", smtp.port, "opportunistic")
        async with server.connect() as line:
            assert (await line.deliver("c@p.example", "a@x.example", b"\r\n")).outcome == "accepted"


async def test_a_server_that_is_down_for_a_day_gets_every_mail(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    await desk.handle(client.tenant(), client.plan(), client.run(1))
    smtp = FaultySMTP()
    await smtp.start()
    await smtp.stop()
    async with desk.sending(smtp.port) as sender:
        while not await _is_away(sender):
            await asyncio.sleep(0.02)
        tomorrow = clock.now() + timedelta(days=1)
        monkeypatch.setattr(clock, "now", lambda: tomorrow)
        await desk.handle(client.run(2))
        await smtp.start()
        await desk.wait(is_finished)
    await smtp.stop()
    assert {(mail["state"], mail["tries"]) for mail in await desk.mails()} == {("sent", 1)}
    assert len(smtp.taken) == 2


async def _is_away(sender: Sender) -> bool:
    try:
        await sender.check_server()
    except Unavailable:
        return True
    return False


async def test_what_the_platform_suffers_is_mailed_to_nobody(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No mail server, and events that no broker takes: metrics tell of it, and mails would wait."""
    began, accepted = clock.now(), letters.report.KIND.accepted
    assert accepted is not None
    await desk.handle(client.tenant(), client.plan(), client.run())
    [report] = await desk.mails()
    async with database.transaction(desk.pool) as conn:
        mail = await store.mails.find(conn, report["mail_id"])
        assert mail is not None
        await outbox.add(conn, accepted(mail, began))
    async with (
        FaultySMTP(lambda _to, _nth: "refuse-connection") as smtp,
        desk.sending(smtp.port) as sender,
    ):
        for day in (0.5, 2, 9):
            now = began + timedelta(days=day)
            monkeypatch.setattr(clock, "now", lambda now=now: now)
            monkeypatch.setattr(clock, "offset", lambda now=now: now - began)
            connections = smtp.connections
            await desk.make_due()
            while smtp.connections == connections:
                await asyncio.sleep(0.02)
            for job in JOBS:
                # The last one forgets by the date, and does not believe such leaps.
                if job.name not in {"send_mails", "tell_missed", "forget_texts"}:
                    await job.do(sender)
    async with database.acquire(desk.pool) as conn:
        assert await conn.fetchval("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 1
        assert await conn.fetchval("SELECT count(*) FROM incidents") == 0
    [kept] = await desk.mails()
    assert (kept["mail_id"], kept["state"], kept["tries"]) == (report["mail_id"], "queued", 0)


async def test_a_mail_that_is_stuck_is_silent_though_others_go(desk: Desk, client: Client) -> None:
    def choose(to: str, _nth: int) -> Fault:
        return "hang-at-person" if to == client.email else "none"

    await desk.handle(client.tenant(), client.plan(), client.run())
    other = Client()
    await desk.handle(other.tenant(), other.plan())
    async with FaultySMTP(choose) as smtp, desk.sending(smtp.port, longest_silence=SILENCE):
        heartbeat = desk.heartbeat
        assert heartbeat is not None
        for number in range(1, 100):
            await desk.handle(other.run(number))
            await smtp.wait_taken(number)
            if heartbeat.is_silent():
                break
        assert heartbeat.is_silent()
    assert not heartbeat.is_silent()
