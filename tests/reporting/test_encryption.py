"""The connection to the mail server: a password goes over no open line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from services.reporting.mail.smtp import MailServer, Security, Unreachable


@asynccontextmanager
async def open_server(heard: list[bytes]) -> AsyncIterator[int]:
    """A mail server, or whoever took its place, that knows no encryption and takes passwords."""

    served: list[asyncio.Task[None]] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 open.example ESMTP\r\n")
        while line := await reader.readline():
            heard.append(line)
            if line.upper().startswith(b"EHLO"):
                writer.write(b"250-open.example\r\n250 AUTH PLAIN LOGIN\r\n")
            elif line.upper().startswith(b"AUTH"):
                writer.write(b"235 welcome\r\n")
            elif line.upper().startswith(b"QUIT"):
                writer.write(b"221 bye\r\n")
                break
            else:
                writer.write(b"502 what?\r\n")
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.create_task(talk(reader, writer)))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await asyncio.gather(*served)


@pytest.mark.parametrize(
    ("security", "username", "is_open"),
    [
        ("auto", None, True),
        ("none", None, True),
        ("none", "coffre", True),
        ("auto", "coffre", False),
        ("starttls", None, False),
        ("starttls", "coffre", False),
        ("tls", None, False),
    ],
)
async def test_a_password_goes_over_no_open_line_unless_told(
    security: Security, username: str | None, is_open: bool
) -> None:
    heard: list[bytes] = []
    async with open_server(heard) as port:
        server = MailServer("127.0.0.1", port, security, username, "Zk3-secret")
        if is_open:
            async with server.connect():
                pass
        else:
            with pytest.raises(Unreachable) as refused:
                async with server.connect():
                    pass
            if security != "tls":
                assert "offers no encryption" in str(refused.value)
                assert "COFFRE_SMTP_SECURITY=none" in str(refused.value)
    said = b"".join(heard)
    assert (b"AUTH" in said) is (is_open and username is not None)
    if not is_open:
        assert b"Zk3" not in said
        assert b"MAIL FROM" not in said
