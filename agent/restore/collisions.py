"""What is in a restore's way, above all names that the target's file system can't tell apart."""

from __future__ import annotations

import errno
import os
import unicodedata

from agent.platforms import folders
from agent.telling import oserrors
from agent.telling.failures import AgentError
from agent.telling.names import shown_absolute
from libs.shared.reasons import Reason

FATAL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EMFILE})
"""What every further file would meet as well."""

_CAN_NOT_HOLD = {
    errno.ENAMETOOLONG: Reason("name-too-long"),
    errno.EINVAL: Reason("name-unsupported"),
    errno.EILSEQ: Reason("name-unsupported"),
    errno.EFBIG: Reason("file-too-large"),
    errno.EPERM: Reason("not-permitted"),
}
# What Windows says of a symlink to all but administrators and those in developer mode.
_PRIVILEGE_NOT_HELD = 1314
NO_FOLDER = Reason("no-folder-in-the-way")


class NotRestored(Exception):
    """An entry that can't be brought back, and why."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason)
        self.reason = reason


class InTheWay(NotRestored):
    """Something else is where an entry should go."""


def taken_for_another() -> InTheWay:
    """Two names of the copy are one here; nothing is merged silently."""
    return InTheWay(Reason("name-clash"))


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


def reason_of(path: bytes, error: OSError | NotRestored) -> Reason:
    """Why something can't be written; AgentError where nothing else could be either."""
    if isinstance(error, NotRestored):
        return error.reason
    if error.errno in FATAL:
        words = oserrors.words_of(error)
        reason = Reason("restore-unwritable", shown_absolute(path), detail=words)
        raise AgentError(reason) from error
    if getattr(error, "winerror", 0) == _PRIVILEGE_NOT_HELD:
        return Reason("links-forbidden")
    return _CAN_NOT_HOLD.get(error.errno or 0) or oserrors.reason_of(error)
