"""SMTP out: one person per transaction, and an honest word on what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Literal

import aiosmtplib

from libs.shared.crashpoints import crashpoint
from libs.shared.words.foreign import plain
from services.reporting import rules

# RFC 5321, 4.5.3.2: shorter ones make duplicates, above all after the final dot.
CONNECT_SECONDS = 30
COMMAND_SECONDS = 300
SUBMISSIONS_PORT = 465  # RFC 8314
FINAL_REPLY_SECONDS = 600

NO_ENCRYPTION = (
    "The mail server offers no encryption (STARTTLS), without which neither password nor mail is "
    "sent to it; COFFRE_SMTP_SECURITY=none does without."
)

Security = Literal["auto", "none", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a transaction, and what the server said.

    `accepted`: a 250 after the final dot. `refused`: for good. `later`: surely not taken, try
    again. `too-large`: a shorter one may pass. `uncertain`: the connection ended when the server
    may have taken it (RFC 1047).
    """

    outcome: Literal["accepted", "refused", "too-large", "later", "uncertain"]
    answer: str


class Unreachable(Exception):  # noqa: N818 - a state of the world, waited out
    """The mail server takes no connection, or not ours."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, and how.

    `auto`: TLS from the first byte on port 465, else STARTTLS, without which nothing is said but
    within this machine and without a password. `none` is the one word that does without.
    greeting: the name that we say is ours; empty, the machine's own.
    """

    host: str
    port: int
    sender: str
    security: Security = "auto"
    username: str | None = None
    password: str | None = None
    greeting: str = ""

    @property
    def _begins_encrypted(self) -> bool:
        return self.security == "tls" or (self.security == "auto" and self.port == SUBMISSIONS_PORT)

    @property
    def _starts_tls(self) -> bool | None:
        """Whether STARTTLS is asked for; None: where the server offers it."""
        if self._begins_encrypted or self.security == "none":
            return False
        needed = rules.mails.needs_encryption(self.host, signs_in=self.username is not None)
        return True if self.security == "starttls" or needed else None

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Line]:
        """Opens a connection that carries any number of mails; raises `Unreachable`."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            local_hostname=self.greeting or socket.gethostname(),
            timeout=COMMAND_SECONDS,
            use_tls=self._begins_encrypted,
            start_tls=self._starts_tls,
        )
        try:
            await client.connect(timeout=CONNECT_SECONDS)
            await client.ehlo()
        except (aiosmtplib.SMTPException, OSError, ValueError) as trouble:
            client.close()
            why = describe(trouble)
            if self._starts_tls and "STARTTLS" in why:
                why = f"{NO_ENCRYPTION} {why}"
            raise Unreachable(why) from trouble
        try:
            yield Line(client, self.sender)
        except asyncio.CancelledError:
            client.close()  # perhaps in the middle of a text: nothing more may be said
            raise
        finally:
            await _hang_up(client)


class Line:
    """An open connection to the mail server."""

    def __init__(self, client: aiosmtplib.SMTP, sender: str) -> None:
        self._client = client
        self._sender = sender

    @property
    def is_usable(self) -> bool:
        return self._client.is_connected

    async def deliver(self, recipient: str, body: bytes) -> Verdict:
        """Hands one mail over for one person."""
        stage: rules.mails.Stage = "sender"
        try:
            await self._client.mail(self._sender)
            stage = "recipient"
            await self._client.rcpt(recipient)
        except aiosmtplib.SMTPResponseException as refusal:
            return await self._refused(stage, refusal)
        except (aiosmtplib.SMTPException, OSError, ValueError) as trouble:
            self._client.close()
            return Verdict("later", describe(trouble))
        crashpoint("reporting.before_data")
        try:
            code, answer = await self._client.data(body, timeout=FINAL_REPLY_SECONDS)
        except aiosmtplib.SMTPDataError as refusal:
            return await self._refused("text", refusal)
        except (aiosmtplib.SMTPException, OSError) as trouble:
            self._client.close()
            return Verdict("uncertain", describe(trouble))
        crashpoint("reporting.after_data")
        return Verdict("accepted", plain(f"{code} {answer}")[:500])

    async def _refused(
        self, stage: rules.mails.Stage, refusal: aiosmtplib.SMTPResponseException
    ) -> Verdict:
        """Judges a refusal and brings the connection back to where the next mail can begin."""
        judgement = rules.mails.judge_refusal(stage, refusal.code, refusal.message)
        verdict = Verdict(judgement, describe(refusal))
        if refusal.code == 421 or refusal.code < 0:
            self._client.close()
            return verdict
        try:
            await self._client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._client.close()
        return verdict


def describe(trouble: Exception) -> str:
    """Puts what the server or the network said in a line that can be kept."""
    if isinstance(trouble, aiosmtplib.SMTPResponseException):
        text = f"{trouble.code} {trouble.message}"
    else:
        text = f"{type(trouble).__name__}: {trouble}"
    return plain(text)[:500]


async def _hang_up(client: aiosmtplib.SMTP) -> None:
    if not client.is_connected:
        return
    with contextlib.suppress(aiosmtplib.SMTPException, OSError, asyncio.TimeoutError):
        await client.quit(timeout=2)
    client.close()
