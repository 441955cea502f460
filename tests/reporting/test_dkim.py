"""Signatures, as another's verifier sees them after the way out."""

from __future__ import annotations

from datetime import UTC, datetime

import dkim as verifier
import pytest

from services.reporting.mail import compose, dkim
from services.reporting.mail.rendering import Rendered
from services.reporting.mail.smtp import MailServer
from tests.reporting.faulty_smtp import FaultySMTP

RSA = dkim.make_key()
MESSAGE = compose.compose(
    "Coffre du fournisseur à l’étranger <coffre@provider.example>",
    "jeanne@martin.example",
    "Jeanne Martin-Dupré " * 3,
    "REUSSIE - sauvegarde « documents », Boulangerie Martin, " + "très longue " * 9,
    compose.encode(Rendered(".\n..dots \t \n\n  blanks  \nÉté\n\n\n", "<p>Été</p>\n\n")),
    message_id="<report.abc@provider.example>",
    written_at=datetime(2026, 11, 29, tzinfo=UTC),
    stop_link="https://portal.example/" + "x" * 90,
    answers="<report.abb@provider.example>",
)


def verify(raw: bytes, signer: dkim.MailSigner) -> bool:
    def look_up(name: bytes, timeout: float = 5) -> bytes:
        assert name.decode().rstrip(".") == signer.record_name
        return signer.record.encode()

    return bool(verifier.verify(raw, dnsfunc=look_up))


async def test_a_signature_survives_the_way_out() -> None:
    signer = dkim.MailSigner("provider.example", "coffre2026", dkim.read_key(RSA))
    async with (
        FaultySMTP() as smtp,
        MailServer("127.0.0.1", smtp.port, "none").connect() as line,
    ):
        await line.deliver("c@provider.example", "a@x.example", signer.sign(MESSAGE))
    [taken] = smtp.taken
    assert verify(taken.raw, signer)
    assert taken.message["From"].addresses[0].domain == signer.domain, "as DMARC wants it"
    assert max(map(len, taken.raw.split(b"\r\n"))) <= 998


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"jeanne@martin.example", b"paul@martin.example"),
        (b"blanks", b"planks"),
        (b"From: ", b"From: x@y.example\r\nFrom: "),
        (b"Subject: ", b"Subject: other\r\nSubject: "),
    ],
)
def test_what_was_changed_on_the_way_is_seen(before: bytes, after: bytes) -> None:
    signer = dkim.MailSigner("provider.example", "coffre2026", dkim.read_key(RSA))
    signed = signer.sign(MESSAGE)
    assert verify(signed, signer)
    assert not verify(signed.replace(before, after, 1), signer)


@pytest.mark.parametrize("body", [b"", b"\r\n", b"a", b" \r\n\t\r\n", b"a \t b\r\n\r\n\r\n"])
def test_bodies_at_the_edge(body: bytes) -> None:
    signer = dkim.MailSigner("provider.example", "coffre2026", dkim.read_key(RSA))
    head = MESSAGE.partition(b"\r\n\r\n")[0]
    assert verify(signer.sign(head + b"\r\n\r\n" + body), signer)


def test_what_is_no_key_is_said() -> None:
    for text in ("", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"):
        with pytest.raises(dkim.KeyInvalidError):
            dkim.read_key(text)
