"""What an operator asks about mails by hand, and what the hotline is told of mails that wait."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from libs.shared import clock, database
from libs.shared.errors import NotFound
from libs.shared.events import MAIL_KEPT
from services.reporting import actions, store
from services.reporting.commands import probing
from services.reporting.commands.mails import describe, run
from services.reporting.mail import dkim
from services.reporting.mail.smtp import MailServer
from tests.agent.wires import self_signed
from tests.reporting.conftest import Client, Desk, is_finished
from tests.reporting.faulty_smtp import Fault, FaultySMTP
from tests.reporting.test_incidents import text_of


async def ask(*argv: str) -> int:
    parser = ArgumentParser()
    describe(parser)
    return await run(parser.parse_args(argv))


async def test_mails_are_found_with_the_servers_receipt(
    desk: Desk,
    client: Client,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COFFRE_DATABASE_URL", desk.dsn)
    other = Client()
    for one in (client, other):
        await desk.handle(one.tenant(), one.plan(), one.run())
    await desk.handle(client.password("Qz7-secret-9"))
    async with FaultySMTP() as smtp, desk.sending(smtp.port):
        await desk.wait(is_finished)
    [mail] = await desk.mails(kind="report", recipient=client.email)
    capsys.readouterr()

    assert await ask("list", "--to", client.email.upper(), "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert Counter(line["kind"] for line in lines) == {"report": 1, "password": 1}
    assert {line["receipt"] for line in lines} == {"250 2.0.0 taken"}
    assert await ask("list", "--tenant", str(other.tenant_id), "--state", "sent") == 0
    assert capsys.readouterr().out.count("\n") == 1
    assert await ask("list", "--state", "withheld") == 0
    assert capsys.readouterr().out == "There is no such mail.\n"

    for name in (str(mail["mail_id"]), mail["message_id"], mail["message_id"].strip("<>")):
        assert await ask("show", name) == 0
        shown = capsys.readouterr().out
        assert "receipt              250 2.0.0 taken" in shown
        assert mail["sent_at"].isoformat() in shown
    assert await ask("show", str(mail["mail_id"]), "--text") == 0
    assert f"Message-ID: {mail['message_id']}" in capsys.readouterr().out
    [secret] = await desk.mails(kind="password")
    assert await ask("show", str(secret["mail_id"]), "--text") == 1
    assert "Qz7" not in capsys.readouterr().out
    with pytest.raises(NotFound):
        await ask("show", "no-such@mail")

    for days, code in ((399, 0), (401, 1)):
        before = clock.now() + timedelta(days=days) - MAIL_KEPT
        async with database.transaction(desk.pool) as conn:
            await store.mails.forget_texts(conn, before, 10)
        assert await ask("show", str(mail["mail_id"]), "--text") == code
    assert "older than 400 days" in capsys.readouterr().out


async def probe(desk: Desk, server: MailServer) -> tuple[int, str]:
    said: list[str] = []
    code = await probing.probe(server, desk.office, "jeanne@martin.example", said.append)
    return code, "\n".join(said)


async def test_each_step_of_a_test_is_told(
    desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, trusted = self_signed(tmp_path)
    signer = dkim.MailSigner("provider.example", "coffre", dkim.read_key(dkim.make_key()))
    desk.office = replace(desk.office, signer=signer)
    async with FaultySMTP(tls=context, password="Zk3-secret") as smtp:
        server = MailServer("127.0.0.1", smtp.port, "auto", "coffre", "Zk3-secret", "c.example")
        code, said = await probe(desk, server)
        assert code == 1
        assert "STARTTLS: failed: the certificate isn't valid for this name: self-signed" in said
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
        code, said = await probe(desk, server)
        assert code == 0, said
        steps = [line.partition(":")[0] for line in said.splitlines() if line[0] != " "]
        assert steps == [
            "Connect to 127.0.0.1",
            "EHLO c.example",
            "STARTTLS",
            "EHLO c.example",
            "AUTH as coffre, password ****",
            "DKIM",
            "MAIL FROM coffre@provider.example",
            "RCPT TO jeanne@martin.example",
            said.splitlines()[-2].partition(":")[0],
            "The mail server has taken it. Whether it arrives, it says by a bounce if at all.",
        ]
        assert "it offers: 8BITMIME, PIPELINING, STARTTLS" in said
        assert "certificate valid for 127.0.0.1" in said
        assert "250 2.0.0 taken" in said
        assert "Zk3" not in said
        assert smtp.taken[-1].raw.startswith(b"DKIM-Signature:")
        code, said = await probe(desk, replace(server, password="Qx-wrong"))
        assert (code, said.splitlines()[-1]) == (
            1,
            "AUTH as coffre, password ****: refused: 535 5.7.8 wrong",
        )


@pytest.mark.parametrize(
    ("fault", "last"),
    [
        ("refuse-connection", "greeting: refused: 554 no service for you"),
        ("person-unknown", "RCPT TO jeanne@martin.example: refused: 550 5.1.1 no such user"),
        ("text-refused", "refused: 554 5.6.0 not this text"),
        ("cut-before-dot", "failed: SMTPServerDisconnected"),
    ],
)
async def test_the_step_that_fails_is_the_last_one(desk: Desk, fault: Fault, last: str) -> None:
    async with FaultySMTP(lambda _to, _nth: fault) as smtp:
        code, said = await probe(desk, MailServer("127.0.0.1", smtp.port, "none"))
    assert code == 1
    assert last in said.splitlines()[-1]
    server = MailServer("127.0.0.1", smtp.port, "none")
    assert "Connect to 127.0.0.1" in (await probe(desk, server))[1], "nobody listens"


async def test_the_hotline_is_told_each_day_of_what_nobody_takes(
    desk: Desk, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Five days long, once a day for all of a client's; then it is undeliverable."""
    began = clock.now()
    now = [began]
    monkeypatch.setattr(clock, "now", lambda: now[0])
    monkeypatch.setattr(clock, "offset", lambda: now[0] - began)
    await desk.handle(client.tenant(), client.plan(), client.run(1), client.run(2))
    [hotline] = desk.office.hotline

    def choose(to: str, _nth: int) -> Fault:
        return "person-later" if to == client.email else "none"

    async with FaultySMTP(choose) as smtp, desk.sending(smtp.port):
        for day in range(6):
            now[0] = began + timedelta(days=day)
            await desk.make_due()
            await desk.wait(partial(have_been_tried, day + 1))
            for _ in range(2):
                await actions.delays.tell_late(desk.pool, desk.office)
        await desk.wait(is_finished)
    reports = await desk.mails(kind="report")
    assert {mail["state"] for mail in reports} == {"undeliverable"}
    told = await desk.mails(kind="delayed")
    assert len(told) == 4, "of the first day nothing, of the sixth that it is given up"
    assert {mail["recipient"] for mail in told} == {hotline}
    text = text_of(told[0])
    assert text.count(client.email) == 2
    assert "450 4.2.0 greylisted" in text
    assert len(await desk.mails(kind="incident")) == 1, "it is one address"


def have_been_tried(times: int, mails: list[dict[str, Any]]) -> bool:
    return all(
        mail["state"] == "undeliverable" or (mail["state"], mail["tries"]) == ("queued", times)
        for mail in mails
        if mail["kind"] == "report"
    )
