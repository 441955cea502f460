"""Files for what only passes through (TMPDIR), and what is said where their disk takes no more."""

from __future__ import annotations

import asyncio
import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import IO

from libs.shared import logs
from libs.shared.errors import Unavailable

LEAST_BYTES = 32 * 1024 * 1024
"""What must be free for two packs that come slowly: with less a service isn't ready."""

_FULL = (errno.ENOSPC, errno.EDQUOT)


class NoRoom(Unavailable):
    """The disk for passing files takes no more."""

    code = "no-room"

    def __init__(self) -> None:
        super().__init__("disk for passing files", retry_after_seconds=60)

    @property
    def detail(self) -> str:
        return (
            "The server's disk for passing files is full: make room there, in the folder that"
            " TMPDIR names. Nothing that was acknowledged is lost; what was sent is sent again."
        )


@contextmanager
def room_told() -> Iterator[None]:
    """Raises NoRoom, and tells the log, where a file inside found no room."""
    try:
        yield
    except OSError as error:
        # Where even the folder could not be chosen, for it is tried by writing.
        unusable = isinstance(error, FileNotFoundError) and "temporary directory" in str(error)
        if error.errno not in _FULL and not unusable:
            raise
        logs.get().error("passing.no_room", why=str(error), advice=NoRoom().detail)
        raise NoRoom from error


def discard(file: IO[bytes]) -> None:
    """Closes a file; what it could not write any more goes as well."""
    with suppress(OSError):
        file.close()


async def check_room() -> None:
    """Raises NoRoom where there is hardly any left."""
    with room_told():
        room = await asyncio.to_thread(os.statvfs, tempfile.gettempdir())
    if room.f_bavail * room.f_frsize < LEAST_BYTES:
        raise NoRoom
