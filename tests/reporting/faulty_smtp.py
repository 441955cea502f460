"""A mail server of the outside world that misbehaves as told, one transaction after the other."""

from __future__ import annotations

import asyncio
import base64
import email
import email.policy
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from typing import Any, Literal, Self

from tests.servers import free_port

Fault = Literal[
    "none",
    "refuse-connection",
    "hang-at-greeting",
    "hang-at-person",
    "hang-at-text",
    "hang-after-dot",
    "slow-down",
    "shut-down",
    "sender-sign-in",
    "person-later",
    "person-unknown",
    "our-name",
    "our-name-refused",
    "cut-at-person",
    "text-later",
    "text-refused",
    "text-too-large",
    "cut-before-dot",
    "cut-after-dot",
    "garbage-after-dot",
]
LOST: tuple[Fault, ...] = ("cut-after-dot", "garbage-after-dot")


@dataclass(frozen=True)
class Taken:
    """A mail that the server keeps, whether or not it managed to say so."""

    recipient: str
    message: EmailMessage
    sender: str
    raw: bytes

    @property
    def message_id(self) -> str:
        return str(self.message["Message-ID"])


class FaultySMTP:
    """Listens on a port of its own; `choose(recipient, nth try)` says what goes wrong."""

    def __init__(
        self,
        choose: Callable[[str, int], Fault] = lambda _recipient, _nth: "none",
        *,
        pipelining: bool = True,
        tls: ssl.SSLContext | None = None,
        password: str = "",
    ):
        self.choose = choose
        self.pipelining = pipelining
        self.tls = tls
        self.password = password
        self.most_at_once: Counter[str] = Counter()
        self._at_once: Counter[str] = Counter()
        self.largest_bytes = 0
        self.taken: list[Taken] = []
        self.told: list[Taken] = []
        self.connections = 0
        self.greetings: list[str] = []
        self.tries: Counter[str] = Counter()
        self.port = free_port()  # one that a server that is down doesn't lose
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        self._server = await asyncio.start_server(
            self._serve, "127.0.0.1", self.port, limit=1 << 20
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None

    async def wait_taken(self, count: int, seconds: float = 60) -> list[Taken]:
        async with asyncio.timeout(seconds):
            while len(self.taken) < count:
                await asyncio.sleep(0.02)
        return self.taken

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            if self.choose("", self.connections) == "refuse-connection":
                writer.write(b"554 no service for you\r\n")
                return
            if self.choose("", self.connections) == "hang-at-greeting":
                await reader.read()
                return
            writer.write(b"220 faulty.example ESMTP\r\n")
            await self._talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def _offers(self, writer: asyncio.StreamWriter) -> bytes:
        offers = ["faulty.example", "8BITMIME"]
        is_open = writer.get_extra_info("sslcontext") is None
        if self.pipelining:
            offers.append("PIPELINING")
        if self.tls and is_open:
            offers.append("STARTTLS")
        if self.password and not (self.tls and is_open):
            offers.append("AUTH PLAIN")
        lines = [f"250-{offer}" for offer in offers[:-1]] + [f"250 {offers[-1]}"]
        return "".join(f"{line}\r\n" for line in lines).encode()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        sender, recipient, fault = "", "", "none"
        while line := await reader.readline():
            verb = line[:4].upper()
            if verb in {b"EHLO", b"HELO"}:
                self.greetings.append(line.decode().split()[1])
                writer.write(self._offers(writer))
            elif verb == b"QUIT":
                writer.write(b"221 bye\r\n")
                return
            elif verb == b"STAR" and self.tls:
                writer.write(b"220 go ahead\r\n")
                await writer.start_tls(self.tls)
            elif verb == b"AUTH":
                said = base64.b64decode(line.split()[-1]).split(b"\0")[-1]
                is_right = said.decode() == self.password
                writer.write(b"235 welcome\r\n" if is_right else b"535 5.7.8 wrong\r\n")
            elif verb == b"MAIL" and sender:
                writer.write(b"503 5.5.1 nested MAIL command\r\n")
            elif verb == b"MAIL":
                sender = line.decode().partition("<")[2].partition(">")[0]
                writer.write(b"250 fine\r\n")
            elif verb == b"RCPT":
                recipient = line.decode().partition("<")[2].partition(">")[0]
                self.tries[recipient] += 1
                fault = self.choose(recipient, self.tries[recipient])
                if fault == "hang-at-person":
                    await reader.read()
                if fault in {"cut-at-person", "hang-at-person"}:
                    return
                writer.write(_PERSON.get(fault, b"250 welcome\r\n"))
                if fault in {"shut-down", "slow-down"}:
                    return
            elif verb == b"RSET":
                sender = ""
                writer.write(b"250 fine\r\n")
            elif verb == b"DATA":
                if fault in _PERSON:
                    writer.write(b"503 5.5.1 for whom?\r\n")
                    continue
                if not await self._take_text(reader, writer, sender, recipient, fault):
                    return
                sender = ""
            else:
                writer.write(b"250 fine\r\n")
            await writer.drain()

    async def _take_text(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        sender: str,
        recipient: str,
        fault: str,
    ) -> bool:
        """Returns False where the line is cut."""
        domain = recipient.partition("@")[2]
        self._at_once[domain] += 1
        self.most_at_once[domain] = max(self.most_at_once[domain], self._at_once[domain])
        try:
            if fault == "hang-at-text":
                await reader.read()
                return False
            writer.write(b"354 go on\r\n")
            if fault == "cut-before-dot":
                await reader.read(100)
                return False
            text = await reader.readuntil(b"\r\n.\r\n")
            if fault == "hang-after-dot":
                await reader.read()
                return False
            return self._judge(fault, sender, recipient, text, writer)
        finally:
            self._at_once[domain] -= 1

    def _find_fault(self, fault: str, text: bytes) -> str:
        """A text is too large for a server that says so, as long as it is."""
        if fault == "text-too-large" and len(text) <= self.largest_bytes:
            return "none"
        return fault

    def _judge(self, fault: str, sender: str, recipient: str, text: bytes, writer: Any) -> bool:
        """Keeps a text or refuses it; returns False where the line is cut."""
        fault = self._find_fault(fault, text)
        if fault in _TEXT:
            writer.write(_TEXT[fault])
            return True
        raw = text[:-3].replace(b"\r\n..", b"\r\n.")
        message: Any = email.message_from_bytes(raw, policy=email.policy.default)
        taken = Taken(recipient, message, sender, raw)
        self.taken.append(taken)
        if fault == "cut-after-dot":
            return False
        if fault == "garbage-after-dot":
            writer.write(b"what was the question?\r\n")
            return True
        self.told.append(taken)
        writer.write(b"250 2.0.0 taken\r\n")
        return True


_PERSON: dict[str, bytes] = {
    "person-later": b"450 4.2.0 greylisted\r\n",
    "sender-sign-in": b"530 5.7.0 sign in first\r\n",
    "our-name": b"504 5.5.2 <srv>: Helo command rejected: need fully-qualified hostname\r\n",
    "our-name-refused": b"550 5.7.1 <srv>: Helo command rejected: Host not found\r\n",
    "person-unknown": b"550 5.1.1 no such user\r\n",
    "shut-down": b"421 4.3.2 going down\r\n",
    "slow-down": b"421 4.7.0 too many mails\r\n",
}
_TEXT: dict[str, bytes] = {
    "text-later": b"452 4.3.1 disk full\r\n",
    "text-refused": b"554 5.6.0 not this text\r\n",
    "text-too-large": b"552 5.3.4 Message size exceeds fixed limit\r\n",
}
