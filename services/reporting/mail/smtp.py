"""SMTP out: one person per transaction, and an honest word on what became of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal, cast

import aiosmtplib

from libs.shared.crashpoints import crashpoint
from libs.shared.words.foreign import plain
from services.reporting import rules
from services.reporting.mail.dialogue import Broken, Dialogue, Reply

# RFC 5321, 4.5.3.2: shorter ones make duplicates, above all after the final dot.
CONNECT_SECONDS = 30.0
COMMAND_SECONDS = 300.0
FINAL_REPLY_SECONDS = 600.0
LEAVE_SECONDS = 2.0
SUBMISSIONS_PORT = 465  # RFC 8314

NO_ENCRYPTION = (
    "The mail server offers no encryption (STARTTLS), without which neither password nor mail is "
    "sent to it; COFFRE_SMTP_SECURITY=none does without."
)

Security = Literal["auto", "none", "opportunistic", "starttls", "tls"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What became of a transaction, and what the server said.

    `accepted`: a 250 after the final dot. `refused`: for good. `later`: surely not taken, try
    again. `too-large`: a shorter one may pass. `uncertain`: the connection ended when the server
    may have taken it (RFC 1047). slows: mails to this domain come too fast, or aren't wanted now.
    """

    outcome: Literal["accepted", "refused", "too-large", "later", "uncertain"]
    answer: str
    slows: bool = False


class Unreachable(Exception):  # noqa: N818 - a state of the world, waited out
    """The mail server takes no connection, or not ours."""


@dataclass(frozen=True, slots=True)
class Patience:
    """For how many seconds a connection, the reply to a command and the last one are waited for."""

    connect: float = CONNECT_SECONDS
    command: float = COMMAND_SECONDS
    final: float = FINAL_REPLY_SECONDS


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is handed over, and how.

    `auto`: TLS from the first byte on port 465, else STARTTLS, without which nothing is said but
    within this machine and without a password. `opportunistic`: STARTTLS where it is offered, and
    no password without. `none` is the one word that does without.
    greeting: the name that we say is ours; empty, the machine's own.
    """

    host: str
    port: int
    security: Security = "auto"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    greeting: str = ""
    patience: Patience = Patience()

    @property
    def begins_encrypted(self) -> bool:
        """Whether the first byte is TLS's."""
        return self.security == "tls" or (self.security == "auto" and self.port == SUBMISSIONS_PORT)

    @property
    def starts_tls(self) -> bool | None:
        """Whether STARTTLS is asked for; None: where the server offers it."""
        if self.begins_encrypted or self.security == "none":
            return False
        signs_in = self.username is not None
        if self.security == "opportunistic":
            return True if signs_in else None
        needed = rules.mails.needs_encryption(self.host, signs_in=signs_in)
        return True if self.security == "starttls" or needed else None

    @property
    def own_name(self) -> str:
        """What we greet with."""
        return self.greeting or socket.gethostname()

    @contextlib.asynccontextmanager
    async def connect(self) -> AsyncIterator[Line]:
        """Opens a connection that carries any number of mails; raises `Unreachable`."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.username,
            password=self.password,
            local_hostname=self.own_name,
            timeout=self.patience.connect,
            use_tls=self.begins_encrypted,
            start_tls=self.starts_tls,
        )
        try:
            await client.connect()
            await client.ehlo()
        except (aiosmtplib.SMTPException, OSError, ValueError) as trouble:
            client.close()
            why = describe(trouble)
            if self.starts_tls and "STARTTLS" in why:
                why = f"{NO_ENCRYPTION} {why}"
            raise Unreachable(why) from trouble
        dialogue = Dialogue(cast("asyncio.Transport", client.transport))
        try:
            yield Line(dialogue, self.patience, pipelines=client.supports_extension("pipelining"))
        except asyncio.CancelledError:
            dialogue.close()  # perhaps in the middle of a text: nothing more may be said
            raise
        finally:
            await dialogue.quit(LEAVE_SECONDS)


_STAGES: tuple[rules.mails.Stage, ...] = ("sender", "recipient", "text")
_GOES_ON = 354


class Line:
    """An open connection to the mail server."""

    def __init__(self, dialogue: Dialogue, patience: Patience, *, pipelines: bool) -> None:
        self._dialogue = dialogue
        self._patience = patience
        self._pipelines = pipelines

    @property
    def is_usable(self) -> bool:
        """Whether another mail can go over it."""
        return self._dialogue.is_open

    async def deliver(self, sender: str, recipient: str, body: bytes) -> Verdict:
        """Hands one mail over for one person; sender: of the envelope, where bounces go."""
        try:
            refused = await self._open(sender, recipient)
        except (Broken, ValueError) as trouble:
            self._dialogue.close()
            return Verdict("later", describe(trouble))
        if refused is not None:
            return await self._judge(*refused)
        crashpoint("reporting.in_data")
        try:
            self._dialogue.send_text(body)
            reply = await self._dialogue.read(self._patience.final)
        except Broken as trouble:
            self._dialogue.close()
            return Verdict("uncertain", describe(trouble))
        if reply.code != 250:
            return await self._judge("text", reply)
        crashpoint("reporting.after_data")
        return Verdict("accepted", plain(str(reply))[:500])

    async def _open(self, sender: str, recipient: str) -> tuple[rules.mails.Stage, Reply] | None:
        """Says whose mail it is, for whom, and that it comes; returns the first refusal.

        Together where the server takes it so. Its word on DATA is heard in any case, for the
        replies have to stay in step.
        """
        commands = f"MAIL FROM:<{sender}>".encode(), f"RCPT TO:<{recipient}>".encode(), b"DATA"
        refused: tuple[rules.mails.Stage, Reply] | None = None
        if self._pipelines:
            self._dialogue.send(*commands)
        for stage, command in zip(_STAGES, commands, strict=True):
            if not self._pipelines:
                self._dialogue.send(command)
            try:
                reply = await self._dialogue.read(self._patience.command)
            except Broken:
                if refused is not None:
                    return refused  # it said why before it went
                raise
            is_well = reply.code == _GOES_ON if stage == "text" else 200 <= reply.code < 300
            if refused is not None and is_well and stage == "text":
                # It waits for a text that is for nobody (RFC 2920, 3.1).
                self._dialogue.send_text(b"")
                await self._dialogue.read(self._patience.command)
            elif not is_well and refused is None:
                refused = stage, reply
                if not self._pipelines:
                    break
        return refused

    async def _judge(self, stage: rules.mails.Stage, reply: Reply) -> Verdict:
        """Judges a refusal and brings the connection back to where the next mail can begin."""
        judgement = rules.mails.judge_refusal(stage, reply.code, reply.text)
        slows = rules.mails.asks_for_patience(reply.code, reply.text)
        verdict = Verdict(judgement, plain(str(reply))[:500], slows)
        try:
            if reply.code == 421:
                self._dialogue.close()
            else:
                self._dialogue.send(b"RSET")
                await self._dialogue.read(self._patience.command)
        except Broken:
            self._dialogue.close()
        return verdict


def describe(trouble: Exception) -> str:
    """Puts what the server or the network said in a line that can be kept."""
    if isinstance(trouble, aiosmtplib.SMTPResponseException):
        text = f"{trouble.code} {trouble.message}"
    elif isinstance(trouble, Broken):
        text = str(trouble)
    else:
        text = f"{type(trouble).__name__}: {trouble}"
    return plain(text)[:500]
