"""What is in a restore's way, above all names that the target's file system can't tell apart."""

from __future__ import annotations

import errno
import os
import unicodedata

from agent.failures import AgentError
from agent.names import shown_absolute
from agent.platforms import folders

FATAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE})
"""What every further file would meet as well."""

_CAN_NOT_HOLD = {
    errno.ENAMETOOLONG: "its name is too long for the target's file system",
    errno.EINVAL: "the target's file system can't hold such a name",
    errno.EILSEQ: "the target's file system can't hold such a name",
    errno.EFBIG: "the target's file system can't hold so large a file",
    errno.EPERM: "the target's file system can't hold such a thing, or we may not",
}


class InTheWay(Exception):
    """Something else is where an entry should go; says what."""


def taken_for_another() -> InTheWay:
    """Two names of the copy are one here; nothing is merged silently."""
    return InTheWay("the target's file system takes its name for that of another one there")


def is_folded(folder: int, name: bytes, found: os.stat_result) -> bool:
    """Was something found under a name that nothing has, as file systems that fold case do?"""
    for other in _spellings(name):
        try:
            status = folders.status_in(other, folder)
        except OSError:
            continue
        if (status.st_ino, status.st_dev) == (found.st_ino, found.st_dev):
            with folders.scan(folder) as entries:
                return name not in [os.fsencode(entry.name) for entry in entries]
    return False


def _spellings(name: bytes) -> set[bytes]:
    """The name as a file system might take it to be as well."""
    spellings = {name.swapcase()}
    if not name.isascii():
        text = name.decode(errors="surrogateescape")
        for form in ("NFC", "NFD"):
            spellings.add(unicodedata.normalize(form, text).encode(errors="surrogateescape"))
        spellings.add(text.swapcase().encode(errors="surrogateescape"))
    spellings.discard(name)
    return spellings


def reason_of(path: bytes, error: OSError) -> str:
    """Why something can't be written, in words; AgentError where nothing else could be either."""
    if error.errno in FATAL:
        raise AgentError(
            f"{shown_absolute(path)} can't be written: {error.strerror}. "
            "Make room, then repeat the same command: it goes on from here."
        ) from error
    words = _CAN_NOT_HOLD.get(error.errno or 0)
    return words or error.strerror or str(error)
