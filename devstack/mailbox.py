"""An SMTP sink with a page: every mail delivered becomes one `.eml` file in a folder.

`python -m devstack.mailbox --dir D --smtp-port P --http-port Q`
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import os
import time
from pathlib import Path

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session

from devstack import mailbox_page

MAX_MAIL_BYTES = 32 * 1024 * 1024


class Sink:
    """Keeps what SMTP clients deliver; the order of file names is the order of delivery."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._numbers = itertools.count()

    async def handle_DATA(  # noqa: N802 - aiosmtpd looks for this very name
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Writes the mail, complete before it gets its final name, and accepts it."""
        name = f"{time.time_ns()}-{os.getpid()}-{next(self._numbers)}.eml"
        head = f"X-Envelope-From: {_clean(envelope.mail_from)}\r\n" + "".join(
            f"X-Envelope-To: {_clean(recipient)}\r\n" for recipient in envelope.rcpt_tos
        )
        content = envelope.original_content or b""
        draft = self.folder / f".{name}.part"
        draft.write_bytes(head.encode("utf-8", "surrogateescape") + content)
        draft.rename(self.folder / name)
        return "250 kept"


def _clean(address: str | None) -> str:
    return "".join(character for character in address or "" if character.isprintable())


async def serve(folder: Path, smtp_port: int, http_port: int) -> None:
    """Serves SMTP and the page until it is told to end."""
    sink = Sink(folder)
    loop = asyncio.get_running_loop()
    smtp = await loop.create_server(
        lambda: SMTP(sink, data_size_limit=MAX_MAIL_BYTES, enable_SMTPUTF8=True, loop=loop),
        "127.0.0.1",
        smtp_port,
    )
    page = uvicorn.Server(
        uvicorn.Config(
            mailbox_page.create_app(folder),
            host="127.0.0.1",
            port=http_port,
            log_level="warning",
            timeout_graceful_shutdown=2,
        )
    )
    async with smtp:
        await page.serve()


def main() -> None:
    """Reads the command line and serves."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--smtp-port", type=int, required=True)
    parser.add_argument("--http-port", type=int, required=True)
    arguments = parser.parse_args()
    arguments.dir.mkdir(parents=True, exist_ok=True)
    asyncio.run(serve(arguments.dir, arguments.smtp_port, arguments.http_port))


if __name__ == "__main__":
    main()
