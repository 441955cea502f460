"""The name that we greet mail servers with."""

from __future__ import annotations

import socket

import pytest
from pydantic import ValidationError

from services.reporting.mail.smtp import MailServer
from services.reporting.settings import Settings
from tests.reporting.faulty_smtp import FaultySMTP


@pytest.mark.parametrize("name", ["coffre.provider.example", "[192.0.2.7]", ""])
async def test_a_mail_server_is_greeted_with_the_name_that_is_set(name: str) -> None:
    async with FaultySMTP() as smtp:
        server = MailServer("127.0.0.1", smtp.port, "none", greeting=name)
        async with server.connect() as line:
            verdict = await line.deliver("c@p.example", "jeanne@martin.example", b"\r\nx\r\n")
    assert verdict.outcome == "accepted"
    assert set(smtp.greetings) == {name or socket.gethostname()}


@pytest.mark.parametrize("name", ["srv", "a b.example", "-a.example", "x.example\r\nRSET", "[::1"])
def test_a_name_that_no_server_takes_is_refused_at_start(name: str) -> None:
    with pytest.raises(ValidationError, match="this must be a full name"):
        Settings.model_validate({"smtp_greeting": name})


@pytest.mark.parametrize(
    "address", ["hotline", "Midi <aide@midi.example>", "a@b.example\r\nBcc: c"]
)
def test_an_address_that_nobody_can_answer_to_is_refused_at_start(address: str) -> None:
    with pytest.raises(ValidationError, match="this must be a mail address"):
        Settings.model_validate({"support_email": address})
