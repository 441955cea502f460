"""A mail that a server finds too large comes again, shorter; and is told of where that fails."""

from __future__ import annotations

import email
import email.policy
from datetime import UTC, datetime
from typing import Any

import pytest

from libs.shared.events import NotCopied
from libs.shared.reasons import Reason
from services.reporting.mail import compose
from tests.reporting.conftest import Client, Desk, is_finished, write
from tests.reporting.faulty_smtp import FaultySMTP


def long_run(client: Client) -> Any:
    paths = [f"/srv/documents/été {n}/{'x' * 100}" for n in range(200)]
    reason = Reason("permission-denied")
    return client.run(
        outcome="succeeded_with_warnings",
        files_not_copied=200,
        not_copied=tuple(NotCopied(path=path, reason=reason) for path in paths),
    )


async def test_a_report_refused_for_its_size_comes_shorter(desk: Desk, client: Client) -> None:
    async with FaultySMTP(lambda _to, _nth: "text-too-large") as smtp:
        smtp.largest_bytes = 20_000
        await desk.handle(client.tenant(), client.plan(), long_run(client))
        [before] = await desk.mails()
        assert len(before["body"]) > smtp.largest_bytes
        async with desk.sending(smtp.port):
            await desk.wait(is_finished)
    [kept] = await desk.mails()
    assert (kept["state"], kept["tries"], kept["shortened"]) == ("sent", 2, True)
    [taken] = smtp.taken
    message: Any = taken.message
    assert message["Message-ID"] == kept["message_id"]
    assert message["Subject"] == kept["subject"]
    assert message["To"] == f"Jeanne Martin <{client.email}>"
    assert message.get_content_type() == "text/plain"
    text = message.get_content()
    assert text.startswith("Réussie avec réserves")
    assert f"- /srv/documents/été 0/{'x' * 100}\u00a0: accès refusé" in text
    assert "Ce message a été raccourci" in text
    assert len(text) < 10_000, "and not only without its second form"
    assert f"https://portal.example/plans/{client.plan_id}" in text


async def test_one_that_is_still_too_large_is_told(desk: Desk, client: Client) -> None:
    [hotline] = desk.office.hotline
    async with FaultySMTP(lambda to, _: "text-too-large" if to == client.email else "none") as smtp:
        await desk.handle(client.tenant(), client.plan(), long_run(client))
        async with desk.sending(smtp.port):
            await desk.wait(lambda mails: len(mails) == 2 and is_finished(mails))
    [refused] = await desk.mails(state="undeliverable")
    assert (refused["recipient"], refused["tries"]) == (client.email, 2)
    [told] = smtp.taken
    assert told.recipient == hotline
    assert "552 5.3.4" in told.message.get_body(("plain",)).get_content()
    assert len(await desk.published("report.undeliverable.v1")) == 1


async def test_a_one_time_password_is_not_shortened(desk: Desk, client: Client) -> None:
    async with FaultySMTP(lambda to, _: "text-too-large" if to == client.email else "none") as smtp:
        await desk.handle(client.password())
        async with desk.sending(smtp.port):
            await desk.wait(lambda mails: len(mails) == 2 and is_finished(mails))
    [refused] = await desk.mails(state="undeliverable")
    assert (refused["kind"], refused["tries"], refused["body"]) == ("password", 1, None)


@pytest.mark.parametrize("longest", [1, 100, 8000])
def test_a_shortened_mail_keeps_its_head_and_says_so(longest: int, client: Client) -> None:
    letter = write(client, long_run(client))
    body = compose.compose(
        "Coffre <coffre@p.example>",
        "jeanne@martin.example",
        "Jérôme Martin",
        letter.subject,
        compose.encode(letter.content),
        message_id="<x@p.example>",
        written_at=datetime(2026, 11, 23, tzinfo=UTC),
    )
    short = compose.shorten(body, "La suite est sur le portail.", longest)
    was: Any = email.message_from_bytes(body, policy=email.policy.default)
    message: Any = email.message_from_bytes(short, policy=email.policy.default)
    for name in ("From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"):
        assert message[name] == was[name]
    assert "· documents ·" in message["Subject"]
    assert message.get_content().splitlines()[-2:] == ["", "La suite est sur le portail."]
    assert len(short) < len(body)
    assert all(len(line) <= 998 for line in short.split(b"\r\n"))
    short.decode("ascii")
