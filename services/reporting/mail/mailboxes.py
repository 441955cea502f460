"""Where bounces arrive: a Maildir, or a mailbox of an IMAP server; what was read is put aside."""

from __future__ import annotations

import imaplib
import os
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from libs.shared.errors import Unavailable
from services.reporting.rules import bounces, mails

DONE = "Done"
TIMEOUT_SECONDS = 60.0
IMAPS_PORT = 993


class Session(Protocol):
    """An open mailbox; all that it does waits for a disk or the net, and may raise Unavailable."""

    def list_names(self, most: int) -> list[str]:
        """What lies there, the oldest first."""

    def read(self, name: str) -> bytes | None:
        """The beginning of a message; None: it is gone."""

    def put_aside(self, name: str) -> None:
        """Moves a message to `Done`; nothing happens where it is gone."""

    def close(self) -> None:
        """Leaves."""


@dataclass(frozen=True, slots=True)
class Maildir:
    """A folder with `new`, `cur` and `tmp`, as MTAs deliver to; `Done` is a folder in it."""

    folder: Path

    def open(self) -> Session:
        """Opens it; raises Unavailable where it isn't there or can't be written."""
        return _Folder(self.folder)


class _Folder:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._done = folder / f".{DONE}"
        with _translated():
            for part in ("new", "cur", "tmp"):
                (self._done / part).mkdir(parents=True, exist_ok=True)

    def list_names(self, most: int) -> list[str]:
        """Names from the folder on, as `new/1764400000.M1P2.host`."""
        with _translated():
            found = [
                (entry.stat().st_mtime, f"{part}/{entry.name}")
                for part in ("new", "cur")
                for entry in os.scandir(self._folder / part)
                if entry.is_file(follow_symlinks=False) and not entry.name.startswith(".")
            ]
        return [name for _, name in sorted(found)[:most]]

    def read(self, name: str) -> bytes | None:
        """The beginning of a file."""
        with _translated(), suppress(FileNotFoundError), (self._folder / name).open("rb") as file:
            return file.read(bounces.MOST_BYTES)
        return None

    def put_aside(self, name: str) -> None:
        """Renames the file, as seen."""
        base = name.partition("/")[2].partition(":2,")[0]
        with _translated(), suppress(FileNotFoundError):
            (self._folder / name).rename(self._done / "cur" / f"{base}:2,S")

    def close(self) -> None:
        """Nothing is open."""


@dataclass(frozen=True, slots=True)
class Imap:
    """A mailbox of an IMAP server: TLS on port 993, else STARTTLS, openly within the machine."""

    host: str
    port: int
    username: str
    password: str = field(repr=False)
    mailbox: str = "INBOX"

    def open(self) -> Session:
        """Signs in; raises Unavailable where the server is away or says no."""
        with _translated():
            client = self._connect()
            try:
                return _Selected(client, self.mailbox)
            except BaseException:
                client.shutdown()
                raise

    def _connect(self) -> imaplib.IMAP4:
        context = ssl.create_default_context()
        if self.port == IMAPS_PORT:
            return self._sign_in(
                imaplib.IMAP4_SSL(
                    self.host, self.port, ssl_context=context, timeout=TIMEOUT_SECONDS
                )
            )
        client = imaplib.IMAP4(self.host, self.port, timeout=TIMEOUT_SECONDS)
        try:
            if (
                mails.needs_encryption(self.host, signs_in=False)
                or "STARTTLS" in client.capabilities
            ):
                client.starttls(context)
        except BaseException:
            client.shutdown()
            raise
        return self._sign_in(client)

    def _sign_in(self, client: imaplib.IMAP4) -> imaplib.IMAP4:
        try:
            client.login(self.username, self.password)
        except BaseException:
            client.shutdown()
            raise
        return client


class _Selected:
    """A mailbox that is open for reading and moving."""

    def __init__(self, client: imaplib.IMAP4, mailbox: str) -> None:
        self._client = client
        _check(client.select(_quote(mailbox)))
        # imaplib remembers what was offered before signing in, which is less.
        [offered] = _check(client.capability())
        self._offers = bytes(offered or b"").decode("ascii", "replace").upper().split()
        prefix, delimiter = self._find_names()
        self._done = f"{prefix.rstrip(delimiter)}{delimiter}{DONE}" if prefix else DONE
        client.create(_quote(self._done))  # NO where it is there already

    def _find_names(self) -> tuple[str, str]:
        """Where folders of ours may be made, and what stands between a folder and one in it."""
        if "NAMESPACE" in self._offers:
            [told] = _check(self._client.namespace())
            if found := re.match(rb'\(\("([^"]*)" (?:"(.)"|NIL)\)', told or b""):
                return found[1].decode("ascii", "replace"), (found[2] or b"/").decode()
        return "", "/"

    def list_names(self, most: int) -> list[str]:
        """UIDs, the oldest first."""
        with _translated():
            [found] = _check(self._client.uid("SEARCH", "UNDELETED"))
        return [uid.decode() for uid in (found or b"").split()[:most]]

    def read(self, name: str) -> bytes | None:
        """The beginning, unseen."""
        wanted = f"(BODY.PEEK[]<0.{bounces.MOST_BYTES}>)"
        with _translated():
            told = _check(self._client.uid("FETCH", name, wanted))
        return next((bytes(part[1]) for part in told if isinstance(part, tuple)), None)

    def put_aside(self, name: str) -> None:
        """Moves it (RFC 6851), or copies and deletes it."""
        with _translated():
            if "MOVE" in self._offers:
                _check(self._client.uid("MOVE", name, _quote(self._done)))
                return
            _check(self._client.uid("COPY", name, _quote(self._done)))
            _check(self._client.uid("STORE", name, "+FLAGS.SILENT", r"(\Deleted)"))
            self._client.expunge()

    def close(self) -> None:
        """Says goodbye."""
        try:
            self._client.logout()
        except (imaplib.IMAP4.error, OSError):
            self._client.shutdown()


def _check(answer: tuple[str, list[Any]]) -> list[Any]:
    if answer[0] != "OK":
        raise imaplib.IMAP4.error(f"the server said {answer[0]} {answer[1]!r}"[:300])
    return answer[1]


@contextmanager
def _translated() -> Iterator[None]:
    """A mailbox that is away is waited for."""
    try:
        yield
    except (imaplib.IMAP4.error, OSError) as trouble:
        raise Unavailable(f"mailbox of bounces: {trouble}") from trouble


def _quote(mailbox: str) -> str:
    return '"' + mailbox.replace("\\", "\\\\").replace('"', '\\"') + '"'


Mailbox = Maildir | Imap
