"""What the mail queue promises, against mail servers that keep their word or don't."""

from __future__ import annotations

import asyncio
import email
import email.policy
import json
import random
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from prometheus_client import REGISTRY

from libs.shared import clock, signed_links
from libs.shared.errors import Unavailable
from libs.shared.events import Reader, RunFinished
from services.reporting import store
from tests.reporting.conftest import ABOUT, Client, Desk, is_finished
from tests.reporting.faulty_smtp import Fault, FaultySMTP

SURE_FAULTS: list[Fault] = [
    "shut-down",
    "person-later",
    "sender-sign-in",
    "our-name",
    "our-name-refused",
    "cut-at-person",
    "text-later",
]
UNSURE_FAULTS: list[Fault] = ["cut-before-dot", "cut-after-dot", "garbage-after-dot"]


async def test_a_report_reaches_its_reader_once(
    desk: Desk, client: Client, servers, mailbox
) -> None:
    await desk.handle(client.tenant(), client.plan(), client.run())
    async with desk.sending(servers.smtp_port):
        [mail] = await asyncio.to_thread(mailbox.wait, client.email)
        await desk.wait(is_finished)

    assert mail["Subject"] == f"[REUSSIE] {ABOUT}"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["To"] == f"Jeanne Martin <{client.email}>"
    [kept] = await desk.mails()
    assert kept["message_id"] == mail["Message-ID"]
    assert kept["body"] is not None, "the mail is kept as proof of sending"
    [sent] = await desk.published("report.sent.v1")
    told = json.loads(sent["payload"])
    assert (told["recipient"], told["subject"]) == (client.email, mail["Subject"])
    assert "/reports/" in mail.get_body(("plain",)).get_content()
    assert "/reports/" not in told["text"], "by it the reader alone says what they get"


async def test_the_commit_wakes_the_sender(desk: Desk, client: Client) -> None:
    """Nothing else does: the clock would in an hour."""
    async with FaultySMTP() as smtp, desk.sending(smtp.port, every=timedelta(hours=1)):
        await desk.handle(client.tenant(), client.plan(), client.run(1))
        async with asyncio.timeout(60):
            while not smtp.taken:  # it may not listen yet
                await desk.pool.execute(f"NOTIFY {store.mails.QUEUE_CHANNEL}")
                await asyncio.sleep(0.05)
        for number in range(2, 6):
            await asyncio.sleep(0.3)  # so that it rests
            await desk.handle(client.run(number))
            await smtp.wait_taken(number)


def was_tried(mails: list[dict[str, Any]]) -> bool:
    """Whether each mail was handed over once, be it in vain."""
    return all(mail["tries"] and mail["state"] != "sending" for mail in mails)


@pytest.mark.parametrize("fault", SURE_FAULTS)
async def test_what_fails_for_now_is_sent_later(desk: Desk, client: Client, fault: Fault) -> None:
    async with FaultySMTP(lambda _, nth: fault if nth == 1 else "none") as smtp:
        await desk.handle(client.tenant(), client.plan(), client.run())
        async with desk.sending(smtp.port):
            await desk.wait(was_tried)
            await desk.make_due()  # below, the pause is waited for
            await desk.wait(is_finished)
    [mail] = await desk.mails()
    assert (mail["state"], mail["tries"], mail["possible_duplicates"]) == ("sent", 2, 0)
    assert len(smtp.taken) == 1


@pytest.mark.parametrize("fault", UNSURE_FAULTS)
async def test_what_may_have_arrived_is_sent_again_under_the_same_id_and_counted(
    desk: Desk, client: Client, fault: Fault
) -> None:
    async with FaultySMTP(lambda _, nth: fault if nth == 1 else "none") as smtp:
        await desk.handle(client.tenant(), client.plan(), client.run())
        async with desk.sending(smtp.port):
            await desk.wait(is_finished)
    [mail] = await desk.mails()
    assert (mail["state"], mail["possible_duplicates"]) == ("sent", 1)
    assert {taken.message_id for taken in smtp.taken} == {mail["message_id"]}
    assert len(await desk.published("report.sent.v1")) == 1


@pytest.mark.parametrize("fault", ["person-unknown", "text-refused"])
async def test_what_is_refused_for_good_is_told(desk: Desk, client: Client, fault: Fault) -> None:
    [hotline] = desk.office.hotline
    async with FaultySMTP(lambda to, _: fault if to == client.email else "none") as smtp:
        await desk.handle(client.tenant(), client.plan(), client.run())
        async with desk.sending(smtp.port):
            await desk.wait(lambda mails: len(mails) == 2 and is_finished(mails))
    [refused] = await desk.mails(state="undeliverable")
    assert refused["recipient"] == client.email
    assert refused["tries"] == 1
    [told] = smtp.taken
    assert told.recipient == hotline
    assert client.email in str(told.message["Subject"])
    assert refused["last_answer"] in told.message.get_body(("plain",)).get_content()
    [event] = await desk.published("report.undeliverable.v1")
    assert client.email in event["payload"]
    assert not await desk.published("report.sent.v1")


async def test_a_refused_hotline_is_not_written_to_about_itself(desk: Desk, client: Client) -> None:
    async with FaultySMTP(lambda _to, _nth: "person-unknown") as smtp:
        await desk.handle(client.tenant(), client.plan(), client.failed_run())
        async with desk.sending(smtp.port):
            await desk.wait(lambda mails: len(mails) == 3 and is_finished(mails))
            await asyncio.sleep(0.3)
    kinds = Counter(mail["kind"] for mail in await desk.mails())
    assert kinds == {"report": 1, "hotline": 1, "incident": 1}


async def test_an_address_that_is_none_is_told_and_harms_nobody(desk: Desk, client: Client) -> None:
    await desk.handle(
        client.tenant(),
        client.plan(),
        client.recipients("no address\r\nBcc: x@y.example", client.email),
        client.run(),
    )
    states = {mail["recipient"]: mail["state"] for mail in await desk.mails(kind="report")}
    assert states == {
        "no address\r\nBcc: x@y.example": "undeliverable",
        client.email: "queued",
    }
    (told,) = await desk.mails(kind="incident")
    message: Any = email.message_from_bytes(told["body"], policy=email.policy.default)
    assert "Ce n’est pas une adresse électronique." in message.get_body(("plain",)).get_content()
    assert len(await desk.published("report.undeliverable.v1")) == 1


async def until_refused(times: int) -> None:
    """Waits until the sender found no mail server so often."""

    def count() -> float:
        return REGISTRY.get_sample_value("coffre_smtp_unreachable_total") or 0

    begun = count()
    async with asyncio.timeout(60):
        while count() < begun + times:
            await asyncio.sleep(0.02)


async def test_mails_wait_while_the_server_is_down(desk: Desk, client: Client) -> None:
    smtp = FaultySMTP()
    await smtp.start()
    await smtp.stop()
    async with desk.sending(smtp.port):
        await desk.handle(client.tenant(), client.plan())
        for number in range(1, 11):
            await desk.handle(client.run(number))
        await until_refused(2)
        assert {mail["tries"] for mail in await desk.mails()} == {0}, "no try of the mails' own"
        await smtp.start()
        await desk.wait(is_finished)
    await smtp.stop()
    assert len(smtp.taken) == 10
    assert {mail["possible_duplicates"] for mail in await desk.mails()} == {0}


async def test_a_connection_carries_many_mails(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    for number in range(1, 31):
        await desk.handle(client.run(number))
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    assert len(smtp.taken) == 30
    assert smtp.connections <= 15, "on a busy machine some end between two mails"


async def test_two_senders_share_one_queue_without_a_duplicate(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan())
    for number in range(1, 21):
        await desk.handle(client.run(number))
    async with FaultySMTP() as smtp, desk.sending(smtp.port), desk.sending(smtp.port):
        await desk.wait(is_finished)
    assert Counter(taken.message_id for taken in smtp.taken).most_common(1)[0][1] == 1
    assert len(smtp.taken) == 20


async def test_the_next_sender_takes_over_what_was_under_way(desk: Desk, client: Client) -> None:
    await desk.handle(client.tenant(), client.plan(), client.run())
    release = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 asleep\r\n")
        await release.wait()
        writer.close()

    stalled = await asyncio.start_server(stall, "127.0.0.1", 0)
    async with desk.sending(stalled.sockets[0].getsockname()[1]):
        await asyncio.sleep(0.5)
    release.set()
    stalled.close()
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    assert len(smtp.taken) == 1


async def test_the_password_mail_is_blanked_once_sent(
    desk: Desk, client: Client, capsys: Any
) -> None:
    await desk.handle(client.password("Qz7-secret-1"))
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        [taken] = await smtp.wait_taken(1)
        await desk.wait(is_finished)
    assert "Qz7-secret-1" in taken.message.get_body(("plain",)).get_content()
    [mail] = await desk.mails()
    assert mail["body"] is None
    assert mail["state"] == "sent"
    assert "Qz7-secret-1" not in str(await desk.mails())
    printed = capsys.readouterr()
    assert "Qz7-secret-1" not in printed.out + printed.err
    assert not await desk.published("report.sent.v1"), "a password is no report"


async def test_a_refused_password_is_blanked_too(desk: Desk, client: Client) -> None:
    await desk.handle(client.password("Qz7-secret-2"))
    async with (
        FaultySMTP(lambda to, _: "person-unknown" if to == client.email else "none") as smtp,
        desk.sending(smtp.port),
    ):
        await desk.wait(lambda mails: len(mails) == 2 and is_finished(mails))
    assert [mail["body"] for mail in await desk.mails(kind="password")] == [None]
    assert "Qz7-secret-2" not in str(smtp.taken[0].message)


async def test_an_expired_password_is_not_sent_but_told(desk: Desk, client: Client) -> None:
    await desk.handle(client.password("Qz7-late", expires_at=clock.now() - timedelta(seconds=1)))
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(lambda mails: len(mails) == 2 and is_finished(mails))
    assert [mail["state"] for mail in await desk.mails(kind="password")] == ["undeliverable"]
    assert [mail["body"] for mail in await desk.mails(kind="password")] == [None]
    [told] = smtp.taken
    assert told.recipient == desk.office.hotline[0]
    assert "Qz7-late" not in str(told.message)


async def test_the_sender_outlives_its_database_sessions(
    desk: Desk, client: Client, database: Any
) -> None:
    """As when PostgreSQL restarts: every session of the service is ended under its hands."""

    async def handle(run: RunFinished) -> None:
        """Tries again, as the inbox does."""
        while True:
            with suppress(Unavailable):
                await desk.handle(run)
                return

    await desk.handle(client.tenant(), client.plan())
    admin = await asyncpg.connect(database.admin_dsn)
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        for number in range(1, 6):
            await handle(client.run(number))
            await smtp.wait_taken(number)
            await asyncio.sleep(0.1)
            await admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE usename = 'coffre_reporting' AND datname = current_database()"
            )
        await admin.close()
        await handle(client.run(6))
        await desk.wait(lambda mails: len(mails) == 6 and is_finished(mails))
    mails = await desk.mails()
    assert len(mails) == 6
    assert len(smtp.taken) - 6 <= sum(mail["possible_duplicates"] for mail in mails)


_RUNS_OF_CLIENT = 20
"""Fewer than a plan's allowance of mails a day would stop."""


async def campaign(desk: Desk, runs: int, seed: int) -> None:
    """Sends over mixed faults, and checks: none lost, doubles only where SMTP can't tell."""
    chance = random.Random(seed)
    clients = [Client() for _ in range(0, runs, _RUNS_OF_CLIENT)]
    unknown = [f"gone-{one.tenant_id.hex[:8]}@martin.example" for one in clients]
    faults: dict[tuple[str, int], Fault] = {}

    def choose(recipient: str, nth: int) -> Fault:
        if not recipient:
            return "refuse-connection" if chance.random() < 0.05 else "none"
        if recipient in unknown:
            return "person-unknown"
        if chance.random() < 0.6:
            return "none"
        return faults.setdefault((recipient, nth), chance.choice(SURE_FAULTS + UNSURE_FAULTS))

    for one, gone in zip(clients, unknown, strict=True):
        readers = one.recipients(one.email, gone, version=1)
        await desk.handle(one.tenant(), one.plan(), readers)
    async with FaultySMTP(choose) as smtp, desk.sending(smtp.port):
        for at in range(runs):
            one, number = clients[at // _RUNS_OF_CLIENT], at % _RUNS_OF_CLIENT + 1
            await desk.handle(one.run(number) if number % 3 else one.failed_run(number))

        deadline = time.monotonic() + 60 + runs / 2
        while not is_finished(await desk.mails()):
            assert time.monotonic() < deadline, "the queue does not empty"
            await desk.make_due()
            await asyncio.sleep(0.2)

    mails = await desk.mails()
    reports = [mail for mail in mails if mail["kind"] == "report"]
    assert len(reports) == 2 * runs
    sent = {mail["message_id"]: mail for mail in mails if mail["state"] == "sent"}
    taken = Counter(item.message_id for item in smtp.taken)
    assert set(taken) == set(sent), "what is called sent was taken, and nothing else"
    for message_id, copies in taken.items():
        assert copies <= 1 + sent[message_id]["possible_duplicates"]
    refused = [mail for mail in reports if mail["state"] == "undeliverable"]
    assert {mail["recipient"] for mail in refused} == set(unknown)
    assert len(refused) == runs
    assert len(await desk.published("report.sent.v1")) == runs
    assert len(await desk.published("report.undeliverable.v1")) == runs


async def test_sixty_mails_over_mixed_faults(desk: Desk) -> None:
    await campaign(desk, runs=20, seed=1)


@pytest.mark.long
async def test_a_thousand_mails_over_mixed_faults(desk: Desk) -> None:
    await campaign(desk, runs=350, seed=2)


async def test_a_reader_without_an_account_can_stop_the_reports(desk: Desk, client: Client) -> None:
    paul = Reader(name="", email="paul@x.example", locale="fr", invitation_id=uuid4())
    await desk.handle(
        client.tenant(), client.plan(), client.recipients(recipients=(paul,), pending=1)
    )
    await desk.handle(client.run())
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    heads = {taken.recipient: taken.message for taken in smtp.taken}
    token = signed_links.make_token(
        desk.office.mail_key, "invitation", client.tenant_id, paul.invitation_id, paul.email
    )
    link = f"<https://portal.example/invitations/{token}>"
    assert heads[paul.email]["List-Unsubscribe"] == link
    assert heads[paul.email]["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    own = heads[client.email]["List-Unsubscribe"].strip()
    assert own.startswith("<https://portal.example/reports/"), "where they choose which they get"
